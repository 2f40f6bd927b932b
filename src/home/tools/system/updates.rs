//! What could be updated, and what a new version brings.

use crate::error::Error;
use crate::home::ask;
use crate::home::entities::Entity;
use crate::home::house::House;
use crate::home::select::{Sight, domain, missing};
use crate::home::text::{self, clean};
use crate::home::tools::BUDGET;
use crate::home::view::Row;
use serde_json::{Value, json};

/// An update that has notes of its own says so by this bit.
const NOTES: u64 = 16;

/// Returns the updates that wait, of what may be seen.
pub(super) fn rows(house: &House, sight: Sight<'_>) -> Vec<Row> {
    let cache = house.cache();
    let waits = |id: &str, entity: &Entity| domain(id) == "update" && &*entity.state == "on";
    let waiting = sight.iter(&cache).filter(|(id, entity)| waits(id, entity));
    waiting.map(|(id, entity)| row(id, entity)).collect()
}

fn row(id: &str, entity: &Entity) -> Row {
    let attributes = entity.attributes();
    let mut row = Row::new();
    row.insert("id".into(), id.into());
    let fields = [
        ("title", "title", 100),
        ("installed_version", "installed", 60),
        ("latest_version", "latest", 60),
        ("release_summary", "summary", 300),
        ("release_url", "url", 300),
    ];
    if let Some(name) = &entity.name {
        row.insert("name".into(), clean(name, 100).into());
    }
    for (attribute, name, most) in fields {
        if let Some(text) = attributes.get(attribute).and_then(Value::as_str) {
            row.insert(name.into(), clean(text, most).into());
        }
    }
    if attributes.get("in_progress").is_some_and(|v| *v != false && !v.is_null()) {
        row.insert("in_progress".into(), true.into());
    }
    if has_notes(entity) {
        row.insert("has_notes".into(), true.into());
    }
    row
}

fn has_notes(entity: &Entity) -> bool {
    let features = entity.attribute("supported_features");
    features.and_then(|bits| bits.as_u64()).unwrap_or_default() & NOTES != 0
}

/// Returns what an update brings.
///
/// # Errors
/// NotFound for what is not there, Invalid for what is no update, and as [`ask::ask`].
pub(super) async fn notes(house: &House, sight: Sight<'_>, id: &str) -> Result<Value, Error> {
    let (row, has_notes) = {
        let cache = house.known()?;
        let entity = sight.get(&cache, id).ok_or_else(|| missing(&cache, sight, id))?;
        if domain(id) != "update" {
            return Err(Error::invalid(format!("{id} is no update")));
        }
        (row(id, entity), has_notes(entity))
    };
    let mut answer = json!({ "rows": [row] });
    if !has_notes {
        answer["hint"] = "it brings no notes of its own; its url may".into();
        return Ok(answer);
    }
    let command = json!({ "type": "update/release_notes", "entity_id": id });
    let notes: Option<String> = ask::ask(house, &command).await?;
    let mut notes = Value::from(notes.unwrap_or_default());
    if text::shrink(&mut notes, BUDGET - 1536) {
        answer["notes_cut"] = true.into();
    }
    let lines = notes.as_str().unwrap_or_default().lines().map(|line| clean(line, 2000));
    answer["notes"] = lines.collect::<Vec<_>>().join("\n").into();
    Ok(answer)
}
