//! A scripted broker for what a real one never does: withhold answers, garble, stall, send too much.
//!
//! Each connection is served by a function of the test's, byte by byte: the packets are written down by
//! hand from the standard, so that it does not share a mistake with the library that Hearth uses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub struct Fake {
    pub port: u16,
    visits: Arc<Mutex<Vec<Instant>>>,
    open: Arc<AtomicUsize>,
}

impl Fake {
    /// Serves each connection with `serve`, on a thread of its own; the number of the connection counts
    /// from 0.
    pub fn start(serve: impl Fn(&mut Peer, usize) + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (visits, open) = (Arc::<Mutex<Vec<Instant>>>::default(), Arc::new(AtomicUsize::new(0)));
        let (seen, serve, opened) = (visits.clone(), Arc::new(serve), open.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Instant::now());
                    seen.len() - 1
                };
                let (serve, opened) = (serve.clone(), opened.clone());
                opened.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    serve(&mut Peer { stream, is_v5: false }, number);
                    opened.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Fake { port, visits, open }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// When each connection came.
    pub fn visits(&self) -> Vec<Instant> {
        self.visits.lock().unwrap().clone()
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// A packet that a client sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

impl Packet {
    pub fn kind(&self) -> u8 {
        self.first >> 4
    }
}

pub const CONNECT: u8 = 1;
pub const PUBLISH: u8 = 3;
pub const SUBSCRIBE: u8 = 8;
pub const PINGREQ: u8 = 12;

/// A client at the other end.
pub struct Peer {
    pub stream: TcpStream,
    pub is_v5: bool,
}

impl Peer {
    /// Reads the next packet; `None` when the client is gone.
    pub fn read(&mut self) -> Option<Packet> {
        let mut first = [0];
        self.stream.read_exact(&mut first).ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).ok()?;
            length |= usize::from(byte[0] & 127) << shift;
            shift += 7;
            if byte[0] & 128 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some(Packet { first: first[0], body })
    }

    /// Sends a packet; false when the client is gone.
    pub fn send(&mut self, first: u8, body: &[u8]) -> bool {
        let mut head = vec![first];
        head.extend(length(body.len()));
        self.stream.write_all(&head).and_then(|()| self.stream.write_all(body)).is_ok()
    }

    /// Reads CONNECT and says welcome, in the client's version.
    pub fn welcome(&mut self) -> Option<Packet> {
        let hello = self.read()?;
        assert_eq!(hello.kind(), CONNECT);
        self.is_v5 = hello.body[6] == 5;
        let body: &[u8] = if self.is_v5 { &[0, 0, 0] } else { &[0, 0] };
        self.send(0x20, body).then_some(hello)
    }

    /// Reads SUBSCRIBE and grants every filter with `codes`, in turn.
    pub fn grant(&mut self, codes: &[u8]) -> Option<Packet> {
        let asked = self.read()?;
        assert_eq!(asked.kind(), SUBSCRIBE, "{asked:?}");
        let mut body = asked.body[..2].to_vec();
        if self.is_v5 {
            body.push(0);
        }
        body.extend(codes);
        self.send(0x90, &body).then_some(asked)
    }

    /// The usual beginning.
    pub fn begin(&mut self) -> Option<()> {
        self.welcome()?;
        self.grant(&[2, 2])?;
        Some(())
    }

    /// Sends a message; an id makes it one of QoS 1.
    pub fn message(
        &mut self,
        topic: &[u8],
        payload: &[u8],
        retained: bool,
        id: Option<u16>,
    ) -> bool {
        let mut body = (topic.len() as u16).to_be_bytes().to_vec();
        body.extend(topic);
        body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
        if self.is_v5 {
            body.push(0);
        }
        let first = 0x30 | u8::from(retained) | (u8::from(id.is_some()) << 1);
        let mut head = vec![first];
        head.extend(length(body.len() + payload.len()));
        head.extend(body);
        self.stream.write_all(&head).and_then(|()| self.stream.write_all(payload)).is_ok()
    }

    /// Answers pings until the client is gone; what else came is returned.
    pub fn idle(&mut self) -> Vec<Packet> {
        let mut others = Vec::new();
        while let Some(packet) = self.read() {
            match packet.kind() {
                PINGREQ => drop(self.send(0xD0, &[])),
                _ => others.push(packet),
            }
        }
        others
    }
}

/// A Variable Byte Integer.
fn length(mut length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        out.push(if length > 0 { byte | 128 } else { byte });
        if length == 0 {
            return out;
        }
    }
}
