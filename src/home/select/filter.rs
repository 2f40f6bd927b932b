//! What an entity must be like to be found.

use crate::error::Error;
use crate::home::entities::{Cache, Entity};
use crate::home::select::{Sight, area, areas_of_floor, domain, label, there as describe};
use crate::home::text::clean;
use crate::home::view::is_password;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an entity must be like.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    domains: Vec<String>,
    area: Option<Arc<str>>,
    /// The areas of the floor that is asked for.
    floor: Option<BTreeSet<Arc<str>>>,
    label: Option<Arc<str>>,
    state: Option<StateTest>,
    changed_after: Option<f64>,
}

/// A filter as a caller writes it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) domain: Option<&'a str>,
    pub(crate) area: Option<&'a str>,
    pub(crate) floor: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) changed_within: Option<&'a str>,
}

impl Filter {
    /// Reads what a caller wrote; `now` is seconds since 1970.
    ///
    /// # Errors
    /// NotFound for an area, floor or label that is not there, Invalid for a time that is none.
    pub(crate) fn read(
        cache: &Cache,
        sight: Sight<'_>,
        wanted: Wanted<'_>,
        now: f64,
    ) -> Result<Filter, Error> {
        let list = |text: &str| -> Vec<String> {
            text.split(',')
                .map(|item| item.trim().to_lowercase())
                .filter(|d| !d.is_empty())
                .collect()
        };
        let changed_after = match wanted.changed_within {
            Some(text) => Some(now - seconds(text)?),
            None => None,
        };
        Ok(Filter {
            domains: wanted.domain.map(list).unwrap_or_default(),
            area: wanted.area.map(|name| area(cache, sight, name)).transpose()?,
            floor: wanted.floor.map(|name| areas_of_floor(cache, sight, name)).transpose()?,
            label: wanted.label.map(|name| label(cache, sight, name)).transpose()?,
            state: wanted.state.map(StateTest::read),
            changed_after,
        })
    }

    /// Returns what of the filter fits nothing in the house, in sentences: a domain without an
    /// entity, a state that none of those meant is in.
    ///
    /// # Errors
    /// NotFound when no entity at all is of the domains: says what there is.
    pub(crate) fn strangers(&self, cache: &Cache, sight: Sight<'_>) -> Result<Vec<String>, Error> {
        let mut there: Vec<&str> = sight.iter(cache).map(|(id, _)| domain(id)).collect();
        there.dedup();
        let is_strange = |own: &&String| !there.contains(&own.as_str());
        let strange: Vec<&String> = self.domains.iter().filter(is_strange).collect();
        let mut sentences: Vec<String> = strange
            .iter()
            .map(|own| {
                let known = describe("domain with entities", own, there.clone());
                format!("no entity here is of the domain '{}'{known}", clean(own, 60))
            })
            .collect();
        if !strange.is_empty() && strange.len() == self.domains.len() {
            return Err(Error::not_found(sentences.swap_remove(0)));
        }
        sentences.extend(self.strange_states(cache, sight));
        Ok(sentences)
    }

    /// Says which wanted state none of the entities is in; it may still be one they can have.
    fn strange_states(&self, cache: &Cache, sight: Sight<'_>) -> Option<String> {
        let wanted = match self.state.as_ref()? {
            StateTest::OneOf(list) | StateTest::NoneOf(list) => list,
            StateTest::Number(..) => return None,
        };
        let meant = sight.iter(cache).filter(|(id, entity)| self.fits_place(id, entity));
        let states: BTreeSet<String> = meant
            .filter(|(_, entity)| !is_password(entity))
            .map(|(_, entity)| entity.state.to_lowercase())
            .collect();
        if states.is_empty() {
            return None;
        }
        let strange = wanted.iter().find(|state| !states.contains(*state))?;
        let known = describe("state", strange, states.iter().map(String::as_str).collect());
        Some(format!("none of these is in the state '{}' now{known}", clean(strange, 60)))
    }

    /// Whether an entity is like that.
    pub(crate) fn fits(&self, id: &str, entity: &Entity) -> bool {
        self.fits_place(id, entity)
            && self.state.as_ref().is_none_or(|test| {
                // Nobody guesses a password by asking for it.
                test.fits(&entity.state) && !is_password(entity)
            })
            && self.changed_after.is_none_or(|after| entity.changed >= after)
    }

    /// Whether an entity is where it should be, whatever its state.
    pub(crate) fn fits_place(&self, id: &str, entity: &Entity) -> bool {
        let in_domain = self.domains.is_empty() || self.domains.iter().any(|d| d == domain(id));
        let in_area = self.area.is_none() || self.area == entity.area;
        let on_floor = self
            .floor
            .as_ref()
            .is_none_or(|areas| entity.area.as_ref().is_some_and(|area| areas.contains(area)));
        let labelled = self.label.as_ref().is_none_or(|label| entity.labels.contains(label));
        in_domain && in_area && on_floor && labelled
    }

    /// Whether a state is the one asked for.
    pub(crate) fn fits_state(&self, state: &str) -> bool {
        self.state.as_ref().is_none_or(|test| test.fits(state))
    }

    /// Whether a state is asked for at all.
    pub(crate) fn wants_state(&self) -> bool {
        self.state.is_some()
    }
}

/// What a state must be: `on`, `on,open`, `!off`, `>20`, `<=5`.
#[derive(Debug, PartialEq)]
pub(crate) enum StateTest {
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Number(Compare, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Compare {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl StateTest {
    /// Reads a test; what is no comparison is a list of states.
    pub(crate) fn read(text: &str) -> StateTest {
        let text = text.trim();
        let forms = [
            ("<=", Compare::AtMost),
            (">=", Compare::AtLeast),
            ("<", Compare::Less),
            (">", Compare::More),
        ];
        for (sign, compare) in forms {
            let number = text.strip_prefix(sign).and_then(|rest| rest.trim().parse().ok());
            if let Some(number) = number {
                return StateTest::Number(compare, number);
            }
        }
        let list = |text: &str| text.split(',').map(|s| s.trim().to_lowercase()).collect();
        match text.strip_prefix('!') {
            Some(rest) => StateTest::NoneOf(list(rest)),
            None => StateTest::OneOf(list(text)),
        }
    }

    /// Whether `state` passes.
    pub(crate) fn fits(&self, state: &str) -> bool {
        let is = |wanted: &String| state.to_lowercase() == *wanted;
        match self {
            StateTest::OneOf(list) => list.iter().any(is),
            StateTest::NoneOf(list) => !list.iter().any(is),
            StateTest::Number(compare, wanted) => match (state.parse::<f64>(), compare) {
                (Ok(number), Compare::Less) => number < *wanted,
                (Ok(number), Compare::AtMost) => number <= *wanted,
                (Ok(number), Compare::More) => number > *wanted,
                (Ok(number), Compare::AtLeast) => number >= *wanted,
                (Err(_), _) => false,
            },
        }
    }
}

/// Reads `90`, `90s`, `30m`, `2h` or `1d` as seconds.
///
/// # Errors
/// Invalid when it is none of these.
pub(crate) fn seconds(text: &str) -> Result<f64, Error> {
    let text = text.trim();
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let unit = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => f64::NAN,
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number >= 0.0 && (number * unit).is_finite() => Ok(number * unit),
        _ => Err(Error::invalid(format!(
            "'{}' is no span of time; write 90s, 30m, 2h or 1d",
            text.chars().take(30).collect::<String>()
        ))),
    }
}
