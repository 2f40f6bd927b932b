//! The journeys of ARCHITECTURE.md, walked on the built binary.

use crate::harness::Hearth;
use serde_json::json;
use std::io::{BufRead, BufReader};

/// On the demo house, because this journey is about Hearth; tests/it/home.rs walks it on a real one.
#[test]
fn an_assistant_turns_on_a_light() {
    let hearth = Hearth::demo();
    let mut mcp = hearth.mcp("/mcp");
    let found = mcp.tool("home_find", json!({"domain": "light", "state": "off"}));
    let light = found["entities"][0]["id"].as_str().expect("a light that is off").to_owned();

    // A person's page listens meanwhile.
    let events = format!("{}/events?event=entity", hearth.url);
    let stream = ureq::get(events)
        .header("authorization", format!("Bearer {}", hearth.token))
        .call()
        .unwrap();
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines();

    let done =
        mcp.tool("home_call", json!({"service": "light.turn_on", "target": {"entity_id": light}}));
    assert_eq!(done["entities"][0]["result"], "verified", "{done}");
    let got = mcp.tool("home_get", json!({"entity_ids": [light]}));
    assert_eq!(got["entities"][0]["state"], "on", "{got}");
    let told = lines.find(|line| {
        let line = line.as_ref().unwrap();
        line.starts_with("data:") && line.contains(&light) && line.contains("\"state\":\"on\"")
    });
    assert!(told.is_some(), "the event stream ended without the light");
}
