//! Which destination a request may reach. Pure.

use crate::orchestrator::sandbox::Destination;
use std::net::IpAddr;

/// Whether a host and port stand among the destinations. `host` is in lower case.
pub(super) fn is_listed(allowed: &[Destination], host: &str, port: u16) -> bool {
    allowed.iter().any(|one| {
        one.port == port
            && match one.host.strip_prefix('*') {
                // `*.example.com` is every name below example.com, and not itself.
                Some(below) => {
                    host.len() > below.len() && below.starts_with('.') && host.ends_with(below)
                }
                None => one.host == host,
            }
    })
}

/// Whether the address that a listed name has now may be connected to. Whoever holds a name in the
/// world must not open the house with it, so its own addresses need names that say so.
pub(super) fn is_fit(host: &str, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_literal = host.parse::<IpAddr>().is_ok();
    if is_literal || (host == "localhost" && address.is_loopback()) {
        return true;
    }
    let own = |ending: &&str| host.ends_with(*ending);
    let is_of_the_house = !host.contains('.')
        || [".local", ".lan", ".home", ".home.arpa", ".internal"].iter().any(own);
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // Shared address space of providers: RFC 6598.
            let is_private = v4.is_private() || (a == 100 && (64..128).contains(&b));
            let is_special = v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || a == 0;
            !is_special && (is_of_the_house || !is_private)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            let is_private = first & 0xfe00 == 0xfc00;
            let is_link_local = first & 0xffc0 == 0xfe80;
            let is_special =
                v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || is_link_local;
            !is_special && (is_of_the_house || !is_private)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_reached() {
        let one = |host: &str, port| Destination { host: host.into(), port };
        let allowed = [one("api.example.com", 443), one("*.example.org", 443)];
        for (host, port, is) in [
            ("api.example.com", 443, true),
            ("api.example.com", 80, false),
            ("example.com", 443, false),
            ("x.api.example.com", 443, false),
            ("a.example.org", 443, true),
            ("a.b.example.org", 443, true),
            ("example.org", 443, false),
            ("badexample.org", 443, false),
            (".example.org", 443, false),
        ] {
            assert_eq!(is_listed(&allowed, host, port), is, "{host}:{port}");
        }
        assert!(!is_listed(&[one("*", 443)], "anything", 443));
    }

    #[test]
    fn a_name_of_the_world_does_not_open_the_house() {
        for (host, address, is) in [
            ("api.example.com", "93.184.216.34", true),
            ("api.example.com", "192.168.1.5", false),
            ("api.example.com", "127.0.0.1", false),
            ("api.example.com", "169.254.169.254", false),
            ("api.example.com", "::1", false),
            ("api.example.com", "::ffff:10.0.0.1", false),
            ("api.example.com", "fe80::1", false),
            ("api.example.com", "fd00::1", false),
            ("nas.local", "192.168.1.5", true),
            ("nas", "fd00::1", true),
            ("nas.local", "127.0.0.1", false),
            ("localhost", "127.0.0.1", true),
            ("localhost", "192.168.1.5", true),
            ("192.168.1.5", "192.168.1.5", true),
        ] {
            assert_eq!(is_fit(host, address.parse().unwrap()), is, "{host} at {address}");
        }
    }
}
