//! Tells the local network by which name Hearth can be reached.

use crate::error::Error;
use crate::http::mdns::{Mdns, failed};
use crate::tasks::Whose;
use mdns_sd::{DaemonEvent, ServiceDaemon, ServiceInfo};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause after an announcement failed.
const AGAIN: Duration = Duration::from_secs(60);
/// What Hearth is announced as.
const OURS: &str = "_http._tcp.local.";

/// Says whether a name can be announced.
///
/// # Errors
/// Invalid for a name that cannot stand in an address.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        let shown = name.chars().take(100).collect::<String>();
        return Err(Error::invalid(format!(
            "'{}' must be 1 to 63 letters, digits and '-', without '.local'",
            shown.escape_debug()
        )));
    }
    Ok(())
}

impl Mdns {
    /// Announces `<name>.local` and the page at `port` until shutdown. When the name is taken,
    /// another is chosen and `renamed` is called with it, for example `hearth-2.local`.
    ///
    /// # Errors
    /// Invalid for a name that cannot stand in an address.
    pub fn announce<R>(&self, name: &str, port: u16, renamed: R) -> Result<(), Error>
    where
        R: Fn(&str) + Send + Sync + 'static,
    {
        check_name(name).map_err(|e| e.at("http.mdns_name"))?;
        let (mdns, name, renamed) = (self.clone(), name.to_ascii_lowercase(), Arc::new(renamed));
        self.shared.tasks.spawn("mdns", move |stop| {
            let (mdns, name, renamed) = (mdns.clone(), name.clone(), renamed.clone());
            async move {
                // Without multicast Hearth works as before, only by its address: no reason to be
                // unhealthy.
                mdns.shared.tasks.status("mdns", Whose::Own).up();
                while let Err(e) = mdns.announce_once(&name, port, &*renamed, &stop).await {
                    log::warn!("'{name}.local' is not announced: {e}; trying again in a minute");
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => {}
                        () = stop.cancelled() => break,
                    }
                }
                Ok(())
            }
        });
        Ok(())
    }

    /// Announces until `stop`.
    async fn announce_once(
        &self,
        name: &str,
        port: u16,
        renamed: &(dyn Fn(&str) + Send + Sync),
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let daemon = self.daemon()?;
        let events = daemon.monitor().map_err(failed)?;
        let host = format!("{name}.local.");
        let properties: &[(&str, &str)] = &[("path", "/")];
        let info = ServiceInfo::new(OURS, "Hearth", &host, "", port, properties);
        let info = info.map_err(failed)?.enable_addr_auto();
        let full = info.get_fullname().to_owned();
        daemon.register(info).map_err(failed)?;
        loop {
            let event = tokio::select! {
                event = events.recv_async() => event,
                () = stop.cancelled() => break,
            };
            match event {
                Ok(DaemonEvent::NameChange(change)) if change.original == host => {
                    let new = change.new_name.trim_end_matches('.');
                    log::info!("'{name}.local' is taken here; Hearth is '{new}'");
                    renamed(new);
                }
                Ok(DaemonEvent::Error(e)) => log::debug!("mDNS: {e}"),
                Ok(_) => {}
                Err(_) => return Err(Error::broken("the mDNS daemon ended")),
            }
        }
        self.leave(&daemon, &full).await;
        Ok(())
    }

    /// Tells the network that the name is gone, and ends the daemon.
    async fn leave(&self, daemon: &ServiceDaemon, full: &str) {
        let said = async {
            if let Ok(done) = daemon.unregister(full) {
                let _ = done.recv_async().await;
            }
            if let Ok(done) = daemon.shutdown() {
                let _ = done.recv_async().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), said).await;
        *self.shared.daemon.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Tasks;

    #[tokio::test]
    async fn a_name_that_cannot_be_announced_is_said() {
        let mdns = Mdns::new(&Tasks::new(crate::events::Events::new()));
        let e = mdns.announce("my home", 1, |_| {}).unwrap_err();
        assert!(e.to_string().contains("http.mdns_name: 'my home' must be"), "{e}");
    }
}
