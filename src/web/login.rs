//! Login and logout: the page takes a token once and gives a cookie that no script can read.
//!
//! The guard has checked Origin and rate before a token is looked at, and counts the 401s given
//! here. A token is taken from the body alone, never from an address.

use crate::error::Error;
use crate::http::guard::{self, Client};
use crate::http::{
    Bytes, Extension, HeaderMap, IntoResponse, Json, Response, State, StatusCode, header,
};
use crate::policy::{Outcome, Via};
use crate::web::{MaybeCaller, Web, assets, page};
use serde_json::json;
use std::sync::Arc;

/// Stands above every page of the demo house; its words are those of `shared/text.ts`.
const BANNER: &str = "<div class=\"demo\" role=\"region\" aria-label=\"Demo\">\
     Demo house \u{2013} nothing here is real</div>";
/// A token is far shorter.
const LONGEST: usize = 4096;

/// Answers `GET /login`.
pub(super) async fn form(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    caller: MaybeCaller,
) -> Response {
    if caller.is_some() {
        return to("./");
    }
    if web.parts.demo {
        return filled(true, "").unwrap_or_else(IntoResponse::into_response);
    }
    page::guarded(assets::login().answer(&headers, "no-cache"))
}

/// Answers `POST /login` with `{"token":…}` or the form of the login page.
pub(super) async fn open(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let json = is_json(&headers);
    let demo = web.parts.demo;
    let policy = &web.parts.policy;
    let token = token(&body, json).unwrap_or_default();
    let caller = match web.parts.guard.try_token(&client, &token, Via::Page) {
        Ok(caller) => caller,
        Err(e) => return refuse(e, json, demo),
    };
    let Some(cookie) = guard::set_cookie(&policy.open_page(&caller), client.is_https) else {
        return refuse(Error::broken("the page session could not be opened"), json, demo);
    };
    policy.record(&caller, "login", "", Outcome::Allowed, None);
    let mut answer =
        if json { Json(json!({ "who": &*caller.name })).into_response() } else { to("./") };
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    answer
}

/// Answers `POST /logout`.
pub(super) async fn close(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    caller: MaybeCaller,
) -> Response {
    if let Some(cookie) = guard::session_cookie(&headers) {
        web.parts.policy.close_page(cookie);
        if let Some(caller) = caller {
            web.parts.policy.record(&caller.0, "logout", "", Outcome::Allowed, None);
        }
    }
    let mut answer = if is_json(&headers) { Json(json!({})).into_response() } else { to("login") };
    answer.headers_mut().insert(header::SET_COOKIE, guard::clear_cookie());
    answer
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

/// The same words as JSON for the login page's script, and on the page for a form without one.
fn refuse(e: Error, json: bool, demo: bool) -> Response {
    if json {
        return e.into_response();
    }
    match filled(demo, e.what()) {
        Ok(mut answer) => {
            // The status and what goes with it are those of the error itself.
            *answer.status_mut() = e.into_response().status();
            answer
        }
        Err(e) => e.into_response(),
    }
}

/// The login page with what it has to say: that this is a demo, that the token was wrong.
fn filled(demo: bool, wrong: &str) -> Result<Response, Error> {
    let html = String::from_utf8(assets::login().plain()?)
        .map_err(|e| Error::broken("the login page is not text").because(e))?;
    let banner = if demo { BANNER } else { "" };
    let html = html.replace("<!--demo-->", banner).replace("<!--wrong-->", wrong);
    let head =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok(page::guarded((head, html).into_response()))
}

/// Sends a browser on, relative to where it is: the page may stand below a proxy's path.
fn to(place: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place), (header::CACHE_CONTROL, "no-store")])
        .into_response()
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
