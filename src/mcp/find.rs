//! Finding a tool by plain text. Pure: texts in, an order out.
//!
//! Each word of the question is compared with the words of a tool's name, title and description, by
//! their stems: the same word counts most, the beginning of a word less, a misspelled one least; the
//! name counts more than the title, and the title more than the description. A question that asks to
//! do something prefers tools that act. Every tool has a place in the order, so that there is always
//! a nearest one; how near it is, is said.

/// What is known of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) about: &'a str,
    /// Whether it changes something.
    pub(crate) acts: bool,
}

/// Where a tool stands in the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    /// Its place among the tools that were asked about.
    pub(crate) place: usize,
    /// Whether it shares words with the question, and not only its kind.
    pub(crate) fits: bool,
}

/// Words that say nothing about what is wanted.
const EMPTY: &[&str] =
    &["a", "an", "and", "the", "of", "to", "in", "on", "for", "is", "it", "my", "me", "with"];
/// Words of whoever wants something done, as stems.
const DO: &[&str] = &[
    "activat", "chang", "clos", "control", "dim", "disabl", "enabl", "lock", "lower", "mak", "mov",
    "open", "paus", "play", "press", "rais", "run", "send", "set", "start", "stop", "switch",
    "toggl", "turn", "unlock",
];
/// Words of whoever wants to know something, as stems.
const KNOW: &[&str] = &[
    "are", "check", "find", "get", "how", "is", "list", "look", "read", "see", "show", "stat",
    "status", "tell", "what", "when", "wher", "which", "who",
];
/// Words at least this alike count as one misspelled.
const ALIKE: f64 = 0.88;
/// What the right kind of tool is worth; less than any word that fits.
const KIND: f64 = 0.2;
/// What the likeness of words that do not count is worth at most; it only sorts the rest.
const REST: f64 = 0.1;

/// Ranks all `tools` for `query`, best first.
pub(crate) fn rank(query: &str, tools: &[Text<'_>]) -> Vec<Ranked> {
    let asked = words(query);
    let wanted: Vec<&str> =
        asked.iter().map(String::as_str).filter(|word| !EMPTY.contains(word)).collect();
    let says = |list: &[&str]| asked.iter().any(|word| list.contains(&stem(word)));
    let (does, knows) = (says(DO), says(KNOW));
    let whole = query.trim().to_lowercase();
    let mut ranked: Vec<(f64, Ranked)> = Vec::new();
    for (place, tool) in tools.iter().enumerate() {
        let mut score = score(&wanted, *tool);
        if tool.name == whole {
            score += 100.0;
        }
        let fits = score > 0.0;
        if (does && tool.acts) || (knows && !does && !tool.acts) {
            score += KIND;
        }
        score += REST * likeness(&wanted, *tool);
        ranked.push((score, Ranked { place, fits }));
    }
    let name = |ranked: &Ranked| tools[ranked.place].name;
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| name(&a.1).cmp(name(&b.1))));
    ranked.into_iter().map(|(_, ranked)| ranked).collect()
}

/// The sum over the words of the question, lowered when some words are not met at all.
fn score(wanted: &[&str], tool: Text<'_>) -> f64 {
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

/// How alike the nearest two words are, 0 to 1.
fn likeness(wanted: &[&str], tool: Text<'_>) -> f64 {
    let have = [words(tool.name), words(tool.title), words(tool.about)].concat();
    let near = |word: &&str| {
        let word = *word;
        have.iter().map(|have| strsim::jaro_winkler(word, have)).fold(0.0, f64::max)
    };
    wanted.iter().map(near).fold(0.0, f64::max)
}

/// How much one word is another: 1 the same, less for a beginning or a slip, 0 for none of it.
fn alike(wanted: &str, have: &str) -> f64 {
    let (wanted, have) = (stem(wanted), stem(have));
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

/// The word without the endings that English gives it: `lights` and `light` are one, as are `close`
/// and `closing`.
fn stem(word: &str) -> &str {
    let mut stem = word;
    for end in ["ing", "ed", "es", "s"] {
        // `glass` has no plural ending.
        let kept = stem.strip_suffix(end).filter(|rest| !(end == "s" && rest.ends_with('s')));
        if let Some(rest) = kept
            && rest.len() >= 3
        {
            stem = rest;
            break;
        }
    }
    let stem = stem.strip_suffix(['e', 'y', 'i']).filter(|rest| rest.len() >= 3).unwrap_or(stem);
    // `stopping` and `dimmed` double the last letter.
    let mut last = stem.chars().rev();
    match (last.next(), last.next()) {
        (Some(a), Some(b)) if a == b && a.is_ascii() && stem.len() > 3 => &stem[..stem.len() - 1],
        _ => stem,
    }
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

    const fn text(
        name: &'static str,
        title: &'static str,
        about: &'static str,
        acts: bool,
    ) -> Text<'static> {
        Text { name, title, about, acts }
    }

    const TOOLS: &[Text<'static>] = &[
        text(
            "home_call",
            "Call a service",
            "Turn lights on or off, set temperatures, open covers",
            true,
        ),
        text("home_find", "Find entities", "Search lights and sensors", false),
        text("mqtt_publish", "Publish a message", "Send to a topic", true),
        text("aurora_play", "Play a light show", "Beats reach the lamps", true),
    ];

    /// The best tool, when it shares words with the question.
    fn best(query: &str) -> Option<&'static str> {
        let first = rank(query, TOOLS)[0];
        first.fits.then_some(TOOLS[first.place].name)
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
            ("opening a cover", Some("home_call")),
            ("publishing messages", Some("mqtt_publish")),
            ("zebra", None),
            ("", None),
            ("the of a", None),
        ] {
            assert_eq!(best(query), want, "{query}");
        }
    }

    #[test]
    fn a_question_that_shares_no_word_still_has_a_nearest_tool_of_its_kind() {
        let tools = [
            text("a_overview", "House overview", "Rooms and counts", false),
            text("b_call", "Call a service", "Says per entity what came of it", true),
        ];
        for (query, want) in [("turn on lamps", "b_call"), ("show lamps", "a_overview")] {
            let ranked = rank(query, &tools);
            assert_eq!((ranked.len(), ranked[0].fits), (2, false), "{query}");
            assert_eq!(tools[ranked[0].place].name, want, "{query}");
        }
    }

    #[test]
    fn words_of_one_stem_are_one_word() {
        for [one, other] in [
            ["lights", "light"],
            ["closing", "close"],
            ["closed", "close"],
            ["switches", "switch"],
            ["batteries", "battery"],
            ["dimmed", "dim"],
            ["stopping", "stop"],
            ["glass", "glass"],
            ["temperatures", "temperature"],
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
        for [one, other] in [["light", "lift"], ["is", "i"], ["bed", "b"], ["king", "k"]] {
            assert_ne!(stem(one), stem(other), "{one} {other}");
        }
    }

    #[test]
    fn equal_scores_come_in_the_order_of_names() {
        let twins = ["b_same", "a_same"].map(|name| text(name, "", "", false));
        let order: Vec<usize> = rank("same", &twins).iter().map(|ranked| ranked.place).collect();
        assert_eq!(order, [1, 0]);
    }
}
