//! The houses over HTTP, for the page and for scripts: the same code and the same checks as the
//! tools, below `/api/home`.

use crate::error::Error;
use crate::home::changes::routes as changes;
use crate::home::find::Query as Wish;
use crate::home::house::{House, now};
use crate::home::select::{Filter, Sight, Wanted, missing};
use crate::home::text::clean;
use crate::home::{Home, view};
use crate::http::{Bytes, Extension, HeaderMap, Json, Path, Router, State, Uri, get, post, read};
use crate::mcp::{Toolbox, page};
use crate::policy::{Caller, Level};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A page of entities, in bytes, unless fewer are asked for.
const BUDGET: usize = 256 * 1024;
/// At most so many entities in one answer.
const MOST: usize = 5000;

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &[
    "/api/home/call",
    "/api/home/changes",
    "/api/home/changes/{id}/undo",
    "/api/home/entities",
    "/api/home/entities/{id}",
    "/api/home/houses",
];

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(home: &Home, toolbox: &Toolbox) -> Router {
    let acts = Router::new()
        .route("/api/home/call", post(call))
        .route("/api/home/changes/{id}/undo", post(changes::undo))
        .with_state(toolbox.clone());
    Router::new()
        .route("/api/home/houses", get(houses))
        .route("/api/home/entities", get(entities))
        .route("/api/home/entities/{id}", get(entity))
        .route("/api/home/changes", get(changes::list))
        .with_state(home.clone())
        .merge(acts)
}

type Who = Extension<Caller>;

async fn houses(State(home): State<Home>, Extension(caller): Who) -> Result<Json<Value>, Error> {
    home.policy().check(&caller, "home", Level::Read)?;
    let all: Vec<Value> =
        home.houses().iter().map(|house| about(house, home.sight(&caller))).collect();
    Ok(Json(json!({ "houses": all })))
}

fn about(house: &House, sight: Sight<'_>) -> Value {
    let about = house.about();
    let cache = house.cache();
    let registry = &cache.registry;
    let seen = registry.areas.values().filter(|area| sight.sees_area(&cache, &area.id));
    let areas = seen.map(|area| {
        let floor = area.floor.as_ref().and_then(|floor| registry.floors.get(floor));
        json!({
            "id": clean(&area.id, 100),
            "name": clean(&area.name, 100),
            "floor": floor.map(|floor| clean(&floor.name, 100)),
        })
    });
    let mut row = json!({
        "name": *house.name,
        "location": about.location,
        "version": about.version,
        "configured": house.is_configured(),
        "connected": house.is_fresh(),
        "entities": sight.iter(&cache).count(),
        "areas": areas.collect::<Vec<_>>(),
    });
    if let Some(since) = house.stale_since() {
        row["stale_since"] = since.into();
    }
    if !house.is_fresh() {
        row["why"] = house.link.away().to_string().into();
    }
    row
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    house: Option<String>,
    query: Option<String>,
    domain: Option<String>,
    area: Option<String>,
    floor: Option<String>,
    label: Option<String>,
    state: Option<String>,
    changed_within: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

async fn entities(
    State(home): State<Home>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    home.policy().check(&caller, "home", Level::Read)?;
    let asked: Asked = read::query(&uri)?;
    let house = home.house(asked.house.as_deref())?;
    let cache = house.known()?;
    let wanted = Wanted {
        domain: asked.domain.as_deref(),
        area: asked.area.as_deref(),
        floor: asked.floor.as_deref(),
        label: asked.label.as_deref(),
        state: asked.state.as_deref(),
        changed_within: asked.changed_within.as_deref(),
    };
    let sight = home.sight(&caller);
    let filter = Filter::read(&cache, sight, wanted, now())?;
    let wish = asked.query.as_deref().and_then(Wish::read);
    let hints = filter.strangers(&cache, sight)?;
    let fits = sight.iter(&cache).filter(|(id, entity)| filter.fits(id, entity));
    let mut found: Vec<&Arc<str>> = match wish {
        None => fits.map(|(id, _)| id).collect(),
        Some(wish) => wish.among(&cache, fits).0.into_iter().map(|(_, id)| id).collect(),
    };
    found.sort_unstable();
    let rows = found
        .into_iter()
        .filter_map(|id| Some(view::json(house, &cache, sight, id, cache.get(id)?)));
    let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
    let mut page = page(rows, id, asked.cursor.as_deref(), BUDGET)?;
    let most = asked.limit.unwrap_or(MOST).clamp(1, MOST);
    if page.items.len() > most {
        page.items.truncate(most);
        page.next = page.items.last().map(|row| format!("after:{}", id(row)));
    }
    drop(cache);
    let mut answer = json!({ "entities": page.items });
    if !hints.is_empty() {
        answer["hints"] = hints.into();
    }
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    if let Some(since) = house.stale_since() {
        answer["stale_since"] = since.into();
    }
    Ok(Json(answer))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Which {
    house: Option<String>,
}

async fn entity(
    State(home): State<Home>,
    Extension(caller): Who,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    home.policy().check(&caller, "home", Level::Read)?;
    let which: Which = read::query(&uri)?;
    let house = home.house(which.house.as_deref())?;
    let cache = house.known()?;
    let sight = home.sight(&caller);
    let entity = sight.get(&cache, &id).ok_or_else(|| missing(&cache, sight, &id))?;
    Ok(Json(view::json(house, &cache, sight, &id, entity)))
}

/// Calls a service: the arguments of `home_call` as a JSON object, under the rules of that tool.
async fn call(
    State(toolbox): State<Toolbox>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    toolbox.policy().check(&caller, "home", Level::Control)?;
    let example = r#"{"service": "light.turn_on", "target": {"area_id": "kitchen"}}"#;
    let args = read::object(&headers, &body, example)?;
    toolbox.value(caller, "home_call", args).await.map(Json)
}
