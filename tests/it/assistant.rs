//! The built binary as assistants meet it: what the catalogue costs, `hearth mcp`, the official
//! clients and suites on the real `/mcp`, and Home Assistant itself as a client.

use crate::harness::{Folder, Hearth, golden, hearth, real_house, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Bytes of a tools/list that one service's part may cost.
const HOME_BYTES: usize = 20 * 1024;

#[test]
fn the_catalogue_stays_small_and_is_kept() {
    let hearth = Hearth::demo();
    let list = hearth.mcp("/mcp").ask("tools/list", json!({}));
    let tools = list["tools"].as_array().unwrap();
    assert!(tools.len() <= 40, "{} tools in the default profile", tools.len());
    let bytes = serde_json::to_vec(&list).unwrap().len();
    assert!(bytes <= 40 * 1024, "the default profile costs {bytes} bytes");
    let home: Vec<&Value> =
        tools.iter().filter(|t| t["name"].as_str().unwrap().starts_with("home_")).collect();
    let bytes = serde_json::to_vec(&home).unwrap().len();
    assert!(bytes <= HOME_BYTES, "the tools of home cost {bytes} bytes");
    golden("tools-default.json", &format!("{list:#}\n"));
}

#[test]
fn every_tool_says_what_it_is() {
    let hearth = Hearth::demo();
    let list = hearth.mcp("/mcp/home").ask("tools/list", json!({}));
    for tool in list["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        assert!(name.len() <= 48 && name.starts_with("home_"), "{name}");
        // A picture is no value, and has no schema.
        let is_picture = name == "home_camera";
        for part in ["title", "description", "inputSchema", "outputSchema", "annotations"] {
            let is_there = !tool[part].is_null() || (part == "outputSchema" && is_picture);
            assert!(is_there, "{name} has no {part}");
        }
    }
    assert_eq!(hearth.get("/mcp/nobody").0, 404);
}

/// The demo house has no recorder and keeps no log, like a Home Assistant without these integrations.
#[test]
fn what_a_house_does_not_know_is_said() {
    let hearth = Hearth::demo();
    let mut mcp = hearth.mcp("/mcp");
    for (tool, args, command) in [
        ("home_history", json!({"domain": "light"}), "history/history_during_period"),
        ("home_history", json!({"kind": "logbook"}), "logbook/get_events"),
        ("home_logs", json!({}), "system_log/list"),
        ("home_system", json!({"what": "health"}), "system_health/info"),
    ] {
        let answer = mcp.call(tool, args);
        let said = answer["structuredContent"]["error"]["message"].as_str().unwrap_or_default();
        let want = format!("does not know {command}: its integration");
        assert!(answer["isError"] == true && said.contains(&want), "{tool}: {answer}");
    }
}

#[test]
fn a_tool_outside_the_profile_is_found_and_called() {
    let hearth = Hearth::demo();
    let mut mcp = hearth.mcp("/mcp");
    let found = mcp.tool("hearth_find_tools", json!({"query": "what is on in the house"}));
    assert!(found.to_string().contains("home_overview"), "{found}");
    let found = mcp.tool("hearth_find_tools", json!({"query": "turn on lights"}));
    assert_eq!(found["tools"][0]["name"], "home_call", "{found}");
    // Not every tool is in the list, so the pair that leads to the others is.
    let listed = mcp.ask("tools/list", json!({})).to_string();
    assert!(listed.contains("home_call") && listed.contains("hearth_find_tools"), "{listed}");
    let called = mcp.call("hearth_call_tool", json!({"name": "home_overview", "arguments": {}}));
    assert_ne!(called["isError"], true, "{called}");
}

#[test]
fn every_call_is_one_line_of_the_audit_log() {
    let hearth = Hearth::demo();
    let mut mcp = hearth.mcp("/mcp");
    let mut id = |domain: &str| {
        let found = mcp.tool("home_find", json!({"domain": domain}));
        found["entities"][0]["id"].as_str().unwrap().to_owned()
    };
    let (light, lock) = (id("light"), id("lock"));
    let on = json!({"service": "light.turn_on", "target": {"entity_id": light}});
    let tried =
        json!({"service": "light.turn_on", "target": {"entity_id": light}, "dry_run": true});
    let open = json!({"service": "lock.unlock", "target": {"entity_id": lock}});
    let nowhere = json!({"service": "light.turn_on", "target": {"entity_id": "light.of_nobody"}});
    for args in [&on, &tried, &open, &nowhere] {
        mcp.call("home_call", args.clone());
        hearth.post("/api/home/call", args);
    }
    let (_, audit) = hearth.get("/api/web/audit");
    let lines: Vec<(String, String)> = audit
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["ms"].is_u64())
        .map(|line| {
            ["action", "outcome"].map(|part| line[part].as_str().unwrap().to_owned()).into()
        })
        .collect();
    let want = [
        ("light.turn_on", "allowed"),
        ("light.turn_on", "dry_run"),
        ("lock.unlock", "asked"),
        ("home_call", "failed"),
    ];
    let want = want.map(|(action, outcome)| (action.to_owned(), outcome.to_owned()));
    let want: Vec<_> = want.into_iter().flat_map(|line| [line.clone(), line]).collect();
    assert_eq!(lines, want, "{audit:#}");
    assert_eq!(audit.as_array().unwrap().len(), lines.len(), "{audit:#}");
}

const BEGIN: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;
const BEGUN: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// `hearth mcp` with pipes.
struct Stdio3 {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Stdio3 {
    fn start(mut command: Command) -> Stdio3 {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut me = Stdio3 { child, out };
        me.say(BEGIN);
        assert_eq!(me.answer(0)["result"]["serverInfo"]["name"], "hearth");
        me.say(BEGUN);
        me
    }

    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The answer with this id; every line must be MCP.
    fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.out.read_line(&mut line).unwrap(), 0, "stdout ended");
            let value: Value = serde_json::from_str(&line).expect("stdout is MCP's");
            assert_eq!(value["jsonrpc"], "2.0", "{line}");
            if value["id"] == id {
                return value;
            }
        }
    }

    fn call(&mut self, id: u64, tool: &str, arguments: &Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        self.say(
            &json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
                .to_string(),
        );
        self.answer(id)["result"].clone()
    }

    /// Closes stdin and returns the exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        let code = wait_for("the end of hearth mcp", || self.child.try_wait().unwrap()).code();
        for line in self.out.lines() {
            let value: Value = serde_json::from_str(&line.unwrap()).expect("stdout is MCP's");
            assert!(value["method"].is_string(), "{value}");
        }
        code
    }
}

fn stdio(folder: &Folder, args: &[&str]) -> Stdio3 {
    let mut command = hearth(folder.path());
    command.arg("mcp").args(args);
    Stdio3::start(command)
}

#[test]
fn three_mcp_clients_share_the_running_house() {
    let hearth = Hearth::demo();
    let mut clients: Vec<Stdio3> = (0..3).map(|_| stdio(&hearth.folder, &[])).collect();
    let light = clients[0].call(1, "home_find", &json!({"domain": "light", "state": "off"}));
    let id = light["structuredContent"]["entities"][0]["id"].as_str().unwrap().to_owned();
    let call = json!({"service": "light.turn_on", "target": {"entity_id": id}});
    clients[1].call(2, "home_call", &call);
    let got = clients[2].call(3, "home_get", &json!({"entity_ids": [id]}));
    assert_eq!(got["structuredContent"]["entities"][0]["state"], "on", "{got}");
    let (_, audit) = hearth.get("/api/web/audit");
    assert!(audit.to_string().contains("\"via\":\"stdio\""), "{audit}");
    for client in clients {
        assert_eq!(client.end(), Some(0));
    }
}

#[test]
fn without_a_daemon_three_at_once_serve_by_themselves() {
    let folder = Folder::new();
    let mut clients: Vec<Stdio3> = (0..3).map(|_| stdio(&folder, &["--demo"])).collect();
    for client in &mut clients {
        let overview = client.call(1, "home_overview", &json!({}));
        assert_ne!(overview["isError"], true, "{overview}");
    }
    for client in clients {
        assert_eq!(client.end(), Some(0));
    }
}

#[test]
fn an_unconfigured_house_says_what_to_set() {
    let folder = Folder::new();
    let mut client = stdio(&folder, &["--service", "home"]);
    let answer = client.call(1, "home_find", &json!({"query": "kitchen"}));
    assert_eq!(answer["isError"], true);
    assert!(answer.to_string().contains("HASS_TOKEN"), "{answer}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn an_unknown_service_is_refused_in_words() {
    let folder = Folder::new();
    let out = hearth(folder.path())
        .args(["mcp", "--service", "hoem"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!out.status.success() && out.stdout.is_empty());
    assert!(String::from_utf8_lossy(&out.stderr).contains("hoem"));
}

/// The official suite's scenarios that need no fixtures, on the real `/mcp`.
#[test]
fn the_official_suite_finds_no_fault_with_the_real_endpoint() {
    if std::env::var("HEARTH_SKIP_CLIENTS").is_ok_and(|v| v == "1") {
        println!("skipped: conformance on the real /mcp: HEARTH_SKIP_CLIENTS is set");
        return;
    }
    let hearth = Hearth::demo_open();
    let out = Command::new("tests/clients/conformance.sh")
        .arg(format!("{}/mcp", hearth.url))
        .args(["tools-list", "resources-list", "prompts-list"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
}

/// The official clients list, call, read and subscribe on the real `/mcp`.
#[test]
fn the_official_clients_use_the_real_endpoint() {
    let Some(folder) = crate::mcp::clients::clients() else { return };
    let hearth = Hearth::demo();
    let found = hearth.mcp("/mcp").tool("home_find", json!({"domain": "light"}));
    let light = found["entities"][0]["id"].as_str().unwrap();
    let plan = json!({
        "url": format!("{}/mcp", hearth.url),
        "token": hearth.token,
        "call": {"name": "home_get", "arguments": {"entity_ids": [light]}},
        "read": format!("home://home/entity/{light}"),
        "touch": {"name": "home_call", "arguments":
            {"service": "light.toggle", "target": {"entity_id": light}}},
        "progress": null,
        "wait": null,
    });
    for (client, lifecycle) in [
        ("typescript1.mjs", "legacy"),
        ("typescript2.mjs", "legacy"),
        ("typescript2.mjs", "modern"),
        ("python.py", "legacy"),
        ("python.py", "modern"),
    ] {
        let mut plan = plan.clone();
        plan["lifecycle"] = lifecycle.into();
        let runner = if client == "python.py" { "python/bin/python" } else { "node" };
        let mut command = Command::new(folder.join(runner));
        let out = command.arg(folder.join(client)).arg(plan.to_string()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let faults = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{client} {lifecycle}\n{said}{faults}");
        for step in ["list", "call", "read", "subscribe", "close"] {
            assert!(said.lines().any(|line| line == format!("ok {step}")), "{step}: {said}");
        }
    }
}

/// Home Assistant's own `mcp` integration connects to us by its config flow and loads.
#[test]
fn home_assistant_is_a_client_of_ours() {
    let Some(house) = real_house() else {
        println!(
            "skipped: home_assistant_is_a_client_of_ours: HEARTH_TEST_HA names no Home Assistant"
        );
        return;
    };
    let toml = format!(
        "[http]\nopen_loopback = true\n[home]\nurl = \"{}\"\ntoken = \"{}\"\n",
        house.url, house.token
    );
    let hearth = Hearth::serve(&toml);
    hearth.until_ready();
    let flow = house.post("/api/config/config_entries/flow", &json!({"handler": "mcp"}));
    let id = flow["flow_id"].as_str().unwrap_or_else(|| panic!("no flow: {flow}"));
    let url = json!({"url": format!("{}/mcp", hearth.url)});
    let done = house.post(&format!("/api/config/config_entries/flow/{id}"), &url);
    assert_eq!(done["type"], "create_entry", "{done}");
    let entry = done["result"]["entry_id"].as_str().unwrap().to_owned();
    let state = wait_for("the entry to load", || {
        let all = house.get("/api/config/config_entries/entry");
        let ours = all.as_array()?.iter().find(|e| e["entry_id"] == *entry)?.clone();
        (ours["state"] != "setup_in_progress").then(|| ours["state"].clone())
    });
    house.delete(&format!("/api/config/config_entries/entry/{entry}"));
    assert_eq!(state, "loaded");
}
