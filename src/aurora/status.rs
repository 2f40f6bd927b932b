//! What Aurora is doing, for tools, the page and `/metrics`.

use crate::aurora::Aurora;
use crate::aurora::listen::Doing;
use crate::aurora::show::{Palette, Zone, effects};
use crate::aurora::studio::{Place, UNSAVED};
use crate::error::Error;
use crate::policy::Caller;
use crate::text::{clean, hex};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A lamp is away when so many packets to it failed one after the other.
const UNHEARD: u64 = 25;
/// A palette is shown by so many of its colours.
const STEPS: usize = 8;

/// The built-in palettes as the page shows them. Each is a table that takes some time to make.
static PALETTES: LazyLock<Value> = LazyLock::new(|| {
    let palette = |name| Some(json!({ "name": name, "colours": colours(&Palette::named(name)?) }));
    Palette::names().filter_map(palette).collect()
});

/// Everything but the levels, which come as a stream.
///
/// # Errors
/// As the folder of saved looks.
pub(super) async fn status(aurora: &Aurora, caller: &Caller) -> Result<Value, Error> {
    let report = aurora.listening().report();
    let state = match report.state {
        Doing::Idle | Doing::Ended => "idle",
        Doing::Listening => "listening",
        Doing::Waiting => "away",
    };
    let by = aurora.runs().await;
    let look = aurora.look();
    let playback = aurora.playback().await;
    let source = by.as_ref().map(|_| if playback.is_some() { "timeline" } else { "sound" });
    Ok(json!({
        "show": { "running": by.is_some(), "by": by, "source": source },
        "input": {
            "name": report.chosen, "open": report.input, "state": state,
            "why": report.reason.as_deref().map(|why| clean(why, 300)),
            "rate": report.rate.unwrap_or_default(), "form": report.form,
            "xruns": report.overruns, "reopened": report.reopened, "real_time": report.realtime,
            "clipped": report.clipped, "sounding": report.sounding,
        },
        "inputs": aurora.listening().inputs().iter().map(|name| json!({
            "name": name, "label": label(name),
        })).collect::<Vec<_>>(),
        "heard": heard(aurora, state),
        "test": aurora.tested().await,
        "zones": look.zones.iter().map(zone).collect::<Vec<_>>(),
        "lamps": lamps(aurora, caller).await,
        "effects": effects::all().map(|effect| json!({
            "name": effect.name, "about": effect.what,
        })).collect::<Vec<_>>(),
        "palettes": *PALETTES,
        "profiles": aurora.shelf().names()?,
        "profile": Some(&look.name).filter(|name| *name != UNSAVED),
        "playback": playback.as_ref().map(shown),
        "limits_flashes": aurora.config().limit_flashes,
    }))
}

/// What is heard just now; nothing while nobody listens.
fn heard(aurora: &Aurora, state: &str) -> Value {
    let latest = aurora.listening().latest().filter(|_| state == "listening");
    let Some(frame) = latest.map(|heard| heard.frame) else { return Value::Null };
    let beat = Some(frame.beat).filter(|beat| beat.there && beat.period > 0.0);
    json!({
        "bpm": beat.map(|beat| round(60.0 / beat.period)),
        "beat_confidence": beat.map(|beat| round(beat.confidence)),
        "key": frame.key.map(|key| key.to_string()),
        "level": round(frame.level.rms), "arc": frame.arc.word(),
    })
}

/// The lamps, with what their outputs did when a show runs.
async fn lamps(aurora: &Aurora, caller: &Caller) -> Vec<Value> {
    let reports = aurora.reports().await;
    let row = |lamp: &crate::aurora::lamps::Lamp| {
        let latency = aurora.lamps().latencies().row(lamp);
        let report = reports.iter().find(|report| report.name == lamp.name);
        let counts = report.map(|report| report.counts.clone()).unwrap_or_default();
        let state = match report {
            None => "idle".to_owned(),
            Some(report) if report.away.is_none() && counts.errors_in_a_row >= UNHEARD => {
                "nobody takes its pictures".to_owned()
            }
            Some(report) => report.away.as_ref().map_or_else(|| "ok".into(), |why| clean(why, 200)),
        };
        json!({
            "name": clean(&lamp.name, 60), "kind": lamp.kind, "address": clean(&lamp.address, 100),
            "pixels": lamp.pixels, "state": state,
            "latency_ms": latency.ms, "latency_source": latency.source,
            "sent": counts.pictures, "dropped": counts.dropped, "errors": counts.errors,
            "late_ms_p99": counts.p99_us as f64 / 1000.0,
        })
    };
    aurora.lamps_here(caller).await.iter().map(row).collect()
}

/// What people read in place of an input's name.
fn label(name: &str) -> String {
    match name {
        "" => "first sound card".into(),
        "sample" => "sample music of Hearth".into(),
        name => clean(name, 120),
    }
}

fn colours(palette: &Palette) -> Vec<String> {
    let hex = |n: usize| {
        let [r, g, b] = palette.at(n as f32 / (STEPS - 1) as f32).bytes(2.2);
        format!("#{}", hex(&[r, g, b]))
    };
    (0..STEPS).map(hex).collect()
}

/// Where a timeline is, for people.
pub(super) fn shown(place: &Place) -> Value {
    json!({
        "timeline": clean(&place.timeline.name, 60), "state": place.state().word(),
        "position": (place.position() * 100.0).round() / 100.0,
        "duration": place.timeline.seconds, "looped": place.player.looped().is_some(),
        "follows": place.found.map(|found| if found { "the sound heard" } else { "looking for it" }),
    })
}

/// Two digits after the point, as a double that prints so.
fn round(x: f32) -> f64 {
    (f64::from(x) * 100.0).round() / 100.0
}

/// A zone as the page shows it.
fn zone(zone: &Zone) -> Value {
    json!({
        "name": zone.name, "effect": zone.effect, "palette": zone.palette,
        "brightness": round(zone.brightness), "speed": round(zone.speed),
        "intensity": round(zone.intensity),
        "lamps": zone.lamps.iter().map(|part| &part.lamp).collect::<Vec<_>>(),
    })
}
