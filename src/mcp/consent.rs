//! Whether a person agreed: what the client was asked, and what it answered.

use crate::error::Error;
use crate::mcp::{Ask, Client, Questions, Tool};
use crate::policy::{Caller, Policy, Question};
use serde_json::{Value, json};

/// The name of the question whether something shall be done.
const CONFIRM: &str = "confirm";

/// The question as a form for the person.
pub(crate) fn form(question: Question) -> Questions {
    let text = format!("{}: shall this be done?", question.what);
    let fields = json!({
        "type": "object",
        "properties": { "agree": { "type": "boolean", "title": "Do it" } },
        "required": ["agree"],
    });
    let mut form = Questions::one(CONFIRM, Ask::Form(text, fields));
    form.elsewhere = Some(question.waiting);
    form.remember(json!({ CONFIRM: question.token }))
}

/// What the call is confirmed with: what stands in its arguments, in the call itself, or what the person
/// agreed to when they were asked.
///
/// # Errors
/// Invalid for an argument that is no text; Refused when the person did not agree.
pub(crate) fn confirmed(
    policy: &Policy,
    tool: &Tool,
    caller: &Caller,
    client: &Client,
    given: [Option<Value>; 2],
) -> Result<Option<String>, Error> {
    for given in given {
        if let Some(token) = read(tool, given)? {
            return Ok(Some(token));
        }
    }
    let answers = client.answers();
    let token = answers.state().and_then(|state| state.get(CONFIRM)).and_then(Value::as_str);
    let (Some(token), Some(answer)) = (token, answers.get(CONFIRM)) else { return Ok(None) };
    let accepted = answer.get("action").is_some_and(|action| action == "accept");
    let agreed = accepted && answers.field(CONFIRM, "agree") == Some(&Value::Bool(true));
    policy.answer_by_form(caller, token, agreed);
    match agreed {
        true => Ok(Some(token.to_owned())),
        false => Err(Error::refused("the person was asked and did not agree")),
    }
}

/// The answer to a question for confirmation, when there is one among the arguments.
pub(crate) fn read(tool: &Tool, given: Option<Value>) -> Result<Option<String>, Error> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token)),
        Some(_) => Err(Error::invalid(format!("{}: 'confirm' must be a text", tool.name))),
    }
}
