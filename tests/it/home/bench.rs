//! How fast a change is told and a call is done: measured in one process that reads Home Assistant's
//! own socket and Hearth.

use super::raw::Raw;
use super::rig::{on_real, result_of};
use hearth::events::{Event, Next, Reader};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The entity that is changed.
const ID: &str = "input_number.target_level";

/// Held by whoever changes it, so that the two measurements do not hear each other.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Times from Home Assistant's event to Hearth's, in order.
pub struct Spread(Vec<Duration>);

impl Spread {
    /// The time that `share` (0 to 1) of all stay below.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len() - 1;
        self.0[((last as f64) * share).round() as usize]
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Makes `count` changes of one entity and measures each from the moment at which Home Assistant's
/// own event was read to the moment at which the notice from Hearth was.
pub async fn notices_over(count: usize) -> Spread {
    let _alone = ALONE.lock().await;
    let rig = on_real().await;
    let mut driver = Raw::on_real().await;
    let mut raw = Raw::on_real().await;
    raw.ask(json!({"type": "subscribe_events", "event_type": "state_changed"})).await;
    let id = ID;
    let was: f64 = driver.state(id).await.parse().unwrap();
    let mut reader = rig.events.read();
    // Each value differs from the one before, the first included.
    let first = if was > 50.0 { 1.0 } else { 51.0 };
    let drive = async {
        for n in 0..count {
            let value = first + (n % 40) as f64;
            driver.call("input_number.set_value", id, json!({ "value": value })).await;
        }
    };
    let theirs = async {
        let mut seen: Vec<(Arc<str>, Instant)> = Vec::new();
        while seen.len() < count {
            let event = raw.event().await;
            let data = &event["event"]["data"];
            if data["entity_id"] == id {
                seen.push((data["new_state"]["state"].as_str().unwrap().into(), Instant::now()));
            }
        }
        seen
    };
    let (theirs, ours, ()) = tokio::join!(theirs, heard(&mut reader, id, count), drive);
    driver.call("input_number.set_value", id, json!({ "value": was })).await;
    // Both tell every change once and in order.
    let pairs = theirs.iter().zip(&ours);
    let mut times: Vec<Duration> = pairs
        .map(|((theirs, first), (ours, then))| {
            assert_eq!(theirs, ours);
            then.saturating_duration_since(*first)
        })
        .collect();
    times.sort_unstable();
    Spread(times)
}

async fn heard(reader: &mut Reader, id: &str, count: usize) -> Vec<(Arc<str>, Instant)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        match reader.next().await {
            Next::Event(stamped) => {
                if let Event::Entity(change) = &stamped.event
                    && &*change.entity_id == id
                {
                    seen.push((change.state.clone().unwrap(), Instant::now()));
                }
            }
            other => panic!("{other:?} after {} notices", seen.len()),
        }
    }
    seen
}

/// Makes `count` calls by `home_call` and as many on a plain socket to Home Assistant, in turn, each
/// until its result is known and its state event was read: ours, then theirs.
pub async fn calls_over(count: usize) -> (Spread, Spread) {
    let _alone = ALONE.lock().await;
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    raw.ask(json!({"type": "subscribe_entities", "entity_ids": [ID]})).await;
    raw.event().await;
    let was: f64 = raw.state(ID).await.parse().unwrap();
    let first = if was > 50.0 { 1.0 } else { 51.0 };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for n in 0..count * 2 {
        let data = json!({ "value": first + (n % 40) as f64 });
        let began = Instant::now();
        if n % 2 == 0 {
            let call = json!({"service": "input_number.set_value", "data": data,
                              "target": {"entity_id": ID}});
            let done = rig.tool("home_call", call).await;
            ours.push(began.elapsed());
            assert_eq!(result_of(&done, ID), "verified", "{done}");
            raw.event().await;
        } else {
            raw.call("input_number.set_value", ID, data).await;
            raw.event().await;
            theirs.push(began.elapsed());
        }
    }
    raw.call("input_number.set_value", ID, json!({ "value": was })).await;
    ours.sort_unstable();
    theirs.sort_unstable();
    (Spread(ours), Spread(theirs))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_costs_little_more_than_home_assistant_takes() {
    let (ours, theirs) = calls_over(100).await;
    println!("calls: ours p50 {:?}, plain p50 {:?}", ours.quantile(0.5), theirs.quantile(0.5));
    assert_eq!((ours.len(), theirs.len()), (100, 100));
    // The half millisecond is the bench's; here no call may wait for anything but its state.
    let more = ours.quantile(0.5).saturating_sub(theirs.quantile(0.5));
    assert!(more < Duration::from_millis(50), "{more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_told_within_moments() {
    // The full thousand is the bench's; here each of two hundred must arrive, and soon.
    let spread = notices_over(200).await;
    println!(
        "notices: p50 {:?}, p95 {:?}, worst {:?}",
        spread.quantile(0.5),
        spread.quantile(0.95),
        spread.quantile(1.0)
    );
    assert_eq!(spread.len(), 200);
    assert!(spread.quantile(0.95) < Duration::from_millis(250), "{:?}", spread.quantile(0.95));
}
