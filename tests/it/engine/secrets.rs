//! A server's environment reaches the server, and nobody who looks from outside.

use crate::engine::rig::{Peer, Which, engine, order, suite};
use hearth::config::Secret;
use hearth::orchestrator::sandbox::{Order, Place as _};
use std::path::Path;

suite!(a_secret_reaches_the_server_and_stands_in_no_argument_description_or_file);

async fn a_secret_reaches_the_server_and_stands_in_no_argument_description_or_file(which: Which) {
    let Some(place) = engine(which, "secret").await else { return };
    // Put together here, so that this program does not hold it either.
    let canary = format!("{}-{}-{}", "canary", std::process::id(), which.name());
    let mut order = order("secret", "one");
    order.environment.insert("API_KEY".into(), Secret::new(canary.clone()));
    let sandbox = place.engine.start(&order).await.unwrap();
    let (id, hold) = (sandbox.id.clone(), sandbox.hold.clone());
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    let (said, code) = peer.shell("echo got $API_KEY, home $HOME").await;
    assert!(code == 0 && said.contains(&format!("got {canary}, home /tmp")), "{said}");

    let (done, inspected) = place.client(&["inspect", &id]);
    assert!(done && inspected.contains("sandbox-first"), "{inspected}");
    assert!(!inspected.contains(&canary), "{inspected}");
    assert!(!place.client(&["logs", &id]).1.contains(&canary));
    let (arguments, environments) = processes(&canary);
    assert!(arguments.is_empty(), "{arguments:?}");
    // What the search is worth: the server itself is found, and nobody outside the sandbox.
    assert!(!environments.is_empty());
    for part in ["containers", "volumes", "run", "../run", "libpod", "overlay-containers"] {
        let found = search(&place.folder.join("data").join(part), canary.as_bytes());
        assert_eq!(found, None);
    }
    // The same search finds what is on the disk.
    let (_, name) = place.client(&[
        "run",
        "-d",
        "--network",
        "none",
        "--label",
        &format!("hearth.node=test-secret-{canary}"),
        "--entrypoint",
        "/bin/sleep",
        crate::engine::rig::IMAGE,
        "30",
    ]);
    let on_disk = ["containers", "libpod", "overlay-containers"]
        .iter()
        .find_map(|part| search(&place.folder.join("data").join(part), canary.as_bytes()));
    assert!(on_disk.is_some());
    place.client(&["rm", "--force", name.trim()]);
    hold.end().await.unwrap();

    // An order's own bound, and a name that cannot be.
    order.environment.insert("LARGE".into(), Secret::new("x".repeat(2 << 20)));
    assert!(place.engine.start(&order).await.is_err());
    let bad = Order { environment: [("A=B".to_owned(), Secret::new("x"))].into(), ..order };
    let sandbox = place.engine.start(&bad).await.unwrap();
    assert_eq!(sandbox.hold.ended().await.code, Some(126));
}

/// Processes of this machine with the words among their arguments, and in their environment.
fn processes(words: &str) -> (Vec<String>, Vec<String>) {
    let (mut arguments, mut environments) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let has = |file: &str| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(words)
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        if has("cmdline") {
            arguments.push(name.clone());
        }
        if has("environ") {
            environments.push(name);
        }
    }
    (arguments, environments)
}

/// The first file below a folder that holds the bytes.
fn search(folder: &Path, wanted: &[u8]) -> Option<String> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        // A container's own file system is what runs in it, and mounted here.
        if kind.is_dir() && !["merged", "rootfs"].contains(&&*entry.file_name().to_string_lossy()) {
            if let Some(found) = search(&entry.path(), wanted) {
                return Some(found);
            }
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            if bytes.windows(wanted.len()).any(|part| part == wanted) {
                return Some(entry.path().display().to_string());
            }
        }
    }
    None
}
