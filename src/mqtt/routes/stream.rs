//! `/api/mqtt/stream`: messages as they arrive, gathered into at most 20 events a second.
//!
//! Each event `messages` has the newest of what came since the one before (`messages`, oldest first),
//! how many more fitted and are not shown (`skipped`), and its place as id; who comes back with
//! `Last-Event-ID` goes on there. `lost` with `{"lost":n}` stands where messages fell out of the ring
//! before this reader came by, with `{"lost":null}` where nobody knows. The bus has no part in it.

use crate::error::Error;
use crate::http::{Bytes, Extension, HeaderMap, Response, State, Uri, read, sse};
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Kept;
use crate::mqtt::routes::{Desk, Who, filter, session};
use crate::mqtt::session::Session;
use crate::mqtt::{Mqtt, show};
use crate::web;
use serde::Deserialize;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Between two events.
const PAUSE: Duration = Duration::from_millis(50);
/// Messages in one event; more are counted.
const SHOWN: usize = 50;
/// Bytes of a payload.
const PART: usize = 2048;
/// Messages that are looked at while the link waits.
const LOOKED: usize = 2000;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    session: Option<String>,
    filter: Option<String>,
    /// A place, as `place` of `/api/mqtt/messages` or an event's id.
    after: Option<String>,
}

/// Answers `/api/mqtt/stream`.
pub(super) async fn stream(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Error> {
    let asked: Asked = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let filter = filter(asked.filter.as_deref())?;
    let newest = session.inbox().totals().messages;
    let place = sse::last_event_id(&headers).or(asked.after.as_deref());
    let (last, is_unknown) = match place {
        None => (newest, false),
        Some(place) => match desk.mqtt.number(place).filter(|number| *number <= newest) {
            Some(number) => (number, false),
            None => (newest, true),
        },
    };
    let mqtt = &desk.mqtt;
    let feed = Feed {
        arrivals: session.arrivals(),
        mqtt: mqtt.clone(),
        until: Box::pin(web::until_barred(mqtt.policy(), mqtt.tasks(), &caller, &headers)),
        session,
        filter,
        last,
        is_unknown,
        due: Instant::now(),
    };
    Ok(sse::answer_with(futures_util::stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        Some((frame, feed))
    })))
}

struct Feed {
    mqtt: Mqtt,
    session: Arc<Session>,
    filter: Option<Filter>,
    arrivals: watch::Receiver<u64>,
    until: Pin<Box<dyn Future<Output = ()> + Send>>,
    last: u64,
    is_unknown: bool,
    /// No event before.
    due: Instant,
}

impl Feed {
    /// Waits for the next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::take(&mut self.is_unknown) {
            return Some(lost(&Value::Null));
        }
        let quiet = Instant::now() + sse::KEEP_ALIVE;
        loop {
            tokio::select! {
                biased;
                () = &mut self.until => return None,
                () = sleep_until(self.due) => {}
            }
            self.arrivals.borrow_and_update();
            if let Some(frame) = self.gather() {
                self.due = Instant::now() + PAUSE;
                return Some(frame);
            }
            tokio::select! {
                biased;
                () = &mut self.until => return None,
                changed = self.arrivals.changed() => {
                    changed.ok()?;
                    self.due = self.due.max(Instant::now() + PAUSE);
                }
                () = sleep_until(quiet) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    /// Returns what came since, when something of it is for this reader.
    fn gather(&mut self) -> Option<Bytes> {
        let mut found: Vec<Kept> = Vec::new();
        let mut skipped = 0_u64;
        let mut gone = 0;
        loop {
            let inbox = self.session.inbox();
            let newest = inbox.totals().messages;
            let mut seen = self.last;
            for kept in inbox.ring().after(self.last).take(LOOKED) {
                gone += kept.number - seen - 1;
                seen = kept.number;
                if self.filter.as_ref().is_none_or(|filter| filter.matches(&kept.topic)) {
                    found.push(kept.clone());
                }
            }
            if seen == self.last {
                // Even the newest may be gone: a message larger than the ring.
                gone += newest - seen;
                seen = newest;
            }
            self.last = seen;
            if found.len() > SHOWN {
                let more = found.len() - SHOWN;
                skipped += more as u64;
                found.drain(..more);
            }
            if seen >= newest {
                break;
            }
        }
        let messages: Vec<Value> = found.iter().map(|kept| show::message(kept, PART)).collect();
        let mut out = String::new();
        if gone > 0 {
            out.push_str(&String::from_utf8_lossy(&lost(&gone.into())));
        }
        if !messages.is_empty() {
            let data = json!({ "messages": messages, "skipped": skipped });
            let place = self.mqtt.place(self.last);
            out.push_str(&format!("event: messages\nid: {place}\ndata: {data}\n\n"));
        }
        (!out.is_empty()).then(|| out.into())
    }
}

fn lost(count: &Value) -> Bytes {
    format!("event: lost\ndata: {{\"lost\":{count}}}\n\n").into()
}
