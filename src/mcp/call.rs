//! Running a tool: the rules that hold for every call, whoever asks.
//!
//! Policy first, then the tool with a time limit, then the size of what it answers, then the audit
//! log. A tool that panics costs its own call and nothing else.

use crate::error::Error;
use crate::mcp::{Answer, Call, Prompt, Tool, Toolbox, wire};
use crate::policy::Outcome;
use futures_util::FutureExt;
use serde_json::{Map, Value};
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
        let outcome = async {
            call.confirm = read_confirm(&tool, confirm)?.or(call.confirm);
            policy.check(&call.caller, tool.service(), level)?;
            self.within_limits(&tool, call, args).await
        }
        .await;
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
        let _permit = self.inner.busy.try_acquire().map_err(|_| {
            Error::limit(format!("{name}: {} calls run already; try again soon", config.calls))
        })?;
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

/// The answer to a question for confirmation, when there is one among the arguments.
fn read_confirm(tool: &Tool, given: Option<Value>) -> Result<Option<String>, Error> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token)),
        Some(_) => Err(Error::invalid(format!("{}: 'confirm' must be a text", tool.name))),
    }
}

/// The arguments in short, for the audit log.
fn target(args: &Map<String, Value>) -> String {
    let mut text = serde_json::to_string(args).unwrap_or_default();
    if text.len() > TARGET {
        let end = (0..=TARGET).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
