//! Waiting for something to happen in a real house.

use super::raw::Raw;
use super::rig::on_real;
use hearth::error::Kind;
use hearth::mcp::{Call, Progress};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_ends_the_wait() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "input_boolean.guest_mode";
    let was = raw.state(id).await;
    let wait = |args: Value| rig.try_tool("home_watch", args);
    let change = async |raw: &mut Raw| {
        // Only a wait that has begun can end: the bus gets its reader first.
        tokio::task::yield_now().await;
        raw.call("input_boolean.toggle", id, json!({})).await;
    };
    let args = json!({"entity_ids": [id], "seconds": 20});
    let (got, ()) = tokio::join!(wait(args), change(&mut raw));
    let got = got.unwrap();
    assert_eq!(got["happened"]["id"], id, "{got}");
    assert_eq!(got["happened"]["was"], was);
    assert_ne!(got["happened"]["state"], was);
    let args = json!({"domain": "input_boolean", "state": was, "seconds": 20});
    let (got, ()) = tokio::join!(wait(args), change(&mut raw));
    assert_eq!(got.unwrap()["happened"]["state"], was);
    let already = json!({"entity_ids": id, "state": was, "seconds": 20});
    let got = rig.tool("home_watch", already).await;
    assert_eq!(got["happened"]["already"], true, "{got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_ends_the_wait_too() {
    let rig = on_real().await;
    let args = json!({"event_type": "hearth_test_event", "seconds": 20});
    let fire = async {
        let mut raw = Raw::on_real().await;
        let event = json!({"type": "fire_event", "event_type": "hearth_test_event",
                           "event_data": {"button": "left\u{202e}"}});
        // Fired until it is seen: nothing tells from outside when the subscription stands.
        loop {
            raw.ask(event.clone()).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let got = tokio::select! {
        got = rig.tool("home_watch", args) => got,
        () = fire => unreachable!(),
    };
    assert_eq!(got["happened"]["event"]["data"]["button"], "left\\u{202e}", "{got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_an_answer_and_progress_is_told() {
    let rig = on_real().await;
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = steps.clone();
    let mut call = Call::new(rig.caller.clone());
    call.progress = Progress::new(move |_, _, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    });
    let args = json!({"entity_ids": ["lock.front_door"], "seconds": 6});
    let got = rig.run(call, "home_watch", args).await.unwrap();
    assert_eq!((&got["happened"], &got["nothing_within_seconds"]), (&Value::Null, &json!(6)));
    assert_eq!(steps.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_ends_at_once() {
    let rig = on_real().await;
    let call = Call::new(rig.caller.clone());
    let cancel = call.cancelled.clone();
    let began = std::time::Instant::now();
    let args = json!({"entity_ids": ["lock.front_door"], "seconds": 60});
    let (got, ()) = tokio::join!(rig.run(call, "home_watch", args), async { cancel.cancel() });
    assert_eq!(got.unwrap_err().kind(), Kind::Timeout);
    assert!(began.elapsed().as_secs() < 5);
}
