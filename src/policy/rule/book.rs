//! The rules of this house, in memory and in `rules.json` of the data folder.
//!
//! In a file of its own, so that `hearth mcp` without a daemon keeps to them too; the daemon alone
//! writes it, whole and under another name first. Reading a rule takes no lock that anybody holds long.

use crate::error::Error;
use crate::policy::rule::{NewRule, Rule, check, key_of};
use crate::policy::{now, random_hex, whole_file};
use crate::tasks::Tasks;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// So many rules at most; each call is compared with all of them.
const MOST: usize = 256;

#[derive(Serialize, Deserialize)]
struct Page {
    rules: Vec<Rule>,
}

/// All rules.
pub(in crate::policy) struct Book {
    path: Option<PathBuf>,
    rules: RwLock<Arc<[Rule]>>,
    /// One change at a time.
    change: Mutex<()>,
}

impl Book {
    /// Reads the rules of a data folder.
    ///
    /// # Errors
    /// Broken when there are some that cannot be read: without them more would be allowed.
    pub(in crate::policy) fn read(data_dir: Option<&Path>) -> Result<Book, Error> {
        let path = data_dir.map(|dir| dir.join("rules.json"));
        let rules = path.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Book { path, rules: RwLock::new(rules.into()), change: Mutex::default() })
    }

    /// Returns all rules, also those that have ended and were not removed yet.
    pub(in crate::policy) fn all(&self) -> Arc<[Rule]> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a rule; one that says something else of the same gives way to it.
    pub(in crate::policy) async fn add(
        &self,
        tasks: &Tasks,
        wanted: NewRule,
        by: &str,
    ) -> Result<Rule, Error> {
        check(&wanted)?;
        let made = now();
        let rule = Rule {
            id: random_hex(4)?,
            tool: wanted.tool,
            token: wanted.token,
            target: wanted.target.as_deref().map(key_of),
            verdict: wanted.verdict,
            until: wanted.seconds.map(|seconds| made + seconds as f64),
            made,
            by: by.to_owned(),
        };
        let _turn = self.change.lock().await;
        let mut rules = self.standing(made);
        rules.retain(|other| !rule.replaces(other));
        if rules.len() >= MOST {
            return Err(Error::limit(format!("there are {MOST} rules already; remove one first")));
        }
        rules.push(rule.clone());
        self.keep(tasks, rules).await?;
        Ok(rule)
    }

    /// Removes a rule and returns it.
    pub(in crate::policy) async fn remove(&self, tasks: &Tasks, id: &str) -> Result<Rule, Error> {
        let _turn = self.change.lock().await;
        let mut rules = self.standing(now());
        let Some(at) = rules.iter().position(|rule| rule.id == id) else {
            return Err(Error::not_found(format!(
                "there is no rule '{}'; 'hearth rule list' shows them",
                crate::text::clean(id, 40)
            )));
        };
        let rule = rules.remove(at);
        self.keep(tasks, rules).await?;
        Ok(rule)
    }

    /// Returns the rules that hold.
    pub(in crate::policy) fn standing(&self, now: f64) -> Vec<Rule> {
        self.all().iter().filter(|rule| rule.holds(now)).cloned().collect()
    }

    /// On the disk first: what was answered holds after a crash.
    async fn keep(&self, tasks: &Tasks, rules: Vec<Rule>) -> Result<(), Error> {
        if let Some(path) = self.path.clone() {
            let page = Page { rules: rules.clone() };
            let text = serde_json::to_vec_pretty(&page)
                .map_err(|e| Error::broken("cannot write a rule").because(e))?;
            tasks.blocking(move || whole_file::write(&path, &text)).await??;
        }
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.into();
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<Rule>, Error> {
    let Some(bytes) = whole_file::read(path)? else { return Ok(Vec::new()) };
    let page: Page = serde_json::from_slice(&bytes).map_err(|e| {
        Error::broken(format!(
            "the rules in {} cannot be read, and without them more would be allowed; mend the file, \
             or remove it and make the rules anew",
            path.display()
        ))
        .because(e)
    })?;
    Ok(page.rules)
}
