//! One recording, from its first message to the end of its file.

use crate::error::Error;
use crate::mqtt::clock::now;
use crate::mqtt::inbox::Kept;
use crate::mqtt::record::format::{End, Head, Writer};
use crate::mqtt::record::shelf::{Shelf, trouble};
use crate::mqtt::record::{Wish, lock};
use crate::mqtt::session::Session;
use crate::tasks::Tasks;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Messages taken out of the ring at once.
const BATCH: usize = 512;

/// How far a recording is.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) session: Arc<str>,
    pub(crate) filters: Vec<String>,
    /// Microseconds since 1970.
    pub(crate) started: i64,
    pub(crate) messages: u64,
    /// Messages that were gone before they could be written.
    pub(crate) lost: u64,
    /// Of the file.
    pub(crate) bytes: u64,
    /// Why it ended, in one or two words; `None` while it runs.
    pub(crate) ended: Option<&'static str>,
    /// Why it is not whole, for people.
    pub(crate) failed: Option<String>,
    tell: watch::Sender<bool>,
}

impl Progress {
    pub(super) fn begin(session: &Session, wish: &Wish) -> Progress {
        let filters = wish.filters.iter().map(|filter| filter.as_str().to_owned()).collect();
        let (started, tell) = (now(), watch::Sender::new(false));
        Progress {
            session: session.id.clone(),
            filters,
            started,
            messages: 0,
            lost: 0,
            bytes: 0,
            ended: None,
            failed: None,
            tell,
        }
    }

    /// Whether it is being written.
    pub(crate) fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    /// Returns what tells when it is over.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.tell.subscribe()
    }
}

/// Everything that one recording needs.
pub(super) struct Job {
    pub(super) session: Arc<Session>,
    pub(super) wish: Wish,
    pub(super) file: Option<File>,
    pub(super) shelf: Shelf,
    pub(super) tasks: Tasks,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) stop: CancellationToken,
}

impl Job {
    pub(super) async fn run(mut self) {
        let end = self.record().await;
        let name = &self.wish.name;
        let mut progress = lock(&self.progress);
        match end {
            Ok((why, end)) => {
                (progress.messages, progress.lost) = (end.messages, end.lost);
                progress.ended = Some(why);
            }
            Err(e) => {
                log::warn!("the recording '{name}' failed: {e}");
                progress.ended = Some("failed");
                progress.failed = Some(e.to_string());
            }
        }
        progress.tell.send_replace(true);
    }

    async fn record(&mut self) -> Result<(&'static str, End), Error> {
        let started = lock(&self.progress).started;
        let filters = self.wish.filters.iter().map(|filter| filter.as_str().to_owned()).collect();
        let head = Head::new(self.session.target.address.to_string(), filters, started);
        let mut arrivals = self.session.arrivals();
        let mut last = self.session.inbox().totals().messages;
        let mut out = Vec::new();
        let mut writer = Writer::begin(&head, started, &mut out)?;
        let over = tokio::time::sleep(self.wish.time);
        tokio::pin!(over);
        let mut why = None;
        let why = loop {
            // What arrived before the end was asked for belongs to it.
            let newest = self.session.inbox().totals().messages;
            let is_full = self.drain(&mut last, newest, &mut writer, &mut out).await?;
            self.write(&mut out).await?;
            if is_full {
                break "full";
            }
            if let Some(why) = why {
                break why;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => why = Some("stopped"),
                () = &mut over => why = Some("time is up"),
                changed = arrivals.changed() => if changed.is_err() { why = Some("session closed") },
            }
        };
        let end = writer.end(&mut out)?;
        self.write(&mut out).await?;
        let (shelf, name) = (self.shelf.clone(), self.wish.name.clone());
        if let Some(file) = self.file.take() {
            self.tasks.blocking(move || shelf.finish(&name, &file)).await??;
        }
        Ok((why, end))
    }

    /// Takes what arrived after `last` up to `newest`; true when the file is full.
    async fn drain(
        &mut self,
        last: &mut u64,
        newest: u64,
        writer: &mut Writer,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        while *last < newest {
            let (batch, gone) = self.batch(last, newest);
            writer.lose(gone);
            for kept in &batch {
                writer.message(kept, out)?;
                if writer.counts().2 >= self.wish.most {
                    self.note(writer);
                    return Ok(true);
                }
            }
            self.note(writer);
            self.write(out).await?;
        }
        Ok(false)
    }

    /// Copies the next messages out of the ring and says how many are gone. The link waits meanwhile,
    /// so it is few at a time.
    fn batch(&self, last: &mut u64, newest: u64) -> (Vec<Kept>, u64) {
        let inbox = self.session.inbox();
        let mut gone = 0;
        let mut batch = Vec::new();
        let mut seen = *last;
        for kept in inbox.ring().after(*last).take(BATCH) {
            if kept.number > newest {
                break;
            }
            gone += kept.number - seen - 1;
            seen = kept.number;
            if self.wish.filters.iter().any(|filter| filter.matches(&kept.topic)) {
                batch.push(kept.clone());
            }
        }
        if seen == *last {
            // Even the newest is gone.
            gone += newest - seen;
            seen = newest;
        }
        *last = seen;
        (batch, gone)
    }

    fn note(&self, writer: &Writer) {
        let mut progress = lock(&self.progress);
        (progress.messages, progress.lost, progress.bytes) = writer.counts();
    }

    /// Writes what was gathered, off the runtime's threads.
    async fn write(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let bytes = std::mem::take(out);
        let work = move || {
            let done = file.write_all(&bytes);
            (file, done)
        };
        let (file, done) = self.tasks.blocking(work).await?;
        self.file = Some(file);
        let path = self.shelf.path(&self.wish.name);
        done.map_err(|e| trouble("write", &path, &e))
    }
}
