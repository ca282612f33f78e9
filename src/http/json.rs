//! JSON bodies.

use http::HeaderMap;
use serde::de::DeserializeOwned;

use super::media_type;
use super::refuse::Refused;
use crate::oauth::error::ErrorCode;

/// Reads a JSON object; unknown fields are ignored, repeated known ones are not.
///
/// # Errors
/// Another media type, malformed JSON, or something other than an object.
pub(super) fn object<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refused> {
    if media_type(headers) != "application/json" {
        return Err(Refused::new(ErrorCode::UnsupportedMediaType, "not JSON").hint("Send Content-Type: application/json."));
    }
    parse(body)
}

/// The same without a look at the media type.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let malformed = |reason: String| {
        Refused::new(ErrorCode::InvalidRequest, reason)
            .hint("Send one JSON object, UTF-8, with each field once and of the type that auth.md gives.")
    };
    // serde would take an array for a struct.
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        // Fields that nobody reads must be text too.
        Some(b'{') if std::str::from_utf8(body).is_err() => Err(malformed("broken UTF-8".to_owned())),
        Some(b'{') => serde_json::from_slice(body).map_err(|error| {
            // The error's own words may quote the body, and with it a secret.
            malformed(format!("malformed JSON at line {} column {}", error.line(), error.column()))
        }),
        _ => Err(malformed("not a JSON object".to_owned())),
    }
}
