//! The original's tools.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::seed::PLACE;
use crate::home::seed::config;
use crate::home::seed::control::{self, KINDS, Kind, take};
use crate::home::text::{NOTE, clean};
use crate::home::tools as own;
use crate::mcp::{Answer, Boxed, Call, Reply, Tool};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Whatever the original's tool took: `action` or `command`, an id, and the values that go with it.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Asked(Map<String, Value>);

type Run = fn(Home, Call, Map<String, Value>) -> Boxed<'static, Result<Value, Error>>;

/// Returns the tools.
pub(in crate::home) fn tools(home: &Home) -> Vec<Tool> {
    let read = |name, about, run: Run| tool(home, name, about, Level::Read, run);
    let act = |name, about, run: Run| tool(home, name, about, Level::Control, run).destructive();
    let mut all = vec![
        read(
            "list_devices",
            "Entities, by domain, area or floor (arguments of those names).",
            list,
        ),
        act(
            "control",
            "command: turn_on turn_off toggle open close stop set_position set_tilt_position \
             set_temperature set_hvac_mode set_fan_mode set_humidity; entity_id or area_id; values \
             like brightness, temperature, position.",
            |home, call, asked| {
                Box::pin(
                    async move { own::call_with(home, call, control::of_command(asked)?).await },
                )
            },
        ),
        act("scene", "action: list, or activate with scene_id.", scene),
        act("automation", "action: list, or toggle or trigger with automation_id.", automation),
        act("notify", "message; title, target (like mobile_app_phone) and data if wanted.", notify),
        read(
            "get_history",
            "States of entity_id over time, from start_time to end_time.",
            |home, call, asked| Box::pin(config::history(home, call, asked)),
        ),
        tool(
            home,
            "automation_config",
            "action: create, update, delete, duplicate; automation_id; config.",
            Level::Admin,
            |home, call, asked| Box::pin(config::automation(home, call, asked)),
        )
        .destructive(),
        read(
            "addon",
            "Add-ons. They need Home Assistant's Supervisor, which Hearth does not manage.",
            |_, _, _| without_supervisor("add-ons"),
        ),
        read("package", "HACS packages. Hearth does not install third-party code.", |_, _, _| {
            without_supervisor("HACS packages")
        }),
        read(
            "subscribe_events",
            "Where events are to be had live; events, entity_id or domain choose.",
            subscribe,
        ),
        read(
            "get_sse_stats",
            "How many read events live, Hearth's own parts among them.",
            |home, _, _| Box::pin(async move { Ok(json!({ "readers": home.events().readers() })) }),
        ),
    ];
    all.extend(KINDS.iter().map(|kind| of_kind(home, kind)));
    all.into_iter().map(|tool| tool.placed(PLACE)).collect()
}

fn tool(home: &Home, name: &'static str, about: &'static str, level: Level, run: Run) -> Tool {
    let run = move |home, call, asked| run(home, call, asked);
    made(home, name, about, level, Arc::new(run))
}

fn of_kind(home: &Home, kind: &'static Kind) -> Tool {
    let about =
        format!("action: list, get, {}; entity_id; values as the service takes", kind.about);
    // Made once for each of the eight when the program starts.
    let about = Box::leak(about.into_boxed_str());
    let run = move |home, call, asked| -> Boxed<'static, Result<Value, Error>> {
        Box::pin(domain_control(kind, home, call, asked))
    };
    made(home, kind.tool, about, Level::Control, Arc::new(run)).destructive()
}

type AnyRun = Arc<
    dyn Fn(Home, Call, Map<String, Value>) -> Boxed<'static, Result<Value, Error>> + Send + Sync,
>;

fn made(home: &Home, name: &'static str, about: &'static str, level: Level, run: AnyRun) -> Tool {
    let home = home.clone();
    let patience = Duration::from_secs(home.config().timeout_seconds + 5);
    Tool::rich::<Asked, _, _>(name, name, about, level, move |call, asked| {
        let (home, run) = (home.clone(), run.clone());
        async move {
            home.met().await;
            let mut answer = run(home, call, asked.0).await?;
            answer["note"] = NOTE.into();
            Ok(Answer::Value(Reply::from(answer)))
        }
    })
    .within(patience)
}

fn list(home: Home, call: Call, asked: Map<String, Value>) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(async move {
        let mut asked = asked;
        // What the original called a contact is a binary sensor.
        if asked.get("domain").is_some_and(|domain| domain == "contact") {
            asked.insert("domain".into(), "binary_sensor".into());
        }
        own::find_with(home, call, asked.into()).await
    })
}

async fn list_of(home: Home, call: Call, domain: &str) -> Result<Value, Error> {
    own::find_with(home, call, json!({ "domain": domain })).await
}

async fn domain_control(
    kind: &Kind,
    home: Home,
    call: Call,
    mut asked: Map<String, Value>,
) -> Result<Value, Error> {
    let action = wanted(&mut asked, kind.tool, "action")?;
    match action.as_str() {
        "list" => list_of(home, call, kind.domain).await,
        "get" => {
            let id = wanted(&mut asked, kind.tool, "entity_id")?;
            own::get_with(home, call, json!({ "entity_ids": [id] })).await
        }
        action => own::call_with(home, call, control::of_action(kind, action, asked)).await,
    }
}

fn scene(
    home: Home,
    call: Call,
    asked: Map<String, Value>,
) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(of_one(home, call, asked, "scene", |action| match action {
        "activate" => Some("turn_on"),
        _ => None,
    }))
}

fn automation(
    home: Home,
    call: Call,
    asked: Map<String, Value>,
) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(of_one(home, call, asked, "automation", |action| match action {
        "toggle" => Some("toggle"),
        "trigger" => Some("trigger"),
        _ => None,
    }))
}

/// `list`, or an action on `<domain>_id`, with or without the domain before it.
async fn of_one(
    home: Home,
    call: Call,
    mut asked: Map<String, Value>,
    domain: &str,
    service: fn(&str) -> Option<&'static str>,
) -> Result<Value, Error> {
    let action = wanted(&mut asked, domain, "action")?;
    if action == "list" {
        return list_of(home, call, domain).await;
    }
    let service = service(&action).ok_or_else(|| {
        let action = clean(&action, 60);
        Error::invalid(format!("{domain}: there is no action '{action}'; `list` is one"))
    })?;
    let name = wanted(&mut asked, domain, &format!("{domain}_id"))?;
    let id = match name.contains('.') {
        true => name,
        false => format!("{domain}.{name}"),
    };
    let order = control::call(&format!("{domain}.{service}"), json!({ "entity_id": id }), asked);
    own::call_with(home, call, order).await
}

fn notify(
    home: Home,
    call: Call,
    asked: Map<String, Value>,
) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(async move {
        let mut asked = asked;
        let target = take(&mut asked, "target").unwrap_or_default();
        let name = target.strip_prefix("notify.").unwrap_or(&target);
        // Newer Home Assistant has no service that reaches everybody; its page always shows these.
        let service = match name {
            "" if home.has_service("notify.notify") => "notify.notify".to_owned(),
            "" => "persistent_notification.create".to_owned(),
            name => format!("notify.{name}"),
        };
        own::call_with(home, call, control::call(&service, json!({}), asked)).await
    })
}

fn subscribe(
    _: Home,
    _: Call,
    mut asked: Map<String, Value>,
) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(async move {
        let mut query = Vec::new();
        if let Some(id) = take(&mut asked, "entity_id") {
            query.push(format!("entity_id={}", clean(&id, 120)));
        } else if let Some(domain) = take(&mut asked, "domain") {
            query.push(format!("entity_id={}.*", clean(&domain, 60)));
        }
        let question = if query.is_empty() { "" } else { "?" };
        Ok(json!({
            "url": format!("/events{question}{}", query.join("&")),
            "how": "Server-Sent Events with the bearer token of this connection in the header; or \
                    subscribe to the resource home://<house>/entity/<id> here, or wait with home_watch",
        }))
    })
}

fn without_supervisor(what: &'static str) -> Boxed<'static, Result<Value, Error>> {
    Box::pin(async move {
        Err(Error::not_found(format!(
            "{what} need Home Assistant's Supervisor or its store, which are not reached through \
             Hearth; use Home Assistant's own page"
        )))
    })
}

fn wanted(asked: &mut Map<String, Value>, tool: &str, name: &str) -> Result<String, Error> {
    take(asked, name)
        .ok_or_else(|| Error::invalid(format!("{tool}: the argument '{name}' is missing")))
}
