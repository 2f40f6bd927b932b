use crate::demo::action::{Call, Refusal};
use crate::demo::house::{Happening, House};
use serde_json::{Value, json};

/// 2026-06-21, 10:00 UTC.
const MORNING: f64 = 1_782_036_000.0;

fn house() -> House {
    House::new(1, MORNING, 0)
}

fn do_it(
    house: &mut House,
    action: &str,
    target: Value,
    data: Value,
) -> Result<Option<Value>, Refusal> {
    let (domain, service) = action.split_once('.').unwrap();
    let call = Call {
        domain: domain.into(),
        service: service.into(),
        data: data.as_object().unwrap().clone(),
        target: target.as_object().unwrap().clone(),
        wants_answer: action.contains(".get_"),
    };
    let by = house.user_context();
    house.call(&call, by)
}

fn rows(text: &str) -> Vec<Vec<Value>> {
    let rows: Vec<Vec<Value>> = serde_json::from_str(text).unwrap();
    assert!(rows.len() > 5);
    rows
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn entity(id: &str) -> Value {
    json!({ "entity_id": id })
}

#[test]
fn services_change_states_as_expected() {
    // Action, entity, data; seconds to wait; state and attributes afterwards.
    let rows = rows(include_str!("data/services.json"));
    for row in rows {
        let [action, id, data, wait, state, attributes] = &row[..] else { panic!("{row:?}") };
        let (action, id, state) = (text(action), text(id), text(state));
        let mut house = house();
        do_it(&mut house, action, entity(id), data.clone()).unwrap();
        let by = house.get(id).unwrap().context;
        house.tick(wait.as_f64().unwrap());
        let entity = house.get(id).unwrap();
        assert_eq!(entity.state, state, "{action} after {wait} s");
        for (name, value) in attributes.as_object().unwrap() {
            assert_eq!(entity.attrs.get(name).json(), *value, "{action} {name}");
        }
        assert!(
            by.by_user || action == "light.turn_on" || action.starts_with("climate"),
            "{action}"
        );
    }
}

#[test]
fn refusals_bear_home_assistants_codes_and_words() {
    // Action, target, data; code and words, as Home Assistant 2026.11 has them.
    let rows = rows(include_str!("data/refusals.json"));
    for row in rows {
        let [action, target, data, code, message] = &row[..] else { panic!("{row:?}") };
        let (action, target, data) = (text(action), target.clone(), data.clone());
        let refusal = do_it(&mut house(), action, target, data).unwrap_err();
        assert_eq!((refusal.code, &*refusal.message), (text(code), text(message)), "{action}");
    }
}

#[test]
fn a_call_reaches_all_it_is_aimed_at_and_nothing_else() {
    let lit = |target: Value| {
        let mut house = house();
        do_it(&mut house, "light.turn_off", entity("all"), json!({})).unwrap();
        do_it(&mut house, "light.turn_on", target, json!({})).unwrap();
        let on = house.all().iter().filter(|e| e.domain() == "light" && e.is("on"));
        on.map(|e| e.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        lit(json!({ "area_id": "kitchen" })),
        ["light.kitchen_ceiling", "light.kitchen_counter"]
    );
    assert_eq!(lit(json!({ "floor_id": ["upstairs"] })).len(), 4);
    assert_eq!(lit(json!({ "label_id": "off_at_night" })).len(), 6);
    let device = crate::demo::registry::device_id(&crate::demo::plan::DEVICES[1]);
    assert_eq!(lit(json!({ "device_id": device })), ["light.floor_lamp"]);
    assert_eq!(
        lit(json!({ "entity_id": ["light.bathroom", "lock.front_door", "light.none"] })),
        ["light.bathroom"]
    );
    assert_eq!(lit(json!({ "entity_id": "light.bathroom", "area_id": "garage" })).len(), 2);
}

#[test]
fn routines_do_their_steps_in_the_name_of_who_started_them() {
    let mut house = house();
    do_it(&mut house, "script.leaving_home", json!({}), json!({})).unwrap();
    assert!(house.is("light.floor_lamp", "off") && house.is("input_select.house_mode", "Away"));
    let script = house.get("script.leaving_home").unwrap();
    assert!(script.attrs.get("last_triggered").text().is_some());
    assert_eq!(script.context, house.get("light.floor_lamp").unwrap().context);
    do_it(&mut house, "scene.turn_on", entity("scene.movie_night"), json!({})).unwrap();
    assert_eq!(house.get("light.floor_lamp").unwrap().number("brightness"), Some(40.0));
    assert_ne!(house.state("scene.movie_night"), "unknown");
    do_it(&mut house, "automation.trigger", entity("automation.hallway_light"), json!({})).unwrap();
    assert!(house.is("light.hallway", "on"));
    let fired: Vec<String> = house
        .take_happened()
        .iter()
        .filter_map(|h| match h {
            Happening::Fired { name, .. } => Some(name.to_string()),
            Happening::Changed { .. } => None,
        })
        .collect();
    assert!(
        fired.contains(&"script_started".into()) && fired.contains(&"automation_triggered".into())
    );
}

#[test]
fn answers_come_with_data() {
    let mut house = house();
    let list = do_it(&mut house, "todo.get_items", entity("todo.shopping_list"), json!({}));
    let list = list.unwrap().unwrap();
    assert_eq!(list["todo.shopping_list"]["items"][0]["summary"], "Milk");
    let days = |kind: &str| {
        let forecast = do_it(
            &mut self::house(),
            "weather.get_forecasts",
            entity("weather.home"),
            json!({ "type": kind }),
        );
        forecast.unwrap().unwrap()["weather.home"]["forecast"].as_array().unwrap().len()
    };
    assert_eq!((days("daily"), days("hourly"), days("twice_daily")), (7, 24, 14));
    do_it(&mut house, "todo.remove_item", entity("todo.shopping_list"), json!({ "item": "Bread" }))
        .unwrap();
    assert!(
        do_it(
            &mut house,
            "todo.remove_item",
            entity("todo.shopping_list"),
            json!({ "item": "Bread" })
        )
        .is_err()
    );
    assert_eq!(house.state("todo.shopping_list"), "2");
}

#[test]
fn stopping_a_cover_leaves_it_where_it_is() {
    let mut house = house();
    do_it(&mut house, "cover.open_cover", entity("cover.bedroom_blind"), json!({})).unwrap();
    house.tick(3.0);
    do_it(&mut house, "cover.stop_cover", entity("cover.bedroom_blind"), json!({})).unwrap();
    let blind = house.get("cover.bedroom_blind").unwrap();
    assert_eq!((blind.number("current_position"), &*blind.state), (Some(24.0), "open"));
    house.tick(10.0);
    assert_eq!(house.get("cover.bedroom_blind").unwrap().number("current_position"), Some(24.0));
}
