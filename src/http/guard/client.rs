//! Where a request really comes from, with trusted proxies looked through.

use crate::config::Fault;
use crate::error::Error;
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

/// Who is at the far end, behind trusted proxies; an extension of every request that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// Whether it speaks HTTPS to a trusted proxy.
    pub is_https: bool,
    /// Whether it is a program on this machine, and no proxy stands between.
    pub is_loopback: bool,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Signs that somebody forwards for somebody else.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

impl Client {
    pub(super) fn read(peer: SocketAddr, headers: &HeaderMap, proxies: &[Net]) -> Client {
        let peer = peer.ip().to_canonical();
        let trusted = |ip: IpAddr| proxies.iter().any(|net| net.holds(ip));
        let is_forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
        if !trusted(peer) {
            let is_loopback = peer.is_loopback() && !is_forwarded;
            return Client { address: peer, is_https: false, is_loopback };
        }
        // Each proxy adds the address it was called from at the end: the last one that is no proxy of
        // ours is the client; what stands before it anybody could have written.
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let mut address = peer;
        for hop in hops.iter().rev() {
            let Some(ip) = read_hop(hop) else { break };
            address = ip;
            if !trusted(ip) {
                break;
            }
        }
        let proto = headers.get_all(FORWARDED_PROTO).iter().next_back();
        let proto = proto.and_then(|v| v.to_str().ok()).and_then(|v| v.rsplit(',').next());
        let is_https = proto.is_some_and(|p| p.trim().eq_ignore_ascii_case("https"));
        Client { address, is_https, is_loopback: false }
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn read_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<SocketAddr>().map(|a| a.ip());
    let address = address.or_else(|_| hop.trim_matches(['[', ']']).parse());
    address.ok().map(|ip| ip.to_canonical())
}

/// A network of addresses, such as `172.16.0.0/12`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    base: IpAddr,
    bits: u32,
}

impl Net {
    /// Reads a list of the configuration.
    ///
    /// # Errors
    /// Invalid, naming the entry.
    pub fn read_all(list: &[String]) -> Result<Vec<Net>, Error> {
        Fault::refuse(Net::faults(list))?;
        Ok(list.iter().filter_map(|text| Net::read(text)).collect())
    }

    /// Returns what is wrong in a list of the configuration.
    pub(crate) fn faults(list: &[String]) -> Vec<Fault> {
        let wrong = list.iter().filter(|text| Net::read(text).is_none());
        let fault = |text: &String| {
            let shown = text.escape_debug();
            let what = format!("'{shown}' is no address (192.168.1.2) or network (172.16.0.0/12)");
            Fault::new("http.trusted_proxies", what)
        };
        wrong.map(fault).collect()
    }

    fn read(text: &str) -> Option<Net> {
        let (base, bits) = match text.trim().split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u32>().ok()?)),
            None => (text.trim(), None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Net { base, bits })
    }

    /// Whether the network holds this address.
    pub fn holds(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let differ = base.to_bits() ^ ip.to_bits();
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let differ = base.to_bits() ^ ip.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> Client {
        let proxies = Net::read_all(&["10.0.0.0/8".into(), "127.0.0.1".into()]).unwrap();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        Client::read(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &proxies)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let check = |peer: &str, forwarded: &[&str], want: &str| {
            let got = client(peer, forwarded).address;
            assert_eq!(got, want.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        };
        check("192.0.2.9", &["198.51.100.1"], "192.0.2.9");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.7, 198.51.100.1, 10.1.1.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.7", "198.51.100.1:4711"], "198.51.100.1");
        check("10.0.0.1", &["nonsense"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("::ffff:10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1");
    }

    #[test]
    fn a_forwarded_request_is_never_from_this_machine() {
        assert!(!client("127.0.0.1", &[]).is_loopback, "the address is a trusted proxy's");
        assert!(client("::1", &[]).is_loopback);
        assert!(!client("::1", &["192.0.2.1"]).is_loopback);
        assert!(!client("10.0.0.1", &["127.0.0.1"]).is_loopback);
    }

    #[test]
    fn networks_are_read_and_hold_their_addresses() {
        let holds = |net: &str, ip: &str| Net::read(net).map(|n| n.holds(ip.parse().unwrap()));
        assert_eq!(holds("172.16.0.0/12", "172.31.255.255"), Some(true));
        assert_eq!(holds("172.16.0.0/12", "172.32.0.0"), Some(false));
        assert_eq!(holds("0.0.0.0/0", "203.0.113.1"), Some(true));
        assert_eq!(holds("fd00::/8", "fdff::1"), Some(true));
        assert_eq!(holds("::/0", "203.0.113.1"), Some(false));
        assert_eq!(holds("192.0.2.1", "192.0.2.1"), Some(true));
        assert_eq!(holds("192.0.2.1/33", "192.0.2.1"), None);
        let e = Net::read_all(&["proxy".into()]).unwrap_err();
        assert!(e.to_string().contains("'proxy' is no address"), "{e}");
    }
}
