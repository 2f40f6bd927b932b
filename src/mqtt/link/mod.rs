//! The connection to one broker, kept up: the only code that polls one, and the only code that knows
//! the client library.
//!
//! [`Link::open`] starts a task that connects, subscribes, reads, and connects again after a loss. What
//! happens is told to one [`Listener`], in order; the task never waits for it. Handles send commands and
//! get what became of them. Nothing is ever sent twice: what was under way when a connection broke is
//! reported as unknown, and each connection is a new one for the library.

mod dial;
mod keep;
mod pace;
mod reach;
mod serve;
mod sieve;
mod v4;
mod v5;
mod web_socket;
mod wire;

pub use dial::Reach;
pub(crate) use reach::Rules;

use crate::mqtt::config::{Target, Version};
use crate::mqtt::message::{Arrived, Outcome, Publish, Qos};
use crate::tasks::Tasks;
use keep::Keeper;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for the task.
const WAITING: usize = 64;

/// What a link is told when it is opened.
#[derive(Clone)]
pub(crate) struct Options {
    /// Subscribed to at every connect.
    pub(crate) filters: Vec<(String, Qos)>,
    /// What the broker keeps is asked for with QoS 0 first (with MQTT 5): of QoS 1 and 2 brokers queue
    /// no more than some hundred for one client, and drop the others without a word. The kept messages
    /// then do not say the QoS that they were published with.
    pub(crate) kept_first: bool,
    /// All of connecting may take so long: name, TCP, TLS, the broker's welcome.
    pub(crate) connect: Duration,
    /// After so long without traffic the broker is asked whether it is there.
    pub(crate) keep_alive: Duration,
    /// Messages larger than this are told without their payload; bytes of the whole packet.
    pub(crate) max_packet: u64,
    /// How brokers are reached.
    pub(crate) reach: Reach,
    /// Asked about the broker's address when it is not the owner's own word.
    pub(crate) rules: Option<Arc<Rules>>,
}

/// What the broker said when it let us in.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    /// The client id that we have there.
    pub(crate) client_id: Option<String>,
    /// The version that is spoken.
    pub(crate) version: Version,
    /// What it said of itself; nothing with 3.1.1.
    pub(crate) limits: Limits,
    /// What a person should know about this connection, if anything.
    pub(crate) note: Option<String>,
}

impl Default for Welcome {
    fn default() -> Welcome {
        Welcome { client_id: None, version: Version::V5, limits: Limits::default(), note: None }
    }
}

/// What a broker said of itself when it let us in (MQTT 5, section 3.2.2.3). `None`: it did not, and so
/// the value that MQTT gives there holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Messages of QoS 1 and 2 that it takes at once; 65,535.
    pub(crate) receive_maximum: Option<u16>,
    /// The largest QoS; 2.
    pub(crate) maximum_qos: Option<u8>,
    /// Whether it keeps retained messages; yes.
    pub(crate) retain: Option<bool>,
    /// The largest packet that it takes, in bytes; as large as can be said.
    pub(crate) maximum_packet_size: Option<u32>,
    /// Topics that may be shortened to numbers; 0.
    pub(crate) topic_alias_maximum: Option<u16>,
    /// Whether filters may hold wildcards; yes.
    pub(crate) wildcard_subscriptions: Option<bool>,
    /// Whether subscriptions may have numbers; yes.
    pub(crate) subscription_ids: Option<bool>,
    /// Whether subscriptions may be shared; yes.
    pub(crate) shared_subscriptions: Option<bool>,
    /// Seconds of keep-alive that it wants; as we said.
    pub(crate) keep_alive: Option<u16>,
    /// Seconds for which it keeps a session; as we said.
    pub(crate) session_expiry: Option<u32>,
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Happening<'a> {
    /// Connected, and about to subscribe.
    Connected(Welcome),
    /// What became of each of [`Options::filters`], in their order: its QoS, or why the broker refused.
    Granted(Vec<Result<Qos, String>>),
    /// A message.
    Arrived(Arrived<'a>),
    /// A message whose topic is not valid UTF-8 or holds U+0000; it is left out.
    NoText,
    /// The connection is gone, or could not be made; why, for people. It is tried again after the pause.
    Lost {
        /// For people.
        why: String,
        /// Until the next attempt.
        pause: Duration,
    },
}

/// Hears what happens on a link. It must not block: the link reads nothing meanwhile.
pub(crate) trait Listener: Send + 'static {
    /// Takes one thing that happened.
    fn happened(&mut self, happening: Happening<'_>);
}

/// A message that is to be sent.
struct Command {
    message: Publish,
    answer: oneshot::Sender<Outcome>,
    turn: Turn,
}

/// Whether a message may still be taken back, or has been.
#[derive(Clone, Default)]
struct Turn(Arc<AtomicU8>);

impl Turn {
    const WAITS: u8 = 0;
    const TAKEN: u8 = 1;
    const TAKEN_BACK: u8 = 2;

    /// Returns whether the change could be made: only one of both ends can.
    fn becomes(&self, state: u8) -> bool {
        let order = Ordering::AcqRel;
        self.0.compare_exchange(Turn::WAITS, state, order, Ordering::Acquire).is_ok()
    }
}

/// A handle on the connection. Cloning it is cheap; the connection ends with [`Link::close`].
#[derive(Clone)]
pub(crate) struct Link {
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
}

impl Link {
    /// Starts connecting; what comes of it is heard by `listener`.
    pub(crate) fn open(
        target: Target,
        options: Options,
        listener: impl Listener,
        tasks: &Tasks,
    ) -> Link {
        let (commands, asked) = mpsc::channel(WAITING);
        let stop = tasks.stopping().child_token();
        let keeper = Keeper::new(target, options, listener, asked, stop.clone());
        tasks.job(keeper.run());
        Link { commands, stop }
    }

    /// Sends a message and says what became of it within `time`.
    pub(crate) async fn publish(&self, message: Publish, time: Duration) -> Outcome {
        let until = Instant::now() + time;
        let gone = || Outcome::NotSent("the session is closed".into());
        let place = match timeout_at(until, self.commands.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return gone(),
            Err(_) => return Outcome::NotSent("too many messages wait for the broker".into()),
        };
        let (answer, answered) = oneshot::channel();
        let turn = Turn::default();
        place.send(Command { message, answer, turn: turn.clone() });
        match timeout_at(until, answered).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| gone()),
            Err(_) if turn.becomes(Turn::TAKEN_BACK) => {
                Outcome::NotSent("other messages waited for the broker before it".into())
            }
            Err(_) => Outcome::Unknown("the broker did not answer in time".into()),
        }
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }
}
