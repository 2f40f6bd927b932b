//! One connection: reads packets, hands them to the core, writes what it says.
//!
//! Its two halves never wait for each other, so a client that does not read costs its own connection and
//! nothing else. On the same port a client may speak MQTT over WebSocket.

use crate::mqtt::broker::core::{Outbox, Seat, refuse};
use crate::mqtt::broker::edge::Edge;
use crate::mqtt::broker::web_socket;
use crate::mqtt::broker::wire::{self, Connect, code};
use crate::mqtt::config::Version;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a client may take for its CONNECT, and with how many bytes.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST: usize = 256 * 1024;
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

type Reader<'a> = &'a mut (dyn AsyncRead + Send + Unpin);
type Writer<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// One connection, from its first byte to its end.
pub(super) async fn serve(edge: &Edge, mut stream: TcpStream, from: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let is_near = from.ip().to_canonical().is_loopback();
    let mut first = [0];
    match tokio::time::timeout(PATIENCE, stream.peek(&mut first)).await {
        Ok(Ok(1..)) => {}
        _ => return,
    }
    // No MQTT begins with the first letter of GET.
    if first != *b"G" {
        let (mut reader, mut writer) = stream.split();
        return talk(edge, &mut reader, &mut writer, (from, is_near)).await;
    }
    let upgrade = web_socket::accept(stream, edge.packet);
    match tokio::time::timeout(PATIENCE, upgrade).await {
        Ok(Ok((socket, is_page))) => {
            let (mut reader, mut writer) = tokio::io::split(socket);
            // A page of any website can open a WebSocket to this machine: that it comes from here is no
            // reason to trust it.
            talk(edge, &mut reader, &mut writer, (from, is_near && !is_page)).await;
        }
        Ok(Err(why)) => log::debug!("{from}: {why}"),
        Err(_) => {}
    }
}

/// The conversation, whatever carries it.
async fn talk(
    edge: &Edge,
    reader: Reader<'_>,
    writer: Writer<'_>,
    (from, is_near): (SocketAddr, bool),
) {
    let mut buffer = Vec::new();
    let first = tokio::time::timeout(PATIENCE, read_connect(reader, &mut buffer)).await;
    let outbox = edge.core().outbox();
    let mut version = Version::V5;
    let seat = match first {
        Ok(Some(Ok(connect))) => {
            version = connect.version;
            enter(edge, connect, &outbox, (from, is_near)).await
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
    let Some(seat) = seat else {
        outbox.end();
        let _ = tokio::time::timeout(LAST, write(edge, None, &outbox, writer)).await;
        return linger(reader).await;
    };
    edge.sooner.notify_one();
    {
        let mut writing = std::pin::pin!(write(edge, Some(seat), &outbox, writer));
        tokio::select! {
            () = &mut writing => {}
            () = read((edge, seat, version), &outbox, reader, &mut buffer) => {
                if outbox.is_ended() {
                    let _ = tokio::time::timeout(LAST, writing).await;
                }
            }
        }
    }
    edge.core().lost(seat, Instant::now());
    edge.sooner.notify_one();
    linger(reader).await;
}

/// Reads the first packet; `None` when the client goes before it is whole.
async fn read_connect(
    reader: Reader<'_>,
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
        if reader.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Checks who it is and lets it in.
async fn enter(
    edge: &Edge,
    connect: Connect,
    outbox: &Arc<Outbox>,
    (from, is_near): (SocketAddr, bool),
) -> Option<Seat> {
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
    reader: Reader<'_>,
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
async fn write(edge: &Edge, seat: Option<Seat>, outbox: &Outbox, writer: Writer<'_>) {
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
        // A WebSocket holds back what it is given.
        if !matches!(tokio::time::timeout(STUCK, writer.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads on for a moment: a socket that is closed with bytes unread resets the connection, and the
/// client may lose the last words.
async fn linger(reader: Reader<'_>) {
    let mut bytes = [0; 1024];
    let until_end = async { while matches!(reader.read(&mut bytes).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), until_end).await;
}
