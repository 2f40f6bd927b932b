//! Questions to a house whose answers are read once and kept nowhere.
//!
//! Tools ask through here what is not in the cache. A house that is away is an error at once: what it
//! stores is with it alone.

use crate::error::Error;
use crate::home::house::House;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Sends a command and reads its result.
///
/// # Errors
/// Offline while the house is away, Timeout, what Home Assistant says, Broken for an answer of a
/// shape that no known version has.
pub(crate) async fn ask<T: DeserializeOwned>(house: &House, command: &Value) -> Result<T, Error> {
    read(command, &text(house, command).await?)
}

/// Sends a command and returns its result as JSON text.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn text(house: &House, command: &Value) -> Result<String, Error> {
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    house.link.ask(command, house.timeout).await
}

/// Reads the result of a command.
///
/// # Errors
/// Broken for another shape.
pub(crate) fn read<T: DeserializeOwned>(command: &Value, json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|e| {
        let kind = command.get("type").and_then(Value::as_str).unwrap_or_default();
        Error::broken(format!("Home Assistant's answer to {kind} has an unknown shape")).because(e)
    })
}
