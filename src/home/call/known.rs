//! Whether the house has the service that is called, and whether it acts on what it is aimed at;
//! Home Assistant itself takes a call of the wrong kind without a word. Pure, but for [`meet`].

use crate::error::Error;
use crate::home::entities::Cache;
use crate::home::feed::read_services;
use crate::home::house::House;
use crate::home::near::{MANY, listed, near};
use crate::home::select::{Sight, Target, domain};
use crate::home::text::clean;
use std::collections::BTreeSet;

/// Services that act on nothing at all unless they are aimed at something.
const AIMED: &[&str] = &["homeassistant.turn_on", "homeassistant.turn_off", "homeassistant.toggle"];

/// Asks for the services once more when `service` is none of them: it may have come this moment.
pub(crate) async fn meet(house: &House, service: &str) {
    let is_missing = {
        let cache = house.cache();
        cache.services.are_known() && cache.services.aim(service).is_none()
    };
    if is_missing && let Err(e) = read_services(house).await {
        log::debug!("home '{}': the services were not read again: {e}", house.name);
    }
}

/// Checks that the house has the service, as far as that is known.
///
/// # Errors
/// NotFound: names what there is instead.
pub(super) fn check(cache: &Cache, sight: Sight<'_>, service: &str) -> Result<(), Error> {
    let services = &cache.services;
    // A script is a service of its own, and its name is not for everybody.
    let is_shown = |name: &&str| cache.get(name).is_none_or(|entity| sight.permits(name, entity));
    if !services.are_known() || (services.aim(service).is_some() && is_shown(&service)) {
        return Ok(());
    }
    let (own, name) = service.split_once('.').unwrap_or((service, ""));
    let what = format!("Home Assistant has no service '{}'", clean(service, 80));
    let siblings: Vec<&str> = services.of(own).filter(is_shown).collect();
    if !siblings.is_empty() {
        let names = siblings.iter().filter_map(|service| Some(service.split_once('.')?.1));
        let likely = near(name, names).into_iter().map(|name| format!("{own}.{name}")).collect();
        let (question, listed) = (asking(likely), listed(siblings.into_iter(), MANY));
        return Err(Error::not_found(format!("{what}{question}ervices of {own}: {listed}")));
    }
    let domains: BTreeSet<&str> = services.names().map(domain).collect();
    let likely = near(own, domains.iter().copied())
        .into_iter()
        .map(|own| format!("{own}.{name}"))
        .filter(|service| services.aim(service).is_some())
        .collect();
    let (question, own) = (asking(likely), clean(own, 60));
    let listed = listed(domains.into_iter(), MANY);
    Err(Error::not_found(format!("{what}, and none of '{own}'{question}ervices are of: {listed}")))
}

/// Asks whether one of these was meant, up to the first letter of what there is.
fn asking(likely: Vec<String>) -> String {
    match likely.is_empty() {
        true => "; s".to_owned(),
        false => format!("; did you mean {}? S", likely.join(" or ")),
    }
}

/// Checks that a service that acts on entities is aimed at some.
///
/// # Errors
/// Invalid: says what a target may be.
pub(super) fn check_aimed(cache: &Cache, service: &str, target: &Target) -> Result<(), Error> {
    let wants = AIMED.contains(&service) || cache.services.domains(service).is_some();
    if !wants || !cache.services.are_known() || !target.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{service} acts on nothing without a target; give one like {{\"entity_id\": \"{}.name\"}}, or \
         device_id, area_id, floor_id or label_id",
        cache.services.domains(service).and_then(<[_]>::first).map_or("light", |own| own)
    )))
}
