//! Whether the houses have what somebody filters events by or limits a token to. Decides from the cache.

use crate::error::Error;
use crate::home::Home;
use crate::home::select::{domain, there};
use crate::home::text::clean;
use crate::policy::Caller;
use std::collections::BTreeSet;

/// Checks a value that is a `house`, an `area`, a `label` or a `domain`. While a house was never
/// reached nobody knows what is in it, and everything passes.
///
/// # Errors
/// NotFound: lists what there is, as far as `caller` may know.
pub(super) fn check(home: &Home, caller: &Caller, filter: &str, value: &str) -> Result<(), Error> {
    if filter == "house" {
        return home.house(Some(value)).map(|_| ());
    }
    if home.houses().iter().any(|house| !house.was_connected()) {
        return Ok(());
    }
    let sight = home.sight(caller);
    let mut all: BTreeSet<String> = BTreeSet::new();
    for house in home.houses() {
        let cache = house.cache();
        match filter {
            "area" => {
                let areas = cache.registry.areas.keys();
                let seen = areas.filter(|id| sight.sees_area(&cache, id));
                all.extend(seen.map(|id| id.to_string()));
            }
            "label" => {
                let labels = cache.registry.labels.keys();
                let seen = labels.filter(|id| sight.sees_label(&cache, id));
                all.extend(seen.map(|id| id.to_string()));
            }
            "domain" => {
                all.extend(sight.iter(&cache).map(|(id, _)| domain(id).to_owned()));
                // One whose first entity may still come.
                all.extend(cache.services.names().map(|service| domain(service).to_owned()));
            }
            _ => return Ok(()),
        }
    }
    if all.contains(value) {
        return Ok(());
    }
    let what = match filter {
        "area" => "area id",
        "label" => "label id",
        filter => filter,
    };
    let known = there(what, value, all.iter().map(String::as_str).collect());
    Err(Error::not_found(format!("there is no {what} '{}'{known}", clean(value, 60))))
}
