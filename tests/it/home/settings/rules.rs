//! Who may configure what, what a person must agree to, and what is refused before it is written.

use super::super::raw::Raw;
use super::super::rig::{config, on_real, real, start};
use super::{agreed, agreed_as, asked, rest};
use hearth::error::Kind;
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_are_told_with_their_fields() {
    let rig = on_real().await;
    let all = rig.tool("home_schema", json!({})).await;
    let kinds = all["kinds"].as_object().unwrap();
    assert!(kinds.len() >= 26 && kinds.contains_key("dashboard"), "{all}");
    assert!(all.to_string().len() < 2048, "{}", all.to_string().len());
    for kind in kinds.keys() {
        let one = rig.tool("home_schema", json!({"kind": kind})).await;
        assert!(one["example"].is_object() && one["verbs"].is_array(), "{one}");
        assert!(one.to_string().len() < 2048, "{kind}");
        // Each can be listed, and the list keeps to its budget.
        let list = rig.tool("home_config_get", json!({"kind": kind})).await;
        assert!(list["items"].is_array() && list.to_string().len() <= 8192, "{kind}: {list}");
    }
    let e = rig.try_tool("home_schema", json!({"kind": "automatons"})).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("did you mean automation"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_home_assistant_would_not_take_is_not_written() {
    let rig = on_real().await;
    let check = async |kind: &str, config: Value, words: &str| {
        let args = json!({"kind": kind, "id": "rules_wrong", "config": config});
        for dry in [true, false] {
            let mut args = args.clone();
            args["dry_run"] = dry.into();
            // What only Home Assistant knows, and only when it writes, a trial does not find.
            let done = rig.try_tool("home_config_set", args).await;
            if dry && done.is_ok() {
                continue;
            }
            let e = done.unwrap_err();
            assert!(e.kind() == Kind::Invalid && e.what().contains(words), "{kind} {config}: {e}");
        }
    };
    let bad = json!({"alias": "x", "triggers": [{"trigger": "state"}], "actions": []});
    check("automation", bad, "refuses the triggers").await;
    check("script", json!({"sequence": [{"action": "nothing"}]}), "refuses the actions").await;
    check("scene", json!({"name": "x"}), "entities").await;
    check("input_number", json!({"name": "x", "min": 5, "max": 1}), "Maximum").await;
    check("input_number", json!({"name": "x", "min": 5}), "needs the field 'max'").await;
    check("area", json!({"name": "x", "flor_id": "ground"}), "did you mean floor_id").await;
    check("area", json!("attic"), "no JSON object").await;
    check("dashboard", json!({"icon": "mdi:x"}), "needs the field 'title'").await;
    for kind in ["automation", "script", "scene"] {
        let there = rest("GET", &format!("config/{kind}/config/rules_wrong"), None).await;
        assert!(there.is_null() || there["message"].is_string(), "{kind}: {there}");
    }
    // Nothing that was refused is among the changes that came into effect.
    let list = rig.tool("home_undo", json!({})).await;
    for row in list["changes"].as_array().unwrap() {
        assert!(row["outcome"].as_str().unwrap_or_default().starts_with("failed"), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_is_no_way_round_a_confirmation() {
    let rig = on_real().await;
    let at_door = |action: Value| {
        json!({"kind": "script", "id": "rules_door",
               "config": {"alias": "Rules door", "sequence": [action]}})
    };
    for (action, words) in [
        (
            json!({"action": "lock.unlock", "target": {"entity_id": "lock.front_door"}}),
            "lock.unlock",
        ),
        (
            json!({"action": "homeassistant.turn_off", "target": {"entity_id": "lock.front_door"}}),
            "lock.front_door",
        ),
        (
            json!({"action": "cover.open_cover", "target": {"entity_id": "cover.garage_door"}}),
            "cover.garage_door",
        ),
        (json!({"action": "homeassistant.restart"}), "homeassistant.restart"),
        (json!({"if": [], "then": [{"action": "{{ 'lock.unlock' }}"}]}), "template"),
    ] {
        let tried = {
            let mut args = at_door(action.clone());
            args["dry_run"] = true.into();
            rig.tool("home_config_set", args).await
        };
        assert!(tried["needs_confirmation"].to_string().contains(words), "{tried}");
        let e = rig.try_tool("home_config_set", at_door(action.clone())).await.unwrap_err();
        let token = asked(&e);
        assert!(e.what().contains(words), "{action}: {e}");
        // The answer to one question writes no other script.
        let mut other =
            at_door(json!({"action": "lock.open", "target": {"entity_id": "lock.front_door"}}));
        other["confirm"] = token.into();
        let e = rig.try_tool("home_config_set", other).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Conflict);
    }
    let there = rest("GET", "config/script/config/rules_door", None).await;
    assert!(there.is_null() || there["message"].is_string(), "{there}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_outside_a_share_is_answered_like_none() {
    let rig = on_real().await;
    let areas = vec!["kitchen".to_owned()];
    let scope = EntityScope { areas, ..EntityScope::default() };
    let cook = rig.token("cook", Level::Admin, scope).await;
    for (kind, hidden, none) in [
        ("automation", "seed_guest", "seed_nobody"),
        ("automation", "automation.seed_guest", "automation.seed_nobody"),
        ("scene", "seed_movie", "seed_nobody"),
        ("entity", "light.bed_light", "light.nobody"),
        ("area", "bedroom", "nobody"),
    ] {
        let mut said = Vec::new();
        for id in [hidden, none] {
            let args = json!({"kind": kind, "id": id});
            let e = rig.tool_as(&cook, "home_config_get", args.clone()).await.unwrap_err();
            assert_eq!(e.kind(), Kind::NotFound, "{args}: {e}");
            said.push(e.what().replace(id, "…"));
        }
        assert_eq!(said[0], said[1]);
    }
    let areas = rig.tool_as(&cook, "home_config_get", json!({"kind": "area"})).await.unwrap();
    assert_eq!(areas["items"][0]["id"], "kitchen", "{areas}");
    assert_eq!(areas["total"], 1, "{areas}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_configure_and_scopes_hold() {
    let rig = on_real().await;
    let control = rig.token("control", Level::Control, EntityScope::default()).await;
    let new = json!({"kind": "input_boolean", "config": {"name": "Rules helper"}});
    for (tool, args) in [
        ("home_config_set", new.clone()),
        ("home_config_delete", json!({"kind": "area", "id": "kitchen"})),
    ] {
        let e = rig.tool_as(&control, tool, args).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Refused, "{tool}: {e}");
    }
    // A change of the configuration is undone by whoever may make one.
    let made = agreed(&rig, "home_config_set", new.clone()).await;
    let undo = json!({"change": made["change"]});
    let e = rig.tool_as(&control, "home_undo", undo.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");
    rig.tool("home_undo", undo).await;

    let areas = vec!["kitchen".to_owned()];
    let scope = EntityScope { areas, ..EntityScope::default() };
    let cook = rig.token("cook", Level::Admin, scope).await;
    let seen = rig.tool_as(&cook, "home_config_get", json!({"kind": "automation"})).await.unwrap();
    assert!(!seen.to_string().contains("seed_guest"), "{seen}");
    let all = rig.tool("home_config_get", json!({"kind": "device"})).await;
    let mine = rig.tool_as(&cook, "home_config_get", json!({"kind": "device"})).await.unwrap();
    let (all, mine) = (all["total"].as_u64().unwrap(), mine["total"].as_u64().unwrap());
    assert!(mine > 0 && mine < all, "{mine} of {all} devices");
    for kind in ["integration", "blueprint"] {
        let none = rig.tool_as(&cook, "home_config_get", json!({"kind": kind})).await.unwrap();
        assert_eq!(none["total"], 0, "{kind}: {none}");
    }
    let light = "light.kitchen_lights";
    let script = |action: Value| {
        json!({"kind": "script", "id": "rules_cook",
        "config": {"alias": "Rules cook", "sequence": [action]}})
    };
    for args in [
        script(json!({"action": "light.turn_on", "target": {"entity_id": "light.bed_light"}})),
        script(json!({"action": "light.turn_on", "target": {"area_id": "bedroom"}})),
        script(json!({"action": "light.turn_on", "target": {"entity_id": "all"}})),
        script(json!({"delay": "{{ states('input_number.target_level') }}"})),
        json!({"kind": "area", "config": {"name": "Rules area"}}),
        json!({"kind": "entity", "id": light, "config": {"labels": []}}),
        json!({"kind": "exposure", "id": light, "config": {"conversation": false}}),
        json!({"kind": "integration", "id": "x", "config": {"reload": true}}),
    ] {
        let e = rig.tool_as(&cook, "home_config_set", args.clone()).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Refused, "{args}: {e}");
    }
    let own = script(json!({"action": "light.turn_on", "target": {"entity_id": light}}));
    let done = agreed_as(&rig, &cook, "home_config_set", own).await.unwrap();
    let hidden = rig
        .tool(
            "home_config_set",
            json!({"kind": "input_button", "config": {"name": "Rules hidden"}}),
        )
        .await;
    let list = rig.tool_as(&cook, "home_undo", json!({})).await.unwrap();
    assert!(
        list.to_string().contains("rules_cook") && !list.to_string().contains("Rules hidden"),
        "{list}"
    );
    let e = rig.tool_as(&cook, "home_undo", json!({"change": hidden["change"]})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    for change in [done, hidden] {
        agreed(&rig, "home_undo", json!({"change": change["change"]})).await;
    }
    assert!(
        rig.policy
            .audit()
            .iter()
            .any(|entry| entry.action == "script created" && entry.who == "cook")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_house_is_configured_by_nobody() {
    let (url, token) = real();
    let mut quiet = config(&url, &token);
    quiet.read_only = true;
    quiet.deny = vec!["lock.*".into()];
    let rig = start(&quiet).await;
    rig.connected().await;
    let new = json!({"kind": "area", "config": {"name": "Rules never"}});
    let e = rig.try_tool("home_config_set", new).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("home.read_only"), "{e}");
    let e = rig
        .try_tool("home_config_delete", json!({"kind": "area", "id": "kitchen"}))
        .await
        .unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");
    // What the house hides from everybody is not shown inside a configuration either.
    let mut raw = Raw::on_real().await;
    let path = "config/script/config/rules_lock";
    let body = json!({"alias": "Rules lock", "sequence": [{"action": "lock.lock", "target": {"entity_id": "lock.front_door"}}]});
    rest("POST", path, Some(body)).await;
    let e = rig
        .try_tool("home_config_get", json!({"kind": "script", "id": "rules_lock"}))
        .await
        .unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    rest("DELETE", path, None).await;
    assert_ne!(raw.state("lock.front_door").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_dashboard_is_read_and_changed_by_its_parts() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let cards: Vec<Value> = (0..400)
        .map(|n| json!({"type": "markdown", "content": format!("card {n} with some words in it")}))
        .collect();
    let views = json!([{"title": "Large", "path": "large", "cards": cards}, {"title": "Small"}]);
    let new = json!({"kind": "dashboard", "id": "rules-large",
                     "config": {"title": "Rules", "config": {"views": views}}});
    let made = rig.tool("home_config_set", new).await;
    let which = json!({"kind": "dashboard", "id": "rules-large"});
    let got = rig.tool("home_config_get", which.clone()).await;
    assert!(
        got.to_string().len() <= 8192 && got["config"]["config"].as_u64().unwrap() > 20_000,
        "{got}"
    );
    let mut part = which.clone();
    part["path"] = "/config/views/0/cards/7".into();
    let got = rig.tool("home_config_get", part.clone()).await;
    assert_eq!(got["config"]["content"], "card 7 with some words in it");
    part["config"] = json!({"type": "markdown", "content": "changed"});
    part["hash"] = got["hash"].clone();
    let edited = rig.tool("home_config_set", part).await;
    assert_eq!(
        edited["diff"],
        json!([{"at": "/config/views/0/cards/7/content",
        "from": "card 7 with some words in it", "to": "changed"}])
    );
    let config = raw.ask(json!({"type": "lovelace/config", "url_path": "rules-large"})).await;
    assert_eq!(config["views"][0]["cards"][7]["content"], "changed");
    assert_eq!(config["views"][0]["cards"].as_array().unwrap().len(), 400);
    agreed(&rig, "home_undo", json!({"change": edited["change"]})).await;
    let config = raw.ask(json!({"type": "lovelace/config", "url_path": "rules-large"})).await;
    assert_eq!(config["views"], views);
    agreed(&rig, "home_undo", json!({"change": made["change"]})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_to_one_version_only_one_is_made() {
    let rig = on_real().await;
    let config = json!({"name": "Rules race", "min": 0, "max": 10});
    let made = rig.tool("home_config_set", json!({"kind": "input_number", "config": config})).await;
    let set = |max: u32| {
        let args = json!({"kind": "input_number", "id": made["id"], "hash": made["hash"],
                          "config": {"max": max}});
        rig.try_tool("home_config_set", args)
    };
    let (a, b) = tokio::join!(set(20), set(30));
    assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
    let (won, lost) = if a.is_ok() { (20.0, b) } else { (30.0, a) };
    assert!(lost.unwrap_err().what().contains("changed since"));
    let mut raw = Raw::on_real().await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(super::theirs(&mut raw, "input_number", id).await["max"].as_f64(), Some(won));
    agreed(&rig, "home_config_delete", json!({"kind": "input_number", "id": id})).await;
}
