//! What a broker keeps (retained messages): looked up afresh, cleared with a copy in the store, and put
//! back as it was.
//!
//! `fetch` asks the broker over a connection of its own: the index knows what was retained when Hearth
//! connected, not what is now. `backup` keeps what is cleared. Who may clear what is asked by the tool.

mod backup;
mod fetch;

pub(crate) use backup::{Copy, copies, keep, load, mark_undone};
pub(crate) use fetch::{Held, MOST, fetch};

use std::hash::{DefaultHasher, Hash, Hasher};

/// Returns the hash of what would be cleared: another when a message came, went or changed.
pub(crate) fn digest(held: &[Held]) -> String {
    let mut hasher = DefaultHasher::new();
    for one in held {
        (&one.topic, &one.payload, one.size).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
