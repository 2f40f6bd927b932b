//! Prompts: texts that a person picks in their client.

use crate::error::Error;
use crate::mcp::{Answer, Boxed, Call, Place};
use crate::policy::Caller;
use serde_json::{Map, Value};
use std::sync::Arc;

/// One argument of a prompt.
#[derive(Clone, Debug)]
pub struct PromptArg {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether it must be given.
    pub required: bool,
}

/// Writes the prompt for a caller: usually text (`Ok(text.into())`), else blocks or questions.
pub type Write =
    Arc<dyn Fn(Call, Map<String, Value>) -> Boxed<'static, Result<Answer, Error>> + Send + Sync>;

/// Names the values of an argument: caller, argument.
pub type Values = Arc<dyn Fn(&Caller, &str) -> Vec<String> + Send + Sync>;

/// A prompt that a service offers.
#[derive(Clone)]
pub struct Prompt {
    /// Its name, `<service>_<what>`.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What it takes.
    pub args: Vec<PromptArg>,
    /// Returns every value that an argument can have, none where it is free; those that fit what
    /// somebody types are chosen from them.
    pub values: Values,
    /// Writes it.
    pub write: Write,
    /// Where it stands, for one whose name does not begin with its service.
    pub place: Option<Place>,
}

impl Prompt {
    /// Returns the service it belongs to: its name up to the first underscore, unless it is placed.
    pub fn service(&self) -> &'static str {
        let named = || self.name.split_once('_').map_or(self.name, |(service, _)| service);
        self.place.map_or_else(named, |place| place.service)
    }

    /// Returns the profile besides the default one that lists it.
    pub(crate) fn profile(&self) -> &'static str {
        self.place.map_or_else(|| self.service(), |place| place.profile)
    }
}
