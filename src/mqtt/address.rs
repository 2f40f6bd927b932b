//! Where a broker is: `host`, `host:port`, or `scheme://[user[:password]@]host[:port][/path]`.
//!
//! The original's `connection_string` may end in `/client_id`, and may hold a password; neither is
//! ever printed: an [`Address`] has only what may be shown.

use crate::config::Secret;
use crate::text::unpercent;
use std::fmt;

/// How the bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// TCP.
    Mqtt,
    /// TLS.
    Mqtts,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Scheme {
    const ALL: [(&str, Scheme, u16); 8] = [
        ("mqtt", Scheme::Mqtt, 1883),
        ("tcp", Scheme::Mqtt, 1883),
        ("mqtts", Scheme::Mqtts, 8883),
        ("ssl", Scheme::Mqtts, 8883),
        ("tls", Scheme::Mqtts, 8883),
        ("ws", Scheme::Ws, 80),
        ("wss", Scheme::Wss, 443),
        ("mqtt+ssl", Scheme::Mqtts, 8883),
    ];

    /// Returns the usual word.
    pub(crate) fn word(self) -> &'static str {
        Scheme::ALL.iter().find(|(_, scheme, _)| *scheme == self).map_or("mqtt", |found| found.0)
    }

    /// Whether the bytes are encrypted.
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Scheme::Mqtts | Scheme::Wss)
    }
}

/// Where a broker is. Prints as a URL without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) scheme: Scheme,
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Of the WebSocket; begins with a slash.
    pub(crate) path: String,
}

/// What a text about a broker says.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) address: Address,
    pub(crate) username: String,
    pub(crate) password: Secret,
    pub(crate) client_id: String,
}

impl Address {
    /// Reads a text about a broker. The error says what to write, and never repeats the text: it may
    /// hold a password.
    pub(crate) fn read(text: &str) -> Result<Read, String> {
        const FORM: &str =
            "write host, host:port, or mqtt://, mqtts://, ws:// or wss:// and the host";
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("mqtt".to_owned(), text),
        };
        let known = Scheme::ALL.iter().find(|(word, ..)| *word == scheme);
        let Some(&(_, scheme, usual)) = known else {
            return Err(format!("the address of a broker has another scheme: {FORM}"));
        };
        let (place, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // A password may hold an @ by mistake: the last one ends it.
        let (user, place) =
            place.rsplit_once('@').map_or(("", place), |(user, place)| (user, place));
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or("the address of a broker lacks a ']'")?,
            None => place.find(':').map_or((place, ""), |at| place.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0),
            None if port.is_empty() => Some(usual),
            None => None,
        };
        let port = port.ok_or("the port of a broker must be a number from 1 to 65535")?;
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/\\?#@<>\"".contains(c);
        if host.is_empty() || host.contains(is_odd) {
            return Err(format!("the address of a broker has no host: {FORM}"));
        }
        let is_web = matches!(scheme, Scheme::Ws | Scheme::Wss);
        let client_id = if is_web { "" } else { path.trim_matches('/') };
        let path = match path {
            path if is_web && path.starts_with('/') && path.len() > 1 => path.to_owned(),
            _ if is_web => "/mqtt".to_owned(),
            _ => "/".to_owned(),
        };
        Ok(Read {
            address: Address { scheme, host: host.to_ascii_lowercase(), port, path },
            username: decoded(username)?,
            password: Secret::new(decoded(password)?),
            client_id: decoded(client_id)?,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { scheme, host, port, path } = self;
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{host}{close}:{port}", scheme.word())?;
        if matches!(scheme, Scheme::Ws | Scheme::Wss) { f.write_str(path) } else { Ok(()) }
    }
}

/// Returns `text` with `%41` and the like as what they stand for.
fn decoded(text: &str) -> Result<String, String> {
    unpercent(text).ok_or_else(|| "the user or password of a broker is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_read() {
        for (text, shown) in [
            ("broker", "mqtt://broker:1883"),
            ("mosquitto_broker_1:1883", "mqtt://mosquitto_broker_1:1883"),
            ("192.0.2.7:1884", "mqtt://192.0.2.7:1884"),
            ("mqtt://[2001:DB8::1]", "mqtt://[2001:db8::1]:1883"),
            ("MQTTS://Broker.local", "mqtts://broker.local:8883"),
            ("ws://broker:9001", "ws://broker:9001/mqtt"),
            ("wss://broker/ws?x=1", "wss://broker:443/ws?x=1"),
        ] {
            assert_eq!(Address::read(text).unwrap().address.to_string(), shown);
        }
    }

    #[test]
    fn user_password_and_client_id_are_taken_out() {
        let read = Address::read("mqtt://ann:p%40s:s@w@broker:1883/lamp-1").unwrap();
        let Read { address, username, password, client_id } = read;
        assert_eq!((&*username, password.reveal(), &*client_id), ("ann", "p@s:s@w", "lamp-1"));
        assert!(!format!("{address} {address:?} {password:?}").contains("p@s"));
    }

    #[test]
    fn a_wrong_one_says_what_to_write_and_not_what_was_written() {
        for text in ["", "http://canary@broker", "mqtt://canary@", "canary:99999", "mqtt://a b"] {
            let told = Address::read(text).unwrap_err();
            assert!(told.contains("broker") && !told.contains("canary"), "{told}");
        }
    }
}
