//! Everything in a house that can be configured, by one set of verbs over kinds.
//!
//! `kinds` is the table, `access` (with `files`, `dashboards`, `others`) does what Home Assistant is
//! asked, `scope` says who may, `diff` compares versions, `edit` checks what somebody wants, and
//! `replace` writes it with the help of [`crate::home::changes`]: nothing is written before what it
//! replaces is stored.

pub(crate) mod access;
mod arrival;
mod dashboards;
pub(crate) mod diff;
pub(crate) mod edit;
mod files;
pub(crate) mod kinds;
pub(crate) mod members;
mod others;
pub(crate) mod replace;
pub(crate) mod scope;
