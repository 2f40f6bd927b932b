//! `hearth check`: reads the configuration, tries every counterpart, says what to mend.

use crate::app::cli::Options;
use crate::app::config::{self, Config};
use crate::app::{client, say, start};
use crate::aurora;
use crate::error::Error;
use crate::events::Events;
use crate::http::mdns::{self, Mdns};
use crate::policy::Policy;
use crate::store::Store;
use crate::tasks::{State, Tasks, Whose};
use std::process::ExitCode;
use std::time::Duration;

/// A counterpart has this long to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Prints one line per thing that was tried; the exit code is 1 when one of them fails.
pub(super) fn run(options: &Options, find: bool) -> Result<ExitCode, Error> {
    let config = config::load(options)?;
    let mut report = Report::default();
    report.good("configuration", "read");
    for name in &config.unused {
        report.note(name, "is set, but this version does not use it yet");
    }
    if config.only.is_empty() && !config.home.is_configured() {
        report.note("home", "not configured: set HASS_HOST and HASS_TOKEN");
    }
    match client::ask(&config, "GET", "/health", None) {
        Ok((status, _)) => report.good("daemon", &format!("answers (status {status})")),
        Err(_) => report.note("daemon", "not running"),
    }
    let runtime = start::runtime()?;
    runtime.block_on(counterparts(&config, &mut report))?;
    if find {
        runtime.block_on(houses_near(&mut report))?;
    }
    match aurora::inputs() {
        Ok(inputs) if inputs.is_empty() => report.note("audio", "no sound input"),
        Ok(inputs) => report.good("audio", &format!("{} sound inputs", inputs.len())),
        Err(e) => report.note("audio", e.what()),
    }
    Ok(if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Starts what talks to counterparts, on a store in memory, and waits for their states.
async fn counterparts(config: &Config, report: &mut Report) -> Result<(), Error> {
    let events = Events::new();
    let tasks = Tasks::new(events.clone());
    // The daemon holds the embedded store; only Redis can be tried beside it.
    if !config.store.redis_url.is_empty() {
        let store = Store::open(&config.store, &config.data_dir, &tasks).await?;
        if let Err(e) = store.get("check", "check").await {
            report.bad("redis", &e.to_string());
        }
    }
    let policy = Policy::start(&config.policy, &Store::memory(), &events, &tasks, None).await?;
    if config.home.is_configured() && config.runs("home") {
        start::start_home(config, &events, &tasks, &policy, &Mdns::new(&tasks))?;
    }
    let settled = async {
        let mut bus = events.read();
        while tasks.health().iter().any(|h| h.whose == Whose::Peer && h.state == State::Starting) {
            bus.next().await;
        }
    };
    // Whoever is silent for so long is reported as it stands.
    let _ = tokio::time::timeout(PATIENCE, settled).await;
    for part in tasks.health().iter().filter(|h| h.whose == Whose::Peer) {
        match &part.state {
            State::Up => report.good(part.name, "reached"),
            State::Starting => report.bad(part.name, "does not answer"),
            State::Degraded(why) | State::Down(why) => report.bad(part.name, why),
        }
    }
    tasks.stop().await;
    Ok(())
}

/// Says which Home Assistants announce themselves on the local network.
async fn houses_near(report: &mut Report) -> Result<(), Error> {
    let tasks = Tasks::new(Events::new());
    let found = Mdns::new(&tasks).find(mdns::HOME_ASSISTANT, mdns::WAIT).await?;
    if found.is_empty() {
        report.note("network", "no Home Assistant announces itself here");
    }
    for house in found {
        let at = house.addresses.first().map_or(house.host.clone(), ToString::to_string);
        report.good(
            "network",
            &format!("Home Assistant '{}' at http://{at}:{}", house.name, house.port),
        );
    }
    tasks.stop().await;
    Ok(())
}

#[derive(Default)]
struct Report {
    failed: bool,
}

impl Report {
    fn good(&mut self, what: &str, text: &str) {
        say(&format!("ok    {what}: {text}"));
    }

    fn note(&mut self, what: &str, text: &str) {
        say(&format!("note  {what}: {text}"));
    }

    fn bad(&mut self, what: &str, text: &str) {
        self.failed = true;
        say(&format!("FAIL  {what}: {text}"));
    }
}
