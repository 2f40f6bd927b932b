//! Real-time priority for the two threads that must be on time.

use nix::libc;

/// The thread that listens: sound that is lost cannot be heard again.
pub(super) const EAR: i32 = 10;
/// The thread that paints and sends.
pub(super) const LAMPS: i32 = 9;

/// Asks the system to run the calling thread ahead of all ordinary ones (`SCHED_FIFO`); whether it does.
/// It needs `CAP_SYS_NICE`, or a limit such as systemd's `LimitRTPRIO=`.
pub(super) fn raise(priority: i32) -> bool {
    #[allow(unsafe_code, reason = "nix has no call for the scheduling of one thread")]
    // SAFETY: all zero is a valid `sched_param` (musl has more fields in it than glibc), the thread is
    // the calling one, and the parameters are only read. musl refuses `sched_setscheduler` always.
    let refused = unsafe {
        let mut how: libc::sched_param = std::mem::zeroed();
        how.sched_priority = priority;
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &raw const how)
    };
    refused == 0
}
