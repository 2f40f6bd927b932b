//! What the link needs of a client library, whichever version of MQTT it speaks.

use crate::mqtt::clock::now;
use crate::mqtt::config::{Target, Version};
use crate::mqtt::link::Welcome;
use crate::mqtt::link::dial::{self, Socket};
use crate::mqtt::link::pace::Ending;
use crate::mqtt::link::sieve::{Mark, Sieve};
use crate::mqtt::message::{Arrived, Outcome, Payload, Properties, Publish, Qos};
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Messages of ours that may be under way at once; the library's tables are as large.
pub(super) const INFLIGHT: u16 = 100;
/// The largest packet that MQTT can say (MQTT 5, section 1.5.5).
pub(super) const LARGEST: usize = 268_435_455;

/// A future in a box.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is needed to knock at a broker's door.
pub(super) struct Knock<'a> {
    pub(super) target: &'a Target,
    pub(super) client_id: &'a str,
    pub(super) keep_alive: Duration,
    pub(super) connect: Duration,
    /// See [`Options::kept_first`](crate::mqtt::link::Options).
    pub(super) kept_first: bool,
}

/// What a step heard.
pub(super) enum Heard<'a> {
    Welcome(Welcome),
    Arrived(Arrived<'a>),
    /// What became of each filter, in their order: its QoS, or why not.
    Granted(Vec<Result<Qos, String>>),
    /// A message whose topic is no text.
    NoText,
}

/// Why there is no connection any more.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) ending: Ending,
    /// For people.
    pub(super) why: String,
}

impl Ended {
    pub(super) fn lost(why: impl Into<String>) -> Ended {
        Ended { ending: Ending::Lost, why: why.into() }
    }

    pub(super) fn refused(why: impl Into<String>) -> Ended {
        Ended { ending: Ending::Refused, why: why.into() }
    }

    pub(super) fn version(why: impl Into<String>) -> Ended {
        Ended { ending: Ending::Version, why: why.into() }
    }
}

/// The reading half of a connection.
pub(super) trait Wire: Sized + Send {
    /// The writing half.
    type Pen: Pen;
    const VERSION: Version;

    /// Prepares a connection over `socket`; the first step says hello.
    fn open(socket: Sieve<Socket>, mark: Mark, knock: &Knock<'_>) -> (Self::Pen, Self);

    /// Reads until something happened, and tells it. Must not be dropped before it is done while the
    /// connection is to go on.
    fn step<F>(&mut self, hear: &mut F) -> impl Future<Output = Result<(), Ended>> + Send
    where
        F: FnMut(Heard<'_>) + Send;
}

/// The writing half of a connection. Nothing here waits.
pub(super) trait Pen: Send + Sync {
    /// Asks for messages.
    fn subscribe(&self, filters: &[(String, Qos)]) -> Result<(), String>;

    /// Sends a message; the future says what became of it. It ends at the latest with the connection.
    fn publish(&self, message: Publish) -> Result<Boxed<Outcome>, String>;

    /// Says goodbye.
    fn leave(&self);
}

/// A PUBLISH as the library has it, whichever version it speaks.
pub(super) struct Said<'a> {
    pub(super) topic: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) qos: u8,
    pub(super) retained: bool,
    pub(super) dup: bool,
    pub(super) properties: Option<&'a Properties>,
}

impl Said<'_> {
    /// Tells of the message, or that its topic is no text.
    pub(super) fn tell(self, mark: Mark, hear: &mut impl FnMut(Heard<'_>)) {
        let topic = std::str::from_utf8(self.topic).ok().filter(|topic| !topic.contains('\0'));
        let Some(topic) = topic else { return hear(Heard::NoText) };
        let payload = match mark.read(self.payload) {
            Some(size) => Payload::TooLarge(size),
            None => Payload::Whole(self.payload),
        };
        hear(Heard::Arrived(Arrived {
            at: now(),
            topic,
            payload,
            qos: Qos::of(self.qos).unwrap_or_default(),
            retained: self.retained,
            dup: self.dup,
            properties: self.properties,
        }));
    }
}

/// A socket that waits to be taken by the library, once.
pub(super) struct Once(Mutex<Option<Sieve<Socket>>>);

impl Once {
    pub(super) fn new(socket: Sieve<Socket>) -> Once {
        Once(Mutex::new(Some(socket)))
    }

    pub(super) fn take(&self) -> io::Result<Sieve<Socket>> {
        let socket = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A library that wants to connect again must not: the link does.
        socket.ok_or_else(|| io::Error::other("the connection is over"))
    }
}

/// Says why a socket failed.
pub(super) fn io_words(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "the broker cut the connection".into(),
        io::ErrorKind::InvalidData => dial::tls_words(&e.to_string()),
        _ => format!("the connection broke ({e})"),
    }
}
