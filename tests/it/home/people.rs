//! The token of somebody who is no administrator in a real Home Assistant.

use super::raw::Raw;
use super::rig::{config, real, result_of, start};
use hearth::error::Kind;
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

/// Makes a user who is no administrator; returns the id and an access token of that user.
async fn resident(raw: &mut Raw, url: &str) -> (String, String) {
    let name = format!("resident{}", std::process::id());
    let user = json!({"type": "config/auth/create", "name": name, "group_ids": ["system-users"]});
    let user = raw.ask(user).await["user"]["id"].as_str().unwrap().to_owned();
    let login = json!({"type": "config/auth_provider/homeassistant/create", "user_id": user,
                       "username": name, "password": "quiet-password"});
    raw.ask(login).await;
    let url = url.to_owned();
    let token = tokio::task::spawn_blocking(move || sign_in(&url, &name)).await.unwrap();
    (user, token)
}

/// Does what the login page does.
fn sign_in(url: &str, name: &str) -> String {
    let client = format!("{url}/");
    let post = |path: &str, body: Value| -> Value {
        let mut answer = ureq::post(format!("{url}{path}")).send_json(body).unwrap();
        answer.body_mut().read_json().unwrap()
    };
    let handler = json!(["homeassistant", null]);
    let flow = json!({"client_id": client, "handler": handler, "redirect_uri": client});
    let flow = post("/auth/login_flow", flow);
    let step = format!("/auth/login_flow/{}", flow["flow_id"].as_str().unwrap());
    let answer = json!({"client_id": client, "username": name, "password": "quiet-password"});
    let code = post(&step, answer)["result"].as_str().unwrap().to_owned();
    let form = [("grant_type", "authorization_code"), ("code", &code), ("client_id", &client)];
    let mut answer = ureq::post(format!("{url}/auth/token")).send_form(form).unwrap();
    let answer: Value = answer.body_mut().read_json().unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_administrator_everything_works_but_what_needs_one() {
    let (url, _) = real();
    let mut raw = Raw::on_real().await;
    let (user, token) = resident(&mut raw, &url).await;
    let rig = start(&config(&url, &token)).await;
    rig.connected().await;
    // Looking, finding by place, and acting.
    let overview = rig.tool("home_overview", json!({})).await;
    assert!(overview["entities"].as_u64().unwrap() > 100, "{overview}");
    let limits = overview["limits"].as_str().unwrap_or_default();
    assert!(limits.contains("is no administrator") && limits.contains("HASS_TOKEN"), "{overview}");
    let kitchen = rig.tool("home_find", json!({"area": "Kitchen", "label": ""})).await;
    assert_eq!(kitchen["entities"][0]["id"], "light.kitchen_lights", "{kitchen}");
    let id = "switch.decorative_lights";
    let was = rig.state(id).await;
    let call = |service: &str| json!({"service": service, "target": {"entity_id": id}});
    let done = rig.tool("home_call", call("switch.toggle")).await;
    assert_eq!(result_of(&done, id), "verified", "{done}");
    rig.tool("home_call", call(&format!("switch.turn_{was}"))).await;
    let two = rig.tool("home_template", json!({"template": "{{ 1 + 1 }}"})).await;
    assert_eq!(two["result"], 2);
    // The list of services is there too.
    let e = rig.try_tool("home_call", call("switch.explode")).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("switch.toggle"), "{e}");
    // What is left says what it needs.
    let event = json!({"event_type": "hearth_test_event", "seconds": 1});
    let e = rig.try_tool("home_watch", event).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("an administrator's token"), "{e}");
    for (tool, args) in [
        ("home_trace", json!({"entity_id": "automation.guest_mode_lights"})),
        ("home_logs", json!({})),
        ("home_logs", json!({"file": true})),
        ("home_system", json!({"what": "check"})),
    ] {
        let e = rig.try_tool(tool, args.clone()).await.unwrap_err();
        let said = e.kind() == Kind::Refused && e.what().contains("an administrator's token");
        assert!(said, "{tool} {args}: {e}");
    }
    // What needs none works.
    for (tool, args) in [
        ("home_history", json!({"entity_ids": id})),
        ("home_history", json!({"kind": "logbook", "entity_ids": id})),
        ("home_todo", json!({"list": "Chores"})),
        ("home_calendar", json!({"calendar": "Family"})),
        ("home_system", json!({"what": "updates"})),
    ] {
        rig.tool(tool, args).await;
    }
    let scope = EntityScope { exposed_only: true, ..EntityScope::default() };
    let guest = rig.token("guest", Level::Read, scope).await;
    let seen = rig.tool_as(&guest, "home_overview", json!({})).await.unwrap();
    assert!(seen["entities"] == 0 && seen["limits"].is_string(), "{seen}");
    raw.ask(json!({"type": "config/auth/delete", "user_id": user})).await;
    let open = super::rig::on_real().await.tool("home_overview", json!({})).await;
    assert!(open.get("limits").is_none(), "an administrator is limited by nothing: {open}");
}
