//! A client of DTLS 1.2 for one cipher suite, TLS_PSK_WITH_AES_128_GCM_SHA256: what a Hue bridge speaks.
//! Pure: it gives datagrams to send, takes those that came, and knows neither socket nor clock.
//!
//! Sources: RFC 6347 (DTLS), RFC 5246 (TLS 1.2), RFC 4279 and 5487 (pre-shared keys), RFC 7627. There is
//! no renegotiation, no resumption, and nothing is read but alerts: a bridge sends no data. The packages
//! that do DTLS in Rust either lack this suite or bring a stack of WebRTC along.

mod keys;
mod wire;

use keys::{Sealer, hash, premaster, prf};
use std::collections::BTreeMap;
use wire::{Kind, Whole};

/// Handshake messages that came too early and are kept.
const EARLY: u16 = 8;

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The other side says so, with this description (RFC 5246, section 7.2).
    Alert(u8),
    /// The other side has closed it.
    Closed,
    /// It did something that it must not; what.
    Broken(&'static str),
}

/// How far the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Keys,
    Finish,
    Open,
}

/// One message of the flight that was sent last.
#[derive(Clone, Debug)]
enum Part {
    Plain(Kind, Vec<u8>),
    Sealed(Vec<u8>),
}

/// The client of one connection.
pub(super) struct Client {
    identity: Vec<u8>,
    psk: Vec<u8>,
    random: [u8; 32],
    step: Step,
    /// What was said so far, for both Finished.
    said: Vec<u8>,
    /// Number of our next message, and of the next one that we read.
    next_ours: u16,
    next_theirs: u16,
    early: BTreeMap<u16, Whole>,
    flight: Vec<Part>,
    /// Number of the next record in the clear.
    number: u64,
    hello: Option<wire::ServerHello>,
    master: [u8; 48],
    sealer: Option<Sealer>,
}

impl Client {
    /// Makes a client; `random` must be fresh.
    pub(super) fn new(identity: &str, psk: &[u8], random: [u8; 32]) -> Client {
        Client {
            identity: identity.as_bytes().to_vec(),
            psk: psk.to_vec(),
            random,
            step: Step::Hello,
            said: Vec::new(),
            next_ours: 0,
            next_theirs: 0,
            early: BTreeMap::new(),
            flight: Vec::new(),
            number: 0,
            hello: None,
            master: [0; 48],
            sealer: None,
        }
    }

    /// Begins; returns the first datagram.
    pub(super) fn start(&mut self) -> Vec<u8> {
        self.say_hello(&[]);
        self.again()
    }

    /// Whether data can be sent.
    pub(super) fn is_open(&self) -> bool {
        self.step == Step::Open
    }

    /// Returns the last flight once more, with record numbers of its own: something of it, or of the
    /// answer, was lost.
    pub(super) fn again(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.flight {
            match (part, &mut self.sealer) {
                (Part::Plain(kind, content), _) => {
                    wire::plain(*kind, self.number, content, &mut out);
                    self.number += 1;
                }
                (Part::Sealed(content), Some(sealer)) => {
                    sealer.seal(Kind::Handshake, content, &mut out);
                }
                (Part::Sealed(_), None) => {}
            }
        }
        out
    }

    /// Takes a datagram; returns the one to answer with, if any.
    ///
    /// # Errors
    /// Why the connection cannot go on. What is not understood, or not genuine, is no reason.
    pub(super) fn take(&mut self, datagram: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let was = self.next_ours;
        for record in wire::records(datagram) {
            let is_sealed = record[3..5] == [0, 1];
            let content = match (&mut self.sealer, is_sealed) {
                (Some(sealer), true) => sealer.open(record),
                // Once there are keys, only what is under them counts.
                (Some(_), false) if self.step == Step::Open => None,
                (_, false) if record[3..5] == [0, 0] => Some(record[wire::HEADER..].to_vec()),
                _ => None,
            };
            let Some(content) = content else { continue };
            match record[0] {
                21 => alert(&content)?,
                22 => self.hear(&content, is_sealed)?,
                _ => {}
            }
        }
        Ok((self.next_ours != was).then(|| self.again()))
    }

    /// Returns a record with data; `None` before the handshake is done, or when there are no numbers
    /// left.
    pub(super) fn seal(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(data.len() + 64);
        let is_done = self.is_open() && self.sealer.as_mut()?.seal(Kind::Data, data, &mut out);
        is_done.then_some(out)
    }

    /// Returns the record that ends the connection, if there is one.
    pub(super) fn close(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        // A warning: close_notify.
        self.sealer.as_mut()?.seal(Kind::Alert, &[1, 0], &mut out).then_some(out)
    }

    fn hear(&mut self, content: &[u8], is_sealed: bool) -> Result<(), Fault> {
        for part in wire::fragments(content) {
            let ahead = part.number.wrapping_sub(self.next_theirs);
            // Only what ends the handshake is under the keys.
            if ahead >= EARLY || is_sealed != (part.kind == 20) {
                continue;
            }
            match self.early.get_mut(&part.number) {
                Some(whole) => whole.add(&part),
                None => drop(self.early.insert(part.number, Whole::new(&part))),
            }
        }
        while let Some(whole) = self.early.remove(&self.next_theirs) {
            let Some(content) = whole.content() else {
                self.early.insert(self.next_theirs, whole);
                break;
            };
            let message = wire::message(whole.kind, self.next_theirs, content);
            self.next_theirs += 1;
            self.step(whole.kind, content, &message)?;
        }
        Ok(())
    }

    fn step(&mut self, kind: u8, content: &[u8], message: &[u8]) -> Result<(), Fault> {
        match (self.step, kind) {
            (Step::Hello, 3) => {
                let cookie = wire::cookie(content).ok_or(Fault::Broken("a cookie that is none"))?;
                // Neither the first hello nor this answer is part of what is signed.
                self.said.clear();
                self.say_hello(cookie);
            }
            (Step::Hello, 2) => {
                let hello = wire::server_hello(content)
                    .ok_or(Fault::Broken("it chose a cipher that was not offered"))?;
                (self.hello, self.step) = (Some(hello), Step::Keys);
                self.said.extend(message);
            }
            // A hint of which key to use; there is one.
            (Step::Keys, 12) => self.said.extend(message),
            (Step::Keys, 14) => {
                self.said.extend(message);
                self.exchange()?;
            }
            (Step::Finish, 20) => {
                let mut want = [0; 12];
                prf(&self.master, b"server finished", &hash(&self.said), &mut want);
                if content != want {
                    return Err(Fault::Broken("its Finished is not right"));
                }
                self.step = Step::Open;
                self.flight.clear();
            }
            _ => return Err(Fault::Broken("a message that has no place here")),
        }
        Ok(())
    }

    fn say_hello(&mut self, cookie: &[u8]) {
        let hello = wire::client_hello(&self.random, cookie);
        self.flight.clear();
        self.say(1, &hello);
    }

    /// Adds a message of ours to the flight.
    fn say(&mut self, kind: u8, content: &[u8]) {
        let message = wire::message(kind, self.next_ours, content);
        self.next_ours += 1;
        self.said.extend(&message);
        self.flight.push(match kind {
            20 => Part::Sealed(message),
            _ => Part::Plain(Kind::Handshake, message),
        });
    }

    /// ClientKeyExchange, ChangeCipherSpec, Finished.
    fn exchange(&mut self) -> Result<(), Fault> {
        let server = self.hello.take().ok_or(Fault::Broken("no ServerHello came"))?;
        let length = u16::try_from(self.identity.len()).unwrap_or(u16::MAX).to_be_bytes();
        let identity = [&length, self.identity.as_slice()].concat();
        self.flight.clear();
        self.say(16, &identity);
        let secret = premaster(&self.psk);
        match server.is_extended {
            true => {
                let label = b"extended master secret";
                prf(&secret, label, &hash(&self.said), &mut self.master);
            }
            false => {
                let seed = [self.random, server.random].concat();
                prf(&secret, b"master secret", &seed, &mut self.master);
            }
        }
        self.sealer = Sealer::new(&self.master, &self.random, &server.random);
        self.flight.push(Part::Plain(Kind::Change, vec![1]));
        let mut verify = [0; 12];
        prf(&self.master, b"client finished", &hash(&self.said), &mut verify);
        self.say(20, &verify);
        self.step = Step::Finish;
        Ok(())
    }
}

/// Level and description; a mere warning is none of ours, but for the end.
fn alert(content: &[u8]) -> Result<(), Fault> {
    match *content {
        [_, 0] => Err(Fault::Closed),
        [2, description] => Err(Fault::Alert(description)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_gets_nothing_but_hellos_out_of_it() {
        let mut client = Client::new("app", &[1; 16], [7; 32]);
        let first = client.start();
        assert_eq!((first[0], first.len()), (22, wire::HEADER + wire::HEAD + 50));
        let mut dice = 1u64;
        for _ in 0..2000 {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = first.clone();
            let at = (dice >> 33) as usize % bytes.len();
            bytes[at] = (dice >> 20) as u8;
            // Neither a panic nor data in the clear.
            let _ = client.take(&bytes);
            assert!(client.seal(b"light").is_none() && client.close().is_none());
        }
    }

    #[test]
    fn a_cookie_is_given_back_once_and_a_lost_hello_is_repeated_with_a_new_number() {
        let mut client = Client::new("app", &[1; 16], [7; 32]);
        client.start();
        let mut asks = Vec::new();
        let verify = wire::message(3, 0, &[254, 255, 4, 9, 8, 7, 6]);
        wire::plain(Kind::Handshake, 0, &verify, &mut asks);
        let second = client.take(&asks).unwrap().unwrap();
        assert!(second.windows(5).any(|w| w == [4, 9, 8, 7, 6]));
        assert_eq!(client.take(&asks), Ok(None), "the same once more says nothing new");
        let third = client.again();
        assert_eq!((second[10], third[10]), (1, 2));
        assert_eq!(second[11..], third[11..]);
    }

    #[test]
    fn alerts_end_it() {
        let told = |level, description| {
            let mut client = Client::new("app", &[1; 16], [7; 32]);
            client.start();
            let mut record = Vec::new();
            wire::plain(Kind::Alert, 0, &[level, description], &mut record);
            client.take(&record)
        };
        assert_eq!(told(2, 115), Err(Fault::Alert(115)));
        assert_eq!(told(1, 0), Err(Fault::Closed));
        assert_eq!(told(1, 100), Ok(None));
    }
}
