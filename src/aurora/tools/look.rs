//! What the show looks like: effect, colours, saved looks.

use super::tool;
use crate::aurora::Aurora;
use crate::aurora::show::{Profile, Value as Setting, effects};
use crate::aurora::studio::{Change, UNSAVED, whole_house};
use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::policy::Level;
use crate::text::clean;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LookArgs {
    /// Zone; without: the first
    zone: Option<String>,
    /// Effect; without any argument the answer lists them
    effect: Option<String>,
    /// Palette
    palette: Option<String>,
    /// 0 to 1
    brightness: Option<f32>,
    /// 0.1 to 4
    speed: Option<f32>,
    /// 0 to 1: how strongly it answers to the music
    intensity: Option<f32>,
    /// From the middle to both ends
    mirror: Option<bool>,
    /// From the end to the begin
    reverse: Option<bool>,
    /// Parameters of the effect
    set: Map<String, Value>,
    /// Seconds of fading, 0 to 30
    fade: Option<f32>,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Shown {
    look: Value,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ProfileArgs {
    /// list (default), use, save, reset, delete, export, import
    action: String,
    /// Its name
    name: String,
    /// import: the document that export gave
    document: String,
}

#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its shape is used")]
struct Saved {
    profiles: Vec<String>,
}

pub(super) fn tools(aurora: &Aurora) -> Vec<Tool> {
    let look = Words {
        name: "aurora_set_look",
        title: "Change effect and colours",
        about: "Change what the lamps do with the music; with no arguments, list effects and palettes.",
    };
    let profiles = Words {
        name: "aurora_profiles",
        title: "Saved looks",
        about: "List, use, save, delete, export and import looks (zones, effects, colours).",
    };
    let acting = |args: &Map<String, Value>| match args.get("action").and_then(Value::as_str) {
        None | Some("" | "list" | "export") => Level::Read,
        _ => Level::Control,
    };
    vec![
        tool::<_, Shown, _, _>(aurora, look, Level::Read, set).acting(|args| {
            match args.is_empty() {
                true => Level::Read,
                false => Level::Control,
            }
        }),
        tool::<_, Saved, _, _>(aurora, profiles, Level::Read, saved).acting(acting).on_demand(),
    ]
}

async fn set(aurora: Aurora, call: Call, args: LookArgs) -> Result<Value, Error> {
    let is_question = args.zone.is_none()
        && args.effect.is_none()
        && args.palette.is_none()
        && args.set.is_empty()
        && [args.brightness, args.speed, args.intensity, args.fade].iter().all(Option::is_none)
        && args.mirror.or(args.reverse).is_none();
    if is_question {
        return Ok(json!({
            "look": shown(&aurora.look())?,
            "effects": effects::all().map(described).collect::<Vec<_>>(),
            "palettes": crate::aurora::show::Palette::names().collect::<Vec<_>>(),
        }));
    }
    let mut set = std::collections::BTreeMap::new();
    for (name, value) in args.set {
        let setting: Setting = serde_json::from_value(value).map_err(|_| {
            let name = clean(&name, 40);
            Error::invalid(format!("set.{name}: must be a number, true or false, or a word"))
        })?;
        set.insert(name, setting);
    }
    let change = Change {
        zone: args.zone,
        effect: args.effect,
        palette: args.palette,
        brightness: args.brightness,
        speed: args.speed,
        intensity: args.intensity,
        mirror: args.mirror,
        reverse: args.reverse,
        set,
        fade: args.fade,
    };
    let missing = aurora.change_look(&call.caller, change).await?;
    let mut answer = json!({ "look": shown(&aurora.look())? });
    if !missing.is_empty() {
        answer["not_here"] = missing.into();
    }
    Ok(answer)
}

/// A look as its document says it: numbers as people write them.
fn shown(look: &Profile) -> Result<Value, Error> {
    serde_json::from_str(&look.text()?)
        .map_err(|e| Error::broken("the look is no document").because(e))
}

fn described(effect: &effects::Effect) -> Value {
    let mut row = json!({ "name": effect.name, "about": effect.what });
    if !effect.parameters.is_empty() {
        row["set"] = effect.parameters.iter().map(|p| p.name).collect();
    }
    row
}

async fn saved(aurora: Aurora, call: Call, args: ProfileArgs) -> Result<Value, Error> {
    let (shelf, caller) = (aurora.shelf(), &call.caller);
    let is_named = !args.name.trim().is_empty();
    match args.action.trim() {
        "save" | "delete" | "import" => whole_house(caller)?,
        _ => {}
    }
    if matches!(args.action.trim(), "use" | "save" | "delete" | "export") && !is_named {
        return Err(Error::invalid("name: which look? action list names them"));
    }
    let mut answer = json!({});
    match args.action.trim() {
        "" | "list" => {}
        "use" => {
            let missing = aurora.use_look(caller, shelf.load(&args.name)?).await?;
            answer["not_here"] = missing.into();
        }
        "save" => {
            let profile = Profile { name: args.name.clone(), ..aurora.look() };
            shelf.save(&profile)?;
            aurora.use_look(caller, profile).await?;
        }
        "reset" => drop(aurora.use_look(caller, Aurora::usual_look()).await?),
        "delete" => {
            shelf.delete(&args.name)?;
            let look = aurora.look();
            if look.name == args.name {
                // It is shown on, but is no longer something saved.
                aurora.use_look(caller, Profile { name: UNSAVED.into(), ..look }).await?;
            }
        }
        "export" => {
            answer["document"] = shelf.load(&args.name)?.text()?.into();
        }
        "import" => {
            let mut profile = Profile::parse(&args.document)?;
            if !args.name.is_empty() {
                profile.name = args.name.clone();
            }
            shelf.save(&profile)?;
        }
        other => {
            return Err(Error::invalid(format!(
                "action: '{}' is none of list, use, save, reset, delete, export, import",
                clean(other, 40)
            )));
        }
    }
    answer["profiles"] = shelf.names()?.into();
    Ok(answer)
}
