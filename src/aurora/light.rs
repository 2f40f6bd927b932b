//! Colour as effects compute it: linear light, so that mixing and fading look as they should. What a
//! lamp can show, and its curve, come last (`lamps`).

/// Linear light: red, green, blue with the primaries of sRGB, 0 to 1 each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Light(pub [f32; 3]);

impl Light {
    /// Dark.
    pub const BLACK: Light = Light([0.0; 3]);
    /// All there is.
    pub const WHITE: Light = Light([1.0; 3]);

    /// A colour by hue (0 to 1, round; 0 is red), saturation and value (0 to 1).
    pub fn hsv(hue: f32, saturation: f32, value: f32) -> Light {
        let channel = |offset: f32| {
            let place = (offset + hue * 6.0).rem_euclid(6.0);
            let depth = place.min(4.0 - place).clamp(0.0, 1.0);
            value * (1.0 - saturation * depth)
        };
        Light([channel(5.0), channel(3.0), channel(1.0)])
    }

    /// This colour with `share` (0 to 1) of another.
    pub fn mix(self, other: Light, share: f32) -> Light {
        Light(std::array::from_fn(|k| self.0[k] + (other.0[k] - self.0[k]) * share))
    }

    /// So many times as bright.
    pub fn times(self, factor: f32) -> Light {
        Light(self.0.map(|x| x * factor))
    }

    /// Both lights together, at most all there is.
    pub fn plus(self, other: Light) -> Light {
        Light(std::array::from_fn(|k| (self.0[k] + other.0[k]).min(1.0)))
    }

    /// Relative luminance, 0 to 1 (ITU-R BT.709, section 3.2).
    pub fn luminance(self) -> f32 {
        let [r, g, b] = self.0;
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The bytes for a lamp whose light goes with the `gamma`-th power of what it is sent (2.2 for
    /// lamps that expect sRGB, 1 for those that correct by themselves).
    pub fn bytes(self, gamma: f32) -> [u8; 3] {
        self.0.map(|x| (x.clamp(0.0, 1.0).powf(1.0 / gamma) * 255.0).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_go_round_from_red_over_green_and_blue() {
        let third = 1.0 / 3.0;
        for (hue, bytes) in [
            (0.0, [255, 0, 0]),
            (third / 2.0, [255, 255, 0]),
            (third, [0, 255, 0]),
            (2.0 * third, [0, 0, 255]),
            (1.0, [255, 0, 0]),
            (-third, [0, 0, 255]),
        ] {
            assert_eq!(Light::hsv(hue, 1.0, 1.0).bytes(1.0), bytes, "hue {hue}");
        }
        assert_eq!(Light::hsv(0.3, 0.0, 0.5).bytes(1.0), [128; 3]);
    }

    #[test]
    fn a_curve_changes_neither_dark_nor_full() {
        assert_eq!(Light::BLACK.bytes(2.2), [0; 3]);
        assert_eq!(Light::WHITE.bytes(2.2), [255; 3]);
        assert_eq!(Light::WHITE.times(0.2140).bytes(2.2), [127; 3]);
        assert!((Light::WHITE.luminance() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn mixing_ends_at_both_ends_and_adding_at_full() {
        let (red, blue) = (Light([1.0, 0.0, 0.0]), Light([0.0, 0.0, 1.0]));
        assert_eq!(red.mix(blue, 0.0), red);
        assert_eq!(red.mix(blue, 1.0), blue);
        assert_eq!(red.plus(red).plus(blue), Light([1.0, 0.0, 1.0]));
    }
}
