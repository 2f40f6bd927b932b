//! The tool that looks back: states, statistics, logbook, energy.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::history::{self, When};
use crate::home::house::{House, now};
use crate::home::moment::{Toward, moment};
use crate::home::select::{Filter, Sight, Wanted, missing};
use crate::home::text::clean;
use crate::home::tools::{BUDGET, ids, set, stamped};
use crate::home::view::Row;
use crate::mcp::{self, Call};
use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of an entity unless the caller wants others.
const POINTS: u32 = 24;
/// At most so many.
const MOST_POINTS: u32 = 90;
/// At most so many entities in one part of an answer: more would not fit it.
const PART: usize = 25;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HistoryArgs {
    /// states (default), statistics (kept for years), energy, logbook
    kind: String,
    #[serde(deserialize_with = "ids", alias = "entity_id", alias = "entities")]
    entity_ids: Vec<String>,
    domain: String,
    area: String,
    floor: String,
    label: String,
    /// 7d, 2026-11-21, RFC 3339; else 24h
    start: String,
    /// Else now
    end: String,
    /// Rows per entity, else 24
    points: Option<u32>,
    /// statistics: 5minute, hour, day, week, month
    period: String,
    cursor: String,
    house: String,
}

/// The shape of what was.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Past {
    entities: Option<Vec<Value>>,
    events: Option<Vec<Value>>,
    next: Option<String>,
}

pub(super) async fn history(home: Home, call: Call, args: HistoryArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    drop(house.known()?);
    let when = when(house, &args)?;
    let sight = home.sight(&call.caller);
    let chosen = chosen(house, sight, &args)?;
    let answer = match args.kind.trim().to_lowercase().as_str() {
        "" | "states" | "history" => states(house, chosen, &args, when).await?,
        "statistics" => statistics(house, sight, chosen, &args, when).await?,
        "energy" => energy(house, sight, &args, when).await?,
        "logbook" => logbook(house, sight, chosen, &args, when).await?,
        other => {
            return Err(Error::invalid(format!(
                "'{}' is no kind of history; use states, statistics, energy or logbook",
                clean(other, 40)
            )));
        }
    };
    Ok(stamped(house, answer))
}

fn when(house: &House, args: &HistoryArgs) -> Result<When, Error> {
    // To whole seconds, and what happened in this one belongs to it.
    let (now, zone) = (now().ceil(), house.about().zone);
    let read = |text: &str, usual: &str| {
        let text = if text.trim().is_empty() { usual } else { text };
        moment(text, now, &zone, Toward::Past)
    };
    let to = read(&args.end, "now")?.min(now);
    let from = match args.start.trim().is_empty() {
        true => to - 86_400.0,
        false => read(&args.start, "24h")?,
    };
    if from >= to {
        return Err(Error::invalid(format!(
            "the time from {} to {} is none: start must be before end, and in the past",
            house.time(from),
            house.time(to)
        )));
    }
    let points = args.points.unwrap_or(POINTS).clamp(1, MOST_POINTS) as usize;
    Ok(When { from, to, points })
}

/// The entities that are named, or fit what is asked for, sorted; `None` when nothing is said.
fn chosen(
    house: &House,
    sight: Sight<'_>,
    args: &HistoryArgs,
) -> Result<Option<Vec<String>>, Error> {
    let cache = house.known()?;
    let mut ids: Vec<String> = args.entity_ids.clone();
    ids.retain(|id| !id.trim().is_empty());
    // Statistics of other sources are no entities: theirs is a name with a colon.
    let is_entity = |id: &&String| !id.contains(':');
    if let Some(id) = ids.iter().filter(is_entity).find(|id| sight.get(&cache, id).is_none()) {
        return Err(missing(&cache, sight, id));
    }
    let wanted = [&args.domain, &args.area, &args.floor, &args.label].map(|text| set(text));
    let [domain, area, floor, label] = wanted.each_ref().map(Option::as_deref);
    let is_filtered = wanted.iter().any(Option::is_some);
    if !ids.is_empty() || !is_filtered {
        ids.sort_unstable();
        ids.dedup();
        return Ok((!ids.is_empty()).then_some(ids));
    }
    let wanted = Wanted { domain, area, floor, label, ..Wanted::default() };
    let filter = Filter::read(&cache, sight, wanted, now())?;
    filter.strangers(&cache, sight)?;
    let fits = sight.iter(&cache).filter(|(id, entity)| filter.fits(id, entity));
    let ids: Vec<String> = fits.map(|(id, _)| id.to_string()).collect();
    match ids.is_empty() {
        true => Err(Error::not_found("no entity fits; home_find shows which there are")),
        false => Ok(Some(ids)),
    }
}

/// The ids that the next part of an answer is about.
fn part<'a>(all: &'a [String], cursor: &str) -> &'a [String] {
    let after = cursor.strip_prefix("after:").unwrap_or_default();
    let begin = all.partition_point(|id| id.as_str() <= after);
    &all[begin..all.len().min(begin + PART)]
}

async fn states(
    house: &House,
    chosen: Option<Vec<String>>,
    args: &HistoryArgs,
    when: When,
) -> Result<Value, Error> {
    let Some(all) = chosen else {
        return Err(Error::invalid(
            "whose history? give entity_ids, domain, area or label; kind=logbook tells of the whole \
             house",
        ));
    };
    let ids = part(&all, &args.cursor);
    let rows = history::states(house, ids, when).await?;
    whole_answer(house, rows, &all, args, when)
}

async fn statistics(
    house: &House,
    sight: Sight<'_>,
    chosen: Option<Vec<String>>,
    args: &HistoryArgs,
    when: When,
) -> Result<Value, Error> {
    let Some(all) = chosen else {
        let known = history::known(house, None).await?;
        let shown = known.iter().filter(|about| may_see(house, sight, &about.id));
        let rows: Vec<(String, Row)> = shown.map(|about| (about.id.clone(), about.row())).collect();
        let total = rows.len();
        let mut answer = paged("entities", rows, &args.cursor)?;
        answer["total"] = total.into();
        answer["hint"] = "these have statistics; give entity_ids to see them".into();
        return Ok(answer);
    };
    if let Some(id) = all.iter().find(|id| !may_see(house, sight, id)) {
        return Err(Error::not_found(format!("there are no statistics '{}'", clean(id, 80))));
    }
    let ids = part(&all, &args.cursor);
    let known = history::known(house, Some(ids)).await?;
    if known.is_empty() {
        return Err(Error::not_found(
            "none of these has statistics: they are kept for sensors with a state_class; \
             kind=statistics without entity_ids lists which have, kind=states shows any entity",
        ));
    }
    let without: Vec<&String> =
        ids.iter().filter(|id| !known.iter().any(|about| about.id == **id)).collect();
    let (period, rows) = history::statistics(house, &known, &args.period, when).await?;
    let mut answer = whole_answer(house, rows, &all, args, when)?;
    answer["period"] = period.into();
    if !without.is_empty() {
        answer["without_statistics"] = without.into_iter().map(|id| clean(id, 80)).collect();
    }
    Ok(answer)
}

async fn energy(
    house: &House,
    sight: Sight<'_>,
    args: &HistoryArgs,
    when: When,
) -> Result<Value, Error> {
    let mut roles = history::roles(house).await?;
    roles.retain(|id, _| may_see(house, sight, id));
    let all: Vec<String> = roles.keys().cloned().collect();
    let ids = part(&all, &args.cursor);
    let known = history::known(house, Some(ids)).await?;
    let (period, mut rows) = history::statistics(house, &known, &args.period, when).await?;
    for row in &mut rows {
        let role = row.get("id").and_then(Value::as_str).and_then(|id| roles.get(id)).cloned();
        row.insert("is".into(), role.into());
    }
    let mut answer = whole_answer(house, rows, &all, args, when)?;
    answer["period"] = period.into();
    let without: Vec<String> = ids
        .iter()
        .filter(|id| !known.iter().any(|about| about.id == **id))
        .map(|id| clean(id, 80))
        .collect();
    if !without.is_empty() {
        answer["without_statistics"] = without.into();
    }
    Ok(answer)
}

/// Whether somebody may see a statistic: as its entity, and all of them when nothing is hidden.
fn may_see(house: &House, sight: Sight<'_>, id: &str) -> bool {
    sight.is_open() || sight.get(&house.cache(), id).is_some()
}

async fn logbook(
    house: &House,
    sight: Sight<'_>,
    chosen: Option<Vec<String>>,
    args: &HistoryArgs,
    when: When,
) -> Result<Value, Error> {
    let own = || sight.iter(&house.cache()).map(|(id, _)| id.to_string()).collect();
    let ids: Option<Vec<String>> = match chosen {
        None if !sight.is_open() => Some(own()),
        chosen => chosen,
    };
    let rows = history::logbook(house, sight, ids.as_deref(), when).await?;
    let total = rows.len();
    let mut answer = paged("events", rows, &args.cursor)?;
    answer["total"] = total.into();
    answer["from"] = house.time(when.from).into();
    Ok(answer)
}

/// The rows that fit, and the way to those that do not, whether they were read or not.
fn whole_answer(
    house: &House,
    mut rows: Vec<Row>,
    all: &[String],
    args: &HistoryArgs,
    when: When,
) -> Result<Value, Error> {
    let mut thinned = false;
    for row in &mut rows {
        thinned |= thin(row);
    }
    let id = |row: &Row| row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let last_read = part(all, &args.cursor).last().cloned();
    let keyed = rows.into_iter().map(|row| (id(&row), row)).collect();
    let mut answer = paged("entities", keyed, &args.cursor)?;
    let is_more = last_read.as_ref().is_some_and(|last| all.last() != Some(last));
    if let (None, true, Some(last)) = (answer.get("next"), is_more, last_read) {
        answer["next"] = format!("after:{last}").into();
    }
    answer["from"] = house.time(when.from).into();
    answer["to"] = house.time(when.to).into();
    if thinned {
        answer["hint"] =
            "the oldest rows are left out to keep this small; ask for less time".into();
    }
    Ok(answer)
}

/// Leaves out the oldest rows until one entity fits an answer; whether it had to. Only rows of long
/// texts need it.
fn thin(row: &mut Row) -> bool {
    let mut thinned = false;
    while serde_json::to_vec(row).map_or(0, |json| json.len()) > BUDGET - 512 {
        match row.get_mut("rows") {
            Some(Value::Array(rows)) if rows.len() > 1 => drop(rows.drain(..rows.len() / 2)),
            _ => return thinned,
        }
        thinned = true;
    }
    thinned
}

fn paged(name: &str, rows: Vec<(String, Row)>, cursor: &str) -> Result<Value, Error> {
    let page = mcp::rows(rows, cursor, BUDGET)?;
    let mut answer = json!({ name: page.items });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}
