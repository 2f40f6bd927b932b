//! The sockets of the broker: reads packets, hands them to the core, writes what it says.
//!
//! Each connection is one task with two halves that never wait for each other, so a client that does not
//! read costs its own connection and nothing else.

use crate::config::Secret;
use crate::error::Error;
use crate::mqtt::broker::access::Access;
use crate::mqtt::broker::config::Embedded;
use crate::mqtt::broker::core::{Core, Outbox, Seat, refuse};
use crate::mqtt::broker::wire::{self, Connect, code};
use crate::mqtt::config::Version;
use crate::tasks::Tasks;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long a client may take for its CONNECT, and with how many bytes.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST: usize = 256 * 1024;
/// Connections that have not said who they are yet, beside those that have.
const STRANGERS: usize = 64;
/// How long the answer to a wrong password takes: guessing must be slow.
const WRONG: Duration = Duration::from_secs(1);
/// How long a socket may take none of what it is sent.
const STUCK: Duration = Duration::from_secs(60);
/// How long the last words may take.
const LAST: Duration = Duration::from_secs(5);
/// Bytes read at once.
const READ: usize = 16 * 1024;
/// A buffer that grew beyond this is given back.
const KEEP: usize = 256 * 1024;
/// Time between two looks at what is due, at least.
const PAUSE: Duration = Duration::from_millis(20);

/// What all connections share.
pub(super) struct Edge {
    core: Mutex<Core>,
    access: Access,
    /// Something may be due earlier than was thought.
    pub(super) sooner: Notify,
    room: Arc<Semaphore>,
    tasks: Tasks,
    packet: usize,
}

impl Edge {
    pub(super) fn new(config: &Embedded, own: Secret, tasks: &Tasks) -> Edge {
        Edge {
            core: Mutex::new(Core::new(config.limits(), Instant::now())),
            access: Access::new(config, own),
            sooner: Notify::new(),
            room: Arc::new(Semaphore::new(config.max_clients + STRANGERS)),
            tasks: tasks.clone(),
            packet: config.max_packet_bytes,
        }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the port.
pub(super) fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let bad = |e: std::io::Error| {
        let what = format!(
            "the MQTT broker cannot listen on {host} port {port} (mqtt.embedded.host and .port)"
        );
        Error::broken(what).because(e)
    };
    let listener = StdListener::bind((host, port)).map_err(bad)?;
    listener.set_nonblocking(true).map_err(bad)?;
    let address = listener.local_addr().map_err(bad)?;
    Ok((TcpListener::from_std(listener).map_err(bad)?, address))
}

/// Takes clients and does what is due, until the end.
pub(super) async fn run(
    edge: Arc<Edge>,
    listener: Arc<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                edge.core().shut();
                return Ok(());
            }
            () = tokio::time::sleep_until((due.max(Instant::now() + PAUSE)).into()) => {
                due = edge.core().tick(Instant::now());
            }
            () = edge.sooner.notified() => due = Instant::now(),
            client = listener.accept() => match client {
                Ok((stream, from)) => receive(&edge, stream, from),
                // Out of files, most often: those that are there go on.
                Err(e) => {
                    log::warn!("the MQTT broker cannot take a client: {e}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn receive(edge: &Arc<Edge>, stream: TcpStream, from: SocketAddr) {
    let Ok(place) = edge.room.clone().try_acquire_owned() else {
        log::warn!("the MQTT broker has no room for {from}");
        return;
    };
    let (edge, tasks) = (edge.clone(), edge.tasks.clone());
    drop(tasks.job(async move {
        let _place = place;
        serve(&edge, stream, from).await;
    }));
}

/// One connection, from its CONNECT to its end.
async fn serve(edge: &Edge, mut stream: TcpStream, from: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    let first = tokio::time::timeout(PATIENCE, read_connect(&mut stream, &mut buffer)).await;
    let outbox = Arc::new(Outbox::default());
    let mut version = Version::V5;
    let seat = match first {
        Ok(Some(Ok(connect))) => {
            version = connect.version;
            enter(edge, connect, &outbox, from).await
        }
        Ok(Some(Err(refusal))) => {
            log::debug!("{from}: {}", refusal.fault.why);
            if let Some(version) = refusal.version {
                let told = (refusal.fault.code, refusal.fault.why);
                outbox.write(|out| wire::connack(out, version, Err(told)));
            }
            None
        }
        Ok(None) | Err(_) => None,
    };
    let (mut reader, writer) = stream.split();
    let Some(seat) = seat else {
        outbox.end();
        let _ = tokio::time::timeout(LAST, write(edge, None, &outbox, writer)).await;
        return linger(&mut reader).await;
    };
    edge.sooner.notify_one();
    {
        let mut writing = std::pin::pin!(write(edge, Some(seat), &outbox, writer));
        tokio::select! {
            () = &mut writing => {}
            () = read((edge, seat, version), &outbox, &mut reader, &mut buffer) => {
                if outbox.is_ended() {
                    let _ = tokio::time::timeout(LAST, writing).await;
                }
            }
        }
    }
    edge.core().lost(seat, Instant::now());
    edge.sooner.notify_one();
    linger(&mut reader).await;
}

/// Reads the first packet; `None` when the client goes before it is whole.
async fn read_connect(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Option<Result<Connect, wire::Refusal>> {
    loop {
        match wire::frame(buffer, FIRST) {
            Err(fault) => return Some(Err(wire::Refusal { version: None, fault })),
            Ok(Some((first, body))) => {
                let connect = wire::read_connect(first, &buffer[body.clone()]);
                buffer.drain(..body.end);
                return Some(connect);
            }
            Ok(None) => {}
        }
        buffer.reserve(1024);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Checks who it is and lets it in.
async fn enter(
    edge: &Edge,
    connect: Connect,
    outbox: &Arc<Outbox>,
    from: SocketAddr,
) -> Option<Seat> {
    let is_near = from.ip().to_canonical().is_loopback();
    let name = connect.username.as_deref();
    let who = edge.access.check(name, connect.password.as_deref(), is_near);
    let fresh = crate::policy::random_token().ok()?;
    let fault = match who {
        Ok(who) => {
            let fresh = format!("auto-{}", &fresh[..fresh.len().min(22)]);
            return edge.core().connect(connect, who, outbox, &fresh, Instant::now());
        }
        Err(fault) => fault,
    };
    log::info!("the MQTT broker refused a client at {}: {}", from.ip(), fault.why);
    if fault.code == code::PASSWORD {
        tokio::time::sleep(WRONG).await;
    }
    refuse(outbox, &connect, fault);
    None
}

/// Hears what the client says, until it goes or has been told to go.
async fn read(
    who: (&Edge, Seat, Version),
    outbox: &Outbox,
    reader: &mut ReadHalf<'_>,
    buffer: &mut Vec<u8>,
) {
    loop {
        hear(who, outbox, buffer);
        if outbox.is_ended() {
            return;
        }
        // Who does not take its answers is not asked for more.
        outbox.has_room().await;
        if buffer.is_empty() && buffer.capacity() > KEEP {
            *buffer = Vec::new();
        }
        buffer.reserve(READ);
        if !matches!(reader.read_buf(buffer).await, Ok(1..)) {
            return;
        }
    }
}

/// Hands every whole packet to the core.
fn hear(who: (&Edge, Seat, Version), outbox: &Outbox, buffer: &mut Vec<u8>) {
    let (edge, seat, version) = who;
    let mut at = 0;
    let mut core = edge.core();
    let now = Instant::now();
    while !outbox.is_ended() {
        let packet = match wire::frame(&buffer[at..], edge.packet) {
            Ok(None) => break,
            Ok(Some((first, body))) => {
                let (start, end) = (at + body.start, at + body.end);
                at = end;
                wire::read(version, first, &buffer[start..end])
            }
            Err(fault) => Err(fault),
        };
        match packet {
            Ok(packet) => core.hear(seat, packet, now),
            Err(fault) => {
                log::debug!("a client of the MQTT broker is sent away: {}", fault.why);
                core.refuse(seat, fault, now);
                break;
            }
        }
    }
    drop(core);
    buffer.drain(..at);
}

/// Writes what the core says, until it says no more or the socket takes no more.
async fn write(edge: &Edge, seat: Option<Seat>, outbox: &Outbox, mut writer: WriteHalf<'_>) {
    let mut bytes = Vec::new();
    loop {
        outbox.ready().await;
        let taken = outbox.take(&mut bytes);
        if let Some(seat) = seat.filter(|_| taken.has_more) {
            edge.core().drained(seat, Instant::now());
        }
        if bytes.is_empty() {
            if taken.is_ended {
                let _ = writer.shutdown().await;
                return;
            }
            // The core searches on for what matches.
            tokio::task::yield_now().await;
        }
        let mut rest = &*bytes;
        while !rest.is_empty() {
            match tokio::time::timeout(STUCK, writer.write(rest)).await {
                Ok(Ok(count @ 1..)) => rest = &rest[count..],
                _ => return,
            }
        }
    }
}

/// Reads on for a moment: a socket that is closed with bytes unread resets the connection, and the
/// client may lose the last words.
async fn linger(reader: &mut ReadHalf<'_>) {
    let mut bytes = [0; 1024];
    let until_end = async { while matches!(reader.read(&mut bytes).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), until_end).await;
}
