//! Everything in a house that can name something else, read once.

use crate::error::{Error, Kind};
use crate::home::house::House;
use crate::home::refs::object::{self, Place};
use crate::home::{Home, ask};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many questions are under way at the same time.
const AT_ONCE: usize = 8;
/// At most so many objects of a kind are read.
const MOST: usize = 2000;

/// Something with a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// `automation`, `script`, `scene`, `dashboard`, `helper`, `group`, `person`, …
    pub(crate) kind: &'static str,
    /// Entity id, path of a dashboard or name: what a person calls it by.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) content: Value,
    /// Where it can be written; else why it cannot.
    pub(crate) place: Result<Place, &'static str>,
}

/// Everything that was read, and what could not be.
#[derive(Default)]
pub(crate) struct All {
    pub(crate) objects: Vec<Object>,
    pub(crate) unread: Vec<String>,
    pub(crate) entries: Vec<Entry>,
}

/// An entry of the entity registry, those of disabled entities too.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) entity_id: String,
    pub(crate) unique_id: Value,
    pub(crate) name: Option<String>,
    pub(crate) original_name: Option<String>,
    #[serde(default)]
    pub(crate) config_entry_id: Option<String>,
}

/// Why something cannot be written.
pub(crate) const IN_YAML: &str = "in a YAML file";
const BY_ITSELF: &str = "Home Assistant keeps it up to date by itself";
const NO_FORM: &str = "made in a YAML file or by a service";

/// Reads all of it.
///
/// # Errors
/// Offline while the house is away. What Home Assistant does not show is named in `unread` instead.
pub(crate) async fn read(home: &Home, house: &House) -> Result<All, Error> {
    let mut all = All::default();
    let list = json!({"type": "config/entity_registry/list"});
    all.entries = match ask::ask(house, &list).await {
        Ok(entries) => entries,
        Err(e) if e.kind() == Kind::Offline => return Err(e),
        Err(e) => {
            all.unread.push(format!("the entity registry: {e}"));
            Vec::new()
        }
    };
    for kind in ["automation", "script"] {
        written(home, house, kind, &mut all).await?;
    }
    scenes(house, &mut all);
    groups(house, &mut all);
    let parts = [
        ("dashboards", dashboards(home, house, &mut all).await),
        ("helpers", helpers(home, house, &mut all).await),
        ("people", people(house, &mut all).await),
        ("voice assistants", pipelines(house, &mut all).await),
        ("areas", areas(house, &mut all).await),
        ("the energy dashboard", single(home, house, "energy", Place::Energy, &mut all).await),
        (
            "the start page",
            single(home, house, "start page", Place::Interface("home".into()), &mut all).await,
        ),
    ];
    for (what, done) in parts {
        match done {
            Ok(()) => {}
            Err(e) if [Kind::Offline, Kind::Timeout].contains(&e.kind()) => return Err(e),
            // Older releases lack some of it.
            Err(e) if e.kind() == Kind::Invalid => {
                log::debug!("home '{}': {what}: {e}", house.name)
            }
            Err(e) => all.unread.push(format!("{what}: {e}")),
        }
    }
    Ok(all)
}

/// The entities of a domain, disabled ones too, each with its id in its integration and its name.
fn of_domain(house: &House, all: &All, kind: &str) -> Vec<(String, Option<String>, String)> {
    let mut found = BTreeMap::new();
    let domain = format!("{kind}.");
    for entry in all.entries.iter().filter(|entry| entry.entity_id.starts_with(&domain)) {
        let own = entry.unique_id.as_str().map(str::to_owned);
        let name = entry.name.clone().or(entry.original_name.clone()).unwrap_or_default();
        found.insert(entry.entity_id.clone(), (own, name));
    }
    let cache = house.cache();
    for (id, entity) in cache.iter().filter(|(id, _)| id.starts_with(&domain)) {
        let own = entity.attribute("id").and_then(|id| id.as_str().map(str::to_owned));
        let name = entity.name.as_deref().unwrap_or_default().to_owned();
        let slot = found.entry(id.to_string()).or_insert((None, String::new()));
        *slot = (slot.0.take().or(own), name);
    }
    found.into_iter().take(MOST).map(|(id, (own, name))| (id, own, name)).collect()
}

/// Automations and scripts: Home Assistant shows the configuration of each that runs.
async fn written(
    home: &Home,
    house: &House,
    kind: &'static str,
    all: &mut All,
) -> Result<(), Error> {
    let found = of_domain(house, all, kind);
    let asked = found.into_iter().map(|(id, own, name)| async move {
        let place = own.map(|own| match kind {
            "automation" => Place::Automation(own),
            _ => Place::Script(own),
        });
        let command = json!({"type": format!("{kind}/config"), "entity_id": id});
        let content = match ask::ask::<Value>(house, &command).await {
            Ok(mut answer) => Ok(answer["config"].take()),
            // Switched off in the registry: only its file knows it.
            Err(e) if e.kind() == Kind::NotFound => match &place {
                Some(place) => {
                    object::read(home, house, place).await.map(Option::unwrap_or_default)
                }
                None => Ok(Value::Null),
            },
            Err(e) => Err(e),
        };
        (id, name, place, content)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    for (id, name, place, content) in answers {
        match content {
            Ok(content) => {
                all.objects.push(Object { kind, id, name, content, place: place.ok_or(IN_YAML) });
            }
            Err(e) if e.kind() == Kind::Offline => return Err(e),
            Err(e) => all.unread.push(format!("{id}: {e}")),
        }
    }
    Ok(())
}

/// The members of a scene are among its attributes; its file is read when one of them is meant.
fn scenes(house: &House, all: &mut All) {
    for (id, own, name) in of_domain(house, all, "scene") {
        let content = members(house, &id);
        let place = own.map(Place::Scene).ok_or(NO_FORM);
        all.objects.push(Object { kind: "scene", id, name, content, place });
    }
}

/// Groups without an entry are from YAML or from a service.
fn groups(house: &House, all: &mut All) {
    for (id, _, name) in of_domain(house, all, "group") {
        let content = members(house, &id);
        all.objects.push(Object { kind: "group", id, name, content, place: Err(NO_FORM) });
    }
}

fn members(house: &House, id: &str) -> Value {
    let members = house.cache().get(id).map(|entity| entity.members());
    json!({ "entity_id": members.unwrap_or_default() })
}

async fn dashboards(home: &Home, house: &House, all: &mut All) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Dashboard {
        url_path: Option<String>,
        title: Option<String>,
        mode: String,
    }
    let mut list: Vec<Dashboard> =
        ask::ask(house, &json!({"type": "lovelace/dashboards/list"})).await?;
    // The default one goes by the path `lovelace` where the list has that.
    if !list.iter().any(|board| board.url_path.as_deref() == Some("lovelace")) {
        list.push(Dashboard { url_path: None, title: None, mode: "storage".into() });
    }
    for board in list.into_iter().take(MOST) {
        let place = Place::Dashboard(board.url_path.clone());
        let id = board.url_path.unwrap_or_else(|| "lovelace".into());
        let name = board.title.unwrap_or_else(|| "the default dashboard".into());
        match object::read(home, house, &place).await {
            Ok(None) => {}
            Ok(Some(content)) => {
                let place = if board.mode == "yaml" { Err(IN_YAML) } else { Ok(place) };
                all.objects.push(Object { kind: "dashboard", id, name, content, place });
            }
            Err(e) if e.kind() == Kind::Offline => return Err(e),
            Err(e) => all.unread.push(format!("dashboard {id}: {e}")),
        }
    }
    Ok(())
}

async fn helpers(home: &Home, house: &House, all: &mut All) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Helper {
        entry_id: String,
        title: String,
        supports_options: bool,
    }
    let command = json!({"type": "config_entries/get", "type_filter": ["helper"]});
    let list: Vec<Helper> = ask::ask(house, &command).await?;
    let list = list.into_iter().filter(|helper| helper.supports_options).take(MOST);
    let asked = list.map(|helper| async move {
        let place = Place::Helper(helper.entry_id.clone());
        (helper.title, object::read(home, house, &place).await, place)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE / 2).collect().await;
    for (name, content, place) in answers {
        match content {
            Ok(Some(content)) => {
                let own = all.entries.iter().find(|entry| match &place {
                    Place::Helper(id) => entry.config_entry_id.as_ref() == Some(id),
                    _ => false,
                });
                let id = own.map_or_else(|| name.clone(), |entry| entry.entity_id.clone());
                let place = Ok(place);
                all.objects.push(Object { kind: "helper", id, name, content, place });
            }
            Ok(None) => all.unread.push(format!("helper '{name}': it has no form of options")),
            Err(e) if e.kind() == Kind::Offline => return Err(e),
            Err(e) => all.unread.push(format!("helper '{name}': {e}")),
        }
    }
    Ok(())
}

async fn people(house: &House, all: &mut All) -> Result<(), Error> {
    let list: Value = ask::ask(house, &json!({"type": "person/list"})).await?;
    for (part, is_fixed) in [("storage", false), ("config", true)] {
        for person in list[part].as_array().into_iter().flatten() {
            let place = match is_fixed {
                true => Err(IN_YAML),
                false => Ok(Place::Person(text(person, "id"))),
            };
            let key = &person["id"];
            let is_own = |e: &&Entry| e.unique_id == *key && e.entity_id.starts_with("person.");
            let own = all.entries.iter().find(is_own).map(|entry| entry.entity_id.clone());
            push(all, "person", person, place);
            if let (Some(own), Some(last)) = (own, all.objects.last_mut()) {
                last.id = own;
            }
        }
    }
    Ok(())
}

async fn pipelines(house: &House, all: &mut All) -> Result<(), Error> {
    let list: Value = ask::ask(house, &json!({"type": "assist_pipeline/pipeline/list"})).await?;
    for pipeline in list["pipelines"].as_array().into_iter().flatten() {
        push(all, "voice assistant", pipeline, Ok(Place::Pipeline(text(pipeline, "id"))));
    }
    Ok(())
}

async fn areas(house: &House, all: &mut All) -> Result<(), Error> {
    let list: Value = ask::ask(house, &json!({"type": "config/area_registry/list"})).await?;
    for area in list.as_array().into_iter().flatten() {
        let fields = ["temperature_entity_id", "humidity_entity_id"];
        let content: Value = fields.iter().map(|field| (*field, area[*field].clone())).collect();
        let (id, name) = (text(area, "area_id"), text(area, "name"));
        all.objects.push(Object { kind: "area", id, name, content, place: Err(BY_ITSELF) });
    }
    Ok(())
}

async fn single(
    home: &Home,
    house: &House,
    kind: &'static str,
    place: Place,
    all: &mut All,
) -> Result<(), Error> {
    if let Some(content) = object::read(home, house, &place).await? {
        let (id, name) = (kind.to_owned(), kind.to_owned());
        all.objects.push(Object { kind, id, name, content, place: Ok(place) });
    }
    Ok(())
}

fn push(all: &mut All, kind: &'static str, item: &Value, place: Result<Place, &'static str>) {
    let (id, name, content) = (text(item, "id"), text(item, "name"), item.clone());
    all.objects.push(Object { kind, id, name, content, place });
}

fn text(item: &Value, key: &str) -> String {
    item[key].as_str().unwrap_or_default().to_owned()
}
