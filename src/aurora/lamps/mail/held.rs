//! Lamps of a slow output while a show has them.

use super::Mailbox;
use super::carrier::{Board, Report};
use crate::error::Error;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Lamps in a show. Dropping it ends the show for them, as [`Held::close`] does.
pub struct Held {
    lamps: Vec<(String, Arc<Mailbox>)>,
    refused: Vec<(String, Error)>,
    board: Board,
    stop: CancellationToken,
    over: watch::Receiver<bool>,
}

/// The other end: whoever carries the light to the lamps.
pub(in crate::aurora::lamps) struct Grip {
    names: Vec<String>,
    pub(in crate::aurora::lamps) board: Board,
    pub(in crate::aurora::lamps) stop: CancellationToken,
    over: watch::Sender<bool>,
}

impl Held {
    pub(in crate::aurora::lamps) fn new(
        lamps: Vec<(String, Arc<Mailbox>)>,
        refused: Vec<(String, Error)>,
        stop: CancellationToken,
    ) -> (Held, Grip) {
        let board = Board::new(lamps.len());
        let (told, over) = watch::channel(false);
        let names = lamps.iter().map(|(name, _)| name.clone()).collect();
        let grip = Grip { names, board: board.clone(), stop: stop.clone(), over: told };
        (Held { lamps, refused, board, stop, over }, grip)
    }

    /// Returns the lamps that are in the show and the slots for what they are to show, in the order of
    /// [`Report::lamps`].
    pub fn lamps(&self) -> &[(String, Arc<Mailbox>)] {
        &self.lamps
    }

    /// Returns the lamps that were left out, and why.
    pub fn refused(&self) -> &[(String, Error)] {
        &self.refused
    }

    /// Returns what was counted and measured so far.
    pub fn report(&self) -> Report {
        self.board.read()
    }

    /// Ends the show, and returns when the lamps are as they were, or cannot be now.
    pub async fn close(mut self) {
        self.stop.cancel();
        // A job that panicked has dropped its end; the lamps are put back at the next occasion.
        let _ = self.over.wait_for(|over| *over).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Grip {
    pub(in crate::aurora::lamps) fn names(&self) -> &[String] {
        &self.names
    }

    /// Says that the lamps are as they were, or cannot be now.
    pub(in crate::aurora::lamps) fn over(&self) {
        self.over.send_replace(true);
    }
}

/// The lamps of an output that are in a show.
#[derive(Clone, Default)]
pub(in crate::aurora::lamps) struct Busy(Arc<watch::Sender<BTreeSet<String>>>);

/// A lamp that is free again when this is dropped.
pub(in crate::aurora::lamps) struct Lease {
    busy: Busy,
    name: String,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.busy.0.send_if_modified(|busy| busy.remove(&self.name));
    }
}

impl Busy {
    /// Marks a lamp.
    ///
    /// # Errors
    /// Conflict when it is in a show already.
    pub(in crate::aurora::lamps) fn take(&self, id: &str) -> Result<Lease, Error> {
        match self.0.send_if_modified(|busy| busy.insert(id.to_owned())) {
            true => Ok(Lease { busy: self.clone(), name: id.to_owned() }),
            false => Err(Error::conflict(format!("{id} is in another show: stop that one first"))),
        }
    }

    pub(in crate::aurora::lamps) fn has(&self, id: &str) -> bool {
        self.0.borrow().contains(id)
    }

    pub(in crate::aurora::lamps) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Waits until no lamp is in a show.
    pub(in crate::aurora::lamps) async fn empty(&self) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(BTreeSet::is_empty).await;
    }
}
