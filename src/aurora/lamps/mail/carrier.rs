//! The actor of a slow output: reads its mailboxes, asks the queue, hands letters to the carrier, and
//! notes what comes back. It runs as long as a show does and puts nothing back itself.

use super::held::Grip;
use super::latency::{Acks, Latency};
use super::queue::{Counts, Letter, Queue, Rules};
use super::{Mailbox, Place};
use crate::aurora::clock::now;
use crate::error::{Error, Kind};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// The mailboxes are looked at so often: what a beat loses by it is hidden by being sent early.
const TICK: Duration = Duration::from_millis(10);
/// Between two questions whether the way is open.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// At the end, calls under way are waited for so long, so that none comes after what is put back.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Takes letters to the lamps of one output.
pub(in crate::aurora::lamps) trait Carrier: Send {
    /// Sends a letter; gives the context that the lamps' changes will have.
    fn send(&mut self, letter: &Letter) -> BoxFuture<'static, Result<Option<String>, Error>>;

    /// Whether the way to the lamps is open, asked after a letter that nobody answered: until it is,
    /// nothing is sent that could be delivered late.
    fn probe(&mut self) -> BoxFuture<'static, bool>;

    /// Waits for a change of a lamp: its place, and the context of the change. May be given up at any
    /// time.
    fn heard(&mut self) -> BoxFuture<'_, (usize, Box<str>)>;
}

/// What is known of an output.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// For all of its lamps.
    pub counts: Counts,
    /// Nothing is sent just now, because nobody answers.
    pub is_waiting: bool,
    /// For each, in the order in which they were opened.
    pub lamps: Vec<LampReport>,
}

/// What is known of one lamp.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LampReport {
    /// How long it takes; `None` before the third acknowledgement.
    pub latency: Option<Latency>,
    /// Calls that it was in.
    pub sent: u64,
    /// Of them failed.
    pub failed: u64,
    /// Why the last one did, for people; `None` when it did not.
    pub why: Option<String>,
}

/// A report that the actor writes and others read.
#[derive(Clone)]
pub(in crate::aurora::lamps) struct Board(Arc<Mutex<Report>>);

impl Board {
    /// An empty one for so many lamps.
    pub(in crate::aurora::lamps) fn new(lamps: usize) -> Board {
        let lamps = vec![LampReport::default(); lamps];
        Board(Arc::new(Mutex::new(Report { lamps, ..Report::default() })))
    }

    pub(in crate::aurora::lamps) fn read(&self) -> Report {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

type Answer = (Letter, Result<Option<String>, Error>);

struct Actor {
    queue: Queue,
    mailboxes: Vec<Arc<Mailbox>>,
    places: Vec<Place>,
    acks: Vec<Acks>,
    board: Board,
}

/// Carries until the show ends, and returns when every call under way is answered.
pub(in crate::aurora::lamps) async fn run(
    mut carrier: Box<dyn Carrier>,
    rules: Rules,
    lamps: Vec<(Arc<Mailbox>, u32)>,
    grip: &Grip,
) {
    let kinds: Vec<u32> = lamps.iter().map(|(_, kind)| *kind).collect();
    let mut actor = Actor {
        queue: Queue::new(rules, &kinds),
        places: vec![Place::default(); lamps.len()],
        acks: vec![Acks::default(); lamps.len()],
        mailboxes: lamps.into_iter().map(|(mailbox, _)| mailbox).collect(),
        board: grip.board.clone(),
    };
    let mut flying: FuturesUnordered<BoxFuture<'static, Answer>> = FuturesUnordered::new();
    let mut probing: FuturesUnordered<BoxFuture<'static, bool>> = FuturesUnordered::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = grip.stop.cancelled() => break,
            Some(answer) = flying.next(), if !flying.is_empty() => {
                let is_silent = answer.1.as_ref().is_err_and(|e| e.kind() == Kind::Timeout);
                if is_silent && probing.is_empty() {
                    probing.push(carrier.probe());
                }
                actor.answered(answer);
            }
            Some(is_open) = probing.next(), if !probing.is_empty() => {
                if !is_open {
                    probing.push(pause_and(carrier.probe()));
                }
            }
            (lamp, context) = carrier.heard() => actor.heard(lamp, &context),
            _ = tick.tick() => {}
        }
        actor.collect();
        if actor.queue.is_silent(now()) && probing.is_empty() {
            probing.push(carrier.probe());
        }
        while probing.is_empty()
            && let Some(letter) = actor.queue.choose(now())
        {
            let sending = carrier.send(&letter);
            actor.sent(&letter);
            flying.push(Box::pin(async move { (letter, sending.await) }));
        }
        let counts = actor.queue.counts();
        actor.board.write(|report| {
            (report.counts, report.is_waiting) = (counts, !probing.is_empty());
        });
    }
    let rest = async { while flying.next().await.is_some() {} };
    // One that is not answered by then is forgotten: it may still come.
    let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
}

/// Asks again, but not at once: a way that is closed may say so quickly.
fn pause_and(probe: BoxFuture<'static, bool>) -> BoxFuture<'static, bool> {
    Box::pin(async move {
        tokio::time::sleep(PROBE_PAUSE).await;
        probe.await
    })
}

impl Actor {
    fn collect(&mut self) {
        for (lamp, (mailbox, place)) in self.mailboxes.iter().zip(&mut self.places).enumerate() {
            for wish in mailbox.take(place).into_iter().flatten() {
                self.queue.offer(lamp, wish, mailbox.latency());
            }
        }
    }

    fn sent(&mut self, letter: &Letter) {
        let now = now();
        for lamp in &letter.lamps {
            self.acks[*lamp].sent(letter.id, now);
        }
        self.board.write(|report| {
            letter.lamps.iter().for_each(|lamp| report.lamps[*lamp].sent += 1);
        });
    }

    fn answered(&mut self, (letter, result): Answer) {
        let now = now();
        match &result {
            Ok(context) => {
                self.queue.answered(letter.id, now);
                for lamp in &letter.lamps {
                    if self.acks[*lamp].named(letter.id, context.as_deref().unwrap_or_default()) {
                        self.measured(*lamp);
                    }
                }
            }
            Err(e) => {
                self.queue.failed(letter.id, now, e.kind() == Kind::Offline);
            }
        }
        let why = result.err().map(|e| e.to_string());
        self.board.write(|report| {
            for lamp in &letter.lamps {
                let lamp = &mut report.lamps[*lamp];
                lamp.failed += u64::from(why.is_some());
                lamp.why.clone_from(&why);
            }
        });
    }

    fn heard(&mut self, lamp: usize, context: &str) {
        let is_ours = self.acks[lamp].heard(now(), context);
        self.queue.stirred(lamp);
        if is_ours {
            self.measured(lamp);
        }
    }

    fn measured(&mut self, lamp: usize) {
        let latency = self.acks[lamp].latency();
        if let Some(latency) = latency {
            self.mailboxes[lamp].measure(latency.p50);
        }
        self.board.write(|report| report.lamps[lamp].latency = latency);
    }
}
