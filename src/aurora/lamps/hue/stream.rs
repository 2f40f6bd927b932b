//! The way to a bridge over UDP: the handshake with its repetitions, then records. Knows no colours.

use super::dtls::{Client, Fault};
use crate::error::Error;
use ring::rand::{SecureRandom, SystemRandom};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// A flight that is not answered is repeated after so long, then after twice as long (RFC 6347, section
/// 4.2.4.1, asks for a second; a bridge is in the same house).
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// The whole handshake.
const PATIENCE: Duration = Duration::from_secs(8);

/// An open way.
pub(super) struct Stream {
    socket: UdpSocket,
    client: Client,
    address: SocketAddr,
}

impl Stream {
    /// Opens it.
    ///
    /// # Errors
    /// Offline when nobody answers, or not as they should; Refused when the bridge does not know us.
    pub(super) async fn open(
        address: SocketAddr,
        identity: &str,
        key: &[u8],
    ) -> Result<Stream, Error> {
        let here: SocketAddr = match address.is_ipv4() {
            true => (Ipv4Addr::UNSPECIFIED, 0).into(),
            false => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let bad = |e: std::io::Error| Error::offline(format!("{address}: no way there")).because(e);
        let socket = UdpSocket::bind(here).await.map_err(bad)?;
        socket.connect(address).await.map_err(bad)?;
        let mut random = [0; 32];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| Error::broken("the system gives no random numbers"))?;
        let client = Client::new(identity, key, random);
        let mut stream = Stream { socket, client, address };
        stream.greet().await?;
        Ok(stream)
    }

    async fn greet(&mut self) -> Result<(), Error> {
        let hello = self.client.start();
        self.put(&hello);
        let (until, mut pause, mut answered) = (Instant::now() + PATIENCE, FIRST, false);
        let mut again = Instant::now() + pause;
        let mut buffer = [0; 2048];
        while !self.client.is_open() {
            if Instant::now() >= until {
                return Err(self.unanswered(answered));
            }
            match timeout_at(again.min(until), self.socket.recv(&mut buffer)).await {
                Ok(Ok(count)) => {
                    answered = true;
                    let next = self.client.take(&buffer[..count]).map_err(|f| self.say(f))?;
                    if let Some(next) = next {
                        self.put(&next);
                        (pause, again) = (FIRST, Instant::now() + FIRST);
                    }
                }
                // The port is closed: the bridge opens it a moment after it was told to begin.
                Ok(Err(_)) => tokio::time::sleep_until(again.min(until)).await,
                Err(_) => {}
            }
            if Instant::now() >= again {
                let flight = self.client.again();
                self.put(&flight);
                pause = (pause * 2).min(LONGEST);
                again = Instant::now() + pause;
            }
        }
        Ok(())
    }

    /// Sends data in a record of its own; false when it did not leave. Never waits.
    ///
    /// # Errors
    /// Broken when this connection has no record numbers left.
    pub(super) fn send(&mut self, data: &[u8]) -> Result<bool, Error> {
        let record = self.client.seal(data);
        let record = record.ok_or_else(|| Error::broken("the connection is used up"))?;
        Ok(self.put(&record))
    }

    /// Waits until the bridge says that it is over.
    pub(super) async fn ended(&mut self) -> Error {
        let mut buffer = [0; 2048];
        loop {
            match self.socket.recv(&mut buffer).await {
                Ok(count) => {
                    if let Err(fault) = self.client.take(&buffer[..count]) {
                        return self.say(fault);
                    }
                }
                Err(e) => {
                    return Error::offline(format!("{}: nobody listens", self.address)).because(e);
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) fn close(mut self) {
        if let Some(record) = self.client.close() {
            self.put(&record);
        }
    }

    fn put(&self, datagram: &[u8]) -> bool {
        // What finds no room is lost, as on the way: the next picture is newer.
        self.socket.try_send(datagram).is_ok()
    }

    fn unanswered(&self, answered: bool) -> Error {
        let address = self.address;
        match answered {
            false => Error::offline(format!(
                "{address} does not answer: is the bridge on, and does a firewall let UDP through?"
            )),
            // A record under a wrong key is dropped without a word.
            true => Error::refused(format!(
                "{address} does not take the key: pair the bridge again, its key has changed"
            )),
        }
    }

    fn say(&self, fault: Fault) -> Error {
        let address = self.address;
        match fault {
            Fault::Closed => Error::offline(format!("{address} has ended the stream")),
            // bad_record_mac, decrypt_error, unknown_psk_identity.
            Fault::Alert(20 | 51 | 115) => self.unanswered(true),
            Fault::Alert(number) => {
                Error::offline(format!("{address} refuses the stream (TLS alert {number})"))
            }
            Fault::Broken(what) => Error::offline(format!("{address} breaks the protocol: {what}")),
        }
    }
}
