//! Whether a call, or a risky step of one, may be done now: the rules, then the approvals.

use crate::error::Error;
use crate::events;
use crate::policy::approval::{self, Pass, Said, Subject};
use crate::policy::rule::{self, NewRule, Rule, Verdict};
use crate::policy::{Caller, Level, Outcome, Policy, Question, Via, now};
use crate::text::clean;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::time::Instant;

/// Characters of an action's target in a refusal.
const NAMED: usize = 200;

/// An approval that a call makes use of; used up when the call is done.
pub(crate) struct Approved(Option<Box<Pass>>);

impl Approved {
    /// Gives the approval back: the call has another question and will be repeated.
    pub(crate) fn give_back(self) {
        if let Some(pass) = self.0 {
            pass.give_back();
        }
    }
}

/// An answer to an approval.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which one.
    pub id: String,
    /// `allow` or `deny`; `ask` is none.
    pub answer: Verdict,
    /// Make a rule of it.
    #[serde(default)]
    pub remember: bool,
    /// How long that rule holds, in seconds; without it until it is removed.
    pub seconds: Option<u64>,
    /// The rule is for all that the tool or action can be aimed at, not for this alone.
    #[serde(default)]
    pub whole: bool,
}

impl Policy {
    /// Whether any rule asks: only then can a call have to be run again.
    pub(crate) fn asks_by_rules(&self) -> bool {
        self.shared.rules.all().iter().any(|rule| rule.verdict == Verdict::Ask)
    }

    /// Looks up the rules for a whole call; `shown` tells a person what it is.
    ///
    /// # Errors
    /// Refused when a rule or a person says no, Conflict when a person must be asked first.
    pub(crate) fn weigh(
        &self,
        caller: &Caller,
        tool: &str,
        args: &Map<String, Value>,
        shown: &dyn Fn() -> String,
    ) -> Result<Approved, Error> {
        let rules = self.shared.rules.all();
        if rules.is_empty() {
            return Ok(Approved(None));
        }
        let target = || hash_of(args);
        let found = rule::pick(&rules, &caller.name, tool, &target, now());
        match found.map(|rule| (rule, rule.verdict)) {
            None | Some((_, Verdict::Allow)) => Ok(Approved(None)),
            Some((rule, Verdict::Deny)) => Err(denied(rule, caller, tool)),
            Some((_, Verdict::Ask)) if approval::is_answered_by(caller) => Ok(Approved(None)),
            Some((_, Verdict::Ask)) => {
                let (target, shown) = (target(), shown());
                let subject = Subject {
                    caller,
                    action: tool,
                    target: &target,
                    shown: &shown,
                    by_person: true,
                };
                self.ask_or_pass(&subject, None).map(|pass| Approved(Some(pass)))
            }
        }
    }

    /// Asks for a confirmation of `action` on `target`, unless `given` is the answer to it, a person
    /// gave theirs on the page, or a rule says what holds.
    ///
    /// # Errors
    /// Conflict, with a fresh token in the text, when a confirmation is needed and not given; Refused
    /// for a script, which cannot ask anybody, and when a rule or a person says no.
    pub fn confirm(
        &self,
        caller: &Caller,
        action: &str,
        target: &str,
        given: Option<&str>,
    ) -> Result<(), Error> {
        let rules = self.shared.rules.all();
        let key = || rule::key_of(target);
        let found = rule::pick(&rules, &caller.name, action, &key, now());
        let by_person = match found.map(|rule| (rule, rule.verdict)) {
            Some((rule, Verdict::Deny)) => return Err(denied(rule, caller, action)),
            // A wide rule never lifts the question before what is risky.
            Some((rule, Verdict::Allow)) if rule.is_exact() => return Ok(()),
            Some((_, Verdict::Ask)) => !approval::is_answered_by(caller),
            None | Some((_, Verdict::Allow)) => false,
        };
        if !by_person && !self.shared.config.confirm {
            return Ok(());
        }
        let subject = Subject { caller, action, target, shown: target, by_person };
        self.ask_or_pass(&subject, given).map(drop)
    }

    fn ask_or_pass(&self, subject: &Subject<'_>, given: Option<&str>) -> Result<Box<Pass>, Error> {
        let Subject { caller, action, shown, by_person, .. } = *subject;
        let what = format!("{action} on {}", clean(shown, NAMED));
        match self.shared.desk.said(subject, given) {
            Said::Yes(pass) => return Ok(pass),
            Said::No => {
                let text = format!("a person was asked about {what} and said no");
                return Err(Error::refused(text));
            }
            Said::Nothing => {}
        }
        if caller.via == Via::Script {
            return Err(Error::refused(format!(
                "{what} needs a confirmation by a person, which '{}' cannot give",
                caller.name
            )));
        }
        self.record(caller, action, shown, Outcome::Asked, None);
        let asked = self.shared.desk.ask(subject)?;
        if let Some(draft) = &caller.underway {
            let what = format!("{action} on {}", clean(shown, approval::SHOWN));
            let (token, waiting) = (asked.code.clone(), asked.waiting);
            draft.ask(Question { what, token, by_person, waiting });
        }
        if by_person {
            return Err(Error::conflict(format!(
                "{what} waits for a person's approval ({id}): ask them to answer it on Hearth's page \
                 under Approvals, or with 'hearth approval allow {id}'; then repeat the same call within \
                 {} s",
                self.shared.config.approval_seconds,
                id = asked.id
            )));
        }
        let seconds = self.shared.config.confirm_seconds;
        let wrong = match given.is_some_and(|given| !given.is_empty()) {
            true => "That confirmation is not, or no longer, valid for this. ",
            false => "",
        };
        Err(Error::conflict(format!(
            "{wrong}{what} needs a confirmation by the person. Ask them; if they agree, repeat the call \
             with confirm=\"{}\" within {seconds} s",
            asked.code
        )))
    }

    /// Whether the question of a rule may be put to the client's person; else only the page answers.
    pub(crate) fn asks_by_form(&self, question: &Question) -> bool {
        !question.by_person || self.shared.config.approve_by_client
    }

    /// Takes what the client's person answered to the question with this code.
    pub(crate) fn answer_by_form(&self, caller: &Caller, code: &str, allow: bool) {
        self.shared.desk.answer_by_form(caller, code, allow);
    }

    /// Waits until somebody answers the question, at most as long after `since` as the configuration
    /// says; false when nobody did.
    pub(crate) async fn wait_for(&self, question: &Question, since: Instant) -> bool {
        let until = since + Duration::from_secs(self.shared.config.approval_wait_seconds);
        let mut waiting = question.waiting.clone();
        tokio::time::timeout_at(until, waiting.answered()).await.is_ok()
    }

    /// Returns the approvals that `caller` may know of, newest first: all for admins, their own for
    /// others.
    pub fn approvals(&self, caller: &Caller) -> Vec<events::Approval> {
        let mut all = self.shared.desk.list();
        if !caller.grant.covers("web", Level::Admin) {
            all.retain(|approval| *approval.who == *caller.name);
        }
        all
    }

    /// Answers an approval, and remembers the answer as a rule when that is wanted. For admins; with a
    /// bearer token nobody answers what the same token asked.
    ///
    /// # Errors
    /// Refused, NotFound when there is no such approval, Conflict when it has its answer, Invalid for a
    /// rule that is none.
    pub async fn answer(
        &self,
        caller: &Caller,
        answer: &Answer,
    ) -> Result<(events::Approval, Option<Rule>), Error> {
        self.check(caller, "web", Level::Admin)?;
        if answer.answer == Verdict::Ask {
            return Err(Error::invalid("answer: use 'allow' or 'deny'"));
        }
        if !answer.remember && (answer.whole || answer.seconds.is_some()) {
            let text = "'seconds' and 'whole' say what is remembered: set 'remember' too";
            return Err(Error::invalid(text));
        }
        let allow = answer.answer == Verdict::Allow;
        let is_person = approval::is_answered_by(caller);
        let done = self.shared.desk.answer(caller, &answer.id, allow, is_person)?;
        let what = format!("{}: {} on {}", done.shown.who, done.shown.action, done.shown.target);
        let action = format!("approval {}", answer.answer.word());
        self.record(caller, &action, &what, Outcome::Allowed, None);
        if !answer.remember {
            return Ok((done.shown, None));
        }
        let wanted = NewRule {
            tool: done.shown.action.clone(),
            token: done.shown.who.clone(),
            target: (!answer.whole).then_some(done.target),
            verdict: answer.answer,
            seconds: answer.seconds,
        };
        Ok((done.shown, Some(self.add_rule(caller, wanted).await?)))
    }

    /// Returns the rules that hold. For admins.
    ///
    /// # Errors
    /// Refused.
    pub fn rules(&self, caller: &Caller) -> Result<Vec<Rule>, Error> {
        self.check(caller, "web", Level::Admin)?;
        Ok(self.shared.rules.standing(now()))
    }

    /// Whether a rule denies a tool whatever it is called with: then it is not shown. For lists.
    pub(crate) fn hides(&self, caller: &Caller, tool: &str) -> bool {
        let found = self.shared.rules.all();
        let found = rule::pick(&found, &caller.name, tool, &String::new, now());
        found.is_some_and(|rule| rule.verdict == Verdict::Deny)
    }

    /// Makes a rule. For admins.
    ///
    /// # Errors
    /// Refused; Invalid for what can be no rule; Limit at 256 rules; Broken when it cannot be kept.
    pub async fn add_rule(&self, caller: &Caller, wanted: NewRule) -> Result<Rule, Error> {
        self.check(caller, "web", Level::Admin)?;
        let rule = self.shared.rules.add(&self.shared.tasks, wanted, &caller.name).await?;
        self.record(caller, "rule add", &told(&rule), Outcome::Allowed, None);
        Ok(rule)
    }

    /// Removes a rule. For admins.
    ///
    /// # Errors
    /// Refused; NotFound when there is none of that id; Broken when the change cannot be kept.
    pub async fn remove_rule(&self, caller: &Caller, id: &str) -> Result<Rule, Error> {
        self.check(caller, "web", Level::Admin)?;
        let rule = self.shared.rules.remove(&self.shared.tasks, id).await?;
        self.record(caller, "rule remove", &told(&rule), Outcome::Allowed, None);
        Ok(rule)
    }
}

fn told(rule: &Rule) -> String {
    let target = rule.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
    format!("{} {}{target} for {}", rule.verdict.word(), rule.tool, rule.token)
}

fn denied(rule: &Rule, caller: &Caller, action: &str) -> Error {
    Error::refused(format!(
        "a rule of this Hearth ({}) forbids '{}' to use {action}; 'hearth rule list' shows it",
        rule.id, caller.name
    ))
}

/// What tells these arguments from others, whatever the order of their names.
fn hash_of(args: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort_unstable();
                let fields = names.into_iter().map(|name| (name.clone(), sorted(&fields[name])));
                Value::Object(fields.collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    let text = sorted(&Value::Object(args.clone())).to_string();
    format!("args:{}", crate::text::hex(&super::sha256(&text)))
}
