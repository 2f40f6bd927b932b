//! Recording what is heard.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Reply, Tool};
use crate::mqtt::Mqtt;
use crate::mqtt::filter::Filter;
use crate::mqtt::record::{Found, Progress, Wish};
use crate::policy::Level;
use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Filters of one recording.
const FILTERS: usize = 16;
/// So much of a list fits an answer.
const LISTED: usize = 40;

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Action {
    #[default]
    List,
    Start,
    Stop,
    Delete,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    #[serde(default)]
    action: Action,
    /// a-z, 0-9, - and _; all but list need it.
    name: Option<String>,
    /// Topic filters; # without any.
    #[serde(default)]
    filters: Vec<String>,
    /// Ends at so many MB; 16 without it, at most 1024.
    megabytes: Option<u64>,
    /// Ends after so many seconds; 300 without it, at most 86400.
    seconds: Option<u64>,
    /// The home's broker without one.
    session_id: Option<String>,
    /// List goes on after this name.
    after: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Answer {
    recordings: Vec<Row>,
    /// How many there are in all.
    total: usize,
    /// Give it as 'after' to get what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    name: String,
    /// running, whole, failed, or cut off: it has no end.
    state: &'static str,
    /// Of the file.
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    /// Messages that were gone before they could be written, of all topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    /// Why it ended, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<Vec<String>>,
    /// Whose messages, while it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// Of all lines but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// When it was written last, seconds since 1970.
    changed: u64,
}

fn level(args: &Map<String, Value>) -> Level {
    match args.get("action").and_then(Value::as_str) {
        None | Some("list") => Level::Read,
        Some(_) => Level::Control,
    }
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let mqtt = mqtt.clone();
    let tool = Tool::new(
        "mqtt_record",
        "Record messages",
        "Record what a broker says into a file of Hearth's data folder (JSON lines with a checksum), \
         stop, list or delete recordings. mqtt_replay plays one again.",
        Level::Read,
        move |call, args: Args| {
            let mqtt = mqtt.clone();
            async move { record(&mqtt, &call, args).await }
        },
    );
    vec![tool.acting(level).on_demand()]
}

async fn record(mqtt: &Mqtt, call: &Call, args: Args) -> Result<Reply<Answer>, Error> {
    // Files hold messages of everything, so who may not look at raw topics may not touch them.
    let session = mqtt.session(&call.caller, args.session_id.as_deref());
    let recorder = mqtt.recorder();
    let name = || {
        let missing = || Error::invalid("mqtt_record: this action needs 'name'");
        args.name.as_deref().ok_or_else(missing)
    };
    match args.action {
        Action::List => {
            allowed(session)?;
            return list(mqtt, args.after.as_deref()).await;
        }
        Action::Start => {
            let wish = wish(name()?, &args)?;
            recorder.start(session?, wish).await?;
        }
        Action::Stop => {
            allowed(session)?;
            recorder.stop(name()?).await?;
        }
        Action::Delete => {
            allowed(session)?;
            recorder.delete(name()?).await?;
            return list(mqtt, None).await;
        }
    }
    let name = name()?;
    let rows = rows(mqtt).await?;
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.name == name).collect();
    Ok(Answer { total: rows.len(), recordings: rows, next: None }.into())
}

/// Recordings can be looked at while no broker is configured, but not by who may use none.
fn allowed<T>(session: Result<T, Error>) -> Result<(), Error> {
    match session {
        Err(e) if e.kind() != crate::error::Kind::Offline => Err(e),
        _ => Ok(()),
    }
}

fn wish(name: &str, args: &Args) -> Result<Wish, Error> {
    if args.filters.len() > FILTERS {
        return Err(Error::invalid(format!("mqtt_record: at most {FILTERS} filters")));
    }
    let given = args.filters.iter().map(String::as_str);
    let filters: Vec<&str> = if args.filters.is_empty() { vec!["#"] } else { given.collect() };
    let within = |name: &str, value: Option<u64>, usual: u64, most: u64| match value {
        Some(value) if !(1..=most).contains(&value) => {
            Err(Error::invalid(format!("mqtt_record: '{name}' is 1 to {most}")))
        }
        value => Ok(value.unwrap_or(usual)),
    };
    Ok(Wish {
        name: name.to_owned(),
        filters: filters.into_iter().map(Filter::read).collect::<Result<_, _>>()?,
        most: within("megabytes", args.megabytes, 16, 1024)? << 20,
        time: Duration::from_secs(within("seconds", args.seconds, 300, 86_400)?),
    })
}

async fn list(mqtt: &Mqtt, after: Option<&str>) -> Result<Reply<Answer>, Error> {
    let mut all = rows(mqtt).await?;
    let total = all.len();
    all.retain(|row| after.is_none_or(|after| row.name.as_str() > after));
    let next = (all.len() > LISTED).then(|| all[LISTED - 1].name.clone());
    all.truncate(LISTED);
    for row in &mut all {
        row.filters = None;
        row.session_id = None;
        row.sha256 = None;
    }
    Ok(Answer { recordings: all, total, next }.into())
}

async fn rows(mqtt: &Mqtt) -> Result<Vec<Row>, Error> {
    let files = mqtt.recorder().files().await?;
    let known = mqtt.recorder().progress();
    Ok(files.into_iter().map(|file| row(known.get(&file.name), file)).collect())
}

fn row(known: Option<&Progress>, file: Found) -> Row {
    let state = match (known, &file.end) {
        (Some(known), _) if known.is_running() => "running",
        (Some(known), _) if known.failed.is_some() => "failed",
        (_, Some(_)) => "whole",
        _ => "cut off",
    };
    let failed = known.and_then(|known| known.failed.clone());
    let why = failed.or_else(|| known.and_then(|known| known.ended.map(str::to_owned)));
    let filters = known.map(|known| known.filters.iter().map(|f| text::clean(f, 200)).collect());
    let end = file.end.as_ref();
    Row {
        name: file.name,
        state,
        bytes: file.bytes,
        messages: end.map(|end| end.messages).or(known.map(|known| known.messages)),
        lost: end.map(|end| end.lost).or(known.map(|known| known.lost)),
        why: why.map(|why| text::clean(&why, 300)),
        filters,
        session_id: known.map(|known| known.session.to_string()),
        sha256: end.map(|end| end.sha256.clone()),
        changed: file.changed,
    }
}
