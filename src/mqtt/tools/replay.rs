//! Playing a recording again.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Reply, Tool};
use crate::mqtt::Mqtt;
use crate::mqtt::filter::Filter;
use crate::mqtt::record::{Report, Score};
use crate::policy::Level;
use crate::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// A replay may take so long.
const LONGEST: Duration = Duration::from_secs(3600);
/// Topics in an answer.
const TOPICS: usize = 40;
const FILTERS: usize = 16;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    /// Of a recording; mqtt_record lists them.
    name: String,
    /// Only topics of these filters.
    #[serde(default)]
    filters: Vec<String>,
    /// 2 is twice as fast; 0 waits for nothing. 1 without it.
    speed: Option<f64>,
    /// Topics that begin with this
    remap_from: Option<String>,
    /// begin with this instead; alone, it is put before every topic.
    remap_to: Option<String>,
    /// Publish as retained what was retained.
    #[serde(default)]
    retain: bool,
    /// Only say what would be published.
    #[serde(default)]
    dry_run: bool,
    /// The home's broker without one.
    session_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Answer {
    dry_run: bool,
    /// Messages in the recording.
    recorded: u64,
    /// Lost when it was recorded, of all topics.
    lost: u64,
    /// Of those recorded: for the filters.
    wanted: u64,
    /// Recorded without their payload, since they were too large; these cannot be played.
    without_payload: u64,
    bytes: u64,
    /// How long it takes at this speed, as far as the rate of publishing allows.
    seconds: f64,
    /// Messages by topic as they are published.
    topics: Vec<(String, u64)>,
    /// Topics beyond those.
    more_topics: usize,
    /// Messages that may not be published; then none is.
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    written: u64,
    not_sent: u64,
    /// Sent, and the connection was lost before the broker's answer.
    unknown: u64,
}

fn level(args: &Map<String, Value>) -> Level {
    match args.get("dry_run") {
        Some(Value::Bool(true)) => Level::Read,
        _ => Level::Control,
    }
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let mqtt = mqtt.clone();
    let tool = Tool::new(
        "mqtt_replay",
        "Replay a recording",
        "Publish the messages of a recording again, in order and with their pauses, through the same \
         gates and rate as any publishing. Its checksum is checked first; try with dry_run.",
        Level::Read,
        move |call, args: Args| {
            let mqtt = mqtt.clone();
            async move { replay(&mqtt, &call, args).await }
        },
    );
    vec![tool.acting(level).on_demand().within(LONGEST)]
}

async fn replay(mqtt: &Mqtt, call: &Call, args: Args) -> Result<Reply<Answer>, Error> {
    let speed = args.speed.unwrap_or(1.0);
    if !(speed == 0.0 || (0.01..=1000.0).contains(&speed)) {
        return Err(Error::invalid("mqtt_replay: 'speed' is 0, or 0.01 to 1000"));
    }
    if args.filters.len() > FILTERS {
        return Err(Error::invalid(format!("mqtt_replay: at most {FILTERS} filters")));
    }
    if args.remap_from.is_some() && args.remap_to.is_none() {
        return Err(Error::invalid("mqtt_replay: 'remap_from' needs 'remap_to' beside it"));
    }
    let score = Score {
        name: args.name,
        filters: args.filters.iter().map(|f| Filter::read(f)).collect::<Result<_, _>>()?,
        speed,
        remap: args.remap_to.map(|to| (args.remap_from.unwrap_or_default(), to)),
        retain: args.retain,
    };
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let mut report = mqtt.rehearse(&call.caller, &score).await?;
    if !args.dry_run {
        report = mqtt.replay(call, &session, &score, report).await?;
    }
    Ok(answer(&score, report, args.dry_run).into())
}

fn answer(score: &Score, report: Report, dry_run: bool) -> Answer {
    let topics = report.topics.iter().take(TOPICS);
    let seconds = report.span.as_secs_f64();
    Answer {
        dry_run,
        recorded: report.recorded,
        lost: report.lost,
        wanted: report.wanted,
        without_payload: report.without_payload,
        bytes: report.bytes,
        seconds: if score.speed > 0.0 { seconds / score.speed } else { 0.0 },
        topics: topics.map(|(name, count)| (text::clean(name, 120), *count)).collect(),
        more_topics: report.topics.len().saturating_sub(TOPICS),
        refused: report.refused,
        why: report.why.map(|why| text::clean(&why, 300)),
        written: report.written,
        not_sent: report.not_sent,
        unknown: report.unknown,
    }
}
