//! Server-Sent Events: the bus as a stream that a browser or script reads.
//!
//! Pulled by the connection, never pushed: a client that reads slowly loses the oldest events on the
//! bus itself and is told how many. Nothing is queued here beyond the events kept for readers that
//! come back.

use crate::events::{Event, Events, Gone, Next, Reader, Stamped};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, interval_at};

/// A comment is sent this often, so that both sides notice when the other is gone.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again, in ms.
const RETRY: &str = "retry: 2000\n\n";

type Keep = Box<dyn Fn(&Event) -> bool + Send>;
type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Returns the place of the event that the client saw last, from its header `Last-Event-ID`; one that
/// is no text is a place that nobody knows.
pub fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("last-event-id")?.to_str().unwrap_or("?").trim();
    (!id.is_empty()).then_some(id)
}

/// Answers with the events that `keep` lets through, after the place `after` or from now on, until
/// `until` resolves (the caller's token was revoked, Hearth ends) or the client goes away.
///
/// Each event has its name, `id` and JSON; an event `lost` with `{"lost":n}` stands where `n` events
/// are gone, with `{"lost":null}` where nobody knows how many: the client's last event is not of this
/// run.
pub fn answer<K, U>(events: &Events, after: Option<&str>, keep: K, until: U) -> Response
where
    K: Fn(&Event) -> bool + Send + 'static,
    U: Future<Output = ()> + Send + 'static,
{
    let (kept, gone, reader) = match after {
        Some(id) => events.read_after(id),
        None => (Vec::new(), Gone::Count(0), events.read()),
    };
    let feed = Feed {
        events: events.clone(),
        kept: kept.into(),
        gone: (gone != Gone::Count(0)).then_some(gone),
        reader,
        keep: Box::new(keep),
        until: Box::pin(until),
        ping: interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE),
        greeted: false,
    };
    let frames = futures_util::stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        Some((Ok::<_, Infallible>(frame), feed))
    });
    answer_of(Body::from_stream(frames))
}

/// Answers with frames of a service's own, for what is too much for the bus: each is a piece of a
/// stream of events. `frames` says something at least every [`KEEP_ALIVE`] and ends by itself.
pub fn answer_with<S>(frames: S) -> Response
where
    S: Stream<Item = Bytes> + Send + 'static,
{
    let greeting = futures_util::stream::once(async { Bytes::from_static(RETRY.as_bytes()) });
    answer_of(Body::from_stream(greeting.chain(frames).map(Ok::<_, Infallible>)))
}

fn answer_of(body: Body) -> Response {
    let mut answer = body.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Reverse proxies would otherwise collect the stream before they pass it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

struct Feed {
    events: Events,
    kept: VecDeque<Arc<Stamped>>,
    gone: Option<Gone>,
    reader: Reader,
    keep: Keep,
    until: Until,
    ping: Interval,
    greeted: bool,
}

impl Feed {
    /// Waits for the next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(RETRY.as_bytes()));
        }
        if let Some(gone) = self.gone.take() {
            return Some(lost(gone));
        }
        while let Some(stamped) = self.kept.pop_front() {
            if (self.keep)(&stamped.event) {
                return Some(self.frame(&stamped));
            }
        }
        loop {
            tokio::select! {
                biased;
                () = &mut self.until => return None,
                next = self.reader.next() => match next {
                    Next::Event(stamped) if (self.keep)(&stamped.event) => {
                        return Some(self.frame(&stamped));
                    }
                    Next::Event(_) => {}
                    Next::Lost(n) => return Some(lost(Gone::Count(n))),
                    Next::Closed => return None,
                },
                _ = self.ping.tick() => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    fn frame(&self, stamped: &Stamped) -> Bytes {
        // JSON has no line breaks of its own, so one `data:` line is enough.
        let data = serde_json::to_string(&stamped.event).unwrap_or_else(|_| "null".into());
        let (name, place) = (stamped.event.name(), self.events.place(stamped));
        format!("event: {name}\nid: {place}\ndata: {data}\n\n").into()
    }
}

fn lost(gone: Gone) -> Bytes {
    match gone {
        Gone::Count(n) => format!("event: lost\ndata: {{\"lost\":{n}}}\n\n").into(),
        Gone::Unknown => Bytes::from_static(b"event: lost\ndata: {\"lost\":null}\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{RECENT, Service};
    use http_body_util::BodyExt;
    use std::future::pending;

    fn publish(bus: &Events, service: &str) {
        let service = service.to_owned();
        bus.publish(Event::Service(Service { service, state: "up", reason: None }));
    }

    /// The place of event `id` on `bus`.
    fn place(bus: &Events, id: u64) -> String {
        let service = Service { service: String::new(), state: "up", reason: None };
        bus.place(&Stamped { id, event: Event::Service(service) })
    }

    async fn next(body: &mut Body) -> String {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_client_that_returns_gets_what_it_missed_and_then_what_follows() {
        let bus = Events::new();
        for n in 0..3 {
            publish(&bus, &n.to_string());
        }
        let mut body = answer(&bus, Some(&place(&bus, 1)), |_| true, pending()).into_body();
        assert_eq!(next(&mut body).await, RETRY);
        let second = format!(
            "event: service\nid: {}\ndata: {{\"event\":\"service\",\"service\":\"1\",\"state\":\"up\",\
             \"reason\":null}}\n\n",
            place(&bus, 2)
        );
        assert_eq!(next(&mut body).await, second);
        assert!(next(&mut body).await.contains("-3\n"));
        publish(&bus, "new");
        assert!(next(&mut body).await.contains("-4\n"));
    }

    #[tokio::test]
    async fn a_client_of_an_earlier_run_is_told_and_gets_what_is_kept() {
        let (before, bus) = (Events::new(), Events::new());
        publish(&bus, "first");
        for last in [place(&before, 1), "17".into(), "?".into(), place(&bus, 9)] {
            let mut body = answer(&bus, Some(&last), |_| true, pending()).into_body();
            assert_eq!(next(&mut body).await, RETRY);
            assert_eq!(next(&mut body).await, "event: lost\ndata: {\"lost\":null}\n\n", "{last}");
            assert!(next(&mut body).await.contains("\"first\""), "{last}");
        }
    }

    #[tokio::test]
    async fn a_filter_holds_events_back() {
        let bus = Events::new();
        let keep = |e: &Event| matches!(e, Event::Service(s) if s.service == "mine");
        publish(&bus, "other");
        publish(&bus, "mine");
        let mut body = answer(&bus, Some(&place(&bus, 0)), keep, pending()).into_body();
        assert_eq!(next(&mut body).await, RETRY);
        assert!(next(&mut body).await.contains("-2\n"));
        publish(&bus, "other");
        publish(&bus, "mine");
        assert!(next(&mut body).await.contains("-4\n"));
    }

    #[tokio::test]
    async fn lost_events_are_counted() {
        let bus = Events::new();
        let mut body = answer(&bus, None, |_| true, pending()).into_body();
        for n in 0..RECENT + 7 {
            publish(&bus, &n.to_string());
        }
        assert_eq!(next(&mut body).await, RETRY);
        assert_eq!(next(&mut body).await, "event: lost\ndata: {\"lost\":7}\n\n");
        assert!(next(&mut body).await.contains("-8\n"));
        let mut returned = answer(&bus, Some(&place(&bus, 2)), |_| true, pending()).into_body();
        assert_eq!(next(&mut returned).await, RETRY);
        assert_eq!(next(&mut returned).await, "event: lost\ndata: {\"lost\":5}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive_and_ends_when_told() {
        let bus = Events::new();
        let end = tokio::time::sleep(Duration::from_secs(40));
        let began = Instant::now();
        let mut body = answer(&bus, None, |_| true, end).into_body();
        assert_eq!(next(&mut body).await, RETRY);
        assert_eq!(next(&mut body).await, ":\n\n");
        assert_eq!(began.elapsed().as_secs(), 15);
        assert_eq!(next(&mut body).await, ":\n\n");
        assert!(body.frame().await.is_none());
        assert_eq!(began.elapsed().as_secs(), 40);
    }

    #[test]
    fn a_last_event_id_is_any_text() {
        let read = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", HeaderValue::from_bytes(value).unwrap());
            last_event_id(&headers).map(str::to_owned)
        };
        assert_eq!(
            (read(b" a-17"), read(b""), read(b"\xff")),
            (Some("a-17".into()), None, Some("?".into()))
        );
        assert_eq!(last_event_id(&HeaderMap::new()), None);
    }
}
