//! Shows, as whoever plays them uses them: profiles and moments go in, light comes out.

mod flashes;
mod looks;
mod running;
mod song;

use hearth::aurora::light::Light;
use hearth::aurora::show::{Fixture, Profile, Show, Zone};

/// Lamps of so many pixels each, called `lamp1`, `lamp2` and so on.
fn lamps(pixels: &[usize]) -> Vec<Fixture> {
    let lamp =
        |(k, pixels): (usize, &usize)| Fixture { name: format!("lamp{}", k + 1), pixels: *pixels };
    pixels.iter().enumerate().map(lamp).collect()
}

/// The song with one effect on one lamp: what it shows 50 times a second.
fn played(zone: &Zone, pixels: usize) -> Vec<Vec<Light>> {
    let (mut show, desk) = Show::new(lamps(&[pixels]), &Profile::of(zone.clone()), 7).unwrap();
    desk.limit_flashes(false);
    let mut lights = vec![Light::BLACK; pixels];
    (0..(song::LENGTH * 50.0) as usize)
        .map(|k| {
            let moment = song::moment(k as f64 / 50.0);
            show.hear(&moment);
            show.paint_moment(0, moment.seconds, &moment, &mut lights);
            lights.clone()
        })
        .collect()
}
