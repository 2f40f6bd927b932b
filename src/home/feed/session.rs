//! One connection to a house, from the token to its end.
//!
//! Three things run side by side in one task: reading (answers, states, registry changes), writing
//! (what [`Link`](crate::home::feed::link::Link) queued), and keeping (reading the registries at the
//! start and after each change). Whichever ends first ends the connection.

use crate::error::Error;
use crate::home::feed::dial::Socket;
use crate::home::feed::keep::{Known, keep};
use crate::home::feed::wire::{self, Head};
use crate::home::house::House;
use crate::home::text;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// The greeting and the answer to the token may take so long.
const GREETING: Duration = Duration::from_secs(10);
/// A message that cannot be written within this means that the other side is stuck.
const WRITE: Duration = Duration::from_secs(10);
/// A sign of life that was asked for may take so long.
const PONG: Duration = Duration::from_secs(5);
/// After so many events without a pause, other tasks get their turn.
const BATCH: usize = 64;

/// Why a connection ended.
pub(crate) enum End {
    /// The token was refused: trying soon again is of no use.
    Refused(String),
    /// Anything else.
    Lost(Error),
}

impl From<Error> for End {
    fn from(e: Error) -> End {
        End::Lost(e)
    }
}

/// Runs one connection until it ends.
pub(crate) async fn run(house: &House, mut socket: Socket) -> End {
    if let Err(end) = greet(house, &mut socket).await {
        return end;
    }
    let outbound = house.link.open();
    let known = Known::default();
    known.first.store(true, Ordering::Relaxed);
    let (sink, stream) = socket.split();
    let (ping, pings) = mpsc::channel(1);
    let end = tokio::select! {
        end = read(house, &known, stream, ping) => end,
        end = write(sink, outbound, pings) => end,
        end = keep(house, &known) => end,
    };
    End::Lost(end)
}

async fn greet(house: &House, socket: &mut Socket) -> Result<(), End> {
    let first = say(socket).await?;
    if first.kind != "auth_required" {
        return Err(Error::offline("whoever answers there is not Home Assistant").into());
    }
    let auth = json!({"type": "auth", "access_token": house.token.reveal()});
    let sent = tokio::time::timeout(WRITE, socket.send(Message::text(auth.to_string()))).await;
    if !matches!(sent, Ok(Ok(()))) {
        return Err(Error::offline("the connection broke while the token was sent").into());
    }
    let answer = say(socket).await?;
    match answer.kind.as_str() {
        "auth_ok" => Ok(()),
        "auth_invalid" => {
            let why = text::clean(&answer.message.unwrap_or_default(), 200);
            Err(End::Refused(format!(
                "Home Assistant refuses the token ('{why}'); make a new one in your profile there \
                 and set it as HASS_TOKEN"
            )))
        }
        _ => Err(Error::offline("whoever answers there is not Home Assistant").into()),
    }
}

#[derive(Deserialize)]
struct Greeting {
    #[serde(rename = "type")]
    kind: String,
    message: Option<String>,
}

async fn say(socket: &mut Socket) -> Result<Greeting, Error> {
    let text = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) | None => return Err(Error::offline("the connection was closed")),
                Some(Err(e)) => return Err(Error::offline("the connection broke").because(e)),
            }
        }
    };
    let text = tokio::time::timeout(GREETING, text)
        .await
        .map_err(|_| Error::offline("Home Assistant did not greet within 10 s"))??;
    serde_json::from_str(&text)
        .map_err(|e| Error::offline("whoever answers there is not Home Assistant").because(e))
}

async fn read(
    house: &House,
    known: &Known,
    mut stream: SplitStream<Socket>,
    ping: mpsc::Sender<()>,
) -> Error {
    let quiet = house.ping;
    let mut heard = Instant::now();
    loop {
        let next = tokio::select! {
            biased;
            next = stream.next() => Some(next),
            () = tokio::time::sleep_until(heard + quiet) => None,
            () = house.doubted() => None,
        };
        let silent =
            || Error::offline(format!("it has been silent for {} s", heard.elapsed().as_secs()));
        let next = match next {
            Some(next) => next,
            None if ping.try_send(()).is_err() => return silent(),
            // Whatever comes now, an answer to the ping included, shows that it is alive.
            None => match tokio::time::timeout(quiet.min(PONG), stream.next()).await {
                Ok(next) => next,
                Err(_) => return silent(),
            },
        };
        heard = Instant::now();
        house.hears();
        let end = match next {
            Some(Ok(Message::Text(text))) => take(house, known, &text).await.err(),
            Some(Ok(Message::Binary(_))) => {
                Some(Error::offline("it sent bytes where Home Assistant sends text"))
            }
            Some(Ok(Message::Close(_))) | None => {
                Some(Error::offline("Home Assistant closed the connection"))
            }
            Some(Ok(_)) => None,
            Some(Err(e)) => Some(Error::offline("the connection broke").because(e)),
        };
        if let Some(end) = end {
            return end;
        }
    }
}

/// Takes one frame apart and hands each message to whom it belongs.
async fn take(house: &House, known: &Known, text: &str) -> Result<(), Error> {
    for head in wire::heads(text)? {
        let id = head.id.unwrap_or(0);
        let is_event = head.kind == "event" && id != 0;
        if is_event && id == known.states.load(Ordering::Relaxed) {
            states(house, known, &head).await?;
        } else if is_event && known.note(id) {
            known.wake.notify_one();
        } else {
            house.link.hand(&head);
        }
    }
    Ok(())
}

async fn states(house: &House, known: &Known, head: &Head<'_>) -> Result<(), Error> {
    let first = known.first.swap(false, Ordering::Relaxed);
    let event = head.event.map_or("{}", |event| event.get());
    let changes = house.cache_mut().apply(event, first)?;
    // At the very first connection there is nobody who knew another state.
    let tell = !first || house.was_connected();
    for (count, change) in changes.into_iter().enumerate() {
        if tell {
            house.tell_entity(change);
        }
        if count % BATCH == BATCH - 1 {
            tokio::task::yield_now().await;
        }
    }
    if first {
        house.connected();
    }
    Ok(())
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut outbound: mpsc::Receiver<String>,
    mut pings: mpsc::Receiver<()>,
) -> Error {
    loop {
        let message = tokio::select! {
            text = outbound.recv() => match text {
                Some(text) => Message::text(text),
                None => return Error::offline("the connection was given up"),
            },
            Some(()) = pings.recv() => Message::Ping(Default::default()),
        };
        match tokio::time::timeout(WRITE, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Error::offline("the connection broke").because(e),
            Err(_) => return Error::offline("Home Assistant takes no more messages"),
        }
    }
}
