//! The shape of the house: who may use whom, who owns which package, how large things may be.
//!
//! Reads `src/lib.rs` for the groups, every `crate::name` in `src/` for the edges, and `Cargo.toml`
//! for the packages. Standard library only, so that it runs first and fast.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules that may name each package; `*` stands for every module.
const OWNERS: &[(&str, &[&str])] = &[
    ("alsa", &["aurora"]),
    ("axum", &["http"]),
    ("base64", &["mcp", "mqtt", "orchestrator", "policy"]),
    ("bollard", &["orchestrator"]),
    ("bytes", &["http", "mcp"]),
    ("dotenvy", &["app"]),
    ("env_logger", &["app"]),
    ("flate2", &["mqtt", "web"]),
    ("futures_util", &["*"]),
    ("getrandom", &["aurora", "demo", "http", "mcp", "mqtt", "orchestrator", "policy"]),
    ("http", &["http", "mcp"]),
    ("http_body", &["http", "mcp"]),
    ("http_body_util", &["http", "mcp"]),
    ("hyper", &["http"]),
    ("hyper_util", &["http"]),
    ("idna_adapter", &[]),
    ("jiff", &["home", "mqtt", "plugins", "web"]),
    ("landlock", &["orchestrator"]),
    ("lexopt", &["app"]),
    ("log", &["*"]),
    ("mdns_sd", &["http"]),
    ("microfft", &["aurora"]),
    ("minijinja", &["demo"]),
    ("mlua", &["plugins"]),
    ("nix", &["app", "aurora", "http", "mcp", "orchestrator", "plugins", "store"]),
    ("prometheus_client", &["web"]),
    ("redb", &["store"]),
    ("redis", &["store"]),
    ("regex_lite", &["mqtt"]),
    ("ring", &["aurora", "policy"]),
    ("rmcp", &["mcp"]),
    ("rustls", &["http"]),
    ("rumqttc_v4", &["mqtt"]),
    ("rumqttc_v5", &["mqtt"]),
    ("schemars", &["config", "mcp", "orchestrator"]),
    ("seccompiler", &["orchestrator"]),
    ("serde", &["*"]),
    ("serde_json", &["*"]),
    ("sha2", &["mqtt", "orchestrator", "policy"]),
    ("strsim", &["home", "mcp"]),
    ("subtle", &["policy"]),
    ("symphonia", &["aurora"]),
    ("tiny_http", &["http"]),
    ("tokio", &["*"]),
    ("tokio_rustls", &["http"]),
    ("tokio_tungstenite", &["demo", "home", "mqtt"]),
    ("tokio_util", &["*"]),
    ("toml", &["app", "config", "orchestrator"]),
    ("tower", &["http", "mcp"]),
    ("tower_http", &["http"]),
    ("tracing", &[]),
    ("ureq", &["http"]),
    ("webpki_roots", &["http"]),
    ("wide", &["aurora"]),
];

/// Words of services that the faces below them must not know.
const FACES: &[&str] = &["policy", "http", "mcp", "web"];
const SERVICES: &[&str] = &["home", "mqtt", "talk", "aurora", "devices", "orchestrator", "plugins"];

/// Tables and lists may be longer than other files.
const LONG_FILES: &[&str] = &[];

#[test]
fn modules_use_only_groups_above_their_own() {
    let groups = groups();
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path).and_then(|m| groups.get(&m).map(|g| (m, *g))) else {
            continue;
        };
        for (number, line) in code_lines(&text) {
            for used in names_after(line, "crate::") {
                let Some(group) = groups.get(&used) else { continue };
                if used != own.0 && *group >= own.1 {
                    faults.push(format!("{}:{number}: {} may not use {used}", short(&path), own.0));
                }
            }
            if line.contains("use crate::{") || line.contains("super::super") {
                faults.push(format!("{}:{number}: write whole crate:: paths", short(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_package_has_an_owner_and_only_owners_name_it() {
    let owners: BTreeMap<&str, &[&str]> = OWNERS.iter().copied().collect();
    let packages = packages();
    let mut faults = Vec::new();
    for package in &packages {
        if !owners.contains_key(package.as_str()) {
            faults.push(format!("Cargo.toml: {package} has no row in OWNERS (tests/it/layers.rs)"));
        }
    }
    for owned in owners.keys() {
        if !packages.iter().any(|p| p == owned) {
            faults.push(format!("OWNERS has a row for {owned}, which Cargo.toml does not name"));
        }
    }
    for (path, text) in sources() {
        let Some(own) = module(&path) else { continue };
        // Our own module of the same name as a package: `http`.
        let ours = |package: &str| {
            let own = format!("use crate::{package}");
            text.contains(&format!("{own};")) || text.contains(&format!("{own}::{{self"))
        };
        let foreign: Vec<_> = owners.iter().filter(|(package, _)| !ours(package)).collect();
        for (number, line) in code_lines(&text) {
            for (package, may) in &foreign {
                if names_package(line, package) && !may.contains(&"*") && !may.contains(&&*own) {
                    faults.push(format!("{}:{number}: {own} may not use {package}", short(&path)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn faces_know_no_service() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !module(&path).is_some_and(|m| FACES.contains(&&*m)) {
            continue;
        }
        for (number, line) in code_lines(&text) {
            for service in SERVICES {
                if names_after(line, "crate::").iter().any(|n| n == service) {
                    faults.push(format!("{}:{number}: knows {service}", short(&path)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn only_tasks_starts_tasks_and_threads() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if short(&path) == "src/tasks.rs" {
            continue;
        }
        for (number, line) in code_lines(&text) {
            for call in ["tokio::spawn(", "thread::spawn(", "spawn_blocking(", "thread::Builder"] {
                if line.contains(call) {
                    faults.push(format!("{}:{number}: {call} belongs to tasks", short(&path)));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > 500 && !LONG_FILES.contains(&&*short(&path)) {
            faults.push(format!("{} has {lines} lines; 500 is the cap", short(&path)));
        }
        let is_test = path.to_string_lossy().ends_with("tests.rs")
            || path.to_string_lossy().contains("/tests/");
        if !is_test && !text.starts_with("//!") {
            faults.push(format!("{} does not begin with a //! line", short(&path)));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Module name to the number of its group in `src/lib.rs`.
fn groups() -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let (mut groups, mut group, mut gap) = (BTreeMap::new(), 0, true);
    for line in text.lines() {
        match line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            Some(name) => {
                group += usize::from(gap);
                gap = false;
                groups.insert(name.to_owned(), group);
            }
            None if line.trim().is_empty() => gap = true,
            None => {}
        }
    }
    assert!(groups.len() > 5, "src/lib.rs could not be read as groups: {groups:?}");
    groups
}

fn packages() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let start = text.find("\n[dependencies]\n").unwrap() + "\n[dependencies]\n".len();
    let section = text[start..].split("\n[").next().unwrap();
    let name = |line: &str| line.split_once(" =").map(|(n, _)| n.trim().replace('-', "_"));
    section.lines().filter(|l| !l.starts_with('#')).filter_map(name).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, out: &mut Vec<(PathBuf, String)>) {
        let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap()).collect();
        entries.sort_by_key(|e| e.file_name());
        for entry in entries {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != "node_modules" {
                    walk(&path, out);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    walk(&root().join("src"), &mut out);
    out
}

/// The module a file belongs to: the first name below `src/`.
fn module(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("src")).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib" && name != "main").then(|| name.to_owned())
}

/// Numbered lines without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The names that follow `prefix` in a line.
fn names_after(line: &str, prefix: &str) -> Vec<String> {
    let name = |rest: &str| {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    line.match_indices(prefix).map(|(at, _)| name(&line[at + prefix.len()..])).collect()
}

/// Whether a line names a package: `package::`, not as part of a longer path or name.
fn names_package(line: &str, package: &str) -> bool {
    line.match_indices(&format!("{package}::")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_check_itself_finds_what_it_looks_for() {
    assert_eq!(names_after("use crate::home::Home; crate::mqtt::x()", "crate::"), ["home", "mqtt"]);
    assert!(names_package("    let x = redis::cmd(\"PING\");", "redis"));
    assert!(!names_package("use crate::redis::Thing;", "redis"));
    assert!(!names_package("my_redis::cmd()", "redis"));
}
