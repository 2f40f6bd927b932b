//! Looking at a real house: overview, find, get, template.

use super::fake::{Fake, Script};
use super::raw::Raw;
use super::rig::{config, ids, on_real, start, until};
use hearth::error::Kind;
use serde_json::{Value, json};

fn size(value: &Value) -> usize {
    value.to_string().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_shows_rooms_and_problems() {
    let rig = on_real().await;
    let raw = Raw::on_real().await.ask(json!({"type": "get_config"})).await;
    let got = rig.tool("home_overview", json!({})).await;
    assert_eq!(got["version"], raw["version"]);
    assert_eq!(got["name"], raw["location_name"]);
    let ground = got["floors"]["Ground"].as_array().unwrap();
    let kitchen = ground.iter().find(|area| area["id"] == "kitchen").unwrap();
    assert!(kitchen["entities"].as_u64().unwrap() >= 1, "{kitchen}");
    assert!(got["domains"]["light"]["all"].as_u64().unwrap() >= 6, "{}", got["domains"]);
    let low = got["problems"]["low_battery"].as_array().unwrap();
    // A sensor of its own in newer versions, an attribute in older ones.
    let is_outside =
        |b: &Value| b["id"].as_str().unwrap().starts_with("sensor.outside_temperature");
    assert!(low.iter().any(|b| is_outside(b) && b["percent"] == 12.0), "{low:?}");
    assert!(got.get("stale_since").is_none());
    assert!(got["note"].as_str().unwrap().contains("not instructions"));
    assert!(size(&got) <= 8192, "{} bytes", size(&got));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_are_found_by_words_and_by_place() {
    let rig = on_real().await;
    let find = async |args: Value| ids(&rig.tool("home_find", args).await);
    assert_eq!(find(json!({"query": "kitchen lights"})).await[0], "light.kitchen_lights");
    assert_eq!(find(json!({"query": "kichen lihgts"})).await[0], "light.kitchen_lights");
    assert_eq!(find(json!({"query": "lock.front_door"})).await[0], "lock.front_door");
    assert_eq!(find(json!({"query": "elephant"})).await, Vec::<String>::new());
    // An area by its name and by its id, a floor by its name, a label by its name.
    let kitchen = find(json!({"area": "Kitchen"})).await;
    assert!(kitchen.contains(&"light.kitchen_lights".to_owned()), "{kitchen:?}");
    assert_eq!(find(json!({"area": "kitchen"})).await, kitchen);
    let ground = find(json!({"floor": "ground"})).await;
    assert!(kitchen.iter().all(|id| ground.contains(id)) && ground.len() > kitchen.len());
    let critical = find(json!({"label": "Critical"})).await;
    assert!(!critical.is_empty());
    assert_eq!(find(json!({"label": "critical"})).await, critical);
    let locked = find(json!({"domain": "lock", "state": "locked"})).await;
    assert!(locked.iter().all(|id| id.starts_with("lock.")) && !locked.is_empty());
    let warm = rig
        .tool(
            "home_find",
            json!({"domain": "sensor", "state": ">15",
        "query": "outside temperature", "fields": ["state", "unit", "device_class"]}),
        )
        .await;
    assert_eq!(warm["entities"][0]["unit"], "°C", "{warm}");
    assert_eq!(warm["entities"][0]["device_class"], "temperature");
    let e = rig.try_tool("home_find", json!({"area": "attic"})).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("Kitchen"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_leads_through_the_whole_house_in_small_answers() {
    let rig = on_real().await;
    let fields = json!(["name", "state", "area", "device", "last_changed", "attributes"]);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), json!(""), 0);
    loop {
        let args = json!({"fields": fields, "cursor": cursor});
        let page = rig.tool("home_find", args).await;
        assert!(size(&page) <= 8192, "{} bytes", size(&page));
        seen.extend(ids(&page));
        pages += 1;
        match page.get("next") {
            Some(next) => cursor = next.clone(),
            None => {
                assert_eq!(page["total"], seen.len());
                break;
            }
        }
    }
    assert!(pages > 3, "{pages}");
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(seen, sorted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_said_with_what_there_is() {
    let rig = on_real().await;
    let refused = async |tool: &str, args: Value, kind: Kind, words: &[&str]| {
        let e = rig.try_tool(tool, args.clone()).await.expect_err(&args.to_string());
        assert_eq!(e.kind(), kind, "{tool} {args}: {e}");
        for word in words {
            assert!(e.what().contains(word), "{tool} {args}: no '{word}' in: {e}");
        }
    };
    for tool in ["home_find", "home_watch"] {
        let domain = json!({"domain": "lihgt"});
        refused(tool, domain, Kind::NotFound, &["'lihgt'", "did you mean light?", "cover"]).await;
        let area = json!({"area": "Kitchn"});
        refused(tool, area, Kind::NotFound, &["'Kitchn'; did you mean Kitchen?", "Bedroom"]).await;
        let label = json!({"label": "critcal"});
        refused(tool, label, Kind::NotFound, &["did you mean Critical?"]).await;
    }
    let floor = json!({"floor": "grund"});
    refused("home_find", floor, Kind::NotFound, &["did you mean Ground?"]).await;
    for args in [json!({}), json!({"entity_ids": []}), json!({"entity_ids": ""})] {
        let words = ["entity_ids is missing", "{\"entity_ids\": [\"light.kitchen\"]}"];
        refused("home_get", args, Kind::Invalid, &words).await;
    }
    let hints = async |tool: &str, args: Value| {
        let got = rig.tool(tool, args).await;
        got["hints"].as_array().map_or_else(Vec::new, |hints| {
            hints.iter().map(|hint| hint.as_str().unwrap().to_owned()).collect()
        })
    };
    // A state that nothing is in now may be one that comes: a note, and no error.
    for (tool, seconds) in [("home_find", None), ("home_watch", Some(1))] {
        let mut args = json!({"domain": "light", "state": "onn"});
        if let Some(seconds) = seconds {
            args["seconds"] = seconds.into();
        }
        let said = hints(tool, args).await;
        assert!(said[0].contains("'onn'") && said[0].contains("off"), "{said:?}");
    }
    let said = hints("home_find", json!({"domain": "light,lihgt"})).await;
    assert!(said[0].contains("'lihgt'"), "{said:?}");
    let said = hints("home_find", json!({"domain": "light", "fields": ["brightnes"]})).await;
    assert!(said[0].contains("'brightnes'; did you mean brightness?"), "{said:?}");
    let fine = json!({"domain": "light", "state": "on,off", "fields": ["brightness", "area"]});
    assert!(hints("home_find", fine).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_words_find_what_is_meant() {
    let rig = on_real().await;
    let find = async |words: &str| ids(&rig.tool("home_find", json!({"query": words})).await);
    for words in ["lights kitchen", "the light in the kitchen", "kitchen light ceiling"] {
        let found = find(words).await;
        assert!(found.iter().take(2).any(|id| id == "light.kitchen_lights"), "{words}: {found:?}");
    }
    // The name of the area, then of the device; the entity's own id knows nothing of the area.
    assert_eq!(find("living room ceiling light").await[0], "light.ceiling_lights");
    assert_eq!(find("light ceiling living room").await[0], "light.ceiling_lights");
    assert_eq!(find("bedroom bed light").await[0], "light.bed_light");
    assert_eq!(find("door front lock").await[0], "lock.front_door");
    assert!(find("purple elephant").await.is_empty());
    let told = rig.tool("home_find", json!({"query": "the light in the kitchen"})).await;
    assert!(told["hints"][0].as_str().unwrap().contains("fit most of them"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overview_counts_everything_or_says_what_it_leaves_out() {
    let check = async |domains: usize| {
        let states: serde_json::Map<String, Value> = (0..domains)
            .flat_map(|n| {
                let id = format!("domain_{n:03}.thing");
                let state = json!({"s": "unavailable", "a": {}, "c": "c", "lc": 1.0});
                [(id, state)]
            })
            .collect();
        let fake = Fake::start(Script::Well(Value::Object(states))).await;
        let rig = start(&config(&fake.url(), "token")).await;
        rig.connected().await;
        let got = rig.tool("home_overview", json!({})).await;
        assert!(size(&got) <= 8192, "{} bytes", size(&got));
        let shown = got["domains"].as_object().unwrap().len();
        let more = got["more_domains"].as_u64().unwrap_or(0);
        assert_eq!(shown + usize::try_from(more).unwrap(), domains, "{got}");
        let missing = got["problems"]["unavailable"].as_array().unwrap();
        let last = missing.last().unwrap().as_str().unwrap();
        let listed = missing.len() - 1;
        assert_eq!(last, format!("and {} more; home_find lists them", domains - listed));
        shown
    };
    assert_eq!(check(60).await, 60);
    assert!(check(400).await < 400);
}

/// `+01:00`: how far the house's own time zone is from UTC now.
fn offset_of_the_house() -> String {
    let house = crate::harness::real_house().unwrap();
    let zone = house.get("/api/config")["time_zone"].as_str().unwrap().to_owned();
    jiff::Timestamp::now().in_tz(&zone).unwrap().strftime("%:z").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entity_is_read_with_its_place_and_time() {
    let rig = on_real().await;
    let got = rig.tool("home_get", json!({"entity_ids": "light.kitchen_lights, light.nope"})).await;
    let light = &got["entities"][0];
    assert_eq!((&light["area"], &light["floor"]), (&json!("Kitchen"), &json!("Ground")));
    assert_eq!(light["name"], "Kitchen Lights");
    assert!(light["attributes"]["supported_color_modes"].is_array(), "{light}");
    let changed = light["last_changed"].as_str().unwrap();
    assert!(changed.len() == 25 && changed.ends_with(&offset_of_the_house()), "{changed}");
    assert_eq!(got["missing"], json!(["light.nope"]));
    let few = json!({"entity_ids": ["weather.demo_weather_south"], "attributes": ["temperature"]});
    let few = rig.tool("home_get", few).await;
    let attributes = few["entities"][0]["attributes"].as_object().unwrap();
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["temperature"]);
    let e = rig.try_tool("home_get", json!({"entity_ids": ["light.nope"]})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    let e = rig.try_tool("home_get", json!({"entity_ids": ["a.b"], "house": "cabin"})).await;
    assert!(e.unwrap_err().what().contains("there is: home"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_registries_is_seen() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let label = "hearth_seen_by_a_test";
    let made = json!({"type": "config/label_registry/create", "name": "Hearth seen by a test"});
    let made = raw.try_ask(made).await;
    assert!(made["success"] == true || made["error"]["message"].is_string(), "{made}");
    let put = |labels: Value| {
        json!({"type": "config/entity_registry/update",
        "entity_id": "fan.ceiling_fan", "labels": labels})
    };
    raw.ask(put(json!([label]))).await;
    until("the label is on the fan", async || {
        let found = rig.try_tool("home_find", json!({"label": "Hearth seen by a test"})).await;
        found.is_ok_and(|found| ids(&found) == ["fan.ceiling_fan"])
    })
    .await;
    raw.ask(put(json!([]))).await;
    raw.ask(json!({"type": "config/label_registry/delete", "label_id": label})).await;
    until("the label is gone", async || {
        rig.try_tool("home_find", json!({"label": label})).await.is_err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_is_tested_before_it_goes_into_an_automation() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let test = async |condition: Value| {
        rig.try_tool("home_template", json!({ "condition": condition })).await
    };
    let sun = raw.state("sun.sun").await;
    let is = |state: &str| json!({"condition": "state", "entity_id": "sun.sun", "state": state});
    let not = |one: Value| json!({"condition": "not", "conditions": [one]});
    for (condition, want) in [
        (is(&sun), true),
        (is("green"), false),
        (not(is(&sun)), false),
        (json!({"condition": "template", "value_template": "{{ 1 + 1 == 2 }}"}), true),
        (json!({"condition": "and", "conditions": [is(&sun), is("green")]}), false),
    ] {
        let ours = test(condition.clone()).await.unwrap();
        let ask = json!({"type": "test_condition", "condition": condition});
        assert_eq!(ours["result"], raw.ask(ask).await["result"], "{condition}");
        assert_eq!(ours["result"], want, "{condition}");
    }
    for (args, word) in [
        (json!({"condition": {"condition": "moon"}}), "moon"),
        (json!({}), "either"),
        (json!({"condition": {"condition": "sun"}, "template": "{{ 1 }}"}), "either"),
    ] {
        let e = rig.try_tool("home_template", args.clone()).await.unwrap_err();
        assert!(e.kind() == Kind::Invalid && e.what().contains(word), "{args}: {e}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_are_rendered_within_limits() {
    let rig = on_real().await;
    let render = async |text: &str| rig.try_tool("home_template", json!({"template": text})).await;
    let ok = render("{{ states('lock.front_door') ~ '!' }}\n{{ 1 + 1 }}").await.unwrap();
    let state = Raw::on_real().await.state("lock.front_door").await;
    assert_eq!(ok["result"], format!("{state}!\n2"));
    assert_eq!(render("{{ [1, 2] }}").await.unwrap()["result"], json!([1, 2]));
    let e = render("{{ 1 / 0 }}").await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("ZeroDivisionError"), "{e}");
    assert_eq!(render("{{ foo( }}").await.unwrap_err().kind(), Kind::Invalid);
    let long = render("{% for i in range(3000) %}long text {% endfor %}").await.unwrap();
    assert!(size(&long) <= 8192 && long["cut"] == true, "{} bytes", size(&long));
    let text = long["result"].as_str().unwrap();
    assert!(text.starts_with("long text long") && text.ends_with('…'), "{text}");
    let slow = "{% for i in range(9999) %}{% for j in range(9999) %}{% set x = i * j %}\
                {% endfor %}{% endfor %}";
    let e = rig.try_tool("home_template", json!({"template": slow, "seconds": 1})).await;
    assert!(matches!(e.unwrap_err().kind(), Kind::Timeout | Kind::Conflict | Kind::Invalid));
    // What a slow one leaves behind does not stop the next.
    assert_eq!(render("{{ 3 }}").await.unwrap()["result"], 3);
}
