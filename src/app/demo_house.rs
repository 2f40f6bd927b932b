//! What makes a start a demo: loopback, a data folder of its own, a readable token, a made-up house.

use crate::app::cli::Options;
use crate::app::config::{Config, Found};
use crate::aurora;
use crate::aurora::lamps::{Kind, Lamp};
use crate::config::Secret;
use crate::demo;
use crate::error::Error;
use crate::home;
use crate::mqtt;
use crate::store;
use crate::tasks::Tasks;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Turns the configuration into the demo's: nothing real is reached, nothing real is touched, and
/// what is wrong with the settings of a real house does not matter.
pub(super) fn settle(found: Found, options: &Options) -> Result<Config, Error> {
    let mut config = found.without(&["home", "mqtt", "aurora", "store"]).whole()?;
    config.home = home::Config { seed_names: config.home.seed_names, ..home::Config::default() };
    // What is published reaches the made-up devices only.
    config.mqtt = mqtt::Config { read_only: false, ..mqtt::Config::default() };
    // No sound card is opened and no lamp of the network is sent anything.
    config.aurora = aurora::Config { input: "sample".into(), ..aurora::Config::default() };
    config.store.redis_url = Secret::default();
    config.http.mdns = false;
    // Beside a real house the demo keeps nothing of its own in that house's folder.
    if config.general.data_dir.is_empty() {
        config.data_dir.push("demo");
    }
    if options.host.is_none() {
        config.http.host = "127.0.0.1".into();
    }
    if config.policy.auth_token.is_empty() {
        config.policy.auth_token = Secret::new(readable_token(&config.data_dir)?);
    }
    Ok(config)
}

/// Starts the made-up house and points `home` and `mqtt` at it; returns where its broker is.
pub(super) async fn start(config: &mut Config, tasks: &Tasks) -> Result<String, Error> {
    let house = demo::start(&config.demo, tasks).await?;
    config.aurora.lamp = lamps(&house);
    config.mqtt.listen_to(&house.broker);
    config.home.url = house.url;
    config.home.token = house.token;
    Ok(config.mqtt.broker.clone())
}

/// The lamps of the demo: a strip, and lights of its house.
fn lamps(house: &demo::DemoHouse) -> Vec<Lamp> {
    let lights = house.lights.iter().map(|(id, name)| Lamp {
        name: (*name).into(),
        kind: Kind::Home,
        address: (*id).into(),
        ..Lamp::default()
    });
    let strip = Lamp {
        name: "Shelf strip".into(),
        kind: Kind::Ddp,
        address: house.strip.to_string(),
        pixels: 60,
        ..Lamp::default()
    };
    std::iter::once(strip).chain(lights).collect()
}

/// The token of the last demo, so that a client's configuration stays good.
fn readable_token(dir: &Path) -> Result<String, Error> {
    let bad = |e: std::io::Error| {
        Error::broken(format!("cannot keep the demo's token in {}", dir.display())).because(e)
    };
    store::make_folder(dir)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(dir.join("demo-token"))
        .map_err(|e| store::cannot_write(dir, e))?;
    let mut kept = String::new();
    file.read_to_string(&mut kept).map_err(bad)?;
    let kept = kept.trim();
    if kept.len() >= 16 {
        return Ok(kept.to_owned());
    }
    let fresh = format!("demo-{}", crate::policy::random_token()?);
    file.set_len(0).map_err(bad)?;
    file.write_all(format!("{fresh}\n").as_bytes()).map_err(bad)?;
    Ok(fresh)
}
