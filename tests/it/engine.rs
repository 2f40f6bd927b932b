//! Sandboxes as containers: the same suite on a real Docker and a real Podman.

mod guards;
pub mod out;
mod rig;
mod secrets;
mod servers;
mod sweep;

use crate::harness::{Folder, SOON};
use hearth::error::Kind;
use hearth::orchestrator::engine::Engine;
use hearth::orchestrator::sandbox::{Level, Order, Place as _, Program};
use rig::{Peer, Which, engine, order, settings, suite};
use serde_json::json;
use std::time::Duration;

suite!(
    a_worker_is_talked_to_and_gone_when_its_input_ends,
    what_it_complains_is_kept_and_its_end_is_said,
    whoever_lets_go_of_it_ends_it,
    what_cannot_be_is_refused_with_what_to_do,
    an_upload_of_our_program_that_was_cut_off_is_made_good,
);

async fn a_worker_is_talked_to_and_gone_when_its_input_ends(which: Which) {
    let Some(place) = engine(which, "talk").await else { return };
    assert_eq!(place.engine.level().await.unwrap(), Level::Container);
    let sandbox = place.engine.start(&order("talk", "one")).await.unwrap();
    let (id, hold) = (sandbox.id.clone(), sandbox.hold.clone());
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    let large = "größer ".repeat(20_000);
    peer.text("write_file", json!({ "path": "a/large", "content": large })).await;
    let read = json!({ "path": "a/large", "length": 1 << 20 });
    assert_eq!(peer.text("read_file", read).await, large);
    let usage = hold.usage().await.unwrap();
    assert!(usage.cpu_seconds > 0.0 && usage.peak_memory > 100_000, "{usage:?}");
    assert!(place.containers().iter().any(|line| line.contains(&id)));
    peer.close().await;
    let end = tokio::time::timeout(SOON, hold.ended()).await.unwrap();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!place.containers().iter().any(|line| line.contains(&id)));
    assert_eq!(hold.usage().await.unwrap(), usage);
    assert_eq!(hold.in_force().await.unwrap_err().kind(), Kind::NotFound);
    hold.end().await.unwrap();
}

async fn what_it_complains_is_kept_and_its_end_is_said(which: Which) {
    let Some(place) = engine(which, "ends").await else { return };
    for (name, line, code, words) in [
        ("exits", "echo first >&2; echo second >&2; exit 7", 7, "exited with 7"),
        ("killed", "kill -9 $$; sleep 100", 137, "killed by signal 9"),
    ] {
        // As the first process of its namespace it would be spared its own signal.
        let command =
            ["/bin/sh", "-c", &format!("(/bin/sh -c '{line}'); exit $?")].map(str::to_owned);
        let program =
            Program::Image { reference: rig::IMAGE.into(), command: Some(command.into()) };
        let sandbox = place.engine.start(&Order { program, ..order("ends", name) }).await.unwrap();
        let end = tokio::time::timeout(SOON, sandbox.hold.ended()).await.unwrap();
        assert_eq!((end.code, end.words.as_str()), (Some(code), words));
        if code == 7 {
            assert_eq!(sandbox.hold.stderr().lines().0, ["first", "second"]);
        }
    }
    let command = Some(vec!["/no/such/program".to_owned()]);
    let program = Program::Image { reference: rig::IMAGE.into(), command };
    let sandbox = place.engine.start(&Order { program, ..order("ends", "none") }).await.unwrap();
    let end = tokio::time::timeout(SOON, sandbox.hold.ended()).await.unwrap();
    assert_eq!(end.code, Some(126), "{end:?}");
    let said = sandbox.hold.stderr().lines().0.join("\n");
    assert!(said.contains("cannot start /no/such/program"), "{said}");
}

async fn whoever_lets_go_of_it_ends_it(which: Which) {
    let Some(place) = engine(which, "drop").await else { return };
    let sandbox = place.engine.start(&order("drop", "one")).await.unwrap();
    let id = sandbox.id.clone();
    assert!(place.containers().iter().any(|line| line.contains(&id)));
    drop(sandbox);
    let began = std::time::Instant::now();
    while place.containers().iter().any(|line| line.contains(&id)) {
        assert!(began.elapsed() < SOON, "it is there still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sandbox = place.engine.start(&order("drop", "two")).await.unwrap();
    sandbox.hold.end().await.unwrap();
    assert!(place.containers().is_empty(), "{:?}", place.containers());
}

async fn what_cannot_be_is_refused_with_what_to_do(which: Which) {
    let Some(place) = engine(which, "refused").await else { return };
    let start = |program| {
        let order = Order { program, ..order("refused", "one") };
        let engine = place.engine.clone();
        async move { engine.start(&order).await.err().unwrap() }
    };
    let image = |reference: &str| Program::Image { reference: reference.into(), command: None };
    let missing = start(image("no-such-image:1")).await;
    assert_eq!(missing.kind(), Kind::Offline, "{missing}");
    assert!(missing.what().contains("no-such-image:1 is not on the engine"), "{missing}");
    start(Program::Command { argv: vec!["id".into()], reads: vec![] }).await;

    let own = hearth::orchestrator::engine::Settings {
        image: "mcp-server:not-built".into(),
        ..settings(&place.host, "refused")
    };
    let unbuilt = Engine::new(own, &place.tasks).unwrap();
    let missing = unbuilt.start(&order("refused", "two")).await.err().unwrap();
    assert_eq!(missing.kind(), Kind::Offline);
    assert!(missing.what().contains("docker build -f Dockerfile.mcp -t mcp-server:not-built ."));

    let folder = Folder::new();
    let nobody = format!("unix://{}/engine.sock", folder.path().display());
    let away = Engine::new(settings(&nobody, "refused"), &place.tasks).unwrap();
    for error in [
        away.level().await.err().unwrap(),
        away.start(&order("refused", "three")).await.err().unwrap(),
        away.sweep(&Default::default()).await.err().unwrap(),
    ] {
        assert_eq!(error.kind(), Kind::Offline, "{error}");
        assert!(error.what().contains("DOCKER_HOST"), "{error}");
    }
    assert!(place.containers().is_empty());
}

async fn an_upload_of_our_program_that_was_cut_off_is_made_good(which: Which) {
    let Some(place) = engine(which, "cut").await else { return };
    // Another program than the other tests', so that its volume is ours alone.
    let folder = Folder::new();
    let binary = folder.path().join("hearth");
    let mut bytes = std::fs::read(rig::binary()).unwrap();
    bytes.extend_from_slice(which.name().as_bytes());
    std::fs::write(&binary, bytes).unwrap();
    std::fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let own = || hearth::orchestrator::engine::Settings {
        binary: binary.clone(),
        ..settings(&place.host, "cut")
    };
    let size = std::fs::metadata(&binary).unwrap().len();
    let first = Engine::new(own(), &place.tasks).unwrap();
    first.start(&order("cut", "one")).await.unwrap().hold.end().await.unwrap();
    let stat = |volume: &String| std::fs::metadata(place.volume(volume).join("hearth")).ok();
    let is_ours = |volume: &String| stat(volume).is_some_and(|stat| stat.len() == size);
    let volume = place.volumes().into_iter().find(is_ours).unwrap();
    let file = place.volume(&volume).join("hearth");
    let whole = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(whole / 2).unwrap();

    let second = Engine::new(own(), &place.tasks).unwrap();
    let sandbox = second.start(&order("cut", "two")).await.unwrap();
    let hold = sandbox.hold.clone();
    Peer::of(sandbox).hello().await;
    hold.end().await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len(), whole);
    place.remove_volume(&volume);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tcp_it_is_tls_and_both_show_who_they_are() {
    let Some(place) = engine(Which::Docker, "tls").await else { return };
    let (host, certificates) = place.tls();
    let over = |certificates: &std::path::Path| {
        let mut settings = settings(&host, "tls");
        settings.asked.certificates = Some(certificates.to_owned());
        Engine::new(settings, &place.tasks).unwrap()
    };
    let sandbox = over(&certificates).start(&order("tls", "one")).await.unwrap();
    let hold = sandbox.hold.clone();
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    peer.text("write_file", json!({ "path": "x", "content": "over TLS" })).await;
    assert_eq!(peer.text("read_file", json!({ "path": "x" })).await, "over TLS");
    assert!(hold.in_force().await.unwrap().iter().all(|guard| guard.in_force.is_some()));
    hold.end().await.unwrap();

    // Another authority's certificates: neither side believes the other.
    let foreign = Folder::new();
    rig::certificates(foreign.path());
    let error = over(foreign.path()).level().await.err().unwrap();
    assert_eq!(error.kind(), Kind::Offline, "{error}");
    // Plain text to the same port gets no answer worth the name.
    let plain = Engine::new(settings(&host, "tls"), &place.tasks).unwrap();
    assert!(plain.level().await.is_err());
}
