//! `/events`: what happens, told as it happens, to whoever may know it.
//!
//! Fed by the bus; read by the page and by scripts. A reader names what it wants
//! (`?event=entity&house=home&entity_id=light.*`), comes back with `Last-Event-ID`, and is told
//! (`event: lost`) when events are gone for good. The stream ends when its token is revoked or its
//! page session closed.

use crate::error::Error;
use crate::events::Event;
use crate::http::{HeaderMap, Query, Response, State, guard, sse};
use crate::policy::{Caller, EntityFacts, Level, Policy};
use crate::tasks::Tasks;
use crate::web::{MaybeCaller, Page, Web, required};
use std::sync::Arc;
use std::time::Duration;

/// How often a stream looks whether its page session still stands.
const LOOK: Duration = Duration::from_secs(15);
/// Names in one filter at most.
const MOST: usize = 64;

/// What a reader wants: each a list with commas, `*` at the end of a name stands for any rest.
/// An event that has no such field does not pass.
#[derive(Debug, Default)]
struct Filter {
    event: Option<String>,
    house: Option<String>,
    entity_id: Option<String>,
    area: Option<String>,
    domain: Option<String>,
    service: Option<String>,
}

impl Filter {
    /// Reads what stands in the address.
    fn read(given: Vec<(String, String)>) -> Result<Filter, Error> {
        let mut filter = Filter::default();
        for (name, list) in given {
            let place = match name.as_str() {
                "event" => &mut filter.event,
                "house" => &mut filter.house,
                "entity_id" => &mut filter.entity_id,
                "area" => &mut filter.area,
                "domain" => &mut filter.domain,
                "service" => &mut filter.service,
                _ => {
                    let name = shown(&name);
                    return Err(Error::invalid(format!(
                        "/events has no filter '{name}'; there is: area, domain, entity_id, \
                         event, house, service"
                    )));
                }
            };
            if list.split(',').count() > MOST {
                let text = format!("the filter '{name}' of /events names more than {MOST}");
                return Err(Error::invalid(text));
            }
            if place.replace(list).is_some() {
                return Err(Error::invalid(format!(
                    "the filter '{name}' of /events is given twice; put commas between its names"
                )));
            }
        }
        filter.check_events()?;
        Ok(filter)
    }

    /// A misspelled event would be waited for without end.
    fn check_events(&self) -> Result<(), Error> {
        for one in names(&self.event) {
            let known = Event::NAMES.iter().any(|name| matches(&Some(one.to_owned()), Some(name)));
            if !known {
                let names = Event::NAMES.join(", ");
                let one = shown(one);
                return Err(Error::invalid(format!(
                    "there is no event '{one}'; there is: {names}"
                )));
            }
        }
        Ok(())
    }

    /// A house, a place or a part of Hearth that is not there would be waited for as well.
    fn check_values(&self, caller: &Caller, web: &Web) -> Result<(), Error> {
        let places = [("house", &self.house), ("area", &self.area), ("domain", &self.domain)];
        for (filter, list) in places {
            for one in names(list).filter(|one| !one.ends_with('*')) {
                for check in web.parts.pages.iter().filter_map(|page| page.check.as_ref()) {
                    check(caller, filter, one)?;
                }
            }
        }
        let parts = web.parts.tasks.health();
        for one in names(&self.service) {
            let is_there = |name: &str| matches(&Some(one.to_owned()), Some(name));
            if !parts.iter().any(|part| is_there(part.name)) {
                let all: Vec<&str> = parts.iter().map(|part| part.name).collect();
                return Err(Error::not_found(format!(
                    "there is no service '{}'; there is: {}",
                    shown(one),
                    all.join(", ")
                )));
            }
        }
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        let (house, entity, area, service) = match event {
            Event::Entity(e) => (Some(&*e.house), Some(&*e.entity_id), e.area.as_deref(), None),
            Event::House(h) => (Some(&*h.house), None, None, None),
            Event::Service(s) => (None, None, None, Some(&*s.service)),
            Event::Audit(_) | Event::Approval(_) => (None, None, None, None),
        };
        let domain = entity.map(|id| id.split_once('.').map_or(id, |(domain, _)| domain));
        matches(&self.event, Some(event.name()))
            && matches(&self.house, house)
            && matches(&self.entity_id, entity)
            && matches(&self.area, area)
            && matches(&self.domain, domain)
            && matches(&self.service, service)
    }
}

/// The names in a filter.
fn names(list: &Option<String>) -> impl Iterator<Item = &str> {
    list.iter().flat_map(|list| list.split(',')).map(str::trim)
}

/// A name as an error repeats it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn matches(wanted: &Option<String>, has: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return true };
    let Some(has) = has else { return false };
    wanted.split(',').map(str::trim).any(|one| match one.strip_suffix('*') {
        Some(start) => has.starts_with(start),
        None => has == one,
    })
}

/// Whether `caller` may know of `event` at all.
fn may_know(caller: &Caller, pages: &[Page], event: &Event) -> bool {
    let owner = pages.iter().find(|page| page.events.contains(&event.name()));
    if owner.is_some_and(|page| !caller.grant.covers(page.name, Level::Read)) {
        return false;
    }
    match event {
        Event::Entity(e) => caller.grant.entities.permits(EntityFacts {
            entity_id: &e.entity_id,
            area: e.area.as_deref(),
            labels: &e.labels,
            exposed: e.exposed,
        }),
        Event::Audit(a) => caller.grant.covers("web", Level::Admin) || *a.who == *caller.name,
        Event::Approval(a) => caller.grant.covers("web", Level::Admin) || *a.who == *caller.name,
        Event::House(_) | Event::Service(_) => true,
    }
}

/// Answers `/events`.
pub(super) async fn events(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    headers: HeaderMap,
    Query(given): Query<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let caller = required(caller)?;
    let filter = Filter::read(given)?;
    filter.check_values(&caller, &web)?;
    let after = sse::last_event_id(&headers);
    let until = until_barred(&web.parts.policy, &web.parts.tasks, &caller, &headers);
    let bus = web.parts.events.clone();
    let keep =
        move |event: &Event| filter.wants(event) && may_know(&caller, &web.parts.pages, event);
    Ok(sse::answer(&bus, after, keep, until))
}

/// Returns a future that ends when the caller may no longer listen: its token is revoked, its page
/// session (the cookie among `headers`) closed, or Hearth ends. For every route that streams.
pub fn until_barred(
    policy: &Policy,
    tasks: &Tasks,
    caller: &Caller,
    headers: &HeaderMap,
) -> impl Future<Output = ()> + Send + 'static {
    let session = guard::session_cookie(headers).map(str::to_owned);
    let (policy, stopping, caller) = (policy.clone(), tasks.stopping(), caller.clone());
    async move {
        let mut revoked = policy.revoked();
        loop {
            // Looking comes first: what was revoked before this ran for the first time is not told
            // again.
            let closed = session.as_ref().is_some_and(|s| policy.caller_of_page(s).is_none());
            if closed || !policy.is_live(&caller) {
                return;
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = revoked.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Audit, Entity, House, HouseChange, Service};
    use crate::policy::{EntityScope, Grant, Via};

    fn light() -> Event {
        Event::Entity(Entity {
            house: "home".into(),
            entity_id: "light.kitchen".into(),
            state: Some("on".into()),
            old_state: Some("off".into()),
            name: None,
            area: Some("kitchen".into()),
            labels: Vec::new().into(),
            exposed: false,
            changed: 0.0,
        })
    }

    fn service() -> Event {
        Event::Service(Service { service: "store".into(), state: "up", reason: None })
    }

    fn audit(who: &str) -> Event {
        Event::Audit(Audit {
            at: 0.0,
            who: who.into(),
            via: "http",
            action: "x".into(),
            target: String::new(),
            outcome: "allowed",
            reason: None,
            ms: None,
        })
    }

    #[test]
    fn a_filter_passes_what_has_each_named_field() {
        let check = |query: &str, event: &Event, want: bool| {
            let filter = read(query).unwrap();
            assert_eq!(filter.wants(event), want, "{query}");
        };
        check("", &light(), true);
        check("event=entity", &light(), true);
        check("event=house,service", &light(), false);
        check("entity_id=light.*", &light(), true);
        check("entity_id=light.kit", &light(), false);
        check("entity_id=lock.*,light.kitchen", &light(), true);
        check("entity_id=light.*", &service(), false);
        check("house=home&area=kitchen", &light(), true);
        check("house=cabin", &light(), false);
        check("domain=lock,light", &light(), true);
        check("domain=lig*", &light(), true);
        check("domain=switch", &light(), false);
        check("domain=light", &service(), false);
        check("service=store", &service(), true);
        let lost = Event::House(House { house: "home".into(), change: HouseChange::Lost });
        check("house=home", &lost, true);
    }

    fn read(query: &str) -> Result<Filter, Error> {
        let uri = format!("http://h/events?{query}").parse().unwrap();
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap();
        Filter::read(given)
    }

    #[test]
    fn a_filter_that_can_never_pass_anything_is_refused_with_what_there_is() {
        for (query, want) in [
            (
                "entity=x",
                "/events has no filter 'entity'; there is: area, domain, entity_id, event",
            ),
            ("event=entity,entitty", "there is no event 'entitty'; there is: service, entity"),
            ("event=x*", "there is no event 'x*'"),
            ("area=a&area=b", "the filter 'area' of /events is given twice"),
        ] {
            let e = read(query).unwrap_err().to_string();
            assert!(e.starts_with(want), "{query}: {e}");
        }
        assert!(read("event=ent*,service").is_ok());
    }

    #[test]
    fn nobody_is_told_what_it_may_not_know() {
        let page =
            Page { name: "rooms", title: "Rooms", events: &["entity"], summary: None, check: None };
        let check = |grant: Grant, event: Event, want: bool| {
            let (name, grant) = ("tablet".into(), Arc::new(grant));
            let caller = Caller { name, via: Via::Http, grant, token: 7, underway: None };
            assert_eq!(may_know(&caller, std::slice::from_ref(&page), &event), want, "{event:?}");
        };
        let scoped = |scope: EntityScope| Grant { entities: scope, ..Grant::default() };
        let only = |service: &str| Grant { services: vec![service.into()], ..Grant::default() };
        check(Grant::default(), light(), true);
        check(scoped(EntityScope { exposed_only: true, ..Default::default() }), light(), false);
        check(
            scoped(EntityScope { deny: vec!["light.*".into()], ..Default::default() }),
            light(),
            false,
        );
        check(only("rooms"), light(), true);
        check(only("other"), light(), false);
        check(Grant::default(), audit("somebody"), false);
        check(Grant::default(), audit("tablet"), true);
        check(Grant::admin(), audit("somebody"), true);
        check(only("other"), service(), true);
    }
}
