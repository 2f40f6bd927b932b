//! How long a lamp takes from command to acknowledgement. Pure.

use serde::Serialize;

/// Samples that count: the last ones.
const KEPT: usize = 64;
/// What takes longer (seconds) is a stall, and says nothing of the lamp.
const LONGEST: f64 = 2.0;
/// Before so many samples there is nothing to say.
const LEAST: usize = 3;

/// How long a lamp takes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the commands are faster.
    pub p50: f64,
    /// Nine of ten are faster.
    pub p90: f64,
    /// So many acknowledgements were seen, in all.
    pub count: u64,
}

/// The acknowledgements of one lamp.
#[derive(Clone, Debug, Default)]
pub struct Acks {
    samples: Vec<f64>,
    count: u64,
    /// The command that waits for one: its number, when it was sent, and the context that it turned out
    /// to have.
    open: Option<(u64, f64, Option<Box<str>>)>,
    /// The change that came last: when, and its context.
    heard: Option<(f64, Box<str>)>,
}

impl Acks {
    /// Notes a command at `now`.
    pub fn sent(&mut self, id: u64, now: f64) {
        (self.open, self.heard) = (Some((id, now, None)), None);
    }

    /// Notes the context that the changes of a command have. True when that completes a measurement.
    pub fn named(&mut self, id: u64, context: &str) -> bool {
        let Some((open, _, name)) = &mut self.open else { return false };
        if *open != id {
            return false;
        }
        *name = Some(context.into());
        self.matched()
    }

    /// Notes a change of the lamp. True when that completes a measurement.
    pub fn heard(&mut self, now: f64, context: &str) -> bool {
        if self.open.is_none() {
            return false;
        }
        self.heard = Some((now, context.into()));
        self.matched()
    }

    /// Returns what is known; `None` before the third acknowledgement.
    pub fn latency(&self) -> Option<Latency> {
        if self.samples.len() < LEAST {
            return None;
        }
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
        Some(Latency { p50: at(0.5), p90: at(0.9), count: self.count })
    }

    fn matched(&mut self) -> bool {
        let (Some((_, sent, Some(name))), Some((at, context))) = (&self.open, &self.heard) else {
            return false;
        };
        if name != context {
            return false;
        }
        let took = at - sent;
        (self.open, self.heard) = (None, None);
        if took > LONGEST {
            return false;
        }
        if self.samples.len() == KEPT {
            self.samples.remove(0);
        }
        self.samples.push(took);
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_of_the_commands_own_context_counts() {
        let mut acks = Acks::default();
        acks.sent(1, 10.0);
        assert!(!acks.heard(10.1, "somebody else"));
        assert!(!acks.named(1, "ours"));
        assert!(acks.heard(10.2, "ours"));
        // The change may come before the answer that names the context.
        acks.sent(2, 20.0);
        assert!(!acks.heard(20.4, "second"));
        assert!(!acks.named(1, "second"), "that was another command");
        assert!(acks.named(2, "second"));
        assert_eq!(acks.latency(), None, "two are too few");
        acks.sent(3, 30.0);
        acks.named(3, "third");
        assert!(acks.heard(30.3, "third"));
        assert!(!acks.heard(30.4, "third"), "once");
        let latency = acks.latency().unwrap();
        assert!((latency.p50 - 0.3).abs() < 1e-6 && (latency.p90 - 0.4).abs() < 1e-6);
        assert_eq!(latency.count, 3);
    }

    #[test]
    fn a_stall_is_no_latency() {
        let mut acks = Acks::default();
        for (n, took) in [(0, 0.1), (1, 10.0), (2, 0.1), (3, 0.1)] {
            acks.sent(n, 0.0);
            acks.named(n, "x");
            acks.heard(took, "x");
        }
        assert_eq!(acks.latency().unwrap(), Latency { p50: 0.1, p90: 0.1, count: 3 });
    }

    #[test]
    fn old_acknowledgements_are_forgotten() {
        let mut acks = Acks::default();
        for n in 0..200 {
            acks.sent(n, 0.0);
            acks.named(n, "x");
            acks.heard(if n < 136 { 1.9 } else { 0.05 }, "x");
        }
        assert_eq!(acks.latency().unwrap().p90, 0.05);
        assert_eq!(acks.latency().unwrap().count, 200);
    }
}
