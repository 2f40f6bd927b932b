//! The boot order: `hearth serve` and `hearth demo`, read from top to bottom.

use crate::app::cli::Options;
use crate::app::config::{self, Config};
use crate::app::place::Place;
use crate::app::{demo_house, logs, say, welcome};
use crate::aurora::{self, Aurora};
use crate::devices::{self, Devices};
use crate::error::Error;
use crate::events::Events;
use crate::home::{self, Home};
use crate::http::ask::Ask;
use crate::http::guard::Guard;
use crate::http::mdns::Mdns;
use crate::http::{Counters, Router, control, in_json, serve, tls};
use crate::mcp::over_http::OverHttp;
use crate::mcp::{self, Mcp, Toolbox};
use crate::mqtt::{self, Mqtt};
use crate::orchestrator::{self, Orchestrator};
use crate::plugins::{self, Plugins};
use crate::policy::{Grant, Policy};
use crate::store::Store;
use crate::talk::{self, Talk};
use crate::tasks::Tasks;
use crate::web;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// `hearth serve` or `hearth demo`, until SIGTERM or SIGINT.
pub(super) fn run(options: &Options, demo: bool) -> Result<ExitCode, Error> {
    let found = config::find(options);
    let config = if demo { demo_house::settle(found, options)? } else { found.whole()? };
    let ring = logs::start(&config.general)?;
    if let Some(place) = config.without_token.as_ref().filter(|_| !demo) {
        log::warn!("{place} is set, but no token: set HASS_TOKEN (home.token) too");
    }
    let local = welcome::stdio_args(&config, options);
    let runtime = runtime()?;
    runtime.block_on(async {
        let events = Events::new();
        let tasks = Tasks::new(events.clone());
        let done = run_until_signal(config, demo, Shown { ring, local }, &events, &tasks).await;
        tasks.stop().await;
        done
    })?;
    // What still hangs in a blocking call must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(ExitCode::SUCCESS)
}

async fn run_until_signal(
    mut config: Config,
    demo: bool,
    shown: Shown,
    events: &Events,
    tasks: &Tasks,
) -> Result<(), Error> {
    let signal = signal()?;
    let store = Store::open(&config.store, &config.data_dir, tasks).await?;
    let policy =
        Policy::start(&config.policy, &store, events, tasks, Some(&config.data_dir)).await?;
    let broker = match demo {
        true => demo_house::start(&mut config, tasks).await?,
        false => String::new(),
    };
    let first_token = first_token(&policy, demo).await?;
    let mdns = Mdns::new(tasks);
    let brokers = mqtt::Reach::new(&mdns, config.http.ca_file.as_deref());
    let ground =
        Ground { events, tasks, store: &store, policy: &policy, mdns: &mdns, brokers: &brokers };
    let parts = parts(&config, demo, shown, &ground).await?;
    let bound = listen(&config, parts, &ground).await?;
    let url = url_of(&bound);
    say(&format!("listening on {url}"));
    if demo {
        let token = config.policy.auth_token.reveal();
        eprintln!("{}", welcome::demo(&url, token, &broker, &config.data_dir));
    } else if let Some(token) = first_token {
        eprintln!("{}", welcome::first_token(&url, &token));
    }
    if !demo && config.runs("home") && !config.home.is_configured() {
        eprintln!("{}", welcome::no_house(&url));
    }
    let name = signal.await;
    log::info!("{name}: ending");
    Ok(())
}

/// Name of the socket that `hearth mcp` connects to, below the data folder.
pub(super) const MCP_SOCKET: &str = "mcp.sock";

/// What the listeners answer from.
struct Parts {
    router: Router,
    /// What other nodes of the same Redis ask.
    nodes: Option<Router>,
    mcp: Mcp,
    guard: Guard,
    counters: Counters,
}

/// What every service stands on.
struct Ground<'a> {
    events: &'a Events,
    tasks: &'a Tasks,
    store: &'a Store,
    policy: &'a Policy,
    mdns: &'a Mdns,
    brokers: &'a mqtt::Reach,
}

/// What the page shows of the program itself.
struct Shown {
    ring: logs::Ring,
    /// What `hearth mcp` is called with here.
    local: Vec<String>,
}

/// What the services hand in of themselves.
#[derive(Default)]
struct Faces {
    pages: Vec<web::Page>,
    gather: Vec<web::Gather>,
    router: Router,
    api: Vec<&'static str>,
}

impl Faces {
    fn routes(&mut self, routes: Router, api: &[&'static str]) {
        self.router = std::mem::take(&mut self.router).merge(routes);
        self.api.extend(api);
    }

    fn add(&mut self, page: web::Page, gather: web::Gather, routes: Router, api: &[&'static str]) {
        self.pages.push(page);
        self.gather.push(gather);
        self.routes(routes, api);
    }
}

/// Starts the services and puts together what they hand in.
async fn parts(
    config: &Config,
    demo: bool,
    shown: Shown,
    ground: &Ground<'_>,
) -> Result<Parts, Error> {
    let Ground { events, tasks, store, policy, mdns, .. } = *ground;
    let counters = Counters::default();
    let guard = Guard::new(&config.http, policy, &counters)?;
    let toolbox = Toolbox::new(&config.mcp, policy);
    let mut faces = Faces::default();

    let (mut house, mut broker, mut nodes) = (None, None, None);
    if config.runs("home") {
        let home = start_home(config, events, tasks, policy, store, mdns)?;
        home::offer(&home, &toolbox);
        house = Some(home.clone());
        let (page, numbers) = (home::page(&home), home::gather(&home));
        faces.add(page, numbers, home::routes(&home, &toolbox), home::API);
    }
    if config.runs("mqtt") {
        let (data_dir, reach) = (&*config.data_dir, ground.brokers);
        let base = mqtt::Base { data_dir, tasks, policy, store, reach };
        let mqtt = Mqtt::start(&config.mqtt, base)?;
        mqtt::offer(&mqtt, &toolbox);
        if let Some(home) = &house {
            let joined = Devices::start(home, &mqtt, tasks);
            devices::offer(&joined, &toolbox);
        }
        broker = Some(mqtt.clone());
        let (page, numbers) = (mqtt::page(&mqtt), mqtt::gather(&mqtt));
        faces.add(page, numbers, mqtt::routes(&mqtt, &toolbox), mqtt::API);
    }
    if config.runs("talk") {
        let talk = Talk::start(&config.talk, store, policy, tasks);
        talk::offer(&talk, &toolbox);
        faces.routes(talk::routes(&talk, &toolbox), talk::API);
    }
    if config.runs("aurora") {
        let aurora = start_aurora(config, ground, house.as_ref(), broker.as_ref()).await?;
        aurora::offer(&aurora, &toolbox);
        let (page, numbers) = (aurora::page(&aurora), aurora::gather(&aurora));
        faces.add(page, numbers, aurora::routes(&aurora, &toolbox), aurora::API);
    }
    if config.runs("orchestrator") {
        let orchestrator = start_orchestrator(config, ground)?;
        orchestrator::offer(&orchestrator, &toolbox);
        nodes = Some(orchestrator::nodes_router(&orchestrator));
        let (page, numbers) =
            (orchestrator::page(&orchestrator), orchestrator::gather(&orchestrator));
        faces.add(page, numbers, orchestrator::routes(&orchestrator, &toolbox), orchestrator::API);
    }
    if config.runs("plugins") && config.plugins.enabled {
        let dir = &config.data_dir;
        let plugins = Plugins::start(&config.plugins, dir, events, store, tasks, &toolbox)?;
        faces.pages.push(plugins::page(&plugins));
        faces.routes(plugins::routes(&plugins), plugins::API);
    }

    let title = if demo { "Hearth (demo house)" } else { "Hearth" };
    let about = mcp::About { title: title.into(), version: env!("CARGO_PKG_VERSION").into() };
    let mcp = Mcp::new(&toolbox, events, tasks, about)?;
    let over_http = OverHttp::start(&mcp);
    faces.routes(over_http.router(), &[]);
    faces.gather.push(mcp_sessions(over_http));
    let Faces { pages, gather, router, mut api } = faces;
    api.extend(web::API);
    let page = web::Parts {
        policy: policy.clone(),
        tasks: tasks.clone(),
        events: events.clone(),
        local: shown.local,
        demo,
        pages,
        log: Arc::new(move || shown.ring.lines()),
        guard: guard.clone(),
        counters: counters.clone(),
        gather,
    };
    let router = in_json::wrap(router.merge(web::routes(page)), api);
    Ok(Parts { router, nodes, mcp, guard, counters })
}

/// Starts the house on its own; `hearth mcp` without a daemon does the same.
pub(super) fn start_home(
    config: &Config,
    events: &Events,
    tasks: &Tasks,
    policy: &Policy,
    store: &Store,
    mdns: &Mdns,
) -> Result<Home, Error> {
    let tls = tls::client(config.http.ca_file.as_deref())?;
    let reach = home::Reach::new(tls, mdns, tasks);
    Home::start(&config.home, events, tasks, policy, store, &reach)
}

/// Starts Aurora with the house and the broker that there are.
async fn start_aurora(
    config: &Config,
    ground: &Ground<'_>,
    home: Option<&Home>,
    mqtt: Option<&Mqtt>,
) -> Result<Aurora, Error> {
    let Ground { tasks, store, policy, mdns, .. } = *ground;
    let ask = Ask::new(tls::client(config.http.ca_file.as_deref())?, mdns, tasks);
    let data_dir = &*config.data_dir;
    let base = aurora::Base { data_dir, tasks, policy, store, mdns, ask: &ask, home, mqtt };
    Aurora::start(&config.aurora, base).await
}

/// Starts the orchestrator on the places of this machine; with Redis it is one node of several.
fn start_orchestrator(config: &Config, ground: &Ground<'_>) -> Result<Orchestrator, Error> {
    let Ground { tasks, store, policy, mdns, .. } = *ground;
    let (data_dir, own) = (&*config.data_dir, &config.orchestrator);
    let (mut lease, mut beyond) = (None, None);
    if !config.store.redis_url.is_empty() {
        let tls = tls::client(config.http.ca_file.as_deref())?;
        lease = Some(orchestrator::sessions::LEASE);
        beyond = Some(orchestrator::Beyond { ask: Ask::new(tls, mdns, tasks) });
    }
    let places = orchestrator::places(own, data_dir, tasks)?;
    Orchestrator::start(
        own,
        orchestrator::Base { data_dir, tasks, policy, store, places, lease, beyond },
    )
}

/// Opens the listeners: the network, the control socket, the MCP socket, the mDNS name.
async fn listen(
    config: &Config,
    parts: Parts,
    ground: &Ground<'_>,
) -> Result<Vec<SocketAddr>, Error> {
    let Ground { tasks, policy, mdns, brokers, .. } = *ground;
    let (http, counters) = (&config.http, &parts.counters);
    let limits = serve::Limits::new(http).body_for("/mcp", config.mcp.message_bytes);
    let server = serve::Server::new(http, limits, policy.has_tokens(), tasks, counters)?;
    let guarded = parts.guard.protect(parts.router.clone());
    let bound = server.listen("http", &http.host, http.port, guarded).await?;
    let mut ports: Vec<u16> = bound.iter().map(SocketAddr::port).collect();
    let fronts = [
        ("mqtt", "mqtt page", config.mqtt.web_port, &config.mqtt.web_host),
        ("aurora", "aurora page", config.aurora.web_port, &config.aurora.web_host),
        (
            "orchestrator",
            "orchestrator page",
            config.orchestrator.web_port,
            &config.orchestrator.web_host,
        ),
    ];
    for (service, name, port, own) in fronts {
        let Some(port) = port.filter(|_| config.runs(service)) else { continue };
        let host = if own.is_empty() { &http.host } else { own };
        let front = parts.guard.protect(web::front(parts.router.clone(), service, tasks));
        for address in server.listen(name, host, port, front).await? {
            log::info!("the {name} is at http://{address}");
            ports.push(address.port());
        }
    }
    if let Some(nodes) = parts.nodes.clone()
        && let Ok(at) = config.orchestrator.node_address.parse::<SocketAddr>()
    {
        let bound = server.listen("node address", &at.ip().to_string(), at.port(), nodes).await?;
        ports.extend(bound.iter().map(SocketAddr::port));
    }
    // Who writes an address for a broker must not reach Hearth itself.
    brokers.listens_on(&ports);
    let place = Place::new(&bound);
    let commands = parts.router.merge(place.routes());
    control::start(&config.data_dir, commands, policy, tasks, counters)?;
    mcp::stdio::serve_socket(&parts.mcp, &config.data_dir.join(MCP_SOCKET)).await?;
    let wide = bound.iter().find(|a| !a.ip().to_canonical().is_loopback());
    if let Some(address) = wide.filter(|_| http.mdns) {
        let guard = parts.guard.clone();
        // Another Hearth may have the name already; then this one answers to the name it got.
        place.called(&format!("{}.local", http.mdns_name));
        let renamed = move |name: &str| {
            guard.also_called(name);
            place.called(name);
        };
        if let Err(e) = mdns.announce(&http.mdns_name, address.port(), renamed) {
            log::warn!("this Hearth is not announced on the network: {e}");
        }
    }
    Ok(bound)
}

/// How many MCP sessions there are, for `/metrics`.
fn mcp_sessions(over_http: OverHttp) -> web::Gather {
    Arc::new(move |meter| {
        let (open, streaming) = over_http.sessions();
        meter.gauge("hearth_mcp_sessions", "Open MCP sessions", &[], open as f64);
        let about = "Open MCP sessions with an open stream";
        meter.gauge("hearth_mcp_sessions_streaming", about, &[], streaming as f64);
    })
}

/// Makes the first token of an installation that has none.
async fn first_token(policy: &Policy, demo: bool) -> Result<Option<String>, Error> {
    if demo || policy.has_tokens() {
        return Ok(None);
    }
    Ok(Some(policy.new_token("owner", Grant::admin()).await?.secret))
}

/// The URL that a person on this machine opens.
fn url_of(bound: &[SocketAddr]) -> String {
    let shown = bound.iter().find(|a| a.is_ipv4()).or(bound.first());
    match shown {
        Some(a) if a.ip().is_unspecified() => format!("http://127.0.0.1:{}", a.port()),
        Some(a) => format!("http://{a}"),
        None => "http://127.0.0.1".into(),
    }
}

/// The one runtime of the program.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(512 * 1024)
        .max_blocking_threads(64)
        .thread_keep_alive(Duration::from_secs(2))
        .enable_all()
        .build()
        .map_err(|e| Error::broken("cannot start the runtime").because(e))
}

/// Returns a future that ends with the name of the signal that asks the program to end.
fn signal() -> Result<impl Future<Output = &'static str>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let bad = |e: std::io::Error| Error::broken("cannot listen for signals").because(e);
    let mut term = signal(SignalKind::terminate()).map_err(bad)?;
    let mut int = signal(SignalKind::interrupt()).map_err(bad)?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    })
}
