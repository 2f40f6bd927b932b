use super::*;
use crate::home::entities::Shelf;
use serde_json::json;

/// A lamp, a freezer and a number with ranges of their own, and services described as Home Assistant
/// describes them.
fn house() -> Cache {
    let mut cache = Cache::new("home".into(), 100);
    let state =
        |state: &str, attributes: Value| json!({"s": state, "a": attributes, "c": "c", "lc": 1});
    let states = json!({"a": {
        "light.lamp": state("on", json!({})),
        "climate.freezer": state("cool", json!({"min_temp": -30, "max_temp": -5})),
        "climate.plain": state("heat", json!({})),
        "input_number.depth": state("0", json!({"min": -9.5, "max": 3})),
    }});
    cache.apply(&states.to_string(), true).unwrap();
    let number =
        |least: i32, most: i32| json!({"selector": {"number": {"min": least, "max": most}}});
    let fade = json!({"number": {"min": 0, "max": 300, "unit_of_measurement": "seconds"}});
    let colour = json!({"select": {"options": ["red", "aliceblue"]}});
    let own = |own: &str| json!({"entity": [{"domain": [own]}]});
    let needed = |selector: Value| json!({"required": true, "selector": selector});
    let services = json!({
        "light": {
            "turn_on": {"target": own("light"), "fields": {
                "brightness": number(0, 255), "transition": {"selector": fade},
                "more": {"fields": {"brightness_step": number(-225, 255),
                                    "color_name": {"selector": colour}, "xy_color": {}}},
            }},
            "toggle": {"target": own("light"), "fields": {"brightness": number(0, 255)}},
            "turn_off": {"target": own("light"), "fields": {}},
        },
        "climate": {"set_temperature": {"target": own("climate"),
                                        "fields": {"temperature": number(0, 250)}}},
        "input_number": {"set_value": {"target": own("input_number"), "fields": {
            "value": {"required": true, "selector": {"number": {"min": 0, "max": 9000}}}}}},
        "media_player": {"play_media": {"fields": {"media": needed(json!({"media": {}}))}}},
        "notify": {"send": {"fields": {"message": needed(json!({"text": {}})),
                                       "entity_id": needed(json!({"entity": {}}))}}},
        "odd": {"act": {"fields": {"message": {}}}},
        "lock": {"unlock": {"fields": {"code": {"selector": {"select": {"options": ["1", "2"]}}}}}},
        "script": {"night": {"fields": {"minutes": {}}}},
    });
    cache.set_registry(Shelf::Services, &services.to_string()).unwrap();
    cache
}

fn tried(service: &str, on: &[&str], data: Value) -> String {
    let Value::Object(data) = data else { panic!("data is an object") };
    let on: Vec<Arc<str>> = on.iter().map(|id| (*id).into()).collect();
    check(&house(), service, &on, &data).map_or_else(|e| e.to_string(), |()| String::new())
}

#[test]
fn what_the_description_rules_out_is_refused_with_what_there_is() {
    for (service, on, data, says) in [
        (
            "light.turn_on",
            "light.lamp",
            json!({"brightnes": 9}),
            "light.turn_on has no field 'brightnes'; did you mean brightness or brightness_step? Its \
             fields are: brightness, transition, brightness_step, color_name, xy_color",
        ),
        ("light.turn_on", "light.lamp", json!({"zzz": 9}), "light.turn_on has no field 'zzz'. Its"),
        (
            "light.turn_on",
            "light.lamp",
            json!({"brightness": 900}),
            "light.turn_on: brightness is 900, and Home Assistant takes 0 to 255",
        ),
        ("light.turn_on", "light.lamp", json!({"brightness": "256"}), "brightness is 256, and"),
        ("light.turn_on", "light.lamp", json!({"brightness_step": -256}), "takes -255 to 255"),
        ("light.turn_on", "light.lamp", json!({"transition": -1}), "takes 0 or more"),
        (
            "light.turn_on",
            "light.lamp",
            json!({"brightness": "xx"}),
            "light.turn_on: brightness must be a number (it is 'xx')",
        ),
        (
            "light.turn_on",
            "light.lamp",
            json!({"color_name": "rde"}),
            "light.turn_on: color_name cannot be that (it is 'rde')",
        ),
        ("climate.set_temperature", "climate.plain", json!({"temperature": 500}), "0 to 250"),
        (
            "climate.set_temperature",
            "climate.freezer",
            json!({"temperature": 4}),
            "temperature is 4, and climate.freezer takes -30 to -5",
        ),
        ("input_number.set_value", "input_number.depth", json!({"value": 4}), "-9.5 to 3"),
        (
            "input_number.set_value",
            "input_number.depth",
            json!({}),
            "input_number.set_value needs the field 'value': put it into data",
        ),
        ("notify.send", "", json!({}), "needs the field 'message'"),
        ("odd.act", "", json!({"mesage": "x"}), "did you mean message?"),
        // A code is not repeated.
        ("lock.unlock", "", json!({"code": "4711"}), "code cannot be that. It may be: 1, 2"),
    ] {
        let on: &[&str] = if on.is_empty() { &[] } else { &[on] };
        let said = tried(service, on, data.clone());
        assert!(said.contains(says), "{service} {data}: {said}");
    }
}

#[test]
fn home_assistant_judges_what_its_description_leaves_open() {
    for (service, on, data) in [
        ("light.turn_on", "light.lamp", json!({"brightness": "255", "transition": 3600})),
        (
            "light.turn_on",
            "light.lamp",
            json!({"brightness_step": -255, "color_name": "Alice Blue"}),
        ),
        ("light.turn_on", "light.lamp", json!({"brightness": null, "xy_color": "anything"})),
        ("light.toggle", "light.lamp", json!({"brightness_step": 3})),
        ("light.turn_off", "light.lamp", json!({"whatever": 1})),
        ("climate.set_temperature", "climate.freezer", json!({"temperature": -18})),
        ("input_number.set_value", "input_number.depth", json!({"value": -9.5})),
        (
            "media_player.play_media",
            "",
            json!({"media_content_id": "x", "media_content_type": "y"}),
        ),
        ("notify.send", "", json!({"message": "m", "data": {}, "title": "t"})),
        ("odd.act", "", json!({"undescribed": 1})),
        ("script.night", "", json!({"minuts": 1})),
        ("nobody.knows", "", json!({"x": 1})),
    ] {
        let on: &[&str] = if on.is_empty() { &[] } else { &[on] };
        assert_eq!(tried(service, on, data.clone()), "", "{service} {data}");
    }
    let data = json!({"undescribed": 1, "message": "m"});
    let data = data.as_object().unwrap();
    assert_eq!(unknowns(&house(), "odd.act", data), ["undescribed"]);
}
