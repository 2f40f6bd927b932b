//! Outside: the sun, the clouds, the weather.

use crate::demo::house::House;
use crate::demo::sun;
use crate::demo::time::iso;

/// The sky's inside.
#[derive(Default)]
pub(crate) struct Sky {
    /// From 0 (clear) to 1 (overcast).
    cloud: f64,
    outside: f64,
    next: Option<sun::Next>,
}

/// Mean cloud cover, and seconds until the sky has forgotten half of what it looked like.
const MEAN_CLOUD: f64 = 0.5;
const FORGETS: f64 = 1800.0;

impl House {
    /// Returns the outdoor temperature.
    pub(crate) fn outside(&self) -> f64 {
        self.life.sky.outside
    }

    pub(crate) fn look_at_sky(&mut self, seconds: f64) {
        if !self.is_due(60.0, seconds) {
            return;
        }
        let sky = &mut self.life.sky;
        if seconds == 0.0 {
            sky.cloud = MEAN_CLOUD;
        } else {
            let noise = self.dice.between(-1.0, 1.0) * 0.12;
            sky.cloud += (MEAN_CLOUD - sky.cloud) * 60.0 / FORGETS + noise;
            sky.cloud = sky.cloud.clamp(0.0, 1.0);
        }
        let swing = ((sun::hour_of_day(self.now) - 15.0) / 24.0 * std::f64::consts::TAU).cos();
        sky.outside = 8.5 + (5.0 - 3.0 * sky.cloud) * swing;
        let (cloud, outside) = (sky.cloud, (sky.outside * 10.0).round() / 10.0);
        let sun = sun::sun(self.now);
        self.move_sun(sun);
        self.drift("sensor.outdoor_temperature", |e| e.put(format!("{outside:.1}")));
        let light = light(sun.elevation, cloud);
        self.drift("sensor.outdoor_illuminance", |e| e.put(format!("{light:.0}")));
        let condition = condition(cloud, sun.is_up());
        let humidity = (65.0 + 25.0 * cloud).round() as i64;
        self.drift("weather.home", |e| {
            e.put(condition);
            e.set("temperature", outside);
            e.set("humidity", humidity);
        });
    }

    fn move_sun(&mut self, sun: sun::Sun) {
        let now = self.now;
        let is_over = |n: &sun::Next| {
            let all = [n.dawn, n.dusk, n.midnight, n.noon, n.rising, n.setting];
            all.iter().any(|at| *at <= now)
        };
        let next = match self.life.sky.next {
            Some(next) if !is_over(&next) => next,
            _ => sun::next(now),
        };
        self.life.sky.next = Some(next);
        let hundredths = |degrees: f64| (degrees * 100.0).round() / 100.0;
        self.drift("sun.sun", |e| {
            e.put(if sun.is_up() { "above_horizon" } else { "below_horizon" });
            e.set("next_dawn", iso(next.dawn));
            e.set("next_dusk", iso(next.dusk));
            e.set("next_midnight", iso(next.midnight));
            e.set("next_noon", iso(next.noon));
            e.set("next_rising", iso(next.rising));
            e.set("next_setting", iso(next.setting));
            e.set("elevation", hundredths(sun.elevation));
            e.set("azimuth", hundredths(sun.azimuth));
            e.set("rising", sun.rising);
        });
    }
}

/// Light outside in lux, to two digits.
fn light(elevation: f64, cloud: f64) -> f64 {
    let lux = 110_000.0 * elevation.to_radians().sin().max(0.0).powf(1.2) * (1.0 - 0.85 * cloud);
    if lux < 1.0 {
        return 0.0;
    }
    let unit = 10f64.powf(lux.log10().floor() - 1.0);
    (lux / unit).round() * unit
}

/// Home Assistant's word for this sky.
pub(crate) fn condition(cloud: f64, is_day: bool) -> &'static str {
    match cloud {
        c if c < 0.25 && is_day => "sunny",
        c if c < 0.25 => "clear-night",
        c if c < 0.55 => "partlycloudy",
        c if c < 0.85 => "cloudy",
        _ => "rainy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_falls_with_the_sun_and_the_clouds() {
        assert_eq!(light(-3.0, 0.0), 0.0);
        assert!(light(60.0, 0.0) > 85_000.0);
        assert!(light(60.0, 1.0) < light(60.0, 0.5));
        let words = [0.1, 0.4, 0.7, 0.9].map(|cloud| condition(cloud, true));
        assert_eq!(words, ["sunny", "partlycloudy", "cloudy", "rainy"]);
        assert_eq!(condition(0.0, false), "clear-night");
    }
}
