//! The settings of section `[mqtt]`.

use crate::config::{Env, Fault, Form, JsonSchema, Range, Secret};
use crate::mqtt::address::Address;
use crate::mqtt::broker::{Broker, Embedded, OWN};
use serde::{Deserialize, Serialize};

/// Environment variables of section `[mqtt]`.
pub const ENV: &[Env] = &[
    Env::new("DEFAULT_MQTT_BROKER", "mqtt.broker", Form::Text),
    Env::new("MQTT_USERNAME", "mqtt.username", Form::Text),
    Env::new("MQTT_PASSWORD", "mqtt.password", Form::Secret),
    Env::new("SESSION_TTL", "mqtt.session_ttl", Form::Number(1, 31_536_000)),
    Env::new("MAX_CONNECTIONS", "mqtt.max_sessions", Form::Number(1, 100)),
    Env::new("CONNECTION_TIMEOUT", "mqtt.connect_seconds", Form::Number(1, 600)),
    Env::new("MQTT_TIMEOUT", "mqtt.timeout_seconds", Form::Number(1, 3600)),
    Env::new("WEB_HOST", "mqtt.web_host", Form::Text),
    Env::new("WEB_PORT", "mqtt.web_port", Form::Number(0, 65_535)),
];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("mqtt.session_ttl", 1, 31_536_000),
    Range::new("mqtt.max_sessions", 1, 100),
    Range::new("mqtt.connect_seconds", 1, 600),
    Range::new("mqtt.timeout_seconds", 1, 3600),
    Range::new("mqtt.keep_alive", 5, 3600),
    Range::new("mqtt.max_packet_bytes", 1024, 268_435_455),
    Range::new("mqtt.keep_mb", 1, 4096),
    Range::new("mqtt.session_keep_mb", 1, 1024),
    Range::new("mqtt.max_topics", 100, 10_000_000),
    Range::new("mqtt.publishes_per_minute", 1, 100_000),
];

/// The home's MQTT broker: what Hearth listens to, keeps, and may publish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The home's broker: `host`, `host:port`, or a URL with mqtt, mqtts, ws or wss. Empty: none.
    pub broker: String,
    /// User name at the broker; empty for none.
    pub username: String,
    /// Password at the broker.
    pub password: Secret,
    /// Client id; empty: `hearth-` and some random letters.
    pub client_id: String,
    /// Protocol version: 5 or 3.1.1.
    pub version: String,
    /// Certificates to trust for this broker besides the public ones: a PEM file.
    pub ca_file: String,
    /// Our certificate, for brokers that ask for one: a PEM file.
    pub cert_file: String,
    /// The key of `cert_file`: a PEM file.
    pub key_file: String,
    /// Trust any certificate. Whoever is between can then read everything: for tests only.
    pub insecure: bool,
    /// What is listened to all the time: topic filters.
    pub listen: Vec<String>,
    /// Below which topic Home Assistant's discovery speaks.
    pub discovery_prefix: String,
    /// Other brokers by name, for `mqtt_establish_connection`; each with `name` and `broker`, and what
    /// else this section has for the home's broker.
    pub profiles: Vec<Profile>,
    /// Seconds without use after which a session that a tool opened is closed.
    pub session_ttl: u64,
    /// At most so many sessions opened by tools, at once.
    pub max_sessions: usize,
    /// Seconds that connecting may take.
    pub connect_seconds: u64,
    /// Seconds that one question to a broker may take.
    pub timeout_seconds: u64,
    /// Seconds between signs of life; a broker silent for one and a half of it is given up.
    pub keep_alive: u64,
    /// Larger packets are skipped: their topic and size are shown, not their payload.
    pub max_packet_bytes: u64,
    /// Messages of the home's broker are kept up to so many MB, the newest.
    pub keep_mb: u64,
    /// The same for each session that a tool opened.
    pub session_keep_mb: u64,
    /// At most so many topics are in the index of a broker.
    pub max_topics: u64,
    /// Hosts that `mqtt_establish_connection` may connect to besides loopback, private addresses and
    /// the brokers named here: names, addresses, or networks such as `203.0.113.0/24`.
    pub allow_hosts: Vec<String>,
    /// Nothing is published by tools or the page.
    pub read_only: bool,
    /// Topic filters that may be published to.
    pub allow_topics: Vec<String>,
    /// Topic filters that may not, whatever `allow_topics` says.
    pub deny_topics: Vec<String>,
    /// Whether retained messages may be published; they outlive everything.
    pub allow_retained: bool,
    /// Whether topics that configure devices may be published to: `homeassistant/#`,
    /// `zigbee2mqtt/bridge/request/#`, `cmnd/#` and the like.
    pub allow_control: bool,
    /// Each token may publish so often in a minute.
    pub publishes_per_minute: u64,
    /// Listen at one more port, whose root is the page of MQTT; 0 picks a free one.
    pub web_port: Option<u16>,
    /// Where: as `http.host`, which it is without one.
    pub web_host: String,
    /// A broker of Hearth's own.
    pub embedded: Embedded,
}

/// Another broker, reached by its name: what it needs to know stays out of tools' arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What tools call it: a-z, 0-9 and -.
    pub name: String,
    /// As `mqtt.broker`.
    pub broker: String,
    /// As `mqtt.username`.
    pub username: String,
    /// As `mqtt.password`.
    pub password: Secret,
    /// As `mqtt.client_id`.
    pub client_id: String,
    /// As `mqtt.version`; empty: as there.
    pub version: String,
    /// As `mqtt.ca_file`.
    pub ca_file: String,
    /// As `mqtt.cert_file`.
    pub cert_file: String,
    /// As `mqtt.key_file`.
    pub key_file: String,
    /// As `mqtt.insecure`.
    pub insecure: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            broker: String::new(),
            username: String::new(),
            password: Secret::default(),
            client_id: String::new(),
            version: "5".into(),
            ca_file: String::new(),
            cert_file: String::new(),
            key_file: String::new(),
            insecure: false,
            listen: vec!["#".into(), "$SYS/#".into()],
            discovery_prefix: "homeassistant".into(),
            profiles: Vec::new(),
            session_ttl: 3600,
            max_sessions: 5,
            connect_seconds: 30,
            timeout_seconds: 30,
            keep_alive: 30,
            max_packet_bytes: 4 << 20,
            keep_mb: 16,
            session_keep_mb: 4,
            max_topics: 200_000,
            allow_hosts: Vec::new(),
            read_only: true,
            allow_topics: vec!["#".into()],
            deny_topics: Vec::new(),
            allow_retained: false,
            allow_control: false,
            publishes_per_minute: 60,
            web_port: None,
            web_host: String::new(),
            embedded: Embedded::default(),
        }
    }
}

/// The protocol version of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1.1.
    V4,
    /// MQTT 5.
    V5,
}

impl Version {
    /// Returns it as people write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Version::V4 => "3.1.1",
            Version::V5 => "5",
        }
    }

    pub(crate) fn of(text: &str) -> Option<Version> {
        match text {
            "3.1.1" | "4" => Some(Version::V4),
            "5" | "5.0" => Some(Version::V5),
            _ => None,
        }
    }
}

/// One broker as it is to be reached, with everything that it takes to get in.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) username: String,
    pub(crate) password: Secret,
    /// Empty: made up.
    pub(crate) client_id: String,
    pub(crate) version: Version,
    pub(crate) ca_file: String,
    pub(crate) cert_file: String,
    pub(crate) key_file: String,
    pub(crate) insecure: bool,
}

impl Config {
    /// Whether there is a broker to listen to.
    pub fn is_configured(&self) -> bool {
        !self.broker.is_empty()
    }

    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.is_configured()
            && let Err(fault) = self.target("mqtt", &self.own())
        {
            faults.push(fault);
        } else if Version::of(&self.version).is_none() {
            faults.push(Fault::new("mqtt.version", "must be 5 or 3.1.1"));
        }
        for (n, profile) in self.profiles.iter().enumerate() {
            let place = format!("mqtt.profiles.{n}");
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if profile.name.is_empty() || !profile.name.chars().all(is_word) {
                let text = "must be a name of a-z, 0-9 and -";
                faults.push(Fault::new(format!("{place}.name"), text));
            } else if self.profiles[..n].iter().any(|other| other.name == profile.name) {
                faults.push(Fault::new(format!("{place}.name"), "is there twice"));
            }
            faults.extend(self.target(&place, profile).err());
        }
        faults.extend(self.embedded.faults());
        faults
    }

    /// Makes an embedded broker the home's.
    pub fn listen_to(&mut self, broker: &Broker) {
        self.broker = format!("mqtt://{}", broker.address());
        self.username = OWN.into();
        self.password = broker.password().clone();
        for other in [&mut self.ca_file, &mut self.cert_file, &mut self.key_file] {
            other.clear();
        }
    }

    /// Returns the home's broker.
    pub(crate) fn home(&self) -> Option<Target> {
        self.is_configured().then(|| self.target("mqtt", &self.own()).ok()).flatten()
    }

    /// Returns the broker of the profile `name`.
    pub(crate) fn profile(&self, name: &str) -> Option<Target> {
        let profile = self.profiles.iter().find(|profile| profile.name == name)?;
        self.target("", profile).ok()
    }

    fn own(&self) -> Profile {
        Profile {
            name: String::new(),
            broker: self.broker.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            client_id: self.client_id.clone(),
            version: self.version.clone(),
            ca_file: self.ca_file.clone(),
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
            insecure: self.insecure,
        }
    }

    fn target(&self, place: &str, profile: &Profile) -> Result<Target, Fault> {
        let bad = |key: &str, text: String| Fault::new(format!("{place}.{key}"), text);
        let read = Address::read(&profile.broker).map_err(|text| bad("broker", text))?;
        let version = if profile.version.is_empty() { &self.version } else { &profile.version };
        let Some(version) = Version::of(version) else {
            return Err(bad("version", "must be 5 or 3.1.1".into()));
        };
        if profile.cert_file.is_empty() != profile.key_file.is_empty() {
            return Err(bad(
                "cert_file",
                "needs key_file beside it, and the other way round".into(),
            ));
        }
        let or = |own: &String, url: String| if own.is_empty() { url } else { own.clone() };
        let in_url = Secret::new(read.password.reveal());
        Ok(Target {
            username: or(&profile.username, read.username),
            password: if profile.password.is_empty() { in_url } else { profile.password.clone() },
            client_id: or(&profile.client_id, read.client_id),
            address: read.address,
            version,
            ca_file: profile.ca_file.clone(),
            cert_file: profile.cert_file.clone(),
            key_file: profile.key_file.clone(),
            insecure: profile.insecure,
        })
    }
}
