//! The settings of section `[mqtt.embedded]`.

use crate::config::{Fault, JsonSchema, Secret};
use crate::mqtt::broker::core::Limits;
use crate::mqtt::filter::Filter;
use crate::policy::PasswordHash;
use serde::{Deserialize, Serialize};

/// The user as which Hearth itself connects.
pub(crate) const OWN: &str = "hearth";
const ANONYMOUS: [&str; 3] = ["loopback", "never", "anywhere"];

/// A broker of Hearth's own, for a house that has none. It keeps everything in memory: retained messages
/// and waiting sessions are gone when Hearth ends. With `broker` empty, Hearth listens to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Embedded {
    /// Whether it runs.
    pub enabled: bool,
    /// The address that it listens on: `127.0.0.1`, or `0.0.0.0` for the whole network.
    pub host: String,
    /// Its TCP port; 0 takes a free one.
    pub port: u16,
    /// Who needs no password: `loopback` (programs on this machine), `never` (nobody) or `anywhere`.
    pub anonymous: String,
    /// Who may connect. While there is nobody, names and passwords are not looked at.
    pub users: Vec<User>,
    /// Clients at once.
    pub max_clients: usize,
    /// Sessions at once, those that wait for their client included.
    pub max_sessions: usize,
    /// Subscriptions of each client.
    pub max_subscriptions: usize,
    /// Retained messages.
    pub max_retained: usize,
    /// The same in MB.
    pub retained_mb: usize,
    /// Messages that wait for one client. A client that lets more pile up is disconnected.
    pub max_queued: usize,
    /// The same in MB; messages of QoS 0 beyond it are dropped and counted.
    pub queued_mb: usize,
    /// MB that wait for all clients together.
    pub all_queued_mb: usize,
    /// The largest packet in bytes.
    pub max_packet_bytes: usize,
    /// Hours that the session of a client that went away is kept.
    pub session_hours: u32,
    /// Whether a client gets a message once for each of its subscriptions that match, in place of once
    /// for all of them. The standard allows both.
    pub copies: bool,
}

/// Who may connect to the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The user name.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// In its place: its hash, as `mosquitto_passwd` writes it.
    pub password_hash: Secret,
    /// Topic filters that may be subscribed to, and everything that lies within them.
    pub read: Vec<String>,
    /// Topic filters that may be published to.
    pub write: Vec<String>,
}

impl Default for User {
    fn default() -> User {
        User {
            name: String::new(),
            password: Secret::default(),
            password_hash: Secret::default(),
            read: vec!["#".into(), "$SYS/#".into()],
            write: vec!["#".into()],
        }
    }
}

impl Default for Embedded {
    fn default() -> Embedded {
        Embedded {
            enabled: false,
            host: "127.0.0.1".into(),
            port: 1883,
            anonymous: "loopback".into(),
            users: Vec::new(),
            max_clients: 256,
            max_sessions: 1024,
            max_subscriptions: 1000,
            max_retained: 200_000,
            retained_mb: 64,
            max_queued: 100_000,
            queued_mb: 16,
            all_queued_mb: 64,
            max_packet_bytes: 4 << 20,
            session_hours: 168,
            copies: false,
        }
    }
}

impl Embedded {
    /// Returns what would be refused at the start.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut bad = |key: &str, text: &str| faults.push(Fault::new(path(key), text));
        if !ANONYMOUS.contains(&&*self.anonymous) {
            bad("anonymous", "must be one of loopback, never, anywhere");
        }
        let host = self.host.parse::<std::net::IpAddr>();
        match host {
            Err(_) => {
                bad("host", "must be an address: 127.0.0.1, or 0.0.0.0 for the whole network")
            }
            Ok(host) if !host.is_loopback() && self.users.is_empty() => {
                if self.anonymous != "anywhere" {
                    let text = "is reached from the network, but there are no users: add \
                                [[mqtt.embedded.users]], or set anonymous to anywhere";
                    bad("host", text);
                }
            }
            Ok(_) => {}
        }
        for (key, value, low, high) in self.numbers() {
            if !(low..=high).contains(&value) {
                bad(key, &format!("{value} must be a whole number from {low} to {high}"));
            }
        }
        for (n, user) in self.users.iter().enumerate() {
            let twice = self.users[..n].iter().any(|other| other.name == user.name);
            for (key, text) in user.faults(twice) {
                bad(&format!("users.{n}.{key}"), text);
            }
        }
        faults
    }

    fn numbers(&self) -> [(&'static str, usize, usize, usize); 10] {
        let hours = self.session_hours as usize;
        [
            ("max_clients", self.max_clients, 1, 10_000),
            ("max_sessions", self.max_sessions, 1, 100_000),
            ("max_subscriptions", self.max_subscriptions, 1, 100_000),
            ("max_retained", self.max_retained, 0, 10_000_000),
            ("retained_mb", self.retained_mb, 1, 4096),
            ("max_queued", self.max_queued, 1, 10_000_000),
            ("queued_mb", self.queued_mb, 1, 1024),
            ("all_queued_mb", self.all_queued_mb, 1, 4096),
            ("max_packet_bytes", self.max_packet_bytes, 1024, 268_435_455),
            ("session_hours", hours, 0, 100_000),
        ]
    }

    /// Returns the bounds of the broker.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            clients: self.max_clients,
            sessions: self.max_sessions,
            subscriptions: self.max_subscriptions,
            retained: self.max_retained,
            retained_bytes: self.retained_mb << 20,
            queued: self.max_queued,
            queued_bytes: self.queued_mb << 20,
            all_queued_bytes: self.all_queued_mb << 20,
            packet: self.max_packet_bytes,
            session_expiry: self.session_hours.saturating_mul(3600),
            copies: self.copies,
        }
    }
}

impl User {
    fn faults(&self, twice: bool) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            faults.push(("name", "must be a name"));
        } else if self.name == OWN {
            faults.push(("name", "'hearth' is Hearth itself: take another name"));
        } else if twice {
            faults.push(("name", "is there twice"));
        }
        let hash = self.password_hash.reveal();
        match (self.password.is_empty(), hash.is_empty()) {
            (true, true) => faults.push(("password", "must be set, or password_hash")),
            (false, false) => faults.push(("password_hash", "is set, and password too: keep one")),
            (true, false) if PasswordHash::read(hash).is_none() => {
                let text =
                    "must be as mosquitto_passwd writes it ($7$…), with at most 100,000 rounds";
                faults.push(("password_hash", text));
            }
            _ => {}
        }
        for (key, filters) in [("read", &self.read), ("write", &self.write)] {
            if filters.iter().any(|filter| Filter::read(filter).is_err()) {
                faults.push((key, "must be topic filters, such as zigbee2mqtt/#"));
            }
        }
        faults
    }
}

fn path(key: &str) -> String {
    format!("mqtt.embedded.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(embedded: &Embedded) -> Vec<String> {
        embedded.faults().into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn an_open_door_to_the_network_must_be_asked_for() {
        let mut embedded = Embedded { host: "0.0.0.0".into(), ..Embedded::default() };
        assert_eq!(told(&embedded), ["mqtt.embedded.host"]);
        embedded.anonymous = "anywhere".into();
        assert!(told(&embedded).is_empty());
        embedded.anonymous = "never".into();
        let user = User { name: "ann".into(), password: Secret::new("x"), ..User::default() };
        embedded.users = vec![user];
        assert!(told(&embedded).is_empty());
    }

    #[test]
    fn every_wrong_setting_is_told_with_its_place() {
        let user = |name: &str| User { name: name.into(), ..User::default() };
        let mut both = user("ann");
        both.password = Secret::new("x");
        both.password_hash = Secret::new("x");
        let mut bad = user("ann");
        bad.password_hash = Secret::new("canary");
        bad.read = vec!["a#".into()];
        let users = vec![user("hearth"), both, bad];
        let (anonymous, host) = ("yes".into(), "broker".into());
        let embedded = Embedded { anonymous, host, users, queued_mb: 0, ..Embedded::default() };
        let faults = embedded.faults();
        let paths: Vec<&str> =
            faults.iter().map(|f| f.path.trim_start_matches("mqtt.embedded.")).collect();
        let expected = "anonymous host queued_mb users.0.name users.0.password \
                        users.1.password_hash users.2.name users.2.password_hash users.2.read";
        assert_eq!(paths.join(" "), expected);
        assert!(faults.iter().all(|fault| !fault.text.contains("canary")));
    }
}
