//! Where the container engine is: what `DOCKER_HOST` and its companions say, or the usual sockets.

use crate::error::Error;
use crate::http::dial::Address;
use crate::http::tls::Wish;
use std::path::{Path, PathBuf};

/// Ports of the engine's protocol without and with TLS.
const PLAIN: u16 = 2375;
const SECURE: u16 = 2376;

/// What the configuration says of an engine.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `DOCKER_HOST`: `unix:///path`, `tcp://host:port` or `https://host:port`; none looks for a socket.
    pub host: Option<String>,
    /// `DOCKER_CERT_PATH`: the folder of `ca.pem`, `cert.pem` and `key.pem`; with it, TCP is TLS.
    pub certificates: Option<PathBuf>,
}

/// An engine's address, and what people call it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) address: Address,
}

/// Reads what is asked for; `sockets` are looked for when nothing is.
///
/// # Errors
/// Invalid for what is no address of an engine or a certificate that cannot be used; Offline when
/// nothing is asked for and there is no socket.
pub(super) fn find(asked: &Asked, sockets: &[PathBuf]) -> Result<Found, Error> {
    let Some(host) = asked.host.as_deref().filter(|host| !host.is_empty()) else {
        let there = sockets.iter().find(|path| path.exists()).ok_or_else(|| {
            Error::offline(
                "no container engine: there is neither Docker's socket nor Podman's; install one or \
                 say where it is with DOCKER_HOST",
            )
        })?;
        return Ok(socket(there));
    };
    let wrong = |why: &str| {
        let shown = host.escape_debug();
        Error::invalid(format!(
            "DOCKER_HOST is '{shown}': {why}; write unix:///path or tcp://host:port"
        ))
    };
    let (scheme, rest) = host.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(socket(Path::new(rest))),
        "unix" => Err(wrong("the path of a socket begins with '/'")),
        "tcp" | "http" | "https" => {
            let secure = scheme == "https" || asked.certificates.is_some();
            let (name, port) = split(rest, if secure { SECURE } else { PLAIN })
                .ok_or_else(|| wrong("this is no host and port"))?;
            let address = match secure {
                true => Address::Tls(name, port, wish(asked.certificates.as_deref()).client()?),
                false => {
                    log::warn!(
                        "the engine at {rest} is spoken to in plain text: whoever reaches it is root \
                         there; use TLS (DOCKER_CERT_PATH)"
                    );
                    Address::Tcp(name, port)
                }
            };
            Ok(Found { name: format!("engine at {rest}"), address })
        }
        "ssh" => {
            Err(wrong("ssh is not spoken here; forward the socket: ssh -L /path:/run/docker.sock"))
        }
        _ => Err(wrong("this scheme is unknown")),
    }
}

/// The sockets that engines make when nobody says otherwise.
pub(super) fn usual() -> Vec<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own
        .iter()
        .flat_map(|folder| [folder.join("docker.sock"), folder.join("podman/podman.sock")]);
    let all = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    all.into_iter().chain(own).collect()
}

fn socket(path: &Path) -> Found {
    let podman = path.to_string_lossy().contains("podman");
    let name = if podman { "podman" } else { "docker" };
    Found { name: name.into(), address: Address::Socket(path.to_owned()) }
}

fn wish(folder: Option<&Path>) -> Wish {
    let Some(folder) = folder else { return Wish::default() };
    Wish {
        ca_files: vec![folder.join("ca.pem")],
        identity: Some((folder.join("cert.pem"), folder.join("key.pem"))),
        ..Wish::default()
    }
}

fn split(rest: &str, port: u16) -> Option<(String, u16)> {
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        // A colon within brackets is part of an IPv6 address.
        Some((host, given)) if !given.contains(']') => (host, given.parse().ok()?),
        _ => (rest, port),
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty() && !host.contains(['/', '@', '[', ']'])).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn of(host: &str) -> Result<Found, Error> {
        find(&Asked { host: Some(host.into()), certificates: None }, &[])
    }

    #[test]
    fn an_address_is_a_socket_or_a_host_and_a_port() {
        let socket = |host: &str| match of(host).unwrap().address {
            Address::Socket(path) => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(socket("unix:///run/user/1/docker.sock"), "/run/user/1/docker.sock");
        assert_eq!(of("unix:///run/podman/podman.sock").unwrap().name, "podman");
        let tcp = |host: &str| match of(host).unwrap().address {
            Address::Tcp(host, port) | Address::Tls(host, port, _) => (host, port),
            other => panic!("{other:?}"),
        };
        assert_eq!(tcp("tcp://box:1234"), ("box".into(), 1234));
        assert_eq!(tcp("tcp://box/"), ("box".into(), 2375));
        assert_eq!(tcp("https://box"), ("box".into(), 2376));
        assert_eq!(tcp("tcp://[::1]:99"), ("::1".into(), 99));
        assert_eq!(tcp("tcp://[::1]"), ("::1".into(), 2375));
    }

    #[test]
    fn what_is_no_address_is_said_and_nothing_at_all_is_offline() {
        for bad in
            ["box:1", "unix://x", "tcp://", "tcp://h:70000", "ssh://h", "npipe:////x", "tcp://u@h"]
        {
            assert_eq!(of(bad).unwrap_err().kind(), Kind::Invalid, "{bad}");
        }
        let none = find(&Asked::default(), &[PathBuf::from("/nowhere/x.sock")]).unwrap_err();
        assert_eq!(none.kind(), Kind::Offline);
        assert!(none.what().contains("DOCKER_HOST"));
    }
}
