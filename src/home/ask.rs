//! Questions to a house whose answers are read once and kept nowhere.
//!
//! Tools ask through here what is not in the cache. A house that is away is an error at once: what it
//! stores is with it alone.

use crate::error::{Error, Kind};
use crate::home::feed::link::Subscription;
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
    let answer = house.link.ask(command, house.timeout).await;
    answer.map_err(|e| explained(e, command))
}

/// Sends a command that answers in events.
///
/// # Errors
/// As [`ask`].
pub(crate) async fn follow(house: &House, command: &Value) -> Result<Subscription, Error> {
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    let events = house.link.subscribe(command, house.timeout).await;
    events.map_err(|e| explained(e, command))
}

fn explained(e: Error, command: &Value) -> Error {
    match e.kind() {
        Kind::Invalid if e.what().contains("Unknown command") => lacks(command),
        _ => e,
    }
}

/// The error for a command that a house does not know.
fn lacks(command: &Value) -> Error {
    let kind = command.get("type").and_then(Value::as_str).unwrap_or_default();
    let own = kind.split('/').next().unwrap_or_default();
    Error::not_found(format!(
        "this Home Assistant does not know {kind}: its integration '{own}' is not set up, or its release \
         is too old"
    ))
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
