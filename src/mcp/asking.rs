//! Putting a tool's questions to the client.
//!
//! There are two ways, one for each lifecycle: a session's client is asked while the call waits; a
//! client without sessions gets the questions as the result and repeats its request with answers.
//! Tools know only that they ask and are run again.

#![expect(deprecated, reason = "sessions before 2026-07-28 need what the newest protocol drops")]

use crate::error::Error;
use crate::mcp::{Ability, Answers, Ask, Client, Questions};
use crate::policy::Waiting;
use rmcp::model::{
    ClientCapabilities, CreateMessageRequestParams, ElicitRequestParams, InputRequest,
    InputRequests, InputRequiredResult, Request, RequestNoParam, SamplingMessage,
};
use rmcp::service::{RequestContext, ServiceError};
use rmcp::{ErrorData, Peer, RoleServer};
use serde_json::{Map, Value};
use std::time::Duration;

/// So often may one call ask.
pub(crate) const ROUNDS: usize = 10;
/// So long is a person's answer waited for.
const PATIENCE: Duration = Duration::from_secs(300);

/// The failure of a call that asks for ever.
pub(crate) fn too_often(name: &str) -> Error {
    Error::limit(format!("{name} asked {ROUNDS} times and is stopped"))
}

/// The questions as a result, for a client that repeats its request.
///
/// # Errors
/// A protocol error that names the ability that the client did not declare.
pub(crate) fn required(
    client: &Client,
    questions: Questions,
    seal: impl Fn(&Value) -> String,
) -> Result<InputRequiredResult, ErrorData> {
    let mut asked = InputRequests::new();
    for (name, ask) in questions.asks {
        if !client.can(ask.needs()) {
            return Err(ErrorData::missing_required_client_capability(capability(ask.needs())));
        }
        let request = request(ask).map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        asked.insert(name, request);
    }
    let state = questions.state.as_ref().map(seal);
    // The protocol wants at least one of the two.
    let asked = (!asked.is_empty() || state.is_none()).then_some(asked);
    Ok(InputRequiredResult::new(asked, state))
}

/// Asks a session's client, one question after the other, and waits. What is answered elsewhere
/// meanwhile comes back as no answers: the call is run again and finds that answer.
///
/// # Errors
/// Refused when the client cannot be asked, Timeout when nobody answers.
pub(crate) async fn ask(
    client: &Client,
    cx: &RequestContext<RoleServer>,
    questions: Questions,
) -> Result<Answers, Error> {
    let mut given = Map::new();
    let mut elsewhere = questions.elsewhere;
    for (name, ask) in questions.asks {
        if !client.can(ask.needs()) {
            return Err(Error::refused(format!(
                "this needs to ask {}, and your client does not offer that",
                words(ask.needs())
            )));
        }
        let answer = tokio::select! {
            answer = tokio::time::timeout(PATIENCE, put(&cx.peer, ask)) => answer,
            () = answered(&mut elsewhere) => return Ok(Answers::default()),
            () = cx.ct.cancelled() => return Err(Error::timeout("the call was cancelled")),
        };
        let answer = answer.map_err(|_| {
            Error::timeout(format!("no answer to '{name}' within {} s", PATIENCE.as_secs()))
        })??;
        given.insert(name, answer);
    }
    Ok(Answers { given, state: questions.state })
}

/// Ends when the question is answered elsewhere.
async fn answered(elsewhere: &mut Option<Waiting>) {
    match elsewhere {
        Some(waiting) => waiting.answered().await,
        None => std::future::pending().await,
    }
}

async fn put(peer: &Peer<RoleServer>, ask: Ask) -> Result<Value, Error> {
    let went_wrong = |e: ServiceError| Error::offline("the client did not answer").because(e);
    match ask {
        Ask::Form(message, fields) => {
            let answer = peer.create_elicitation(form(message, fields)?).await;
            value(answer.map_err(went_wrong)?)
        }
        Ask::Sampling(text, most) => {
            let answer = peer.create_message(sampling(text, most)).await;
            value(answer.map_err(went_wrong)?)
        }
        Ask::Roots => {
            let answer = peer.list_roots().await;
            value(answer.map_err(went_wrong)?)
        }
    }
}

/// The question as a request inside a result.
fn request(ask: Ask) -> Result<InputRequest, Error> {
    Ok(match ask {
        Ask::Form(message, fields) => {
            InputRequest::Elicitation(Request::new(form(message, fields)?))
        }
        Ask::Sampling(text, most) => {
            InputRequest::CreateMessage(Request::new(sampling(text, most)))
        }
        Ask::Roots => InputRequest::ListRoots(RequestNoParam::default()),
    })
}

fn form(message: String, fields: Value) -> Result<ElicitRequestParams, Error> {
    let requested_schema = serde_json::from_value(fields)
        .map_err(|e| Error::broken("a tool asks what the protocol cannot say").because(e))?;
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

fn sampling(text: String, most: u32) -> CreateMessageRequestParams {
    CreateMessageRequestParams::new(vec![SamplingMessage::user_text(text)], most)
}

fn value(answer: impl serde::Serialize) -> Result<Value, Error> {
    serde_json::to_value(answer)
        .map_err(|e| Error::broken("the client's answer is no JSON").because(e))
}

fn capability(ability: Ability) -> ClientCapabilities {
    let builder = ClientCapabilities::builder();
    match ability {
        Ability::Form => builder.enable_elicitation().build(),
        Ability::Sampling => builder.enable_sampling().build(),
        Ability::Roots => builder.enable_roots().build(),
    }
}

fn words(ability: Ability) -> &'static str {
    match ability {
        Ability::Form => "the person (elicitation)",
        Ability::Sampling => "your model (sampling)",
        Ability::Roots => "for your folders (roots)",
    }
}
