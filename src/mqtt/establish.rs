//! Opening a session for a tool: which broker, whether it may be, and whether it lets us in.

use crate::error::Error;
use crate::mqtt::address::{Address, Read, Scheme};
use crate::mqtt::config::{Target, Version};
use crate::mqtt::session::{Session, Ways};
use crate::mqtt::sessions::Entry;
use crate::mqtt::{Mqtt, may_see};
use crate::policy::Caller;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Which broker is meant.
pub(crate) enum Which<'a> {
    /// The home's own.
    Home,
    /// One of `mqtt.profiles`.
    Profile(&'a str),
    /// One that the caller wrote; may hold a password.
    Written(&'a str),
}

impl Mqtt {
    /// Opens a session of the caller's own and waits until the broker lets it in.
    ///
    /// # Errors
    /// Refused, Limit, NotFound for an unknown profile, Invalid for what is no address, Offline when
    /// there is no connection: then no session is left.
    pub(crate) async fn establish(
        &self,
        caller: &Caller,
        which: Which<'_>,
        version: Option<Version>,
        cancelled: &CancellationToken,
    ) -> Result<Entry, Error> {
        may_see(caller)?;
        let what = "a token tries to connect";
        self.shared.connects.take(caller.token, Instant::now(), what)?;
        let (mut target, is_owners) = self.target(&which)?;
        target.version = version.unwrap_or(target.version);
        // Two connections of one client id would throw each other out.
        target.client_id = match &which {
            Which::Written(_) => target.client_id,
            _ => String::new(),
        };
        let config = &self.shared.config;
        let rules = (!is_owners).then(|| Arc::new(self.shared.reach.rules(&config.allow_hosts)));
        let ways = Ways { reach: self.shared.reach.clone(), rules };
        let profile = match which {
            Which::Profile(name) => Some(name),
            _ => None,
        };
        let tasks = &self.shared.tasks;
        let entry = self
            .shared
            .sessions
            .add(caller, profile, |id| Session::open(id, target, config, &ways, tasks))?;
        // Whoever gives the call up wants no session.
        let mut unless = Unless(Some((self.clone(), caller.clone(), entry.session.id.clone())));
        let settled = tokio::select! {
            settled = entry.session.settled() => settled,
            () = cancelled.cancelled() => Err(Error::offline("the call was given up")),
        };
        settled?;
        unless.0 = None;
        Ok(entry)
    }

    /// Returns the broker, and whether its address is the owner's own word.
    fn target(&self, which: &Which<'_>) -> Result<(Target, bool), Error> {
        let config = &self.shared.config;
        match which {
            Which::Home => config.home().map(|target| (target, true)).ok_or_else(|| {
                Error::invalid(
                    "say which broker: connection_string (mqtt://host:port) or profile; no broker of \
                     the home's is configured",
                )
            }),
            Which::Profile(name) => {
                let found = config.profile(name).map(|target| (target, true));
                found.ok_or_else(|| {
                    let names = config.profiles.iter().map(|profile| profile.name.as_str());
                    let names = names.collect::<Vec<_>>().join(", ");
                    let known = if names.is_empty() { "none".to_owned() } else { names };
                    Error::not_found(format!("there is no such profile; there are: {known}"))
                })
            }
            Which::Written(text) => {
                let read = Address::read(text).map_err(Error::invalid)?;
                harmless(&read)?;
                let Read { address, username, password, client_id } = read;
                let mut known = config.profiles.iter().filter_map(|p| config.profile(&p.name));
                let is_same = |target: &Target| {
                    target.address.host == address.host && target.address.port == address.port
                };
                let is_owners = config.home().as_ref().is_some_and(is_same)
                    || known.any(|target| is_same(&target));
                let version = Version::V5;
                let none = String::new;
                let (ca_file, cert_file, key_file) = (none(), none(), none());
                let target = Target {
                    address,
                    username,
                    password,
                    client_id,
                    version,
                    ca_file,
                    cert_file,
                    key_file,
                    insecure: false,
                };
                Ok((target, is_owners))
            }
        }
    }
}

/// Paths at which brokers usually open their WebSocket.
const PATHS: [&str; 6] = ["/", "/mqtt", "/mqtt/", "/ws", "/websocket", "/websockets"];

/// Refuses what could speak to something else than a broker: whoever writes the address could write
/// lines of another protocol into CONNECT, or ask a web server for a path that does something.
fn harmless(read: &Read) -> Result<(), Error> {
    let Read { address, username, password, client_id } = read;
    if [username, password.reveal(), client_id].iter().any(|text| text.contains(char::is_control)) {
        return Err(Error::invalid(
            "user, password and client id of a connection_string have no control characters",
        ));
    }
    let is_web = matches!(address.scheme, Scheme::Ws | Scheme::Wss);
    if is_web && !PATHS.contains(&address.path.as_str()) {
        return Err(Error::refused(format!(
            "a connection_string leads to a WebSocket at one of {}; the owner may name a broker with \
             another path in mqtt.profiles",
            PATHS.join(", ")
        )));
    }
    Ok(())
}

/// Closes a session, unless it is told not to.
struct Unless(Option<(Mqtt, Caller, Arc<str>)>);

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some((mqtt, caller, id)) = self.0.take() {
            // It may have ended by itself.
            let _ = mqtt.shared.sessions.close(&caller, &id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_speaks_to_brokers_only() {
        for (text, is_harmless) in [
            ("mqtt://ann:secret@broker/lamp-1", true),
            ("ws://broker:9001", true),
            ("wss://broker/ws", true),
            ("mqtt://broker:6379/%0d%0aFLUSHALL%0d%0a", false),
            ("mqtt://x%0ay:z@broker", false),
            ("mqtt://x:y%0az@broker", false),
            ("ws://router/reboot", false),
            ("ws://router/mqtt?do=reboot", false),
        ] {
            let read = Address::read(text).unwrap();
            assert_eq!(harmless(&read).is_ok(), is_harmless, "{text}");
        }
    }
}
