//! Lays the sources of configuration over each other and hands out sections.

use crate::config::{Env, Fault, Form, Problem, Range};
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// A secret's file may be this large.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// Where configuration comes from.
pub struct Sources<'a> {
    /// The TOML file; a missing one is only a problem when `file_must_exist`.
    pub file: Option<PathBuf>,
    /// Whether the file was named by the user.
    pub file_must_exist: bool,
    /// Every environment variable that is understood.
    pub rows: &'a [Env],
    /// The range of every number that has one.
    pub ranges: &'a [Range],
    /// Environment, and `.env` below it.
    pub env: BTreeMap<String, String>,
    /// Option, `section.field` and value, from the command line.
    pub flags: Vec<(&'static str, &'static str, Value)>,
}

/// The merged configuration, and everything that is wrong with it. What is wrong is left out, so
/// that the rest can still be looked at.
#[derive(Debug, Default)]
pub struct Settings {
    table: Table,
    file: Option<PathBuf>,
    rows: Vec<Env>,
    /// Where each field was set.
    set_by: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Settings {
    /// Reads and merges the sources. It never fails: see [`Settings::problems`].
    pub fn read(sources: &Sources<'_>) -> Settings {
        let mut all = Settings {
            file: sources.file.clone(),
            rows: sources.rows.to_vec(),
            ..Settings::default()
        };
        if let Some(path) = &sources.file {
            all.read_file(path, sources.file_must_exist);
        }
        for row in sources.rows {
            match env_value(row, &sources.env) {
                (_, Ok(None)) => {}
                (name, Ok(Some(value))) => all.put(row.path, name, value),
                (name, Err(e)) => {
                    let place = format!("{name} ({})", row.path);
                    all.problem(row.path, place, e.to_string());
                }
            }
        }
        for (option, path, value) in &sources.flags {
            all.put(path, (*option).to_owned(), value.clone());
        }
        for range in sources.ranges {
            all.hold(range);
        }
        all
    }

    /// Returns everything that was found wrong so far.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Adds what a service says about its section, with the place where each setting was made.
    pub fn blame(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            self.problem(&fault.path, self.place(&fault.path), fault.text);
        }
    }

    /// Returns a section as its service's type; a section nobody wrote is its default, and so is
    /// each field that cannot be read.
    pub fn section<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let mut section = match self.table.get(name).cloned() {
            None => Table::new(),
            Some(Value::Table(section)) => section,
            Some(_) => {
                let fault = Fault::new(name, format!("must be a section: [{name}]"));
                self.blame(vec![fault]);
                Table::new()
            }
        };
        if let Ok(all) = Value::Table(section.clone()).try_into() {
            return all;
        }
        // Reading them one by one tells all that are wrong, and not only the first.
        let mut faults = Vec::new();
        section.retain(|field, value| {
            let alone = Table::from_iter([(field.to_owned(), value.clone())]);
            let read: Result<T, toml::de::Error> = Value::Table(alone).try_into();
            let path = format!("{name}.{field}");
            faults.extend(read.as_ref().err().map(|e| Fault::new(path, words(e.message()))));
            read.is_ok()
        });
        self.blame(faults);
        Value::Table(section).try_into().unwrap_or_default()
    }

    /// Whether the field was set by any source.
    pub fn has(&self, path: &str) -> bool {
        self.set_by.contains_key(path)
    }

    /// Takes a section out.
    pub fn drop_section(&mut self, name: &str) {
        self.table.remove(name);
    }

    /// Refuses sections that no service owns, so that a typing error does not go unnoticed.
    pub fn only(&mut self, sections: &[&str]) {
        let strange: Vec<String> =
            self.table.keys().filter(|key| !sections.contains(&key.as_str())).cloned().collect();
        let all = sections.join(", ");
        let fault = |key: String| {
            let text = format!("there is no section [{key}] in the configuration; it has {all}");
            Fault::new(key, text)
        };
        self.blame(strange.into_iter().map(fault).collect());
    }

    /// Says where a setting was made, for a person who has to mend it.
    pub fn place(&self, path: &str) -> String {
        // What is wrong inside a list is where the list is, when nothing more is known.
        let mut known = path;
        loop {
            if let Some(place) = self.set_by.get(known) {
                return match place.strip_prefix(LINE) {
                    Some(line) => format!("{}:{line}: {path}", self.file_name()),
                    None => format!("{place} ({path})"),
                };
            }
            match known.rsplit_once('.') {
                Some((above, _)) => known = above,
                None => break,
            }
        }
        match self.rows.iter().find(|row| row.path == path) {
            Some(row) => format!("{} ({path})", row.name),
            None => path.to_owned(),
        }
    }

    fn file_name(&self) -> String {
        self.file.as_deref().map_or("configuration".into(), |path| path.display().to_string())
    }

    fn problem(&mut self, path: &str, place: String, text: String) {
        self.problems.push(Problem { path: path.to_owned(), place, text });
    }

    fn read_file(&mut self, path: &Path, must_exist: bool) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if must_exist => {
                return self.problem("", "--config".into(), format!("cannot read {name}: {e}"));
            }
            // A folder that is none, or somebody else's, is said by whoever wants to write to it.
            Err(_) if path.metadata().is_err() => return,
            Err(e) => return self.problem("", name, format!("cannot be read: {e}")),
        };
        match DeTable::parse(&text) {
            Ok(table) => note_lines(table.get_ref(), "", &text, &mut self.set_by),
            Err(e) => {
                let at = e.span().map_or(0, |span| span.start);
                let place = format!("{name}:{}", line_of(&text, at));
                return self.problem("", place, format!("is not valid TOML: {}", e.message()));
            }
        }
        self.table = text.parse().unwrap_or_default();
    }

    /// Lays a value over what is there.
    fn put(&mut self, path: &str, place: String, value: Value) {
        let (section, field) = path.split_once('.').unwrap_or((path, ""));
        let section = self.table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        // What is no section is found when the section is read.
        if let Value::Table(section) = section {
            section.insert(field.to_owned(), value);
            self.set_by.insert(path.to_owned(), place);
        }
    }

    /// Takes a number out that is beyond its range.
    fn hold(&mut self, range: &Range) {
        let Some((section, field)) = range.path.split_once('.') else { return };
        let Some(Value::Table(section)) = self.table.get_mut(section) else { return };
        let shown = match section.get(field) {
            None => return,
            Some(Value::Integer(n)) if (range.low..=range.high).contains(n) => return,
            Some(value) => value.to_string(),
        };
        section.remove(field);
        let (low, high) = (range.low, range.high);
        let text = format!("{shown} must be a whole number from {low} to {high}");
        self.blame(vec![Fault::new(range.path, text)]);
    }
}

/// Begins what is known of a field from the file.
const LINE: &str = "line ";

/// Notes the line of every key.
fn note_lines(table: &DeTable<'_>, above: &str, text: &str, lines: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = match above {
            "" => key.get_ref().to_string(),
            above => format!("{above}.{}", key.get_ref()),
        };
        let line = |at: usize| format!("{LINE}{}", line_of(text, at));
        lines.insert(path.clone(), line(key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => note_lines(inner, &path, text, lines),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = format!("{path}.{n}");
                    lines.insert(path.clone(), line(item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        note_lines(inner, &path, text, lines);
                    }
                }
            }
            _ => {}
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// The parser's complaint in words for people, without the value: it may be a secret.
fn words(message: &str) -> String {
    let expected = |kind: &str| {
        let must = match kind {
            "a string" => "text in quotes",
            "a boolean" => "true or false, without quotes",
            "a sequence" => "a list, such as [\"one\", \"two\"]",
            kind if kind.len() > 1 && kind[1..].bytes().all(|b| b.is_ascii_digit()) => {
                "a whole number, without quotes, that is not negative"
            }
            other => return format!("must be {other}"),
        };
        format!("must be {must}")
    };
    if let Some(field) = message.strip_prefix("unknown field ") {
        return format!("there is no setting {}", field.replace("expected", "there is"));
    }
    match message.rsplit_once(", expected ") {
        Some((_, kind)) => expected(kind),
        None => message.to_owned(),
    }
}

/// The variable that is set, and what it says.
fn env_value(row: &Env, env: &BTreeMap<String, String>) -> (String, Result<Option<Value>, Error>) {
    // An empty variable is how compose files say "not set".
    if let Some(text) = env.get(row.name).filter(|text| !text.trim().is_empty()) {
        return (row.name.to_owned(), row.parse(text).map(Some));
    }
    let name = format!("{}_FILE", row.name);
    let path = env.get(&name).filter(|path| row.form == Form::Secret && !path.is_empty());
    let value = path.map(|path| secret_in(path).and_then(|text| row.parse(&text)));
    (name, value.transpose())
}

fn secret_in(path: &str) -> Result<String, Error> {
    let bad = |e| Error::invalid(format!("cannot read '{path}'")).because(e);
    if std::fs::metadata(path).map_err(bad)?.len() > SECRET_FILE_MAX {
        return Err(Error::invalid(format!("'{path}' is larger than {SECRET_FILE_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, Default, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct House {
        url: String,
        port: u16,
        rooms: Vec<String>,
    }

    const ROWS: &[Env] = &[
        Env::new("HOUSE_URL", "house.url", Form::Secret),
        Env::new("HOUSE_PORT", "house.port", Form::Number(1, 65535)),
    ];

    fn read(file: &str, env: &[(&str, &str)], port: Option<i64>) -> Settings {
        let dir =
            std::env::temp_dir().join(format!("hearth-settings-{:?}", std::thread::current().id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("hearth.toml");
        std::fs::write(&path, file).unwrap();
        let read = Settings::read(&Sources {
            file: Some(path),
            file_must_exist: true,
            rows: ROWS,
            ranges: &[Range::new("house.port", 1, 9999)],
            env: env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            flags: port.map(|n| ("--port", "house.port", Value::Integer(n))).into_iter().collect(),
        });
        std::fs::remove_dir_all(&dir).unwrap();
        read
    }

    /// Every problem, without the folder.
    fn told(mut settings: Settings) -> Vec<String> {
        settings.section::<House>("house");
        settings.only(&["house"]);
        let short = |p: &Problem| match p.to_string().split_once("/hearth.toml") {
            Some((_, rest)) => rest.to_owned(),
            None => p.to_string(),
        };
        settings.problems().iter().map(short).collect()
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = "[house]\nurl = \"file\"\nport = 1";
        let section = |env: &[(&str, &str)], port| read(file, env, port).section::<House>("house");
        assert_eq!(section(&[], None), House { url: "file".into(), port: 1, rooms: vec![] });
        assert_eq!(section(&[("HOUSE_PORT", "2")], None).port, 2);
        assert_eq!(section(&[("HOUSE_PORT", "2")], Some(3)).port, 3);
        assert_eq!(section(&[("HOUSE_PORT", "")], None).port, 1);
        let mut none = read("", &[], None);
        assert_eq!(none.section::<House>("house"), House::default());
        assert!(!none.has("house.port") && none.problems().is_empty());
    }

    #[test]
    fn a_secret_may_live_in_a_file() {
        let path = std::env::temp_dir().join(format!("hearth-secret-{}", std::process::id()));
        std::fs::write(&path, "from-file\n").unwrap();
        let mut got = read("", &[("HOUSE_URL_FILE", path.to_str().unwrap())], None);
        assert_eq!(got.section::<House>("house").url, "from-file");
        assert_eq!(got.place("house.url"), "HOUSE_URL_FILE (house.url)");
        std::fs::remove_file(&path).unwrap();
        let told = told(read("", &[("HOUSE_URL_FILE", "/nowhere/at/all")], None));
        assert!(told[0].starts_with("HOUSE_URL_FILE (house.url): cannot read '/nowhere/at/all'"));
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let check = |file: &str, env: &[(&str, &str)], port, want: &[&str]| {
            let told = told(read(file, env, port));
            assert_eq!(told.len(), want.len(), "{told:?}");
            for (told, want) in told.iter().zip(want) {
                assert!(told.starts_with(want), "{told}, not {want}");
            }
        };
        check(
            "[hosue]\nport = 1\n\n[house]\nprot = 1\nrooms = 3\nurl = 12345678\nport = 0\n",
            &[],
            None,
            &[
                ":8: house.port: 0 must be a whole number from 1 to 9999",
                ":5: house.prot: there is no setting `prot`, there is one of `url`",
                ":6: house.rooms: must be a list, such as",
                ":7: house.url: must be text in quotes",
                ":1: hosue: there is no section [hosue] in the configuration; it has house",
            ],
        );
        let port = "HOUSE_PORT (house.port): 'x' must be a whole number from 1 to 65535";
        check("", &[("HOUSE_PORT", "x")], None, &[port]);
        check("", &[], Some(-3), &["--port (house.port): -3 must be"]);
        check("[house]\nport = ", &[], None, &[":2: is not valid TOML"]);
        check("house = 3", &[], None, &[":1: house: must be a section: [house]"]);
    }
}
