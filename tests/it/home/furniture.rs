//! Things in a real house that name one entity in every way, and what Home Assistant says of them.

use super::raw::Raw;
use super::rig::real;
use crate::harness::House;
use serde_json::{Value, json};

/// A helper `input_number.<tag>` and everything that names it.
pub struct Furniture {
    pub tag: String,
    /// Path and content of each configuration as Home Assistant answered it at the start.
    helpers: Vec<String>,
    wide: bool,
    start_page: bool,
    pipeline: Option<String>,
}

fn house() -> House {
    let (url, token) = real();
    House { url, token }
}

/// Runs what blocks where other tasks go on.
fn blocking<T>(run: impl FnOnce(House) -> T) -> T {
    tokio::task::block_in_place(|| run(house()))
}

pub fn get(path: &str) -> Value {
    blocking(|house| house.get(path))
}

pub fn post(path: &str, body: &Value) -> Value {
    blocking(|house| house.post(path, body))
}

pub fn delete(path: &str) {
    blocking(|house| house.delete(path));
}

/// Takes a group away that `group.set` made.
pub async fn remove_group(raw: &mut Raw, name: &str) {
    raw.ask(json!({"type": "call_service", "domain": "group", "service": "remove",
                   "service_data": {"object_id": name}}))
        .await;
}

impl Furniture {
    /// Makes them; `wide` also uses what a house has only once (energy, start page).
    pub async fn new(raw: &mut Raw, tag: &str, wide: bool) -> Furniture {
        let id = format!("input_number.{tag}");
        let other = format!("input_number.{tag}_other");
        for name in [tag.to_owned(), format!("{tag}_other")] {
            raw.ask(json!({"type": "input_number/create", "name": name, "min": 0, "max": 10}))
                .await;
        }
        let number = |value: u32| {
            json!({"action": "input_number.set_value", "target": {"entity_id": id},
                                         "data": {"value": value}})
        };
        post(
            &format!("/api/config/automation/config/{tag}"),
            &json!({
                "alias": tag, "description": format!("Watches {id}."), "mode": "single",
                "triggers": [{"trigger": "numeric_state", "entity_id": [id, other], "above": 5}],
                "conditions": [{"condition": "template",
                                "value_template": format!("{{{{ states('{id}') | int > 1 and states.{id}.state != '3' }}}}")}],
                "actions": [number(1), {"action": "homeassistant.update_entity",
                                        "data": {"entity_id": format!("{other}, {id}")}}],
            }),
        );
        post(
            &format!("/api/config/script/config/{tag}"),
            &json!({"alias": tag, "sequence": [{"if": [{"condition": "numeric_state", "entity_id": id, "below": 3}],
                                                "then": [number(4)]}]}),
        );
        post(
            &format!("/api/config/scene/config/{tag}"),
            &json!({"name": tag, "entities": {&id: {"state": "7"}, &other: {"state": "2"}}}),
        );
        let path = format!("{}-board", tag.replace('_', "-"));
        raw.ask(json!({"type": "lovelace/dashboards/create", "url_path": path, "title": tag}))
            .await;
        raw.ask(json!({"type": "lovelace/config/save", "url_path": path, "config": board(&id)}))
            .await;
        let mut made = Furniture {
            tag: tag.into(),
            helpers: Vec::new(),
            wide,
            start_page: false,
            pipeline: None,
        };
        let state = format!("{{{{ states('{id}') }}}}");
        made.helper("template", "sensor", json!({"name": format!("{tag} t"), "state": state}));
        let group = json!({"name": format!("{tag} g"), "entities": [other, id], "hide_members": false,
                           "type": "max"});
        made.helper("group", "sensor", group);
        if wide {
            let energy = json!([{ "stat_consumption": id }]);
            raw.ask(json!({"type": "energy/save_prefs", "device_consumption": energy})).await;
            let pipeline = json!({"type": "assist_pipeline/pipeline/create", "name": tag,
                "conversation_engine": "conversation.home_assistant", "conversation_language": "en",
                "language": "en", "stt_engine": id, "stt_language": "en", "tts_engine": null,
                "tts_language": null, "tts_voice": null, "wake_word_entity": null,
                "wake_word_id": null});
            let pipeline = raw.ask(pipeline).await;
            made.pipeline = Some(pipeline["id"].as_str().unwrap().to_owned());
            // The oldest release has no start page.
            let start = json!({"type": "frontend/set_system_data", "key": "home",
                               "value": {"favorite_entities": [id]}});
            made.start_page = raw.try_ask(start).await["success"] == true;
        }
        made
    }

    fn helper(&mut self, handler: &str, kind: &str, answers: Value) {
        let flow = "/api/config/config_entries/flow";
        let form = post(flow, &json!({ "handler": handler }));
        let path = format!("{flow}/{}", form["flow_id"].as_str().unwrap());
        post(&path, &json!({ "next_step_id": kind }));
        let done = post(&path, &answers);
        assert_eq!(done["type"], "create_entry", "{done}");
        self.helpers.push(done["result"]["entry_id"].as_str().unwrap().to_owned());
    }

    pub fn id(&self) -> String {
        format!("input_number.{}", self.tag)
    }

    pub fn board(&self) -> String {
        format!("{}-board", self.tag.replace('_', "-"))
    }

    /// Every configuration, by Home Assistant's own interfaces.
    pub async fn all(&self, raw: &mut Raw) -> Vec<(String, Value)> {
        let tag = &self.tag;
        let mut all = Vec::new();
        for kind in ["automation", "script", "scene"] {
            all.push((kind.to_owned(), get(&format!("/api/config/{kind}/config/{tag}"))));
        }
        let board = json!({"type": "lovelace/config", "url_path": self.board(), "force": true});
        all.push(("dashboard".into(), raw.ask(board).await));
        for entry in &self.helpers {
            let flow = "/api/config/config_entries/options/flow";
            let form = post(flow, &json!({ "handler": entry }));
            delete(&format!("{flow}/{}", form["flow_id"].as_str().unwrap()));
            // What is not set counts as its default: Home Assistant stores that at the first edit.
            let value = |field: &Value| match &field["description"]["suggested_value"] {
                Value::Null => field["default"].clone(),
                value => value.clone(),
            };
            let fields: Vec<Value> =
                form["data_schema"].as_array().unwrap().iter().map(value).collect();
            all.push((format!("helper {entry}"), fields.into()));
        }
        if self.wide {
            all.push(("energy".into(), raw.ask(json!({"type": "energy/get_prefs"})).await));
        }
        if let Some(id) = &self.pipeline {
            let get = json!({"type": "assist_pipeline/pipeline/get", "pipeline_id": id});
            all.push(("voice assistant".into(), raw.ask(get).await));
        }
        if self.start_page {
            let start = raw.ask(json!({"type": "frontend/get_system_data", "key": "home"})).await;
            all.push(("start page".into(), start));
        }
        all
    }

    /// Whether everything names `id` and nothing names `not`, as Home Assistant says.
    pub async fn names_only(&self, raw: &mut Raw, id: &str, not: &str) -> bool {
        let entries = raw.ask(json!({"type": "config/entity_registry/list"})).await.to_string();
        // Neither a longer id nor a picture's name is the id.
        let names = |text: &str, id: &str| {
            text.replace(&format!("{id}_"), "").replace(&format!("{id}.png"), "").contains(id)
        };
        let own = |id: &str| entries.contains(&format!("\"entity_id\":\"{id}\""));
        let all = self.all(raw).await;
        own(id)
            && !own(not)
            && all.iter().all(|(_, config)| {
                let text = config.to_string();
                names(&text, id) && !names(&text, not)
            })
    }

    /// Takes everything away again.
    pub async fn clear(self, raw: &mut Raw) {
        let Furniture { tag, helpers, wide, start_page, pipeline } = &self;
        for kind in ["automation", "script", "scene"] {
            delete(&format!("/api/config/{kind}/config/{tag}"));
        }
        for entry in helpers {
            delete(&format!("/api/config/config_entries/entry/{entry}"));
        }
        let board = self.board().replace('-', "_");
        raw.ask(json!({"type": "lovelace/dashboards/delete", "dashboard_id": board})).await;
        for id in [tag.clone(), format!("{tag}_other")] {
            raw.ask(json!({"type": "input_number/delete", "input_number_id": id})).await;
        }
        if *wide {
            raw.ask(json!({"type": "energy/save_prefs", "device_consumption": []})).await;
        }
        if let Some(id) = pipeline {
            raw.ask(json!({"type": "assist_pipeline/pipeline/delete", "pipeline_id": id})).await;
        }
        if *start_page {
            let nothing = json!({"type": "frontend/set_system_data", "key": "home", "value": null});
            raw.ask(nothing).await;
        }
    }
}

fn board(id: &str) -> Value {
    json!({"views": [{"title": "Main", "cards": [
        {"type": "entities", "entities": [id, {"entity": id, "name": "N"}]},
        {"type": "markdown", "content": format!("It is {{{{ states('{id}') }}}} now.")},
        {"type": "picture", "image": format!("/local/{id}.png")},
    ]}]})
}
