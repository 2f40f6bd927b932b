//! The tool that renames, with its preview.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::house::House;
use crate::home::rename::{self, Order, Plan};
use crate::home::text::clean;
use crate::home::tools::{BUDGET, stamped, tool, wait};
use crate::mcp::{Call, Tool, Words};
use crate::policy::Level;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A rename writes many times, each within the time that a house has for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
/// Longest old or new text shown, in characters.
const SHOWN: usize = 160;

/// Returns the tool.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let words = Words {
        name: "home_rename",
        title: "Rename everywhere",
        about: "Give an entity a new id or name (a device or area: a name) and rewrite what refers to \
                it, all or nothing. dry_run shows each place, and YAML that stays.",
    };
    vec![
        tool::<_, Renamed, _, _>(home, words, Level::Admin, run)
            .destructive()
            .within(PATIENCE)
            .for_whole_house(),
    ]
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RenameArgs {
    #[serde(alias = "entity_id")]
    id: String,
    /// New entity id
    #[serde(alias = "new_entity_id")]
    to: String,
    name: String,
    dry_run: bool,
    house: String,
}

/// The shape of what changed.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Renamed {
    change: Option<String>,
    objects: Vec<Value>,
}

async fn run(home: Home, call: Call, args: RenameArgs) -> Result<Value, Error> {
    wait::needs_open_scope(&home, &call, "a rename reaches into every configuration")?;
    let house = home.house(Some(&args.house))?;
    let order = Order { id: args.id, to: args.to, name: args.name };
    let plan = rename::plan(&home, house, &order).await?;
    carry(&home, house, &call, plan, args.dry_run).await
}

/// Carries a plan out, or says what it would do.
///
/// # Errors
/// As [`rename::run`].
pub(super) async fn carry(
    home: &Home,
    house: &Arc<House>,
    call: &Call,
    plan: Plan,
    dry_run: bool,
) -> Result<Value, Error> {
    let mut answer = shown(&plan);
    if dry_run {
        rename::looked_at(home, house, &call.caller, &plan);
        answer["dry_run"] = true.into();
        return Ok(stamped(house, answer));
    }
    let done = rename::run(home, house, &call.caller, plan, call.confirm.as_deref()).await?;
    answer["change"] = done.id.into();
    Ok(stamped(house, answer))
}

/// A plan within the budget: where it does not fit, the last configurations go by name alone.
fn shown(plan: &Plan) -> Value {
    let (mut objects, mut used, mut left) = (Vec::new(), 0, 0);
    for (step, changes) in plan.steps.iter().zip(&plan.changes) {
        let line = |[path, old, new]: &[String; 3]| {
            let (old, new) = (clean(old, SHOWN), clean(new, SHOWN));
            format!("{}: {old} → {new}", clean(path, 300))
        };
        let changes: Vec<String> = changes.iter().map(line).collect();
        let mut row = json!({ "object": step.title, "changes": changes });
        if used + row.to_string().len() > BUDGET / 2 {
            row = json!({ "object": step.title, "count": changes.len() });
        }
        used += row.to_string().len() + 1;
        match used < BUDGET - 2048 {
            true => objects.push(row),
            false => left += 1,
        }
    }
    let mut answer = json!({ "from": plan.from, "to": plan.to, "objects": objects });
    if left > 0 {
        answer["more_objects"] = left.into();
    }
    let few = |list: &[String]| -> Vec<String> {
        let more = list.len().saturating_sub(10);
        let mut out: Vec<String> = list.iter().take(10).map(|text| clean(text, 100)).collect();
        if more > 0 {
            out.push(format!("and {more} more: see home_refs"));
        }
        out
    };
    if !plan.fixed.is_empty() {
        answer["not_changed"] = few(&plan.fixed).into();
    }
    if !plan.hints.is_empty() {
        answer["hints"] = few(&plan.hints).into();
    }
    answer
}
