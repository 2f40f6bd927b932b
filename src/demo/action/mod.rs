//! What a service call does: checks it as Home Assistant does, finds whom it is aimed at, does it.
//!
//! Fed by sessions and by the house's own routines; changes entities through
//! [`House::change`](crate::demo::house::House::change). Pure.

mod aim;
mod appliance;
mod catalogue;
mod check;
mod climate;
mod cover;
mod helper;
pub(crate) mod light;
mod list;
mod player;
mod routine;
mod secure;

pub(crate) use catalogue::services;

use crate::demo::action::catalogue::{Aim, Answers, Service};
use crate::demo::entity::{Context, Entity};
use crate::demo::house::House;
use crate::demo::plan::{Lit, Step};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The checked fields of a call.
pub(crate) type Data = Map<String, Value>;

/// A service call as it came in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) domain: String,
    pub(crate) service: String,
    pub(crate) data: Data,
    pub(crate) target: Data,
    /// Whether the caller wants data back.
    pub(crate) wants_answer: bool,
}

/// Why a call is refused, in Home Assistant's words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Key, placeholders and domain of the translated text, where there is one.
    pub(crate) translation: Option<Box<(&'static str, Value, &'static str)>>,
}

impl Refusal {
    /// The call is not formed as it must be.
    pub(crate) fn format(message: impl Into<String>) -> Refusal {
        Refusal { code: "invalid_format", message: message.into(), translation: None }
    }

    /// The call is well formed, but cannot be done.
    pub(crate) fn validation(
        message: impl std::fmt::Display,
        (key, domain): (&'static str, &'static str),
        placeholders: Value,
    ) -> Refusal {
        Refusal {
            code: "service_validation_error",
            message: format!("Validation error: {message}"),
            translation: Some(Box::new((key, placeholders, domain))),
        }
    }

    fn not_found(call: &Call) -> Refusal {
        let Call { domain, service, .. } = call;
        Refusal {
            code: "not_found",
            message: format!("Service {domain}.{service} not found."),
            translation: Some(Box::new((
                "service_not_found",
                json!({ "domain": domain, "service": service }),
                "homeassistant",
            ))),
        }
    }
}

impl House {
    /// Does a service call; returns the data it answers with, if any.
    pub(crate) fn call(&mut self, call: &Call, by: Context) -> Result<Option<Value>, Refusal> {
        let service =
            catalogue::find(&call.domain, &call.service).ok_or_else(|| Refusal::not_found(call))?;
        let (data, target) = check::call(&service, call)?;
        check::answer(&service, call.wants_answer)?;
        let mut told = data.clone();
        told.extend(target.clone());
        let told = json!({
            "domain": call.domain, "service": call.service, "service_data": told
        });
        self.fire("call_service", told, by);
        if service.aim == Aim::Nothing {
            routine::run_script(self, &format!("{}.{}", call.domain, call.service), by);
            return Ok(call.wants_answer.then(|| json!({})));
        }
        let entities = aim::entities(self, &service, &target);
        if call.wants_answer && entities.is_empty() {
            return Err(Refusal {
                code: "home_assistant_error",
                message: "Service call requested response data but did not match any entities"
                    .into(),
                translation: None,
            });
        }
        let mut answer = Map::new();
        for entity in entities {
            check::support(&service, &entity)?;
            if let Some(value) = self.act(&service, &entity, &data, by)? {
                answer.insert(entity.id.to_string(), value);
            }
        }
        Ok((service.answers == Answers::Always).then_some(Value::Object(answer)))
    }

    fn act(
        &mut self,
        service: &Service,
        entity: &Arc<Entity>,
        data: &Data,
        by: Context,
    ) -> Result<Option<Value>, Refusal> {
        let (id, name) = (&*entity.id, service.name);
        match entity.domain() {
            "light" => light::act(self, id, name, data, by)?,
            "switch" | "input_boolean" => appliance::switch(self, id, name, by),
            "fan" => appliance::fan(self, id, name, data, by)?,
            "vacuum" => appliance::vacuum(self, id, name, data, by),
            "climate" => climate::act(self, id, name, data, by)?,
            "cover" => cover::act(self, id, name, data, by),
            "lock" => secure::lock(self, id, name, by),
            "alarm_control_panel" => secure::alarm(self, id, name, data, by)?,
            "media_player" => player::act(self, id, name, data, by),
            "scene" | "script" | "automation" => routine::act(self, id, name, by),
            "input_number" => helper::number(self, id, name, data, by)?,
            "input_select" => helper::choice(self, id, name, data, by)?,
            "input_button" => helper::press(self, id, by),
            "todo" => return list::act(self, id, name, data, by),
            "weather" => return Ok(Some(helper::forecast(self, data))),
            _ => {}
        }
        Ok(None)
    }

    /// Does the steps of a routine; a step that cannot be done is left out, as its parts are known.
    pub(crate) fn do_steps(&mut self, steps: &[Step], by: Context) {
        for step in steps {
            let Some((domain, service)) = step.service.split_once('.') else { continue };
            let lit = |lit: &Lit| match *lit {
                Lit::Int(n) => Value::from(n),
                Lit::Num(n) => Value::from(n),
                Lit::Text(text) => Value::from(text),
            };
            let data = step.data.iter().map(|(name, value)| ((*name).to_owned(), lit(value)));
            let call = Call {
                domain: domain.to_owned(),
                service: service.to_owned(),
                data: data.collect(),
                target: Map::from_iter([("entity_id".to_owned(), json!(step.on))]),
                wants_answer: false,
            };
            if let Err(refusal) = self.call(&call, by) {
                log::warn!("demo: a step of a routine failed: {}", refusal.message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
