//! A stream to one area while a show lasts: begun over HTTPS, sent over UDP 50 times a second, begun
//! again when the bridge was away.

use super::bridge::Bridge;
use super::packet::Packets;
use super::picture::{Colours, Picture};
use super::stream::Stream;
use crate::error::{Error, Kind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Bridges want 50 pictures a second and pass every second one on: so a lost one is not seen.
const TICK: Duration = Duration::from_millis(20);
/// Without a new picture for so long, the last one is sent more seldom.
const STILL: Duration = Duration::from_secs(2);
/// Then so often, since a bridge ends a stream that falls silent for about ten seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// So often the bridge is asked whether it still streams: over UDP it says nothing.
const CHECK: Duration = Duration::from_secs(5);
/// Between two attempts at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is known of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// Whether pictures reach the bridge now, as far as one knows.
    pub is_up: bool,
    /// Pictures that were sent, and that found no room in the socket.
    pub sent: u64,
    /// See `sent`.
    pub dropped: u64,
    /// How often the stream was begun.
    pub begun: u64,
    /// Why it ended last, for people.
    pub why: Option<String>,
}

/// A report that the stream writes and others read.
#[derive(Clone, Default)]
pub(super) struct Board(Arc<Mutex<StreamReport>>);

impl Board {
    pub(super) fn read(&self) -> StreamReport {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, change: impl FnOnce(&mut StreamReport)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a stream needs.
pub(super) struct Show {
    pub(super) bridge: Bridge,
    /// Where the bridge takes the stream.
    pub(super) host: String,
    pub(super) port: u16,
    /// Name and key of the stream.
    pub(super) identity: String,
    pub(super) key: Vec<u8>,
    pub(super) area: String,
    pub(super) channels: Vec<u8>,
    pub(super) picture: Arc<Picture>,
    pub(super) board: Board,
    pub(super) stop: CancellationToken,
}

impl Show {
    /// Streams until it is stopped, and ends the stream at the bridge.
    pub(super) async fn run(&self) {
        let mut pause = PAUSE.0;
        loop {
            let began = Instant::now();
            let Err(e) = self.once().await else { break };
            log::warn!("Hue: the stream to '{}' ended: {e}", self.area);
            self.board.write(|report| (report.is_up, report.why) = (false, Some(e.to_string())));
            if began.elapsed() > PAUSE.1 {
                pause = PAUSE.0;
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
        self.board.write(|report| report.is_up = false);
        if let Err(e) = self.bridge.act(&self.area, "stop").await {
            log::warn!("Hue: the stream to '{}' was not stopped at the bridge: {e}", self.area);
        }
    }

    /// One stream, until it is stopped (`Ok`) or breaks.
    async fn once(&self) -> Result<(), Error> {
        let stream = tokio::select! {
            stream = self.begin() => stream?,
            () = self.stop.cancelled() => return Ok(()),
        };
        self.board.write(|report| {
            (report.is_up, report.why) = (true, None);
            report.begun += 1;
        });
        self.stream(stream).await
    }

    async fn begin(&self) -> Result<Stream, Error> {
        self.bridge.act(&self.area, "start").await?;
        Stream::open(address(&self.host, self.port).await?, &self.identity, &self.key).await
    }

    async fn stream(&self, mut stream: Stream) -> Result<(), Error> {
        let mut packets = Packets::new(&self.area, &self.channels);
        let mut last = Last::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut check = tokio::time::interval_at(Instant::now() + CHECK, CHECK);
        let mut checks = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    stream.close();
                    return Ok(());
                }
                e = stream.ended() => return Err(e),
                Some(done) = checks.next(), if !checks.is_empty() => done?,
                _ = check.tick() => if checks.is_empty() {
                    checks.push(self.check());
                },
                _ = tick.tick() => if let Some(colours) = last.next(&self.picture) {
                    let is_sent = stream.send(packets.next(&colours))?;
                    self.board.write(|report| match is_sent {
                        true => report.sent += 1,
                        false => report.dropped += 1,
                    });
                },
            }
        }
    }

    /// Whether the bridge still streams.
    async fn check(&self) -> Result<(), Error> {
        match self.bridge.areas().await {
            Ok(all) => match all.iter().find(|area| area.id == self.area) {
                Some(area) if area.is_active => Ok(()),
                Some(_) => Err(Error::offline("the bridge has ended the stream")),
                None => Err(Error::not_found("the area is gone: make it again in the Hue app")),
            },
            Err(e) if e.kind() == Kind::Refused => Err(e),
            // It may be busy; the stream says itself when it is over.
            Err(_) => Ok(()),
        }
    }
}

/// The picture that was sent last.
#[derive(Default)]
struct Last {
    place: u64,
    colours: Option<(Colours, Instant)>,
    sent: Option<Instant>,
}

impl Last {
    /// Returns what to send now, if anything.
    fn next(&mut self, picture: &Picture) -> Option<Colours> {
        let now = Instant::now();
        if let Some(colours) = picture.take(&mut self.place) {
            self.colours = Some((colours, now));
        }
        let (colours, since) = self.colours?;
        let is_due = self.sent.is_none_or(|sent| now - sent >= KEEP_ALIVE);
        if now - since > STILL && !is_due {
            return None;
        }
        self.sent = Some(now);
        Some(colours)
    }
}

async fn address(host: &str, port: u16) -> Result<SocketAddr, Error> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|e| Error::offline(format!("{host} is not known")).because(e))?;
    // A bridge has one of each; the older kind is the one that is always there.
    let all: Vec<SocketAddr> = found.collect();
    let first = all.iter().find(|address| address.is_ipv4()).or(all.first());
    first.copied().ok_or_else(|| Error::offline(format!("{host} has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::light::Light;

    #[tokio::test(start_paused = true)]
    async fn a_still_picture_is_repeated_seldom_and_a_new_one_goes_at_once() {
        let (picture, mut last) = (Picture::default(), Last::default());
        assert!(last.next(&picture).is_none(), "there is nothing yet");
        picture.put(&[Light::WHITE]);
        let mut sent = 0;
        for _ in 0..500 {
            sent += u32::from(last.next(&picture).is_some());
            tokio::time::advance(TICK).await;
        }
        assert!(
            (101 + 7..=101 + 9).contains(&sent),
            "two seconds of 50, then one each second: {sent}"
        );
        picture.put(&[Light::BLACK]);
        assert_eq!(last.next(&picture).unwrap()[0], [0; 3]);
    }
}
