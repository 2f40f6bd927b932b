//! Which services there are, what they take, and how `get_services` says so. Tables and pure code.

use crate::demo::birth::bit;
use crate::demo::plan::{self, Kind};
use serde_json::{Map, Value, json};

/// What a service is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Nothing.
    Nothing,
    /// Entities of its own domain.
    Own,
    /// Entities of any domain.
    Any,
}

/// Whether a service answers with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Never,
    Always,
}

/// The form of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// A whole number in a range.
    Int(i64, i64),
    /// A number in a range with a step.
    Num(f64, f64, f64),
    Text,
    Flag,
    Choice(&'static [&'static str]),
    /// One of the states or modes the entity lists.
    Listed,
    /// So many numbers.
    Numbers(usize),
    Object,
}

/// A field of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) is_required: bool,
}

/// A service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    pub(crate) domain: &'static str,
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) aim: Aim,
    /// Bits of `supported_features` without which an entity refuses.
    pub(crate) needs: i64,
    /// At least one of these fields must be given.
    pub(crate) any_of: &'static [&'static str],
    pub(crate) answers: Answers,
}

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form, is_required: false }
}

const fn must(name: &'static str, form: Form) -> Field {
    Field { name, form, is_required: true }
}

const fn service(domain: &'static str, name: &'static str, fields: &'static [Field]) -> Service {
    Service { domain, name, fields, aim: Aim::Own, needs: 0, any_of: &[], answers: Answers::Never }
}

const fn needs(mut service: Service, bits: i64) -> Service {
    service.needs = bits;
    service
}

const fn aimed(mut service: Service, aim: Aim) -> Service {
    service.aim = aim;
    service
}

const fn answering(mut service: Service) -> Service {
    service.answers = Answers::Always;
    service
}

const fn any_of(mut service: Service, fields: &'static [&'static str]) -> Service {
    service.any_of = fields;
    service
}

const PERCENT: Form = Form::Int(0, 100);
const NO: &[Field] = &[];
const SECONDS: Field = field("transition", Form::Num(0.0, 300.0, 1.0));
const CODE: &[Field] = &[field("code", Form::Text)];
const LIGHT: &[Field] = &[
    SECONDS,
    field("brightness", Form::Int(0, 255)),
    field("brightness_pct", PERCENT),
    field("brightness_step", Form::Int(-255, 255)),
    field("brightness_step_pct", Form::Int(-100, 100)),
    field("color_temp_kelvin", Form::Int(1000, 40_000)),
    field("rgb_color", Form::Numbers(3)),
    field("hs_color", Form::Numbers(2)),
    field("color_name", Form::Text),
];
/// Without the steps, which make no sense when it may have been off.
const LIGHT_TOGGLE: &[Field] = &[
    SECONDS,
    field("brightness", Form::Int(0, 255)),
    field("brightness_pct", PERCENT),
    field("color_temp_kelvin", Form::Int(1000, 40_000)),
    field("rgb_color", Form::Numbers(3)),
    field("hs_color", Form::Numbers(2)),
    field("color_name", Form::Text),
];
const WARMTH: Form = Form::Num(0.0, 250.0, 0.1);
const TEMPERATURE: &[Field] = &[
    field("temperature", WARMTH),
    field("target_temp_high", WARMTH),
    field("target_temp_low", WARMTH),
    field("hvac_mode", Form::Listed),
];
const MODES: &[&str] = &["off", "heat", "cool", "heat_cool", "auto", "dry", "fan_only"];
const FAN_ON: &[Field] = &[field("percentage", PERCENT), field("preset_mode", Form::Listed)];
const STATUS: Form = Form::Choice(&["needs_action", "completed"]);
const UPDATE: &[Field] =
    &[must("item", Form::Text), field("rename", Form::Text), field("status", STATUS)];
const FORECAST: &[Field] = &[must("type", Form::Choice(&["daily", "hourly", "twice_daily"]))];
const CYCLE: &[Field] = &[field("cycle", Form::Flag)];

/// Every service but those of the scripts, which bear the scripts' names.
pub(crate) const SERVICES: &[Service] = &[
    aimed(service("homeassistant", "turn_on", NO), Aim::Any),
    aimed(service("homeassistant", "turn_off", NO), Aim::Any),
    aimed(service("homeassistant", "toggle", NO), Aim::Any),
    service("light", "turn_on", LIGHT),
    service("light", "turn_off", &[SECONDS]),
    service("light", "toggle", LIGHT_TOGGLE),
    service("switch", "turn_on", NO),
    service("switch", "turn_off", NO),
    service("switch", "toggle", NO),
    service("climate", "turn_on", NO),
    service("climate", "turn_off", NO),
    service("climate", "toggle", NO),
    service("climate", "set_hvac_mode", &[must("hvac_mode", Form::Choice(MODES))]),
    needs(
        service("climate", "set_preset_mode", &[must("preset_mode", Form::Listed)]),
        bit::CLIMATE_PRESET,
    ),
    needs(
        any_of(
            service("climate", "set_temperature", TEMPERATURE),
            &["temperature", "target_temp_high", "target_temp_low"],
        ),
        bit::TARGET,
    ),
    service("cover", "open_cover", NO),
    service("cover", "close_cover", NO),
    service("cover", "toggle", NO),
    needs(service("cover", "stop_cover", NO), bit::COVER_STOP),
    needs(
        service("cover", "set_cover_position", &[must("position", PERCENT)]),
        bit::COVER_POSITION,
    ),
    service("lock", "lock", CODE),
    service("lock", "unlock", CODE),
    service("alarm_control_panel", "alarm_disarm", CODE),
    service("alarm_control_panel", "alarm_arm_home", CODE),
    service("alarm_control_panel", "alarm_arm_away", CODE),
    service("alarm_control_panel", "alarm_arm_night", CODE),
    service("alarm_control_panel", "alarm_trigger", CODE),
    service("media_player", "turn_on", NO),
    service("media_player", "turn_off", NO),
    service("media_player", "toggle", NO),
    service("media_player", "volume_up", NO),
    service("media_player", "volume_down", NO),
    service("media_player", "volume_set", &[must("volume_level", Form::Num(0.0, 1.0, 0.01))]),
    service("media_player", "volume_mute", &[must("is_volume_muted", Form::Flag)]),
    service("media_player", "media_play", NO),
    service("media_player", "media_pause", NO),
    service("media_player", "media_play_pause", NO),
    service("media_player", "media_stop", NO),
    service("media_player", "media_next_track", NO),
    service("media_player", "media_previous_track", NO),
    service("media_player", "media_seek", &[must("seek_position", Form::Num(0.0, 1e9, 0.01))]),
    service("media_player", "select_source", &[must("source", Form::Listed)]),
    service("media_player", "shuffle_set", &[must("shuffle", Form::Flag)]),
    service("vacuum", "start", NO),
    service("vacuum", "pause", NO),
    service("vacuum", "stop", NO),
    service("vacuum", "return_to_base", NO),
    service("vacuum", "clean_spot", NO),
    service("vacuum", "locate", NO),
    service("vacuum", "set_fan_speed", &[must("fan_speed", Form::Listed)]),
    service("fan", "turn_on", FAN_ON),
    service("fan", "turn_off", NO),
    service("fan", "toggle", NO),
    needs(service("fan", "set_percentage", &[must("percentage", PERCENT)]), bit::FAN_SPEED),
    needs(service("fan", "set_preset_mode", &[must("preset_mode", Form::Listed)]), bit::FAN_PRESET),
    service("scene", "turn_on", &[SECONDS]),
    service("script", "turn_on", &[field("variables", Form::Object)]),
    service("script", "turn_off", NO),
    service("script", "toggle", NO),
    service("automation", "turn_on", NO),
    service("automation", "turn_off", &[field("stop_actions", Form::Flag)]),
    service("automation", "toggle", NO),
    service("automation", "trigger", &[field("skip_condition", Form::Flag)]),
    service("input_boolean", "turn_on", NO),
    service("input_boolean", "turn_off", NO),
    service("input_boolean", "toggle", NO),
    service("input_number", "set_value", &[must("value", Form::Num(-1e12, 1e12, 0.001))]),
    service("input_number", "increment", NO),
    service("input_number", "decrement", NO),
    service("input_select", "select_option", &[must("option", Form::Text)]),
    service("input_select", "select_first", NO),
    service("input_select", "select_last", NO),
    service("input_select", "select_next", CYCLE),
    service("input_select", "select_previous", CYCLE),
    service("input_button", "press", NO),
    service("todo", "add_item", &[must("item", Form::Text)]),
    service("todo", "update_item", UPDATE),
    service("todo", "remove_item", &[must("item", Form::Text)]),
    service("todo", "remove_completed_items", NO),
    answering(service("todo", "get_items", &[field("status", STATUS)])),
    answering(service("weather", "get_forecasts", FORECAST)),
];

/// Finds a service.
pub(crate) fn find(domain: &str, name: &str) -> Option<Service> {
    let known = SERVICES.iter().find(|s| s.domain == domain && s.name == name).copied();
    known.or_else(|| {
        let script = (domain == "script").then(|| plan::thing(&format!("script.{name}")))??;
        let (_, name) = script.1.id.split_once('.')?;
        Some(aimed(service("script", name, NO), Aim::Nothing))
    })
}

/// Returns the answer to `get_services`.
pub(crate) fn services() -> Value {
    let mut domains: Map<String, Value> = Map::new();
    for service in SERVICES {
        let domain = domains.entry(service.domain).or_insert_with(|| json!({}));
        domain[service.name] = describe(service);
    }
    for (_, thing) in plan::things().filter(|(_, t)| matches!(t.kind, Kind::Script(_))) {
        let Some((domain, name)) = thing.id.split_once('.') else { continue };
        domains[domain][name] = json!({
            "name": thing.name, "description": "", "fields": {}, "response": { "optional": true }
        });
    }
    Value::Object(domains)
}

fn describe(service: &Service) -> Value {
    let mut fields = Map::new();
    for field in service.fields {
        let mut one = Map::new();
        if field.is_required {
            one.insert("required".into(), true.into());
        }
        one.insert("selector".into(), selector(field.form));
        fields.insert(field.name.into(), Value::Object(one));
    }
    let mut out = Map::from_iter([("fields".to_owned(), Value::Object(fields))]);
    match service.aim {
        Aim::Nothing => {}
        Aim::Any => drop(out.insert("target".into(), json!({}))),
        Aim::Own => {
            let mut whom = json!({ "domain": [service.domain] });
            if service.needs != 0 {
                whom["supported_features"] = json!([service.needs]);
            }
            out.insert("target".into(), json!({ "entity": [whom] }));
        }
    }
    if service.answers == Answers::Always {
        out.insert("response".into(), json!({ "optional": false }));
    }
    Value::Object(out)
}

fn selector(form: Form) -> Value {
    match form {
        Form::Int(low, high) => json!({ "number": {
            "min": low as f64, "max": high as f64, "step": 1.0, "mode": "slider" } }),
        Form::Num(low, high, step) => {
            json!({ "number": { "min": low, "max": high, "step": step, "mode": "box" } })
        }
        Form::Text => json!({ "text": { "multiline": false, "multiple": false } }),
        Form::Flag => json!({ "boolean": {} }),
        Form::Choice(options) => json!({ "select": { "options": options, "multiple": false,
            "custom_value": false, "sort": false } }),
        Form::Listed => json!({ "state": { "multiple": false } }),
        Form::Numbers(3) => json!({ "color_rgb": {} }),
        Form::Numbers(_) | Form::Object => json!({ "object": { "multiple": false } }),
    }
}
