//! Streams to a Hue bridge: OpenSSL takes them, a scripted server is the bridge's other half.

use super::bridge::{AREA, Bridge, KEY, Lossy, Receiver, free_port};
use crate::harness::Folder;
use crate::home::rig::until;
use hearth::aurora::lamps::hue::{HueLamps, HueShow, Ports};
use hearth::aurora::light::Light;
use hearth::error::Kind;
use hearth::events::Events;
use hearth::http::mdns::Mdns;
use hearth::policy::{self, Caller, EntityScope, Grant, Level, Policy, Via};
use hearth::store::{self, Store};
use hearth::tasks::Tasks;
use serde_json::{Value, json};

struct Rig {
    lamps: HueLamps,
    policy: Policy,
    store: Store,
    tasks: Tasks,
    caller: Caller,
}

impl Rig {
    async fn start(bridge: &Bridge, stream: u16, folder: &Folder) -> Rig {
        let tasks = Tasks::new(Events::new());
        let store = Store::open(&store::Config::default(), folder.path(), &tasks).await.unwrap();
        let rules = policy::Config::default();
        let policy = Policy::start(&rules, &store, &Events::new(), &tasks, None).await.unwrap();
        let ports = Ports { https: bridge.port, stream };
        let lamps = HueLamps::start(&policy, &store, &tasks, &Mdns::new(&tasks), ports);
        let caller = policy.local(Via::Control);
        Rig { lamps, policy, store, tasks, caller }
    }

    /// Starts and pairs.
    async fn paired(bridge: &Bridge, stream: u16, folder: &Folder) -> Rig {
        let rig = Rig::start(bridge, stream, folder).await;
        bridge.press();
        rig.lamps.pair(&rig.caller, "127.0.0.1").await.unwrap();
        rig
    }

    async fn open(&self) -> HueShow {
        self.lamps.open(&self.caller, "", "Living room").await.unwrap()
    }

    async fn kept(&self) -> usize {
        self.store.list("aurora_before", "hue/", None, 100).await.unwrap().len()
    }
}

const RED: Light = Light([1.0, 0.0, 0.0]);
const BLUE: Light = Light([0.0, 0.0, 1.0]);
const RED_AND_BLUE: [u8; 14] = [0, 255, 255, 0, 0, 0, 0, 2, 0, 0, 0, 0, 255, 255];

/// What puts the lights of the scripted bridge back.
fn back() -> [(String, Value); 2] {
    let one = json!({"on": {"on": true}, "dimming": {"brightness": 42.0},
                     "color": {"xy": {"x": 0.3, "y": 0.4}}});
    let other = json!({"on": {"on": false}, "dimming": {"brightness": 7.0}});
    [("l1".into(), one), ("l2".into(), other)]
}

fn act(action: &str) -> (String, Value) {
    (AREA.to_owned(), json!({ "action": action }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn pairing_takes_the_button_and_from_then_on_one_certificate() {
    let (mut bridge, folder) = (Bridge::start(), Folder::new());
    let rig = Rig::start(&bridge, free_port(), &folder).await;
    let e = rig.lamps.pair(&rig.caller, "127.0.0.1").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict);
    assert!(e.to_string().contains("press the round button"), "{e}");
    let e = rig.lamps.areas(&rig.caller, "").await.unwrap_err();
    assert!(e.to_string().contains("no Hue bridge is paired"), "{e}");
    bridge.press();
    let paired = rig.lamps.pair(&rig.caller, "127.0.0.1").await.unwrap();
    assert_eq!((&*paired.id, &*paired.name), ("001788fffe123456", "Hue\\u{7} Bridge"));
    assert_eq!(rig.lamps.bridges().await.unwrap(), [paired]);
    let areas = rig.lamps.areas(&rig.caller, "001788FFFE123456").await.unwrap();
    assert_eq!((&*areas[0].name, areas[0].is_active), ("Living room", false));
    let places: Vec<_> = areas[0].channels.iter().map(|c| (c.id, c.position[0])).collect();
    assert_eq!(places, [(0, -0.5), (2, 0.75)]);
    bridge.stop();
    bridge.reset();
    bridge.again();
    let e = rig.lamps.areas(&rig.caller, "").await.unwrap_err();
    assert!(e.to_string().contains("certificate is not trusted"), "{e}");
    rig.lamps.pair(&rig.caller, "127.0.0.1").await.unwrap();
    assert_eq!(rig.lamps.areas(&rig.caller, "").await.unwrap().len(), 1);

    for host in ["", "a/b", "http://x", "192.168.1.2:443/x"] {
        assert_eq!(rig.lamps.pair(&rig.caller, host).await.unwrap_err().kind(), Kind::Invalid);
    }
    let grant = |level, deny: &[&str]| {
        let deny = deny.iter().map(|id| (*id).to_owned()).collect();
        let entities = EntityScope { deny, ..EntityScope::default() };
        rig.policy.acting("some", &Grant { level, services: Vec::new(), entities })
    };
    let e = rig.lamps.pair(&grant(Level::Control, &[]), "127.0.0.1").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused);
    let e = rig.lamps.open(&grant(Level::Control, &["light.x"]), "", AREA).await.err().unwrap();
    assert!(e.to_string().contains("only some entities"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn pictures_arrive_byte_for_byte_and_the_lights_are_as_they_were_after_it() {
    for cookie in [false, true] {
        let (bridge, folder, port) = (Bridge::start(), Folder::new(), free_port());
        let receiver = Receiver::start(port, KEY, cookie);
        let rig = Rig::paired(&bridge, port, &folder).await;
        let show = rig.open().await;
        let e = rig.lamps.open(&rig.caller, "", AREA).await.err().unwrap();
        assert_eq!(e.kind(), Kind::Conflict, "{e}");
        show.picture().put(&[RED, BLUE]);
        until("pictures arrive", async || receiver.pictures().len() >= 25).await;
        let pictures = receiver.pictures();
        assert!(pictures.iter().all(|(_, channels)| *channels == RED_AND_BLUE));
        assert!(pictures.windows(2).all(|two| two[1].0 == two[0].0.wrapping_add(1)));
        show.picture().put(&[BLUE]);
        until("the new picture arrives", async || {
            receiver.pictures().last().unwrap().1 == [0, 0, 0, 0, 0, 255, 255, 2, 0, 0, 0, 0, 0, 0]
        })
        .await;
        let report = show.report();
        assert!(report.is_up && report.begun == 1 && report.dropped == 0, "{report:?}");
        assert_eq!(rig.kept().await, 2);
        show.close().await;
        let [one, other] = back();
        assert_eq!(bridge.changes(), [act("start"), act("stop"), one, other]);
        assert_eq!(rig.kept().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stream_begins_and_goes_on_when_datagrams_are_lost_and_reordered() {
    for cookie in [false, true] {
        let (bridge, folder) = (Bridge::start(), Folder::new());
        let (port, behind) = (free_port(), free_port());
        let receiver = Receiver::start(behind, KEY, cookie);
        let _lossy = Lossy::start(port, behind);
        let rig = Rig::paired(&bridge, port, &folder).await;
        let show = rig.open().await;
        show.picture().put(&[RED, BLUE]);
        until("pictures arrive", async || receiver.pictures().len() >= 100).await;
        let pictures = receiver.pictures();
        assert!(pictures.iter().all(|(_, channels)| *channels == RED_AND_BLUE));
        assert!(pictures.windows(2).any(|two| two[1].0 == two[0].0.wrapping_sub(1)), "reordered");
        assert_eq!(show.report().begun, 1);
        show.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_wrong_key_and_a_bridge_that_is_away_are_told_apart() {
    let (bridge, folder, port) = (Bridge::start(), Folder::new(), free_port());
    let rig = Rig::paired(&bridge, port, &folder).await;
    let why = async |show: &HueShow| {
        until("the stream fails", async || show.report().why.is_some()).await;
        show.report().why.unwrap()
    };
    let show = rig.open().await;
    let said = why(&show).await;
    assert!(said.contains("does not answer"), "{said}");
    show.close().await;
    let receiver = Receiver::start(port, "00000000000000000000000000000000", false);
    let show = rig.open().await;
    show.picture().put(&[RED]);
    let said = why(&show).await;
    assert!(said.contains("does not take the key"), "{said}");
    assert_eq!(
        (receiver.pictures().len(), show.report().sent),
        (0, 0),
        "nothing leaves in the clear"
    );
    show.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_bridge_that_goes_away_in_the_middle_is_taken_up_again() {
    let (bridge, folder, port) = (Bridge::start(), Folder::new(), free_port());
    let rig = Rig::paired(&bridge, port, &folder).await;
    let receiver = Receiver::start(port, KEY, true);
    let show = rig.open().await;
    show.picture().put(&[RED, BLUE]);
    until("pictures arrive", async || receiver.pictures().len() > 5).await;
    drop(receiver);
    until("it is noticed", async || !show.report().is_up && show.report().why.is_some()).await;
    let receiver = Receiver::start(port, KEY, true);
    until("pictures arrive again", async || receiver.pictures().len() > 5).await;
    assert_eq!(show.report().begun, 2);
    show.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn lights_that_could_not_be_put_back_are_put_back_at_the_next_start() {
    let (mut bridge, folder, port) = (Bridge::start(), Folder::new(), free_port());
    let rig = Rig::paired(&bridge, port, &folder).await;
    let _receiver = Receiver::start(port, KEY, true);
    let show = rig.open().await;
    show.picture().put(&[RED, BLUE]);
    until("it streams", async || show.report().sent > 5).await;
    bridge.stop();
    show.close().await;
    assert_eq!(rig.kept().await, 2);
    rig.tasks.stop().await;
    drop(rig);
    bridge.again();
    let rig = Rig::start(&bridge, port, &folder).await;
    until("they are put back", async || bridge.changes().ends_with(&back())).await;
    until("nothing is kept", async || rig.kept().await == 0).await;
}
