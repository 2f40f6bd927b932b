//! The little of Home Assistant's REST that clients ask for before and beside the WebSocket. Pure:
//! bytes in, bytes out. One request per connection.

use crate::demo::action;
use crate::demo::entity::Long;
use crate::demo::house::House;
use crate::demo::{session, template, wire};
use crate::error::Error;
use serde_json::{Value, json};

/// Bytes of a request's head and of its body.
const HEAD_MAX: usize = 16 * 1024;
const BODY_MAX: usize = 64 * 1024;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// The body, or what came behind the head of an upgrade.
    pub(crate) rest: Vec<u8>,
}

impl Ask {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Returns the key of a WebSocket handshake, when this is one.
    pub(crate) fn socket_key(&self) -> Option<&str> {
        let upgrades = self.header("upgrade").is_some_and(|u| u.eq_ignore_ascii_case("websocket"));
        let is_ours = upgrades && self.path == "/api/websocket" && self.method == "GET";
        if is_ours { self.header("sec-websocket-key") } else { None }
    }

    fn is_known(&self, token: &str) -> bool {
        let given = self.header("authorization").and_then(|h| h.strip_prefix("Bearer "));
        given.is_some_and(|given| session::is_same(given.trim(), token))
    }
}

/// Reads a request; none when there is not enough of it yet.
///
/// # Errors
/// Invalid when it is no request; Limit when it is too large.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Ask>, Error> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        let is_small = bytes.len() <= HEAD_MAX;
        return if is_small { Ok(None) } else { Err(Error::limit("the head is too large")) };
    };
    let bad = || Error::invalid("this is no HTTP request");
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad())?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0")) =
        (first.next(), first.next(), first.next())
    else {
        return Err(bad());
    };
    let header = |line: &str| {
        let (name, value) = line.split_once(':').ok_or_else(bad)?;
        Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let mut ask = Ask {
        method: method.to_owned(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        headers: lines.map(header).collect::<Result<_, Error>>()?,
        rest: bytes[end + 4..].to_vec(),
    };
    let length = ask.header("content-length").map_or(Ok(0), str::parse::<usize>);
    let length = length.map_err(|_| bad())?;
    if length > BODY_MAX {
        return Err(Error::limit("the body is too large"));
    }
    if ask.rest.len() < length {
        return Ok(None);
    }
    if ask.socket_key().is_none() {
        ask.rest.truncate(length);
    }
    Ok(Some(ask))
}

/// Answers a request.
pub(crate) fn answer(ask: &Ask, token: &str, house: &House) -> Vec<u8> {
    if !ask.path.starts_with("/api/") {
        return plain(404, "404: Not Found");
    }
    if !ask.is_known(token) {
        return plain(401, "401: Unauthorized");
    }
    let is_post = ask.method == "POST";
    match (ask.path.as_str(), is_post) {
        ("/api/template", true) => render(ask, house),
        ("/api/template", false) => plain(405, "405: Method Not Allowed"),
        ("/api/websocket", _) => plain(400, "No WebSocket UPGRADE hdr: None"),
        (_, true) => plain(405, "405: Method Not Allowed"),
        ("/api/", _) => ok(&json!({ "message": "API running." })),
        ("/api/config", _) => ok(&wire::config(session::domains(house))),
        ("/api/core/state", _) => ok(&json!({
            "state": "RUNNING",
            "recorder_state": { "migration_in_progress": false, "migration_is_live": false }
        })),
        ("/api/states", _) => with(200, "application/json", &wire::states(house.all())),
        ("/api/services", _) => {
            let services = action::services();
            let domains = services.as_object().into_iter().flatten();
            let one = |(domain, services): (&String, &Value)| json!({ "domain": domain, "services": services });
            ok(&Value::Array(domains.map(one).collect()))
        }
        (path, _) => match path.strip_prefix("/api/states/") {
            Some(id) => match house.get(id) {
                Some(entity) => with(200, "application/json", &wire::json(&Long(entity))),
                None => message(404, "Entity not found."),
            },
            None => plain(404, "404: Not Found"),
        },
    }
}

fn render(ask: &Ask, house: &House) -> Vec<u8> {
    let body: Value = match serde_json::from_slice(&ask.rest) {
        Ok(body) => body,
        Err(_) => return message(400, "Invalid JSON specified."),
    };
    let source = body["template"].as_str().unwrap_or_default();
    let variables = body.get("variables").cloned().unwrap_or_else(|| json!({}));
    match template::render(source, &variables, house) {
        Ok(rendered) => plain(200, &rendered.text),
        Err(error) => message(400, &format!("Error rendering template: {error}")),
    }
}

fn ok(value: &Value) -> Vec<u8> {
    with(200, "application/json", &value.to_string())
}

fn message(status: u16, text: &str) -> Vec<u8> {
    with(status, "application/json", &json!({ "message": text }).to_string())
}

fn plain(status: u16, text: &str) -> Vec<u8> {
    with(status, "text/plain; charset=utf-8", text)
}

fn with(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        _ => "Method Not Allowed",
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whole_or_not_at_all() {
        let bytes = b"POST /api/template?x=1 HTTP/1.1\r\nContent-Length: 5\r\nA: b\r\n\r\nhello";
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        let ask = parse(bytes).unwrap().unwrap();
        assert_eq!(
            (ask.path.as_str(), ask.header("a"), &*ask.rest),
            ("/api/template", Some("b"), &b"hello"[..])
        );
        for bad in ["nonsense\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.1\r\nx\r\n\r\n"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&vec![b'x'; HEAD_MAX + 1]).is_err());
        assert!(parse(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").is_err());
    }
}
