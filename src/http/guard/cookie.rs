//! The page's session cookie. `web` sets and clears it; here it is read.

use axum::http::{HeaderMap, header};

/// Its name.
pub const COOKIE: &str = "hearth_session";

/// Returns the page session that a request carries.
pub fn page_session(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_session_is_read_from_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(page_session(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("x=hearth_session; y"));
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; hearth_session=abc-1; b=2"));
        assert_eq!(page_session(&headers), Some("abc-1"));
    }
}
