//! Refusals of `/api` and `/events` in the one shape of [`crate::http::answer`].
//!
//! The framework refuses what no route takes in plain text, or without a word; scripts get the same
//! status as JSON, and are told what there is. What a route answers in JSON passes as it is. Wrapped
//! around all routes by `app`; it never looks at a request's body.

use crate::error::Kind;
use crate::http::answer::refusal;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;

/// The longest refusal of the framework that is passed on, in bytes.
const LONGEST: usize = 4096;
/// So much of a path is repeated in a refusal, in characters.
const PATH: usize = 100;

/// Wraps `router`; `paths` are those that exist below `/api`, for whoever asks for another.
pub fn wrap(router: Router, mut paths: Vec<&'static str>) -> Router {
    paths.push("/events");
    paths.sort_unstable();
    let known: Arc<str> = paths.join(", ").into();
    router.layer(from_fn_with_state(known, pass))
}

async fn pass(State(known): State<Arc<str>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = ["/api", "/events"].iter().any(|root| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if !is_ours {
        return next.run(request).await;
    }
    let path: String = path.chars().take(PATH).collect();
    let method = request.method().clone();
    let answer = next.run(request).await;
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
    if answer.status().as_u16() < 400 || is_json {
        return answer;
    }
    mend(answer, &method, &path, &known).await
}

async fn mend(answer: Response, method: &Method, path: &str, known: &str) -> Response {
    let (head, body) = answer.into_parts();
    let said = to_bytes(body, LONGEST).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let (status, text) = match head.status {
        StatusCode::NOT_FOUND => (head.status, format!("there is no '{path}'; there is: {known}")),
        // The framework adds that header outside of this.
        StatusCode::METHOD_NOT_ALLOWED => {
            let text = format!("'{path}' does not take {method}; see the header 'allow'");
            (head.status, text)
        }
        // JSON of the wrong shape is as invalid as what is no JSON.
        StatusCode::UNPROCESSABLE_ENTITY => (StatusCode::BAD_REQUEST, said.into_owned()),
        status if said.is_empty() => {
            (status, status.canonical_reason().unwrap_or("this cannot be answered").to_owned())
        }
        status => (status, said.into_owned()),
    };
    let code = match Kind::of_status(status.as_u16()) {
        Kind::Broken if status.is_client_error() => Kind::Invalid.row().code,
        kind => kind.row().code,
    };
    let mut mended = refusal(status, code, &text);
    for name in [header::RETRY_AFTER, header::CONNECTION] {
        if let Some(value) = head.headers.get(&name) {
            mended.headers_mut().insert(name, value.clone());
        }
    }
    mended
}
