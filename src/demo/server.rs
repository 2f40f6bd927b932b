//! The edge: a loopback listener, the clients' sockets and the house's clock.
//!
//! Everything the house does is under one lock, held for short calculations only. What happened is
//! put on a bounded channel before the lock is given back, so each client hears it in order; a
//! client that reads too slowly is cut off, as Home Assistant does.

use crate::demo::house::{Happening, House};
use crate::demo::rest::{self, Ask};
use crate::demo::session::{self, Session};
use crate::demo::wire;
use crate::error::Error;
use crate::tasks::Tasks;
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

/// Clients at a time.
const CLIENTS: usize = 16;
/// Changes that a client may lag behind.
const LAG: usize = 2048;
/// Bytes of one message from a client, and of one frame to it.
const MESSAGE_MAX: usize = 256 * 1024;
const FRAME: usize = 16 * 1024;
/// How long a client may take for its request, its first message, and to take what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TcpStream>;

/// What all clients share.
pub(crate) struct Shared {
    house: Mutex<House>,
    told: broadcast::Sender<Arc<Happening>>,
    token: String,
}

impl Shared {
    /// Puts a house behind a token.
    pub(crate) fn new(house: House, token: String) -> Shared {
        Shared { house: Mutex::new(house), told: broadcast::channel(LAG).0, token }
    }

    /// Returns what tells what happens in the house.
    pub(crate) fn told(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.told.subscribe()
    }

    /// Does something in the house at the present time and tells what came of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut House) -> T) -> T {
        let mut house = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        house.set_clock(unix_now());
        let out = act(&mut house);
        for happening in house.take_happened() {
            // An error only means that no client is there.
            let _ = self.told.send(Arc::new(happening));
        }
        out
    }
}

/// Returns the seconds since 1970.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Opens the listener on a free loopback port.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    let bad = |e| Error::broken("the demo house cannot listen on 127.0.0.1").because(e);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(bad)?;
    let address = listener.local_addr().map_err(bad)?;
    Ok((listener, address))
}

/// Lets the house live and answers its clients until the end.
pub(crate) async fn run(
    listener: Arc<TcpListener>,
    shared: Arc<Shared>,
    tasks: Tasks,
    stop: CancellationToken,
) -> Result<(), Error> {
    let room = Arc::new(Semaphore::new(CLIENTS));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => shared.with(House::live),
            client = listener.accept() => {
                let stream = match client {
                    Ok((stream, _)) => stream,
                    Err(e) => {
                        log::debug!("demo: a client could not be taken: {e}");
                        continue;
                    }
                };
                let Ok(seat) = room.clone().try_acquire_owned() else { continue };
                let (shared, stop) = (shared.clone(), stop.clone());
                drop(tasks.job(async move {
                    let _seat = seat;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        end = serve(stream, &shared) => if let Err(e) = end {
                            log::debug!("demo: a client ended: {e}");
                        }
                    }
                }));
            }
        }
    }
}

async fn serve(mut stream: TcpStream, shared: &Arc<Shared>) -> Result<(), Error> {
    let broken = |e: std::io::Error| Error::broken("the connection broke").because(e);
    stream.set_nodelay(true).map_err(broken)?;
    let ask = tokio::time::timeout(PATIENCE, read_request(&mut stream))
        .await
        .map_err(|_| Error::timeout("no whole request"))??;
    if let Some(key) = ask.socket_key() {
        let accept = derive_accept_key(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(broken)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(4 * 1024)
            .write_buffer_size(FRAME)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let mut socket =
            WebSocketStream::from_partially_read(stream, ask.rest, Role::Server, Some(config))
                .await;
        return talk(&mut socket, shared).await;
    }
    let answer = shared.with(|house| rest::answer(&ask, &shared.token, house));
    stream.write_all(&answer).await.map_err(broken)?;
    stream.shutdown().await.map_err(broken)
}

async fn read_request(stream: &mut TcpStream) -> Result<Ask, Error> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(ask) = rest::parse(&bytes)? {
            return Ok(ask);
        }
        let read = stream.read_buf(&mut bytes).await;
        if read.map_err(|e| Error::broken("the connection broke").because(e))? == 0 {
            return Err(Error::invalid("the request ended early"));
        }
    }
}

/// The whole conversation with one client.
async fn talk(socket: &mut Socket, shared: &Arc<Shared>) -> Result<(), Error> {
    let version = wire::VERSION;
    let hello = |kind: &str| format!("{{\"type\":\"{kind}\",\"ha_version\":\"{version}\"}}");
    send(socket, hello("auth_required")).await?;
    let first = tokio::time::timeout(PATIENCE, next_text(socket)).await;
    let Some(first) = first.map_err(|_| Error::timeout("no auth message"))?? else {
        return Ok(());
    };
    if let Err(why) = session::is_welcome(&first, &shared.token) {
        let refusal = serde_json::json!({ "type": "auth_invalid", "message": why });
        send(socket, refusal.to_string()).await?;
        return close(socket).await;
    }
    send(socket, hello("auth_ok")).await?;
    let mut session = Session::default();
    let mut told = shared.told.subscribe();
    loop {
        let texts = tokio::select! {
            text = next_text(socket) => match text? {
                None => return Ok(()),
                Some(text) => match hear_and_handle(&text, &mut session, &mut told, shared) {
                    Some(texts) => texts,
                    None => return close(socket).await,
                },
            },
            happening = told.recv() => match happening {
                Ok(happening) => shared.with(|house| {
                    let mut texts = session.hear(&happening, house);
                    catch_up(&mut session, &mut told, house, &mut texts)?;
                    Some(texts)
                }),
                Err(_) => None,
            }
            .ok_or_else(|| Error::limit(format!("it is more than {LAG} changes behind")))?,
        };
        deliver(socket, texts, session.coalesces).await?;
    }
}

/// Answers one message; what happened before it is told before it, what came of it before the
/// answer to it. None when the connection is to be closed.
fn hear_and_handle(
    text: &str,
    session: &mut Session,
    told: &mut broadcast::Receiver<Arc<Happening>>,
    shared: &Shared,
) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let answers = shared.with(|house| {
        catch_up(session, told, house, &mut texts)?;
        session.handle(text, house).ok()
    })?;
    shared.with(|house| catch_up(session, told, house, &mut texts))?;
    texts.extend(answers);
    Some(texts)
}

fn catch_up(
    session: &mut Session,
    told: &mut broadcast::Receiver<Arc<Happening>>,
    house: &House,
    texts: &mut Vec<String>,
) -> Option<()> {
    loop {
        match told.try_recv() {
            Ok(happening) => texts.extend(session.hear(&happening, house)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => return None,
            Err(_) => return Some(()),
        }
    }
}

async fn deliver(socket: &mut Socket, mut texts: Vec<String>, joins: bool) -> Result<(), Error> {
    if joins && texts.len() > 1 {
        texts = vec![format!("[{}]", texts.join(","))];
    }
    for text in texts {
        send(socket, text).await?;
    }
    Ok(())
}

/// The next text of the client; none when it is gone.
async fn next_text(socket: &mut Socket) -> Result<Option<String>, Error> {
    while let Some(message) = socket.next().await {
        let message = message.map_err(|e| Error::broken("the socket broke").because(e))?;
        match message {
            Message::Text(text) => return Ok(Some(text.as_str().to_owned())),
            Message::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// Sends a text. A long one goes out in several frames: buffers on both sides stay as small as a
/// frame, where one frame would leave them as large as the longest text for good.
async fn send(socket: &mut Socket, text: String) -> Result<(), Error> {
    let sent = tokio::time::timeout(PATIENCE, async {
        if text.len() <= FRAME {
            return socket.send(Message::text(text)).await;
        }
        let bytes = Bytes::from(text);
        let count = bytes.len().div_ceil(FRAME);
        for n in 0..count {
            let part = bytes.slice(n * FRAME..bytes.len().min((n + 1) * FRAME));
            let code = OpCode::Data(if n == 0 { Data::Text } else { Data::Continue });
            socket.send(Message::Frame(Frame::message(part, code, n + 1 == count))).await?;
        }
        Ok(())
    })
    .await;
    let sent = sent.map_err(|_| Error::timeout("it does not take what it is sent"))?;
    sent.map_err(|e| Error::broken("the socket broke").because(e))
}

async fn close(socket: &mut Socket) -> Result<(), Error> {
    let closed = tokio::time::timeout(PATIENCE, socket.close(None)).await;
    closed.map_err(|_| Error::timeout("it does not close"))?.or(Ok(()))
}
