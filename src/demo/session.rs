//! One client's conversation: its commands, its subscriptions, what it is told. Pure.
//!
//! Fed with text by [`crate::demo::server`] and with what happens in the house; gives back the
//! texts to send, in order. Knows no socket.

use crate::demo::action::{self, Call, Refusal};
use crate::demo::command;
use crate::demo::house::{Happening, House};
use crate::demo::registry;
use crate::demo::template::{self, Rendered};
use crate::demo::wire;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Subscriptions one client may hold.
const SUBSCRIPTIONS_MAX: usize = 64;
/// Bytes of data that a client may put on one event: slow readers keep up to 2,048 of them.
const EVENT_MAX: usize = 16 * 1024;

/// One client.
#[derive(Default)]
pub(crate) struct Session {
    last_id: i64,
    subscriptions: Vec<(i64, Subscription)>,
    /// Whether several messages may come in one frame.
    pub(crate) coalesces: bool,
}

enum Subscription {
    /// States in the short form: of these, or of all.
    Entities(Option<BTreeSet<String>>),
    /// Events of this name, or all.
    Events(Option<String>),
    /// A template and what it came to last.
    Template(Box<Map<String, Value>>, Box<Rendered>),
}

/// The text was no JSON: Home Assistant closes the connection then.
#[derive(Debug, PartialEq)]
pub(crate) struct Garbage;

/// Whether the first message of a client opens the house.
pub(crate) fn is_welcome(text: &str, token: &str) -> Result<(), String> {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    let given = message["access_token"].as_str();
    match (message["type"].as_str(), given) {
        (Some("auth"), Some(given)) if is_same(given, token) => Ok(()),
        (Some("auth"), Some(_)) => Err("Invalid access token or password".into()),
        _ => Err("Auth message incorrectly formatted: required key not provided at \
                  'access_token'. Got None"
            .into()),
    }
}

/// Compares in a time that does not tell how much was right.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

impl Session {
    /// Does what one message asks for.
    pub(crate) fn handle(&mut self, text: &str, house: &mut House) -> Result<Vec<String>, Garbage> {
        let value: Value = serde_json::from_str(text).map_err(|_| Garbage)?;
        let Value::Object(message) = value else { return Err(Garbage) };
        let kind = message.get("type").and_then(Value::as_str);
        let id = message.get("id").and_then(Value::as_i64).filter(|id| *id > 0);
        let (Some(kind), Some(id)) = (kind, id) else {
            let refusal = Refusal::format("Message incorrectly formatted.");
            return Ok(vec![wire::refusal(id, &refusal)]);
        };
        if id <= self.last_id {
            let message = "Identifier values have to increase.".into();
            let refusal = Refusal { code: "id_reuse", message, translation: None };
            return Ok(vec![wire::refusal(Some(id), &refusal)]);
        }
        self.last_id = id;
        let answer =
            command::check(kind, &message).and_then(|()| self.answer(kind, id, &message, house));
        Ok(answer.unwrap_or_else(|refusal| vec![wire::refusal(Some(id), &refusal)]))
    }

    fn answer(
        &mut self,
        kind: &str,
        id: i64,
        message: &Map<String, Value>,
        house: &mut House,
    ) -> Result<Vec<String>, Refusal> {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let result = match kind {
            "ping" => return Ok(vec![json!({ "id": id, "type": "pong" }).to_string()]),
            "subscribe_entities" => return self.watch(id, message, house),
            "render_template" => return self.watch_template(id, message, house),
            "supported_features" => {
                let features = message.get("features");
                self.coalesces = features.is_some_and(|f| f["coalesce_messages"] == 1);
                "null".into()
            }
            "get_config" => wire::json(&wire::config(domains(house))),
            "get_states" => wire::states(house.all()),
            "get_services" => wire::json(&action::services()),
            "auth/current_user" => wire::json(&wire::user()),
            "homeassistant/expose_entity/list" => registry::exposed(house),
            "config/entity_registry/list_for_display" => registry::list_for_display(house),
            "subscribe_events" => {
                self.subscribe(id, Subscription::Events(text("event_type")))?;
                "null".into()
            }
            "unsubscribe_events" => {
                let which = message.get("subscription").and_then(Value::as_i64);
                let before = self.subscriptions.len();
                self.subscriptions.retain(|(id, _)| Some(*id) != which);
                if self.subscriptions.len() == before {
                    let message = "Subscription not found.".into();
                    return Err(Refusal { code: "not_found", message, translation: None });
                }
                "null".into()
            }
            "fire_event" => {
                let data = message.get("event_data").cloned().unwrap_or_else(|| json!({}));
                if data.to_string().len() > EVENT_MAX {
                    let message = format!("The demo house takes {EVENT_MAX} bytes of event data.");
                    return Err(Refusal::format(message));
                }
                let by = house.user_context();
                house.fire(&text("event_type").unwrap_or_default(), data, by);
                json!({ "context": by.json() }).to_string()
            }
            "call_service" => call(message, house)?,
            other => {
                let name =
                    other.strip_prefix("config/").and_then(|n| n.strip_suffix("_registry/list"));
                name.and_then(|name| registry::list(name, house)).ok_or_else(command::unknown)?
            }
        };
        Ok(vec![wire::result(id, &result)])
    }

    fn subscribe(&mut self, id: i64, subscription: Subscription) -> Result<(), Refusal> {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let message = format!("The demo house allows {SUBSCRIPTIONS_MAX} subscriptions.");
            return Err(Refusal { code: "home_assistant_error", message, translation: None });
        }
        self.subscriptions.push((id, subscription));
        Ok(())
    }

    fn watch(
        &mut self,
        id: i64,
        message: &Map<String, Value>,
        house: &House,
    ) -> Result<Vec<String>, Refusal> {
        let ids = message.get("entity_ids").map(|ids| match ids {
            Value::String(id) => BTreeSet::from([id.clone()]),
            ids => {
                let list = ids.as_array().into_iter().flatten();
                list.filter_map(Value::as_str).map(str::to_owned).collect()
            }
        });
        let first = match &ids {
            Some(ids) => wire::all(ids.iter().filter_map(|id| house.get(id))),
            None => wire::all(house.all().iter()),
        };
        self.subscribe(id, Subscription::Entities(ids))?;
        Ok(vec![wire::result(id, "null"), wire::event(id, &first)])
    }

    fn watch_template(
        &mut self,
        id: i64,
        message: &Map<String, Value>,
        house: &House,
    ) -> Result<Vec<String>, Refusal> {
        let mut out = vec![wire::result(id, "null")];
        if let Some(rendered) = render(message, house, &mut out, id) {
            let template = Subscription::Template(Box::new(message.clone()), Box::new(rendered));
            self.subscribe(id, template)?;
        }
        Ok(out)
    }

    /// Returns what this client is told of something that happened.
    pub(crate) fn hear(&mut self, happening: &Happening, house: &House) -> Vec<String> {
        let mut out = Vec::new();
        for (id, subscription) in &mut self.subscriptions {
            match (subscription, happening) {
                (Subscription::Entities(ids), Happening::Changed { old, new })
                    if ids.as_ref().is_none_or(|ids| ids.contains(&*new.id)) =>
                {
                    out.push(wire::event(*id, &wire::changed(old, new)));
                }
                (Subscription::Events(name), _)
                    if name.as_ref().is_none_or(|name| name == wire::event_name(happening)) =>
                {
                    out.push(wire::event(*id, &wire::happened(happening)));
                }
                (Subscription::Template(message, last), Happening::Changed { new, .. })
                    if last.listens_to(&new.id) =>
                {
                    let mut told = Vec::new();
                    if let Some(now) = render(message, house, &mut told, *id) {
                        if now.result != last.result {
                            out.extend(told);
                        }
                        **last = now;
                    }
                }
                _ => {}
            }
        }
        out
    }
}

fn render(
    message: &Map<String, Value>,
    house: &House,
    out: &mut Vec<String>,
    id: i64,
) -> Option<Rendered> {
    let source = message.get("template").and_then(Value::as_str).unwrap_or_default();
    let variables = message.get("variables").cloned().unwrap_or_else(|| json!({}));
    match template::render(source, &variables, house) {
        Ok(rendered) => {
            out.push(wire::event(id, &wire::json(&rendered.event())));
            Some(rendered)
        }
        Err(error) => {
            if message.get("report_errors") == Some(&Value::Bool(true)) {
                let event = json!({ "error": error, "level": "ERROR" });
                out.push(wire::event(id, &event.to_string()));
            }
            None
        }
    }
}

fn call(message: &Map<String, Value>, house: &mut House) -> Result<String, Refusal> {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let map =
        |name: &str| message.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let call = Call {
        domain: text("domain").to_lowercase(),
        service: text("service").to_lowercase(),
        data: map("service_data"),
        target: map("target"),
        wants_answer: message.get("return_response") == Some(&Value::Bool(true)),
    };
    let by = house.user_context();
    let answer = house.call(&call, by)?;
    let mut out = json!({ "context": by.json() });
    if let Some(answer) = answer {
        out["response"] = answer;
    }
    Ok(out.to_string())
}

/// The domains that have entities or services.
pub(crate) fn domains(house: &House) -> Vec<String> {
    let mut all: BTreeSet<String> = house.all().iter().map(|e| e.domain().to_owned()).collect();
    all.insert("homeassistant".into());
    all.into_iter().collect()
}
