//! A call under way: one line of the audit log for one call, however many steps it takes.
//!
//! Whoever runs a call begins it here and hands its steps the caller that it gives. What the steps
//! record ([`Policy::record`]) says better than the call's name what is done, and with what outcome;
//! the last of it goes into the line that is written when the call ends, with how long it took.

use crate::error::{Error, Kind};
use crate::policy::approval::Waiting;
use crate::policy::{Caller, Level, Outcome, Policy};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What is known so far of a call; gone when its line is written.
#[derive(Default)]
pub(crate) struct Draft {
    line: Mutex<Option<Line>>,
    question: Mutex<Option<Question>>,
}

/// A confirmation that a step asked for, or a rule.
#[derive(Clone)]
pub(crate) struct Question {
    /// What is to be done, for a person.
    pub(crate) what: String,
    /// What the call is repeated with.
    pub(crate) token: String,
    /// Only a person's answer counts.
    pub(crate) by_person: bool,
    /// Learns of an answer that comes from elsewhere.
    pub(crate) waiting: Waiting,
}

struct Line {
    action: String,
    target: String,
    outcome: Option<Outcome>,
    reason: Option<String>,
}

impl Draft {
    /// Whether the line is still to be written.
    pub(super) fn is_open(&self) -> bool {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes a step's record into the line; false when that is written already.
    pub(super) fn note(
        &self,
        action: &str,
        target: &str,
        outcome: Outcome,
        reason: Option<&str>,
    ) -> bool {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = line.as_mut() else { return false };
        *line = Line {
            action: action.to_owned(),
            target: target.to_owned(),
            outcome: Some(outcome),
            reason: reason.map(str::to_owned),
        };
        true
    }

    pub(super) fn ask(&self, question: Question) {
        *self.question.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
    }

    fn take(&self) -> Option<Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draft")
    }
}

/// A call under way. One that is dropped without its end was given up, and is written down as failed.
pub struct Underway {
    policy: Policy,
    caller: Caller,
    draft: Arc<Draft>,
    /// It only looks: nothing but a refusal is written down.
    only_looks: bool,
    began: Instant,
}

impl Policy {
    /// Begins a call of `action` on `target`. What needs no more than level read is written to the
    /// audit log only when it is refused.
    pub fn begin(&self, caller: &Caller, action: &str, target: &str, level: Level) -> Underway {
        let (action, target) = (action.to_owned(), target.to_owned());
        let line = Line { action, target, outcome: None, reason: None };
        let draft = Arc::new(Draft { line: Mutex::new(Some(line)), question: Mutex::default() });
        let caller = Caller { underway: Some(draft.clone()), ..caller.clone() };
        let (policy, only_looks) = (self.clone(), level <= Level::Read);
        Underway { policy, caller, draft, only_looks, began: Instant::now() }
    }
}

impl Underway {
    /// Returns the caller that the call's steps act for.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Takes the confirmation that a step or a rule asked for, if one did.
    pub(crate) fn take_question(&self) -> Option<Question> {
        self.draft.question.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a step or a rule asked for a confirmation.
    pub(crate) fn has_question(&self) -> bool {
        self.draft.question.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Writes the call's line; `failure` is what it failed with.
    pub fn end(self, failure: Option<&Error>) {
        self.write(failure);
    }

    fn write(&self, failure: Option<&Error>) {
        let Some(line) = self.draft.take() else { return };
        let (outcome, reason) = match failure.map(|e| (e.kind(), e)) {
            None => (line.outcome.unwrap_or(Outcome::Allowed), line.reason),
            Some((Kind::Refused | Kind::Unauthenticated, e)) => {
                (Outcome::Denied, Some(e.to_string()))
            }
            // The text of this failure holds the answer to the question.
            Some((Kind::Conflict, _)) if line.outcome == Some(Outcome::Asked) => {
                (Outcome::Asked, None)
            }
            Some((_, e)) => (Outcome::Failed, Some(e.to_string())),
        };
        if self.only_looks && outcome != Outcome::Denied {
            return;
        }
        let audit = &self.policy.shared.audit;
        let took = Some(self.began.elapsed());
        let (action, target) = (line.action.as_str(), line.target.as_str());
        audit.write(&self.caller, action, target, outcome, reason.as_deref(), took);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.write(Some(&Error::timeout("whoever asked for it went away before it ended")));
    }
}
