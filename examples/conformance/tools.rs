//! Tools that answer every sort of content, report, log and fail.

use crate::{PIXEL, SILENCE};
use hearth::config::JsonSchema;
use hearth::error::Error;
use hearth::events::{Event, Events, Service};
use hearth::mcp::{Answer, Block, Call, Contents, Prompt, Tool, Toolbox};
use hearth::policy::Level;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// No arguments.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

/// One text that travels in a header too.
#[derive(Deserialize, JsonSchema)]
struct Mirrored {
    #[schemars(extend("x-mcp-header" = "Value"))]
    value: String,
}

/// Arguments whose schema uses every keyword that must survive the way to the client.
#[derive(Deserialize)]
#[serde(transparent)]
struct Person(Map<String, Value>);

impl JsonSchema for Person {
    fn schema_name() -> Cow<'static, str> {
        "Person".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
                }
            },
            "properties": {
                "name": { "type": "string" },
                "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                "phone": { "type": "string" },
                "email": { "type": "string" }
            },
            "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
            "if": {
                "properties": { "contactMethod": { "const": "phone" } },
                "required": ["contactMethod"]
            },
            "then": { "required": ["phone"] },
            "else": { "required": ["email"] },
            "additionalProperties": false
        })
    }
}

/// A tool that only answers.
fn says(name: &'static str, about: &'static str, blocks: fn() -> Vec<Block>) -> Tool {
    Tool::rich(name, about, about, Level::Read, move |_: Call, _: Nothing| async move {
        Ok(Answer::from(blocks()))
    })
}

fn text(text: &str) -> Vec<Block> {
    vec![Block::Text(text.to_owned())]
}

pub(crate) fn all(toolbox: &Toolbox, events: &Events) -> Vec<Tool> {
    let mut tools = contents();
    tools.extend(doings());
    tools.extend(waits(events));
    tools.extend(triggers(toolbox));
    tools
}

fn contents() -> Vec<Tool> {
    vec![
        says("test_simple_text", "Answers a text", || {
            text("This is a simple text response for testing.")
        }),
        says("test_image_content", "Answers a picture", || {
            vec![Block::Image("image/png", PIXEL.to_vec())]
        }),
        says("test_audio_content", "Answers a sound", || {
            vec![Block::Audio("audio/wav", SILENCE.to_vec())]
        }),
        says("test_embedded_resource", "Answers a resource", || {
            let inner = "This is an embedded resource content.".to_owned();
            let inner = Contents::Text("text/plain", inner);
            vec![Block::Resource("test://embedded-resource".into(), inner)]
        }),
        says("test_multiple_content_types", "Answers several sorts of content", || {
            let inner = Contents::Text("application/json", r#"{"test":"data","value":123}"#.into());
            vec![
                Block::Text("Multiple content types test:".into()),
                Block::Image("image/png", PIXEL.to_vec()),
                Block::Resource("test://mixed-content-resource".into(), inner),
            ]
        }),
        Tool::rich(
            "json_schema_2020_12_tool",
            "Keywords",
            "Has a schema with every keyword of JSON Schema 2020-12 that matters",
            Level::Read,
            |_: Call, person: Person| async move {
                Ok(Answer::from(format!("{} arguments", person.0.len())))
            },
        ),
        Tool::rich(
            "test_custom_header",
            "Mirrored argument",
            "Takes a text that travels in a header too",
            Level::Read,
            |_: Call, args: Mirrored| async move { Ok(Answer::from(args.value)) },
        ),
    ]
}

fn doings() -> Vec<Tool> {
    let pause = || tokio::time::sleep(Duration::from_millis(50));
    vec![
        Tool::rich(
            "test_tool_with_logging",
            "Logs",
            "Writes three lines to the client's log",
            Level::Read,
            move |call: Call, _: Nothing| async move {
                let lines =
                    ["Tool execution started", "Tool processing data", "Tool execution completed"];
                for line in lines {
                    call.client.log(log::Level::Info, "test", line).await;
                    pause().await;
                }
                Ok(Answer::from("logged"))
            },
        ),
        Tool::rich(
            "test_logging_tool",
            "Logs when asked",
            "Writes a line to the client's log",
            Level::Read,
            |call: Call, _: Nothing| async move {
                call.client.log(log::Level::Info, "test", "a line").await;
                Ok(Answer::from("done"))
            },
        ),
        Tool::rich(
            "test_tool_with_progress",
            "Reports progress",
            "Tells how far it has come",
            Level::Read,
            move |call: Call, _: Nothing| async move {
                for done in [0.0, 50.0, 100.0] {
                    call.progress.report(done, Some(100.0), Some("working")).await;
                    pause().await;
                }
                Ok(Answer::from("done"))
            },
        ),
        Tool::rich(
            "test_error_handling",
            "Fails",
            "Always fails",
            Level::Read,
            |_: Call, _: Nothing| async move {
                let failed: Result<Answer, Error> =
                    Err(Error::broken("This tool intentionally returns an error for testing"));
                failed
            },
        ),
        Tool::rich(
            "test_reconnection",
            "Takes a moment",
            "Answers after a moment",
            Level::Read,
            move |_: Call, _: Nothing| async move {
                pause().await;
                Ok(Answer::from("done"))
            },
        ),
    ]
}

/// How many waits ended because their call was cancelled.
static CANCELLED: AtomicUsize = AtomicUsize::new(0);

/// Counts when it is dropped: a cancelled call is dropped where it waits.
struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        CANCELLED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tools for clients that cancel and subscribe.
fn waits(events: &Events) -> Vec<Tool> {
    let events = events.clone();
    vec![
        Tool::rich(
            "test_wait",
            "Waits",
            "Waits until it is cancelled",
            Level::Read,
            |call: Call, _: Nothing| async move {
                let _waiting = Waiting;
                call.progress.report(1.0, None, Some("waiting")).await;
                std::future::pending::<Result<Answer, Error>>().await
            },
        ),
        Tool::rich(
            "test_cancellations",
            "Cancelled waits",
            "How many waits were cancelled",
            Level::Read,
            |_: Call, _: Nothing| async move {
                Ok(Answer::from(CANCELLED.load(Ordering::SeqCst).to_string()))
            },
        ),
        Tool::rich(
            "test_touch_resource",
            "Touch the watched resource",
            "Changes the watched resource",
            Level::Read,
            move |_: Call, _: Nothing| {
                let events = events.clone();
                async move {
                    let service = "test".to_owned();
                    events.publish(Event::Service(Service { service, state: "up", reason: None }));
                    Ok(Answer::from("touched"))
                }
            },
        ),
    ]
}

/// Tools that change the lists.
fn triggers(toolbox: &Toolbox) -> Vec<Tool> {
    let (for_tools, for_prompts) = (toolbox.clone(), toolbox.clone());
    vec![
        Tool::rich(
            "test_trigger_tool_change",
            "Changes the tools",
            "Adds a tool and takes it out again",
            Level::Read,
            move |_: Call, _: Nothing| {
                let toolbox = for_tools.clone();
                async move {
                    let passing = says("test_passing", "Comes and goes", || text("here"));
                    toolbox.add_tools(vec![passing]);
                    toolbox.remove_tool("test_passing");
                    Ok(Answer::from("changed"))
                }
            },
        ),
        Tool::rich(
            "test_trigger_prompt_change",
            "Changes the prompts",
            "Replaces a prompt by itself",
            Level::Read,
            move |_: Call, _: Nothing| {
                let toolbox = for_prompts.clone();
                async move {
                    toolbox.add_prompts(vec![crate::prompts::simple()]);
                    Ok(Answer::from("changed"))
                }
            },
        ),
    ]
}

/// A prompt without arguments.
pub(crate) fn prompt(
    name: &'static str,
    about: &'static str,
    blocks: fn() -> Vec<Block>,
) -> Prompt {
    Prompt {
        name,
        title: about,
        about,
        args: Vec::new(),
        values: Arc::new(|_, _| Vec::new()),
        write: Arc::new(move |_, _| Box::pin(async move { Ok(Answer::from(blocks())) })),
        place: None,
    }
}
