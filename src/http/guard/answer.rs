//! The door's own answers.

use crate::error::Error;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// The answer to a request that may not pass.
pub(super) struct Refusal(pub(super) Box<Response>);

impl From<Response> for Refusal {
    fn from(answer: Response) -> Refusal {
        Refusal(Box::new(answer))
    }
}

/// Asks for a token.
pub(super) fn unauthenticated(what: &str) -> Response {
    let mut answer = Error::unauthenticated(what).into_response();
    ask_for_token(&mut answer);
    answer
}

/// What a browser sees that has no session: it moves on to the login page by itself, while the status
/// still says that a token is needed. The address is relative, because a proxy may show Hearth below
/// a path of its own.
pub(super) fn sign_in(path: &str) -> Response {
    let login = format!("{}login", "../".repeat(path.matches('/').count().saturating_sub(1)));
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"0; url={login}\"><title>Hearth</title>\
         <p><a href=\"{login}\">Sign in to Hearth</a></p></html>"
    );
    let mut answer = (StatusCode::UNAUTHORIZED, Html(page)).into_response();
    ask_for_token(&mut answer);
    answer
}

fn ask_for_token(answer: &mut Response) {
    let value = HeaderValue::from_static("Bearer realm=\"hearth\"");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
}

/// Answers the question of a browser whether another page may ask; never with credentials.
pub(super) fn preflight(request: &Request, origin: Option<&HeaderValue>) -> Option<Response> {
    origin?;
    let asked = request.headers();
    if request.method() != Method::OPTIONS {
        return None;
    }
    asked.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(answer)
}
