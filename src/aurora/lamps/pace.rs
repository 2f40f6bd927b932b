//! When an output is due. Pure: times come in as nanoseconds.
//!
//! An output has a rate, and a shortest pause that its kind bears. It is due an interval after it was
//! last looked at. News (a new frame of the analysis) makes it due at once when it nearly is, so that
//! pictures follow the frames and not the other way round; and when the picture became much brighter: a
//! beat does not wait for the next tick. Of pictures that are alike the first three are sent, as any
//! packet can be lost, and then one each 0.9 s (what ANSI E1.31, section 6.6.1, asks for, and sooner
//! than any lamp gives up).

/// A picture is said so often before it is taken for known.
const TIMES: u32 = 3;
/// Then it is said again after this.
const KEEP: u64 = 900_000_000;

/// The pace of one output.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    interval: u64,
    /// The shortest pause.
    gap: u64,
    due: u64,
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
    /// There is news right before its time.
    News,
    /// There is news, which matters if it is a beat.
    OnlyIfStriking,
}

impl Pace {
    /// `rate` pictures a second, at most `fastest`; the first at `begin`.
    pub(crate) fn new(rate: u32, fastest: u32, begin: u64) -> Pace {
        let pause = |rate: u32| 1_000_000_000u64.div_ceil(rate.max(1).into());
        let (interval, gap) = (pause(rate.min(fastest)), pause(fastest));
        Pace { interval, gap, due: begin, sent: None, alike: 0 }
    }

    /// When it is due next.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// Whether to paint it now, and why; `news` when something new was heard.
    pub(crate) fn look(&mut self, now: u64, news: bool) -> Look {
        if now >= self.due {
            let late = now - self.due;
            let missed = late / self.interval;
            self.due += (missed + 1) * self.interval;
            return Look::Due { late, missed };
        }
        if !news || self.sent.is_some_and(|sent| now < sent + self.gap) {
            self.follow(now, news);
            return Look::No;
        }
        if now + self.interval / 8 >= self.due {
            self.due = now + self.interval;
            return Look::News;
        }
        self.follow(now, news);
        Look::OnlyIfStriking
    }

    /// A frame that comes right after a tick moves the next one, so that it falls on a frame.
    fn follow(&mut self, now: u64, news: bool) {
        if news && now < (self.due + self.interval / 4).saturating_sub(self.interval) {
            self.due = now + self.interval;
        }
    }

    /// Whether to send the picture that was painted: `changed` since the last one that was sent.
    pub(crate) fn wants(&self, now: u64, changed: bool) -> bool {
        changed || self.alike < TIMES || self.sent.is_none_or(|sent| now >= sent + KEEP)
    }

    /// It was sent.
    pub(crate) fn sent(&mut self, now: u64, changed: bool) {
        self.alike = if changed { 1 } else { self.alike.saturating_add(1) };
        self.sent = Some(now);
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
        // The first frame comes 3 ms after the first tick; from then on each picture is of a frame.
        let sent = times(50, 100, Some(3), 200, false);
        assert_eq!(sent, [0, 23, 43, 63, 83, 103, 123, 143, 163, 183]);
    }

    #[test]
    fn what_strikes_goes_at_once_but_never_faster_than_the_kind_bears() {
        let sent = times(50, 100, Some(3), 60, true);
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
