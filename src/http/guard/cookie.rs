//! The page's session cookie.

use axum::http::{HeaderMap, HeaderValue, header};

/// Its name.
pub const COOKIE: &str = "hearth_page";

/// Makes the header `Set-Cookie` for a fresh session. `https` says whether the client came by it
/// ([`crate::http::guard::Client::is_https`]). `None` when the value cannot stand in a cookie.
pub fn set_cookie(value: &str, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if value.is_empty() || !value.bytes().all(plain) {
        return None;
    }
    let text =
        format!("{COOKIE}={value}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Makes the header `Set-Cookie` that ends a session.
pub fn clear_cookie() -> HeaderValue {
    HeaderValue::from_static("hearth_page=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

/// Returns the session of a request.
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_back_from_among_others() {
        let set = set_cookie("abc-123", true).unwrap();
        let text = set.to_str().unwrap();
        assert!(text.contains("HttpOnly") && text.contains("SameSite=Strict"));
        assert!(text.ends_with("; Secure"));
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("x=1; hearth_page=abc-123; y=2"));
        assert_eq!(session_cookie(&headers), Some("abc-123"));
        assert!(clear_cookie().to_str().unwrap().starts_with(COOKIE));
        assert_eq!(set_cookie("a;b", false), None);
    }
}
