//! `/api/mqtt/export`: what is kept, as a recording that is written while it is read.

use crate::error::Error;
use crate::http::{
    Body, Bytes, Extension, HeaderValue, IntoResponse, Response, State, Uri, header, read,
};
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Kept;
use crate::mqtt::record::format::{Head, Writer};
use crate::mqtt::routes::{Desk, Who, filter, session};
use crate::mqtt::session::Session;
use serde::Deserialize;
use std::sync::Arc;

/// Messages written at once; the link waits while they are copied.
const BATCH: usize = 256;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    session: Option<String>,
    filter: Option<String>,
}

/// Answers `/api/mqtt/export`. What arrives after the question is not part of it, so it ends.
pub(super) async fn export(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Response, Error> {
    let asked: Asked = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let filter = filter(asked.filter.as_deref())?;
    let (first, newest) = {
        let inbox = session.inbox();
        let first = inbox.ring().iter().next().map(|kept| (kept.number, kept.at));
        (first, inbox.totals().messages)
    };
    let started = first.map_or(0, |first| first.1);
    let last = first.map_or(newest, |first| first.0 - 1);
    let filters = filter.iter().map(|filter| filter.as_str().to_owned()).collect();
    let head = Head::new(session.target.address.to_string(), filters, started);
    let mut out = Vec::new();
    let writer = Some(Writer::begin(&head, started, &mut out)?);
    let dump = Dump { session, filter, last, newest, writer, out };
    let pieces = futures_util::stream::unfold(dump, |mut dump| async move {
        let piece = dump.next()?;
        Some((piece, dump))
    });
    let mut answer = Body::from_stream(pieces).into_response();
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/x-ndjson");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let name = HeaderValue::from_static("attachment; filename=\"mqtt-messages.jsonl\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}

struct Dump {
    session: Arc<Session>,
    filter: Option<Filter>,
    last: u64,
    newest: u64,
    writer: Option<Writer>,
    out: Vec<u8>,
}

impl Dump {
    fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let writer = self.writer.as_mut()?;
        let mut batch: Vec<Kept> = Vec::new();
        let mut seen = self.last;
        {
            let inbox = self.session.inbox();
            for kept in inbox.ring().after(self.last).take(BATCH) {
                if kept.number > self.newest {
                    break;
                }
                writer.lose(kept.number - seen - 1);
                seen = kept.number;
                if self.filter.as_ref().is_none_or(|filter| filter.matches(&kept.topic)) {
                    batch.push(kept.clone());
                }
            }
        }
        if seen == self.last {
            // What is left has fallen out of the ring while a slow reader read.
            writer.lose(self.newest - seen);
            seen = self.newest;
        }
        self.last = seen;
        for kept in &batch {
            if let Err(e) = writer.message(kept, &mut self.out) {
                return Some(Err(e));
            }
        }
        if self.last >= self.newest
            && let Some(writer) = self.writer.take()
            && let Err(e) = writer.end(&mut self.out)
        {
            return Some(Err(e));
        }
        Some(Ok(std::mem::take(&mut self.out).into()))
    }
}
