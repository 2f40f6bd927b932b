//! The connection to one broker, kept up: the only code that polls one, and the only code that knows
//! the client library.
//!
//! [`Link::open`] starts a task that connects, subscribes, reads, and connects again after a loss. What
//! happens is told to one [`Listener`], in order; the task never waits for it. Handles send commands and
//! get what became of them.

mod client;

use crate::error::Error;
use crate::mqtt::config::Target;
use crate::mqtt::message::{Arrived, Outcome, Publish, Qos};
use crate::tasks::Tasks;
use client::Client;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Commands that may wait for the task.
const WAITING: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a link is told when it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Subscribed to at every connect.
    pub(crate) filters: Vec<(String, Qos)>,
    pub(crate) connect: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) max_packet: u64,
}

/// What the broker said when it let us in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Welcome {
    /// The client id that it gave us, when it gave one.
    pub(crate) client_id: Option<String>,
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum Happening<'a> {
    /// Connected, and about to subscribe.
    Connected(Welcome),
    /// A message.
    Arrived(Arrived<'a>),
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

enum Command {
    Publish(Publish, oneshot::Sender<Outcome>),
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
        mut listener: impl Listener,
        tasks: &Tasks,
    ) -> Link {
        let (commands, mut asked) = mpsc::channel(WAITING);
        let stop = tasks.stopping().child_token();
        let ended = stop.clone();
        tasks.job(async move {
            let run = async {
                let mut pause = FIRST_PAUSE;
                loop {
                    let mut was_up = false;
                    let why = run(&target, &options, &mut listener, &mut asked, &mut was_up).await;
                    pause = if was_up { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
                    listener.happened(Happening::Lost { why, pause });
                    tokio::time::sleep(pause).await;
                }
            };
            tokio::select! {
                () = run => {}
                () = ended.cancelled() => {}
            }
        });
        Link { commands, stop }
    }

    /// Sends a message and says what became of it within `time`.
    pub(crate) async fn publish(&self, message: Publish, time: Duration) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let gone = || Outcome::NotSent("the session is closed".into());
        if self.commands.send(Command::Publish(message, answer)).await.is_err() {
            return gone();
        }
        match tokio::time::timeout(time, answered).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| gone()),
            Err(_) => Outcome::Unknown("the broker did not answer in time".into()),
        }
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }
}

/// One connection from its beginning to its end; returns why it ended.
async fn run(
    target: &Target,
    options: &Options,
    listener: &mut impl Listener,
    asked: &mut mpsc::Receiver<Command>,
    was_up: &mut bool,
) -> String {
    let mut client = match Client::connect(target, options).await {
        Ok(client) => client,
        Err(e) => return e.to_string(),
    };
    loop {
        tokio::select! {
            step = client.step(listener, was_up) => if let Err(e) = step {
                return e.to_string();
            },
            Some(command) = asked.recv() => match command {
                Command::Publish(message, answer) => client.publish(message, answer),
            },
        }
    }
}

/// Makes the error of a link.
fn offline(what: impl Into<String>) -> Error {
    Error::offline(what)
}
