//! A token bucket: so many calls a second, a few of them at once. Pure.

/// How many calls are left.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    per_second: f64,
    most: f64,
    left: f64,
    at: f64,
}

impl Budget {
    /// A full one of `per_second` calls; at most a quarter of a second's worth, and at least two, go at
    /// once.
    pub fn new(per_second: f64) -> Budget {
        let most = (per_second / 4.0).max(2.0);
        Budget { per_second, most, left: most, at: f64::NEG_INFINITY }
    }

    /// Whether a call may be made at `now` (seconds), and as many as `reserve` after it.
    pub fn has(&mut self, now: f64, reserve: f64) -> bool {
        if self.at > f64::NEG_INFINITY {
            let grown = (now - self.at).max(0.0) * self.per_second;
            self.left = (self.left + grown).min(self.most);
        }
        self.at = now.max(self.at);
        // As many tokens as one could hold must be enough, whatever the rounding.
        self.left >= (1.0 + reserve).min(self.most) - 1e-9
    }

    /// Takes one.
    pub fn take(&mut self) {
        self.left -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_has_more_calls_than_its_share_and_the_burst() {
        for (per_second, burst) in [(1.0, 2), (8.0, 2), (40.0, 10)] {
            let (mut budget, mut calls) = (Budget::new(per_second), Vec::new());
            for step in 0..10_000 {
                let now = f64::from(step) / 1000.0;
                // Now and then nobody asks for a while.
                if step / 700 % 3 != 1 && budget.has(now, 0.0) {
                    budget.take();
                    calls.push(now);
                }
            }
            for (first, from) in calls.iter().enumerate() {
                for (last, to) in calls.iter().enumerate().skip(first) {
                    let share = ((to - from) * per_second).floor() as usize;
                    assert!(last - first < share + burst + 1, "{per_second}: {from} to {to}");
                }
            }
            let expected = per_second * 10.0 * 0.6;
            assert!(calls.len() as f64 > expected, "{per_second}: only {}", calls.len());
        }
    }

    #[test]
    fn a_reserve_is_left_for_what_matters_more() {
        let mut budget = Budget::new(8.0);
        assert!(budget.has(0.0, 1.0));
        budget.take();
        assert!(!budget.has(0.0, 1.0), "one is left, for a beat");
        assert!(budget.has(0.0, 0.0));
        budget.take();
        assert!(!budget.has(0.0, 0.0));
        assert!(budget.has(0.126, 0.0) && !budget.has(0.126, 1.0));
    }
}
