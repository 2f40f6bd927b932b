use super::*;
use crate::mqtt::address::Address;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// The library's server at the other end, which is not ours.
async fn pair() -> (Socket, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(300);
    let address = Address::read("ws://broker:9001").unwrap().address;
    #[allow(clippy::result_large_err, reason = "what the library asks for")]
    let as_broker = |asked: &Request, mut answer: Response| {
        assert_eq!(asked.headers()["Sec-WebSocket-Protocol"], "mqtt");
        let ours = HeaderValue::from_static("mqtt");
        answer.headers_mut().insert("Sec-WebSocket-Protocol", ours);
        Ok(answer)
    };
    let server = async { tokio_tungstenite::accept_hdr_async(theirs, as_broker).await.unwrap() };
    let (socket, server) = tokio::join!(open(&address, Box::new(ours)), server);
    (socket.unwrap(), server)
}

#[tokio::test]
async fn bytes_go_both_ways_however_they_are_cut() {
    for size in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
        let (mut socket, mut server) = pair().await;
        let sent: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let (copy, echo) = (sent.clone(), sent.clone());
        let there = async {
            let mut got = Vec::new();
            while got.len() < size {
                match server.next().await.unwrap().unwrap() {
                    Message::Binary(bytes) => got.extend_from_slice(&bytes),
                    other => panic!("{other:?}"),
                }
            }
            assert!(got == copy);
            server.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
            server.send(Message::Binary(echo.into())).await.unwrap();
            server.send(Message::Binary(Bytes::from_static(b"end"))).await.unwrap();
            match server.next().await.unwrap().unwrap() {
                Message::Pong(bytes) => assert_eq!(&bytes[..], b"there?"),
                other => panic!("{other:?}"),
            }
        };
        let here = async {
            socket.write_all(&sent).await.unwrap();
            socket.flush().await.unwrap();
            let mut got = vec![0; size + 3];
            socket.read_exact(&mut got).await.unwrap();
            assert!(got[..size] == sent && &got[size..] == b"end");
        };
        tokio::join!(there, here);
    }
}

#[tokio::test]
async fn a_message_in_pieces_is_its_bytes() {
    let (mut socket, mut server) = pair().await;
    let piece = |text: &'static str, kind, is_last| {
        Message::Frame(Frame::message(
            Bytes::from_static(text.as_bytes()),
            OpCode::Data(kind),
            is_last,
        ))
    };
    let there = async {
        server.send(piece("one ", Data::Binary, false)).await.unwrap();
        server.send(Message::Ping(Bytes::new())).await.unwrap();
        server.send(piece("two ", Data::Continue, false)).await.unwrap();
        server.send(piece("three", Data::Continue, true)).await.unwrap();
        server.send(Message::Close(None)).await.unwrap();
        while let Some(Ok(_)) = server.next().await {}
    };
    let mut got = String::new();
    let here = async {
        socket.read_to_string(&mut got).await.unwrap();
        drop(socket);
    };
    tokio::join!(there, here);
    assert_eq!(got, "one two three");
}

#[tokio::test]
async fn what_a_server_may_not_send_is_an_error() {
    for bytes in [
        // Text, a masked frame, a long ping, a reserved bit, a kind that does not exist.
        &[0x81, 2, b'h', b'i'][..],
        &[0x82, 0x81, 1, 2, 3, 4, 5],
        &[0x89, 126, 0, 200],
        &[0xC2, 1, 0],
        &[0x83, 1, 0],
    ] {
        let mut socket = WebSocket::new(giving(bytes));
        let e = socket.read(&mut [0; 10]).await.unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::InvalidData, "{bytes:?}");
    }
}

/// A stream that gives these bytes and takes anything.
fn giving(bytes: &'static [u8]) -> impl AsyncRead + AsyncWrite + Unpin {
    tokio::io::join(bytes, tokio::io::sink())
}

#[tokio::test]
async fn another_answer_than_an_upgrade_is_told() {
    let (ours, mut theirs) = duplex(4096);
    let address = Address::read("ws://broker:9001").unwrap().address;
    let server = async {
        let _ = theirs.read(&mut [0; 2048]).await.unwrap();
        theirs.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    };
    let (socket, ()) = tokio::join!(open(&address, Box::new(ours)), server);
    let told = socket.err().unwrap();
    assert!(told.contains("HTTP 404") && told.contains("path"), "{told}");
}
