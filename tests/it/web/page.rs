//! Login, logout, documents and assets.

use super::{Ask, House};
use hearth::http::{Method, StatusCode, header};
use hearth::policy::{Grant, Via};
use serde_json::json;

#[tokio::test]
async fn a_token_given_once_opens_a_page_session_that_ends_at_logout() {
    let house = House::new().await;
    let (secret, _) = house.token("phone", Grant::admin()).await;
    let json_body = [("content-type", "application/json")];
    let body = json!({ "token": secret }).to_string();
    let login = Ask {
        method: Method::POST,
        path: "/login",
        headers: &json_body,
        body: &body,
        ..Ask::default()
    };
    let answer = house.ask(login).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains(&secret) && !answer.text().await.contains(&secret));
    let pair = cookie.split(';').next().unwrap();
    let session = pair.split_once('=').unwrap().1;
    let caller = house.policy.caller_of_page(session).unwrap();
    assert_eq!((&*caller.name, caller.via), ("phone", Via::Page));

    let logout = Ask {
        method: Method::POST,
        path: "/logout",
        headers: &[("cookie", pair), ("origin", "http://localhost:7123")],
        ..Ask::default()
    };
    let answer = house.ask(logout).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "login"));
    assert!(answer.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert!(house.policy.caller_of_page(session).is_none());
    let actions: Vec<String> = house.policy.audit().into_iter().map(|a| a.action).collect();
    assert_eq!(actions, ["login", "logout"]);
}

#[tokio::test]
async fn a_wrong_token_gets_401_as_json_and_as_a_page() {
    let house = House::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask = |headers, body| Ask {
        method: Method::POST,
        path: "/login",
        headers,
        body,
        ..Ask::default()
    };
    let answer = house.ask(ask(&form, "token=wrong")).await;
    assert_eq!((answer.status, answer.header(header::SET_COOKIE)), (StatusCode::UNAUTHORIZED, ""));
    assert!(answer.header(header::CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
    assert!(answer.text().await.contains("this token is not known"));

    let json_body = [("content-type", "application/json")];
    let answer = house.ask(ask(&json_body, r#"{"token":"wrong"}"#)).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json().await["error"]["code"], "unauthenticated");
    assert_eq!(house.ask(ask(&json_body, "not json")).await.status, 401);
}

#[tokio::test]
async fn the_form_alone_logs_in_without_a_script() {
    let house = House::new().await;
    let (secret, caller) = house.token("old browser", Grant::default()).await;
    let body = format!("token={secret}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask =
        Ask { method: Method::POST, path: "/login", headers: &form, body: &body, ..Ask::default() };
    let answer = house.ask(ask).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "./"));
    // Who is logged in already has nothing to do at the form.
    assert_eq!(house.get("/login", Some(&caller)).await.status, 303);
    let html = house.get("/login", None).await.text().await;
    assert!(html.contains("Demo house") && !html.contains("<!--demo-->"), "{html}");
}

#[tokio::test]
async fn a_browser_without_a_session_is_sent_to_the_login_page() {
    let house = House::new().await;
    let html = [("accept", "text/html,application/xhtml+xml")];
    let check = async |path: &str, want: &str| {
        let answer = house.ask(Ask { path, headers: &html, ..Ask::default() }).await;
        assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, want));
    };
    check("/", "login").await;
    check("/metrics", "login").await;
    check("/api/web/state", "../../login").await;
    assert_eq!(house.get("/", None).await.status, 401);
}

#[tokio::test]
async fn wrong_tokens_at_the_login_make_an_address_wait() {
    let house = House::new().await;
    let headers = [("content-type", "application/json")];
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        let body = r#"{"token":"wrong"}"#;
        let method = Method::POST;
        let ask = Ask { method, path: "/login", headers: &headers, body, ..Ask::default() };
        last = house.ask(ask).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn documents_forbid_everything_that_is_not_ours() {
    let house = House::new().await;
    let (_, caller) = house.token("phone", Grant::default()).await;
    for (path, caller) in [("/", Some(&caller)), ("/login", None)] {
        let answer = house.get(path, caller).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY).to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{path}");
        assert!(answer.header(header::CACHE_CONTROL).starts_with("no-"), "{path}");
        let html = answer.text().await;
        for inline in
            ["<style", " style=", "onload=", "onclick=", "javascript:", "http://", "https://"]
        {
            assert!(!html.contains(inline), "{path} holds {inline}");
        }
        assert!(html.split("<script").skip(1).all(|s| s.contains("src=\"assets/")), "{html}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_good_and_packed_for_who_takes_it() {
    let house = House::new().await;
    let html = house.get("/login", None).await.text().await;
    let name = html.split("\"assets/style-").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/assets/style-{name}");
    let ask = |headers| Ask { path: &path, headers, ..Ask::default() };

    let plain = house.ask(ask(&[])).await;
    assert_eq!(plain.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
    assert_eq!(plain.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    assert_eq!(plain.header(header::CONTENT_ENCODING), "");
    let tag = plain.header(header::ETAG).to_owned();
    let plain = plain.bytes().await;

    let packed = house.ask(ask(&[("accept-encoding", "gzip, br")])).await;
    assert_eq!(packed.header(header::CONTENT_ENCODING), "gzip");
    let packed = packed.bytes().await;
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() * 2 < plain.len());

    let known = house.ask(ask(&[("if-none-match", tag.as_str())])).await;
    assert_eq!(known.status, 304);
    assert!(known.bytes().await.is_empty());
    assert_eq!(house.get("/assets/gone-12345678.js", None).await.status, 404);
}
