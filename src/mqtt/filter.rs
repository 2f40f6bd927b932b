//! Topic filters and topic names (MQTT 5, section 4.7). Pure.

use crate::error::Error;
use std::fmt;

/// The longest topic or filter, in bytes (MQTT 5, section 1.5.4).
const LONGEST: usize = 65_535;

/// A topic filter that follows the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    text: Box<str>,
    /// Where the filter itself begins: behind `$share/<group>/`.
    begin: usize,
    /// What every topic of it begins with ends here.
    prefix: usize,
    /// Whether `/#` is all that follows.
    is_beginning: bool,
}

impl Filter {
    /// Reads a topic filter; `$share/<group>/<filter>` too.
    ///
    /// # Errors
    /// Invalid, with the rule that it breaks.
    pub(crate) fn read(text: &str) -> Result<Filter, Error> {
        let bad = |why: &str| Err(Error::invalid(format!("a topic filter {why}")));
        let begin = match text.strip_prefix("$share/") {
            None => 0,
            Some(rest) => match rest.split_once('/') {
                Some((group, filter)) if !group.is_empty() && !filter.is_empty() => {
                    if group.contains(['+', '#']) {
                        return bad("has a group without + and #: $share/<group>/<filter>");
                    }
                    text.len() - filter.len()
                }
                _ => return bad("for a group is written $share/<group>/<filter>"),
            },
        };
        if text.is_empty() {
            return bad("has at least one character; # stands for every topic");
        }
        if text.len() > LONGEST || text.contains('\0') {
            return bad("has at most 65535 bytes, and no U+0000");
        }
        let mut levels = text[begin..].split('/').peekable();
        while let Some(level) = levels.next() {
            match level {
                "#" if levels.peek().is_some() => return bad("has # only as its last level"),
                "#" | "+" => {}
                other if other.contains(['#', '+']) => {
                    return bad("has + and # only as whole levels: home/+/state, home/#");
                }
                _ => {}
            }
        }
        let own = &text[begin..];
        let prefix = match own.find(['+', '#']) {
            None => own.len(),
            // `a/#` matches `a` too.
            Some(wild) if &own[wild..] == "#" => wild.saturating_sub(1),
            Some(wild) => wild,
        };
        let is_beginning = prefix > 0 && &own[prefix..] == "/#";
        Ok(Filter { text: text.into(), begin, prefix: begin + prefix, is_beginning })
    }

    /// Returns it as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns it without `$share/<group>/`.
    fn own(&self) -> &str {
        &self.text[self.begin..]
    }

    /// Whether a message on `topic` is for it.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        // Most filters are a beginning and `#`, or begin with plain levels: those are quick to see.
        let Some(rest) = topic.strip_prefix(self.prefix()) else { return false };
        if self.is_beginning {
            return rest.is_empty() || rest.starts_with('/');
        }
        matches(self.own(), topic)
    }

    /// Returns the only topic that it matches, when it has no wildcard.
    pub(crate) fn exact(&self) -> Option<&str> {
        (!self.own().contains(['+', '#'])).then(|| self.own())
    }

    /// Returns `a/b` of `a/b/#`, nothing of `#`; `None` when there is more to it.
    pub(crate) fn below(&self) -> Option<&str> {
        (self.is_beginning || self.own() == "#").then(|| self.prefix())
    }

    /// Returns where the next topic may be that it matches, given one that it does not: nothing
    /// before the returned name, which is behind `topic`, is matched. `None` when that is not clear.
    pub(crate) fn skip(&self, topic: &str) -> Option<String> {
        let (mut levels, mut begin) = (self.own().split('/'), 0);
        loop {
            let level = levels.next();
            let rest = &topic[begin..];
            let end = rest.find('/').map_or(topic.len(), |at| begin + at);
            match level {
                Some("#") => return None,
                Some("+") => {}
                Some(level) if *level == topic[begin..end] => {}
                // All names from here to the end of `base` share the levels before.
                Some(level) => {
                    let base = &topic[..begin];
                    let wanted = [format!("{base}{level}"), format!("{base}{level}/"), past(base)?];
                    return wanted.into_iter().find(|name| **name > *topic);
                }
                None => return past(&topic[..begin]),
            }
            if end == topic.len() {
                return None;
            }
            begin = end + 1;
        }
    }

    /// Returns what every topic that it matches begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.text[self.begin..self.prefix]
    }

    /// Whether it matches every topic that `other` matches. It may say no when two filters only
    /// happen to match the same (`#` and `+/#`).
    pub(crate) fn covers(&self, other: &Filter) -> bool {
        if is_wild(self.own()) && other.own().starts_with('$') {
            return false;
        }
        let (mut mine, mut theirs) = (self.own().split('/'), other.own().split('/'));
        loop {
            match (mine.next(), theirs.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(level), Some(other)) if level == other => {}
                _ => return false,
            }
        }
    }
}

/// The first name behind all that begin with `base`, which ends in a slash.
fn past(base: &str) -> Option<String> {
    base.strip_suffix('/').map(|base| format!("{base}0"))
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether `filter`, which must follow the rules, matches `topic`.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    // Topics of the broker itself are for those who name them (section 4.7.2).
    if is_wild(filter) && topic.starts_with('$') {
        return false;
    }
    let (mut levels, mut names) = (filter.split('/'), topic.split('/'));
    loop {
        match (levels.next(), names.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(name)) if level == name => {}
            _ => return false,
        }
    }
}

fn is_wild(filter: &str) -> bool {
    filter.starts_with(['+', '#'])
}

/// Leaves out the filters whose topics another one matches too: a broker may send a message once for
/// each that it matches (MQTT 5, section 3.3.4). Those of groups stay, as they share what they get.
pub(crate) fn without_covered(filters: &[String]) -> Vec<String> {
    let read: Vec<Option<Filter>> = filters.iter().map(|text| Filter::read(text).ok()).collect();
    let is_needless = |place: usize| {
        let Some(own) = read[place].as_ref().filter(|own| own.begin == 0) else { return false };
        read.iter().enumerate().any(|(at, other)| {
            let other = other.as_ref().filter(|other| at != place && other.begin == 0);
            // Of two that match the same the first stays.
            other.is_some_and(|other| other.covers(own) && (at < place || !own.covers(other)))
        })
    };
    let kept = filters.iter().enumerate().filter(|(place, _)| !is_needless(*place));
    kept.map(|(_, filter)| filter.clone()).collect()
}

/// Checks that a topic can be published to.
///
/// # Errors
/// Invalid, with the rule that it breaks.
pub(crate) fn check_topic(topic: &str) -> Result<(), Error> {
    let why = match topic {
        "" => "has at least one character",
        topic if topic.contains(['+', '#']) => "to publish to has no + and no #",
        topic if topic.len() > LONGEST || topic.contains('\0') => {
            "has at most 65535 bytes, and no U+0000"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("a topic {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        for (filter, topic, want) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("$SYS/#", "$SYS", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("accounts", "Accounts", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
            ("$share/g/a/+", "a/b", true),
            ("$share/g/#", "$SYS/a", false),
        ] {
            let read = Filter::read(filter).unwrap();
            assert_eq!(read.matches(topic), want, "{filter} {topic}");
            assert_eq!(read.as_str(), filter);
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        for filter in
            ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a\0", "$share/", "$share/g", "$share/g/"]
        {
            assert!(Filter::read(filter).is_err(), "{filter:?}");
        }
        assert!(Filter::read("$share/+/a").is_err() && Filter::read("$share//a").is_err());
        assert!(Filter::read(&"x".repeat(65_536)).is_err());
        assert!(Filter::read(&"x".repeat(65_535)).is_ok());
        assert!(check_topic("a/b").is_ok() && check_topic("/").is_ok());
        for topic in ["", "a/+", "#", "a\0b"] {
            assert!(check_topic(topic).is_err(), "{topic:?}");
        }
    }

    #[test]
    fn a_filter_inside_of_another_is_left_out() {
        let left = |filters: &[&str]| {
            without_covered(&filters.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(left(&["#", "$SYS/#"]), ["#", "$SYS/#"]);
        assert_eq!(left(&["home/+", "#", "home/lamp", "home/#"]), ["#"]);
        assert_eq!(left(&["a/+", "+/b", "a/b"]), ["a/+", "+/b"]);
        assert_eq!(left(&["a", "a", "$share/g/a", "b/#/c"]), ["a", "$share/g/a", "b/#/c"]);
    }

    /// Every filter or topic of up to three of these levels.
    fn all(levels: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(|l| (*l).to_owned()).collect();
        let two: Vec<String> =
            all.iter().flat_map(|a| levels.iter().map(move |b| format!("{a}/{b}"))).collect();
        let three: Vec<String> =
            two.iter().flat_map(|a| levels.iter().map(move |b| format!("{a}/{b}"))).collect();
        all.extend(two);
        all.extend(three);
        all.retain(|text| !text.is_empty());
        all
    }

    /// The rules once more, from the levels' end and by other means.
    fn rule(filter: &[&str], topic: &[&str]) -> bool {
        match (filter.split_last(), topic.split_last()) {
            (Some((&"#", front)), _) => {
                front.len() <= topic.len() && rule(front, &topic[..front.len()])
            }
            (Some((&level, f)), Some((&name, t))) => {
                f.len() == t.len() && (level == "+" || level == name) && rule(f, t)
            }
            (None, None) => true,
            _ => false,
        }
    }

    #[test]
    fn every_short_filter_follows_the_rules_on_every_short_topic() {
        let filters = all(&["a", "b", "", "+", "#", "$s"]);
        let topics = all(&["a", "b", "", "$s"]);
        let mut read = 0;
        for filter in filters.iter().filter_map(|text| Filter::read(text).ok()) {
            read += 1;
            let levels: Vec<&str> = filter.as_str().split('/').collect();
            for topic in &topics {
                let names: Vec<&str> = topic.split('/').collect();
                let hidden = topic.starts_with('$') && !filter.as_str().starts_with('$');
                let want = rule(&levels, &names) && !hidden;
                assert_eq!(filter.matches(topic), want, "{filter} {topic}");
                assert!(!want || topic.starts_with(filter.prefix()), "{filter} {topic}");
                assert!(filter.exact().is_none_or(|e| want == (e == topic)), "{filter} {topic}");
            }
        }
        assert_eq!(read, 185);
    }

    #[test]
    fn nothing_that_a_filter_matches_is_skipped() {
        let mut topics = all(&["a", "b", "a-b", "", "$s", "b0"]);
        topics.sort();
        let read = |text: &String| Filter::read(text).ok();
        let mut skipped = 0;
        for filter in all(&["a", "b", "", "+", "#", "a-b"]).iter().filter_map(read) {
            for topic in topics.iter().filter(|topic| !filter.matches(topic)) {
                let Some(next) = filter.skip(topic) else { continue };
                assert!(next > *topic, "{filter} {topic} {next}");
                let between = topics.iter().filter(|other| *other > topic && **other < next);
                for other in between {
                    skipped += 1;
                    assert!(
                        !filter.matches(other),
                        "{filter} skips {other} from {topic} to {next}"
                    );
                }
            }
        }
        assert!(skipped > 10_000, "{skipped}");
    }

    #[test]
    fn a_filter_covers_another_only_when_it_matches_all_of_its_topics() {
        let topics = all(&["a", "b", "", "$s"]);
        let read = |text: &String| Filter::read(text).ok();
        let filters: Vec<Filter> =
            all(&["a", "", "+", "#", "$s"]).iter().filter_map(read).collect();
        let mut covered = 0;
        for (one, other) in filters.iter().flat_map(|f| filters.iter().map(move |g| (f, g))) {
            let all = topics.iter().all(|t| !other.matches(t) || one.matches(t));
            covered += usize::from(one.covers(other));
            assert!(all || !one.covers(other), "{one} does not cover {other}");
            // Three levels of topics cannot tell `a/b/c/#` from `a/b/c`.
            let short = other.as_str().split('/').count() < 3;
            // Every topic has a level, so `+/#` happens to match the same as `#`.
            let same = one.as_str().contains("+/#") && other.as_str().contains('#');
            assert!(one.covers(other) || !all || !short || same, "{one} covers {other}");
        }
        assert!(covered > filters.len());
    }
}
