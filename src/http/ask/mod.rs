//! Asks other servers over HTTP: Home Assistant's REST interface, AI providers.
//!
//! Every question has a time and a size. The client behind it blocks, so questions run on the bounded
//! pool of threads, at most [`AT_ONCE`] at the same time. Names below `.local` are looked up by mDNS.

mod connect;

use crate::config::Secret;
use crate::error::Error;
use crate::http::mdns::Mdns;
use crate::tasks::Tasks;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::unversioned::transport::{Connector, TcpConnector};

/// So many questions are asked at the same time; more wait.
const AT_ONCE: usize = 8;
/// Time for the whole of a question when it does not say otherwise.
const WAIT: Duration = Duration::from_secs(30);
/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer when the question does not say otherwise.
const ANSWER_MAX: usize = 4 << 20;

/// One question.
pub struct Question {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    wait: Duration,
    answer_max: usize,
    wanted: Option<&'static str>,
}

impl Question {
    /// Asks for `url`.
    pub fn get(url: impl Into<String>) -> Question {
        Question::new("GET", url)
    }

    /// Sends something to `url`; see [`Question::json`] and [`Question::body`].
    pub fn post(url: impl Into<String>) -> Question {
        Question::new("POST", url)
    }

    /// Any other method.
    pub fn new(method: &'static str, url: impl Into<String>) -> Question {
        let (headers, body, url) = (Vec::new(), None, url.into());
        Question { method, url, headers, body, wait: WAIT, answer_max: ANSWER_MAX, wanted: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Question {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the header `Authorization: Bearer …`.
    pub fn bearer(self, token: &Secret) -> Question {
        let value = format!("Bearer {}", token.reveal());
        self.header("authorization", &value)
    }

    /// Sends these bytes.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Question {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Sends a value as JSON.
    ///
    /// # Errors
    /// Invalid for a value that JSON cannot hold.
    pub fn json<T: Serialize>(self, value: &T) -> Result<Question, Error> {
        let body = serde_json::to_vec(value)
            .map_err(|e| Error::invalid("cannot be written as JSON").because(e))?;
        Ok(self.body("application/json", body))
    }

    /// Sets the time for the whole of it; 30 s otherwise.
    pub fn within(mut self, wait: Duration) -> Question {
        self.wait = wait;
        self
    }

    /// Keeps this header of the answer ([`Answer::header`]).
    pub fn wanting(mut self, header: &'static str) -> Question {
        self.wanted = Some(header);
        self
    }

    /// Sets the largest answer in bytes; 4 MiB otherwise.
    pub fn at_most(mut self, bytes: usize) -> Question {
        self.answer_max = bytes;
        self
    }
}

/// What a server said. A status of 400 or more is an answer, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The header `Content-Type`, empty when there is none.
    pub content_type: String,
    /// The header that the question was [wanting](Question::wanting), when there was one.
    pub header: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// Broken counterpart (Offline) when it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|e| Error::offline("the server answered with something unexpected").because(e))
    }

    /// Returns the body as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks. Cloning it is cheap; all clones share the connections and the limit.
#[derive(Clone)]
pub struct Ask {
    agent: Agent,
    tasks: Tasks,
    slots: Arc<Semaphore>,
}

impl Ask {
    /// Makes the client. `tls` is [`crate::http::tls::client`]'s.
    pub fn new(tls: Arc<rustls::ClientConfig>, mdns: &Mdns, tasks: &Tasks) -> Ask {
        let config = Agent::config_builder()
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(3)
            // What Hearth asks is at home, or is meant to be asked from here.
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .max_response_header_size(64 * 1024)
            .max_idle_connections(AT_ONCE)
            .max_idle_connections_per_host(2)
            .build();
        let connector = ().chain(TcpConnector::default()).chain(connect::Tls::new(tls));
        let agent = Agent::with_parts(config, connector, connect::Names::new(mdns.clone()));
        Ask { agent, tasks: tasks.clone(), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// Offline when the server cannot be reached, Timeout, Limit for an answer that is too large,
    /// Invalid for an address that is none. The texts name the server, never a secret.
    pub async fn ask(&self, question: Question) -> Result<Answer, Error> {
        let whom = whom(&question.url);
        let slot = self.slots.clone().acquire_owned().await;
        let slot = slot.map_err(|_| Error::broken("the client is closed"))?;
        let agent = self.agent.clone();
        let asked = self.tasks.blocking(move || {
            // A caller that gives up does not end the call: the slot is free when the thread is.
            let _slot = slot;
            run(&agent, question)
        });
        asked.await?.map_err(|e| e.at(whom))
    }
}

fn run(agent: &Agent, question: Question) -> Result<Answer, Error> {
    let mut request = ureq::http::Request::builder().method(question.method).uri(&question.url);
    for (name, value) in &question.headers {
        request = request.header(name, value);
    }
    let bad = |e: ureq::http::Error| Error::invalid("this cannot be asked").because(e);
    let wait = Some(question.wait);
    let sent = match question.body {
        Some(body) => {
            let request = request.body(body).map_err(bad)?;
            agent.run(agent.configure_request(request).timeout_global(wait).build())
        }
        None => {
            let request = request.body(()).map_err(bad)?;
            agent.run(agent.configure_request(request).timeout_global(wait).build())
        }
    };
    let mut answer = sent.map_err(explain)?;
    let content_type = answer.headers().get("content-type").and_then(|v| v.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let wanted = question.wanted.and_then(|name| answer.headers().get(name)?.to_str().ok());
    let header = wanted.map(str::to_owned);
    let mut body = Vec::new();
    let most = question.answer_max;
    let read = answer.body_mut().as_reader().take(most as u64 + 1).read_to_end(&mut body);
    read.map_err(|e| match ureq::Error::from(e) {
        // A time that ran out comes wrapped.
        ureq::Error::Io(e) => Error::offline("the answer broke off").because(e),
        e => explain(e),
    })?;
    if body.len() > most {
        return Err(Error::limit(format!("the answer is larger than {most} bytes")));
    }
    Ok(Answer { status: answer.status().as_u16(), content_type, header, body })
}

fn explain(e: ureq::Error) -> Error {
    match e {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            Error::offline("cannot be reached: no answer")
        }
        ureq::Error::Timeout(_) => Error::timeout("did not answer in time"),
        ureq::Error::HostNotFound => Error::offline("no such host name is known"),
        ureq::Error::BadUri(why) => Error::invalid(format!("is no address to ask: {why}")),
        ureq::Error::Http(e) => Error::invalid("this cannot be asked").because(e),
        ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed => {
            Error::offline("sends its clients round in circles")
        }
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::TimedOut => {
            Error::timeout("did not answer in time")
        }
        ureq::Error::Rustls(e) => untrusted(&e),
        ureq::Error::Io(e) => match e.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(e) => untrusted(e),
            None => Error::offline("cannot be reached").because(e),
        },
        ureq::Error::Other(e) => match e.downcast::<Error>() {
            Ok(own) => *own,
            Err(e) => Error::offline("cannot be reached").because(e),
        },
        e => Error::offline("cannot be reached").because(e),
    }
}

fn untrusted(e: &rustls::Error) -> Error {
    match e {
        rustls::Error::InvalidCertificate(why) => {
            Error::offline(format!("its certificate is not trusted ({why}); see http.ca_file"))
        }
        e => Error::offline("cannot be reached securely").because(e.clone()),
    }
}

/// Scheme, host and port of an address: what may stand in an error. The rest can hold secrets.
fn whom(url: &str) -> String {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return "the server".into() };
    let host = uri.host().unwrap_or("the server");
    match (uri.scheme_str(), uri.port_u16()) {
        (Some(scheme), Some(port)) => format!("{scheme}://{host}:{port}"),
        (Some(scheme), None) => format!("{scheme}://{host}"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_server_and_no_secret() {
        assert_eq!(whom("https://user:pass@ha.local:8123/api?key=1"), "https://ha.local:8123");
        assert_eq!(whom("::"), "the server");
    }
}
