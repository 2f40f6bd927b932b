//! What an identity may do: a level, the services it is for, and the entities it may touch.

use crate::config::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a caller may go. Each level holds the ones before it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Look, change nothing.
    #[default]
    Read,
    /// Use the house: switch lights, call services.
    Control,
    /// Change Hearth and the house's configuration.
    Admin,
}

impl Level {
    /// Returns the word used in tokens and configuration.
    pub fn word(self) -> &'static str {
        match self {
            Level::Read => "read",
            Level::Control => "control",
            Level::Admin => "admin",
        }
    }
}

/// Which entities a caller sees and may touch. Empty lists do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EntityScope {
    /// Only entities that the house exposes to assistants.
    pub exposed_only: bool,
    /// Only entities in these areas (area ids).
    pub areas: Vec<String>,
    /// Only entities with one of these labels (label ids).
    pub labels: Vec<String>,
    /// Never these: entity ids, or `lock.*` for a whole domain.
    pub deny: Vec<String>,
}

/// What the scope needs to know of an entity.
#[derive(Clone, Copy, Debug)]
pub struct EntityFacts<'a> {
    /// For example `light.kitchen`.
    pub entity_id: &'a str,
    /// Area id of the entity or its device.
    pub area: Option<&'a str>,
    /// Label ids of the entity and its device.
    pub labels: &'a [std::sync::Arc<str>],
    /// Whether the house exposes it to assistants.
    pub exposed: bool,
}

impl EntityScope {
    /// Whether nothing is restricted.
    pub fn is_open(&self) -> bool {
        *self == EntityScope::default()
    }

    /// Whether the caller may see and touch this entity. What it may not, it is not told exists.
    pub fn permits(&self, entity: EntityFacts<'_>) -> bool {
        let denied = self.deny.iter().any(|rule| match rule.strip_suffix(".*") {
            Some(domain) => entity.entity_id.split_once('.').is_some_and(|(d, _)| d == domain),
            None => rule == entity.entity_id,
        });
        let area = self.areas.is_empty()
            || entity.area.is_some_and(|area| self.areas.iter().any(|a| a == area));
        let label = self.labels.is_empty()
            || entity.labels.iter().any(|label| self.labels.iter().any(|l| l.as_str() == &**label));
        !denied && area && label && (entity.exposed || !self.exposed_only)
    }
}

/// What an identity may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// How far.
    pub level: Level,
    /// Only these services; empty means all.
    pub services: Vec<String>,
    /// Only these entities.
    pub entities: EntityScope,
}

impl Grant {
    /// Everything.
    pub fn admin() -> Grant {
        Grant { level: Level::Admin, ..Grant::default() }
    }

    /// Whether it reaches `level` in `service`.
    pub fn covers(&self, service: &str, level: Level) -> bool {
        self.level >= level
            && (self.services.is_empty() || self.services.iter().any(|s| s == service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn entity_scope_narrows_by_each_rule() {
        let labels: [Arc<str>; 1] = ["critical".into()];
        let lamp = EntityFacts {
            entity_id: "light.kitchen",
            area: Some("kitchen"),
            labels: &labels,
            exposed: false,
        };
        let check =
            |scope: EntityScope, want: bool| assert_eq!(scope.permits(lamp), want, "{scope:?}");
        let list = |s: &str| vec![s.to_owned()];
        check(EntityScope::default(), true);
        check(EntityScope { exposed_only: true, ..Default::default() }, false);
        check(EntityScope { areas: list("kitchen"), ..Default::default() }, true);
        check(EntityScope { areas: list("bedroom"), ..Default::default() }, false);
        check(EntityScope { labels: list("critical"), ..Default::default() }, true);
        check(EntityScope { labels: list("fun"), ..Default::default() }, false);
        check(EntityScope { deny: list("light.*"), ..Default::default() }, false);
        check(EntityScope { deny: list("light.kitchen"), ..Default::default() }, false);
        check(EntityScope { deny: list("light.kit"), ..Default::default() }, true);
        check(EntityScope { deny: list("lock.*"), ..Default::default() }, true);
    }

    #[test]
    fn a_grant_covers_lower_levels_of_its_services() {
        let g = Grant { level: Level::Control, services: vec!["home".into()], ..Grant::default() };
        assert!(g.covers("home", Level::Read) && g.covers("home", Level::Control));
        assert!(!g.covers("home", Level::Admin) && !g.covers("mqtt", Level::Read));
    }
}
