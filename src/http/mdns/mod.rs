//! Names on the local network: announces Hearth, resolves `.local`, finds Home Assistant and others.
//!
//! A static binary's own resolver does not know `.local`, so `ask` and the services come here. The
//! daemon thread and its sockets only exist once something is announced or looked up. What devices
//! say about themselves is cut short and cleaned before anybody sees it.

mod announce;

pub(crate) use announce::check_name;

use crate::error::Error;
use crate::tasks::Tasks;
use mdns_sd::{HostnameResolutionEvent, IfKind, ServiceDaemon, ServiceEvent};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The service type of Home Assistant.
pub const HOME_ASSISTANT: &str = "_home-assistant._tcp.local.";
/// How long a lookup waits for an answer when the caller does not say.
pub const WAIT: Duration = Duration::from_secs(3);
/// Answers to one search, properties of an answer, characters of a text.
const FOUND_MAX: usize = 32;
const PROPERTIES_MAX: usize = 32;
const TEXT_MAX: usize = 256;

/// Looks up and announces names. Cloning it is cheap.
#[derive(Clone)]
pub struct Mdns {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Tasks,
    daemon: Mutex<Option<ServiceDaemon>>,
    /// Who is looked up just now: the daemon serves one question per name, the latest.
    turns: Mutex<HashMap<String, Weak<Turn>>>,
}

type Turn = tokio::sync::Mutex<()>;

/// A service that a device on the network announces. The texts are the device's own: data, no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the instance, for example `Home`.
    pub name: String,
    /// Host name with `.local`.
    pub host: String,
    /// Addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Port.
    pub port: u16,
    /// Properties such as `base_url` and `version`.
    pub properties: Vec<(String, String)>,
}

/// Whether the system's resolver does not know the name and this module may.
pub fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.len() > 6 && host.get(host.len() - 6..).is_some_and(|e| e.eq_ignore_ascii_case(".local"))
}

impl Mdns {
    /// Makes the handle; nothing is sent yet.
    pub fn new(tasks: &Tasks) -> Mdns {
        let (tasks, daemon, turns) = (tasks.clone(), Mutex::default(), Mutex::default());
        Mdns { shared: Arc::new(Shared { tasks, daemon, turns }) }
    }

    /// Returns the addresses of a `.local` name, IPv4 first, as soon as somebody answers.
    ///
    /// # Errors
    /// Offline when nobody does within `wait`.
    pub async fn resolve(&self, host: &str, wait: Duration) -> Result<Vec<IpAddr>, Error> {
        let (mdns, host) = (self.clone(), host.to_owned());
        self.shared.tasks.blocking(move || mdns.resolve_now(&host, wait)).await?
    }

    /// The same for code that may block; must not be called on a thread of the runtime.
    ///
    /// # Errors
    /// As [`Mdns::resolve`].
    pub fn resolve_now(&self, host: &str, wait: Duration) -> Result<Vec<IpAddr>, Error> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let daemon = self.daemon()?;
        let asked = format!("{host}.");
        let until = Instant::now() + wait;
        let turn = self.turn(&host);
        let _turn = turn.blocking_lock();
        let left = until.saturating_duration_since(Instant::now());
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let events = daemon.resolve_hostname(&asked, Some(millis)).map_err(failed)?;
        let mut addresses = Vec::new();
        while let Ok(event) = events.recv_deadline(until) {
            match event {
                HostnameResolutionEvent::AddressesFound(_, found) => {
                    addresses = usable(found.iter().map(|ip| ip.to_ip_addr()));
                    if !addresses.is_empty() {
                        break;
                    }
                }
                HostnameResolutionEvent::SearchTimeout(_) => break,
                _ => {}
            }
        }
        let _ = daemon.stop_resolve_hostname(&asked);
        if addresses.is_empty() {
            return Err(Error::offline(format!(
                "nobody on the local network answers to '{host}'; is it switched on and in the same \
                 network? Its IP address works as well"
            )));
        }
        Ok(addresses)
    }

    /// Collects who announces `service` (such as [`HOME_ASSISTANT`]) until `wait` is over, at most 32.
    ///
    /// # Errors
    /// Broken when the system gives no socket; nobody answering is an empty list.
    pub async fn find(&self, service: &str, wait: Duration) -> Result<Vec<Found>, Error> {
        let daemon = self.daemon()?;
        let turn = self.turn(service);
        let _turn = turn.lock().await;
        let events = daemon.browse(service).map_err(failed)?;
        let mut all: Vec<Found> = Vec::new();
        let collect = async {
            while let Ok(event) = events.recv_async().await {
                let ServiceEvent::ServiceResolved(service) = event else { continue };
                let full = service.get_fullname();
                let name = full.split_once("._").map_or(full, |(name, _)| name);
                let properties = service.get_properties().iter().take(PROPERTIES_MAX);
                let found = Found {
                    name: clean(name),
                    host: clean(service.get_hostname().trim_end_matches('.')),
                    addresses: usable(service.get_addresses().iter().map(|a| a.to_ip_addr())),
                    port: service.get_port(),
                    properties: properties.map(|p| (clean(p.key()), clean(p.val_str()))).collect(),
                };
                // An instance is told again when more of its addresses are known.
                all.retain(|known| known.name != found.name || known.host != found.host);
                if all.len() < FOUND_MAX {
                    all.push(found);
                }
            }
        };
        let _ = tokio::time::timeout(wait, collect).await;
        let _ = daemon.stop_browse(service);
        Ok(all)
    }

    /// Returns what to hold while `name` is looked up.
    fn turn(&self, name: &str) -> Arc<Turn> {
        let mut turns = self.shared.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(name).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::default());
        turns.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }

    fn daemon(&self) -> Result<ServiceDaemon, Error> {
        let mut slot = self.shared.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(daemon) = &*slot
            && daemon.status().is_ok()
        {
            return Ok(daemon.clone());
        }
        let daemon = ServiceDaemon::new().map_err(failed)?;
        // Two Hearths on one machine would otherwise fight for the name.
        for kind in [IfKind::LoopbackV4, IfKind::LoopbackV6] {
            daemon.disable_interface(kind).map_err(failed)?;
        }
        *slot = Some(daemon.clone());
        Ok(daemon)
    }
}

fn failed(e: mdns_sd::Error) -> Error {
    Error::broken("mDNS does not work here").because(e)
}

/// IPv4 first; without IPv6 addresses that only mean something together with an interface.
fn usable(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut addresses: Vec<IpAddr> = found.filter(|ip| !local(ip)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(FOUND_MAX);
    addresses
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_below_local_are_ours() {
        for (host, want) in [
            ("homeassistant.local", true),
            ("HomeAssistant.LOCAL.", true),
            ("local", false),
            (".local", false),
            ("local.example", false),
            ("xlocal", false),
            ("ümlaut", false),
        ] {
            assert_eq!(is_local(host), want, "{host}");
        }
    }

    #[test]
    fn ipv4_comes_first_and_bare_link_local_addresses_are_left_out() {
        let found = ["fe80::1", "2001:db8::1", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let want: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap()).into();
        assert_eq!(usable(found.into_iter()), want);
    }

    #[test]
    fn what_devices_say_is_cut_and_cleaned() {
        assert_eq!(clean("a\u{1b}[31mb\n"), "a[31mb");
        assert_eq!(clean(&"x".repeat(1000)).len(), TEXT_MAX);
    }
}
