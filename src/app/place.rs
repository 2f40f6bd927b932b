//! Where the running Hearth can be reached: told by the daemon over its control socket, asked by
//! `hearth mcp-config`. Never on the network: nobody there needs to know.

use crate::app::client;
use crate::app::config::Config;
use crate::http::{Json, Router, get};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// The path on the control socket.
const PATH: &str = "/control/address";

/// What the daemon knows of its address. Cloning it is cheap.
#[derive(Clone)]
pub(super) struct Place {
    bound: Arc<[SocketAddr]>,
    name: Arc<Mutex<Option<String>>>,
}

impl Place {
    /// Makes one for a daemon that listens on `bound` and has no name yet.
    pub(super) fn new(bound: &[SocketAddr]) -> Place {
        Place { bound: bound.into(), name: Arc::default() }
    }

    /// Notes the name that the local network knows, such as `hearth-2.local`.
    pub(super) fn called(&self, name: &str) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// The route for the control socket.
    pub(super) fn routes(&self) -> Router {
        let place = self.clone();
        let answer = move || async move { Json(json!({ "url": place.url() })) };
        Router::new().route(PATH, get(answer))
    }

    fn url(&self) -> String {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let wide = self.bound.iter().find(|a| !a.ip().to_canonical().is_loopback());
        match (wide.or(self.bound.first()), name) {
            (Some(address), name) => url(address.ip(), address.port(), name.as_deref()),
            (None, _) => "http://127.0.0.1".into(),
        }
    }
}

/// Returns the address that clients connect to, and what a person should know about it.
pub(super) fn address(config: &Config) -> (String, Option<String>) {
    match client::ask(config, "GET", PATH, None) {
        Ok((200, answer)) if answer["url"].is_string() => {
            (answer["url"].as_str().unwrap_or_default().to_owned(), None)
        }
        Ok(_) => (configured(config), Some("the running Hearth is of another version".into())),
        Err(e) => (configured(config), Some(e.to_string())),
    }
}

/// The address as the settings have it.
fn configured(config: &Config) -> String {
    let http = &config.http;
    let host = http.host.trim().trim_start_matches('[').trim_end_matches(']');
    let name = http.mdns.then(|| format!("{}.local", http.mdns_name));
    let ip: IpAddr = match host {
        "" | "all" | "*" => IpAddr::from([0, 0, 0, 0]),
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        _ => match host.parse() {
            Ok(ip) => ip,
            Err(_) => return format!("http://{host}:{}", http.port),
        },
    };
    url(ip, http.port, name.as_deref())
}

/// A name is for whoever can connect from elsewhere; without one there is only the address.
fn url(ip: IpAddr, port: u16, name: Option<&str>) -> String {
    match name.filter(|_| !ip.to_canonical().is_loopback()) {
        Some(name) => format!("http://{name}:{port}"),
        None if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
        None => format!("http://{}", SocketAddr::new(ip, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_name_only_where_others_can_connect() {
        let check = |bound: &str, name: Option<&str>, want: &str| {
            let place = Place::new(&[bound.parse().unwrap()]);
            if let Some(name) = name {
                place.called(name);
            }
            assert_eq!(place.url(), want, "{bound} {name:?}");
        };
        check("[::]:7123", Some("hearth-2.local"), "http://hearth-2.local:7123");
        check("[::]:7123", None, "http://127.0.0.1:7123");
        check("127.0.0.1:80", Some("hearth.local"), "http://127.0.0.1:80");
        check("192.168.1.2:7123", None, "http://192.168.1.2:7123");
        check("[fd00::1]:7123", None, "http://[fd00::1]:7123");
    }
}
