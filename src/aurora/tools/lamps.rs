//! The lamps: which there are, and adding and removing them.

use super::tool;
use crate::aurora::Aurora;
use crate::aurora::lamps::Lamp;
use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::policy::Level;
use crate::text::clean;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LampArgs {
    /// list (default), add, remove
    action: String,
    /// remove: its name
    name: String,
    /// add: name, kind (wled, ddp, e131, artnet, wled-sync, home, mqtt, hue), address, pixels, …
    lamp: Map<String, Value>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Listed {
    lamps: Vec<Value>,
}

pub(super) fn tools(aurora: &Aurora) -> Vec<Tool> {
    let words = Words {
        name: "aurora_lamps",
        title: "Lamps of Aurora",
        about: "List, add and remove lamps: strips, DMX fixtures, lights.",
    };
    let acting = |args: &Map<String, Value>| match args.get("action").and_then(Value::as_str) {
        None | Some("" | "list") => Level::Read,
        _ => Level::Admin,
    };
    let hue = Words {
        name: "aurora_hue",
        title: "Hue bridges",
        about: "Pair with a Hue bridge (press its button first), list its entertainment areas, forget it.",
    };
    let pairing = |args: &Map<String, Value>| match args.get("action").and_then(Value::as_str) {
        Some("pair" | "forget") => Level::Admin,
        _ => Level::Read,
    };
    vec![
        tool::<_, Bridges, _, _>(aurora, hue, Level::Read, bridges).acting(pairing).on_demand(),
        tool::<_, Listed, _, _>(aurora, words, Level::Read, lamps).acting(acting).on_demand(),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct HueArgs {
    /// list (default), pair, areas, forget
    action: String,
    /// pair: the bridge's address
    host: String,
    /// areas, forget: its id, when there are several
    bridge: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Bridges {
    bridges: Vec<Value>,
}

async fn bridges(aurora: Aurora, call: Call, args: HueArgs) -> Result<Value, Error> {
    let (caller, hue) = (&call.caller, aurora.hue());
    let mut answer = json!({});
    match args.action.trim() {
        "" | "list" => {}
        "pair" => {
            let paired = hue.pair(caller, args.host.trim()).await?;
            answer["hint"] = format!(
                "paired; list its areas, and add one as a lamp: kind hue, address {}, area its name",
                paired.id
            )
            .into();
        }
        "areas" => {
            let areas = hue.areas(caller, args.bridge.trim()).await?;
            answer["areas"] = areas.iter().map(|area| json!({
                "name": clean(&area.name, 60), "id": area.id, "channels": area.channels.len(),
                "is_active": area.is_active,
            })).collect();
        }
        "forget" => answer["forgotten"] = hue.forget(caller, args.bridge.trim()).await?.into(),
        other => {
            let other = clean(other, 40);
            return Err(Error::invalid(format!(
                "action: '{other}' is none of list, pair, areas, forget"
            )));
        }
    }
    let all = hue.bridges().await?;
    answer["bridges"] = all
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "name": clean(&one.name, 60), "host": clean(&one.host, 100),
            })
        })
        .collect();
    Ok(answer)
}

async fn lamps(aurora: Aurora, call: Call, args: LampArgs) -> Result<Value, Error> {
    let caller = &call.caller;
    match args.action.trim() {
        "" | "list" => {}
        "add" => {
            let lamp: Lamp = serde_json::from_value(Value::Object(args.lamp))
                .map_err(|e| Error::invalid(format!("lamp: {}", clean(&e.to_string(), 300))))?;
            aurora.add_lamp(caller, lamp).await?;
        }
        "remove" => aurora.remove_lamp(caller, &args.name).await?,
        other => {
            let other = clean(other, 40);
            return Err(Error::invalid(format!("action: '{other}' is none of list, add, remove")));
        }
    }
    let mut rows = Vec::new();
    for lamp in aurora.roster(caller) {
        let latency = aurora.lamps().latencies().row(&lamp);
        rows.push(json!({
            "name": clean(&lamp.name, 60), "kind": lamp.kind, "address": clean(&lamp.address, 100),
            "pixels": lamp.pixels, "area": clean(&lamp.area, 60),
            "latency_ms": latency.ms.round(), "latency_source": latency.source,
        }));
    }
    Ok(json!({ "lamps": rows }))
}
