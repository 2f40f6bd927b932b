//! Reads what is no JSON: texts, and streams of events, as a script does.

use crate::harness::{Hearth, SOON};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

fn agent(time: Duration) -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(time)).build().into()
}

/// GET with the token; the answer as text.
pub fn text(hearth: &Hearth, path: &str) -> String {
    let request = agent(SOON).get(format!("{}{path}", hearth.url));
    let request = request.header("authorization", format!("Bearer {}", hearth.token));
    request.call().unwrap().body_mut().read_to_string().unwrap()
}

/// A stream of events.
pub struct Events {
    lines: BufReader<ureq::BodyReader<'static>>,
}

impl Events {
    /// Opens one, behind the place `after` when it is given.
    pub fn open(hearth: &Hearth, path: &str, after: Option<&str>) -> Events {
        let request = agent(SOON).get(format!("{}{path}", hearth.url));
        let mut request = request.header("authorization", format!("Bearer {}", hearth.token));
        if let Some(place) = after {
            request = request.header("last-event-id", place);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events { lines: BufReader::new(answer.into_body().into_reader()) }
    }

    /// Waits for the next event and returns its name, id and data.
    pub fn next_event(&mut self) -> (String, String, Value) {
        let (mut name, mut id, mut data) = (String::new(), String::new(), Value::Null);
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream ended");
            match line.trim_end().split_once(": ") {
                Some(("event", text)) => name = text.to_owned(),
                Some(("id", text)) => id = text.to_owned(),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
                _ if line == "\n" && !name.is_empty() => return (name, id, data),
                _ => {}
            }
        }
    }
}
