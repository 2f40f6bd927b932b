//! What is in the index.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Reply, Tool};
use crate::mqtt::Mqtt;
use crate::policy::Level;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListArgs {
    /// Which session; the home's broker without one.
    session_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    /// Topics in the order of their names.
    topics: Vec<String>,
    /// How many there are in all.
    total: usize,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let mqtt = mqtt.clone();
    vec![Tool::new(
        "mqtt_list_topics",
        "List topics",
        "Topics that were seen on a broker.",
        Level::Read,
        move |call, args: ListArgs| {
            let mqtt = mqtt.clone();
            async move {
                let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
                let inbox = session.inbox();
                let topics = inbox.topics().iter().take(100).map(|(name, _)| name.to_string());
                let total = inbox.topics().len();
                Ok::<_, Error>(Reply::from(Listed { topics: topics.collect(), total }))
            }
        },
    )]
}
