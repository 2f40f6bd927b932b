//! Recordings: what a session hears, written to files in the data folder, and played again.
//!
//! A recording is bounded in bytes and seconds. It reads the session's ring like everybody else, so it
//! never slows the link; what the ring drops before it was written is counted in its end. A full disk
//! or a folder that cannot be written ends that recording and nothing else.

pub(crate) mod format;
mod replay;
mod run;
mod shelf;

pub(crate) use replay::{Report, Score};
pub(crate) use run::Progress;
pub(crate) use shelf::{Found, Shelf};

use crate::error::Error;
use crate::mqtt::filter::Filter;
use crate::mqtt::session::Session;
use crate::tasks::Tasks;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Recordings that may run at once.
const RUNNING: usize = 4;
/// Ended ones of this run whose outcome is remembered.
const REMEMBERED: usize = 32;

/// What is to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Name of the file: a-z, 0-9, - and _.
    pub(crate) name: String,
    pub(crate) filters: Vec<Filter>,
    /// The file may have so many bytes.
    pub(crate) most: u64,
    pub(crate) time: Duration,
}

/// The recordings. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Shelf,
    tasks: Tasks,
    /// By name, those of this run of the program.
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    stop: CancellationToken,
    progress: Arc<Mutex<Progress>>,
}

impl Recorder {
    /// Makes the recorder of a data folder; nothing is made there before the first recording.
    pub(crate) fn new(data_dir: &Path, tasks: &Tasks) -> Recorder {
        let shelf = Shelf::new(data_dir.join("mqtt").join("recordings"));
        let known = Mutex::default();
        Recorder { shared: Arc::new(Shared { shelf, tasks: tasks.clone(), known }) }
    }

    /// Returns where the files are.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shared.shelf
    }

    /// Starts recording what a session hears from now on.
    ///
    /// # Errors
    /// Invalid for a bad name, Conflict when it is taken, Limit when too much is recorded or kept
    /// already, Broken when the file cannot be made.
    pub(crate) async fn start(&self, session: Arc<Session>, wish: Wish) -> Result<Progress, Error> {
        shelf::check_name(&wish.name)?;
        let running = self.known().values().filter(|k| lock(&k.progress).is_running()).count();
        if running >= RUNNING {
            return Err(Error::limit(format!(
                "{RUNNING} recordings run already; stop one with action 'stop'"
            )));
        }
        let (shelf, name) = (self.shared.shelf.clone(), wish.name.clone());
        let file = self.shared.tasks.blocking(move || shelf.make(&name)).await??;
        let progress = Arc::new(Mutex::new(Progress::begin(&session, &wish)));
        let known = Known { stop: self.shared.tasks.stopping().child_token(), progress };
        self.remember(&wish.name, known.clone());
        let (progress, stop) = (known.progress.clone(), known.stop.clone());
        let first = lock(&progress).clone();
        let job = run::Job {
            session,
            wish,
            file: Some(file),
            shelf: self.shared.shelf.clone(),
            tasks: self.shared.tasks.clone(),
            progress,
            stop,
        };
        self.shared.tasks.job(job.run());
        Ok(first)
    }

    /// Ends a recording and waits until its file is whole.
    ///
    /// # Errors
    /// NotFound when none of that name runs, and what made it fail.
    pub(crate) async fn stop(&self, name: &str) -> Result<Progress, Error> {
        let known = self.known().get(name).cloned();
        let known = known.filter(|known| lock(&known.progress).is_running());
        let known = known.ok_or_else(|| {
            Error::not_found(format!(
                "no recording '{}' runs; action 'list' names them",
                crate::text::clean(name, 40)
            ))
        })?;
        known.stop.cancel();
        let mut ended = lock(&known.progress).ended();
        // The sender lives in what `known` holds, so this ends with the recording.
        let _ = ended.wait_for(|ended| *ended).await;
        let progress = lock(&known.progress).clone();
        match &progress.failed {
            None => Ok(progress),
            Some(why) => Err(Error::broken(format!("the recording '{name}' failed: {why}"))),
        }
    }

    /// Returns those of this run of the program, by name.
    pub(crate) fn progress(&self) -> BTreeMap<String, Progress> {
        let known = self.known();
        known.iter().map(|(name, known)| (name.clone(), lock(&known.progress).clone())).collect()
    }

    /// Returns the files, by name; those that are being written among them.
    ///
    /// # Errors
    /// Broken when the folder cannot be read.
    pub(crate) async fn files(&self) -> Result<Vec<Found>, Error> {
        let shelf = self.shared.shelf.clone();
        self.shared.tasks.blocking(move || shelf.all()).await?
    }

    /// Deletes the file of a recording that does not run.
    ///
    /// # Errors
    /// NotFound when there is none, Conflict while it runs.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        shelf::check_name(name)?;
        let is_running = |known: &Known| lock(&known.progress).is_running();
        if self.known().get(name).is_some_and(is_running) {
            return Err(Error::conflict(format!("'{name}' is being recorded; stop it first")));
        }
        let (shelf, own) = (self.shared.shelf.clone(), name.to_owned());
        self.shared.tasks.blocking(move || shelf.delete(&own)).await??;
        self.known().remove(name);
        Ok(())
    }

    fn remember(&self, name: &str, new: Known) {
        let mut known = self.known();
        while known.len() >= REMEMBERED {
            let ended = known.iter().find(|(_, known)| !lock(&known.progress).is_running());
            let Some(name) = ended.map(|(name, _)| name.clone()) else { break };
            known.remove(&name);
        }
        known.insert(name.to_owned(), new);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        lock(&self.shared.known)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
