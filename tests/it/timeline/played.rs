//! Timelines played: the player's states, and shows that run from a timeline.

use super::minute;
use hearth::aurora::light::Light;
use hearth::aurora::show::{Fixture, Paint, Profile, Show, Zone, effects};
use hearth::aurora::timeline::{Deck, Player, Stage, State};
use std::sync::Arc;

#[test]
fn a_player_plays_pauses_seeks_loops_and_ends() {
    let mut player = Player::new(60.0);
    let at = |player: &Player, now: f64| (player.state(now), player.position(now));
    assert_eq!(at(&player, 5.0), (State::Stopped, None));
    player.play(100.0);
    assert_eq!(at(&player, 110.0), (State::Playing, Some(10.0)));
    player.play(110.0);
    assert_eq!(at(&player, 110.5), (State::Playing, Some(10.5)), "playing goes on");
    player.pause(112.0);
    assert_eq!(at(&player, 500.0), (State::Paused, Some(12.0)));
    player.seek(500.0, 50.0).unwrap();
    assert_eq!(at(&player, 501.0), (State::Paused, Some(50.0)));
    player.play(600.0);
    assert_eq!(at(&player, 609.0), (State::Playing, Some(59.0)));
    assert_eq!(at(&player, 610.0), (State::Over, None));
    player.pause(611.0);
    assert_eq!(player.state(611.0), State::Over, "what is over cannot be paused");
    player.seek(620.0, 30.0).unwrap();
    assert_eq!(at(&player, 621.0), (State::Playing, Some(31.0)));
    player.set_loop(621.0, Some(Some((30.0, 34.0)))).unwrap();
    for (now, position) in [(622.0, 32.0), (624.5, 30.5), (640.5, 30.5), (643.9, 33.9)] {
        let found = player.position(now).unwrap();
        assert!((found - position).abs() < 1e-9, "{now}: {found}");
    }
    player.set_loop(640.5, None).unwrap();
    assert_eq!(at(&player, 641.0), (State::Playing, Some(31.0)));
    player.stop();
    assert_eq!(at(&player, 641.0), (State::Stopped, None));
    player.play(700.0);
    player.set_loop(700.0, Some(None)).unwrap();
    assert!((player.position(765.0).unwrap() - 5.0).abs() < 1e-9);
    for bad in [-0.1, 60.1, f64::NAN] {
        assert!(player.seek(700.0, bad).unwrap_err().to_string().contains("0 to 60.00 s"), "{bad}");
    }
    assert!(player.set_loop(700.0, Some(Some((5.0, 5.5)))).is_err());
    player.follow(800.0, 20.0, 1.001);
    assert!((player.position(810.0).unwrap() - 30.01).abs() < 1e-9);
}

/// A stage of lamps with one light each, showing `effect`.
fn stage(effect: &str, lamps: usize) -> (Stage, Deck) {
    let fixture = |k| Fixture { name: format!("lamp{k}"), pixels: 1 };
    let profile = Profile::of(Zone { across: false, ..Zone::of(effect) });
    let (show, desk) = Show::new((0..lamps).map(fixture).collect(), &profile, 1).unwrap();
    desk.limit_flashes(false);
    Stage::new(show, Arc::new(minute().1.clone()), lamps)
}

#[test]
fn every_effect_runs_from_a_timeline() {
    for effect in effects::all() {
        let (mut stage, deck) = stage(effect.name, 1);
        deck.change(|player| player.play(1000.0));
        let mut lights = Vec::new();
        for k in 0..800 {
            let mut light = [Light::BLACK];
            stage.paint(0, 1000.0 + f64::from(k) / 50.0, &mut light);
            lights.push(light[0].luminance());
        }
        let (low, high) =
            lights[100..].iter().fold((1f32, 0f32), |(l, h), x| (l.min(*x), h.max(*x)));
        assert!(high - low > 0.03, "{}: {low} to {high}", effect.name);
    }
}

#[test]
fn lamps_of_different_latency_show_the_same_at_the_time_they_are_seen() {
    let (mut stage, deck) = stage("pulse", 2);
    deck.change(|player| player.play(1000.0));
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for k in 0..600 {
        let now = 1000.0 + f64::from(k) / 50.0;
        for (lamp, ahead, list) in [(0, 0.0, &mut near), (1, 0.3, &mut far)] {
            let mut light = [Light::BLACK];
            stage.paint(lamp, now + ahead, &mut light);
            list.push(light[0].luminance());
        }
    }
    let differ = (200..600).filter(|k| (near[*k] - far[k - 15]).abs() > 0.1).count();
    assert!(differ < 20, "{differ} of 400 differ");
}

#[test]
fn a_loop_goes_on_counting_a_pause_stands_and_a_seek_jumps() {
    let (mut stage, deck) = stage("pulse", 1);
    let mut paint = |now: f64| {
        let mut light = [Light::BLACK];
        stage.paint(0, now, &mut light);
        light[0]
    };
    // From a beat over two bars to a beat.
    deck.change(|player| {
        player.seek(0.0, 8.0).unwrap();
        player.set_loop(0.0, Some(Some((8.0, 12.0)))).unwrap();
        player.play(0.0);
    });
    let lights: Vec<Light> = (0..1000).map(|k| paint(f64::from(k) / 50.0)).collect();
    // Eight colours for eight beats, so each round of the loop looks like the one before.
    let apart = |a: Light, b: Light| (0..3).map(|k| (a.0[k] - b.0[k]).abs()).fold(0.0, f32::max);
    let differ = (400..1000).filter(|k| apart(lights[*k], lights[k - 200]) > 0.15).count();
    assert!(differ < 40, "{differ} of 600");
    deck.change(|player| player.pause(20.0));
    let stands = paint(20.5);
    assert!((0..100).all(|k| apart(paint(20.5 + f64::from(k) / 50.0), stands) < 1e-6));
    deck.change(|player| player.stop());
    for k in 0..500 {
        paint(30.0 + f64::from(k) / 50.0);
    }
    assert!(paint(40.0).luminance() < 0.06, "stopped, it is calm");
    assert_eq!(deck.player().state(40.0), State::Stopped);
}
