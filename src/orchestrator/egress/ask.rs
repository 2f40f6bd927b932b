//! What a client asks of the proxy: `CONNECT host:port` (RFC 9110, section 9.3.6). Pure.

/// A longer request is none.
pub(super) const LONGEST: usize = 8 << 10;

/// What came so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Not whole yet.
    More,
    /// A host in lower case without the last dot, its port, and where the request ends.
    Connect { host: String, port: u16, end: usize },
    /// Something else: status and words.
    Wrong(u16, &'static str),
}

/// Reads the head of a request.
pub(super) fn read(bytes: &[u8]) -> Asked {
    let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else {
        return match bytes.len() < LONGEST {
            true => Asked::More,
            false => Asked::Wrong(431, "the request is too long"),
        };
    };
    let line = bytes[..end].split(|b| *b == b'\r').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return Asked::Wrong(400, "the request is no text");
    };
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Asked::Wrong(400, "this is no HTTP/1 request");
    }
    if method != Some("CONNECT") {
        return Asked::Wrong(405, "this way out takes CONNECT only: use https");
    }
    match target.and_then(split) {
        Some((host, port)) => Asked::Connect { host, port, end: end + 4 },
        None => Asked::Wrong(400, "CONNECT takes host:port"),
    }
}

fn split(target: &str) -> Option<(String, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    let is_host = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_host.then_some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connect_is_understood() {
        let connect = b"CONNECT API.Example.com.:443 HTTP/1.1\r\nHost: x\r\n\r\nrest";
        let (host, end) = ("api.example.com".to_owned(), connect.len() - 4);
        assert_eq!(read(connect), Asked::Connect { host, port: 443, end });
        assert_eq!(read(b"CONNECT a:1 HTTP/1.1\r\n"), Asked::More);
        let v6 = read(b"CONNECT [::1]:8 HTTP/1.0\r\n\r\n");
        assert!(matches!(v6, Asked::Connect { host, port: 8, .. } if host == "::1"));
        for (bytes, status) in [
            (&b"GET http://a/ HTTP/1.1\r\n\r\n"[..], 405),
            (b"CONNECT a HTTP/1.1\r\n\r\n", 400),
            (b"CONNECT a:99999 HTTP/1.1\r\n\r\n", 400),
            (b"CONNECT a/b:1 HTTP/1.1\r\n\r\n", 400),
            (b"CONNECT a:1\r\n\r\n", 400),
            (b"\xff\xff a HTTP/1.1\r\n\r\n", 400),
            (&[b'a'; LONGEST], 431),
        ] {
            assert!(matches!(read(bytes), Asked::Wrong(said, _) if said == status), "{bytes:?}");
        }
    }
}
