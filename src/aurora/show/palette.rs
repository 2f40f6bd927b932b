//! Palettes: a few colours, and every colour between them.
//!
//! Between two stops colours go through OKLab (Ottosson, "A perceptual color space for image
//! processing", 2020), so that the way from blue to yellow is neither grey nor dark. A palette is
//! computed once into a table; asking it is a lookup.

use crate::aurora::light::Light;
use crate::error::Error;

/// Colours in a table.
const FINE: usize = 256;
/// Most colours that a palette is made of.
const MOST_STOPS: usize = 16;

/// The palettes that are always there: name, whether the last colour leads back to the first, colours.
const BUILT_IN: &[(&str, bool, &[&str])] = &[
    ("rainbow", true, &["ff0000", "ffb000", "60ff00", "00ffa0", "0070ff", "9000ff", "ff0080"]),
    ("party", true, &["ff0066", "ff6a00", "ffe600", "7a00ff", "0066ff"]),
    ("ember", false, &["200000", "a01000", "ff5000", "ffb030", "fff0c0"]),
    ("ocean", false, &["001040", "0050b0", "00a0c0", "60e0d0", "f0ffff"]),
    ("forest", false, &["032010", "0a6030", "50a020", "c0d040", "fff0a0"]),
    ("aurora", true, &["00ff80", "00c0b0", "2060ff", "8030ff", "c040a0"]),
    ("sunset", false, &["2a0a4a", "8a1060", "ff4040", "ff9020", "ffe080"]),
    ("neon", true, &["ff00a0", "00f0ff", "b0ff00"]),
    ("ice", false, &["102060", "3080ff", "a0e0ff", "ffffff"]),
    ("candle", false, &["301000", "ff7010", "ffb050", "ffd8a0"]),
    ("rose", true, &["ff3060", "ff80a0", "ffd0d0", "c02080"]),
    ("white", false, &["ff9a40", "ffd6a8", "ffffff", "cfe4ff"]),
];

/// A palette, ready to be asked.
#[derive(Clone, Debug)]
pub struct Palette {
    round: bool,
    table: Box<[Light; FINE]>,
}

impl Palette {
    /// The names of the built-in ones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, ..)| *name)
    }

    /// A built-in one.
    pub fn named(name: &str) -> Option<Palette> {
        let (_, round, colours) = BUILT_IN.iter().find(|(known, ..)| *known == name)?;
        Palette::new(colours.iter().copied(), *round).ok()
    }

    /// One of colours as `rrggbb` or `#rrggbb`, in equal steps; `round` leads from the last to the
    /// first.
    ///
    /// # Errors
    /// Invalid: no colours, too many, or one that is none.
    pub fn new<'a>(
        colours: impl IntoIterator<Item = &'a str>,
        round: bool,
    ) -> Result<Palette, Error> {
        let mut stops = Vec::new();
        for colour in colours {
            stops.push(lab(parsed(colour)?));
        }
        if stops.is_empty() || stops.len() > MOST_STOPS {
            return Err(Error::invalid(format!(
                "a palette has 1 to {MOST_STOPS} colours, this one has {}",
                stops.len()
            )));
        }
        let mut table = Box::new([Light::BLACK; FINE]);
        let (last, steps) = match round {
            true => (stops.len(), FINE),
            false => (stops.len() - 1, FINE - 1),
        };
        for (k, colour) in table.iter_mut().enumerate() {
            let at = (k * last) as f32 / steps as f32;
            let (from, share) = (at as usize, at.fract());
            let (a, b) = (stops[from % stops.len()], stops[(from + 1) % stops.len()]);
            *colour = light(std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share));
        }
        Ok(Palette { round, table })
    }

    /// The colour at a place, 0 for the first to 1 for the last; beyond both ends a round palette
    /// begins again and another one stops.
    pub fn at(&self, place: f32) -> Light {
        let (place, steps) = match self.round {
            true => (place.rem_euclid(1.0), FINE as f32),
            false => (place.clamp(0.0, 1.0), FINE as f32 - 1.0),
        };
        let at = place * steps;
        let (from, share) = (at as usize, at.fract());
        let next = if self.round { (from + 1) % FINE } else { (from + 1).min(FINE - 1) };
        self.table[from.min(FINE - 1)].mix(self.table[next], share)
    }

    /// As [`Palette::at`] without an end: one that is not round is walked to and fro.
    pub fn along(&self, place: f32) -> Light {
        if self.round {
            return self.at(place);
        }
        self.at(1.0 - (place.rem_euclid(2.0) - 1.0).abs())
    }
}

/// `rrggbb` as linear light.
fn parsed(colour: &str) -> Result<Light, Error> {
    let digits = colour.strip_prefix('#').unwrap_or(colour);
    let fault = || {
        let shown = crate::text::clean(colour, 20);
        Error::invalid(format!("'{shown}' is no colour; write six hexadecimal digits: ff8000"))
    };
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(fault());
    }
    let all = u32::from_str_radix(digits, 16).map_err(|_| fault())?;
    let channel = |shift: u32| {
        let c = ((all >> shift) & 255) as f32 / 255.0;
        // IEC 61966-2-1, section 5.2.
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    Ok(Light([channel(16), channel(8), channel(0)]))
}

fn lab(Light([r, g, b]): Light) -> [f32; 3] {
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn light([l, a, b]: [f32; 3]) -> Light {
    let cube = |x: f32| x * x * x;
    let long = cube(l + 0.396_337_78 * a + 0.215_803_76 * b);
    let middle = cube(l - 0.105_561_346 * a - 0.063_854_17 * b);
    let short = cube(l - 0.089_484_18 * a - 1.291_485_5 * b);
    let rgb = [
        4.076_741_7 * long - 3.307_711_6 * middle + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * middle - 0.341_319_38 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * middle + 1.707_614_7 * short,
    ];
    Light(rgb.map(|x| x.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stops_are_the_colours_that_were_given() {
        let palette = Palette::new(["ff8000", "#102030", "ffffff"], false).unwrap();
        for (place, bytes) in [
            (0.0, [0xff, 0x80, 0x00]),
            (-3.0, [0xff, 0x80, 0x00]),
            (0.5, [0x10, 0x20, 0x30]),
            (1.0, [0xff; 3]),
            (1.7, [0xff; 3]),
        ] {
            let got = palette.at(place).0.map(|x| {
                let s =
                    if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
                (s * 255.0).round() as i32
            });
            for (got, want) in got.into_iter().zip(bytes) {
                assert!((got - want).abs() <= 2, "{place}: {got} for {want}");
            }
        }
    }

    #[test]
    fn between_blue_and_yellow_it_is_neither_dark_nor_grey() {
        let palette = Palette::new(["0000ff", "ffff00"], false).unwrap();
        let middle = palette.at(0.5);
        assert!((0.15..0.6).contains(&middle.luminance()), "{middle:?}");
        let [low, high] = [f32::min, f32::max].map(|f| middle.0.into_iter().reduce(f).unwrap());
        assert!(high - low > 0.1, "{middle:?}");
    }

    #[test]
    fn round_ones_have_no_seam_and_others_turn_back() {
        for name in Palette::names() {
            let palette = Palette::named(name).unwrap();
            let mut before = palette.along(-2.0);
            for k in 0..=4000 {
                let now = palette.along(-2.0 + k as f32 / 1000.0);
                let step = (0..3).map(|i| (now.0[i] - before.0[i]).abs()).fold(0.0, f32::max);
                assert!(step < 0.05, "{name} at {k}: {step}");
                before = now;
            }
        }
    }

    #[test]
    fn what_is_no_colour_is_refused_with_what_is() {
        for bad in ["", "red", "12345", "1234567", "#ggggff", "é1234"] {
            let e = Palette::new([bad], false).unwrap_err();
            assert!(e.to_string().contains("ff8000"), "{bad}: {e}");
        }
        assert!(Palette::new([], true).is_err());
        assert!(Palette::new(["ffffff"; 17], true).is_err());
        let plain = Palette::new(["ffffff"], false).unwrap();
        assert!((plain.at(0.3).luminance() - 1.0).abs() < 1e-3);
        assert!(Palette::named("no such").is_none());
    }
}
