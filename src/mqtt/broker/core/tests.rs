//! The rules of the broker, one by one, on a clock that the tests move.

mod rig;

mod delivery;
mod limits;
mod retained;
mod sessions;
mod subscriptions;
mod wills;
