//! Answers: bytes, headers, and what the log line should say.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

/// JSON.
pub const JSON: &str = "application/json";
/// RFC 9457.
pub const PROBLEM: &str = "application/problem+json";

/// Why the answer is what it is, for the log alone.
#[derive(Clone, Debug)]
pub struct Reason(pub String);

/// Which route answered, for the log alone.
#[derive(Clone, Copy, Debug)]
pub struct RouteName(pub &'static str);

/// An answer that must not be kept: it holds, or concerns, a credential (RFC 6749, section 5.1).
pub fn private(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = plain(status, content_type, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The same, as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
    typed(status, JSON, value)
}

/// The same, as JSON under another name.
pub fn typed(status: StatusCode, content_type: &'static str, value: &impl Serialize) -> Response<Bytes> {
    // Our own values always serialise; should one not, the answer is empty rather than wrong.
    private(status, content_type, serde_json::to_vec(value).unwrap_or_default())
}

/// A body with its type, and nothing said about keeping it.
pub fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a JSON answer says, for another answer that says the same.
pub fn value(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// No body at all.
pub fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sets a header; a value that no header can have is left out.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Any page may read the answer: no cookie ever decides it. Browsers show a page these headers only if told to.
pub fn open_to_browsers(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "WWW-Authenticate, DPoP-Nonce, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Authorization-Decision, X-Request-Id, ETag",
        ),
    );
}

/// `Retry-After` in seconds.
pub fn retry_after(headers: &mut HeaderMap, seconds: u64) {
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
}
