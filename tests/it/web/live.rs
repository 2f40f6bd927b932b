//! `/events`.

use super::{Ask, House};
use futures_util::StreamExt as _;
use hearth::events::{Entity, Event};
use hearth::http::{Body, header, to_bytes};
use hearth::policy::{EntityScope, Grant};
use hearth::tasks::Whose;
use std::time::Duration;

fn entity(id: &str, area: &str) -> Event {
    Event::Entity(Entity {
        house: "home".into(),
        entity_id: id.into(),
        state: Some("on".into()),
        old_state: None,
        name: None,
        area: Some(area.into()),
        labels: Vec::new().into(),
        exposed: true,
        changed: 5.0,
    })
}

/// Reads from an open stream until `want` stands in it.
async fn until(answer: &mut hearth::http::Body, seen: &mut String, want: &str) {
    let mut chunks = std::mem::take(answer).into_data_stream();
    while !seen.contains(want) {
        let next = tokio::time::timeout(Duration::from_secs(10), chunks.next()).await;
        let chunk = next.unwrap_or_else(|_| panic!("no '{want}' in\n{seen}"));
        let chunk = chunk.unwrap_or_else(|| panic!("the stream ended before '{want}':\n{seen}"));
        seen.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
    }
    *answer = Body::from_stream(chunks);
}

#[tokio::test]
async fn events_are_filtered_by_wish_and_by_what_the_caller_may_see() {
    let house = House::new().await;
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let (_, caller) = house.token("cook", Grant { entities: scope, ..Grant::default() }).await;
    let answer = house.get("/events?event=entity&entity_id=light.*", Some(&caller)).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let mut body = answer.body;
    for (id, area) in
        [("light.bed", "bedroom"), ("switch.pan", "kitchen"), ("light.stove", "kitchen")]
    {
        house.events.publish(entity(id, area));
    }
    let mut seen = String::new();
    until(&mut body, &mut seen, "light.stove").await;
    assert!(seen.contains("event: entity\n") && seen.contains("-3\n"), "{seen}");
    assert!(!seen.contains("light.bed") && !seen.contains("switch.pan"), "{seen}");
}

#[tokio::test]
async fn a_reader_that_returns_is_told_what_it_missed_and_what_is_gone() {
    let house = House::new().await;
    let (_, caller) = house.token("screen", Grant::default()).await;
    for n in 1..=hearth::events::RECENT + 2 {
        house.events.publish(entity(&format!("light.n{n}"), "hall"));
    }
    let back = async |last: &str| {
        let back = [("last-event-id", last)];
        let ask = Ask { path: "/events", headers: &back, caller: Some(&caller), ..Ask::default() };
        let (mut body, mut seen) = (house.ask(ask).await.body, String::new());
        until(&mut body, &mut seen, "light.n514\"").await;
        seen
    };
    // What a reader of an earlier run saw last says nothing about this one.
    let seen = back("0123456789abcdef-1").await;
    assert!(seen.contains("event: lost\ndata: {\"lost\":null}\n\n"), "{}", &seen[..200]);
    let id = seen.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let (run, oldest) = id.rsplit_once('-').unwrap();
    // The two oldest of them are no longer kept.
    assert_eq!(oldest, "3");
    let seen = back(&format!("{run}-1")).await;
    assert!(seen.contains("event: lost\ndata: {\"lost\":1}\n\n"), "{}", &seen[..200]);
    assert!(!seen.contains("light.n2\"") && seen.contains("light.n3\""));
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let house = House::new().await;
    let (_, caller) = house.token("guest", Grant::default()).await;
    let (_, other) = house.token("other", Grant::default()).await;
    let body = house.get("/events", Some(&caller)).await.body;
    let mut stays = house.get("/events", Some(&other)).await.body;
    house.policy.revoke_token("guest").await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), to_bytes(body, 1 << 20)).await;
    assert!(end.expect("the stream goes on").is_ok());
    house.events.publish(entity("light.still", "hall"));
    until(&mut stays, &mut String::new(), "light.still").await;
}

#[tokio::test]
async fn a_filter_that_does_not_exist_is_refused() {
    let house = House::new().await;
    let (_, caller) = house.token("script", Grant::default()).await;
    let answer = house.get("/events?entity=light.x", Some(&caller)).await;
    assert_eq!(answer.status, 400);
    let said = answer.json().await;
    let text = said["error"]["message"].as_str().unwrap();
    assert!(text.contains("no filter 'entity'") && text.contains("entity_id"), "{said}");
    let long = vec!["x"; 65].join(",");
    let answer = house.get(&format!("/events?area={long}"), Some(&caller)).await;
    assert_eq!(answer.json().await["error"]["code"], "invalid");
    house.tasks.status("store", Whose::Own).up();
    let answer = house.get("/events?service=stor", Some(&caller)).await;
    assert_eq!(answer.status, 404);
    let said = answer.json().await;
    assert!(said["error"]["message"].as_str().unwrap().contains("there is: store"), "{said}");
    for good in ["service=store", "service=st*", "domain=light", "house=home&area=kitchen"] {
        let answer = house.get(&format!("/events?{good}"), Some(&caller)).await;
        assert_eq!(answer.status, 200, "{good}");
    }
    // What a service says of its own events counts.
    for (filter, value) in [("area", "attic"), ("house", "attic"), ("domain", "attic")] {
        let answer = house.get(&format!("/events?{filter}={value}"), Some(&caller)).await;
        assert_eq!(answer.status, 404, "{filter}");
    }
}
