//! The built page, embedded: written by `src/web/ui/bundle.mjs` at build time, served here. Names
//! hold a hash of the content, so a browser keeps a file for good and fetches a changed one anew.

use crate::error::Error;
use crate::http::{HeaderMap, HeaderValue, IntoResponse, Path, Response, StatusCode, header};
use std::io::Read as _;

/// One embedded file.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    /// In quotes, as ETag wants it.
    tag: &'static str,
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/ui/assets.rs"));

/// Returns the names of the services whose pages the bundler found.
pub fn bundled_pages() -> &'static [&'static str] {
    PAGES
}

/// The document of the page.
pub(super) fn index() -> &'static Asset {
    &INDEX
}

/// The document of the login page.
pub(super) fn login() -> &'static Asset {
    &LOGIN
}

/// Answers `/assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Error::not_found("there is no such asset; load the page again").into_response();
    };
    asset.answer(&headers, "public, max-age=31536000, immutable")
}

impl Asset {
    /// Answers with the file, or with 304 when the browser has it.
    pub(super) fn answer(&self, headers: &HeaderMap, cache: &'static str) -> Response {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
        let fresh = known.is_some_and(|list| list.split(',').any(|t| weakly(t) == self.tag));
        let mut answer = if fresh {
            StatusCode::NOT_MODIFIED.into_response()
        } else if takes_gzip(headers) {
            let mut answer = self.gzip.into_response();
            answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        } else {
            match self.plain() {
                Ok(plain) => plain.into_response(),
                Err(e) => return e.into_response(),
            }
        };
        let head = answer.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        head.insert(header::ETAG, HeaderValue::from_static(self.tag));
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        head.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    /// Unpacks the file, for the rare client that takes no gzip and for filling in the login page.
    pub(super) fn plain(&self) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(self.gzip).read_to_end(&mut plain).map_err(|e| {
            Error::broken(format!("'{}' is embedded wrongly", self.name)).because(e)
        })?;
        Ok(plain)
    }
}

/// The tag without the mark that a proxy puts on it when it packs anew.
fn weakly(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
        matches!(name.trim(), "gzip" | "*") && weight != Some(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        let check = |accept: &'static str, want: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(takes_gzip(&headers), want, "{accept}");
        };
        check("gzip, deflate, br", true);
        check("br;q=1.0, gzip;q=0.5", true);
        check("gzip;q=0", false);
        check("identity", false);
        check("*", true);
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn the_page_and_what_it_names_fit_the_budget() {
        let sum: usize = ASSETS.iter().chain([&INDEX, &LOGIN]).map(|a| a.gzip.len()).sum();
        assert!(sum < 60_000, "{sum} bytes gzipped");
        let html = String::from_utf8(INDEX.plain().unwrap()).unwrap();
        let named: Vec<&str> =
            html.split("\"assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 4, "{html}");
        for name in named {
            assert!(ASSETS.iter().any(|a| a.name == name), "{name} is not embedded");
        }
    }
}
