//! Lays the sources of configuration over each other and hands out sections.

use crate::config::{Env, Form};
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A secret's file may be this large.
const SECRET_FILE_MAX: u64 = 64 * 1024;

/// Where configuration comes from.
pub struct Sources<'a> {
    /// The TOML file; a missing one is only an error when `file_must_exist`.
    pub file: Option<PathBuf>,
    /// Whether the file was named by the user.
    pub file_must_exist: bool,
    /// Every environment variable that is understood.
    pub rows: &'a [Env],
    /// Environment, and `.env` below it.
    pub env: BTreeMap<String, String>,
    /// `section.field` and value, from the command line.
    pub flags: Vec<(String, Value)>,
}

/// The merged configuration.
#[derive(Debug, Default)]
pub struct Settings {
    table: Table,
    file: Option<PathBuf>,
}

impl Settings {
    /// Reads and merges the sources.
    ///
    /// # Errors
    /// Invalid: names the file and line, or the variable, and what it must be.
    pub fn read(sources: &Sources<'_>) -> Result<Settings, Error> {
        let mut table = match &sources.file {
            Some(path) => read_file(path, sources.file_must_exist)?,
            None => Table::new(),
        };
        for row in sources.rows {
            if let Some(value) = env_value(row, &sources.env)? {
                put(&mut table, row.path, value)?;
            }
        }
        for (path, value) in &sources.flags {
            put(&mut table, path, value.clone())?;
        }
        Ok(Settings { table, file: sources.file.clone() })
    }

    /// Returns a section as its service's type; a section nobody wrote is its default.
    ///
    /// # Errors
    /// Invalid: names the section and the field.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = self.table.get(name).cloned().unwrap_or(Value::Table(Table::new()));
        value.try_into().map_err(|e: toml::de::Error| {
            let place =
                self.file.as_deref().map_or("configuration".into(), |p| p.display().to_string());
            Error::invalid(format!("{place}: section [{name}]: {}", e.message()))
        })
    }

    /// Whether the field was set by any source.
    pub fn has(&self, path: &str) -> bool {
        let mut at = Some(&self.table);
        let mut parts = path.split('.').peekable();
        while let (Some(table), Some(part)) = (at, parts.next()) {
            match table.get(part) {
                Some(_) if parts.peek().is_none() => return true,
                Some(Value::Table(inner)) => at = Some(inner),
                _ => return false,
            }
        }
        false
    }

    /// Takes a section out.
    pub fn drop_section(&mut self, name: &str) {
        self.table.remove(name);
    }

    /// Refuses sections that no service owns, so that a typing error does not go unnoticed.
    ///
    /// # Errors
    /// Invalid: names the section and the ones that exist.
    pub fn only(&self, sections: &[&str]) -> Result<(), Error> {
        match self.table.keys().find(|key| !sections.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Error::invalid(format!(
                "there is no section [{key}] in the configuration; it has {}",
                sections.join(", ")
            ))),
        }
    }
}

fn read_file(path: &Path, must_exist: bool) -> Result<Table, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => text
            .parse::<Table>()
            .map_err(|e| Error::invalid(format!("{} is not valid TOML: {e}", path.display()))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(Table::new()),
        Err(e) => Err(Error::invalid(format!("cannot read {}", path.display())).because(e)),
    }
}

fn env_value(row: &Env, env: &BTreeMap<String, String>) -> Result<Option<Value>, Error> {
    // An empty variable is how compose files say "not set".
    if let Some(text) = env.get(row.name).filter(|text| !text.trim().is_empty()) {
        return row.parse(text).map(Some);
    }
    if row.form != Form::Secret {
        return Ok(None);
    }
    let name = format!("{}_FILE", row.name);
    let Some(path) = env.get(&name).filter(|path| !path.is_empty()) else { return Ok(None) };
    let bad = |what: String| Error::invalid(format!("{name}: {what}"));
    let meta =
        std::fs::metadata(path).map_err(|e| bad(format!("cannot read '{path}'")).because(e))?;
    if meta.len() > SECRET_FILE_MAX {
        return Err(bad(format!("'{path}' is larger than {SECRET_FILE_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| bad(format!("cannot read '{path}'")).because(e))?;
    row.parse(&text).map(Some)
}

fn put(table: &mut Table, path: &str, value: Value) -> Result<(), Error> {
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let Some(rest) = rest else {
        table.insert(head.to_owned(), value);
        return Ok(());
    };
    match table.entry(head.to_owned()).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => put(inner, rest, value),
        _ => Err(Error::invalid(format!("'{head}' in the configuration must be a section"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, Default, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct House {
        url: String,
        port: u16,
    }

    const ROWS: &[Env] = &[
        Env::new("HOUSE_URL", "house.url", Form::Secret),
        Env::new("HOUSE_PORT", "house.port", Form::Number(1, 65535)),
    ];

    fn read(file: &str, env: &[(&str, &str)], flags: &[(&str, i64)]) -> Result<Settings, Error> {
        let dir =
            std::env::temp_dir().join(format!("hearth-settings-{:?}", std::thread::current().id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("hearth.toml");
        std::fs::write(&path, file).unwrap();
        let read = Settings::read(&Sources {
            file: Some(path),
            file_must_exist: true,
            rows: ROWS,
            env: env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            flags: flags.iter().map(|(k, v)| ((*k).into(), Value::Integer(*v))).collect(),
        });
        std::fs::remove_dir_all(&dir).unwrap();
        read
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = "[house]\nurl = \"file\"\nport = 1";
        let section = |env: &[(&str, &str)], flags: &[(&str, i64)]| {
            read(file, env, flags).unwrap().section::<House>("house").unwrap()
        };
        assert_eq!(section(&[], &[]), House { url: "file".into(), port: 1 });
        assert_eq!(section(&[("HOUSE_PORT", "2")], &[]).port, 2);
        assert_eq!(section(&[("HOUSE_PORT", "2")], &[("house.port", 3)]).port, 3);
        assert_eq!(section(&[("HOUSE_PORT", "")], &[]).port, 1);
        let none = read("", &[], &[]).unwrap();
        assert_eq!(none.section::<House>("house").unwrap(), House::default());
        assert!(!none.has("house.port"));
    }

    #[test]
    fn a_secret_may_live_in_a_file() {
        let path = std::env::temp_dir().join(format!("hearth-secret-{}", std::process::id()));
        std::fs::write(&path, "from-file\n").unwrap();
        let got = read("", &[("HOUSE_URL_FILE", path.to_str().unwrap())], &[]).unwrap();
        assert_eq!(got.section::<House>("house").unwrap().url, "from-file");
        std::fs::remove_file(&path).unwrap();
        let e = read("", &[("HOUSE_URL_FILE", "/nowhere/at/all")], &[]).unwrap_err();
        assert!(e.to_string().starts_with("HOUSE_URL_FILE: cannot read '/nowhere/at/all'"), "{e}");
    }

    #[test]
    fn mistakes_are_named() {
        let e = read("[house]\nprot = 1", &[], &[]).unwrap().section::<House>("house").unwrap_err();
        assert!(e.to_string().contains("section [house]") && e.to_string().contains("prot"), "{e}");
        let e = read("[hosue]\nport = 1", &[], &[]).unwrap().only(&["house"]).unwrap_err();
        assert_eq!(e.to_string(), "there is no section [hosue] in the configuration; it has house");
        assert!(read("house = ", &[], &[]).unwrap_err().to_string().contains("not valid TOML"));
    }
}
