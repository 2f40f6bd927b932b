//! Names that are near to what somebody wrote, for messages about what does not exist. Pure.

use crate::home::text::clean;

/// Names less alike than this are not worth a question.
const ALIKE: f64 = 0.72;
/// Names at least so much alike are one with a slip in it.
const MISSPELT: f64 = 0.8;
/// At most so many names are offered.
const MOST_OFFERED: usize = 3;
/// At most so many names are listed where they are short words.
pub(crate) const MANY: usize = 80;
/// At most so many of those that may be long.
pub(crate) const FEW: usize = 12;

/// Returns the names most like `wanted`, the nearest first.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.trim().to_lowercase();
    let mut found: Vec<(f64, &str)> = names
        .filter_map(|name| {
            let other = name.to_lowercase();
            // `sensors` is near to `binary_sensor` too.
            let stem = wanted.strip_suffix('s').unwrap_or(&wanted);
            let within = stem.len() >= 3 && (other.contains(stem) || stem.contains(&other));
            let alike = strsim::normalized_damerau_levenshtein(&wanted, &other)
                .max(strsim::jaro_winkler(&wanted, &other) - 0.1)
                .max(if within && other.len() >= 3 { 0.8 } else { 0.0 });
            (alike >= ALIKE).then_some((alike, name))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    found.dedup_by(|a, b| a.1 == b.1);
    found.truncate(MOST_OFFERED);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Whether `wanted` is most likely `name` with a slip of the finger in it.
pub(crate) fn is_misspelt(wanted: &str, name: &str) -> bool {
    strsim::normalized_damerau_levenshtein(&wanted.to_lowercase(), name) >= MISSPELT
}

/// Returns `; did you mean a or b?`, or nothing when no name is near.
pub(crate) fn question<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near: Vec<String> = near(wanted, names).into_iter().map(|name| clean(name, 60)).collect();
    match near.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// Returns the names as `a, b, c`, at most `most`, and how many there are besides.
pub(crate) fn listed<'a>(mut names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let shown: Vec<String> = names.by_ref().take(most).map(|name| clean(name, 60)).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_are_not() {
        let all = ["light", "lock", "switch", "media_player", "binary_sensor", "sensor"];
        let check = |wanted: &str, want: &[&str]| {
            assert_eq!(near(wanted, all.into_iter()), want, "{wanted}");
        };
        check("lihgt", &["light"]);
        check("Lights", &["light"]);
        check("swich", &["switch"]);
        check("mediaplayer", &["media_player"]);
        check("player", &["media_player"]);
        check("sensors", &["sensor", "binary_sensor"]);
        check("elephant", &[]);
        check("", &[]);
    }

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        let names: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        let text = listed(names.iter().map(String::as_str), 30);
        assert!(text.starts_with("0, 1, 2") && text.ends_with("29 and 3 more"), "{text}");
        assert_eq!(listed(["a", "b"].into_iter(), 2), "a, b");
        assert_eq!(question("b", ["aaa"].into_iter()), "");
    }
}
