use super::*;
use crate::home::entities::Shelf;
use serde_json::json;

/// Two floors, three areas, a group, a scene and a lock.
pub(crate) fn house() -> Cache {
    let mut cache = Cache::new("home".into(), 100);
    let states = json!({"a": {
        "light.kitchen": {"s": "on", "a": {"friendly_name": "Kitchen lamp"}, "c": "c", "lc": 100.0},
        "light.bed": {"s": "off", "a": {"friendly_name": "Bed"}, "c": "c", "lc": 50.0},
        "light.hidden": {"s": "off", "a": {}, "c": "c", "lc": 50.0},
        "sensor.kitchen_heat": {"s": "21.5", "a": {}, "c": "c", "lc": 90.0},
        "switch.kitchen_diag": {"s": "off", "a": {}, "c": "c", "lc": 10.0},
        "lock.front": {"s": "locked", "a": {}, "c": "c", "lc": 10.0},
        "group.all": {"s": "on", "a": {"entity_id": ["light.bed", "lock.front"]},
                      "c": "c", "lc": 10.0},
    }});
    cache.apply(&states.to_string(), true).unwrap();
    let mut set = |shelf, json: serde_json::Value| {
        cache.set_registry(shelf, &json.to_string()).unwrap();
    };
    set(
        Shelf::Floors,
        json!([{"floor_id": "up", "name": "Upstairs", "aliases": ["first floor"]},
                              {"floor_id": "down", "name": "Downstairs"}]),
    );
    set(
        Shelf::Areas,
        json!([
            {"area_id": "kitchen", "name": "Kitchen", "floor_id": "down", "aliases": ["galley"]},
            {"area_id": "bedroom", "name": "Bedroom", "floor_id": "up", "labels": ["quiet"]},
            {"area_id": "hall", "name": "Hall", "floor_id": "down"},
        ]),
    );
    set(
        Shelf::Labels,
        json!([{"label_id": "quiet", "name": "Quiet"},
                              {"label_id": "cosy", "name": "Cosy"}]),
    );
    set(Shelf::Devices, json!([{"id": "dev1", "area_id": "kitchen", "labels": []}]));
    set(
        Shelf::Entries,
        json!({"entities": [
            {"ei": "light.kitchen", "di": "dev1", "lb": ["cosy"]},
            {"ei": "sensor.kitchen_heat", "di": "dev1"},
            {"ei": "switch.kitchen_diag", "di": "dev1", "ec": 1},
            {"ei": "light.bed", "ai": "bedroom"},
            {"ei": "light.hidden", "ai": "bedroom", "hb": true, "lb": ["cosy"]},
            {"ei": "lock.front", "ai": "hall", "lb": ["quiet"]},
        ]}),
    );
    cache
}

fn names(ids: &[Arc<str>]) -> String {
    ids.iter().map(|id| &**id).collect::<Vec<_>>().join(" ")
}

#[test]
fn targets_become_the_entities_that_home_assistant_would_touch() {
    let cache = house();
    let (open, none) = (EntityScope::default(), EntityScope::default());
    let no_locks = EntityScope { deny: vec!["lock.*".into()], ..EntityScope::default() };
    let check = |service: &str, scope: &EntityScope, target: Target, want: &str| {
        let got = expand(&cache, Sight { scope, house: &none }, service, &target);
        let got = got.map(|ids| names(&ids)).unwrap_or_else(|e| e.to_string());
        assert_eq!(got, want, "{service} {target:?}");
    };
    let list = |s: &str| vec![s.to_owned()];
    let entity = |id: &str| Target { entities: list(id), ..Target::default() };
    let area = |id: &str| Target { areas: list(id), ..Target::default() };
    let floor = |id: &str| Target { floors: list(id), ..Target::default() };
    let label = |id: &str| Target { labels: list(id), ..Target::default() };
    check("light.turn_on", &open, entity("light.bed"), "light.bed");
    check(
        "light.turn_on",
        &open,
        entity("light.no"),
        "there is no entity 'light.no'; home_find lists them",
    );
    check(
        "light.turn_on",
        &open,
        entity("light.kichen"),
        "there is no entity 'light.kichen'; did you mean light.kitchen? home_find lists all",
    );
    check("light.turn_on", &open, entity("all"), "light.bed light.hidden light.kitchen");
    check("light.turn_on", &open, area("kitchen"), "light.kitchen");
    check("light.turn_on", &open, area("Galley"), "light.kitchen");
    check(
        "light.turn_on",
        &open,
        area("attic"),
        "there is no area 'attic'; there is: Bedroom, Hall, Kitchen",
    );
    check("homeassistant.turn_off", &open, area("kitchen"), "light.kitchen sensor.kitchen_heat");
    check("light.turn_on", &open, floor("first floor"), "light.bed");
    check(
        "homeassistant.turn_on",
        &open,
        floor("down"),
        "light.kitchen lock.front sensor.kitchen_heat",
    );
    check("light.turn_on", &open, label("cosy"), "light.kitchen");
    check("homeassistant.turn_on", &open, label("Quiet"), "light.bed lock.front");
    check(
        "light.turn_on",
        &open,
        Target { devices: list("dev1"), ..Target::default() },
        "light.kitchen",
    );
    check(
        "light.turn_on",
        &open,
        Target { devices: list("dev9"), ..Target::default() },
        "there is no device 'dev9'",
    );
    check("homeassistant.turn_on", &open, entity("group.all"), "light.bed lock.front");
    // What the scope hides does not exist, also not inside a group.
    check(
        "lock.unlock",
        &no_locks,
        entity("lock.front"),
        "there is no entity 'lock.front'; home_find lists them",
    );
    check(
        "homeassistant.turn_on",
        &no_locks,
        entity("group.all"),
        "there is no entity 'lock.front'; home_find lists them",
    );
    check("homeassistant.turn_on", &no_locks, area("hall"), "");
}

#[test]
fn filters_combine() {
    let cache = house();
    let none = EntityScope::default();
    let open = Sight { scope: &none, house: &none };
    let check = |wanted: Wanted<'_>, want: &str| {
        let filter = Filter::read(&cache, open, wanted, 120.0).unwrap();
        let ids: Vec<_> =
            cache.iter().filter(|(id, e)| filter.fits(id, e)).map(|(id, _)| id.clone()).collect();
        assert_eq!(names(&ids), want, "{wanted:?}");
    };
    let all = Wanted::default();
    check(
        Wanted { domain: Some("light, lock"), ..all },
        "light.bed light.hidden light.kitchen lock.front",
    );
    check(Wanted { domain: Some("light"), state: Some("ON"), ..all }, "light.kitchen");
    check(Wanted { area: Some("KITCHEN"), domain: Some("light"), ..all }, "light.kitchen");
    check(Wanted { floor: Some("Upstairs"), ..all }, "light.bed light.hidden");
    check(Wanted { label: Some("cosy"), state: Some("!off"), ..all }, "light.kitchen");
    check(Wanted { state: Some(">20"), ..all }, "sensor.kitchen_heat");
    check(Wanted { state: Some("<= 21.4"), ..all }, "");
    check(Wanted { changed_within: Some("30s"), ..all }, "light.kitchen sensor.kitchen_heat");
    for bad in ["soon", "-1h", "5w", ""] {
        let wanted = Wanted { changed_within: Some(bad), ..all };
        assert!(
            Filter::read(&cache, open, wanted, 0.0).unwrap_err().to_string().contains("90s"),
            "{bad}"
        );
    }
}

#[test]
fn what_is_outside_a_share_does_not_exist() {
    let cache = house();
    let none = EntityScope::default();
    let list = |s: &str| vec![s.to_owned()];
    let kitchen = EntityScope { areas: list("kitchen"), ..EntityScope::default() };
    let quiet = EntityScope { labels: list("quiet"), ..EntityScope::default() };
    let lockless = EntityScope { deny: list("lock.*"), ..EntityScope::default() };
    let check = |scope: &EntityScope, what: &str, wanted: &str, want: &str| {
        let sight = Sight { scope, house: &none };
        let found = match what {
            "area" => area(&cache, sight, wanted).map(|id| id.to_string()),
            "floor" => areas_of_floor(&cache, sight, wanted).map(|ids| format!("{ids:?}")),
            _ => label(&cache, sight, wanted).map(|id| id.to_string()),
        };
        let found = found.unwrap_or_else(|e| e.to_string());
        assert_eq!(found, want, "{what} {wanted}");
    };
    check(&kitchen, "area", "galley", "kitchen");
    check(&kitchen, "area", "Bedroom", "there is no area 'Bedroom'; there is: Kitchen");
    check(&kitchen, "area", "bedroom", "there is no area 'bedroom'; there is: Kitchen");
    check(&kitchen, "floor", "Upstairs", "there is no floor 'Upstairs'; there is: Downstairs");
    check(&kitchen, "label", "quiet", "there is no label 'quiet'; there is: Cosy");
    check(&quiet, "area", "Kitchn", "there is no area 'Kitchn'; there is: Hall");
    check(&quiet, "label", "cozy", "there is no label 'cozy'; there is: Quiet");
    // Who sees all but some knows every area.
    check(&lockless, "area", "hall", "hall");
    let on = |scope: &EntityScope, device: &str| {
        let target = Target { devices: list(device), ..Target::default() };
        let sight = Sight { scope, house: &none };
        expand(&cache, sight, "light.turn_on", &target).map_err(|e| e.to_string())
    };
    assert!(on(&kitchen, "dev1").is_ok());
    assert_eq!(on(&quiet, "dev1").unwrap_err(), "there is no device 'dev1'");
}
