//! The desk: how a show that is running is told to look different.
//!
//! The show belongs to a thread that must neither wait nor allocate. Whoever changes it prepares the
//! whole plan, puts it into a slot of one, and takes away the plan that was shown before. The show looks
//! into the slot only when a flag is up and only if nobody else does; else it looks again at its next turn.

use super::plan::{Fixture, Plan};
use super::profile::Profile;
use crate::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Slot {
    /// The plan that is to be shown next.
    next: Option<Box<Plan>>,
    /// One that is no longer shown.
    spent: Option<Box<Plan>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    slot: Mutex<Slot>,
    news: AtomicBool,
    careful: AtomicBool,
    /// Bits of an f32.
    brightness: AtomicU32,
}

/// Changes a show while it runs. A cheap clone.
#[derive(Clone, Debug)]
pub struct Desk {
    shared: Arc<Shared>,
    lamps: Arc<[Fixture]>,
    seed: u32,
}

impl Desk {
    pub(super) fn new(lamps: Arc<[Fixture]>, seed: u32) -> (Desk, Arc<Shared>) {
        let shared = Arc::new(Shared {
            slot: Mutex::default(),
            news: AtomicBool::new(false),
            careful: AtomicBool::new(true),
            brightness: AtomicU32::new(1f32.to_bits()),
        });
        (Desk { shared: shared.clone(), lamps, seed }, shared)
    }

    /// Shows another profile, fading into it as it says. Returns the lamps it names that are not here.
    /// Of several in quick succession the last is shown.
    ///
    /// # Errors
    /// Invalid: as [`Plan::new`]; the show goes on as it was.
    pub fn change(&self, profile: &Profile) -> Result<Vec<String>, Error> {
        let plan = Plan::new(profile, &self.lamps, self.seed)?;
        let missing = plan.missing.clone();
        let mut slot = self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let old = (slot.next.replace(Box::new(plan)), slot.spent.take());
        self.shared.news.store(true, Ordering::Release);
        drop(slot);
        drop(old);
        Ok(missing)
    }

    /// Whether flashes are limited. They are, until somebody says otherwise.
    pub fn limit_flashes(&self, on: bool) {
        self.shared.careful.store(on, Ordering::Relaxed);
    }

    /// The brightness of everything, 0 to 1.
    pub fn dim(&self, brightness: f32) {
        let brightness = if brightness.is_finite() { brightness.clamp(0.0, 1.0) } else { 1.0 };
        self.shared.brightness.store(brightness.to_bits(), Ordering::Relaxed);
    }

    /// The lamps of the show, in order.
    pub fn lamps(&self) -> &[Fixture] {
        &self.lamps
    }
}

impl Shared {
    /// Hands over the next plan, if there is one and it can be had at once.
    pub(super) fn next(&self) -> Option<Box<Plan>> {
        if !self.is_waiting() {
            return None;
        }
        let mut slot = self.slot.try_lock().ok()?;
        self.news.store(false, Ordering::Relaxed);
        slot.next.take()
    }

    /// Whether a plan waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// Takes a plan that is no longer shown, so that somebody else frees it; leaves it when the last
    /// one has not been fetched yet.
    pub(super) fn give_back(&self, plan: &mut Option<Box<Plan>>) {
        if let Ok(mut slot) = self.slot.try_lock()
            && slot.spent.is_none()
        {
            slot.spent = plan.take();
        }
    }

    pub(super) fn is_careful(&self) -> bool {
        self.careful.load(Ordering::Relaxed)
    }

    pub(super) fn brightness(&self) -> f32 {
        f32::from_bits(self.brightness.load(Ordering::Relaxed))
    }
}
