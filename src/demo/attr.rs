//! Attribute values, kept small: the house has thousands of them and most are short.
//!
//! Fed by [`crate::demo::birth`] and the services; read by what goes over the wire. Keeps no text
//! twice: names are `&'static str`, values that never change are borrowed.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// One attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Val {
    /// JSON null.
    Null,
    Bool(bool),
    Int(i64),
    /// Printed with a decimal point, as Home Assistant prints its floats.
    Num(f64),
    Text(Cow<'static, str>),
    /// A list or a map.
    Json(Arc<Value>),
}

impl Val {
    /// Returns it as a number, when it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Val::Int(n) => Some(*n as f64),
            Val::Num(n) => Some(*n),
            _ => None,
        }
    }

    /// Returns it as text, when it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Val::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the JSON value of it.
    pub(crate) fn json(&self) -> Value {
        match self {
            Val::Null => Value::Null,
            Val::Bool(b) => Value::from(*b),
            Val::Int(n) => Value::from(*n),
            Val::Num(n) => Value::from(*n),
            Val::Text(text) => Value::from(&**text),
            Val::Json(value) => (**value).clone(),
        }
    }

    /// Whether a list of texts holds `word`.
    pub(crate) fn lists(&self, word: &str) -> bool {
        self.words().iter().any(|w| w == word)
    }

    /// Returns the texts of a list.
    pub(crate) fn words(&self) -> Vec<String> {
        let Val::Json(value) = self else { return Vec::new() };
        let words = value.as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

impl Serialize for Val {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Val::Null => to.serialize_unit(),
            Val::Bool(b) => to.serialize_bool(*b),
            Val::Int(n) => to.serialize_i64(*n),
            Val::Num(n) => to.serialize_f64(*n),
            Val::Text(text) => to.serialize_str(text),
            Val::Json(value) => value.serialize(to),
        }
    }
}

impl From<bool> for Val {
    fn from(b: bool) -> Val {
        Val::Bool(b)
    }
}

impl From<i64> for Val {
    fn from(n: i64) -> Val {
        Val::Int(n)
    }
}

impl From<f64> for Val {
    fn from(n: f64) -> Val {
        Val::Num(n)
    }
}

impl From<&'static str> for Val {
    fn from(text: &'static str) -> Val {
        Val::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Text(Cow::Owned(text))
    }
}

impl From<Value> for Val {
    fn from(value: Value) -> Val {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(b),
            Value::Number(n) => match n.as_i64() {
                Some(n) => Val::Int(n),
                None => Val::Num(n.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Val::from(text),
            other => Val::Json(Arc::new(other)),
        }
    }
}

/// The attributes of an entity, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Attrs(Vec<(&'static str, Val)>);

impl Attrs {
    /// Takes the attributes in the order given.
    pub(crate) fn new(mut pairs: Vec<(&'static str, Val)>) -> Attrs {
        pairs.shrink_to_fit();
        Attrs(pairs)
    }

    /// Returns the value of `name`; null when there is none.
    pub(crate) fn get(&self, name: &str) -> &Val {
        self.0.iter().find(|(n, _)| *n == name).map_or(&Val::Null, |(_, value)| value)
    }

    /// Sets `name`, in place when it is there, else at the end.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Val>) {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Walks over all of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Val)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Whether there is an attribute `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| *n == name)
    }
}

impl Serialize for Attrs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
