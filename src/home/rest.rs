//! What Home Assistant answers over REST only: configurations of automations, scripts and scenes,
//! dialogues of helpers, pictures, events of calendars, its log file.
//!
//! The address is that of the WebSocket, the token the same. It never decides who may ask for what.

use crate::error::Error;
use crate::home::Home;
use crate::home::config::Address;
use crate::home::house::House;
use crate::home::text::clean;
use crate::http::ask::{Answer, Question};
use serde_json::Value;

/// Asks for `path`, which begins with `/api/`; the answer may have `most` bytes. `range` asks for a
/// part of a file, like `bytes=-1024`.
///
/// # Errors
/// Offline while the house is away, Refused when the token's user may not, NotFound, Limit for an
/// answer that is larger, and what Home Assistant says.
pub(crate) async fn get(
    home: &Home,
    house: &House,
    path: &str,
    range: Option<&str>,
    most: usize,
) -> Result<Answer, Error> {
    let question = Question::get(url(&house.address, path)).at_most(most);
    let question = match range {
        Some(range) => question.header("range", range),
        None => question,
    };
    ask(home, house, path, question).await
}

/// Asks for `path` by POST, without a body.
///
/// # Errors
/// As [`get`].
pub(crate) async fn post(home: &Home, house: &House, path: &str) -> Result<Answer, Error> {
    let question = Question::post(url(&house.address, path)).body("application/json", "{}");
    ask(home, house, path, question).await
}

/// Sends `body` to `path` with `method`, and reads the JSON that comes back.
///
/// # Errors
/// As [`get`]; Offline for an answer that is no JSON.
pub(crate) async fn send(
    home: &Home,
    house: &House,
    method: &'static str,
    path: &str,
    body: &Value,
) -> Result<Value, Error> {
    let question = Question::new(method, url(&house.address, path)).json(body)?;
    ask(home, house, path, question).await?.json()
}

async fn ask(home: &Home, house: &House, path: &str, question: Question) -> Result<Answer, Error> {
    let answer = put(home, house, question).await?;
    let path = path.split('?').next().unwrap_or_default();
    match answer.status {
        200..=299 => Ok(answer),
        401 | 403 => Err(Error::refused(format!(
            "Home Assistant does not let the user of the token (HASS_TOKEN) use {path}; it needs an \
             administrator's token"
        ))),
        404 => Err(Error::not_found(format!("Home Assistant has no {path}"))),
        status => Err(Error::conflict(format!(
            "Home Assistant answers {path} with HTTP {status}: '{}'",
            clean(&answer.text(), 300)
        ))),
    }
}

/// The address of `path`, which begins with `/api/`, where the WebSocket is at `address`.
fn url(address: &Address, path: &str) -> String {
    format!("{}{}", address.rest(), path.strip_prefix("/api").unwrap_or(path))
}

/// Asks with the house's token and patience, whatever the answer's status is; `path` begins with
/// `/api/`.
///
/// # Errors
/// Offline while the house is away or cannot be reached, Timeout.
pub(crate) async fn reach(
    home: &Home,
    house: &House,
    method: &'static str,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, Error> {
    let question = Question::new(method, url(&house.address, path));
    let question = match body {
        Some(body) => question.json(body)?,
        None => question,
    };
    put(home, house, question).await
}

async fn put(home: &Home, house: &House, question: Question) -> Result<Answer, Error> {
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    home.ask().ask(question.bearer(&house.token).within(house.timeout)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_is_where_the_web_socket_is() {
        let check = |house: &str, want: &str| {
            let address = Address::of_house(house).unwrap();
            assert_eq!(url(&address, "/api/error_log"), want, "{house}");
        };
        check("ha.lan", "http://ha.lan:8123/api/error_log");
        check("https://ha.example.org/house/", "https://ha.example.org:443/house/api/error_log");
        check("[fd00::1]", "http://[fd00::1]:8123/api/error_log");
        check("ws://supervisor/core/websocket", "http://supervisor:80/core/api/error_log");
    }
}
