//! Server-Sent Events: the bus as a stream that a browser or script reads.
//!
//! Pulled by the connection, never pushed: a client that reads slowly loses the oldest events on the
//! bus itself and is told how many. Nothing is queued here beyond the events kept for readers that
//! come back.

use crate::events::{Event, Events, Next, Reader, Stamped};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Interval, interval_at};

/// A comment is sent this often, so that both sides notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again, in ms.
const RETRY: &str = "retry: 2000\n\n";

type Keep = Box<dyn Fn(&Event) -> bool + Send>;
type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Returns the event that the client saw last, from its header `Last-Event-ID`.
pub fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// Answers with the events that `keep` lets through, after event `after` or from now on, until
/// `until` resolves (the caller's token was revoked, Hearth ends) or the client goes away.
///
/// Each event has its name, `id` and JSON; an event `lost` with `{"lost":n}` stands where `n` events
/// are gone.
pub fn answer<K, U>(events: &Events, after: Option<u64>, keep: K, until: U) -> Response
where
    K: Fn(&Event) -> bool + Send + 'static,
    U: Future<Output = ()> + Send + 'static,
{
    let (kept, gone, reader) = match after {
        Some(id) => events.read_after(id),
        None => (Vec::new(), 0, events.read()),
    };
    let feed = Feed {
        kept: kept.into(),
        gone,
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
    let mut answer = Body::from_stream(frames).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Reverse proxies would otherwise collect the stream before they pass it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

struct Feed {
    kept: VecDeque<Arc<Stamped>>,
    gone: u64,
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
        if self.gone > 0 {
            return Some(lost(std::mem::take(&mut self.gone)));
        }
        while let Some(stamped) = self.kept.pop_front() {
            if (self.keep)(&stamped.event) {
                return Some(frame(&stamped));
            }
        }
        loop {
            tokio::select! {
                biased;
                () = &mut self.until => return None,
                next = self.reader.next() => match next {
                    Next::Event(stamped) if (self.keep)(&stamped.event) => {
                        return Some(frame(&stamped));
                    }
                    Next::Event(_) => {}
                    Next::Lost(n) => return Some(lost(n)),
                    Next::Closed => return None,
                },
                _ = self.ping.tick() => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}

fn frame(stamped: &Stamped) -> Bytes {
    // JSON has no line breaks of its own, so one `data:` line is enough.
    let data = serde_json::to_string(&stamped.event).unwrap_or_else(|_| "null".into());
    format!("event: {}\nid: {}\ndata: {data}\n\n", stamped.event.name(), stamped.id).into()
}

fn lost(n: u64) -> Bytes {
    format!("event: lost\ndata: {{\"lost\":{n}}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{RECENT, Service};
    use http_body_util::BodyExt;

    fn publish(bus: &Events, service: &str) {
        let service = service.to_owned();
        bus.publish(Event::Service(Service { service, state: "up", reason: None }));
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
        let mut body = answer(&bus, Some(1), |_| true, std::future::pending()).into_body();
        assert_eq!(next(&mut body).await, RETRY);
        let second = "event: service\nid: 2\ndata: {\"event\":\"service\",\"service\":\"1\",\
                      \"state\":\"up\",\"reason\":null}\n\n";
        assert_eq!(next(&mut body).await, second);
        assert!(next(&mut body).await.contains("id: 3\n"));
        publish(&bus, "new");
        assert!(next(&mut body).await.contains("id: 4\n"));
    }

    #[tokio::test]
    async fn a_filter_holds_events_back() {
        let bus = Events::new();
        let keep = |e: &Event| matches!(e, Event::Service(s) if s.service == "mine");
        publish(&bus, "other");
        publish(&bus, "mine");
        let mut body = answer(&bus, Some(0), keep, std::future::pending()).into_body();
        assert_eq!(next(&mut body).await, RETRY);
        assert!(next(&mut body).await.contains("id: 2\n"));
        publish(&bus, "other");
        publish(&bus, "mine");
        assert!(next(&mut body).await.contains("id: 4\n"));
    }

    #[tokio::test]
    async fn lost_events_are_counted() {
        let bus = Events::new();
        let mut body = answer(&bus, None, |_| true, std::future::pending()).into_body();
        for n in 0..RECENT + 7 {
            publish(&bus, &n.to_string());
        }
        assert_eq!(next(&mut body).await, RETRY);
        assert_eq!(next(&mut body).await, "event: lost\ndata: {\"lost\":7}\n\n");
        assert!(next(&mut body).await.contains("id: 8\n"));
        let mut returned = answer(&bus, Some(2), |_| true, std::future::pending()).into_body();
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
    fn only_a_number_is_a_last_event_id() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", HeaderValue::from_static(value));
            last_event_id(&headers)
        };
        assert_eq!((read("17"), read("x"), read("-1")), (Some(17), None, None));
        assert_eq!(last_event_id(&HeaderMap::new()), None);
    }
}
