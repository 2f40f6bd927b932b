//! The thread that starts the first processes.
//!
//! They end when the *thread* that started them does (PR_SET_PDEATHSIG), not when the process does.
//! Threads of the runtime's pools come and go; this one lives as long as Hearth.

use crate::error::Error;
use crate::tasks::{Tasks, Whose};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// So many starts may wait.
const WAITING: usize = 64;

type Wish = (Command, oneshot::Sender<std::io::Result<Child>>);

/// Starts processes; the thread begins with the first.
pub(super) struct Keeper {
    tasks: Tasks,
    wishes: OnceLock<Result<mpsc::Sender<Wish>, String>>,
}

impl Keeper {
    pub(super) fn new(tasks: &Tasks) -> Keeper {
        Keeper { tasks: tasks.clone(), wishes: OnceLock::new() }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// Broken, with what the system said.
    pub(super) async fn start(&self, command: Command) -> Result<Child, Error> {
        let wishes = self.wishes.get_or_init(|| self.begin().map_err(|e| e.to_string()));
        let wishes = wishes.as_ref().map_err(|e| Error::broken(e.clone()))?;
        let (answer, answered) = oneshot::channel();
        let ending = || Error::offline("Hearth is ending; no sandbox starts any more");
        wishes.send((command, answer)).await.map_err(|_| ending())?;
        let started = answered.await.map_err(|_| ending())?;
        started.map_err(|e| Error::broken("cannot start the first process of a sandbox").because(e))
    }

    fn begin(&self) -> Result<mpsc::Sender<Wish>, Error> {
        let (wishes, waiting) = mpsc::channel::<Wish>(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let runtime = self.tasks.runtime();
        self.tasks.thread("sandboxes", move |stop| {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                let next = runtime.block_on(async {
                    tokio::select! {
                        wish = waiting.recv() => wish,
                        () = stop.cancelled() => None,
                    }
                });
                let Some((mut command, answer)) = next else { return Ok(()) };
                // Whoever asked may be gone; then the child is dropped and its stdin closes.
                let _ = answer.send(command.spawn());
            }
        })?;
        self.tasks.status("sandboxes", Whose::Own).up();
        Ok(wishes)
    }
}
