//! Tests of mcp: the toolbox by itself, the routes without sockets, the local socket, and the
//! official clients and suites against the fixtures of `examples/conformance`.

mod agree;
pub mod clients;
mod local;
mod notices;
mod over_http;
mod toolbox;

use hearth::config::JsonSchema;
use hearth::error::Error;
use hearth::events::Events;
use hearth::http::{Body, Request};
use hearth::mcp::{About, Answer, Call, Config, Mcp, Reply, Tool, Toolbox};
use hearth::policy::{Caller, Grant, Level, Policy, Via};
use hearth::store::Store;
use hearth::tasks::Tasks;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A toolbox with a few tools of two services, and all that it stands on.
struct Bench {
    policy: Policy,
    events: Events,
    tasks: Tasks,
    toolbox: Toolbox,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    /// Comes back
    text: String,
    /// So often
    #[serde(default)]
    times: u32,
}

#[derive(Serialize, JsonSchema)]
struct Echoed {
    text: String,
    confirm: Option<String>,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(Config::default()).await
    }

    async fn with(config: Config) -> Bench {
        let events = Events::new();
        let tasks = Tasks::new(events.clone());
        let store = Store::memory();
        let policy =
            Policy::start(&Default::default(), &store, &events, &tasks, None).await.unwrap();
        let toolbox = Toolbox::new(&config, &policy);
        toolbox.add_tools(tools());
        Bench { policy, events, tasks, toolbox }
    }

    fn mcp(&self) -> Mcp {
        let about = About { title: "Hearth test".into(), version: "7".into() };
        Mcp::new(&self.toolbox, &self.events, &self.tasks, about).unwrap()
    }

    /// The caller of a new token.
    async fn caller(&self, name: &str, level: Level, services: &[&str]) -> Caller {
        let services = services.iter().map(|s| (*s).to_owned()).collect();
        let grant = Grant { level, services, ..Grant::default() };
        let token = self.policy.new_token(name, grant).await.unwrap();
        self.policy.caller_of_token(&token.secret, Via::Http).unwrap()
    }

    async fn reader(&self) -> Caller {
        self.caller("reader", Level::Read, &[]).await
    }
}

/// A request as a client of the routes sends it, with `more` headers, let in as `caller`.
fn request(
    method: &str,
    path: &str,
    more: &[(&str, &str)],
    body: &str,
    caller: Option<&Caller>,
) -> Request<Body> {
    let usual = [
        ("host", "127.0.0.1"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
    ];
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in usual.iter().chain(more) {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller.clone());
    }
    request
}

fn tools() -> Vec<Tool> {
    let echo = |call: Call, args: Echo| async move {
        let text = args.text.repeat(args.times.max(1) as usize);
        Ok(Reply::from(Echoed { text, confirm: call.confirm }))
    };
    vec![
        Tool::new("lamp_get", "Look at a lamp", "Says how a lamp is", Level::Read, echo),
        Tool::new("lamp_set", "Set a lamp", "Switches a lamp on or off", Level::Control, echo),
        Tool::new("lamp_forget", "Forget a lamp", "Removes a lamp for good", Level::Admin, echo)
            .destructive()
            .on_demand(),
        Tool::new("door_get", "Look at a door", "Says whether a door is open", Level::Read, echo)
            .on_demand(),
        Tool::rich("door_panic", "Fall over", "Panics", Level::Read, |_: Call, _: Echo| async {
            panic!("it fell over")
        }),
        Tool::rich("door_wait", "Wait", "Never ends", Level::Read, |_: Call, _: Echo| {
            std::future::pending::<Result<Answer, Error>>()
        })
        .within(Duration::from_millis(300)),
        Tool::rich("door_wait_long", "Wait", "Never ends", Level::Read, |_: Call, _: Echo| {
            std::future::pending::<Result<Answer, Error>>()
        }),
    ]
}
