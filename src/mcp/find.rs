//! Finding a tool by plain text. Pure: texts in, an order out.
//!
//! Each word of the question is compared with the words of a tool's name, title and description:
//! the same word counts most, the beginning of a word less, a misspelled one least; the name counts
//! more than the title, and the title more than the description.

/// What is known of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) about: &'a str,
}

/// Words that say nothing about what is wanted.
const EMPTY: &[&str] =
    &["a", "an", "and", "the", "of", "to", "in", "on", "for", "is", "it", "my", "me", "with"];
/// Words at least this alike count as one misspelled.
const ALIKE: f64 = 0.88;

/// Ranks `tools` for `query`: place and score, best first. Those that share no word are left out.
pub(crate) fn rank(query: &str, tools: &[Text<'_>]) -> Vec<(usize, f64)> {
    let wanted: Vec<String> =
        words(query).into_iter().filter(|word| !EMPTY.contains(&word.as_str())).collect();
    let whole = query.trim().to_lowercase();
    let mut ranked: Vec<(usize, f64)> = Vec::new();
    for (place, tool) in tools.iter().enumerate() {
        let mut score = score(&wanted, *tool);
        if tool.name == whole {
            score += 100.0;
        }
        if score > 0.0 {
            ranked.push((place, score));
        }
    }
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| tools[a.0].name.cmp(tools[b.0].name)));
    ranked
}

/// The sum over the words of the question, lowered when some words are not met at all.
fn score(wanted: &[String], tool: Text<'_>) -> f64 {
    let fields = [(words(tool.name), 3.0), (words(tool.title), 2.0), (words(tool.about), 1.0)];
    let mut sum = 0.0;
    let mut met = 0.0;
    for word in wanted {
        let best = fields
            .iter()
            .flat_map(|(have, weight)| have.iter().map(move |have| alike(word, have) * weight))
            .fold(0.0, f64::max);
        if best > 0.0 {
            met += 1.0;
            sum += best;
        }
    }
    if wanted.is_empty() { 0.0 } else { sum * met / wanted.len() as f64 }
}

/// How much one word is another: 1 the same, less for a beginning or a slip, 0 for none of it.
fn alike(wanted: &str, have: &str) -> f64 {
    if wanted == have {
        return 1.0;
    }
    let short = wanted.len().min(have.len());
    if short >= 3 && (have.starts_with(wanted) || wanted.starts_with(have)) {
        return 0.7;
    }
    if short >= 4 {
        let near = strsim::jaro_winkler(wanted, have);
        if near >= ALIKE {
            return 0.4 * near;
        }
    }
    0.0
}

/// The words of a text, in small letters.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLS: &[Text<'static>] = &[
        Text {
            name: "home_call",
            title: "Call a service",
            about: "Turn lights on or off, set temperatures, open covers",
        },
        Text { name: "home_find", title: "Find entities", about: "Search lights and sensors" },
        Text { name: "mqtt_publish", title: "Publish a message", about: "Send to a topic" },
        Text { name: "aurora_play", title: "Play a light show", about: "Beats reach the lamps" },
    ];

    fn best(query: &str) -> Option<&'static str> {
        rank(query, TOOLS).first().map(|(place, _)| TOOLS[*place].name)
    }

    #[test]
    fn the_name_the_beginning_and_the_slip_find_their_tool() {
        for (query, want) in [
            ("home_find", Some("home_find")),
            ("publish a message", Some("mqtt_publish")),
            ("temperature", Some("home_call")),
            ("publsh mesage", Some("mqtt_publish")),
            ("light show with beats", Some("aurora_play")),
            ("search the sensors", Some("home_find")),
            ("zebra", None),
            ("", None),
            ("the of a", None),
        ] {
            assert_eq!(best(query), want, "{query}");
        }
    }

    #[test]
    fn equal_scores_come_in_the_order_of_names() {
        let twins = ["b_same", "a_same"].map(|name| Text { name, title: "", about: "" });
        let order: Vec<usize> = rank("same", &twins).into_iter().map(|(place, _)| place).collect();
        assert_eq!(order, [1, 0]);
    }
}
