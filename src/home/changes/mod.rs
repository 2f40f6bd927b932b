//! What was changed in the houses through Hearth, and what was there before: enough to undo it.
//!
//! The order is always: the version that a change replaces is stored, then Home Assistant is written,
//! then what came of it is noted. A change that lacks the note (Hearth was killed in between) is
//! compared with what Home Assistant has when somebody looks. `book` keeps them, `states` takes the
//! states before a call, `undo` restores, `routes` offers it over HTTP. Nothing here decides who may change what.

mod book;
pub(crate) mod routes;
pub(crate) mod states;
pub(crate) mod undo;

pub(crate) use book::{Change, Changes, Draft, Part, Stand};
