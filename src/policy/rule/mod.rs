//! Rules: what a tool or a risky step is for somebody: allowed, asked about, or denied. Pure.
//!
//! A rule names tools (`home_restart`, `mqtt_*`, `*`) or the actions that ask before they are done
//! (`lock.unlock`), for whom, and perhaps for one target only. Of several that fit the most precise
//! holds, and of equally precise ones the one made last.

mod book;
#[cfg(test)]
mod tests;

pub(super) use book::Book;

use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Longest name or pattern, in characters.
const NAME: usize = 80;
/// Longest life of a rule that ends, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;
/// A longer target stands in a rule as its hash.
const TARGET: usize = 200;

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is done without a question.
    Allow,
    /// A person is asked each time.
    Ask,
    /// It is not done.
    Deny,
}

impl Verdict {
    /// Returns the word used in files and answers.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Ask => "ask",
            Verdict::Deny => "deny",
        }
    }
}

/// A rule as somebody wants it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// A tool or action; `*` at the end stands for any rest.
    pub tool: String,
    /// Whom it is for: the name of a token, `local`, `plugin:<name>`; `*` at the end for any rest.
    #[serde(default = "everybody")]
    pub token: String,
    /// Only this target: what an action is aimed at, or `args:<hash>` for exactly these arguments.
    pub target: Option<String>,
    /// What it says.
    pub verdict: Verdict,
    /// How long it holds, in seconds; without it until it is removed.
    pub seconds: Option<u64>,
}

fn everybody() -> String {
    "*".into()
}

/// A rule that holds, or held until `until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Eight hexadecimal digits.
    pub id: String,
    /// A tool or action; `*` at the end stands for any rest.
    pub tool: String,
    /// Whom it is for.
    pub token: String,
    /// Only this target.
    pub target: Option<String>,
    /// What it says.
    pub verdict: Verdict,
    /// When it ends, seconds since 1970; `None` when it is removed.
    pub until: Option<f64>,
    /// When it was made, seconds since 1970.
    pub made: f64,
    /// Who made it.
    pub by: String,
}

impl Rule {
    fn holds(&self, now: f64) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// Whether it names the tool or action itself, and not a pattern of many.
    pub(super) fn is_exact(&self) -> bool {
        !self.tool.ends_with('*')
    }

    /// Whether both speak of the same, one of them for a time and the other not.
    fn replaces(&self, other: &Rule) -> bool {
        let key = |rule: &Rule| (rule.tool.clone(), rule.token.clone(), rule.target.clone());
        key(self) == key(other) && self.until.is_some() == other.until.is_some()
    }

    /// The greater, the more precise.
    fn precision(&self) -> (bool, bool, usize, bool, usize) {
        let exact = |pattern: &str| (!pattern.ends_with('*'), pattern.len());
        let ((tool, tool_len), (token, token_len)) = (exact(&self.tool), exact(&self.token));
        (self.target.is_some(), tool, tool_len, token, token_len)
    }
}

/// Whether a name fits a pattern with an optional `*` at its end.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// The rule that holds for `action` by `who`; `target` is asked only when a rule depends on it.
pub(super) fn pick<'a>(
    rules: &'a [Rule],
    who: &str,
    action: &str,
    target: &dyn Fn() -> String,
    now: f64,
) -> Option<&'a Rule> {
    let mut own: Option<String> = None;
    let mut best: Option<&Rule> = None;
    for rule in rules {
        if !rule.holds(now) || !fits(&rule.tool, action) || !fits(&rule.token, who) {
            continue;
        }
        if let Some(wanted) = &rule.target
            && wanted != own.get_or_insert_with(target)
        {
            continue;
        }
        let rank = |rule: &Rule| (rule.precision(), rule.made);
        if best.is_none_or(|best| rank(rule) >= rank(best)) {
            best = Some(rule);
        }
    }
    best
}

/// A target as rules hold it: itself, or its hash when it is long.
pub(super) fn key_of(target: &str) -> String {
    match target.chars().count() > TARGET {
        true => format!("sha256:{}", crate::text::hex(&super::sha256(target))),
        false => target.to_owned(),
    }
}

/// Refuses what can be no rule.
fn check(wanted: &NewRule) -> Result<(), Error> {
    let plain = |text: &str| {
        let inner = text.strip_suffix('*').unwrap_or(text);
        let fits = |c: char| !c.is_control() && c != '*';
        !text.trim().is_empty() && text.chars().count() <= NAME && inner.chars().all(fits)
    };
    for (what, text) in [("tool", &wanted.tool), ("token", &wanted.token)] {
        if !plain(text) {
            return Err(Error::invalid(format!(
                "{what}: '{}' names nothing: use 1 to {NAME} characters, with '*' at the end for any \
                 rest",
                crate::text::clean(text, NAME)
            )));
        }
    }
    let long = |target: &String| target.is_empty() || target.chars().count() > 1000;
    if wanted.target.as_ref().is_some_and(long) {
        return Err(Error::invalid("target: use 1 to 1000 characters"));
    }
    if wanted.target.is_some() && wanted.tool.ends_with('*') {
        return Err(Error::invalid("a rule for one target names one tool or action, without '*'"));
    }
    if wanted.seconds.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
        return Err(Error::invalid(format!("seconds: use 1 to {LONGEST}, or leave it out")));
    }
    Ok(())
}
