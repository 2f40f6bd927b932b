//! Houses, policy and toolbox put together as the program does it, without listeners.

use crate::harness::{Folder, Hearth, TOKEN, hearth};
use hearth::config::Secret;
use hearth::error::Error;
use hearth::events::{Event, Events, HouseChange, Next};
use hearth::home::{self, Config, Home, Reach, Resolve};
use hearth::http::{mdns::Mdns, tls};
use hearth::mcp::{self, Answer, Call, Toolbox};
use hearth::policy::{self, Caller, EntityScope, Grant, Level, Policy, Via};
use hearth::store::{self, Store};
use hearth::tasks::{State, Tasks};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A condition that is not true by then never will be.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Rig {
    pub home: Home,
    pub events: Events,
    pub tasks: Tasks,
    pub policy: Policy,
    pub toolbox: Toolbox,
    pub caller: Caller,
    pub store: Store,
}

/// The address and token of the real Home Assistant.
pub fn real() -> (String, String) {
    let path = std::env::var("HEARTH_TEST_HA").expect(
        "HEARTH_TEST_HA must name the file with HA_URL and HA_TOKEN of a Home Assistant; \
         ./scripts/test starts one",
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{path} has no {name}")).trim().to_owned()
    };
    (value("HA_URL"), value("HA_TOKEN"))
}

/// The configuration for one house.
pub fn config(url: &str, token: &str) -> Config {
    Config { url: url.into(), token: Secret::new(token), ..Config::default() }
}

/// Starts without waiting for any house.
pub async fn start(config: &Config) -> Rig {
    start_with(config, &policy::Config::default()).await
}

pub async fn start_with(config: &Config, rules: &policy::Config) -> Rig {
    rig(config, rules, None, None, None).await
}

/// Starts with `.local` names looked up by `resolve`.
pub async fn start_reaching(config: &Config, resolve: Resolve) -> Rig {
    rig(config, &policy::Config::default(), Some(resolve), None, None).await
}

/// Starts and trusts the certificates in `ca` besides the public ones.
pub async fn start_trusting(config: &Config, ca: Option<&Path>) -> Rig {
    rig(config, &policy::Config::default(), None, ca, None).await
}

/// Starts on the real Home Assistant with a store on disk, asks no questions, and waits until every
/// state is read.
pub async fn on_real_keeping(folder: &Path) -> Rig {
    let (url, token) = real();
    let rules = policy::Config { confirm: false, ..policy::Config::default() };
    keeping(&config(&url, &token), &rules, folder).await
}

/// Starts with a store on disk and waits until every state is read.
pub async fn keeping(config: &Config, rules: &policy::Config, folder: &Path) -> Rig {
    let rig = rig(config, rules, None, None, Some(folder)).await;
    rig.connected().await;
    rig
}

async fn rig(
    config: &Config,
    rules: &policy::Config,
    resolve: Option<Resolve>,
    ca: Option<&Path>,
    keep: Option<&Path>,
) -> Rig {
    let events = Events::new();
    let tasks = Tasks::new(events.clone());
    let store = match keep {
        Some(folder) => Store::open(&store::Config::default(), folder, &tasks).await.unwrap(),
        None => Store::memory(),
    };
    let policy = Policy::start(rules, &store, &events, &tasks, None).await.unwrap();
    let mut reach = Reach::new(tls::client(ca).unwrap(), &Mdns::new(&tasks), &tasks);
    if let Some(resolve) = resolve {
        reach = reach.resolving(resolve);
    }
    let home = Home::start(config, &events, &tasks, &policy, &store, &reach).unwrap();
    let toolbox = Toolbox::new(&mcp::Config::default(), &policy);
    home::offer(&home, &toolbox);
    let caller = policy.local(Via::Control);
    Rig { home, events, tasks, policy, toolbox, caller, store }
}

/// Starts on the real Home Assistant and waits until every state is read.
pub async fn on_real() -> Rig {
    let (url, token) = real();
    let rig = start(&config(&url, &token)).await;
    rig.connected().await;
    rig
}

/// Waits until `ready` says so; fails with `what` when it never does.
pub async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let by = tokio::time::Instant::now() + PATIENCE;
    while !ready().await {
        assert!(tokio::time::Instant::now() < by, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Rig {
    /// What `/ready` says of the house while it is away.
    pub fn why(&self) -> String {
        let health = self.tasks.health();
        let line = health.iter().find(|line| line.name == "home").unwrap();
        match &line.state {
            State::Degraded(why) => why.clone(),
            other => format!("{other:?}"),
        }
    }

    pub async fn connected(&self) {
        until("the house is connected", async || self.home.is_connected()).await;
    }

    /// Waits for the next change of the whole house of that kind.
    pub async fn house_event(&self, reader: &mut hearth::events::Reader, wanted: HouseChange) {
        let found = async {
            loop {
                match reader.next().await {
                    Next::Event(e) => {
                        if matches!(&e.event, Event::House(h) if h.change == wanted) {
                            return;
                        }
                    }
                    Next::Lost(_) => {}
                    Next::Closed => panic!("the bus is closed"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
    }

    /// Calls a tool as the rig's caller.
    pub async fn try_tool(&self, name: &str, args: Value) -> Result<Value, Error> {
        self.tool_as(&self.caller, name, args).await
    }

    pub async fn tool_as(&self, caller: &Caller, name: &str, args: Value) -> Result<Value, Error> {
        self.run(Call::new(caller.clone()), name, args).await
    }

    pub async fn run(&self, call: Call, name: &str, args: Value) -> Result<Value, Error> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        match self.toolbox.call(call, name, args).await? {
            Answer::Value(reply) => Ok(reply.value),
            other => panic!("{name} answers a value, not {other:?}"),
        }
    }

    pub async fn tool(&self, name: &str, args: Value) -> Value {
        let answer = self.try_tool(name, args).await;
        answer.unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Who may do `level` on what `entities` permits.
    pub async fn token(&self, name: &str, level: Level, entities: EntityScope) -> Caller {
        let grant = Grant { level, services: Vec::new(), entities };
        let new = self.policy.new_token(name, grant).await.unwrap();
        self.policy.caller_of_token(&new.secret, Via::Http).unwrap()
    }

    /// Returns the state of an entity.
    pub async fn state(&self, id: &str) -> String {
        let got = self.tool("home_get", serde_json::json!({ "entity_ids": [id] })).await;
        got["entities"][0]["state"].as_str().unwrap().to_owned()
    }
}

/// The ids in an answer, in its order.
pub fn ids(answer: &Value) -> Vec<String> {
    let rows = answer["entities"].as_array().unwrap_or_else(|| panic!("no entities: {answer}"));
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// What came of a call for one entity.
pub fn result_of(answer: &Value, id: &str) -> String {
    let rows = answer["entities"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id}: {answer}"));
    row["result"].as_str().unwrap().to_owned()
}

pub fn shelf(rig: &Rig) -> Arc<dyn mcp::Resources> {
    home::resources(&rig.home)
}

/// The built Hearth on the real house, with what is already in its data folder.
pub fn serve(folder: Folder) -> Hearth {
    let (url, token) = real();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env("AUTH_TOKEN", TOKEN);
    command.env("HASS_HOST", url).env("HASS_TOKEN", token);
    let started = Hearth::start(command, folder);
    started.until_ready();
    started
}
