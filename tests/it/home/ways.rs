//! The ways into one real house: MCP over HTTP and by pipes, and who is let in.

use super::furniture::get;
use super::rig::{self, real};
use crate::harness::{Folder, Hearth, Mcp, TOKEN};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn serve(toml: &str) -> Hearth {
    let folder = Folder::new();
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    rig::serve(folder)
}

/// Says these lines to `hearth mcp` and returns the answer to the last.
fn by_pipes(mut command: Command, lines: &[Value]) -> Value {
    let mut child =
        command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    for line in lines {
        writeln!(to, "{line}").unwrap();
    }
    let last = &lines.last().unwrap()["id"];
    let mut from = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = from.find_map(|line| {
        let answer: Value = serde_json::from_str(&line.unwrap()).expect("nothing but MCP");
        (answer["id"] == *last).then_some(answer)
    });
    drop(to);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    found.expect("an answer")["result"].clone()
}

fn call(tool: &str, args: &Value) -> [Value; 3] {
    let about = json!({"protocolVersion": "2025-06-18", "capabilities": {},
                       "clientInfo": {"name": "pipes", "version": "0"}});
    [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
               "params": {"name": tool, "arguments": args}}),
    ]
}

/// What Home Assistant says of an entity.
fn theirs(id: &str) -> String {
    get(&format!("/api/states/{id}"))["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_serves_a_house_by_http_and_by_pipes() {
    let id = "switch.decorative_lights";
    let service = |state: &str| json!({"service": format!("switch.turn_{state}"), "target": {"entity_id": id}});
    let was = theirs(id);
    let other = if was == "on" { "off" } else { "on" };
    let hearth = serve("");
    tokio::task::block_in_place(|| {
        // Switched by pipes through the running Hearth, read over HTTP, checked in Home Assistant.
        let mut relay = crate::harness::hearth(hearth.folder.path());
        relay.env_remove("HASS_TOKEN");
        let done = by_pipes(relay, &call("home_call", &service(other)));
        assert_eq!(done["structuredContent"]["entities"][0]["result"], "verified", "{done}");
        assert_eq!(theirs(id), other);
        for path in ["/mcp", "/mcp/home", "/mcp/control"] {
            let got = hearth.mcp(path).tool("home_get", json!({"entity_ids": [id]}));
            assert_eq!(got["entities"][0]["state"], other, "{path}: {got}");
        }
        let (_, audit) = hearth.get("/api/web/audit");
        assert!(audit.to_string().contains("\"via\":\"stdio\""), "{audit}");

        // Without one that runs, the program serves by itself: the same house, the same answers.
        let alone = Folder::new();
        let (url, token) = real();
        let mut command = crate::harness::hearth(alone.path());
        command.env("HASS_HOST", url).env("HASS_TOKEN", token);
        let done = by_pipes(command, &call("home_call", &service(&was)));
        assert_eq!(done["structuredContent"]["entities"][0]["result"], "verified", "{done}");
        assert_eq!(theirs(id), was);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_is_open_to_tokens_within_their_rights_and_to_nobody_else() {
    let hearth = serve("[http]\ntoken_per_second = 5\ntoken_burst = 40\n");
    let ask = |path: &str, headers: &[(&str, &str)]| {
        let mut request = ureq::get(format!("{}{path}", hearth.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.config().http_status_as_error(false).build().call().unwrap().status().as_u16()
    };
    let id = "fan.living_room_fan";
    let was = theirs(id);
    tokio::task::block_in_place(|| {
        // What a monitor or a client looks for is open, the house is not.
        for path in ["/health", "/ready", "/.well-known/mcp-config"] {
            assert_eq!(ask(path, &[]), 200, "{path}");
        }
        let bearer = format!("Bearer {TOKEN}");
        let right = ("authorization", bearer.as_str());
        assert_eq!(ask("/api/home/entities", &[]), 401);
        assert_eq!(ask("/api/home/entities", &[right]), 200);
        assert_eq!(ask("/api/home/entities", &[right, ("host", "evil.example")]), 421);
        assert_eq!(ask("/api/home/entities", &[right, ("origin", "http://evil.example")]), 403);

        // A token made on the command line reads and switches nothing.
        let made = crate::harness::hearth(hearth.folder.path())
            .args(["token", "new", "screen", "--level", "read"])
            .output()
            .unwrap();
        let token = String::from_utf8(made.stdout).unwrap();
        let mut screen = Mcp::open(&format!("{}/mcp", hearth.url), token.trim());
        let got = screen.tool("home_get", json!({"entity_ids": [id]}));
        assert_eq!(got["entities"][0]["state"], was, "{got}");
        assert!(!screen.tools().contains(&"home_call".to_owned()));
        let toggle = json!({"service": "fan.toggle", "target": {"entity_id": id}});
        let refused =
            screen.try_ask("tools/call", json!({"name": "home_call", "arguments": toggle}));
        assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused}");
        assert_eq!(theirs(id), was, "nothing was switched");

        // Who asks without end is slowed down.
        let slowed = (0..200).any(|_| ask("/api/home/houses", &[right]) == 429);
        assert!(slowed, "200 questions at once are all answered");
    });
}
