//! Where something of a house is used: which configurations name it, and where in them.
//!
//! Reads every configuration that Home Assistant shows and looks for the exact id; what Home Assistant
//! itself relates to it besides is told apart. Fed by `home_refs` and by `rename`; changes nothing.

mod all;
mod helper;
mod mention;
mod object;

pub(crate) use all::{All, Entry, IN_YAML, Object};
pub(crate) use mention::{Mention, Needle, mentions, replaced, rewritten};
pub(crate) use object::{Place, read, write};

use crate::error::Error;
use crate::home::house::House;
use crate::home::select::{self, Sight};
use crate::home::text::clean;
use crate::home::{Home, ask};
use crate::policy::EntityScope;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any entity: a scene, a script and an automation too.
    Entity,
    /// A device.
    Device,
    /// An area.
    Area,
    /// A floor.
    Floor,
    /// A label.
    Label,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Entity, Kind::Device, Kind::Area, Kind::Floor, Kind::Label];

    /// Returns its word, Home Assistant's too.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Entity => "entity",
            Kind::Device => "device",
            Kind::Area => "area",
            Kind::Floor => "floor",
            Kind::Label => "label",
        }
    }
}

/// Something that can be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

/// Finds what a caller means by an id or a name; `kind` is a word of [`Kind`] or empty.
///
/// # Errors
/// Invalid for a kind that is none, NotFound.
pub(crate) fn thing(house: &House, kind: &str, wanted: &str) -> Result<Thing, Error> {
    let wanted = wanted.trim();
    if wanted.is_empty() {
        return Err(Error::invalid(
            "id must name an entity, a device, an area, a floor or a label",
        ));
    }
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|own| kind.is_empty() || own.word() == kind).collect();
    if kinds.is_empty() {
        let words = Kind::ALL.map(Kind::word).join(", ");
        return Err(Error::invalid(format!("kind '{}' must be one of {words}", clean(kind, 40))));
    }
    let cache = house.known()?;
    let registry = &cache.registry;
    // Only who may see everything asks what uses something.
    let open = EntityScope::default();
    let all = Sight { scope: &open, house: &open };
    let is = |name: Option<&str>| name.is_some_and(|n| n.eq_ignore_ascii_case(wanted));
    for kind in kinds {
        let id = match kind {
            // One that is gone may be named still.
            Kind::Entity => wanted.contains('.').then(|| wanted.to_ascii_lowercase()),
            Kind::Device => {
                let named = || registry.devices.values().find(|d| is(d.name().map(|n| &**n)));
                let own = registry.devices.get(wanted).or_else(named);
                own.map(|device| device.id.to_string())
            }
            Kind::Area => select::area(&cache, all, wanted).ok().map(|id| id.to_string()),
            Kind::Floor => {
                let named = || registry.floors.values().find(|floor| is(Some(&floor.name)));
                let own = registry.floors.get(wanted).or_else(named);
                own.map(|floor| floor.id.to_string())
            }
            Kind::Label => select::label(&cache, all, wanted).ok().map(|id| id.to_string()),
        };
        if let Some(id) = id {
            return Ok(Thing { kind, id });
        }
    }
    let what = if kind.is_empty() { "entity, device, area, floor or label" } else { kind };
    Err(Error::not_found(format!(
        "there is no {what} '{}'; home_find and home_overview list what there is",
        clean(wanted, 80)
    )))
}

/// One configuration that names it.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) object: Object,
    pub(crate) mentions: Vec<Mention>,
}

/// What was found.
pub(crate) struct Uses {
    /// Sorted by kind and id.
    pub(crate) uses: Vec<Use>,
    /// What Home Assistant relates to it and no configuration names directly.
    pub(crate) related: Vec<String>,
    pub(crate) unread: Vec<String>,
    /// The entry of the entity in the registry.
    pub(crate) entry: Option<Entry>,
    /// Every entity id in the registry.
    pub(crate) taken: BTreeSet<String>,
}

/// Finds where `thing` is used.
///
/// # Errors
/// Offline while the house is away, and what Home Assistant says.
pub(crate) async fn find(home: &Home, house: &House, thing: &Thing) -> Result<Uses, Error> {
    let All { objects, unread, entries } = all::read(home, house).await?;
    let entry = entries.iter().find(|entry| entry.entity_id == thing.id).cloned();
    let needles = needles(thing, entry.as_ref());
    let mut uses = Vec::new();
    for mut object in objects {
        if mentions(&object.content, &needles).is_empty() {
            continue;
        }
        settle(home, house, &mut object).await?;
        let mentions = mentions(&object.content, &needles);
        if !mentions.is_empty() {
            uses.push(Use { object, mentions });
        }
    }
    uses.sort_by(|a, b| (a.object.kind, &a.object.id).cmp(&(b.object.kind, &b.object.id)));
    let mut unread = unread;
    let related = match related(house, thing, &uses).await {
        Ok(related) => related,
        Err(e) if e.kind() == crate::error::Kind::Offline => return Err(e),
        // It adds to what was read; without it that is still true.
        Err(e) => {
            unread.push(format!("Home Assistant's own search: {e}"));
            Vec::new()
        }
    };
    let taken = entries.into_iter().map(|entry| entry.entity_id).collect();
    Ok(Uses { uses, related, unread, entry, taken })
}

/// Returns the templates that name a device or an area by its name: `automation.a: actions[0].if`.
///
/// # Errors
/// As [`find`].
pub(crate) async fn quoted(
    home: &Home,
    house: &House,
    kind: Kind,
    name: &str,
) -> Result<Vec<String>, Error> {
    let needle = [Needle::Below { stem: kind.word(), id: name.to_owned() }];
    let mut found = Vec::new();
    for object in all::read(home, house).await?.objects {
        let named = mentions(&object.content, &needle).into_iter();
        let named = named.filter(|mention| mention.text.contains('{'));
        found.extend(named.map(|mention| format!("{}: {}", object.id, mention.path)));
    }
    found.truncate(10);
    Ok(found)
}

fn needles(thing: &Thing, entry: Option<&Entry>) -> Vec<Needle> {
    let id = thing.id.clone();
    match thing.kind {
        Kind::Entity => {
            let mut all = vec![Needle::Word(id.clone())];
            all.extend(entry.map(|entry| Needle::Word(entry.id.clone())));
            let key = entry.and_then(|entry| entry.unique_id.as_str());
            if let Some(key) = key.filter(|_| id.starts_with("script.")) {
                all.push(Needle::Service(format!("script.{key}")));
            }
            all
        }
        Kind::Device => vec![Needle::Word(id)],
        kind => vec![Needle::Below { stem: kind.word(), id }],
    }
}

/// Reads an automation, script or scene from its file, where it can be edited.
async fn settle(home: &Home, house: &House, object: &mut Object) -> Result<(), Error> {
    let Ok(place) = &object.place else { return Ok(()) };
    if !matches!(place, Place::Automation(_) | Place::Script(_) | Place::Scene(_)) {
        return Ok(());
    }
    match read(home, house, place).await? {
        Some(content) => object.content = content,
        None => object.place = Err(IN_YAML),
    }
    Ok(())
}

/// Kinds of Home Assistant's search that use other things.
const USERS: &[&str] = &["automation", "script", "scene", "group", "person"];

async fn related(house: &House, thing: &Thing, uses: &[Use]) -> Result<Vec<String>, Error> {
    let command =
        json!({"type": "search/related", "item_type": thing.kind.word(), "item_id": thing.id});
    let found: Value = match ask::ask(house, &command).await {
        Ok(found) => found,
        // An older release does not search for floors and labels.
        Err(e) if e.kind() == crate::error::Kind::Invalid => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let known = |id: &str| id == thing.id || uses.iter().any(|one| one.object.id == id);
    let of = |kind: &str| found[kind].as_array().into_iter().flatten();
    let ids = USERS.iter().flat_map(|kind| of(kind)).filter_map(Value::as_str);
    let mut ids: Vec<String> = ids.filter(|id| !known(id)).map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
