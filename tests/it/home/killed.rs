//! Hearth is killed after each single write of a rename, and something is changed behind its back: the
//! house never stays mixed, as Home Assistant itself says.

use super::furniture::{Furniture, get, post};
use super::gate::{Gate, Hold};
use super::raw::Raw;
use super::rig::{PATIENCE, config, keeping, real};
use crate::harness::{Folder, Hearth, TOKEN, hearth};
use hearth::error::Kind;
use hearth::policy;
use serde_json::json;
use std::mem;

/// Starts Hearth on what it left in `folder`, with Home Assistant behind the gate.
fn serve(gate: &Gate, folder: Folder) -> Hearth {
    std::fs::write(folder.path().join("hearth.toml"), "[policy]\nconfirm = false\n").unwrap();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env("AUTH_TOKEN", TOKEN);
    command.env("HASS_HOST", format!("http://{}", gate.address)).env("HASS_TOKEN", real().1);
    let started = Hearth::start(command, folder);
    started.until_ready();
    started
}

/// Ends it with SIGKILL and returns what it leaves.
fn kill(mut hearth: Hearth) -> Folder {
    let folder = mem::replace(&mut hearth.folder, Folder::new());
    // Dropping it sends SIGKILL and waits.
    drop(hearth);
    folder
}

/// Asks for the rename in a thread of its own and returns when the gate holds a write.
async fn begin(gate: &Gate, hearth: &Hearth, hold: Hold, from: &str, to: &str) {
    let mut mcp = tokio::task::block_in_place(|| hearth.mcp("/mcp"));
    gate.set(Some(hold));
    let args = json!({"id": from, "to": to});
    tokio::task::spawn_blocking(move || mcp.call_in_vain("home_rename", args));
    gate.held().await;
}

async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let by = tokio::time::Instant::now() + PATIENCE;
    while !ready().await {
        assert!(tokio::time::Instant::now() < by, "never: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rename_killed_after_any_write_is_finished_at_the_next_start() {
    let mut raw = Raw::on_real().await;
    let made = Furniture::new(&mut raw, "killed_each", true).await;
    let gate = Gate::to(&real().0).await;
    let before = made.all(&mut raw).await;
    let (mut from, mut to) = (made.id(), "input_number.killed_each_new".to_owned());

    // Once to its end, to count the writes; and back.
    let hearth = serve(&gate, Folder::new());
    gate.set(None);
    let args = json!({"id": from, "to": to});
    let done = tokio::task::block_in_place(|| hearth.mcp("/mcp").tool("home_rename", args));
    assert!(made.names_only(&mut raw, &to, &from).await, "{done}");
    let writes = gate.writes();
    assert_eq!(writes, made.all(&mut raw).await.len() + 1, "{done}");
    let args = json!({"change": done["change"]});
    until("it is known by its new id", async || {
        tokio::task::block_in_place(|| hearth.mcp("/mcp").call("home_undo", args.clone()))["isError"] != true
    })
    .await;
    assert_eq!(made.all(&mut raw).await, before);

    let mut folder = kill(hearth);
    let holds = (1..=writes).flat_map(|n| [Hold::Before(n), Hold::After(n)]);
    for hold in holds {
        let hearth = serve(&gate, folder);
        begin(&gate, &hearth, hold, &from, &to).await;
        folder = kill(hearth);
        gate.forget();
        let is_new = made.names_only(&mut raw, &to, &from).await;
        assert_eq!(is_new, hold == Hold::After(writes), "{hold:?}");
        // Nothing but the next start makes it whole.
        let hearth = serve(&gate, folder);
        until(&format!("finished after {hold:?}"), async || {
            made.names_only(&mut raw, &to, &from).await
        })
        .await;
        folder = kill(hearth);
        mem::swap(&mut from, &mut to);
    }
    assert_eq!(from, made.id(), "an even number of renames");
    assert_eq!(made.all(&mut raw).await, before);
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_somebody_changed_meanwhile_takes_the_whole_rename_back() {
    let mut raw = Raw::on_real().await;
    let made = Furniture::new(&mut raw, "killed_edit", false).await;
    let gate = Gate::to(&real().0).await;
    let (from, to) = (made.id(), "input_number.killed_edit_new");
    let before = made.all(&mut raw).await;
    let path = "/api/config/script/config/killed_edit";
    let edit = |alias: &str| {
        let mut script = get(path);
        script["alias"] = alias.into();
        post(path, &script);
    };

    // While it runs: the third write waits, the script (one of the last) is edited.
    let hearth = serve(&gate, Folder::new());
    let mut mcp = tokio::task::block_in_place(|| hearth.mcp("/mcp"));
    gate.set(Some(Hold::Before(3)));
    let args = json!({"id": from, "to": to});
    let call = tokio::task::spawn_blocking(move || mcp.call("home_rename", args));
    gate.held().await;
    edit("by somebody else");
    gate.set(None);
    let answer = call.await.unwrap();
    assert_eq!(answer["isError"], true, "{answer}");
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("script script.killed_edit") && text.contains("changed elsewhere"),
        "{text}"
    );
    assert!(made.names_only(&mut raw, &from, to).await, "{:#?}", made.all(&mut raw).await);
    assert_eq!(get(path)["alias"], "by somebody else");
    edit("killed_edit");
    assert_eq!(made.all(&mut raw).await, before);

    // While it is dead: the same, and what was written keeps what was edited in it.
    begin(&gate, &hearth, Hold::After(5), &from, to).await;
    let folder = kill(hearth);
    gate.forget();
    edit("again");
    let automation = "/api/config/automation/config/killed_edit";
    let mut edited = get(automation);
    assert!(edited.to_string().contains(to), "written already: {edited}");
    edited["mode"] = "restart".into();
    post(automation, &edited);
    let hearth = serve(&gate, folder);
    until("taken back", async || made.names_only(&mut raw, &from, to).await).await;
    until("it says so", async || hearth.log().contains("took the change")).await;
    assert_eq!(get(path)["alias"], "again");
    assert_eq!(get(automation)["mode"], "restart");
    drop(hearth);
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rename_goes_on_when_the_house_or_the_client_goes_away() {
    let mut raw = Raw::on_real().await;
    let made = Furniture::new(&mut raw, "killed_link", false).await;
    let gate = Gate::to(&real().0).await;
    let folder = Folder::new();
    let open = policy::Config { confirm: false, ..policy::Config::default() };
    let house = config(&format!("http://{}", gate.address), &real().1);
    let rig = keeping(&house, &open, folder.path()).await;
    let (mut from, mut to) = (made.id(), "input_number.killed_link_new".to_owned());
    // The first write goes over the WebSocket, the second over REST: both connections break.
    for hold in [Hold::After(1), Hold::Before(2)] {
        gate.set(Some(hold));
        let args = json!({"id": from, "to": to});
        let call = rig.try_tool("home_rename", args);
        tokio::pin!(call);
        tokio::select! {
            done = &mut call => panic!("{hold:?}: {done:?}"),
            () = gate.held() => gate.forget(),
        }
        let e = call.await.unwrap_err();
        assert!(
            e.kind() == Kind::Offline && e.what().contains("goes on by itself"),
            "{hold:?}: {e}"
        );
        until("it went on by itself", async || made.names_only(&mut raw, &to, &from).await).await;
        rig.connected().await;
        until("it is known by its new id", async || {
            let args = json!({"id": to, "to": from, "dry_run": true});
            rig.try_tool("home_rename", args).await.is_ok()
        })
        .await;
        mem::swap(&mut from, &mut to);
    }
    // A client that hangs up half way.
    gate.set(Some(Hold::Before(3)));
    tokio::select! {
        done = rig.try_tool("home_rename", json!({"id": from, "to": to})) => panic!("{done:?}"),
        () = gate.held() => {}
    }
    gate.set(None);
    until("it is finished", async || made.names_only(&mut raw, &to, &from).await).await;
    made.clear(&mut raw).await;
}
