//! Lamps that send by themselves: lights of Home Assistant and of the broker, taken into a show.

use super::Aurora;
use crate::aurora::lamps::mail::held::Held;
use crate::aurora::lamps::mail::queue::Rules;
use crate::aurora::lamps::mail::{Mailbox, Wish};
use crate::aurora::lamps::{self, Kind, Lamp, LampReport, Measured, Source, Table, house, zigbee};
use crate::aurora::light::Light;
use crate::error::Error;
use crate::policy::Caller;
use std::sync::Arc;

/// The lamps of one kind in the running show.
pub(super) struct Group {
    kind: Kind,
    held: Held,
}

impl Aurora {
    /// Takes lights of one kind into a show.
    ///
    /// # Errors
    /// Offline when their service does not run here; as the output's own.
    pub(super) async fn hold(
        &self,
        caller: &Caller,
        kind: Kind,
        ids: &[String],
    ) -> Result<Group, Error> {
        let shared = &self.shared;
        let off = |service: &str| {
            Error::offline(format!(
                "the service {service} does not run here: its lights are no lamps"
            ))
        };
        if kind == Kind::Home {
            let house = shared.house.as_ref().ok_or_else(|| off("home"))?;
            let per_second = f64::from(shared.config.home_calls_per_second);
            let held = house.open(caller, ids, Rules { per_second, ..house::RULES }).await?;
            return Ok(Group { kind, held });
        }
        let broker = shared.broker.as_ref().ok_or_else(|| off("mqtt"))?;
        let per_second = f64::from(shared.config.mqtt_messages_per_second);
        let held = broker.open(caller, ids, Rules { per_second, ..zigbee::RULES }).await?;
        Ok(Group { kind, held })
    }
}

impl Group {
    /// Whether this lamp is among them.
    pub(super) fn has(&self, lamp: &Lamp) -> bool {
        lamp.kind == self.kind && self.held.lamps().iter().any(|(id, _)| *id == lamp.address)
    }

    /// Those that were left out, with the reason.
    pub(super) fn refused(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.held.refused().iter().map(|(id, e)| (id.clone(), e.to_string()))
    }

    /// What a person set or tapped holds for these lamps, too.
    pub(super) fn set_latencies(&self, lamps: &[Lamp], table: &Table) {
        for (id, mailbox) in self.held.lamps() {
            let lamp = lamps.iter().find(|lamp| lamp.kind == self.kind && lamp.address == *id);
            let row = lamp.map(|lamp| table.row(lamp));
            let told = row.filter(|row| matches!(row.source, Source::Set | Source::Tapped));
            mailbox.set_latency(told.map(|row| row.ms / 1000.0));
        }
    }

    /// The outputs for the thread of the lamps, by the numbers of their lamps.
    pub(super) fn posts(&self, lamps: &[Lamp]) -> Vec<(usize, Box<dyn lamps::Post>)> {
        let of = |(id, mailbox): &(String, Arc<Mailbox>)| {
            let number = lamps.iter().position(|l| l.kind == self.kind && l.address == *id)?;
            Some((number, Box::new(Posted(mailbox.clone())) as Box<dyn lamps::Post>))
        };
        self.held.lamps().iter().filter_map(of).collect()
    }

    /// Puts what was really sent in place of what was posted.
    pub(super) fn correct(&self, lamps: &[Lamp], reports: &mut [LampReport]) {
        let own = self.held.report();
        for ((id, _), found) in self.held.lamps().iter().zip(&own.lamps) {
            let Some(n) = lamps.iter().position(|l| l.kind == self.kind && l.address == *id) else {
                continue;
            };
            let Some(report) = reports.get_mut(n) else { continue };
            report.counts.pictures = found.sent;
            report.counts.errors = found.failed;
            report.away = found.why.clone().or(report.away.take());
        }
    }

    /// Keeps what the answers of the lamps showed.
    async fn learn(&self, lamps: &[Lamp], table: &Table) {
        let own = self.held.report();
        for ((id, _), found) in self.held.lamps().iter().zip(&own.lamps) {
            let lamp = lamps.iter().find(|l| l.kind == self.kind && l.address == *id);
            let (Some(lamp), Some(latency)) = (lamp, found.latency) else { continue };
            let (ms, spread) = (latency.p50 * 1000.0, (latency.p90 - latency.p50) * 1000.0);
            let count = u32::try_from(latency.count).unwrap_or(u32::MAX);
            if let Err(e) = table.acknowledged(&lamp.name, Measured::now(ms, spread, count)).await {
                log::warn!("the delay of a lamp is not kept: {e}");
            }
        }
    }

    /// Acknowledgements so far, of each lamp.
    pub(super) fn answers(&self) -> Vec<u64> {
        let own = self.held.report();
        own.lamps.iter().map(|lamp| lamp.latency.map_or(0, |latency| latency.count)).collect()
    }

    /// Wishes something of every lamp, which is told how late it is.
    pub(super) fn wish(&self, wish: &impl Fn(f64) -> Wish) {
        for (_, mailbox) in self.held.lamps() {
            mailbox.put(wish(mailbox.latency()));
        }
    }

    /// Gives the lamps back as they were.
    pub(super) async fn close(self, lamps: &[Lamp], table: &Table) {
        self.learn(lamps, table).await;
        self.held.close().await;
    }
}

/// A mailbox as an output of the thread of the lamps: one colour for the whole lamp.
struct Posted(Arc<Mailbox>);

impl lamps::Post for Posted {
    fn latency(&self) -> f64 {
        self.0.latency()
    }

    fn post(&mut self, pixels: &[Light], accent: bool, seen: f64) {
        let share = 1.0 / pixels.len().max(1) as f32;
        let sum = pixels
            .iter()
            .fold([0.0; 3], |sum: [f32; 3], light| std::array::from_fn(|k| sum[k] + light.0[k]));
        self.0.put(Wish { light: Light(sum.map(|x| x * share)), accent, seen });
    }
}
