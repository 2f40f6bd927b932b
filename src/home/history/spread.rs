//! Evens out what changed at any time over so many equal parts of a span. Pure.
//!
//! A state holds from its change to the next one, so a mean weighs each value by how long it held:
//! a lamp that flickered for a second counts as a second.

use std::collections::BTreeMap;

/// What is said in place of a state while an entity was not there: removed, and made anew later.
pub(crate) const GONE: &str = "removed";

/// A state and when it began, seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) at: f64,
    pub(crate) state: Box<str>,
}

/// A span of time in equal parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// Seconds since 1970.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// At least one.
    pub(crate) parts: usize,
}

/// The numbers of one part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// Weighed by time.
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// So long each state held in one part, in seconds.
pub(crate) type Held = BTreeMap<Box<str>, f64>;

impl Span {
    /// Returns when the part begins.
    pub(crate) fn start_of(&self, part: usize) -> f64 {
        self.from + (self.to - self.from) * part as f64 / self.parts as f64
    }

    /// Returns the same span in one part.
    pub(crate) fn whole(self) -> Span {
        Span { parts: 1, ..self }
    }

    /// The part that holds a time within the span.
    fn part_of(&self, at: f64) -> usize {
        let part = (at - self.from) / (self.to - self.from) * self.parts as f64;
        (part.max(0.0) as usize).min(self.parts - 1)
    }
}

/// Returns the number that a state is, if it is one.
pub(crate) fn number(state: &str) -> Option<f64> {
    state.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether a state says nothing.
pub(crate) fn is_gap(state: &str) -> bool {
    matches!(state, "" | "unknown" | "unavailable" | GONE)
}

/// Whether these are numbers, but for gaps.
pub(crate) fn are_numbers(samples: &[Sample]) -> bool {
    let mut said = samples.iter().filter(|sample| !is_gap(&sample.state)).peekable();
    said.peek().is_some() && said.all(|sample| number(&sample.state).is_some())
}

/// Returns the numbers of each part; `None` where no number held. `samples` are in the order of time;
/// one from before the span counts from its beginning.
pub(crate) fn numbers(samples: &[Sample], span: Span) -> Vec<Option<Numbers>> {
    #[derive(Clone, Copy)]
    struct Sum {
        area: f64,
        time: f64,
        last: f64,
        min: f64,
        max: f64,
    }
    let none = Sum { area: 0.0, time: 0.0, last: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
    let mut sums = vec![none; span.parts];
    each(samples, span, |part, state, held| {
        let Some(value) = number(state) else { return };
        let sum = &mut sums[part];
        sum.area += value * held;
        sum.time += held;
        sum.last = value;
        sum.min = sum.min.min(value);
        sum.max = sum.max.max(value);
    });
    let done = |sum: Sum| {
        let mean = if sum.time > 0.0 { sum.area / sum.time } else { sum.last };
        (sum.min <= sum.max).then_some(Numbers { mean, min: sum.min, max: sum.max })
    };
    sums.into_iter().map(done).collect()
}

/// Returns how long each state held in each part.
pub(crate) fn durations(samples: &[Sample], span: Span) -> Vec<Held> {
    let mut parts = vec![Held::new(); span.parts];
    each(samples, span, |part, state, held| {
        *parts[part].entry(state.into()).or_default() += held;
    });
    parts
}

/// Calls `note` with each part that a state reaches into, and how long it held there.
fn each(samples: &[Sample], span: Span, mut note: impl FnMut(usize, &str, f64)) {
    if span.to <= span.from {
        return;
    }
    for (n, sample) in samples.iter().enumerate() {
        let end = samples.get(n + 1).map_or(span.to, |next| next.at).min(span.to);
        let begin = sample.at.max(span.from);
        if begin > end || begin >= span.to {
            continue;
        }
        let mut at = begin;
        for part in span.part_of(begin)..=span.part_of(end) {
            let until = span.start_of(part + 1).min(end);
            // A state that held for no time at all still had its value.
            if until > at || begin == end {
                note(part, &sample.state, until - at);
            }
            at = at.max(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(all: &[(f64, &str)]) -> Vec<Sample> {
        all.iter().map(|(at, state)| Sample { at: *at, state: (*state).into() }).collect()
    }

    fn of(mean: f64, min: f64, max: f64) -> Option<Numbers> {
        Some(Numbers { mean, min, max })
    }

    #[test]
    fn means_weigh_each_value_by_how_long_it_held() {
        let span = |parts| Span { from: 100.0, to: 200.0, parts };
        let check = |all: &[(f64, &str)], parts, want: &[Option<Numbers>]| {
            assert_eq!(numbers(&samples(all), span(parts)), want, "{all:?}");
        };
        // One value for all of the time, from before it began.
        check(&[(50.0, "7")], 2, &[of(7.0, 7.0, 7.0), of(7.0, 7.0, 7.0)]);
        // 10 for 75 s, 30 for 25 s: (10 * 75 + 30 * 25) / 100.
        check(&[(100.0, "10"), (175.0, "30")], 1, &[of(15.0, 10.0, 30.0)]);
        // The same in halves: 10; then 10 for 25 s and 30 for 25 s.
        let want = [of(10.0, 10.0, 10.0), of(20.0, 10.0, 30.0)];
        check(&[(100.0, "10"), (175.0, "30")], 2, &want);
        // Nothing is known before the first value, nor while it is unavailable.
        let all = [(125.0, "4"), (150.0, "unavailable"), (175.0, "8")];
        check(&all, 4, &[None, of(4.0, 4.0, 4.0), None, of(8.0, 8.0, 8.0)]);
        check(&all, 1, &[of(6.0, 4.0, 8.0)]);
        // A peak that held for no time counts for the maximum, not for the mean.
        let peak = [(100.0, "1"), (150.0, "99"), (150.0, "1")];
        check(&peak, 1, &[of(1.0, 1.0, 99.0)]);
        // What begins after the end is outside; so is what ended before the beginning.
        check(&[(0.0, "5"), (50.0, "6"), (200.0, "7")], 1, &[of(6.0, 6.0, 6.0)]);
        check(&[], 2, &[None, None]);
    }

    #[test]
    fn durations_add_up_to_the_span() {
        let span = Span { from: 0.0, to: 3600.0, parts: 4 };
        let all = samples(&[(-10.0, "off"), (450.0, "on"), (1350.0, "off"), (3599.0, "on")]);
        let parts = durations(&all, span);
        let held = |part: usize, state: &str| parts[part].get(state).copied().unwrap_or_default();
        assert_eq!((held(0, "off"), held(0, "on")), (450.0, 450.0));
        assert_eq!((held(1, "off"), held(1, "on")), (450.0, 450.0));
        assert_eq!((held(2, "off"), held(2, "on")), (900.0, 0.0));
        assert_eq!((held(3, "off"), held(3, "on")), (899.0, 1.0));
        let whole = &durations(&all, span.whole())[0];
        assert_eq!((whole["off"], whole["on"]), (2699.0, 901.0));
    }

    #[test]
    fn gaps_do_not_make_numbers_words() {
        let check = |all: &[&str], want| {
            let all: Vec<(f64, &str)> = all.iter().map(|state| (0.0, *state)).collect();
            assert_eq!(are_numbers(&samples(&all)), want, "{all:?}");
        };
        check(&["1", "2.5", "-3e2"], true);
        check(&["1", "unavailable", "unknown"], true);
        check(&["on", "off"], false);
        check(&["1", "high"], false);
        check(&["unknown"], false);
        check(&["NaN"], false);
        check(&["inf", "1"], false);
        check(&[], false);
    }

    #[test]
    fn parts_are_equal() {
        let span = Span { from: 1000.0, to: 1070.0, parts: 7 };
        let starts: Vec<f64> = (0..7).map(|part| span.start_of(part)).collect();
        assert_eq!(starts, [1000.0, 1010.0, 1020.0, 1030.0, 1040.0, 1050.0, 1060.0]);
        assert_eq!((span.part_of(1000.0), span.part_of(1009.9), span.part_of(1070.0)), (0, 0, 6));
    }
}
