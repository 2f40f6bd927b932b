//! What a WLED says of itself over HTTP (kno.wled.ge, "JSON API"): how many lights it has, how well it
//! hears the Wi-Fi, and its state, which is put back when the show is over.
//!
//! While it shows what it is sent, WLED leaves its own state alone and goes back to it. Only what somebody
//! changed meanwhile, or a Hearth that was killed left behind, is put back from here.

use super::config::{Kind, Lamp};
use super::plan::{Place, place};
use crate::error::Error;
use crate::http::ask::{Ask, Question};
use crate::text::clean;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A WLED answers within this, or is taken to be away.
const WAIT: Duration = Duration::from_secs(3);
/// Its largest answer.
const ANSWER_MAX: usize = 128 * 1024;
/// Characters of a text of its own.
const TEXT_MAX: usize = 60;
/// What of its state says what it shows.
const SHOWN: [&str; 6] = ["on", "bri", "ps", "pl", "mainseg", "seg"];

/// What a WLED says of itself. Texts are the device's own: data, no more.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Info {
    /// What it is called.
    pub name: String,
    /// Version of WLED.
    pub version: String,
    /// How many lights it has.
    pub lights: u32,
    /// Whether they have a white channel.
    pub has_white: bool,
    /// Whether it shows what it is sent at the moment.
    pub is_live: bool,
    /// By whom: protocol and address, when it is live.
    pub live: String,
    /// Quality of its Wi-Fi, 0 to 100; `None` when it does not say.
    pub signal: Option<u8>,
    /// Pictures that it shows in a second.
    pub frames: Option<u32>,
    /// Port of its realtime protocol.
    pub udp_port: u16,
}

#[derive(Deserialize)]
#[serde(default)]
struct RawInfo {
    name: String,
    ver: String,
    leds: RawLeds,
    live: bool,
    lm: String,
    lip: String,
    wifi: RawWifi,
    udpport: u16,
}

impl Default for RawInfo {
    fn default() -> RawInfo {
        RawInfo {
            name: String::new(),
            ver: String::new(),
            leds: RawLeds::default(),
            live: false,
            lm: String::new(),
            lip: String::new(),
            wifi: RawWifi::default(),
            udpport: super::encode::WLED_PORT,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawLeds {
    count: u32,
    rgbw: bool,
    fps: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawWifi {
    signal: Option<u8>,
}

/// Returns where the web interface of a lamp is, when it is a WLED.
pub(crate) fn web(lamp: &Lamp) -> Option<String> {
    if !lamp.web.is_empty() {
        return Some(lamp.web.clone());
    }
    match place(&lamp.address, 0) {
        Place::Host(host, _) if lamp.kind == Kind::Wled => Some(match host.contains(':') {
            true => format!("[{host}]"),
            false => host,
        }),
        _ => None,
    }
}

/// Asks the WLED at `web` what it is.
///
/// # Errors
/// Offline when it does not answer, or something that is no WLED does; Timeout.
pub async fn info(ask: &Ask, web: &str) -> Result<Info, Error> {
    let raw: RawInfo = read(ask, web, "/json/info").await?;
    if raw.ver.is_empty() || raw.leds.count == 0 {
        return Err(Error::offline(format!("what answers at {web} is no WLED")));
    }
    let live = match raw.live {
        true => clean(format!("{} {}", raw.lm, raw.lip).trim(), TEXT_MAX),
        false => String::new(),
    };
    Ok(Info {
        name: clean(&raw.name, TEXT_MAX),
        version: clean(&raw.ver, TEXT_MAX),
        lights: raw.leds.count,
        has_white: raw.leds.rgbw,
        is_live: raw.live,
        live,
        signal: raw.wifi.signal,
        frames: raw.leds.fps,
        udp_port: raw.udpport,
    })
}

/// Reads what it shows now.
///
/// # Errors
/// As [`info`].
pub(crate) async fn state(ask: &Ask, web: &str) -> Result<Map<String, Value>, Error> {
    read(ask, web, "/json/state").await
}

/// Ends what it is sent, and puts back what of its state is not as it was `before`.
///
/// # Errors
/// As [`info`]; Offline when it refuses.
pub(crate) async fn restore(
    ask: &Ask,
    web: &str,
    before: &Map<String, Value>,
) -> Result<(), Error> {
    let now = state(ask, web).await?;
    let body = difference(before, &now);
    let question = Question::post(url(web, "/json/state")).json(&body)?;
    let answer = ask.ask(question.within(WAIT).at_most(ANSWER_MAX)).await?;
    match answer.status {
        200 => Ok(()),
        status => Err(Error::offline(format!("the WLED at {web} refused its state ({status})"))),
    }
}

fn difference(before: &Map<String, Value>, now: &Map<String, Value>) -> Value {
    let mut body = Map::new();
    body.insert("live".into(), json!(false));
    if SHOWN.iter().any(|key| before.get(*key) != now.get(*key)) {
        // At once, and all of it: segments without the brightness would flash.
        body.insert("tt".into(), json!(0));
        let shown =
            SHOWN.iter().filter_map(|key| Some(((*key).to_owned(), before.get(*key)?.clone())));
        body.extend(shown);
        // A preset or playlist would be started anew, over the segments.
        for key in ["ps", "pl"] {
            if body.get(key).and_then(Value::as_i64).is_none_or(|n| n < 0) {
                body.shift_remove(key);
            }
        }
    }
    Value::Object(body)
}

async fn read<T: serde::de::DeserializeOwned>(
    ask: &Ask,
    web: &str,
    path: &str,
) -> Result<T, Error> {
    let answer = ask.ask(Question::get(url(web, path)).within(WAIT).at_most(ANSWER_MAX)).await?;
    match answer.status {
        200 => answer.json(),
        status => Err(Error::offline(format!("{web} answers {path} with status {status}"))),
    }
}

fn url(web: &str, path: &str) -> String {
    format!("http://{web}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_changed_is_put_back() {
        let before = map(json!({"on": true, "bri": 9, "ps": -1, "seg": [{"id": 0}], "nl": {}}));
        assert_eq!(difference(&before, &before), json!({"live": false}));
        let mut now = before.clone();
        now["nl"] = json!({"on": true});
        assert_eq!(difference(&before, &now), json!({"live": false}));
        now["bri"] = json!(255);
        let want = json!({"live": false, "tt": 0, "on": true, "bri": 9, "seg": [{"id": 0}]});
        assert_eq!(difference(&before, &now), want);
    }

    #[test]
    fn its_web_interface_is_at_its_address_or_where_it_is_said_to_be() {
        let lamp = |kind, address: &str, web: &str| Lamp {
            kind,
            address: address.into(),
            web: web.into(),
            ..Lamp::default()
        };
        assert_eq!(super::web(&lamp(Kind::Wled, "10.0.0.2:99", "")).unwrap(), "10.0.0.2");
        assert_eq!(super::web(&lamp(Kind::Wled, "fd00::1", "")).unwrap(), "[fd00::1]");
        assert_eq!(super::web(&lamp(Kind::Ddp, "10.0.0.2", "")), None);
        assert_eq!(super::web(&lamp(Kind::E131, "multicast", "x:80")).unwrap(), "x:80");
    }
}
