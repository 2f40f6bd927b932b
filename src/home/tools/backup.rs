//! The tool for backups.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::home::Home;
use crate::home::backup::{self, Backup, Made};
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::tools::{BUDGET, ids, stamped, tool};
use crate::mcp::{self, Call, Tool, Words};
use crate::policy::{Caller, Level, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A backup is waited for so long; then it goes on by itself.
const LONGEST: Duration = Duration::from_secs(100);

/// Returns the tool.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let words = Words {
        name: "home_backup",
        title: "Backups",
        about: "Backups of Home Assistant. Restoring one restarts it.",
    };
    let patience = LONGEST + Duration::from_secs(15);
    vec![tool::<_, Kept, _, _>(home, words, Level::Admin, run).destructive().within(patience)]
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    List,
    Create,
    Delete,
    Restore,
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BackupArgs {
    action: Action,
    #[serde(alias = "backup_id")]
    id: String,
    name: String,
    /// Else backup.local
    #[serde(deserialize_with = "ids", alias = "agent_ids")]
    agents: Vec<String>,
    /// With history
    database: bool,
    password: String,
    cursor: String,
    house: String,
}

impl Default for BackupArgs {
    fn default() -> BackupArgs {
        BackupArgs {
            action: Action::List,
            id: String::new(),
            name: String::new(),
            agents: Vec::new(),
            database: true,
            password: String::new(),
            cursor: String::new(),
            house: String::new(),
        }
    }
}

/// The shape of what there is.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Kept {
    backups: Option<Vec<Value>>,
    done: Option<String>,
}

async fn run(home: Home, call: Call, args: BackupArgs) -> Result<Value, Error> {
    let house = home.house(Some(&args.house))?;
    if args.action == Action::List {
        return list(house, &args).await;
    }
    if home.config().read_only {
        return Err(Error::refused("the houses are set to read-only (home.read_only)"));
    }
    let (verb, target) = match args.action {
        Action::Create => ("backup.create", house.name.to_string()),
        Action::Delete => ("backup.delete", of(house, &backup::one(house, &args.id).await?)),
        _ => ("backup.restore", of(house, &backup::one(house, &args.id).await?)),
    };
    if args.action != Action::Create {
        home.policy().confirm(&call.caller, verb, &target, call.confirm.as_deref())?;
    }
    let result = match args.action {
        Action::Create => create(house, &args).await,
        Action::Delete => delete(house, &args).await,
        _ => restore(house, &args).await,
    };
    record(&home, &call.caller, verb, &target, &result);
    Ok(stamped(house, result?))
}

fn record(home: &Home, who: &Caller, verb: &str, target: &str, result: &Result<Value, Error>) {
    let (outcome, reason) = match result {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(who, verb, target, outcome, reason.as_deref());
}

fn of(house: &House, backup: &Backup) -> String {
    let (name, date) = (clean(&backup.name, 80), clean(&backup.date, 40));
    format!("{} ('{name}' of {date}) in the house '{}'", backup.backup_id, house.name)
}

async fn list(house: &House, args: &BackupArgs) -> Result<Value, Error> {
    let info = backup::info(house).await?;
    let mut all = info.backups;
    // The newest first; the number keeps that order for the cursor.
    all.sort_by(|a, b| b.date.cmp(&a.date));
    let total = all.len();
    let rows = mcp::numbered(all.iter().map(row));
    let page = mcp::rows(rows, &args.cursor, BUDGET - 512)?;
    let mut answer =
        json!({ "backups": page.items, "total": total, "state": clean(&info.state, 40) });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    if !info.agent_errors.is_empty() {
        answer["errors"] = wrong(&info.agent_errors).into();
    }
    Ok(stamped(house, answer))
}

fn row(backup: &Backup) -> Value {
    let agents: Vec<String> = backup.agents.keys().take(10).map(|agent| clean(agent, 80)).collect();
    let size = backup.agents.values().map(|kept| kept.size).max().unwrap_or(0);
    json!({
        "id": clean(&backup.backup_id, 80),
        "name": clean(&backup.name, 100),
        "date": clean(&backup.date, 40),
        "bytes": size,
        "agents": agents,
        "database": backup.database_included,
        "protected": backup.agents.values().any(|kept| kept.protected),
        "version": backup.homeassistant_version.as_deref().map(|version| clean(version, 40)),
    })
}

fn wrong(errors: &std::collections::BTreeMap<String, String>) -> Vec<String> {
    let line =
        |(agent, why): (&String, &String)| format!("{}: {}", clean(agent, 60), clean(why, 200));
    errors.iter().take(10).map(line).collect()
}

async fn create(house: &House, args: &BackupArgs) -> Result<Value, Error> {
    let before = backup::info(house).await?.backups;
    let made = backup::make(house, &args.name, &args.agents, args.database, LONGEST).await?;
    if matches!(made, Made::Underway) {
        return Ok(
            json!({ "done": "Home Assistant is still at it; action list shows it at its end" }),
        );
    }
    let is_new = |backup: &&Backup| !before.iter().any(|old| old.backup_id == backup.backup_id);
    let info = backup::info(house).await?;
    let new: Vec<Value> = info.backups.iter().filter(is_new).map(row).collect();
    Ok(json!({ "done": "created", "backups": new }))
}

async fn delete(house: &House, args: &BackupArgs) -> Result<Value, Error> {
    let errors = backup::delete(house, args.id.trim()).await?;
    match errors.is_empty() {
        true => Ok(json!({ "done": "deleted" })),
        false => {
            Err(Error::conflict(format!("not deleted everywhere: {}", wrong(&errors).join("; "))))
        }
    }
}

async fn restore(house: &House, args: &BackupArgs) -> Result<Value, Error> {
    let found = backup::one(house, &args.id).await?;
    backup::restore(house, &found, args.database, &args.password).await?;
    Ok(
        json!({ "done": "Home Assistant restarts with what this backup holds; it is away meanwhile" }),
    )
}
