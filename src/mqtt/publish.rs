//! Publishing on behalf of somebody: asked, counted, sent, written down.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::gate::PROBES;
use crate::mqtt::may_see;
use crate::mqtt::message::{Outcome, Publish};
use crate::mqtt::session::Session;
use crate::policy::{self, Caller, Level};
use std::time::Instant;

impl Mqtt {
    /// Says whether the caller may publish this: what a dry run answers. Counts for nothing.
    ///
    /// # Errors
    /// Refused, Invalid or Limit, with the setting that forbids it.
    pub(crate) fn may_publish(&self, caller: &Caller, message: &Publish) -> Result<(), Error> {
        may_see(caller)?;
        let is_probe = message.topic.starts_with(PROBES) && !message.retain;
        if !is_probe && !self.shared.policy.may(caller, "mqtt", Level::Control) {
            return Err(Error::refused(format!(
                "'{}' may not control mqtt; use a token that may",
                caller.name
            )));
        }
        self.shared.gate.check(message)
    }

    /// Publishes for `caller`, if it may, and writes down what became of it.
    ///
    /// # Errors
    /// As [`Mqtt::may_publish`]; Limit when the token publishes too often; Offline without a connection.
    pub(crate) async fn publish(
        &self,
        caller: &Caller,
        session: &Session,
        message: Publish,
    ) -> Result<Outcome, Error> {
        let target = shown(&message);
        let told = |outcome, reason: &str| {
            self.shared.policy.record(caller, "mqtt publish", &target, outcome, Some(reason));
        };
        let allowed = self.may_publish(caller, &message).and_then(|()| {
            let what = "a token publishes";
            self.shared.publishes.take(caller.token, Instant::now(), what)
        });
        if let Err(e) = allowed {
            told(policy::Outcome::Denied, e.what());
            return Err(e);
        }
        let sent = session.publish(message).await;
        match &sent {
            Ok(Outcome::Written { unheard: false }) => told(policy::Outcome::Allowed, "written"),
            Ok(Outcome::Written { unheard: true }) => {
                told(policy::Outcome::Allowed, "written, and nobody listens");
            }
            Ok(Outcome::NotSent(why)) => told(policy::Outcome::Failed, &format!("not sent: {why}")),
            Ok(Outcome::Unknown(why)) => told(policy::Outcome::Failed, &format!("unknown: {why}")),
            Err(e) => told(policy::Outcome::Failed, &format!("not sent: {}", e.what())),
        }
        sent
    }

    /// Writes down that something was only tried.
    pub(crate) fn note_dry_run(&self, caller: &Caller, message: &Publish) {
        let (action, outcome) = ("mqtt publish", policy::Outcome::DryRun);
        self.shared.policy.record(caller, action, &shown(message), outcome, None);
    }
}

/// A message for the audit log: where, how and how much, and not what, which may be anybody's secret.
fn shown(message: &Publish) -> String {
    let Publish { topic, payload, qos, retain, .. } = message;
    let topic = topic.escape_debug().to_string();
    let topic = topic.chars().take(120).collect::<String>();
    let retained = if *retain { ", retained" } else { "" };
    format!("{topic} ({} bytes, QoS {}{retained})", payload.len(), qos.number())
}
