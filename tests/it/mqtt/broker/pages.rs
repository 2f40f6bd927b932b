//! MQTT over WebSocket, on the same port.

use super::raw::{connect, packet, subscribe, text};
use super::start;
use crate::harness::SOON;
use futures_util::{SinkExt, StreamExt};
use hearth::mqtt::Broker;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(broker: &Broker, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://{}/mqtt", broker.address()).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
}

const MQTT: (&str, &str) = ("Sec-WebSocket-Protocol", "chat, mqtt");

/// Returns the next bytes; `None` when the broker closed.
async fn next(socket: &mut Socket) -> Option<Vec<u8>> {
    let next = tokio::time::timeout(SOON, socket.next()).await.expect("the broker fell silent");
    match next {
        Some(Ok(Message::Binary(bytes))) => Some(bytes.to_vec()),
        Some(Ok(Message::Close(_)) | Err(_)) | None => None,
        Some(Ok(other)) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_come_and_go_wherever_the_messages_end() {
    let (broker, tasks) = start();
    let mut socket = open(&broker, &[MQTT]).await.unwrap();
    let mut bytes = connect("page", &[]);
    bytes.extend(subscribe("a", 0));
    bytes.extend(packet(0x30, &[&text("a")[..], &[0], b"x"].concat()));
    for part in bytes.chunks(7) {
        socket.send(Message::binary(part.to_vec())).await.unwrap();
    }
    let mut came = Vec::new();
    let wanted = packet(0x30, &[&text("a")[..], &[0], b"x"].concat());
    while !came.ends_with(&wanted) {
        came.extend(next(&mut socket).await.unwrap());
    }
    assert_eq!(came[0], 0x20);
    socket.send(Message::text("no MQTT")).await.unwrap();
    assert_eq!(next(&mut socket).await, None, "text is no MQTT");
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_website_is_no_program_of_this_machine() {
    let (broker, tasks) = start();
    let mut socket = open(&broker, &[MQTT, ("Origin", "https://elsewhere.example")]).await.unwrap();
    socket.send(Message::binary(connect("page", &[]))).await.unwrap();
    let said = next(&mut socket).await.unwrap();
    assert_eq!((said[0], said[3]), (0x20, 0x87));
    let Err(Error::Http(refused)) = open(&broker, &[]).await else { panic!("it was let in") };
    assert_eq!(refused.status(), 400);
    tasks.stop().await;
}
