//! Rules that ask, answered by the form of the client or meanwhile on the page.

use super::{House, lamp};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Lines};

/// A session whose client shows forms.
struct Client {
    url: String,
    token: String,
    session: String,
}

type Stream = Lines<BufReader<ureq::BodyReader<'static>>>;

impl Client {
    fn open(house: &House) -> Client {
        let (url, token) = (format!("{}/mcp", house.hearth.url), house.tablet.clone());
        let mut client = Client { url, token, session: String::new() };
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "forms", "version": "0"}}});
        let answer = client.post(&hello);
        let session = answer.headers().get("mcp-session-id").unwrap().to_str().unwrap();
        client.session = session.to_owned();
        client.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn post(&self, body: &Value) -> ureq::http::Response<ureq::Body> {
        let mut request = ureq::post(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json, text/event-stream");
        if !self.session.is_empty() {
            request = request
                .header("mcp-session-id", &self.session)
                .header("mcp-protocol-version", "2025-11-25");
        }
        request.send_json(body).unwrap()
    }

    fn call(&self, arguments: Value) -> Stream {
        let params = json!({"name": "home_call", "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
        BufReader::new(self.post(&body).into_body().into_reader()).lines()
    }
}

/// The next message in which `wanted` stands.
fn next(stream: &mut Stream, wanted: &str) -> Value {
    loop {
        let line = stream.next().unwrap_or_else(|| panic!("no {wanted}")).unwrap();
        let data = line.strip_prefix("data:").map(str::trim).filter(|data| !data.is_empty());
        let Some(data) = data else { continue };
        let message: Value = serde_json::from_str(data).unwrap();
        if message.get(wanted).is_some() {
            return message;
        }
    }
}

fn setup(policy: &str) -> (House, Client, Value) {
    let house = House::new(policy);
    let found = house.assistant().tool("home_find", json!({"domain": "light"}));
    let lamp = lamp(found["entities"][0]["id"].as_str().unwrap());
    house.rule(json!({"tool": "home_call", "verdict": "ask"}));
    let client = Client::open(&house);
    (house, client, lamp)
}

#[test]
fn the_person_at_the_client_answers_its_form() {
    let (house, client, lamp) = setup("");
    for (agree, want) in [(false, "did not agree"), (true, "verified")] {
        let mut stream = client.call(lamp.clone());
        let form = next(&mut stream, "method");
        assert_eq!(form["method"], "elicitation/create", "{form}");
        assert!(form["params"]["message"].as_str().unwrap().contains("home_call"), "{form}");
        let result = json!({"action": "accept", "content": {"agree": agree}});
        client.post(&json!({"jsonrpc": "2.0", "id": form["id"], "result": result}));
        let done = next(&mut stream, "result").to_string();
        assert!(done.contains(want), "{done}");
    }
    assert!(house.approvals().is_empty(), "{:?}", house.approvals());
}

#[test]
fn an_answer_on_the_page_makes_the_form_needless() {
    let (house, client, lamp) = setup("");
    let mut stream = client.call(lamp);
    next(&mut stream, "method");
    let id = house.approvals()[0]["id"].as_str().unwrap().to_owned();
    let (status, _) =
        house.hearth.post("/api/policy/approvals", &json!({"id": id, "answer": "allow"}));
    assert_eq!(status, 200);
    let done = next(&mut stream, "result").to_string();
    assert!(done.contains("verified"), "{done}");
}

#[test]
fn where_only_the_page_answers_the_client_is_not_asked() {
    let (house, client, lamp) = setup("approve_by_client = false\napproval_wait_seconds = 0");
    let done = next(&mut client.call(lamp), "result").to_string();
    assert!(done.contains("waits for a person's approval"), "{done}");
    assert_eq!(house.approvals().len(), 1);
}
