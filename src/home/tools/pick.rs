//! One entity of a domain, by its id or its name, as people say it.

use crate::error::Error;
use crate::home::house::House;
use crate::home::near::{MANY, listed};
use crate::home::select::{Sight, domain, missing};
use crate::home::text::clean;

/// Returns the ids of a domain that may be seen, sorted.
pub(super) fn all(house: &House, sight: Sight<'_>, own: &str) -> Vec<String> {
    let cache = house.cache();
    let found = sight.iter(&cache).filter(|(id, _)| domain(id) == own);
    found.map(|(id, _)| id.to_string()).collect()
}

/// Returns the one entity of `own` that is meant: by id, the part after the dot, or name; without a
/// word the only one there is.
///
/// # Errors
/// Offline when the house was never reached, NotFound and Invalid with those there are.
pub(super) fn one(
    house: &House,
    sight: Sight<'_>,
    own: &str,
    wanted: &str,
) -> Result<String, Error> {
    let cache = house.known()?;
    let wanted = wanted.trim();
    let there = || {
        let names = sight.iter(&cache).filter(|(id, _)| domain(id) == own);
        listed(names.map(|(id, _)| &**id), MANY)
    };
    if wanted.is_empty() {
        let mut ids = sight.iter(&cache).filter(|(id, _)| domain(id) == own).map(|(id, _)| id);
        return match (ids.next(), ids.next()) {
            (Some(only), None) => Ok(only.to_string()),
            (None, _) => Err(Error::not_found(format!("the house has no {own}"))),
            _ => Err(Error::invalid(format!("which {own}? there is: {}", there()))),
        };
    }
    let id = wanted.to_lowercase();
    let whole = if id.contains('.') { id } else { format!("{own}.{}", id.replace(' ', "_")) };
    if domain(&whole) != own {
        let wanted = clean(wanted, 80);
        return Err(Error::invalid(format!("'{wanted}' is no {own}; there is: {}", there())));
    }
    if sight.get(&cache, &whole).is_some() {
        return Ok(whole);
    }
    let is_named = |name: &str| name.to_lowercase() == wanted.to_lowercase();
    let named = sight
        .iter(&cache)
        .find(|(id, e)| domain(id) == own && e.name.as_deref().is_some_and(is_named));
    match named {
        Some((id, _)) => Ok(id.to_string()),
        None => Err(missing(&cache, sight, &whole)),
    }
}
