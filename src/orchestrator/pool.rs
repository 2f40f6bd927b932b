//! Sandboxes of our own worker that stand ready before anybody asks.
//!
//! Each is used once: it goes to one session and ends with it, so nothing of an owner is ever seen by
//! another. They stand within the same promise of memory as all others, and only of what nobody else
//! asked for.

use crate::config::Secret;
use crate::orchestrator::Orchestrator;
use crate::orchestrator::live::Running;
use crate::orchestrator::sessions::Wish;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Those that stand ready, the oldest first.
#[derive(Default)]
pub(super) struct Pool {
    ready: Mutex<VecDeque<Arc<Running>>>,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Running>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many stand ready.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl Orchestrator {
    /// What the worker runs with when nobody says anything else.
    fn usual(&self) -> Wish {
        Wish { limits: self.shared.config.limits(), ..Wish::default() }
    }

    /// Takes one that stands ready, for a session that wants just that. It is nobody else's from now on.
    pub(super) fn take_ready(
        &self,
        wish: &Wish,
        env: &BTreeMap<String, Secret>,
    ) -> Option<Arc<Running>> {
        if self.shared.config.ready == 0 || *wish != self.usual() || !env.is_empty() {
            return None;
        }
        let mut ready = self.shared.pool.lock();
        let found = std::iter::from_fn(|| ready.pop_front()).find(|running| running.is_open());
        drop(ready);
        self.shared.refill.notify_one();
        found
    }

    /// Starts what is missing, and takes away what has ended.
    pub(super) async fn fill_pool(&self) {
        let shared = &self.shared;
        let ended: Vec<Arc<Running>> = {
            let mut ready = shared.pool.lock();
            let (open, ended) = ready.drain(..).partition(|running| running.is_open());
            *ready = open;
            ended.into()
        };
        for running in ended {
            self.stop(&running).await;
        }
        while shared.pool.len() < shared.config.ready {
            // One place is left for a session that comes meanwhile.
            let bytes = shared.config.limits().memory_bytes;
            if shared.memory.promise(bytes * 2).is_err() {
                return;
            }
            match self.start_one(&self.usual(), &BTreeMap::new(), 0).await {
                Ok(running) => shared.pool.lock().push_back(Arc::new(running)),
                Err(e) => {
                    log::debug!("no sandbox stands ready: {e}");
                    return;
                }
            }
        }
    }

    /// Ends all that stand ready.
    pub(super) async fn empty_pool(&self) {
        let all: Vec<Arc<Running>> = self.shared.pool.lock().drain(..).collect();
        let ends = all.iter().map(|running| self.stop(running));
        futures_util::future::join_all(ends).await;
    }
}
