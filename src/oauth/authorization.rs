//! The `Authorization` header: `Basic` (RFC 7617, RFC 6749 section 2.3.1), `Bearer` (RFC 6750) and `DPoP` (RFC 9449, section 7.1).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::error::{ErrorCode, Refusal};
use super::params::text;

const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What the header says.
#[derive(Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A name and a secret.
    Basic {
        /// `client_id`, possibly empty.
        name: String,
        /// `client_secret`, decoded.
        secret: String,
        /// The same as it came, if that is something else.
        plain: Option<String>,
    },
    /// A token or an API key.
    Bearer(String),
    /// A token that comes with a proof of its key.
    Dpop(String),
}

/// A header that is there but cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorization {
    /// Two headers, or bytes that are not ASCII.
    #[error("the Authorization header is not one line of ASCII")]
    NotOneLine,
    /// Neither `Basic` nor `Bearer` nor `DPoP`.
    #[error("the scheme of the Authorization header is unknown")]
    UnknownScheme,
    /// `Basic` without readable `name:secret`.
    #[error("the Basic credentials cannot be read")]
    Basic,
    /// `Bearer` without one token of legal characters.
    #[error("the Bearer token is malformed")]
    Bearer,
    /// `DPoP` without one token of legal characters.
    #[error("the DPoP token is malformed")]
    Dpop,
}

impl Refusal for InvalidAuthorization {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidClient
    }
}

impl Authorization {
    /// Reads the header, if there is one. Scheme names are case-insensitive (RFC 9110, section 11.1).
    ///
    /// # Errors
    /// There is one and it cannot be read.
    pub fn parse(headers: &HeaderMap) -> Result<Option<Self>, InvalidAuthorization> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(InvalidAuthorization::NotOneLine);
        }
        let value = value.to_str().map_err(|_| InvalidAuthorization::NotOneLine)?.trim();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim_start();
        if scheme.eq_ignore_ascii_case("bearer") {
            return token(rest).map(Self::Bearer).map(Some).ok_or(InvalidAuthorization::Bearer);
        }
        if scheme.eq_ignore_ascii_case("dpop") {
            return token(rest).map(Self::Dpop).map(Some).ok_or(InvalidAuthorization::Dpop);
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest).map(Some);
        }
        Err(InvalidAuthorization::UnknownScheme)
    }
}

/// A character of `b64token` (RFC 6750, section 2.1).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// RFC 6750, section 2.1: `b64token`.
fn token(token: &str) -> Option<String> {
    (!token.is_empty() && token.bytes().all(is_token_byte)).then(|| token.to_owned())
}

/// Clients send both parts form-encoded, as RFC 6749 says, or plain, as some MCP SDKs do. What does not decode is
/// taken as it is. Our identifiers and secrets hold no character for which it makes a difference; secrets that an operator made may.
fn basic(encoded: &str) -> Result<Authorization, InvalidAuthorization> {
    let bytes = LENIENT.decode(encoded).map_err(|_| InvalidAuthorization::Basic)?;
    let plain = String::from_utf8(bytes).map_err(|_| InvalidAuthorization::Basic)?;
    let (name, secret) = plain.split_once(':').ok_or(InvalidAuthorization::Basic)?;
    let decode = |part: &str| text(part.as_bytes()).unwrap_or_else(|_| part.to_owned());
    let decoded = decode(secret);
    let plain = Some(secret.to_owned()).filter(|plain| *plain != decoded);
    Ok(Authorization::Basic { name: decode(name), secret: decoded, plain })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parse(value: &str) -> Result<Option<Authorization>, InvalidAuthorization> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        Authorization::parse(&headers)
    }

    fn basic(name: &str, secret: &str) -> Option<Authorization> {
        Some(Authorization::Basic { name: name.into(), secret: secret.into(), plain: None })
    }

    #[test]
    fn basic_comes_plain_or_percent_encoded() {
        assert!(parse("Basic cmVnOmtleQ==").unwrap() == basic("reg", "key"));
        assert!(parse("basic cmVnOmtleQ").unwrap() == basic("reg", "key"), "no padding, lower case");
        let encoded = Authorization::Basic { name: "reg".into(), secret: "a b".into(), plain: Some("a%20b".into()) };
        assert!(parse("Basic JTcyZWc6YSUyMGI=").unwrap() == Some(encoded), "%72eg:a%20b");
        assert!(parse("Basic OmtleQ==").unwrap() == basic("", "key"), "no name");
        for wrong in ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w=="] {
            assert!(parse(wrong) == Err(InvalidAuthorization::Basic), "{wrong}");
        }
    }

    #[test]
    fn bearer_is_one_token() {
        assert!(parse("bEaReR  abc.def ").unwrap() == Some(Authorization::Bearer("abc.def".into())));
        for wrong in ["Bearer", "Bearer ", "Bearer a b", "Bearer \"a\"", "Bearer a,b"] {
            assert!(parse(wrong) == Err(InvalidAuthorization::Bearer), "{wrong}");
        }
        assert!(parse("dpop abc.def").unwrap() == Some(Authorization::Dpop("abc.def".into())));
        for wrong in ["DPoP", "DPoP ", "DPoP a b", "DPoP a,b"] {
            assert!(parse(wrong) == Err(InvalidAuthorization::Dpop), "{wrong}");
        }
        assert!(parse("Digest x") == Err(InvalidAuthorization::UnknownScheme));
        assert!(parse("Bearer \u{e9}") == Err(InvalidAuthorization::NotOneLine));
    }

    #[test]
    fn two_headers_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(Authorization::parse(&headers) == Err(InvalidAuthorization::NotOneLine));
    }
}
