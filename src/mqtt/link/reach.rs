//! Which addresses may be connected to, when somebody else says the address. Pure.
//!
//! A tool that connects to any broker is a tool that scans the network, and reaches what only this
//! machine reaches. What the configuration names is the owner's own word and is not looked at here.

use crate::http::guard::Net;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Names, addresses and networks that the owner allows (`mqtt.allow_hosts`), and what is never reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    names: Vec<String>,
    nets: Vec<Net>,
    /// Ports of this machine on which Hearth itself listens.
    own_ports: Vec<u16>,
}

impl Rules {
    /// Makes the rules; an entry that is no address or network is a name.
    pub(crate) fn new(allow: &[String], own_ports: Vec<u16>) -> Rules {
        let (mut names, mut nets) = (Vec::new(), Vec::new());
        for entry in allow {
            match Net::read_all(std::slice::from_ref(entry)) {
                Ok(net) => nets.extend(net),
                Err(_) => names.push(entry.trim().trim_end_matches('.').to_ascii_lowercase()),
            }
        }
        Rules { names, nets, own_ports }
    }

    /// Says why an address that the name `host` stands for may not be connected to.
    pub(crate) fn refusal(&self, host: &str, address: SocketAddr) -> Option<&'static str> {
        let ip = plain(address.ip());
        if is_never(ip) {
            return Some("is an address that no broker has (link-local, multicast or unspecified)");
        }
        if ip.is_loopback() && self.own_ports.contains(&address.port()) {
            return Some("is Hearth itself");
        }
        let host = host.trim_end_matches('.');
        let is_allowed = ip.is_loopback()
            || is_private(ip)
            || self.names.iter().any(|name| name == host)
            || self.nets.iter().any(|net| net.holds(ip));
        (!is_allowed).then_some(
            "is not in this house's network: the owner may allow it in mqtt.allow_hosts, or name the \
             broker in mqtt.profiles",
        )
    }
}

/// Returns the IPv4 address that an IPv6 one carries: mapped (`::ffff:a.b.c.d`), compatible
/// (`::a.b.c.d`) or translated (`64:ff9b::a.b.c.d`, RFC 6052).
fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    if six == Ipv6Addr::LOCALHOST || six == Ipv6Addr::UNSPECIFIED {
        return ip;
    }
    let segments = six.segments();
    let is_translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    match six.to_ipv4() {
        Some(four) => IpAddr::V4(four),
        None if is_translated => {
            let [a, b] = segments[6].to_be_bytes();
            let [c, d] = segments[7].to_be_bytes();
            IpAddr::from([a, b, c, d])
        }
        None => ip,
    }
}

/// What no rule allows: nothing that is a broker is there, and clouds keep their secrets there.
fn is_never(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.octets()[0] == 0 || ip.is_broadcast() || ip.is_multicast() || ip.is_link_local()
        }
        IpAddr::V6(ip) => {
            let cloud = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() || ip == cloud
        }
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rules: &Rules, host: &str, address: &str) -> &'static str {
        let refusal = rules.refusal(host, address.parse().unwrap());
        match refusal {
            None => "yes",
            Some(why) if why.contains("Hearth itself") => "itself",
            Some(why) if why.contains("no broker has") => "never",
            Some(_) => "outside",
        }
    }

    #[test]
    fn the_house_is_reached_and_nothing_else() {
        let rules = Rules::new(&[], vec![7123]);
        for (address, wanted) in [
            ("127.0.0.1:1883", "yes"),
            ("127.9.9.9:1883", "yes"),
            ("[::1]:1883", "yes"),
            ("10.1.2.3:1883", "yes"),
            ("172.31.0.1:1883", "yes"),
            ("192.168.1.7:8883", "yes"),
            ("[fd12:3456::7]:1883", "yes"),
            ("[::ffff:192.168.1.7]:1883", "yes"),
            ("127.0.0.1:7123", "itself"),
            ("[::1]:7123", "itself"),
            ("[::ffff:127.0.0.1]:7123", "itself"),
            ("169.254.169.254:80", "never"),
            ("[::ffff:169.254.169.254]:80", "never"),
            ("[64:ff9b::a9fe:a9fe]:80", "never"),
            ("[::169.254.169.254]:80", "never"),
            ("[fd00:ec2::254]:80", "never"),
            ("[fe80::1]:1883", "never"),
            ("224.0.0.1:1883", "never"),
            ("[ff02::1]:1883", "never"),
            ("255.255.255.255:1883", "never"),
            ("0.0.0.0:1883", "never"),
            ("[::]:1883", "never"),
            ("0.1.2.3:1883", "never"),
            ("172.32.0.1:1883", "outside"),
            ("198.51.100.7:1883", "outside"),
            ("[2001:db8::1]:1883", "outside"),
            ("[::ffff:198.51.100.7]:1883", "outside"),
            ("[64:ff9b::c633:6407]:1883", "outside"),
        ] {
            assert_eq!(told(&rules, "broker", address), wanted, "{address}");
        }
    }

    #[test]
    fn the_owner_allows_names_addresses_and_networks() {
        let allow = ["Broker.Example", "203.0.113.0/24", "2001:db8::5"].map(str::to_owned);
        let rules = Rules::new(&allow, vec![]);
        assert_eq!(told(&rules, "broker.example", "198.51.100.7:1883"), "yes");
        assert_eq!(told(&rules, "broker.example.", "198.51.100.7:1883"), "yes");
        assert_eq!(told(&rules, "other.example", "198.51.100.7:1883"), "outside");
        assert_eq!(told(&rules, "a", "203.0.113.9:1883"), "yes");
        assert_eq!(told(&rules, "a", "[::ffff:203.0.113.9]:1883"), "yes");
        assert_eq!(told(&rules, "a", "[2001:db8::5]:1883"), "yes");
        // A name that is allowed may still not stand for what is never reached.
        assert_eq!(told(&rules, "broker.example", "169.254.169.254:80"), "never");
    }
}
