//! How long names of strangers may be in answers about devices, and what writes them. Pure.

pub(crate) use crate::mqtt::clock::time;
pub(crate) use crate::text::clean;

/// Names of things, and the like.
pub(crate) const NAME: usize = 120;
/// Topics.
pub(crate) const TOPIC: usize = 300;
