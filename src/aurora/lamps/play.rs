//! The show thread and the handle on it.

use super::ack;
use super::before::{self, Before};
use super::bell::Clock;
use super::config::{Config, Kind, Lamp};
use super::counters::Counts;
use super::find::{Found, find};
use super::latency::{Row, Table};
use super::line::Delay;
use super::outlet::{self, Given, Outlet};
use super::paint::{Hear, Paint, Post};
use super::run::Stage;
use super::wled::{self, Info};
use crate::aurora::priority;
use crate::error::Error;
use crate::http::ask::Ask;
use crate::http::mdns::Mdns;
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use futures_util::future::join_all;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The thread's name, also in `/health`.
const THREAD: &str = "aurora lamps";
/// While a show plays, the way to each lamp is measured so often.
const MEASURE: Duration = Duration::from_secs(300);

/// The lamps of the house. Cloning it is cheap.
#[derive(Clone)]
pub struct Lamps {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Tasks,
    mdns: Mdns,
    ask: Ask,
    store: Store,
    table: Table,
    /// Work for the thread; `None` ends it.
    work: Sender<Option<Work>>,
    now: Mutex<Weak<Control>>,
    is_ahead: AtomicBool,
}

/// One show for the thread.
struct Work {
    stage: Stage,
    paint: Box<dyn Paint>,
    clock: Box<dyn Clock>,
    control: Arc<Control>,
    done: oneshot::Sender<()>,
}

#[derive(Default)]
struct Control {
    stop: AtomicBool,
}

impl Control {
    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// What is to be played.
pub struct Show {
    /// The lamps, by whose numbers they are painted.
    pub config: Config,
    /// Who paints them.
    pub paint: Box<dyn Paint>,
    /// Who tells what is heard, for lamps of kind `wled-sync`.
    pub hear: Option<Box<dyn Hear>>,
    /// Outputs that send by themselves, with the numbers of their lamps.
    pub posts: Vec<(usize, Box<dyn Post>)>,
    /// Its time, and what wakes it when there is something new to paint: a [`Bell`](super::Bell), or
    /// whoever listens.
    pub clock: Box<dyn Clock>,
}

/// How a lamp does.
#[derive(Clone, Debug, Serialize)]
pub struct LampReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How long it takes, and who says so.
    pub latency: Row,
    /// Why nothing can be sent to it.
    pub away: Option<String>,
    /// What its output did. Lamps at one DMX node share one.
    pub counts: Counts,
}

impl Lamps {
    /// Starts the thread, which sleeps until there is a show, and puts back what a Hearth that was killed
    /// during a show left behind.
    ///
    /// # Errors
    /// Broken when the system gives no thread; what the store says.
    pub async fn start(
        tasks: &Tasks,
        mdns: &Mdns,
        ask: &Ask,
        store: &Store,
    ) -> Result<Lamps, Error> {
        let table = Table::open(store).await?;
        let (work, works) = channel();
        let shared = Arc::new(Shared {
            tasks: tasks.clone(),
            mdns: mdns.clone(),
            ask: ask.clone(),
            store: store.clone(),
            table,
            work,
            now: Mutex::new(Weak::new()),
            is_ahead: AtomicBool::new(false),
        });
        let (works, own) = (Mutex::new(works), shared.clone());
        tasks.thread(THREAD, move |stop| {
            let works = works.lock().unwrap_or_else(PoisonError::into_inner);
            own.serve(&works, &stop)
        })?;
        let (ask, store) = (ask.clone(), store.clone());
        tasks.job(async move { before::mend(&ask, &store).await });
        Ok(Lamps { shared })
    }

    /// Plays a show until [`Playing::stop`]. Lamps that cannot be reached are tried again and again.
    ///
    /// # Errors
    /// Conflict when one is playing; Invalid for lamps that are configured wrongly; Broken when the
    /// system gives no sockets.
    pub async fn play(&self, show: Show) -> Result<Playing, Error> {
        let Show { config, paint, hear, posts, clock } = show;
        crate::config::Fault::refuse(config.faults("aurora"))?;
        let shared = &self.shared;
        let control = Arc::new(Control::default());
        {
            let mut now = shared.now.lock().unwrap_or_else(PoisonError::into_inner);
            if now.strong_count() > 0 {
                return Err(Error::conflict("a show is playing; stop it first"));
            }
            *now = Arc::downgrade(&control);
        }
        // A WLED that does not answer must not hold up the others; what it is sent does not change what it
        // says here.
        let (ask, store, lamps) = (shared.ask.clone(), shared.store.clone(), config.lamp.clone());
        let (saved, before) = oneshot::channel();
        shared.tasks.job(async move {
            let _ = saved.send(before::save(&ask, &store, &lamps).await);
        });
        let delays: Vec<Delay> = config.lamp.iter().map(|_| Delay::default()).collect();
        for (lamp, delay) in config.lamp.iter().zip(&delays) {
            shared.table.apply(lamp, delay);
        }
        let given = Given { hear, posts, id: before::id(&shared.store).await? };
        let (stage, outlets) = outlet::open(&config, &delays, given, clock.now())?;
        let outlets = Arc::new(tokio::sync::Mutex::new(outlets));
        let over = CancellationToken::new();
        let watch = outlet::watch(outlets.clone(), shared.mdns.clone(), over.clone());
        shared.tasks.job(watch);
        shared.tasks.job(timed(self.clone(), config.clone(), delays.clone(), over.clone()));
        let (done, end) = oneshot::channel();
        let work = Work { stage, paint, clock, control: control.clone(), done };
        let gone = |_| Error::broken("the thread of the lamps has ended; start Hearth again");
        shared.work.send(Some(work)).map_err(gone)?;
        let inner = Inner { control, config, delays, outlets, over, end, before };
        Ok(Playing { shared: shared.clone(), inner: Some(inner) })
    }

    /// Measures the way to each of these lamps that answers, and notes it in the table. Returns the lamps
    /// that do not, with the reason.
    pub async fn measure(&self, lamps: &[Lamp]) -> Vec<(String, Error)> {
        let measured = lamps.iter().map(|lamp| async move {
            let noted = async {
                match ack::measure(lamp, &self.shared.mdns).await? {
                    Some(found) => self.shared.table.acknowledged(&lamp.name, found).await,
                    None => Ok(()),
                }
            };
            noted.await.err().map(|e| (lamp.name.clone(), e))
        });
        join_all(measured).await.into_iter().flatten().collect()
    }

    /// Finds WLEDs and Hue bridges that announce themselves, for so long.
    ///
    /// # Errors
    /// As [`find`].
    pub async fn find(&self, wait: Duration) -> Result<Vec<Found>, Error> {
        find(&self.shared.mdns, &self.shared.ask, wait).await
    }

    /// Asks those of these lamps that are WLEDs what they are, for [`super::diagnose`].
    pub async fn infos(&self, lamps: &[Lamp]) -> Vec<Option<Info>> {
        let ask = &self.shared.ask;
        let asked = lamps.iter().map(|lamp| async move {
            let web = wled::web(lamp)?;
            wled::info(ask, &web).await.ok()
        });
        join_all(asked).await
    }

    /// The table of latencies.
    pub fn latencies(&self) -> &Table {
        &self.shared.table
    }

    /// Whether the system runs the thread ahead of ordinary ones.
    pub fn is_ahead_of_others(&self) -> bool {
        self.shared.is_ahead.load(Ordering::Relaxed)
    }
}

/// Measures the way to the lamps of a show again and again until it is over.
async fn timed(lamps: Lamps, config: Config, delays: Vec<Delay>, over: CancellationToken) {
    loop {
        tokio::select! {
            lost = lamps.measure(&config.lamp) => {
                for (lamp, e) in lost {
                    log::debug!("the way to the lamp '{lamp}' is not measured: {e}");
                }
            }
            () = over.cancelled() => return,
        }
        for (lamp, delay) in config.lamp.iter().zip(&delays) {
            lamps.shared.table.apply(lamp, delay);
        }
        tokio::select! {
            () = tokio::time::sleep(MEASURE) => {}
            () = over.cancelled() => return,
        }
    }
}

impl Shared {
    /// The thread.
    fn serve(
        self: &Arc<Shared>,
        works: &Receiver<Option<Work>>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        self.is_ahead.store(priority::raise(priority::LAMPS), Ordering::Relaxed);
        self.tasks.status(THREAD, Whose::Own).up();
        let (stopped, shared) = (stop.clone(), self.clone());
        self.tasks.job(async move {
            stopped.cancelled().await;
            if let Some(control) = shared.playing() {
                control.stop();
            }
            let _ = shared.work.send(None);
        });
        while let Ok(Some(work)) = works.recv() {
            let Work { mut stage, mut paint, mut clock, control, done } = work;
            stage.run(&mut *clock, &mut *paint, &control.stop);
            // The lamps are told before whoever stopped the show is.
            drop(stage);
            let _ = done.send(());
            if stop.is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn playing(&self) -> Option<Arc<Control>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

/// A show that is playing. It stops when this is dropped; [`Playing::stop`] says when it is over.
pub struct Playing {
    shared: Arc<Shared>,
    inner: Option<Inner>,
}

struct Inner {
    control: Arc<Control>,
    config: Config,
    delays: Vec<Delay>,
    outlets: Arc<tokio::sync::Mutex<Vec<Outlet>>>,
    over: CancellationToken,
    end: oneshot::Receiver<()>,
    before: oneshot::Receiver<Vec<Before>>,
}

impl Playing {
    /// Says how each lamp does, in the order of the configuration.
    pub async fn report(&self) -> Vec<LampReport> {
        let Some(inner) = &self.inner else { return Vec::new() };
        let outlets = inner.outlets.lock().await;
        let of = |(n, lamp): (usize, &Lamp)| {
            let outlet = outlets.iter().find(|outlet| outlet.lamps.contains(&n));
            LampReport {
                name: lamp.name.clone(),
                kind: lamp.kind,
                latency: self.shared.table.row(lamp),
                away: outlet.and_then(|outlet| outlet.away.clone()),
                counts: outlet.map(|outlet| outlet.counters.read()).unwrap_or_default(),
            }
        };
        inner.config.lamp.iter().enumerate().map(of).collect()
    }

    /// Takes over what the table of latencies says now.
    pub fn retime(&self) {
        let Some(inner) = &self.inner else { return };
        for (lamp, delay) in inner.config.lamp.iter().zip(&inner.delays) {
            self.shared.table.apply(lamp, delay);
        }
    }

    /// Ends the show, tells every lamp so, and puts back what WLEDs showed before.
    ///
    /// # Errors
    /// Broken when the thread had ended by itself, as when the painter panicked; the lamps were told.
    pub async fn stop(mut self) -> Result<(), Error> {
        match self.inner.take() {
            Some(inner) => inner.stop(&self.shared).await,
            None => Ok(()),
        }
    }
}

impl Inner {
    async fn stop(self, shared: &Shared) -> Result<(), Error> {
        self.control.stop();
        self.over.cancel();
        let ended = self.end.await;
        let before = self.before.await.unwrap_or_default();
        before::restore(&shared.ask, &shared.store, &before).await;
        drop(self.control);
        ended.map_err(|_| Error::broken("the show had ended by a fault of its own; see the log"))
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.control.stop();
            let shared = self.shared.clone();
            self.shared.tasks.job(async move {
                if let Err(e) = inner.stop(&shared).await {
                    log::warn!("{e}");
                }
            });
        }
    }
}
