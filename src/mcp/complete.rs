//! Which of the known values fit what a person has typed so far. Pure: texts in, an order out.
//!
//! Services name all their values; here they are chosen the same way for all. The beginning counts
//! first, then the beginning of a word in it, then any part, then all typed words in any order.

/// Returns the values that fit `typed`, best first and by name among equals, each once.
pub(crate) fn fitting(values: Vec<String>, typed: &str) -> Vec<String> {
    let typed = typed.trim().to_lowercase();
    let mut ranked: Vec<(u8, String, String)> = values
        .into_iter()
        .filter_map(|value| {
            let small = value.to_lowercase();
            rank(&small, &typed).map(|rank| (rank, small, value))
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().map(|(_, _, value)| value).collect()
}

/// How well a value fits, both in small letters; 0 is best.
fn rank(value: &str, typed: &str) -> Option<u8> {
    if value.starts_with(typed) {
        return Some(0);
    }
    let at_a_word = value.match_indices(typed).any(|(place, _)| {
        value[..place].chars().next_back().is_some_and(|before| !before.is_alphanumeric())
    });
    if at_a_word {
        return Some(1);
    }
    if value.contains(typed) {
        return Some(2);
    }
    let mut words = typed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let has_any = words.clone().next().is_some();
    (has_any && words.all(|word| value.contains(word))).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_comes_first_then_a_word_then_any_part() {
        let known = ["Bedroom", "Guest room", "Roof", "Living Room", "Mushroom", "Küche", "Roof"];
        let known: Vec<String> = known.map(str::to_owned).into();
        for (typed, want) in [
            ("ro", &["Roof", "Guest room", "Living Room", "Bedroom", "Mushroom"] as &[&str]),
            ("ROOM", &["Guest room", "Living Room", "Bedroom", "Mushroom"]),
            ("room living", &["Living Room"]),
            ("KÜ", &["Küche"]),
            ("attic", &[]),
            ("-", &[]),
        ] {
            assert_eq!(fitting(known.clone(), typed), want, "{typed}");
        }
        assert_eq!(fitting(known, " ").len(), 6);
    }

    #[test]
    fn an_entity_is_found_by_what_it_is_called() {
        let known = ["light.kitchen_spots", "sensor.kitchen", "switch.unkitchened", "lock.front"];
        let known: Vec<String> = known.map(str::to_owned).into();
        let want = ["light.kitchen_spots", "sensor.kitchen", "switch.unkitchened"];
        assert_eq!(fitting(known.clone(), "kitchen"), want);
        assert_eq!(fitting(known, "kitchen light"), ["light.kitchen_spots"]);
    }
}
