//! Everything of a show that sends by itself: lights of Home Assistant and of the broker, and areas of
//! Hue bridges.

use super::Aurora;
use super::held::Group;
use crate::aurora::lamps::hue::{HueShow, Picture};
use crate::aurora::lamps::{self, Kind, Lamp, LampReport, Table};
use crate::aurora::light::Light;
use crate::error::Error;
use crate::policy::Caller;
use std::sync::Arc;

/// A lamp that cannot be in the show, and why.
pub(super) type LeftOut = (String, String);

/// What was taken into a show.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) groups: Vec<Group>,
    /// Areas of Hue bridges, by the names of their lamps.
    streams: Vec<(String, HueShow)>,
}

impl Aurora {
    /// Takes the lamps that send by themselves into a show and leaves out of `lamps` those that cannot
    /// be in it.
    ///
    /// # Errors
    /// The reason of the first when no lamp is left.
    pub(super) async fn take(
        &self,
        caller: &Caller,
        lamps: &mut Vec<Lamp>,
    ) -> Result<(Taken, Vec<LeftOut>), Error> {
        let (mut taken, mut out, mut first) = (Taken::default(), Vec::new(), None);
        for kind in [Kind::Home, Kind::Mqtt] {
            let of_kind = |lamp: &&Lamp| lamp.kind == kind;
            let ids: Vec<String> =
                lamps.iter().filter(of_kind).map(|lamp| lamp.address.clone()).collect();
            if ids.is_empty() {
                continue;
            }
            match self.hold(caller, kind, &ids).await {
                Ok(group) => {
                    lamps.retain(|lamp| lamp.kind != kind || group.has(lamp));
                    out.extend(group.refused());
                    group.set_latencies(lamps, self.lamps().latencies());
                    taken.groups.push(group);
                }
                // The other lamps need not wait for these.
                Err(e) => {
                    lamps.retain(|lamp| lamp.kind != kind);
                    out.extend(ids.into_iter().map(|id| (id, e.to_string())));
                    first.get_or_insert(e);
                }
            }
        }
        for lamp in lamps.iter_mut().filter(|lamp| lamp.kind == Kind::Hue) {
            match self.shared.hue.open(caller, &lamp.address, &lamp.area).await {
                Ok(stream) => {
                    let channels = stream.area().channels.len().max(1);
                    lamp.pixels = u16::try_from(channels).unwrap_or(u16::MAX);
                    taken.streams.push((lamp.name.clone(), stream));
                }
                Err(e) => {
                    out.push((lamp.name.clone(), e.to_string()));
                    first.get_or_insert(e);
                }
            }
        }
        let streams = &taken.streams;
        lamps.retain(|l| l.kind != Kind::Hue || streams.iter().any(|(name, _)| *name == l.name));
        match first {
            Some(e) if lamps.is_empty() => Err(e),
            _ => Ok((taken, out)),
        }
    }
}

impl Taken {
    /// The outputs for the thread of the lamps, by the numbers of their lamps.
    pub(super) fn posts(
        &self,
        lamps: &[Lamp],
        table: &Table,
    ) -> Vec<(usize, Box<dyn lamps::Post>)> {
        let mut posts: Vec<(usize, Box<dyn lamps::Post>)> =
            self.groups.iter().flat_map(|group| group.posts(lamps)).collect();
        for (name, stream) in &self.streams {
            let Some(number) = lamps.iter().position(|lamp| lamp.name == *name) else { continue };
            let latency = table.row(&lamps[number]).ms / 1000.0;
            posts.push((number, Box::new(Streamed { picture: stream.picture().clone(), latency })));
        }
        posts
    }

    /// Puts what was really sent in place of what was posted.
    pub(super) fn correct(&self, lamps: &[Lamp], reports: &mut [LampReport]) {
        self.groups.iter().for_each(|group| group.correct(lamps, reports));
        for (name, stream) in &self.streams {
            let Some(report) = reports.iter_mut().find(|report| report.name == *name) else {
                continue;
            };
            let own = stream.report();
            report.counts.pictures = own.sent;
            report.counts.dropped = own.dropped;
            if !own.is_up {
                report.away = own.why.or(report.away.take());
            }
        }
    }

    /// Gives the lamps back as they were, and keeps what their answers showed.
    pub(super) async fn close(self, lamps: &[Lamp], table: &Table) {
        for group in self.groups {
            group.close(lamps, table).await;
        }
        for (_, stream) in self.streams {
            stream.close().await;
        }
    }
}

/// An area of a Hue bridge as an output of the thread of the lamps: a light for each channel.
struct Streamed {
    picture: Arc<Picture>,
    latency: f64,
}

impl lamps::Post for Streamed {
    fn latency(&self) -> f64 {
        self.latency
    }

    fn post(&mut self, pixels: &[Light], _: bool, _: f64) {
        self.picture.put(pixels);
    }
}
