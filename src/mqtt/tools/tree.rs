//! The tree that the topics form, level by level.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{self, Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::now;
use crate::mqtt::filter::Filter;
use crate::mqtt::scan::scan;
use crate::mqtt::tools::answer::{BUDGET, digits, payload, reading, seconds, standing};
use crate::mqtt::tools::{clean, topics};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many rows are put together before one cursor leads on; more do not fit an answer.
const ROWS: usize = 300;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// What stands before the levels, like home/kitchen; else the top
    prefix: String,
    /// Levels below it, 1 to 4
    depth: Option<usize>,
    cursor: String,
}

/// The shape of a tree.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Tree {
    levels: Vec<Value>,
    next: Option<String>,
}

/// What lies below a level.
#[derive(Default)]
struct Branch {
    topics: usize,
    messages: u64,
    rate: f64,
    newest: i64,
    value: Option<Value>,
}

pub(super) fn tool(mqtt: &Mqtt) -> Tool {
    let words = Words {
        name: "mqtt_get_tree",
        title: "Topic tree",
        about: "The levels of topics below a prefix: how many topics and messages lie under each, how \
                busy it is and when it was heard last.",
    };
    reading::<Args, Tree, _, _>(mqtt, words, tree).on_demand()
}

async fn tree(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let prefix = args.prefix.trim_end_matches(['#', '/']);
    let begin = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let depth = args.depth.unwrap_or(1).clamp(1, 4);
    let (now, mut branches) = (now(), BTreeMap::<String, Branch>::new());
    // A `#` alone would leave out the topics of the broker itself.
    let filters: &[String] =
        if begin.is_empty() { &["#".into(), "$SYS/#".into()] } else { &[format!("{begin}#")] };
    let mut topics = 0_usize;
    for filter in filters {
        scan(&session, &Filter::read(filter)?, &call.cancelled, |name, topic| {
            let Some(below) = name.strip_prefix(&*begin) else { return };
            topics += 1;
            let end = below.match_indices('/').nth(depth - 1).map_or(below.len(), |(at, _)| at);
            let branch = branches.entry(below[..end].to_owned()).or_default();
            branch.topics += 1;
            branch.messages += topic.count;
            branch.rate += topic.rate(now);
            branch.newest = branch.newest.max(topic.last);
            if end == below.len() {
                let mut row = json!({});
                payload(&mut row, topic.payload.as_deref(), topic.size, None, 120);
                branch.value = Some(row["payload"].take());
            }
        })
        .await?;
    }
    let total = branches.len();
    let after = args.cursor.strip_prefix("after:").unwrap_or_default();
    let rows =
        branches.into_iter().filter(|(name, _)| **name > *after).take(ROWS).map(|(key, b)| {
            let mut row = json!({
                "level": clean(&key, 200),
                "topics": b.topics,
                "messages": b.messages,
                "per_minute": digits(b.rate * 60.0, 2),
                "age_seconds": seconds(now - b.newest),
            });
            if let Some(value) = b.value {
                row["value"] = value;
            }
            (key, row)
        });
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    let mut answer = json!({
        "prefix": clean(prefix, 300), "levels": page.items, "total": total, "topics": topics,
        "next": page.next,
    });
    standing(&mut answer, &session);
    Ok(topics::trimmed(answer))
}
