//! The program with the orchestrator alone, on the sandboxes that this machine really gives.

use crate::harness::{Folder, Hearth, TOKEN, hearth, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

pub const SESSIONS: &str = "/api/orchestrator/sessions";

/// Starts it with this configuration.
pub fn start(toml: &str) -> Hearth {
    start_in(Folder::new(), toml, &[])
}

/// Starts it in a folder that may hold the data of an earlier one.
pub fn start_in(folder: Folder, toml: &str, env: &[(&str, &str)]) -> Hearth {
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--only", "orchestrator"]);
    command.env("AUTH_TOKEN", TOKEN).env("DOCKER_HOST", "none").envs(env.iter().copied());
    Hearth::start(command, folder)
}

/// Kills it as a power cut does and starts it again on the same data.
pub fn kill_and_restart(mut old: Hearth, toml: &str) -> Hearth {
    old.kill();
    let folder = std::mem::replace(&mut old.folder, Folder::new());
    start_in(folder, toml, &[])
}

/// Sends a request with a token; status and JSON.
pub fn send(url: &str, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let (url, with) = (format!("{url}{path}"), format!("Bearer {token}"));
    let answer = match method {
        "GET" => agent.get(&url).header("authorization", with).call(),
        "DELETE" => agent.delete(&url).header("authorization", with).call(),
        _ => agent.post(&url).header("authorization", with).send_json(body),
    };
    let mut answer = answer.unwrap();
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_json().unwrap_or(Value::Null))
}

/// The same as the owner of the tests' token.
pub fn ask(own: &Hearth, method: &str, path: &str, body: &Value) -> (u16, Value) {
    send(&own.url, &own.token, method, path, body)
}

/// Acquires a session, which must succeed.
pub fn acquire(own: &Hearth, body: &Value) -> Value {
    let (status, made) = ask(own, "POST", SESSIONS, body);
    assert_eq!(status, 200, "{made}");
    made
}

/// Calls a tool, which must succeed; the text of its answer.
pub fn call(own: &Hearth, id: &str, tool: &str, args: &Value) -> String {
    let (status, result) = ask(own, "POST", &format!("{SESSIONS}/{id}/tools/{tool}"), args);
    assert!(status == 200 && result["isError"] != true, "{tool}: {status} {result}");
    result["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

/// Runs a line of shell in a session.
pub fn run(own: &Hearth, id: &str, line: &str) -> String {
    call(own, id, "execute_command", &json!({ "command": line }))
}

/// The caller's sessions.
pub fn list(own: &Hearth) -> Vec<Value> {
    ask(own, "GET", SESSIONS, &Value::Null).1["sessions"].as_array().cloned().unwrap()
}

/// Makes a token and returns its secret.
pub fn token(own: &Hearth, name: &str, level: &str) -> String {
    let grant = json!({ "level": level });
    let (status, made) =
        ask(own, "POST", "/api/web/tokens", &json!({ "name": name, "grant": grant }));
    assert_eq!(status, 200, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

/// Waits until no process of this id is left.
pub fn until_gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    wait_for("the end of a sandbox", || {
        let text = std::fs::read_to_string(&stat).unwrap_or_default();
        // One that nobody has waited for yet is dead all the same.
        (text.is_empty() || text.contains(") Z ")).then_some(())
    });
}
