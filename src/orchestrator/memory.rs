//! The memory that sandboxes may use, all together: promised before one starts.

use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What there is to promise. Cloning it shares it.
#[derive(Clone)]
pub(super) struct Memory {
    all: u64,
    promised: Arc<AtomicU64>,
}

/// A promise; it is taken back when this is dropped.
pub(super) struct Promise {
    bytes: u64,
    promised: Arc<AtomicU64>,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Memory {
    pub(super) fn new(all: u64) -> Memory {
        Memory { all, promised: Arc::default() }
    }

    /// How many bytes are promised.
    pub(super) fn promised(&self) -> u64 {
        self.promised.load(Ordering::Acquire)
    }

    /// Promises `bytes`.
    ///
    /// # Errors
    /// Limit when there is not so much left.
    pub(super) fn promise(&self, bytes: u64) -> Result<Promise, Error> {
        let all = self.all;
        let more = |now: u64| now.checked_add(bytes).filter(|sum| *sum <= all);
        let (order, promised) = (Ordering::AcqRel, self.promised.clone());
        match promised.fetch_update(order, Ordering::Acquire, more) {
            Ok(_) => Ok(Promise { bytes, promised }),
            Err(now) => Err(Error::limit(format!(
                "a sandbox of {} MB finds no place: {} of {} MB are promised to others \
                 (orchestrator.memory_mb); end a session first",
                bytes >> 20,
                now >> 20,
                all >> 20
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_never_more_than_there_is() {
        let memory = Memory::new(100);
        let first = memory.promise(60).unwrap();
        assert!(memory.promise(41).is_err() && memory.promise(u64::MAX).is_err());
        let second = memory.promise(40).unwrap();
        drop(first);
        assert_eq!(memory.promised(), 40);
        assert!(memory.promise(60).is_ok());
        drop(second);
        assert_eq!(memory.promised(), 0);
    }
}
