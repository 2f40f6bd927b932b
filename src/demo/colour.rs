//! Colours in the forms Home Assistant shows: hue and saturation, RGB, xy, colour temperature. Pure.

/// Hue (0 to 360) and saturation (0 to 100).
pub(crate) type Hs = (f64, f64);

/// Turns hue and saturation at full brightness into red, green, blue.
pub(crate) fn hs_to_rgb((hue, saturation): Hs) -> [u8; 3] {
    let s = (saturation / 100.0).clamp(0.0, 1.0);
    let channel = |shift: f64| {
        let k = (shift + hue.rem_euclid(360.0) / 60.0).rem_euclid(6.0);
        let part = 1.0 - s * k.min(4.0 - k).clamp(0.0, 1.0);
        (part * 255.0).round() as u8
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

/// Turns red, green, blue into hue and saturation, rounded to three places.
pub(crate) fn rgb_to_hs(rgb: [u8; 3]) -> Hs {
    let [r, g, b] = rgb.map(f64::from);
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let span = high - low;
    if span == 0.0 {
        return (0.0, 0.0);
    }
    let sixth = if high == r {
        ((g - b) / span).rem_euclid(6.0)
    } else if high == g {
        (b - r) / span + 2.0
    } else {
        (r - g) / span + 4.0
    };
    (round(sixth * 60.0), round(span / high * 100.0))
}

/// Turns red, green, blue into the CIE xy point, rounded to three places.
///
/// Uses the wide-gamut matrix of colour lamps, as Home Assistant does, so that the numbers agree.
pub(crate) fn rgb_to_xy(rgb: [u8; 3]) -> (f64, f64) {
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c > 0.04045 { ((c + 0.055) / 1.055).powf(2.4) } else { c / 12.92 }
    };
    let [r, g, b] = rgb.map(linear);
    let x = 0.664_511 * r + 0.154_324 * g + 0.162_028 * b;
    let y = 0.283_881 * r + 0.668_433 * g + 0.047_685 * b;
    let z = 0.000_088 * r + 0.072_310 * g + 0.986_039 * b;
    let sum = x + y + z;
    if sum == 0.0 { (0.0, 0.0) } else { (round(x / sum), round(y / sum)) }
}

/// The white of a colour temperature as red, green, blue (the usual fit of a black body's colour).
pub(crate) fn kelvin_to_rgb(kelvin: f64) -> [u8; 3] {
    let t = kelvin.clamp(1000.0, 40_000.0) / 100.0;
    let clip = |v: f64| v.clamp(0.0, 255.0).round() as u8;
    let red = if t <= 66.0 { 255.0 } else { 329.698_727_446 * (t - 60.0).powf(-0.133_204_759_2) };
    let green = if t <= 66.0 {
        99.470_802_586_1 * t.ln() - 161.119_568_166_1
    } else {
        288.122_169_528_3 * (t - 60.0).powf(-0.075_514_849_2)
    };
    let blue = if t >= 66.0 {
        255.0
    } else if t <= 19.0 {
        0.0
    } else {
        138.517_731_223_1 * (t - 10.0).ln() - 305.044_792_730_7
    };
    [clip(red), clip(green), clip(blue)]
}

/// The colours that have a name here.
const NAMES: &[(&str, [u8; 3])] = &[
    ("red", [255, 0, 0]),
    ("orange", [255, 165, 0]),
    ("yellow", [255, 255, 0]),
    ("green", [0, 128, 0]),
    ("lime", [0, 255, 0]),
    ("cyan", [0, 255, 255]),
    ("turquoise", [64, 224, 208]),
    ("blue", [0, 0, 255]),
    ("purple", [128, 0, 128]),
    ("violet", [238, 130, 238]),
    ("magenta", [255, 0, 255]),
    ("pink", [255, 192, 203]),
    ("gold", [255, 215, 0]),
    ("coral", [255, 127, 80]),
    ("white", [255, 255, 255]),
];

/// Returns the colour of a name.
pub(crate) fn named(name: &str) -> Option<[u8; 3]> {
    let name = name.replace(' ', "").to_ascii_lowercase();
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, rgb)| *rgb)
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_agree_with_home_assistant() {
        // Rows read from Home Assistant 2026.11's demo lamps.
        let rows = [
            ((345.0, 75.0), [255, 64, 112], (0.588, 0.274)),
            ((0.0, 100.0), [255, 0, 0], (0.701, 0.299)),
            ((240.0, 100.0), [0, 0, 255], (0.136, 0.04)),
            ((28.55, 67.974), [255, 164, 82], (0.532, 0.388)),
        ];
        for (hs, rgb, xy) in rows {
            assert_eq!(hs_to_rgb(hs), rgb, "{hs:?}");
            assert_eq!(rgb_to_xy(rgb), xy, "{hs:?}");
        }
    }

    #[test]
    fn a_colour_survives_the_way_there_and_back() {
        for rgb in [[255, 0, 0], [12, 255, 99], [255, 164, 82], [255, 255, 255], [0, 128, 255]] {
            assert_eq!(hs_to_rgb(rgb_to_hs(rgb)), rgb);
        }
        assert_eq!(kelvin_to_rgb(3000.0), [255, 177, 110]);
        assert_eq!((named("Blue"), named("nocolour")), (Some([0, 0, 255]), None));
    }
}
