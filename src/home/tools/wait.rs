//! The tools that wait for Home Assistant: watch and template, both bounded.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::house::now;
use crate::home::select::{Filter, Wanted};
use crate::home::tools::{ids, set, stamped};
use crate::home::{Home, template as render, watch as waiting};
use crate::mcp::Call;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Longest wait of `home_watch`, in seconds.
pub(super) const LONGEST_WATCH: u64 = 60;
/// Longest rendering of `home_template`, in seconds.
const LONGEST_RENDER: u64 = 10;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WatchArgs {
    /// Else any that fits
    #[serde(deserialize_with = "ids", alias = "entity_id", alias = "entities")]
    entity_ids: Vec<String>,
    domain: String,
    area: String,
    label: String,
    /// The state to wait for
    state: String,
    /// Attribute changes too
    attributes: bool,
    /// An event instead
    event_type: String,
    /// At most 60, else 30
    seconds: Option<u64>,
    house: String,
}

/// The shape of what happened.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Watched {
    happened: Option<Map<String, Value>>,
}

pub(super) async fn watch(home: Home, call: Call, args: WatchArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let within = Duration::from_secs(args.seconds.unwrap_or(30).clamp(1, LONGEST_WATCH));
    let (happened, hints) = if args.event_type.is_empty() {
        let (filter, hints) = {
            let cache = house.known()?;
            let wanted = [set(&args.domain), set(&args.area), set(&args.label), set(&args.state)];
            let [domain, area, label, state] = wanted.each_ref().map(Option::as_deref);
            let wanted = Wanted { domain, area, label, state, ..Wanted::default() };
            let sight = home.sight(&call.caller);
            let filter = Filter::read(&cache, sight, wanted, now())?;
            let hints = filter.strangers(&cache, sight)?;
            (filter, hints)
        };
        let (entities, attributes) = (args.entity_ids, args.attributes);
        let watch = waiting::Watch { entities, filter, attributes, within };
        (waiting::state(&home, house, &call, &watch).await?, hints)
    } else {
        needs_open_scope(&home, &call, "an event can tell of every entity")?;
        (waiting::event(house, &call, &args.event_type, within).await?, Vec::new())
    };
    let mut answer = match happened {
        Some(what) => return Ok(stamped(house, json!({ "happened": what }))),
        None => json!({ "happened": null, "nothing_within_seconds": within.as_secs() }),
    };
    if !hints.is_empty() {
        answer["hints"] = hints.into();
    }
    Ok(stamped(house, answer))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TemplateArgs {
    template: String,
    /// Instead: of an automation; does it hold now?
    condition: Value,
    /// At most 10, else 3
    seconds: Option<u64>,
    house: String,
}

/// The shape of what was rendered.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Rendered {
    result: Value,
    warnings: Option<Vec<String>>,
}

pub(super) async fn template(home: Home, call: Call, args: TemplateArgs) -> Result<Value, Error> {
    needs_open_scope(&home, &call, "a template can read every entity")?;
    let house = home.house(Some(&args.house))?;
    match (args.template.is_empty(), args.condition.is_null()) {
        (false, true) => {}
        (true, false) => {
            return Ok(json!({ "result": render::test(house, &args.condition).await? }));
        }
        _ => return Err(Error::invalid("give either a template or a condition")),
    }
    let seconds = args.seconds.unwrap_or(3).clamp(1, LONGEST_RENDER);
    let rendered = render::render(house, &args.template, seconds).await?;
    let mut answer = json!({ "result": rendered.result });
    if !rendered.warnings.is_empty() {
        answer["warnings"] = rendered.warnings.into();
    }
    if rendered.cut {
        answer["cut"] = true.into();
    }
    Ok(answer)
}

/// Refuses a caller who may use chosen entities only.
///
/// # Errors
/// Refused.
pub(super) fn needs_open_scope(home: &Home, call: &Call, why: &str) -> Result<(), Error> {
    if home.sight(&call.caller).is_open() {
        return Ok(());
    }
    let name = &call.caller.name;
    Err(Error::refused(format!("{why}, and '{name}' may see chosen ones only")))
}
