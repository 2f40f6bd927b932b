use super::*;

const RULES: Rules = Rules {
    per_second: 8.0,
    per_lamp: 4.0,
    threshold: 0.05,
    tolerance: 0.15,
    in_flight: 4,
    patience: 0.5,
    waits_for_lamp: false,
};

fn wish(light: Light, seen: f64) -> Wish {
    Wish { light, accent: false, seen }
}

fn beat(light: Light, seen: f64) -> Wish {
    Wish { light, accent: true, seen }
}

const RED: Light = Light([1.0, 0.0, 0.0]);
const BLUE: Light = Light([0.0, 0.0, 1.0]);

/// Answers at once whatever is sent.
fn drain(queue: &mut Queue, now: f64) -> Vec<Letter> {
    let mut all = Vec::new();
    while let Some(letter) = queue.choose(now) {
        queue.answered(letter.id, now);
        all.push(letter);
    }
    all
}

#[test]
fn lamps_that_want_the_same_share_a_call() {
    let mut queue = Queue::new(RULES, &[0, 0, 1, 0]);
    for (lamp, light) in [RED, RED, RED, BLUE].into_iter().enumerate() {
        queue.offer(lamp, beat(light, 10.1), 0.1);
    }
    let all: Vec<_> = drain(&mut queue, 10.0).into_iter().map(|l| (l.lamps, l.fade)).collect();
    assert_eq!(all, [(vec![0, 1], 0.0), (vec![2], 0.0)], "the budget's burst is two");
    let rest: Vec<_> = drain(&mut queue, 10.13).into_iter().map(|l| (l.lamps, l.light)).collect();
    assert_eq!(rest, [(vec![3], BLUE)]);
}

#[test]
fn a_beat_goes_first_and_early_by_the_lamps_latency() {
    let mut queue = Queue::new(RULES, &[0, 0]);
    // Foretold: to be seen at 11, by a lamp that takes 0.3 s.
    queue.offer(1, beat(BLUE, 11.0), 0.3);
    queue.offer(0, wish(RED, 10.1), 0.1);
    assert_eq!(drain(&mut queue, 10.0)[0].lamps, [0], "the beat is not due");
    assert_eq!(drain(&mut queue, 10.6), []);
    queue.offer(0, wish(BLUE, 10.8), 0.1);
    let due = drain(&mut queue, 10.66);
    assert_eq!((due[0].lamps.as_slice(), due[0].fade), ([1].as_slice(), 0.0));
    assert_eq!(queue.counts().beats, 1);
}

#[test]
fn what_would_be_seen_too_late_is_dropped_and_counted() {
    let mut queue = Queue::new(RULES, &[0]);
    queue.offer(0, beat(RED, 10.0), 0.1);
    assert_eq!(drain(&mut queue, 10.051), [], "seen at 10.151");
    queue.offer(0, wish(RED, 10.0), 0.1);
    assert_eq!(drain(&mut queue, 20.0), []);
    assert_eq!(queue.counts(), Counts { stale: 2, ..Counts::default() });
}

#[test]
fn small_changes_are_not_sent_but_the_last_step_into_the_dark_is() {
    let mut queue = Queue::new(RULES, &[0]);
    let mut at = 10.0;
    let mut offered = |queue: &mut Queue, light| {
        at += 1.0;
        queue.offer(0, wish(light, at + 0.1), 0.1);
        drain(queue, at).len()
    };
    assert_eq!(offered(&mut queue, RED.times(0.5)), 1);
    assert_eq!(offered(&mut queue, RED.times(0.52)), 0);
    assert_eq!(offered(&mut queue, RED.times(0.8)), 1);
    assert_eq!(offered(&mut queue, RED.times(0.0001)), 1);
    assert_eq!(offered(&mut queue, Light::BLACK), 1);
    assert_eq!(offered(&mut queue, Light::BLACK), 0);
}

/// Runs a show of `seconds` that changes all the time, and returns when each lamp got a call.
fn play(queue: &mut Queue, lamps: usize, seconds: f64) -> Vec<(f64, Letter)> {
    let mut all = Vec::new();
    for step in 0..(seconds * 100.0) as u32 {
        let now = 100.0 + f64::from(step) / 100.0;
        for lamp in 0..lamps {
            let hue = step as f32 / 50.0 + lamp as f32 / lamps as f32;
            let light = Light::hsv(hue, 1.0, 1.0);
            let accent = step % 200 == 0;
            queue.offer(lamp, Wish { light, accent, seen: now + 0.1 }, 0.1);
        }
        all.extend(drain(queue, now).into_iter().map(|letter| (now, letter)));
    }
    all
}

#[test]
fn the_budget_holds_and_every_lamp_has_its_turn() {
    let mut queue = Queue::new(RULES, &[0; 5]);
    let all = play(&mut queue, 5, 20.0);
    assert!(all.len() <= 20 * 8 + 2, "{}", all.len());
    assert!(all.len() >= 20 * 7, "{}", all.len());
    for lamp in 0..5 {
        let own: Vec<_> = all.iter().filter(|(_, l)| l.lamps.contains(&lamp)).collect();
        assert!(own.len() > 20, "lamp {lamp} had {}", own.len());
        assert!(own.windows(2).all(|w| w[1].0 - w[0].0 >= 0.124), "lamp {lamp}");
        // It fades until its next turn, more or less.
        let fades: Vec<f64> = own.iter().map(|(_, l)| l.fade).filter(|fade| *fade > 0.0).collect();
        let mean = fades.iter().sum::<f64>() / fades.len() as f64;
        assert!((0.25..=1.5).contains(&mean), "lamp {lamp}: {mean}");
    }
}

#[test]
fn nothing_piles_up_behind_a_house_that_does_not_answer() {
    let mut queue = Queue::new(RULES, &[0, 1, 2]);
    let (mut sent, mut ids) = (0, Vec::new());
    for step in 0..1000 {
        let now = 100.0 + f64::from(step) / 100.0;
        for lamp in 0..3 {
            queue.offer(lamp, wish(Light::hsv(step as f32 / 40.0, 1.0, 1.0), now + 0.1), 0.1);
        }
        while let Some(letter) = queue.choose(now) {
            ids.push(letter.id);
            sent += 1;
        }
    }
    assert_eq!(sent, 3, "one for each lamp");
    // After the stall only what is wanted now goes out.
    ids.into_iter().for_each(|id| queue.answered(id, 110.0));
    let mut after = Vec::new();
    for now in [110.0, 110.13, 110.26] {
        (0..3).for_each(|lamp| queue.offer(lamp, wish(BLUE, now + 0.1), 0.1));
        after.extend(drain(&mut queue, now));
    }
    let mut lamps: Vec<usize> = after.iter().flat_map(|l| l.lamps.clone()).collect();
    lamps.sort();
    assert_eq!(lamps, [0, 1, 2]);
    assert!(after.iter().all(|l| l.light == BLUE), "{after:?}");
}

#[test]
fn a_lamp_that_stalls_leaves_the_others_of_its_call_alone() {
    let mut queue = Queue::new(RULES, &[0, 0, 0]);
    (0..3).for_each(|lamp| queue.offer(lamp, wish(RED, 10.1), 0.1));
    let first = queue.choose(10.0).unwrap();
    assert_eq!(first.lamps, [0, 1, 2]);
    queue.stirred(0);
    queue.stirred(2);
    (0..3).for_each(|lamp| queue.offer(lamp, wish(BLUE, 10.5), 0.1));
    assert_eq!(queue.choose(10.4), None, "they wait for each other for a while");
    (0..3).for_each(|lamp| queue.offer(lamp, wish(BLUE, 10.7), 0.1));
    let second = queue.choose(10.6).unwrap();
    assert_eq!(second.lamps, [0, 2], "the second lamp has not answered");
    queue.answered(second.id, 10.65);
    queue.answered(first.id, 12.0);
    let mut after = Vec::new();
    for now in [12.0, 12.13] {
        (0..3).for_each(|lamp| queue.offer(lamp, wish(Light::WHITE, now + 0.1), 0.1));
        after.extend(drain(&mut queue, now).into_iter().map(|l| l.lamps));
    }
    after.sort();
    assert_eq!(after, [vec![0, 2], vec![1]], "it is alone until it keeps up");
    (0..3).for_each(|lamp| queue.offer(lamp, wish(BLUE, 13.1), 0.1));
    assert_eq!(drain(&mut queue, 13.0)[0].lamps, [0, 1, 2]);
}

#[test]
fn a_call_that_fails_is_taken_apart_and_who_fails_alone_rests() {
    let mut queue = Queue::new(RULES, &[0, 0]);
    let offer = |queue: &mut Queue, now: f64| {
        (0..2).for_each(|lamp| queue.offer(lamp, wish(RED, now + 0.1), 0.1));
    };
    offer(&mut queue, 10.0);
    let both = queue.choose(10.0).unwrap();
    queue.failed(both.id, 10.0, false);
    offer(&mut queue, 10.5);
    let (one, other) = (queue.choose(10.5).unwrap(), queue.choose(10.63));
    let other = other.unwrap();
    assert_eq!(one.lamps.len() + other.lamps.len(), 2);
    queue.answered(one.id, 10.5);
    queue.failed(other.id, 10.63, false);
    let rests = |queue: &mut Queue, now: f64| {
        (0..2).for_each(|lamp| {
            queue.offer(lamp, wish(BLUE.times(now as f32 / 99.0), now + 0.1), 0.1)
        });
        drain(queue, now).iter().all(|l| l.lamps != other.lamps)
    };
    assert!(rests(&mut queue, 11.5));
    assert!(!rests(&mut queue, 11.7));
    assert_eq!(queue.counts().failed, 2);
}

#[test]
fn a_lamp_that_acknowledges_by_itself_is_waited_for_but_not_for_ever() {
    let rules = Rules { waits_for_lamp: true, ..RULES };
    let mut queue = Queue::new(rules, &[0]);
    queue.offer(0, wish(RED, 10.1), 0.1);
    let letter = queue.choose(10.0).unwrap();
    queue.answered(letter.id, 10.0);
    queue.offer(0, wish(BLUE, 10.4), 0.1);
    assert_eq!(queue.choose(10.3), None, "the lamp has said nothing yet");
    queue.stirred(0);
    let letter = queue.choose(10.3).unwrap();
    queue.answered(letter.id, 10.3);
    queue.offer(0, wish(RED, 10.7), 0.1);
    assert_eq!(queue.choose(10.7), None);
    assert!(!queue.is_silent(10.7));
    queue.offer(0, wish(RED, 10.95), 0.1);
    assert!(queue.is_silent(10.85) && !queue.is_silent(10.85), "asked once for each");
    assert!(queue.choose(10.85).is_some(), "a lamp that never says a word is served all the same");
}
