//! The compressed state messages of Home Assistant's `subscribe_entities`, as they come.
//!
//! `a` holds whole states, `c` differences (`+` what is new, `-` which attributes are gone), `r` the
//! ids that were removed. Attributes stay raw JSON text until somebody needs them.

use crate::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// One message.
#[derive(Deserialize)]
pub(crate) struct Delta<'a> {
    #[serde(borrow, default)]
    pub(crate) a: BTreeMap<String, Whole<'a>>,
    #[serde(borrow, default)]
    pub(crate) c: BTreeMap<String, Diff<'a>>,
    #[serde(default)]
    pub(crate) r: Vec<String>,
}

/// A whole state.
#[derive(Deserialize)]
pub(crate) struct Whole<'a> {
    pub(crate) s: String,
    #[serde(borrow)]
    pub(crate) a: Option<&'a RawValue>,
    pub(crate) c: Option<Context>,
    pub(crate) lc: f64,
    /// Left out when it is the same as `lc`.
    pub(crate) lu: Option<f64>,
}

/// A difference.
#[derive(Deserialize)]
pub(crate) struct Diff<'a> {
    #[serde(borrow, rename = "+")]
    pub(crate) plus: Option<Plus<'a>>,
    #[serde(rename = "-")]
    pub(crate) minus: Option<Minus>,
}

/// What is new.
#[derive(Deserialize)]
pub(crate) struct Plus<'a> {
    pub(crate) s: Option<String>,
    #[serde(borrow)]
    pub(crate) a: Option<&'a RawValue>,
    pub(crate) c: Option<Context>,
    pub(crate) lc: Option<f64>,
    pub(crate) lu: Option<f64>,
}

/// What is gone.
#[derive(Deserialize)]
pub(crate) struct Minus {
    #[serde(default)]
    pub(crate) a: Vec<String>,
}

/// Which call caused a state: an id, or an object when more than the id differs.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Context {
    Id(String),
    Parts { id: Option<String> },
}

impl Context {
    /// Returns the id, when there is one.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Context::Id(id) => Some(id),
            Context::Parts { id } => id.as_deref(),
        }
    }
}

impl Delta<'_> {
    /// Reads the `event` of a message.
    ///
    /// # Errors
    /// Broken when it is none of the known shapes; the cache cannot be trusted after that.
    pub(crate) fn read(text: &str) -> Result<Delta<'_>, Error> {
        serde_json::from_str(text)
            .map_err(|e| Error::broken("a state message of an unknown shape").because(e))
    }
}
