//! Which entities are meant: names of areas, floors and labels, filters, and the targets of a call.
//!
//! Pure. Everything here sees only what the caller's scope permits.

use crate::error::Error;
use crate::home::entities::{Cache, Entity, Entry};
use crate::policy::EntityScope;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What somebody may see of a house: the caller's scope and the house's own list.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) scope: &'a EntityScope,
    pub(crate) house: &'a EntityScope,
}

impl Sight<'_> {
    /// Whether this entity may be seen and used.
    pub(crate) fn permits(&self, id: &str, entity: &Entity) -> bool {
        self.scope.permits(entity.facts(id)) && self.house.permits(entity.facts(id))
    }

    /// Whether nothing is hidden.
    pub(crate) fn is_open(&self) -> bool {
        self.scope.is_open() && self.house.is_open()
    }

    /// Returns an entity if it may be seen.
    pub(crate) fn get<'c>(&self, cache: &'c Cache, id: &str) -> Option<&'c Entity> {
        cache.get(id).filter(|entity| self.permits(id, entity))
    }

    /// Returns every entity that may be seen, in the order of the ids.
    pub(crate) fn iter<'c>(
        &'c self,
        cache: &'c Cache,
    ) -> impl Iterator<Item = (&'c Arc<str>, &'c Entity)> {
        cache.iter().filter(|(id, entity)| self.permits(id, entity))
    }
}

/// Returns the domain of an entity id or service: what stands before the dot.
pub(crate) fn domain(id: &str) -> &str {
    id.split_once('.').map_or(id, |(domain, _)| domain)
}

/// What an entity must be like.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    domains: Vec<String>,
    area: Option<Arc<str>>,
    /// The areas of the floor that is asked for.
    floor: Option<BTreeSet<Arc<str>>>,
    label: Option<Arc<str>>,
    state: Option<StateTest>,
    changed_after: Option<f64>,
}

/// A filter as a caller writes it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) domain: Option<&'a str>,
    pub(crate) area: Option<&'a str>,
    pub(crate) floor: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) changed_within: Option<&'a str>,
}

impl Filter {
    /// Reads what a caller wrote; `now` is seconds since 1970.
    ///
    /// # Errors
    /// NotFound for an area, floor or label that is not there, Invalid for a time that is none.
    pub(crate) fn read(cache: &Cache, wanted: Wanted<'_>, now: f64) -> Result<Filter, Error> {
        let list = |text: &str| -> Vec<String> {
            text.split(',')
                .map(|item| item.trim().to_lowercase())
                .filter(|d| !d.is_empty())
                .collect()
        };
        let changed_after = match wanted.changed_within {
            Some(text) => Some(now - seconds(text)?),
            None => None,
        };
        Ok(Filter {
            domains: wanted.domain.map(list).unwrap_or_default(),
            area: wanted.area.map(|name| area(cache, name)).transpose()?,
            floor: wanted.floor.map(|name| areas_of_floor(cache, name)).transpose()?,
            label: wanted.label.map(|name| label(cache, name)).transpose()?,
            state: wanted.state.map(StateTest::read),
            changed_after,
        })
    }

    /// Whether an entity is like that.
    pub(crate) fn fits(&self, id: &str, entity: &Entity) -> bool {
        self.fits_place(id, entity)
            && self.state.as_ref().is_none_or(|test| test.fits(&entity.state))
            && self.changed_after.is_none_or(|after| entity.changed >= after)
    }

    /// Whether an entity is where it should be, whatever its state.
    pub(crate) fn fits_place(&self, id: &str, entity: &Entity) -> bool {
        let in_domain = self.domains.is_empty() || self.domains.iter().any(|d| d == domain(id));
        let in_area = self.area.is_none() || self.area == entity.area;
        let on_floor = self
            .floor
            .as_ref()
            .is_none_or(|areas| entity.area.as_ref().is_some_and(|area| areas.contains(area)));
        let labelled = self.label.as_ref().is_none_or(|label| entity.labels.contains(label));
        in_domain && in_area && on_floor && labelled
    }

    /// Whether a state is the one asked for.
    pub(crate) fn fits_state(&self, state: &str) -> bool {
        self.state.as_ref().is_none_or(|test| test.fits(state))
    }

    /// Whether a state is asked for at all.
    pub(crate) fn wants_state(&self) -> bool {
        self.state.is_some()
    }
}

/// What a state must be: `on`, `on,open`, `!off`, `>20`, `<=5`.
#[derive(Debug, PartialEq)]
pub(crate) enum StateTest {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Number(Compare, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl StateTest {
    /// Reads a test; what is no comparison is a list of states.
    pub(crate) fn read(text: &str) -> StateTest {
        let text = text.trim();
        let forms = [
            ("<=", Compare::AtMost),
            (">=", Compare::AtLeast),
            ("<", Compare::Less),
            (">", Compare::More),
        ];
        for (sign, compare) in forms {
            let number = text.strip_prefix(sign).and_then(|rest| rest.trim().parse().ok());
            if let Some(number) = number {
                return StateTest::Number(compare, number);
            }
        }
        let list = |text: &str| text.split(',').map(|s| s.trim().to_lowercase()).collect();
        match text.strip_prefix('!') {
            Some(rest) => StateTest::NoneOf(list(rest)),
            None => StateTest::OneOf(list(text)),
        }
    }

    /// Whether `state` passes.
    pub(crate) fn fits(&self, state: &str) -> bool {
        let is = |wanted: &String| state.to_lowercase() == *wanted;
        match self {
            StateTest::OneOf(list) => list.iter().any(is),
            StateTest::NoneOf(list) => !list.iter().any(is),
            StateTest::Number(compare, wanted) => match (state.parse::<f64>(), compare) {
                (Ok(number), Compare::Less) => number < *wanted,
                (Ok(number), Compare::AtMost) => number <= *wanted,
                (Ok(number), Compare::More) => number > *wanted,
                (Ok(number), Compare::AtLeast) => number >= *wanted,
                (Err(_), _) => false,
            },
        }
    }
}

/// Reads `90`, `90s`, `30m`, `2h` or `1d` as seconds.
///
/// # Errors
/// Invalid when it is none of these.
pub(crate) fn seconds(text: &str) -> Result<f64, Error> {
    let text = text.trim();
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => f64::NAN,
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 && (number * unit).is_finite() => Ok(number * unit),
        _ => Err(Error::invalid(format!(
            "'{}' is no span of time; write 90s, 30m, 2h or 1d",
            text.chars().take(30).collect::<String>()
        ))),
    }
}

/// Finds an area by id, name or alias.
///
/// # Errors
/// NotFound: lists the areas there are.
pub(crate) fn area(cache: &Cache, wanted: &str) -> Result<Arc<str>, Error> {
    let all = &cache.registry.areas;
    let found = all.get(wanted).or_else(|| {
        let named = |area: &&crate::home::entities::Area| {
            same(&area.name, wanted) || area.aliases.iter().any(|alias| same(alias, wanted))
        };
        all.values().find(named)
    });
    let names = all.values().map(|area| &area.name);
    found.map(|area| area.id.clone()).ok_or_else(|| unknown("area", wanted, names))
}

/// Finds a floor by id, name or alias, and returns the ids of its areas.
///
/// # Errors
/// NotFound: lists the floors there are.
pub(crate) fn areas_of_floor(cache: &Cache, wanted: &str) -> Result<BTreeSet<Arc<str>>, Error> {
    let all = &cache.registry.floors;
    let found = all.get(wanted).or_else(|| {
        all.values().find(|floor| {
            same(&floor.name, wanted) || floor.aliases.iter().any(|alias| same(alias, wanted))
        })
    });
    let names = all.values().map(|floor| &floor.name);
    let floor = found.ok_or_else(|| unknown("floor", wanted, names))?;
    let areas = cache.registry.areas.values();
    Ok(areas.filter(|a| a.floor.as_ref() == Some(&floor.id)).map(|a| a.id.clone()).collect())
}

/// Finds a label by id or name.
///
/// # Errors
/// NotFound: lists the labels there are.
pub(crate) fn label(cache: &Cache, wanted: &str) -> Result<Arc<str>, Error> {
    let all = &cache.registry.labels;
    let found = all.get(wanted).or_else(|| all.values().find(|label| same(&label.name, wanted)));
    let names = all.values().map(|label| &label.name);
    found.map(|label| label.id.clone()).ok_or_else(|| unknown("label", wanted, names))
}

fn same(name: &str, wanted: &str) -> bool {
    name.trim().to_lowercase() == wanted.trim().to_lowercase()
}

fn unknown<'a>(what: &str, wanted: &str, names: impl Iterator<Item = &'a Arc<str>>) -> Error {
    let names: Vec<String> =
        names.take(30).map(|name| crate::home::text::clean(name, 40)).collect();
    let wanted = crate::home::text::clean(wanted, 60);
    let there = match names.is_empty() {
        true => format!("the house has no {what}"),
        false => format!("there is: {}", names.join(", ")),
    };
    Error::not_found(format!("there is no {what} '{wanted}'; {there}"))
}

/// What a call is aimed at, as a caller writes it; each list holds ids or names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) entities: Vec<String>,
    pub(crate) devices: Vec<String>,
    pub(crate) areas: Vec<String>,
    pub(crate) floors: Vec<String>,
    pub(crate) labels: Vec<String>,
}

impl Target {
    /// Whether it names nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.entities.is_empty() && !self.is_wide()
    }

    /// Whether it names more than single entities.
    fn is_wide(&self) -> bool {
        !(self.devices.is_empty()
            && self.areas.is_empty()
            && self.floors.is_empty()
            && self.labels.is_empty())
    }
}

/// Returns the entities that a call of `service` (`domain.name`) on `target` touches, sorted, each
/// permitted. Entities named one by one must exist; areas, floors, devices and labels stand for the
/// entities in them as in Home Assistant: of the service's domain, not hidden, not for diagnosis.
///
/// # Errors
/// NotFound for anything named that is not there or may not be seen.
pub(crate) fn expand(
    cache: &Cache,
    sight: Sight<'_>,
    service: &str,
    target: &Target,
) -> Result<Vec<Arc<str>>, Error> {
    let mut found = BTreeSet::new();
    let in_domain = |id: &str| acts_on(cache, service, id);
    for wanted in &target.entities {
        if wanted == "all" {
            let all = sight.iter(cache).map(|(id, _)| id).filter(|id| in_domain(id));
            found.extend(all.cloned());
            continue;
        }
        add_entity(cache, sight, wanted, &mut found, 0)?;
    }
    if !target.is_wide() {
        return Ok(found.into_iter().collect());
    }
    let mut areas = BTreeSet::new();
    for wanted in &target.areas {
        areas.insert(area(cache, wanted)?);
    }
    for wanted in &target.floors {
        areas.extend(areas_of_floor(cache, wanted)?);
    }
    let mut labels = BTreeSet::new();
    for wanted in &target.labels {
        let label = label(cache, wanted)?;
        let labelled = cache.registry.areas.values().filter(|a| a.labels.contains(&label));
        areas.extend(labelled.map(|area| area.id.clone()));
        labels.insert(label);
    }
    for device in &target.devices {
        if !cache.registry.devices.contains_key(device.as_str()) {
            let device = crate::home::text::clean(device, 60);
            return Err(Error::not_found(format!("there is no device '{device}'")));
        }
    }
    for (id, entity) in sight.iter(cache).filter(|(id, _)| in_domain(id)) {
        let entry = cache.registry.entries.get(id);
        let is_primary = !entry.is_some_and(Entry::is_secondary);
        let in_area = entity.area.as_ref().is_some_and(|area| areas.contains(area));
        let on_device = entry
            .and_then(|entry| entry.device.as_deref())
            .is_some_and(|device| target.devices.iter().any(|wanted| wanted == device));
        let is_labelled = !entry.is_some_and(Entry::is_hidden)
            && entity.labels.iter().any(|label| labels.contains(label));
        if is_labelled || (is_primary && (in_area || on_device)) {
            found.insert(id.clone());
        }
    }
    Ok(found.into_iter().collect())
}

/// Adds one entity, or the members of an old-style group, which Home Assistant replaces by them.
fn add_entity(
    cache: &Cache,
    sight: Sight<'_>,
    wanted: &str,
    found: &mut BTreeSet<Arc<str>>,
    depth: usize,
) -> Result<(), Error> {
    let missing = || {
        let id = crate::home::text::clean(wanted, 80);
        Error::not_found(format!("there is no entity '{id}'; home_find lists them"))
    };
    let (id, entity) = cache.key_value(wanted).ok_or_else(missing)?;
    if !sight.permits(id, entity) {
        return Err(missing());
    }
    if domain(id) != "group" {
        found.insert(id.clone());
        return Ok(());
    }
    if depth < 8 {
        for member in entity.members() {
            add_entity(cache, sight, &member, found, depth + 1)?;
        }
    }
    Ok(())
}

/// Whether a service acts on an entity of this id when a whole area is meant. Services that belong
/// to no domain of entities (`homeassistant`, integrations) act on all.
fn acts_on(cache: &Cache, service: &str, id: &str) -> bool {
    let own = domain(service);
    own == domain(id) || own == "homeassistant" || !cache.has_domain(own)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
