//! The tool that tells how an automation or script ran.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::house::House;
use crate::home::select::{domain, missing};
use crate::home::text::{self, clean};
use crate::home::tools::wait::needs_open_scope;
use crate::home::tools::{BUDGET, set, stamped};
use crate::home::view::Row;
use crate::home::{Home, ask};
use crate::mcp::{self, Call};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// What one step says may take so many bytes.
const STEP: usize = 600;
/// Variables that repeat what is known: the automation's own state, and how it was called.
const KNOWN: &[&str] = &["this", "context"];

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TraceArgs {
    /// automation.x or script.x; without: the last runs of all
    entity_id: String,
    /// last, or a run_id: step by step
    run: String,
    cursor: String,
    house: String,
}

/// The shape of runs and steps.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Traced {
    runs: Option<Vec<Value>>,
    steps: Option<Vec<Value>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Run {
    run_id: String,
    domain: String,
    item_id: String,
    state: Option<String>,
    script_execution: Option<String>,
    last_step: Option<String>,
    trigger: Option<String>,
    error: Option<String>,
    timestamp: Times,
}

#[derive(Deserialize)]
struct Times {
    start: String,
    finish: Option<String>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(flatten)]
    run: Run,
    #[serde(default)]
    trace: BTreeMap<String, Vec<Step>>,
}

#[derive(Deserialize)]
struct Step {
    path: String,
    timestamp: String,
    error: Option<String>,
    result: Option<Value>,
    changed_variables: Option<Map<String, Value>>,
}

pub(super) async fn trace(home: Home, call: Call, args: TraceArgs) -> Result<Value, Error> {
    needs_open_scope(&home, &call, "a trace can tell of every entity")?;
    let house = home.house(Some(&args.house))?;
    drop(house.known()?);
    let answer = match (set(&args.entity_id), set(&args.run)) {
        (None, Some(_)) => {
            return Err(Error::invalid("whose run? give entity_id too"));
        }
        (None, None) => {
            let mut runs = runs(house, "automation", None).await?;
            runs.extend(runs_of_scripts(house).await?);
            listed(house, runs, &args)?
        }
        (Some(id), run) => {
            let id = id.trim().to_lowercase();
            let item = item(&home, &call, house, &id).await?;
            let runs = runs(house, domain(&id), Some(&item)).await?;
            match run {
                None => listed(house, runs, &args)?,
                Some(run) => one(house, &id, runs, &run, &args).await?,
            }
        }
    };
    Ok(stamped(house, answer))
}

async fn runs_of_scripts(house: &House) -> Result<Vec<Run>, Error> {
    runs(house, "script", None).await
}

/// The id under which Home Assistant keeps the runs of an entity.
async fn item(home: &Home, call: &Call, house: &House, id: &str) -> Result<String, Error> {
    let own = domain(id);
    if !["automation", "script"].contains(&own) {
        return Err(Error::invalid(format!(
            "'{}' is neither an automation nor a script, and only these leave traces",
            clean(id, 80)
        )));
    }
    let attribute = {
        let cache = house.known()?;
        let sight = home.sight(&call.caller);
        let entity = sight.get(&cache, id).ok_or_else(|| missing(&cache, sight, id))?;
        entity.attribute("id")
    };
    if let Some(Value::String(item)) = attribute {
        return Ok(item);
    }
    // A script's id is in the registry: its entity may have another name by now.
    let command = json!({ "type": "config/entity_registry/get", "entity_id": id });
    let entry = ask::ask::<Value>(house, &command).await.ok();
    let unique = entry.as_ref().and_then(|entry| entry.get("unique_id")?.as_str());
    match (unique, own) {
        (Some(unique), _) => Ok(unique.to_owned()),
        (None, "script") => Ok(id.trim_start_matches("script.").to_owned()),
        (None, _) => Err(Error::not_found(format!(
            "{id} has no id, and Home Assistant keeps no traces of such an automation; give it an id \
             in its YAML"
        ))),
    }
}

/// The runs that Home Assistant still knows, the newest first.
async fn runs(house: &House, own: &str, item: Option<&str>) -> Result<Vec<Run>, Error> {
    let mut command = json!({ "type": "trace/list", "domain": own });
    if let Some(item) = item {
        command["item_id"] = item.into();
    }
    let mut runs: Vec<Run> = ask::ask(house, &command).await?;
    runs.sort_by(|a, b| b.timestamp.start.cmp(&a.timestamp.start));
    Ok(runs)
}

fn listed(house: &House, mut runs: Vec<Run>, args: &TraceArgs) -> Result<Value, Error> {
    runs.sort_by(|a, b| b.timestamp.start.cmp(&a.timestamp.start));
    let names = names(house);
    let rows = runs.iter().map(|run| (key(run), row(house, &names, run)));
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    let mut answer = json!({ "runs": page.items, "total": runs.len() });
    if runs.is_empty() {
        answer["hint"] =
            "no run since Home Assistant started; it keeps the last five of each".into();
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

/// Sorts the newest first.
fn key(run: &Run) -> String {
    let at = seconds(&run.timestamp.start).unwrap_or_default();
    format!("{:014}{}", 99_999_999_999_999 - (at * 1000.0) as u64, clean(&run.run_id, 40))
}

/// The entities of automations by the ids under which their runs are kept.
fn names(house: &House) -> HashMap<String, String> {
    let cache = house.cache();
    let automations = cache.iter().filter(|(id, _)| domain(id) == "automation");
    automations
        .filter_map(|(id, entity)| match entity.attribute("id")? {
            Value::String(item) => Some((item, id.to_string())),
            _ => None,
        })
        .collect()
}

fn row(house: &House, names: &HashMap<String, String>, run: &Run) -> Row {
    let mut row = Row::new();
    let id = match run.domain.as_str() {
        "script" => format!("script.{}", run.item_id),
        _ => names.get(&run.item_id).unwrap_or(&run.item_id).clone(),
    };
    row.insert("id".into(), clean(&id, 255).into());
    row.insert("run_id".into(), clean(&run.run_id, 60).into());
    about(house, run, &mut row);
    row
}

/// What is known of a run as a whole.
fn about(house: &House, run: &Run, row: &mut Row) {
    let began = seconds(&run.timestamp.start);
    if let Some(began) = began {
        row.insert("at".into(), house.time(began).into());
    }
    if let (Some(began), Some(ended)) = (began, run.timestamp.finish.as_deref().and_then(seconds)) {
        let seconds = ((ended - began).max(0.0) * 1000.0).round() / 1000.0;
        row.insert("seconds".into(), seconds.into());
    }
    // How it ended says more than that it did.
    let ended = run.script_execution.as_ref().or(run.state.as_ref());
    let texts = [
        ("result", ended),
        ("trigger", run.trigger.as_ref()),
        ("last_step", run.last_step.as_ref()),
        ("error", run.error.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            row.insert(name.into(), clean(text, 300).into());
        }
    }
}

async fn one(
    house: &House,
    id: &str,
    runs: Vec<Run>,
    wanted: &str,
    args: &TraceArgs,
) -> Result<Value, Error> {
    let found = match wanted.trim() {
        "last" => runs.first(),
        wanted => runs.iter().find(|run| run.run_id == wanted),
    };
    let Some(run) = found else {
        let known: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        return Err(Error::not_found(format!(
            "{id} has no run '{}'; Home Assistant still knows: {known}",
            clean(wanted, 60)
        )));
    };
    let command = json!({ "type": "trace/get", "domain": run.domain, "item_id": run.item_id,
                          "run_id": run.run_id });
    let whole: Whole = ask::ask(house, &command).await?;
    let mut answer = Row::new();
    answer.insert("id".into(), id.into());
    answer.insert("run_id".into(), clean(&whole.run.run_id, 60).into());
    about(house, &whole.run, &mut answer);
    let page = mcp::rows(mcp::numbered(steps(&whole)), &args.cursor, BUDGET - 1024)?;
    answer.insert("steps".into(), json!(page.items));
    if let Some(next) = page.next {
        answer.insert("next".into(), next.into());
    }
    Ok(Value::Object(answer))
}

/// Every step in the order of time: where, when after the start, what came of it and what changed.
fn steps(whole: &Whole) -> Vec<Row> {
    let mut steps: Vec<&Step> = whole.trace.values().flatten().collect();
    steps.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
    let began = seconds(&whole.run.timestamp.start);
    steps.into_iter().map(|step| step.row(began)).collect()
}

impl Step {
    fn row(&self, began: Option<f64>) -> Row {
        let mut row = Row::new();
        row.insert("path".into(), clean(&self.path, 120).into());
        if let (Some(began), Some(at)) = (began, seconds(&self.timestamp)) {
            row.insert("after_ms".into(), (((at - began) * 1000.0).round() as i64).into());
        }
        if let Some(error) = &self.error {
            row.insert("error".into(), clean(error, 500).into());
        }
        if let Some(result) = self.result.clone().filter(|result| !result.is_null()) {
            row.insert("result".into(), short(result));
        }
        let changed: Map<String, Value> = self
            .changed_variables
            .iter()
            .flatten()
            .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), plain(value.clone())))
            .collect();
        if !changed.is_empty() {
            row.insert("changed".into(), short(Value::Object(changed)));
        }
        row
    }
}

/// A state object in a variable as its id and state: its attributes are in no question here.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields)
            if fields.contains_key("entity_id") && fields.contains_key("state") =>
        {
            json!({ "entity_id": fields["entity_id"], "state": fields["state"] })
        }
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, plain(field))).collect())
        }
        other => other,
    }
}

fn short(mut value: Value) -> Value {
    text::shrink(&mut value, STEP);
    text::clean_value(value)
}

fn seconds(text: &str) -> Option<f64> {
    text.parse::<Timestamp>().ok().map(|at| at.as_microsecond() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_what_changed_without_repeating_what_is_known() {
        let step: Step = serde_json::from_value(json!({
            "path": "trigger/0", "timestamp": "2026-11-21T11:00:00.250000+00:00",
            "changed_variables": {
                "this": {"entity_id": "automation.x", "state": "on"},
                "trigger": {"platform": "state", "to_state": {"entity_id": "light.a", "state": "on",
                    "attributes": {"friendly_name": "A"}, "context": {"id": "1"}}},
            },
        }))
        .unwrap();
        let row = step.row(seconds("2026-11-21T11:00:00+00:00"));
        let want = json!({"path": "trigger/0", "after_ms": 250, "changed": {"trigger": {
            "platform": "state", "to_state": {"entity_id": "light.a", "state": "on"}}}});
        assert_eq!(Value::Object(row), want);
    }
}
