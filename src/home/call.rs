//! Calls a service of Home Assistant on behalf of somebody, and says what came of it.
//!
//! The order of things: find the entities that it would touch, check that this caller may touch each
//! of them, ask for a confirmation where one is needed, call, and watch the entities until the state
//! shows the result, at most [`WATCH`]. Tools and routes both end here; nothing else calls a service.

use crate::error::Error;
use crate::events::{Event, Next};
use crate::home::Home;
use crate::home::confirm::{self, Rules};
use crate::home::entities::{Cache, Entity};
use crate::home::expect::{Expect, expected};
use crate::home::feed::link::Asked;
use crate::home::house::House;
use crate::home::select::{Target, domain, expand};
use crate::home::text;
use crate::policy::{Caller, Level, Outcome};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The resulting state is waited for so long.
pub(crate) const WATCH: Duration = Duration::from_secs(2);
/// When nothing says what a call leads to, a change is waited for so long after the answer.
const GRACE: Duration = Duration::from_millis(300);
/// At most so many entities in one call.
const MOST_TOUCHED: usize = 500;

/// A call as somebody wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// `domain.name`.
    pub(crate) service: String,
    pub(crate) target: Target,
    pub(crate) data: Map<String, Value>,
    pub(crate) return_response: bool,
}

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
}

/// What a call would touch.
#[derive(Debug)]
pub(crate) struct Plan {
    service: String,
    data: Map<String, Value>,
    return_response: bool,
    /// The entities, sorted.
    pub(crate) touched: Vec<Arc<str>>,
    /// What of it needs a confirmation; the service itself when no entity does.
    pub(crate) risky: Vec<String>,
}

/// Finds out what an order would touch and whether `caller` may.
///
/// # Errors
/// Invalid for a service or data of the wrong shape, NotFound for targets that are not there,
/// Refused for what this caller may not.
pub(crate) fn plan(
    home: &Home,
    house: &House,
    caller: &Caller,
    order: Order,
) -> Result<Plan, Error> {
    let result = plan_quietly(home, house, caller, order);
    if let Err((service, e)) = &result
        && e.kind() == crate::error::Kind::Refused
    {
        home.policy().record(caller, service, &house.name, Outcome::Denied, Some(e.what()));
    }
    result.map_err(|(_, e)| e)
}

fn plan_quietly(
    home: &Home,
    house: &House,
    caller: &Caller,
    order: Order,
) -> Result<Plan, (String, Error)> {
    let Order { service, mut target, mut data, return_response } = order;
    let service = service.trim().to_lowercase();
    let with = |e: Error| (service.clone(), e);
    check_name(&service).map_err(with)?;
    take_targets(&mut data, &mut target).map_err(with)?;
    if home.config().read_only {
        return Err(with(Error::refused("the houses are set to read-only (home.read_only)")));
    }
    if confirm::is_for_admins(&service) {
        home.policy().check(caller, "home", Level::Admin).map_err(with)?;
    }
    let cache = house.known().map_err(with)?;
    let sight = home.sight(caller);
    let touched = expand(&cache, sight, &service, &target).map_err(with)?;
    if touched.len() > MOST_TOUCHED {
        let count = touched.len();
        let e = format!("{service} would touch {count} entities, more than {MOST_TOUCHED}");
        return Err(with(Error::limit(e)));
    }
    if touched.is_empty() && !target.is_empty() {
        let e = format!("{service}: nothing in that target is something it acts on");
        return Err(with(Error::not_found(e)));
    }
    let implied = implied(&cache, &service, &touched, &data);
    let hidden = implied.iter().find(|id| sight.get(&cache, id).is_none());
    if let Some(id) = hidden {
        let e = format!("{service} would reach '{id}', which '{}' may not use", caller.name);
        return Err(with(Error::refused(e)));
    }
    if touched.is_empty() && implied.is_empty() && !sight.is_open() {
        let e = format!(
            "'{}' may use chosen entities only, and {service} names none: give a target",
            caller.name
        );
        return Err(with(Error::refused(e)));
    }
    let risky = risky(home, &cache, &service, &touched, &implied);
    Ok(Plan { service, data, return_response, touched, risky })
}

fn check_name(service: &str) -> Result<(), Error> {
    let word = |part: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && part.len() <= 64 && part.chars().all(good)
    };
    match service.split_once('.') {
        Some((own, name)) if word(own) && word(name) => Ok(()),
        _ => Err(Error::invalid(format!(
            "'{}' is no service; write it like light.turn_on",
            text::clean(service, 60)
        ))),
    }
}

/// Moves targets that stand among the data, as older calls have them, to the target.
fn take_targets(data: &mut Map<String, Value>, target: &mut Target) -> Result<(), Error> {
    let lists = [
        ("entity_id", &mut target.entities),
        ("device_id", &mut target.devices),
        ("area_id", &mut target.areas),
        ("floor_id", &mut target.floors),
        ("label_id", &mut target.labels),
    ];
    for (field, list) in lists {
        match data.remove(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(ids)) => {
                list.extend(ids.split(',').map(|id| id.trim().to_owned()));
            }
            Some(Value::Array(ids)) if ids.iter().all(Value::is_string) => {
                list.extend(ids.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(_) => {
                return Err(Error::invalid(format!(
                    "data.{field} must be a text or a list of texts"
                )));
            }
        }
    }
    Ok(())
}

/// Entities that a call reaches without being aimed at them: members of groups and scenes, ids among
/// the data, the script that a service is named after.
fn implied(
    cache: &Cache,
    service: &str,
    touched: &[Arc<str>],
    data: &Map<String, Value>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for id in touched {
        add_members(cache, id, &mut found, 0);
    }
    for (key, value) in data {
        add_mentioned(cache, key, &mut found);
        add_ids(cache, value, &mut found, 0);
    }
    if domain(service) == "script" {
        add_mentioned(cache, service, &mut found);
    }
    found.retain(|id| !touched.iter().any(|touched| **touched == **id));
    found
}

fn add_members(cache: &Cache, id: &str, found: &mut BTreeSet<String>, depth: usize) {
    let Some(entity) = cache.get(id).filter(|_| depth < 8) else { return };
    for member in entity.members() {
        if cache.get(&member).is_some() && found.insert(member.clone()) {
            add_members(cache, &member, found, depth + 1);
        }
    }
}

fn add_ids(cache: &Cache, value: &Value, found: &mut BTreeSet<String>, depth: usize) {
    match value {
        Value::String(text) => text.split(',').for_each(|id| add_mentioned(cache, id, found)),
        Value::Array(items) if depth < 8 => {
            items.iter().for_each(|item| add_ids(cache, item, found, depth + 1));
        }
        Value::Object(fields) if depth < 8 => {
            for (key, field) in fields {
                add_mentioned(cache, key, found);
                add_ids(cache, field, found, depth + 1);
            }
        }
        _ => {}
    }
}

fn add_mentioned(cache: &Cache, text: &str, found: &mut BTreeSet<String>) {
    let id = text.trim();
    if id.contains('.') && cache.get(id).is_some() && found.insert(id.to_owned()) {
        add_members(cache, id, found, 0);
    }
}

fn risky(
    home: &Home,
    cache: &Cache,
    service: &str,
    touched: &[Arc<str>],
    implied: &BTreeSet<String>,
) -> Vec<String> {
    let rules = Rules::new(home.config());
    let all = touched.iter().map(|id| &**id).chain(implied.iter().map(String::as_str));
    let asks = |id: &&str| {
        let class = cache.get(id).and_then(|entity| entity.attribute("device_class"));
        rules.asks_for_entity(service, id, class.as_ref().and_then(Value::as_str))
    };
    let mut risky: Vec<String> = all.filter(asks).map(str::to_owned).collect();
    let on_entities = touched.iter().any(|id| domain(id) == domain(service));
    if risky.is_empty() && !on_entities && rules.asks(service) {
        risky.push(service.to_owned());
    }
    risky
}

/// Calls the service as planned.
///
/// # Errors
/// Conflict when a confirmation is needed and `confirm` is none; Offline while the house is away;
/// what Home Assistant says.
pub(crate) async fn run(
    home: &Home,
    house: &Arc<House>,
    caller: &Caller,
    plan: Plan,
    confirm: Option<&str>,
) -> Result<Done, Error> {
    if !plan.risky.is_empty() {
        let target = plan.confirmed_target(house);
        home.policy().confirm(caller, &plan.service, &target, confirm)?;
    }
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    let target = plan.audit_target(house);
    let service = plan.service.clone();
    let result = Under::start(home, house, &plan)?.finish(home, caller, &target).await;
    let (outcome, reason) = match &result {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(caller, &service, &target, outcome, reason.as_deref());
    result
}

impl Plan {
    /// What is confirmed: the risky entities, the house and the data, codes left out.
    fn confirmed_target(&self, house: &House) -> String {
        let mut data = self.data.clone();
        data.retain(|field, _| !is_secret(field));
        let data = match data.is_empty() {
            true => String::new(),
            false => format!(" with {}", text::clean(&Value::Object(data).to_string(), 2000)),
        };
        format!("{} in the house '{}'{data}", self.risky.join(", "), house.name)
    }

    fn audit_target(&self, house: &House) -> String {
        let ids: Vec<&str> = self.touched.iter().map(|id| &**id).collect();
        match ids.is_empty() {
            true => house.name.to_string(),
            false => format!("{}: {}", house.name, ids.join(", ")),
        }
    }

    fn command(&self) -> Value {
        let (own, name) = self.service.split_once('.').unwrap_or((&self.service, ""));
        let mut command = json!({
            "type": "call_service",
            "domain": own,
            "service": name,
            "service_data": self.data,
            "return_response": self.return_response,
        });
        if !self.touched.is_empty() {
            command["target"] = json!({ "entity_id": self.touched });
        }
        command
    }
}

fn is_secret(field: &str) -> bool {
    ["code", "pin", "password", "token"].iter().any(|word| field.contains(word))
}

/// A call under way.
struct Under {
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
    fn start(home: &Home, house: &Arc<House>, plan: &Plan) -> Result<Under, Error> {
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
        Ok(Under { house: house.clone(), events, asked, watched, return_response })
    }

    async fn finish(mut self, home: &Home, caller: &Caller, target: &str) -> Result<Done, Error> {
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
        Ok(Done { entities: self.verdicts(), response, unanswered: false })
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

    /// Home Assistant is still at it: answer now, and write a later failure to the audit log.
    fn leave(mut self, home: &Home, caller: &Caller, target: &str) -> Done {
        self.judge(None, false);
        let done = Done { entities: self.verdicts(), response: None, unanswered: true };
        let (policy, caller, target) = (home.policy().clone(), caller.clone(), target.to_owned());
        let (asked, within) = (self.asked, self.house.timeout);
        home.tasks().job(async move {
            if let Err(e) = asked.answer(within).await {
                let why = e.to_string();
                policy.record(&caller, "home_call", &target, Outcome::Failed, Some(&why));
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

fn read_answer(json: &str) -> Result<Answer, Error> {
    serde_json::from_str(json)
        .map_err(|e| Error::broken("call_service has an unknown answer").because(e))
}
