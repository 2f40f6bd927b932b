//! Subcommands about what is allowed: rules, approvals, sealed secrets, the audit log.

use crate::app::cli::Options;
use crate::app::client::{ask, done};
use crate::app::{config, say};
use crate::error::Error;
use crate::policy::{self, Verdict, Verified};
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Read as _};

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Gate {
    /// Check the chain of the audit log; one of its entries must have this hash.
    AuditVerify { hash: Option<String> },
    /// Show the rules.
    Rules,
    /// Make a rule.
    RuleAdd { tool: String, verdict: Verdict, token: Option<String>, more: Remember },
    /// Remove the rule of this id.
    RuleRemove { id: String },
    /// Show what waits for an answer.
    Approvals,
    /// Show the names of the sealed secrets.
    Secrets,
    /// Seal what comes on standard input.
    SecretSet { name: String },
    /// Remove a sealed secret.
    SecretRemove { name: String },
    /// Answer one of them.
    Answer { id: String, allow: bool, remember: bool, more: Remember },
}

/// What a rule is for, and for how long.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Remember {
    pub(super) target: Option<String>,
    pub(super) seconds: Option<u32>,
    pub(super) whole: bool,
}

/// Runs one of them.
pub(super) fn run(options: &Options, command: &Gate) -> Result<(), Error> {
    let config = config::find(options).for_client()?;
    match command {
        Gate::AuditVerify { hash } => {
            say(&told(&policy::verify_audit(&config.data_dir, hash.as_deref())?));
        }
        Gate::Rules => {
            let answer = done(ask(&config, "GET", RULES, None)?)?;
            lines(
                &answer["rules"],
                "there is no rule: every tool is allowed as far as tokens go",
                rule,
            );
        }
        Gate::RuleAdd { tool, verdict, token, more: Remember { target, seconds, .. } } => {
            let mut body =
                json!({"tool": tool, "verdict": verdict, "target": target, "seconds": seconds});
            if let Some(token) = token {
                body["token"] = token.as_str().into();
            }
            say(&rule(&done(ask(&config, "POST", RULES, Some(&body))?)?));
        }
        Gate::RuleRemove { id } => {
            let gone = done(ask(&config, "DELETE", RULES, Some(&json!({"id": id})))?)?;
            say(&format!("removed: {}", rule(&gone)));
        }
        Gate::Secrets => {
            let answer = done(ask(&config, "GET", SECRETS, None)?)?;
            lines(&answer["secrets"], "no secret is sealed", secret);
        }
        Gate::SecretSet { name } => {
            let body = json!({"name": name, "value": read_secret(name)?});
            say(&secret(&done(ask(&config, "POST", SECRETS, Some(&body))?)?));
        }
        Gate::SecretRemove { name } => {
            done(ask(&config, "DELETE", SECRETS, Some(&json!({"name": name})))?)?;
            say(&format!("'{name}' is removed"));
        }
        Gate::Approvals => {
            let answer = done(ask(&config, "GET", APPROVALS, None)?)?;
            lines(&answer["approvals"], "nothing waits for an approval", approval);
        }
        Gate::Answer { id, allow, remember, more: Remember { seconds, whole, .. } } => {
            let word = if *allow { "allow" } else { "deny" };
            let body = json!({
                "id": id, "answer": word, "remember": remember, "seconds": seconds, "whole": whole,
            });
            let answer = done(ask(&config, "POST", APPROVALS, Some(&body))?)?;
            say(&approval(&answer["approval"]));
            if !answer["rule"].is_null() {
                say(&rule(&answer["rule"]));
            }
        }
    }
    Ok(())
}

/// What comes on standard input, without the line break behind it: not on the command line, where
/// everybody on this machine could read it.
fn read_secret(name: &str) -> Result<String, Error> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("type the value of '{name}', then Enter and Ctrl-D; it is shown as you type");
    }
    let mut value = String::new();
    let read = input.lock().take(1 << 20).read_to_string(&mut value);
    read.map_err(|e| Error::invalid("the value on standard input is no text").because(e))?;
    let end = value.trim_end_matches(['\r', '\n']).len();
    value.truncate(end);
    Ok(value)
}

const SECRETS: &str = "/api/policy/secrets";
const RULES: &str = "/api/policy/rules";
const APPROVALS: &str = "/api/policy/approvals";

fn lines(list: &Value, none: &str, line: fn(&Value) -> String) {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        say(none);
    }
    list.iter().for_each(|one| say(&line(one)));
}

fn word<'a>(of: &'a Value, field: &str) -> &'a str {
    of[field].as_str().unwrap_or_default()
}

/// A secret in one line.
fn secret(secret: &Value) -> String {
    let short = "too short to be searched for in calls";
    let told = if secret["watched"] == true { "searched for in calls" } else { short };
    format!("{:<32} {told}", word(secret, "name"))
}

/// A rule in one line.
fn rule(rule: &Value) -> String {
    let text = |field: &str| word(rule, field);
    let mut line = format!("{} {:<5} {}", text("id"), text("verdict"), text("tool"));
    if !rule["target"].is_null() {
        line += &format!(" on {}", text("target"));
    }
    line += &format!(" for {}", if text("token") == "*" { "everybody" } else { text("token") });
    if let Some(until) = rule["until"].as_f64() {
        line += &format!(", {} s more", left(until));
    }
    line
}

/// An approval in one line.
fn approval(approval: &Value) -> String {
    let text = |field: &str| word(approval, field);
    let until = approval["until"].as_f64().unwrap_or_default();
    let (id, state, who) = (text("id"), text("state"), text("who"));
    let what = format!("{} on {}", text("action"), text("target"));
    format!("{id} {state}, {} s more: {who} wants {what}", left(until))
}

/// Seconds from now.
fn left(until: f64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    (until - now.map_or(0.0, |now| now.as_secs_f64())).max(0.0) as u64
}

/// A chain that holds, in words.
fn told(seen: &Verified) -> String {
    let Verified { entries, first, newest, hash, files, unchained, torn, open, found } = seen;
    if *entries == 0 {
        return "the audit log has no entry of a chain yet".into();
    }
    let mut text = format!("the chain holds: {entries} entries in {files} files\n");
    text += &format!("newest: entry {newest}, hash {hash}\n");
    if let Some(found) = found {
        text += &format!("the hash that was asked for is that of entry {found}\n");
    }
    if *first > 1 {
        text +=
            &format!("it begins with entry {first}: older ones were rotated away, or removed\n");
    }
    if *unchained > 0 {
        text += &format!("before it stand {unchained} lines of a time without hashes\n");
    }
    if *torn > 0 {
        text += &format!("{torn} lines were cut short by a crash, and the next entry says so\n");
    }
    if *open {
        text += "the newest line is being written, or was cut short by a crash\n";
    }
    text
}
