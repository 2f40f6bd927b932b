//! Where the sun stands. Pure; good to a fraction of a degree, which is enough for a house.

use crate::demo::time::{DAY, civil};

/// Where the house stands: degrees north and east.
pub(crate) const PLACE: (f64, f64) = (51.48, -0.02);
/// The sun counts as up from here (refraction and its own width).
const RISE: f64 = -0.833;
const CIVIL_DAWN: f64 = -6.0;

/// The sun at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sun {
    /// Degrees above the horizon.
    pub(crate) elevation: f64,
    /// Degrees from north, clockwise.
    pub(crate) azimuth: f64,
    /// Whether it climbs.
    pub(crate) rising: bool,
}

impl Sun {
    /// Whether it is day.
    pub(crate) fn is_up(&self) -> bool {
        self.elevation > RISE
    }
}

/// Returns the sun at `at` (seconds since 1970).
pub(crate) fn sun(at: f64) -> Sun {
    let days = at / DAY - 10_957.5;
    let anomaly = (357.529 + 0.985_600_28 * days).to_radians();
    let mean = 280.459 + 0.985_647_36 * days;
    let longitude = (mean + 1.915 * anomaly.sin() + 0.020 * (2.0 * anomaly).sin()).to_radians();
    let tilt = (23.439 - 0.000_000_36 * days).to_radians();
    let right = (tilt.cos() * longitude.sin()).atan2(longitude.cos());
    let declination = (tilt.sin() * longitude.sin()).asin();
    let sidereal = (280.460_618 + 360.985_647_366 * days + PLACE.1).to_radians();
    let hour = sidereal - right;
    let latitude = PLACE.0.to_radians();
    let up = latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour.cos();
    let azimuth = (-hour.sin())
        .atan2(declination.tan() * latitude.cos() - latitude.sin() * hour.cos())
        .to_degrees()
        .rem_euclid(360.0);
    Sun { elevation: up.asin().to_degrees(), azimuth, rising: hour.sin() < 0.0 }
}

/// The six moments Home Assistant shows, each the next after `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    pub(crate) dawn: f64,
    pub(crate) dusk: f64,
    pub(crate) midnight: f64,
    pub(crate) noon: f64,
    pub(crate) rising: f64,
    pub(crate) setting: f64,
}

/// Finds the next moments of the sun after `at`.
pub(crate) fn next(at: f64) -> Next {
    let level = |degrees: f64, upwards: bool| {
        let above = move |t: f64| (sun(t).elevation > degrees) == upwards;
        crossing(at, above)
    };
    Next {
        dawn: level(CIVIL_DAWN, true),
        dusk: level(CIVIL_DAWN, false),
        midnight: crossing(at, |t| sun(t).rising),
        noon: crossing(at, |t| !sun(t).rising),
        rising: level(RISE, true),
        setting: level(RISE, false),
    }
}

/// The next time `holds` turns from false to true, to the second, within two days.
fn crossing(at: f64, holds: impl Fn(f64) -> bool) -> f64 {
    const STEP: f64 = 600.0;
    let mut low = at;
    while low < at + 2.0 * DAY {
        let high = low + STEP;
        if !holds(low) && holds(high) {
            let (mut low, mut high) = (low, high);
            while high - low > 1.0 {
                let middle = (low + high) / 2.0;
                if holds(middle) { high = middle } else { low = middle }
            }
            return high.floor();
        }
        low = high;
    }
    at + 2.0 * DAY
}

/// Hours since midnight, with a fraction.
pub(crate) fn hour_of_day(at: f64) -> f64 {
    let time = civil(at);
    time.hour as f64 + time.minute as f64 / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-21, 12:00 UTC.
    const SUMMER_NOON: f64 = 1_782_043_200.0;

    #[test]
    fn the_sun_stands_high_at_noon_in_summer_and_low_in_winter() {
        let high = sun(SUMMER_NOON);
        assert!((61.0..63.0).contains(&high.elevation), "{high:?}");
        assert!((175.0..185.0).contains(&high.azimuth), "{high:?}");
        let low = sun(SUMMER_NOON + 183.0 * DAY);
        assert!((14.0..16.5).contains(&low.elevation), "{low:?}");
        assert!(!sun(SUMMER_NOON + DAY / 2.0).is_up());
    }

    #[test]
    fn the_next_moments_come_in_order_and_hold() {
        let next = next(SUMMER_NOON + 300.0);
        assert!(next.setting < next.dusk && next.dusk < next.midnight);
        assert!(next.midnight < next.dawn && next.dawn < next.rising && next.rising < next.noon);
        assert!(sun(next.rising + 60.0).is_up() && !sun(next.rising - 60.0).is_up());
        // Greenwich, midsummer: up for about sixteen and a half hours.
        let day = DAY - (next.rising - next.setting);
        assert!((16.4..16.8).contains(&(day / 3600.0)), "{}", day / 3600.0);
    }
}
