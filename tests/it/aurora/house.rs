//! Lights of the real Home Assistant in a show: what they are told, how often, what is left when things
//! go wrong, and that they are as they were afterwards.

use super::bulbs::{Bulbs, Told};
use super::paint::{Painter, age, clockwork, now, together};
use super::stall::Stall;
use crate::harness::Folder;
use crate::home::proxy::Proxy;
use crate::home::raw::Raw;
use crate::home::rig::{self, Rig, config, on_real, real, until};
use hearth::aurora::lamps::house::{HouseLamps, RULES};
use hearth::aurora::lamps::mail::held::Held;
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

fn start(rig: &Rig) -> HouseLamps {
    HouseLamps::start(&rig.home, &rig.policy, &rig.store, &rig.tasks)
}

async fn open(rig: &Rig, bulbs: &Bulbs) -> Held {
    known(rig, bulbs).await;
    start(rig).open(&rig.caller, &bulbs.ids, RULES).await.unwrap()
}

/// Waits until Hearth knows the lamps.
async fn known(rig: &Rig, bulbs: &Bulbs) {
    let args = json!({"entity_ids": bulbs.ids});
    until("the lamps are known", async || {
        let got = rig.try_tool("home_get", args.clone()).await;
        let has_all = |got: &Value| !got["entities"].to_string().contains("unknown");
        got.is_ok_and(|got| {
            got["entities"].as_array().unwrap().len() == bulbs.ids.len() && has_all(&got)
        })
    })
    .await;
}

fn paint(show: &Held, picture: super::paint::Picture) -> Painter {
    Painter::start(show.lamps().iter().map(|(_, mailbox)| mailbox.clone()).collect(), picture)
}

fn calls(told: &[Told]) -> BTreeSet<&str> {
    told.iter().map(|told| &*told.context).collect()
}

/// Turns the lamps on in colours of their own, and returns how they look then.
async fn furnish(bulbs: &Bulbs) -> Vec<Value> {
    let mut raw = Raw::on_real().await;
    for (lamp, id) in bulbs.ids.iter().enumerate() {
        let data = json!({"hs_color": [40 + lamp, 50], "brightness": 90 + lamp});
        match lamp {
            1 => raw.call("light.turn_off", id, json!({})).await,
            _ => raw.call("light.turn_on", id, data).await,
        }
    }
    let all: Vec<Value> = (0..bulbs.ids.len()).map(|lamp| bulbs.look(lamp)).collect();
    assert_eq!(all[0], json!(["on", 90, [40.0, 50.0]]));
    assert_eq!(all[1], json!(["off", null, null]));
    all
}

fn looks(bulbs: &Bulbs) -> Vec<Value> {
    (0..bulbs.ids.len()).map(|lamp| bulbs.look(lamp)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_beat_is_one_call_for_all_lamps_that_are_then_as_they_were() {
    let bulbs = Bulbs::new("aurora_beat", &[0, 0, 0]).await;
    let before = furnish(&bulbs).await;
    let rig = on_real().await;
    let show = open(&rig, &bulbs).await;
    let painter = paint(&show, together);
    until("eight beats were sent", async || show.report().counts.beats >= 8).await;
    drop(painter);
    let (told, report) = (bulbs.told(), show.report());
    let shared = calls(&told).into_iter().filter(|call| {
        let lamps: BTreeSet<_> =
            told.iter().filter(|t| t.context == *call).map(|t| t.lamp).collect();
        lamps.len() == 3
    });
    assert!(shared.count() >= 8, "{told:?}");
    assert!(report.counts.sent < report.lamps.iter().map(|lamp| lamp.sent).sum(), "{report:?}");
    for lamp in &report.lamps {
        let latency = lamp.latency.unwrap();
        assert!(latency.count >= 3 && latency.p50 > 0.0 && latency.p50 < 1.0, "{report:?}");
    }
    assert_eq!(report.counts.failed, 0, "{report:?}");
    show.close().await;
    assert_eq!(looks(&bulbs), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_colours_keep_to_the_budget_and_a_slow_lamp_is_known_as_such() {
    let bulbs = Bulbs::new("aurora_budget", &[0, 0, 300, 0, 0]).await;
    furnish(&bulbs).await;
    let rig = on_real().await;
    let show = open(&rig, &bulbs).await;
    let (began, painter) = (now(), paint(&show, clockwork));
    until("the slow lamp was measured and a quick one", async || {
        let lamps = show.report().lamps;
        [0, 2].iter().all(|lamp| lamps[*lamp].latency.is_some_and(|latency| latency.count >= 4))
    })
    .await;
    drop(painter);
    let report = show.report();
    let most = (now() - began) * RULES.per_second + 2.0;
    assert!(report.counts.sent as f64 <= most, "{report:?}: more than {most}");
    let slow = report.lamps[2].latency.unwrap().p50;
    let quick = report.lamps[0].latency.unwrap().p50;
    assert!(slow >= 0.3 && quick < slow, "{report:?}");
    assert_eq!(show.lamps()[2].1.measured(), Some(slow));
    show.close().await;
    let told = bulbs.told().into_iter().filter(|told| told.at >= began).collect::<Vec<_>>();
    assert!(calls(&told).len() as f64 <= most + 5.0, "five are put back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_lamp_that_is_removed_and_one_that_cannot_dim_leave_the_others_alone() {
    let mut bulbs = Bulbs::new("aurora_removed", &[0, 0, 0]).await;
    let before = furnish(&bulbs).await;
    let switched = bulbs.add_switched("aurora_switched");
    let rig = on_real().await;
    known(&rig, &bulbs).await;
    let lamps = start(&rig);
    let listed = lamps.list(&rig.caller).unwrap();
    let light = listed.iter().find(|light| light.id == switched).unwrap();
    assert!(light.refused.as_ref().unwrap().contains("switched on and off"), "{light:?}");
    let mut ids = bulbs.ids.clone();
    ids.extend([switched.clone(), "light.aurora_nowhere".into(), "switch.ac".into()]);
    let show = lamps.open(&rig.caller, &ids, RULES).await.unwrap();
    let refused: Vec<&str> = show.refused().iter().map(|(id, _)| &**id).collect();
    assert_eq!(refused, ["light.aurora_nowhere", &*switched, "switch.ac"]);
    let e = lamps.open(&rig.caller, &bulbs.ids[..1], RULES).await.err().unwrap();
    assert!(e.to_string().contains("another show"), "{e}");

    let painter = paint(&show, together);
    until("they are told", async || bulbs.told().iter().filter(|t| t.lamp == 1).count() > 3).await;
    tokio::task::block_in_place(|| bulbs.remove(1));
    until("the removed one fails", async || {
        let why = show.report().lamps[1].why.clone();
        why.is_some_and(|why| why.contains("aurora_removed_1"))
    })
    .await;
    let from = now();
    until("the others go on together", async || {
        let since = bulbs.since(from);
        let both = |call: &&str| since.iter().filter(|t| t.context == **call).count() == 2;
        calls(&since).iter().filter(|call| both(call)).count() > 5
    })
    .await;
    drop(painter);
    show.close().await;
    assert_eq!((bulbs.look(0), bulbs.look(2)), (before[0].clone(), before[2].clone()));
    assert_eq!(kept(&rig).await, 0, "nothing is kept of a lamp that is gone");
}

/// How many lamps wait to be put back.
async fn kept(rig: &Rig) -> usize {
    rig.store.list("aurora_before", "home/", None, 100).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn when_the_house_goes_away_the_show_goes_on_after_it_and_is_put_back_at_last() {
    let bulbs = Bulbs::new("aurora_away", &[0, 0]).await;
    let before = furnish(&bulbs).await;
    let (url, token) = real();
    let proxy = Proxy::to(&url).await;
    let rig = rig::start(&config(&format!("http://{}", proxy.address), &token)).await;
    rig.connected().await;
    let show = open(&rig, &bulbs).await;
    let painter = paint(&show, together);
    until("they are told", async || bulbs.told().len() > 4).await;
    proxy.cut();
    until("calls fail", async || show.report().counts.failed > 2).await;
    let why = show.report().lamps[0].why.clone().unwrap();
    assert!(why.contains("cannot be reached"), "{why}");
    let (failed, sent) = (show.report().counts.failed, show.report().counts.sent);
    assert!(sent - failed >= 2 && failed < 40, "{:?}", show.report());
    proxy.mend();
    let from = now();
    until("they are told again", async || bulbs.since(from).len() > 4).await;
    proxy.cut();
    until("it is noticed", async || !rig.home.is_connected()).await;
    drop(painter);
    show.close().await;
    assert_eq!(kept(&rig).await, 2, "they wait to be put back");
    assert_ne!(looks(&bulbs), before);
    proxy.mend();
    until("they are as they were", async || looks(&bulbs) == before).await;
    until("nothing is kept", async || kept(&rig).await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_show_reaches_no_further_than_whoever_started_it() {
    let bulbs = Bulbs::new("aurora_scope", &[0, 0]).await;
    let before = furnish(&bulbs).await;
    let rig = on_real().await;
    known(&rig, &bulbs).await;
    let lamps = start(&rig);
    let deny = EntityScope { deny: vec![bulbs.ids[1].clone()], ..EntityScope::default() };
    let caller = rig.token("aurora", Level::Control, deny).await;
    let show = lamps.open(&caller, &bulbs.ids, RULES).await.unwrap();
    assert_eq!(show.refused()[0].0, bulbs.ids[1]);
    let from = now();
    let painter = paint(&show, together);
    until("the first is told", async || bulbs.since(from).len() > 5).await;
    assert!(bulbs.since(from).iter().all(|told| told.lamp == 0));
    rig.policy.revoke_token("aurora").await.unwrap();
    until("it is refused", async || {
        show.report().lamps[0].why.as_ref().is_some_and(|why| why.contains("revoked"))
    })
    .await;
    drop(painter);
    show.close().await;
    assert_eq!(looks(&bulbs), before, "what was begun has ended");
    let reader = rig.token("reader", Level::Read, EntityScope::default()).await;
    let e = lamps.open(&reader, &bulbs.ids, RULES).await.err().unwrap();
    assert!(e.to_string().contains("may not control"), "{e}");
    let audit = rig.policy.audit();
    let line = audit.iter().find(|entry| entry.action == "aurora show").unwrap();
    assert_eq!((line.who.as_str(), line.target.as_str()), ("aurora", bulbs.ids[0].as_str()));
    let own = audit.iter().filter(|entry| entry.target.contains(&bulbs.ids[0])).count();
    assert!(own < 4, "not a line for each call: {own}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn after_a_stall_of_the_house_nothing_old_is_sent() {
    let bulbs = Bulbs::new("aurora_stall", &[0, 0, 0]).await;
    let before = furnish(&bulbs).await;
    let (url, token) = real();
    let stall = Stall::to(&url).await;
    let mut slow = config(&format!("http://{}", stall.address), &token);
    // The show must come through it on the same connection.
    slow.ping_seconds = 60;
    let rig = rig::start(&slow).await;
    rig.connected().await;
    let show = open(&rig, &bulbs).await;
    let painter = paint(&show, clockwork);
    until("they are told", async || bulbs.told().len() > 6).await;
    stall.hold(true);
    // The stall itself, which nothing could end earlier; longer than a call waits for its answer.
    tokio::time::sleep(Duration::from_secs(13)).await;
    let (resumed, sent) = (now(), show.report().counts.sent);
    stall.hold(false);
    until("they are told again", async || bulbs.since(resumed).len() > 12).await;
    drop(painter);
    let since = bulbs.since(resumed);
    let old = since.iter().filter(|told| age(told.lamp, told.hue, told.at) > 2.0).count();
    // What was on its way when the stall began could not be taken back: at most one call for each lamp.
    assert!(old <= 3, "{old} of {since:?}");
    let lamps: BTreeSet<usize> = since.iter().take(old).map(|told| told.lamp).collect();
    assert_eq!(lamps.len(), old, "and it came first: {since:?}");
    assert!(show.report().counts.sent > sent, "{:?}", show.report());
    show.close().await;
    assert_eq!(looks(&bulbs), before);
}

const FOLDER: &str = "HEARTH_TEST_AURORA_FOLDER";
const LAMPS: &str = "HEARTH_TEST_AURORA_LAMPS";

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "the process that the next test starts and kills"]
async fn the_process_of_a_show_that_is_killed() {
    let rig = rig::on_real_keeping(std::path::Path::new(&std::env::var(FOLDER).unwrap())).await;
    let ids: Vec<String> = std::env::var(LAMPS).unwrap().split(',').map(str::to_owned).collect();
    let show = start(&rig).open(&rig.caller, &ids, RULES).await.unwrap();
    let _painter = paint(&show, together);
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lights_of_a_show_that_was_killed_are_put_back_at_the_next_start() {
    let bulbs = Bulbs::new("aurora_killed", &[0, 0]).await;
    let before = furnish(&bulbs).await;
    let folder = Folder::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "aurora::house::the_process_of_a_show_that_is_killed"])
        .env(FOLDER, folder.path())
        .env(LAMPS, bulbs.ids.join(","))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let from = now();
    until("the show runs", async || bulbs.since(from).len() > 6).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(looks(&bulbs), before);
    let rig = rig::on_real_keeping(folder.path()).await;
    let _lamps = start(&rig);
    until("they are as they were", async || looks(&bulbs) == before).await;
    until("nothing is kept", async || kept(&rig).await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn when_hearth_ends_in_the_middle_of_a_show_the_lights_are_put_back_first() {
    let bulbs = Bulbs::new("aurora_ended", &[0, 0]).await;
    let before = furnish(&bulbs).await;
    let rig = on_real().await;
    let show = open(&rig, &bulbs).await;
    let _painter = paint(&show, together);
    until("they are told", async || bulbs.told().len() > 6).await;
    rig.tasks.stop().await;
    assert_eq!(looks(&bulbs), before);
    assert_eq!(kept(&rig).await, 0);
}
