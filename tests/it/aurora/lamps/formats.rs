//! Every protocol is read by a receiver that others wrote.

use super::rig::{Peer, Rig, Steps, packet, rest, show, socket, step};
use ddp_rs::packet::PacketRef;
use hearth::aurora::lamps::{Bell, Clock, Hear, Levels};
use std::net::UdpSocket;

/// A port that is free now.
fn free_port() -> u16 {
    UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn bytes(data: &serde_json::Value) -> Vec<u8> {
    data.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as u8).collect()
}

/// What [`Steps`] paints into so many lights.
fn steps(lamp: usize, lights: std::ops::Range<usize>) -> Vec<u8> {
    lights.flat_map(|k| (0..3).map(move |c| step(lamp, k, c))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sacn_shows_two_universes_and_knows_the_end() {
    let port = free_port();
    let mut peer = Peer::start(&["sacn", &port.to_string(), "-", "5", "6"]);
    let rig = Rig::new().await;
    let lamp = format!(
        "[[lamp]]\nname='wall'\nkind='e131'\naddress='127.0.0.1:{port}'\nuniverse=5\npixels=200\npriority=120\n"
    );
    let playing = rig.play(&lamp, Steps).await;
    let mut id = None;
    for (universe, lights) in [(5, 0..170), (6, 170..200)] {
        let got = peer.next(|l| l["universe"] == universe && l["data"].is_array());
        let want = steps(0, lights);
        // The receiver fills short universes up.
        assert_eq!(bytes(&got["data"])[..want.len()], want, "universe {universe}");
        assert!(bytes(&got["data"])[want.len()..].iter().all(|byte| *byte == 0));
        assert_eq!((&got["priority"], &got["source"]), (&120.into(), &"Hearth".into()));
        assert_eq!(*id.get_or_insert_with(|| got["id"].clone()), got["id"]);
    }
    playing.stop().await.unwrap();
    for universe in [5, 6] {
        let end =
            |l: &serde_json::Value| l["universe"] == universe && l["availability"] == "timeout";
        peer.next(end);
    }
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sacn_hears_multicast() {
    // A universe of our own: others on this machine may hear the same group.
    let universe = 1000 + std::process::id() % 60_000;
    let mut peer = Peer::start(&["sacn", "5568", "127.0.0.1", &universe.to_string()]);
    let rig = Rig::new().await;
    let lamp = format!(
        "interface='127.0.0.1'\n[[lamp]]\nname='wall'\nkind='e131'\naddress='multicast'\nuniverse={universe}\npixels=3\n"
    );
    let playing = rig.play(&lamp, Steps).await;
    let got = peer.next(|l| l["universe"] == universe && l["data"].is_array());
    assert_eq!(bytes(&got["data"])[..9], steps(0, 0..3));
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artnet_server_shows_what_two_lamps_share() {
    let port = free_port();
    let mut peer = Peer::start(&["artnet", &port.to_string(), "258", "259"]);
    let rig = Rig::new().await;
    let address = format!("kind='artnet'\naddress='127.0.0.1:{port}'");
    let lamps = format!(
        "[[lamp]]\nname='a'\n{address}\nuniverse=258\npixels=2\n\
         [[lamp]]\nname='b'\n{address}\nuniverse=258\nchannel=508\npixels=3\norder='bgr'\n"
    );
    let playing = rig.play(&lamps, Steps).await;
    let got = bytes(&peer.next(|l| l["universe"] == 258)["data"]);
    assert_eq!(got.len(), 512);
    assert_eq!(got[..6], steps(0, 0..2));
    let mut light = steps(1, 0..1);
    light.reverse();
    assert_eq!(got[507..510], light);
    let next = bytes(&peer.next(|l| l["universe"] == 259)["data"]);
    let mut lights = [steps(1, 1..2), steps(1, 2..3)];
    lights.iter_mut().for_each(|light| light.reverse());
    assert_eq!(next, lights.concat());
    playing.stop().await.unwrap();
    peer.next(|l| bytes(&l["data"]).iter().all(|byte| *byte == 0));
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parser_of_ddp_puts_a_long_picture_together() {
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let lamp = format!(
        "[[lamp]]\nname='a'\nkind='ddp'\naddress='127.0.0.1:{port}'\npixels=1000\nstart=10\n"
    );
    let playing = rig.play(&lamp, Steps).await;
    let mut picture = vec![0; 3030];
    let mut sequence = 0;
    loop {
        let bytes = packet(&socket);
        let packet = PacketRef::from_bytes(&bytes).unwrap();
        let header = packet.header;
        assert_eq!((header.packet_type.version, header.time_code.0), (1, None));
        assert_eq!(header.sequence_number, sequence % 15 + 1);
        sequence = header.sequence_number;
        assert_eq!(usize::from(header.length), packet.data.len());
        let at = header.offset as usize;
        picture[at..at + packet.data.len()].copy_from_slice(packet.data);
        if header.packet_type.push {
            break;
        }
    }
    assert_eq!(sequence, 3);
    assert_eq!(picture[..30], [0; 30]);
    assert_eq!(picture[30..], steps(0, 0..1000));
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

/// Hears something that goes up with each frame.
struct Rising(f32);

impl Hear for Rising {
    fn hear(&mut self, levels: &mut Levels) -> bool {
        self.0 += 0.01;
        levels.volume = self.0;
        levels.bands = [self.0; 16];
        levels.began = true;
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_sync_is_told_while_sound_comes_and_ends_in_silence() {
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let lamp = format!("[[lamp]]\nname='a'\nkind='wled-sync'\naddress='127.0.0.1:{port}'\n");
    let mut order = show(&lamp, Steps);
    order.hear = Some(Box::new(Rising(0.0)));
    let bell = Bell::new().unwrap();
    order.clock = Box::new(bell.clone());
    let playing = rig.lamps.play(order).await.unwrap();
    let mut last = 0.0;
    let mut times = Vec::new();
    for _ in 0..5 {
        bell.ring();
        let mut got = packet_while_ringing(&socket, &bell);
        times.push(got.1);
        assert_eq!((got.0.len(), &got.0[..6]), (44, &b"00002\0"[..]));
        let volume = f32::from_le_bytes(got.0[8..12].try_into().unwrap());
        assert!(volume > last, "{volume} after {last}");
        assert_eq!((got.0[16], got.0.split_off(18)[0]), (1, volume.round() as u8));
        last = volume;
    }
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 15_000_000), "{times:?}");
    playing.stop().await.unwrap();
    let end = rest(&socket);
    assert!(end.last().unwrap()[8..16] == [0; 8] && end.last().unwrap()[16] == 0, "{end:?}");
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_sync_reaches_the_group_of_wled() {
    // Others on this machine may hear the same group: ours is told by its volume.
    let own = f32::from(std::process::id() as u16) / 65_536.0;
    struct Steady(f32);
    impl Hear for Steady {
        fn hear(&mut self, levels: &mut Levels) -> bool {
            levels.volume = self.0;
            true
        }
    }
    let socket = UdpSocket::bind("239.0.0.1:11988").unwrap();
    socket.join_multicast_v4(&"239.0.0.1".parse().unwrap(), &"127.0.0.1".parse().unwrap()).unwrap();
    let rig = Rig::new().await;
    let mut order = show(
        "interface='127.0.0.1'\n[[lamp]]\nname='all'\nkind='wled-sync'\naddress='multicast'\n",
        Steps,
    );
    order.hear = Some(Box::new(Steady(own)));
    let bell = Bell::new().unwrap();
    order.clock = Box::new(bell.clone());
    let playing = rig.lamps.play(order).await.unwrap();
    let wanted = (own * 255.0).to_le_bytes();
    let found = (0..100).any(|_| packet_while_ringing(&socket, &bell).0[8..12] == wanted);
    assert!(found, "the group was not told");
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lamp_by_name_is_looked_up_beside_the_show() {
    let (socket, port) = socket();
    let rig = Rig::new().await;
    let lamp = format!("[[lamp]]\nname='a'\nkind='ddp'\naddress='localhost:{port}'\npixels=2\n");
    let playing = rig.play(&lamp, Steps).await;
    assert_eq!(packet(&socket)[10..], steps(0, 0..2));
    assert_eq!(playing.report().await[0].away, None);
    playing.stop().await.unwrap();
    rig.tasks.stop().await;
}

/// The next packet and when it came; the bell is rung until then, as by a listener.
fn packet_while_ringing(socket: &UdpSocket, bell: &Bell) -> (Vec<u8>, u64) {
    socket.set_read_timeout(Some(std::time::Duration::from_millis(2))).unwrap();
    let mut packet = [0; 2048];
    for _ in 0..5000 {
        if let Ok(length) = socket.recv(&mut packet) {
            return (packet[..length].to_vec(), bell.now());
        }
        bell.ring();
    }
    panic!("no packet came");
}
