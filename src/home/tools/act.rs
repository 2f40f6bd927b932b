//! The tool that acts: any service of Home Assistant, on what the caller may use.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::call::{self, Done, Order, Plan, Verdict};
use crate::home::house::House;
use crate::home::select::Target;
use crate::home::text::{self, clean};
use crate::home::tools::{BUDGET, ids, stamped};
use crate::home::view;
use crate::mcp::Call;
use crate::policy::Outcome;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What a call is aimed at, in Home Assistant's own words.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TargetArgs {
    #[serde(deserialize_with = "ids", alias = "entity_ids")]
    entity_id: Vec<String>,
    #[serde(deserialize_with = "ids", alias = "device")]
    device_id: Vec<String>,
    #[serde(deserialize_with = "ids", alias = "area")]
    area_id: Vec<String>,
    #[serde(deserialize_with = "ids", alias = "floor")]
    floor_id: Vec<String>,
    #[serde(deserialize_with = "ids", alias = "label")]
    label_id: Vec<String>,
}

/// A call, as tools and routes take it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallArgs {
    /// Like light.turn_on
    service: String,
    /// Unless it stands in service
    domain: String,
    /// Areas, floors and labels by name or id
    target: TargetArgs,
    /// Like {"brightness_pct": 40}
    data: Map<String, Value>,
    /// For services that answer with data
    return_response: bool,
    /// Only list what it would touch
    dry_run: bool,
    house: String,
}

/// The shape of what came of a call.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Called {
    entities: Vec<CalledEntity>,
    response: Option<Value>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "as above")]
struct CalledEntity {
    id: String,
    result: Option<String>,
    state: Option<String>,
}

pub(crate) async fn call(home: Home, call: Call, args: CallArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let target = Target {
        entities: args.target.entity_id,
        devices: args.target.device_id,
        areas: args.target.area_id,
        floors: args.target.floor_id,
        labels: args.target.label_id,
    };
    let service = whole_service(&args.domain, &args.service)?;
    let return_response = args.return_response;
    let order = Order { service, target, data: args.data, return_response };
    call::meet(house, &order.service).await;
    let plan = call::plan(&home, house, &call.caller, order)?;
    let answer = match args.dry_run {
        true => {
            let target = plan.audit_target(house);
            home.policy().record(&call.caller, &plan.service, &target, Outcome::DryRun, None);
            dry(house, &plan)
        }
        false => {
            let done = call::run(&home, house, &call.caller, plan, call.confirm.as_deref()).await?;
            told(house, done)
        }
    };
    Ok(stamped(house, answer))
}

/// Puts `domain` and `service` together when a caller wrote them apart.
fn whole_service(domain: &str, service: &str) -> Result<String, Error> {
    let (domain, service) = (call::written(domain), call::written(service));
    match service.split_once('.') {
        _ if domain.is_empty() => Ok(service),
        None => Ok(format!("{domain}.{service}")),
        Some((own, _)) if own == domain => Ok(service),
        Some(_) => Err(Error::invalid(format!(
            "service '{}' and domain '{}' do not go together: service must be domain.service, and \
             domain left out",
            clean(&service, 60),
            clean(&domain, 60)
        ))),
    }
}

fn dry(house: &House, plan: &Plan) -> Value {
    let cache = house.cache();
    let row = |id: &str| {
        let row = view::row(house, &cache, id, cache.get(id)?, &["name", "state"]);
        Some(Value::from(row))
    };
    let mut answer = limited(plan.touched.iter().filter_map(|id| row(id)));
    answer["dry_run"] = true.into();
    if !plan.implied.is_empty() {
        let reached = limited(plan.implied.iter().filter_map(|id| row(id)));
        answer["reaches"] = reached["entities"].clone();
        if let Some(more) = reached.get("more") {
            answer["reaches_more"] = more.clone();
        }
    }
    let hints = plan.unknowns();
    if !hints.is_empty() {
        answer["hints"] = hints.into();
    }
    if !plan.risky.is_empty() {
        answer["needs_confirmation"] = json!(plan.risky);
    }
    answer
}

fn told(house: &House, done: Done) -> Value {
    let cache = house.cache();
    let count = |wanted: Verdict| done.entities.iter().filter(|(_, v)| *v == wanted).count();
    let counts = [Verdict::Verified, Verdict::Pending, Verdict::Unchanged]
        .map(|verdict| (verdict.word().to_owned(), json!(count(verdict))));
    let rows = done.entities.iter().map(|(id, verdict)| {
        let state = cache.get(id).map(|entity| clean(&entity.state, 255));
        json!({ "id": **id, "result": verdict.word(), "state": state })
    });
    let mut answer = limited(rows);
    answer["counts"] = Value::Object(counts.into_iter().filter(|(_, n)| *n != 0).collect());
    if done.unanswered {
        answer["unanswered"] = "Home Assistant has not answered yet; it may still happen".into();
    }
    if let Some(change) = done.change {
        answer["change"] = change.into();
    }
    if let Some(mut response) = done.response {
        if text::shrink(&mut response, BUDGET - 1024) {
            answer["response_cut"] = true.into();
        }
        answer["response"] = text::clean_value(response);
    }
    answer
}

/// The rows that fit beside a response, and how many more there are.
fn limited(rows: impl Iterator<Item = Value>) -> Value {
    let (mut shown, mut used, mut more) = (Vec::new(), 0, 0);
    for row in rows {
        used += row.to_string().len() + 1;
        match used < BUDGET / 2 {
            true => shown.push(row),
            false => more += 1,
        }
    }
    let mut answer = json!({ "entities": shown });
    if more > 0 {
        answer["more"] = more.into();
    }
    answer
}
