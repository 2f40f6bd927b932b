//! What belongs to an area, a floor, a label or a category: Home Assistant forgets it when the thing
//! is deleted, so it is kept beside the version and put back by undo.

use crate::error::Error;
use crate::home::settings::access::Access;
use crate::home::settings::kinds::{Kind, Way};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// At most so many are kept; a larger area is put back in part, and undo says so.
const MOST: usize = 2000;

/// One thing that pointed to what was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Name of the registry it is in: area, device or entity.
    registry: String,
    id: String,
}

/// Returns what points to the object `id`.
///
/// # Errors
/// Offline; what Home Assistant says.
pub(crate) async fn find(access: &Access<'_>, kind: &Kind, id: &str) -> Result<Vec<Member>, Error> {
    let registries: &[&str] = match kind.name {
        "area" => &["device", "entity"],
        "floor" => &["area"],
        "label" => &["area", "device", "entity"],
        "category" => &["entity"],
        _ => &[],
    };
    let mut found = Vec::new();
    for registry in registries {
        let rows = access.ask(json!({"type": format!("config/{registry}_registry/list")})).await?;
        for row in rows.as_array().into_iter().flatten().filter(|row| points(kind, id, row)) {
            let own = &row[own_field(registry, true)];
            if let Some(own) = own.as_str().filter(|_| found.len() < MOST) {
                found.push(Member { registry: (*registry).to_owned(), id: own.to_owned() });
            }
        }
    }
    Ok(found)
}

/// A registry's rows name their own id otherwise than its commands do.
fn own_field(registry: &str, in_row: bool) -> &'static str {
    match registry {
        "area" => "area_id",
        "device" if in_row => "id",
        "device" => "device_id",
        _ => "entity_id",
    }
}

fn points(kind: &Kind, id: &str, row: &Value) -> bool {
    let holds = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|l| *l == *id));
    match kind.way {
        Way::Category => {
            let (scope, own) = id.split_once('/').unwrap_or_default();
            row["categories"][scope] == own
        }
        _ if kind.name == "label" => holds(&row["labels"]),
        _ => row[format!("{}_id", kind.name)] == id,
    }
}

/// Makes what pointed to an object point to `id` again. Returns how many of them could not.
///
/// # Errors
/// Offline.
pub(crate) async fn put_back(
    access: &Access<'_>,
    kind: &Kind,
    id: &str,
    members: &[Member],
) -> Result<usize, Error> {
    let mut failed = 0;
    for member in members {
        let registry = &member.registry;
        let mut command = json!({"type": format!("config/{registry}_registry/update")});
        command[own_field(registry, false)] = member.id.as_str().into();
        if kind.name == "label" {
            let rows =
                access.ask(json!({"type": format!("config/{registry}_registry/list")})).await?;
            let own = own_field(registry, true);
            let row = rows.as_array().into_iter().flatten().find(|row| row[own] == *member.id);
            let mut labels = row.map_or(json!([]), |row| row["labels"].clone());
            if let Value::Array(labels) = &mut labels
                && !labels.iter().any(|label| *label == *id)
            {
                labels.push(id.into());
            }
            command["labels"] = labels;
        } else if kind.way == Way::Category {
            let (scope, own) = id.split_once('/').unwrap_or_default();
            command["categories"] = json!({ scope: own });
        } else {
            command[format!("{}_id", kind.name)] = id.into();
        }
        match access.ask(command).await {
            Ok(_) => {}
            Err(e) if e.kind() == crate::error::Kind::Offline => return Err(e),
            Err(e) => {
                log::debug!("{registry} '{}' was not put back: {e}", member.id);
                failed += 1;
            }
        }
    }
    Ok(failed)
}
