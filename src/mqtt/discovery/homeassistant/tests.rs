use super::*;
use serde_json::json;
use std::sync::Arc;

fn said(topic: &str, payload: Value) -> Said {
    Said { topic: topic.into(), payload: payload.to_string().into_bytes().into(), at: 0 }
}

#[test]
fn the_topic_of_a_config_is_read_and_wrong_shapes_are_told() {
    let read = |topic| place("homeassistant", topic).map(|place| place.map_err(|_| ()));
    let place = |component, node, object| Some(Ok(Place { component, node, object }));
    assert_eq!(read("homeassistant/light/lamp/config"), place("light", None, "lamp"));
    assert_eq!(read("homeassistant/light/n-1/l_2/config"), place("light", Some("n-1"), "l_2"));
    assert_eq!(read("homeassistant/status"), None);
    assert_eq!(read("home/light/lamp/config"), None);
    for wrong in [
        "homeassistant/light/config",
        "homeassistant/light/a/b/c/config",
        "homeassistant/lamp/a/config",
        "homeassistant/light/a b/config",
        "homeassistant/light//config",
    ] {
        assert_eq!(read(wrong), Some(Err(())), "{wrong}");
    }
}

#[test]
fn short_keys_and_the_base_topic_become_what_they_stand_for() {
    let all = [said(
        "homeassistant/light/x/lamp/config",
        json!({
            "~": "home/lamp", "name": "Lamp", "uniq_id": "l1", "stat_t": "~/state",
            "cmd_t": "~/set", "bri_stat_t": "bright/~", "pl_on": "~",
            "avty": {"t": "~/up", "pl_avail": "yes", "val_tpl": "{{ value_json.s }}"},
            "dev": {"ids": "abc", "mf": "Maker", "mdl": "M1", "sw": 3, "sa": "Hall",
                    "cns": [["mac", "AA:BB:CC:DD:EE:FF"]], "via_device": "hub"},
            "o": {"name": "me"}
        }),
    )];
    let devices = devices("homeassistant", &all);
    let [device] = devices.as_slice() else { panic!("{devices:?}") };
    assert_eq!(device.id(), "mac:aabbccddeeff");
    assert!(device.keys.contains("id:abc"));
    let [maker, model, software, area, via] =
        [&device.maker, &device.model, &device.software, &device.area, &device.via]
            .map(|field| field.as_deref());
    assert_eq!((maker, model), (Some("Maker"), Some("M1")));
    assert_eq!((software, area, via), (Some("3"), Some("Hall"), Some("id:hub")));
    let lamp = &device.abilities[0];
    assert_eq!((lamp.kind.as_str(), lamp.unique_id.as_deref()), ("light", Some("l1")));
    assert_eq!(lamp.state, ["bright/home/lamp", "home/lamp/state"]);
    assert_eq!(lamp.command, ["home/lamp/set"]);
    let signal = Signal {
        topic: "home/lamp/up".into(),
        online: "yes".into(),
        offline: "offline".into(),
        path: vec!["s".into()],
        is_plain: true,
    };
    let want = Availability::Signals { mode: Mode::Latest, signals: vec![signal] };
    assert_eq!(device.availability, [want]);
}

#[test]
fn a_device_config_gives_each_component_what_they_share() {
    let all = [said(
        "homeassistant/device/dev1/config",
        json!({
            "dev": {"ids": ["a", "b"], "name": "Plug"}, "o": {"name": "me"},
            "stat_t": "plug/state", "avty_t": "plug/up",
            "cmps": {
                "power": {"p": "sensor", "uniq_id": "p", "dev_cla": "power", "unit_of_meas": "W"},
                "relay": {"p": "switch", "uniq_id": "r", "cmd_t": "plug/set", "stat_t": "plug/relay"},
                "gone": {"p": "sensor"}
            },
            "cdevs": [{"ids": ["socket-2"], "name": "Socket 2",
                       "cmps": {"two": {"p": "switch", "uniq_id": "r2", "cmd_t": "plug/2/set"}}}]
        }),
    )];
    let merged = crate::mqtt::discovery::device::merge(devices("homeassistant", &all));
    let [plug, socket] = merged.as_slice() else { panic!("{merged:?}") };
    assert_eq!((plug.id(), plug.name.as_deref()), ("id:a", Some("Plug")));
    let names: Vec<_> = plug.abilities.iter().map(|a| (&*a.kind, a.state.clone())).collect();
    assert_eq!(
        names,
        [("sensor", vec!["plug/state".to_owned()]), ("switch", vec!["plug/relay".to_owned()])]
    );
    assert_eq!(plug.availability_topics().into_iter().collect::<Vec<_>>(), ["plug/up"]);
    assert_eq!((socket.id(), socket.name.as_deref()), ("id:socket-2", Some("Socket 2")));
    assert_eq!(socket.via.as_deref(), Some("id:a"));
}

#[test]
fn an_empty_payload_and_a_migration_take_a_config_back() {
    let topic: Arc<str> = "homeassistant/sensor/a/config".into();
    let place = place("homeassistant", &topic).unwrap().unwrap();
    for payload in ["", r#"{"migrate_discovery": true}"#, r#"{"migr_discvry": true}"#] {
        assert!(read(place, &topic, payload.as_bytes()).unwrap().is_empty(), "{payload}");
    }
}

#[test]
fn what_home_assistant_would_refuse_is_told() {
    let fault = |topic: &str, payload: &str| {
        let topic: Arc<str> = topic.into();
        read(place("homeassistant", &topic).unwrap().unwrap(), &topic, payload.as_bytes())
    };
    let single = "homeassistant/select/a/config";
    assert!(matches!(fault(single, "{"), Err(Fault::NoJson(_))));
    assert!(matches!(fault(single, "[1]"), Err(Fault::NoJson(_))));
    let config =
        &fault(single, r#"{"stat_t": "x", "stat_topc": "y", "dev": {"idz": 1}}"#).unwrap()[0];
    assert_eq!(config.missing(), ["command_topic", "options"]);
    assert_eq!(config.strange, ["stat_topc", "idz"]);
    let whole = "homeassistant/device/a/config";
    for (payload, lacks) in [
        (r#"{"cmps": {}, "o": {"name": "x"}}"#, "device"),
        (r#"{"dev": {"name": "x"}, "o": {"name": "x"}, "cmps": {}}"#, "identifiers or connections"),
        (r#"{"dev": {"ids": "x"}, "cmps": {}}"#, "origin"),
        (r#"{"dev": {"ids": "x"}, "o": {"name": "x"}}"#, "components"),
        (
            r#"{"dev": {"ids": "x"}, "o": {"name": "x"}, "cmps": {"a": {"stat_t": "x"}}}"#,
            "platform",
        ),
    ] {
        match fault(whole, payload) {
            Err(Fault::Missing(what)) => assert!(what.contains(lacks), "{what}"),
            other => panic!("{payload}: {other:?}"),
        }
    }
}
