//! Sealed secrets on the built binary: kept, listed, watched for.

use super::House;
use crate::harness::{Folder, hearth};
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

fn set(house: &House, name: &str, value: &str) -> Output {
    let mut command = house.command(&["secret", "set", name]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Everything that a folder holds, and the log.
fn everything(house: &House) -> Vec<u8> {
    let mut all = house.hearth.log().into_bytes();
    for entry in std::fs::read_dir(house.hearth.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

fn holds(all: &[u8], text: &str) -> bool {
    all.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_secret_is_masked_in_answers_refused_in_arguments_and_written_nowhere() {
    let house = House::new("");
    let mut assistant = house.assistant();
    // The name of a lamp stands for a value that a tool gives away.
    let found = assistant.tool("home_find", json!({"domain": "light"}));
    let value = found["entities"][0]["name"].as_str().unwrap().to_owned();
    assert!(value.len() >= 8, "{value}");
    assert!(set(&house, "lamp-key", &format!("{value}\n")).status.success());
    let canary = "canary-0f8e7d6c5b4a";
    assert!(set(&house, "canary", canary).status.success());
    assert!(set(&house, "short", "1234").status.success());
    let listed = house.said(&["secret", "list"]);
    assert!(listed.contains("lamp-key") && listed.contains("too short"), "{listed}");
    let found = assistant.call("home_find", json!({"domain": "light"})).to_string();
    assert!(found.contains("[sealed: lamp-key]") && !found.contains(&value), "{found}");
    // In an error as well as in an answer, and what is read as a resource.
    let hint = json!({"service": "light.turn_on", "target": {"entity_id": "light.nowhere"},
                      "data": {"brightness_pct": canary}});
    let refused = assistant.call("home_call", hint).to_string();
    assert!(refused.contains("the arguments hold the sealed secret 'canary'"), "{refused}");
    let inner = json!({"name": "home_find", "arguments": {"query": format!("a{canary}b")}});
    let refused = assistant.call("hearth_call_tool", inner).to_string();
    assert!(refused.contains("the sealed secret 'canary'") && !refused.contains(canary), "{refused}");
    let audit = house.hearth.get("/api/web/audit").1.to_string();
    assert!(audit.contains("secret masked") && audit.contains("home_find: lamp-key"), "{audit}");
    assert!(!audit.contains(canary), "{audit}");
    assert!(!holds(&everything(&house), canary), "the canary is on the disk or in the log");
    // Not even an admin gets a value back.
    let (status, all) = house.hearth.get("/api/policy/secrets");
    assert!(status == 200 && !all.to_string().contains(canary), "{all}");
    let as_tablet = ureq::get(format!("{}/api/policy/secrets", house.hearth.url))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {}", house.tablet))
        .call()
        .unwrap();
    assert_eq!(as_tablet.status(), 403);

    // After a kill it holds on, and ends with its removal.
    let house = house.again(true, "");
    let mode = |name: &str| {
        let path = house.hearth.folder.path().join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("secrets.sealed"), mode("secrets.key")), (0o600, 0o600));
    let mut assistant = house.assistant();
    let found = assistant.call("home_find", json!({"domain": "light"})).to_string();
    assert!(found.contains("[sealed: lamp-key]"), "{found}");
    house.said(&["secret", "remove", "lamp-key"]);
    let found = assistant.call("home_find", json!({"domain": "light"})).to_string();
    assert!(found.contains(&value), "{found}");
    assert!(!set(&house, "bad name", "x").status.success());
    assert!(!set(&house, "empty", "\n").status.success());
}

#[test]
fn the_key_may_be_kept_elsewhere_and_without_it_nothing_opens() {
    let key = Folder::new();
    let file = key.path().join("key");
    std::fs::write(&file, "0f".repeat(32)).unwrap();
    let start = |folder: Folder, key: Option<&std::path::Path>| {
        let mut command = hearth(folder.path());
        command.args(["demo", "--port", "0", "--only", "home"]);
        if let Some(key) = key {
            command.env("HEARTH_SEAL_KEY_FILE", key);
        }
        let mut hearth = crate::harness::Hearth::start(command, folder);
        let token = std::fs::read_to_string(hearth.folder.path().join("demo-token")).unwrap();
        hearth.token = token.trim().to_owned();
        House { hearth, tablet: String::new() }
    };
    let mut house = start(Folder::new(), Some(&file));
    assert!(set(&house, "api", "a-long-enough-value").status.success());
    assert!(!house.hearth.folder.path().join("secrets.key").exists());
    house.hearth.kill();
    let folder = std::mem::replace(&mut house.hearth.folder, Folder::new());
    let mut house = start(folder, None);
    let (_, health) = house.hearth.get("/health");
    assert_eq!(health["services"]["secrets"], "degraded", "{health}");
    let refused = set(&house, "api", "another-value");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("nothing is written over"), "{said}");
    house.hearth.kill();
    let folder = std::mem::replace(&mut house.hearth.folder, Folder::new());
    let house = start(folder, Some(&file));
    assert!(house.said(&["secret", "list"]).contains("api"));
    std::fs::write(&file, "short").unwrap();
    let folder = Folder::new();
    let output = hearth(folder.path())
        .args(["demo", "--port", "0"])
        .env("HEARTH_SEAL_KEY_FILE", &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("64 hexadecimal digits") && !said.contains("short"), "{said}");
}
