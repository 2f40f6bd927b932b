//! Login and logout: the page takes a token once and gives a cookie that no script can read.
//!
//! The guard has checked Origin and rate before a token is looked at, and counts the 401s given
//! here. A token is taken from the body alone, never from an address.

use crate::error::Error;
use crate::http::{
    Bytes, HeaderMap, HeaderValue, IntoResponse, Json, Response, State, StatusCode, header,
};
use crate::policy::{Outcome, Via};
use crate::web::{MaybeCaller, Web, assets, page};
use serde_json::json;
use std::sync::Arc;

/// Name of the cookie; the guard knows it too.
const COOKIE: &str = "hearth_session";
/// As long as policy keeps a page session.
const LASTS: u32 = 30 * 24 * 3600;
/// A token is far shorter.
const LONGEST: usize = 4096;

/// Answers `GET /login`.
pub(super) async fn form(headers: HeaderMap, caller: MaybeCaller) -> Response {
    if caller.is_some() {
        return to("./");
    }
    page::guarded(assets::login().answer(&headers, "no-cache"))
}

/// Answers `POST /login` with `{"token":…}` or the form of the login page.
pub(super) async fn open(State(web): State<Arc<Web>>, headers: HeaderMap, body: Bytes) -> Response {
    let json = is_json(&headers);
    let policy = &web.parts.policy;
    let token = token(&body, json);
    let Some(caller) = token.and_then(|token| policy.caller_of_token(&token, Via::Page)) else {
        return wrong(json);
    };
    let cookie = policy.open_page(&caller);
    policy.record(&caller, "login", "", Outcome::Allowed, None);
    let mut answer =
        if json { Json(json!({ "who": &*caller.name })).into_response() } else { to("./") };
    set_cookie(&mut answer, &cookie, LASTS);
    answer
}

/// Answers `POST /logout`.
pub(super) async fn close(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    caller: MaybeCaller,
) -> Response {
    if let Some(cookie) = cookie(&headers) {
        web.parts.policy.close_page(cookie);
        if let Some(caller) = caller {
            web.parts.policy.record(&caller.0, "logout", "", Outcome::Allowed, None);
        }
    }
    let mut answer = if is_json(&headers) { Json(json!({})).into_response() } else { to("login") };
    set_cookie(&mut answer, "", 0);
    answer
}

/// Returns the page session that a request carries.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The token in a body of either form.
fn token(body: &[u8], json: bool) -> Option<String> {
    if body.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let token = if json {
        serde_json::from_str::<serde_json::Value>(text).ok()?.get("token")?.as_str()?.to_owned()
    } else {
        text.split('&').find_map(|field| field.strip_prefix("token=")).and_then(unescape)?
    };
    let token = token.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// Undoes what a browser does to the value of a form's field.
fn unescape(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn wrong(json: bool) -> Response {
    let e = Error::unauthenticated("This token is not known here; check it or make another");
    if json {
        return e.into_response();
    }
    let html = assets::login().plain().and_then(|html| {
        String::from_utf8(html).map_err(|e| Error::broken("the login page is not text").because(e))
    });
    let mut answer = match html {
        Ok(html) => html.replace("<!--wrong-->", e.what()).into_response(),
        Err(e) => return e.into_response(),
    };
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    let head = answer.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page::guarded(answer)
}

/// Sends a browser on, relative to where it is: the page may stand below a proxy's path.
fn to(place: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place), (header::CACHE_CONTROL, "no-store")])
        .into_response()
}

fn set_cookie(answer: &mut Response, value: &str, seconds: u32) {
    // No Secure: the page is also served over plain HTTP in the home's own network.
    let line = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    if let Ok(line) = HeaderValue::from_str(&line) {
        answer.headers_mut().insert(header::SET_COOKIE, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_either_body() {
        let check = |body: &str, json: bool, want: Option<&str>| {
            assert_eq!(token(body.as_bytes(), json).as_deref(), want, "{body}");
        };
        check(r#"{"token":" abc "}"#, true, Some("abc"));
        check(r#"{"token":7}"#, true, None);
        check(r#"{"token":""}"#, true, None);
        check("[", true, None);
        check("token=a%2Bb+c%C3%A4", false, Some("a+b cä"));
        check("x=1&token=abc", false, Some("abc"));
        check("token=%2", false, None);
        check("token=%ff", false, None);
        check("other=abc", false, None);
        assert_eq!(token(format!("token={}", "a".repeat(LONGEST)).as_bytes(), false), None);
    }
}
