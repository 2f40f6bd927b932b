//! Each entity and each house's overview as a resource that a client can read and be told about.
//!
//! `home://<house>/entity/<id>` and `home://<house>/overview`.

use crate::error::Error;
use crate::events::{Event, HouseChange};
use crate::home::select::domain;
use crate::home::text::clean;
use crate::home::{Home, overview, view};
use crate::mcp::{Boxed, Contents, Entry, Page, Resources, Template, page};
use crate::policy::{Caller, EntityFacts};
use serde_json::Value;
use std::sync::Arc;

const ENTITY: &str = "home://{house}/entity/{entity_id}";
const OVERVIEW: &str = "home://{house}/overview";
const JSON: &str = "application/json";
/// A page of the list, in bytes.
const BUDGET: usize = 8 * 1024;

/// Returns the shelf.
pub fn resources(home: &Home) -> Arc<dyn Resources> {
    Arc::new(Shelf { home: home.clone() })
}

struct Shelf {
    home: Home,
}

impl Shelf {
    fn entries(&self, caller: &Caller) -> Vec<Entry> {
        let mut all = Vec::new();
        for house in self.home.houses().iter().filter(|house| house.was_connected()) {
            let name = &house.name;
            all.push(Entry {
                uri: format!("home://{name}/overview"),
                name: format!("{name} overview"),
                title: Some("Rooms, what is on, problems".into()),
                mime: JSON,
            });
            let cache = house.cache();
            all.extend(self.home.sight(caller).iter(&cache).map(|(id, entity)| Entry {
                uri: format!("home://{name}/entity/{id}"),
                name: id.to_string(),
                title: entity.name.as_deref().map(|name| clean(name, 100)),
                mime: JSON,
            }));
        }
        // Pages follow the order of the addresses.
        all.sort_unstable_by(|a, b| a.uri.cmp(&b.uri));
        all
    }

    fn value(&self, caller: &Caller, uri: &str) -> Result<Value, Error> {
        let missing = || {
            let uri = clean(uri, 120);
            Error::not_found(format!("there is no resource '{uri}'; the list names them"))
        };
        let path = uri.strip_prefix("home://").ok_or_else(missing)?;
        let (name, rest) = path.split_once('/').ok_or_else(missing)?;
        let house = self.home.house(Some(name))?;
        let cache = house.known()?;
        let sight = self.home.sight(caller);
        if rest == "overview" {
            return Ok(Value::Object(overview::overview(house, &cache, sight, BUDGET)));
        }
        let id = rest.strip_prefix("entity/").ok_or_else(missing)?;
        let entity = sight.get(&cache, id).ok_or_else(missing)?;
        Ok(view::json(house, &cache, sight, id, entity))
    }
}

impl Resources for Shelf {
    fn scheme(&self) -> &'static str {
        "home"
    }

    fn templates(&self) -> Vec<Template> {
        vec![
            Template {
                uri: ENTITY,
                name: "entity",
                about: "State, attributes and place of an entity; subscribe to be told of changes",
                mime: JSON,
            },
            Template {
                uri: OVERVIEW,
                name: "overview",
                about: "Rooms, what is on, problems; whoever subscribes is told at most every second",
                mime: JSON,
            },
        ]
    }

    fn list(&self, caller: &Caller, cursor: Option<&str>) -> Result<Page<Entry>, Error> {
        let rows = self.entries(caller).into_iter().map(Listed);
        let page = page(rows, |row| row.0.uri.clone(), cursor, BUDGET)?;
        Ok(Page { items: page.items.into_iter().map(|row| row.0).collect(), next: page.next })
    }

    fn read<'a>(&'a self, caller: &'a Caller, uri: &'a str) -> Boxed<'a, Result<Contents, Error>> {
        Box::pin(async move { Ok(Contents::Text(JSON, self.value(caller, uri)?.to_string())) })
    }

    fn values(&self, caller: &Caller, template: &str, variable: &str) -> Vec<String> {
        let houses = self.home.houses();
        match (template, variable) {
            (ENTITY | OVERVIEW, "house") => {
                houses.iter().map(|house| house.name.to_string()).collect()
            }
            (ENTITY, "entity_id") => {
                let sight = self.home.sight(caller);
                let mut ids = Vec::new();
                for house in houses {
                    let cache = house.cache();
                    ids.extend(sight.iter(&cache).map(|(id, _)| id.to_string()));
                }
                ids
            }
            _ => Vec::new(),
        }
    }

    fn changed(&self, event: &Event) -> Option<String> {
        match event {
            Event::Entity(change) => {
                Some(format!("home://{}/entity/{}", change.house, change.entity_id))
            }
            Event::House(change) => Some(format!("home://{}/overview", change.house)),
            _ => None,
        }
    }

    fn gathered(&self, caller: &Caller, event: &Event) -> Option<String> {
        let Event::Entity(change) = event else { return None };
        let facts = EntityFacts {
            entity_id: &change.entity_id,
            area: change.area.as_deref(),
            labels: &change.labels,
            exposed: change.exposed,
        };
        let sight = self.home.sight(caller);
        if !sight.scope.permits(facts) || !sight.house.permits(facts) {
            return None;
        }
        let house = self.home.house(Some(&change.house)).ok()?;
        let is_shown = overview::shows(&house.cache(), change);
        is_shown.then(|| format!("home://{}/overview", change.house))
    }

    fn list_changed(&self, event: &Event) -> bool {
        match event {
            Event::Entity(change) => {
                let came_or_went = change.state.is_none() || change.old_state.is_none();
                came_or_went && !domain(&change.entity_id).is_empty()
            }
            Event::House(change) => change.change != HouseChange::Lost,
            _ => false,
        }
    }
}

/// An entry as it counts for a page.
struct Listed(Entry);

impl serde::Serialize for Listed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0.uri, &self.0.name, &self.0.title, self.0.mime).serialize(serializer)
    }
}
