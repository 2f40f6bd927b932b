//! A scripted Home Assistant for what a real one never does: refuse, hang, talk nonsense, break off.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Script {
    /// Nothing: these states, as many as there are.
    Well(Value),
    /// Every token is refused.
    Refuses,
    /// The upgrade is answered with this HTTP status.
    Status(u16),
    /// Takes the connection and says nothing.
    Silent,
    /// Answers the token, then nothing at all, not even pings.
    Hangs,
    /// Greets with something else.
    Greets(&'static str),
    /// Works, and answers `call_service` with these raw bytes in place of a frame.
    BreaksOff(&'static [u8]),
    /// Works, and answers `call_service` with this text.
    Babbles(&'static str),
    /// Works, and never answers `call_service`.
    Slow,
}

pub struct Fake {
    pub address: SocketAddr,
    visits: Arc<AtomicUsize>,
}

impl Fake {
    pub async fn start(script: Script) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = visits.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, script.clone()));
            }
        });
        Fake { address, visits }
    }

    /// How many connections there were.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(mut stream: TcpStream, script: Script) {
    match script {
        Script::Silent => std::future::pending().await,
        Script::Status(status) => {
            let answer = format!("HTTP/1.1 {status} Oops\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
            // Read on, so that closing does not take the answer back.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
        script => {
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                talk(socket, script).await;
            }
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn say(socket: &mut Socket, message: &Value) -> bool {
    socket.send(Message::text(message.to_string())).await.is_ok()
}

async fn talk(mut socket: Socket, script: Script) {
    if let Script::Greets(text) = script {
        let _ = socket.send(Message::text(text)).await;
        return std::future::pending().await;
    }
    say(&mut socket, &json!({"type": "auth_required", "ha_version": "1"})).await;
    if socket.next().await.is_none() {
        return;
    }
    if matches!(script, Script::Refuses) {
        say(&mut socket, &json!({"type": "auth_invalid", "message": "Invalid access token"})).await;
        return;
    }
    say(&mut socket, &json!({"type": "auth_ok", "ha_version": "1"})).await;
    if matches!(script, Script::Hangs) {
        return std::future::pending().await;
    }
    let one =
        json!({"light.lamp": {"s": "off", "a": {"friendly_name": "Lamp"}, "c": "c", "lc": 1.0}});
    let states = if let Script::Well(states) = &script { states.clone() } else { one };
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let asked: Value = serde_json::from_str(&text).unwrap();
        let id = &asked["id"];
        let result = match asked["type"].as_str().unwrap() {
            "get_config" => json!({"version": "1", "time_zone": "Europe/Amsterdam",
                                   "location_name": "Fake", "state": "RUNNING"}),
            "config/entity_registry/list_for_display" => json!({"entities": []}),
            "homeassistant/expose_entity/list" => json!({"exposed_entities": {}}),
            kind if kind.ends_with("_registry/list") => json!([]),
            "call_service" => match &script {
                Script::BreaksOff(bytes) => {
                    let stream = socket.get_mut();
                    let _ = stream.write_all(bytes).await;
                    return;
                }
                Script::Babbles(text) => {
                    let _ = socket.send(Message::text(*text)).await;
                    continue;
                }
                Script::Slow => continue,
                _ => json!({"context": {"id": "called"}}),
            },
            _ => Value::Null,
        };
        let answer = json!({"id": id, "type": "result", "success": true, "result": result});
        say(&mut socket, &answer).await;
        if asked["type"] == "subscribe_entities" {
            let event = json!({"id": id, "type": "event", "event": {"a": states}});
            // As a burst: the first message of an array.
            say(&mut socket, &json!([event])).await;
        }
    }
}
