//! Open advisories against the locked crates and the compiler's own library.

use std::path::{Path, PathBuf};
use std::process::Command;

use semver::{Version, VersionReq};
use serde::Deserialize;

#[derive(Deserialize)]
struct Advisory {
    advisory: About,
    #[serde(default)]
    affected: Affected,
    versions: Versions,
}

#[derive(Deserialize)]
struct About {
    id: String,
    package: String,
    withdrawn: Option<String>,
    informational: Option<String>,
}

#[derive(Default, Deserialize)]
struct Affected {
    #[serde(default)]
    os: Vec<String>,
}

#[derive(Deserialize)]
struct Versions {
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    #[serde(default)]
    accepted: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    package: String,
    reason: String,
}

/// A crate and its version; `std` stands for the compiler's library.
type Package = (String, Version);

impl Advisory {
    /// Reads the TOML block at the head of an advisory's file.
    fn read(text: &str) -> Result<Advisory, String> {
        let head = text.trim_start().strip_prefix("```toml").ok_or("it has no TOML block")?;
        let (head, _) = head.split_once("\n```").ok_or("its TOML block has no end")?;
        toml::from_str(head).map_err(|e| e.to_string())
    }

    /// True when the advisory is open and this version is neither repaired nor untouched. A
    /// pre-release counts as touched unless a range names it, which errs on the safe side.
    fn touches(&self, version: &Version) -> bool {
        let elsewhere = !self.affected.os.is_empty() && !self.affected.os.contains(&"linux".into());
        let mut safe = self.versions.patched.iter().chain(&self.versions.unaffected);
        self.advisory.withdrawn.is_none() && !elsewhere && !safe.any(|range| range.matches(version))
    }
}

/// The advisories that the database holds against these packages' names.
fn advisories(database: &Path, packages: &[Package]) -> Vec<Advisory> {
    let mut found = Vec::new();
    for (name, _) in packages {
        let kind = if name == "std" { "rust" } else { "crates" };
        for path in super::files_below(&database.join(kind).join(name), ".md") {
            let advisory = Advisory::read(&super::read(&path))
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(advisory.advisory.package, *name, "{}", path.display());
            found.push(advisory);
        }
    }
    found.dedup_by(|a, b| a.advisory.id == b.advisory.id);
    found
}

/// One sentence per open advisory that is not accepted, and per row that accepts nothing.
fn faults(advisories: &[Advisory], packages: &[Package], accepted: &Accepted) -> Vec<String> {
    let mut faults = Vec::new();
    let mut used = Vec::new();
    for (name, version) in packages {
        for advisory in advisories.iter().filter(|a| a.advisory.package == *name) {
            let About { id, informational, .. } = &advisory.advisory;
            if !advisory.touches(version) {
                continue;
            }
            match accepted.accepted.iter().find(|row| row.id == *id && row.package == *name) {
                Some(row) => used.push(&row.id),
                None => faults.push(format!(
                    "{name} {version}: {id} ({})",
                    informational.as_deref().unwrap_or("vulnerability")
                )),
            }
        }
    }
    for row in &accepted.accepted {
        if row.reason.trim().len() < 10 {
            faults.push(format!("{} is accepted without a reason", row.id));
        }
        if !used.contains(&&row.id) {
            faults.push(format!("{} is accepted, but {} is free of it", row.id, row.package));
        }
    }
    faults
}

/// The crates of a lock file that came from the registry.
fn locked(lock: &str) -> Vec<Package> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        version: Version,
        source: Option<String>,
    }
    let lock: Lock = toml::from_str(lock).expect("Cargo.lock");
    let outside = lock.package.into_iter().filter(|entry| entry.source.is_some());
    outside.map(|entry| (entry.name, entry.version)).collect()
}

/// The version of the compiler, whose library is inside the program.
fn compiler() -> Package {
    let answer = Command::new("rustc").arg("--version").output().expect("rustc starts");
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let version = text.split(' ').nth(1).expect("rustc says its version");
    ("std".to_owned(), Version::parse(version).expect("rustc's version"))
}

/// The folder of the database: named by `ADVISORY_DB`, else beside the repository if it is there.
fn database() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ADVISORY_DB").filter(|v| !v.is_empty()) {
        let named = super::root().join(named);
        assert!(named.join("crates").is_dir(), "ADVISORY_DB={} has no crates/", named.display());
        return Some(named);
    }
    let beside = super::root().join("../shared/data/advisory-db");
    beside.join("crates").is_dir().then_some(beside)
}

#[test]
fn no_package_has_an_open_advisory() {
    let Some(database) = database() else {
        // scripts/test names this among its last lines
        eprintln!("skipped: no advisory database; set ADVISORY_DB to a copy of RustSec's");
        return;
    };
    let accepted: Accepted =
        toml::from_str(&super::read(&super::root().join("scripts/advisories.toml")))
            .expect("scripts/advisories.toml");
    let mut packages = locked(&super::read(&super::root().join("Cargo.lock")));
    assert!(packages.len() > 100, "Cargo.lock names {} crates only", packages.len());
    packages.push(compiler());
    let faults = faults(&advisories(&database, &packages), &packages, &accepted);
    assert!(faults.is_empty(), "see scripts/advisories.toml:\n{}", faults.join("\n"));
}

/// The file of an advisory against the crate `planted`.
fn file(body: &str) -> String {
    let head = format!("[advisory]\nid = \"RUSTSEC-1\"\npackage = \"planted\"\n{body}");
    format!("```toml\n{head}\n```\n\n# Bad\n")
}

fn planted(body: &str) -> [Advisory; 1] {
    [Advisory::read(&file(body)).expect("an advisory")]
}

fn crate_at(version: &str) -> [Package; 1] {
    [("planted".to_owned(), Version::parse(version).expect("a version"))]
}

#[test]
fn a_version_is_held_against_the_ranges() {
    let ranges = "[versions]\npatched = [\">= 1.4.2\", \"^0.9.7\"]\nunaffected = [\"< 0.5\"]";
    for (version, clean) in [
        ("0.4.9", true),
        ("0.5.0", false),
        ("0.9.6", false),
        ("0.9.7", true),
        ("1.0.0", false),
        ("1.4.1", false),
        ("1.4.2", true),
        ("1.4.2-rc.1", false),
        ("1.10.0", true),
        ("2.0.0", true),
    ] {
        let faults = faults(&planted(ranges), &crate_at(version), &Accepted::default());
        assert_eq!(faults.is_empty(), clean, "{version}: {faults:?}");
    }
}

#[test]
fn unrepaired_withdrawn_and_foreign_advisories_are_told_apart() {
    for (body, count) in [
        ("[versions]\npatched = []", 1),
        ("informational = \"unmaintained\"\n[versions]\npatched = []", 1),
        ("withdrawn = \"2024-01-01\"\n[versions]\npatched = []", 0),
        ("[affected]\nos = [\"windows\"]\n[versions]\npatched = []", 0),
        ("[affected]\nos = [\"linux\"]\n[versions]\npatched = []", 1),
    ] {
        let faults = faults(&planted(body), &crate_at("1.0.0"), &Accepted::default());
        assert_eq!(faults.len(), count, "{body}: {faults:?}");
    }
}

#[test]
fn an_accepted_advisory_needs_a_reason_and_a_cause() {
    let advisories = planted("[versions]\npatched = [\">= 2.0.0\"]");
    let with = |reason: &str| -> Accepted {
        toml::from_str(&format!(
            "[[accepted]]\nid = 'RUSTSEC-1'\npackage = 'planted'\nreason = '{reason}'"
        ))
        .expect("rows")
    };
    let reason = "the bad function is never called";
    assert!(faults(&advisories, &crate_at("1.0.0"), &with(reason)).is_empty());
    assert_eq!(faults(&advisories, &crate_at("1.0.0"), &with("")).len(), 1, "no reason");
    assert_eq!(faults(&advisories, &crate_at("2.0.0"), &with(reason)).len(), 1, "no cause");
}

#[test]
fn a_lock_file_gives_the_crates_of_the_registry() {
    let lock = "[[package]]\nname = 'hearth'\nversion = '0.1.0'\n\
        [[package]]\nname = 'planted'\nversion = '1.2.3'\nsource = 'registry+https://x'";
    assert_eq!(locked(lock), crate_at("1.2.3"));
}

#[test]
fn the_database_is_read_by_the_names_of_the_packages() {
    let database = Path::new(env!("CARGO_TARGET_TMPDIR")).join("advisory-db");
    let home = database.join("crates/planted");
    std::fs::create_dir_all(&home).expect("a folder");
    let text = file("[versions]\npatched = [\">= 2.0.0\"]");
    std::fs::write(home.join("RUSTSEC-1.md"), text).expect("a file");
    let packages = crate_at("1.0.0");
    let found = advisories(&database, &packages);
    let faults = faults(&found, &packages, &Accepted::default());
    assert_eq!(faults, ["planted 1.0.0: RUSTSEC-1 (vulnerability)"]);
    let other = ("sound".to_owned(), Version::new(1, 0, 0));
    assert!(advisories(&database, &[other]).is_empty());
}

#[test]
fn a_file_that_is_no_advisory_is_not_passed_over() {
    assert!(Advisory::read("# Bad\n").is_err());
    assert!(Advisory::read("```toml\n[advisory]\n").is_err());
    assert!(Advisory::read(&file("[versions]\npatched = [\"soon\"]")).is_err());
}
