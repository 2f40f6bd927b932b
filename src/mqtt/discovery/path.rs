//! Where in a JSON payload a word stands, as far as templates say it plainly. Pure.

use serde_json::Value;

/// Reads a template that only picks a value: `{{ value }}`, `{{ value_json.state }}`,
/// `{{ value_json['a']["b"] }}`, with a filter such as `| lower` or `| string` that changes nothing here.
/// An empty template is `{{ value }}`. `None` for one that does more.
pub(super) fn of_template(template: &str) -> Option<Vec<String>> {
    let template = template.trim();
    if template.is_empty() {
        return Some(Vec::new());
    }
    let inner = template.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let mut parts = inner.split('|').map(str::trim);
    let pick = parts.next()?;
    if !parts.all(|filter| matches!(filter, "lower" | "string" | "trim")) {
        return None;
    }
    let Some(mut rest) = pick.strip_prefix("value_json") else {
        return (pick == "value").then(Vec::new);
    };
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (name, after) = if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            after.split_at(end)
        } else {
            let inside = rest.strip_prefix('[')?;
            let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            let (name, after) = inside[1..].split_once(quote)?;
            (name, after.strip_prefix(']')?)
        };
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        path.push(name.to_owned());
        rest = after;
    }
    (!path.is_empty()).then_some(path)
}

/// Returns the word at `path` in a payload: the payload itself for an empty path.
pub(super) fn pick(payload: &[u8], path: &[String]) -> Option<String> {
    if path.is_empty() {
        return std::str::from_utf8(payload).ok().map(str::to_owned);
    }
    let whole: Value = serde_json::from_slice(payload).ok()?;
    let found = path.iter().try_fold(&whole, |value, name| value.get(name))?;
    match found {
        Value::String(text) => Some(text.clone()),
        // As Home Assistant's templates write them.
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_only_picks_is_followed_and_others_are_not() {
        for (template, want) in [
            ("", Some(vec![])),
            ("{{ value }}", Some(vec![])),
            ("{{ value_json.state }}", Some(vec!["state"])),
            ("{{value_json['a b'].c | lower}}", Some(vec!["a b", "c"])),
            ("{{ value_json[\"x\"] }}", Some(vec!["x"])),
            ("{{ 'online' if value_json.up else 'offline' }}", None),
            ("{{ value_json.a + 1 }}", None),
            ("{{ value_json.a | int }}", None),
            ("{{ value_json[0] }}", None),
            ("{{ value_json }}", None),
            ("online", None),
        ] {
            let want = want.map(|path| path.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(of_template(template), want, "{template}");
        }
    }

    #[test]
    fn the_word_at_a_path_is_found() {
        let pick = |payload: &str, path: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            super::pick(payload.as_bytes(), &path)
        };
        assert_eq!(pick("online", &[]).as_deref(), Some("online"));
        assert_eq!(pick(r#"{"state":"online"}"#, &["state"]).as_deref(), Some("online"));
        assert_eq!(pick(r#"{"a":{"b":true}}"#, &["a", "b"]).as_deref(), Some("True"));
        assert_eq!(pick(r#"{"a":[1]}"#, &["a"]), None);
        assert_eq!(pick("no json", &["a"]), None);
    }
}
