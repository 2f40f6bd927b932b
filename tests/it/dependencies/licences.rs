//! Licences, of the crates in the shipped files and of the npm packages in the pages and tests.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, ParseMode};

/// Old manifests write `MIT/Apache-2.0` for a choice; nothing else is bent.
const MODE: ParseMode = ParseMode { allow_slash_as_or_operator: true, ..ParseMode::STRICT };

/// The targets whose dependencies are shipped, and the one that tests run on.
const TARGETS: &[&str] =
    &["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-unknown-linux-gnu"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    allow: Vec<String>,
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    package: String,
    licence: String,
    reason: String,
}

/// A package and what its manifest says, if anything.
struct Package {
    name: String,
    licence: Option<String>,
}

/// One sentence per package that breaks the rules, and per exception that nothing needs.
fn faults(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        let said = package.licence.as_deref().unwrap_or("no licence");
        if rules.exception.iter().any(|e| e.package == package.name && e.licence == said) {
            continue;
        }
        let fits = Expression::parse_mode(said, MODE)
            .is_ok_and(|it| it.evaluate(|one| rules.allow.contains(&one.to_string())));
        if !fits {
            faults.push(format!("{} has {said}, which the list does not allow", package.name));
        }
    }
    for exception in &rules.exception {
        let Exception { package, licence, reason } = exception;
        if reason.trim().len() < 10 {
            faults.push(format!("the exception for {package} gives no reason"));
        }
        if !packages
            .iter()
            .any(|p| p.name == *package && p.licence.as_deref().unwrap_or("no licence") == licence)
        {
            faults.push(format!("the exception for {package} ({licence}) is not needed"));
        }
    }
    faults
}

/// The crates that cargo would build for a target.
fn crates(target: &str) -> Vec<Package> {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
        .current_dir(super::root())
        .output()
        .expect("cargo starts");
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "cargo metadata for {target}: {words}");
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        name: String,
        license: Option<String>,
    }
    let metadata: Metadata = serde_json::from_slice(&answer.stdout).expect("cargo's JSON");
    metadata.packages.into_iter().map(|r| Package { name: r.name, licence: r.license }).collect()
}

/// The packages of an npm lock file; its own entry and links to folders of ours are left out.
fn npm_packages(lock: &str) -> Vec<Package> {
    let lock: serde_json::Value = serde_json::from_str(lock).expect("an npm lock file is JSON");
    let rows = lock["packages"].as_object().expect("an npm lock file of version 2 or 3");
    rows.iter()
        .filter(|(path, row)| path.contains("node_modules/") && row["link"] != true)
        .map(|(path, row)| Package {
            name: path.rsplit("node_modules/").next().unwrap_or(path).to_owned(),
            licence: row["license"].as_str().map(str::to_owned),
        })
        .collect()
}

fn rules(text: &str) -> Rules {
    toml::from_str(text).expect("the licence rules")
}

#[test]
fn every_package_has_a_licence_on_the_list() {
    let rules = rules(&super::read(&super::root().join("scripts/licences.toml")));
    let mut packages: Vec<Package> = TARGETS.iter().flat_map(|target| crates(target)).collect();
    assert!(packages.len() > 100, "cargo names {} crates only", packages.len());
    for lock in super::files_below(super::root(), "package-lock.json") {
        packages.extend(npm_packages(&super::read(Path::new(&lock))));
    }
    packages.sort_by(|a, b| (&a.name, &a.licence).cmp(&(&b.name, &b.licence)));
    packages.dedup_by(|a, b| a.name == b.name && a.licence == b.licence);
    let faults = faults(&rules, &packages);
    assert!(faults.is_empty(), "see scripts/licences.toml:\n{}", faults.join("\n"));
}

#[test]
fn a_licence_is_judged_by_all_its_words() {
    let rules = rules(r#"allow = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]"#);
    for (licence, allowed) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("MIT/GPL-3.0-only", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND ISC", true),
        ("MIT OR (GPL-3.0-only AND ISC)", true),
        ("GPL-3.0-only OR (MIT AND AGPL-3.0-only)", false),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT WITH LLVM-exception", false),
        ("MIT-like", false),
        ("SEE LICENSE IN LICENSE.md", false),
        ("", false),
    ] {
        let package = Package { name: "planted".into(), licence: Some(licence.into()) };
        assert_eq!(faults(&rules, &[package]).is_empty(), allowed, "{licence:?}");
    }
    let silent = Package { name: "planted".into(), licence: None };
    assert_eq!(faults(&rules, &[silent]).len(), 1, "a package without a licence");
}

#[test]
fn an_exception_needs_a_reason_and_a_package() {
    let gpl = || [Package { name: "planted".into(), licence: Some("GPL-3.0-only".into()) }];
    let with = |reason: &str, licence: &str| {
        rules(&format!(
            "allow = []\n[[exception]]\npackage = 'planted'\nlicence = '{licence}'\nreason = '{reason}'"
        ))
    };
    let reason = "a tool that is not shipped";
    assert!(faults(&with(reason, "GPL-3.0-only"), &gpl()).is_empty());
    assert_eq!(faults(&with("", "GPL-3.0-only"), &gpl()).len(), 1, "no reason");
    assert_eq!(faults(&with(reason, "AGPL-3.0-only"), &gpl()).len(), 2, "its licence changed");
    assert_eq!(faults(&with(reason, "GPL-3.0-only"), &[]).len(), 1, "nothing needs it");
}

#[test]
fn npm_packages_are_read_from_the_lock() {
    let packages = npm_packages(
        r#"{"packages": {
            "": {"name": "ours"},
            "node_modules/a": {"license": "MIT"},
            "node_modules/a/node_modules/@scope/b": {"license": "GPL-3.0-only"},
            "node_modules/ours": {"link": true}}}"#,
    );
    let names: Vec<_> = packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "@scope/b"]);
    let faults = faults(&rules(r#"allow = ["MIT"]"#), &packages);
    assert_eq!(faults, ["@scope/b has GPL-3.0-only, which the list does not allow"]);
}
