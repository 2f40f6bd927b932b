//! The tool that says where something is used.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::refs::{self, Use};
use crate::home::text::clean;
use crate::home::tools::{BUDGET, stamped, tool, wait};
use crate::mcp::{self, Call, Tool, Words};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest text shown of one place, in characters.
const SHOWN: usize = 160;
/// The places of one configuration may take so many bytes; more are counted.
const PLACES: usize = 2500;
/// At most so many related and unread things are listed.
const MOST_LISTED: usize = 8;

/// Returns the tool.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let words = Words {
        name: "home_refs",
        title: "Where used",
        about: "Which automations, scripts, scenes, dashboards, helpers and so on use an entity, device, \
                area, floor or label, and at which path. Not seen: YAML of other integrations.",
    };
    let patience = Duration::from_secs(home.config().timeout_seconds + 30);
    vec![tool::<_, Used, _, _>(home, words, Level::Read, run).within(patience).for_whole_house()]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RefsArgs {
    /// Id or name
    #[serde(alias = "entity_id")]
    id: String,
    /// Like area, when one id means several
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    house: String,
}

/// The shape of what uses it.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Used {
    used_in: Vec<Value>,
    next: Option<String>,
}

async fn run(home: Home, call: Call, args: RefsArgs) -> Result<Value, Error> {
    wait::needs_open_scope(&home, &call, "where something is used is in every configuration")?;
    let house = home.house(Some(&args.house))?;
    let thing = refs::thing(house, &args.kind, &args.id)?;
    let found = tokio::select! {
        found = refs::find(&home, house, &thing) => found?,
        () = call.cancelled.cancelled() => return Err(Error::timeout("given up by the client")),
    };
    let total = found.uses.len();
    let rows = found.uses.iter().enumerate().map(|(n, used)| {
        // Two helpers may have one name; the number keeps their keys apart.
        (format!("{} {} {n:04}", used.object.kind, used.object.id), row(used))
    });
    let mut rows: Vec<(String, Value)> = rows.collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let page = mcp::rows(rows, &args.cursor, BUDGET - 2048)?;
    let mut answer =
        json!({ "id": thing.id, "kind": thing.kind.word(), "used_in": page.items, "total": total });
    let mut add = |key: &str, list: Vec<String>| {
        if !list.is_empty() {
            let more = list.len().saturating_sub(MOST_LISTED);
            let mut list: Vec<String> =
                list.iter().take(MOST_LISTED).map(|text| clean(text, 120)).collect();
            if more > 0 {
                list.push(format!("and {more} more"));
            }
            answer[key] = list.into();
        }
    };
    // Who asks by a name may mean the light and get the device.
    if thing.kind == refs::Kind::Device {
        add("entities", house.cache().registry.of_device(&thing.id));
    }
    // Through a device, an area, a label or a blueprint.
    add("related", found.related);
    add("not_read", found.unread);
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}

fn row(used: &Use) -> Value {
    let mut bytes = 0;
    let lines = used.mentions.iter().map(|mention| {
        let path = clean(&mention.path, 300);
        // A template says more than its path.
        match mention.text.contains('{') {
            true => format!("{path}: {}", clean(&mention.text, SHOWN)),
            false => path,
        }
    });
    let fits = |line: &String| {
        bytes += line.len() + 3;
        bytes <= PLACES
    };
    let places: Vec<String> = lines.take_while(fits).collect();
    let left = used.mentions.len() - places.len();
    let object = &used.object;
    let mut row = json!({ "kind": object.kind, "id": clean(&object.id, 255), "paths": places });
    if !object.name.is_empty() && object.name != object.id {
        row["name"] = clean(&object.name, 100).into();
    }
    if left > 0 {
        row["more"] = left.into();
    }
    if let Err(why) = &object.place {
        row["fixed"] = (*why).into();
    }
    row
}
