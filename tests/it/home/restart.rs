//! A real house goes away and comes back.

use super::proxy::Proxy;
use super::raw::Raw;
use super::rig::{Rig, config, real, start, until};
use hearth::error::Kind;
use hearth::events::HouseChange;
use hearth::mcp::{Answer, Block, Call};
use hearth::tasks::{State, Whose};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_house_is_away_answers_are_marked_stale() {
    let (url, token) = real();
    let proxy = Proxy::to(&url).await;
    let rig = start(&config(&proxy.address.to_string(), &token)).await;
    rig.connected().await;
    let mut raw = Raw::on_real().await;
    let id = "input_select.house_mode";
    let was = raw.state(id).await;
    let get = json!({"entity_ids": [id]});
    assert!(rig.tool("home_get", get.clone()).await.get("stale_since").is_none());

    let mut events = rig.events.read();
    proxy.cut();
    rig.house_event(&mut events, HouseChange::Lost).await;
    for (tool, args) in
        [("home_get", get.clone()), ("home_find", json!({})), ("home_overview", json!({}))]
    {
        let stale = rig.tool(tool, args).await;
        assert!(stale["stale_since"].as_str().unwrap().contains('T'), "{tool}: {stale}");
    }
    for (name, args) in [("home_review", json!({})), ("home_room", json!({"area": "kitchen"}))] {
        let text = prompt(&rig, name, args).await;
        assert!(text.contains("cannot be reached") && text.contains("stale_since"), "{text}");
    }
    let dry = json!({"service": "input_select.select_next", "target": {"entity_id": id},
                     "dry_run": true});
    assert!(rig.tool("home_call", dry).await["stale_since"].is_string());
    let call = json!({"service": "input_select.select_next", "target": {"entity_id": id}});
    let e = rig.try_tool("home_call", call).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline, "{e}");
    for (tool, args) in [
        ("home_template", json!({"template": "{{ 1 }}"})),
        ("home_watch", json!({"entity_ids": [id]})),
        ("home_history", json!({"entity_ids": [id]})),
        ("home_history", json!({"kind": "energy"})),
        ("home_trace", json!({})),
        ("home_logs", json!({})),
        ("home_logs", json!({"file": true})),
        ("home_system", json!({"what": "health"})),
        ("home_system", json!({"what": "check"})),
        ("home_todo", json!({"list": "Chores"})),
        ("home_calendar", json!({"calendar": "Family"})),
        ("home_camera", json!({"camera": "camera.demo_camera"})),
    ] {
        let e = rig.try_tool(tool, args).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Offline, "{tool}: {e}");
    }
    let health = rig.tasks.health();
    let line = health.iter().find(|line| line.name == "home").unwrap();
    assert!(line.whose == Whose::Peer && matches!(line.state, State::Degraded(_)), "{line:?}");
    assert!(rig.tasks.is_healthy() && !rig.tasks.is_ready());

    // What changes meanwhile is known as soon as the house is back, and is told.
    raw.call("input_select.select_next", id, json!({})).await;
    let now = raw.state(id).await;
    assert_ne!(now, was);
    proxy.mend();
    rig.house_event(&mut events, HouseChange::Connected).await;
    let fresh = rig.tool("home_get", get).await;
    assert!(fresh.get("stale_since").is_none() && fresh["entities"][0]["state"] == now, "{fresh}");
    assert!(rig.tasks.is_ready());
    raw.call("input_select.select_option", id, json!({"option": was})).await;
    until("the option is back", async || rig.state(id).await == was).await;
}

async fn prompt(rig: &Rig, name: &str, args: Value) -> String {
    let prompts = hearth::home::prompts(&rig.home);
    let prompt = prompts.iter().find(|prompt| prompt.name == name).unwrap();
    let args = args.as_object().cloned().unwrap();
    match (prompt.write)(Call::new(rig.caller.clone()), args).await.unwrap() {
        Answer::Blocks(blocks) => match &blocks[..] {
            [Block::Text(text)] => text.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_learns_that_the_house_went() {
    let (url, token) = real();
    let proxy = Proxy::to(&url).await;
    let rig = start(&config(&proxy.address.to_string(), &token)).await;
    rig.connected().await;
    let slow = "{% for i in range(9999) %}{% for j in range(999) %}{% set x = i * j %}{% endfor %}\
                {% endfor %}";
    let asked = rig.try_tool("home_template", json!({"template": slow, "seconds": 10}));
    let cut = async {
        tokio::task::yield_now().await;
        proxy.cut();
    };
    let (got, ()) = tokio::join!(asked, cut);
    assert_eq!(got.unwrap_err().kind(), Kind::Offline);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_hearth_starts_and_says_what_to_set() {
    let (url, _) = real();
    let rig = start(&config(&url, "")).await;
    for tool in ["home_overview", "home_find"] {
        let e = rig.try_tool(tool, json!({})).await.unwrap_err();
        assert!(e.kind() == Kind::Offline && e.what().contains("HASS_TOKEN"), "{e}");
    }
    assert!(rig.tasks.is_healthy() && !rig.tasks.is_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_connection_is_found_by_a_call_without_an_answer() {
    let (url, token) = real();
    let proxy = Proxy::to(&url).await;
    let mut config = config(&format!("http://{}", proxy.address), &token);
    // By itself it would be believed for an hour.
    config.ping_seconds = 3600;
    let rig = start(&config).await;
    rig.connected().await;
    let mut bus = rig.events.read();
    proxy.freeze();
    let call =
        json!({"service": "homeassistant.update_entity", "target": {"entity_id": "sun.sun"}});
    let done = rig.tool("home_call", call).await;
    assert!(done["unanswered"].as_str().unwrap().contains("not answered yet"), "{done}");
    rig.house_event(&mut bus, HouseChange::Lost).await;
    rig.connected().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_houses_keep_apart() {
    let (url, token) = real();
    let mut two = config(&url, &token);
    two.houses.push(hearth::home::HouseConfig {
        name: "cabin".into(),
        url: url.clone(),
        token: hearth::config::Secret::new(token.as_str()),
    });
    let rig = start(&two).await;
    rig.connected().await;
    let args = json!({"entity_ids": ["lock.front_door"], "house": "cabin"});
    until("the cabin answers", async || rig.try_tool("home_get", args.clone()).await.is_ok()).await;
    let overview = rig.tool("home_overview", json!({"house": "cabin"})).await;
    assert_eq!(overview["house"], "cabin");
}
