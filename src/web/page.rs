//! The document of the page, and the headers that keep a browser from running anything else.

use crate::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use crate::web::assets;

/// Only our own files, nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Answers `/`.
pub(super) async fn index(headers: HeaderMap) -> Response {
    guarded(assets::index().answer(&headers, "no-cache"))
}

/// Adds the headers of a document.
pub(super) fn guarded(mut answer: Response) -> Response {
    let head = answer.headers_mut();
    let mut set = |name: HeaderName, value| head.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // With "no-referrer" a form without a script would name its origin as null.
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    answer
}
