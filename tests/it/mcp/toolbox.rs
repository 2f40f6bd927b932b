//! The rules of every tool call.

use crate::mcp::Bench;
use hearth::error::{Error, Kind};
use hearth::mcp::{Answer, Ask, Call, Config, Profile, Questions, Tool};
use hearth::policy::{Caller, Level};
use serde_json::{Map, Value, json};

const WEAK: &str = "nothing fits these words well; these are the nearest, try other words";

async fn call(bench: &Bench, caller: &Caller, tool: &str, args: Value) -> Result<Value, Error> {
    let Value::Object(args) = args else { panic!("arguments are an object") };
    match bench.toolbox.call(Call::new(caller.clone()), tool, args).await? {
        Answer::Value(reply) => Ok(reply.value),
        other => panic!("no value: {other:?}"),
    }
}

fn names(bench: &Bench, caller: &Caller, profile: &Profile) -> Vec<String> {
    let shown = bench.toolbox.catalogue(caller, profile);
    shown.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_hide_what_the_caller_may_not_use() {
    let bench = Bench::new().await;
    let all = ["door_panic", "door_wait", "door_wait_long", "hearth_call_tool"];
    let reader = bench.reader().await;
    let want = [&all[..], &["hearth_find_tools", "lamp_get"]].concat();
    assert_eq!(names(&bench, &reader, &Profile::Default), want);
    let lamps = bench.caller("lamps", Level::Control, &["lamp"]).await;
    // Nothing more is to be found for this one, so it is not told how.
    assert_eq!(names(&bench, &lamps, &Profile::Default), ["lamp_get", "lamp_set"]);
    let lamp = bench.toolbox.profile("lamp").unwrap();
    assert_eq!(names(&bench, &reader, &lamp), ["lamp_get"]);
    let admin = bench.caller("admin", Level::Admin, &[]).await;
    assert_eq!(names(&bench, &admin, &lamp), ["lamp_forget", "lamp_get", "lamp_set"]);
    assert_eq!(bench.toolbox.profile("cellar").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(bench.toolbox.profile("hearth").unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_refused_call_does_nothing_and_is_written_down() {
    let bench = Bench::new().await;
    let reader = bench.reader().await;
    let e = call(&bench, &reader, "lamp_set", json!({ "text": "on" })).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused);
    let audit = bench.policy.audit();
    let line = &audit[0];
    assert_eq!((audit.len(), line.outcome, line.who.as_str()), (1, "denied", "reader"));
    assert_eq!((line.action.as_str(), line.target.as_str()), ("lamp_set", r#"{"text":"on"}"#));
    assert!(line.reason.as_ref().unwrap().contains("may not control lamp"), "{line:?}");
}

#[tokio::test]
async fn changes_are_written_down_and_looks_are_not() {
    let bench = Bench::new().await;
    let user = bench.caller("user", Level::Control, &[]).await;
    call(&bench, &user, "lamp_get", json!({ "text": "a" })).await.unwrap();
    call(&bench, &user, "lamp_set", json!({ "text": "on" })).await.unwrap();
    let audit = bench.policy.audit();
    let line = &audit[0];
    assert_eq!(audit.len(), 1);
    assert_eq!((line.action.as_str(), line.outcome), ("lamp_set", "allowed"));
    assert_eq!(line.target, r#"{"text":"on"}"#);
    assert!(line.ms.is_some_and(|ms| ms < 10_000), "{line:?}");
}

#[tokio::test]
async fn a_call_that_is_given_up_or_ends_with_a_question_is_written_down_as_such() {
    let bench = Bench::new().await;
    let slow = |_: Call, _: crate::mcp::Echo| std::future::pending::<Result<Answer, Error>>();
    let slow = Tool::rich("lamp_fade", "Fade a lamp", "Never ends", Level::Control, slow);
    bench.toolbox.add_tools(vec![slow]);
    let asks = |_: Call, _: crate::mcp::Echo| async {
        Ok(Answer::Ask(Questions::one("folders", Ask::Roots)))
    };
    let asks = Tool::rich("lamp_ask", "Ask for a lamp", "Asks", Level::Control, asks);
    bench.toolbox.add_tools(vec![asks]);
    let user = bench.caller("user", Level::Control, &[]).await;
    let args = Map::from_iter([("text".to_owned(), json!("a"))]);
    {
        let run = bench.toolbox.call(Call::new(user.clone()), "lamp_fade", args);
        tokio::pin!(run);
        assert!(futures_util::poll!(&mut run).is_pending());
        assert!(bench.policy.audit().is_empty());
    }
    let audit = bench.policy.audit();
    assert_eq!(
        (audit.len(), audit[0].action.as_str(), audit[0].outcome),
        (1, "lamp_fade", "failed")
    );
    // And one that ends with a question has done nothing yet.
    let args = Map::from_iter([("text".to_owned(), json!("a"))]);
    bench.toolbox.call(Call::new(user), "lamp_ask", args).await.unwrap();
    let audit = bench.policy.audit();
    assert_eq!((audit.len(), audit[1].action.as_str(), audit[1].outcome), (2, "lamp_ask", "asked"));
}

#[tokio::test]
async fn bad_arguments_are_named() {
    let bench = Bench::new().await;
    let reader = bench.reader().await;
    for (args, want) in [
        (json!({}), "`text`"),
        (json!({ "text": 7 }), "at 'text'"),
        (json!({ "text": "a", "times": -1 }), "at 'times'"),
        (json!({ "text": "a", "colour": "red" }), "`colour`"),
    ] {
        let e = call(&bench, &reader, "lamp_get", args.clone()).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Invalid);
        let text = e.to_string();
        assert!(text.starts_with("lamp_get: bad arguments") && text.contains(want), "{text}");
    }
    let e = call(&bench, &reader, "lamp_paint", json!({})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
}

#[tokio::test]
async fn confirm_is_for_tools_that_change_something() {
    let bench = Bench::new().await;
    let user = bench.caller("user", Level::Control, &[]).await;
    let args = json!({ "text": "on", "confirm": "4711" });
    let done = call(&bench, &user, "lamp_set", args.clone()).await.unwrap();
    assert_eq!(done["confirm"], "4711");
    // A tool that only looks knows no such argument.
    assert!(call(&bench, &user, "lamp_get", args).await.is_err());
    let shown = bench.toolbox.catalogue(&user, &Profile::Default);
    for tool in shown.iter().filter(|tool| tool["name"].as_str().unwrap().starts_with("lamp")) {
        let takes = !tool["inputSchema"]["properties"]["confirm"].is_null();
        assert_eq!(takes, tool["name"] == "lamp_set", "{tool}");
    }
}

#[tokio::test]
async fn a_tool_that_panics_or_hangs_costs_its_own_call() {
    let bench = Bench::new().await;
    let reader = bench.reader().await;
    for (tool, want) in [("door_panic", Kind::Broken), ("door_wait", Kind::Timeout)] {
        let e = call(&bench, &reader, tool, json!({ "text": "a" })).await.unwrap_err();
        assert_eq!(e.kind(), want, "{e}");
    }
    call(&bench, &reader, "lamp_get", json!({ "text": "a" })).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once() {
    let bench = Bench::new().await;
    let mut waits = Call::new(bench.reader().await);
    let token = tokio_util::sync::CancellationToken::new();
    waits.cancelled = token.clone();
    let args = Map::from_iter([("text".to_owned(), json!("a"))]);
    let run = bench.toolbox.call(waits, "door_wait_long", args);
    tokio::pin!(run);
    assert!(futures_util::poll!(&mut run).is_pending());
    token.cancel();
    assert_eq!(run.await.unwrap_err().kind(), Kind::Timeout);
}

#[tokio::test]
async fn only_so_many_calls_run_at_once() {
    let bench = Bench::with(Config { calls: 1, ..Config::default() }).await;
    let reader = bench.reader().await;
    let args = Map::from_iter([("text".to_owned(), json!("a"))]);
    let first = bench.toolbox.call(Call::new(reader.clone()), "door_wait_long", args);
    tokio::pin!(first);
    assert!(futures_util::poll!(&mut first).is_pending());
    let e = call(&bench, &reader, "lamp_get", json!({ "text": "a" })).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Limit);
}

#[tokio::test]
async fn an_answer_over_its_budget_is_refused_with_advice() {
    let bench = Bench::new().await;
    let reader = bench.reader().await;
    let args = |times: u32| json!({ "text": "0123456789", "times": times });
    call(&bench, &reader, "lamp_get", args(1_600)).await.unwrap();
    let e = call(&bench, &reader, "lamp_get", args(1_640)).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Limit);
    assert!(e.to_string().contains("ask for less"), "{e}");
}

#[tokio::test]
async fn the_pair_reaches_every_tool_and_nothing_more() {
    let bench = Bench::new().await;
    let admin = bench.caller("admin", Level::Admin, &[]).await;
    let reader = bench.caller("doors", Level::Read, &["door"]).await;
    let find = |query: &str| json!({ "query": query });
    let found = call(&bench, &admin, "hearth_find_tools", find("remove lamp")).await.unwrap();
    assert_eq!(found["tools"][0]["name"], "lamp_forget");
    assert!(found["tools"][0]["arguments"]["properties"]["text"].is_object());
    let hidden = call(&bench, &reader, "hearth_find_tools", find("remove lamp")).await.unwrap();
    let hidden = hidden["tools"].as_array().unwrap();
    assert!(hidden.iter().all(|tool| tool["name"].as_str().unwrap().starts_with("door_")));
    for (query, first, note) in [
        ("switching lamps off", "lamp_set", json!(null)),
        ("turn it on", "lamp_set", json!(WEAK)),
        ("", "door_get", json!(WEAK)),
    ] {
        let found = call(&bench, &admin, "hearth_find_tools", find(query)).await.unwrap();
        assert_eq!((&found["tools"][0]["name"], &found["note"]), (&json!(first), &note), "{found}");
    }
    let cellar = json!({ "query": "wine", "service": "cellar" });
    let e = call(&bench, &admin, "hearth_find_tools", cellar).await.unwrap_err();
    assert!(e.to_string().contains("there is no service 'cellar' here"), "{e}");
    let inner = |name: &str| json!({ "name": name, "arguments": { "text": "a" } });
    let done = call(&bench, &admin, "hearth_call_tool", inner("lamp_forget")).await.unwrap();
    assert_eq!(done["text"], "a");
    call(&bench, &reader, "hearth_call_tool", inner("door_get")).await.unwrap();
    for (name, want) in [
        ("lamp_get", Kind::Refused),
        ("lamp_paint", Kind::NotFound),
        ("hearth_call_tool", Kind::Invalid),
    ] {
        let e = call(&bench, &reader, "hearth_call_tool", inner(name)).await.unwrap_err();
        assert_eq!(e.kind(), want, "{name}: {e}");
    }
    let confirmed = json!({ "name": "lamp_set", "arguments": { "text": "a" }, "confirm": "12" });
    let done = call(&bench, &admin, "hearth_call_tool", confirmed).await.unwrap();
    assert_eq!(done["confirm"], "12");
}

#[tokio::test]
async fn the_catalogue_counts_what_it_shows() {
    let bench = Bench::new().await;
    let admin = bench.caller("admin", Level::Admin, &[]).await;
    let shown = bench.toolbox.catalogue(&admin, &Profile::Default);
    let (tools, bytes) = bench.toolbox.catalogue_bytes(&admin, &Profile::Default);
    let list = serde_json::to_string(&shown).unwrap();
    assert_eq!((tools, bytes), (shown.len(), list.len() - 1));
    // A failed answer fits the output schema too: some clients look.
    let schema = &shown.iter().find(|tool| tool["name"] == "lamp_get").unwrap()["outputSchema"];
    assert_eq!(schema["anyOf"], json!([{ "required": ["text"] }, { "required": ["error"] }]));
}

#[tokio::test]
async fn tools_that_come_and_go_are_announced() {
    let bench = Bench::new().await;
    let mut changes = bench.toolbox.changes();
    let before = *changes.borrow_and_update();
    bench.toolbox.remove_tool("lamp_get");
    assert!(changes.has_changed().unwrap());
    assert_eq!(changes.borrow_and_update().tools, before.tools + 1);
    let reader = bench.reader().await;
    assert!(!names(&bench, &reader, &Profile::Default).contains(&"lamp_get".to_owned()));
}

#[tokio::test]
async fn a_tool_that_also_acts_needs_more_for_that() {
    fn level(args: &Map<String, Value>) -> Level {
        if args.get("text") == Some(&json!("look")) { Level::Read } else { Level::Admin }
    }
    let bench = Bench::new().await;
    let run = |_: Call, echo: crate::mcp::Echo| async move { Ok(Answer::from(echo.text)) };
    let both = Tool::rich("lamp_both", "Look or act", "Both", Level::Read, run).acting(level);
    bench.toolbox.add_tools(vec![both]);
    let reader = bench.reader().await;
    // It is there for whoever may make the least of its calls, and not announced as harmless.
    let lamp = bench.toolbox.profile("lamp").unwrap();
    assert!(names(&bench, &reader, &lamp).contains(&"lamp_both".to_owned()));
    let shown = bench.toolbox.catalogue(&reader, &lamp);
    let shown = shown.iter().find(|tool| tool["name"] == "lamp_both").unwrap();
    assert_ne!(shown["annotations"]["readOnlyHint"], true, "{shown}");
    assert!(shown["inputSchema"]["properties"]["confirm"].is_object(), "{shown}");
    let call = async |caller: &Caller, text: &str| {
        let args = json!({ "text": text }).as_object().unwrap().clone();
        bench.toolbox.call(Call::new(caller.clone()), "lamp_both", args).await
    };
    assert!(call(&reader, "look").await.is_ok());
    let e = call(&reader, "act").await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("may not admin lamp"), "{e}");
    let admin = bench.caller("admin", Level::Admin, &[]).await;
    assert!(call(&admin, "act").await.is_ok() && call(&admin, "look").await.is_ok());
    // What only looked is not written down.
    let outcomes: Vec<&str> = bench.policy.audit().iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, ["denied", "allowed"]);
}
