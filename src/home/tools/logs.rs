//! The tool that reads Home Assistant's log: what it collected, or the end of the file.

use crate::config::JsonSchema;
use crate::error::{Error, Kind};
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::tools::wait::needs_open_scope;
use crate::home::tools::{BUDGET, set, stamped};
use crate::home::view::Row;
use crate::home::{Home, ask, rest};
use crate::mcp::{Call, page};
use serde::Deserialize;
use serde_json::{Value, json};

/// So much of the end of the file is read, in bytes.
const TAIL: usize = 64 * 1024;
/// A server that knows no ranges sends the whole file, which may be so large.
const MOST_FILE: usize = 16 << 20;
/// Levels, the least grave first.
const LEVELS: &[&str] = &["debug", "info", "warning", "error", "critical"];

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LogArgs {
    /// At least: warning, error, critical
    level: String,
    /// Part of the text
    search: String,
    /// Part of the logger's name
    component: String,
    /// The last lines of the log file instead
    file: bool,
    cursor: String,
    house: String,
}

/// The shape of what was logged.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
pub(super) struct Logged {
    entries: Option<Vec<Value>>,
    lines: Option<Vec<String>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    message: Vec<String>,
    level: String,
    #[serde(default)]
    source: (String, u32),
    timestamp: f64,
    #[serde(default)]
    exception: String,
    count: u32,
    first_occurred: f64,
}

pub(super) async fn logs(home: Home, call: Call, args: LogArgs) -> Result<Value, Error> {
    needs_open_scope(&home, &call, "a log can tell of every entity")?;
    let house = home.house(Some(&args.house))?;
    drop(house.known()?);
    let filter = Filter::read(&args)?;
    let answer = match args.file {
        true => tail(&home, house, &filter).await?,
        false => entries(house, &filter, &args.cursor).await?,
    };
    Ok(stamped(house, answer))
}

/// What an entry must be like; texts in small letters.
struct Filter {
    least: usize,
    search: String,
    component: String,
}

impl Filter {
    fn read(args: &LogArgs) -> Result<Filter, Error> {
        let wanted = args.level.trim().to_lowercase();
        let least = match wanted.as_str() {
            "" => Some(0),
            "warn" => rank("warning"),
            word => rank(word),
        };
        let least = least.ok_or_else(|| {
            let wanted = clean(&wanted, 40);
            Error::invalid(format!("'{wanted}' is no level; use {}", LEVELS.join(", ")))
        })?;
        let component = args.component.trim().to_lowercase();
        Ok(Filter { least, search: args.search.trim().to_lowercase(), component })
    }

    fn fits(&self, entry: &Entry) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        rank(&entry.level.to_lowercase()).unwrap_or(LEVELS.len()) >= self.least
            && entry.name.to_lowercase().contains(&self.component)
            && (entry.message.iter().any(|m| has(m)) || has(&entry.exception) || has(&entry.name))
    }

    /// Whether a line of the file is like that: `2026-11-21 12:00:00.123 ERROR (MainThread) [name] …`.
    fn fits_line(&self, line: &str) -> bool {
        let lower = line.to_lowercase();
        let level = lower.split_whitespace().nth(2).and_then(rank);
        let named = lower.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        (self.least == 0 || level.is_some_and(|level| level >= self.least))
            && lower.contains(&self.search)
            && (self.component.is_empty()
                || named.is_some_and(|(name, _)| name.contains(&self.component)))
    }
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

async fn entries(house: &House, filter: &Filter, cursor: &str) -> Result<Value, Error> {
    let command = json!({ "type": "system_log/list" });
    let mut all: Vec<Entry> = ask::ask(house, &command).await?;
    all.retain(|entry| filter.fits(entry));
    all.sort_by(|a, b| b.timestamp.total_cmp(&a.timestamp));
    let total = all.len();
    let key = |entry: &Entry| {
        let at = 99_999_999_999_999_999_u64 - (entry.timestamp * 1e6) as u64;
        format!("{at:017}{}", clean(&entry.name, 60))
    };
    let rows = all.iter().map(|entry| (key(entry), entry.row(house)));
    let cursor = set(cursor);
    let page = page(rows, |row| row.0.clone(), cursor.as_deref(), BUDGET)?;
    let rows: Vec<Row> = page.items.into_iter().map(|(_, row)| row).collect();
    let mut answer = json!({ "entries": rows, "total": total });
    if let Some(next) = page.next {
        answer["next"] = next.into();
    }
    Ok(answer)
}

impl Entry {
    fn row(&self, house: &House) -> Row {
        let mut row = Row::new();
        row.insert("at".into(), house.time(self.timestamp).into());
        row.insert("level".into(), clean(&self.level.to_lowercase(), 20).into());
        row.insert("logger".into(), clean(&self.name, 120).into());
        // What is logged anew with other words is kept as several messages of one place.
        let messages: Vec<String> =
            self.message.iter().rev().take(3).map(|text| clean(text, 500)).collect();
        row.insert("message".into(), messages.join(" | ").into());
        row.insert(
            "source".into(),
            format!("{}:{}", clean(&self.source.0, 120), self.source.1).into(),
        );
        if self.count > 1 {
            row.insert("count".into(), self.count.into());
            row.insert("first".into(), house.time(self.first_occurred).into());
        }
        // The last line of a traceback is the error; those above are its way.
        let lines: Vec<&str> =
            self.exception.lines().filter(|line| !line.trim().is_empty()).collect();
        if let Some(last) = lines.last() {
            row.insert("exception".into(), clean(last.trim(), 300).into());
        }
        if let Some(place) = lines.iter().rev().find(|line| line.trim_start().starts_with("File "))
        {
            row.insert("raised_at".into(), clean(place.trim(), 200).into());
        }
        row
    }
}

async fn tail(home: &Home, house: &House, filter: &Filter) -> Result<Value, Error> {
    let range = format!("bytes=-{TAIL}");
    let got = rest::get(home, house, "/api/error_log", Some(&range), MOST_FILE).await;
    let got = got.map_err(|e| match e.kind() {
        Kind::NotFound => Error::not_found(
            "this Home Assistant writes no log file (its system keeps the log); leave out file to \
             read what it collected",
        ),
        _ => e,
    })?;
    let begin = got.body.len().saturating_sub(TAIL);
    let text = String::from_utf8_lossy(&got.body[begin..]).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| filter.fits_line(line)).collect();
    let (mut shown, mut used) = (Vec::new(), 0);
    for line in lines.iter().rev() {
        let line = clean(line, 400);
        used += Value::from(line.as_str()).to_string().len() + 1;
        if used > BUDGET {
            break;
        }
        shown.push(line);
    }
    shown.reverse();
    let hint = (shown.len() < lines.len()).then_some("older lines left out; search narrows it");
    let mut answer = json!({ "lines": shown });
    if let Some(hint) = hint {
        answer["hint"] = hint.into();
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file_are_filtered_by_level_and_logger() {
        let line = "2026-11-21 14:27:44.218 WARNING (MainThread) [homeassistant.setup] Slow: demo";
        let check = |level: &str, search: &str, component: &str, want: bool| {
            let args = LogArgs {
                level: level.into(),
                search: search.into(),
                component: component.into(),
                ..LogArgs::default()
            };
            assert_eq!(Filter::read(&args).unwrap().fits_line(line), want, "{level} {search}");
        };
        check("", "", "", true);
        check("warning", "slow", "setup", true);
        check("warn", "", "", true);
        check("error", "", "", false);
        check("", "fast", "", false);
        check("", "", "demo", false);
        let bad = LogArgs { level: "loud".into(), ..LogArgs::default() };
        assert!(Filter::read(&bad).err().unwrap().what().contains("critical"));
    }
}
