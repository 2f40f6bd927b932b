//! Checks of a call before anything happens, with Home Assistant's answers to what is wrong. Pure.

use crate::demo::action::catalogue::{Aim, Answers, Field, Form, Service};
use crate::demo::action::{Call, Data, Refusal};
use crate::demo::entity::Entity;
use serde_json::{Value, json};

/// The ways to say whom a call is aimed at.
const TARGETS: [&str; 5] = ["entity_id", "device_id", "area_id", "floor_id", "label_id"];

/// Checks the fields and splits off the target, whichever way it was given.
pub(crate) fn call(service: &Service, call: &Call) -> Result<(Data, Data), Refusal> {
    let (mut data, mut target) = (Data::new(), Data::new());
    for (name, value) in call.data.iter().chain(&call.target) {
        if TARGETS.contains(&name.as_str()) {
            target.insert(name.clone(), ids(name, value)?);
        } else if call.target.contains_key(name) && !call.data.contains_key(name) {
            return Err(Refusal::format(format!("not a valid option at 'target.{name}'")));
        } else {
            let unknown = || Refusal::format(format!("not a valid option at '{name}'"));
            let field = service.fields.iter().find(|f| f.name == name).ok_or_else(unknown)?;
            data.insert(name.clone(), value_of(field, value)?);
        }
    }
    for field in service.fields.iter().filter(|f| f.is_required) {
        if !data.contains_key(field.name) {
            let message = format!("required key not provided at '{}'", field.name);
            return Err(Refusal::format(message));
        }
    }
    if !service.any_of.is_empty() && !service.any_of.iter().any(|name| data.contains_key(*name)) {
        let message = format!("at least one of {} is required", listed(service.any_of));
        return Err(Refusal::format(message));
    }
    if service.aim != Aim::Nothing && target.is_empty() {
        let message = format!("at least one of {} is required", listed(&TARGETS));
        return Err(Refusal::format(message));
    }
    Ok((data, target))
}

/// Checks that data is asked for where there is some, and only there.
pub(crate) fn answer(service: &Service, is_wanted: bool) -> Result<(), Refusal> {
    let placeholders = json!({ "return_response": "return_response=True" });
    match (service.answers, is_wanted) {
        // A script may answer, so asking it is allowed.
        (Answers::Never, true) if service.aim != Aim::Nothing => Err(Refusal::validation(
            "An action which does not return responses can't be called with return_response=True",
            ("service_does_not_support_response", "homeassistant"),
            placeholders,
        )),
        (Answers::Always, false) => Err(Refusal::validation(
            "The action requires responses and must be called with return_response=True",
            ("service_lacks_response_request", "homeassistant"),
            placeholders,
        )),
        _ => Ok(()),
    }
}

/// Checks that the entity can do this at all.
pub(crate) fn support(service: &Service, entity: &Entity) -> Result<(), Refusal> {
    let Service { domain, name, needs, .. } = *service;
    if entity.domain() != domain || needs == 0 || entity.supports(needs) {
        return Ok(());
    }
    Err(Refusal::validation(
        format!("Entity {} does not support action {domain}.{name}", entity.id),
        ("service_not_supported", "homeassistant"),
        json!({ "domain": domain, "service": name, "entity_id": &*entity.id }),
    ))
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("'{n}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Turns one id or several into a list.
fn ids(name: &str, value: &Value) -> Result<Value, Refusal> {
    let all: Vec<String> = match value {
        Value::String(text) => text.split(',').map(|id| id.trim().to_owned()).collect(),
        Value::Array(list) => {
            list.iter().filter_map(|v| v.as_str().map(|id| id.trim().to_owned())).collect()
        }
        _ => Vec::new(),
    };
    let is_entity =
        |id: &String| id.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
    let bad = all.iter().find(|id| name == "entity_id" && *id != "all" && !is_entity(id));
    match bad {
        Some(id) => {
            Err(Refusal::format(format!("expected 'all' or 'none' at 'target.{name}'. Got '{id}'")))
        }
        None => Ok(json!(all)),
    }
}

fn value_of(field: &Field, value: &Value) -> Result<Value, Refusal> {
    let at = field.name;
    let bad = |what: String| Err(Refusal::format(format!("{what} at '{at}'")));
    let number = || match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match field.form {
        Form::Int(low, high) => match number() {
            None => bad("expected int".into()),
            // Brightness is the one range that Home Assistant clamps.
            Some(n) if at == "brightness" => Ok(Value::from((n as i64).clamp(low, high))),
            Some(n) if n < low as f64 => bad(format!("value must be at least {low}")),
            Some(n) if n > high as f64 => bad(format!("value must be at most {high}")),
            Some(n) => Ok(Value::from(n as i64)),
        },
        Form::Num(low, high, _) => match number() {
            None => bad("expected float".into()),
            Some(n) if n < low => bad(format!("value must be at least {low}")),
            Some(n) if n > high => bad(format!("value must be at most {high}")),
            Some(n) => Ok(Value::from(n)),
        },
        Form::Text | Form::Listed => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(n) => Ok(Value::from(n.to_string())),
            _ => bad("value should be a string".into()),
        },
        Form::Flag => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(t) if ["on", "true", "yes"].contains(&&**t) => Ok(true.into()),
            Value::String(t) if ["off", "false", "no"].contains(&&**t) => Ok(false.into()),
            _ => bad("invalid boolean value".into()),
        },
        Form::Choice(options) => match value.as_str() {
            Some(text) if options.contains(&text) => Ok(value.clone()),
            _ if at == "hvac_mode" => {
                let quoted: Vec<String> = options.iter().map(|o| format!("'{o}'")).collect();
                bad(format!("expected HVACMode or one of {}", quoted.join(", ")))
            }
            _ => bad(format!("value must be one of {}", listed(options))),
        },
        Form::Numbers(count) => match value.as_array() {
            Some(list) if list.len() == count && list.iter().all(Value::is_number) => {
                Ok(value.clone())
            }
            _ => bad(format!("expected a list of {count} numbers")),
        },
        Form::Object => Ok(value.clone()),
    }
}
