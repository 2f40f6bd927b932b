//! Which services a house has, what each may be aimed at and what its data may hold, as
//! `get_services` says. Pure.

use crate::home::entities::fields::{self, Field};
use crate::home::select::domain;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a service may be aimed at.
#[derive(Debug, PartialEq)]
pub(crate) enum Aim {
    /// It takes no target.
    Nothing,
    /// Any entity.
    Anything,
    /// Entities of these domains.
    Domains(Box<[Box<str>]>),
}

/// The services of a house.
#[derive(Default)]
pub(crate) struct Services {
    /// `domain.name`; empty while Home Assistant has not said it.
    all: BTreeMap<Box<str>, Service>,
}

struct Service {
    aim: Aim,
    fields: Box<[Field]>,
}

#[derive(Deserialize)]
struct Said {
    target: Option<Value>,
    fields: Option<Value>,
}

type Answer = BTreeMap<String, BTreeMap<String, Said>>;

impl Services {
    /// Reads the answer to `get_services`.
    ///
    /// # Errors
    /// What the JSON reader says about another shape.
    pub(crate) fn read(json: &str) -> Result<Services, serde_json::Error> {
        let answer: Answer = serde_json::from_str(json)?;
        let all = answer.into_iter().flat_map(|(own, services)| {
            let row = move |(name, said): (String, Said)| {
                let fields = fields::read(said.fields.as_ref());
                (format!("{own}.{name}").into(), Service { aim: said.aim(), fields })
            };
            services.into_iter().map(row)
        });
        Ok(Services { all: all.collect() })
    }

    /// Whether they were ever told.
    pub(crate) fn are_known(&self) -> bool {
        !self.all.is_empty()
    }

    /// Returns what a service may be aimed at; `None` when there is no such service.
    pub(crate) fn aim(&self, service: &str) -> Option<&Aim> {
        self.all.get(service).map(|service| &service.aim)
    }

    /// Returns the fields that its description names; none when there is no such service.
    pub(crate) fn fields(&self, service: &str) -> &[Field] {
        self.all.get(service).map_or(&[], |service| &service.fields)
    }

    /// Returns the services of a domain as `domain.name`.
    pub(crate) fn of<'a>(&'a self, own: &'a str) -> impl Iterator<Item = &'a str> {
        self.names().filter(move |service| domain(service) == own)
    }

    /// Returns all services as `domain.name`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(|service| &**service)
    }

    /// Returns the domains that a service acts on when it is a service of entities: its own domain is
    /// among them. What an integration's own service is aimed at is only its wish for a page, and
    /// Home Assistant judges that.
    pub(crate) fn domains(&self, service: &str) -> Option<&[Box<str>]> {
        match self.aim(service)? {
            Aim::Domains(all) if all.iter().any(|d| **d == *domain(service)) => Some(all),
            _ => None,
        }
    }
}

impl Said {
    fn aim(&self) -> Aim {
        let Some(Value::Object(target)) = &self.target else { return Aim::Nothing };
        let selectors = match target.get("entity") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => Vec::new(),
        };
        let mut domains: Vec<Box<str>> = Vec::new();
        for selector in selectors {
            match selector.get("domain") {
                Some(Value::String(one)) => domains.push(one.as_str().into()),
                Some(Value::Array(list)) => {
                    domains.extend(list.iter().filter_map(Value::as_str).map(Into::into));
                }
                // One that names no domain takes them all.
                _ => return Aim::Anything,
            }
        }
        match domains.is_empty() {
            true => Aim::Anything,
            false => Aim::Domains(domains.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_service_is_aimed_at_is_read_in_every_form() {
        let check = |said: Value, want: Aim| {
            let json = json!({"light": {"turn_on": said.clone()}}).to_string();
            let services = Services::read(&json).unwrap();
            assert_eq!(services.aim("light.turn_on"), Some(&want), "{said}");
        };
        let domains = |all: &[&str]| Aim::Domains(all.iter().map(|&d| d.into()).collect());
        check(json!({"fields": {}}), Aim::Nothing);
        check(json!({"target": null}), Aim::Nothing);
        check(json!({"target": {}}), Aim::Anything);
        check(json!({"target": {"entity": [{}]}}), Aim::Anything);
        check(json!({"target": {"device": [{"integration": "x"}]}}), Aim::Anything);
        check(json!({"target": {"entity": {"domain": "light"}}}), domains(&["light"]));
        check(
            json!({"target": {"entity": [{"domain": ["light", "fan"]}, {"domain": ["x"]}]}}),
            domains(&["light", "fan", "x"]),
        );
        check(
            json!({"target": {"entity": [{"domain": ["a"]}, {"integration": "b"}]}}),
            Aim::Anything,
        );
        assert!(Services::read("null").is_err());
    }
}
