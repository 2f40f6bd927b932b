//! Templates: the part of Home Assistant's template language that a demo needs. Pure.
//!
//! The language itself is minijinja's; here are the functions that ask the house. The work of one
//! template is bounded by fuel, its result by [`RESULT_MAX`].

use crate::demo::attr::Val;
use crate::demo::entity::Entity;
use crate::demo::house::House;
use crate::demo::plan::{self, Area, Device, Thing};
use crate::demo::registry;
use crate::demo::time::{civil, iso};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Instructions one template may run, and bytes it may come to.
const FUEL: u64 = 200_000;
const RESULT_MAX: usize = 256 * 1024;

/// What a template came to.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    /// As text.
    pub(crate) text: String,
    /// As the number, truth value or text that it looks like.
    pub(crate) result: serde_json::Value,
    heard: Heard,
}

/// What a template asked about, so that it can be rendered again when that changes.
#[derive(Clone, Debug, Default)]
struct Heard {
    all: bool,
    entities: BTreeSet<String>,
    domains: BTreeSet<String>,
    time: bool,
}

impl Rendered {
    /// Returns the event for `render_template`.
    pub(crate) fn event(&self) -> serde_json::Value {
        let Heard { all, entities, domains, time } = &self.heard;
        json!({
            "result": self.result,
            "listeners": { "all": all, "entities": entities, "domains": domains, "time": time }
        })
    }

    /// Whether a change of this entity can change the result.
    pub(crate) fn listens_to(&self, id: &str) -> bool {
        let domain = id.split('.').next().unwrap_or_default();
        let Heard { all, entities, domains, .. } = &self.heard;
        *all || entities.contains(id) || domains.contains(domain)
    }
}

/// Renders a template; the error is a sentence for its author.
pub(crate) fn render(
    source: &str,
    variables: &serde_json::Value,
    house: &House,
) -> Result<Rendered, String> {
    let states = Arc::new(States {
        entities: house.all().to_vec(),
        now: house.now,
        heard: Mutex::new(Heard::default()),
    });
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None => Ok(out.write_str("None")?),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "True" } else { "False" })?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    ask_states(&mut environment, &states);
    ask_places(&mut environment);
    let text =
        environment.render_str(source, template_value(variables)).map_err(|e| sentence(&e))?;
    if text.len() > RESULT_MAX {
        return Err(format!("TemplateError: the result is larger than {RESULT_MAX} bytes"));
    }
    let text = text.trim().to_owned();
    let heard = states.heard().clone();
    Ok(Rendered { result: native(&text), text, heard })
}

fn sentence(error: &Error) -> String {
    let kind = match error.kind() {
        ErrorKind::SyntaxError => "TemplateSyntaxError",
        ErrorKind::UndefinedError => "UndefinedError",
        _ => "TemplateError",
    };
    format!("{kind}: {}", error.detail().map_or_else(|| error.to_string(), str::to_owned))
}

/// Gives text that looks like a number, a truth value or a list its type.
fn native(text: &str) -> serde_json::Value {
    match text {
        "True" => return true.into(),
        "False" => return false.into(),
        "None" => return serde_json::Value::Null,
        _ => {}
    }
    let looks_plain = text.starts_with(|c: char| c.is_ascii_digit() || "-[{".contains(c));
    let typed = looks_plain.then(|| serde_json::from_str(text).ok()).flatten();
    typed.unwrap_or_else(|| text.into())
}

fn template_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(n) => Value::from(n),
            None => Value::from(n.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(list) => list.iter().map(template_value).collect(),
        serde_json::Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| (name.clone(), template_value(value)));
            Value::from(pairs.collect::<BTreeMap<_, _>>())
        }
    }
}

fn attribute(value: &Val) -> Value {
    template_value(&value.json())
}

/// The house as templates see it: `states('x')`, `states.light`, `states.light.hallway`.
struct States {
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
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
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

fn ask_states(environment: &mut Environment<'_>, states: &Arc<States>) {
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

type Row = (Option<&'static Device>, &'static Thing);

fn area_of(word: &str) -> Option<&'static Area> {
    let by_id = |id: &str| plan::AREAS.iter().find(|a| a.id == id || a.name == id);
    let device = |d: &&Device| registry::device_id(d) == word;
    let of_device = plan::DEVICES.iter().find(device).and_then(|d| d.area);
    let of_entity = plan::thing(word).and_then(|(d, _)| d?.area);
    by_id(word).or_else(|| by_id(of_device.or(of_entity)?))
}

fn things(is_it: impl Fn(&Row) -> bool) -> Vec<String> {
    plan::things().filter(|row| is_it(row)).map(|(_, t)| t.id.to_owned()).collect()
}

fn ids<T>(all: &'static [T], id: impl Fn(&'static T) -> &'static str) -> Vec<String> {
    all.iter().map(|one| id(one).to_owned()).collect()
}

/// Adds each as function and as filter, as Home Assistant does.
fn ask_places(environment: &mut Environment<'_>) {
    let is_in = |area: Option<&'static str>| {
        move |row: &Row| area.is_some() && row.0.is_some_and(|d| d.area == area)
    };
    macro_rules! both {
        ($name:literal, $ask:expr) => {
            environment.add_function($name, $ask);
            environment.add_filter($name, $ask);
        };
    }
    environment.add_function("areas", || ids(plan::AREAS, |a| a.id));
    environment.add_function("floors", || ids(plan::FLOORS, |f| f.id));
    environment.add_function("labels", || ids(plan::LABELS, |l| l.id));
    both!("area_id", |word: &str| area_of(word).map(|a| a.id));
    both!("area_name", |word: &str| area_of(word).map(|a| a.name));
    both!("floor_id", |word: &str| floor_of(word).map(|f| f.id));
    both!("floor_name", |word: &str| floor_of(word).map(|f| f.name));
    both!("area_entities", move |word: &str| things(is_in(area_of(word).map(|a| a.id))));
    both!("floor_areas", |word: &str| {
        let floor = floor_of(word).map(|f| f.id);
        let on = plan::AREAS.iter().filter(|a| Some(a.floor) == floor);
        on.map(|a| a.id.to_owned()).collect::<Vec<_>>()
    });
    both!("floor_entities", |word: &str| {
        let floor = floor_of(word).map(|f| f.id);
        things(|row| {
            let area = row.0.and_then(|d| d.area).and_then(area_of);
            area.is_some_and(|a| Some(a.floor) == floor)
        })
    });
    both!("label_entities", |word: &str| things(|(_, t)| t.labels.contains(&word)));
    both!("label_name", |word: &str| {
        plan::LABELS.iter().find(|l| l.id == word).map(|l| l.name)
    });
    both!("device_id", |word: &str| {
        plan::thing(word).and_then(|(device, _)| device).map(registry::device_id)
    });
    both!("device_entities", |word: &str| {
        things(|(device, _)| device.is_some_and(|d| registry::device_id(d) == word))
    });
}

fn floor_of(word: &str) -> Option<&'static plan::Floor> {
    let named = plan::FLOORS.iter().find(|f| f.id == word || f.name == word);
    named.or_else(|| {
        let area = area_of(word)?;
        plan::FLOORS.iter().find(|f| f.id == area.floor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_ask_the_house() {
        let house = House::new(1, 1_795_258_358.0, 0);
        let rows = [
            ("{{ states('lock.front_door') }}", json!("locked")),
            ("{{ states('no.such') }}", json!("unknown")),
            ("{{ is_state('lock.front_door', 'locked') }}", json!(true)),
            ("{{ state_attr('light.floor_lamp', 'brightness') + 1 }}", json!(91)),
            ("{{ state_attr('light.floor_lamp', 'nothing') }}", json!(null)),
            (
                "{{ area_name('light.floor_lamp') }} / {{ 'garage' | floor_name }}",
                json!("Living room / Ground floor"),
            ),
            (
                "{{ area_entities('garage') | join(', ') }}",
                json!("light.garage, cover.garage_door"),
            ),
            ("{{ states.light | selectattr('state', 'eq', 'on') | list | length }}", json!(2)),
            ("{{ states.lock.front_door.name }}", json!("Front door")),
            ("{{ states.light.floor_lamp.attributes.brightness }}", json!(90)),
            ("{{ now().year }}-{{ now().month }}", json!("2026-11")),
            ("{{ x * 2 }}", json!(8)),
            (
                "{% for a in floor_areas('upstairs') %}{{ a }} {% endfor %}",
                json!("bedroom bathroom office"),
            ),
        ];
        for (source, result) in rows {
            let got = render(source, &json!({ "x": 4 }), &house).unwrap();
            assert_eq!(got.result, result, "{source}");
        }
        let heard =
            render("{{ states('sun.sun') }}{{ states.lock | list | length }}", &json!({}), &house);
        let heard = heard.unwrap();
        assert!(heard.listens_to("sun.sun") && heard.listens_to("lock.front_door"));
        assert!(!heard.listens_to("light.hallway"));
    }

    #[test]
    fn bad_and_endless_templates_end_with_a_sentence() {
        let house = House::new(1, 1.8e9, 0);
        let fails = |source: &str| render(source, &json!({}), &house).unwrap_err();
        assert!(fails("{{ nope( }}").starts_with("TemplateSyntaxError: "));
        assert!(fails("{{ nope() }}").contains("nope"));
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(fails(endless).starts_with("TemplateError"));
    }
}
