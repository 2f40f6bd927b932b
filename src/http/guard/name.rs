//! By which names Hearth may be called, and which pages may call it.
//!
//! A web page can make its own name point at an address in this house; the browser then takes Hearth
//! for that page's own server. Only a name can be made to do that, never an address, and only names
//! we know are answered.

use crate::config::Fault;
use crate::error::Error;
use crate::http::Config;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{PoisonError, RwLock};

/// Known names, at most so many.
const NAMES: usize = 256;

pub(super) struct Names {
    names: RwLock<Vec<String>>,
    origins: Vec<String>,
    any_origin: bool,
}

/// A host name or address as it stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    name: String,
    port: Option<u16>,
}

/// Whose page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// No page, or one that does not say.
    Nobody,
    /// A page of ours.
    Same,
    /// Another page that the configuration names.
    Listed,
    /// Another page, while the configuration lets any read what is public.
    Any,
    /// Another page.
    Stranger,
}

impl From {
    /// Whether it may ask at all; `readable` says whether anyone may read the answer.
    pub(super) fn may_ask(self, readable: bool) -> bool {
        match self {
            From::Nobody | From::Same | From::Listed => true,
            From::Any => readable,
            From::Stranger => false,
        }
    }

    pub(super) fn is_other(self) -> bool {
        matches!(self, From::Listed | From::Any)
    }

    pub(super) fn is_same(self) -> bool {
        self == From::Same
    }
}

impl Names {
    pub(super) fn new(config: &Config) -> Result<Names, Error> {
        let mut names = vec!["localhost".to_owned()];
        if config.mdns {
            names.push(format!("{}.local", config.mdns_name.to_ascii_lowercase()));
        }
        Fault::refuse(faults(config))?;
        names.extend(config.hosts.iter().filter_map(|name| Host::read(name)).map(|h| h.name));
        let listed = config.origins.iter().filter(|o| *o != "*");
        let origins = listed.map(|origin| plain_origin(origin)).collect();
        let any_origin = config.origins.iter().any(|o| o == "*");
        Ok(Names { names: RwLock::new(names), origins, any_origin })
    }

    pub(super) fn add(&self, name: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if !names.contains(&name) && names.len() < NAMES {
            names.push(name);
        }
    }

    /// Returns by which name the request calls us, or the status and text of the refusal.
    pub(super) fn host(&self, request: &Request) -> Result<Host, (StatusCode, String)> {
        let bad = |text: &str| (StatusCode::BAD_REQUEST, text.to_owned());
        let mut lines = request.headers().get_all(header::HOST).iter();
        let line = match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().map_err(|_| bad("the Host header is garbled"))?,
            (None, _) => return Err(bad("a request must say which host it is for (Host)")),
            (Some(_), Some(_)) => return Err(bad("a request must have one Host header")),
        };
        let host = Host::read(line).ok_or_else(|| bad("the Host header is no host name"))?;
        if let Some(authority) = request.uri().authority()
            && Host::read(authority.as_str()).as_ref() != Some(&host)
        {
            return Err(bad("the address and the Host header name different hosts"));
        }
        if self.knows(&host) {
            return Ok(host);
        }
        let text = format!(
            "Hearth does not answer for the name '{}': use its IP address, or add the name to \
             http.hosts (ALLOWED_HOSTS)",
            host.name.chars().take(80).collect::<String>().escape_debug()
        );
        Err((StatusCode::MISDIRECTED_REQUEST, text))
    }

    fn knows(&self, host: &Host) -> bool {
        if host.is_address() {
            return true;
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.contains(&host.name)
    }

    /// Says whose page asks, from the Origin header and the host that the request is for.
    pub(super) fn origin(&self, origin: Option<&HeaderValue>, host: &Host) -> From {
        let Some(origin) = origin else { return From::Nobody };
        let Ok(text) = origin.to_str() else { return From::Stranger };
        let text = text.to_ascii_lowercase();
        if let Some((default, other)) = read_origin(&text)
            && other.name == host.name
            && other.port.unwrap_or(default) == host.port.unwrap_or(default)
        {
            return From::Same;
        }
        if self.origins.contains(&text) {
            return From::Listed;
        }
        if self.any_origin { From::Any } else { From::Stranger }
    }
}

impl Host {
    /// Reads `name`, `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
    fn read(text: &str) -> Option<Host> {
        let text = text.trim();
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                (
                    format!("[{}]", address.to_ascii_lowercase()),
                    rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))?,
                )
            }
            None => {
                let (name, port) = text.split_once(':').unwrap_or((text, ""));
                let name = name.strip_suffix('.').unwrap_or(name);
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
                if name.is_empty() || !name.bytes().all(plain) {
                    return None;
                }
                (name.to_ascii_lowercase(), port)
            }
        };
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        Some(Host { name, port })
    }

    fn is_address(&self) -> bool {
        self.name.starts_with('[') || self.name.parse::<Ipv4Addr>().is_ok()
    }
}

/// Returns what is wrong with the names and origins of the configuration.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    let shown = |text: &str| text.chars().take(100).collect::<String>().escape_debug().to_string();
    let hosts = config.hosts.iter().filter(|name| Host::read(name).is_none()).map(|name| {
        let text = format!("'{}' is no host name; write one like panel.example", shown(name));
        Fault::new("http.hosts", text)
    });
    let good = |origin: &str| origin == "*" || read_origin(&plain_origin(origin)).is_some();
    let origins = config.origins.iter().filter(|origin| !good(origin)).map(|origin| {
        let must = "must be an origin such as https://panel.example";
        Fault::new(
            "http.origins",
            format!(
                "'{}' {must}",
                shown(origin.rsplit_once('@').map_or(origin.as_str(), |(_, site)| site))
            ),
        )
    });
    hosts.chain(origins).collect()
}

fn plain_origin(origin: &str) -> String {
    origin.trim_end_matches('/').to_ascii_lowercase()
}

/// Reads `scheme://host:port` into the scheme's own port and the host.
fn read_origin(text: &str) -> Option<(u16, Host)> {
    let (scheme, rest) = text.split_once("://")?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some((default, Host::read(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let config = Config {
            hosts: vec!["Panel.Example".into()],
            origins: vec!["https://App.Example/".into()],
            ..Config::default()
        };
        Names::new(&config).unwrap()
    }

    #[test]
    fn addresses_and_known_names_are_answered_and_no_others() {
        let check = |host: &str, want: bool| {
            let got = Host::read(host).is_some_and(|h| names().knows(&h));
            assert_eq!(got, want, "{host}");
        };
        check("192.168.1.5:7123", true);
        check("[fe80::1]:7123", true);
        check("[::1]", true);
        check("localhost:7123", true);
        check("LOCALHOST.", true);
        check("hearth.local", true);
        check("panel.example", true);
        check("evil.example", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example", false);
        check("2130706433", false);
        check("[::1", false);
        check("[::1]x", false);
        check("[evil]", false);
        check("localhost:x", false);
        check("", false);
        let names = names();
        names.add("hearth-2.local.");
        assert!(names.knows(&Host::read("hearth-2.local").unwrap()));
    }

    #[test]
    fn an_origin_is_ours_listed_or_strange() {
        let names = names();
        let check = |origin: &'static str, host: &str, want: From| {
            let origin = HeaderValue::from_static(origin);
            assert_eq!(names.origin(Some(&origin), &Host::read(host).unwrap()), want, "{origin:?}");
        };
        check("http://192.168.1.5:7123", "192.168.1.5:7123", From::Same);
        check("http://localhost", "localhost:80", From::Same);
        check("https://panel.example", "panel.example", From::Same);
        check("http://localhost:3000", "localhost:7123", From::Stranger);
        check("https://app.example", "localhost", From::Listed);
        check("http://app.example", "localhost", From::Stranger);
        check("null", "localhost", From::Stranger);
        check("file://", "localhost", From::Stranger);
        assert_eq!(names.origin(None, &Host::read("localhost").unwrap()), From::Nobody);
    }

    #[test]
    fn any_origin_may_read_what_is_public_and_no_more() {
        let config = Config { origins: vec!["*".into()], ..Config::default() };
        let names = Names::new(&config).unwrap();
        let origin = HeaderValue::from_static("https://evil.example");
        let from = names.origin(Some(&origin), &Host::read("localhost").unwrap());
        assert!(from.may_ask(true) && !from.may_ask(false));
    }
}
