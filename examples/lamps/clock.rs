//! Times, and a bare loop to compare with.

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn now() -> u64 {
    nanos(ClockId::CLOCK_MONOTONIC)
}

pub(crate) fn nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).unwrap_or(TimeSpec::new(0, 0));
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

pub(crate) fn sleep_until(until: u64) {
    let until = TimeSpec::new((until / 1_000_000_000) as i64, (until % 1_000_000_000) as i64);
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &until)
        .is_err()
    {}
}

/// The same priority that the show thread asks for.
pub(crate) fn raise() {
    let wanted = libc::sched_param { sched_priority: 9 };
    #[allow(unsafe_code, reason = "no safe call sets a policy; the pointer lives through the call")]
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO, std::ptr::from_ref(&wanted));
    }
}

/// When the system received the packet that was read last, in nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn received(socket: &UdpSocket) -> u64 {
    const SIOCGSTAMPNS: libc::c_ulong = 0x8907;
    let mut stamp = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[allow(unsafe_code, reason = "no safe call reads the time of a packet")]
    let read = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSTAMPNS as _, &raw mut stamp) };
    if read != 0 {
        return now();
    }
    let at = stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64;
    let ago = nanos(ClockId::CLOCK_REALTIME).saturating_sub(at);
    now().saturating_sub(ago)
}

/// Nanoseconds of lateness, and what of them is shown.
#[derive(Default)]
pub(crate) struct Late(pub(crate) Vec<u64>);

impl Late {
    pub(crate) fn row(&mut self, name: &str) -> (String, f64) {
        self.0.sort_unstable();
        let at = |share: f64| {
            let place = (share * self.0.len().saturating_sub(1) as f64).round() as usize;
            self.0.get(place).copied().unwrap_or(u64::MAX) as f64 / 1e6
        };
        let text = format!(
            "{name:<44} {:>6} {:>8.3} {:>8.3} {:>8.3}",
            self.0.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        (text, at(0.99))
    }
}

/// A bare loop with this period.
pub(crate) fn bare(period: u64, stop: &AtomicBool) -> Late {
    raise();
    let mut late = Late::default();
    let mut next = now() + period;
    while !stop.load(Ordering::Relaxed) {
        sleep_until(next);
        let woke = now();
        late.0.push(woke - next);
        next += period * ((woke - next) / period + 1);
    }
    late
}
