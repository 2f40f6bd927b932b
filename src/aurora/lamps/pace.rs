//! When an output is due. Pure: times come in as nanoseconds.
//!
//! An output has a rate, and a shortest pause that its kind bears. While nothing new is heard it is due at
//! the times of a fixed grid. While news comes (a frame of the analysis each 10 ms) pictures follow the
//! news: it is due with the first one that comes about an interval after the last picture, and by itself
//! only a little later. When the picture became much brighter it goes at once: a beat does not wait. Of
//! pictures that are alike the first three are sent, as any packet can be lost, and then one each 0.9 s
//! (what ANSI E1.31, section 6.6.1, asks for, and sooner than any lamp gives up).

/// A picture is said so often before it is taken for known.
const TIMES: u32 = 3;
/// Then it is said again after this.
const KEEP: u64 = 900_000_000;

/// News that is older than this (ns) has stopped coming.
const HEARD: u64 = 50_000_000;

/// How unsteadily news comes (ns).
const SLACK: u64 = 4_000_000;

/// The pace of one output.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    interval: u64,
    /// The shortest pause.
    gap: u64,
    due: u64,
    /// When news came last.
    heard: Option<u64>,
    /// When it was its time last; ahead of or behind the clock by what news was early or late.
    looked: Option<u64>,
    /// Whether it is looked at because it is its time.
    is_planned: bool,
    sent: Option<u64>,
    alike: u32,
}

/// Why an output is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is not.
    No,
    /// Its time has come: so many nanoseconds ago, and so many more times passed since.
    Due { late: u64, missed: u64 },
    /// There is news, and it is about its time.
    News,
    /// There is news, which matters if it is a beat.
    OnlyIfStriking,
}

impl Pace {
    /// `rate` pictures a second, at most `fastest`; the first at `begin`.
    pub(crate) fn new(rate: u32, fastest: u32, begin: u64) -> Pace {
        let pause = |rate: u32| 1_000_000_000u64.div_ceil(rate.max(1).into());
        let (interval, gap) = (pause(rate.min(fastest)), pause(fastest));
        Pace {
            interval,
            gap,
            due: begin,
            heard: None,
            looked: None,
            is_planned: true,
            sent: None,
            alike: 0,
        }
    }

    /// When it is due next.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// Whether to paint it now, and why; `news` when something new was heard.
    pub(crate) fn look(&mut self, now: u64, news: bool) -> Look {
        if news {
            self.heard = Some(now);
        }
        if now >= self.due {
            let late = now - self.due;
            let missed = late / self.interval;
            match self.heard.is_some_and(|heard| now < heard + HEARD) {
                true => self.wait_for_news(now),
                false => self.due += (missed + 1) * self.interval,
            }
            (self.looked, self.is_planned) = (Some(now), true);
            return Look::Due { late, missed };
        }
        let since = |time: Option<u64>| time.map_or(u64::MAX, |time| now - time);
        if !news || since(self.sent) < self.gap {
            return Look::No;
        }
        let planned = self.looked.map_or(now, |looked| looked + self.interval);
        self.is_planned = now + self.slack() >= planned;
        if !self.is_planned {
            return Look::OnlyIfStriking;
        }
        // What is early now is made up for later, so that on average the rate is kept.
        self.looked = Some(planned.max(now - self.slack()));
        self.wait_for_news(now);
        Look::News
    }

    /// News comes so much (ns) too early or too late.
    fn slack(&self) -> u64 {
        SLACK.min(self.interval * 2 / 5)
    }

    /// The next news is expected before this is due.
    fn wait_for_news(&mut self, now: u64) {
        self.due = now + self.interval + self.slack();
    }

    /// Whether to send the picture that was painted: `changed` since the last one that was sent.
    pub(crate) fn wants(&self, now: u64, changed: bool) -> bool {
        changed || self.alike < TIMES || self.sent.is_none_or(|sent| now >= sent + KEEP)
    }

    /// It was sent.
    pub(crate) fn sent(&mut self, now: u64, changed: bool) {
        self.alike = if changed { 1 } else { self.alike.saturating_add(1) };
        self.sent = Some(now);
        if !self.is_planned {
            // A beat: the next picture follows it, not the one before.
            self.looked = Some(now);
            self.wait_for_news(now);
        }
        self.due = self.due.max(now + self.gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Times (ms) at which an output sends in the first `until` ms, with news each 10 ms from `first` on;
    /// everything always changes.
    fn times(rate: u32, fastest: u32, first: Option<u64>, until: u64, striking: bool) -> Vec<u64> {
        let mut pace = Pace::new(rate, fastest, 0);
        let (mut now, mut sent) = (0, Vec::new());
        let mut frame = first.map(|ms| ms * MS);
        while now < until * MS {
            let news = frame == Some(now);
            if news {
                frame = Some(now + 10 * MS);
            }
            let look = pace.look(now, news);
            if look != Look::No && (striking || look != Look::OnlyIfStriking) {
                pace.sent(now, true);
                sent.push(now / MS);
            }
            now = frame.map_or(pace.due(), |frame| frame.min(pace.due()));
        }
        sent
    }

    #[test]
    fn without_news_it_keeps_its_rate() {
        assert_eq!(times(50, 100, None, 100, false), [0, 20, 40, 60, 80]);
        let dmx = times(100, 44, None, 1000, false);
        assert_eq!(dmx.len(), 44, "{dmx:?}");
    }

    #[test]
    fn with_news_it_follows_the_frames() {
        // From the third on, each picture is of a frame that was heard right before it.
        let sent = times(50, 120, Some(3), 200, false);
        assert_eq!(sent, [0, 20, 43, 63, 83, 103, 123, 143, 163, 183]);
        let fast = times(100, 120, Some(5), 200, false);
        assert!(fast[3..].iter().all(|ms| ms % 10 == 5) && fast.len() >= 19, "{fast:?}");
        // News each 10 ms, but 80 pictures a second are asked for.
        let some = times(80, 120, Some(5), 1000, false).len();
        assert!((78..=81).contains(&some), "{some}");
    }

    #[test]
    fn what_strikes_goes_at_once_but_never_faster_than_the_kind_bears() {
        let sent = times(50, 120, Some(3), 60, true);
        assert_eq!(sent, [0, 13, 23, 33, 43, 53]);
        let dmx = times(44, 44, Some(3), 2000, true);
        assert!(dmx.windows(2).all(|pair| pair[1] - pair[0] >= 22), "{dmx:?}");
        assert!((66..=88).contains(&dmx.len()), "{}", dmx.len());
    }

    #[test]
    fn times_that_passed_are_left_out() {
        let mut pace = Pace::new(50, 100, 0);
        assert_eq!(pace.look(0, false), Look::Due { late: 0, missed: 0 });
        let late = 10_001 * MS - 20 * MS;
        assert_eq!(pace.look(10_001 * MS, false), Look::Due { late, missed: 499 });
        assert_eq!(pace.due(), 10_020 * MS);
        assert_eq!(pace.look(10_002 * MS, false), Look::No);
    }

    #[test]
    fn alike_pictures_are_said_three_times_and_then_now_and_again() {
        let mut pace = Pace::new(50, 100, 0);
        let mut sent = Vec::new();
        for tick in 0..150 {
            let (now, changed) = (tick * 20 * MS, tick == 0 || tick == 100);
            if pace.wants(now, changed) {
                pace.sent(now, changed);
                sent.push(tick);
            }
        }
        assert_eq!(sent, [0, 1, 2, 47, 92, 100, 101, 102, 147]);
    }
}
