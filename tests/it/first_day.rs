//! What somebody meets who uses the program for the first time: mistakes that are easily made, and
//! what is said about them.

use crate::harness::{Folder, Hearth, TOKEN, hearth, wait_for};
use serde_json::json;
use std::process::Output;

fn run(folder: &Folder, env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = hearth(folder.path());
    let Output { status, stdout, stderr } =
        command.envs(env.iter().copied()).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_token_for_an_area_that_is_not_there_is_made_with_a_warning() {
    let demo = Hearth::demo();
    let areas = demo.get("/api/home/houses").1["houses"][0]["areas"].clone();
    assert!(areas.as_array().unwrap().iter().any(|area| area["id"] == "kitchen"), "{areas}");
    let make = |name: &str, more: &[&str]| {
        let args = [&["token", "new", name], more].concat();
        let (code, secret, said) = run(&demo.folder, &[], &args);
        assert!(code == Some(0) && secret.starts_with("hearth_"), "{args:?}: {said}");
        said
    };
    assert_eq!(make("good", &["--area", "kitchen"]), "");
    let said = make("wrong", &["--area", "kitchn", "--label", "nobodys"]);
    assert!(said.contains("no area id 'kitchn'; did you mean kitchen?"), "{said}");
    assert!(said.contains("no label id 'nobodys'"), "{said}");
    assert!(said.contains("until the house has such areas, this token sees nothing"), "{said}");
    // One of two is there: it sees that one.
    let said = make("half", &["--area", "kitchen", "--area", "kitchn"]);
    assert!(said.contains("'kitchn'") && !said.contains("sees nothing"), "{said}");
}

#[test]
fn the_last_token_of_an_administrator_goes_only_by_force() {
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut hearth = Hearth::start(command, folder);
    hearth.token = wait_for("the token", || {
        let log = hearth.log();
        log.split_whitespace().find(|word| word.starts_with("hearth_")).map(str::to_owned)
    });
    let revoke = |more: &[&str]| {
        let (code, _, said) = run(&hearth.folder, &[], &[&["token", "revoke"], more].concat());
        (code, said)
    };
    let (code, said) = revoke(&["owner"]);
    assert_eq!(code, Some(1), "{said}");
    for word in
        ["the last token", "hearth token revoke owner --force", "token new NAME --level admin"]
    {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    assert_eq!(hearth.get("/api/web/state").0, 200);
    // With another one it is not the last.
    run(&hearth.folder, &[], &["token", "new", "second", "--level", "admin"]);
    assert_eq!(revoke(&["owner"]).0, Some(0));
    assert_eq!(revoke(&["second"]).0, Some(1));
    assert_eq!(revoke(&["second", "--force"]).0, Some(0));
    // The way back in that was promised.
    let (code, secret, _) =
        run(&hearth.folder, &[], &["token", "new", "again", "--level", "admin"]);
    hearth.token = secret.trim().to_owned();
    assert_eq!((code, hearth.get("/api/web/tokens").0), (Some(0), 200));
}

#[test]
fn a_demo_has_a_folder_of_its_own() {
    let folder = Folder::new();
    let mut command = hearth(folder.path());
    command.env_remove("DATA_DIR").args(["demo", "--port", "0"]);
    let mut demo = Hearth::start(command, folder);
    let usual = demo.folder.path().join(".local/share/hearth");
    let kept: Vec<_> = usual.read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(kept, ["demo"]);
    let token = std::fs::read_to_string(usual.join("demo/demo-token")).unwrap();
    demo.token = token.trim().to_owned();
    let (_, state) = demo.get("/api/web/state");
    let own = format!("hearth mcp --data-dir {}/demo", usual.display());
    assert_eq!(state["command"], json!(own), "{state}");
    wait_for("the folder", || {
        demo.log().contains(&format!("{}/demo", usual.display())).then_some(())
    });
}

#[test]
fn the_command_for_clients_names_a_folder_that_is_not_the_usual_one() {
    let hearth = Hearth::serve("");
    let (_, state) = hearth.get("/api/web/state");
    let want = format!("hearth mcp --data-dir {}", hearth.folder.path().display());
    assert_eq!(state["command"], json!(want));
}

#[test]
fn a_file_of_settings_that_is_not_there_is_said_by_every_command() {
    let folder = Folder::new();
    for args in [["-c", "/nonexistent", "config"], ["-c", "/nonexistent", "check"]] {
        let (code, out, err) = run(&folder, &[], &args);
        let said = format!("{out}{err}");
        assert!(said.contains("cannot read /nonexistent"), "{args:?}: {said}");
        assert!(code.is_some_and(|code| code != 0), "{args:?}");
    }
    assert_eq!(run(&folder, &[], &["-c", "/nonexistent", "config"]).0, Some(2));
    assert_eq!(run(&folder, &[], &["config"]).0, Some(0));
}

#[test]
fn a_port_that_is_chosen_at_the_start_is_asked_for_or_said_to_be_unknown() {
    let folder = Folder::new();
    let (code, out, err) = run(&folder, &[("PORT", "0")], &["mcp-config"]);
    assert_eq!((code, out.as_str()), (Some(69), ""), "{err}");
    assert!(err.contains("chosen when Hearth starts") && err.contains("listening on"), "{err}");
    let hearth = Hearth::serve("");
    let (code, out, err) = run(&hearth.folder, &[("PORT", "0")], &["mcp-config"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(&format!("{}/mcp", hearth.url)), "{out}");
}

#[test]
fn a_check_does_not_try_a_port_that_nobody_set() {
    let folder = Folder::new();
    let (code, out, _) = run(&folder, &[("PORT", "many"), ("MDNS", "false")], &["check"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("FAIL  PORT (http.port)") && !out.contains("is free"), "{out}");
}

#[test]
fn a_redis_that_is_not_there_ends_the_start_and_promises_nothing_else() {
    let folder = Folder::new();
    let env = [("REDIS_URL", "redis://127.0.0.1:1"), ("AUTH_TOKEN", TOKEN)];
    let (code, _, err) = run(&folder, &env, &["serve", "--host", "127.0.0.1", "--port", "0"]);
    assert_eq!(code, Some(69), "{err}");
    let last = err.lines().last().unwrap();
    assert!(last.contains("cannot reach Redis at 127.0.0.1:1; check REDIS_URL"), "{err}");
    assert!(!err.contains("again and again"), "{err}");
}

#[test]
fn a_page_of_the_house_is_taken_for_its_address() {
    let hearth = Hearth::serve("[home]\nurl = \"http://127.0.0.1:9/lovelace/0\"\ntoken = \"t\"\n");
    let want = "looked for at ws://127.0.0.1:9/api/websocket";
    wait_for("the note", || hearth.log().contains(want).then_some(()));
}
