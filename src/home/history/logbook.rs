//! The logbook: what happened, and who or what caused it.

use crate::error::Error;
use crate::home::ask;
use crate::home::entities::Cache;
use crate::home::history::When;
use crate::home::history::recorder::{check_house, check_states};
use crate::home::house::House;
use crate::home::moment::utc;
use crate::home::select::Sight;
use crate::home::text::clean;
use crate::home::view::Row;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Said {
    when: f64,
    name: Option<String>,
    message: Option<String>,
    state: Option<String>,
    entity_id: Option<String>,
    domain: Option<String>,
    context_user_id: Option<String>,
    context_entity_id: Option<String>,
    context_entity_id_name: Option<String>,
    context_domain: Option<String>,
    context_service: Option<String>,
    context_event_type: Option<String>,
}

/// Returns what happened, the newest first, each with a key that sorts it. Without `ids` it is what
/// happened in the whole house; `sight` must be open then.
///
/// # Errors
/// Limit for too wide a question, and as [`ask::ask`].
pub(crate) async fn logbook(
    house: &House,
    sight: Sight<'_>,
    ids: Option<&[String]>,
    when: When,
) -> Result<Vec<(String, Row)>, Error> {
    let mut command = json!({
        "type": "logbook/get_events",
        "start_time": utc(when.from),
        "end_time": utc(when.to),
    });
    match ids {
        None => check_house(when.hours())?,
        Some(ids) => {
            check_states(ids.len(), when.hours())?;
            command["entity_ids"] = json!(ids);
        }
    }
    let answer = house.recorder.ask(house, &command).await?;
    let said: Vec<Said> = ask::read(&command, &answer)?;
    let cache = house.cache();
    let shown = said.iter().filter(|said| match &said.entity_id {
        Some(id) => sight.get(&cache, id).is_some() || (sight.is_open() && ids.is_none()),
        None => sight.is_open(),
    });
    let mut rows: Vec<(String, Row)> = shown
        .enumerate()
        .map(|(n, said)| (key(said.when, n), row(house, &cache, sight, said)))
        .collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

/// Sorts the newest first, and stays the same for one event while new ones come.
fn key(when: f64, n: usize) -> String {
    format!("{:017}-{:06}", 99_999_999_999_999_999_u64 - (when * 1e6) as u64, 999_999 - n)
}

fn row(house: &House, cache: &Cache, sight: Sight<'_>, said: &Said) -> Row {
    let mut row = Row::new();
    row.insert("at".into(), house.time(said.when).into());
    let mut put = |name: &str, text: Option<&str>, most: usize| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            row.insert(name.into(), clean(text, most).into());
        }
    };
    put("id", said.entity_id.as_deref(), 255);
    // The name of an entity is known by its id.
    let name = said.name.as_deref().filter(|_| said.entity_id.is_none());
    put("name", name.or(said.domain.as_deref().filter(|_| said.entity_id.is_none())), 100);
    put("state", said.state.as_deref(), 255);
    // It names what caused it, which not everybody may know of.
    put("message", said.message.as_deref().filter(|_| sight.is_open()), 300);
    put("by", cause(cache, sight, said).as_deref(), 200);
    row
}

/// Who or what caused it: a person, an automation, a service.
fn cause(cache: &Cache, sight: Sight<'_>, said: &Said) -> Option<String> {
    if let Some(id) = &said.context_entity_id {
        let entity = sight.get(cache, id)?;
        let name = said.context_entity_id_name.as_deref().or(entity.name.as_deref());
        return Some(match name {
            Some(name) => format!("{id} ({name})"),
            None => id.clone(),
        });
    }
    if let Some(user) = &said.context_user_id {
        let is_it = |value: Value| value.as_str() == Some(user);
        let mut people = sight.iter(cache).filter(|(id, _)| id.starts_with("person."));
        let person = people.find(|(_, p)| p.attribute("user_id").is_some_and(is_it));
        return Some(person.map_or("a user".into(), |(id, _)| id.to_string()));
    }
    let service = said.context_domain.as_deref().zip(said.context_service.as_deref());
    service
        .map(|(domain, service)| format!("{domain}.{service}"))
        .or_else(|| said.context_event_type.clone())
}
