//! Starting and stopping, the status, the input.

use super::tool;
use crate::aurora::Aurora;
use crate::aurora::show::{Profile, Zone};
use crate::aurora::status;
use crate::aurora::studio::{Change, UNSAVED, whole_house};
use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StartArgs {
    /// Lamps by name, or lights of Home Assistant by entity id; without: all lamps
    lamps: Vec<String>,
    /// Effect to begin with; without: the look chosen last
    effect: Option<String>,
    /// Its palette
    palette: Option<String>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Begun {
    lamps: Vec<String>,
    effect: String,
    input: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Ended {
    status: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StatusArgs {
    /// Effects, palettes and inputs with what they are
    verbose: bool,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct State {
    show: Value,
    input: Value,
    lamps: Vec<Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InputArgs {
    /// hw:CARD=…, fifo:…, tcp:…, file:…, wled or sample, of those that aurora_get_status lists
    input: String,
}

pub(super) fn tools(aurora: &Aurora) -> Vec<Tool> {
    let start = Words {
        name: "aurora_start",
        title: "Start the lights",
        about: "Let lamps follow the music that is heard, until aurora_stop.",
    };
    let stop = Words {
        name: "aurora_stop",
        title: "Stop the lights",
        about: "End the show; lamps get back what they showed before.",
    };
    let state = Words {
        name: "aurora_get_status",
        title: "Status of Aurora",
        about: "Is a show running, what is heard (tempo, key, level) while something listens, how the lamps do.",
    };
    let input = Words {
        name: "aurora_set_input",
        title: "Choose the sound input",
        about: "Listen to another input until Hearth ends.",
    };
    vec![
        tool::<_, Begun, _, _>(aurora, start, Level::Control, begin),
        tool::<_, Ended, _, _>(aurora, stop, Level::Control, end),
        tool::<_, State, _, _>(aurora, state, Level::Read, status),
        tool::<_, Ended, _, _>(aurora, input, Level::Control, listen).on_demand().idempotent(),
    ]
}

async fn begin(aurora: Aurora, call: Call, args: StartArgs) -> Result<Value, Error> {
    let mut look = aurora.look();
    if let Some(effect) = &args.effect {
        // An effect for these lamps: whatever zones there were, all of them are in this one.
        look = Profile { name: UNSAVED.into(), ..Profile::of(Zone::of(effect)) };
    }
    if let Some(palette) = args.palette {
        look = Change { palette: Some(palette), ..Change::default() }.apply(look)?;
    }
    look.check()?;
    let started = aurora.begin(&call.caller, &args.lamps, &look).await?;
    if look != aurora.look() {
        aurora.use_look(&call.caller, look).await?;
    }
    let report = aurora.listening().report();
    let effects: Vec<String> = aurora.look().zones.into_iter().map(|zone| zone.effect).collect();
    let mut answer = json!({
        "lamps": started.lamps, "effect": effects.join(", "), "input": report.chosen,
    });
    if !started.left_out.is_empty() {
        let rows = started.left_out.into_iter();
        answer["left_out"] = rows.map(|(lamp, why)| json!({ "lamp": lamp, "why": why })).collect();
    }
    if !started.missing.is_empty() {
        answer["not_here"] = started.missing.into();
    }
    if let Some(why) = report.reason {
        answer["hint"] = format!("the sound input is not there yet: {why}").into();
    }
    Ok(answer)
}

async fn end(aurora: Aurora, call: Call, _: Nothing) -> Result<Value, Error> {
    aurora.may_direct(&call.caller).await?;
    aurora.end().await?;
    Ok(json!({ "status": "stopped" }))
}

async fn status(aurora: Aurora, call: Call, args: StatusArgs) -> Result<Value, Error> {
    let mut all = status::status(&aurora, &call.caller).await?;
    if !args.verbose {
        for long in ["effects", "palettes", "inputs"] {
            if let Some(list) = all.get(long).and_then(Value::as_array) {
                all[long] = list.iter().map(|one| one["name"].clone()).collect();
            }
        }
    }
    Ok(all)
}

async fn listen(aurora: Aurora, call: Call, args: InputArgs) -> Result<Value, Error> {
    whole_house(&call.caller)?;
    aurora.listening().choose(&args.input)?;
    Ok(json!({
        "status": "chosen",
        "hint": "it is opened as soon as something listens; aurora_get_status says how it does",
    }))
}
