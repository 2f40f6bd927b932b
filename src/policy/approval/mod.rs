//! Approvals: what waits for somebody's word before it is done, and what the word was.
//!
//! There are two kinds. A risky step asks in any case: the assistant may pass the question on and repeat
//! its call with the code it was given. What a rule asks about is answered by a person alone: on the
//! page, at the command line, or by the client's own form. Both stand in one list, and whoever answers
//! there answers either. An approval is for one caller, one action and one target, and is used up by
//! one call. Kept in memory: a call that waits does not outlive the process either.

mod desk;
#[cfg(test)]
mod tests;

pub(super) use desk::{Desk, Pass};

use crate::policy::{Caller, Via};
use tokio::sync::watch;

/// Characters of what is asked about, as a person reads it.
pub(super) const SHOWN: usize = 2000;

/// What is asked about.
#[derive(Clone)]
pub(super) struct Subject<'a> {
    pub(super) caller: &'a Caller,
    /// The tool, or the action of a step.
    pub(super) action: &'a str,
    /// What tells this from another call of the same action.
    pub(super) target: &'a str,
    /// What a person reads of it.
    pub(super) shown: &'a str,
    /// Only a person's answer counts, not a repeated call with the code.
    pub(super) by_person: bool,
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has answered.
    Pending,
    /// It may be done, once.
    Allowed,
    /// It may not.
    Denied,
    /// Its time is over, or it was used up.
    Gone,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Allowed => "allowed",
            State::Denied => "denied",
            State::Gone => "expired",
        }
    }
}

/// What came of asking whether something was approved.
pub(super) enum Said {
    /// It was, and the approval is used up by the holder of the pass.
    Yes(Box<Pass>),
    /// A person said no, and that still holds.
    No,
    /// Nobody said anything yet.
    Nothing,
}

/// An approval that was asked for.
pub(super) struct Asked {
    pub(super) id: String,
    /// What a call is repeated with.
    pub(super) code: String,
    pub(super) waiting: Waiting,
}

/// Learns when somebody answers. Cloning it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Waiting(watch::Receiver<State>);

impl Waiting {
    /// Ends when a person has answered; never when nobody does.
    pub(crate) async fn answered(&mut self) {
        let is_answer = |state: &State| matches!(state, State::Allowed | State::Denied);
        let ended = self.0.wait_for(is_answer).await.is_err();
        if ended {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether a person sits at the other end who may answer approvals: they need not ask themselves.
pub(super) fn is_answered_by(caller: &Caller) -> bool {
    matches!(caller.via, Via::Page | Via::Control)
        && caller.grant.covers("web", crate::policy::Level::Admin)
}
