//! What a home owner can set about the houses.

use crate::config::{Env, Fault, Form, JsonSchema, Range, Secret};
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// Environment variables of section `[home]`.
pub const ENV: &[Env] = &[
    Env::new("HASS_HOST", "home.url", Form::Text),
    Env::new("HASS_SOCKET_URL", "home.socket_url", Form::Text),
    Env::new("HASS_TOKEN", "home.token", Form::Secret),
];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("home.timeout_seconds", 1, 3_600),
    Range::new("home.ping_seconds", 1, 3_600),
    Range::new("home.retry_seconds", 1, 86_400),
    Range::new("home.refused_seconds", 1, 86_400),
    Range::new("home.most_entities", 1, 1_000_000),
    Range::new("home.most_message_bytes", 64 << 10, 1 << 30),
];

/// At most so many houses, the first one included.
pub(crate) const MOST_HOUSES: usize = 8;

/// Home Assistant: where it is and what may be done with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of Home Assistant, with or without `http://`, `https://`, `ws://` or `wss://`. Without
    /// a scheme and port, 8123 is used.
    pub url: String,
    /// Address of its WebSocket, when it is not `/api/websocket` below `url`.
    pub socket_url: String,
    /// A long-lived access token: in Home Assistant, your profile, Security, at the bottom.
    pub token: Secret,
    /// Name of this house in addresses and tools.
    pub name: String,
    /// More houses, each with `name`, `url` and `token`.
    pub houses: Vec<HouseConfig>,
    /// Nothing in the houses is changed by anyone.
    pub read_only: bool,
    /// Nobody sees or uses these: entity ids, or `lock.*` for a whole domain.
    pub deny: Vec<String>,
    /// Ask for a confirmation for these too: `domain.service`, `domain.*`, or an entity id.
    pub confirm: Vec<String>,
    /// Never ask for these: `domain.service`, `domain.*`, or an entity id.
    pub no_confirm: Vec<String>,
    /// Offer tools, resources and prompts by the names of an earlier server too, at `/mcp/seed`.
    pub seed_names: bool,
    /// How long Home Assistant may take to answer, in seconds.
    pub timeout_seconds: u64,
    /// A silent connection is asked for a sign of life after so many seconds, and given up at most 5
    /// seconds later.
    pub ping_seconds: u64,
    /// Longest pause before a lost connection is tried again, in seconds.
    pub retry_seconds: u64,
    /// A refused token is tried again after so many seconds.
    pub refused_seconds: u64,
    /// At most so many entities of a house are kept; more are left out and said once.
    pub most_entities: usize,
    /// A message from Home Assistant may be so many bytes; its first one holds every state.
    pub most_message_bytes: usize,
}

/// One more house.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HouseConfig {
    /// Its name in addresses and tools.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Its access token.
    pub token: Secret,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            url: "http://homeassistant.local:8123".into(),
            socket_url: String::new(),
            token: Secret::default(),
            name: "home".into(),
            houses: Vec::new(),
            read_only: false,
            deny: Vec::new(),
            confirm: Vec::new(),
            no_confirm: Vec::new(),
            seed_names: false,
            timeout_seconds: 30,
            ping_seconds: 10,
            retry_seconds: 30,
            refused_seconds: 60,
            most_entities: 20_000,
            most_message_bytes: 64 << 20,
        }
    }
}

/// One house as it is to be reached.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) token: Secret,
}

/// Where a WebSocket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Begins with a slash.
    pub(crate) path: String,
    /// It was copied from a page of Home Assistant, whose path is left out.
    pub(crate) was_page: bool,
}

/// First parts of the paths of Home Assistant's own pages; dashboards of one's own begin alike.
const PAGES: &[&str] = &[
    "calendar",
    "config",
    "developer-tools",
    "energy",
    "hassio",
    "history",
    "logbook",
    "lovelace",
    "map",
    "media-browser",
    "profile",
    "todo",
];

/// Where in a path a page of Home Assistant begins.
fn page_in(path: &str) -> Option<usize> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let own = first.starts_with("dashboard-") || first.starts_with("lovelace-");
    (PAGES.contains(&first) || own).then_some(0)
}

impl Config {
    /// Whether there is a house to connect to.
    pub fn is_configured(&self) -> bool {
        !self.token.is_empty() || !self.houses.is_empty()
    }

    /// Returns every house, the first one first.
    ///
    /// # Errors
    /// Invalid: names the setting and what it must be.
    pub(crate) fn places(&self) -> Result<Vec<Place>, Error> {
        let (places, faults) = self.read();
        Fault::refuse(faults)?;
        Ok(places)
    }

    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        self.read().1
    }

    fn read(&self) -> (Vec<Place>, Vec<Fault>) {
        let first = match self.socket_url.trim() {
            "" => ("home.url".to_owned(), Address::of_house(&self.url)),
            url => ("home.socket_url".to_owned(), Address::of_socket(url)),
        };
        let mut asked = vec![("home.name".to_owned(), &self.name, first, &self.token)];
        for (n, house) in self.houses.iter().enumerate() {
            let address = (format!("home.houses.{n}.url"), Address::of_house(&house.url));
            asked.push((format!("home.houses.{n}.name"), &house.name, address, &house.token));
        }
        let (mut places, mut faults): (Vec<Place>, Vec<Fault>) = Default::default();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        for (path, name, (url_path, address), token) in asked {
            if name.is_empty() || name.len() > 32 || !name.chars().all(good) {
                let shown = name.chars().take(100).collect::<String>();
                let must = "must be 1 to 32 of a-z, 0-9, _ and -";
                faults.push(Fault::new(path, format!("'{}' {must}", shown.escape_debug())));
            } else if places.iter().any(|other| other.name == *name) {
                faults.push(Fault::new(path, format!("two houses are named '{name}'")));
            }
            if let Some(why) = mispasted(token) {
                faults.push(Fault::new(
                    url_path.replace("socket_url", "token").replace("url", "token"),
                    why.to_owned(),
                ));
            }
            match address {
                Ok(address) => {
                    places.push(Place { name: name.clone(), address, token: token.clone() });
                }
                Err(e) => faults.push(Fault::new(url_path, e.to_string())),
            }
        }
        if self.houses.len() >= MOST_HOUSES {
            faults.push(Fault::new("home.houses", format!("at most {MOST_HOUSES} houses in all")));
        }
        (places, faults)
    }
}

/// Says what is wrong with a token that was not pasted as it was shown.
fn mispasted(token: &Secret) -> Option<&'static str> {
    let token = token.reveal().trim();
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Some("begins with 'Bearer': leave that word out");
    }
    if token.starts_with(['"', '\'']) {
        return Some("is in quotes: leave them out");
    }
    let inside = token.contains(char::is_whitespace);
    inside.then_some("has spaces inside: a token is one long word")
}

impl Address {
    /// Reads a house's address and points it to the WebSocket below it.
    pub(crate) fn of_house(text: &str) -> Result<Address, Error> {
        let mut address = Address::of_socket(text)?;
        if let Some(page) = page_in(&address.path) {
            address.path.truncate(page);
            address.was_page = true;
        }
        let path = address.path.trim_end_matches('/');
        address.path = match path.strip_suffix("/api") {
            _ if path.ends_with("/websocket") => path.to_owned(),
            // The address of its REST interface means the same house.
            Some(above) => format!("{above}/api/websocket"),
            None => format!("{path}/api/websocket"),
        };
        Ok(address)
    }

    /// Reads an address whose path is the WebSocket's own.
    pub(crate) fn of_socket(text: &str) -> Result<Address, Error> {
        let bad = |why: &str| {
            // A name and password before the host stay out of messages.
            let hidden = text.rsplit_once('@').map(|(_, site)| format!("…@{site}"));
            let shown: String = hidden.as_deref().unwrap_or(text).chars().take(100).collect();
            Error::invalid(format!(
                "'{shown}' {why}; write an address like http://homeassistant.local:8123"
            ))
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(s, r)| (s, r));
        let (tls, usual) = match scheme.to_ascii_lowercase().as_str() {
            "" => (false, 8123),
            "http" | "ws" => (false, 80),
            "https" | "wss" => (true, 443),
            _ => return Err(bad("has a scheme other than http, https, ws and wss")),
        };
        let (site, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        if site.contains('@') {
            return Err(bad("holds a user name; the token belongs into home.token"));
        }
        let (host, port) = if let Some(inner) = site.strip_prefix('[') {
            let (host, port) = inner.split_once(']').ok_or_else(|| bad("lacks a ']'"))?;
            (host, port.strip_prefix(':'))
        } else if site.matches(':').count() > 1 {
            (site, None)
        } else {
            site.split_once(':').map_or((site, None), |(host, port)| (host, Some(port)))
        };
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.:%".contains(c);
        if host.is_empty() || !host.chars().all(good) {
            return Err(bad("names no host"));
        }
        if path.chars().any(|c| c.is_ascii_control() || c == ' ' || c == '?' || c == '#') {
            return Err(bad("has a path that cannot be"));
        }
        let port = match port {
            None => usual,
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(bad("has a port that is no number from 1 to 65535")),
            },
        };
        Ok(Address { tls, host: host.to_owned(), port, path: path.to_owned(), was_page: false })
    }

    /// Returns it as one text, for messages and the WebSocket request.
    pub(crate) fn text(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.site(), self.path)
    }

    /// Returns the address of the REST interface beside the WebSocket, without a slash at its end.
    pub(crate) fn rest(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let path = self.path.trim_end_matches('/');
        let above = path.strip_suffix("/websocket").unwrap_or(path);
        // The Supervisor has the one at /core/websocket and the other at /core/api.
        let api = if above.ends_with("/api") { "" } else { "/api" };
        format!("{scheme}://{}{above}{api}", self.site())
    }

    fn site(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_form() {
        let check = |text: &str, want: &str| {
            let got = Address::of_house(text).map(|a| a.text()).unwrap_or_else(|e| e.to_string());
            assert_eq!(got, want, "{text}");
        };
        check("homeassistant.local", "ws://homeassistant.local:8123/api/websocket");
        check("http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket");
        check("http://ha.lan/", "ws://ha.lan:80/api/websocket");
        check("https://ha.example.org", "wss://ha.example.org:443/api/websocket");
        check("http://ha.lan:8123/api", "ws://ha.lan:8123/api/websocket");
        check("ha.lan/api/", "ws://ha.lan:8123/api/websocket");
        check("ha.lan/house/api", "ws://ha.lan:8123/house/api/websocket");
        check("ws://ha.lan/api/websocket/", "ws://ha.lan:80/api/websocket");
        check("wss://ha.example.org/house/", "wss://ha.example.org:443/house/api/websocket");
        check("ws://supervisor/core/websocket", "ws://supervisor:80/core/websocket");
        check("http://ha.lan:8123/lovelace/0", "ws://ha.lan:8123/api/websocket");
        check("http://ha.lan:8123/dashboard-up/floor/", "ws://ha.lan:8123/api/websocket");
        check("https://ha.lan/config/devices", "wss://ha.lan:443/api/websocket");
        check("http://ha.lan:8123/house", "ws://ha.lan:8123/house/api/websocket");
        check("[::1]:8123", "ws://[::1]:8123/api/websocket");
        check("fd00::1", "ws://[fd00::1]:8123/api/websocket");
        check(" 192.0.2.7:80 ", "ws://192.0.2.7:80/api/websocket");
    }

    #[test]
    fn the_rest_interface_is_beside_the_websocket() {
        let check = |text: &str, want: &str| {
            assert_eq!(Address::of_house(text).unwrap().rest(), want, "{text}");
        };
        check("http://ha.lan:8123", "http://ha.lan:8123/api");
        check("https://ha.example.org/house", "https://ha.example.org:443/house/api");
        check("ws://supervisor/core/websocket", "http://supervisor:80/core/api");
        check("[::1]", "http://[::1]:8123/api");
    }

    #[test]
    fn bad_addresses_say_what_is_wrong() {
        let check = |text: &str, want: &str| {
            let e = Address::of_house(text).unwrap_err().to_string();
            assert!(e.contains(want) && e.contains("homeassistant.local"), "{e}");
        };
        check("", "names no host");
        check("ftp://x", "scheme");
        check("http://user:pw@x", "home.token");
        check("x:0", "port");
        check("x:99999", "port");
        check("http://a b/", "names no host");
        check("http://a/x y", "path");
        check("[::1", "']'");
        let e = Address::of_house("http://user:hunter2@x").unwrap_err().to_string();
        assert!(!e.contains("hunter2") && e.contains("@x"), "{e}");
    }

    #[test]
    fn tokens_pasted_with_something_around_them_are_named() {
        let check = |text: &str, want: Option<&str>| {
            let why = mispasted(&Secret::new(text));
            assert_eq!(why.and_then(|why| why.split(':').next()), want, "{text}");
        };
        check("eyJhbGciOi.x.y", None);
        check(" eyJhbGciOi.x.y\n", None);
        check("bearer eyJ", Some("begins with 'Bearer'"));
        check("\"eyJ\"", Some("is in quotes"));
        check("two words", Some("has spaces inside"));
        check("", None);
    }

    #[test]
    fn houses_have_names_of_their_own() {
        let more = |name: &str| Config {
            houses: vec![HouseConfig {
                name: name.into(),
                url: "cabin.local".into(),
                token: Secret::new("t"),
            }],
            ..Config::default()
        };
        assert_eq!(more("cabin").places().unwrap().len(), 2);
        assert!(more("home").places().unwrap_err().to_string().contains("two houses"));
        assert!(more("My Cabin").places().unwrap_err().to_string().contains("1 to 32"));
    }
}
