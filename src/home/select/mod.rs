//! Which entities are meant: names of areas, floors and labels, filters, and the targets of a call.
//!
//! Pure. Everything here sees only what the caller's scope permits.

mod filter;
mod places;
mod target;

#[cfg(test)]
mod tests;

pub(crate) use filter::{Filter, Wanted, seconds};
pub(crate) use places::{area, areas_of_floor, label};
pub(crate) use target::{Target, expand};

use crate::error::Error;
use crate::home::entities::{Cache, Entity};
use crate::home::near::{FEW, MANY, listed, near, question};
use crate::home::text::clean;
use crate::policy::EntityScope;
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

/// Returns the error for an entity that is not there or may not be seen.
pub(crate) fn missing(cache: &Cache, sight: Sight<'_>, wanted: &str) -> Error {
    // Ids of a domain all begin alike, so that only what follows tells them apart.
    let own = format!("{}.", domain(wanted));
    let ids = sight.iter(cache).filter_map(|(id, _)| id.strip_prefix(&own));
    let likely = near(wanted.strip_prefix(&own).unwrap_or_default(), ids);
    let likely: Vec<String> = likely.into_iter().map(|name| format!("{own}{name}")).collect();
    let question = match likely.is_empty() {
        true => "; home_find lists them".to_owned(),
        false => format!("; did you mean {}? home_find lists all", likely.join(" or ")),
    };
    Error::not_found(format!("there is no entity '{}'{question}", clean(wanted, 80)))
}

/// Returns the domain of an entity id or service: what stands before the dot.
pub(crate) fn domain(id: &str) -> &str {
    id.split_once('.').map_or(id, |(domain, _)| domain)
}

/// Says what there is where `wanted` is not: `; did you mean a? There is: a, b`.
pub(crate) fn there(what: &str, wanted: &str, names: Vec<&str>) -> String {
    if names.is_empty() {
        return format!("; the house has no {what}");
    }
    let question = question(wanted, names.iter().copied());
    let most = if what == "state" { FEW } else { MANY };
    let listed = listed(names.into_iter(), most);
    match question.is_empty() {
        true => format!("; there is: {listed}"),
        false => format!("{question} There is: {listed}"),
    }
}
