//! Rules that ask, and the answers to them.

use super::{House, lamp};
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};

const LAMP: &str = "light.kitchen_ceiling";

fn a_lamp(house: &House) -> String {
    let found = house.assistant().tool("home_find", json!({"domain": "light"}));
    found["entities"][0]["id"].as_str().unwrap().to_owned()
}

/// Calls in a thread of its own and returns what comes.
fn calling(house: &House, arguments: Value) -> std::thread::JoinHandle<Value> {
    let mut assistant = house.assistant();
    std::thread::spawn(move || assistant.call("home_call", arguments))
}

fn pending(house: &House) -> Value {
    wait_for("a pending approval", || {
        house.approvals().into_iter().find(|approval| approval["state"] == "pending")
    })
}

#[test]
fn a_call_waits_for_the_answer_and_then_goes_on() {
    let house = House::new("approval_wait_seconds = 60");
    let lamp_id = a_lamp(&house);
    house.rule(json!({"tool": "home_*", "verdict": "allow"}));
    house.rule(json!({"tool": "home_call", "token": "tablet", "verdict": "ask"}));
    let events = format!("{}/events?event=approval", house.hearth.url);
    let stream = ureq::get(events)
        .header("authorization", format!("Bearer {}", house.hearth.token))
        .call()
        .unwrap();
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines();
    let mut told = || loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(data) = line.strip_prefix("data:") {
            return serde_json::from_str::<Value>(data.trim()).unwrap();
        }
    };
    let call = calling(&house, lamp(&lamp_id));
    let asked = told();
    assert_eq!((&asked["state"], &asked["who"]), (&"pending".into(), &"tablet".into()), "{asked}");
    assert_eq!(asked["by_person"], true, "{asked}");
    assert!(asked["target"].as_str().unwrap().contains(&lamp_id), "{asked}");
    let id = asked["id"].as_str().unwrap();
    assert!(house.said(&["approval", "list"]).contains(&format!("{id} pending")));
    let (status, answer) =
        house.hearth.post("/api/policy/approvals", &json!({"id": id, "answer": "allow"}));
    assert_eq!((status, &answer["rule"]), (200, &Value::Null), "{answer}");
    assert_eq!(
        (told()["state"].as_str(), call.join().unwrap()["isError"].as_bool()),
        (Some("allowed"), None)
    );
    // Once is not for ever: the next call asks anew, and a no is a no, also when it is repeated.
    let call = calling(&house, lamp(&lamp_id));
    let id = pending(&house)["id"].as_str().unwrap().to_owned();
    house.said(&["approval", "deny", &id]);
    let refused = call.join().unwrap();
    assert!(refused.to_string().contains("said no"), "{refused}");
    let refused = house.assistant().call("home_call", lamp(&lamp_id));
    assert!(refused.to_string().contains("said no"), "{refused}");
    let audit = house.hearth.get("/api/web/audit").1;
    let lines: Vec<(&str, &str)> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["action"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    assert!(lines.contains(&("approval allow", "allowed")), "{lines:?}");
    assert_eq!(
        lines.iter().filter(|line| **line == ("home_call", "denied")).count(),
        2,
        "{lines:?}"
    );
}

#[test]
fn what_nobody_answers_in_time_can_be_answered_later_and_remembered() {
    let house = House::new("approval_wait_seconds = 0");
    let lamp_id = a_lamp(&house);
    house.rule(json!({"tool": "home_call", "verdict": "ask"}));
    let mut assistant = house.assistant();
    let asked = assistant.call("home_call", lamp(&lamp_id));
    let id = pending(&house)["id"].as_str().unwrap().to_owned();
    let text = asked.to_string();
    assert!(text.contains("waits for a person's approval") && text.contains(&id), "{text}");
    // The one who asks cannot answer, whatever its level; neither can one who may not.
    let answer = json!({"id": id, "answer": "allow"});
    let as_tablet = ureq::post(format!("{}/api/policy/approvals", house.hearth.url))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {}", house.tablet))
        .send_json(&answer)
        .unwrap();
    assert_eq!(as_tablet.status(), 403);
    let mut owner = house.hearth.mcp("/mcp");
    let own = owner.call("home_call", lamp("light.nowhere"));
    assert!(own.to_string().contains("waits for a person's approval"), "{own}");
    let own = pending(&house)["id"].as_str().unwrap().to_owned();
    let (status, refused) =
        house.hearth.post("/api/policy/approvals", &json!({"id": own, "answer": "allow"}));
    assert_eq!(status, 403, "{refused}");
    for (bad, status) in [
        (json!({"id": "00000000", "answer": "allow"}), 404),
        (json!({"id": id, "answer": "ask"}), 400),
        (json!({"id": id, "answer": "perhaps"}), 400),
        (json!({"id": id, "answer": "allow", "seconds": 5}), 400),
        (json!({"id": id}), 400),
    ] {
        assert_eq!(house.hearth.post("/api/policy/approvals", &bad).0, status, "{bad}");
    }
    let said = house.said(&["approval", "allow", &id, "--minutes", "5"]);
    assert!(said.contains("allowed") && said.contains("for tablet, 299 s more"), "{said}");
    for _ in 0..2 {
        assert_ne!(assistant.call("home_call", lamp(&lamp_id))["isError"], true);
    }
    // Remembered was this lamp, not any other.
    let other = assistant.call("home_call", lamp(LAMP));
    assert!(other.to_string().contains("waits for a person's approval"), "{other}");
    let id = pending(&house)["id"].as_str().unwrap().to_owned();
    house.said(&["approval", "deny", &id, "--whole"]);
    assert!(assistant.call("home_call", lamp(LAMP)).to_string().contains("a rule of this Hearth"));
    let rules = house.said(&["rule", "list"]);
    assert!(rules.contains("deny  home_call for tablet"), "{rules}");
}

#[test]
fn a_denied_tool_is_neither_shown_nor_run_and_rules_outlive_a_kill() {
    let house = House::new("");
    let said = house.said(&["rule", "deny", "home_call", "--token", "tab*"]);
    assert!(said.contains("deny  home_call for tab*"), "{said}");
    house.said(&["rule", "allow", "lock.unlock", "--minutes", "60"]);
    let house = house.again(true, "");
    let mut assistant = house.assistant();
    assert!(!assistant.tools().contains(&"home_call".to_owned()));
    let refused = assistant.call("home_call", lamp(LAMP));
    assert!(refused.to_string().contains("forbids 'tablet' to use home_call"), "{refused}");
    // Nor by the way round.
    let inner = json!({"name": "home_call", "arguments": lamp(LAMP)});
    let refused = assistant.call("hearth_call_tool", inner);
    assert!(refused.to_string().contains("forbids 'tablet'"), "{refused}");
    let over_rest = ureq::post(format!("{}/api/home/call", house.hearth.url))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {}", house.tablet))
        .send_json(lamp(LAMP))
        .unwrap();
    assert_eq!(over_rest.status(), 403);
}

#[test]
fn rules_say_what_holds_for_risky_steps_too() {
    let house = House::new("approval_wait_seconds = 0");
    let found = house.assistant().tool("home_find", json!({"domain": "lock"}));
    let lock = &found["entities"][0]["id"];
    let open = json!({"service": "lock.unlock", "target": {"entity_id": lock}});
    let mut assistant = house.assistant();
    let text = |said: Value| said.to_string();
    // Without a rule the assistant is told how to pass the question on, and the page may answer too.
    assert!(text(assistant.call("home_call", open.clone())).contains("confirm="));
    let asked = pending(&house);
    assert_eq!((&asked["by_person"], &asked["action"]), (&false.into(), &"lock.unlock".into()));
    house.said(&["approval", "allow", asked["id"].as_str().unwrap()]);
    let lock = asked["target"].as_str().unwrap();
    assert_ne!(assistant.call("home_call", open.clone())["isError"], true);
    assert!(text(assistant.call("home_call", open.clone())).contains("confirm="));
    // A wide rule lifts no question, one for the action does.
    house.said(&["rule", "allow", "*"]);
    assert!(text(assistant.call("home_call", open.clone())).contains("confirm="));
    house.said(&["rule", "allow", "lock.unlock", "--target", lock]);
    assert_ne!(assistant.call("home_call", open.clone())["isError"], true);
    // One that asks takes no word of the assistant's for it.
    house.said(&["rule", "ask", "lock.unlock", "--target", lock]);
    let asked = text(assistant.call("home_call", open.clone()));
    assert!(
        asked.contains("waits for a person's approval") && !asked.contains("confirm="),
        "{asked}"
    );
    house.said(&["rule", "deny", "lock.unlock", "--target", lock]);
    assert!(
        text(assistant.call("home_call", open)).contains("forbids 'tablet' to use lock.unlock")
    );
}
