//! Sealed secrets in what goes through a call: refused in its arguments, masked in its answer.

use crate::error::Error;
use crate::mcp::{Answer, Ask, Block, Contents};
use crate::policy::{Caller, Policy};
use serde_json::{Map, Value};

/// Refuses arguments that hold a sealed secret, and masks them for the audit log.
pub(crate) fn arguments(
    policy: &Policy,
    tool: &str,
    args: &mut Map<String, Value>,
) -> Result<(), Error> {
    if !policy.watches() {
        return Ok(());
    }
    let mut whole = Value::Object(std::mem::take(args));
    let names = policy.mask_value(&mut whole);
    if let Value::Object(fields) = whole {
        *args = fields;
    }
    match names.first() {
        None => Ok(()),
        Some(name) => Err(Error::refused(format!(
            "{tool}: the arguments hold the sealed secret '{name}'; secrets do not go through calls"
        ))),
    }
}

/// Masks sealed secrets in what `action` answered, and writes down that there were some.
pub(crate) fn outcome(
    policy: &Policy,
    caller: &Caller,
    action: &str,
    outcome: Result<Answer, Error>,
) -> Result<Answer, Error> {
    if !policy.watches() {
        return outcome;
    }
    let mut names = Vec::new();
    let masked = match outcome {
        Ok(mut answer) => answered(policy, &mut answer, &mut names).map(|()| answer),
        Err(e) => {
            let mut text = e.to_string();
            names.extend(policy.mask_text(&mut text));
            Err(if names.is_empty() { e } else { Error::new(e.kind(), text) })
        }
    };
    if !names.is_empty() {
        policy.record_masked(caller, action, &names);
    }
    masked
}

fn answered(policy: &Policy, answer: &mut Answer, names: &mut Vec<String>) -> Result<(), Error> {
    match answer {
        Answer::Value(reply) => {
            names.extend(policy.mask_value(&mut reply.value));
            if let Some(text) = &mut reply.text {
                names.extend(policy.mask_text(text));
            }
        }
        Answer::Blocks(blocks) => {
            for block in blocks {
                match block {
                    Block::Text(text) => names.extend(policy.mask_text(text)),
                    Block::Image(_, raw) | Block::Audio(_, raw) => bytes(policy, raw, names)?,
                    Block::Resource(_, inner) => contents(policy, inner, names)?,
                    Block::Link(entry) => {
                        names.extend(policy.mask_text(&mut entry.uri));
                        names.extend(policy.mask_text(&mut entry.name));
                    }
                }
            }
        }
        Answer::Ask(questions) => {
            for (_, ask) in &mut questions.asks {
                if let Ask::Form(text, _) | Ask::Sampling(text, _) = ask {
                    names.extend(policy.mask_text(text));
                }
            }
        }
    }
    Ok(())
}

/// Masks sealed secrets in what a resource holds.
pub(crate) fn contents(
    policy: &Policy,
    contents: &mut Contents,
    names: &mut Vec<String>,
) -> Result<(), Error> {
    match contents {
        Contents::Text(_, text) => {
            names.extend(policy.mask_text(text));
            Ok(())
        }
        Contents::Bytes(_, raw) => bytes(policy, raw, names),
    }
}

/// What is no text cannot be masked.
fn bytes(policy: &Policy, raw: &[u8], names: &mut Vec<String>) -> Result<(), Error> {
    let Some(name) = policy.find_secret_in(raw) else { return Ok(()) };
    let text = format!("the answer holds the sealed secret '{name}' in bytes that are no text");
    names.push(name);
    Err(Error::refused(text))
}
