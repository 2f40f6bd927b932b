//! The entities behind the target of a call, as Home Assistant would find them.

use crate::error::Error;
use crate::home::entities::{Aim, Cache, Entry};
use crate::home::near::{MANY, listed};
use crate::home::select::{Sight, area, areas_of_floor, domain, label, missing};
use crate::home::text::clean;
use std::collections::BTreeSet;
use std::sync::Arc;

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
    let fits = |id: &str| {
        let domains = cache.services.domains(service);
        domains.is_none_or(|all| all.iter().any(|own| **own == *domain(id)))
    };
    for wanted in &target.entities {
        if wanted == "all" {
            let all = sight.iter(cache).map(|(id, _)| id).filter(|id| in_domain(id));
            found.extend(all.cloned());
            continue;
        }
        // A group is not acted on, but its members.
        if domain(wanted) != "group" && sight.get(cache, wanted).is_some() && !fits(wanted) {
            return Err(unfit(cache, service, wanted));
        }
        let mut members = BTreeSet::new();
        add_entity(cache, sight, wanted, &mut members, 0)?;
        found.extend(members.into_iter().filter(|id| fits(id)));
    }
    if !target.is_wide() {
        return Ok(found.into_iter().collect());
    }
    let mut areas = BTreeSet::new();
    for wanted in &target.areas {
        areas.insert(area(cache, sight, wanted)?);
    }
    for wanted in &target.floors {
        areas.extend(areas_of_floor(cache, sight, wanted)?);
    }
    let mut labels = BTreeSet::new();
    for wanted in &target.labels {
        let label = label(cache, sight, wanted)?;
        let labelled = cache.registry.areas.values().filter(|a| a.labels.contains(&label));
        areas.extend(labelled.map(|area| area.id.clone()));
        labels.insert(label);
    }
    for device in &target.devices {
        let is_there = cache.registry.devices.contains_key(device.as_str());
        if !is_there || !sight.sees_device(cache, device) {
            let device = clean(device, 60);
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
    let missing = || missing(cache, sight, wanted);
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
    if let Some(domains) = cache.services.domains(service) {
        return domains.iter().any(|own| **own == *domain(id));
    }
    own == domain(id) || own == "homeassistant" || !cache.has_domain(own)
}

/// Returns the error for an entity that a service does not act on.
fn unfit(cache: &Cache, service: &str, id: &str) -> Error {
    let services = &cache.services;
    let (own, name) = (domain(id), service.split_once('.').map_or("", |(_, name)| name));
    let acts_on: Vec<&str> =
        services.domains(service).into_iter().flatten().map(|own| &**own).collect();
    let same = format!("{own}.{name}");
    let general = format!("homeassistant.{name}");
    // `homeassistant.turn_on` calls the `turn_on` of each domain: where there is none, as with locks,
    // it does nothing.
    let is_passed_on = ["turn_on", "turn_off", "toggle"].contains(&name);
    let instead = if services.aim(&same).is_some() {
        format!("; use {same}")
    } else if !is_passed_on && services.aim(&general).is_some_and(|aim| *aim == Aim::Anything) {
        format!("; use {general}")
    } else {
        match listed(services.of(own), MANY) {
            none if none.is_empty() => format!("; {own} has no services"),
            all => format!("; services of {own}: {all}"),
        }
    };
    Error::invalid(format!(
        "{service} acts on {} only, and '{}' is not{instead}",
        acts_on.join(", "),
        clean(id, 80)
    ))
}
