//! How each planned entity begins: its first state and its attributes. Pure.
//!
//! The attributes of each kind are those that Home Assistant shows for it.

use crate::demo::attr::{Attrs, Val};
use crate::demo::entity::{Context, Entity};
use crate::demo::plan::{Device, Kind, Lamp, Thing};
use crate::demo::sun::PLACE;
use serde_json::json;
use std::borrow::Cow;

/// Bits of `supported_features` that services ask for.
pub(crate) mod bit {
    pub(crate) const TARGET: i64 = 1;
    pub(crate) const CLIMATE_PRESET: i64 = 16;
    const CLIMATE_POWER: i64 = 128 | 256;
    pub(crate) const CLIMATE: i64 = TARGET | CLIMATE_PRESET | CLIMATE_POWER;
    pub(crate) const COVER_POSITION: i64 = 4;
    pub(crate) const COVER_STOP: i64 = 8;
    pub(crate) const COVER_ENDS: i64 = 1 | 2;
    pub(crate) const FAN_SPEED: i64 = 1;
    pub(crate) const FAN_PRESET: i64 = 8;
    pub(crate) const FAN_POWER: i64 = 16 | 32;
    pub(crate) const ALARM: i64 = 1 | 2 | 4 | 8;
    /// Pause, seek, volume, mute, previous, next, on, off, volume step, source, stop, play, shuffle.
    pub(crate) const PLAYER: i64 =
        1 | 2 | 4 | 8 | 16 | 32 | 128 | 256 | 1024 | 2048 | 4096 | 16384 | 32768;
    /// Pause, stop, return, speed, locate, spot, state, start.
    pub(crate) const VACUUM: i64 = 4 | 8 | 16 | 32 | 512 | 1024 | 4096 | 8192;
    /// Daily and hourly.
    pub(crate) const FORECAST: i64 = 1 | 2;
    /// Add, remove, change.
    pub(crate) const LIST: i64 = 1 | 2 | 4;
}

/// The music: title, artist, seconds.
pub(crate) const TRACKS: &[(&str, &str, i64)] = &[
    ("Slow morning", "The Lanterns", 214),
    ("Paper boats", "Nell Arden", 187),
    ("Under the stairs", "The Lanterns", 243),
    ("North window", "Quarter Tone", 201),
    ("Kettle song", "Nell Arden", 168),
];

type Pairs = Vec<(&'static str, Val)>;

/// Makes the entity of `thing` as it is when the house starts at `now`.
pub(crate) fn entity(
    device: Option<&Device>,
    thing: &'static Thing,
    now: f64,
    context: Context,
) -> Entity {
    let (state, mut pairs) = first(thing, now);
    let name = match (device, thing.name) {
        (Some(device), Some(own)) => Val::from(format!("{} {own}", device.name)),
        (Some(device), None) => Val::from(device.name),
        (None, own) => Val::from(own.unwrap_or(thing.id)),
    };
    pairs.push(("friendly_name", name));
    if let Some(features) = features(&thing.kind) {
        pairs.push(("supported_features", Val::Int(features)));
    }
    Entity {
        id: thing.id.into(),
        state,
        attrs: Attrs::new(pairs),
        context,
        changed: now,
        updated: now,
    }
}

fn features(kind: &Kind) -> Option<i64> {
    Some(match kind {
        Kind::Light(..) | Kind::Lock => 0,
        Kind::Climate(..) => bit::CLIMATE,
        Kind::Cover(_, _, true) => bit::COVER_ENDS | bit::COVER_POSITION | bit::COVER_STOP,
        Kind::Cover(_, _, false) => bit::COVER_ENDS | bit::COVER_STOP,
        Kind::Alarm => bit::ALARM,
        Kind::Player => bit::PLAYER,
        Kind::Vacuum => bit::VACUUM,
        Kind::Fan([]) => bit::FAN_SPEED | bit::FAN_POWER,
        Kind::Fan(_) => bit::FAN_SPEED | bit::FAN_PRESET | bit::FAN_POWER,
        Kind::Weather => bit::FORECAST,
        Kind::List(_) => bit::LIST,
        _ => return None,
    })
}

fn first(thing: &'static Thing, now: f64) -> (Cow<'static, str>, Pairs) {
    let on_off = |is_on: bool| if is_on { "on" } else { "off" };
    let (state, pairs): (&'static str, Pairs) = match &thing.kind {
        Kind::Light(lamp, brightness) => return light(*lamp, *brightness),
        Kind::Climate(modes, mode, target) => return climate(modes, mode, *target),
        Kind::Player => return player(now),
        Kind::Switch(class, is_on) => (on_off(*is_on), vec![("device_class", (*class).into())]),
        Kind::Cover(class, position, stops) => cover(class, *position, *stops),
        Kind::Lock => ("locked", Vec::new()),
        Kind::Alarm => ("disarmed", alarm()),
        Kind::Vacuum => ("docked", vacuum()),
        Kind::Fan(presets) => ("off", fan(presets)),
        Kind::Sensor(class, state_class, unit, first) => (
            *first,
            vec![
                ("state_class", (*state_class).into()),
                ("unit_of_measurement", (*unit).into()),
                ("device_class", (*class).into()),
            ],
        ),
        Kind::Binary(class) => ("off", vec![("device_class", (*class).into())]),
        Kind::Weather => ("cloudy", weather()),
        Kind::Sun => ("below_horizon", Vec::new()),
        Kind::Zone => ("1", zone()),
        Kind::Person => ("home", person()),
        Kind::Scene(steps) => {
            let mut on: Vec<&str> = steps.iter().flat_map(|s| s.on.iter().copied()).collect();
            on.dedup();
            ("unknown", vec![("entity_id", json!(on).into()), ("id", slug(thing).into())])
        }
        Kind::Script(_) => ("off", script()),
        Kind::Automation(_) => ("on", [vec![("id", slug(thing).into())], script()].concat()),
        Kind::Toggle => ("off", vec![("editable", true.into())]),
        Kind::Number(low, high, step, first, unit) => {
            return (format!("{first:?}").into(), number(*low, *high, *step, *first, unit));
        }
        Kind::Choice(options) => {
            (options[0], vec![("options", json!(options).into()), ("editable", true.into())])
        }
        Kind::Button => ("unknown", vec![("editable", true.into())]),
        Kind::List(items) => return (items.len().to_string().into(), Vec::new()),
    };
    (state.into(), pairs)
}

/// Returns the part behind the dot.
pub(crate) fn slug(thing: &Thing) -> &'static str {
    thing.id.split_once('.').map_or(thing.id, |(_, name)| name)
}

fn light(lamp: Lamp, brightness: i64) -> (Cow<'static, str>, Pairs) {
    let modes: &[&str] = match lamp {
        Lamp::OnOff => &["onoff"],
        Lamp::Dimmable => &["brightness"],
        Lamp::White => &["color_temp"],
        Lamp::Colour => &["color_temp", "hs"],
    };
    let mut pairs: Pairs = Vec::new();
    if matches!(lamp, Lamp::White | Lamp::Colour) {
        pairs.push(("min_color_temp_kelvin", 2200i64.into()));
        pairs.push(("max_color_temp_kelvin", 6500i64.into()));
    }
    pairs.push(("supported_color_modes", json!(modes).into()));
    let mut dark = vec!["color_mode"];
    if lamp != Lamp::OnOff {
        dark.push("brightness");
    }
    if matches!(lamp, Lamp::White | Lamp::Colour) {
        dark.extend(["color_temp_kelvin", "hs_color", "rgb_color", "xy_color"]);
    }
    pairs.extend(dark.into_iter().map(|name| (name, Val::Null)));
    if brightness == 0 {
        return ("off".into(), pairs);
    }
    let mut attrs = Attrs::new(pairs);
    crate::demo::action::light::show_white(&mut attrs, 2900);
    attrs.set("brightness", brightness);
    ("on".into(), attrs.iter().map(|(name, value)| (name, value.clone())).collect())
}

fn climate(modes: &[&str], mode: &'static str, target: f64) -> (Cow<'static, str>, Pairs) {
    let target = if mode == "off" { Val::Null } else { Val::Num(target) };
    let pairs = vec![
        ("hvac_modes", json!(modes).into()),
        ("min_temp", Val::Num(7.0)),
        ("max_temp", Val::Num(30.0)),
        ("target_temp_step", Val::Num(0.5)),
        ("preset_modes", json!(["none", "eco", "comfort"]).into()),
        ("current_temperature", Val::Null),
        ("temperature_unit", "°C".into()),
        ("temperature", target),
        ("hvac_action", if mode == "off" { "off" } else { "idle" }.into()),
        ("preset_mode", "none".into()),
    ];
    (mode.into(), pairs)
}

fn cover(class: &'static str, position: i64, stops: bool) -> (&'static str, Pairs) {
    let mut pairs = vec![("is_closed", Val::Bool(position == 0))];
    if stops {
        pairs.push(("current_position", position.into()));
    }
    pairs.push(("device_class", class.into()));
    (if position == 0 { "closed" } else { "open" }, pairs)
}

fn alarm() -> Pairs {
    vec![
        ("code_format", "number".into()),
        ("changed_by", Val::Null),
        ("code_arm_required", false.into()),
        ("previous_state", Val::Null),
        ("next_state", Val::Null),
    ]
}

fn vacuum() -> Pairs {
    vec![
        ("fan_speed_list", json!(["quiet", "normal", "strong"]).into()),
        ("fan_speed", "normal".into()),
    ]
}

fn fan(presets: &[&str]) -> Pairs {
    let modes = if presets.is_empty() { Val::Null } else { json!(presets).into() };
    vec![
        ("preset_modes", modes),
        ("percentage", 0i64.into()),
        ("percentage_step", Val::Num(100.0 / 3.0)),
        ("preset_mode", Val::Null),
    ]
}

fn player(now: f64) -> (Cow<'static, str>, Pairs) {
    let (title, artist, seconds) = TRACKS[0];
    let pairs = vec![
        ("source_list", json!(["Radio", "Library", "Line in"]).into()),
        ("volume_level", Val::Num(0.3)),
        ("is_volume_muted", false.into()),
        ("media_content_type", "music".into()),
        ("media_duration", seconds.into()),
        ("media_position", 0i64.into()),
        ("media_position_updated_at", crate::demo::time::iso(now).into()),
        ("media_title", title.into()),
        ("media_artist", artist.into()),
        ("source", "Library".into()),
        ("shuffle", false.into()),
        ("device_class", "speaker".into()),
    ];
    ("playing".into(), pairs)
}

fn weather() -> Pairs {
    vec![
        ("temperature", Val::Num(9.0)),
        ("temperature_unit", "°C".into()),
        ("humidity", 71i64.into()),
        ("pressure", Val::Num(1013.0)),
        ("pressure_unit", "hPa".into()),
        ("wind_speed", Val::Num(12.0)),
        ("wind_speed_unit", "km/h".into()),
        ("visibility_unit", "km".into()),
        ("precipitation_unit", "mm".into()),
    ]
}

fn zone() -> Pairs {
    vec![
        ("latitude", PLACE.0.into()),
        ("longitude", PLACE.1.into()),
        ("radius", 100i64.into()),
        ("passive", false.into()),
        ("persons", json!(["person.robin"]).into()),
        ("device_trackers", json!([]).into()),
        ("editable", true.into()),
        ("icon", "mdi:home".into()),
    ]
}

fn person() -> Pairs {
    vec![
        ("editable", true.into()),
        ("id", "robin".into()),
        ("device_trackers", json!([]).into()),
        ("in_zones", json!(["zone.home"]).into()),
        ("user_id", crate::demo::entity::USER.into()),
    ]
}

fn script() -> Pairs {
    vec![("last_triggered", Val::Null), ("mode", "single".into()), ("current", 0i64.into())]
}

fn number(low: f64, high: f64, step: f64, first: f64, unit: &'static str) -> Pairs {
    vec![
        ("min", low.into()),
        ("max", high.into()),
        ("step", step.into()),
        ("mode", "slider".into()),
        ("initial", first.into()),
        ("editable", true.into()),
        ("unit_of_measurement", unit.into()),
    ]
}
