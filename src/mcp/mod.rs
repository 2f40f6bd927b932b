//! MCP: one server for every service's tools, resources and prompts.
//!
//! Services hand in [`Tool`]s, a [`Resources`] shelf and [`Prompt`]s; the [`Toolbox`] holds them and
//! asks policy before every call. This is the only module that names rmcp. It knows no service.

mod page;
mod prompt;
mod resource;
mod tool;
mod toolbox;

pub use page::{Page, page};
pub use prompt::{Complete, Prompt, PromptArg, Write};
pub use resource::{Contents, Entry, Resources, Template};
pub use tool::{Call, Progress, Reply, Tool};
pub use toolbox::Toolbox;

/// A boxed future, as trait objects need it.
pub type Boxed<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
