//! Lights on a real mosquitto in a show, with scripted lamps behind it.

use super::device::{Devices, Told};
use super::paint::{Painter, age, clockwork, now, together};
use super::stall::Stall;
use crate::harness::Folder;
use crate::home::rig::until;
use crate::mqtt::mosquitto::Mosquitto;
use hearth::aurora::lamps::mail::held::Held;
use hearth::aurora::lamps::zigbee::{MqttLamps, RULES};
use hearth::aurora::light::Light;
use hearth::events::Events;
use hearth::http::mdns::Mdns;
use hearth::mqtt::{self, Mqtt};
use hearth::policy::{self, Caller, EntityScope, Grant, Policy, Via};
use hearth::store::{self, Store};
use hearth::tasks::{State, Tasks};
use serde_json::{Value, json};
use std::time::Duration;

struct Rig {
    lamps: MqttLamps,
    policy: Policy,
    store: Store,
    tasks: Tasks,
    caller: Caller,
    folder: Folder,
}

impl Rig {
    async fn start(broker: &str, change: impl FnOnce(&mut mqtt::Config)) -> Rig {
        Rig::again(broker, change, Folder::new()).await
    }

    async fn again(broker: &str, change: impl FnOnce(&mut mqtt::Config), folder: Folder) -> Rig {
        let tasks = Tasks::new(Events::new());
        let store = Store::open(&store::Config::default(), folder.path(), &tasks).await.unwrap();
        let events = Events::new();
        let rules = policy::Config::default();
        let policy = Policy::start(&rules, &store, &events, &tasks, None).await.unwrap();
        let reach = mqtt::Reach::new(&Mdns::new(&tasks), None);
        let mut config =
            mqtt::Config { broker: broker.into(), read_only: false, ..mqtt::Config::default() };
        change(&mut config);
        let data_dir = folder.path().to_owned();
        let base = mqtt::Base {
            data_dir: &data_dir,
            tasks: &tasks,
            policy: &policy,
            store: &store,
            reach: &reach,
        };
        let mqtt = Mqtt::start(&config, base).unwrap();
        let lamps = MqttLamps::start(&mqtt, &policy, &store, &tasks);
        let caller = policy.local(Via::Control);
        let rig = Rig { lamps, policy, store, tasks, caller, folder };
        until("the broker is connected", async || rig.is_up()).await;
        rig
    }

    fn is_up(&self) -> bool {
        self.tasks.health().iter().any(|line| line.name == "mqtt" && line.state == State::Up)
    }

    async fn open(&self, names: &[&str]) -> Held {
        let ids: Vec<String> = names.iter().map(|name| set(name)).collect();
        until("the lamps are known", async || {
            let listed = self.lamps.list(&self.caller).unwrap();
            ids.iter().all(|id| listed.iter().any(|lamp| lamp.id == *id))
        })
        .await;
        self.lamps.open(&self.caller, &ids, RULES).await.unwrap()
    }

    async fn kept(&self) -> usize {
        self.store.list("aurora_before", "mqtt/", None, 100).await.unwrap().len()
    }
}

fn set(name: &str) -> String {
    format!("zigbee2mqtt/{name}/set")
}

fn paint(show: &Held, picture: super::paint::Picture) -> Painter {
    Painter::start(show.lamps().iter().map(|(_, mailbox)| mailbox.clone()).collect(), picture)
}

/// What a lamp of [`Devices`] is told when it is put back.
fn before() -> Value {
    json!({"state": "ON", "transition": 0.4, "brightness": 99,
           "color": {"hue": 30, "saturation": 40}})
}

fn old(told: &[Told], lamps: &[&str]) -> usize {
    let is_old = |told: &&Told| {
        let lamp = lamps.iter().position(|name| *name == told.lamp).unwrap();
        age(lamp, told.what["color"]["hue"].as_f64().unwrap(), told.at) > 2.0
    };
    told.iter().filter(is_old).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lamps_behind_zigbee2mqtt_follow_a_show_and_are_as_they_were_after_it() {
    let mosquitto = Mosquitto::start();
    let delay = |lamp: &str| {
        let slow = if lamp == "slow" { 150 } else { 20 };
        Some(Duration::from_millis(slow))
    };
    let devices = Devices::start(&mosquitto, &["desk", "slow"], delay);
    let rig = Rig::start(&mosquitto.address(), |_| {}).await;
    let show = rig.open(&["desk", "slow"]).await;
    let (began, painter) = (now(), paint(&show, clockwork));
    until("both are measured", async || {
        show.report().lamps.iter().all(|lamp| lamp.latency.is_some_and(|l| l.count >= 5))
    })
    .await;
    drop(painter);
    let report = show.report();
    let [desk, slow] = [0, 1].map(|lamp| report.lamps[lamp].latency.unwrap().p50);
    assert!(slow >= 0.15 && desk >= 0.02 && desk < slow, "{report:?}");
    let most = (now() - began) * RULES.per_second + 2.0;
    let told = devices.told();
    assert!(told.len() as f64 <= most, "{}: more than {most}", told.len());
    let fades = told.iter().filter(|told| told.what["transition"].as_f64() > Some(0.2));
    assert!(fades.count() > 3, "{told:?}");
    show.close().await;
    until("both are put back", async || {
        devices.last("desk") == before() && devices.last("slow") == before()
    })
    .await;
    assert_eq!(rig.kept().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_group_is_told_in_one_message() {
    let mosquitto = Mosquitto::start();
    let devices = Devices::start(&mosquitto, &["a", "b"], |_| Some(Duration::from_millis(10)));
    let rig = Rig::start(&mosquitto.address(), |_| {}).await;
    let show = rig.open(&["all"]).await;
    let painter = paint(&show, together);
    until("beats were sent", async || show.report().counts.beats > 3).await;
    drop(painter);
    assert!(devices.told().iter().all(|told| told.lamp == "all"));
    let snaps = devices.told().iter().filter(|t| t.what["transition"] == 0.0).count();
    assert!(snaps > 2, "{:?}", devices.told());
    show.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_lamp_that_never_answers_leaves_the_others_alone() {
    let mosquitto = Mosquitto::start();
    // It answers when it is asked how it is, and then never again.
    let delay = |lamp: &str| {
        use std::sync::atomic::{AtomicBool, Ordering};
        static ASKED: AtomicBool = AtomicBool::new(false);
        let is_mute = lamp == "dead" && ASKED.swap(true, Ordering::SeqCst);
        (!is_mute).then(|| Duration::from_millis(10))
    };
    let devices = Devices::start(&mosquitto, &["live", "dead"], delay);
    let rig = Rig::start(&mosquitto.address(), |_| {}).await;
    let show = rig.open(&["dead", "live"]).await;
    let painter = paint(&show, clockwork);
    until("the other is told", async || {
        devices.told().iter().filter(|told| told.lamp == "live").count() > 8
    })
    .await;
    drop(painter);
    let count = |name: &str| devices.told().iter().filter(|told| told.lamp == name).count();
    assert!(count("dead") < count("live"), "{:?}", devices.told());
    assert!(count("dead") > 1, "it is told all the same");
    show.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn after_a_stall_of_the_broker_nothing_old_is_sent() {
    let mosquitto = Mosquitto::start();
    let lamps = ["a", "b", "c"];
    let devices = Devices::start(&mosquitto, &lamps, |_| Some(Duration::from_millis(5)));
    let stall = Stall::to(&mosquitto.address()).await;
    let rig = Rig::start(&stall.address.to_string(), |_| {}).await;
    let show = rig.open(&lamps).await;
    let painter = paint(&show, clockwork);
    until("they are told", async || devices.told().len() > 8).await;
    stall.hold(true);
    // The stall itself, which nothing could end earlier.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let resumed = now();
    stall.hold(false);
    until("they are told again", async || devices.since(resumed).len() > 10).await;
    drop(painter);
    // What was on its way when the stall began could not be taken back: one message for each lamp.
    let old = old(&devices.since(resumed), &lamps);
    assert!(old <= 3, "{old} of {:?}", devices.since(resumed));
    show.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn when_the_broker_goes_away_nothing_waits_for_it_and_lamps_are_put_back_when_it_is_there() {
    let mut mosquitto = Mosquitto::start();
    let devices = Devices::start(&mosquitto, &["a"], |_| Some(Duration::from_millis(5)));
    let rig = Rig::start(&mosquitto.address(), |_| {}).await;
    let show = rig.open(&["a"]).await;
    let painter = paint(&show, clockwork);
    until("it is told", async || devices.told().len() > 2).await;
    mosquitto.kill();
    drop(devices);
    // What is sent meanwhile fails at once, or nobody answers it: that depends on the moment.
    let noticed = || {
        let report = show.report();
        report.is_waiting || report.counts.failed > 0
    };
    until("it is noticed", async || !rig.is_up() && noticed()).await;
    drop(painter);
    show.close().await;
    assert_eq!(rig.kept().await, 1);
    mosquitto.again();
    let devices = Devices::start(&mosquitto, &["a"], |_| Some(Duration::from_millis(5)));
    until("it is put back", async || devices.last("a") == before()).await;
    until("nothing is kept", async || rig.kept().await == 0).await;
    let early = devices.told();
    assert_eq!(early.len(), 1, "nothing but that: {early:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lamps_of_a_show_that_ended_with_the_program_are_put_back_at_the_next_start() {
    let mosquitto = Mosquitto::start();
    let devices = Devices::start(&mosquitto, &["a"], |_| Some(Duration::from_millis(5)));
    let stall = Stall::to(&mosquitto.address()).await;
    let rig = Rig::start(&stall.address.to_string(), |_| {}).await;
    let show = rig.open(&["a"]).await;
    let painter = paint(&show, clockwork);
    until("it is told", async || devices.told().len() > 2).await;
    // From here on nothing that this run says is heard, as if it had been killed.
    stall.hold(true);
    let kept = rig.kept().await;
    assert_eq!(kept, 1);
    drop((painter, show));
    let Rig { folder, tasks, lamps, store, policy, .. } = rig;
    tasks.stop().await;
    drop((lamps, store, policy, tasks));
    let rig = open_again(&mosquitto, folder).await;
    until("it is put back", async || devices.last("a") == before()).await;
    until("nothing is kept", async || rig.kept().await == 0).await;
}

/// The store is free a moment after the last of the earlier run is gone.
async fn open_again(mosquitto: &Mosquitto, folder: Folder) -> Rig {
    Rig::again(&mosquitto.address(), |_| {}, folder).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_told_that_may_not_be_published() {
    let mosquitto = Mosquitto::start();
    let devices = Devices::start(&mosquitto, &["a", "b"], |_| Some(Duration::from_millis(5)));
    let deny = |config: &mut mqtt::Config| config.deny_topics = vec!["zigbee2mqtt/b/#".into()];
    let rig = Rig::start(&mosquitto.address(), deny).await;
    let show = rig.open(&["a", "b"]).await;
    assert_eq!(show.refused()[0].0, set("b"));
    assert!(show.refused()[0].1.to_string().contains("mqtt.deny_topics"));
    let e = rig.lamps.open(&rig.caller, &[set("a")], RULES).await.err().unwrap();
    assert!(e.to_string().contains("another show"), "{e}");
    show.close().await;
    let e = rig.lamps.open(&rig.caller, &[set("nowhere")], RULES).await.err().unwrap();
    assert!(e.to_string().contains("no light of the broker"), "{e}");
    let scope = EntityScope { deny: vec!["light.x".into()], ..EntityScope::default() };
    let some = rig.policy.acting("some", &Grant { entities: scope, ..Grant::admin() });
    let e = rig.lamps.open(&some, &[set("a")], RULES).await.err().unwrap();
    assert!(e.to_string().contains("may use only some entities"), "{e}");
    let shut = Rig::start(&mosquitto.address(), |config| config.read_only = true).await;
    until("it is known", async || !shut.lamps.list(&shut.caller).unwrap().is_empty()).await;
    let e = shut.lamps.open(&shut.caller, &[set("a")], RULES).await.err().unwrap();
    assert!(e.to_string().contains("mqtt.read_only = false"), "{e}");
    assert!(devices.told().iter().all(|told| told.what == before()), "{:?}", devices.told());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_light_that_announced_itself_with_json_is_told_in_its_own_words() {
    let mosquitto = Mosquitto::start();
    let config = json!({"schema": "json", "name": "Strip", "unique_id": "strip", "brightness": true,
        "command_topic": "esp/strip/set", "state_topic": "esp/strip", "brightness_scale": 100,
        "supported_color_modes": ["rgb"]});
    let state = json!({"state": "ON", "brightness": 20, "color_mode": "rgb",
                       "color": {"r": 1, "g": 2, "b": 3}});
    for (topic, payload) in [("homeassistant/light/strip/config", config), ("esp/strip", state)] {
        mosquitto.publish(topic, payload.to_string().as_bytes(), &["-r"]);
    }
    let heard = mosquitto.listen(&["esp/strip/set"], "%t %p");
    let told = || {
        let line = tokio::task::block_in_place(|| heard.next_line("esp/strip/set "));
        serde_json::from_str::<Value>(line.split_once(' ').unwrap().1).unwrap()
    };
    let rig = Rig::start(&mosquitto.address(), |_| {}).await;
    let id = "esp/strip/set".to_owned();
    until("it is known", async || {
        rig.lamps
            .list(&rig.caller)
            .unwrap()
            .iter()
            .any(|lamp| lamp.id == id && lamp.name == "Strip")
    })
    .await;
    let show = rig.lamps.open(&rig.caller, &[id], RULES).await.unwrap();
    let painter = paint(&show, |_, _| (Light([1.0, 0.0, 0.0]), true));
    let red = json!({"state": "ON", "brightness": 100, "transition": 0.0,
                     "color": {"r": 255, "g": 0, "b": 0}});
    assert_eq!(told(), red);
    drop(painter);
    show.close().await;
    let back = json!({"state": "ON", "transition": 0.4, "brightness": 20,
                      "color": {"r": 1, "g": 2, "b": 3}});
    until("it is put back", async || told() == back).await;
}
