//! Stands between Hearth and Home Assistant and counts what is written: it can hold the n-th write
//! back, or let it through and hold back its answer.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

/// Where a write is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Home Assistant never sees it.
    Before(usize),
    /// Home Assistant has done it; its answer never comes.
    After(usize),
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    hold: Option<Hold>,
    writes: usize,
    held: bool,
    /// How often what was held was thrown away.
    forgotten: usize,
}

#[derive(Clone)]
pub struct Gate {
    pub address: SocketAddr,
    to: String,
    state: Arc<watch::Sender<State>>,
}

/// What the gate does with one message or request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Do {
    Pass,
    HoldIt,
    HoldAnswer,
}

const WRITES: &[&str] = &[
    "config/entity_registry/update",
    "lovelace/config/save",
    "energy/save_prefs",
    "frontend/set_system_data",
    "person/update",
    "assist_pipeline/pipeline/update",
];

impl Gate {
    /// Listens on loopback and passes on to `to`.
    pub async fn to(to: &str) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Gate {
            address: listener.local_addr().unwrap(),
            to: to.trim_start_matches("http://").to_owned(),
            state: Arc::new(watch::Sender::new(State::default())),
        };
        let own = gate.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(own.clone().serve(stream));
            }
        });
        gate
    }

    /// Counts from nothing, and holds as said; what is held goes on.
    pub fn set(&self, hold: Option<Hold>) {
        let forgotten = self.state.borrow().forgotten;
        self.state.send_replace(State { hold, forgotten, ..State::default() });
    }

    /// Throws away what is held, and holds nothing more.
    pub fn forget(&self) {
        let forgotten = self.state.borrow().forgotten + 1;
        self.state.send_replace(State { forgotten, ..State::default() });
    }

    /// How many writes came since.
    pub fn writes(&self) -> usize {
        self.state.borrow().writes
    }

    /// Waits until a write is held.
    pub async fn held(&self) {
        let mut state = self.state.subscribe();
        let held = state.wait_for(|state| state.held);
        tokio::time::timeout(super::rig::PATIENCE, held).await.expect("no write was held").unwrap();
    }

    fn decide(&self, is_write: bool) -> Do {
        let mut done = Do::Pass;
        self.state.send_modify(|state| {
            state.writes += usize::from(is_write);
            done = match state.hold {
                Some(Hold::Before(n)) if is_write && state.writes == n => Do::HoldIt,
                Some(Hold::After(n)) if is_write && state.writes == n => Do::HoldAnswer,
                _ => Do::Pass,
            };
        });
        done
    }

    /// Holds what comes now until the gate is set anew; whether it goes on then.
    async fn hold(&self) -> bool {
        // Read before anybody can know that something is held, and throw it away.
        let before = self.state.borrow().forgotten;
        self.state.send_modify(|state| state.held = true);
        let mut state = self.state.subscribe();
        let now = state.wait_for(|state| state.hold.is_none()).await.unwrap();
        now.forgotten == before
    }

    async fn serve(self, stream: TcpStream) {
        let mut start = [0u8; 18];
        while let Ok(n) = stream.peek(&mut start).await {
            if n == 0 {
                return;
            }
            if n == start.len() {
                break;
            }
            tokio::task::yield_now().await;
        }
        match start.starts_with(b"GET /api/websocket") {
            true => self.socket(stream).await,
            false => drop(self.requests(stream).await),
        }
    }

    async fn socket(self, stream: TcpStream) {
        let Ok(here) = tokio_tungstenite::accept_async(stream).await else { return };
        let url = format!("ws://{}/api/websocket", self.to);
        let (there, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let (mut to_here, mut from_here) = here.split();
        let (mut to_there, mut from_there) = there.split();
        let (own, held) = (self.clone(), watch::Sender::new(0u64));
        let asks = async {
            while let Some(Ok(message)) = from_here.next().await {
                if let Message::Text(text) = &message {
                    let asked: Value = serde_json::from_str(text).unwrap();
                    let kind = asked["type"].as_str().unwrap_or_default();
                    match own.decide(WRITES.contains(&kind)) {
                        Do::Pass => {}
                        Do::HoldIt if !own.hold().await => return,
                        Do::HoldIt => {}
                        Do::HoldAnswer => drop(held.send_replace(asked["id"].as_u64().unwrap())),
                    }
                }
                if to_there.send(message).await.is_err() {
                    return;
                }
            }
        };
        let answers = async {
            while let Some(Ok(message)) = from_there.next().await {
                if let Message::Text(text) = &message {
                    let said: Value = serde_json::from_str(text).unwrap();
                    let all = said.as_array().cloned().unwrap_or_else(|| vec![said]);
                    let id = *held.borrow();
                    let ours = |one: &Value| one["type"] == "result" && one["id"] == id;
                    if id != 0 && all.iter().any(ours) && !self.hold().await {
                        return;
                    }
                }
                if to_here.send(message).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! { () = asks => {}, () = answers => {} }
    }

    async fn requests(self, mut here: TcpStream) -> std::io::Result<()> {
        let mut text = Vec::new();
        let (head, body) = loop {
            let mut part = [0u8; 8192];
            let n = here.read(&mut part).await?;
            if n == 0 {
                return Ok(());
            }
            text.extend_from_slice(&part[..n]);
            let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(text[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if text.len() - end - 4 >= length.unwrap_or(0usize) {
                break (head, text[end + 4..].to_vec());
            }
        };
        let first = head.lines().next().unwrap();
        let is_write = first.starts_with("POST /api/config/")
            && (first.contains("/config/automation/config/")
                || first.contains("/config/script/config/")
                || first.contains("/config/scene/config/")
                || first.contains("/options/flow/"));
        let decided = self.decide(is_write);
        if decided == Do::HoldIt && !self.hold().await {
            return Ok(());
        }
        let mut there = TcpStream::connect(&self.to).await?;
        // One request for each connection: then the end of the answer is the end of the connection.
        let kept = |line: &&str| !line.to_ascii_lowercase().starts_with("connection:");
        let lines: Vec<&str> = head.lines().filter(kept).collect();
        let head = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
        there.write_all(head.as_bytes()).await?;
        there.write_all(&body).await?;
        let mut answer = Vec::new();
        there.read_to_end(&mut answer).await?;
        if decided == Do::HoldAnswer && !self.hold().await {
            return Ok(());
        }
        here.write_all(&answer).await?;
        here.shutdown().await
    }
}
