//! The tool that undoes: the changes made through Hearth, and the way back.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::changes::undo::Undoer;
use crate::home::changes::{Change, Part, Stand};
use crate::home::text::{self, clean};
use crate::home::tools::{BUDGET, Words, set, tool};
use crate::mcp::{Call, Tool, page};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};

/// Returns the tools.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let undo = Words {
        name: "home_undo",
        title: "Undo a change",
        about: "List changes made through Hearth, newest first, or undo one: configuration, or the \
                states before a call.",
    };
    vec![tool::<_, Undone, _, _>(home, undo, Level::Control, run).destructive()]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UndoArgs {
    /// Id; else lists
    pub(crate) change: String,
    pub(crate) dry_run: bool,
    pub(crate) cursor: String,
}

/// The shape of what was undone, or can be.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Undone {
    changes: Option<Vec<Value>>,
    next: Option<String>,
    action: Option<String>,
    change: Option<String>,
}

pub(crate) async fn run(home: Home, call: Call, args: UndoArgs) -> Result<Value, Error> {
    let undoer = Undoer { home: &home, caller: &call.caller, confirm: call.confirm.as_deref() };
    if args.change.trim().is_empty() {
        return list(&home, undoer.list().await?, &args.cursor);
    }
    let mut answer = undoer.undo(&args.change, args.dry_run).await?;
    if args.dry_run {
        answer["dry_run"] = true.into();
    }
    if let Some(diff) = answer.get_mut("diff")
        && text::shrink(diff, BUDGET - 1024)
    {
        answer["diff_cut"] = true.into();
    }
    Ok(answer)
}

/// Returns a page of changes, the newest first.
pub(crate) fn list(home: &Home, all: Vec<Change>, cursor: &str) -> Result<Value, Error> {
    let total = all.len();
    let rows = all.iter().map(|change| row(home, change));
    // A cursor names the last one shown, and what follows must sort after it.
    let key = |row: &Value| newest_first(row["id"].as_str().unwrap_or_default());
    let page = page(rows, key, set(cursor).as_deref(), BUDGET)?;
    let mut answer = json!({ "changes": page.items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

/// Ids in base 36 turned round, so that a newer one sorts first.
fn newest_first(id: &str) -> String {
    let turn = |c: char| c.to_digit(36).and_then(|d| char::from_digit(35 - d, 36)).unwrap_or(c);
    id.chars().map(turn).collect()
}

fn row(home: &Home, change: &Change) -> Value {
    let at = home.house(Some(&change.house)).map(|house| house.time(change.at));
    let mut row = json!({
        "id": change.id,
        "at": at.unwrap_or_default(),
        "who": clean(&change.who, 60),
        "via": change.via,
        "action": change.action,
    });
    let what = if change.part == Part::Config { "kind" } else { "service" };
    row[what] = clean(&change.kind, 80).into();
    if !change.object.is_empty() {
        row["object"] = clean(&change.object, 120).into();
    }
    if !change.name.is_empty() {
        row["name"] = clean(&change.name, 100).into();
    }
    if change.part == Part::States {
        row["entities"] =
            change.entities.iter().take(5).map(|id| Value::from(id.as_str())).collect();
        if change.more_entities || change.entities.len() > 5 {
            row["and_more"] = true.into();
        }
    }
    if home.houses().len() > 1 {
        row["house"] = clean(&change.house, 40).into();
    }
    match change.stand {
        Stand::Done => {}
        Stand::Started => row["outcome"] = "not known: the house is away".into(),
        Stand::Failed => row["outcome"] = "failed, nothing was changed".into(),
        Stand::Unknown => row["outcome"] = "not known: something else is there now".into(),
    }
    for (name, other) in [("undoes", &change.undoes), ("undone_by", &change.undone_by)] {
        if let Some(other) = other {
            row[name] = other.as_str().into();
        }
    }
    row
}
