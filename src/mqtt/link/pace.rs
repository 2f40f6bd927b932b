//! How long to wait before a broker is tried again. Pure.
//!
//! Quickly at first, because most outages are a restart; then at most 20 times a minute. What will not
//! change by itself (a wrong password) or would do harm (two clients of one id that throw each other out)
//! is tried seldom.

use std::time::{Duration, Instant};

/// Why a connection ended, as far as it matters for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It broke, or could not be made.
    Lost,
    /// The broker does not let us in.
    Refused,
    /// Somebody else took our client id.
    TakenOver,
    /// The broker does not speak this version of MQTT.
    Version,
}

/// So long an outage is taken for a restart; a little more than the 30 s in which we are quick, so that
/// the last attempt in them is followed by a quick one.
const RESTART: Duration = Duration::from_secs(32);
/// A connection that lasted so long was a real one.
const REAL: Duration = Duration::from_secs(10);
/// So many short connections in a row, and something is wrong.
const SHORT: u32 = 3;
const FIRST: [u64; 4] = [200, 400, 800, 1400];
const LATER: u64 = 3900;
const SELDOM: [u64; 4] = [5_000, 10_000, 30_000, 60_000];
const TAKEN_OVER: [u64; 2] = [30_000, 120_000];
const FIGHT: u64 = 20_000;

/// Counts failures.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    failures: usize,
    refusals: usize,
    short: u32,
}

impl Pace {
    /// Takes in that a connection ended, which was up for `up` if at all; returns how long to wait.
    /// `chance` (0 to 1) spreads clients that lost the same broker.
    pub(super) fn ended(
        &mut self,
        now: Instant,
        ending: Ending,
        up: Option<Duration>,
        chance: f64,
    ) -> Duration {
        if up.is_some_and(|up| up >= REAL) {
            *self = Pace::default();
        } else if up.is_some() {
            self.short += 1;
        }
        let since = *self.since.get_or_insert(now);
        let pick = |list: &[u64], n: usize| list.get(n).or(list.last()).copied().unwrap_or(LATER);
        let seldom = |list: &[u64], n: &mut usize| {
            let pause = pick(list, *n);
            *n += 1;
            pause
        };
        let pause = match ending {
            Ending::TakenOver => seldom(&TAKEN_OVER, &mut self.refusals),
            Ending::Refused => seldom(&SELDOM, &mut self.refusals),
            Ending::Lost | Ending::Version if self.short >= SHORT => FIGHT,
            Ending::Lost | Ending::Version if now.duration_since(since) >= RESTART => LATER,
            Ending::Lost | Ending::Version => pick(&FIRST, self.failures),
        };
        self.failures += 1;
        // Up to a seventh less or more.
        Duration::from_millis(pause).mul_f64(1.0 + (chance - 0.5) * 2.0 / 7.0)
    }

    /// Whether connections end as soon as they are made.
    pub(super) fn is_a_fight(&self) -> bool {
        self.short >= SHORT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns when a broker that is away is tried, in seconds.
    fn attempts(ending: Ending, chance: f64, until: f64) -> Vec<f64> {
        let (mut pace, began, mut at) = (Pace::default(), Instant::now(), 0.0);
        let mut all = Vec::new();
        while at < until {
            all.push(at);
            let now = began + Duration::from_secs_f64(at);
            at += pace.ended(now, ending, None, chance).as_secs_f64();
        }
        all
    }

    #[test]
    fn a_broker_that_is_away_is_tried_as_often_as_promised() {
        for chance in [0.0, 0.5, 1.0] {
            let all = attempts(Ending::Lost, chance, 600.0);
            let gaps = all.windows(2).map(|two| (two[0], two[1] - two[0]));
            for (at, gap) in gaps {
                let most = if at < 30.0 { 2.0 } else { 5.0 };
                assert!(gap < most, "{gap} s at {at} s");
            }
            for from in (30..540).step_by(5) {
                let from = f64::from(from);
                let many = all.iter().filter(|at| **at >= from && **at < from + 60.0).count();
                assert!(many <= 20, "{many} in the minute from {from} s");
            }
        }
    }

    #[test]
    fn what_does_not_change_by_itself_is_tried_seldom() {
        assert!(attempts(Ending::Refused, 0.0, 600.0).len() < 16);
        assert!(attempts(Ending::TakenOver, 0.0, 600.0).len() < 9);
    }

    #[test]
    fn short_connections_in_a_row_are_no_reason_to_hurry() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let second = Some(Duration::from_secs(1));
        let mut next = |up| pace.ended(now, Ending::Lost, up, 0.5);
        assert!(next(second) < Duration::from_secs(1));
        assert!(next(second) < Duration::from_secs(1));
        assert!(next(second) > Duration::from_secs(10));
        assert!(next(Some(Duration::from_secs(60))) < Duration::from_secs(1));
    }
}
