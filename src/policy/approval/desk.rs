//! The list of approvals. Tells the bus what is asked and answered.

use crate::error::Error;
use crate::events::{Approval, Event, Events};
use crate::policy::approval::{Asked, SHOWN, Said, State, Subject, Waiting};
use crate::policy::{Caller, now, random_hex, rule};
use crate::text::clean;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// So many at most; then one of whoever has the most goes.
const MOST: usize = 256;

/// One approval.
struct Open {
    shown: Approval,
    token: u64,
    target: String,
    code: String,
    by_person: bool,
    state: watch::Sender<State>,
}

impl Open {
    fn is_about(&self, subject: &Subject<'_>) -> bool {
        self.is_of(subject.caller)
            && self.shown.action == subject.action
            && self.target == subject.target
    }

    fn is_of(&self, caller: &Caller) -> bool {
        self.token == caller.token && self.shown.who == *caller.name
    }

    fn now_is(&self) -> State {
        *self.state.borrow()
    }
}

/// All of them, oldest first. Cloning it is cheap.
#[derive(Clone)]
pub(in crate::policy) struct Desk {
    shared: Arc<Shared>,
}

struct Shared {
    events: Events,
    /// How long a question of a step stands, and one of a rule.
    lasts: [Duration; 2],
    open: Mutex<Vec<Open>>,
}

/// An approval that a call makes use of. It is used up, unless it is given back.
pub(in crate::policy) struct Pass {
    desk: Desk,
    open: Open,
}

impl Pass {
    /// Puts it back: the call was not made, it has another question first.
    pub(in crate::policy) fn give_back(self) {
        self.desk.lock().push(self.open);
    }
}

/// An answer of a person.
pub(in crate::policy) struct Answered {
    pub(in crate::policy) shown: Approval,
    /// The target as rules hold it.
    pub(in crate::policy) target: String,
}

impl Desk {
    pub(in crate::policy) fn new(events: &Events, step: Duration, rule: Duration) -> Desk {
        let (events, open) = (events.clone(), Mutex::default());
        Desk { shared: Arc::new(Shared { events, lasts: [step, rule], open }) }
    }

    /// Asks about something. Of several questions about one thing there is only the newest, under the
    /// same id.
    ///
    /// # Errors
    /// Broken when the system gives no random numbers.
    pub(in crate::policy) fn ask(&self, subject: &Subject<'_>) -> Result<Asked, Error> {
        let code = random_hex(4)?;
        let at = now();
        let until = at + self.shared.lasts[usize::from(subject.by_person)].as_secs_f64();
        let mut open = self.swept();
        let same = open.iter().position(|o| o.is_about(subject) && o.now_is() == State::Pending);
        let mut this = match same {
            Some(place) => open.remove(place),
            None => Open {
                shown: Approval {
                    id: random_hex(4)?,
                    at,
                    until,
                    who: subject.caller.name.to_string(),
                    via: subject.caller.via.word(),
                    action: clean(subject.action, SHOWN),
                    target: clean(subject.shown, SHOWN),
                    by_person: subject.by_person,
                    state: State::Pending.word(),
                    by: None,
                },
                token: subject.caller.token,
                target: subject.target.to_owned(),
                code: String::new(),
                by_person: subject.by_person,
                state: watch::Sender::new(State::Pending),
            },
        };
        this.code.clone_from(&code);
        this.by_person = subject.by_person;
        (this.shown.by_person, this.shown.until) = (subject.by_person, until);
        let (id, waiting) = (this.shown.id.clone(), Waiting(this.state.subscribe()));
        self.tell(&this.shown);
        if open.len() >= MOST {
            let victim = greediest(&open);
            self.end(open.remove(victim));
        }
        open.push(this);
        Ok(Asked { id, code, waiting })
    }

    /// What was said about this; `given` is the code that the call was repeated with, which is used up
    /// when it is right.
    pub(in crate::policy) fn said(&self, subject: &Subject<'_>, given: Option<&str>) -> Said {
        let given = given.filter(|given| !given.is_empty());
        let mut open = self.swept();
        let mut no = false;
        let place = open.iter().position(|o| {
            let state = o.now_is();
            let is_ours = o.is_about(subject);
            no |= is_ours && state == State::Denied;
            let by_code = !o.by_person && !subject.by_person && given == Some(&*o.code);
            is_ours && (state == State::Allowed || (state == State::Pending && by_code))
        });
        match place {
            // What was refused last holds.
            _ if no => Said::No,
            None => Said::Nothing,
            Some(place) => {
                let mut this = open.remove(place);
                if this.now_is() == State::Pending {
                    self.settle(&mut this, State::Allowed, "the assistant");
                }
                Said::Yes(Box::new(Pass { desk: self.clone(), open: this }))
            }
        }
    }

    /// Takes a person's answer to the approval `id`.
    ///
    /// # Errors
    /// NotFound when there is none, Conflict when it has its answer, Refused when `by` asked itself and
    /// may not answer for itself.
    pub(in crate::policy) fn answer(
        &self,
        by: &Caller,
        id: &str,
        allow: bool,
        for_oneself: bool,
    ) -> Result<Answered, Error> {
        let mut open = self.swept();
        let Some(this) = open.iter_mut().find(|o| o.shown.id == id) else {
            return Err(Error::not_found(format!(
                "there is no approval '{}' (any more); the call can be repeated and asks anew",
                clean(id, 40)
            )));
        };
        if this.is_of(by) && !for_oneself {
            return Err(Error::refused(
                "whoever asks does not answer for itself: answer on the page, at the command line, \
                 or with another token",
            ));
        }
        if this.now_is() != State::Pending {
            let by = this.shown.by.as_deref().unwrap_or("somebody");
            let text = format!("'{id}' has its answer: {} by '{by}'", this.shown.state);
            return Err(Error::conflict(text));
        }
        self.settle(this, if allow { State::Allowed } else { State::Denied }, &by.name);
        Ok(Answered { shown: this.shown.clone(), target: rule::key_of(&this.target) })
    }

    /// Takes the answer that the client's person gave to the question with this code.
    pub(in crate::policy) fn answer_by_form(&self, caller: &Caller, code: &str, allow: bool) {
        let mut open = self.swept();
        let place = open
            .iter()
            .position(|o| o.is_of(caller) && o.code == code && o.now_is() == State::Pending);
        // What a step asks is settled when the call is repeated with the code.
        let Some(place) = place.filter(|place| open[*place].by_person) else { return };
        let by = format!("the person at '{}'", caller.name);
        if allow {
            return self.settle(&mut open[place], State::Allowed, &by);
        }
        let mut this = open.remove(place);
        self.settle(&mut this, State::Denied, &by);
    }

    /// Returns all that are open or were answered and not used yet, newest first.
    pub(in crate::policy) fn list(&self) -> Vec<Approval> {
        self.swept().iter().rev().map(|open| open.shown.clone()).collect()
    }

    fn settle(&self, open: &mut Open, state: State, by: &str) {
        open.shown.state = state.word();
        open.shown.by = Some(by.to_owned());
        open.state.send_replace(state);
        self.tell(&open.shown);
    }

    /// Ends one that nobody answered.
    fn end(&self, mut open: Open) {
        open.state.send_replace(State::Gone);
        if open.shown.state == State::Pending.word() {
            open.shown.state = State::Gone.word();
            self.tell(&open.shown);
        }
    }

    fn tell(&self, shown: &Approval) {
        self.shared.events.publish(Event::Approval(shown.clone()));
    }

    /// The list without what has ended.
    fn swept(&self) -> MutexGuard<'_, Vec<Open>> {
        let now = now();
        let mut open = self.lock();
        let mut at = 0;
        while at < open.len() {
            match open[at].shown.until > now {
                true => at += 1,
                false => self.end(open.remove(at)),
            }
        }
        open
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The oldest of whoever has the most, so that nobody's questions are pushed out by another's.
fn greediest(open: &[Open]) -> usize {
    let count = |who: &str| open.iter().filter(|o| o.shown.who == who).count();
    let most = open.iter().map(|o| count(&o.shown.who)).max();
    open.iter().position(|o| Some(count(&o.shown.who)) == most).unwrap_or(0)
}
