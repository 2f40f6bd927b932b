//! Which services need a person's confirmation, and which only an administrator may call. Pure.
//!
//! One table. `policy` asks the person; this says when. What can let somebody in, start or stop a
//! machine that moves, or switch the house itself off is in it.

use crate::home::config::Config;
use crate::home::select::domain;

/// When a service needs a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Always.
    Always,
    /// For entities of these device classes.
    Class(&'static [&'static str]),
}

/// Covers that lead into the house.
const GATES: &[&str] = &["garage", "gate", "door"];

/// Domain of the entity (or of the service, when it touches none), service, when. `*` is any.
const TABLE: &[(&str, &str, When)] = &[
    ("lock", "unlock", When::Always),
    ("lock", "open", When::Always),
    ("alarm_control_panel", "alarm_disarm", When::Always),
    ("alarm_control_panel", "alarm_trigger", When::Always),
    ("cover", "open_cover", When::Class(GATES)),
    ("cover", "close_cover", When::Class(GATES)),
    ("cover", "set_cover_position", When::Class(GATES)),
    ("cover", "toggle", When::Class(GATES)),
    ("valve", "open_valve", When::Always),
    ("valve", "set_valve_position", When::Always),
    ("valve", "toggle", When::Always),
    ("siren", "turn_on", When::Always),
    ("siren", "toggle", When::Always),
    ("lawn_mower", "start_mowing", When::Always),
    ("button", "press", When::Class(&["restart"])),
    ("update", "install", When::Always),
    ("homeassistant", "restart", When::Always),
    ("homeassistant", "stop", When::Always),
    // What reads its settings anew may stop what runs.
    ("homeassistant", "reload_all", When::Always),
    ("homeassistant", "reload_core_config", When::Always),
    ("*", "reload", When::Always),
    // No service: an event that is deleted is gone.
    ("calendar", "delete_event", When::Always),
    ("hassio", "*", When::Always),
    ("backup", "*", When::Always),
    ("recorder", "purge", When::Always),
    ("recorder", "purge_entities", When::Always),
    ("recorder", "disable", When::Always),
    ("shell_command", "*", When::Always),
    ("python_script", "*", When::Always),
    ("command_line", "*", When::Always),
    // What is said to an assistant can do anything that it can.
    ("conversation", "process", When::Always),
    ("google_assistant_sdk", "send_text_command", When::Always),
    ("alexa_devices", "send_text_command", When::Always),
];

/// Services that stand for whatever they are aimed at: on a risky entity they are risky.
const GENERIC: &[(&str, &str)] = &[
    ("homeassistant", "turn_on"),
    ("homeassistant", "turn_off"),
    ("homeassistant", "toggle"),
    ("scene", "turn_on"),
    ("scene", "apply"),
    ("scene", "create"),
    ("group", "set"),
];

/// Domains that are risky when a generic service touches them.
const RISKY: &[&str] = &["lock", "alarm_control_panel", "valve", "siren"];

/// Services that change Home Assistant itself or run code on its machine.
const ADMIN: &[(&str, &str)] = &[
    ("hassio", "*"),
    ("backup", "*"),
    ("recorder", "*"),
    ("shell_command", "*"),
    ("python_script", "*"),
    ("command_line", "*"),
    ("system_log", "*"),
    ("logger", "*"),
    ("homeassistant", "set_location"),
    ("homeassistant", "reload_all"),
    ("homeassistant", "reload_core_config"),
    ("homeassistant", "reload_custom_templates"),
    ("homeassistant", "reload_config_entry"),
    ("homeassistant", "save_persistent_states"),
    ("*", "reload"),
];

/// The table with the house's own additions and exceptions.
pub(crate) struct Rules<'a> {
    always: &'a [String],
    never: &'a [String],
}

impl<'a> Rules<'a> {
    /// Takes the additions and exceptions from the configuration.
    pub(crate) fn new(config: &'a Config) -> Rules<'a> {
        Rules { always: &config.confirm, never: &config.no_confirm }
    }

    /// Whether `service` (`domain.name`) on an entity needs a confirmation. `class` is its device
    /// class, if it has one.
    pub(crate) fn asks_for_entity(&self, service: &str, id: &str, class: Option<&str>) -> bool {
        if names(self.never, service, id) {
            return false;
        }
        if names(self.always, service, id) {
            return true;
        }
        let (own, name) = split(service);
        let is_gate = domain(id) == "cover" && class.is_some_and(|c| GATES.contains(&c));
        if GENERIC.contains(&(own, name)) {
            return RISKY.contains(&domain(id)) || is_gate;
        }
        in_table(domain(id), name, class)
    }

    /// Whether `service` needs a confirmation whatever it touches.
    pub(crate) fn asks(&self, service: &str) -> bool {
        if names(self.never, service, "") {
            return false;
        }
        let (own, name) = split(service);
        // A service of a domain of entities is judged entity by entity, unless it names none.
        names(self.always, service, "") || in_table(own, name, None)
    }
}

/// Whether only an administrator may call `service`.
pub(crate) fn is_for_admins(service: &str) -> bool {
    let (own, name) = split(service);
    ADMIN.iter().any(|(d, s)| (*d == "*" || *d == own) && (*s == "*" || *s == name))
}

fn in_table(own: &str, name: &str, class: Option<&str>) -> bool {
    TABLE.iter().any(|(d, s, when)| {
        let fits = (*d == "*" || *d == own) && (*s == "*" || *s == name);
        fits && match when {
            When::Always => true,
            When::Class(classes) => class.is_some_and(|class| classes.contains(&class)),
        }
    })
}

/// Whether a list of `domain.service`, `domain.*` and entity ids names this service or entity.
fn names(list: &[String], service: &str, id: &str) -> bool {
    list.iter().any(|rule| {
        let whole =
            rule.strip_suffix(".*").is_some_and(|d| d == domain(service) || d == domain(id));
        whole || rule == service || rule == id
    })
}

fn split(service: &str) -> (&str, &str) {
    service.split_once('.').unwrap_or((service, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_the_house_asks_first() {
        let config = Config::default();
        let rules = Rules::new(&config);
        let check = |service: &str, id: &str, class: Option<&str>, want: bool| {
            assert_eq!(rules.asks_for_entity(service, id, class), want, "{service} {id} {class:?}");
        };
        check("lock.unlock", "lock.front", None, true);
        check("lock.lock", "lock.front", None, false);
        check("lock.open", "lock.front", None, true);
        check("alarm_control_panel.alarm_disarm", "alarm_control_panel.home", None, true);
        check("alarm_control_panel.alarm_arm_away", "alarm_control_panel.home", None, false);
        check("cover.open_cover", "cover.garage", Some("garage"), true);
        check("cover.open_cover", "cover.blind", Some("blind"), false);
        check("cover.open_cover", "cover.blind", None, false);
        check("cover.stop_cover", "cover.garage", Some("garage"), false);
        check("valve.open_valve", "valve.water", Some("water"), true);
        check("valve.close_valve", "valve.water", Some("water"), false);
        check("siren.turn_on", "siren.siren", None, true);
        check("siren.turn_off", "siren.siren", None, false);
        check("light.turn_on", "light.kitchen", None, false);
        check("homeassistant.turn_on", "light.kitchen", None, false);
        check("homeassistant.turn_off", "lock.front", None, true);
        check("homeassistant.toggle", "cover.garage", Some("garage"), true);
        check("scene.apply", "lock.front", None, true);
        check("update.install", "update.core", None, true);
        check("calendar.delete_event", "calendar.family", None, true);
        check("calendar.create_event", "calendar.family", None, false);
    }

    #[test]
    fn services_without_entities_are_in_the_table_too() {
        let config = Config::default();
        let rules = Rules::new(&config);
        for asks in [
            "homeassistant.restart",
            "homeassistant.stop",
            "hassio.host_reboot",
            "shell_command.rm",
            "lock.unlock",
            "conversation.process",
            "homeassistant.reload_all",
            "automation.reload",
        ] {
            assert!(rules.asks(asks), "{asks}");
        }
        for silent in
            ["light.turn_on", "notify.phone", "homeassistant.update_entity", "cover.open_cover"]
        {
            assert!(!rules.asks(silent), "{silent}");
        }
        for admin in ["hassio.addon_stop", "automation.reload", "recorder.purge"] {
            assert!(is_for_admins(admin), "{admin}");
        }
        for control in ["light.turn_on", "homeassistant.restart", "homeassistant.turn_on"] {
            assert!(!is_for_admins(control), "{control}");
        }
    }

    #[test]
    fn the_house_adds_and_takes_away() {
        let config = Config {
            confirm: vec!["climate.*".into(), "switch.heater".into(), "notify.all".into()],
            no_confirm: vec!["valve.*".into(), "lock.shed".into()],
            ..Config::default()
        };
        let rules = Rules::new(&config);
        assert!(rules.asks_for_entity("climate.turn_on", "climate.x", None));
        assert!(rules.asks_for_entity("switch.turn_on", "switch.heater", None));
        assert!(!rules.asks_for_entity("switch.turn_on", "switch.other", None));
        assert!(rules.asks("notify.all"));
        assert!(!rules.asks_for_entity("valve.open_valve", "valve.water", None));
        assert!(!rules.asks_for_entity("lock.unlock", "lock.shed", None));
        assert!(rules.asks_for_entity("lock.unlock", "lock.front", None));
    }
}
