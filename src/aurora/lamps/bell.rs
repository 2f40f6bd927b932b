//! Time for the show thread, and what wakes it ahead of time.

use crate::aurora::clock::now_ns;
use crate::error::Error;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Where the show thread takes its time from. Nanoseconds of `CLOCK_MONOTONIC`, but in tests.
pub trait Clock: Send {
    /// Returns the time.
    fn now(&self) -> u64;
    /// Waits until `until`, less when something new came: returns whether it did.
    fn wait(&mut self, until: u64) -> bool;
}

/// The clock of the system with a bell: whoever has something new for the show thread rings it. Cloning
/// it is cheap.
#[derive(Clone, Debug)]
pub struct Bell {
    event: Arc<EventFd>,
}

impl Bell {
    /// Makes a bell.
    ///
    /// # Errors
    /// Broken when the system gives no descriptor.
    pub fn new() -> Result<Bell, Error> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|e| Error::broken("no descriptor for the bell of the lamps").because(e))?;
        Ok(Bell { event: Arc::new(event) })
    }

    /// Wakes the show thread. One system call that never waits; rings that nobody heard yet are one.
    pub fn ring(&self) {
        // It can only be full of rings that nobody heard yet.
        let _ = self.event.write(1);
    }
}

impl Clock for Bell {
    fn now(&self) -> u64 {
        now_ns()
    }

    fn wait(&mut self, until: u64) -> bool {
        loop {
            let left = until.saturating_sub(now_ns());
            let left = TimeSpec::new((left / 1_000_000_000) as i64, (left % 1_000_000_000) as i64);
            let mut descriptors = [PollFd::new(self.event.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut descriptors, Some(left), None) {
                Ok(0) => return false,
                // Reading takes all rings at once.
                Ok(_) => return self.event.read().is_ok(),
                // A signal: what is left is waited for.
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_at_the_time_or_at_a_ring_and_rings_add_up_to_one() {
        let mut bell = Bell::new().unwrap();
        let until = now_ns() + 5_000_000;
        assert!(!bell.wait(until));
        assert!(now_ns() >= until);
        bell.clone().ring();
        bell.ring();
        assert!(bell.wait(u64::MAX));
        assert!(!bell.wait(now_ns()));
    }

    #[tokio::test]
    async fn a_ring_of_another_thread_ends_the_waiting() {
        let mut bell = Bell::new().unwrap();
        let other = bell.clone();
        let tasks = crate::tasks::Tasks::new(crate::events::Events::new());
        tasks.aside("ringer", 64 * 1024, move || other.ring()).unwrap();
        assert!(bell.wait(now_ns() + 60_000_000_000));
    }
}
