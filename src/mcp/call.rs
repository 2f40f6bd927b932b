//! Running a tool: the rules that hold for every call, whoever asks.
//!
//! Policy first, then the tool with a time limit, then the size of what it answers, then the audit
//! log. A tool that panics costs its own call and nothing else.

use crate::error::Error;
use crate::mcp::{Ability, Answer, Ask, Call, Client, Prompt, Questions, Tool, Toolbox, wire};
use crate::policy::{Caller, Outcome, Question, may_be_a_code, names_a_code};
use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// So much of the arguments is written to the audit log.
const TARGET: usize = 160;

impl Toolbox {
    /// Runs the tool `name` on behalf of `call.caller`.
    ///
    /// # Errors
    /// NotFound for an unknown tool, Refused when policy says no, Invalid for arguments that do not
    /// fit, Limit when too much runs or the answer is too large, Timeout, and what the tool says.
    pub async fn call(
        &self,
        call: Call,
        name: &str,
        args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let known = self.held().tools.get(name).cloned();
        let known = known.ok_or_else(|| Error::not_found(format!("there is no tool '{name}'")))?;
        self.run(known.tool, call, args).await
    }

    /// Calls a tool for a route, which shows the value alone. Policy and audit see it as any call.
    ///
    /// # Errors
    /// As [`Toolbox::call`]; Broken for a tool that answers something else than a value.
    pub async fn value(
        &self,
        caller: Caller,
        name: &str,
        args: Map<String, Value>,
    ) -> Result<Value, Error> {
        match self.call(Call::new(caller), name, args).await? {
            Answer::Value(reply) => Ok(reply.value),
            _ => Err(Error::broken(format!("{name} gave an answer that has no place here"))),
        }
    }

    pub(crate) async fn run(
        &self,
        tool: Tool,
        mut call: Call,
        mut args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let confirm = if tool.takes_confirm() { args.remove("confirm") } else { None };
        // The pair's line is that of the tool that it calls.
        if tool.service() == crate::mcp::pair::SERVICE {
            call.confirm = read_confirm(&tool, confirm)?.or(call.confirm);
            return self.within_limits(&tool, call, args).await;
        }
        let policy = &self.inner.policy;
        let target = target(&args);
        let level = tool.level_of(&args);
        let underway = policy.begin(&call.caller, tool.name, &target, level);
        let caller = underway.caller();
        call.caller = caller.clone();
        let client = call.client.clone();
        let outcome = async {
            call.confirm = read_confirm(&tool, confirm)?.or(call.confirm);
            if call.confirm.is_none() {
                call.confirm = agreed(&client)?;
            }
            policy.check(&call.caller, tool.service(), level)?;
            self.within_limits(&tool, call, args).await
        }
        .await;
        // A client that can ask the person does so; others pass the question on in their own words.
        let outcome = match underway.question() {
            Some(question) if outcome.is_err() && client.can(Ability::Form) => {
                Ok(question_of(question).into())
            }
            _ => outcome,
        };
        if let Ok(Answer::Ask(_)) = &outcome {
            policy.record(&caller, tool.name, &target, Outcome::Asked, None);
        }
        underway.end(outcome.as_ref().err());
        outcome
    }

    /// Runs it within the limits on calls at once, time and size.
    async fn within_limits(
        &self,
        tool: &Tool,
        call: Call,
        args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let (name, config) = (tool.name, &self.inner.config);
        let busy = |whose: &str, most: usize| {
            Error::limit(format!("{name}: {most} calls{whose} run already; try again soon"))
        };
        // Whoever waits long in many calls keeps nobody else from working.
        let share = config.calls.div_ceil(2);
        let _share = (self.inner.shares.take(call.caller.token, share))
            .ok_or_else(|| busy(" of yours", share))?;
        let _permit = self.inner.busy.try_acquire().map_err(|_| busy("", config.calls))?;
        let time = tool.within.unwrap_or(Duration::from_secs(config.call_seconds));
        let cancelled = call.cancelled.clone();
        let run = async { (tool.run)(call, Value::Object(args)).await };
        let run = AssertUnwindSafe(run).catch_unwind();
        let answer = tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::timeout(format!("{name} was cancelled"))),
            end = tokio::time::timeout(time, run) => match end {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::broken(format!("{name} failed; the log says why"))),
                Err(_) => {
                    let seconds = time.as_secs_f64();
                    Err(Error::timeout(format!("{name} did not finish within {seconds} s")))
                }
            },
        }?;
        let most = tool.budget.unwrap_or(config.answer_bytes);
        let bytes = wire::answer_bytes(&answer);
        if bytes > most {
            return Err(Error::limit(format!(
                "{name}: the answer has {bytes} bytes, more than {most}; ask for less, or for the \
                 next part by 'cursor' where the tool takes one"
            )));
        }
        Ok(answer)
    }

    /// Writes a prompt on behalf of `call.caller`, within the same limits as a tool.
    pub(crate) async fn write(
        &self,
        prompt: &Prompt,
        call: Call,
        args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let (name, config) = (prompt.name, &self.inner.config);
        let seconds = config.call_seconds;
        let cancelled = call.cancelled.clone();
        let run = async { (prompt.write)(call, args).await };
        let run = AssertUnwindSafe(run).catch_unwind();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::timeout(format!("{name} was cancelled"))),
            end = tokio::time::timeout(Duration::from_secs(seconds), run) => match end {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::broken(format!("{name} failed; the log says why"))),
                Err(_) => Err(Error::timeout(format!("{name} took more than {seconds} s"))),
            },
        }
    }
}

/// The name of the question whether something risky shall be done.
const CONFIRM: &str = "confirm";

fn question_of(question: Question) -> Questions {
    let text = format!("{}: shall this be done?", question.what);
    let fields = json!({
        "type": "object",
        "properties": { "agree": { "type": "boolean", "title": "Do it" } },
        "required": ["agree"],
    });
    Questions::one(CONFIRM, Ask::Form(text, fields)).remember(json!({ CONFIRM: question.token }))
}

/// What the person agreed to, when they were asked.
///
/// # Errors
/// Refused when they did not agree.
fn agreed(client: &Client) -> Result<Option<String>, Error> {
    let answers = client.answers();
    let token = answers.state().and_then(|state| state.get(CONFIRM)).and_then(Value::as_str);
    let (Some(token), Some(answer)) = (token, answers.get(CONFIRM)) else { return Ok(None) };
    let accepted = answer.get("action").is_some_and(|action| action == "accept");
    match accepted && answers.field(CONFIRM, "agree") == Some(&Value::Bool(true)) {
        true => Ok(Some(token.to_owned())),
        false => Err(Error::refused("the person was asked and did not agree")),
    }
}

/// The answer to a question for confirmation, when there is one among the arguments.
fn read_confirm(tool: &Tool, given: Option<Value>) -> Result<Option<String>, Error> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token)),
        Some(_) => Err(Error::invalid(format!("{}: 'confirm' must be a text", tool.name))),
    }
}

/// The arguments in short, for the audit log. What goes on to a device (`data`), to a server or into its
/// environment (`arguments`, `env`) is named and not told, and so is whatever looks like a code: one that is misspelt is a code all the same.
fn target(args: &Map<String, Value>) -> String {
    let told = args.iter().map(|(name, value)| {
        let told = match value {
            Value::Object(fields) if matches!(name.as_str(), "data" | "env" | "arguments") => {
                let named = fields.keys().map(|field| (field.clone(), Value::from("…")));
                Value::Object(named.collect())
            }
            value if looks_secret(name, value) => "…".into(),
            value => value.clone(),
        };
        (name.clone(), told)
    });
    let mut text = Value::Object(told.collect()).to_string();
    if text.len() > TARGET {
        let end = (0..=TARGET).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether it may be the code of a lock or an alarm, by its name or by being nothing but digits, or an
/// address that holds a password.
fn looks_secret(name: &str, value: &Value) -> bool {
    let named = names_a_code(name) || name.contains("secret") || name.contains("connection_string");
    match value {
        Value::String(text) => named || may_be_a_code(text) || holds_a_user(text),
        Value::Number(number) => named || may_be_a_code(&number.to_string()),
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) => named,
    }
}

/// Whether it is a URL with a user, as in `mqtt://ann:secret@broker`.
fn holds_a_user(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn no_code_reaches_the_audit_log_however_it_is_written() {
        for args in [
            json!({"service": "alarm.disarm", "data": {"code": "987654"}}),
            json!({"service": "alarm.disarm", "data": {"cod": 987654}}),
            json!({"service": "alarm.disarm", "code": "987654"}),
            json!({"service": "alarm.disarm", "cod": 987654}),
            json!({"service": "lock.unlock", "my_pin": "x987654"}),
            json!({"service": "x", "env": {"GREETING": "x987654"}}),
            json!({"service": "x", "arguments": {"content": "x987654"}}),
            json!({"service": "x", "connection_string": "ann:x987654@broker"}),
            json!({"service": "x", "conection": "mqtt://ann:x987654@broker:1883"}),
        ] {
            let told = target(args.as_object().unwrap());
            assert!(!told.contains("987654"), "{told}");
            assert!(told.contains("\"service\":\""), "{told}");
        }
        let plain = json!({"entity_ids": ["light.a"], "seconds": 12});
        assert_eq!(target(plain.as_object().unwrap()), plain.to_string());
    }
}
