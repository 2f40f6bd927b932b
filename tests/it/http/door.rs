//! The guard, asked over real sockets.

use crate::http::house::{House, Plan, TOKEN};
use crate::http::raw::{Answer, Raw};
use hearth::http::Reason;
use hearth::policy::Via;

fn guarded(change: impl FnOnce(&mut Plan)) -> House {
    let mut plan = Plan { guarded: true, ..Plan::default() };
    change(&mut plan);
    House::with(plan)
}

/// Asks with these header lines.
fn ask(house: &House, method: &str, path: &str, lines: &[&str]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for line in lines {
        head += &format!("{line}\r\n");
    }
    Raw::connect(house.at).send(head + "\r\n").answer()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

const HOST: &str = "Host: localhost";

#[test]
fn a_token_opens_the_door_and_a_wrong_one_does_not() {
    let house = guarded(|_| {});
    let right = bearer(TOKEN);
    let answer = ask(&house, "GET", "/who", &[HOST, &right]);
    assert_eq!((answer.status, answer.text().ends_with(" by http")), (200, true));
    for wrong in [
        bearer("wrong"),
        bearer(""),
        format!("{}x", bearer(TOKEN)),
        format!("Authorization: Basic {TOKEN}"),
        "Authorization: Bearer".into(),
        format!("Authorization: {TOKEN}"),
    ] {
        let answer = ask(&house, "GET", "/who", &[HOST, &wrong]);
        assert_eq!(answer.status, 401, "{wrong}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"hearth\""));
    }
    house.wait_for(Reason::WrongToken, 6);
    assert_eq!(ask(&house, "GET", "/who", &[HOST]).status, 401);
    assert_eq!(ask(&house, "GET", "/nowhere", &[HOST]).status, 401);
    assert_eq!(ask(&house, "GET", "/nowhere", &[HOST, &right]).status, 404);
    house.wait_for(Reason::NoToken, 2);
}

#[test]
fn public_paths_need_no_token_but_a_wrong_one_is_still_wrong() {
    let house = guarded(|_| {});
    assert_eq!(ask(&house, "GET", "/health", &[HOST]).status, 200);
    assert_eq!(ask(&house, "GET", "/health", &[HOST, &bearer("wrong")]).status, 401);
    assert_eq!(ask(&house, "POST", "/health", &[HOST]).status, 401);
}

#[test]
fn a_browser_without_session_is_sent_to_the_login_page() {
    let house = guarded(|_| {});
    for (path, place) in [("/", "login"), ("/who", "login"), ("/a/b/c", "../../login")] {
        let answer = ask(&house, "GET", path, &[HOST, "Accept: text/html,*/*"]);
        assert_eq!((answer.status, answer.header("location")), (303, Some(place)), "{path}");
    }
    assert_eq!(ask(&house, "POST", "/who", &[HOST, "Accept: text/html"]).status, 401);
    assert_eq!(ask(&house, "GET", "/who", &[HOST, "Accept: */*"]).status, 401);
    assert_eq!(ask(&house, "GET", "/who", &[HOST, "Accept: application/json"]).status, 401);
}

#[test]
fn only_known_names_are_answered() {
    let house = guarded(|plan| plan.config.hosts = vec!["panel.example".into()]);
    let right = bearer(TOKEN);
    let port = house.at.port();
    for (host, status) in [
        ("Host: localhost", 200),
        ("Host: 127.0.0.1", 200),
        ("Host: 192.168.1.5:7123", 200),
        ("Host: [::1]:7123", 200),
        ("Host: panel.example", 200),
        ("Host: evil.example", 421),
        ("Host: localhost.evil.example", 421),
        ("Host: hearth.local", 421),
        ("Host: user@localhost", 400),
        ("Host:", 400),
        ("Host: localhost\r\nHost: localhost", 400),
        ("X: no host", 400),
    ] {
        assert_eq!(ask(&house, "GET", "/who", &[host, &right]).status, status, "{host}");
    }
    let answer = ask(&house, "GET", "/health", &["Host: evil.example"]);
    assert!(answer.text().contains("add the name to http.hosts"), "{}", answer.text());
    let whole = format!("http://127.0.0.1:{port}/who");
    let host = format!("Host: 127.0.0.1:{port}");
    assert_eq!(ask(&house, "GET", &whole, &[&host, &right]).status, 200);
    assert_eq!(ask(&house, "GET", &whole, &[HOST, &right]).status, 400);
    house.wait_for(Reason::WrongHost, 9);
}

#[test]
fn other_pages_may_not_ask() {
    let house = guarded(|plan| plan.config.origins = vec!["https://panel.example".into()]);
    let right = bearer(TOKEN);
    let host = format!("Host: {}", house.at);
    for (origin, status) in [
        (format!("Origin: http://{}", house.at), 200),
        ("Origin: https://panel.example".into(), 200),
        ("Origin: https://evil.example".into(), 403),
        ("Origin: http://127.0.0.1:1".into(), 403),
        ("Origin: null".into(), 403),
    ] {
        assert_eq!(
            ask(&house, "POST", "/who", &[&host, &origin, &right]).status,
            status,
            "{origin}"
        );
        let public = ask(&house, "GET", "/health", &[&host, &origin]).status;
        assert_eq!(public, status, "{origin}");
    }
    house.wait_for(Reason::WrongOrigin, 6);
}

#[test]
fn a_configured_page_gets_what_its_browser_needs_and_no_more() {
    let house = guarded(|plan| plan.config.origins = vec!["https://panel.example".into()]);
    let origin = "Origin: https://panel.example";
    let wants = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-a"];
    let answer = ask(&house, "OPTIONS", "/who", &[HOST, origin, wants[0], wants[1]]);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-a"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://panel.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = ask(&house, "GET", "/who", &[HOST, origin, &bearer(TOKEN)]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://panel.example"));
    let stranger =
        ask(&house, "OPTIONS", "/who", &[HOST, "Origin: https://evil.example", wants[0]]);
    assert_eq!(stranger.status, 403);
    assert_eq!(stranger.header("access-control-allow-origin"), None);
}

#[test]
fn a_token_in_the_address_is_refused_even_if_it_is_right() {
    let house = guarded(|_| {});
    for query in ["token=x", "a=1&access_token=x", "TOKEN=x", "auth_token=x", "api_key"] {
        let path = format!("/who?{query}");
        assert_eq!(ask(&house, "GET", &path, &[HOST, &bearer(TOKEN)]).status, 400, "{query}");
    }
    assert_eq!(ask(&house, "GET", "/who?tokens=x&a=token", &[HOST, &bearer(TOKEN)]).status, 200);
    house.wait_for(Reason::TokenInUrl, 5);
}

#[test]
fn a_page_session_changes_things_from_its_own_page_only() {
    let house = guarded(|_| {});
    let caller = house.policy.caller_of_token(TOKEN, Via::Page).unwrap();
    let session = house.runtime.block_on(async { house.policy.open_page(&caller) });
    let cookie = format!("Cookie: other=1; hearth_page={session}");
    let host = format!("Host: {}", house.at);
    let own = format!("Origin: http://{}", house.at);
    let answer = ask(&house, "GET", "/who", &[&host, &cookie]);
    assert_eq!((answer.status, answer.text().ends_with(" by page")), (200, true));
    assert_eq!(ask(&house, "POST", "/who", &[&host, &cookie, &own]).status, 200);
    assert_eq!(ask(&house, "POST", "/who", &[&host, &cookie]).status, 403);
    let stale = "Cookie: hearth_page=0000";
    assert_eq!(ask(&house, "GET", "/who", &[&host, stale]).status, 401);
    assert_eq!(ask(&house, "GET", "/health", &[&host, stale]).status, 200);
    assert_eq!(house.counters.count(Reason::WrongToken), 0, "an old session is no guess");
}

#[test]
fn wrong_tokens_make_an_address_wait_but_not_who_was_in_before() {
    let house = guarded(|plan| plan.config.wrong_tokens = 3);
    assert_eq!(ask(&house, "GET", "/who", &[HOST, &bearer(TOKEN)]).status, 200);
    for _ in 0..4 {
        assert_eq!(ask(&house, "GET", "/who", &[HOST, &bearer("guess")]).status, 401);
    }
    let answer = ask(&house, "GET", "/who", &[HOST, &bearer("guess")]);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(ask(&house, "GET", "/who", &[HOST, &bearer(TOKEN)]).status, 200);
    assert_eq!(ask(&house, "GET", "/health", &[HOST]).status, 200);
}

#[test]
fn wrong_tokens_in_the_login_form_count_too() {
    let house = guarded(|plan| plan.config.wrong_tokens = 3);
    let login = |token: &str| {
        let mut raw = Raw::connect(house.at);
        let length = token.len();
        raw.send(format!("POST /login HTTP/1.1\r\n{HOST}\r\nContent-Length: {length}\r\n\r\n"));
        raw.send(token).answer().status
    };
    assert_eq!(login(TOKEN), 200);
    for _ in 0..4 {
        assert_eq!(login("guess"), 401);
    }
    assert_eq!(login("guess"), 429);
    assert_eq!(ask(&house, "GET", "/who", &[HOST, &bearer("guess")]).status, 429);
    assert_eq!(login(TOKEN), 200, "this token worked from here before");
    house.wait_for(Reason::WrongToken, 4);
}

#[test]
fn who_asks_too_often_is_slowed_down() {
    let house = guarded(|plan| {
        plan.config.address_per_second = 1;
        plan.config.address_burst = 5;
    });
    let statuses: Vec<u16> =
        (0..8).map(|_| ask(&house, "GET", "/health", &[HOST]).status).collect();
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    let house = guarded(|plan| {
        plan.config.token_per_second = 1;
        plan.config.token_burst = 5;
    });
    let statuses: Vec<u16> =
        (0..8).map(|_| ask(&house, "GET", "/who", &[HOST, &bearer(TOKEN)]).status).collect();
    assert!(statuses[5..].contains(&429), "{statuses:?}");
    assert_eq!(ask(&house, "GET", "/health", &[HOST]).status, 200, "no token, no limit of a token");
}

#[test]
fn programs_on_this_machine_get_in_without_a_token_only_when_told() {
    let closed = guarded(|_| {});
    assert_eq!(ask(&closed, "GET", "/who", &[HOST]).status, 401);
    let open = guarded(|plan| plan.config.open_loopback = true);
    let answer = ask(&open, "GET", "/who", &[HOST]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "local by http"));
    assert_eq!(ask(&open, "GET", "/who", &[HOST, &bearer("wrong")]).status, 401);
    assert_eq!(ask(&open, "GET", "/who", &[HOST, "X-Forwarded-For: 192.0.2.1"]).status, 401);
    assert_eq!(ask(&open, "GET", "/who", &[HOST, "Forwarded: for=192.0.2.1"]).status, 401);
    assert_eq!(ask(&open, "POST", "/who", &[HOST, "Origin: https://evil.example"]).status, 403);
    assert_eq!(ask(&open, "GET", "/who", &["Host: evil.example"]).status, 421);
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_limits() {
    let house = guarded(|plan| {
        plan.config.trusted_proxies = vec!["127.0.0.0/8".into()];
        plan.config.wrong_tokens = 1;
    });
    let mallory = "X-Forwarded-For: 198.51.100.1, 203.0.113.1";
    for status in [401, 401, 429] {
        assert_eq!(ask(&house, "GET", "/who", &[HOST, mallory, &bearer("guess")]).status, status);
    }
    let alice = "X-Forwarded-For: 203.0.113.1, 203.0.113.2";
    assert_eq!(ask(&house, "GET", "/who", &[HOST, alice, &bearer(TOKEN)]).status, 200);
    assert_eq!(ask(&house, "GET", "/who", &[HOST, alice, &bearer("guess")]).status, 401);
}
