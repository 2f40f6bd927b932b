//! Backups of a house: what there is, a new one, and those that go or come back.
//!
//! Home Assistant makes and keeps them; nothing of their content passes through here. Making one is
//! waited for, within a bounded time, by the events that Home Assistant tells.

use crate::error::{Error, Kind};
use crate::home::ask;
use crate::home::house::House;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a backup is kept when nobody says: the house's own disk.
const LOCAL: &str = "backup.local";

/// A backup as Home Assistant lists it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Backup {
    pub(crate) backup_id: String,
    #[serde(default)]
    pub(crate) name: String,
    /// A time with its offset.
    #[serde(default)]
    pub(crate) date: String,
    #[serde(default)]
    pub(crate) database_included: bool,
    #[serde(default)]
    pub(crate) homeassistant_version: Option<String>,
    /// By the name of the place that keeps it.
    #[serde(default)]
    pub(crate) agents: BTreeMap<String, Kept>,
}

/// One copy of a backup.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kept {
    /// In bytes.
    #[serde(default)]
    pub(crate) size: u64,
    /// Whether a password protects it.
    #[serde(default)]
    pub(crate) protected: bool,
}

/// Every backup and what is under way.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Info {
    pub(crate) backups: Vec<Backup>,
    #[serde(default)]
    pub(crate) agent_errors: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) state: String,
}

/// Returns what there is.
///
/// # Errors
/// Offline; NotFound where Home Assistant has no backups (the integration is off).
pub(crate) async fn info(house: &House) -> Result<Info, Error> {
    let found = ask::ask(house, &json!({"type": "backup/info"})).await;
    found.map_err(|e| match e.kind() {
        Kind::Invalid => Error::not_found(
            "this Home Assistant makes no backups: its integration `backup` is not loaded",
        ),
        _ => e,
    })
}

/// Returns one of them.
///
/// # Errors
/// As [`info`]; NotFound lists the newest there are.
pub(crate) async fn one(house: &House, id: &str) -> Result<Backup, Error> {
    let all = info(house).await?.backups;
    if let Some(found) = all.iter().find(|backup| backup.backup_id == id.trim()) {
        return Ok(found.clone());
    }
    let mut ids: Vec<&Backup> = all.iter().collect();
    ids.sort_by(|a, b| b.date.cmp(&a.date));
    let ids: Vec<&str> = ids.iter().take(5).map(|backup| backup.backup_id.as_str()).collect();
    let there = if ids.is_empty() { "there is none".into() } else { ids.join(", ") };
    let id = crate::home::text::clean(id, 60);
    Err(Error::not_found(format!("there is no backup '{id}'; {there}")))
}

/// What came of making one.
pub(crate) enum Made {
    /// It is there.
    Done,
    /// Home Assistant is still at it.
    Underway,
}

/// Makes a backup at `agents` (the house's own disk when there is none) and waits for it.
///
/// # Errors
/// As [`info`]; Conflict when another is under way or it failed.
pub(crate) async fn make(
    house: &House,
    name: &str,
    agents: &[String],
    database: bool,
    within: Duration,
) -> Result<Made, Error> {
    let agents = match agents {
        [] => vec![LOCAL.to_owned()],
        some => some.to_vec(),
    };
    // Listening first: a small house is done before the answer is read.
    let command = json!({"type": "backup/subscribe_events"});
    let mut events = house.link.subscribe(&command, house.timeout).await?;
    let mut command = json!({"type": "backup/generate", "agent_ids": agents,
                             "include_database": database});
    if !name.trim().is_empty() {
        command["name"] = name.trim().into();
    }
    ask::text(house, &command).await?;
    let end = async {
        // The first event tells how things stood before.
        let mut begun = false;
        while let Some(event) = events.next().await {
            let event: Value = serde_json::from_str(&event).unwrap_or_default();
            let is_ours = event["manager_state"] == "create_backup";
            match event["state"].as_str() {
                Some("completed") if is_ours && begun => return Ok(Made::Done),
                Some("failed") if is_ours && begun => {
                    let why = event["reason"].as_str().unwrap_or("it does not say why").to_owned();
                    let why = crate::home::text::clean(&why, 200);
                    return Err(Error::conflict(format!(
                        "Home Assistant could not make the backup: '{why}'; its log says more"
                    )));
                }
                _ => begun |= is_ours,
            }
        }
        Err(house.link.away())
    };
    match tokio::time::timeout(within, end).await {
        Ok(end) => end,
        Err(_) => Ok(Made::Underway),
    }
}

/// Deletes one everywhere; returns what could not.
///
/// # Errors
/// As [`info`].
pub(crate) async fn delete(house: &House, id: &str) -> Result<BTreeMap<String, String>, Error> {
    #[derive(Deserialize)]
    struct Deleted {
        #[serde(default)]
        agent_errors: BTreeMap<String, String>,
    }
    let command = json!({"type": "backup/delete", "backup_id": id});
    Ok(ask::ask::<Deleted>(house, &command).await?.agent_errors)
}

/// Puts one back: Home Assistant restarts with what it holds.
///
/// # Errors
/// As [`info`]; Conflict when no place has it; Refused for a wrong password.
pub(crate) async fn restore(
    house: &House,
    backup: &Backup,
    database: bool,
    password: &str,
) -> Result<(), Error> {
    let at_home = backup.agents.keys().find(|agent| *agent == LOCAL);
    let Some(agent) = at_home.or_else(|| backup.agents.keys().next()) else {
        return Err(Error::conflict("no place keeps this backup any more"));
    };
    let mut command = json!({"type": "backup/restore", "backup_id": backup.backup_id,
                             "agent_id": agent, "restore_database": database});
    if !password.is_empty() {
        command["password"] = password.into();
    }
    match ask::text(house, &command).await {
        Ok(_) => Ok(()),
        // The restart may be quicker than the answer.
        Err(e) if e.kind() == Kind::Offline && !house.is_fresh() => Ok(()),
        Err(e) => Err(e),
    }
}
