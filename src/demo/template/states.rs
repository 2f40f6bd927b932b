//! States and time as templates see them, and what a template asked about. Pure.

use crate::demo::attr::Val;
use crate::demo::entity::Entity;
use crate::demo::template::{Heard, template_value};
use crate::demo::time::{civil, iso};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Environment, Error, ErrorKind, State};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

fn attribute(value: &Val) -> Value {
    template_value(&value.json())
}

/// The house as templates see it: `states('x')`, `states.light`, `states.light.hallway`.
pub(crate) struct States {
    entities: Vec<Arc<Entity>>,
    now: f64,
    heard: Mutex<Heard>,
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<states>")
    }
}

impl States {
    /// Takes the states as they are now.
    pub(crate) fn new(entities: Vec<Arc<Entity>>, now: f64) -> States {
        States { entities, now, heard: Mutex::new(Heard::default()) }
    }

    /// Returns what was asked about so far.
    pub(crate) fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: &str) -> Option<&Arc<Entity>> {
        self.heard().entities.insert(id.to_owned());
        self.entities.iter().find(|e| &*e.id == id)
    }

    fn state(&self, id: &str) -> String {
        self.get(id).map_or_else(|| "unknown".to_owned(), |e| e.state.to_string())
    }
}

impl Object for States {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let domain = key.as_str()?;
        self.heard().domains.insert(domain.to_owned());
        let own = self.entities.iter().filter(|e| e.domain() == domain).cloned().collect();
        Some(Value::from_object(Domain(own)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.heard().all = true;
        Enumerator::Values(self.entities.iter().cloned().map(one).collect())
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let id = args.first().and_then(Value::as_str).unwrap_or_default();
        Ok(Value::from(self.state(id)))
    }
}

/// The entities of one domain.
#[derive(Debug)]
struct Domain(Vec<Arc<Entity>>);

impl Object for Domain {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let is_it = |e: &&Arc<Entity>| e.id.split_once('.').is_some_and(|(_, n)| n == name);
        self.0.iter().find(is_it).cloned().map(one)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().cloned().map(one).collect())
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }
}

/// One entity.
#[derive(Debug)]
struct One(Arc<Entity>);

fn one(entity: Arc<Entity>) -> Value {
    Value::from_object(One(entity))
}

impl Object for One {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let e = &self.0;
        Some(match key.as_str()? {
            "entity_id" => Value::from(&*e.id),
            "state" => Value::from(&*e.state),
            "name" => Value::from(e.name()),
            "domain" => Value::from(e.domain()),
            "object_id" => Value::from(e.id.split_once('.').map_or("", |(_, name)| name)),
            "last_changed" => Value::from(iso(e.changed)),
            "last_updated" => Value::from(iso(e.updated)),
            "attributes" => {
                let pairs = e.attrs.iter().map(|(name, value)| (name, attribute(value)));
                Value::from(pairs.collect::<BTreeMap<_, _>>())
            }
            _ => return None,
        })
    }
}

/// Adds the functions that ask for states and the time.
pub(crate) fn ask(environment: &mut Environment<'_>, states: &Arc<States>) {
    environment.add_global("states", Value::from_dyn_object(states.clone()));
    let house = states.clone();
    environment.add_function("is_state", move |id: &str, state: &str| house.state(id) == state);
    let house = states.clone();
    environment.add_function("state_attr", move |id: &str, name: &str| {
        house.get(id).map_or(Value::from(()), |e| attribute(e.attrs.get(name)))
    });
    let house = states.clone();
    environment.add_function("is_state_attr", move |id: &str, name: &str, value: Value| {
        house.get(id).is_some_and(|e| attribute(e.attrs.get(name)) == value)
    });
    let house = states.clone();
    environment.add_function("has_value", move |id: &str| {
        !["unknown", "unavailable"].contains(&house.state(id).as_str())
    });
    for name in ["now", "utcnow"] {
        let house = states.clone();
        environment.add_function(name, move || {
            house.heard().time = true;
            Value::from_object(Moment(house.now))
        });
    }
}

/// A moment, with its parts.
#[derive(Debug)]
struct Moment(f64);

impl Object for Moment {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let time = civil(self.0);
        Some(Value::from(match key.as_str()? {
            "year" => time.year,
            "month" => time.month,
            "day" => time.day,
            "hour" => time.hour,
            "minute" => time.minute,
            "second" => time.second,
            _ => return None,
        }))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "isoformat" => Ok(Value::from(iso(self.0))),
            "timestamp" => Ok(Value::from(self.0)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&iso(self.0).replace('T', " "))
    }
}
