//! What scripts do: hear, wait, call, keep, offer.

use super::rig::rig;
use hearth::plugins::Config;
use hearth::policy::{EntityScope, Grant, Level, Via};
use serde_json::{Value, json};

/// Writes down what it hears, and gives the notes out.
const NOTES: &str = r#"
    local notes = {}
    local function note(text) return function(e) notes[#notes + 1] = text .. (e and e.entity_id or "") end end
    tool{ name = "notes", about = "What was heard", level = "read",
          run = function() return table.concat(notes, " ") end }
"#;

async fn notes(rig: &super::rig::Rig, script: &str) -> String {
    let told = rig.tool(&format!("plugins_{script}_notes"), json!({})).await.unwrap();
    told.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_hears_what_it_asked_for_and_nothing_else() {
    let rig = rig(Config { deny: vec!["lock.*".into()], ..Config::default() }).await;
    let code = format!(
        "{NOTES}
        on('entity', {{entity_id = 'binary_sensor.door', from = 'off', to = 'on'}}, note('open:'))
        on('entity', {{entity_id = {{'light.*', 'lock.front'}}, to = {{'on', 'unlocked'}}}}, note('on:'))
        on('house', {{change = 'lost'}}, note('lost'))
        local stop
        stop = on('entity', {{entity_id = 'switch.once'}}, function(e) note('once:')(e) stop() end)"
    );
    rig.runs("ears", &code).await;
    for (id, from, to) in [
        ("binary_sensor.door", "on", "off"),
        ("binary_sensor.door", "off", "on"),
        // Only an attribute changed.
        ("binary_sensor.door", "on", "on"),
        ("light.hall", "off", "on"),
        ("lock.front", "locked", "unlocked"),
        ("switch.once", "off", "on"),
        ("switch.once", "on", "off"),
        ("light.hall", "on", "off"),
        ("light.end", "off", "on"),
    ] {
        rig.change(id, from, to);
    }
    rig.until("ears", "heard all", |facts| facts.runs >= 4).await;
    let heard = notes(&rig, "ears").await;
    assert!(heard.contains("open:binary_sensor.door on:light.hall"), "{heard}");
    assert!(heard.contains("once:switch.once on:light.end") && !heard.contains("lock"), "{heard}");
    assert_eq!(heard.matches("open:").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_counts_when_it_has_lasted() {
    let rig = rig(Config::default()).await;
    let code = format!(
        "{NOTES}
        on('entity', {{entity_id = 'binary_sensor.*', to = 'on', for_ = '400ms'}}, note('lasted:'))
        on('entity', {{entity_id = 'binary_sensor.short', to = 'off'}}, note('off:'))"
    );
    rig.runs("patient", &code).await;
    rig.change("binary_sensor.short", "off", "on");
    rig.change("binary_sensor.long", "off", "on");
    rig.change("binary_sensor.short", "on", "off");
    rig.until("patient", "heard both", |facts| facts.runs >= 2).await;
    // The long one is due after whatever the short one could still do.
    assert_eq!(notes(&rig, "patient").await, "off:binary_sensor.short lasted:binary_sensor.long");
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_run_again_once_and_until_they_are_taken_back() {
    let rig = rig(Config::default()).await;
    let code = format!(
        "{NOTES}
        local count, stop = 0, nil
        stop = every('1s', function() count = count + 1 note('tick')() if count == 2 then stop() end end)
        after('10ms', note('once'))
        local never = after('20ms', note('never'))
        never()
        at('03:00', note('night'))"
    );
    let facts = rig.runs("clock", &code).await;
    assert!(facts.timers >= 2, "{facts:?}");
    rig.until("clock", "ticked twice", |facts| facts.runs >= 3 && facts.timers == 1).await;
    assert_eq!(notes(&rig, "clock").await, "once tick tick");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_as_the_script_and_written_down() {
    let rig = rig(Config::default()).await;
    let code = r#"
        tool{ name = "try", about = "Call a tool", arguments = { name = "text", args = "any?" },
              run = function(a) return call(a.name, a.args) end }
        tool{ name = "peek", about = "Call a tool", level = "read", arguments = { name = "text" },
              run = function(a) return call(a.name) end }
    "#;
    rig.runs("doer", code).await;
    let act = |tool: &str| rig.tool("plugins_doer_try", json!({"name": tool, "args": {"n": [1]}}));
    assert_eq!(act("lent_act").await, Ok(json!({"got": {"n": [1]}})));
    let audit = rig.policy.audit();
    let line = audit.iter().find(|line| line.action == "lent_act").unwrap();
    assert_eq!((&*line.who, line.via, line.outcome), ("plugin:doer", "script", "allowed"));
    for (tool, want) in [
        ("lent_rule", "'plugin:doer' may not admin"),
        ("lent_none", "there is no tool 'lent_none'"),
        ("lent_open", "needs a confirmation by a person, which 'plugin:doer' cannot give"),
        ("hearth_call_tool", "names the tool itself"),
        ("plugins_doer_peek", "cannot call a tool of its own"),
    ] {
        let why = act(tool).await.unwrap_err();
        assert!(why.contains(want) && why.contains("doer.lua:3: "), "{tool}: {why}");
    }
    // No token of a confirmation reaches a script, and none that it makes up is taken.
    let forged = json!({"name": "lent_open", "args": {"confirm": "00000000"}});
    assert!(rig.tool("plugins_doer_try", forged).await.is_err());
    // What reads does no more than read, whatever its script may do.
    let peek = |tool: &str| rig.tool("plugins_doer_peek", json!({ "name": tool }));
    assert!(peek("lent_look").await.is_ok());
    assert!(peek("lent_act").await.unwrap_err().contains("may not control"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_a_script_is_like_any_other() {
    let rig = rig(Config::default()).await;
    let code = r#"tool{ name = "greet", about = "Greet a room", level = "control",
        arguments = { room = "text", times = "whole?", loud = "flag?" },
        run = function(a) return { said = "hello " .. a.room, times = a.times or 1 } end }"#;
    rig.runs("host", code).await;
    let shown = rig.toolbox.catalogue(&rig.caller, &hearth::mcp::Profile::Default);
    let tool = shown.iter().find(|tool| tool["name"] == "plugins_host_greet").unwrap();
    assert_eq!(tool["description"], "Greet a room");
    assert_eq!(tool["inputSchema"]["required"], json!(["room"]));
    assert_eq!(tool["inputSchema"]["properties"]["times"], json!({"type": "integer"}));
    let greet = |args: Value| rig.tool("plugins_host_greet", args);
    let said = greet(json!({"room": "hall", "times": 2})).await;
    assert_eq!(said, Ok(json!({"said": "hello hall", "times": 2})));
    for (args, want) in [
        (json!({}), "the argument 'room' is missing"),
        (json!({"room": 7}), "'room' must be a text"),
        (json!({"room": "x", "color": 1}), "there is no argument 'color'"),
    ] {
        assert!(greet(args).await.unwrap_err().contains(want), "{want}");
    }
    let grant = Grant { level: Level::Read, services: vec![], entities: EntityScope::default() };
    let token = rig.policy.new_token("guest", grant).await.unwrap();
    let guest = rig.policy.caller_of_token(&token.secret, Via::Http).unwrap();
    let why = rig.tool_as(&guest, "plugins_host_greet", json!({"room": "hall"})).await;
    assert!(why.unwrap_err().contains("may not control"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_there_after_a_reload_and_bounded() {
    let rig = rig(Config::default()).await;
    let code = |version: u8| {
        format!(
            r#"-- {version}
            tool{{ name = "add", about = "Count", run = function()
                local n = (keep.get("count") or {{ n = 0 }}).n + 1
                keep.set("count", {{ n = n }}) return {{ n = n }} end }}
            tool{{ name = "fill", about = "Fill", run = function()
                for i = 1, 200 do keep.set("k" .. i, i) end end }}
            tool{{ name = "large", about = "Large", run = function()
                keep.set("large", string.rep("x", 5000)) end }}"#
        )
    };
    rig.runs("keeper", &code(1)).await;
    assert_eq!(rig.tool("plugins_keeper_add", json!({})).await, Ok(json!({"n": 1})));
    rig.write("keeper", &code(2));
    rig.until("keeper", "runs anew", |facts| facts.state == "running" && facts.runs == 0).await;
    assert_eq!(rig.tool("plugins_keeper_add", json!({})).await, Ok(json!({"n": 2})));
    let why = rig.tool("plugins_keeper_fill", json!({})).await.unwrap_err();
    assert!(why.contains("at most 100 values"), "{why}");
    let why = rig.tool("plugins_keeper_large", json!({})).await.unwrap_err();
    assert!(why.contains("the most is 4096"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_a_busy_script_misses_are_counted() {
    let rig = rig(Config { seconds: 3, ..Config::default() }).await;
    let code =
        "on('entity', {entity_id = 'a.busy'}, function() call('lent_act') call('lent_stuck') end)
        on('entity', {entity_id = 'a.end'}, function() end)";
    rig.runs("busy", code).await;
    rig.change("a.busy", "off", "on");
    let begun = async || rig.policy.audit().iter().any(|line| line.action == "lent_act");
    crate::home::rig::until("it is busy", begun).await;
    for n in 0..2000 {
        rig.change("a.noise", &n.to_string(), "x");
    }
    rig.change("a.end", "off", "on");
    let facts = rig.until("busy", "came back", |facts| facts.runs >= 2).await;
    assert!(facts.lost > 1000, "{facts:?}");
    assert!(facts.last_error.unwrap().contains("busy.lua:1: "));
}
