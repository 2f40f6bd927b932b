//! The show thread and the handle on it.

use super::before::{self, Before};
use super::bell::{Bell, now};
use super::config::{Config, Kind, Lamp};
use super::counters::Counts;
use super::latency::{Row, Table};
use super::line::Delay;
use super::outlet::{self, Given, Outlet};
use super::paint::{Hear, Paint, Post};
use super::run::{Stage, go_ahead_of_others};
use crate::error::Error;
use crate::http::ask::Ask;
use crate::http::mdns::Mdns;
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

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
    control: Arc<Control>,
    done: oneshot::Sender<()>,
}

struct Control {
    stop: AtomicBool,
    bell: Bell,
}

impl Control {
    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
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
    /// Rung when there is something new to paint.
    pub bell: Bell,
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
        tasks.thread("aurora lamps", move |stop| {
            let works = works.lock().unwrap_or_else(PoisonError::into_inner);
            own.serve(&works, &stop)
        })?;
        tasks.status("aurora lamps", Whose::Own).up();
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
        let Show { config, paint, hear, posts, bell } = show;
        crate::config::Fault::refuse(config.faults("aurora"))?;
        let shared = &self.shared;
        let control = Arc::new(Control { stop: AtomicBool::new(false), bell });
        {
            let mut now = shared.now.lock().unwrap_or_else(PoisonError::into_inner);
            if now.strong_count() > 0 {
                return Err(Error::conflict("a show is playing; stop it first"));
            }
            *now = Arc::downgrade(&control);
        }
        let before = before::save(&shared.ask, &shared.store, &config.lamp).await;
        let delays: Vec<Delay> = config.lamp.iter().map(|_| Delay::default()).collect();
        for (lamp, delay) in config.lamp.iter().zip(&delays) {
            shared.table.apply(lamp, delay);
        }
        let given = Given { hear, posts, id: before::id(&shared.store).await? };
        let (stage, outlets) = outlet::open(&config, &delays, given, &shared.mdns, now()).await?;
        let outlets = Arc::new(tokio::sync::Mutex::new(outlets));
        let over = CancellationToken::new();
        let watch = outlet::watch(outlets.clone(), shared.mdns.clone(), over.clone());
        shared.tasks.job(watch);
        let (done, end) = oneshot::channel();
        let work = Work { stage, paint, control: control.clone(), done };
        let gone = |_| Error::broken("the thread of the lamps has ended; start Hearth again");
        shared.work.send(Some(work)).map_err(gone)?;
        let inner = Inner { control, config, delays, outlets, over, end, before };
        Ok(Playing { shared: shared.clone(), inner: Some(inner) })
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

impl Shared {
    /// The thread.
    fn serve(
        self: &Arc<Shared>,
        works: &Receiver<Option<Work>>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        self.is_ahead.store(go_ahead_of_others(), Ordering::Relaxed);
        let (stopped, shared) = (stop.clone(), self.clone());
        self.tasks.job(async move {
            stopped.cancelled().await;
            if let Some(control) = shared.playing() {
                control.stop();
            }
            let _ = shared.work.send(None);
        });
        while let Ok(Some(work)) = works.recv() {
            let Work { mut stage, mut paint, control, done } = work;
            stage.run(&mut control.bell.clone(), &mut *paint, &control.stop);
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
    before: Vec<Before>,
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
        before::restore(&shared.ask, &shared.store, &self.before).await;
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
