//! Confirmations: a risky action is done only when it is asked for a second time with the token that
//! the first answer carried.

use crate::policy::{Caller, random_hex};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many open questions at most; the oldest goes first.
const MOST: usize = 256;

struct Question {
    token: String,
    caller: u64,
    action: String,
    target: String,
    until: Instant,
}

pub(super) struct Asked {
    lasts: Duration,
    open: Mutex<VecDeque<Question>>,
}

impl Asked {
    pub(super) fn new(lasts: Duration) -> Asked {
        Asked { lasts, open: Mutex::new(VecDeque::new()) }
    }

    /// Opens a question and returns its token.
    pub(super) fn ask(&self, caller: &Caller, action: &str, target: &str) -> String {
        let Ok(token) = random_hex(4) else { return String::new() };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Of several questions about one thing only the newest can be answered.
        let same =
            |q: &Question| q.caller == caller.token && q.action == action && q.target == target;
        open.retain(|question| !same(question));
        if open.len() >= MOST {
            open.pop_front();
        }
        open.push_back(Question {
            token: token.clone(),
            caller: caller.token,
            action: action.to_owned(),
            target: target.to_owned(),
            until: Instant::now() + self.lasts,
        });
        token
    }

    /// Whether `given` answers an open question of this caller about exactly this; it is used up.
    pub(super) fn answer(
        &self,
        caller: &Caller,
        action: &str,
        target: &str,
        given: Option<&str>,
    ) -> bool {
        let now = Instant::now();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|question| question.until > now);
        let Some(given) = given.filter(|given| !given.is_empty()) else { return false };
        let place = open.iter().position(|q| {
            q.token == given && q.caller == caller.token && q.action == action && q.target == target
        });
        place.and_then(|place| open.remove(place)).is_some()
    }
}
