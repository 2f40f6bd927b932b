//! What Hearth does when Home Assistant does what it should not.

use super::fake::{Fake, Script};
use super::rig::{Rig, config, ids, start, start_reaching, until};
use hearth::error::{Error, Kind};
use hearth::events::HouseChange;
use hearth::home::Resolve;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Starts on a fake and waits until `/ready` says a sentence with `words`.
async fn degraded(script: Script, words: &str) -> (Fake, Rig) {
    let fake = Fake::start(script).await;
    let mut config = config(&fake.url(), "token");
    config.ping_seconds = 1;
    config.timeout_seconds = 3;
    let rig = start(&config).await;
    until(words, async || rig.why().contains(words)).await;
    let e = rig.try_tool("home_overview", json!({})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(rig.tasks.is_healthy(), "a house that is away is no fault of Hearth");
    (fake, rig)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_said_and_not_tried_in_haste() {
    let (fake, rig) = degraded(Script::Refuses, "refuses the token").await;
    assert!(rig.why().contains("HASS_TOKEN") && rig.why().contains("Invalid access token"));
    let e = rig.try_tool("home_find", json!({})).await.unwrap_err();
    assert!(e.what().contains("refuses the token"), "{e}");
    // Other failures are tried again within a tenth of a second.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(fake.visits(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_not_home_assistant_is_said() {
    degraded(Script::Status(500), "answers HTTP 500").await;
    degraded(Script::Status(404), "check the address").await;
    degraded(Script::Greets("hello"), "is not Home Assistant").await;
    degraded(Script::Greets("{\"type\":\"welcome\"}"), "is not Home Assistant").await;
    let nobody = config("127.0.0.1:1", "token");
    let rig = start(&nobody).await;
    until("refused", async || rig.why().contains("cannot connect to 127.0.0.1:1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_hangs_is_given_up_and_tried_again() {
    let (fake, _rig) = degraded(Script::Hangs, "silent").await;
    until("a second visit", async || fake.visits() >= 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_says_nothing_is_given_up() {
    let fake = Fake::start(Script::Silent).await;
    let rig = start(&config(&fake.url(), "token")).await;
    until("given up", async || rig.why().contains("said nothing for 10 s")).await;
}

/// Connects, and calls a service on the lamp.
async fn call_on(script: Script) -> (Fake, Rig, Result<Value, Error>, Duration) {
    let fake = Fake::start(script).await;
    let mut config = config(&fake.url(), "token");
    config.timeout_seconds = 3;
    let rig = start(&config).await;
    rig.connected().await;
    let began = Instant::now();
    let call = json!({"service": "light.turn_on", "target": {"entity_id": "light.lamp"}});
    let got = rig.try_tool("home_call", call).await;
    (fake, rig, got, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_cut_in_the_middle_of_a_frame_is_opened_again() {
    // A frame of 100 bytes of which 4 come.
    let (fake, rig, got, _) = call_on(Script::BreaksOff(b"\x81\x64half")).await;
    assert_eq!(got.unwrap_err().kind(), Kind::Offline);
    until("a second visit", async || fake.visits() >= 2).await;
    rig.connected().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_ends_the_connection_and_nothing_else() {
    for nonsense in ["no json", "[1,2]", "{\"id\":\"x\"}", "null"] {
        let (fake, rig, got, _) = call_on(Script::Babbles(nonsense)).await;
        assert_eq!(got.unwrap_err().kind(), Kind::Offline, "{nonsense}");
        until("a second visit", async || fake.visits() >= 2).await;
        rig.connected().await;
        assert!(rig.tasks.is_healthy());
    }
    // A frame that claims 2^62 bytes, one of a kind that does not exist, one that is no text.
    for bytes in [&b"\x81\x7f\x40\0\0\0\0\0\0\0"[..], b"\x83\x01x", b"\x81\x02\xff\xfe"] {
        let (fake, rig, got, _) = call_on(Script::BreaksOff(bytes)).await;
        assert_eq!(got.unwrap_err().kind(), Kind::Offline, "{bytes:?}");
        until("a second visit", async || fake.visits() >= 2).await;
        rig.connected().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_answered_is_pending_after_two_seconds() {
    let (_fake, rig, got, took) = call_on(Script::Slow).await;
    let got = got.unwrap();
    assert_eq!(got["counts"], json!({"pending": 1}), "{got}");
    assert!(got["unanswered"].is_string());
    assert!(took >= Duration::from_millis(1900) && took < Duration::from_millis(2900), "{took:?}");
    // That it failed after all is written down when it is known.
    until("the failure is in the audit log", async || {
        rig.policy.audit().iter().any(|entry| entry.outcome == "failed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_entities_come_in_one_frame() {
    let states: Map<String, Value> = (0..2000)
        .map(|n| {
            let attributes = json!({"friendly_name": format!("Sensor {n} <script>\u{202e}"),
                "unit_of_measurement": "W", "text": "x".repeat(400)});
            let state = json!({"s": n.to_string(), "a": attributes, "c": "c", "lc": 1.0});
            (format!("sensor.power_{n:04}"), state)
        })
        .collect();
    let fake = Fake::start(Script::Well(Value::Object(states))).await;
    let rig = start(&config(&fake.url(), "token")).await;
    rig.connected().await;
    let overview = rig.tool("home_overview", json!({})).await;
    assert_eq!(overview["entities"], 2000);
    let found = rig.tool("home_find", json!({"query": "sensor 1234"})).await;
    assert_eq!(ids(&found)[0], "sensor.power_1234");
    assert_eq!(found["entities"][0]["name"], "Sensor 1234 <script>\\u{202e}");
    let get = json!({"entity_ids": ids(&found)[..1]});
    let got = rig.tool("home_get", get).await;
    assert_eq!(got["entities"][0]["last_changed"], "1970-01-01T01:00:01+01:00");
    for answer in [overview, found] {
        assert!(answer.to_string().len() <= 8192, "{}", answer.to_string().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_message_may_be_larger_than_a_megabyte() {
    let text = "y".repeat(60_000);
    let states: Map<String, Value> = (0..300)
        .map(|n| {
            let state = json!({"s": "on", "a": {"text": text}, "c": "c", "lc": 1.0});
            (format!("sensor.large_{n}"), state)
        })
        .collect();
    let fake = Fake::start(Script::Well(Value::Object(states))).await;
    let mut small = config(&fake.url(), "token");
    let rig = start(&small).await;
    let mut events = rig.events.read();
    if !rig.home.is_connected() {
        rig.house_event(&mut events, HouseChange::Connected).await;
    }
    assert_eq!(rig.tool("home_overview", json!({})).await["entities"], 300);
    // Where the limit is set lower, it holds, and the reason is said.
    small.most_message_bytes = 1 << 20;
    let rig = start(&small).await;
    until("too large", async || rig.why().contains("broke")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_the_local_network_are_looked_up_there() {
    let fake = Fake::start(Script::Well(json!({}))).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    let resolve: Resolve = Arc::new(move |name| {
        heard.lock().unwrap().push(name.clone());
        Box::pin(async move {
            match name.as_str() {
                // The first address leads nowhere: the next one is tried.
                "house.local" => {
                    Ok(vec!["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()])
                }
                _ => Err(Error::offline("nobody answers to that name")),
            }
        })
    });
    let url = format!("http://house.local:{}", fake.address.port());
    let found = start_reaching(&config(&url, "token"), resolve.clone()).await;
    found.connected().await;
    assert_eq!(*asked.lock().unwrap(), ["house.local"]);
    let lost = start_reaching(&config("http://other.local:8123", "token"), resolve).await;
    until("said", async || lost.why().contains("nobody answers to that name")).await;
}
