//! Home Assistant's registries: areas, floors, labels, devices, and what it knows of each entity
//! besides its state. Fed with the answers of the `config/*_registry/list` commands.

use crate::error::Error;
use crate::home::entities::pool::Pool;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// An area: a room, the garden.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Area {
    #[serde(rename = "area_id")]
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    #[serde(rename = "floor_id")]
    pub(crate) floor: Option<Arc<str>>,
    #[serde(default)]
    pub(crate) labels: Vec<Arc<str>>,
    #[serde(default)]
    pub(crate) aliases: Vec<Arc<str>>,
}

/// A floor.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Floor {
    #[serde(rename = "floor_id")]
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    #[serde(default)]
    pub(crate) aliases: Vec<Arc<str>>,
}

/// A label.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Label {
    #[serde(rename = "label_id")]
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
}

/// A device.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Device {
    pub(crate) id: Arc<str>,
    #[serde(rename = "area_id")]
    pub(crate) area: Option<Arc<str>>,
    name: Option<Arc<str>>,
    name_by_user: Option<Arc<str>>,
    #[serde(default)]
    pub(crate) labels: Vec<Arc<str>>,
    pub(crate) manufacturer: Option<Arc<str>>,
    pub(crate) model: Option<Arc<str>>,
}

impl Device {
    /// Returns the name that the owner gave it, else the one it came with.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        self.name_by_user.as_ref().or(self.name.as_ref())
    }
}

/// What the registry knows of an entity.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    #[serde(rename = "ei")]
    id: Arc<str>,
    #[serde(rename = "en")]
    pub(crate) name: Option<Arc<str>>,
    #[serde(rename = "ai")]
    pub(crate) area: Option<Arc<str>>,
    #[serde(rename = "di")]
    pub(crate) device: Option<Arc<str>>,
    #[serde(rename = "lb", default)]
    pub(crate) labels: Vec<Arc<str>>,
    /// A number when it is a configuration or diagnostic entity.
    #[serde(rename = "ec")]
    category: Option<u8>,
    #[serde(rename = "hb", default)]
    hidden: bool,
}

impl Entry {
    /// Whether Home Assistant leaves it out when an area, a floor or a device is meant.
    pub(crate) fn is_secondary(&self) -> bool {
        self.hidden || self.category.is_some()
    }

    /// Returns what it is for when it is not for living with: `config` or `diagnostic`.
    pub(crate) fn category(&self) -> Option<&'static str> {
        match self.category {
            Some(0) => Some("config"),
            Some(_) => Some("diagnostic"),
            None => None,
        }
    }

    /// Whether the owner hid it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }
}

/// All registries of a house.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) areas: BTreeMap<Arc<str>, Area>,
    pub(crate) floors: BTreeMap<Arc<str>, Floor>,
    pub(crate) labels: BTreeMap<Arc<str>, Label>,
    pub(crate) devices: HashMap<Arc<str>, Device>,
    pub(crate) entries: HashMap<Arc<str>, Entry>,
    pub(crate) exposed: HashSet<Arc<str>>,
}

/// Which registry an answer belongs to; the list of services is read like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Areas,
    Floors,
    Labels,
    Devices,
    Entries,
    Exposed,
    Services,
}

impl Shelf {
    /// All of them, in the order in which they are asked for.
    pub(crate) const ALL: [Shelf; 7] = [
        Shelf::Floors,
        Shelf::Areas,
        Shelf::Labels,
        Shelf::Devices,
        Shelf::Entries,
        Shelf::Exposed,
        Shelf::Services,
    ];

    /// Returns the command that lists it.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Shelf::Areas => "config/area_registry/list",
            Shelf::Floors => "config/floor_registry/list",
            Shelf::Labels => "config/label_registry/list",
            Shelf::Devices => "config/device_registry/list",
            Shelf::Entries => "config/entity_registry/list_for_display",
            Shelf::Exposed => "homeassistant/expose_entity/list",
            Shelf::Services => "get_services",
        }
    }

    /// Returns the events that say that it changed. Exposure has none of its own.
    pub(crate) fn events(self) -> &'static [&'static str] {
        match self {
            Shelf::Areas => &["area_registry_updated"],
            Shelf::Floors => &["floor_registry_updated"],
            Shelf::Labels => &["label_registry_updated"],
            Shelf::Devices => &["device_registry_updated"],
            Shelf::Entries => &["entity_registry_updated"],
            Shelf::Exposed => &[],
            Shelf::Services => &["service_registered", "service_removed"],
        }
    }

    /// Returns the error for an answer of a shape that no version known has.
    pub(super) fn odd(self, e: serde_json::Error) -> Error {
        let command = self.command();
        Error::broken(format!("the answer to {command} has an unknown shape")).because(e)
    }

    /// Returns its bit in a set of shelves.
    pub(crate) fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

#[derive(Deserialize)]
struct Display {
    entities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Exposure {
    exposed_entities: BTreeMap<String, Assistants>,
}

/// To whom an entity is exposed. No map: for thousands of entities it would be megabytes, which
/// the allocator keeps.
#[derive(Deserialize)]
struct Assistants {
    conversation: Option<bool>,
}

impl Registry {
    /// Replaces a shelf with Home Assistant's answer.
    ///
    /// # Errors
    /// Broken when the answer has another shape than any version known.
    pub(crate) fn set(&mut self, shelf: Shelf, json: &str, pool: &mut Pool) -> Result<(), Error> {
        match shelf {
            Shelf::Areas => {
                self.areas = read::<Vec<Area>>(shelf, json)?
                    .into_iter()
                    .map(|area| (area.id.clone(), area))
                    .collect();
            }
            Shelf::Floors => {
                self.floors = read::<Vec<Floor>>(shelf, json)?
                    .into_iter()
                    .map(|floor| (floor.id.clone(), floor))
                    .collect();
            }
            Shelf::Labels => {
                self.labels = read::<Vec<Label>>(shelf, json)?
                    .into_iter()
                    .map(|label| (label.id.clone(), label))
                    .collect();
            }
            Shelf::Devices => {
                let all = read::<Vec<Device>>(shelf, json)?;
                self.devices = all
                    .into_iter()
                    .map(|mut device| {
                        for text in [&mut device.area, &mut device.manufacturer, &mut device.model]
                        {
                            *text = text.take().map(|text| pool.share(&text));
                        }
                        (device.id.clone(), device)
                    })
                    .collect();
            }
            Shelf::Entries => self.set_entries(read::<Display>(shelf, json)?, pool),
            Shelf::Exposed => {
                let all = read::<Exposure>(shelf, json)?.exposed_entities;
                let own = |id: String| match self.entries.get_key_value(&*id) {
                    Some((own, _)) => own.clone(),
                    None => id.into(),
                };
                self.exposed = all
                    .into_iter()
                    .filter(|(_, by)| by.conversation == Some(true))
                    .map(|(id, _)| own(id))
                    .collect();
            }
            // No registry: the cache keeps them beside this.
            Shelf::Services => {}
        }
        Ok(())
    }

    fn set_entries(&mut self, all: Display, pool: &mut Pool) {
        let devices = &self.devices;
        self.entries = all
            .entities
            .into_iter()
            .map(|mut entry| {
                entry.area = entry.area.take().map(|area| pool.share(&area));
                // The device's own copy of its id, so that each id exists once.
                entry.device = entry.device.take().map(|id| {
                    devices
                        .get_key_value(&id)
                        .map_or_else(|| pool.share(&id), |(own, _)| own.clone())
                });
                (entry.id.clone(), entry)
            })
            .collect();
    }

    /// Returns the area of an entity: its own, else its device's.
    pub(crate) fn area_of<'a>(&'a self, entry: &'a Entry) -> Option<&'a Arc<str>> {
        let device = entry.device.as_ref().and_then(|id| self.devices.get(id));
        entry.area.as_ref().or(device.and_then(|device| device.area.as_ref()))
    }

    /// Returns the ids of the entities of a device, in order.
    pub(crate) fn of_device(&self, device: &str) -> Vec<String> {
        let own = |entry: &&Entry| entry.device.as_deref() == Some(device);
        let mut ids: Vec<String> =
            self.entries.values().filter(own).map(|entry| entry.id.to_string()).collect();
        ids.sort_unstable();
        ids
    }

    /// Returns the labels of an entity and its device, without repetition.
    pub(crate) fn labels_of(&self, entry: &Entry) -> Vec<Arc<str>> {
        let device = entry.device.as_ref().and_then(|id| self.devices.get(id));
        let mut all = entry.labels.clone();
        all.extend(device.into_iter().flat_map(|device| device.labels.iter().cloned()));
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn read<T: DeserializeOwned>(shelf: Shelf, json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|e| shelf.odd(e))
}
