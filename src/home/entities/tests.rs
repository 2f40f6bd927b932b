use super::*;
use serde_json::json;

fn house() -> Cache {
    let mut cache = Cache::new("home".into(), 100);
    let states = json!({"a": {
        "light.kitchen": {"s": "on", "a": {"friendly_name": "Kitchen", "brightness": 7},
                          "c": "ctx0", "lc": 10.0, "lu": 11.0},
        "lock.front": {"s": "locked", "a": {}, "c": {"id": "ctx1", "user_id": null}, "lc": 5.5},
    }});
    cache.apply(&states.to_string(), true).unwrap();
    cache
}

/// Applies `delta` and returns each change as `id old>new` and the entity's attributes after it.
fn check(delta: Value, want: &[&str], attributes: &str) {
    let mut cache = house();
    let changes = cache.apply(&delta.to_string(), false).unwrap();
    let word = |state: &Option<Arc<str>>| state.as_deref().unwrap_or("-").to_owned();
    let got: Vec<String> = changes
        .iter()
        .map(|c| format!("{} {}>{}", c.entity_id, word(&c.old_state), word(&c.state)))
        .collect();
    assert_eq!(got, want, "{delta}");
    let light = cache.get("light.kitchen").map_or("gone", |light| &light.attributes);
    assert_eq!(light, attributes, "{delta}");
}

#[test]
fn differences_are_applied_as_home_assistant_sends_them() {
    let same = r#"{"friendly_name":"Kitchen","brightness":7}"#;
    let light = |diff: Value| json!({"c": {"light.kitchen": diff}});
    check(json!({}), &[], same);
    check(light(json!({"+": {"s": "off", "lc": 12.0}})), &["light.kitchen on>off"], same);
    check(
        light(json!({"+": {"a": {"brightness": 9, "effect": null}, "lu": 12.0}})),
        &["light.kitchen on>on"],
        r#"{"friendly_name":"Kitchen","brightness":9,"effect":null}"#,
    );
    check(
        light(json!({"-": {"a": ["brightness"]}})),
        &["light.kitchen on>on"],
        r#"{"friendly_name":"Kitchen"}"#,
    );
    check(
        light(json!({"+": {"a": {"x": [1]}}, "-": {"a": ["friendly_name", "never"]}})),
        &["light.kitchen on>on"],
        r#"{"brightness":7,"x":[1]}"#,
    );
    check(json!({"r": ["light.kitchen", "light.never"]}), &["light.kitchen on>-"], "gone");
    check(
        json!({"a": {"fan.new": {"s": "off", "a": {}, "c": "c", "lc": 1.0}}}),
        &["fan.new ->off"],
        same,
    );
    check(json!({"c": {"light.never": {"+": {"s": "on"}}}}), &[], same);
}

#[test]
fn times_and_contexts_follow_the_difference() {
    let mut cache = house();
    let light = |cache: &Cache| {
        let light = cache.get("light.kitchen").unwrap();
        (light.changed, light.updated, light.context.to_string())
    };
    assert_eq!(light(&cache), (10.0, 11.0, "ctx0".into()));
    let diff = json!({"c": {"light.kitchen": {"+": {"lu": 20.0, "c": {"user_id": "u"}}}}});
    cache.apply(&diff.to_string(), false).unwrap();
    assert_eq!(light(&cache), (10.0, 20.0, "ctx0".into()));
    let diff = json!({"c": {"light.kitchen": {"+": {"s": "off", "lc": 30.0, "c": "ctx9"}}}});
    cache.apply(&diff.to_string(), false).unwrap();
    assert_eq!(light(&cache), (30.0, 30.0, "ctx9".into()));
    assert_eq!(&*cache.get("lock.front").unwrap().context, "ctx1");
}

#[test]
fn a_new_connection_tells_only_what_changed_meanwhile() {
    let mut cache = house();
    let states = json!({"a": {
        "light.kitchen": {"s": "on", "a": {"friendly_name": "Kitchen", "brightness": 7},
                          "c": "other", "lc": 90.0},
        "fan.new": {"s": "off", "a": {}, "c": "c", "lc": 91.0},
    }});
    let changes = cache.apply(&states.to_string(), true).unwrap();
    let ids: Vec<&str> = changes.iter().map(|c| &*c.entity_id).collect();
    assert_eq!(ids, ["lock.front", "fan.new"]);
    assert_eq!(cache.len(), 2);
}

#[test]
fn a_message_of_another_shape_changes_nothing() {
    let mut cache = house();
    for bad in ["7", "{\"a\":{\"x\":7}}", "{\"c\":{\"light.kitchen\":{\"+\":{\"s\":7}}}}", "{"] {
        assert!(cache.apply(bad, false).is_err(), "{bad}");
    }
    assert_eq!((cache.len(), &*cache.get("light.kitchen").unwrap().state), (2, "on"));
}

#[test]
fn places_come_from_the_entity_before_its_device() {
    let mut cache = house();
    let set = |cache: &mut Cache, shelf, json: Value| {
        cache.set_registry(shelf, &json.to_string()).unwrap();
    };
    set(&mut cache, Shelf::Devices, json!([{"id": "d1", "area_id": "hall", "labels": ["old"]}]));
    set(
        &mut cache,
        Shelf::Entries,
        json!({"entities": [
            {"ei": "light.kitchen", "ai": "kitchen", "di": "d1", "lb": ["cosy", "old"]},
            {"ei": "lock.front", "di": "d1", "en": "Front door", "ec": 1},
        ]}),
    );
    let exposed = json!({"exposed_entities": {"light.kitchen": {"conversation": true},
                                              "lock.front": {"conversation": false}}});
    set(&mut cache, Shelf::Exposed, exposed);
    let facts = |id: &str| {
        let entity = cache.get(id).unwrap();
        let labels: Vec<String> = entity.labels.iter().map(|l| l.to_string()).collect();
        (entity.area.clone().unwrap().to_string(), labels.join("+"), entity.exposed)
    };
    assert_eq!(facts("light.kitchen"), ("kitchen".into(), "cosy+old".into(), true));
    assert_eq!(facts("lock.front"), ("hall".into(), "old".into(), false));
    assert_eq!(cache.get("lock.front").unwrap().name.as_deref(), Some("Front door"));
    assert!(cache.registry.entries["lock.front"].is_secondary());
}

#[test]
fn too_many_entities_and_too_large_attributes_are_left_out() {
    let mut cache = Cache::new("home".into(), 2);
    let one = json!({"s": "on", "a": {}, "c": "c", "lc": 1.0});
    let big = json!({"s": "on", "a": {"friendly_name": "Big", "x": "y".repeat(MOST_ATTRIBUTES)},
                     "c": "c", "lc": 1.0});
    let all = json!({"a": {"a.a": big, "a.b": one, "a.c": one}});
    assert_eq!(cache.apply(&all.to_string(), true).unwrap().len(), 2);
    assert_eq!((cache.len(), cache.left_out), (2, 1));
    let big = cache.get("a.a").unwrap();
    assert!(big.attributes.len() < 200 && big.attributes.contains("left out"));
    assert_eq!(big.name.as_deref(), Some("Big"));
}
