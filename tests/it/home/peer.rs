//! Another server for the same job is asked the same questions on the same house: whatever it says,
//! Hearth says too, and in no more bytes.
//!
//! The questions are those about entities, areas, history, automations and dashboards. For each, an
//! assistant would ask Hearth for the fields that the other gives unasked. What the other adds up (how
//! many are in which state) is added up from our rows. Left out: statistics and the log, whose rows are
//! cut differently; its version of Home Assistant alone, which costs more as a part of the overview;
//! the samples in its overview, which are in the list of everything; and secrets.

use super::rig::real;
use crate::harness::{Folder, Hearth, Mcp, TOKEN, hearth, real_house, wait_for};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What Hearth says in place of a password.
const HIDDEN: &str = "(hidden)";

/// The other server, by its pipes.
struct Peer {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    next: u64,
}

impl Peer {
    /// Starts the one that `scripts/peer` has installed in `folder`.
    fn start(folder: &str) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ha");
        let (url, token) = real();
        let mut child = Command::new(script)
            .args(["python", folder, &format!("HA_URL={url}"), &format!("HA_TOKEN={token}")])
            .arg("/opt/venv/bin/hass-mcp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut peer = Peer { child, lines, next: 0 };
        let about = json!({"protocolVersion": "2025-06-18", "capabilities": {},
                           "clientInfo": {"name": "test", "version": "0"}});
        peer.send("initialize", about);
        let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        writeln!(peer.child.stdin.as_mut().unwrap(), "{begun}").unwrap();
        peer
    }

    fn send(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let ask = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        writeln!(self.child.stdin.as_mut().unwrap(), "{ask}").unwrap();
        loop {
            let line = self.lines.next().expect("the other server ended").unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == self.next {
                return answer["result"].clone();
            }
        }
    }

    /// What a tool answers, and how many bytes of text that is.
    fn ask(&mut self, tool: &str, args: Value) -> (Vec<Value>, usize) {
        let result = self.send("tools/call", json!({"name": tool, "arguments": args}));
        assert_ne!(result["isError"], true, "{tool}: {result}");
        let texts: Vec<&str> = texts(&result).collect();
        let values = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        (values, texts.iter().map(|text| text.len()).sum())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn texts(result: &Value) -> impl Iterator<Item = &str> {
    let blocks = result["content"].as_array().into_iter().flatten();
    blocks.filter_map(|block| block["text"].as_str())
}

/// Both, and what was found so far.
struct Both {
    peer: Peer,
    ours: Mcp,
    /// What the other said and Hearth did not.
    faults: Vec<String>,
    _hearth: Hearth,
}

impl Both {
    fn start(folder: &str) -> Both {
        let own = Folder::new();
        let (url, token) = real();
        let mut command = hearth(own.path());
        command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env("AUTH_TOKEN", TOKEN);
        command.env("HASS_HOST", url).env("HASS_TOKEN", token);
        let hearth = Hearth::start(command, own);
        hearth.until_ready();
        let ours = hearth.mcp("/mcp");
        Both { peer: Peer::start(folder), ours, faults: Vec::new(), _hearth: hearth }
    }

    /// What Hearth answers through all pages, each page's `rows` put together, and the bytes of all.
    fn ours(&mut self, tool: &str, mut args: Value, rows: &str) -> (Vec<Value>, usize) {
        let (mut all, mut bytes) = (Vec::new(), 0);
        loop {
            let result = self.ours.call(tool, args.clone());
            assert_ne!(result["isError"], true, "{tool}: {result}");
            bytes += texts(&result).map(str::len).sum::<usize>();
            let answer = &result["structuredContent"];
            match rows {
                "" => all.push(answer.clone()),
                rows => all.extend(answer[rows].as_array().unwrap().iter().cloned()),
            }
            match answer.get("next") {
                Some(next) => args["cursor"] = next.clone(),
                None => return (all, bytes),
            }
        }
    }

    /// Asks both until they agree: a house goes on between two questions. What still differs the third
    /// time is a fault.
    fn compare(&mut self, what: &str, mut once: impl FnMut(&mut Both) -> Compared) {
        let mut last = Compared::default();
        for _ in 0..3 {
            last = once(self);
            if last.missing.is_empty() {
                break;
            }
        }
        let Compared { missing, ours, theirs } = last;
        println!("{what}: {ours} bytes, the other {theirs}");
        self.faults.extend(missing.into_iter().map(|fact| format!("{what}: {fact}")));
        if ours > theirs {
            self.faults.push(format!("{what}: {ours} bytes are more than {theirs}"));
        }
    }
}

#[derive(Default)]
struct Compared {
    missing: Vec<String>,
    ours: usize,
    theirs: usize,
}

/// Whether two values say the same: numbers by their worth, what is not there by null.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        // The other writes times to the microsecond, Hearth in the house's zone to the second.
        (Value::String(a), Value::String(b)) => {
            a == b || moment(a).is_some_and(|a| Some(a) == moment(b))
        }
        _ => ours == theirs,
    }
}

fn moment(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|at| at.as_second())
}

/// What of an entity as the other tells it is not in our row.
fn missing(row: Option<&Value>, theirs: &Value) -> Vec<String> {
    let id = theirs["entity_id"].as_str().unwrap();
    let Some(row) = row else { return vec![format!("{id} is missing")] };
    let mut out = Vec::new();
    let none = Map::new();
    let attributes = theirs["attributes"].as_object().unwrap_or(&none);
    let facts = [("state", &theirs["state"]), ("area", &theirs["area"])].into_iter();
    for (name, value) in facts.chain(attributes.iter().map(|(name, value)| (name.as_str(), value)))
    {
        let ours = if name == "friendly_name" { &row["name"] } else { &row[name] };
        // Passwords, and addresses that open a picture to whoever has them, Hearth tells nobody.
        let opens = value.as_str().is_some_and(|text| text.contains("?token="));
        if !same(ours, value) && !opens && *ours != HIDDEN {
            out.push(format!("{id} has {name} {value}, ours {ours}"));
        }
    }
    out
}

fn by_id(rows: &[Value]) -> BTreeMap<&str, &Value> {
    rows.iter().map(|row| (row["id"].as_str().unwrap(), row)).collect()
}

/// The fields that an assistant asks for to be told what the other tells.
fn fields(theirs: &[Value]) -> BTreeSet<String> {
    let attributes = theirs.iter().filter_map(|one| one["attributes"].as_object());
    let mut fields: BTreeSet<String> = attributes.flat_map(|all| all.keys().cloned()).collect();
    fields.remove("friendly_name");
    fields.extend(["name", "state", "area"].map(str::to_owned));
    fields
}

/// Compares a list of entities: `args` says which to Hearth.
fn listed(both: &mut Both, tool: &str, asked: Value, mut args: Value) -> Compared {
    let (mut rows, theirs) = both.peer.ask(tool, asked);
    if let Some(Value::Array(all)) = rows.first().filter(|first| first.is_array()).cloned() {
        rows = all;
    }
    rows.retain(|row| row["entity_id"].is_string());
    args["fields"] = json!(fields(&rows));
    let (all, ours) = both.ours("home_find", args, "entities");
    let all = by_id(&all);
    let missing = rows
        .iter()
        .flat_map(|row| missing(all.get(row["entity_id"].as_str().unwrap()).copied(), row));
    Compared { missing: missing.collect(), ours, theirs }
}

#[test]
fn whatever_another_server_says_hearth_says_in_no_more_bytes() {
    let Ok(folder) = std::env::var("HEARTH_TEST_PEER") else {
        println!("skipped: the comparison with hass-mcp, which --all installs (scripts/peer)");
        return;
    };
    let house = real_house().unwrap();
    let lamp = "light.office_rgbw_lights";
    for _ in 0..2 {
        house.post("/api/services/light/toggle", &json!({ "entity_id": lamp }));
    }
    let mut both = Both::start(&folder);
    for id in [lamp, "climate.hvac", "lock.front_door", "sensor.outside_temperature"] {
        both.compare(&format!("one entity, {id}"), |both| {
            listed(both, "get_entity", json!({"entity_id": id}), json!({"query": id}))
        });
    }
    let (states, _) = both.ours("home_find", json!({}), "entities");
    let domains: BTreeSet<String> =
        by_id(&states).keys().map(|id| id.split('.').next().unwrap().to_owned()).collect();
    assert!(domains.len() > 30, "{domains:?}");
    for domain in &domains {
        both.compare(&format!("domain {domain}"), |both| {
            let asked = json!({"domain": domain, "limit": 1000});
            listed(both, "list_entities", asked, json!({ "domain": domain }))
        });
    }
    both.compare("everything", |both| {
        listed(both, "list_entities", json!({"limit": 1000}), json!({}))
    });
    both.compare("what is in the kitchen", |both| {
        let asked = json!({"area": "Kitchen", "lean": true});
        listed(both, "get_entities_by_area", asked, json!({"area": "Kitchen"}))
    });
    searched(&mut both);
    summed_up(&mut both, &domains);
    past(&mut both, lamp);
    automations(&mut both);
    dashboard(&mut both);
    assert!(both.faults.is_empty(), "{:#?}", both.faults);
}

fn searched(both: &mut Both) {
    // Words of names; the other also finds `lock` in an icon that is a clock.
    for query in ["kitchen", "temperature", "door", "living room", "lights"] {
        both.compare(&format!("search {query}"), |both| {
            let (rows, theirs) = both.peer.ask("search_entities_tool", json!({ "query": query }));
            let (all, ours) = both.ours("home_find", json!({ "query": query }), "entities");
            let all = by_id(&all);
            let rows = rows[0]["results"].as_array().unwrap();
            let missing = rows.iter().filter_map(|row| {
                let id = row["entity_id"].as_str().unwrap();
                let own = all.get(id)?;
                let differs = !same(&own["state"], &row["state"])
                    || !same(&own["name"], &row["friendly_name"]);
                differs.then(|| format!("{row}, ours {own}"))
            });
            let mut missing: Vec<String> = missing.collect();
            let lost =
                rows.iter().filter(|row| !all.contains_key(row["entity_id"].as_str().unwrap()));
            missing.extend(lost.map(|row| format!("{} is missing", row["entity_id"])));
            Compared { missing, ours, theirs }
        });
    }
}

/// How many of each domain are in which state.
fn summed_up(both: &mut Both, domains: &BTreeSet<String>) {
    both.compare("the whole house summed up", |both| {
        let (all, theirs) = both.peer.ask("system_overview", json!({}));
        let (overview, first) = both.ours("home_overview", json!({}), "");
        let fields = json!({"fields": ["state", "area"]});
        let (rows, second) = both.ours("home_find", fields, "entities");
        let mut missing = Vec::new();
        if overview[0]["entities"] != all[0]["total_entities"] {
            missing.push(format!("{} entities", all[0]["total_entities"]));
        }
        for domain in domains {
            let told = &all[0]["domains"][domain];
            let mut states: BTreeMap<&str, u64> = BTreeMap::new();
            let dot = format!("{domain}.");
            for row in rows.iter().filter(|row| row["id"].as_str().unwrap().starts_with(&dot)) {
                *states.entry(row["state"].as_str().unwrap()).or_default() += 1;
            }
            let count = &overview[0]["domains"][domain];
            let count = count.as_u64().or_else(|| count["all"].as_u64());
            let hides = states.contains_key(HIDDEN);
            if count != told["count"].as_u64() || (json!(states) != told["states"] && !hides) {
                missing.push(format!("{domain}: {told}, ours {count:?} {states:?}"));
            }
        }
        Compared { missing, ours: first + second, theirs }
    });
}

fn past(both: &mut Both, lamp: &str) {
    both.compare("the last hour of a lamp", |both| {
        let (all, theirs) = both.peer.ask("get_history", json!({"entity_id": lamp, "hours": 1}));
        let ask = json!({"entity_ids": [lamp], "start": "1h", "points": 200});
        let (rows, ours) = both.ours("home_history", ask, "entities");
        let said: Vec<(&str, Option<i64>)> = rows[0]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row[1].as_str().unwrap(), moment(row[0].as_str().unwrap())))
            .collect();
        let changes = all[0]["states"].as_array().unwrap();
        // The first is from before the hour began: since when it held is not what was asked.
        let lost = changes.iter().skip(1).filter(|change| {
            let at = moment(change["last_changed"].as_str().unwrap());
            !said.contains(&(change["state"].as_str().unwrap(), at))
        });
        let mut missing: Vec<String> = lost.map(|change| format!("{change} is missing")).collect();
        if changes.len() < 3 {
            missing.push("the recorder has not stored the toggles yet".into());
        }
        Compared { missing, ours, theirs }
    });
}

fn automations(both: &mut Both) {
    both.compare("automations", |both| {
        let (rows, theirs) = both.peer.ask("list_automations", json!({}));
        let ask = json!({"domain": "automation", "fields": ["name", "state", "last_triggered"]});
        let (all, ours) = both.ours("home_find", ask, "entities");
        let all = by_id(&all);
        let differs = |row: &&Value| {
            all.get(row["entity_id"].as_str().unwrap()).is_none_or(|own| {
                !same(&own["name"], &row["alias"])
                    || !same(&own["state"], &row["state"])
                    || !same(&own["last_triggered"], &row["last_triggered"])
            })
        };
        let missing = rows.iter().filter(differs).map(|row| format!("{row}")).collect();
        Compared { missing, ours, theirs }
    });
}

fn dashboard(both: &mut Both) {
    let config = json!({"title": "Peer board", "config": {"views": [{"title": "One", "cards": [
        {"type": "entities", "entities": ["light.bed_light", "climate.hvac"]},
        {"type": "markdown", "content": "Hello"}]}]}});
    let new = json!({"kind": "dashboard", "id": "peer-board", "config": config});
    let made = both.ours.tool("home_config_set", new);
    both.compare("a dashboard", |both| {
        let asked = json!({"url_path": "peer-board"});
        let (theirs, bytes) = both.peer.ask("get_dashboard_config", asked);
        let ask = json!({"kind": "dashboard", "id": "peer-board", "path": "/config/views"});
        let (read, ours) = both.ours("home_config_get", ask, "");
        let own = &read[0]["config"];
        let text = theirs[0].to_string();
        let missing = match text.contains(&own.to_string()) {
            true => Vec::new(),
            false => vec![format!("{text}, ours {own}")],
        };
        Compared { missing, ours, theirs: bytes }
    });
    both.ours.tool("home_undo", json!({"change": made["change"]}));
    wait_for("the dashboard is gone", || {
        let left =
            both.ours.call("home_config_get", json!({"kind": "dashboard", "id": "peer-board"}));
        (left["isError"] == true).then_some(())
    });
}
