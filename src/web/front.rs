//! A second front door: all routes as they are, but the root opens one service's page, and `/health`
//! has the shape that monitors of an earlier server of that service read.

use crate::error::Error;
use crate::http::{
    Extension, HeaderValue, IntoResponse, Json, Response, Router, State, StatusCode, get, header,
};
use crate::policy::Caller;
use crate::tasks::{self, Tasks};
use crate::web::{assets, page};
use serde_json::{Map, Value, json};
use std::sync::Arc;

struct Front {
    page: &'static str,
    tasks: Tasks,
}

/// Puts such a door in front of `router`; the guard stands outside of it. `page` is the name of the
/// service.
pub fn front(router: Router, page: &'static str, tasks: &Tasks) -> Router {
    let front = Arc::new(Front { page, tasks: tasks.clone() });
    Router::new()
        .route("/", get(root))
        .route("/health", get(health))
        .with_state(front)
        .fallback_service(router)
}

/// The document of the page, which says where it begins when the address does not.
async fn root(State(front): State<Arc<Front>>) -> Result<Response, Error> {
    let html = String::from_utf8(assets::index().plain()?)
        .map_err(|e| Error::broken("the page is not text").because(e))?;
    let start = format!("<head>\n<meta name=\"hearth-start\" content=\"{}\">", front.page);
    let html = html.replacen("<head>", &start, 1);
    let mut answer = html.into_response();
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(page::guarded(answer))
}

/// Answers `/health` with `status` healthy or unhealthy, `timestamp`, `version` and `services`. As at
/// the main door, only Hearth's own parts make it 503; reasons are for callers.
async fn health(State(front): State<Arc<Front>>, caller: Option<Extension<Caller>>) -> Response {
    let healthy = front.tasks.is_healthy();
    let word = if healthy { "healthy" } else { "unhealthy" };
    let all = front.tasks.health();
    let mut services = Map::new();
    for name in ["mcp_server", "web_interface"] {
        services.insert(name.into(), word.into());
    }
    services.extend(all.iter().map(|h| (h.name.to_owned(), Value::from(h.state.word()))));
    let mut body = json!({
        "status": word,
        "timestamp": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "services": services,
    });
    if caller.is_some() {
        let bad = all.iter().filter(|h| h.state != tasks::State::Up);
        let why = bad
            .map(|h| (h.name.to_owned(), Value::from(h.state.reason().unwrap_or(h.state.word()))));
        body["reasons"] = Value::Object(why.collect());
    }
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}
