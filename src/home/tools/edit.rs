//! The tools that configure: what kinds there are, read, set and delete.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::settings::access::{Access, Object};
use crate::home::settings::diff::hash;
use crate::home::settings::edit::{Done, Editor, Wish};
use crate::home::settings::kinds::{KINDS, Kind, Way, kind};
use crate::home::settings::scope;
use crate::home::text::{self, clean};
use crate::home::tools::{BUDGET, set, tool};
use crate::mcp::{Call, Tool, Words, page};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Returns the tools.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let schema = Words {
        name: "home_schema",
        title: "Kinds to configure",
        about: "What can be configured; with kind its fields and an example.",
    };
    let get = Words {
        name: "home_config_get",
        title: "Read configuration",
        about: "List a kind, or read one with its hash.",
    };
    let set = Words {
        name: "home_config_set",
        title: "Create or change",
        about: "Create, or change with the hash from home_config_get. Other fields stay; null removes \
                one. Undo with home_undo.",
    };
    let delete = Words {
        name: "home_config_delete",
        title: "Delete configuration",
        about: "Delete one. Undo with home_undo.",
    };
    vec![
        tool::<_, Schemas, _, _>(home, schema, Level::Read, schemas),
        tool::<_, Got, _, _>(home, get, Level::Read, read),
        tool::<_, Changed, _, _>(home, set, Level::Admin, write).destructive(),
        tool::<_, Changed, _, _>(home, delete, Level::Admin, remove).destructive(),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SchemaArgs {
    kind: String,
}

/// The shape of what can be configured.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Schemas {
    kinds: Option<Map<String, Value>>,
    fields: Option<Map<String, Value>>,
}

async fn schemas(_home: Home, _call: Call, args: SchemaArgs) -> Result<Value, Error> {
    if args.kind.trim().is_empty() {
        let kinds = KINDS.iter().map(|kind| (kind.name.to_owned(), kind.about.into()));
        return Ok(json!({ "kinds": kinds.collect::<Map<_, _>>() }));
    }
    let kind = kind(&args.kind)?;
    let type_of = |about: &'static str| about.trim_end_matches('!').to_owned();
    let fields =
        kind.fields.iter().map(|(name, about)| ((*name).to_owned(), type_of(about).into()));
    let example: Value = serde_json::from_str(kind.example)
        .map_err(|e| Error::broken("an example is no JSON").because(e))?;
    let mut answer = json!({
        "kind": kind.name,
        "about": kind.about,
        "verbs": kind.verbs(),
        "fields": fields.collect::<Map<_, _>>(),
        "example": example,
        "confirmed": match kind.asks {
            true => "set and delete",
            false => "delete",
        },
    });
    let needed: Vec<&str> = kind.needed().collect();
    if !needed.is_empty() {
        answer["needed"] = needed.into();
    }
    if !kind.note.is_empty() {
        answer["notes"] = kind.note.into();
    }
    Ok(answer)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GetArgs {
    /// From home_schema
    kind: String,
    /// Else lists
    id: String,
    /// Words to list by
    query: String,
    /// JSON pointer to a part
    path: String,
    cursor: String,
    house: String,
}

/// The shape of what was read.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "as above")]
struct Got {
    items: Option<Vec<Value>>,
    next: Option<String>,
    config: Option<Value>,
    hash: Option<String>,
}

pub(super) async fn read(home: Home, call: Call, args: GetArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let kind = kind(&args.kind)?;
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    if args.id.trim().is_empty() {
        let found = Access::new(&home, house).all(kind).await?;
        let cache = house.cache();
        let sight = home.sight(&call.caller);
        let mut rows: Vec<Value> = found
            .iter()
            .filter(|object| scope::is_seen(&cache, sight, kind, object))
            .map(|object| summary(kind, object))
            .filter(|row| fits(row, &args.query))
            .collect();
        drop(cache);
        let key = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
        rows.sort_by_cached_key(key);
        let total = rows.len();
        let page = page(rows, key, set(&args.cursor).as_deref(), BUDGET)?;
        let mut answer = json!({ "items": page.items, "total": total });
        if let Some(next) = page.next {
            answer["next"] = next.into();
        }
        return Ok(answer);
    }
    let (home, caller) = (&home, &call.caller);
    let found = Editor { home, house, caller, confirm: None }.get(kind, &args.id).await?;
    let hash = hash(&found.fields);
    let whole = Value::Object(found.fields);
    let part = whole.pointer(&args.path).ok_or_else(|| {
        let path = clean(&args.path, 120);
        Error::not_found(format!(
            "path '{path}' leads nowhere; it is a JSON pointer like /actions/0"
        ))
    })?;
    let mut answer = json!({ "kind": kind.name, "id": clean(&found.id, 200), "hash": hash });
    match part.to_string().len() > BUDGET {
        true => {
            answer["config"] = outline(part);
            answer["hints"] =
                json!(["too large for one answer: sizes in bytes; read parts by path"]);
        }
        // What is written back must be what was read, so nothing of it is cut or made visible.
        false => answer["config"] = part.clone(),
    }
    if text::hides(part) {
        answer["hidden_characters"] = "there are characters in it that are not seen".into();
    }
    let mut more = Value::Object(found.more);
    text::shrink(&mut more, 600);
    if more.as_object().is_none_or(|more| !more.is_empty()) {
        answer["more"] = text::clean_value(more);
    }
    Ok(answer)
}

/// What a list says of each: its id, what people call it, and the little that tells them apart.
fn summary(kind: &Kind, object: &Object) -> Value {
    let mut row = json!({ "id": clean(&object.id, 200) });
    let told: &[&str] = match kind.way {
        Way::Integration => &["domain", "state", "disabled_by"],
        Way::Device => &["manufacturer", "model", "area_id", "disabled_by"],
        Way::Entity => &["area_id", "disabled_by", "hidden_by"],
        Way::File => &["entity_id"],
        Way::Exposure => &["conversation", "cloud.alexa", "cloud.google_assistant"],
        _ => &["floor_id", "mode"],
    };
    let field = |name: &str| object.fields.get(name).or_else(|| object.more.get(name));
    let names = [kind.title(), "name", "original_name"];
    if let Some(name) = names.iter().find_map(|name| field(name).and_then(Value::as_str)) {
        row["name"] = clean(name, 100).into();
    }
    for name in told {
        if let Some(value) = field(name).filter(|value| !value.is_null() && **value != false) {
            row[*name] = text::clean_value(value.clone());
        }
    }
    row
}

fn fits(row: &Value, query: &str) -> bool {
    let row = row.to_string().to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| row.contains(word))
}

/// The parts of a large value with their sizes, two steps deep at most.
fn outline(value: &Value) -> Value {
    let size = |value: &Value| match value.to_string().len() {
        small @ ..100 => (small, value.clone()),
        large => (large, json!(large)),
    };
    let mut shown = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), size(value).1)).collect()
        }
        Value::Array(items) => items.iter().map(|item| size(item).1).collect(),
        Value::String(text) => Value::from(clean(text, BUDGET / 2)),
        other => other.clone(),
    };
    text::shrink(&mut shown, BUDGET - 1024);
    shown
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SetArgs {
    kind: String,
    /// None for a new one
    id: String,
    /// Fields, or the value at path
    config: Value,
    /// JSON pointer to the part to replace
    path: String,
    hash: String,
    /// Only show the diff
    dry_run: bool,
    house: String,
}

/// The shape of what was done.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "as above")]
struct Changed {
    id: String,
    action: String,
    change: Option<String>,
}

pub(super) async fn write(home: Home, call: Call, args: SetArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let kind = kind(&args.kind)?;
    let SetArgs { id, path, hash, dry_run, .. } = args;
    // Some clients send objects as text.
    let config = match args.config {
        Value::String(text) if path.is_empty() => serde_json::from_str(&text)
            .map_err(|e| Error::invalid(format!("config is no JSON object: {e}")))?,
        other => other,
    };
    let confirm = call.confirm.as_deref();
    let editor = Editor { home: &home, house, caller: &call.caller, confirm };
    let done = editor.set(kind, Wish { id, path, config, hash, dry_run }).await?;
    Ok(told(kind, done, dry_run))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DeleteArgs {
    kind: String,
    id: String,
    hash: String,
    dry_run: bool,
    house: String,
}

pub(super) async fn remove(home: Home, call: Call, args: DeleteArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let kind = kind(&args.kind)?;
    let confirm = call.confirm.as_deref();
    let editor = Editor { home: &home, house, caller: &call.caller, confirm };
    let done = editor.delete(kind, &args.id, &args.hash, args.dry_run).await?;
    Ok(told(kind, done, args.dry_run))
}

fn told(kind: &Kind, done: Done, dry_run: bool) -> Value {
    let mut answer =
        json!({ "kind": kind.name, "id": clean(&done.id, 200), "action": done.action });
    let mut diff = Value::from(done.diff);
    if text::shrink(&mut diff, BUDGET - 1024) {
        answer["diff_cut"] = true.into();
    }
    if dry_run || done.action == "changed" {
        answer["diff"] = diff;
    }
    if dry_run {
        answer["dry_run"] = true.into();
        if !done.asks.is_empty() {
            answer["needs_confirmation"] = done.asks.into();
        }
    }
    let told = [
        ("hash", done.hash),
        ("change", done.change),
        ("entity_id", done.entity_id),
        ("hint", done.hint),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            answer[name] = value.into();
        }
    }
    answer
}
