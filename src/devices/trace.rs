//! From a service call to the message to the state: what happened, when, and where it stopped. Pure.

use crate::mqtt::words::{TOPIC, clean, time};
use serde_json::{Map, Value, json};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A service was called in Home Assistant.
    Call,
    /// A message told the device what to do.
    Command,
    /// The device said its state.
    State,
    /// It was said whether the device is there.
    Availability,
    /// Home Assistant's state of the entity changed last.
    Changed,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            What::Call => "service call",
            What::Command => "command message",
            What::State => "state message",
            What::Availability => "availability message",
            What::Changed => "state in Home Assistant",
        }
    }
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Microseconds since 1970 (UTC).
    pub(crate) at: i64,
    pub(crate) what: What,
    /// The service, the topic, or the entity.
    pub(crate) place: String,
    /// The payload or the state.
    pub(crate) says: String,
}

impl Step {
    /// Returns it as a row of an answer, with the time since `from`.
    pub(crate) fn row(&self, from: Option<i64>) -> Map<String, Value> {
        let mut row = json!({
            "at": time(self.at), "what": self.what.word(), "where": clean(&self.place, TOPIC),
        });
        if !self.says.is_empty() {
            row["says"] = clean(&self.says, 200).into();
        }
        if let Some(from) = from {
            row["after_ms"] = ((self.at - from) / 1000).into();
        }
        row.as_object().cloned().unwrap_or_default()
    }
}

/// What is known besides the steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Whether the device has topics to be told something on, and to say its state on.
    pub(crate) has_command: bool,
    pub(crate) has_state: bool,
    /// Whether the device is there, and since when (microseconds since 1970).
    pub(crate) online: Option<bool>,
    pub(crate) since: Option<i64>,
    /// Home Assistant's state of the entity, and when it or an attribute changed.
    pub(crate) state: Option<String>,
    pub(crate) updated: Option<i64>,
    /// Why service calls or messages of the time are not known, if they are not.
    pub(crate) gaps: Vec<String>,
}

/// Where it stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// A word: `went_through`, `no_answer` and the like.
    pub(crate) result: &'static str,
    pub(crate) says: String,
    /// The step that everything is measured from.
    pub(crate) from: Option<i64>,
}

/// Home Assistant publishes at once; both clocks may differ by a little.
const SEND: i64 = 5_000_000;
const SLACK: i64 = 250_000;
/// A device that answers does so within this.
const ANSWER: i64 = 10_000_000;

/// Judges the last call, or without one the last command. `steps` are in order of time.
pub(crate) fn judge(steps: &[Step], facts: &Facts) -> Verdict {
    let last = |what: What| steps.iter().rev().find(|step| step.what == what);
    let Some(call) = last(What::Call) else {
        return match last(What::Command) {
            Some(command) => after_command(steps, facts, command.at, None),
            None => nothing(facts),
        };
    };
    let sent = |step: &&Step| {
        step.what == What::Command && (call.at - SLACK..=call.at + SEND).contains(&step.at)
    };
    match steps.iter().find(sent) {
        Some(command) => after_command(steps, facts, command.at, Some(call.at)),
        None => unsent(facts, call),
    }
}

fn nothing(facts: &Facts) -> Verdict {
    let mut says = "nobody asked it for anything in that time".to_owned();
    for gap in &facts.gaps {
        says.push_str("; ");
        says.push_str(gap);
    }
    Verdict { result: "nothing_asked", says, from: None }
}

fn unsent(facts: &Facts, call: &Step) -> Verdict {
    let service = clean(&call.place, 80);
    let why = if !facts.has_command {
        "it has no command topic, so nothing can be told to it".to_owned()
    } else if facts.state.as_deref() == Some("unavailable") {
        format!("Home Assistant holds it for unavailable and so sends it nothing{}", away(facts))
    } else {
        "no message on its command topics followed: see whether Home Assistant's MQTT integration is \
         connected to this broker"
            .to_owned()
    };
    Verdict {
        result: "not_published",
        says: format!("{service} was called, and {why}"),
        from: Some(call.at),
    }
}

fn after_command(steps: &[Step], facts: &Facts, sent: i64, called: Option<i64>) -> Verdict {
    let from = Some(called.unwrap_or(sent));
    let by = match called {
        Some(called) => format!("the command was published {} after the call", span(sent - called)),
        None => "somebody published a command past Home Assistant".to_owned(),
    };
    let verdict = |result, says: String| Verdict { result, says: format!("{by}; {says}"), from };
    let reply = steps
        .iter()
        .find(|step| step.what == What::State && step.at >= sent && step.at <= sent + ANSWER);
    let Some(reply) = reply else {
        if !facts.has_state {
            let says = "it has no state topic, so whether it obeyed cannot be known here";
            return verdict("no_state_topic", says.into());
        }
        return verdict("no_answer", format!("the device did not answer{}", away(facts)));
    };
    let answered = format!("the device answered {} later", span(reply.at - sent));
    match (facts.updated, &facts.state) {
        (Some(updated), Some(state)) if updated >= sent - SLACK => verdict(
            "went_through",
            format!("{answered}; in Home Assistant it is '{}'", clean(state, 80)),
        ),
        (Some(_), Some(state)) => verdict(
            "not_taken",
            format!(
                "{answered}, but in Home Assistant it stayed '{}': it was so already, or its template does \
                 not find the state in what the device says",
                clean(state, 80)
            ),
        ),
        _ => verdict("answered", answered),
    }
}

fn away(facts: &Facts) -> String {
    match (facts.online, facts.since) {
        (Some(false), Some(since)) => {
            format!("; it is said to be offline, as of {}", time(since))
        }
        (Some(false), None) => "; it is said to be offline".into(),
        (Some(true), _) => "; it is said to be online".into(),
        (None, _) => "; nothing says whether it is there".into(),
    }
}

fn span(micros: i64) -> String {
    format!("{} ms", (micros.max(0) + 500) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(what: What, seconds: f64) -> Step {
        let at = 1_795_258_800_000_000 + (seconds * 1e6) as i64;
        Step { at, what, place: "light.turn_on".into(), says: String::new() }
    }

    #[test]
    fn it_is_told_where_it_stopped() {
        let base = Facts {
            has_command: true,
            has_state: true,
            state: Some("on".into()),
            updated: Some(step(What::Changed, 0.3).at),
            ..Facts::default()
        };
        let old = Facts { updated: Some(step(What::Changed, -60.0).at), ..base.clone() };
        let off = Facts { online: Some(false), ..base.clone() };
        let gone = Facts { state: Some("unavailable".into()), ..off.clone() };
        let mute = Facts { has_state: false, ..base.clone() };
        use What::{Call, Command, State};
        for (steps, facts, result, part) in [
            (
                &[(Call, 0.0), (Command, 0.01), (State, 0.2)][..],
                &base,
                "went_through",
                "10 ms after",
            ),
            (&[(Call, 0.0), (Command, 0.01), (State, 0.2)], &old, "not_taken", "190 ms later"),
            (&[(State, -5.0), (Call, 0.0), (Command, 0.01)], &off, "no_answer", "offline"),
            (&[(Call, 0.0), (Command, 0.01)], &mute, "no_state_topic", "cannot be known"),
            (&[(Call, 0.0)], &base, "not_published", "connected to this broker"),
            (&[(Call, 0.0)], &gone, "not_published", "holds it for unavailable"),
            (&[(Command, -30.0), (Call, 0.0)], &base, "not_published", "no message"),
            (&[(Command, 0.0), (State, 0.2)], &base, "went_through", "past Home Assistant"),
            (&[(State, 0.2)], &base, "nothing_asked", "nobody"),
        ] {
            let steps: Vec<Step> = steps.iter().map(|(what, at)| step(*what, *at)).collect();
            let verdict = judge(&steps, facts);
            assert_eq!(verdict.result, result, "{steps:?}");
            assert!(verdict.says.contains(part), "{}", verdict.says);
        }
    }
}
