//! How late a lamp is: by its own answers, and by a person who taps along with its flashes.

use super::running::Running;
use super::{Aurora, whole_house};
use crate::aurora::clock;
use crate::aurora::lamps::tap::{self, Flasher, PERIOD};
use crate::aurora::lamps::{Finding, Kind, Lamp, Measured, Row, diagnose};
use crate::error::Error;
use crate::policy::Caller;
use std::time::Duration;

/// A lamp of Home Assistant or the broker is sent so many commands for each repetition that is asked for:
/// one up and one down.
const BOTH: u32 = 2;
/// A lamp has so long to answer a command.
const PATIENCE: Duration = Duration::from_secs(3);
/// A test in which nobody taps for so long is ended.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Between two looks for an answer.
const LOOK: Duration = Duration::from_millis(20);

/// A tap test that runs.
pub(super) struct Taps {
    running: Running,
    lamp: String,
    /// When the first flash was sent (s).
    begin: f64,
    taps: Vec<f64>,
}

/// What the taps say so far.
#[derive(Clone, Debug)]
pub(in crate::aurora) struct TapResult {
    pub(in crate::aurora) taps: usize,
    /// The delay, as soon as there are enough taps in one rhythm.
    pub(in crate::aurora) found: Option<Measured>,
    /// Why there is none yet.
    pub(in crate::aurora) hint: Option<String>,
}

impl Aurora {
    /// Lets one lamp flash, and nothing else, until [`Aurora::tap_end`].
    ///
    /// # Errors
    /// Conflict when a show or another test runs; as [`Aurora::begin`].
    pub(in crate::aurora) async fn tap_start(
        &self,
        caller: &Caller,
        lamp: &str,
    ) -> Result<TapResult, Error> {
        if self.runs().await.is_some() {
            return Err(Error::conflict("a show runs; stop it first with aurora_stop"));
        }
        let mut test = self.shared.taps.lock().await;
        match test.as_ref() {
            Some(test) if test.lamp == lamp => {
                return Ok(TapResult { taps: 0, found: None, hint: None });
            }
            Some(test) => {
                let other = &test.lamp;
                return Err(Error::conflict(format!("a test of '{other}' runs; end it first")));
            }
            None => {}
        }
        let begin = clock::now() + PERIOD;
        let lamps = self.shared.roster.named(&[lamp.to_owned()])?;
        let flasher = Box::new(Flasher { lamp: 0, begin });
        let running = self.open(caller, lamps, |_, _| Ok((flasher, None))).await?.0;
        *test = Some(Taps { running, lamp: lamp.to_owned(), begin, taps: Vec::new() });
        drop(test);
        self.end_when_forgotten(lamp.to_owned());
        Ok(TapResult { taps: 0, found: None, hint: None })
    }

    /// Ends a test in which nobody has tapped for a minute.
    fn end_when_forgotten(&self, lamp: String) {
        let (own, stop) = (self.clone(), self.tasks().stopping());
        self.tasks().job(async move {
            let mut before = None;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(FORGOTTEN) => {}
                }
                let test = own.shared.taps.lock().await;
                let taps = test.as_ref().filter(|test| test.lamp == lamp).map(|t| t.taps.len());
                drop(test);
                match taps {
                    None => return,
                    Some(taps) if before == Some(taps) || taps == 0 => {
                        if let Err(e) = own.tap_end(&lamp).await {
                            log::debug!("a tap test had ended already: {e}");
                        }
                        return;
                    }
                    taps => before = taps,
                }
            }
        });
    }

    /// The lamp whose tap test runs.
    pub(in crate::aurora) async fn tested(&self) -> Option<String> {
        self.shared.taps.lock().await.as_ref().map(|test| test.lamp.clone())
    }

    /// Notes that the person saw the lamp flash just now.
    ///
    /// # Errors
    /// Conflict when no test of this lamp runs; Limit for too many taps.
    pub(in crate::aurora) async fn tap(&self, lamp: &str) -> Result<TapResult, Error> {
        let now = clock::now();
        let mut test = self.shared.taps.lock().await;
        let test = test.as_mut().filter(|test| test.lamp == lamp).ok_or_else(no_test)?;
        if test.taps.len() >= tap::TAPS_MAX {
            return Err(Error::limit("these are more taps than are needed; end the test"));
        }
        test.taps.push(now);
        Ok(test.result())
    }

    /// Ends the test and keeps what it found.
    ///
    /// # Errors
    /// Conflict when no test of this lamp runs; what the store says.
    pub(in crate::aurora) async fn tap_end(&self, lamp: &str) -> Result<TapResult, Error> {
        let mut test = self.shared.taps.lock().await;
        if test.as_ref().is_none_or(|test| test.lamp != lamp) {
            return Err(no_test());
        }
        let Some(test) = test.take() else { return Err(no_test()) };
        let result = test.result();
        self.shut(test.running).await?;
        if let Some(found) = result.found {
            self.lamps().latencies().tapped(lamp, Some(found)).await?;
        }
        Ok(result)
    }

    /// Forgets what taps said of a lamp.
    ///
    /// # Errors
    /// Refused for a token of some entities; NotFound for a lamp that is not there; what the store says.
    pub(in crate::aurora) async fn forget_taps(
        &self,
        caller: &Caller,
        lamp: &str,
    ) -> Result<TapResult, Error> {
        whole_house(caller)?;
        self.are_known(&[lamp.to_owned()])?;
        self.lamps().latencies().tapped(lamp, None).await?;
        Ok(TapResult { taps: 0, found: None, hint: None })
    }

    /// Measures a lamp by its answers, `times` commands up and down.
    ///
    /// # Errors
    /// Conflict when it is in a show; Invalid for a kind that never answers; Timeout when it does not.
    pub(in crate::aurora) async fn measure(
        &self,
        caller: &Caller,
        name: &str,
        times: u32,
    ) -> Result<Row, Error> {
        let lamps = self.shared.roster.named(&[name.to_owned()])?;
        let Some(lamp) = lamps.first().cloned() else {
            return Err(Error::not_found("no such lamp"));
        };
        if matches!(lamp.kind, Kind::Home | Kind::Mqtt) {
            self.measure_held(caller, &lamp, times).await?;
        } else {
            whole_house(caller)?;
            if let Some((_, e)) = self.lamps().measure(&lamps).await.into_iter().next() {
                return Err(e);
            }
        }
        Ok(self.lamps().latencies().row(&lamp))
    }

    /// Measures a lamp that sends by itself: brighter, darker, and how long until it says so.
    async fn measure_held(&self, caller: &Caller, lamp: &Lamp, times: u32) -> Result<(), Error> {
        use crate::aurora::lamps::mail::Wish;
        use crate::aurora::light::Light;
        let mut lamps = vec![lamp.clone()];
        let (taken, _) = self.take(caller, &mut lamps).await?;
        let answers = || taken.groups.iter().flat_map(super::held::Group::answers).sum::<u64>();
        let mut seen = 0;
        let mut late = false;
        for turn in 0..times * BOTH {
            let value = if turn % 2 == 0 { 0.8 } else { 0.15 };
            let wish = |latency: f64| Wish {
                light: Light::WHITE.times(value),
                accent: true,
                seen: clock::now() + latency,
            };
            taken.groups.iter().for_each(|group| group.wish(&wish));
            let until = tokio::time::Instant::now() + PATIENCE;
            while answers() <= seen && tokio::time::Instant::now() < until {
                tokio::time::sleep(LOOK).await;
            }
            late |= answers() <= seen;
            seen = answers();
        }
        taken.close(&lamps, self.lamps().latencies()).await;
        match late && seen < u64::from(times) {
            true => Err(Error::timeout(format!(
                "'{}' answered {seen} of {} commands within {} s each; is it on and reachable?",
                lamp.name,
                times * BOTH,
                PATIENCE.as_secs()
            ))),
            false => Ok(()),
        }
    }

    /// Whether there are lamps of these names.
    ///
    /// # Errors
    /// NotFound: says which there are.
    pub(in crate::aurora) fn are_known(&self, lamps: &[String]) -> Result<(), Error> {
        self.shared.roster.named(lamps).map(drop)
    }

    /// Why lights are late, in sentences.
    pub(in crate::aurora) async fn diagnose(&self, caller: &Caller) -> Vec<Finding> {
        let lamps = self.roster(caller);
        let reports = self.reports().await;
        // In the order of the lamps; those that are not in the show have no report.
        let (known, reports): (Vec<Lamp>, Vec<_>) = lamps
            .iter()
            .filter_map(|lamp| {
                let report = reports.iter().find(|report| report.name == lamp.name)?;
                Some((lamp.clone(), report.clone()))
            })
            .unzip();
        let lamps = if known.is_empty() { lamps } else { known };
        let infos = self.lamps().infos(&lamps).await;
        diagnose(crate::aurora::lamps::Case {
            lamps: &lamps,
            reports: &reports,
            infos: &infos,
            is_ahead: self.lamps().is_ahead_of_others(),
            lead_ms: self.config().lead_ms,
        })
    }
}

impl Taps {
    fn result(&self) -> TapResult {
        let taps = self.taps.len();
        match tap::measure(self.begin, &self.taps, 0.0) {
            Ok(tapped) => TapResult { taps, found: Some(tapped.latency), hint: None },
            Err(e) => TapResult { taps, found: None, hint: Some(e.what().to_owned()) },
        }
    }
}

fn no_test() -> Error {
    Error::conflict("no test of this lamp runs; begin one with action start")
}
