//! One connection that is up: reads, sends, and notices when nothing moves any more.

use crate::mqtt::config::Version;
use crate::mqtt::link::wire::{Boxed, Ended, Heard, INFLIGHT, Pen, Wire};
use crate::mqtt::link::{Command, Happening, Limits, Listener, Turn};
use crate::mqtt::message::{Outcome, Publish};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// In a flood of messages commands are looked at after so many steps.
const TURN: u32 = 32;
/// Into so many parts the time without a sign of life is cut, so as to notice soon when it is over.
const QUIET: u32 = 4;
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// Saying goodbye may take so long.
const GOODBYE: Duration = Duration::from_secs(1);
/// Bytes of a packet besides topic, payload and properties, with room to spare.
const OVERHEAD: usize = 64;

/// What a connection is served with.
pub(super) struct Serving<'a> {
    pub(super) limits: Limits,
    pub(super) version: Version,
    pub(super) keep_alive: Duration,
    pub(super) stop: &'a CancellationToken,
}

impl Serving<'_> {
    /// So long a connection may show no sign of life.
    fn patience(&self) -> Duration {
        let own = self.keep_alive;
        match self.limits.keep_alive.map(u64::from).map(Duration::from_secs) {
            // The broker wants no pings: then only writing shows that it is gone.
            Some(Duration::ZERO) => NEVER,
            theirs => theirs.unwrap_or(own) * 2 + Duration::from_secs(2),
        }
    }
}

/// Serves a connection to its end; `None` when the link is closed.
pub(super) async fn serve<W: Wire>(
    pen: W::Pen,
    mut wire: W,
    serving: &Serving<'_>,
    listener: &mut impl Listener,
    asked: &mut mpsc::Receiver<Command>,
) -> Option<Ended> {
    let mut under_way = FuturesUnordered::new();
    let most = usize::from(INFLIGHT);
    // A connection that is well has at least a ping in this time, unless it is stuck in a write.
    let mut watch = interval(serving.patience() / QUIET);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    watch.reset();
    let (mut steps, mut seen, mut quiet) = (0u32, 0u32, 0u32);
    let ended = 'up: loop {
        let mut hear = |heard: Heard<'_>| tell(listener, heard);
        let step = wire.step(&mut hear);
        tokio::pin!(step);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut step => break done,
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                Some(command) = asked.recv(), if under_way.len() < most => {
                    under_way.extend(send(&pen, serving, command));
                }
                () = serving.stop.cancelled() => break 'up None,
                _ = watch.tick() => {
                    quiet = if seen == steps { quiet + 1 } else { 0 };
                    if quiet >= QUIET {
                        break 'up Some(Ended::lost("the broker has not answered for too long"));
                    }
                    seen = steps;
                }
            }
        };
        if let Err(ended) = done {
            break Some(ended);
        }
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(TURN) {
            while let Some(Some(())) = under_way.next().now_or_never() {}
            while under_way.len() < most
                && let Ok(command) = asked.try_recv()
            {
                under_way.extend(send(&pen, serving, command));
            }
            if serving.stop.is_cancelled() {
                break None;
            }
        }
    };
    if ended.is_none() {
        pen.leave();
        let rest = async { while wire.step(&mut |_: Heard<'_>| {}).await.is_ok() {} };
        // A broker that does not read holds nobody up.
        let _ = timeout(GOODBYE, rest).await;
    }
    // With the library gone everything that is under way comes to its end.
    drop((pen, wire));
    while under_way.next().await.is_some() {}
    ended
}

fn tell(listener: &mut impl Listener, heard: Heard<'_>) {
    match heard {
        Heard::Arrived(arrived) => listener.happened(Happening::Arrived(arrived)),
        Heard::Granted(granted) => listener.happened(Happening::Granted(granted)),
        Heard::NoText => listener.happened(Happening::NoText),
        // A second one is refused by the library.
        Heard::Welcome(_) => {}
    }
}

/// Hands a message to the library, unless it was taken back; returns what waits for its outcome.
fn send<P: Pen>(pen: &P, serving: &Serving<'_>, command: Command) -> Option<Boxed<()>> {
    let Command { mut message, answer, turn } = command;
    if answer.is_closed() || !turn.becomes(Turn::TAKEN) {
        return None;
    }
    if serving.version == Version::V4 {
        message.properties = None;
    }
    let sent = refusal(&serving.limits, &message).map_or_else(|| pen.publish(message), Err);
    match sent {
        Ok(outcome) => Some(Box::pin(async move {
            // Who asked may be gone.
            let _ = answer.send(outcome.await);
        })),
        Err(why) => {
            let _ = answer.send(Outcome::NotSent(why));
            None
        }
    }
}

/// Says what the broker told us that it does not take: it would end the connection (MQTT 5, 3.2.2.3).
fn refusal(limits: &Limits, message: &Publish) -> Option<String> {
    let properties = message.properties.as_ref().map_or(0, |p| {
        let user = p.user.iter().map(|(name, value)| name.len() + value.len() + 5);
        let own = p.response_topic.as_ref().map_or(0, |topic| topic.len())
            + p.correlation.as_ref().map_or(0, |bytes| bytes.len())
            + p.content_type.as_ref().map_or(0, |kind| kind.len());
        own + user.sum::<usize>()
    });
    let size = message.topic.len() + message.payload.len() + properties + OVERHEAD;
    match limits {
        Limits { maximum_packet_size: Some(most), .. } if size > *most as usize => {
            Some(format!("the broker takes packets of at most {most} bytes"))
        }
        Limits { maximum_qos: Some(most), .. } if message.qos.number() > *most => {
            Some(format!("the broker takes messages of at most QoS {most}"))
        }
        Limits { retain: Some(false), .. } if message.retain => {
            Some("the broker keeps no retained messages".into())
        }
        _ => None,
    }
}
