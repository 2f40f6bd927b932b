//! Home Assistant: the houses that Hearth controls.
//!
//! `feed` keeps one WebSocket per house and writes what it hears into `entities`, a cache that is
//! never guessed, and onto the bus. Tools, resources and routes read the cache and go through `call`
//! to change anything; every entity they name passes the caller's scope. Away houses are answered for
//! from the cache, marked stale. It never stores states on disk and never polls.

mod ask;
mod assist;
mod backup;
mod call;
mod changes;
mod config;
mod confirm;
mod entities;
mod expect;
mod feed;
mod find;
mod heard;
mod history;
mod house;
pub(crate) mod lights;
mod moment;
mod near;
mod overview;
mod prompts;
mod refs;
mod rename;
mod resources;
mod rest;
mod routes;
mod seed;
mod select;
mod settings;
mod template;
mod text;
pub(crate) mod things;
mod tools;
mod view;
mod watch;

pub use config::{Config, ENV, HouseConfig, RANGES};
pub use feed::dial::{Reach, Resolve};
pub use prompts::prompts;
pub use resources::resources;
pub use routes::{API, routes};
pub use seed::{prompts as seed_prompts, resources as seed_resources};

use crate::error::Error;
use crate::events::Events;
use crate::http::ask::Ask;
use crate::mcp::Toolbox;
use crate::policy::{Caller, EntityScope, Policy};
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use crate::web;
use changes::Changes;
use house::House;
use select::Sight;
use std::sync::Arc;
use std::time::Duration;

/// The first call of all may wait so long for the first connection.
const FIRST_MEETING: Duration = Duration::from_secs(5);

/// The houses. Cloning it is cheap.
#[derive(Clone)]
pub struct Home {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    /// What nobody may see, whatever their scope.
    hidden: EntityScope,
    houses: Vec<Arc<House>>,
    events: Events,
    tasks: Tasks,
    policy: Policy,
    changes: Changes,
    /// For what Home Assistant answers over REST only.
    ask: Ask,
    store: Store,
}

impl Home {
    /// Starts one connection per configured house; what is changed is kept in `store`. A house that is away or has no token yet does not
    /// make it fail; `/ready` and every tool say so instead.
    ///
    /// # Errors
    /// Invalid when an address or the name of a house cannot be.
    pub fn start(
        config: &Config,
        events: &Events,
        tasks: &Tasks,
        policy: &Policy,
        store: &Store,
        reach: &Reach,
    ) -> Result<Home, Error> {
        let mut houses = Vec::new();
        for (at, place) in config.places()?.into_iter().enumerate() {
            // Names of parts live as long as the program; there are at most MOST_HOUSES of them.
            let (line, task): (&'static str, &'static str) = match at {
                0 => ("home", "home feed"),
                _ => (
                    Box::leak(format!("home {}", place.name).into_boxed_str()),
                    Box::leak(format!("home feed {}", place.name).into_boxed_str()),
                ),
            };
            let status = tasks.status(line, Whose::Peer);
            let house = Arc::new(House::new(place, config, events, status));
            if house.is_configured() {
                let (fed, reach) = (house.clone(), reach.clone());
                tasks.spawn(task, move |stop| feed::run(fed.clone(), reach.clone(), stop));
                tasks.status(task, Whose::Own).up();
            }
            houses.push(house);
        }
        let hidden = EntityScope { deny: config.deny.clone(), ..EntityScope::default() };
        let shared = Shared {
            config: config.clone(),
            hidden,
            houses,
            events: events.clone(),
            tasks: tasks.clone(),
            policy: policy.clone(),
            changes: Changes::new(store),
            ask: reach.ask().clone(),
            store: store.clone(),
        };
        let home = Home { shared: Arc::new(shared) };
        rename::watch(&home);
        Ok(home)
    }

    /// Whether the first house is connected and every state read.
    pub fn is_connected(&self) -> bool {
        self.shared.houses.first().is_some_and(|house| house.is_fresh())
    }

    /// Waits, at most [`FIRST_MEETING`], until each house was reached or could not be: a client that
    /// starts `hearth mcp` asks before the first connection stands.
    pub(crate) async fn met(&self) {
        let is_open = || {
            let new = |house: &&Arc<House>| house.is_configured() && house.is_new();
            self.shared.houses.iter().any(|house| new(&house))
        };
        if !is_open() {
            return;
        }
        let mut bus = self.shared.events.read();
        let told = async {
            while is_open() {
                bus.next().await;
            }
        };
        // Whoever is still silent then is answered for as it stands.
        let _ = tokio::time::timeout(FIRST_MEETING, told).await;
    }

    /// Returns the house of that name; the first one without a name.
    fn house(&self, name: Option<&str>) -> Result<&Arc<House>, Error> {
        let all = &self.shared.houses;
        let found = match name {
            None | Some("") => all.first(),
            Some(name) => all.iter().find(|house| *house.name == *name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|house| &*house.name).collect();
            let name = text::clean(name.unwrap_or_default(), 40);
            Error::not_found(format!("there is no house '{name}'; there is: {}", names.join(", ")))
        })
    }

    fn houses(&self) -> &[Arc<House>] {
        &self.shared.houses
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// What was changed through Hearth.
    fn changes(&self) -> &Changes {
        &self.shared.changes
    }

    /// The client for what Home Assistant offers over REST alone.
    fn ask(&self) -> &Ask {
        &self.shared.ask
    }

    fn store(&self) -> &Store {
        &self.shared.store
    }

    fn events(&self) -> &Events {
        &self.shared.events
    }

    fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// Whether the first house has that service, as far as its services are known.
    fn has_service(&self, name: &str) -> bool {
        let house = self.shared.houses.first();
        house.is_some_and(|house| house.cache().services.aim(name).is_some())
    }

    /// Returns what `caller` may see.
    fn sight<'a>(&'a self, caller: &'a Caller) -> Sight<'a> {
        Sight { scope: &caller.grant.entities, house: &self.shared.hidden }
    }
}

/// Puts the tools, resources and prompts of the houses into the toolbox.
pub fn offer(home: &Home, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(home));
    toolbox.add_resources(resources::resources(home));
    toolbox.add_prompts(prompts::prompts(home));
    if home.config().seed_names {
        toolbox.add_tools(seed::tools(home));
        toolbox.add_resources(seed::resources(home));
        toolbox.add_prompts(seed::prompts());
    }
}

/// Returns the page of the houses.
pub fn page(home: &Home) -> web::Page {
    let (home, listened) = (home.clone(), home.clone());
    let summary = move |caller: &Caller| -> String {
        let sentence = |house: &Arc<House>| {
            if !house.is_fresh() {
                return house.link.away().to_string();
            }
            let cache = house.cache();
            let sight = home.sight(caller);
            let all = sight.iter(&cache).count();
            let on = sight.iter(&cache).filter(|(id, e)| overview::is_active(id, e)).count();
            format!("{all} entities, {on} of them on or open")
        };
        home.houses().iter().map(sentence).collect::<Vec<_>>().join("; ")
    };
    web::Page {
        name: "home",
        title: "Home",
        events: &["entity", "house"],
        summary: Some(Arc::new(summary)),
        check: Some(Arc::new(move |caller, filter, value| {
            heard::check(&listened, caller, filter, value)
        })),
    }
}

/// Returns what `/metrics` shows of the houses.
pub fn gather(home: &Home) -> web::Gather {
    let home = home.clone();
    Arc::new(move |meter| {
        for house in home.houses() {
            let labels = [("house", &*house.name)];
            let connected = if house.is_fresh() { 1.0 } else { 0.0 };
            meter.gauge(
                "hearth_home_connected",
                "Whether Home Assistant is connected",
                &labels,
                connected,
            );
            let entities = u32::try_from(house.cache().len()).map_or(f64::MAX, f64::from);
            meter.gauge("hearth_home_entities", "Entities that are known", &labels, entities);
            let (changes, connections) = house.counts();
            meter.counter(
                "hearth_home_changes",
                "Changes of entities that were heard",
                &labels,
                changes,
            );
            meter.counter("hearth_home_connections", "Connections made", &labels, connections);
        }
    })
}
