//! The original's resources: `ha://devices/<group>`, `ha://config/<what>`, `ha://summary/dashboard`.

use crate::error::Error;
use crate::events::Event;
use crate::home::seed::PLACE;
use crate::home::select::domain;
use crate::home::text::clean;
use crate::home::{Home, overview, view};
use crate::mcp::{Boxed, Contents, Entry, Page, Place, Resources, Template};
use crate::policy::Caller;
use serde_json::{Value, json};
use std::sync::Arc;

const JSON: &str = "application/json";
/// A group in an answer, in bytes; a resource of Hearth's has at most 64 KiB.
const BUDGET: usize = 56 << 10;

/// Name, title, and the domain that is in it; all of them for none.
const GROUPS: &[(&str, &str, Option<&str>)] = &[
    ("ha://devices/all", "All devices", None),
    ("ha://devices/lights", "Lights", Some("light")),
    ("ha://devices/climate", "Climate", Some("climate")),
    ("ha://devices/media_players", "Media players", Some("media_player")),
    ("ha://devices/covers", "Covers", Some("cover")),
    ("ha://devices/locks", "Locks", Some("lock")),
    ("ha://devices/fans", "Fans", Some("fan")),
    ("ha://devices/vacuums", "Vacuum cleaners", Some("vacuum")),
    ("ha://devices/alarms", "Alarm panels", Some("alarm_control_panel")),
    ("ha://devices/sensors", "Sensors", Some("sensor")),
    ("ha://devices/switches", "Switches", Some("switch")),
    ("ha://config/automations", "Automations", Some("automation")),
    ("ha://config/scenes", "Scenes", Some("scene")),
];
const AREAS: &str = "ha://config/areas";
const SUMMARY: &str = "ha://summary/dashboard";

/// Returns the shelf.
pub fn resources(home: &Home) -> Arc<dyn Resources> {
    Arc::new(Shelf { home: home.clone() })
}

struct Shelf {
    home: Home,
}

impl Shelf {
    fn value(&self, caller: &Caller, uri: &str) -> Result<Value, Error> {
        let house = self.home.house(None)?;
        let cache = house.known()?;
        let sight = self.home.sight(caller);
        let mut value = match uri {
            SUMMARY => Value::Object(overview::overview(house, &cache, sight, BUDGET)),
            AREAS => {
                let all = cache.registry.areas.values();
                let areas = all.filter(|area| sight.sees_area(&cache, &area.id));
                let row = |id: &str, name: &str| json!({ "id": clean(id, 100), "name": clean(name, 100) });
                json!({ "areas": areas.map(|a| row(&a.id, &a.name)).collect::<Vec<_>>() })
            }
            uri => {
                let group = GROUPS.iter().find(|(own, _, _)| *own == uri);
                let (_, _, wanted) = group.ok_or_else(|| {
                    let uri = clean(uri, 120);
                    Error::not_found(format!("there is no resource '{uri}'; the list names them"))
                })?;
                let (mut rows, mut used, mut more) = (Vec::new(), 0, 0);
                for (id, entity) in sight.iter(&cache) {
                    if wanted.is_some_and(|wanted| domain(id) != wanted) {
                        continue;
                    }
                    let row = Value::from(view::row(house, &cache, id, entity, view::USUAL));
                    used += row.to_string().len() + 1;
                    match used < BUDGET {
                        true => rows.push(row),
                        false => more += 1,
                    }
                }
                let mut value = json!({ "entities": rows });
                if more > 0 {
                    value["more"] = more.into();
                }
                value
            }
        };
        if let Some(since) = house.stale_since() {
            value["stale_since"] = since.into();
        }
        Ok(value)
    }
}

impl Resources for Shelf {
    fn scheme(&self) -> &'static str {
        "ha"
    }

    fn place(&self) -> Option<Place> {
        Some(PLACE)
    }

    fn templates(&self) -> Vec<Template> {
        Vec::new()
    }

    fn list(&self, _: &Caller, cursor: Option<&str>) -> Result<Page<Entry>, Error> {
        if cursor.is_some() {
            return Err(Error::invalid("the cursor is not of this list: it has one page"));
        }
        let named = GROUPS.iter().map(|(uri, title, _)| (*uri, *title));
        let all = named.chain([(AREAS, "Areas"), (SUMMARY, "The house at a glance")]);
        let mut entries: Vec<Entry> = all
            .map(|(uri, title)| Entry {
                uri: uri.to_owned(),
                name: uri.trim_start_matches("ha://").to_owned(),
                title: Some(title.to_owned()),
                mime: JSON,
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.uri.cmp(&b.uri));
        Ok(Page { items: entries, next: None })
    }

    fn read<'a>(&'a self, caller: &'a Caller, uri: &'a str) -> Boxed<'a, Result<Contents, Error>> {
        Box::pin(async move {
            self.home.met().await;
            Ok(Contents::Text(JSON, self.value(caller, uri)?.to_string()))
        })
    }

    fn values(&self, _: &Caller, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    // Whoever wants to be told subscribes to an entity; a group changes with every one of them.
    fn changed(&self, _: &Event) -> Option<String> {
        None
    }

    fn list_changed(&self, _: &Event) -> bool {
        false
    }
}
