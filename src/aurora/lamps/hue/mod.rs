//! Hue bridges: pairing, areas, and streams of light (Hue Entertainment).
//!
//! A person presses the bridge's button once; what comes of it is kept in the store. A show then has a
//! whole area at once: 50 pictures a second over UDP, sealed with DTLS (`dtls`). The lights are put back
//! as they were when the show ends, also at the next start after Hearth was killed. Entity scopes know
//! nothing of a bridge's lights, so a caller with one may not use them.

mod bridge;
mod dtls;
mod packet;
mod picture;
mod restore;
mod show;
mod stream;

pub use bridge::{Area, Channel};
pub use picture::Picture;
pub use show::StreamReport;

use super::mail::held::{Busy, Lease};
use super::mail::kept::{Before, Kept};
use crate::error::Error;
use crate::http::mdns::Mdns;
use crate::http::tls::Pin;
use crate::policy::{Caller, Level, Outcome, Policy};
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use crate::text::{clean, hex};
use bridge::{Bridge, Card};
use serde::Serialize;
use show::{Board, Show};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const TABLE: &str = "aurora_hue";
/// At most so many bridges.
const MOST: usize = 16;

/// Where bridges listen.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// HTTPS.
    pub https: u16,
    /// The stream (UDP).
    pub stream: u16,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports { https: 443, stream: 2100 }
    }
}

/// The bridges. Cloning it is cheap.
#[derive(Clone)]
pub struct HueLamps {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    store: Store,
    kept: Kept,
    tasks: Tasks,
    mdns: Mdns,
    ports: Ports,
    busy: Busy,
    /// Ends every show.
    stop: CancellationToken,
}

/// A bridge that is paired.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// Its id: 16 hexadecimal digits.
    pub id: String,
    /// For people.
    pub name: String,
    /// Name or address.
    pub host: String,
}

/// An area in a show. The show ends when this is dropped, too.
pub struct HueShow {
    area: Area,
    picture: Arc<Picture>,
    board: Board,
    stop: CancellationToken,
    over: watch::Receiver<bool>,
}

impl HueLamps {
    /// Starts with putting back what an earlier run left behind.
    pub fn start(
        policy: &Policy,
        store: &Store,
        tasks: &Tasks,
        mdns: &Mdns,
        ports: Ports,
    ) -> HueLamps {
        let shared = Shared {
            policy: policy.clone(),
            store: store.clone(),
            kept: Kept::new(store, "hue"),
            tasks: tasks.clone(),
            mdns: mdns.clone(),
            ports,
            busy: Busy::default(),
            stop: CancellationToken::new(),
        };
        let own = HueLamps { shared: Arc::new(shared) };
        let keeper = own.clone();
        tasks.status("aurora hue", Whose::Own).up();
        tasks.spawn("aurora hue", move |stop| restore::watch(keeper.clone(), stop));
        own
    }

    /// Pairs with the bridge at `host` (a name or an address) whose button was just pressed, and trusts
    /// its certificate from then on. Pairing again replaces what was known.
    ///
    /// # Errors
    /// Conflict until the button is pressed; Offline when there is no bridge; Refused for a caller who
    /// may not change Aurora; Limit for too many bridges.
    pub async fn pair(&self, caller: &Caller, host: &str) -> Result<Paired, Error> {
        self.may(caller, Level::Admin)?;
        let good = |c: char| c.is_ascii_alphanumeric() || ".-:_".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(good) {
            let host = clean(host, 60);
            return Err(Error::invalid(format!(
                "'{host}' is no host: write the bridge's address like 192.168.1.20, without port"
            )));
        }
        if self.cards().await?.len() >= MOST {
            return Err(Error::limit(format!("{MOST} bridges are paired; forget one first")));
        }
        let bridge = self.way(host, "", Pin::first())?;
        let (id, name) = bridge.who().await?;
        let (application_key, client_key) = bridge.pair().await?;
        let pin = bridge.certificate().ok_or_else(|| Error::broken("no certificate was seen"))?;
        let paired = self.way(host, &application_key, Pin::of(pin.clone()))?;
        let application_id = paired.application_id().await?;
        let (host, certificate) = (host.to_owned(), hex(&pin));
        let card =
            Card { id, name, host, application_key, client_key, application_id, certificate };
        let json = serde_json::to_vec(&card)
            .map_err(|e| Error::broken("a bridge cannot be written").because(e))?;
        self.shared.store.put(TABLE, &card.id, &json, None).await?;
        self.shared.policy.record(caller, "aurora hue pair", &card.host, Outcome::Allowed, None);
        Ok(card.paired())
    }

    /// Lists the bridges that are paired.
    ///
    /// # Errors
    /// What the store says.
    pub async fn bridges(&self) -> Result<Vec<Paired>, Error> {
        Ok(self.cards().await?.iter().map(Card::paired).collect())
    }

    /// Forgets a bridge; false when it was not known.
    ///
    /// # Errors
    /// Refused for a caller who may not change Aurora; what the store says.
    pub async fn forget(&self, caller: &Caller, bridge: &str) -> Result<bool, Error> {
        self.may(caller, Level::Admin)?;
        self.shared.store.delete(TABLE, &self.card(bridge).await?.id).await
    }

    /// Lists the areas of a bridge, by its id; of the only one when that is empty.
    ///
    /// # Errors
    /// NotFound for a bridge that is not paired; Offline while it is away.
    pub async fn areas(&self, caller: &Caller, bridge: &str) -> Result<Vec<Area>, Error> {
        self.may(caller, Level::Read)?;
        self.bridge(&self.card(bridge).await?)?.areas().await
    }

    /// Takes an area (its id or name) into a show of `caller`.
    ///
    /// # Errors
    /// As [`HueLamps::areas`]; Conflict when something streams there already; Refused for a caller who
    /// may not control Aurora.
    pub async fn open(&self, caller: &Caller, bridge: &str, area: &str) -> Result<HueShow, Error> {
        self.may(caller, Level::Control)?;
        let caller = Caller { underway: None, ..caller.clone() };
        let card = self.card(bridge).await?;
        let way = self.bridge(&card)?;
        let all = way.areas().await?;
        let Some(area) = all.iter().find(|own| own.id == area || own.name == area) else {
            let names: Vec<&str> = all.iter().map(|area| &*area.name).collect();
            return Err(Error::not_found(format!(
                "the bridge has no area '{}'; it has: {}. Areas are made in the Hue app \
                 (Entertainment areas)",
                clean(area, 60),
                names.join(", ")
            )));
        };
        let taken = format!("the Hue area '{}'", area.name);
        let lease = self.shared.busy.take(&taken)?;
        self.ready(&way, &card, area, &caller).await?;
        let why = Some("a show takes this area until it ends");
        self.shared.policy.record(&caller, "aurora show", &taken, Outcome::Allowed, why);
        Ok(self.begin(way, &card, area.clone(), lease))
    }

    /// Checks that the area is free, and keeps what its lights are like.
    async fn ready(
        &self,
        way: &Bridge,
        card: &Card,
        area: &Area,
        caller: &Caller,
    ) -> Result<(), Error> {
        if area.is_active {
            return Err(Error::conflict(format!(
                "something else streams to '{}' already: end it there",
                area.name
            )));
        }
        let _turn = self.shared.kept.turn().await;
        let lights = way.lights().await?;
        let before = lights.iter().filter_map(|light| {
            let id = light["id"].as_str().filter(|id| area.lights.iter().any(|own| own == id))?;
            Some(Before::new(&format!("{}/{id}", card.id), caller, bridge::state(light)))
        });
        self.shared.kept.keep(&before.collect::<Vec<_>>()).await
    }

    fn begin(&self, bridge: Bridge, card: &Card, area: Area, lease: Lease) -> HueShow {
        let (stop, board) = (self.shared.stop.child_token(), Board::default());
        let picture = Arc::new(Picture::default());
        let show = Show {
            bridge,
            host: card.host.clone(),
            port: self.shared.ports.stream,
            identity: card.application_id.clone(),
            key: unhex(&card.client_key),
            area: area.id.clone(),
            channels: area.channels.iter().map(|channel| channel.id).collect(),
            picture: picture.clone(),
            board: board.clone(),
            stop: stop.clone(),
        };
        let (told, over) = watch::channel(false);
        let (own, lights) = (self.clone(), area.lights.clone());
        self.shared.tasks.job(async move {
            show.run().await;
            restore::put_back(&own, |id| lights.iter().any(|light| light == id)).await;
            drop(lease);
            told.send_replace(true);
        });
        HueShow { area, picture, board, stop, over }
    }

    /// Checks that `caller` may do this, and that its entity scope is open.
    fn may(&self, caller: &Caller, level: Level) -> Result<(), Error> {
        self.shared.policy.check(caller, "aurora", level)?;
        if caller.grant.entities.is_open() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "'{}' may use only some entities, and a Hue area is not one of them: use a token without \
             limits to areas, labels, exposed or denied entities",
            caller.name
        )))
    }

    async fn cards(&self) -> Result<Vec<Card>, Error> {
        let all = self.shared.store.list(TABLE, "", None, MOST + 1).await?;
        let read = |(id, json): (String, Vec<u8>)| match serde_json::from_slice(&json) {
            Ok(card) => Some(card),
            Err(e) => {
                log::warn!("what is known of the Hue bridge {id} cannot be read: {e}");
                None
            }
        };
        Ok(all.into_iter().filter_map(read).collect())
    }

    /// Finds a paired bridge by its id; the only one without an id.
    async fn card(&self, id: &str) -> Result<Card, Error> {
        let mut all = self.cards().await?;
        if id.is_empty() && all.len() == 1 {
            return Ok(all.remove(0));
        }
        let names: Vec<String> = all.iter().map(|card| card.id.clone()).collect();
        all.into_iter().find(|card| card.id.eq_ignore_ascii_case(id)).ok_or_else(|| {
            Error::not_found(match names.is_empty() {
                true => "no Hue bridge is paired: press its button and pair it".to_owned(),
                false => format!(
                    "no Hue bridge '{}' is paired; there is: {}",
                    clean(id, 40),
                    names.join(", ")
                ),
            })
        })
    }

    fn bridge(&self, card: &Card) -> Result<Bridge, Error> {
        self.way(&card.host, &card.application_key, Pin::of(unhex(&card.certificate)))
    }

    fn way(&self, host: &str, key: &str, pin: Pin) -> Result<Bridge, Error> {
        let Shared { ports, mdns, tasks, .. } = &*self.shared;
        Bridge::new(host, ports.https, key, pin, mdns, tasks)
    }
}

impl Card {
    fn paired(&self) -> Paired {
        Paired { id: self.id.clone(), name: self.name.clone(), host: self.host.clone() }
    }
}

impl HueShow {
    /// Returns the area; its channels are what a picture has lights for.
    pub fn area(&self) -> &Area {
        &self.area
    }

    /// Returns the slot for what the channels are to show.
    pub fn picture(&self) -> &Arc<Picture> {
        &self.picture
    }

    /// Returns what was counted so far.
    pub fn report(&self) -> StreamReport {
        self.board.read()
    }

    /// Ends the show, and returns when the lights are as they were, or cannot be now.
    pub async fn close(mut self) {
        self.stop.cancel();
        // A job that panicked has dropped its end; the lights are put back at the next start.
        let _ = self.over.wait_for(|over| *over).await;
    }
}

impl Drop for HueShow {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Reads hexadecimal digits; what is none ends it.
fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(pair).collect()
}
