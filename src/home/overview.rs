//! The whole house on one page: rooms, what is on, what is wrong.

use crate::events;
use crate::home::entities::{Cache, Entity};
use crate::home::house::House;
use crate::home::select::{Sight, domain};
use crate::home::text::clean;
use crate::home::view;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// At most so many entities or areas in one list, and fewer when the answer would not fit.
const MOST: usize = 40;
/// At most so many domains; a row of them is short.
const MOST_DOMAINS: usize = 120;
/// A battery below this is low, in percent.
const LOW: f64 = 20.0;

/// Domains whose being on is worth a line.
const SWITCHED: &[&str] = &[
    "light",
    "switch",
    "fan",
    "climate",
    "media_player",
    "humidifier",
    "siren",
    "vacuum",
    "lawn_mower",
    "water_heater",
    "input_boolean",
    "remote",
];

/// Domains whose being open is.
const OPENED: &[&str] = &["cover", "valve", "lock", "alarm_control_panel"];

/// States of something that does nothing.
const IDLE: &[&str] = &[
    "off",
    "closed",
    "locked",
    "idle",
    "standby",
    "docked",
    "unavailable",
    "unknown",
    "disarmed",
    "paused",
    "not_home",
];

/// Whether an entity does something, stands open or is unlocked.
pub(crate) fn is_active(id: &str, entity: &Entity) -> bool {
    let counted = SWITCHED.contains(&domain(id)) || OPENED.contains(&domain(id));
    counted && !IDLE.contains(&&*entity.state)
}

fn is_missing(entity: &Entity) -> bool {
    &*entity.state == "unavailable"
}

fn is_battery(entity: &Entity) -> bool {
    entity.attribute("device_class").is_some_and(|class| class == "battery")
}

/// Returns the charge of a battery that is low, in percent.
fn low_battery(id: &str, entity: &Entity) -> Option<f64> {
    let is_battery = || is_battery(entity);
    let charge = match domain(id) {
        "sensor" => entity.state.parse().ok().filter(|charge| *charge < LOW && is_battery()),
        "binary_sensor" => (&*entity.state == "on" && is_battery()).then_some(0.0),
        _ => None,
    };
    charge.or_else(|| entity.attribute("battery_level")?.as_f64()).filter(|charge| *charge < LOW)
}

/// Whether a change of an entity is seen in the overview: most sensors only count there.
pub(crate) fn shows(cache: &Cache, change: &events::Entity) -> bool {
    let id = &*change.entity_id;
    let (Some(old), Some(new)) = (&change.old_state, &change.state) else { return true };
    if old == new {
        return false;
    }
    let is_counted = SWITCHED.contains(&domain(id)) || OPENED.contains(&domain(id));
    let is_gone = [old, new].into_iter().any(|state| **state == *"unavailable");
    let may_be_low = || {
        let charge = |state: &str| state.parse::<f64>().is_ok_and(|charge| charge < LOW);
        let was_low = domain(id) == "binary_sensor" || charge(old) || charge(new);
        was_low && cache.get(id).is_some_and(is_battery)
    };
    is_counted || is_gone || may_be_low()
}

#[derive(Default)]
struct Count {
    entities: usize,
    on: usize,
}

impl Count {
    fn add(&mut self, active: bool) {
        self.entities += 1;
        self.on += usize::from(active);
    }

    fn json(&self) -> Value {
        match self.on {
            0 => json!(self.entities),
            on => json!({ "all": self.entities, "on": on }),
        }
    }
}

/// Returns the overview of what `sight` permits, in at most `budget` bytes: what does not fit is
/// counted and said.
pub(crate) fn overview(
    house: &House,
    cache: &Cache,
    sight: Sight<'_>,
    budget: usize,
) -> Map<String, Value> {
    let mut most = MOST;
    loop {
        let answer = of_size(house, cache, sight, most);
        let used = serde_json::to_vec(&answer).map_or(0, |json| json.len());
        if used <= budget || most <= 1 {
            return answer;
        }
        most /= 2;
    }
}

fn of_size(house: &House, cache: &Cache, sight: Sight<'_>, most: usize) -> Map<String, Value> {
    let mut domains: BTreeMap<&str, Count> = BTreeMap::new();
    let mut areas: BTreeMap<&Arc<str>, Count> = BTreeMap::new();
    let [mut on, mut missing, mut low] = [(); 3].map(|()| List { most, ..List::default() });
    let mut total = 0;
    for (id, entity) in sight.iter(cache) {
        total += 1;
        let active = is_active(id, entity);
        domains.entry(domain(id)).or_default().add(active);
        if let Some(area) = &entity.area {
            areas.entry(area).or_default().add(active);
        }
        if active {
            on.add(|| view::row(house, cache, id, entity, &["name", "state", "area"]).into());
        }
        if is_missing(entity) {
            missing.add(|| id.to_string().into());
        } else if let Some(charge) = low_battery(id, entity) {
            low.add(|| json!({ "id": &**id, "percent": charge }));
        }
    }
    let about = house.about();
    let mut answer = Map::new();
    answer.insert("house".into(), json!(*house.name));
    answer.insert("name".into(), about.location.into());
    answer.insert("version".into(), about.version.into());
    answer.insert("time".into(), house.time(crate::home::house::now()).into());
    answer.insert("entities".into(), total.into());
    answer.insert("floors".into(), floors(cache, &areas, most));
    let shown = domains.iter().take(most * (MOST_DOMAINS / MOST));
    let shown: Map<String, Value> =
        shown.map(|(name, count)| (clean(name, 60), count.json())).collect();
    let left_out =
        [("areas", areas.len().saturating_sub(most)), ("domains", domains.len() - shown.len())];
    answer.insert("domains".into(), Value::Object(shown));
    for (what, more) in left_out.into_iter().filter(|(_, more)| *more > 0) {
        answer.insert(format!("more_{what}"), more.into());
    }
    answer.insert("on".into(), on.json());
    let problems = json!({ "unavailable": missing.json(), "low_battery": low.json() });
    answer.insert("problems".into(), problems);
    if let Some(since) = house.stale_since() {
        answer.insert("stale_since".into(), since.into());
    }
    if let Some(limits) = house.limits() {
        answer.insert("limits".into(), limits.into());
    }
    answer
}

/// Areas by floor; those without one come under an empty name.
fn floors(cache: &Cache, areas: &BTreeMap<&Arc<str>, Count>, most: usize) -> Value {
    let mut floors: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (id, count) in areas.iter().take(most) {
        let Some(area) = cache.registry.areas.get(&***id) else { continue };
        let floor = area.floor.as_ref().and_then(|floor| cache.registry.floors.get(floor));
        let floor = floor.map_or_else(|| "no floor".into(), |floor| clean(&floor.name, 60));
        let mut row = json!({ "id": &***id, "name": clean(&area.name, 60) });
        row["entities"] = count.entities.into();
        if count.on > 0 {
            row["on"] = count.on.into();
        }
        floors.entry(floor).or_default().push(row);
    }
    json!(floors)
}

/// A list that holds the first entries and counts the rest.
#[derive(Default)]
struct List {
    most: usize,
    shown: Vec<Value>,
    more: usize,
}

impl List {
    fn add(&mut self, entry: impl FnOnce() -> Value) {
        match self.shown.len() < self.most {
            true => self.shown.push(entry()),
            false => self.more += 1,
        }
    }

    fn json(mut self) -> Value {
        if self.more > 0 {
            self.shown.push(format!("and {} more; home_find lists them", self.more).into());
        }
        self.shown.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_and_what_is_wrong_is_recognised() {
        let entity = |id: &str, state: &str, attributes: Value| {
            let mut cache = Cache::new("home".into(), 10);
            let all = json!({"a": {id: {"s": state, "a": attributes, "c": "", "lc": 1.0}}});
            cache.apply(&all.to_string(), true).unwrap();
            cache.get(id).unwrap().clone()
        };
        let active = |id: &str, state: &str, want: bool| {
            assert_eq!(is_active(id, &entity(id, state, json!({}))), want, "{id} {state}");
        };
        active("light.a", "on", true);
        active("light.a", "off", false);
        active("climate.a", "heat", true);
        active("lock.a", "unlocked", true);
        active("lock.a", "locked", false);
        active("cover.a", "opening", true);
        active("sensor.a", "21", false);
        active("switch.a", "unavailable", false);
        let low = |id: &str, state: &str, attributes: Value, want: Option<f64>| {
            assert_eq!(low_battery(id, &entity(id, state, attributes)), want, "{id} {state}");
        };
        let battery = || json!({"device_class": "battery"});
        low("sensor.a", "12", battery(), Some(12.0));
        low("sensor.a", "80", battery(), None);
        low("sensor.a", "12", json!({"device_class": "temperature"}), None);
        low("binary_sensor.a", "on", battery(), Some(0.0));
        low("vacuum.a", "docked", json!({"battery_level": 7}), Some(7.0));
    }
}
