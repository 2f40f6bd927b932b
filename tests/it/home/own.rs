//! A Home Assistant of its own, whose process ends and is started again.

use super::rig::{Rig, config, result_of, start};
use hearth::error::Kind;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A start of Home Assistant may take so long where many tests run beside it.
const PATIENCE: Duration = Duration::from_secs(150);

/// Ends the house when it is dropped.
pub struct Own {
    state: PathBuf,
    which: String,
}

impl Own {
    /// Starts one of the same age as the house that all tests share.
    pub async fn start() -> Own {
        let shared =
            std::env::var("HEARTH_TEST_HA").expect("HEARTH_TEST_HA names the shared house");
        let folder = Path::new(&shared).parent().and_then(Path::file_name).unwrap();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = format!("own-house-{}-{n}", std::process::id());
        let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join(state);
        let own = Own { state, which: folder.to_str().unwrap().to_owned() };
        own.run("start").await;
        own
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("scripts/ha");
        command.args([verb, &self.which]).env("HA_STATE", &self.state);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    pub async fn run(&self, verb: &str) {
        let mut command = self.command(verb);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(done.status.success(), "{verb}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn value(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.state.join(&self.which).join("env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// Whether its process is there and has not ended.
    pub fn is_running(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.value("HA_PID")));
        // One that nobody has waited for yet shows as Z.
        stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim().starts_with('Z'))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.command("stop").output();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

pub async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let by = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < by, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const SWITCH: &str = "input_boolean.guest_mode";

fn toggle() -> Value {
    json!({"service": "input_boolean.toggle", "target": {"entity_id": SWITCH}})
}

/// The house is away: the cache answers and says so, and nothing is called.
async fn is_stale(rig: &Rig, was: &str) {
    let got = rig.tool("home_get", json!({"entity_ids": [SWITCH]})).await;
    assert!(got["stale_since"].is_string() && got["entities"][0]["state"] == was, "{got}");
    let overview = rig.tool("home_overview", json!({})).await;
    assert!(overview["stale_since"].is_string(), "{overview}");
    let e = rig.try_tool("home_call", toggle()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline, "{e}");
    assert!(rig.tasks.is_healthy() && !rig.tasks.is_ready(), "{:?}", rig.tasks.health());
}

/// The house is back: what was marked is fresh, and it obeys.
async fn is_back(rig: &Rig) {
    until("Hearth is connected again", || rig.home.is_connected()).await;
    let got = rig.tool("home_get", json!({"entity_ids": [SWITCH]})).await;
    assert!(got.get("stale_since").is_none(), "{got}");
    let done = rig.tool("home_call", toggle()).await;
    assert_eq!(result_of(&done, SWITCH), "verified", "{done}");
    let overview = rig.tool("home_overview", json!({})).await;
    assert!(overview.get("stale_since").is_none(), "{overview}");
    assert!(overview["domains"]["light"]["all"].as_u64().unwrap() >= 6, "{overview}");
    assert!(rig.tasks.is_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_restarts_itself_or_is_killed_comes_back() {
    let own = Own::start().await;
    let mut config = config(&own.value("HA_URL"), &own.value("HA_TOKEN"));
    config.retry_seconds = 1;
    let rig = start(&config).await;
    is_back(&rig).await;
    let was = rig.state(SWITCH).await;

    let mut restart = json!({"what": "restart"});
    let e = rig.try_tool("home_system", restart.clone()).await.unwrap_err();
    let (_, token) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    restart["confirm"] = token.split_once('"').unwrap().0.into();
    // Whether its answer comes before the connection goes or not.
    let done = rig.tool("home_system", restart).await;
    assert_eq!(done["result"], "restarting", "{done}");
    until("the connection is gone", || !rig.home.is_connected()).await;
    is_stale(&rig, &was).await;
    until("its process has ended", || !own.is_running()).await;
    own.run("again").await;
    is_back(&rig).await;

    let was = rig.state(SWITCH).await;
    let killed = Command::new("kill").args(["-9", &own.value("HA_PID")]).status().unwrap();
    assert!(killed.success());
    until("the connection is gone", || !rig.home.is_connected()).await;
    is_stale(&rig, &was).await;
    until("its process has ended", || !own.is_running()).await;
    own.run("again").await;
    is_back(&rig).await;
}
