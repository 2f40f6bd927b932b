//! The shopping list.

use crate::demo::action::{Data, Refusal};
use crate::demo::entity::Context;
use crate::demo::house::House;
use serde_json::{Value, json};

/// Entries a list may hold, and the bytes of one.
const ITEMS_MAX: usize = 200;
const SUMMARY_MAX: usize = 255;

/// Reads or changes the list.
pub(crate) fn act(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<Option<Value>, Refusal> {
    let word = |name: &str| data.get(name).and_then(Value::as_str);
    let asked = word("item").unwrap_or_default();
    match service {
        "get_items" => return Ok(Some(items(house, word("status")))),
        "add_item" if house.items.len() >= ITEMS_MAX || asked.len() > SUMMARY_MAX => {
            return Err(Refusal::format(format!(
                "the list holds {ITEMS_MAX} items of {SUMMARY_MAX} bytes at 'item'"
            )));
        }
        "add_item" => house.write_item(asked),
        "remove_completed_items" => house.items.retain(|item| !item.is_done),
        _ => {
            let at = house.items.iter().position(|i| i.summary == asked || i.uid == asked);
            let at = at.ok_or_else(|| {
                Refusal::validation(
                    format!("Unable to find to-do list item: {asked}"),
                    ("item_not_found", "todo"),
                    json!({ "item": asked }),
                )
            })?;
            if service == "remove_item" {
                house.items.remove(at);
            } else {
                let item = &mut house.items[at];
                item.is_done = word("status").map_or(item.is_done, |s| s == "completed");
                if let Some(name) = word("rename").filter(|name| name.len() <= SUMMARY_MAX) {
                    item.summary = name.to_owned();
                }
            }
        }
    }
    let open = house.items.iter().filter(|item| !item.is_done).count();
    house.change(id, by, |e| e.put(open.to_string()));
    Ok(None)
}

fn items(house: &House, status: Option<&str>) -> Value {
    let word = |is_done: bool| if is_done { "completed" } else { "needs_action" };
    let shown = house.items.iter().filter(|i| status.is_none_or(|s| s == word(i.is_done)));
    let one = |i: &crate::demo::house::Item| json!({ "summary": i.summary, "uid": i.uid, "status": word(i.is_done) });
    json!({ "items": shown.map(one).collect::<Vec<_>>() })
}
