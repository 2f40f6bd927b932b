//! A rehearsal: what the lamps show or would show, painted for the page.

use crate::aurora::light::Light;
use crate::aurora::listen::Heard;
use crate::aurora::moment::Moment;
use crate::aurora::show::{Desk, Fixture, Paint, Profile, Show};
use crate::error::Error;
use crate::text::hex;

/// The page shows at most so many lights of a lamp.
const SHOWN: usize = 60;
/// The page's own colours are sRGB.
const GAMMA: f32 = 2.2;
const SEED: u32 = 1;

/// A show without lamps.
pub(in crate::aurora) struct Rehearsal {
    show: Show,
    desk: Desk,
    lights: Vec<Light>,
}

impl Rehearsal {
    pub(super) fn new(
        lamps: Vec<Fixture>,
        look: &Profile,
        limit_flashes: bool,
    ) -> Result<Rehearsal, Error> {
        let most = lamps.iter().map(|lamp| lamp.pixels).max().unwrap_or(0);
        let (show, desk) = Show::new(lamps, look, SEED)?;
        desk.limit_flashes(limit_flashes);
        Ok(Rehearsal { show, desk, lights: vec![Light::BLACK; most] })
    }

    /// Shows another look from now on. One that cannot be shown here leaves it as it is.
    pub(in crate::aurora) fn change(&self, look: &Profile) {
        if let Err(e) = self.desk.change(look) {
            log::debug!("the page cannot show this look: {e}");
        }
    }

    /// Takes what is heard and returns the colours of each lamp: six hexadecimal digits a light.
    pub(in crate::aurora) fn paint(&mut self, heard: &Heard) -> Vec<String> {
        self.show.see(&heard.frame, heard.at);
        self.all(|show, lamp, lights| show.paint(lamp, heard.at, lights))
    }

    /// As [`Rehearsal::paint`] for a moment of a timeline.
    pub(in crate::aurora) fn paint_moment(&mut self, moment: &Moment) -> Vec<String> {
        self.show.hear(moment);
        self.all(|show, lamp, lights| show.paint_moment(lamp, moment.seconds, moment, lights))
    }

    fn all(&mut self, paint: impl Fn(&mut Show, usize, &mut [Light])) -> Vec<String> {
        let lamps = self.desk.lamps();
        let mut shown = Vec::with_capacity(lamps.len());
        for (number, lamp) in lamps.iter().enumerate() {
            let lights = &mut self.lights[..lamp.pixels];
            paint(&mut self.show, number, lights);
            shown.push(digits(lights));
        }
        shown
    }
}

/// The colours of a lamp, of a long one every so many lights.
fn digits(lights: &[Light]) -> String {
    let count = lights.len().min(SHOWN);
    let bytes = (0..count).flat_map(|n| lights[n * lights.len() / count].bytes(GAMMA));
    hex(&bytes.collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::show::Zone;

    #[test]
    fn long_lamps_are_thinned_and_every_lamp_has_its_colours() {
        let lamp = |name: &str, pixels| Fixture { name: name.into(), pixels };
        let lamps = vec![lamp("strip", 600), lamp("bulb", 1)];
        let look = Profile::of(Zone::of("plasma"));
        let mut rehearsal = Rehearsal::new(lamps, &look, true).unwrap();
        let shown = rehearsal.paint(&Heard::default());
        assert_eq!(shown.iter().map(String::len).collect::<Vec<_>>(), [6 * SHOWN, 6]);
        assert!(shown.iter().all(|text| text.chars().all(|c| c.is_ascii_hexdigit())));
    }
}
