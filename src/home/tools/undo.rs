//! The tool that undoes: the changes made through Hearth, and the way back.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::changes::undo::Undoer;
use crate::home::changes::{Change, Part, Stand};
use crate::home::rename::Stage;
use crate::home::rename::undo::{self, Kept};
use crate::home::text::{self, clean};
use crate::home::tools::{BUDGET, rename, set, tool, wait};
use crate::mcp::{Call, Tool, Words, page};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};

/// Returns the tools.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let undo = Words {
        name: "home_undo",
        title: "Undo a change",
        about: "List changes made through Hearth, newest first, or undo one: configuration, a \
                rename, or the states before a call.",
    };
    vec![
        tool::<_, Undone, _, _>(home, undo, Level::Control, run)
            .destructive()
            .within(rename::PATIENCE),
    ]
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
    let id = args.change.trim();
    if id.is_empty() {
        return list(&home, undoer, &args.cursor).await;
    }
    if undo::is_id(id) {
        return rename_back(&home, &call, id, args.dry_run).await;
    }
    let mut answer = undoer.undo(id, args.dry_run).await?;
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

/// Takes a rename back, which is a rename: it asks for the same rights.
async fn rename_back(home: &Home, call: &Call, id: &str, dry_run: bool) -> Result<Value, Error> {
    wait::needs_open_scope(home, call, "a rename reaches into every configuration")?;
    let house = undo::house_of(home, id).await?;
    home.policy().check(&call.caller, "home", Level::Admin)?;
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    let plan = undo::undo(home, house, id).await?;
    let mut answer = rename::carry(home, house, call, plan, dry_run).await?;
    answer["action"] = "renamed".into();
    answer["undoes"] = id.into();
    Ok(answer)
}

/// Returns a page of what was changed, the newest first.
pub(crate) async fn list(home: &Home, by: Undoer<'_>, cursor: &str) -> Result<Value, Error> {
    let mut rows: Vec<Value> = by.list().await?.iter().map(|change| row(home, change)).collect();
    rows.extend(by.renames().await?.iter().map(|kept| rename_row(home, kept)));
    // A cursor names the last one shown, and what follows must sort after it.
    let key = |row: &Value| newest_first(row["id"].as_str().unwrap_or_default());
    rows.sort_by_cached_key(key);
    let total = rows.len();
    let page = page(rows, key, set(cursor).as_deref(), BUDGET)?;
    let mut answer = json!({ "changes": page.items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

/// Ids turned round, so that a newer one sorts first. All of them say when: in milliseconds, in base 36
/// or behind an `r`.
fn newest_first(id: &str) -> String {
    let value = |c: char| c.to_digit(36).map(u64::from);
    let add = |sum: u64, c| sum.saturating_mul(36).saturating_add(value(c).unwrap_or_default());
    let moment = match undo::is_id(id) {
        true => undo::moment(id).unwrap_or_default(),
        false => id.chars().take(12).fold(0, add),
    };
    format!("{:020}{id}", u64::MAX - moment)
}

fn rename_row(home: &Home, kept: &Kept) -> Value {
    let head = &kept.head;
    let at = home.house(Some(&kept.house)).map(|house| house.time(head.at));
    let (kind, called) = head.title.split_once(' ').unwrap_or(("entity", &head.from));
    let mut row = json!({
        "id": head.id,
        "at": at.unwrap_or_default(),
        "who": clean(&head.by, 60),
        "via": head.via,
        "action": "renamed",
        "kind": kind,
        "object": clean(&head.from, 120),
    });
    if called != head.from {
        row["name"] = clean(called, 100).into();
    }
    if head.to != head.from {
        row["to"] = clean(&head.to, 120).into();
    }
    if let Some(name) = head.new_name.as_ref().filter(|name| !name.is_empty()) {
        row["new_name"] = clean(name, 100).into();
    }
    if home.houses().len() > 1 {
        row["house"] = clean(&kept.house, 40).into();
    }
    match head.stage {
        Stage::Done => {}
        Stage::RolledBack => row["outcome"] = "failed, nothing was changed".into(),
        Stage::Forward | Stage::Back => {
            row["outcome"] = "not finished; it goes on by itself".into()
        }
    }
    for (name, other) in [("undoes", &head.undoes), ("undone_by", &kept.undone_by)] {
        if let Some(other) = other {
            row[name] = other.as_str().into();
        }
    }
    row
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
