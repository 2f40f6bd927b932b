//! A call under way: Home Assistant's answer, and the states that show the result.

use crate::error::Error;
use crate::events::{Event, Next};
use crate::home::Home;
use crate::home::call::Plan;
use crate::home::entities::Entity;
use crate::home::expect::{Expect, expected};
use crate::home::feed::link::Asked;
use crate::home::house::House;
use crate::policy::{Caller, Outcome};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The resulting state is waited for so long.
const WATCH: Duration = Duration::from_secs(2);
/// When nothing says what a call leads to, a change is waited for so long after the answer.
const GRACE: Duration = Duration::from_millis(300);

/// What came of it for one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its state shows the result.
    Verified,
    /// Home Assistant took the call; the state does not show the result yet.
    Pending,
    /// Nothing changed, and nothing had to.
    Unchanged,
}

impl Verdict {
    /// Returns the word used in answers.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Pending => "pending",
            Verdict::Unchanged => "unchanged",
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) entities: Vec<(Arc<str>, Verdict)>,
    pub(crate) response: Option<Value>,
    /// Home Assistant had not answered yet when this was written.
    pub(crate) unanswered: bool,
    /// Id of the change, for undo; `None` when nothing it touched can be brought back.
    pub(crate) change: Option<String>,
}

/// A call under way.
pub(super) struct Under {
    service: String,
    house: Arc<House>,
    events: crate::events::Reader,
    asked: Asked,
    watched: Vec<Watched>,
    return_response: bool,
}

/// An entity under watch.
struct Watched {
    id: Arc<str>,
    expect: Expect,
    before: Option<Entity>,
    verdict: Option<Verdict>,
}

#[derive(Deserialize)]
struct Answer {
    context: Option<AnswerContext>,
    response: Option<Value>,
}

#[derive(Deserialize)]
struct AnswerContext {
    id: String,
}

impl Under {
    /// Sends the call.
    ///
    /// # Errors
    /// Offline while the house is away, Limit when too much is under way.
    pub(super) fn start(home: &Home, house: &Arc<House>, plan: &Plan) -> Result<Under, Error> {
        // Reading begins before the call goes out: no change falls between.
        let events = home.events().read();
        let watched = {
            let cache = house.cache();
            let watch = |id: &Arc<str>| {
                let before = cache.get(id).cloned();
                let state = before.as_ref().map_or("", |entity| &entity.state);
                let expect = expected(&plan.service, id, state, &plan.data);
                Watched { id: id.clone(), expect, before, verdict: None }
            };
            plan.touched.iter().map(watch).collect()
        };
        let asked = house.link.send(&plan.command())?;
        let return_response = plan.return_response;
        let (service, house) = (plan.service.clone(), house.clone());
        Ok(Under { service, house, events, asked, watched, return_response })
    }

    /// Waits for the answer and for the states that show the result.
    ///
    /// # Errors
    /// What Home Assistant says; Timeout when data was asked for and did not come.
    pub(super) async fn finish(
        mut self,
        home: &Home,
        caller: &Caller,
        target: &str,
    ) -> Result<Done, Error> {
        let until = Instant::now() + WATCH;
        let patience = match self.return_response {
            true => Instant::now() + self.house.timeout,
            false => until,
        };
        let mut answer = None;
        while answer.is_none() {
            tokio::select! {
                biased;
                got = self.asked.answered() => answer = Some(read_answer(&got?)?),
                next = self.events.next() => self.note(&next),
                () = tokio::time::sleep_until(patience) => break,
            }
        }
        let Some(answer) = answer else {
            if self.return_response {
                let e = format!("no response within {} s", self.house.timeout.as_secs());
                return Err(Error::timeout(e));
            }
            return Ok(self.leave(home, caller, target));
        };
        let context = answer.context.map(|context| context.id);
        let grace = Instant::now() + GRACE;
        let response = answer.response.filter(|_| self.return_response);
        if response.is_some() {
            // A service that answers with data changes nothing that could be waited for.
            self.judge(context.as_deref(), true);
        }
        loop {
            let late = Instant::now() >= grace.min(until);
            if self.judge(context.as_deref(), late) {
                break;
            }
            let next = if late { until } else { grace.min(until) };
            tokio::select! {
                next = self.events.next() => self.note(&next),
                () = tokio::time::sleep_until(next) => {}
            }
            if Instant::now() >= until {
                self.judge(context.as_deref(), true);
                break;
            }
        }
        Ok(Done { entities: self.verdicts(), response, unanswered: false, change: None })
    }

    /// A change of a watched entity is seen in the cache; the event only says when to look.
    fn note(&self, next: &Next) {
        if let Next::Event(stamped) = next
            && let Event::Entity(change) = &stamped.event
        {
            log::trace!("home '{}': {} changed during a call", self.house.name, change.entity_id);
        }
    }

    /// Judges what can be judged by now; whether everything is.
    fn judge(&mut self, context: Option<&str>, late: bool) -> bool {
        let cache = self.house.cache();
        for watched in self.watched.iter_mut().filter(|watched| watched.verdict.is_none()) {
            watched.verdict = watched.judge(cache.get(&watched.id), context, late);
        }
        self.watched.iter().all(|watched| watched.verdict.is_some())
    }

    fn verdicts(&self) -> Vec<(Arc<str>, Verdict)> {
        let verdict = |watched: &Watched| watched.verdict.unwrap_or(Verdict::Pending);
        self.watched.iter().map(|watched| (watched.id.clone(), verdict(watched))).collect()
    }

    /// Home Assistant has not answered: answer now, and write a later failure to the audit log.
    fn leave(mut self, home: &Home, caller: &Caller, target: &str) -> Done {
        self.judge(None, false);
        // Busy, or gone without a word: then the cache is not true any more.
        self.house.doubt();
        let done =
            Done { entities: self.verdicts(), response: None, unanswered: true, change: None };
        let (policy, caller, target) = (home.policy().clone(), caller.clone(), target.to_owned());
        let (asked, within, service) = (self.asked, self.house.timeout, self.service);
        home.tasks().job(async move {
            if let Err(e) = asked.answer(within).await {
                let why = e.to_string();
                policy.record(&caller, &service, &target, Outcome::Failed, Some(&why));
            }
        });
        done
    }
}

impl Watched {
    fn judge(&self, after: Option<&Entity>, context: Option<&str>, late: bool) -> Option<Verdict> {
        let (Some(before), Some(after)) = (&self.before, after) else {
            return late.then_some(Verdict::Pending);
        };
        let moved = after.updated > before.updated || after.context != before.context;
        let ours = context.is_some_and(|context| *context == *after.context);
        let met = self.expect.is_met(after);
        match (self.expect.is_open(), moved, met) {
            (true, ..) if ours => Some(Verdict::Verified),
            (true, ..) => late.then_some(Verdict::Unchanged),
            (false, true, true) => Some(Verdict::Verified),
            // It was so before, and the answer is there: nothing more will come.
            (false, false, true) if self.expect.is_complete() => Some(Verdict::Unchanged),
            (false, false, true) => late.then_some(Verdict::Unchanged),
            (false, _, false) => None,
        }
    }
}

/// Returns the context that the changes of a call have, from its answer.
pub(super) fn context(answer: &str) -> Result<Option<String>, Error> {
    Ok(read_answer(answer)?.context.map(|context| context.id))
}

fn read_answer(json: &str) -> Result<Answer, Error> {
    serde_json::from_str(json)
        .map_err(|e| Error::broken("call_service has an unknown answer").because(e))
}
