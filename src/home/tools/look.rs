//! The tools that look: overview, find, get. They answer from the cache and wait for nothing.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::entities::Cache;
use crate::home::find::Query;
use crate::home::house::now;
use crate::home::near::question;
use crate::home::select::{Filter, Wanted, missing as not_there};
use crate::home::text::{self, clean};
use crate::home::tools::{BUDGET, ids, set, stamped};
use crate::home::view::{self, Row};
use crate::home::{Home, overview as whole};
use crate::mcp::{self, Call};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OverviewArgs {
    house: String,
}

/// The shape of an overview.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Overview {
    floors: Map<String, Value>,
    domains: Map<String, Value>,
    on: Vec<Value>,
    problems: Map<String, Value>,
}

pub(super) async fn overview(home: Home, call: Call, args: OverviewArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    Ok(Value::Object(whole::overview(house, &cache, home.sight(&call.caller), BUDGET)))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FindArgs {
    /// Words, id or name, also misspelt
    query: String,
    /// One or more, by comma
    domain: String,
    area: String,
    floor: String,
    label: String,
    /// on | on,open | !off | >20
    state: String,
    /// 90s, 30m, 2h, 1d
    changed_within: String,
    /// name state unit area floor labels device last_changed, or attributes
    fields: Vec<String>,
    cursor: String,
    house: String,
}

/// The shape of what was found.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Found {
    entities: Vec<Row>,
    total: u32,
    next: Option<String>,
}

pub(super) async fn find(home: Home, call: Call, args: FindArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    let wanted =
        [&args.domain, &args.area, &args.floor, &args.label, &args.state, &args.changed_within]
            .map(|text| set(text));
    let [domain, area, floor, label, state, changed_within] =
        wanted.each_ref().map(Option::as_deref);
    let wanted = Wanted { domain, area, floor, label, state, changed_within };
    let sight = home.sight(&call.caller);
    let filter = Filter::read(&cache, sight, wanted, now())?;
    let mut hints = filter.strangers(&cache, sight)?;
    let fits = sight.iter(&cache).filter(|(id, entity)| filter.fits(id, entity));
    let mut hits: Vec<(String, &Arc<str>)> = match Query::read(&args.query) {
        None => fits.map(|(id, _)| (id.to_string(), id)).collect(),
        Some(query) => {
            let (found, whole) = query.among(&cache, fits);
            if !whole && !found.is_empty() {
                hints.push("no entity fits every word; these fit most of them".into());
            }
            // Better ones sort first, and equal ones by id: a cursor names a place in that.
            found.into_iter().map(|(score, id)| (format!("{:04}{id}", 1000 - score), id)).collect()
        }
    };
    hits.sort_unstable();
    let total = hits.len();
    hints.extend(strange_fields(&cache, &hits, &args.fields));
    let usual: Vec<String> = view::USUAL.iter().map(|field| (*field).to_owned()).collect();
    let fields = if args.fields.is_empty() { &usual } else { &args.fields };
    let rows = hits.into_iter().filter_map(|(key, id)| {
        let mut row = view::row(house, &cache, id, cache.get(id)?, fields);
        view::hide_members(&mut row, &cache, sight);
        Some((key, row))
    });
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    drop(cache);
    let mut answer = json!({ "entities": page.items, "total": total });
    if !hints.is_empty() {
        answer["hints"] = hints.into();
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}

/// Says which of the fields none of the entities has.
fn strange_fields(
    cache: &Cache,
    hits: &[(String, &Arc<str>)],
    fields: &[String],
) -> Option<String> {
    let entities = || hits.iter().filter_map(|(_, id)| cache.get(id));
    let is_strange = |field: &&String| {
        !view::FIELDS.contains(&field.as_str())
            && !entities().any(|entity| entity.attribute(field).is_some())
    };
    let field = fields.iter().filter(|_| !hits.is_empty()).find(is_strange)?;
    // A few hundred entities have every attribute that there is.
    let names: BTreeSet<String> = entities()
        .take(300)
        .flat_map(|entity| entity.attributes().into_iter().map(|a| a.0))
        .collect();
    let all = view::FIELDS.iter().copied().chain(names.iter().map(String::as_str));
    Some(format!(
        "none of these has the field '{}'{} Besides attributes, fields are: {}",
        clean(field, 60),
        match question(field, all) {
            none if none.is_empty() => ".".to_owned(),
            question => question,
        },
        view::FIELDS.join(", ")
    ))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GetArgs {
    #[serde(deserialize_with = "ids", alias = "entity_id", alias = "entities")]
    entity_ids: Vec<String>,
    /// Only these; [] for none
    attributes: Option<Vec<String>>,
    cursor: String,
    house: String,
}

/// The shape of what was read.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Got {
    entities: Vec<Row>,
    missing: Option<Vec<String>>,
    next: Option<String>,
}

pub(super) async fn get(home: Home, call: Call, args: GetArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let cache = house.known()?;
    let sight = home.sight(&call.caller);
    let mut wanted = args.entity_ids;
    wanted.sort_unstable();
    wanted.dedup();
    let (known, missing): (Vec<_>, Vec<_>) =
        wanted.iter().partition(|id| sight.get(&cache, id).is_some());
    if wanted.iter().all(String::is_empty) {
        return Err(Error::invalid(
            "entity_ids is missing: name one or more, like {\"entity_ids\": [\"light.kitchen\"]}; \
             home_find lists them",
        ));
    }
    if let (true, [one]) = (known.is_empty(), missing.as_slice()) {
        return Err(not_there(&cache, sight, one));
    }
    if known.is_empty() {
        let ids = missing.iter().take(5).map(|id| clean(id, 80)).collect::<Vec<_>>().join("', '");
        return Err(Error::not_found(format!("there is no entity '{ids}'; home_find lists them")));
    }
    let attributes = args.attributes.as_deref();
    let rows = known.into_iter().filter_map(|id| {
        let mut row = view::whole(house, &cache, id, sight.get(&cache, id)?, attributes);
        view::hide_members(&mut row, &cache, sight);
        if let Some(attributes) = row.get_mut("attributes") {
            text::shrink(attributes, BUDGET - 1024);
        }
        Some((id.clone(), row))
    });
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    drop(cache);
    let mut answer = json!({ "entities": page.items });
    if !missing.is_empty() {
        answer["missing"] = missing.iter().take(50).map(|id| clean(id, 80)).collect();
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(stamped(house, answer))
}
