//! What makes a start a demo: loopback, a data folder of its own, a readable token, a made-up house.

use crate::app::cli::Options;
use crate::app::config::Config;
use crate::config::Secret;
use crate::demo;
use crate::error::Error;
use crate::home;
use crate::tasks::Tasks;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// Turns the configuration into the demo's: nothing real is reached, nothing real is touched.
pub(super) fn settle(config: &mut Config, options: &Options) -> Result<(), Error> {
    config.home = home::Config::default();
    config.store.redis_url = Secret::default();
    config.http.mdns = false;
    if options.host.is_none() {
        config.http.host = "127.0.0.1".into();
    }
    if config.policy.auth_token.is_empty() {
        config.policy.auth_token = Secret::new(readable_token(config)?);
    }
    Ok(())
}

/// Starts the made-up house and points `home` at it.
pub(super) async fn start(config: &mut Config, tasks: &Tasks) -> Result<(), Error> {
    let house = demo::start(&config.demo, tasks).await?;
    config.home.url = house.url;
    config.home.token = house.token;
    Ok(())
}

/// The token of the last demo, so that a client's configuration stays good.
fn readable_token(config: &mut Config) -> Result<String, Error> {
    let dir = config.data_dir.clone();
    let bad = |e: std::io::Error| {
        Error::broken(format!("cannot keep the demo's token in {}", dir.display())).because(e)
    };
    std::fs::create_dir_all(&dir).map_err(bad)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(dir.join("demo-token"))
        .map_err(bad)?;
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
