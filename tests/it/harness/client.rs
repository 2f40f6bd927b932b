//! A small MCP client over HTTP, for tests that look at one answer. The official clients have tests
//! of their own.

use serde_json::{Value, json};
use std::time::Duration;

pub struct Mcp {
    agent: ureq::Agent,
    url: String,
    token: String,
    session: String,
    next: u64,
}

impl Mcp {
    pub fn open(url: &str, token: &str) -> Mcp {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(70)))
            .build()
            .into();
        let mut mcp =
            Mcp { agent, url: url.into(), token: token.into(), session: String::new(), next: 0 };
        mcp.ask(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {},
                   "clientInfo": {"name": "test", "version": "0"}}),
        );
        assert!(!mcp.session.is_empty(), "initialize opened no session");
        mcp.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        mcp
    }

    /// The name of the session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Sends a request and returns its `result`; panics on a protocol error.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Sends a request and returns the whole answer.
    pub fn try_ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let text =
            self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let ours = |value: &Value| value["id"] == id;
        let lines = text.lines().map(|line| line.strip_prefix("data:").unwrap_or(line).trim());
        let found = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(ours);
        found.unwrap_or_else(|| panic!("no answer to {method} in {text:?}"))
    }

    /// Calls a tool and returns its whole result.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool that must succeed and returns its structured answer.
    pub fn tool(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["structuredContent"].clone()
    }

    /// Names of the tools.
    pub fn tools(&mut self) -> Vec<String> {
        let list = self.ask("tools/list", json!({}));
        let tools = list["tools"].as_array().unwrap();
        tools.iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Calls a tool whose answer may never come, because the program ends meanwhile.
    pub fn call_in_vain(&mut self, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "tools/call", "params": params});
        let _ = self.request().send_json(&body);
    }

    fn request(&self) -> ureq::RequestBuilder<ureq::typestate::WithBody> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json, text/event-stream");
        if !self.session.is_empty() {
            request = request
                .header("mcp-session-id", &self.session)
                .header("mcp-protocol-version", "2025-11-25");
        }
        request
    }

    fn send(&mut self, body: &Value) -> String {
        let mut response = self.request().send_json(body).unwrap();
        assert!(response.status().is_success(), "{} to {body}", response.status());
        if let Some(session) = response.headers().get("mcp-session-id") {
            self.session = session.to_str().unwrap().to_owned();
        }
        response.body_mut().read_to_string().unwrap()
    }
}
