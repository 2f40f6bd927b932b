//! Finds ids in configurations, and writes others in their place. Pure.
//!
//! An id counts where it stands as a word of its own: as a whole value, in a list, in a list written
//! with commas, as a key, and inside templates (`states('light.a')`, `states.light.a.state`). What a
//! template puts together at run time nobody can find. A service that is named like an entity
//! (`action: script.a`) is no mention of the entity: it keeps its name when the entity loses its own.

use crate::error::Error;
use serde_json::{Map, Value};

/// Deeper configurations are not looked into.
const DEEPEST: usize = 64;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Needle {
    /// An id that means the same wherever it stands: of an entity, a device, a registry entry.
    Word(String),
    /// The name of a service.
    Service(String),
    /// A word that is an id only below keys that begin with `stem`, or in quotes in a template that
    /// names `stem`: of an area, a floor, a label.
    Below {
        /// `area`, `floor` or `label`.
        stem: &'static str,
        /// The id.
        id: String,
    },
}

/// One place where something is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Like `actions[0].target.entity_id`.
    pub(crate) path: String,
    /// The whole text there; the key itself where a key is meant.
    pub(crate) text: String,
}

/// Returns every place of `value` where one of `needles` stands, in the order of the text.
pub(crate) fn mentions(value: &Value, needles: &[Needle]) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut walk = Walk { needles, path: Vec::new(), found: &mut found };
    walk.value(value, 0);
    found
}

/// Returns `value` with `to` wherever the id `from` stood.
///
/// # Errors
/// Conflict when an object has the new id as a key already.
pub(crate) fn rewritten(value: &Value, from: &str, to: &str) -> Result<Value, Error> {
    Ok(match value {
        Value::String(text) => Value::String(replaced(text, from, to)),
        Value::Array(items) => {
            let items = items.iter().map(|item| rewritten(item, from, to));
            Value::Array(items.collect::<Result<_, Error>>()?)
        }
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, field) in fields {
                let new = match field {
                    Value::String(text) if is_service(key) && text.trim() == from => field.clone(),
                    field => rewritten(field, from, to)?,
                };
                let key = replaced(key, from, to);
                if out.insert(key.clone(), new).is_some() {
                    return Err(Error::conflict(format!("it has an entry for '{key}' already")));
                }
            }
            Value::Object(out)
        }
        other => other.clone(),
    })
}

/// Returns `text` with `to` wherever `from` stands as a word.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for at in places(text, from) {
        out.push_str(&text[done..at]);
        out.push_str(to);
        done = at + from.len();
    }
    out.push_str(&text[done..]);
    out
}

/// Where `word` stands in `text` as a word of its own, whatever its case.
fn places(text: &str, word: &str) -> Vec<usize> {
    if word.is_empty() || text.len() < word.len() {
        return Vec::new();
    }
    // The length of an ASCII letter is the same in both cases.
    let low = text.to_ascii_lowercase();
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let stands = |at: &usize| {
        let (before, after) = (&low[..*at], &low[*at + word.len()..]);
        let of_states = before.strip_suffix("states.");
        let begins = match (of_states, before.chars().next_back()) {
            (Some(rest), _) => !rest.ends_with(|c| inside(c) || c == '.'),
            (None, Some(c)) => !inside(c) && c != '.',
            (None, None) => true,
        };
        // `light.a.png` is a file; `states.light.a.state` is the entity.
        let goes_on = match after.strip_prefix('.') {
            Some(rest) => of_states.is_none() && rest.starts_with(inside),
            None => after.starts_with(inside),
        };
        begins && !goes_on
    };
    low.match_indices(&word.to_ascii_lowercase()).map(|(at, _)| at).filter(stands).collect()
}

/// Whether a key's text names a service.
fn is_service(key: &str) -> bool {
    ["action", "service", "perform_action"].contains(&key)
}

enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

struct Walk<'v, 'f> {
    needles: &'f [Needle],
    path: Vec<Step<'v>>,
    found: &'f mut Vec<Mention>,
}

impl<'v> Walk<'v, '_> {
    fn value(&mut self, value: &'v Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value {
            Value::String(text) if self.stands(text, false) => self.note(text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push(Step::Index(index));
                    self.value(item, depth + 1);
                    self.path.pop();
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    let is_mention = self.stands(key, true);
                    self.path.push(Step::Key(key));
                    if is_mention {
                        self.note(key);
                    }
                    self.value(field, depth + 1);
                    self.path.pop();
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, text: &str) {
        self.found.push(Mention { path: self.written(), text: text.to_owned() });
    }

    fn stands(&self, text: &str, is_key: bool) -> bool {
        let at_service = match self.path.last() {
            Some(Step::Key(key)) => !is_key && is_service(key),
            _ => false,
        };
        self.needles.iter().any(|needle| match needle {
            Needle::Word(id) => {
                let is_service = at_service && text.trim() == id.as_str();
                !is_service && !places(text, id).is_empty()
            }
            Needle::Service(name) => at_service && text.trim() == name.as_str(),
            Needle::Below { stem, id } => self.stands_below(text, stem, id),
        })
    }

    fn stands_below(&self, text: &str, stem: &str, id: &str) -> bool {
        if text.contains("{{") || text.contains("{%") {
            let quoted = |q: char| text.contains(&format!("{q}{id}{q}"));
            return text.contains(stem) && (quoted('\'') || quoted('"'));
        }
        let below = |step: &Step<'_>| matches!(step, Step::Key(key) if key.starts_with(stem));
        self.path.iter().any(below) && text.split(',').any(|part| part.trim() == id)
    }

    fn written(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            match step {
                Step::Index(index) => out.push_str(&format!("[{index}]")),
                Step::Key(key) if key.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(key);
                }
                Step::Key(key) => out.push_str(&format!("[\"{key}\"]")),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn word(id: &str) -> Vec<Needle> {
        vec![Needle::Word(id.into())]
    }

    fn paths(value: &Value, needles: &[Needle]) -> Vec<String> {
        mentions(value, needles).into_iter().map(|mention| mention.path).collect()
    }

    #[test]
    fn an_id_counts_only_as_a_word_of_its_own() {
        let check = |text: &str, want: &str| {
            assert_eq!(replaced(text, "light.a", "light.new_b"), want, "{text}");
        };
        check("light.a", "light.new_b");
        check("Light.A", "light.new_b");
        check("light.ab, light.a,light.a_b", "light.ab, light.new_b,light.a_b");
        check("{{ states('light.a') }}", "{{ states('light.new_b') }}");
        check("{{ states.light.a.state }}", "{{ states.light.new_b.state }}");
        check("{{ my.states.light.a }}", "{{ my.states.light.a }}");
        check("Look at light.a. Now.", "Look at light.new_b. Now.");
        check("/local/light.a.png", "/local/light.a.png");
        check("flight.a", "flight.a");
        check("sensor.light.a", "sensor.light.a");
        check("für light.a – ä", "für light.new_b – ä");
        check("älight.a", "älight.a");
        check("light.ä", "light.ä");
    }

    #[test]
    fn mentions_are_found_in_every_form_and_say_where() {
        let config = json!({
            "triggers": [{"entity_id": ["light.a", "light.b"]}],
            "actions": [
                {"action": "light.turn_on", "target": {"entity_id": "light.b, light.a"}},
                {"scene": "scene.x", "snapshot": {"light.a": {"state": "on"}}},
                {"if": "{{ is_state('light.a', 'on') }}"},
            ],
            "mode": "single",
        });
        let want = [
            "triggers[0].entity_id[0]",
            "actions[0].target.entity_id",
            "actions[1].snapshot[\"light.a\"]",
            "actions[2].if",
        ];
        assert_eq!(paths(&config, &word("light.a")), want);
        let new = rewritten(&config, "light.a", "light.c").unwrap();
        assert_eq!(paths(&new, &word("light.c")), want.map(|path| path.replace(".a", ".c")));
        assert!(paths(&new, &word("light.a")).is_empty());
        // There and back is the same, to the order of the keys.
        assert_eq!(rewritten(&new, "light.c", "light.a").unwrap().to_string(), config.to_string());
    }

    #[test]
    fn a_service_named_like_an_entity_stays() {
        let config = json!({"actions": [{"action": "script.a"}, {"action": "script.turn_on",
                            "target": {"entity_id": "script.a"}}]});
        assert_eq!(paths(&config, &word("script.a")), ["actions[1].target.entity_id"]);
        let service = [Needle::Service("script.a".into())];
        assert_eq!(paths(&config, &service), ["actions[0].action"]);
        let new = rewritten(&config, "script.a", "script.b").unwrap();
        assert_eq!(new["actions"][0]["action"], "script.a");
        assert_eq!(new["actions"][1]["target"]["entity_id"], "script.b");
    }

    #[test]
    fn areas_count_only_where_areas_are_meant() {
        let needle = [Needle::Below { stem: "area", id: "kitchen".into() }];
        let config = json!({
            "alias": "kitchen",
            "actions": [{"target": {"area_id": ["hall", "kitchen"]}}, {"target": {"area_id": "kitchen"}}],
            "condition": "{{ area_entities('kitchen') | length > 0 }}",
            "message": "{{ 'kitchen' }}",
            "strategy": {"areas_display": {"hidden": ["kitchen"]}},
        });
        let want = [
            "actions[0].target.area_id[1]",
            "actions[1].target.area_id",
            "condition",
            "strategy.areas_display.hidden[0]",
        ];
        assert_eq!(paths(&config, &needle), want);
    }

    #[test]
    fn a_key_that_would_stand_twice_is_refused() {
        let config = json!({"entities": {"light.a": 1, "light.b": 2}});
        assert!(rewritten(&config, "light.a", "light.b").is_err());
    }
}
