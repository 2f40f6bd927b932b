//! The tools with which an assistant looks at a house and controls it.
//!
//! Their words are few: the whole catalogue stays below 20 KB, because every client carries it in each
//! conversation. The six here are the core; the others are in families of their own.

mod act;
mod assist;
mod backup;
mod calendar;
mod camera;
mod edit;
mod history;
mod logs;
mod look;
mod pick;
mod reading;
mod refs;
mod rename;
mod system;
mod todo;
mod trace;
mod undo;
mod wait;

pub(crate) use undo::list as list_changes;

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::house::House;
use crate::home::text::NOTE;
use crate::mcp::{Call, Tool, Words};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The profile for small models: only what looks at a house and controls it, below 6 KB.
const CONTROL: &str = "control";

/// What the entities in an answer may take, in bytes.
pub(crate) const BUDGET: usize = 7 * 1024;

/// Returns the tools.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let overview = Words {
        name: "home_overview",
        title: "House overview",
        about: "Rooms, counts by domain, what is on, problems.",
    };
    let find = Words {
        name: "home_find",
        title: "Find entities",
        about: "Find entities by text and filters; areas, floors and labels by name or id. Give \
                `next` back as `cursor` for more.",
    };
    let get = Words {
        name: "home_get",
        title: "Read entities",
        about: "States, attributes and places of entities.",
    };
    let call = Words {
        name: "home_call",
        title: "Call a service",
        about: "Call any Home Assistant service: turn on lights, lock, set, weather.get_forecasts (with \
                return_response). Says per entity: verified (the state shows it), pending, or \
                unchanged.",
    };
    let watch = Words {
        name: "home_watch",
        title: "Wait for a change",
        about: "Wait until an entity changes or an event fires; null when nothing did.",
    };
    let template = Words {
        name: "home_template",
        title: "Render a template",
        about: "Render a Jinja template in Home Assistant, or test a condition.",
    };
    let patience = Duration::from_secs(home.config().timeout_seconds + 5);
    let longest = Duration::from_secs(wait::LONGEST_WATCH + 5);
    let all = vec![
        tool::<_, look::Overview, _, _>(home, overview, Level::Read, look::overview),
        tool::<_, look::Found, _, _>(home, find, Level::Read, look::find),
        tool::<_, look::Got, _, _>(home, get, Level::Read, look::get),
        tool::<_, act::Called, _, _>(home, call, Level::Control, act::call)
            .destructive()
            .within(patience),
        tool::<_, wait::Watched, _, _>(home, watch, Level::Read, wait::watch).within(longest),
        tool::<_, wait::Rendered, _, _>(home, template, Level::Read, wait::template)
            .for_whole_house(),
    ];
    let mut all: Vec<Tool> = all.into_iter().map(|tool| tool.also_in(CONTROL)).collect();
    all.extend(reading::tools(home));
    all.extend(edit::tools(home));
    all.extend(undo::tools(home));
    for more in [refs::tools, rename::tools, backup::tools, assist::tools] {
        all.extend(more(home));
    }
    all
}

/// Runs `home_find` by its arguments as JSON; for other names of the same thing.
pub(crate) async fn find_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    look::find(home, call, read(args)?).await
}

/// Runs `home_get`, as [`find_with`] does.
pub(crate) async fn get_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    look::get(home, call, read(args)?).await
}

/// Runs `home_call`, as [`find_with`] does.
pub(crate) async fn call_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    act::call(home, call, read(args)?).await
}

/// Runs `home_history`, as [`find_with`] does.
pub(crate) async fn history_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    history::history(home, call, read(args)?).await
}

/// Runs `home_config_get`, as [`find_with`] does.
pub(crate) async fn config_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    edit::read(home, call, read(args)?).await
}

/// Runs `home_config_set`, as [`find_with`] does.
pub(crate) async fn set_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    edit::write(home, call, read(args)?).await
}

/// Runs `home_config_delete`, as [`find_with`] does.
pub(crate) async fn delete_with(home: Home, call: Call, args: Value) -> Result<Value, Error> {
    edit::remove(home, call, read(args)?).await
}

fn read<A: serde::de::DeserializeOwned>(args: Value) -> Result<A, Error> {
    serde_json::from_value(args).map_err(|e| Error::invalid(format!("bad arguments: {e}")))
}

/// Makes a tool that takes `A` and answers an object of the shape `S`.
fn tool<A, S, F, Fut>(home: &Home, words: Words, level: Level, run: F) -> Tool
where
    A: serde::de::DeserializeOwned + JsonSchema + Send + 'static,
    S: JsonSchema,
    F: Fn(Home, Call, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Error>> + Send + 'static,
{
    let (home, run) = (home.clone(), Arc::new(run));
    Tool::of_fields::<A, S, _, _>(words, NOTE, level, move |call, args| {
        let (home, run) = (home.clone(), run.clone());
        async move {
            home.met().await;
            run(home, call, args).await
        }
    })
}

/// Takes one text, texts separated by commas, or a list of them: assistants write all three.
fn ids<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Ids::deserialize(from)? {
        Ids::One(text) => text.split(',').map(|id| id.trim().to_owned()).collect(),
        Ids::Many(ids) => ids,
    })
}

/// Returns what a caller wrote, unless it is empty.
fn set(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Adds what is to be known of the house's state to an answer.
fn stamped(house: &House, mut answer: Value) -> Value {
    if let Some(since) = house.stale_since() {
        answer["stale_since"] = since.into();
    }
    answer
}
