//! The routes of the house: the same answers and the same checks as the tools.

use super::rig::{Rig, config, ids, on_real, start};
use hearth::home;
use hearth::http::{Body, Extension, Request, Router, StatusCode, header, to_bytes};
use hearth::policy::{Caller, EntityScope, Level};
use serde_json::{Value, json};
use tower::ServiceExt as _;

async fn ask(rig: &Rig, who: &Caller, method: &str, path: &str, body: Value) -> (u16, Value) {
    let router: Router = home::routes(&rig.home, &rig.toolbox).layer(Extension(who.clone()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let status: StatusCode = answer.status();
    let bytes = to_bytes(answer.into_body(), 4 << 20).await.unwrap();
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_routes_answer_as_the_tools_do() {
    let rig = on_real().await;
    let get = async |path: &str| ask(&rig, &rig.caller, "GET", path, Value::Null).await;
    let (status, houses) = get("/api/home/houses").await;
    assert_eq!(status, 200);
    let house = &houses["houses"][0];
    assert_eq!((&house["name"], &house["connected"]), (&json!("home"), &json!(true)));
    assert!(house["areas"].as_array().unwrap().iter().any(|area| area["name"] == "Kitchen"));
    let (_, locks) = get("/api/home/entities?domain=lock").await;
    let found = ids(&rig.tool("home_find", json!({"domain": "lock"})).await);
    assert_eq!(ids(&locks), found);
    let (_, first) = get("/api/home/entities?limit=3").await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = get(&format!("/api/home/entities?limit=3&cursor={next}")).await;
    assert!(first["entities"][2]["id"].as_str() < second["entities"][0]["id"].as_str());
    let (status, lock) = get("/api/home/entities/lock.front_door").await;
    assert_eq!((status, &lock["id"]), (200, &json!("lock.front_door")));
    assert_eq!(get("/api/home/entities/lock.nope").await.0, 404);
    assert_eq!(get("/api/home/entities?area=attic").await.0, 404);
    assert_eq!(get("/api/home/entities?cursor=7").await.0, 400);
    assert_eq!(get("/api/home/entities?house=cabin").await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_answered_in_one_shape() {
    let rig = on_real().await;
    let check = async |method: &str, path: &str, body: Value, status: u16, words: &str| {
        let (got, e) = ask(&rig, &rig.caller, method, path, body).await;
        let message = e["error"]["message"].as_str().unwrap_or_default();
        assert!(got == status && message.contains(words), "{method} {path}: {got} {e}");
    };
    let none = Value::Null;
    check("GET", "/api/home/entities?limit=many", none.clone(), 400, "limit").await;
    check("GET", "/api/home/entities?are=Kitchen", none.clone(), 400, "`area`").await;
    check("GET", "/api/home/entities?domain=lihgt", none.clone(), 404, "did you mean light").await;
    check("GET", "/api/home/entities?changed_within=x", none.clone(), 400, "span of time").await;
    check("POST", "/api/home/call", none.clone(), 400, "JSON object").await;
    check("POST", "/api/home/call", json!([1]), 400, "light.turn_on").await;
    check("POST", "/api/home/call", json!({"service": "light.explode"}), 404, "light.toggle").await;
    // Areas by id, by name and by name in any case, as the tools take them.
    let (_, by_id) =
        ask(&rig, &rig.caller, "GET", "/api/home/entities?area=living_room", none).await;
    for path in ["area=Living+Room", "area=Living%20Room", "area=living%20room"] {
        let path = format!("/api/home/entities?{path}");
        let (status, named) = ask(&rig, &rig.caller, "GET", &path, Value::Null).await;
        assert_eq!((status, ids(&named)), (200, ids(&by_id)), "{path}");
    }
    for target in [json!({"area_id": "Living Room"}), json!({"area": "living room"})] {
        let call = json!({"service": "light.turn_on", "target": target, "dry_run": true});
        let (status, dry) = ask(&rig, &rig.caller, "POST", "/api/home/call", call).await;
        assert_eq!((status, ids(&dry)), (200, vec!["light.ceiling_lights".to_owned()]), "{dry}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_over_http_passes_the_same_checks() {
    let rig = on_real().await;
    let post =
        async |who: &Caller, body: Value| ask(&rig, who, "POST", "/api/home/call", body).await;
    let call = |service: &str, id: &str| json!({"house": "home", "service": service, "target": {"entity_id": [id]}});
    let id = "humidifier.hygrostat";
    let was = rig.state(id).await;
    let (status, done) = post(&rig.caller, call("humidifier.toggle", id)).await;
    assert_eq!((status, &done["entities"][0]["result"]), (200, &json!("verified")), "{done}");
    post(&rig.caller, call(&format!("humidifier.turn_{was}"), id)).await;
    assert_eq!(rig.state(id).await, was);
    let (status, e) = post(&rig.caller, call("lock.unlock", "lock.front_door")).await;
    assert_eq!((status, &e["error"]["code"]), (409, &json!("conflict")), "{e}");
    let reader = rig.token("reader", Level::Read, EntityScope::default()).await;
    assert_eq!(post(&reader, call("humidifier.toggle", id)).await.0, 403);
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let cook = rig.token("cook", Level::Control, scope).await;
    assert_eq!(post(&cook, call("humidifier.toggle", id)).await.0, 404);
    assert_eq!(post(&rig.caller, json!({"service": "light.turn_on", "x": 1})).await.0, 400);
    assert_eq!(post(&rig.caller, json!({"service": 7})).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_of_events_that_nothing_can_pass_is_told_what_there_is() {
    let rig = on_real().await;
    let check = home::page(&rig.home).check.unwrap();
    let said = |who: &Caller, filter: &str, value: &str| {
        check(who, filter, value).map_or_else(|e| e.to_string(), |()| String::new())
    };
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let cook = rig.token("cook", Level::Read, scope).await;
    for (filter, good, wrong, says) in [
        ("house", "home", "hoem", "there is no house 'hoem'; there is: home"),
        ("area", "kitchen", "kitchn", "there is no area id 'kitchn'; did you mean kitchen?"),
        ("area", "living_room", "Living Room", "did you mean living_room?"),
        ("label", "critical", "critcal", "did you mean critical?"),
        ("domain", "light", "lihgt", "there is no domain 'lihgt'; did you mean light?"),
    ] {
        assert_eq!(said(&rig.caller, filter, good), "");
        let e = said(&rig.caller, filter, wrong);
        assert!(e.starts_with(says) || e.contains(says), "{filter}: {e}");
    }
    assert!(said(&cook, "label", "critical").starts_with("there is no label id 'critical'"));
    let e = said(&cook, "area", "living_room");
    assert_eq!(e, "there is no area id 'living_room'; there is: kitchen");
}

#[tokio::test]
async fn while_a_house_was_never_reached_every_filter_passes() {
    let rig = start(&config("http://127.0.0.1:9", "none")).await;
    let check = home::page(&rig.home).check.unwrap();
    assert!(check(&rig.caller, "area", "attic").is_ok());
    assert!(check(&rig.caller, "house", "cabin").is_err());
}
