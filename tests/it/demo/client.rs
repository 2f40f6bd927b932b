//! A small client of Home Assistant's protocol, for the demo house and the real one alike.

use futures_util::{SinkExt, StreamExt};
use hearth::demo::{Config, DemoHouse};
use hearth::events::Events;
use hearth::tasks::Tasks;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long anything may take before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Starts a demo house with `extra` more entities.
pub(crate) async fn house(extra: usize) -> (DemoHouse, Tasks) {
    let tasks = Tasks::new(Events::new());
    let house = hearth::demo::start(&Config { extra, ..Config::default() }, &tasks).await.unwrap();
    (house, tasks)
}

/// A connected client.
pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: VecDeque<Value>,
    last_id: i64,
    /// How many frames held more than one message.
    pub(crate) joined: usize,
}

impl Client {
    /// Opens a socket and reads the greeting.
    pub(crate) async fn open(url: &str) -> Client {
        let url = format!("{}/api/websocket", url.replacen("http", "ws", 1));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut client = Client { socket, waiting: VecDeque::new(), last_id: 0, joined: 0 };
        assert_eq!(client.next().await.unwrap()["type"], "auth_required");
        client
    }

    /// Opens a socket and logs in.
    pub(crate) async fn connect(url: &str, token: &str) -> Client {
        let mut client = Client::open(url).await;
        client.send(json!({ "type": "auth", "access_token": token })).await;
        assert_eq!(client.next().await.unwrap()["type"], "auth_ok");
        client
    }

    /// Sends a message as it is.
    pub(crate) async fn send(&mut self, message: Value) {
        self.text(message.to_string()).await;
    }

    /// Sends text as it is.
    pub(crate) async fn text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Returns the next message; none when the other side has closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            let frame = tokio::time::timeout(DEADLINE, self.socket.next()).await;
            match frame.expect("no message within the deadline") {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text).unwrap() {
                    Value::Array(all) => {
                        self.joined += 1;
                        self.waiting.extend(all);
                    }
                    one => self.waiting.push_back(one),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends a command and returns its id.
    pub(crate) async fn command(&mut self, mut message: Value) -> i64 {
        self.last_id += 1;
        message["id"] = self.last_id.into();
        self.send(message).await;
        self.last_id
    }

    /// Sends a command and returns the answer to it; what came before it is dropped.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        let id = self.command(message).await;
        self.until(|m| m["id"] == id && m["type"] != "event").await
    }

    /// Sends a command that must succeed and returns its result.
    pub(crate) async fn result(&mut self, message: Value) -> Value {
        let answer = self.ask(message.clone()).await;
        assert_eq!(answer["success"], true, "{message} got {answer}");
        answer["result"].clone()
    }

    /// Returns the first message that is wanted; what came before it is dropped.
    pub(crate) async fn until(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let found = tokio::time::timeout(DEADLINE, async {
            loop {
                let message = self.next().await.expect("closed before the message came");
                if is_wanted(&message) {
                    return message;
                }
            }
        });
        found.await.expect("the message did not come")
    }

    /// Waits for an event of subscription `id`.
    pub(crate) async fn event(&mut self, id: i64) -> Value {
        self.until(|m| m["id"] == id && m["type"] == "event").await["event"].clone()
    }
}

/// Sends one HTTP request; returns the status, the content type and the body.
pub(crate) async fn http(
    url: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> (u16, String, String) {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bearer = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{bearer}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head
        .lines()
        .find_map(|l| l.to_lowercase().strip_prefix("content-type: ").map(str::to_owned));
    (status, kind.unwrap_or_default(), body.to_owned())
}
