//! Scripts in a folder of their own, with a toolbox that holds little besides them.

use crate::harness::Folder;
use hearth::events::{Entity, Event, Events};
use hearth::mcp::{self, Answer, Block, Call, Tool, Toolbox};
use hearth::plugins::{Config, Facts, Plugins};
use hearth::policy::{self, Caller, Level, Policy, Via};
use hearth::store::Store;
use hearth::tasks::Tasks;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub struct Rig {
    pub folder: Folder,
    pub plugins: Plugins,
    pub events: Events,
    pub tasks: Tasks,
    pub policy: Policy,
    pub toolbox: Toolbox,
    pub caller: Caller,
}

pub async fn rig(config: Config) -> Rig {
    let events = Events::new();
    let tasks = Tasks::new(events.clone());
    let store = Store::memory();
    let rules = policy::Config::default();
    let policy = Policy::start(&rules, &store, &events, &tasks, None).await.unwrap();
    let toolbox = Toolbox::new(&mcp::Config::default(), &policy);
    toolbox.add_tools(vec![
        lent("lent_look", Level::Read),
        lent("lent_act", Level::Control),
        lent("lent_rule", Level::Admin),
        risky(&policy),
        stuck(),
    ]);
    on(config, events, tasks, store, policy, toolbox)
}

/// Starts scripts on parts that are there already.
pub fn on(
    config: Config,
    events: Events,
    tasks: Tasks,
    store: Store,
    policy: Policy,
    toolbox: Toolbox,
) -> Rig {
    let folder = Folder::new();
    let plugins =
        Plugins::start(&config, folder.path(), &events, &store, &tasks, &toolbox).unwrap();
    let caller = policy.local(Via::Control);
    Rig { folder, plugins, events, tasks, policy, toolbox, caller }
}

fn object() -> Map<String, Value> {
    json!({ "type": "object" }).as_object().cloned().unwrap()
}

/// A tool that answers what it was asked.
fn lent(name: &'static str, level: Level) -> Tool {
    Tool::of_schema(name, name, name, level, object(), |_, args| {
        Box::pin(async move { Ok(Answer::Value(json!({ "got": args }).into())) })
    })
}

/// A tool that needs a confirmation.
fn risky(policy: &Policy) -> Tool {
    let policy = policy.clone();
    Tool::of_schema("lent_open", "open", "open", Level::Control, object(), move |call, _| {
        let policy = policy.clone();
        Box::pin(async move {
            policy.confirm(&call.caller, "lent_open", "door", call.confirm.as_deref())?;
            Ok(Answer::Value(json!({ "open": true }).into()))
        })
    })
}

/// A tool that never answers.
fn stuck() -> Tool {
    Tool::of_schema("lent_stuck", "stuck", "stuck", Level::Read, object(), |_, _| {
        Box::pin(std::future::pending())
    })
}

impl Rig {
    /// Writes a script as editors do: to a new file that then takes the place of the old one.
    pub fn write(&self, name: &str, code: &str) {
        let dir = self.folder.path().join("plugins");
        std::fs::create_dir_all(&dir).unwrap();
        let draft = dir.join(format!(".{name}.new"));
        std::fs::write(&draft, code).unwrap();
        std::fs::rename(&draft, dir.join(format!("{name}.lua"))).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(format!("plugins/{name}.lua"))).unwrap();
    }

    pub fn facts(&self, name: &str) -> Option<Facts> {
        self.plugins.scripts().into_iter().find(|facts| facts.name == name)
    }

    /// Waits until what is known of a script is as `ready` says.
    pub async fn until(&self, name: &str, what: &str, ready: impl Fn(&Facts) -> bool) -> Facts {
        let by = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let facts = self.facts(name);
            if let Some(facts) = facts.as_ref().filter(|facts| ready(facts)) {
                return facts.clone();
            }
            assert!(tokio::time::Instant::now() < by, "never {what}: {facts:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Writes a script and waits until it runs.
    pub async fn runs(&self, name: &str, code: &str) -> Facts {
        self.write(name, code);
        self.until(name, "runs", |facts| facts.state == "running").await
    }

    /// Writes a script that cannot be loaded, and returns why.
    pub async fn fails(&self, name: &str, code: &str) -> String {
        self.write(name, code);
        self.until(name, "fails", |facts| facts.state == "failed").await.error.unwrap()
    }

    /// Calls a tool; text for an error.
    pub async fn tool_as(&self, who: &Caller, name: &str, args: Value) -> Result<Value, String> {
        let Value::Object(args) = args else { panic!("arguments are an object") };
        match self.toolbox.call(Call::new(who.clone()), name, args).await {
            Ok(Answer::Value(reply)) => Ok(reply.value),
            Ok(Answer::Blocks(blocks)) => match blocks.as_slice() {
                [Block::Text(text)] => Ok(json!(text)),
                other => panic!("{other:?}"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(e) => Err(e.to_string()),
        }
    }

    pub async fn tool(&self, name: &str, args: Value) -> Result<Value, String> {
        self.tool_as(&self.caller, name, args).await
    }

    /// A change of an entity on the bus.
    pub fn change(&self, id: &str, from: &str, to: &str) {
        self.events.publish(Event::Entity(Entity {
            house: "home".into(),
            entity_id: id.into(),
            state: Some(to.into()),
            old_state: Some(from.into()),
            name: None,
            area: None,
            labels: Vec::new().into(),
            exposed: false,
            changed: 0.0,
        }));
    }
}
