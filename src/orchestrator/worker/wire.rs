//! JSON-RPC on lines, as far as a server of tools needs it (MCP 2025-11-25, Base Protocol; 2026-07-28,
//! `server/discover`). Pure.
//!
//! Written by hand and not with rmcp: the worker runs within 64 processes and few megabytes, some of
//! it behind a filter that allows neither threads nor sockets.

use serde_json::{Map, Value, json};

/// A longer message is refused.
pub(super) const LONGEST: usize = 8 << 20;

/// The versions that begin with `initialize`, newest first.
const WITH_SESSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The one that begins with nothing.
const WITHOUT: &str = "2026-07-28";
const VERSION_OF_CALL: &str = "io.modelcontextprotocol/protocolVersion";

/// Puts bytes together to lines.
#[derive(Default)]
pub(super) struct Lines {
    open: Vec<u8>,
    /// Set while the rest of a line is thrown away that is too long.
    skipping: bool,
}

impl Lines {
    /// Takes bytes as they come; returns the lines that ended. `None` stands for one too long.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        for (at, part) in bytes.split(|b| *b == b'\n').enumerate() {
            if at > 0 {
                let line = std::mem::take(&mut self.open);
                let skipped = std::mem::take(&mut self.skipping);
                if skipped || !line.trim_ascii().is_empty() {
                    lines.push((!skipped).then_some(line));
                }
            }
            if self.open.len() + part.len() > LONGEST {
                self.skipping = true;
                self.open = Vec::new();
            }
            if !self.skipping {
                self.open.extend_from_slice(part);
            }
        }
        lines
    }
}

/// What a client said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// A request, which is answered once.
    Request { id: Value, method: String, params: Map<String, Value> },
    /// The client takes back the request with this id.
    Cancel(Value),
    /// Nothing to do: a notification, or an answer to what was never asked.
    Nothing,
}

/// Reads one message.
///
/// # Errors
/// The answer that says what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Said, Value> {
    let value: Value = serde_json::from_slice(line)
        .map_err(|e| error(Value::Null, -32700, &format!("this line is no JSON: {e}")))?;
    let Value::Object(mut message) = value else {
        return Err(error(Value::Null, -32600, "a message is one JSON object"));
    };
    let id = message.remove("id");
    let params = match message.remove("params") {
        Some(Value::Object(params)) => params,
        _ => Map::new(),
    };
    match (message.remove("method"), id) {
        (Some(Value::String(method)), Some(id)) if id.is_string() || id.is_number() => {
            Ok(Said::Request { id, method, params })
        }
        (Some(Value::String(method)), None) if method == "notifications/cancelled" => {
            Ok(params.get("requestId").map_or(Said::Nothing, |id| Said::Cancel(id.clone())))
        }
        (Some(Value::String(_)), None) => Ok(Said::Nothing),
        (None, _) if message.contains_key("result") || message.contains_key("error") => {
            Ok(Said::Nothing)
        }
        _ => Err(error(Value::Null, -32600, "a request has a method and an id")),
    }
}

/// Answers `initialize`: the client's version if we have it, else our newest.
pub(super) fn welcome(id: Value, params: &Map<String, Value>) -> Value {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let version = WITH_SESSIONS.into_iter().find(|v| Some(*v) == asked);
    result(
        id,
        params,
        json!({
            "protocolVersion": version.unwrap_or(WITH_SESSIONS[0]),
            "capabilities": { "tools": {} },
            "serverInfo": about(),
        }),
    )
}

/// Answers `server/discover`.
pub(super) fn discover(id: Value) -> Value {
    let mut versions = vec![WITHOUT];
    versions.extend(WITH_SESSIONS);
    json!({ "jsonrpc": "2.0", "id": id, "result": {
        "resultType": "complete",
        "supportedVersions": versions,
        "capabilities": { "tools": {} },
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": about() },
    }})
}

fn about() -> Value {
    json!({ "name": "hearth-worker", "version": env!("CARGO_PKG_VERSION") })
}

/// Answers a request with these parameters. Only the version without sessions has `resultType`.
pub(super) fn result(id: Value, params: &Map<String, Value>, mut result: Value) -> Value {
    let meta = params.get("_meta").and_then(|meta| meta.get(VERSION_OF_CALL));
    if meta.and_then(Value::as_str).is_some_and(|version| version >= WITHOUT) {
        result["resultType"] = json!("complete");
    }
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// Answers that a request could not be understood.
pub(super) fn error(id: Value, code: i32, what: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": what } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_in_parts_and_one_too_long_costs_only_itself() {
        let mut lines = Lines::default();
        assert!(lines.push(b"{\"a\":").is_empty());
        assert_eq!(
            lines.push(b"1}\r\n\n{}\nx"),
            [Some(b"{\"a\":1}\r".to_vec()), Some(b"{}".into())]
        );
        assert!(lines.push(&vec![b'a'; LONGEST]).is_empty());
        assert!(lines.push(&[b'b'; 100]).is_empty());
        assert_eq!(lines.push(b"\n{}\n"), [None, Some(b"{}".to_vec())]);
    }

    #[test]
    fn what_is_no_message_is_answered_and_answers_are_not() {
        assert_eq!(read(b"{").unwrap_err()["error"]["code"], -32700);
        for bad in ["[]", "{}", r#"{"id":1}"#, r#"{"id":null,"method":"x"}"#, r#"{"method":1}"#] {
            assert_eq!(read(bad.as_bytes()).unwrap_err()["error"]["code"], -32600, "{bad}");
        }
        let cancel = br#"{"method":"notifications/cancelled","params":{"requestId":7}}"#;
        assert_eq!(read(cancel).unwrap(), Said::Cancel(json!(7)));
        assert_eq!(read(br#"{"id":1,"result":{}}"#).unwrap(), Said::Nothing);
        assert_eq!(read(br#"{"method":"notifications/initialized"}"#).unwrap(), Said::Nothing);
    }

    #[test]
    fn the_version_is_the_clients_or_our_newest() {
        let asked = |version: &str| {
            let params = json!({ "protocolVersion": version });
            welcome(json!(1), params.as_object().unwrap())["result"]["protocolVersion"].clone()
        };
        assert_eq!(asked("2024-11-05"), "2024-11-05");
        assert_eq!(asked("2099-01-01"), "2025-11-25");
    }
}
