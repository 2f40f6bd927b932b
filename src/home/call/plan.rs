//! What a call would touch, and whether this caller may. Decides from the cache; calls nothing.

use crate::error::Error;
use crate::home::Home;
use crate::home::call::reach::{self, Beyond};
use crate::home::call::{data as form, known};
use crate::home::confirm::{self, Rules};
use crate::home::entities::Cache;
use crate::home::house::House;
use crate::home::select::{Target, domain, expand};
use crate::home::text;
use crate::policy::{Caller, Level, Outcome, may_be_a_code, names_a_code};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// At most so many entities in one call.
const MOST_TOUCHED: usize = 500;

/// A call as somebody wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// `domain.name`.
    pub(crate) service: String,
    pub(crate) target: Target,
    pub(crate) data: Map<String, Value>,
    pub(crate) return_response: bool,
}

/// What a call would touch.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) service: String,
    pub(super) data: Map<String, Value>,
    pub(super) return_response: bool,
    /// The entities, sorted.
    pub(crate) touched: Vec<Arc<str>>,
    /// What of it needs a confirmation; the service itself when no entity does.
    pub(crate) risky: Vec<String>,
    /// What it reaches besides, sorted: members of scenes and groups, ids among the data.
    pub(crate) implied: Vec<String>,
    /// Fields of the data that Home Assistant's description of the service does not name.
    strange: Vec<String>,
}

/// Finds out what an order would touch and whether `caller` may.
///
/// # Errors
/// Invalid for a service or data that cannot be, NotFound for targets that are not there,
/// Refused for what this caller may not.
pub(crate) fn plan(
    home: &Home,
    house: &House,
    caller: &Caller,
    order: Order,
) -> Result<Plan, Error> {
    let result = plan_quietly(home, house, caller, order);
    if let Err((service, e)) = &result
        && e.kind() == crate::error::Kind::Refused
    {
        home.policy().record(caller, service, &house.name, Outcome::Denied, Some(e.what()));
    }
    result.map_err(|(_, e)| e)
}

fn plan_quietly(
    home: &Home,
    house: &House,
    caller: &Caller,
    order: Order,
) -> Result<Plan, (String, Error)> {
    let Order { service, mut target, mut data, return_response } = order;
    let service = written(&service);
    let with = |e: Error| (service.clone(), e);
    check_name(&service).map_err(with)?;
    take_targets(&mut data, &mut target).map_err(with)?;
    if home.config().read_only {
        return Err(with(Error::refused("the houses are set to read-only (home.read_only)")));
    }
    if confirm::is_for_admins(&service) {
        home.policy().check(caller, "home", Level::Admin).map_err(with)?;
    }
    let cache = house.known().map_err(with)?;
    let sight = home.sight(caller);
    known::check(&cache, sight, &service).map_err(with)?;
    known::check_aimed(&cache, &service, &target).map_err(with)?;
    let touched = expand(&cache, sight, &service, &target).map_err(with)?;
    if touched.len() > MOST_TOUCHED {
        let count = touched.len();
        let e = format!("{service} would touch {count} entities, more than {MOST_TOUCHED}");
        return Err(with(Error::limit(e)));
    }
    if touched.is_empty() && !target.is_empty() {
        let e = format!("{service}: nothing in that target is something it acts on");
        return Err(with(Error::not_found(e)));
    }
    let implied = reach::implied(&cache, &service, &touched, &data);
    if let Some(beyond) = reach::beyond(&cache, sight, &data, &implied) {
        let e = match beyond {
            Beyond::Named(id) => format!(
                "{service}: the data names '{}', which is none of the entities that '{}' may use",
                text::clean(&id, 80),
                caller.name
            ),
            Beyond::Inside => format!(
                "{service} would reach entities that '{}' may not use: part of a group or a scene is \
                 none of its share",
                caller.name
            ),
        };
        return Err(with(Error::refused(e)));
    }
    if touched.is_empty() && implied.is_empty() && !sight.is_open() {
        let e = format!(
            "'{}' may use chosen entities only, and {service} names none: give a target",
            caller.name
        );
        return Err(with(Error::refused(e)));
    }
    form::check(&cache, &service, &touched, &data).map_err(with)?;
    let strange = form::unknowns(&cache, &service, &data).into_iter();
    let strange = strange.map(|name| text::clean(name, 60)).collect();
    let risky = risky(home, &cache, &service, &touched, &implied);
    let implied = implied.into_iter().collect();
    Ok(Plan { service, data, return_response, touched, risky, implied, strange })
}

/// Returns a service as it is called, whatever its case.
pub(crate) fn written(service: &str) -> String {
    service.trim().to_lowercase()
}

fn check_name(service: &str) -> Result<(), Error> {
    let word = |part: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && part.len() <= 64 && part.chars().all(good)
    };
    match service.split_once('.') {
        Some((own, name)) if word(own) && word(name) => Ok(()),
        _ => Err(Error::invalid(format!(
            "'{}' is no service: service must be domain.service, so write it like light.turn_on",
            text::clean(service, 60)
        ))),
    }
}

/// Moves targets that stand among the data, as older calls have them, to the target.
fn take_targets(data: &mut Map<String, Value>, target: &mut Target) -> Result<(), Error> {
    let lists = [
        ("entity_id", &mut target.entities),
        ("device_id", &mut target.devices),
        ("area_id", &mut target.areas),
        ("floor_id", &mut target.floors),
        ("label_id", &mut target.labels),
    ];
    for (field, list) in lists {
        match data.remove(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(ids)) => {
                list.extend(ids.split(',').map(|id| id.trim().to_owned()));
            }
            Some(Value::Array(ids)) if ids.iter().all(Value::is_string) => {
                list.extend(ids.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(_) => {
                return Err(Error::invalid(format!(
                    "data.{field} must be a text or a list of texts"
                )));
            }
        }
    }
    Ok(())
}

fn risky(
    home: &Home,
    cache: &Cache,
    service: &str,
    touched: &[Arc<str>],
    implied: &BTreeSet<String>,
) -> Vec<String> {
    let rules = Rules::new(home.config());
    let all = touched.iter().map(|id| &**id).chain(implied.iter().map(String::as_str));
    let asks = |id: &&str| {
        let class = cache.get(id).and_then(|entity| entity.attribute("device_class"));
        rules.asks_for_entity(service, id, class.as_ref().and_then(Value::as_str))
    };
    let mut risky: Vec<String> = all.filter(asks).map(str::to_owned).collect();
    let on_entities = touched.iter().any(|id| domain(id) == domain(service));
    if risky.is_empty() && !on_entities && rules.asks(service) {
        risky.push(service.to_owned());
    }
    risky
}

/// Domains whose entities do what their owner wrote into them.
const WRITTEN: &[&str] = &["script", "automation"];

impl Plan {
    /// Returns what nobody can know before the call, in sentences.
    pub(crate) fn unknowns(&self) -> Vec<String> {
        let touched = self.touched.iter().map(|id| &**id);
        let all = touched.chain(self.implied.iter().map(String::as_str));
        let runs = |id: &&str| {
            let name = self.service.split_once('.').map_or("", |(_, name)| name);
            let starts = ["turn_on", "toggle", "trigger"].contains(&name) || self.service == **id;
            WRITTEN.contains(&domain(id)) && starts
        };
        let mut sentences: Vec<String> = all
            .filter(runs)
            .take(5)
            .map(|id| {
                format!(
                    "{id} runs steps of its own; Home Assistant does not say beforehand which \
                     entities they touch"
                )
            })
            .collect();
        if self.touched.is_empty() && self.implied.is_empty() {
            let service = &self.service;
            sentences.push(format!(
                "{service} is aimed at no entity; what it changes is not known beforehand"
            ));
        }
        let service = &self.service;
        sentences.extend(self.strange.iter().take(5).map(|name| {
            format!(
                "Home Assistant's description of {service} has no field '{name}'; whether it takes \
                 it, only the call tells"
            )
        }));
        sentences
    }

    /// What is confirmed: the risky entities, the house and the data, codes left out.
    pub(super) fn confirmed_target(&self, house: &House) -> String {
        let mut data = self.data.clone();
        data.retain(|field, value| !is_secret(field, value));
        let data = match data.is_empty() {
            true => String::new(),
            false => format!(" with {}", text::clean(&Value::Object(data).to_string(), 2000)),
        };
        // A service that stands for itself is named once.
        let what = match self.risky.as_slice() {
            [one] if *one == self.service => String::new(),
            all => format!("{} in ", all.join(", ")),
        };
        format!("{what}the house '{}'{data}", house.name)
    }

    /// What it is aimed at, for the audit log.
    pub(crate) fn audit_target(&self, house: &House) -> String {
        let ids: Vec<&str> = self.touched.iter().map(|id| &**id).collect();
        match ids.is_empty() {
            true => house.name.to_string(),
            false => format!("{}: {}", house.name, ids.join(", ")),
        }
    }

    /// What is sent to Home Assistant: the entities found here, whatever the target was.
    pub(super) fn command(&self) -> Value {
        let (own, name) = self.service.split_once('.').unwrap_or((&self.service, ""));
        let mut command = json!({
            "type": "call_service",
            "domain": own,
            "service": name,
            "service_data": self.data,
            "return_response": self.return_response,
        });
        if !self.touched.is_empty() {
            command["target"] = json!({ "entity_id": self.touched });
        }
        command
    }
}

/// Whether it is a code, or a misspelt one: a text of nothing but digits.
fn is_secret(field: &str, value: &Value) -> bool {
    names_a_code(field) || value.as_str().is_some_and(may_be_a_code)
}
