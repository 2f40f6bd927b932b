//! What a house has stored: states over time, long-term statistics, the logbook.
//!
//! `recorder` asks and guards, `spread` evens out (pure), the others read the answers. Nothing is kept
//! here.

mod energy;
mod logbook;
mod recorder;
mod spread;
mod states;
mod statistics;

pub(crate) use energy::roles;
pub(crate) use logbook::logbook;
pub(crate) use recorder::Recorder;
pub(crate) use states::states;
pub(crate) use statistics::{known, statistics};

use serde_json::Value;

/// A span of time, and how much of it an answer shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// Seconds since 1970.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Rows for each entity, at most.
    pub(crate) points: usize,
}

impl When {
    fn seconds(&self) -> f64 {
        self.to - self.from
    }

    fn hours(&self) -> f64 {
        self.seconds() / 3600.0
    }
}

/// A number as answers show it: to the thousandth, and to four places where it is smaller than that.
fn rounded(number: f64) -> Value {
    let places = match number.abs() {
        small if small > 0.0 && small < 0.1 => 10f64.powf(3.0 - small.log10().floor()),
        _ => 1000.0,
    };
    let number = (number * places).round() / places;
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => Value::from(number as i64),
        false => Value::from(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_what_says_something() {
        let check = |number: f64, want: &str| assert_eq!(rounded(number).to_string(), want);
        check(21.123_456, "21.123");
        check(21.0, "21");
        check(-0.5, "-0.5");
        check(0.000_123_456, "0.0001235");
        check(0.0, "0");
        check(1_234_567.891_2, "1234567.891");
    }
}
