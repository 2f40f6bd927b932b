//! Ranks entities by how well they fit what a person typed. Pure.
//!
//! A whole id or name comes first, then beginnings, then words in the id, name, area or labels, then
//! words that are nearly right.

use crate::home::entities::{Cache, Entity};
use std::sync::Arc;

/// Words less alike than this do not count as the same word misspelt.
const ALIKE: f64 = 0.82;

/// How well an entity fits its own id.
const EXACT: u32 = 1000;

/// A query, prepared once for many entities.
pub(crate) struct Query {
    whole: String,
    words: Vec<String>,
}

/// How well an entity fits.
struct Fit {
    score: u32,
    /// So many words it has.
    met: usize,
    /// So many of these are long.
    long: usize,
}

/// Whether a word is likely to name something; the shorter ones are mostly `the`, `in` and `der`.
fn is_long(word: &str) -> bool {
    word.chars().count() >= 4
}

impl Query {
    /// Prepares what a person typed; `None` when there is nothing to look for.
    pub(crate) fn read(text: &str) -> Option<Query> {
        let whole = text.trim().to_lowercase();
        let words = words(&whole);
        (!words.is_empty()).then_some(Query { whole, words })
    }

    /// Returns those of `entities` that fit, each with how well from 1 to 1,000, and whether they fit
    /// every word. When none does, those come that fit most of the words, half of the long ones at
    /// least: `the lamp in the hall` has words that no entity has.
    pub(crate) fn among<'c>(
        &self,
        cache: &Cache,
        entities: impl Iterator<Item = (&'c Arc<str>, &'c Entity)>,
    ) -> (Vec<(u32, &'c Arc<str>)>, bool) {
        let (mut whole, mut part, mut most) = (Vec::new(), Vec::new(), 0);
        let all_long = self.words.iter().filter(|word| is_long(word)).count();
        for (id, entity) in entities {
            let Fit { score, met, long } = self.fit(cache, id, entity);
            if met == self.words.len() {
                whole.push((score, id));
            } else if long > 0 && long * 2 >= all_long && met >= most {
                if met > most {
                    (most, part) = (met, Vec::new());
                }
                part.push((score, id));
            }
        }
        // Whoever gives a whole id means that one, not those whose ids begin like it.
        if whole.iter().any(|(score, _)| *score == EXACT) {
            whole.retain(|(score, _)| *score == EXACT);
        }
        match whole.is_empty() {
            true => (part, false),
            false => (whole, true),
        }
    }

    fn fit(&self, cache: &Cache, id: &str, entity: &Entity) -> Fit {
        let sure = |score| Fit { score, met: self.words.len(), long: 0 };
        let name = entity.name.as_deref().unwrap_or_default().to_lowercase();
        let object = id.split_once('.').map_or(id, |(_, object)| object);
        if self.whole == id {
            return sure(EXACT);
        }
        if self.whole == name || self.whole == object {
            return sure(950);
        }
        if name.starts_with(&self.whole) || object.starts_with(&self.whole) {
            return sure(900);
        }
        let near = words(&format!("{id} {name}"));
        let far = words(&self.surroundings(cache, id, entity));
        let (mut sum, mut met, mut long) = (0.0, 0, 0);
        for word in &self.words {
            let best = best(word, &near).max(best(word, &far) * 0.6);
            met += usize::from(best > 0.0);
            long += usize::from(best > 0.0 && is_long(word));
            sum += best;
        }
        let mean = sum / self.words.len() as f64;
        // Of equally good ones, the one with fewer other words is meant more likely.
        let extra = near.len().saturating_sub(self.words.len()).min(20) as f64;
        Fit { score: ((mean * 850.0) - extra * 4.0).max(1.0) as u32, met, long }
    }

    fn surroundings(&self, cache: &Cache, id: &str, entity: &Entity) -> String {
        let registry = &cache.registry;
        let mut text = String::new();
        let area = entity.area.as_ref().and_then(|area| registry.areas.get(area));
        if let Some(area) = area {
            text.push_str(&area.name);
            for alias in &area.aliases {
                text.push(' ');
                text.push_str(alias);
            }
            if let Some(floor) = area.floor.as_ref().and_then(|floor| registry.floors.get(floor)) {
                text.push(' ');
                text.push_str(&floor.name);
            }
        }
        for label in entity.labels.iter().filter_map(|label| registry.labels.get(label)) {
            text.push(' ');
            text.push_str(&label.name);
        }
        let entry = registry.entries.get(id);
        let device = entry.and_then(|entry| registry.devices.get(entry.device.as_ref()?));
        if let Some(device) = device {
            for part in [device.name(), device.manufacturer.as_ref(), device.model.as_ref()] {
                text.push(' ');
                text.push_str(part.map_or("", |part| part));
            }
        }
        text.to_lowercase()
    }
}

/// How well `word` is among `others`, from 0 to 1.
fn best(word: &str, others: &[String]) -> f64 {
    others.iter().map(|other| likeness(word, other)).fold(0.0, f64::max)
}

fn likeness(word: &str, other: &str) -> f64 {
    if word == other {
        return 1.0;
    }
    // `light` and `lights` are one word; so is what somebody has not finished typing.
    if word.len() >= 2 && other.starts_with(word) || other.len() >= 4 && word.starts_with(other) {
        return 0.9;
    }
    if word.len() >= 3 && other.contains(word) {
        return 0.75;
    }
    if word.len() < 4 || other.len() < 4 {
        return 0.0;
    }
    let alike = strsim::normalized_damerau_levenshtein(word, other)
        .max(strsim::jaro_winkler(word, other) - 0.08);
    if alike >= ALIKE { alike * 0.7 } else { 0.0 }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(24)
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::entities::Shelf;
    use serde_json::json;

    fn house() -> Cache {
        let mut cache = Cache::new("home".into(), 100);
        let named = |name: &str| json!({"s": "on", "a": {"friendly_name": name}, "c": "", "lc": 1});
        let states = json!({"a": {
            "light.kitchen_lights": named("Kitchen Lights"),
            "light.kitchen_table": named("Table"),
            "sensor.outside_temperature": named("Outside Temperature"),
            "switch.decorative_lights": named("Decorative Lights"),
            "cover.hall_window": named("Hall Window"),
            "media_player.lounge_room": named("Lounge room"),
        }});
        cache.apply(&states.to_string(), true).unwrap();
        let areas = json!([{"area_id": "living", "name": "Living Room", "aliases": ["salon"]}]);
        cache.set_registry(Shelf::Areas, &areas.to_string()).unwrap();
        let entries = json!({"entities": [{"ei": "media_player.lounge_room", "ai": "living"}]});
        cache.set_registry(Shelf::Entries, &entries.to_string()).unwrap();
        cache
    }

    #[test]
    fn the_best_fit_comes_first() {
        let cache = house();
        let check = |text: &str, want: &[&str]| {
            let query = Query::read(text).unwrap();
            let (got, _) = query.among(&cache, cache.iter());
            let mut got: Vec<(u32, &str)> = got.into_iter().map(|(n, id)| (n, &**id)).collect();
            got.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            let ids: Vec<&str> = got.iter().map(|(_, id)| *id).collect();
            assert_eq!(ids, want, "{text}: {got:?}");
        };
        check("light.kitchen_table", &["light.kitchen_table"]);
        check("kitchen lights", &["light.kitchen_lights", "light.kitchen_table"]);
        check("kichen", &["light.kitchen_table", "light.kitchen_lights"]);
        check("temprature", &["sensor.outside_temperature"]);
        check("salon", &["media_player.lounge_room"]);
        check("living room player", &["media_player.lounge_room"]);
        check("windows", &["cover.hall_window"]);
        check("elephant", &[]);
        check("table kitchen light", &["light.kitchen_table"]);
        check("room living player media", &["media_player.lounge_room"]);
        // Not every word fits: those that fit most of them.
        check("kitchen light ceiling", &["light.kitchen_table", "light.kitchen_lights"]);
        check("the window in the hall", &["cover.hall_window"]);
        check("elephant in the room please", &[]);
        assert!(Query::read("  - ").is_none());
    }
}
