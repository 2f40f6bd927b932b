//! What a script cannot do, however it is written.

use super::rig::{Rig, rig};
use hearth::plugins::Config;
use serde_json::json;
use std::time::{Duration, Instant};

/// A neighbour that must go on working, whatever the others do.
const NEIGHBOUR: &str = r#"tool{ name = "ping", about = "Answer", level = "read",
    run = function() return { pong = true } end }"#;

async fn works(rig: &Rig) {
    let pong = rig.tool("plugins_neighbour_ping", json!({})).await;
    assert_eq!(pong, Ok(json!({ "pong": true })));
}

/// Each runs as a tool, so that the neighbour can be asked meanwhile; what it says of its end.
#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_is_ended_and_harms_nobody() {
    let rig = rig(Config { seconds: 5, ..Config::default() }).await;
    rig.runs("neighbour", NEIGHBOUR).await;
    for (name, body, want) in [
        ("a_loop", "while true do end", "more than 10000000 steps"),
        ("caught_loop", "while true do pcall(function() while true do end end) end", "steps"),
        ("memory_bomb", "local s = 'x' while true do s = s .. s end", "not enough memory"),
        ("rep_bomb", "return #string.rep('x', 1e9)", "at most 4000000 times"),
        ("rep_float", "return #string.rep('', '1e18')", "at most 4000000 times"),
        ("rep_empty", "return #string.rep('', 1 << 60)", "at most 4000000 times"),
        ("rep_large", "return #string.rep('xxxx', 3999999)", "not enough memory"),
        ("huge_table", "local t = {} for i = 1, 1e9 do t[i] = i end", "not enough memory"),
        ("recursion", "local function f() return 1 + f() end return f()", "not enough memory"),
        (
            "deep_pcall",
            "local function f() return pcall(f) end f() error('came back')",
            "came back",
        ),
        (
            "pattern",
            "return string.find(string.rep('a', 2000), string.rep('a-', 30) .. 'b')",
            "tries too many ways",
        ),
        (
            "pattern_all",
            "return (string.rep('a', 3000)):gsub('.-.-.-.-b', '')",
            "tries too many ways",
        ),
        ("moved", "return table.move({}, 1, 1 << 60, 2)", "at most 4000000 items"),
        (
            "long_length",
            "return table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 1)",
            "no table with __len",
        ),
        ("finalizer", "setmetatable({}, {__gc = function() while true do end end})", "no __gc"),
        ("stuck", "return call('lent_stuck', {})", "stuck.lua:1: this run took more than 5 s"),
    ] {
        let code = format!(
            "tool{{ name = 'go', about = 'Go', level = 'read', run = function() {body} end }}"
        );
        rig.runs(name, &code).await;
        let began = Instant::now();
        let tool = format!("plugins_{name}_go");
        let (end, ()) = tokio::join!(rig.tool(&tool, json!({})), works(&rig));
        let why = end.expect_err(name);
        assert!(why.contains(want), "{name}: {why}");
        assert!(began.elapsed() < Duration::from_secs(15), "{name} took {:?}", began.elapsed());
        works(&rig).await;
        rig.remove(name);
    }
    assert!(rig.tasks.is_healthy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_reaches_nothing_but_what_it_is_given() {
    let rig = rig(Config::default()).await;
    let code = r#"
        for _, name in ipairs{ "io", "package", "require", "load", "loadstring", "loadfile", "dofile",
                               "debug", "coroutine", "collectgarbage", "xpcall" } do
            assert(_G[name] == nil, name)
        end
        assert(string.dump == nil and os.execute == nil and os.getenv == nil and os.exit == nil)
        assert(type(os.time()) == "number" and os.date("%Y", 0) == "1970" and os.clock() >= 0)
        assert(math.floor(2.5) == 2 and utf8.len("ä") == 1 and table.concat({1, 2}, ",") == "1,2")
        assert(("light.kitchen"):match("^(%w+)%.(.+)$") == "light")
        local ok, why = pcall(error, "caught")
        assert(not ok and why == "caught")
        tool{ name = "done", about = "Done", run = function() end }
    "#;
    let facts = rig.runs("plain", code).await;
    assert_eq!(facts.tools, ["plugins_plain_done"]);
    // Precompiled code can do anything.
    let why = rig.fails("binary", "\u{1b}Lua").await;
    assert!(why.contains("binary"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_does_not_load_keeps_no_half_of_itself() {
    let rig = rig(Config { seconds: 2, ..Config::default() }).await;
    let half = r#"tool{ name = "half", about = "Half", run = function() end }
        on("entity", {}, function() end)
        "#;
    for (name, more, want) in [
        ("syntax", "if then", "syntax.lua:3: "),
        ("failing", "error('no')", "failing.lua:3: no"),
        ("calling", "call('lent_act', {})", "calling.lua:3: call: not while the script is read"),
        (
            "wrong",
            "on('entity', {colour = 'red'}, print)",
            "wrong.lua:3: on: 'entity' has no field",
        ),
        ("endless", "while true do end", "more than 10000000 steps"),
        ("nameless", "tool{ about = 'x', run = print }", "nameless.lua:3: tool: the name"),
    ] {
        let why = rig.fails(name, &format!("{half}{more}")).await;
        assert!(why.contains(want), "{name}: {why}");
    }
    assert!(rig.toolbox.services().iter().all(|service| service != "plugins"));
    let health = rig.tasks.health();
    let line = health.iter().find(|line| line.name == "plugins").unwrap();
    assert_eq!(line.state.word(), "degraded");
    assert!(rig.tasks.is_healthy());
}
