//! `hearth check`: reads the configuration, tries every counterpart, says what to mend.

use crate::app::cli::Options;
use crate::app::config::{self, Config, Found};
use crate::app::{client, say, start};
use crate::aurora;
use crate::config::Problem;
use crate::error::{Error, Kind};
use crate::events::Events;
use crate::http::mdns::{self, Mdns};
use crate::http::serve;
use crate::policy::{self, Policy};
use crate::store::{self, Store};
use crate::tasks::{State, Tasks, Whose};
use std::process::ExitCode;
use std::time::Duration;

/// A counterpart has this long to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Prints one line per thing that was tried; the exit code is 1 when one of them fails.
pub(super) fn run(options: &Options, find: bool) -> Result<ExitCode, Error> {
    let found = config::find(options);
    let mut report = Report::default();
    for problem in found.problems() {
        report.bad(&problem.place, &problem.text);
    }
    if !report.failed {
        report.good("configuration", "read");
    }
    // What is wrong stands at its default from here on, so that the rest is tried all the same.
    let config = found.config();
    for name in &config.unused {
        let text = match *name {
            config::NEEDLESS => "is set, but needs no value: page and server are one process",
            _ => "is set, but this version does not use it yet",
        };
        report.note(name, text);
    }
    if let Some(place) = &config.without_token {
        report.bad(
            "HASS_TOKEN (home.token)",
            &format!(
                "not set, but {place} is; make a long-lived access token in Home Assistant \
                 (your profile, Security, at the bottom) and set it here"
            ),
        );
    } else if config.only.is_empty() && !config.home.is_configured() {
        report.note(
            "home",
            "not configured by what this shell and file set: set HASS_HOST and HASS_TOKEN",
        );
    }
    let runs = match client::ask(config, "GET", "/health", None) {
        Ok((status, _)) => {
            report.good("daemon", &format!("answers (status {status})"));
            true
        }
        Err(e) if e.kind() == Kind::Refused => {
            report.bad("daemon", &e.to_string());
            true
        }
        Err(_) => {
            report.note("daemon", "not running");
            false
        }
    };
    match store::check_folder(&config.data_dir) {
        Ok(()) => report.good("data folder", &config.data_dir.display().to_string()),
        Err(e) => report.bad(&place(config, "general.data_dir"), &e.to_string()),
    }
    let runtime = start::runtime()?;
    let is_wrong = |path: &str| found.problems().iter().any(|problem| problem.path == path);
    let tries = Tries { host: !is_wrong("http.host"), port: !is_wrong("http.port") && !runs };
    runtime.block_on(address(config, tries, &mut report));
    runtime.block_on(counterparts(&found, &mut report))?;
    if find {
        runtime.block_on(houses_near(&mut report))?;
    }
    if config.runs("aurora") && !is_wrong("aurora.input") {
        sound(config, &mut report);
    }
    Ok(if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says which input Aurora would listen to. A house without music lacks nothing, unless an input was chosen.
fn sound(config: &Config, report: &mut Report) {
    match aurora::listen::is_there(&config.aurora) {
        Ok(input) => report.good("sound", &format!("would listen to {input}")),
        Err(e) if config.aurora.input.is_empty() => report.note("sound", e.what()),
        Err(e) => report.bad(&place(config, "aurora.input"), e.what()),
    }
}

/// Where a setting was made that only trying can find wrong.
fn place(config: &Config, path: &str) -> String {
    config.places.get(path).cloned().unwrap_or_else(|| path.to_owned())
}

/// What of the address can be tried: not what was set wrong, and no port that the running one has.
struct Tries {
    host: bool,
    port: bool,
}

/// Listens for a moment where Hearth would; at another port when that one cannot be tried.
async fn address(config: &Config, tries: Tries, report: &mut Report) {
    let (host, port) = (&config.http.host, config.http.port);
    if !tries.host {
        return;
    }
    if let Err(e) = serve::try_address(host, 0).await {
        return report.bad(&place(config, "http.host"), &e.to_string());
    }
    if !tries.port {
        return;
    }
    match serve::try_address(host, port).await {
        Ok(()) => report.good("address", &format!("port {port} of '{host}' is free")),
        Err(e) => report.bad(&place(config, "http.port"), &e.to_string()),
    }
}

/// Starts what talks to counterparts, on a store in memory, and waits for their states.
async fn counterparts(found: &Found, report: &mut Report) -> Result<(), Error> {
    let config = found.config();
    let can = |section: &str| {
        let of = |p: &Problem| p.path.split('.').next() == Some(section);
        !found.problems().iter().any(of)
    };
    let events = Events::new();
    let tasks = Tasks::new(events.clone());
    // The daemon holds the embedded store; only Redis can be tried beside it.
    if !config.store.redis_url.is_empty() && can("store") {
        let store = Store::open(&config.store, &config.data_dir, &tasks).await?;
        if let Err(e) = store.get("check", "check").await {
            report.bad("redis", &e.to_string());
        } else if let Ok(Some(weakness)) = store.weakness().await {
            report.note("redis", &weakness);
        }
    }
    // Nobody calls, so whatever may be wrong with the tokens does not matter here.
    let store = Store::memory();
    let policy = Policy::start(&policy::Config::default(), &store, &events, &tasks, None).await?;
    if config.home.is_configured() && config.runs("home") && can("home") && can("http") {
        start::start_home(config, &events, &tasks, &policy, &store, &Mdns::new(&tasks))?;
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
