//! What is answered without a token: the written list, and nothing else of any route there is.

use crate::http::house::{House, Plan};
use crate::http::raw::Raw;
use hearth::http::guard::PUBLIC;
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
pub(crate) fn paths(router: &hearth::http::Router) -> Vec<String> {
    let text = format!("{router:?}");
    let start = text.find("paths: {").expect("the router prints its paths") + "paths: {".len();
    let list = &text[start..];
    let list = &list[..list.find("\n").map_or(list.len(), |_| list.len())];
    let mut all: Vec<String> = list
        .split("RouteId(")
        .filter_map(|part| Some(part.split('"').nth(1)?.to_owned()))
        .filter(|path| path.starts_with('/'))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Asserts that no route but the public ones answers without a token.
pub(crate) fn assert_closed(house: &House, paths: &[String]) {
    for path in paths {
        let path = path.replace(['{', '}', '*'], "x");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            let mut raw = Raw::connect(house.at);
            let head =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let status = raw.send(head).answer().status;
            let is_public = PUBLIC.iter().any(|row| {
                row.method == method
                    && row.path.strip_suffix('*').map_or(row.path == path, |p| path.starts_with(p))
            });
            assert_eq!(status == 401 && !is_public, !is_public, "{method} {path}: {status}");
        }
    }
}

#[test]
fn no_route_but_the_public_ones_answers_without_a_token() {
    let router = crate::http::house::routes(Default::default());
    let mut paths = paths(&router);
    assert!(
        ["/", "/who", "/health", "/count"].iter().all(|p| paths.iter().any(|q| q == p)),
        "{paths:?}"
    );
    paths.push("/nowhere".into());
    let house = House::with(Plan { guarded: true, ..Plan::default() });
    assert_closed(&house, &paths);
}
