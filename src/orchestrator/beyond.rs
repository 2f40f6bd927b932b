//! Passing steps on to the node that holds a session, and doing what other nodes pass on.
//!
//! Nodes know each other by a key that stands in the store which they share: whoever reads that has
//! everything anyway. The node that was asked has asked policy and writes the audit log; the other does
//! what it is told for the caller whom it names. A step is passed on once and never further.

use crate::error::{Error, Kind};
use crate::http::ask::{Ask, Question};
use crate::http::{Bytes, HeaderMap, Json, Router, State, post};
use crate::mcp::Call;
use crate::orchestrator::Orchestrator;
use crate::orchestrator::sessions::{Key, Record, Standing, check_id};
use crate::orchestrator::tools::{self, Step};
use crate::policy::{Caller, Grant, is_same_secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The path at which a node hears the others, and the header of their key.
const PATH: &str = "/nodes/step";
const KEY: &str = "x-hearth-nodes";
/// What starting a sandbox takes, and a call that does not say; a call's own seconds come on top.
const WAIT: Duration = Duration::from_secs(210);
/// How often it is looked whether the other node still lives.
const LOOK: Duration = Duration::from_secs(2);
/// The largest answer of a step.
const LARGEST: usize = 8 << 20;

/// How this node reaches the others.
#[derive(Clone)]
pub struct Beyond {
    /// Asks over HTTP.
    pub ask: Ask,
}

/// Where a session is, when it is not here.
pub(super) struct Owner {
    record: Record,
    node: String,
    url: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passed {
    name: String,
    token: u64,
    grant: Grant,
    tool: String,
    args: Value,
}

impl Orchestrator {
    /// Says which other node holds the session, if one does; `own` looks at the caller's own alone.
    pub(super) async fn elsewhere(
        &self,
        caller: &Caller,
        id: &str,
        own: bool,
    ) -> Result<Option<Owner>, Error> {
        if self.shared.beyond.is_none() {
            return Ok(None);
        }
        let key = match own {
            true => Key { token: caller.token, id: id.to_owned() },
            false => self.key_of(caller, id).await?,
        };
        check_id(id)?;
        if self.shared.slots().contains_key(&key) {
            return Ok(None);
        }
        let keeper = &self.shared.keeper;
        let Some(held) = keeper.get(&key).await?.filter(|held| held.record.is_open()) else {
            return Ok(None);
        };
        if keeper.standing(&held.record).await? != Standing::Other {
            return Ok(None);
        }
        let record = held.record;
        let node = record.lease.node.clone();
        let url = keeper.url_of(&node).await?;
        Ok(Some(Owner { record, node, url }))
    }

    /// Returns when the node that holds a session was given up.
    async fn lost(&self, owner: &Owner) -> Error {
        loop {
            tokio::time::sleep(LOOK).await;
            let standing = self.shared.keeper.standing(&owner.record).await;
            if standing.is_ok_and(|standing| standing != Standing::Other) {
                return Error::offline(
                    "it was lost while it worked on this; nobody knows how far it came. Ask again, and \
                     the session goes on here with an empty folder",
                );
            }
        }
    }

    /// Has another node do it.
    pub(super) async fn pass_on(
        &self,
        owner: &Owner,
        call: &Call,
        tool: &str,
        args: &Value,
    ) -> Result<Value, Error> {
        let node = &owner.node;
        let (Some(beyond), Some(url)) = (&self.shared.beyond, &owner.url) else {
            return Err(Error::offline(format!(
                "the session is held by the node {node}, which says no address \
                 (orchestrator.node_address); ask there"
            )));
        };
        let caller = &call.caller;
        let passed = Passed {
            name: caller.name.to_string(),
            token: caller.token,
            grant: (*caller.grant).clone(),
            tool: tool.to_owned(),
            args: args.clone(),
        };
        let key = self.shared.keeper.nodes_key().await?;
        let question = Question::post(format!("{url}{PATH}"))
            .header(KEY, &key)
            .within(WAIT + Duration::from_secs(args["seconds"].as_u64().unwrap_or(0).min(600)))
            .at_most(LARGEST)
            .json(&passed)?;
        let answer = tokio::select! {
            answer = beyond.ask.ask(question) => answer,
            e = self.lost(owner) => Err(e),
        };
        let answer = answer.map_err(|e| e.at(format!("node {node}")))?;
        let said: Value = answer.json().map_err(|e| e.at(format!("node {node}")))?;
        if answer.status == 200 {
            return Ok(said);
        }
        let text = said["error"]["message"].as_str().unwrap_or("it gave no reason");
        // What is wrong with the key or the path is no fault of the caller.
        let kind = match Kind::of_status(answer.status) {
            Kind::Unauthenticated | Kind::Broken => Kind::Offline,
            kind => kind,
        };
        Err(Error::new(kind, text))
    }
}

#[derive(Clone)]
struct Desk {
    own: Orchestrator,
    steps: Arc<BTreeMap<&'static str, Step>>,
}

/// Returns what other nodes ask, for a listener of its own: no guard stands before it, only the key.
pub fn nodes_router(orchestrator: &Orchestrator) -> Router {
    let desk = Desk { own: orchestrator.clone(), steps: Arc::new(tools::steps(orchestrator)) };
    Router::new().route(PATH, post(step)).with_state(desk)
}

async fn step(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let key = desk.own.shared.keeper.nodes_key().await?;
    let given = headers.get(KEY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_same_secret(given.as_bytes(), key.as_bytes()) {
        return Err(Error::unauthenticated("only nodes of the same Redis are heard here"));
    }
    let passed: Passed = serde_json::from_slice(&body)
        .map_err(|e| Error::invalid(format!("no step of a node of this version: {e}")))?;
    let step = desk.steps.get(passed.tool.as_str());
    let step = step.ok_or_else(|| Error::not_found("this node has no such step"))?;
    let acting = desk.own.policy().acting(&passed.name, &passed.grant);
    let caller = Caller { token: passed.token, ..acting };
    step(desk.own.clone(), Call::new(caller), passed.args).await.map(Json)
}

/// What stands where the nodes' key is made.
pub(super) fn fresh_key() -> Result<Vec<u8>, Error> {
    let key = crate::policy::random_token()?;
    Ok(json!(key).to_string().into_bytes())
}
