//! The last step from light to bytes: brightness, white, the lamp's curve, the order of its channels.

use crate::aurora::light::Light;

/// Steps of the curve. It is read by the root of the light, so that there are as many steps for dark
/// colours as the eye needs.
const STEPS: usize = 4096;

/// Which light a channel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Red,
    Green,
    Blue,
    White,
    /// The lamp's own dimmer, which stays at full.
    Dimmer,
}

/// Turns lights into the channels of one lamp.
#[derive(Clone, Debug)]
pub(crate) struct Colours {
    order: Vec<Channel>,
    has_white: bool,
    brightness: f32,
    curve: Vec<u8>,
}

/// Reads an order such as `grb`: each of r, g, b once, then w (white) and d (dimmer) at most once each.
fn channels(order: &str) -> Option<Vec<Channel>> {
    let channel = |c: char| match c {
        'r' => Some(Channel::Red),
        'g' => Some(Channel::Green),
        'b' => Some(Channel::Blue),
        'w' => Some(Channel::White),
        'd' => Some(Channel::Dimmer),
        _ => None,
    };
    let all: Option<Vec<Channel>> = order.chars().map(channel).collect();
    let once = |all: &Vec<Channel>| {
        let count = |wanted: Channel| all.iter().filter(|c| **c == wanted).count();
        [Channel::Red, Channel::Green, Channel::Blue].into_iter().all(|c| count(c) == 1)
            && count(Channel::White) <= 1
            && count(Channel::Dimmer) <= 1
    };
    all.filter(once)
}

/// How many channels a light has in this order; `None` when it is no order.
pub(crate) fn width(order: &str) -> Option<usize> {
    channels(order).map(|all| all.len())
}

impl Colours {
    /// For lamps whose light goes with the `gamma`-th power of what they are sent, at `brightness` (0 to
    /// 1) of what they can. `None` for an order that is none.
    pub(crate) fn new(order: &str, gamma: f32, brightness: f32) -> Option<Colours> {
        let order = channels(order)?;
        let has_white = order.contains(&Channel::White);
        let step = |k: usize| {
            let light = (k as f32 / (STEPS - 1) as f32).powi(2);
            (light.powf(1.0 / gamma) * 255.0).round() as u8
        };
        Some(Colours { order, has_white, brightness, curve: (0..STEPS).map(step).collect() })
    }

    /// How many channels a light has.
    pub(crate) fn width(&self) -> usize {
        self.order.len()
    }

    /// Writes one light into `channels`, which is [`Colours::width`] long.
    pub(crate) fn write(&self, light: Light, channels: &mut [u8]) {
        let [mut red, mut green, mut blue] = light.0.map(|x| x.clamp(0.0, 1.0) * self.brightness);
        let mut white = 0.0;
        if self.has_white {
            // What all three would add up to is said to the white light alone.
            white = red.min(green).min(blue);
            (red, green, blue) = (red - white, green - white, blue - white);
        }
        for (slot, channel) in channels.iter_mut().zip(&self.order) {
            *slot = match channel {
                Channel::Red => self.byte(red),
                Channel::Green => self.byte(green),
                Channel::Blue => self.byte(blue),
                Channel::White => self.byte(white),
                Channel::Dimmer => 255,
            };
        }
    }

    fn byte(&self, light: f32) -> u8 {
        // A light that is no number is dark: `as` makes 0 of it.
        let step = (light.sqrt() * (STEPS - 1) as f32 + 0.5) as usize;
        self.curve[step.min(STEPS - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(order: &str, gamma: f32, brightness: f32, light: [f32; 3]) -> Vec<u8> {
        let colours = Colours::new(order, gamma, brightness).unwrap();
        let mut channels = vec![0; colours.width()];
        colours.write(Light(light), &mut channels);
        channels
    }

    #[test]
    fn channels_come_in_the_lamps_order() {
        let light = [1.0, 0.5, 0.25];
        for (order, want) in [
            ("rgb", &[255, 128, 64][..]),
            ("grb", &[128, 255, 64]),
            ("bgr", &[64, 128, 255]),
            ("rgbw", &[191, 64, 0, 64]),
            ("dgrbw", &[255, 64, 191, 0, 64]),
        ] {
            assert_eq!(written(order, 1.0, 1.0, light), want, "{order}");
        }
        for order in ["", "rg", "rgbx", "rrgb", "rgbww", "RGB", "w"] {
            assert_eq!(width(order), None, "{order:?}");
        }
    }

    #[test]
    fn the_table_is_as_good_as_the_curve() {
        for gamma in [1.0, 2.2, 2.8] {
            for k in 0..=1000 {
                let light = Light([k as f32 / 1000.0; 3]);
                let [want, ..] = light.bytes(gamma);
                let got = written("rgb", gamma, 1.0, light.0)[0];
                assert!(got.abs_diff(want) <= 1, "gamma {gamma}, {k}/1000: {got}, not {want}");
            }
        }
    }

    #[test]
    fn brightness_dims_light_and_nothing_is_out_of_range() {
        assert_eq!(written("rgb", 1.0, 0.5, [1.0, 0.5, 7.0]), [128, 64, 128]);
        assert_eq!(written("rgb", 1.0, 1.0, [-1.0, f32::NAN, f32::INFINITY]), [0, 0, 255]);
    }
}
