//! What one output did, counted by the show thread without a lock and read by anybody.

use serde::Serialize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Upper ends of the classes of lateness, in microseconds; one more class is for all beyond.
const ENDS: [u64; 21] = [
    20, 50, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000,
    20_000, 50_000, 100_000, 1_000_000, 10_000_000,
];
/// A tick that is later than this (ns) counts as late.
const LATE: u64 = 5_000_000;

/// The counters of one output. One thread writes.
#[derive(Debug, Default)]
pub struct Counters {
    pictures: AtomicU64,
    packets: AtomicU64,
    same: AtomicU64,
    stale: AtomicU64,
    dropped: AtomicU64,
    errors: AtomicU64,
    errors_in_a_row: AtomicU64,
    last_error: AtomicU64,
    ticks: AtomicU64,
    late: AtomicU64,
    missed: AtomicU64,
    lateness: [AtomicU64; ENDS.len() + 1],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It left.
    Out,
    /// The one before has not left, or the socket is full: it is thrown away, as a later picture is better
    /// than a late one.
    Full,
    /// It could not leave; the system's number of the error.
    Failed(i32),
}

/// The counters at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pictures that were sent.
    pub pictures: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Pictures that were not sent because the lamp shows them already.
    pub same: u64,
    /// Pictures that were not sent because painting them took too long.
    pub stale: u64,
    /// Packets and pictures thrown away because this machine could not send them at once.
    pub dropped: u64,
    /// Packets that could not be sent.
    pub errors: u64,
    /// How many of the latest packets failed one after the other.
    pub errors_in_a_row: u64,
    /// The system's number of the last error; 0 when there was none.
    pub last_error: i32,
    /// Planned times at which the lamp was looked at.
    pub ticks: u64,
    /// Of them, so many were later than 5 ms.
    pub late: u64,
    /// Planned times that passed while the thread was held up; nothing is sent for them later.
    pub missed: u64,
    /// Half of the ticks were done by then, in microseconds after their time.
    pub p50_us: u64,
    /// 99 of 100 were.
    pub p99_us: u64,
}

impl Counters {
    pub(crate) fn sent(&self, sent: Sent) {
        match sent {
            Sent::Out => {
                self.packets.fetch_add(1, Relaxed);
                self.errors_in_a_row.store(0, Relaxed);
            }
            Sent::Full => {
                self.dropped.fetch_add(1, Relaxed);
            }
            Sent::Failed(number) => {
                self.errors.fetch_add(1, Relaxed);
                self.errors_in_a_row.fetch_add(1, Relaxed);
                self.last_error.store(number.unsigned_abs().into(), Relaxed);
            }
        }
    }

    pub(crate) fn picture(&self) {
        self.pictures.fetch_add(1, Relaxed);
    }

    pub(crate) fn same(&self) {
        self.same.fetch_add(1, Relaxed);
    }

    pub(crate) fn stale(&self) {
        self.stale.fetch_add(1, Relaxed);
    }

    /// A tick was done `late` nanoseconds after its time, and `missed` were not done at all.
    pub(crate) fn tick(&self, late: u64, missed: u64) {
        self.ticks.fetch_add(1, Relaxed);
        self.late.fetch_add(u64::from(late > LATE), Relaxed);
        self.missed.fetch_add(missed, Relaxed);
        let class = ENDS.partition_point(|end| *end < late.div_ceil(1000));
        self.lateness[class].fetch_add(1, Relaxed);
    }

    /// Reads them.
    pub fn read(&self) -> Counts {
        let read = |cell: &AtomicU64| cell.load(Relaxed);
        let classes = self.lateness.each_ref().map(read);
        Counts {
            pictures: read(&self.pictures),
            packets: read(&self.packets),
            same: read(&self.same),
            stale: read(&self.stale),
            dropped: read(&self.dropped),
            errors: read(&self.errors),
            errors_in_a_row: read(&self.errors_in_a_row),
            last_error: read(&self.last_error) as i32,
            ticks: read(&self.ticks),
            late: read(&self.late),
            missed: read(&self.missed),
            p50_us: quantile(&classes, 0.5),
            p99_us: quantile(&classes, 0.99),
        }
    }
}

/// The lateness (µs) that `share` of all had at most, spread evenly within its class.
fn quantile(classes: &[u64], share: f64) -> u64 {
    let all: u64 = classes.iter().sum();
    let wanted = share * all as f64;
    let mut before = 0;
    for (class, count) in classes.iter().enumerate() {
        let with = before + count;
        if *count > 0 && with as f64 >= wanted {
            let low = if class == 0 { 0 } else { ENDS[class - 1] };
            let high = ENDS.get(class).copied().unwrap_or(low);
            let part = (wanted - before as f64) / *count as f64;
            return low + ((high - low) as f64 * part).round() as u64;
        }
        before = with;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_told_to_its_class() {
        let counters = Counters::default();
        assert_eq!(counters.read(), Counts::default());
        for _ in 0..98 {
            counters.tick(90_000, 0);
        }
        counters.tick(6_000_000, 0);
        counters.tick(12_000_000_000, 599);
        let counts = counters.read();
        assert_eq!((counts.ticks, counts.late, counts.missed), (100, 2, 599));
        assert!((50..=100).contains(&counts.p50_us), "{counts:?}");
        assert!((5_000..=7_500).contains(&counts.p99_us), "{counts:?}");
    }

    #[test]
    fn errors_in_a_row_end_with_a_packet_that_left() {
        let counters = Counters::default();
        for sent in [Sent::Out, Sent::Failed(111), Sent::Full, Sent::Failed(101)] {
            counters.sent(sent);
        }
        let counts = counters.read();
        assert_eq!((counts.packets, counts.dropped, counts.errors), (1, 1, 2));
        assert_eq!((counts.errors_in_a_row, counts.last_error), (2, 101));
        counters.sent(Sent::Out);
        assert_eq!(counters.read().errors_in_a_row, 0);
    }
}
