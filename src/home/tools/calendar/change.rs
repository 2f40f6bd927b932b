//! What goes into a calendar, and out of it: each change under the rules of a call.
//!
//! These are commands and no services, so what `call` does for a service is done here: read-only, what
//! the calendar can, confirmation, audit. The event is read back before it is called done.

use crate::error::{Error, Kind};
use crate::home::confirm::Rules;
use crate::home::house::{House, now};
use crate::home::moment::{Toward, moment};
use crate::home::text::clean;
use crate::home::tools::calendar::event::{self, Event};
use crate::home::tools::calendar::{CalendarArgs, between};
use crate::home::tools::{pick, set};
use crate::home::{Home, ask};
use crate::mcp::Call;
use crate::policy::Outcome;
use serde_json::{Value, json};

/// What a calendar can, as bits of its supported features.
const CREATE: u64 = 1;
const DELETE: u64 = 2;
const UPDATE: u64 = 4;

/// Events are looked for so long before and after today, or around the start that is named.
const BEFORE: f64 = 31.0 * 86_400.0;
const AFTER: f64 = 366.0 * 86_400.0;

/// Creates an event.
///
/// # Errors
/// Invalid for one that lacks something, Refused, Conflict, and what Home Assistant says.
pub(super) async fn create(
    home: &Home,
    house: &House,
    call: &Call,
    args: &CalendarArgs,
) -> Result<Value, Error> {
    let id = able(home, house, call, args, CREATE, "create")?;
    let event = event::new(house, args)?;
    let command = json!({ "type": "calendar/event/create", "entity_id": id, "event": event });
    let target = format!("{id}: {event}");
    let before = around(home, house, &id, &event).await?;
    send(home, house, call, "calendar.create_event", &target, &command).await?;
    let after = around(home, house, &id, &event).await?;
    let is_new = |event: &&Event| !before.iter().any(|old| old.uid == event.uid);
    let made = after.iter().filter(is_new).take(1).map(|event| event.row(house));
    let made: Vec<_> = made.collect();
    let result = if made.is_empty() { "pending" } else { "verified" };
    Ok(json!({ "events": made, "result": result }))
}

/// Changes an event; what is not given stays.
///
/// # Errors
/// As [`create`]; NotFound when there is no such event.
pub(super) async fn update(
    home: &Home,
    house: &House,
    call: &Call,
    args: &CalendarArgs,
) -> Result<Value, Error> {
    let id = able(home, house, call, args, UPDATE, "update")?;
    let was = find(home, house, &id, args, None).await?;
    let one = set(&args.recurrence_id);
    // What is found is one of the series: written back as all of it, it would begin there.
    if was.recurs() && one.is_none() {
        return Err(Error::invalid(format!(
            "'{}' is a series; give recurrence_id to change one of it, or delete it and create it anew",
            clean(&was.summary, 100)
        )));
    }
    let mut event = was.changed(house, args)?;
    if let (Some(fields), true) = (event.as_object_mut(), one.is_some()) {
        fields.remove("rrule");
    }
    let mut command = json!({ "type": "calendar/event/update", "entity_id": id,
                              "uid": was.uid, "event": event });
    if let Some(one) = one {
        command["recurrence_id"] = one.into();
    }
    let target = format!("{id}: '{}' to {event}", was.summary);
    send(home, house, call, "calendar.update_event", &target, &command).await?;
    let at = event.get("dtstart").and_then(Value::as_str);
    let now = find(home, house, &id, args, at).await?;
    let is_done = event.get("summary").and_then(Value::as_str) == Some(&now.summary);
    let result = if is_done { "verified" } else { "pending" };
    Ok(json!({ "events": [now.row(house)], "result": result }))
}

/// Deletes an event; the person confirms it.
///
/// # Errors
/// As [`update`].
pub(super) async fn delete(
    home: &Home,
    house: &House,
    call: &Call,
    args: &CalendarArgs,
) -> Result<Value, Error> {
    let id = able(home, house, call, args, DELETE, "delete")?;
    let was = find(home, house, &id, args, None).await?;
    let mut command = json!({ "type": "calendar/event/delete", "entity_id": id, "uid": was.uid });
    let one = set(&args.recurrence_id);
    if let Some(one) = &one {
        command["recurrence_id"] = one.as_str().into();
    }
    let all = match (&was.recurrence_id, &one) {
        (Some(_), None) => " and all of its series",
        _ => "",
    };
    let uid = was.uid.as_deref().unwrap_or_default();
    let target = format!("'{}'{all} ({}) in {id}", clean(&was.summary, 100), clean(uid, 100));
    send(home, house, call, "calendar.delete_event", &target, &command).await?;
    let is_gone = match find(home, house, &id, args, None).await {
        Err(e) => e.kind() == Kind::NotFound,
        Ok(_) => false,
    };
    let result = if is_gone { "verified" } else { "pending" };
    Ok(json!({ "events": [], "deleted": was.row(house), "result": result }))
}

/// Returns the calendar that is meant, when it can do this and its houses may be changed.
fn able(
    home: &Home,
    house: &House,
    call: &Call,
    args: &CalendarArgs,
    bit: u64,
    word: &str,
) -> Result<String, Error> {
    if home.config().read_only {
        return Err(Error::refused("the houses are set to read-only (home.read_only)"));
    }
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    let sight = home.sight(&call.caller);
    let id = pick::one(house, sight, "calendar", &args.calendar)?;
    let features = house.cache().get(&id).and_then(|e| e.attribute("supported_features"));
    if features.and_then(|bits| bits.as_u64()).unwrap_or_default() & bit == 0 {
        return Err(Error::invalid(format!(
            "{id} cannot {word} events: its integration in Home Assistant does not let it; a Local \
             Calendar can"
        )));
    }
    Ok(id)
}

async fn send(
    home: &Home,
    house: &House,
    call: &Call,
    action: &str,
    target: &str,
    command: &Value,
) -> Result<(), Error> {
    let id = command.get("entity_id").and_then(Value::as_str).unwrap_or_default();
    let target = format!("{}: {}", house.name, clean(target, 400));
    if Rules::new(home.config()).asks_for_entity(action, id, None) {
        home.policy().confirm(&call.caller, action, &target, call.confirm.as_deref())?;
    }
    let result = ask::text(house, command).await;
    let (outcome, reason) = match &result {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(&call.caller, action, &target, outcome, reason.as_deref());
    result.map(drop)
}

/// The events on the days around a new one.
async fn around(home: &Home, house: &House, id: &str, event: &Value) -> Result<Vec<Event>, Error> {
    let start = event.get("dtstart").and_then(Value::as_str).unwrap_or_default();
    let at = moment(start, now(), &house.about().zone, Toward::Future)?;
    between(home, house, id, at - 86_400.0, at + 2.0 * 86_400.0).await
}

/// Finds the event with the uid, near `at` or the start that is named, else around today.
async fn find(
    home: &Home,
    house: &House,
    id: &str,
    args: &CalendarArgs,
    at: Option<&str>,
) -> Result<Event, Error> {
    let Some(uid) = set(&args.uid) else {
        return Err(Error::invalid("which event? give its uid; list shows it"));
    };
    let zone = house.about().zone;
    let middle = match at {
        Some(text) => moment(text, now(), &zone, Toward::Future)?,
        None => now(),
    };
    let all = between(home, house, id, middle - BEFORE, middle + AFTER).await?;
    let is_it = |event: &&Event| {
        let one = set(&args.recurrence_id);
        event.uid.as_deref() == Some(uid.trim()) && (one.is_none() || event.recurrence_id == one)
    };
    all.into_iter().find(|event| is_it(&event)).ok_or_else(|| {
        Error::not_found(format!(
            "{id} has no event with the uid '{}' from a month ago to a year ahead",
            clean(&uid, 100)
        ))
    })
}
