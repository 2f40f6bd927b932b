//! Which entities a configuration speaks of, whether a caller may see and use them, and what in it a
//! person must agree to. Decides from the cache; calls nothing.

use crate::error::Error;
use crate::home::Home;
use crate::home::confirm::Rules;
use crate::home::entities::Cache;
use crate::home::house::House;
use crate::home::select::Sight;
use crate::home::settings::access::Object;
use crate::home::settings::kinds::{Kind, Way};
use crate::home::text::clean;
use crate::policy::{Caller, EntityFacts, Level};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Values of a target that stand for entities which are not named.
const WIDE: &[&str] = &["area_id", "device_id", "floor_id", "label_id"];

/// Returns the entities that a configuration names anywhere, in templates and as keys too.
pub(crate) fn mentioned(cache: &Cache, value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let in_text = |text: &str, found: &mut BTreeSet<String>| {
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
        for word in text.split(is_end) {
            let id = word.trim_matches('.');
            if id.contains('.') && cache.get(id).is_some() {
                found.insert(id.to_owned());
            }
        }
    };
    walk(value, &mut |key, value| {
        if let Some(key) = key {
            in_text(key, &mut found);
        }
        if let Value::String(text) = value {
            in_text(text, &mut found);
        }
    });
    found
}

/// Shows every value with its key, if it has one, to `visit`.
fn walk(value: &Value, visit: &mut impl FnMut(Option<&str>, &Value)) {
    visit(None, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(fields) => {
            for (key, field) in fields {
                visit(Some(key), field);
                walk(field, visit);
            }
        }
        _ => {}
    }
}

/// Returns the entity that an object is, if it is one.
pub(crate) fn own_entity(kind: &Kind, object: &Object) -> Option<String> {
    match kind.way {
        Way::Entity | Way::Exposure => Some(object.id.clone()),
        Way::File => match object.more.get("entity_id") {
            Some(Value::String(id)) => Some(id.clone()),
            _ => None,
        },
        Way::Collection => Some(format!("{}.{}", kind.name, object.id)),
        _ => None,
    }
}

/// Whether a caller may see an object and everything that it names.
pub(crate) fn is_seen(cache: &Cache, sight: Sight<'_>, kind: &Kind, object: &Object) -> bool {
    if sight.is_open() {
        return true;
    }
    if sight.is_narrow() {
        match (kind.way, kind.name) {
            // Places and devices are seen by whoever sees a part of them.
            (Way::Registry, "area") => return sight.sees_area(cache, &object.id),
            (Way::Registry, "floor") => return sight.sees_floor(cache, &object.id),
            (Way::Registry, "label") => return sight.sees_label(cache, &object.id),
            (Way::Device, _) if !sight.sees_device(cache, &object.id) => return false,
            // The others belong to the whole house.
            (Way::Category | Way::Integration | Way::Resource | Way::Blueprint, _) => return false,
            _ => {}
        }
    }
    let may = |id: &str| match cache.get(id) {
        Some(entity) => sight.permits(id, entity),
        // Disabled ones have no state: nothing but the id is known of them.
        None => {
            let facts = EntityFacts { entity_id: id, area: None, labels: &[], exposed: false };
            sight.scope.permits(facts) && sight.house.permits(facts)
        }
    };
    own_entity(kind, object).is_none_or(|id| may(&id))
        && mentioned(cache, &Value::Object(object.fields.clone())).iter().all(|id| may(id))
        && mentioned(cache, &Value::Object(object.more.clone())).iter().all(|id| may(id))
}

/// Checks that a caller may see an object.
///
/// # Errors
/// Refused.
pub(crate) fn check_seen(
    home: &Home,
    house: &House,
    caller: &Caller,
    kind: &Kind,
    object: &Object,
) -> Result<(), Error> {
    match is_seen(&house.cache(), home.sight(caller), kind, object) {
        true => Ok(()),
        false => Err(Error::refused(format!(
            "{} '{}' has to do with entities that '{}' may not see",
            kind.name,
            clean(&object.id, 80),
            caller.name
        ))),
    }
}

/// Checks that a caller may write this kind, and each of `versions` of an object.
///
/// # Errors
/// Refused: says why.
pub(crate) fn check_write(
    home: &Home,
    house: &House,
    caller: &Caller,
    kind: &Kind,
    versions: &[&Object],
) -> Result<(), Error> {
    home.policy().check(caller, "home", Level::Admin)?;
    if home.config().read_only {
        return Err(Error::refused("the houses are set to read-only (home.read_only)"));
    }
    let sight = home.sight(caller);
    if sight.is_open() {
        return Ok(());
    }
    let is_own = kind.way == Way::File || kind.about.starts_with("helper");
    if sight.is_narrow() && (kind.places || !is_own) {
        return Err(Error::refused(format!(
            "'{}' may use chosen entities only, and a change of a {} reaches beyond them",
            caller.name, kind.name
        )));
    }
    for version in versions {
        check_seen(home, house, caller, kind, version)?;
        if kind.way == Way::File
            && let Some(what) = reaches_unknown(&version.fields)
        {
            return Err(Error::refused(format!(
                "'{}' may use chosen entities only, and {what} in this {} can reach others",
                caller.name, kind.name
            )));
        }
    }
    Ok(())
}

/// Returns what in a configuration reaches entities that it does not name.
fn reaches_unknown(fields: &Map<String, Value>) -> Option<&'static str> {
    let mut found = None;
    walk(&Value::Object(fields.clone()), &mut |key, value| {
        let text = value.as_str().unwrap_or_default();
        if text.contains("{{") || text.contains("{%") {
            found = Some("a template");
        } else if key.is_some_and(|key| WIDE.contains(&key)) || text == "all" {
            found = Some("a target that is no entity id");
        } else if key == Some("use_blueprint") {
            found = Some("a blueprint");
        }
    });
    found
}

/// Returns what a configuration would do that needs a person's confirmation when it is done by hand,
/// sorted: otherwise an automation would be the way round it.
pub(crate) fn risky(
    home: &Home,
    cache: &Cache,
    kind: &Kind,
    fields: &Map<String, Value>,
) -> Vec<String> {
    if kind.way != Way::File {
        return Vec::new();
    }
    let rules = Rules::new(home.config());
    let whole = Value::Object(fields.clone());
    let ids = mentioned(cache, &whole);
    let mut services = BTreeSet::new();
    if kind.name == "scene" {
        services.insert("scene.apply".to_owned());
    }
    walk(&whole, &mut |key, value| {
        if let (Some("action" | "service"), Value::String(service)) = (key, value) {
            services.insert(service.trim().to_lowercase());
        }
        // What is done to a device names domain and deed apart.
        if let (Value::String(domain), Value::String(deed)) = (&value["domain"], &value["type"]) {
            services.insert(format!("{domain}.{deed}"));
        }
    });
    let mut risky = BTreeSet::new();
    for service in &services {
        if service.contains("{{") || service.contains("{%") {
            risky.insert("a service that a template chooses".to_owned());
        }
        if rules.asks(service) {
            risky.insert(service.clone());
        }
        for id in &ids {
            let class = cache.get(id).and_then(|entity| entity.attribute("device_class"));
            if rules.asks_for_entity(service, id, class.as_ref().and_then(Value::as_str)) {
                risky.insert(format!("{service} on {id}"));
            }
        }
    }
    risky.into_iter().collect()
}
