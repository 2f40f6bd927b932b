//! What is risky asks the person where the client can, and the model where it cannot.

use crate::mcp::{Bench, Echo, request};
use hearth::http::{Router, to_bytes};
use hearth::mcp::{Call, Reply, Tool, over_http};
use hearth::policy::{Caller, Level};
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct House {
    bench: Bench,
    caller: Caller,
    /// One for all calls: what travels through the client is sealed with its key.
    router: Router,
}

impl House {
    async fn new() -> House {
        let bench = Bench::new().await;
        let policy = bench.policy.clone();
        let open = move |call: Call, args: Echo| {
            let policy = policy.clone();
            async move {
                policy.confirm(&call.caller, "door.open", &args.text, call.confirm.as_deref())?;
                Ok(Reply::from(super::Echoed { text: "it is open".into(), confirm: None }))
            }
        };
        let about = "Opens a door";
        bench.toolbox.add_tools(vec![Tool::new("door_open", "Open", about, Level::Control, open)]);
        let caller = bench.caller("keeper", Level::Control, &[]).await;
        let router = over_http::router(&bench.mcp());
        House { bench, caller, router }
    }

    /// Calls the tool as a client of the newest protocol with these abilities; `more` goes into the
    /// parameters.
    async fn open(&self, abilities: Value, more: Value) -> Value {
        let mut params = json!({
            "name": "door_open",
            "arguments": { "text": "the front door" },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": abilities,
            },
        });
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        let ask = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params });
        let newest = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "door_open"),
        ];
        let request = request("POST", "/mcp", &newest, &ask.to_string(), Some(&self.caller));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let said: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&body)));
        said["result"].clone()
    }
}

#[tokio::test]
async fn a_client_that_can_ask_the_person_does() {
    let house = House::new().await;
    let forms = json!({ "elicitation": { "form": {} } });
    let asked = house.open(forms.clone(), json!({})).await;
    let question = &asked["inputRequests"]["confirm"]["params"];
    assert!(question["message"].as_str().unwrap().contains("the front door"), "{asked}");
    // The answer is not in what a model reads.
    assert!(!asked.to_string().contains("confirm=\\\""), "{asked}");
    let state = &asked["requestState"];
    let answer =
        |answer: Value| json!({ "requestState": state, "inputResponses": { "confirm": answer } });
    for no in [
        json!({ "action": "decline" }),
        json!({ "action": "cancel" }),
        json!({ "action": "accept", "content": { "agree": false } }),
    ] {
        let refused = house.open(forms.clone(), answer(no)).await;
        assert_eq!(refused["isError"], true, "{refused}");
        assert!(refused.to_string().contains("did not agree"), "{refused}");
    }
    let yes = json!({ "action": "accept", "content": { "agree": true } });
    let done = house.open(forms.clone(), answer(yes.clone())).await;
    assert_eq!(done["structuredContent"]["text"], "it is open", "{done}");
    // Once is not for ever.
    let again = house.open(forms, answer(yes)).await;
    assert!(again["inputRequests"]["confirm"].is_object(), "{again}");
    let audit = house.bench.policy.audit();
    let came: Vec<&str> = audit.iter().map(|line| line.outcome).collect();
    assert_eq!(came, ["asked", "denied", "denied", "denied", "allowed", "asked"]);
}

#[tokio::test]
async fn other_clients_pass_the_question_on() {
    let house = House::new().await;
    let asked = house.open(json!({}), json!({})).await;
    assert_eq!(asked["isError"], true, "{asked}");
    let text = asked.to_string();
    let (_, rest) =
        text.split_once("confirm=\\\\\\\"").or_else(|| text.split_once("confirm=\\\"")).unwrap();
    let token = &rest[..8];
    let wrong = json!({ "arguments": { "text": "the front door", "confirm": "yes" } });
    let refused = house.open(json!({}), wrong).await;
    assert!(refused.to_string().contains("is not, or no longer, valid"), "{refused}");
    // Asking anew made the first question void.
    let old = json!({ "arguments": { "text": "the front door", "confirm": token } });
    let refused = house.open(json!({}), old).await;
    assert_eq!(refused["isError"], true, "{refused}");
}
