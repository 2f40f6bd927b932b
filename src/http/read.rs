//! What routes read of a request, with the refusals that scripts can act on.

use crate::error::Error;
use crate::text::clean;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A refusal of the framework is repeated up to so many characters.
const LONGEST: usize = 300;

/// Reads what stands behind the question mark.
///
/// # Errors
/// Invalid: says what of it is not taken.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Error> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(asked)| asked).map_err(|e| {
        let why = clean(&e.body_text(), LONGEST);
        Error::invalid(format!("{} does not take that: {why}", uri.path()))
    })
}

/// Checks that a body is sent as JSON: a form of a foreign page can send anything but that.
///
/// # Errors
/// Invalid, about `what`.
pub fn must_be_json(what: &str, headers: &HeaderMap) -> Result<(), Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match kind.is_some_and(|kind| kind.trim().starts_with("application/json")) {
        true => Ok(()),
        false => {
            Err(Error::invalid(format!("{what} is JSON: send Content-Type: application/json")))
        }
    }
}

/// Reads a body that is a JSON object, like `example`.
///
/// # Errors
/// Invalid: it is something else, or sent as something else.
pub fn object(
    headers: &HeaderMap,
    body: &Bytes,
    example: &str,
) -> Result<Map<String, Value>, Error> {
    must_be_json("the body", headers)?;
    serde_json::from_slice(body).map_err(|e| {
        Error::invalid(format!("the body is no JSON object ({e}); write it like {example}"))
    })
}
