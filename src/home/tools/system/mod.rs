//! The tool for Home Assistant itself: how it is, what it wants, and starting it anew.

mod health;
mod repairs;
mod updates;

use crate::config::JsonSchema;
use crate::error::{Error, Kind};
use crate::home::Home;
use crate::home::call::{self, Order, written};
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::tools::wait::needs_open_scope;
use crate::home::tools::{BUDGET, set, stamped};
use crate::home::view::Row;
use crate::home::{ask, rest};
use crate::mcp::{self, Call};
use crate::policy::Level;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What is said of a restart: the connection goes and comes back.
const RESTARTING: &str = "restarting";

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SystemArgs {
    /// health, repairs, updates, notifications, check, reload, restart
    what: String,
    /// updates: an update's id for its notes; reload: automation, ..., or all
    target: String,
    cursor: String,
    house: String,
}

/// The shape of what is known.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct About {
    rows: Option<Vec<Value>>,
    result: Option<String>,
    next: Option<String>,
}

/// Reloading and restarting are for administrators; the rest only looks.
pub(super) fn level(args: &Map<String, Value>) -> Level {
    match args.get("what").and_then(Value::as_str).map(written).as_deref() {
        Some("reload" | "restart") => Level::Admin,
        _ => Level::Read,
    }
}

pub(super) async fn system(home: Home, call: Call, args: SystemArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    drop(house.known()?);
    let target = set(&args.target).map(|text| written(&text));
    let what = written(&args.what);
    if ["health", "repairs", "notifications", "check"].contains(&what.as_str()) {
        needs_open_scope(&home, &call, "this can tell of every entity")?;
    }
    let answer = match what.as_str() {
        "health" => listed(health::rows(house).await?, &args)?,
        "repairs" => listed(repairs::rows(house).await?, &args)?,
        "updates" => match target {
            None => listed(updates::rows(house, home.sight(&call.caller)), &args)?,
            Some(id) => updates::notes(house, home.sight(&call.caller), &id).await?,
        },
        "notifications" => listed(notifications(house).await?, &args)?,
        "check" => check(&home, house).await?,
        "reload" => {
            let own = target.ok_or_else(|| {
                Error::invalid(
                    "reload what? target is the domain whose YAML is read anew, like automation, \
                     script, scene or template; all is everything",
                )
            })?;
            let service = match own.as_str() {
                "all" => "homeassistant.reload_all".to_owned(),
                "core" => "homeassistant.reload_core_config".to_owned(),
                own => format!("{own}.reload"),
            };
            run(&home, house, &call, &service, "reloaded").await?
        }
        "restart" => run(&home, house, &call, "homeassistant.restart", RESTARTING).await?,
        other => {
            return Err(Error::invalid(format!(
                "what: '{}' is none of health, repairs, updates, notifications, check, reload, restart",
                clean(other, 40)
            )));
        }
    };
    Ok(stamped(house, answer))
}

/// The rows that fit, in their order.
fn listed(rows: Vec<Row>, args: &SystemArgs) -> Result<Value, Error> {
    let total = rows.len();
    let page = mcp::rows(mcp::numbered(rows), &args.cursor, BUDGET)?;
    let mut answer = json!({ "rows": page.items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

#[derive(Deserialize)]
struct Notification {
    notification_id: String,
    title: Option<String>,
    message: String,
    created_at: String,
}

/// What Home Assistant shows under its bell, the newest first.
async fn notifications(house: &House) -> Result<Vec<Row>, Error> {
    let command = json!({ "type": "persistent_notification/get" });
    let mut all: Vec<Notification> = ask::ask(house, &command).await?;
    all.sort_by(|a, b| b.created_at.cmp(&a.created_at));
    let row = |said: &Notification| {
        let mut row = Row::new();
        row.insert("id".into(), clean(&said.notification_id, 100).into());
        if let Some(title) = &said.title {
            row.insert("title".into(), clean(title, 200).into());
        }
        row.insert("message".into(), clean(&said.message, 500).into());
        row.insert("at".into(), time(house, &said.created_at).into());
        row
    };
    Ok(all.iter().map(row).collect())
}

/// A time of Home Assistant's as answers show it.
fn time(house: &House, text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => house.time(at.as_second() as f64),
        Err(_) => clean(text, 40),
    }
}

/// Has Home Assistant read its configuration without using it.
async fn check(home: &Home, house: &House) -> Result<Value, Error> {
    #[derive(Deserialize)]
    struct Checked {
        result: String,
        errors: Option<String>,
        warnings: Option<String>,
    }
    let path = "/api/config/core/check_config";
    let checked: Checked = rest::post(home, house, path).await?.json()?;
    let mut answer = json!({ "result": clean(&checked.result, 40) });
    for (name, text) in [("errors", checked.errors), ("warnings", checked.warnings)] {
        if let Some(text) = text {
            answer[name] = clean(&text, 3000).into();
        }
    }
    Ok(answer)
}

/// Calls the service that does it, under the rules of every call.
async fn run(
    home: &Home,
    house: &std::sync::Arc<House>,
    call: &Call,
    service: &str,
    done: &str,
) -> Result<Value, Error> {
    call::meet(house, service).await;
    let order = Order { service: service.into(), ..Order::default() };
    let plan = call::plan(home, house, &call.caller, order)?;
    let was_fresh = house.is_fresh();
    match call::run(home, house, &call.caller, plan, call.confirm.as_deref()).await {
        // It took the call and was gone before it could say so.
        Err(e) if e.kind() == Kind::Offline && was_fresh && done == RESTARTING => {}
        other => drop(other?),
    }
    Ok(json!({ "result": done, "service": service }))
}
