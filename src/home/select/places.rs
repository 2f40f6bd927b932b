//! Areas, floors, labels and devices by id or name, as far as somebody may know of them. Pure.
//!
//! A token for one room is not told the names of the others, not even by a message about a name that
//! is not there: what is outside its share does not exist.

use crate::error::Error;
use crate::home::entities::{Area, Cache};
use crate::home::select::{Sight, there};
use crate::home::text::clean;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Sight<'_> {
    /// Whether chosen entities are seen, and not just all but some. Who sees all but some knows every
    /// area.
    pub(crate) fn is_narrow(&self) -> bool {
        let scope = self.scope;
        scope.exposed_only || !scope.areas.is_empty() || !scope.labels.is_empty()
    }

    /// Whether an area may be known: one that the token names, or with something in it to be seen.
    pub(crate) fn sees_area(&self, cache: &Cache, id: &str) -> bool {
        !self.is_narrow()
            || self.scope.areas.iter().any(|own| own == id)
            || self.iter(cache).any(|(_, entity)| entity.area.as_deref() == Some(id))
    }

    /// Whether a floor may be known: one with an area that may.
    pub(crate) fn sees_floor(&self, cache: &Cache, id: &str) -> bool {
        let on_it = |area: &&Area| area.floor.as_deref() == Some(id);
        let mut areas = cache.registry.areas.values().filter(on_it);
        !self.is_narrow() || areas.any(|area| self.sees_area(cache, &area.id))
    }

    /// Whether a label may be known: one that the token names, or of something that may be seen.
    pub(crate) fn sees_label(&self, cache: &Cache, id: &str) -> bool {
        let has = |labels: &[Arc<str>]| labels.iter().any(|label| **label == *id);
        !self.is_narrow()
            || self.scope.labels.iter().any(|own| own == id)
            || self.iter(cache).any(|(_, entity)| has(&entity.labels))
    }

    /// Whether a device may be known: one with a part that may be seen.
    pub(crate) fn sees_device(&self, cache: &Cache, id: &str) -> bool {
        let entries = cache.registry.entries.iter();
        let mut parts = entries.filter(|(_, entry)| entry.device.as_deref() == Some(id));
        !self.is_narrow() || parts.any(|(entity, _)| self.get(cache, entity).is_some())
    }
}

/// Finds an area by id, name or alias.
///
/// # Errors
/// NotFound: lists the areas there are.
pub(crate) fn area(cache: &Cache, sight: Sight<'_>, wanted: &str) -> Result<Arc<str>, Error> {
    let all = &cache.registry.areas;
    let named = |area: &&Area| {
        same(&area.name, wanted) || area.aliases.iter().any(|alias| same(alias, wanted))
    };
    let mut found = all.get(wanted).into_iter().chain(all.values().filter(named));
    let seen = |id: &str| sight.sees_area(cache, id);
    found.find(|area| seen(&area.id)).map(|area| area.id.clone()).ok_or_else(|| {
        let names = all.values().filter(|area| seen(&area.id)).map(|area| &area.name);
        unknown("area", wanted, names)
    })
}

/// Finds a floor by id, name or alias, and returns the ids of its areas.
///
/// # Errors
/// NotFound: lists the floors there are.
pub(crate) fn areas_of_floor(
    cache: &Cache,
    sight: Sight<'_>,
    wanted: &str,
) -> Result<BTreeSet<Arc<str>>, Error> {
    let seen = |id: &str| sight.sees_floor(cache, id);
    let all = &cache.registry.floors;
    let named = all.values().filter(|floor| {
        same(&floor.name, wanted) || floor.aliases.iter().any(|alias| same(alias, wanted))
    });
    let mut found = all.get(wanted).into_iter().chain(named);
    let floor = found.find(|floor| seen(&floor.id)).ok_or_else(|| {
        let names = all.values().filter(|floor| seen(&floor.id)).map(|floor| &floor.name);
        unknown("floor", wanted, names)
    })?;
    let areas = cache.registry.areas.values();
    Ok(areas.filter(|a| a.floor.as_ref() == Some(&floor.id)).map(|a| a.id.clone()).collect())
}

/// Finds a label by id or name.
///
/// # Errors
/// NotFound: lists the labels there are.
pub(crate) fn label(cache: &Cache, sight: Sight<'_>, wanted: &str) -> Result<Arc<str>, Error> {
    let all = &cache.registry.labels;
    let named = all.values().filter(|label| same(&label.name, wanted));
    let mut found = all.get(wanted).into_iter().chain(named);
    let seen = |id: &str| sight.sees_label(cache, id);
    found.find(|label| seen(&label.id)).map(|label| label.id.clone()).ok_or_else(|| {
        let names = all.values().filter(|label| seen(&label.id)).map(|label| &label.name);
        unknown("label", wanted, names)
    })
}

fn same(name: &str, wanted: &str) -> bool {
    name.trim().to_lowercase() == wanted.trim().to_lowercase()
}

fn unknown<'a>(what: &str, wanted: &str, names: impl Iterator<Item = &'a Arc<str>>) -> Error {
    let names: Vec<&str> = names.map(|name| &**name).collect();
    Error::not_found(format!(
        "there is no {what} '{}'{}",
        clean(wanted, 60),
        there(what, wanted, names)
    ))
}
