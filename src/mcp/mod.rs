//! MCP: one server for every service's tools, resources and prompts.
//!
//! Services hand in [`Tool`]s, a [`Resources`] shelf and [`Prompt`]s; the [`Toolbox`] holds them and
//! asks policy before every call. [`over_http`] and [`stdio`] carry it to clients; `app` and `http`
//! start those. This is the only module that names rmcp. It knows no service.

mod answer;
mod arguments;
mod asking;
mod call;
mod carrier;
mod client;
mod complete;
mod config;
mod consent;
mod fields;
mod find;
mod handle;
mod in_flight;
mod lists;
pub mod over_http;
mod page;
mod pair;
pub mod peer;
mod profile;
mod prompt;
mod resource;
mod schema;
mod seal;
mod server;
mod session;
mod share;
pub mod stdio;
mod told;
mod tool;
mod toolbox;
mod wanted;
mod watch;
mod watched;
mod wire;

pub use answer::{Ability, Answer, Answers, Ask, Block, Questions};
pub use client::Client;
pub use config::{Config, ENV, RANGES};
pub use fields::Words;
pub use handle::{About, Mcp};
pub use page::{Page, numbered, page, rows};
pub use profile::{MOST_BYTES, MOST_TOOLS, Place, Profile};
pub use prompt::{Prompt, PromptArg, Values, Write};
pub use resource::{Contents, Entry, Resources, Template};
pub use tool::{Call, Progress, Reply, Tool};
pub use toolbox::{Changes, Toolbox};

/// A boxed future, as trait objects need it.
pub type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
