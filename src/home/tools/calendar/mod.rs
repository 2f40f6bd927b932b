//! The tool for calendars: what is in them, and what goes into them.

mod change;
mod event;

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::house::{House, now};
use crate::home::moment::{Toward, moment, utc};
use crate::home::rest;
use crate::home::text::clean;
use crate::home::tools::{BUDGET, pick, set, stamped};
use crate::mcp::{self, Call};
use crate::text::percent;
use event::Event;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest span that is listed, in seconds.
const LONGEST: f64 = 400.0 * 86_400.0;
/// Span unless the caller wants another.
const USUAL: &str = "7d";
/// At most so many calendars are asked for one answer.
const MOST_CALENDARS: usize = 20;
/// The events of one calendar may be so many bytes.
const MOST_BYTES: usize = 2 << 20;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CalendarArgs {
    /// Id or name; without: all
    #[serde(alias = "entity_id")]
    calendar: String,
    /// list (default), create, update, delete
    action: String,
    /// Date for all day, RFC 3339 or 2h ahead
    start: String,
    /// list: else 7d
    end: String,
    summary: String,
    description: String,
    location: String,
    uid: String,
    /// One of a series
    recurrence_id: String,
    /// Like FREQ=WEEKLY
    rrule: String,
    cursor: String,
    house: String,
}

/// The shape of events.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Events {
    events: Vec<Value>,
    next: Option<String>,
}

pub(super) async fn calendar(home: Home, call: Call, args: CalendarArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    drop(house.known()?);
    let answer = match args.action.trim() {
        "" | "list" => list(&home, house, &call, &args).await?,
        "create" => change::create(&home, house, &call, &args).await?,
        "update" => change::update(&home, house, &call, &args).await?,
        "delete" => change::delete(&home, house, &call, &args).await?,
        other => {
            return Err(Error::invalid(format!(
                "'{}' is no action; use list, create, update or delete",
                clean(other, 40)
            )));
        }
    };
    Ok(stamped(house, answer))
}

async fn list(
    home: &Home,
    house: &House,
    call: &Call,
    args: &CalendarArgs,
) -> Result<Value, Error> {
    let sight = home.sight(&call.caller);
    let calendars = match args.calendar.trim().is_empty() {
        true => pick::all(house, sight, "calendar"),
        false => vec![pick::one(house, sight, "calendar", &args.calendar)?],
    };
    let (now, zone) = (now().floor(), house.about().zone);
    let start = set(&args.start).unwrap_or_else(|| "now".into());
    let from = moment(&start, now, &zone, Toward::Future)?;
    let end = set(&args.end).unwrap_or_else(|| USUAL.into());
    let to = moment(&end, from, &zone, Toward::Future)?;
    if to <= from || to - from > LONGEST {
        return Err(Error::invalid(format!(
            "the time from {} to {} is none that is listed: end must be after start, and at most 400 \
             days later",
            house.time(from),
            house.time(to)
        )));
    }
    let (mut events, mut failed) = (Vec::new(), Vec::new());
    for id in calendars.iter().take(MOST_CALENDARS) {
        match between(home, house, id, from, to).await {
            Ok(own) => events.extend(own),
            // One calendar whose server is away must not hide the others.
            Err(e) if calendars.len() > 1 => failed.push(format!("{id}: {e}")),
            Err(e) => return Err(e),
        }
    }
    events.sort_by_cached_key(|event| event.key(&zone));
    let total = events.len();
    let rows = events.iter().map(|event| (event.key(&zone), event.row(house)));
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    let mut answer = json!({ "events": page.items, "total": total,
                             "from": house.time(from), "to": house.time(to) });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    if !failed.is_empty() {
        answer["failed"] = failed.into();
    }
    if calendars.len() > MOST_CALENDARS {
        answer["hint"] = format!("only the first {MOST_CALENDARS} calendars; name one").into();
    }
    Ok(answer)
}

/// Returns the events of a calendar. Only the REST interface tells their ids.
async fn between(
    home: &Home,
    house: &House,
    id: &str,
    from: f64,
    to: f64,
) -> Result<Vec<Event>, Error> {
    let [own, from, to] = [id, &utc(from), &utc(to)].map(percent);
    let path = format!("/api/calendars/{own}?start={from}&end={to}");
    let mut events: Vec<Event> = rest::get(home, house, &path, None, MOST_BYTES).await?.json()?;
    for event in &mut events {
        id.clone_into(&mut event.calendar);
    }
    Ok(events)
}
