//! The kinds of things that can be configured, as one table: how Home Assistant is asked for each,
//! its fields, an example. Pure data; whoever acts on a kind reads what to do from here.
//!
//! Source: the commands and schemas of Home Assistant 2025.4 and 2026.11.

use crate::error::Error;
use crate::home::near::{MANY, listed, question};
use crate::home::text::clean;

/// How Home Assistant is asked for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A YAML file that Home Assistant edits: `/api/config/<domain>/config/<id>`.
    File,
    /// `config/<name>_registry/…` with ids in `<name>_id`.
    Registry,
    /// `<name>/list`, `create`, `update`, `delete` with ids in `<name>_id`.
    Collection,
    /// `config/category_registry/…`; ids are `scope/category_id`.
    Category,
    /// An entry of the entity registry.
    Entity,
    /// An entry of the device registry.
    Device,
    /// To which assistants an entity is exposed.
    Exposure,
    /// `lovelace/dashboards/…` together with `lovelace/config`; ids are url paths.
    Dashboard,
    /// `lovelace/resources/…`.
    Resource,
    /// Config entries.
    Integration,
    /// Blueprint files; ids are `domain/path`.
    Blueprint,
}

/// One kind.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) way: Way,
    /// What can be set, with its type; `!` after a type: needed to create one. Empty: anything, and
    /// Home Assistant checks it.
    pub(crate) fields: &'static [(&'static str, &'static str)],
    /// A whole `config` as JSON.
    pub(crate) example: &'static str,
    pub(crate) note: &'static str,
    pub(crate) creates: bool,
    pub(crate) deletes: bool,
    /// Changing one asks the person first; deleting always does.
    pub(crate) asks: bool,
    /// It says which entities somebody may see, so whoever sees only some may not change it.
    pub(crate) places: bool,
}

/// What most kinds have in common.
const USUAL: Kind = Kind {
    name: "",
    about: "",
    way: Way::Collection,
    fields: &[],
    example: "{}",
    note: "",
    creates: true,
    deletes: true,
    asks: false,
    places: false,
};

const ICON: (&str, &str) = ("icon", "text like mdi:lamp");
const NAME: (&str, &str) = ("name", "text!");
const ICON_OR_NULL: (&str, &str) = ("icon", "text like mdi:lamp, or null");

/// Every kind, in the order in which they are listed.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "automation",
        about: "what happens by itself",
        way: Way::File,
        example: r#"{"alias":"Hall light","triggers":[{"trigger":"state","entity_id":"binary_sensor.hall","to":"on"}],"conditions":[],"actions":[{"action":"light.turn_on","target":{"entity_id":"light.hall"}}],"mode":"single"}"#,
        note: "fields: alias, description, triggers, conditions, actions, mode, max, variables, or \
               use_blueprint {path, input}; Home Assistant checks them. id may be an entity id",
        ..USUAL
    },
    Kind {
        name: "script",
        about: "steps to run when asked",
        way: Way::File,
        example: r#"{"alias":"Good night","sequence":[{"action":"light.turn_off","target":{"area_id":"bedroom"}}],"mode":"single"}"#,
        note: "fields: alias, description, icon, sequence, fields, variables, mode, max, or \
               use_blueprint; a new id is a-z, 0-9 and _, and becomes script.<id>",
        ..USUAL
    },
    Kind {
        name: "scene",
        about: "states to set together",
        way: Way::File,
        example: r#"{"name":"Movie","entities":{"light.sofa":{"state":"on","brightness":40}}}"#,
        note: "fields: name, icon, entities, metadata. id may be an entity id",
        ..USUAL
    },
    Kind {
        name: "input_boolean",
        about: "helper: a switch of its own",
        fields: &[NAME, ICON, ("initial", "true or false")],
        example: r#"{"name":"Guest mode","icon":"mdi:account-multiple"}"#,
        ..USUAL
    },
    Kind {
        name: "input_number",
        about: "helper: a number",
        fields: &[
            NAME,
            ("min", "number!"),
            ("max", "number!"),
            ("step", "number"),
            ("initial", "number"),
            ("unit_of_measurement", "text"),
            ("mode", "slider or box"),
            ("device_class", "text"),
            ICON,
        ],
        example: r#"{"name":"Target","min":5,"max":30,"step":0.5,"unit_of_measurement":"°C"}"#,
        ..USUAL
    },
    Kind {
        name: "input_select",
        about: "helper: one of several words",
        fields: &[NAME, ("options", "list of texts!"), ("initial", "text"), ICON],
        example: r#"{"name":"House mode","options":["home","away","night"]}"#,
        ..USUAL
    },
    Kind {
        name: "input_text",
        about: "helper: a text",
        fields: &[
            NAME,
            ("min", "number"),
            ("max", "number up to 255"),
            ("initial", "text"),
            ("pattern", "regular expression"),
            ("mode", "text or password"),
            ("unit_of_measurement", "text"),
            ICON,
        ],
        example: r#"{"name":"Note to all","max":100}"#,
        ..USUAL
    },
    Kind {
        name: "input_datetime",
        about: "helper: a date, a time or both",
        fields: &[
            NAME,
            ("has_date", "true or false"),
            ("has_time", "true or false"),
            ("initial", "text"),
            ICON,
        ],
        example: r#"{"name":"Wake up","has_time":true,"has_date":false}"#,
        ..USUAL
    },
    Kind {
        name: "input_button",
        about: "helper: a button",
        fields: &[NAME, ICON],
        example: r#"{"name":"Ring"}"#,
        ..USUAL
    },
    Kind {
        name: "counter",
        about: "helper: counts",
        fields: &[
            NAME,
            ("initial", "number"),
            ("step", "number"),
            ("minimum", "number or null"),
            ("maximum", "number or null"),
            ("restore", "true or false"),
            ICON,
        ],
        example: r#"{"name":"Door opened","initial":0,"step":1}"#,
        ..USUAL
    },
    Kind {
        name: "timer",
        about: "helper: counts down",
        fields: &[NAME, ("duration", "HH:MM:SS"), ("restore", "true or false"), ICON],
        example: r#"{"name":"Laundry","duration":"01:30:00"}"#,
        ..USUAL
    },
    Kind {
        name: "schedule",
        about: "helper: on at times of the week",
        fields: &[
            NAME,
            ("monday", "list of {from, to, data}"),
            ("tuesday", "as monday"),
            ("wednesday", "as monday"),
            ("thursday", "as monday"),
            ("friday", "as monday"),
            ("saturday", "as monday"),
            ("sunday", "as monday"),
            ICON,
        ],
        example: r#"{"name":"Heating","monday":[{"from":"06:00:00","to":"08:30:00"}]}"#,
        ..USUAL
    },
    Kind {
        name: "area",
        about: "a room",
        way: Way::Registry,
        fields: &[
            NAME,
            ("floor_id", "text or null"),
            ("aliases", "list of texts"),
            ("labels", "list of label ids"),
            ICON_OR_NULL,
            ("picture", "text or null"),
            ("temperature_entity_id", "entity id or null"),
            ("humidity_entity_id", "entity id or null"),
        ],
        example: r#"{"name":"Kitchen","floor_id":"ground","icon":"mdi:stove"}"#,
        note: "what was in a deleted area is put back into it when the delete is undone",
        places: true,
        ..USUAL
    },
    Kind {
        name: "floor",
        about: "a storey",
        way: Way::Registry,
        fields: &[NAME, ("level", "number or null"), ("aliases", "list of texts"), ICON_OR_NULL],
        example: r#"{"name":"First floor","level":1}"#,
        places: true,
        ..USUAL
    },
    Kind {
        name: "label",
        about: "a mark on entities, devices, areas",
        way: Way::Registry,
        fields: &[NAME, ("color", "text or null"), ICON_OR_NULL, ("description", "text or null")],
        example: r#"{"name":"Critical","color":"red"}"#,
        places: true,
        ..USUAL
    },
    Kind {
        name: "category",
        about: "a group in the lists of automations, scripts, scenes or helpers",
        way: Way::Category,
        fields: &[NAME, ICON_OR_NULL],
        example: r#"{"name":"Lighting"}"#,
        note: "ids are scope/id; to create one give the scope alone as id: automation, script, scene \
               or helpers. Put an entity in by its field categories",
        ..USUAL
    },
    Kind {
        name: "zone",
        about: "a place on the map",
        fields: &[
            NAME,
            ("latitude", "number!"),
            ("longitude", "number!"),
            ("radius", "metres"),
            ("passive", "true or false"),
            ICON,
        ],
        example: r#"{"name":"Work","latitude":52.37,"longitude":4.89,"radius":120}"#,
        ..USUAL
    },
    Kind {
        name: "person",
        about: "somebody and what follows them",
        fields: &[
            NAME,
            ("user_id", "text or null"),
            ("device_trackers", "list of entity ids"),
            ("picture", "text or null"),
        ],
        example: r#"{"name":"Ada","device_trackers":["device_tracker.adas_phone"]}"#,
        ..USUAL
    },
    Kind {
        name: "tag",
        about: "an NFC tag or QR code",
        fields: &[("name", "text"), ("description", "text")],
        example: r#"{"name":"Bedside"}"#,
        note: "a new id is what is written on the tag; without one it is made up",
        ..USUAL
    },
    Kind {
        name: "dashboard",
        about: "pages of Home Assistant with their cards",
        way: Way::Dashboard,
        fields: &[
            ("title", "text!"),
            ICON_OR_NULL,
            ("show_in_sidebar", "true or false"),
            ("require_admin", "true or false"),
            ("config", "{views: [{title, path, cards, sections}]}, or null for the automatic one"),
        ],
        example: r#"{"title":"Garden","icon":"mdi:flower","config":{"views":[{"title":"Garden","cards":[{"type":"entities","entities":["switch.pump"]}]}]}}"#,
        note: "ids are url paths with a hyphen, like my-garden; lovelace is the default one, which has \
               config alone. Use path to read and change parts",
        ..USUAL
    },
    Kind {
        name: "resource",
        about: "a JavaScript module or style sheet of dashboards",
        way: Way::Resource,
        fields: &[("url", "text!"), ("type", "module, js, css or html!")],
        example: r#"{"url":"/local/card.js","type":"module"}"#,
        note: "it runs in the browser of everybody who opens Home Assistant",
        asks: true,
        ..USUAL
    },
    Kind {
        name: "entity",
        about: "registry entry of an entity",
        way: Way::Entity,
        fields: &[
            ("name", "text or null"),
            ICON_OR_NULL,
            ("area_id", "text or null"),
            ("labels", "list of label ids"),
            ("aliases", "list of texts"),
            ("categories", "{scope: category id or null}"),
            ("hidden_by", "user or null"),
            ("disabled_by", "user or null"),
            ("device_class", "text or null"),
        ],
        example: r#"{"name":"Reading lamp","labels":["critical"]}"#,
        note: "id is the entity id; home_rename changes that. Without one, list takes a query",
        creates: false,
        deletes: false,
        places: true,
        ..USUAL
    },
    Kind {
        name: "device",
        about: "registry entry of a device",
        way: Way::Device,
        fields: &[
            ("name_by_user", "text or null"),
            ("area_id", "text or null"),
            ("labels", "list of label ids"),
            ("disabled_by", "user or null"),
        ],
        example: r#"{"area_id":"kitchen"}"#,
        creates: false,
        deletes: false,
        places: true,
        ..USUAL
    },
    Kind {
        name: "exposure",
        about: "which assistants may use an entity",
        way: Way::Exposure,
        fields: &[
            ("conversation", "true or false"),
            ("cloud.alexa", "true or false"),
            ("cloud.google_assistant", "true or false"),
        ],
        example: r#"{"conversation":true}"#,
        note: "id is the entity id; the list shows what is exposed",
        creates: false,
        deletes: false,
        asks: true,
        places: true,
    },
    Kind {
        name: "integration",
        about: "a config entry",
        way: Way::Integration,
        fields: &[
            ("title", "text"),
            ("disabled_by", "user or null"),
            ("pref_disable_new_entities", "true or false"),
            ("pref_disable_polling", "true or false"),
            ("reload", "true: load it anew"),
        ],
        example: r#"{"reload":true}"#,
        note: "adding and removing integrations is done in Home Assistant itself",
        creates: false,
        deletes: false,
        asks: true,
        ..USUAL
    },
    Kind {
        name: "blueprint",
        about: "a template for automations or scripts",
        way: Way::Blueprint,
        fields: &[("yaml", "the whole file as text!")],
        example: r#"{"yaml":"blueprint:\n  name: Night light\n  domain: automation\n  input: {}\ntriggers: []\nactions: []\n"}"#,
        note: "ids are domain/path.yaml. Home Assistant does not give the text back: it is created and \
               deleted, not changed, and a delete is undone only when Hearth wrote the file",
        asks: true,
        ..USUAL
    },
];

/// Returns the kind of that name.
///
/// # Errors
/// NotFound: names what there is.
pub(crate) fn kind(name: &str) -> Result<&'static Kind, Error> {
    let wanted = name.trim().to_lowercase();
    let found = KINDS.iter().find(|kind| kind.name == wanted);
    found.or_else(|| KINDS.iter().find(|kind| format!("{}s", kind.name) == wanted)).ok_or_else(
        || {
            let names = || KINDS.iter().map(|kind| kind.name);
            Error::not_found(format!(
                "there is no kind '{}'{}; kinds are: {}",
                clean(name, 60),
                question(&wanted, names()),
                listed(names(), MANY)
            ))
        },
    )
}

impl Kind {
    /// Returns what may be done with it.
    pub(crate) fn verbs(&self) -> Vec<&'static str> {
        let all = [
            ("list", true),
            ("get", true),
            ("create", self.creates),
            ("update", self.way != Way::Blueprint),
            ("delete", self.deletes),
        ];
        all.into_iter().filter(|(_, can)| *can).map(|(verb, _)| verb).collect()
    }

    /// Whether a field can be set to null.
    pub(crate) fn is_nullable(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, about)| *name == field && about.contains("null"))
    }

    /// Returns the names of the fields that creating one needs.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().filter(|(_, about)| about.ends_with('!')).map(|(name, _)| *name)
    }

    /// Returns the name of the field that holds its name.
    pub(crate) fn title(&self) -> &'static str {
        match self.way {
            Way::File if self.name == "scene" => "name",
            Way::File => "alias",
            Way::Dashboard | Way::Integration => "title",
            Way::Device => "name_by_user",
            Way::Resource => "url",
            _ => "name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_json_with_known_fields_and_all_that_are_needed() {
        for kind in KINDS {
            let example: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(kind.example).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
            assert!(!example.is_empty() && !kind.about.is_empty(), "{}", kind.name);
            if kind.way == Way::File {
                continue;
            }
            for field in example.keys() {
                assert!(kind.fields.iter().any(|(name, _)| name == field), "{} {field}", kind.name);
            }
            for field in kind.needed() {
                assert!(example.contains_key(field), "{} {field}", kind.name);
            }
        }
    }

    #[test]
    fn kinds_are_found_in_the_plural_too_and_near_names_are_offered() {
        assert_eq!(kind("Automations").unwrap().name, "automation");
        let e = kind("automatoin").unwrap_err().to_string();
        assert!(e.contains("did you mean automation?") && e.contains("blueprint"), "{e}");
    }
}
