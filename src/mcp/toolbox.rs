//! The toolbox: every tool, resource and prompt of the house.

use crate::mcp::{Prompt, Resources, Tool};
use std::sync::Arc;

/// Every tool, resource and prompt that the services handed in.
#[derive(Clone, Default)]
pub struct Toolbox {
    pub(crate) tools: Vec<Tool>,
    pub(crate) shelves: Vec<Arc<dyn Resources>>,
    pub(crate) prompts: Vec<Prompt>,
}
