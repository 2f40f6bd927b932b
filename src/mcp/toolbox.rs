//! The toolbox: every tool, resource and prompt of the house.
//!
//! Services hand theirs in at the start or later; whoever serves a client (or wants a tool run on
//! someone's behalf) asks here. What a caller may not use, it is not shown. Knows no protocol words
//! beyond the shape of a tool's definition.

use crate::error::Error;
use crate::mcp::share::Shares;
use crate::mcp::{Config, Profile, Prompt, Resources, Tool, find, pair, wire};
use crate::policy::{Caller, Level, Policy};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::sync::{Semaphore, watch};

/// Every tool, resource and prompt that the services handed in. Cloning it is cheap.
#[derive(Clone)]
pub struct Toolbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) policy: Policy,
    pub(crate) config: Config,
    /// One permit for each tool call under way.
    pub(crate) busy: Semaphore,
    /// How many of them are whose.
    pub(crate) shares: Shares,
    held: RwLock<Arc<Held>>,
    changes: watch::Sender<Changes>,
}

/// How often each list changed; whoever shows a list watches this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Changes of the tools.
    pub tools: u64,
    /// Changes of the resource shelves.
    pub resources: u64,
    /// Changes of the prompts.
    pub prompts: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Held {
    pub(crate) tools: BTreeMap<&'static str, Known>,
    pub(crate) shelves: Vec<Arc<dyn Resources>>,
    pub(crate) prompts: BTreeMap<&'static str, Prompt>,
    pub(crate) instructions: Vec<&'static str>,
}

/// A tool and its definition as clients see it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) tool: Tool,
    pub(crate) shown: Arc<rmcp::model::Tool>,
}

impl Toolbox {
    /// Makes a toolbox that holds only the pair that finds and calls tools by text.
    pub fn new(config: &Config, policy: &Policy) -> Toolbox {
        let inner = Arc::new_cyclic(|own: &Weak<Inner>| {
            let mut held = Held::default();
            for tool in pair::tools(own.clone()) {
                held.add(tool);
            }
            Inner {
                policy: policy.clone(),
                config: config.clone(),
                busy: Semaphore::new(config.calls.max(1)),
                shares: Shares::default(),
                held: RwLock::new(Arc::new(held)),
                changes: watch::Sender::new(Changes::default()),
            }
        });
        Toolbox { inner }
    }

    /// Adds tools; one of the same name is replaced. Clients are told.
    pub fn add_tools(&self, tools: Vec<Tool>) {
        self.change(|held| tools.into_iter().for_each(|tool| held.add(tool)));
        self.inner.changes.send_modify(|changes| changes.tools += 1);
    }

    /// Takes a tool out. Clients are told.
    pub fn remove_tool(&self, name: &str) {
        self.change(|held| held.tools.retain(|known, _| *known != name));
        self.inner.changes.send_modify(|changes| changes.tools += 1);
    }

    /// Adds a service's resources. Clients are told.
    pub fn add_resources(&self, shelf: Arc<dyn Resources>) {
        self.change(|held| held.shelves.push(shelf));
        self.inner.changes.send_modify(|changes| changes.resources += 1);
    }

    /// Adds prompts; one of the same name is replaced. Clients are told.
    pub fn add_prompts(&self, prompts: Vec<Prompt>) {
        self.change(|held| held.prompts.extend(prompts.into_iter().map(|p| (p.name, p))));
        self.inner.changes.send_modify(|changes| changes.prompts += 1);
    }

    /// Adds a sentence to what clients are told about this server.
    pub fn add_instructions(&self, text: &'static str) {
        self.change(|held| held.instructions.push(text));
    }

    /// Returns the value that changes with each list.
    pub fn changes(&self) -> watch::Receiver<Changes> {
        self.inner.changes.subscribe()
    }

    /// Returns the gatekeeper that this toolbox asks.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// Returns the names of the profiles, which are those of the services that have tools, resources
    /// or prompts, but for what is [placed](Tool::placed).
    pub fn services(&self) -> Vec<String> {
        let held = self.held();
        let mut names: Vec<String> = held.tools.values().map(|k| k.tool.profile().into()).collect();
        names.extend(held.tools.values().filter_map(|k| k.tool.also).map(str::to_owned));
        names.extend(held.shelves.iter().map(|shelf| shelf.profile().to_owned()));
        names.extend(held.prompts.values().map(|prompt| prompt.profile().to_owned()));
        names.retain(|name| name != pair::SERVICE);
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns a service's profile.
    ///
    /// # Errors
    /// NotFound when no service of that name has tools.
    pub fn profile(&self, service: &str) -> Result<Profile, Error> {
        if self.services().iter().any(|name| name == service) {
            return Ok(Profile::Service(service.into()));
        }
        let known = self.services().join(", ");
        Err(Error::not_found(format!("there is no service '{service}' here; there is: {known}")))
    }

    /// Returns how many tools `caller` sees in `profile`, and the bytes of their definitions.
    pub fn catalogue_bytes(&self, caller: &Caller, profile: &Profile) -> (usize, usize) {
        let tools = self.listed(caller, profile);
        let bytes = tools.iter().map(|known| wire::bytes(&*known.shown) + 1).sum();
        (tools.len(), bytes)
    }

    /// Returns the definitions that `caller` sees in `profile`, as JSON, in the order of their names.
    pub fn catalogue(&self, caller: &Caller, profile: &Profile) -> Vec<serde_json::Value> {
        let tools = self.listed(caller, profile);
        tools.iter().filter_map(|known| serde_json::to_value(&*known.shown).ok()).collect()
    }

    /// Whether `caller` is shown what `service` offers at `level`. Not written to the audit log.
    pub(crate) fn shows(&self, caller: &Caller, tool: &Tool) -> bool {
        let is_open = !tool.whole || caller.grant.entities.is_open();
        // The pair asks for the inner tool.
        tool.service() == pair::SERVICE
            || (is_open
                && self.inner.policy.may(caller, tool.service(), tool.level)
                && !self.inner.policy.hides(caller, tool.name))
    }

    /// The tools that `caller` sees in `profile`. The pair is there only when it leads to more.
    pub(crate) fn listed(&self, caller: &Caller, profile: &Profile) -> Vec<Known> {
        let held = self.held();
        let hides = held.hidden(profile).any(|k| self.shows(caller, &k.tool));
        let is_useful = |k: &Known| hides || k.tool.service() != pair::SERVICE;
        let all = held.tools.values().filter(|k| profile.lists(&k.tool) && is_useful(k));
        all.filter(|k| self.shows(caller, &k.tool)).cloned().collect()
    }

    /// Ranks the tools that `caller` may use by how well they fit `query`, best first, and says of
    /// each whether it fits at all.
    pub(crate) fn find(
        &self,
        caller: &Caller,
        query: &str,
        service: Option<&str>,
    ) -> Vec<(Known, bool)> {
        let held = self.held();
        let may: Vec<&Known> = held
            .tools
            .values()
            .filter(|k| k.tool.service() != pair::SERVICE && k.tool.place.is_none())
            .filter(|k| self.shows(caller, &k.tool))
            .filter(|k| service.is_none_or(|service| k.tool.service() == service))
            .collect();
        let texts: Vec<find::Text<'_>> = may
            .iter()
            .map(|k| {
                let Tool { name, title, about, .. } = k.tool;
                find::Text { name, title, about, acts: k.tool.level > Level::Read }
            })
            .collect();
        find::rank(query, &texts).into_iter().map(|r| (may[r.place].clone(), r.fits)).collect()
    }

    /// Returns the tool of that name, when clients of `profile` may name it.
    pub(crate) fn tool(&self, name: &str, profile: &Profile) -> Option<Known> {
        let known = self.held().tools.get(name).cloned()?;
        profile.reaches_tool(&known.tool).then_some(known)
    }

    pub(crate) fn held(&self) -> Arc<Held> {
        self.inner.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        let mut held = self.inner.held.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut held));
    }
}

impl Held {
    fn add(&mut self, tool: Tool) {
        let shown = Arc::new(wire::definition(&tool));
        self.tools.insert(tool.name, Known { tool, shown });
    }

    /// The tools that clients of `profile` reach only by name, whoever they are.
    pub(crate) fn hidden(&self, profile: &Profile) -> impl Iterator<Item = &Known> {
        let reached = *profile == Profile::Default;
        self.tools.values().filter(move |k| reached && !k.tool.in_profile && k.tool.place.is_none())
    }
}
