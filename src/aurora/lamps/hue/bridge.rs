//! What a Hue bridge is asked and told over HTTPS: version 2 of its interface, and version 1 for
//! pairing.
//!
//! A bridge's certificate is its own, or signed by an authority of its maker that no other program
//! knows, for a name that nobody looks up. So the certificate that is seen while a person presses the
//! bridge's button is trusted, kept, and from then on no other.

use crate::error::Error;
use crate::http::ask::{Answer, Ask, Question};
use crate::http::mdns::Mdns;
use crate::http::tls::{Pin, Wish};
use crate::tasks::Tasks;
use crate::text::{clean, percent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// One question.
const WAIT: Duration = Duration::from_secs(6);
/// A whole house's lights take less.
const LARGEST: usize = 2 << 20;
/// "link button not pressed".
const NOT_PRESSED: u64 = 101;
/// What a bridge shows as the name of this program: at most 20 and 19 characters.
const SELF: &str = "hearth#aurora";

/// What is known of a paired bridge; kept in the store.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Card {
    /// The bridge's own id: 16 hexadecimal digits.
    pub(super) id: String,
    pub(super) name: String,
    /// Name or address, without port.
    pub(super) host: String,
    /// What the bridge knows us by.
    pub(super) application_key: String,
    /// The key of the stream, as hexadecimal digits.
    pub(super) client_key: String,
    /// The name that goes with it.
    pub(super) application_id: String,
    /// DER, as hexadecimal digits.
    pub(super) certificate: String,
}

/// A place in a room that a stream colours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Channel {
    /// The bridge's number for it.
    pub id: u8,
    /// Where it is, from the middle of the room: right, front and up, −1 to 1.
    pub position: [f32; 3],
}

/// An entertainment area: what a person has set up in the Hue app for streams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Area {
    /// Its id: 36 characters.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether something streams to it just now.
    pub is_active: bool,
    /// In the order in which they are coloured.
    pub channels: Vec<Channel>,
    /// Ids of its lights.
    #[serde(skip)]
    pub(super) lights: Vec<String>,
}

/// The way to one bridge.
#[derive(Clone)]
pub(super) struct Bridge {
    ask: Ask,
    base: String,
    key: String,
    pin: Pin,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default = "Vec::new")]
    data: Vec<T>,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
struct RawArea {
    id: String,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    status: String,
    #[serde(default)]
    channels: Vec<RawChannel>,
    #[serde(default)]
    light_services: Vec<Value>,
}

#[derive(Deserialize)]
struct RawChannel {
    channel_id: u8,
    #[serde(default)]
    position: Value,
}

impl Bridge {
    /// The way to `host`, under what `pin` trusts; `key` is empty before it is paired.
    pub(super) fn new(
        host: &str,
        port: u16,
        key: &str,
        pin: Pin,
        mdns: &Mdns,
        tasks: &Tasks,
    ) -> Result<Bridge, Error> {
        let tls = Wish { pin: Some(pin.clone()), ..Wish::default() }.client()?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let (ask, base) = (Ask::new(tls, mdns, tasks), format!("https://{host}:{port}"));
        Ok(Bridge { ask, base, key: key.to_owned(), pin })
    }

    /// Returns the certificate that the bridge showed.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        self.pin.certificate()
    }

    /// Returns the bridge's id and name.
    ///
    /// # Errors
    /// Offline when it cannot be reached, or is no bridge.
    pub(super) async fn who(&self) -> Result<(String, String), Error> {
        let answer: Value = self.ask(Question::get(self.url("/api/0/config"))).await?.json()?;
        let id = answer["bridgeid"].as_str().unwrap_or_default().to_lowercase();
        if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::offline("this is no Hue bridge: it has no bridgeid").at(&self.base));
        }
        Ok((id, words(&answer["name"])))
    }

    /// Asks for keys, which a bridge gives for half a minute after its button is pressed. Returns the
    /// application key and the client key.
    ///
    /// # Errors
    /// Conflict until the button is pressed.
    pub(super) async fn pair(&self) -> Result<(String, String), Error> {
        let body = json!({ "devicetype": SELF, "generateclientkey": true });
        let question = Question::post(self.url("/api")).json(&body)?;
        let answer: Value = self.ask(question).await?.json()?;
        let (success, error) = (&answer[0]["success"], &answer[0]["error"]);
        match (success["username"].as_str(), success["clientkey"].as_str()) {
            (Some(key), Some(client)) => Ok((key.to_owned(), client.to_owned())),
            _ if error["type"].as_u64() == Some(NOT_PRESSED) => Err(Error::conflict(
                "press the round button on the bridge, and pair again within 30 s",
            )),
            _ => Err(Error::offline(format!(
                "the bridge gives no key: '{}'",
                words(&error["description"])
            ))),
        }
    }

    /// Returns the name under which the client key is known.
    ///
    /// # Errors
    /// Offline; Refused when the bridge does not know us any more.
    pub(super) async fn application_id(&self) -> Result<String, Error> {
        let question = Question::get(self.url("/auth/v1")).wanting("hue-application-id");
        let answer = self.ask(question).await?;
        let header = answer.header.filter(|id| !id.is_empty() && id.len() <= 64);
        header.ok_or_else(|| Error::offline("the bridge gives no application id").at(&self.base))
    }

    /// Lists the areas.
    ///
    /// # Errors
    /// As [`Bridge::application_id`].
    pub(super) async fn areas(&self) -> Result<Vec<Area>, Error> {
        let list: List<RawArea> = self.get("entertainment_configuration").await?;
        Ok(list.data.into_iter().map(area).collect())
    }

    /// Starts or stops the stream to an area (`start`, `stop`).
    ///
    /// # Errors
    /// As [`Bridge::application_id`]; Conflict with what the bridge says.
    pub(super) async fn act(&self, area: &str, action: &str) -> Result<(), Error> {
        let path = format!("entertainment_configuration/{}", percent(area));
        self.put(&path, &json!({ "action": action })).await
    }

    /// Returns every light as the bridge describes it.
    ///
    /// # Errors
    /// As [`Bridge::application_id`].
    pub(super) async fn lights(&self) -> Result<Vec<Value>, Error> {
        Ok(self.get::<Value>("light").await?.data)
    }

    /// Changes a light.
    ///
    /// # Errors
    /// As [`Bridge::act`].
    pub(super) async fn light(&self, id: &str, change: &Value) -> Result<(), Error> {
        self.put(&format!("light/{}", percent(id)), change).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<List<T>, Error> {
        let question = Question::get(self.url(&format!("/clip/v2/resource/{what}")));
        self.ask(question).await?.json()
    }

    async fn put(&self, what: &str, body: &Value) -> Result<(), Error> {
        let question = Question::new("PUT", self.url(&format!("/clip/v2/resource/{what}")));
        let answer = self.ask(question.json(body)?).await?;
        let told: List<Value> = answer.json()?;
        match told.errors.first() {
            Some(error) if told.data.is_empty() => {
                let says = words(&error["description"]);
                Err(Error::conflict(format!("the bridge says: '{says}'")).at(&self.base))
            }
            _ => Ok(()),
        }
    }

    async fn ask(&self, question: Question) -> Result<Answer, Error> {
        let question = question.within(WAIT).at_most(LARGEST);
        let question = match self.key.is_empty() {
            true => question,
            false => question.header("hue-application-key", &self.key),
        };
        let answer = self.ask.ask(question).await?;
        match answer.status {
            401 | 403 => {
                Err(Error::refused("the bridge does not know this Hearth any more: pair it again")
                    .at(&self.base))
            }
            404 => Err(Error::not_found("the bridge has no such thing").at(&self.base)),
            500.. => {
                let status = answer.status;
                Err(Error::offline(format!("the bridge failed (HTTP {status})")).at(&self.base))
            }
            _ => Ok(answer),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn words(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default(), 100)
}

fn area(raw: RawArea) -> Area {
    let part = |position: &Value, axis: &str| {
        position[axis].as_f64().unwrap_or_default().clamp(-1.0, 1.0) as f32
    };
    let channel = |raw: RawChannel| Channel {
        id: raw.channel_id,
        position: ["x", "y", "z"].map(|axis| part(&raw.position, axis)),
    };
    let is_light = |service: &&Value| service["rtype"] == "light";
    let rid = |service: &Value| service["rid"].as_str().map(str::to_owned);
    Area {
        name: words(&raw.metadata["name"]),
        is_active: raw.status == "active",
        channels: raw.channels.into_iter().take(super::picture::CHANNELS).map(channel).collect(),
        lights: raw.light_services.iter().filter(is_light).filter_map(rid).collect(),
        id: raw.id,
    }
}

/// Returns what has to be kept of a light to put it back.
pub(super) fn state(light: &Value) -> Value {
    let mut kept = json!({ "on": { "on": light["on"]["on"] == true } });
    if let Some(level) = light["dimming"]["brightness"].as_f64() {
        kept["dimming"] = json!({ "brightness": level });
    }
    let white = &light["color_temperature"];
    // A light in white says its colour, too; the white is what was set.
    if white["mirek_valid"] == true {
        kept["color_temperature"] = json!({ "mirek": white["mirek"] });
    } else if light["color"]["xy"].is_object() {
        kept["color"] = json!({ "xy": light["color"]["xy"] });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_is_kept_in_the_way_that_it_was_set() {
        let light = json!({"id": "1", "on": {"on": true}, "dimming": {"brightness": 40.5, "x": 1},
            "color": {"xy": {"x": 0.4, "y": 0.5}, "gamut_type": "C"},
            "color_temperature": {"mirek": 300, "mirek_valid": true}});
        let white = json!({"on": {"on": true}, "dimming": {"brightness": 40.5},
                           "color_temperature": {"mirek": 300}});
        assert_eq!(state(&light), white);
        let mut colour = light.clone();
        colour["color_temperature"]["mirek_valid"] = false.into();
        assert_eq!(state(&colour)["color"], json!({"xy": {"x": 0.4, "y": 0.5}}));
        assert_eq!(state(&json!({"on": {"on": false}})), json!({"on": {"on": false}}));
    }
}
