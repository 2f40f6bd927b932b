use crate::demo::client::{Client, DEADLINE, house, http};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn connected(extra: usize) -> (Client, hearth::tasks::Tasks) {
    let (house, tasks) = house(extra).await;
    (Client::connect(&house.url, house.token.reveal()).await, tasks)
}

fn turn_on(id: &str, data: Value) -> Value {
    json!({ "type": "call_service", "domain": "light", "service": "turn_on",
            "service_data": data, "target": { "entity_id": id } })
}

#[tokio::test]
async fn a_wrong_token_is_refused_and_the_socket_closed() {
    let (house, tasks) = house(0).await;
    for first in [
        json!({ "type": "auth", "access_token": "wrong" }),
        json!({ "type": "auth" }),
        json!({ "type": "get_states", "id": 1 }),
    ] {
        let mut client = Client::open(&house.url).await;
        client.send(first).await;
        assert_eq!(client.next().await.unwrap()["type"], "auth_invalid");
        assert!(client.next().await.is_none());
    }
    assert_eq!(format!("{house:?}").matches(house.token.reveal()).count(), 0);
    tasks.stop().await;
}

#[tokio::test]
async fn a_change_is_told_before_the_answer_to_the_call_that_caused_it() {
    let (mut client, tasks) = connected(0).await;
    let short = client.command(json!({ "type": "subscribe_entities" })).await;
    let first = client.event(short).await;
    assert_eq!(first["a"]["light.hallway"]["s"], "off");
    let events = json!({ "type": "subscribe_events", "event_type": "state_changed" });
    let long = client.command(events).await;
    let call = client.command(turn_on("light.hallway", json!({ "brightness": 77 }))).await;
    let mut seen = Vec::new();
    let answer = loop {
        let message = client.next().await.unwrap();
        if message["id"] == call {
            break message;
        }
        seen.push(message);
    };
    let diff = seen.iter().find_map(|m| m["event"]["c"].get("light.hallway")).unwrap();
    assert_eq!((&diff["+"]["s"], &diff["+"]["a"]["brightness"]), (&json!("on"), &json!(77)));
    let changed =
        |m: &&Value| m["event"]["data"]["entity_id"] == "light.hallway" && m["id"] == long;
    let event = seen.iter().find(changed).unwrap();
    let (old, new) = (&event["event"]["data"]["old_state"], &event["event"]["data"]["new_state"]);
    assert_eq!((&old["state"], &new["state"]), (&json!("off"), &json!("on")));
    assert_eq!(answer["result"]["context"], new["context"]);
    let states = client.result(json!({ "type": "get_states" })).await;
    let now = states.as_array().unwrap().iter().find(|s| s["entity_id"] == "light.hallway");
    assert_eq!(now.unwrap(), new);
    tasks.stop().await;
}

#[tokio::test]
async fn what_is_subscribed_ends_with_unsubscribing() {
    let (mut client, tasks) = connected(0).await;
    let wanted = json!({ "type": "subscribe_events", "event_type": "doorbell" });
    let id = client.command(wanted).await;
    let ring = json!({ "type": "fire_event", "event_type": "doorbell", "event_data": { "n": 1 } });
    client.command(ring.clone()).await;
    let event = client.event(id).await;
    assert_eq!((&event["data"]["n"], &event["origin"]), (&json!(1), &json!("LOCAL")));
    client.result(json!({ "type": "unsubscribe_events", "subscription": id })).await;
    let call = client.command(ring).await;
    let next = client.next().await.unwrap();
    assert_eq!(next["id"], call, "an event came after unsubscribing: {next}");
    let again = client.ask(json!({ "type": "unsubscribe_events", "subscription": id })).await;
    assert_eq!(again["error"]["code"], "not_found");
    let one = json!({ "type": "subscribe_entities", "entity_ids": "lock.front_door" });
    let id = client.command(one).await;
    assert_eq!(client.event(id).await["a"].as_object().unwrap().len(), 1);
    tasks.stop().await;
}

#[tokio::test]
async fn bad_messages_get_home_assistants_answers() {
    let (mut client, tasks) = connected(0).await;
    let unknown = client.ask(json!({ "type": "nope/nope" })).await;
    assert_eq!(
        unknown["error"],
        json!({ "code": "unknown_command", "message": "Unknown command." })
    );
    client.send(json!({ "id": 1, "type": "ping" })).await;
    assert_eq!(client.next().await.unwrap()["error"]["code"], "id_reuse");
    client.send(json!({ "type": "ping" })).await;
    let nameless = client.next().await.unwrap();
    assert_eq!(
        (&nameless["id"], &nameless["error"]["code"]),
        (&Value::Null, &json!("invalid_format"))
    );
    for _ in 0..64 {
        client.result(json!({ "type": "subscribe_events", "event_type": "x" })).await;
    }
    let full = client.ask(json!({ "type": "subscribe_events", "event_type": "x" })).await;
    assert_eq!(full["success"], false);
    client.text("{ this is no JSON".into()).await;
    assert!(client.next().await.is_none());
    tasks.stop().await;
}

#[tokio::test]
async fn several_messages_come_in_one_frame_once_the_client_says_so() {
    let (mut client, tasks) = connected(0).await;
    let all_off = json!({ "type": "call_service", "domain": "light", "service": "toggle",
        "target": { "entity_id": "all" } });
    let id = client.command(json!({ "type": "subscribe_entities" })).await;
    client.event(id).await;
    client.result(all_off.clone()).await;
    assert_eq!(client.joined, 0);
    let features = json!({ "type": "supported_features", "features": { "coalesce_messages": 1 } });
    client.result(features).await;
    client.result(all_off).await;
    assert!(client.joined > 0);
    tasks.stop().await;
}

#[tokio::test]
async fn the_house_lives_by_itself() {
    let (mut client, tasks) = connected(8).await;
    let id = client.command(json!({ "type": "subscribe_entities" })).await;
    client.event(id).await;
    for _ in 0..3 {
        let event = client.event(id).await;
        assert!(event["c"].as_object().is_some_and(|c| !c.is_empty()), "{event}");
    }
    tasks.stop().await;
}

#[tokio::test]
async fn a_large_house_arrives_whole_and_answers_a_template_again_when_it_changes() {
    let (mut client, tasks) = connected(2000).await;
    let id = client.command(json!({ "type": "subscribe_entities" })).await;
    let first = client.event(id).await;
    assert!(first["a"].as_object().unwrap().len() > 2040);
    let rows = client.result(json!({ "type": "config/entity_registry/list" })).await;
    assert!(rows.as_array().unwrap().len() > 2040);
    let template = json!({ "type": "render_template", "report_errors": true,
        "template": "{{ states('switch.extra_0003') }}" });
    let id = client.command(template).await;
    assert_eq!(client.event(id).await["result"], "off");
    let call = json!({ "type": "call_service", "domain": "switch", "service": "turn_on",
        "target": { "entity_id": "switch.extra_0003" } });
    client.command(call).await;
    assert_eq!(client.event(id).await["result"], "on");
    tasks.stop().await;
}

#[tokio::test]
async fn rest_asks_for_the_token_and_shows_the_states() {
    let (house, tasks) = house(0).await;
    let token = house.token.reveal();
    let get = async |path: &str, token| http(&house.url, "GET", path, token, "").await;
    for path in ["/api/", "/api/states", "/api/config", "/api/states/sun.sun"] {
        assert_eq!(get(path, None).await.0, 401, "{path}");
        assert_eq!(get(path, Some("wrong")).await.0, 401, "{path}");
        let (status, kind, body) = get(path, Some(token)).await;
        assert_eq!((status, &*kind), (200, "application/json"), "{path}");
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
    assert_eq!(get("/api/states/sun.none", Some(token)).await.0, 404);
    assert_eq!(get("/elsewhere", Some(token)).await.0, 404);
    let body = r#"{"template":"{{ states('lock.front_door') }}"}"#;
    let (status, _, text) = http(&house.url, "POST", "/api/template", Some(token), body).await;
    assert_eq!((status, &*text), (200, "locked"));
    tasks.stop().await;
}

#[tokio::test]
async fn too_many_clients_and_too_large_requests_are_turned_away_and_the_rest_goes_on() {
    let (house, tasks) = house(0).await;
    let mut kept = Client::connect(&house.url, house.token.reveal()).await;
    let address = house.url.trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(tokio::net::TcpStream::connect(&address).await.unwrap());
    }
    // The last ones found no seat: their sockets are closed without a word.
    let mut byte = [0u8; 1];
    let last = idle.last_mut().unwrap();
    let end = tokio::time::timeout(DEADLINE, last.read(&mut byte)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    assert_eq!(kept.ask(json!({ "type": "ping" })).await["type"], "pong");
    drop(idle);
    let huge = vec![b'x'; 32 * 1024];
    loop {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        // The server may close while this is still being written.
        let _ = stream.write_all(&huge).await;
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty());
        if http_works(&house.url, house.token.reveal()).await {
            break;
        }
    }
    assert_eq!(kept.ask(json!({ "type": "ping" })).await["type"], "pong");
    tasks.stop().await;
}

/// Whether there is a seat again.
async fn http_works(url: &str, token: &str) -> bool {
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/ HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off_and_costs_the_others_nothing() {
    let (house, tasks) = house(0).await;
    let mut deaf = Client::connect(&house.url, house.token.reveal()).await;
    deaf.result(json!({ "type": "subscribe_events", "event_type": "noise" })).await;
    let mut other = Client::connect(&house.url, house.token.reveal()).await;
    let noise = json!({ "type": "fire_event", "event_type": "noise",
        "event_data": { "text": "x".repeat(12_000) } });
    for _ in 0..3200 {
        other.result(noise.clone()).await;
    }
    let mut heard = 0;
    while deaf.next().await.is_some() {
        heard += 1;
    }
    assert!(heard < 3200, "{heard}");
    assert_eq!(other.ask(json!({ "type": "ping" })).await["type"], "pong");
    tasks.stop().await;
}
