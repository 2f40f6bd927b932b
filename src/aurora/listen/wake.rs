//! Waking whoever waits for a frame: threads by a futex, tasks by an eventfd. Ringing takes no lock,
//! allocates nothing, and asks the system for nothing while nobody waits.

use crate::aurora::clock;
use crate::error::Error;
use nix::libc;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Rings when there is a frame.
#[derive(Default)]
pub(super) struct Bell {
    /// Changes at each ring.
    rung: AtomicU32,
    /// Threads that wait.
    threads: AtomicU32,
    /// Tasks that listen to the eventfd.
    tasks: AtomicU32,
    event: OnceLock<EventFd>,
}

impl Bell {
    /// Wakes all that wait.
    pub(super) fn ring(&self) {
        self.rung.fetch_add(1, Ordering::SeqCst);
        if self.threads.load(Ordering::SeqCst) > 0 {
            wake(&self.rung);
        }
        if let Some(event) = self.event.get().filter(|_| self.tasks.load(Ordering::SeqCst) > 0) {
            // Its count is never read back; after centuries of hops it would be full.
            let _ = event.write(1);
        }
    }

    /// What to hand to [`Bell::wait`], taken before looking whether there is something.
    pub(super) fn rung(&self) -> u32 {
        self.rung.load(Ordering::SeqCst)
    }

    /// Waits for a ring after `rung`, at most until the clock stands at `until` (ns); false when none
    /// came.
    pub(super) fn wait(&self, rung: u32, until: u64) -> bool {
        self.threads.fetch_add(1, Ordering::SeqCst);
        let came = loop {
            if self.rung.load(Ordering::SeqCst) != rung {
                break true;
            }
            if clock::now_ns() >= until {
                break false;
            }
            sleep(&self.rung, rung, until);
        };
        self.threads.fetch_sub(1, Ordering::SeqCst);
        came
    }

    /// Something that a task can wait for.
    ///
    /// # Errors
    /// Broken: the system gives no more file descriptors.
    pub(super) fn ear(self: &Arc<Bell>) -> Result<Ear, Error> {
        let none = |e: std::io::Error| {
            Error::broken("the system gives no file descriptor; raise its limit").because(e)
        };
        if self.event.get().is_none() {
            let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
            let made = EventFd::from_flags(flags).map_err(|e| none(e.into()))?;
            // Somebody else may have been quicker; then this one goes.
            let _ = self.event.set(made);
        }
        let Some(event) = self.event.get() else { return Err(none(std::io::Error::other("none"))) };
        let own = event.as_fd().try_clone_to_owned().map_err(none)?;
        #[allow(unsafe_code, reason = "tokio cannot know that a descriptor stays the same one")]
        // SAFETY: an `OwnedFd` gives the same descriptor each time and keeps it open until it is dropped,
        // which `AsyncFd` does after it has taken it out of the reactor.
        let fd = unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) };
        let fd = fd.map_err(|e| none(e.into()))?;
        self.tasks.fetch_add(1, Ordering::SeqCst);
        Ok(Ear { bell: self.clone(), fd })
    }
}

/// A task's ear for the bell.
pub(super) struct Ear {
    bell: Arc<Bell>,
    fd: AsyncFd<OwnedFd>,
}

impl Ear {
    /// Waits for a ring; may end without one.
    pub(super) async fn hear(&self) {
        // Each write to the eventfd is a new edge for each of its descriptors, so nobody has to read it.
        if let Ok(mut ready) = self.fd.readable().await {
            ready.clear_ready();
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.bell.tasks.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Sleeps while `word` is `value`, at most until the clock stands at `until` (ns). May wake early.
fn sleep(word: &AtomicU32, value: u32, until: u64) {
    let until = libc::timespec {
        tv_sec: (until / 1_000_000_000) as _,
        tv_nsec: (until % 1_000_000_000) as _,
    };
    // With a bit set the time is absolute, on CLOCK_MONOTONIC (futex(2), FUTEX_WAIT_BITSET).
    let operation = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let none = std::ptr::null::<u32>();
    #[allow(unsafe_code, reason = "no safe wrapper of futex(2) takes a deadline")]
    // SAFETY: `word` and `until` outlive the call, which reads them and keeps neither.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            value,
            &raw const until,
            none,
            libc::FUTEX_BITSET_MATCH_ANY,
        );
    }
}

/// Wakes every thread that sleeps on `word`.
fn wake(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    #[allow(unsafe_code, reason = "the counterpart of the wait above")]
    // SAFETY: the kernel uses the address of `word` only as a name.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), operation, i32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_wakes_at_the_ring_or_at_its_time() {
        let bell = Bell::default();
        let rung = bell.rung();
        let until = clock::now_ns() + 5_000_000;
        assert!(!bell.wait(rung, until));
        assert!(clock::now_ns() >= until);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Only when the other one waits.
                while bell.threads.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                bell.ring();
            });
            assert!(bell.wait(rung, clock::now_ns() + 20_000_000_000));
        });
        assert!(bell.wait(rung, 0), "one that was missed is heard at once");
    }

    #[tokio::test]
    async fn every_task_hears_each_ring_and_is_forgotten_when_it_goes() {
        let bell = Arc::new(Bell::default());
        let (first, second) = (bell.ear().unwrap(), bell.ear().unwrap());
        for _ in 0..3 {
            bell.ring();
            first.hear().await;
            second.hear().await;
        }
        let quiet = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(quiet, first.hear()).await.is_err(), "heard nothing");
        bell.ring();
        first.hear().await;
        drop((first, second));
        assert_eq!(bell.tasks.load(Ordering::SeqCst), 0);
        bell.ring();
    }
}
