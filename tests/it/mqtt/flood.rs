//! Many messages at once, written as bytes (MQTT 3.1.1, sections 3.1 and 3.3): Debian's publisher has
//! one topic for each connection.

use super::mosquitto::Mosquitto;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Publishes all of `messages` with QoS 0 over one connection and returns when the broker has them.
pub fn publish(broker: &Mosquitto, messages: &[(String, Vec<u8>)], retain: bool) {
    let mut stream = TcpStream::connect(("127.0.0.1", broker.port)).unwrap();
    let mut bytes = vec![0x10, 19, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
    bytes.extend([0, 7]);
    bytes.extend(b"flood-1");
    stream.write_all(&bytes).unwrap();
    let mut welcome = [0; 4];
    stream.read_exact(&mut welcome).unwrap();
    assert_eq!(welcome, [0x20, 2, 0, 0], "the broker's CONNACK");
    let mut all = Vec::new();
    for (topic, payload) in messages {
        all.push(0x30 | u8::from(retain));
        let mut left = 2 + topic.len() + payload.len();
        while left >= 128 {
            all.push((left % 128) as u8 | 128);
            left /= 128;
        }
        all.push(left as u8);
        all.extend((topic.len() as u16).to_be_bytes());
        all.extend(topic.as_bytes());
        all.extend(payload);
    }
    // The answer to a PINGREQ comes behind everything before it.
    all.extend([0xc0, 0]);
    stream.write_all(&all).unwrap();
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0xd0, 0], "the broker's PINGRESP");
}
