//! A second, plain socket to Home Assistant: sets things up and sees what Home Assistant itself says.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    events: VecDeque<Value>,
}

impl Raw {
    pub async fn open(url: &str, token: &str) -> Raw {
        let url = format!("{}/api/websocket", url.replacen("http", "ws", 1));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut raw = Raw { socket, next: 0, events: VecDeque::new() };
        assert_eq!(raw.read().await["type"], "auth_required");
        raw.write(&json!({"type": "auth", "access_token": token})).await;
        assert_eq!(raw.read().await["type"], "auth_ok");
        raw
    }

    pub async fn on_real() -> Raw {
        let (url, token) = super::rig::real();
        Raw::open(&url, &token).await
    }

    async fn write(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn read(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.socket.next());
            match next.await.expect("Home Assistant is silent").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a command and returns its whole answer.
    pub async fn try_ask(&mut self, mut command: Value) -> Value {
        self.next += 1;
        command["id"] = self.next.into();
        self.write(&command).await;
        loop {
            let answer = self.read().await;
            if answer["type"] == "result" && answer["id"] == self.next {
                return answer;
            }
            self.events.push_back(answer);
        }
    }

    /// Sends a command and returns its result.
    pub async fn ask(&mut self, command: Value) -> Value {
        let answer = self.try_ask(command.clone()).await;
        assert_eq!(answer["success"], true, "{command}: {answer}");
        answer["result"].clone()
    }

    /// Waits for the next event of any subscription.
    pub async fn event(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.read().await,
        }
    }

    /// As [`Raw::event`], however long that takes.
    pub async fn event_patiently(&mut self) -> Value {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    pub async fn call(&mut self, service: &str, id: &str, data: Value) {
        let (domain, service) = service.split_once('.').unwrap();
        self.ask(json!({"type": "call_service", "domain": domain, "service": service,
                        "target": {"entity_id": id}, "service_data": data}))
            .await;
    }

    pub async fn call_with(&mut self, service: &str, data: Value) {
        let (domain, service) = service.split_once('.').unwrap();
        self.ask(json!({"type": "call_service", "domain": domain, "service": service,
                        "service_data": data}))
            .await;
    }

    pub async fn state(&mut self, id: &str) -> String {
        let all = self.ask(json!({"type": "get_states"})).await;
        let all = all.as_array().unwrap();
        let one = all.iter().find(|state| state["entity_id"] == id);
        one.unwrap_or_else(|| panic!("no {id}"))["state"].as_str().unwrap().to_owned()
    }
}
