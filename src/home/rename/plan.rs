//! What a rename would write: from what is there now, nothing is written here.

use crate::error::Error;
use crate::home::Home;
use crate::home::house::House;
use crate::home::refs::{self, Kind, Needle, Place, Thing, Uses, mentions, replaced, rewritten};
use crate::home::rename::journal::Step;
use crate::home::select::domain;
use crate::home::text::clean;
use serde_json::json;

/// At most so many configurations change at once.
const MOST: usize = 500;
/// Longest friendly name.
const LONGEST_NAME: usize = 200;

/// What somebody wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// Entity id, or id or name of a device or an area.
    pub(crate) id: String,
    /// The new entity id; empty leaves it.
    pub(crate) to: String,
    /// The new name; empty leaves it.
    pub(crate) name: String,
}

/// What would be done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) name: Option<String>,
    pub(crate) steps: Vec<Step>,
    /// For each step, what changes: path, old text, new text.
    pub(crate) changes: Vec<Vec<[String; 3]>>,
    /// What names it and is not changed, and why.
    pub(crate) fixed: Vec<String>,
    pub(crate) hints: Vec<String>,
    /// The rename that this one takes back.
    pub(crate) undoes: Option<String>,
}

/// Plans a rename.
///
/// # Errors
/// Invalid for a new id that cannot be, NotFound, Conflict when the new id is taken or something
/// names a device or an area by its name, Offline, and what Home Assistant says.
pub(crate) async fn plan(home: &Home, house: &House, order: &Order) -> Result<Plan, Error> {
    let thing = refs::thing(house, "", &order.id)?;
    let name = order.name.trim();
    if name.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(format!("name must have at most {LONGEST_NAME} characters")));
    }
    match thing.kind {
        Kind::Entity => entity(home, house, &thing, order.to.trim(), name).await,
        Kind::Device | Kind::Area if order.to.trim().is_empty() && !name.is_empty() => {
            named(home, house, &thing, name).await
        }
        Kind::Device | Kind::Area => Err(Error::invalid(
            "a device or an area has no id to change: leave `to` out and give its new `name`",
        )),
        Kind::Floor | Kind::Label => {
            Err(Error::invalid("only entities, devices and areas can be renamed here"))
        }
    }
}

/// Plans a new id for an entity, and a new name unless `name` is empty.
///
/// # Errors
/// As [`plan`].
pub(super) async fn entity(
    home: &Home,
    house: &House,
    thing: &Thing,
    to: &str,
    name: &str,
) -> Result<Plan, Error> {
    let from = &thing.id;
    let to = if to.is_empty() { from.as_str() } else { to };
    if to == from && name.is_empty() {
        return Err(Error::invalid("give the new entity id as `to`, or the new `name`, or both"));
    }
    check_id(from, to)?;
    let found = refs::find(home, house, thing).await?;
    let Some(entry) = &found.entry else {
        let is_there = house.cache().get(from).is_some();
        let id = clean(from, 80);
        return Err(match is_there {
            true => Error::conflict(format!(
                "'{id}' has no entry in Home Assistant's registry (its integration gives it no \
                 unique id), so its id and name stand where it is made, mostly in YAML"
            )),
            false => Error::not_found(format!("there is no entity '{id}'; home_find lists them")),
        });
    };
    if to != from && (found.taken.contains(to) || house.cache().get(to).is_some()) {
        return Err(Error::conflict(format!(
            "there is an entity '{to}' already; choose another id"
        )));
    }
    let old = json!({"entity_id": from, "name": entry.name});
    let mut new = json!({"entity_id": to, "name": entry.name});
    let mut changes = Vec::new();
    if to != from {
        changes.push(["entity_id".to_owned(), from.clone(), to.to_owned()]);
    }
    if !name.is_empty() {
        new["name"] = name.into();
        let was = entry.name.clone().unwrap_or_default();
        changes.push(["name".to_owned(), was, name.to_owned()]);
    }
    let mut ids = vec![from.clone(), to.to_owned()];
    // In one order, there and back: a place is compared with another.
    ids.sort_unstable();
    ids.dedup();
    let place = Place::Entity { entry: entry.id.clone(), ids };
    let title = format!("entity {from}");
    let mut plan = Plan {
        from: from.clone(),
        to: to.to_owned(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        // First, because Home Assistant refuses this one rather than any other.
        steps: vec![Step { place, title, old, new }],
        changes: vec![changes],
        ..Plan::default()
    };
    if to != from {
        add_uses(&mut plan, found)?;
    }
    Ok(plan)
}

fn check_id(from: &str, to: &str) -> Result<(), Error> {
    let object = to.strip_prefix(&format!("{}.", domain(from)));
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_word = |o: &&str| {
        let edges = o.starts_with('_') || o.ends_with('_') || o.contains("__");
        !o.is_empty() && o.len() <= 200 && o.chars().all(good) && !edges
    };
    match object.filter(is_word) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!(
            "'{}' cannot be the new id of {from}: it must begin with '{}.' and go on with a-z, 0-9 \
             and single _",
            clean(to, 80),
            domain(from)
        ))),
    }
}

/// Adds every configuration that names the old id.
fn add_uses(plan: &mut Plan, found: Uses) -> Result<(), Error> {
    let (from, to) = (plan.from.clone(), plan.to.clone());
    let word = [Needle::Word(from.clone())];
    for used in found.uses {
        let object = used.object;
        let named = mentions(&object.content, &word);
        // By the id of its entry it is named whatever its entity id.
        if named.is_empty() {
            continue;
        }
        let title = format!("{} {}", object.kind, clean(&object.id, 100));
        let place = match object.place {
            Ok(place) => place,
            Err(why) => {
                plan.fixed.push(format!("{title}: {why}"));
                continue;
            }
        };
        if !mentions(&object.content, &[Needle::Word(to.clone())]).is_empty() {
            plan.hints.push(format!("{title} names {to} already, besides {from}"));
        }
        let new = rewritten(&object.content, &from, &to).map_err(|e| e.at(title.clone()))?;
        let change = |m: refs::Mention| [m.path, m.text.clone(), replaced(&m.text, &from, &to)];
        plan.changes.push(named.into_iter().map(change).collect());
        plan.steps.push(Step { place, title, old: object.content, new });
    }
    if plan.steps.len() > MOST {
        let count = plan.steps.len();
        return Err(Error::limit(format!("{count} configurations would change, more than {MOST}")));
    }
    plan.hints.extend(found.unread.into_iter().map(|what| format!("not read: {what}")));
    if !found.related.is_empty() {
        let names = found.related.join(", ");
        plan.hints
            .push(format!("Home Assistant relates these too, by device, area or label: {names}"));
    }
    Ok(())
}

/// A device or an area has only a name; templates may go by it.
async fn named(home: &Home, house: &House, thing: &Thing, name: &str) -> Result<Plan, Error> {
    let (place, field) = match thing.kind {
        Kind::Device => (Place::Device(thing.id.clone()), "name_by_user"),
        _ => (Place::Area(thing.id.clone()), "name"),
    };
    let Some(old) = refs::read(home, house, &place).await? else {
        return Err(Error::not_found(format!("there is no {} '{}'", thing.kind.word(), thing.id)));
    };
    let shown = {
        let cache = house.cache();
        let device = cache.registry.devices.get(&*thing.id).and_then(|device| device.name());
        let area = cache.registry.areas.get(&*thing.id).map(|area| &area.name);
        device.or(area).map(|name| name.to_string()).unwrap_or_default()
    };
    if shown == name {
        return Err(Error::invalid(format!("its name is '{}' already", clean(name, 80))));
    }
    let by_name = refs::quoted(home, house, thing.kind, &shown).await?;
    if !by_name.is_empty() {
        return Err(Error::conflict(format!(
            "templates go by the name '{}', and would find nothing any more: {}. Change these first",
            clean(&shown, 80),
            by_name.join("; ")
        )));
    }
    let new = json!({ field: name });
    let was = old[field].as_str().unwrap_or(&shown).to_owned();
    let title = format!("{} {}", thing.kind.word(), clean(&shown, 80));
    Ok(Plan {
        from: thing.id.clone(),
        to: thing.id.clone(),
        name: Some(name.to_owned()),
        steps: vec![Step { place, title, old, new }],
        changes: vec![vec![[field.to_owned(), was, name.to_owned()]]],
        ..Plan::default()
    })
}
