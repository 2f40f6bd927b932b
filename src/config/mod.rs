//! Configuration: command line over environment over file over default.
//!
//! Each service owns a `Config` (serde with `deny_unknown_fields` and `default`, one doc comment per
//! field) and a list of [`Env`] rows that say which environment variable lands in which field. This
//! module reads the sources and lays them over each other ([`Settings`]), hands each service its
//! section, says of everything that cannot be used where it was set ([`Problem`]), and prints the reference from the same types. It knows no service.

mod env;
mod fault;
mod reference;
mod secret;
mod settings;

pub use env::{Env, Form};
pub use fault::{Fault, Problem, Range};
pub use reference::reference;
pub use schemars::JsonSchema;
pub use secret::Secret;
pub use settings::{Settings, Sources};
