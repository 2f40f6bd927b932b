use super::*;
use tokio::io::AsyncReadExt;

const WELCOME: [u8; 4] = [0x20, 2, 0, 0];
const MARK: Mark = Mark([7; 16]);

/// Gives bytes in pieces of one size, as a network may.
struct Pieces<'a>(&'a [u8], usize);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.1.min(self.0.len()).min(buf.remaining());
        let (now, later) = self.0.split_at(n);
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { byte | 128 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A PUBLISH: QoS and id, properties with their length (MQTT 5), payload.
fn publish(topic: &str, id: Option<u16>, properties: Option<usize>, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    if let Some(size) = properties {
        // One user property of that size (section 3.3.2.3.7), its names being data here.
        let length = packet(0, &vec![b'x'; size]);
        body.extend_from_slice(&length[1..]);
    }
    body.extend_from_slice(payload);
    packet(if id.is_some() { 0x33 } else { 0x31 }, &body)
}

fn stand_in(topic: &str, id: Option<u16>, v5: bool, size: u64) -> Vec<u8> {
    let payload = [&MARK.0[..], &size.to_be_bytes()].concat();
    publish(topic, id, v5.then_some(0), &payload)
}

/// What comes of `bytes` behind a welcome.
async fn through(bytes: &[u8], piece: usize, room: usize, v5: bool) -> io::Result<Vec<u8>> {
    let all = [&WELCOME[..], bytes].concat();
    let mut sieve = Sieve::new(Pieces(&all, piece), 1000, v5, MARK);
    let (mut out, mut buf) = (Vec::new(), vec![0; room]);
    loop {
        match sieve.read(&mut buf).await? {
            0 => return Ok(out.split_off(WELCOME.len())),
            n => out.extend_from_slice(&buf[..n]),
        }
    }
}

#[tokio::test]
async fn small_packets_pass_unchanged_however_the_bytes_are_cut() {
    let mut bytes = packet(0x20, &[0, 0]);
    bytes.extend(packet(0xD0, &[]));
    bytes.extend(publish("a/b", None, None, &[1; 300]));
    bytes.extend(publish("a/b", Some(9), None, &[2; 990]));
    bytes.extend(packet(0xD0, &[]));
    for piece in [1, 2, 3, 7, 128, 5000] {
        for room in [1, 2, 4, 5, 6, 64, 8192] {
            let out = through(&bytes, piece, room, false).await.unwrap();
            assert!(out == bytes, "pieces of {piece}, room for {room}");
        }
    }
}

#[tokio::test]
async fn a_large_message_becomes_a_small_one_of_the_same_topic_and_id() {
    let topic = "very/".repeat(60);
    for (v5, properties) in [(false, None), (true, Some(0)), (true, Some(700))] {
        for id in [None, Some(258)] {
            let mut bytes = publish("before", None, v5.then_some(0), b"1");
            bytes.extend(publish(&topic, id, properties, &[b'x'; 5000]));
            bytes.extend(publish("after", None, v5.then_some(0), b"2"));
            let mut wanted = publish("before", None, v5.then_some(0), b"1");
            wanted.extend(stand_in(&topic, id, v5, 5000));
            wanted.extend(publish("after", None, v5.then_some(0), b"2"));
            for piece in [1, 3, 1000, 100_000] {
                for room in [1, 5, 6, 8192] {
                    let out = through(&bytes, piece, room, v5).await.unwrap();
                    assert!(out == wanted, "v5 {v5}, id {id:?}, pieces {piece}, room {room}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_library_hears_that_the_broker_lives_while_a_very_large_message_comes() {
    let bytes = publish("a", None, None, &vec![0; 3 << 20]);
    let out = through(&bytes, 65_536, 8192, false).await.unwrap();
    let pings = out.chunks(2).take_while(|two| **two == PINGRESP).count();
    assert_eq!((pings, &out[2 * pings..]), (3, &stand_in("a", None, false, 3 << 20)[..]));
}

#[tokio::test]
async fn what_is_no_packet_is_an_error() {
    let huge = packet(0x90, &[0; 2000]);
    let endless = [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1];
    let short = packet(0x30, &[&[0xFF, 0xFF][..], &[b'a'; 2000]].concat());
    let odd = publish("a", None, Some(2000), b"");
    let mut cut = packet(0x30, &[&[0, 1, b'a', 0xFF, 0xFF, 0x7F][..], &[0; 2000]].concat());
    cut.truncate(2000);
    for (bytes, v5, word) in [
        (&huge[..], false, "type 9 with 2000 bytes"),
        (&endless, false, "more than four"),
        (&short, false, "shorter than its topic"),
        (&cut, true, "shorter than its properties"),
    ] {
        let e = through(bytes, 100, 100, v5).await.unwrap_err().to_string();
        assert!(e.contains(word), "{e}");
    }
    assert_eq!(through(&odd, 100, 100, true).await.unwrap(), stand_in("a", None, true, 0));
}

#[tokio::test]
async fn what_begins_with_something_else_is_no_broker() {
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"SSH-2.0-OpenSSH\r\n", b"\x30\x03\0\x01a"]
    {
        let mut sieve = Sieve::new(Pieces(bytes, 100), 1000, true, MARK);
        let e = sieve.read(&mut [0; 100]).await.unwrap_err();
        assert!(e.to_string().contains("no MQTT"), "{e}");
    }
}

#[test]
fn only_the_mark_of_this_connection_stands_for_a_size() {
    let payload = [&MARK.0[..], &77u64.to_be_bytes()].concat();
    assert_eq!(MARK.read(&payload), Some(77));
    assert_eq!(Mark([8; 16]).read(&payload), None);
    assert_eq!(MARK.read(&payload[..23]), None);
    assert_eq!(MARK.read(b""), None);
}
