//! Running a tool: the rules that hold for every call, whoever asks.
//!
//! Policy first, then the tool with a time limit, then the size of what it answers, then the audit
//! log. A tool that panics costs its own call and nothing else.

use crate::error::Error;
use crate::mcp::told::told;
use crate::mcp::{Ability, Answer, Call, Prompt, Tool, Toolbox, consent, watched, wire};
use crate::policy::{Caller, Level, Outcome, Underway};
use futures_util::FutureExt;
use serde_json::{Map, Value};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;

/// So many bytes of the arguments are written to the audit log.
const TARGET: usize = 160;
/// So many are shown to whoever is asked to approve them.
const SHOWN: usize = 1900;

/// A call that is being made.
struct Turn<'a> {
    tool: &'a Tool,
    level: Level,
    underway: &'a Underway,
}

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
            call.confirm = consent::read(&tool, confirm)?.or(call.confirm);
            return self.within_limits(&tool, call, args).await;
        }
        let policy = &self.inner.policy;
        let level = tool.level_of(&args);
        let clean = watched::arguments(policy, tool.name, &mut args);
        let target = told(&args, TARGET);
        let underway = policy.begin(&call.caller, tool.name, &target, level);
        call.caller = underway.caller();
        let caller = call.caller.clone();
        let given = [confirm, call.confirm.take().map(Value::from)];
        let confirmed = || consent::confirmed(policy, &tool, &caller, &call.client, given);
        let outcome = match clean.and_then(|()| confirmed()) {
            Ok(confirm) => {
                call.confirm = confirm;
                let turn = Turn { tool: &tool, level, underway: &underway };
                self.until_answered(&turn, call, args).await
            }
            Err(e) => Err(e),
        };
        if let Ok(Answer::Ask(_)) = &outcome {
            policy.record(&caller, tool.name, &target, Outcome::Asked, None);
        }
        underway.end(outcome.as_ref().err());
        outcome
    }

    /// Makes the call. Where it needs a person's word first: a client that can ask the person does so;
    /// what a rule asks about waits for the page, for a while, and is tried again; other questions go to
    /// the assistant, which passes them on in its own words.
    async fn until_answered(
        &self,
        turn: &Turn<'_>,
        call: Call,
        args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let policy = &self.inner.policy;
        // Most houses have no rule that asks: then nothing is copied.
        let again = policy.asks_by_rules().then(|| (call.clone(), args.clone()));
        let (client, began) = (call.client.clone(), Instant::now());
        let mut outcome = self.attempt(turn, call, args).await;
        loop {
            let question = turn.underway.take_question();
            let (Err(_), Some(question)) = (&outcome, question) else { return outcome };
            if client.can(Ability::Form) && policy.asks_by_form(&question) {
                return Ok(consent::form(question).into());
            }
            let Some((call, args)) = again.clone().filter(|_| question.by_person) else {
                return outcome;
            };
            let text = format!("{}: waiting for a person's approval", question.what);
            call.progress.report(0.0, None, Some(&text)).await;
            let answered = tokio::select! {
                answered = policy.wait_for(&question, began) => answered,
                () = call.cancelled.cancelled() => false,
            };
            if !answered {
                return outcome;
            }
            outcome = self.attempt(turn, call, args).await;
        }
    }

    /// Asks policy, then makes the call. An approval is used up by it, unless it has a question first.
    async fn attempt(
        &self,
        turn: &Turn<'_>,
        call: Call,
        args: Map<String, Value>,
    ) -> Result<Answer, Error> {
        let (policy, tool) = (&self.inner.policy, turn.tool);
        policy.check(&call.caller, tool.service(), turn.level)?;
        let _admitted = policy.admit(&call.caller.name, tool.name)?;
        let approved = policy.weigh(&call.caller, tool.name, &args, &|| told(&args, SHOWN))?;
        let caller = call.caller.clone();
        let outcome = self.within_limits(tool, call, args).await;
        let outcome = watched::outcome(policy, &caller, tool.name, outcome);
        if matches!(outcome, Ok(Answer::Ask(_))) || turn.underway.has_question() {
            approved.give_back();
        }
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
        let caller = call.caller.clone();
        let run = async { (prompt.write)(call, args).await };
        let run = AssertUnwindSafe(run).catch_unwind();
        let written = tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(Error::timeout(format!("{name} was cancelled"))),
            end = tokio::time::timeout(Duration::from_secs(seconds), run) => match end {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(Error::broken(format!("{name} failed; the log says why"))),
                Err(_) => Err(Error::timeout(format!("{name} took more than {seconds} s"))),
            },
        };
        watched::outcome(&self.inner.policy, &caller, name, written)
    }
}
