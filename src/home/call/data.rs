//! Whether the data of a call is what Home Assistant says that the service takes. Pure.
//!
//! Home Assistant takes more than it describes, and clamps or drops in silence what it cannot use. So
//! what is refused here is only what its own description of the service, or the entity itself, rules
//! out; about everything else Home Assistant judges.

use crate::error::Error;
use crate::home::entities::{Cache, Field, Form};
use crate::home::near::{MANY, is_misspelt, listed, question};
use crate::home::select::domain;
use crate::home::text::clean;
use crate::policy::names_a_code;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Fields that these services take and their descriptions do not name, or name in another form
/// (Home Assistant 2026.11, `components/*/__init__.py`); `*` stands for all of a domain.
const TAKEN: &[(&str, &[&str])] = &[
    ("automation.trigger", &["variables"]),
    ("device_tracker.see", &["attributes", "battery_status", "consider_home", "hostname"]),
    ("frontend.set_theme", &["mode"]),
    ("light.toggle", &["brightness_step", "brightness_step_pct"]),
    ("media_player.play_media", &["extra", "media_content_id", "media_content_type", "metadata"]),
    ("notify.*", &["data", "target", "title"]),
];

/// What a call is aimed at may stand in these too; they are no data.
const TARGETS: &[&str] = &["entity_id", "device_id", "area_id", "floor_id", "label_id"];

/// Numbers that an entity has a range of its own for, and the attributes that say it.
const OWN_RANGES: &[(&str, &str, &str, &str)] = &[
    ("climate", "temperature", "min_temp", "max_temp"),
    ("climate", "target_temp_low", "min_temp", "max_temp"),
    ("climate", "target_temp_high", "min_temp", "max_temp"),
    ("climate", "humidity", "min_humidity", "max_humidity"),
    ("humidifier", "humidity", "min_humidity", "max_humidity"),
    ("input_number", "value", "min", "max"),
    ("number", "value", "min", "max"),
    ("water_heater", "temperature", "min_temp", "max_temp"),
];

/// Checks the data of a call on the entities `touched`.
///
/// # Errors
/// Invalid: names the field, what is wrong with it and what there is instead.
pub(super) fn check(
    cache: &Cache,
    service: &str,
    touched: &[Arc<str>],
    data: &Map<String, Value>,
) -> Result<(), Error> {
    let fields = cache.services.fields(service);
    for name in strange(cache, service, data) {
        if is_mistaken(cache, service, name) {
            let names = || fields.iter().map(|field| &*field.name);
            let question = question(name, names());
            let (name, end) = (clean(name, 60), if question.is_empty() { ". Its" } else { " Its" });
            let listed = listed(names(), MANY);
            return Err(Error::invalid(format!(
                "{service} has no field '{name}'{question}{end} fields are: {listed}"
            )));
        }
    }
    for field in fields {
        match data.get(&*field.name) {
            Some(value) => check_field(cache, service, field, touched, value)?,
            None if field.is_required && !TARGETS.contains(&&*field.name) => {
                return Err(Error::invalid(format!(
                    "{service} needs the field '{}': put it into data",
                    clean(&field.name, 60)
                )));
            }
            None => {}
        }
    }
    Ok(())
}

/// Returns the fields of a call of which nobody but Home Assistant knows whether it takes them.
pub(super) fn unknowns<'a>(
    cache: &Cache,
    service: &str,
    data: &'a Map<String, Value>,
) -> Vec<&'a str> {
    strange(cache, service, data).collect()
}

/// The fields that the service's description does not name.
fn strange<'a>(
    cache: &Cache,
    service: &str,
    data: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a str> {
    let fields = cache.services.fields(service);
    let own = format!("{}.*", domain(service));
    // The fields of a script are its owner's notes; it takes any.
    let is_free = domain(service) == "script" || !cache.services.are_known();
    let taken: Vec<&str> = TAKEN
        .iter()
        .filter(|(name, _)| *name == service || *name == own)
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    data.keys().map(String::as_str).filter(move |name| {
        !is_free && !taken.contains(name) && !fields.iter().any(|field| *field.name == **name)
    })
}

/// Whether a field that is not described is a mistake: Home Assistant takes no other fields where a
/// service acts on entities of its domain, and a name that is nearly another one is misspelt anywhere.
fn is_mistaken(cache: &Cache, service: &str, name: &str) -> bool {
    let fields = cache.services.fields(service);
    let is_near = || fields.iter().any(|field| is_misspelt(name, &field.name));
    !fields.is_empty() && (cache.services.domains(service).is_some() || is_near())
}

fn check_field(
    cache: &Cache,
    service: &str,
    field: &Field,
    touched: &[Arc<str>],
    value: &Value,
) -> Result<(), Error> {
    match &field.form {
        Form::Open => Ok(()),
        Form::Number { least, most } => {
            let Some(number) = number(value) else {
                let given = value.as_str().map(|text| told(field, text));
                return given.map_or(Ok(()), |given| {
                    let name = &field.name;
                    Err(Error::invalid(format!("{service}: {name} must be a number{given}")))
                });
            };
            let range = Range { least: *least, most: *most };
            check_number(cache, service, field, touched, number, range)
        }
        Form::Choice(words) => {
            let texts: Vec<&str> = match value {
                Value::String(text) => vec![text],
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                // Some services take true and false besides; Home Assistant judges.
                _ => return Ok(()),
            };
            let is_none = |text: &&&str| {
                !words.iter().any(|word| plain(word) == plain(text)) && !is_bool(text)
            };
            let Some(wrong) = texts.iter().find(is_none) else { return Ok(()) };
            let question = question(wrong, words.iter().map(|word| &**word));
            let end = if question.is_empty() { ". It" } else { " It" };
            let (name, given) = (&field.name, told(field, wrong));
            let listed = listed(words.iter().map(|word| &**word), MANY);
            Err(Error::invalid(format!(
                "{service}: {name} cannot be that{given}{question}{end} may be: {listed}"
            )))
        }
    }
}

/// The ends of a range, both of them in it.
#[derive(Clone, Copy)]
struct Range {
    least: Option<f64>,
    most: Option<f64>,
}

impl Range {
    fn holds(self, number: f64) -> bool {
        self.least.is_none_or(|least| number >= least)
            && self.most.is_none_or(|most| number <= most)
    }

    fn words(self) -> String {
        match (self.least, self.most) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            (None, Some(most)) => format!("{most} or less"),
            (None, None) => "any number".to_owned(),
        }
    }
}

/// An entity's own range counts more than that of the service: a freezer may be colder than the
/// description of `climate.set_temperature` goes.
fn check_number(
    cache: &Cache,
    service: &str,
    field: &Field,
    touched: &[Arc<str>],
    number: f64,
    described: Range,
) -> Result<(), Error> {
    let (name, mut ruled) = (&field.name, false);
    for id in touched {
        let Some(range) = own_range(cache, id, name) else { continue };
        ruled = true;
        if !range.holds(number) {
            let words = range.words();
            return Err(Error::invalid(format!(
                "{service}: {name} is {number}, and {id} takes {words}"
            )));
        }
    }
    if !ruled && !described.holds(number) {
        let words = described.words();
        return Err(Error::invalid(format!(
            "{service}: {name} is {number}, and Home Assistant takes {words}"
        )));
    }
    Ok(())
}

fn own_range(cache: &Cache, id: &str, field: &str) -> Option<Range> {
    let (_, _, least, most) =
        OWN_RANGES.iter().find(|(own, name, ..)| *own == domain(id) && *name == field)?;
    let entity = cache.get(id)?;
    let end = |name: &str| entity.attribute(name).as_ref().and_then(Value::as_f64);
    let range = Range { least: end(least), most: end(most) };
    (range.least.is_some() || range.most.is_some()).then_some(range)
}

/// Home Assistant reads a number in a text as well.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// ` (it is 'x')`, unless it may be a code.
fn told(field: &Field, text: &str) -> String {
    match names_a_code(&field.name) {
        true => String::new(),
        false => format!(" (it is '{}')", clean(text, 60)),
    }
}

/// A word as it is compared: `Alice Blue` is `aliceblue` to Home Assistant.
fn plain(word: &str) -> String {
    word.chars().filter(|c| !" _-".contains(*c)).flat_map(char::to_lowercase).collect()
}

fn is_bool(word: &str) -> bool {
    ["true", "false"].contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests;
