//! The tool for to-do lists.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::call::{self, Order};
use crate::home::house::House;
use crate::home::moment::is_date;
use crate::home::select::{Sight, Target};
use crate::home::text::clean;
use crate::home::tools::{BUDGET, pick, set, stamped};
use crate::home::view::{self, Row};
use crate::home::{Home, ask};
use crate::mcp::{self, Call};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TodoArgs {
    /// Id or name; without: all lists
    #[serde(alias = "entity_id")]
    list: String,
    /// list (default), add, update, remove
    action: String,
    /// Text or uid
    #[serde(alias = "summary", alias = "uid")]
    item: String,
    /// New text
    rename: String,
    /// needs_action or completed
    status: String,
    /// 2026-11-21 or with T18:00
    due: String,
    description: String,
    cursor: String,
    house: String,
}

/// The shape of lists and items.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Listed {
    lists: Option<Vec<Value>>,
    items: Option<Vec<Value>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Deserialize, Serialize)]
struct Item {
    uid: Option<String>,
    summary: Option<String>,
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

pub(super) async fn todo(home: Home, call: Call, args: TodoArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    let sight = home.sight(&call.caller);
    let action = args.action.trim();
    let is_list = matches!(action, "" | "list");
    if is_list && args.list.trim().is_empty() {
        drop(house.known()?);
        return Ok(stamped(house, lists(house, sight)));
    }
    let list = pick::one(house, sight, "todo", &args.list)?;
    if is_list {
        return Ok(stamped(house, shown(items(house, &list).await?, &args)?));
    }
    if args.item.trim().is_empty() {
        return Err(Error::invalid(format!("{action} what? give item")));
    }
    let before = items(house, &list).await?;
    let (service, data) = order(action, &args, &before, &list)?;
    let target = Target { entities: vec![list.clone()], ..Target::default() };
    let order = Order { service: service.into(), target, data, return_response: false };
    let plan = call::plan(&home, house, &call.caller, order)?;
    call::run(&home, house, &call.caller, plan, call.confirm.as_deref()).await?;
    let after = items(house, &list).await?;
    Ok(stamped(house, told(action, &args, &before, after, &list)?))
}

fn lists(house: &House, sight: Sight<'_>) -> Value {
    let ids = pick::all(house, sight, "todo");
    let cache = house.cache();
    let row = |id: &String| Some(view::row(house, &cache, id, cache.get(id)?, &["name", "state"]));
    let rows: Vec<Row> = ids.iter().filter_map(row).collect();
    json!({ "lists": rows, "hint": "the state is the number of open items" })
}

async fn items(house: &House, list: &str) -> Result<Vec<Item>, Error> {
    let command = json!({ "type": "todo/item/list", "entity_id": list });
    Ok(ask::ask::<Items>(house, &command).await?.items)
}

/// The items that are asked for, as many as fit.
fn shown(items: Vec<Item>, args: &TodoArgs) -> Result<Value, Error> {
    let (status, wanted) = (args.status.trim(), args.item.trim().to_lowercase());
    let fits = |item: &Item| {
        let named = item.summary.as_deref().is_some_and(|s| s.to_lowercase().contains(&wanted));
        (status.is_empty() || item.status.as_deref() == Some(status))
            && (wanted.is_empty() || named || item.uid.as_deref() == Some(args.item.trim()))
    };
    let items: Vec<Item> = items.into_iter().filter(fits).collect();
    let total = items.len();
    // Their order is the owner's: a cursor names a place in it.
    let page = mcp::rows(mcp::numbered(items.iter().map(row)), &args.cursor, BUDGET)?;
    let mut answer = json!({ "items": page.items, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

fn row(item: &Item) -> Row {
    let mut row = Row::new();
    let fields = [
        ("uid", &item.uid, 100),
        ("summary", &item.summary, 300),
        ("status", &item.status, 40),
        ("due", &item.due, 40),
        ("description", &item.description, 500),
    ];
    for (name, text, most) in fields {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            row.insert(name.into(), clean(text, most).into());
        }
    }
    row
}

/// The item that is meant, by uid or text. Home Assistant takes the first of several alike without a
/// word, so that is refused here.
fn meant<'a>(items: &'a [Item], wanted: &str, list: &str) -> Result<&'a Item, Error> {
    let wanted = wanted.trim();
    if let Some(item) = items.iter().find(|item| item.uid.as_deref() == Some(wanted)) {
        return Ok(item);
    }
    let is_it = |item: &&Item| {
        item.summary.as_deref().is_some_and(|text| text.trim().eq_ignore_ascii_case(wanted))
    };
    let mut found = items.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(item), None) => Ok(item),
        (Some(_), Some(_)) => Err(Error::conflict(format!(
            "{list} has several items '{}'; name one by its uid",
            clean(wanted, 80)
        ))),
        (None, _) => Err(Error::not_found(format!(
            "{list} has no item '{}'; list shows them",
            clean(wanted, 80)
        ))),
    }
}

/// The service that does it, and its data.
fn order(
    action: &str,
    args: &TodoArgs,
    items: &[Item],
    list: &str,
) -> Result<(&'static str, Map<String, Value>), Error> {
    let mut data = Map::new();
    let mut put = |name: &str, text: &str| {
        if let Some(text) = set(text) {
            data.insert(name.into(), text.trim().into());
        }
    };
    let due = if is_date(&args.due) { "due_date" } else { "due_datetime" };
    let service = match action {
        "add" => {
            put("item", &args.item);
            put(due, &args.due);
            put("description", &args.description);
            "todo.add_item"
        }
        "update" => {
            let item = meant(items, &args.item, list)?;
            put("item", item.uid.as_deref().unwrap_or(&args.item));
            put("rename", &args.rename);
            put("status", &args.status);
            put(due, &args.due);
            put("description", &args.description);
            if data.len() == 1 {
                return Err(Error::invalid(
                    "update what of it? give rename, status, due or description",
                ));
            }
            "todo.update_item"
        }
        "remove" => {
            let item = meant(items, &args.item, list)?;
            put("item", item.uid.as_deref().unwrap_or(&args.item));
            "todo.remove_item"
        }
        other => {
            return Err(Error::invalid(format!(
                "'{}' is no action; use list, add, update or remove",
                clean(other, 40)
            )));
        }
    };
    Ok((service, data))
}

/// What became of it, read back from the list.
fn told(
    action: &str,
    args: &TodoArgs,
    before: &[Item],
    after: Vec<Item>,
    list: &str,
) -> Result<Value, Error> {
    let is_new = |item: &&Item| !before.iter().any(|old| old.uid == item.uid);
    let uid = match action {
        "add" => None,
        _ => meant(before, &args.item, list)?.uid.clone(),
    };
    let rows: Vec<Row> = match &uid {
        None => after.iter().filter(is_new).map(row).collect(),
        Some(uid) => {
            after.iter().filter(|item| item.uid.as_deref() == Some(uid)).map(row).collect()
        }
    };
    let is_done = if action == "remove" { rows.is_empty() } else { !rows.is_empty() };
    let result = if is_done { "verified" } else { "pending" };
    Ok(json!({ "items": rows, "result": result, "list": list }))
}
