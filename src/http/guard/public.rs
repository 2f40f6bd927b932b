//! The paths that are answered without a token. There is no other list of them.

use axum::http::Method;

/// A path that needs no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public {
    /// `GET` (which holds `HEAD`) or `POST`.
    pub method: &'static str,
    /// A path, or with `/*` at its end everything below it.
    pub path: &'static str,
    /// Why it may be public.
    pub why: &'static str,
}

const fn row(method: &'static str, path: &'static str, why: &'static str) -> Public {
    Public { method, path, why }
}

/// Every path that is answered without a token. A golden test holds the list.
pub const PUBLIC: &[Public] = &[
    row("GET", "/health", "whether Hearth runs; no detail without a token"),
    row("GET", "/ready", "whether everything is reachable; no detail without a token"),
    row("GET", "/.well-known/*", "how a client connects"),
    row("GET", "/login", "the login page"),
    row("POST", "/login", "takes a token, gives a session"),
    row("GET", "/assets/*", "scripts and styles of the pages; the same in every Hearth"),
];

/// Whether `PUBLIC` lists it.
pub(super) fn is_public(method: &Method, path: &str) -> bool {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    PUBLIC.iter().any(|row| row.method == method && matches(row.path, path))
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()),
        None => pattern == path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_paths_are_public() {
        let check = |method: Method, path: &str, want: bool| {
            assert_eq!(is_public(&method, path), want, "{method} {path}");
        };
        check(Method::GET, "/health", true);
        check(Method::HEAD, "/health", true);
        check(Method::POST, "/health", false);
        check(Method::GET, "/health/", false);
        check(Method::GET, "//health", false);
        check(Method::GET, "/.well-known/mcp-config", true);
        check(Method::GET, "/.well-known/", false);
        check(Method::POST, "/login", true);
        check(Method::DELETE, "/login", false);
        check(Method::GET, "/", false);
        check(Method::POST, "/mcp", false);
    }
}
