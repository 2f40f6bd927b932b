//! Environment variables: which exist, where they land, and what their text must look like.

use crate::error::Error;
use toml::Value;

/// The form of a variable's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A secret; `NAME_FILE` may name a file that holds it instead.
    Secret,
    /// A whole number between the two bounds, both included.
    Number(i64, i64),
    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on` or `off`, in any case.
    Flag,
    /// Items separated by commas.
    List,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
}

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// Name of the variable.
    pub name: &'static str,
    /// Where it lands: `section.field`.
    pub path: &'static str,
    /// What its text must look like.
    pub form: Form,
}

impl Env {
    /// Makes a row.
    pub const fn new(name: &'static str, path: &'static str, form: Form) -> Env {
        Env { name, path, form }
    }

    /// Turns the variable's text into a configuration value.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::error::Kind::Invalid), saying what it must be.
    pub fn parse(&self, text: &str) -> Result<Value, Error> {
        let text = text.trim();
        let bad = |must: String| {
            let shown = if self.form == Form::Secret { "…" } else { text };
            Error::invalid(format!("'{shown}' must be {must}"))
        };
        match self.form {
            Form::Text | Form::Secret => Ok(Value::String(text.to_owned())),
            Form::Number(low, high) => match text.parse::<i64>() {
                Ok(n) if (low..=high).contains(&n) => Ok(Value::Integer(n)),
                _ => Err(bad(format!("a whole number from {low} to {high}"))),
            },
            Form::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
                _ => Err(bad("true or false".into())),
            },
            Form::List => Ok(Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Value::String(item.to_owned()))
                    .collect(),
            )),
            Form::OneOf(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Value::String((*word).to_owned()))
                .ok_or_else(|| bad(format!("one of {}", words.join(", ")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_the_value_its_form_says() {
        let check = |form, text: &str, want: Option<Value>| {
            assert_eq!(Env::new("X", "a.x", form).parse(text).ok(), want, "{form:?} {text:?}");
        };
        check(Form::Number(1, 10), " 7 ", Some(Value::Integer(7)));
        check(Form::Number(1, 10), "11", None);
        check(Form::Number(1, 10), "seven", None);
        check(Form::Flag, "ON", Some(Value::Boolean(true)));
        check(Form::Flag, "0", Some(Value::Boolean(false)));
        check(Form::Flag, "maybe", None);
        check(Form::OneOf(&["info", "debug"]), "INFO", Some(Value::String("info".into())));
        check(Form::OneOf(&["info", "debug"]), "loud", None);
        check(Form::List, "a, b,,", Some(Value::Array(vec!["a".into(), "b".into()])));
    }

    #[test]
    fn a_bad_value_is_shown_with_what_it_must_be() {
        let e = Env::new("PORT", "http.port", Form::Number(0, 65535)).parse("http").unwrap_err();
        assert_eq!(e.to_string(), "'http' must be a whole number from 0 to 65535");
    }
}
