//! A server that we are the client of: MCP over any pair of pipes.
//!
//! Whoever starts servers connects here and asks. Results pass through as the server wrote them, so
//! what this version does not know is not lost. It is not built on rmcp's client: that reads every
//! result into its own types, has no largest size for a line, and would put its whole service loop into
//! the program a second time. A server is a stranger: lines, lists and waiting requests have bounds, a
//! line that is none is skipped, and what it asks of us is refused.
//!
//! Both lifecycles are spoken: `initialize` first (specification 2025-11-25, "Lifecycle"), and with a
//! server that does not know it, metadata in each request (2026-07-28).

mod asked;
mod lines;
mod talk;

use crate::error::{Error, Kind};
use crate::mcp::Progress;
use crate::tasks::Tasks;
use crate::text::clean;
use asked::Asked;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The newest version that begins with `initialize`, and those that we understand, too.
const VERSION: &str = "2025-11-25";
const OLDER: &[&str] = &["2025-06-18", "2025-03-26", "2024-11-05"];
/// The version without sessions.
const SESSIONLESS: &str = "2026-07-28";
/// A longer line is skipped; it fails the request that it answers.
const LONGEST: usize = 8 << 20;
/// Requests that wait for their answers.
const WAITING: usize = 64;
/// Lines that wait to be written.
const LINES: usize = 64;
/// Of a server's tools at most so many are listed, in at most so many pages.
const TOOLS: usize = 1000;
const PAGES: usize = 50;
/// So much of an error's text is repeated.
const ERROR_TEXT: usize = 600;

/// How long a request may take, and who follows it.
#[derive(Clone, Default)]
pub struct Wait {
    /// At most so long; without it 60 s.
    pub within: Option<Duration>,
    /// Where the server's progress goes.
    pub progress: Option<Progress>,
    /// Gives the request up, and tells the server.
    pub cancelled: Option<CancellationToken>,
}

impl Wait {
    /// Waits at most `time`, silently.
    pub fn at_most(time: Duration) -> Wait {
        Wait { within: Some(time), ..Wait::default() }
    }
}

/// A server, connected. Cloning it is cheap; the connection ends with the last of them.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    out: mpsc::Sender<Vec<u8>>,
    asked: Arc<Asked>,
    state: Arc<State>,
    about: OnceLock<About>,
    tools: Mutex<Option<(u64, Arc<Vec<Value>>)>>,
    /// Ends the reader with the last handle.
    end: CancellationToken,
}

/// What the two directions share.
#[derive(Default)]
struct State {
    closed: AtomicBool,
    read: AtomicU64,
    written: AtomicU64,
    skipped: AtomicU64,
    lists: watch::Sender<u64>,
}

/// What the server said of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// The protocol version that is spoken.
    pub version: String,
    /// Its name, made plain.
    pub name: String,
    /// Its own version, made plain.
    pub release: String,
    /// What it can do, as it said.
    pub capabilities: Value,
    sessionless: bool,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Peer {
    /// Connects over a pair of pipes: what the server reads and what it writes.
    ///
    /// # Errors
    /// Offline when the server ends or speaks something else; Timeout when it does not answer
    /// `within` that time.
    pub async fn connect(
        stdin: Box<dyn AsyncWrite + Send + Unpin>,
        stdout: Box<dyn AsyncRead + Send + Unpin>,
        within: Duration,
        tasks: &Tasks,
    ) -> Result<Peer, Error> {
        let (out, waiting) = mpsc::channel(LINES);
        let (asked, state) = (Arc::new(Asked::new(WAITING)), Arc::new(State::default()));
        let end = CancellationToken::new();
        tasks.job(talk::write(stdin, waiting, state.clone()));
        let reader = talk::Reader {
            asked: asked.clone(),
            state: state.clone(),
            // Not a sender that keeps the writer alive: it ends with the last handle.
            out: out.downgrade(),
        };
        tasks.job(reader.read(stdout, LONGEST, end.clone()));
        let (about, tools) = (OnceLock::new(), Mutex::new(None));
        let peer = Peer { shared: Arc::new(Shared { out, asked, state, about, tools, end }) };
        let about = tokio::time::timeout(within, peer.greet()).await.map_err(|_| {
            Error::timeout(format!(
                "the server did not answer `initialize` within {} s; its stderr may say why",
                within.as_secs_f64()
            ))
        })??;
        let _ = peer.shared.about.set(about);
        Ok(peer)
    }

    async fn greet(&self) -> Result<About, Error> {
        let params = json!({
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": us(),
        });
        let answer = self.exchange("initialize", params, &Wait::default()).await?;
        let said = match answer {
            Ok(said) => said,
            // It does not know the method, or none of the versions that have it.
            Err(e) if matches!(e.code, -32601 | -32600 | -32022) => return self.discover().await,
            Err(e) => return Err(e.into_error("initialize").at("the server refuses us")),
        };
        let version = said["protocolVersion"].as_str().unwrap_or_default();
        if version != VERSION && !OLDER.contains(&version) {
            return Err(Error::offline(format!(
                "the server speaks MCP '{}', and we {VERSION} or {}",
                clean(version, 40),
                OLDER.join(", ")
            )));
        }
        let about = About::read(&said["serverInfo"], version, &said["capabilities"], false);
        let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.say(&note).await?;
        Ok(about)
    }

    async fn discover(&self) -> Result<About, Error> {
        let params = json!({ "_meta": meta() });
        let said = self.exchange("server/discover", params, &Wait::default()).await?;
        let said = said.map_err(|e| e.into_error("server/discover").at("the server refuses us"))?;
        let speaks = said["supportedVersions"]
            .as_array()
            .is_none_or(|versions| versions.iter().any(|version| version == SESSIONLESS));
        if !speaks {
            return Err(Error::offline(format!("the server does not speak MCP {SESSIONLESS}")));
        }
        Ok(About::read(&said["serverInfo"], SESSIONLESS, &said["capabilities"], true))
    }

    /// Returns what the server said of itself.
    pub fn about(&self) -> Option<&About> {
        self.shared.about.get()
    }

    /// Whether it can still be asked.
    pub fn is_open(&self) -> bool {
        !self.shared.state.closed.load(Ordering::Acquire)
    }

    /// Returns how many bytes went to the server and how many it wrote.
    pub fn bytes(&self) -> (u64, u64) {
        let state = &self.shared.state;
        (state.written.load(Ordering::Relaxed), state.read.load(Ordering::Relaxed))
    }

    /// Returns how many lines of the server were no messages, or too long.
    pub fn skipped(&self) -> u64 {
        self.shared.state.skipped.load(Ordering::Relaxed)
    }

    /// Returns a value that changes when the server says that one of its lists has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.state.lists.subscribe()
    }

    /// Returns the server's tools, as it describes them; asked anew when it says that they changed.
    ///
    /// # Errors
    /// As [`Peer::ask`]; Limit for more than 1000 tools.
    pub async fn tools(&self, wait: &Wait) -> Result<Arc<Vec<Value>>, Error> {
        let now = *self.shared.state.lists.borrow();
        if let Some((at, tools)) = &*self.lock_tools()
            && *at == now
        {
            return Ok(tools.clone());
        }
        let (mut tools, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let params = cursor.take().map_or(json!({}), |cursor| json!({ "cursor": cursor }));
            let mut page = self.ask("tools/list", params, wait).await?;
            if let Some(Value::Array(more)) = page.get_mut("tools").map(Value::take) {
                tools.extend(more);
            }
            if tools.len() > TOOLS {
                return Err(Error::limit(format!("the server has more than {TOOLS} tools")));
            }
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                let tools = Arc::new(tools);
                *self.lock_tools() = Some((now, tools.clone()));
                return Ok(tools);
            }
        }
        Err(Error::limit(format!("the server's list of tools has more than {PAGES} pages")))
    }

    fn lock_tools(&self) -> std::sync::MutexGuard<'_, Option<(u64, Arc<Vec<Value>>)>> {
        self.shared.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a tool and returns the server's `CallToolResult`. An error of the protocol becomes a result
    /// with `isError`, which a model can read.
    ///
    /// # Errors
    /// Offline when the server has ended; Timeout when it is late or the call was cancelled; Limit when
    /// too many calls wait or the answer is too long.
    pub async fn call(
        &self,
        tool: &str,
        args: Map<String, Value>,
        wait: &Wait,
    ) -> Result<Value, Error> {
        let params = json!({ "name": tool, "arguments": args });
        match self.exchange("tools/call", params, wait).await? {
            Ok(result) => Ok(result),
            Err(e) => Ok(json!({
                "content": [{ "type": "text", "text": e.words() }],
                "isError": true,
            })),
        }
    }

    /// Asks anything.
    ///
    /// # Errors
    /// As [`Peer::call`]; what the server refuses is NotFound for a method that it does not know,
    /// Invalid for parameters that it does not take, and Offline otherwise.
    pub async fn ask(&self, method: &str, params: Value, wait: &Wait) -> Result<Value, Error> {
        self.exchange(method, params, wait).await?.map_err(|e| e.into_error(method))
    }

    async fn exchange(
        &self,
        method: &str,
        mut params: Value,
        wait: &Wait,
    ) -> Result<Result<Value, Refusal>, Error> {
        let within = wait.within.unwrap_or(Duration::from_secs(60));
        if !self.is_open() {
            return Err(ended());
        }
        let mut waiting = self.shared.asked.begin(wait.progress.clone(), &self.shared.out)?;
        let sessionless = self.about().is_some_and(|about| about.sessionless);
        let mut tag = if sessionless { meta() } else { json!({}) };
        if wait.progress.is_some() {
            tag["progressToken"] = waiting.id.into();
        }
        if tag.as_object().is_some_and(|tag| !tag.is_empty()) {
            params["_meta"] = tag;
        }
        let message =
            json!({ "jsonrpc": "2.0", "id": waiting.id, "method": method, "params": params });
        let never = CancellationToken::new();
        let cancelled = wait.cancelled.as_ref().unwrap_or(&never);
        // A request that is given up is cancelled at the server when `waiting` is dropped.
        let exchange = async {
            self.say(&message).await?;
            if method != "initialize" {
                waiting.was_sent();
            }
            waiting.answer().await.ok_or_else(ended)?
        };
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::timeout(format!("{method} was cancelled"))),
            answer = tokio::time::timeout(within, exchange) => answer.map_err(|_| {
                let seconds = within.as_secs_f64();
                Error::timeout(format!("the server did not answer {method} within {seconds} s"))
            })?,
        }
    }

    async fn say(&self, message: &Value) -> Result<(), Error> {
        let line = serde_json::to_vec(message)
            .map_err(|e| Error::broken("a message is no JSON").because(e))?;
        self.shared.out.send(line).await.map_err(|_| ended())
    }
}

impl About {
    fn read(info: &Value, version: &str, capabilities: &Value, sessionless: bool) -> About {
        let word = |field: &str| clean(info[field].as_str().unwrap_or_default(), 80);
        About {
            version: version.to_owned(),
            name: word("name"),
            release: word("version"),
            capabilities: capabilities.clone(),
            sessionless,
        }
    }
}

/// An error that the server answered.
#[derive(Debug)]
struct Refusal {
    code: i64,
    text: String,
}

impl Refusal {
    fn read(error: &Value) -> Refusal {
        let text = error["message"].as_str().unwrap_or("it gave no reason");
        Refusal { code: error["code"].as_i64().unwrap_or_default(), text: clean(text, ERROR_TEXT) }
    }

    fn words(&self) -> String {
        format!("the server refused with error {}: {}", self.code, self.text)
    }

    fn into_error(self, method: &str) -> Error {
        let kind = match self.code {
            -32601 => Kind::NotFound,
            -32602 => Kind::Invalid,
            _ => Kind::Offline,
        };
        Error::new(kind, format!("{method}: {}", self.words()))
    }
}

fn us() -> Value {
    json!({ "name": "hearth", "version": env!("CARGO_PKG_VERSION") })
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": SESSIONLESS,
        "io.modelcontextprotocol/clientInfo": us(),
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn ended() -> Error {
    Error::offline("the server has ended; its stderr may say why")
}

#[cfg(test)]
mod tests;
