//! Quotas: how many calls there may be a minute, at once and a day. Pure but for its lock.
//!
//! `mcp` asks before each call; the counts are in memory. Those of days are written behind by
//! [`keeper`], ahead of what was used: after a kill a count is a little too high, never too low by more
//! than was used while one write was under way. No call waits for the disk.

mod config;
mod keeper;
#[cfg(test)]
mod tests;

pub use config::Quota;
pub(super) use config::faults;
pub(super) use keeper::keep;

use crate::error::Error;
use crate::policy::rule::fits;
use crate::policy::{Policy, now};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// So many counts at most; beyond that those go that hold nothing.
const MOST: usize = 4096;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What one quota counted for one caller, or for all of them together.
#[derive(Clone, Debug, Default)]
struct Count {
    /// Calls that may still be made this minute, at `filled`.
    left: f64,
    /// Seconds since 1970.
    filled: f64,
    running: u32,
    /// Days since 1970, UTC.
    day: u64,
    used: u32,
    /// What the store has, or is about to have.
    kept: u32,
}

/// Which quota, and whose count; nobody's when it is counted together.
type Key = (usize, Arc<str>);

pub(super) struct Meter {
    rows: Vec<Quota>,
    counts: Mutex<HashMap<Key, Count>>,
    /// Told when the store should know more.
    wake: Notify,
}

/// A call that was let in; its place is free again when this is dropped.
pub(crate) struct Admitted {
    policy: Option<Policy>,
    held: Vec<Key>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some(policy) = &self.policy else { return };
        let mut counts = policy.shared.quotas.lock();
        for key in &self.held {
            if let Some(count) = counts.get_mut(key) {
                count.running = count.running.saturating_sub(1);
            }
        }
    }
}

/// How much of a quota is used, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Which tools.
    pub tool: String,
    /// Whose calls.
    pub token: String,
    /// Who made these; `None` when all are counted together.
    pub who: Option<String>,
    /// Calls a minute, 0 for any number, and how many are left of them.
    pub per_minute: [u32; 2],
    /// Calls at once, 0 for any number, and how many run.
    pub at_once: [u32; 2],
    /// Calls a day (UTC), 0 for any number, and how many were made.
    pub per_day: [u32; 2],
    /// Calls of the day that the store has written down: what is counted after a crash.
    pub stored: u32,
}

impl Meter {
    pub(super) fn new(rows: &[Quota]) -> Meter {
        Meter { rows: rows.to_vec(), counts: Mutex::default(), wake: Notify::new() }
    }

    /// Lets a call in and counts it, or says what is used up. All quotas that fit must let it in; then
    /// all of them count it.
    fn take(&self, who: &Arc<str>, tool: &str, now: f64) -> Result<Vec<Key>, Error> {
        let fitting = self.rows.iter().enumerate();
        let fitting = fitting.filter(|(_, row)| fits(&row.tool, tool) && fits(&row.token, who));
        let mut keys: Vec<Key> = Vec::new();
        let mut counts = self.lock();
        for (n, row) in fitting {
            let key = (n, if row.together { "".into() } else { who.clone() });
            if counts.len() >= MOST && !counts.contains_key(&key) {
                counts.retain(|_, count| count.running > 0 || count.day == day_of(now));
            }
            let count = counts.entry(key.clone()).or_insert_with(|| Count::fresh(row, now));
            count.turn(row, now);
            if let Some(why) = count.full(row, now) {
                let whose = if row.together { "all together" } else { &**who };
                let (tools, text) =
                    (&row.tool, format!("{tool}: the quota of '{whose}' is used up"));
                return Err(Error::limit(format!("{text}: {why} (policy.quotas, tool '{tools}')")));
            }
            keys.push(key);
        }
        let mut ahead = false;
        for key in &keys {
            let (row, count) = (&self.rows[key.0], counts.get_mut(key));
            let Some(count) = count else { continue };
            count.left -= 1.0;
            count.running += 1;
            count.used = count.used.saturating_add(1);
            ahead |= count.is_behind(row);
        }
        drop(counts);
        if ahead {
            self.wake.notify_one();
        }
        Ok(keys)
    }

    fn usage(&self, now: f64) -> Vec<Usage> {
        let mut all: Vec<(Key, Usage)> = Vec::new();
        for (key, count) in self.lock().iter_mut() {
            let row = &self.rows[key.0];
            count.turn(row, now);
            let usage = Usage {
                tool: row.tool.clone(),
                token: row.token.clone(),
                who: (!row.together).then(|| key.1.to_string()),
                per_minute: [row.per_minute, count.left.max(0.0) as u32],
                at_once: [row.at_once, count.running],
                per_day: [row.per_day, count.used],
                stored: count.kept,
            };
            all.push((key.clone(), usage));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.into_iter().map(|(_, usage)| usage).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn fresh(row: &Quota, now: f64) -> Count {
        let left = f64::from(row.per_minute);
        Count { left, filled: now, day: day_of(now), ..Count::default() }
    }

    /// Brings it to the present.
    fn turn(&mut self, row: &Quota, now: f64) {
        let most = f64::from(row.per_minute);
        // A clock that was set back must not take anything away.
        let passed = (now - self.filled).max(0.0);
        self.left = (self.left + passed * most / 60.0).min(most);
        self.filled = now;
        if self.day != day_of(now) {
            (self.day, self.used, self.kept) = (day_of(now), 0, 0);
        }
    }

    /// Whether the store should know more than it does.
    fn is_behind(&self, row: &Quota) -> bool {
        row.per_day > 0 && self.used.saturating_add(margin(row) / 2) >= self.kept
    }

    /// What of it is used up, and when to come back.
    fn full(&self, row: &Quota, now: f64) -> Option<String> {
        let Quota { per_minute, at_once, per_day, .. } = *row;
        if per_day > 0 && self.used >= per_day {
            let hours = (DAY - now.rem_euclid(DAY)) / 3600.0;
            return Some(format!("{per_day} calls a day; the next begins in {hours:.1} h (UTC)"));
        }
        if per_minute > 0 && self.left < 1.0 {
            let seconds = ((1.0 - self.left) * 60.0 / f64::from(per_minute)).ceil();
            return Some(format!("{per_minute} calls a minute; try again in {seconds} s"));
        }
        (at_once > 0 && self.running >= at_once)
            .then(|| format!("{at_once} calls at once; try again when one has ended"))
    }
}

/// So far ahead of what was used is what the store has.
fn margin(row: &Quota) -> u32 {
    (row.per_day / 64).clamp(1, 256)
}

fn day_of(now: f64) -> u64 {
    (now / DAY) as u64
}

impl Policy {
    /// Lets a call of `tool` in and counts it.
    ///
    /// # Errors
    /// Limit: a quota is used up; the text says which, and when to come back.
    pub(crate) fn admit(&self, who: &Arc<str>, tool: &str) -> Result<Admitted, Error> {
        if self.shared.quotas.rows.is_empty() {
            return Ok(Admitted { policy: None, held: Vec::new() });
        }
        let held = self.shared.quotas.take(who, tool, now())?;
        Ok(Admitted { policy: Some(self.clone()), held })
    }

    /// Returns what was used of the quotas: everybody's for admins, their own for others.
    pub fn quotas(&self, caller: &crate::policy::Caller) -> Vec<Usage> {
        let mut all = self.shared.quotas.usage(now());
        if !caller.grant.covers("web", crate::policy::Level::Admin) {
            all.retain(|usage| usage.who.as_deref().is_none_or(|who| *who == *caller.name));
        }
        all
    }
}
