//! Messages as Home Assistant's WebSocket writes them. Pure: values in, JSON text out.

use crate::demo::action::Refusal;
use crate::demo::entity::{Entity, Long, Short, difference};
use crate::demo::house::Happening;
use crate::demo::sun::PLACE;
use crate::demo::time::iso;
use serde_json::{Value, json};
use std::sync::Arc;

/// The version of Home Assistant whose messages these are.
pub(crate) const VERSION: &str = "2026.11.0";

/// The good answer to message `id`; `result` is JSON text.
pub(crate) fn result(id: i64, result: &str) -> String {
    format!("{{\"id\":{id},\"type\":\"result\",\"success\":true,\"result\":{result}}}")
}

/// The bad answer to message `id`; null when the message had none.
pub(crate) fn refusal(id: Option<i64>, refusal: &Refusal) -> String {
    let mut error = json!({ "code": refusal.code, "message": refusal.message });
    if let Some((key, placeholders, domain)) = refusal.translation.as_deref() {
        error["translation_key"] = (*key).into();
        error["translation_placeholders"] = placeholders.clone();
        error["translation_domain"] = (*domain).into();
    }
    json!({ "id": id, "type": "result", "success": false, "error": error }).to_string()
}

/// An event for subscription `id`; `event` is JSON text.
pub(crate) fn event(id: i64, event: &str) -> String {
    format!("{{\"type\":\"event\",\"event\":{event},\"id\":{id}}}")
}

/// Every state, in the long form, as JSON text.
pub(crate) fn states(entities: &[Arc<Entity>]) -> String {
    let mut out = String::from("[");
    for entity in entities {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&json(&Long(entity)));
    }
    out.push(']');
    out
}

/// The first message of `subscribe_entities`, as JSON text.
pub(crate) fn all<'a>(entities: impl Iterator<Item = &'a Arc<Entity>>) -> String {
    let mut out = String::from("{\"a\":{");
    for (n, entity) in entities.enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(&json(&*entity.id));
        out.push(':');
        out.push_str(&json(&Short(entity)));
    }
    out.push_str("}}");
    out
}

/// One change for `subscribe_entities`, as JSON text.
pub(crate) fn changed(old: &Entity, new: &Entity) -> String {
    json!({ "c": { &*new.id: difference(old, new) } }).to_string()
}

/// The name of what happened, as `subscribe_events` filters by it.
pub(crate) fn event_name(happening: &Happening) -> &str {
    match happening {
        Happening::Changed { .. } => "state_changed",
        Happening::Fired { name, .. } => name,
    }
}

/// What happened, for `subscribe_events`, as JSON text.
pub(crate) fn happened(happening: &Happening) -> String {
    let (data, at, context) = match happening {
        Happening::Changed { old, new } => {
            let data = format!(
                "{{\"entity_id\":{},\"old_state\":{},\"new_state\":{}}}",
                json(&*new.id),
                json(&Long(old)),
                json(&Long(new))
            );
            (data, new.updated, new.context)
        }
        Happening::Fired { data, at, context, .. } => (data.to_string(), *at, *context),
    };
    format!(
        "{{\"event_type\":{},\"data\":{data},\"origin\":\"LOCAL\",\"time_fired\":\"{}\",\"context\":{}}}",
        json(event_name(happening)),
        iso(at),
        context.json()
    )
}

/// The answer to `get_config`.
pub(crate) fn config(domains: Vec<String>) -> Value {
    json!({
        "allowlist_external_dirs": [], "allowlist_external_urls": [], "components": domains,
        "config_dir": "/config", "config_source": "storage", "country": "GB", "currency": "GBP",
        "debug": false, "elevation": 20, "external_url": null, "internal_url": null,
        "language": "en", "latitude": PLACE.0, "location_name": "Demo house",
        "logging": { "log_file_disabled_reason": null }, "longitude": PLACE.1, "radius": 100,
        "recovery_mode": false, "safe_mode": false, "state": "RUNNING", "time_zone": "UTC",
        "unit_system": {
            "length": "km", "accumulated_precipitation": "mm", "area": "m²", "mass": "g",
            "pressure": "Pa", "temperature": "°C", "volume": "L", "wind_speed": "m/s"
        },
        "version": VERSION, "whitelist_external_dirs": []
    })
}

/// The answer to `auth/current_user`.
pub(crate) fn user() -> Value {
    json!({
        "id": crate::demo::entity::USER, "name": "Demo", "is_owner": true, "is_admin": true,
        "credentials": [{ "auth_provider_type": "homeassistant", "auth_provider_id": null }],
        "mfa_modules": [{ "id": "totp", "name": "Authenticator app", "enabled": false }]
    })
}

/// JSON text of anything that cannot fail to have one.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // These types have only text keys and finite numbers; null is what JSON has for the rest.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}
