//! What the payloads of topics look like.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::decode::decode;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::{Kept, Lesson, Shape, confidence, faults, schema};
use crate::mqtt::scan::{Back, breathe, scan};
use crate::mqtt::session::Session;
use crate::mqtt::tools::answer::{BUDGET, TOPIC, fit, horizon, reading, standing};
use crate::mqtt::tools::clean;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// So many messages of the ring are looked at, the newest.
const SAMPLES: usize = 4000;
/// So many topics are put together.
const TOPICS: usize = 2000;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// A topic, or a filter like zigbee2mqtt/+
    topic_pattern: String,
    /// Only below this place: color, list[]
    path: String,
}

/// The shape of a schema.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Described {
    schema: Option<Value>,
    confidence: Option<f64>,
    sample_count: usize,
    payload_types: Value,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_get_topic_schema",
        title: "Schema of payloads",
        about: "JSON Schema of what a topic or filter carries, learned from all that is kept, with how \
                sure it is; x-share is how often an optional field is there, x-seen the range seen.",
    };
    vec![reading::<Args, Described, _, _>(mqtt, words, describe).on_demand()]
}

/// What is known of the payloads of a filter.
struct Known {
    shape: Shape,
    quiet: u32,
    samples: usize,
    topics: usize,
    /// How many payloads of each kind there were.
    kinds: BTreeMap<&'static str, usize>,
    /// The newest JSON of each topic.
    newest: Vec<(Arc<str>, Value)>,
}

/// What was learned of one topic.
#[derive(Default)]
struct Learned {
    shape: Shape,
    quiet: u32,
    newest: Option<Value>,
}

impl Learned {
    fn take(&mut self, value: Value) {
        self.quiet = if self.shape.learn(&value) { 0 } else { self.quiet + 1 };
        self.newest = Some(value);
    }
}

/// The schema of each topic that has enough samples.
///
/// # Errors
/// Timeout when the caller gave up.
pub(super) async fn schemas(
    session: &Session,
    filter: &Filter,
    cancelled: &CancellationToken,
    least: u32,
) -> Result<HashMap<Arc<str>, Value>, Error> {
    let (learned, ..) = learn(session, filter, cancelled).await?;
    let enough = learned.into_iter().filter(|(_, own)| own.shape.seen() >= least);
    Ok(enough.map(|(name, own)| (name, schema(&own.shape))).collect())
}

/// A topic, its newest payload, and what was learned of it while it came.
type Other = (Arc<str>, Option<Arc<[u8]>>, Option<Lesson>);

/// What was learned of each topic, the payloads of each kind, and how many topics there are.
type Lessons = (HashMap<Arc<str>, Learned>, BTreeMap<&'static str, usize>, usize);

/// Learns from what a session has kept: from the ring where it has most, else from what was learned
/// while it came, else from the newest message.
async fn learn(
    session: &Session,
    filter: &Filter,
    cancelled: &CancellationToken,
) -> Result<Lessons, Error> {
    let mut kinds = BTreeMap::new();
    let mut learned: HashMap<Arc<str>, Learned> = HashMap::new();
    let (mut back, mut samples) = (Back::from(None), Vec::<Kept>::new());
    loop {
        let (found, is_all) = back.step(session, |kept| filter.matches(&kept.topic));
        samples.extend(found);
        if is_all || samples.len() >= SAMPLES {
            break;
        }
        breathe(cancelled).await?;
    }
    samples.truncate(SAMPLES);
    for (place, kept) in samples.iter().rev().enumerate() {
        if let Some(value) = read(kept.payload.as_deref(), &mut kinds) {
            learned.entry(kept.topic.clone()).or_default().take(value);
        }
        if place % 200 == 199 {
            breathe(cancelled).await?;
        }
    }
    let mut others: Vec<Other> = Vec::new();
    let mut topics = 0;
    scan(session, filter, cancelled, |name, topic| {
        topics += 1;
        let have = learned.get(name).map_or(0, |own| own.shape.seen());
        let lesson = topic.lesson().filter(|lesson| lesson.looked() > have).cloned();
        if (have == 0 || lesson.is_some()) && others.len() < TOPICS {
            others.push((name.clone(), topic.payload.clone(), lesson));
        }
    })
    .await?;
    for (name, payload, lesson) in others {
        let own = learned.entry(name).or_default();
        match lesson.and_then(|lesson| Some((lesson.shape()?.clone(), lesson.quiet()))) {
            Some((shape, quiet)) => (own.shape, own.quiet) = (shape, quiet),
            None if own.shape.seen() == 0 => {
                if let Some(value) = read(payload.as_deref(), &mut kinds) {
                    own.take(value);
                }
            }
            None => {}
        }
        if own.newest.is_none() {
            own.newest = payload.and_then(|bytes| read(Some(&bytes), &mut BTreeMap::new()));
        }
    }
    Ok((learned, kinds, topics))
}

fn together((learned, kinds, topics): Lessons) -> Known {
    let mut all: Vec<_> = learned.into_iter().filter(|(_, own)| own.shape.seen() > 0).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut shape, mut quiet, mut newest) = (Shape::default(), 0_u32, Vec::new());
    for (name, own) in all {
        let news = shape.merge(&own.shape);
        // A topic that brings something new says that the next one may too.
        quiet = if news { own.quiet } else { quiet.saturating_add(own.shape.seen()) };
        newest.extend(own.newest.map(|value| (name, value)));
    }
    let samples = shape.seen() as usize;
    Known { shape, quiet, samples, topics, kinds, newest }
}

fn read(payload: Option<&[u8]>, kinds: &mut BTreeMap<&'static str, usize>) -> Option<Value> {
    let decoded = decode(payload?, None);
    let kind = match (&decoded.kind, &decoded.value) {
        (&"json", Value::Object(_)) => "object",
        (&"json", Value::Array(_)) => "array",
        (&"json", Value::Number(_)) => "number",
        (&"json", Value::Bool(_)) => "boolean",
        (kind, _) => kind,
    };
    *kinds.entry(kind).or_default() += 1;
    // Plain words are worth a schema too: an enum of ON and OFF.
    matches!(decoded.kind, "json" | "text").then_some(decoded.value)
}

async fn describe(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(&args.topic_pattern)?;
    let known = together(learn(&session, &filter, &call.cancelled).await?);
    let pattern = clean(&args.topic_pattern, TOPIC);
    let mut answer = json!({
        "topic_pattern": pattern,
        "sample_count": known.samples,
        "topic_count": known.topics,
        "payload_types": known.kinds,
        "timestamp": time(now()),
        "status": if known.samples == 0 { "no_data" } else { "success" },
    });
    standing(&mut answer, &session);
    horizon(&mut answer, &session.inbox());
    if known.samples == 0 {
        answer["hint"] = match known.topics {
            0 => "nothing was heard on this filter yet".into(),
            _ => "no payload here is JSON or text; mqtt_get_last shows them".into(),
        };
        return Ok(answer);
    }
    let whole = schema(&known.shape);
    let odd: Vec<Value> = known
        .newest
        .iter()
        .filter_map(|(name, value)| Some((name, faults(&whole, value).into_iter().next()?)))
        .take(5)
        .map(|(name, fault)| {
            let (found, _) = fit(fault.found, 80);
            json!([clean(name, 120), fault.drift.word(), clean(&fault.place, 80), found])
        })
        .collect();
    if !odd.is_empty() {
        answer["newest_that_differ"] = odd.into();
    }
    let part = below(&whole, &args.path).ok_or_else(|| {
        Error::not_found("there is no such place in the schema; leave path out to see all of it")
    })?;
    answer["confidence"] = confidence(known.quiet).into();
    let (mut told, is_cut) = fitting(part.clone());
    if let Some(fields) = told.as_object_mut() {
        fields.shift_insert(
            0,
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
    }
    answer["schema"] = told;
    if is_cut {
        answer["cut"] = true.into();
        answer["hint"] = "deep parts are left out (x-cut); see them with path".into();
    }
    Ok(answer)
}

/// Returns the part of a schema below a place.
fn below<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.trim().replace("[]", ".[]");
    path.split('.').filter(|step| !step.is_empty()).try_fold(schema, |part, step| match step {
        "[]" => part.get("items"),
        name => part.get("properties")?.get(name),
    })
}

/// Makes names and words plain, and leaves out what is deep until the rest fits.
fn fitting(schema: Value) -> (Value, bool) {
    let plain = fit(schema, usize::MAX / 4).0;
    let size = |value: &Value| value.to_string().len();
    for depth in (1..=12).rev() {
        let mut part = plain.clone();
        let is_cut = shallow(&mut part, depth);
        if size(&part) <= BUDGET - 1200 {
            return (part, is_cut);
        }
    }
    // Even the first level is too much: its names alone.
    let names = plain["properties"].as_object().map(|fields| fields.keys().take(120).cloned());
    let fields: Map<String, Value> =
        names.into_iter().flatten().map(|name| (name, json!({ "x-cut": true }))).collect();
    (json!({ "type": plain["type"], "properties": fields, "x-cut": true }), true)
}

fn shallow(schema: &mut Value, depth: usize) -> bool {
    let Some(fields) = schema.as_object_mut() else { return false };
    if depth == 0 {
        let had = fields.len();
        fields.retain(|name, _| name != "properties" && name != "items");
        let is_deep = fields.len() < had;
        if is_deep {
            fields.shift_remove("required");
            fields.insert("x-cut".into(), true.into());
        }
        return is_deep;
    }
    let mut is_cut = false;
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for own in properties.values_mut() {
            is_cut |= shallow(own, depth - 1);
        }
    }
    if let Some(items) = fields.get_mut("items") {
        is_cut |= shallow(items, depth - 1);
    }
    is_cut
}
