//! What is answered without a token: the written list, and nothing else of any route there is.

use crate::harness::{Folder, Hearth, hearth};
use crate::http::house::{House, Plan};
use crate::http::raw::Raw;
use hearth::http::guard::{PUBLIC, Public};
use std::net::SocketAddr;
use std::path::Path;

#[test]
fn the_public_paths_are_the_written_ones() {
    let mut now = String::new();
    for row in PUBLIC {
        now += &format!("{:4} {:16} {}\n", row.method, row.path, row.why);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/public-paths.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        now, written,
        "the paths that are answered without a token changed; if that is meant, run the tests with \
         UPDATE=1 and have the change to tests/golden/public-paths.txt reviewed"
    );
}

/// Every path of a router, from what it prints about itself.
fn paths(printed: &str) -> Vec<String> {
    let start = printed.find("paths: {").expect("the router prints its paths");
    let mut all: Vec<String> = printed[start..]
        .split("RouteId(")
        .filter_map(|part| Some(part.split('"').nth(1)?.to_owned()))
        .filter(|path| path.starts_with('/'))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Asserts that of all routes only the public ones answer without a token.
fn assert_closed(at: SocketAddr, paths: &[String]) {
    for path in paths {
        let path = path.replace(['{', '}', '*'], "x");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
        {
            let mut raw = Raw::connect(at);
            raw.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Length: 0\r\n\r\n"
            ));
            let (_, answer) = raw.until_end();
            let closed = answer.starts_with(b"HTTP/1.1 401");
            let same = |row: &&Public| row.method == if method == "HEAD" { "GET" } else { method };
            let is_public =
                PUBLIC.iter().filter(same).any(|row| match row.path.strip_suffix('*') {
                    Some(prefix) => path.starts_with(prefix),
                    None => path == row.path,
                });
            // The login form answers 401 as well: an empty token is a wrong one.
            let form = method == "POST" && path == "/login";
            let shown = String::from_utf8_lossy(&answer);
            assert!(closed != is_public || form, "{method} {path}: {shown}");
        }
    }
}

#[test]
fn no_route_but_the_public_ones_answers_without_a_token() {
    let house = House::with(Plan { guarded: true, ..Plan::default() });
    let mut paths = paths(&format!("{:?}", crate::http::house::routes(Default::default())));
    for known in ["/", "/who", "/health", "/count"] {
        assert!(paths.iter().any(|path| path == known), "{known} is not in {paths:?}");
    }
    paths.push("/nowhere".into());
    assert_closed(house.at, &paths);
}

#[test]
fn no_route_of_the_program_but_the_public_ones_answers_without_a_token() {
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["demo", "--port", "0"]).env("LOG_LEVEL", "trace");
    let token = folder.path().join("demo-token");
    let mut hearth = Hearth::start(command, folder);
    hearth.token = std::fs::read_to_string(token).unwrap().trim().to_owned();
    hearth.until_ready();
    let log = hearth.log();
    let line = log.lines().find(|line| line.contains("http answers with Router")).unwrap();
    let mut paths = paths(line);
    for known in ["/", "/mcp", "/events", "/metrics", "/login", "/logout", "/health", "/ready"] {
        assert!(paths.iter().any(|path| path == known), "{known} is not in {paths:?}");
    }
    let (_, told) = hearth.get("/api/nowhere");
    let told = told["error"]["message"].as_str().unwrap().to_owned();
    let (_, told) = told.split_once("there is: ").unwrap();
    let mut api: Vec<&str> =
        paths.iter().map(String::as_str).filter(|path| path.starts_with("/api/")).collect();
    api.push("/events");
    api.sort_unstable();
    assert!(api.len() > 5, "{api:?}");
    assert_eq!(told.split(", ").collect::<Vec<_>>(), api, "whoever asks is told what there is");
    paths.push("/nowhere".into());
    let at = hearth.url.strip_prefix("http://").unwrap().parse().unwrap();
    assert_closed(at, &paths);
}
