//! What bad wishes get: a status that says whose fault it is, and what to do.

use super::rig::{SESSIONS, acquire, ask, start};
use serde_json::{Value, json};

#[test]
fn bad_wishes_are_refused_with_their_reason() {
    let own = start("[orchestrator]\nmax_sessions_per_token = 2\n");
    let catalogue = "[[image]]\nname = \"search\"\nimage = \"x/y@sha256:00\"\nenv = [\"KEY\"]\n";
    std::fs::write(own.folder.path().join("catalogue.toml"), catalogue).unwrap();
    for (body, status, want) in [
        (json!({ "image": "alpine:latest" }), 403, "not in the catalogue"),
        (json!({ "image": "search" }), 503, "no container engine"),
        (json!({ "image": "search", "env": { "PATH": "x" } }), 403, "takes no environment 'PATH'"),
        (json!({ "id": "../../etc" }), 400, "no id of a session"),
        (json!({ "id": "a", "ttl": 86_401 }), 400, "1 to 86400"),
        (json!({ "id": "a", "colour": 1 }), 400, "colour"),
        (json!({ "env": { "LD_PRELOAD": "x" } }), 403, "cannot be set"),
        (json!({ "limits": { "memory_mb": 100_000 } }), 403, "1 to 256"),
        (json!({ "egress": ["localhost:80"] }), 400, "no destination"),
        (json!([1]), 400, "no JSON object"),
    ] {
        let (got, answer) = ask(&own, "POST", SESSIONS, &body);
        let text = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(got == status && text.contains(want), "{body}: {got} {answer}");
    }
    let none = json!({});
    assert_eq!(ask(&own, "POST", &format!("{SESSIONS}/none/tools/x"), &none).0, 404);
    assert_eq!(ask(&own, "GET", &format!("{SESSIONS}/none/tools"), &none).0, 404);
    assert_eq!(ask(&own, "DELETE", &format!("{SESSIONS}/none"), &none).0, 404);
    assert_eq!(ask(&own, "GET", "/api/orchestrator/nothing", &none).0, 404);
    // Nothing of all that left a session.
    assert_eq!(ask(&own, "GET", SESSIONS, &none).1["sessions"], json!([]));
    acquire(&own, &json!({ "id": "one" }));
    acquire(&own, &json!({ "id": "two" }));
    let (status, full) = ask(&own, "POST", SESSIONS, &json!({ "id": "three" }));
    assert_eq!(status, 429, "{full}");
    // Renewing needs no place; another image under the same id is another session.
    acquire(&own, &json!({ "id": "two" }));
    let (status, other) = ask(&own, "POST", SESSIONS, &json!({ "id": "two", "image": "search" }));
    assert_eq!(status, 409, "{other}");
    // What the server refuses is its answer, not a fault of ours.
    let unknown = ask(&own, "POST", &format!("{SESSIONS}/one/tools/no_such_tool"), &none);
    assert_eq!((unknown.0, &unknown.1["isError"]), (200, &Value::Bool(true)), "{}", unknown.1);
    // A mistake in the catalogue allows nothing and says where it is.
    std::fs::write(own.folder.path().join("catalogue.toml"), "[[image]]\nnam = \"x\"\n").unwrap();
    let (status, answer) = ask(&own, "POST", SESSIONS, &json!({ "image": "search" }));
    let text = answer["error"]["message"].as_str().unwrap();
    assert!(status == 403 && text.contains("line 2"), "{status} {text}");
}

#[test]
fn sandboxes_are_promised_no_more_memory_than_there_is() {
    let own = start("[orchestrator]\nmemory_mb = 100\nsandbox_memory_mb = 40\n");
    acquire(&own, &json!({ "id": "one" }));
    acquire(&own, &json!({ "id": "two" }));
    let (status, full) = ask(&own, "POST", SESSIONS, &json!({ "id": "three" }));
    assert_eq!(status, 429, "{full}");
    assert!(full["error"]["message"].as_str().unwrap().contains("80 of 100 MB"), "{full}");
    acquire(&own, &json!({ "id": "small", "limits": { "memory_mb": 20 } }));
    assert_eq!(ask(&own, "DELETE", &format!("{SESSIONS}/one"), &Value::Null).0, 200);
    acquire(&own, &json!({ "id": "three" }));
}
