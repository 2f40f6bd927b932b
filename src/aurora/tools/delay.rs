//! Which lights there are to be had, how late they are, and why.

use super::tool;
use crate::aurora::Aurora;
use crate::aurora::lamps::Kind;
use crate::aurora::listen::Doing;
use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words, numbered, rows};
use crate::policy::Level;
use crate::text::clean;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The network is listened to for so long.
const WAIT: Duration = Duration::from_secs(2);
/// Measuring a lamp may take so long.
const PATIENCE: Duration = Duration::from_secs(70);
/// A lamp is measured at most so often in one call.
const MOST: u32 = 10;
/// The rows of an answer may take so many bytes.
const BUDGET: usize = 6 * 1024;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ScanArgs {
    /// Only of this area (Home Assistant's name of it)
    area: String,
    /// color, color_temp or brightness
    capability: String,
    /// Look for WLED and Hue on the network, too
    network: bool,
    cursor: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Scanned {
    devices: Vec<Value>,
    total: usize,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct MeasureArgs {
    /// Lamp, or light of Home Assistant
    entity_id: String,
    /// Repetitions, 1 to 10 (3)
    iterations: Option<u32>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Measured {
    entity_id: String,
    latency_ms: f64,
    latency_source: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TapArgs {
    /// Its name
    lamp: String,
    /// start, tap, end, forget
    action: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Tapped {
    taps: usize,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Found {
    findings: Vec<String>,
}

pub(super) fn tools(aurora: &Aurora) -> Vec<Tool> {
    let words = |name, title, about| Words { name, title, about };
    let scan = words(
        "aurora_scan_devices",
        "Find lights",
        "Lights that can be lamps: Home Assistant's, the broker's, those on the network.",
    );
    let profile = words(
        "aurora_profile_device",
        "Measure a lamp",
        "How late a lamp is, by its own answers; kept, and made up for from then on.",
    );
    let taps = words(
        "aurora_calibrate",
        "Tap test",
        "A lamp flashes, a person taps along (start, tap …, end): how late it looks.",
    );
    let why = words(
        "aurora_diagnose",
        "Why are my lights late?",
        "What is wrong with lamps, network or sound, and what to do, in sentences.",
    );
    vec![
        tool::<_, Scanned, _, _>(aurora, scan, Level::Read, scanned).on_demand().within(PATIENCE),
        tool::<_, Measured, _, _>(aurora, profile, Level::Control, measured)
            .on_demand()
            .within(PATIENCE),
        tool::<_, Tapped, _, _>(aurora, taps, Level::Control, tapped).on_demand(),
        tool::<_, Found, _, _>(aurora, why, Level::Read, diagnosed),
    ]
}

async fn scanned(aurora: Aurora, call: Call, args: ScanArgs) -> Result<Value, Error> {
    let caller = &call.caller;
    let capability = args.capability.trim();
    if !["", "color", "color_temp", "brightness"].contains(&capability) {
        return Err(Error::invalid("capability: one of color, color_temp, brightness"));
    }
    let (mut devices, mut hints) = (Vec::new(), Vec::new());
    let area = args.area.trim().to_lowercase();
    if let Some(house) = aurora.house() {
        match house.list(caller) {
            Ok(lights) => devices.extend(lights.iter().filter(|light| {
                (area.is_empty() || light.area.to_lowercase() == area)
                    && (capability.is_empty() || light.can.contains(&capability))
            }).map(|light| json!({
                "entity_id": light.id, "name": light.name, "kind": "home", "area": light.area,
                "capabilities": light.can, "refused": light.refused,
            }))),
            Err(e) => hints.push(format!("lights of Home Assistant: {e}")),
        }
    }
    if area.is_empty() && capability.is_empty() {
        if let Some(broker) = aurora.broker() {
            match broker.list(caller) {
                Ok(lights) => devices.extend(lights.into_iter().map(|light| {
                    json!({
                        "address": light.id, "name": light.name, "kind": "mqtt",
                        "refused": light.refused,
                    })
                })),
                Err(e) => hints.push(format!("lights of the broker: {e}")),
            }
        }
        devices.extend(aurora.roster(caller).into_iter().filter(|l| l.kind != Kind::Home).map(
            |lamp| {
                json!({
                    "lamp": clean(&lamp.name, 60), "kind": lamp.kind, "pixels": lamp.pixels,
                    "address": clean(&lamp.address, 100), "area": clean(&lamp.area, 60),
                })
            },
        ));
    }
    if args.network {
        for found in aurora.lamps().find(WAIT).await? {
            devices.push(json!({
                "name": clean(&found.name, 60), "kind": found.kind, "found": true,
                "address": clean(&found.address, 60), "port": found.port,
                "lamp": found.lamp(), "away": found.away.as_deref().map(|why| clean(why, 200)),
            }));
        }
    }
    for device in &mut devices {
        if let Some(fields) = device.as_object_mut() {
            fields.retain(|_, value| !value.is_null() && value != "");
        }
    }
    let total = devices.len();
    let page = rows(numbered(devices), &args.cursor, BUDGET)?;
    let mut answer = json!({ "devices": page.items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    if !hints.is_empty() {
        answer["hints"] = hints.into();
    }
    Ok(answer)
}

async fn measured(aurora: Aurora, call: Call, args: MeasureArgs) -> Result<Value, Error> {
    let times = args.iterations.unwrap_or(3);
    if !(1..=MOST).contains(&times) {
        return Err(Error::invalid(format!("iterations: from 1 to {MOST}")));
    }
    let row = aurora.measure(&call.caller, &args.entity_id, times).await?;
    let mut answer = json!({
        "entity_id": args.entity_id, "test_iterations": times,
        "latency_ms": row.ms.round(), "latency_source": row.source,
    });
    if let Some(found) = row.measured {
        answer["measurements"] = found.samples.into();
        answer["spread_ms"] = found.spread_ms.round().into();
    }
    Ok(answer)
}

async fn tapped(aurora: Aurora, call: Call, args: TapArgs) -> Result<Value, Error> {
    let result = match args.action.trim() {
        "start" => aurora.tap_start(&call.caller, &args.lamp).await?,
        "tap" => aurora.tap(&args.lamp).await?,
        "end" => aurora.tap_end(&args.lamp).await?,
        "forget" => aurora.forget_taps(&call.caller, &args.lamp).await?,
        other => {
            let other = clean(other, 40);
            return Err(Error::invalid(format!(
                "action: '{other}' is none of start, tap, end, forget"
            )));
        }
    };
    let mut answer = json!({ "taps": result.taps });
    if let Some(found) = result.found {
        answer["latency_ms"] = found.ms.round().into();
        answer["spread_ms"] = found.spread_ms.round().into();
    }
    if let Some(hint) = result.hint {
        answer["hint"] = hint.into();
    }
    Ok(answer)
}

async fn diagnosed(aurora: Aurora, call: Call, _: Nothing) -> Result<Value, Error> {
    let mut findings: Vec<String> = Vec::new();
    let report = aurora.listening().report();
    if let Some(why) = &report.reason {
        findings.push(format!("The sound input is not there: {}.", clean(why, 200)));
    }
    match report.state {
        Doing::Listening if !report.sounding => findings.push(
            "Nothing is heard: the input is open but silent; is something playing into it?".into(),
        ),
        Doing::Ended => findings.push("The sound file has ended; choose an input again.".into()),
        _ => {}
    }
    if report.overruns > 0 {
        findings.push(format!(
            "Sound was lost {} times because the machine was too slow; stop other work on it.",
            report.overruns
        ));
    }
    if report.clipped {
        findings.push("The sound is too loud for the input; turn it down.".into());
    }
    for found in aurora.diagnose(&call.caller).await {
        let lamp = found.lamp.map(|lamp| format!("{}: ", clean(&lamp, 60))).unwrap_or_default();
        findings.push(format!("{lamp}{}; {}.", found.what, found.advice));
    }
    let is_running = aurora.runs().await.is_some();
    let mut answer = json!({ "findings": findings });
    if findings.is_empty() {
        let all_well = match is_running {
            true => {
                "nothing that is counted or measured is wrong; a tap test (aurora_calibrate) \
                     finds delays that no lamp tells of"
            }
            false => "no show runs, so little is known; start one and ask again",
        };
        answer["hint"] = all_well.into();
    }
    Ok(answer)
}
