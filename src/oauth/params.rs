//! Form parameters: each at most once, the empty ones absent.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::error::{ErrorCode, Refusal};

/// The parameters of an `application/x-www-form-urlencoded` body.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

/// The body is not a set of parameters.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParams {
    /// RFC 6749, section 3.2: parameters must not be included more than once.
    #[error("a parameter is repeated")]
    Repeated,
    /// RFC 8707 allows several resources; a token of ours has one audience.
    #[error("several resources are asked for at once")]
    RepeatedResource,
    /// Percent-encoding that is not UTF-8, or a control character.
    #[error("a parameter is not text")]
    NotText,
    /// More parameters than any request of ours has.
    #[error("too many parameters")]
    TooMany,
    /// A parameter that the request needs is absent or empty.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
}

impl Refusal for InvalidParams {
    fn code(&self) -> ErrorCode {
        match self {
            Self::RepeatedResource => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidRequest,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Repeated => "Send every parameter once.",
            Self::RepeatedResource => "Send one resource, and ask for one token per resource.",
            Self::NotText => "Percent-encode parameters as UTF-8, without control characters.",
            Self::TooMany => "Send only the parameters that auth.md names.",
            Self::Missing("grant_type") => "Send grant_type, as application/x-www-form-urlencoded.",
            Self::Missing("token") => "Send the token as the form parameter token.",
            Self::Missing("assertion") => "Send the identity_assertion of your registration as assertion.",
            Self::Missing(_) => self.code().hint(),
        }
    }
}

impl Params {
    /// Reads a form body (RFC 6749, appendix B).
    ///
    /// # Errors
    /// A repeated parameter, one that is not text, or too many of them.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidParams> {
        const MOST: usize = 64;
        let mut params: Vec<(String, String)> = Vec::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => {
                    let (name, rest) = pair.split_at(at);
                    (name, rest.get(1..).unwrap_or_default())
                }
                None => (pair, &[][..]),
            };
            let (name, value) = (text(name)?, text(value)?);
            if params.iter().any(|(known, _)| *known == name) {
                return Err(if name == "resource" { InvalidParams::RepeatedResource } else { InvalidParams::Repeated });
            }
            if params.len() == MOST {
                return Err(InvalidParams::TooMany);
            }
            params.push((name, value));
        }
        Ok(Self(params))
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of `name`; an empty one is absent (RFC 6749, section 3.2).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// It is absent or empty.
    pub fn require(&self, name: &'static str) -> Result<&str, InvalidParams> {
        self.find(name).ok_or(InvalidParams::Missing(name))
    }
}

/// Undoes the form encoding of one name or value.
pub(crate) fn text(encoded: &[u8]) -> Result<String, InvalidParams> {
    let spaced: Cow<'_, [u8]> = if encoded.contains(&b'+') {
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
    } else {
        Cow::Borrowed(encoded)
    };
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| InvalidParams::NotText)?;
    if decoded.chars().any(char::is_control) {
        return Err(InvalidParams::NotText);
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_is_absent_and_repeated_is_refused() {
        let params = Params::parse(b"a=1&b=&c&d=x+y%20z&&").unwrap();
        assert_eq!(params.find("a"), Some("1"));
        assert_eq!(params.find("b"), None);
        assert_eq!(params.find("c"), None);
        assert_eq!(params.find("d"), Some("x y z"));
        assert_eq!(params.require("e"), Err(InvalidParams::Missing("e")));
        assert_eq!(Params::parse(b"a=1&a=1").unwrap_err(), InvalidParams::Repeated);
        assert_eq!(Params::parse(b"a=1&%61=2").unwrap_err(), InvalidParams::Repeated);
        assert_eq!(Params::parse(b"resource=a&resource=b").unwrap_err(), InvalidParams::RepeatedResource);
        assert_eq!(Params::parse(b"a=%ff").unwrap_err(), InvalidParams::NotText);
        assert_eq!(Params::parse(b"a=%00").unwrap_err(), InvalidParams::NotText);
        let many = (0..65).map(|index| format!("p{index}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Params::parse(many.as_bytes()).unwrap_err(), InvalidParams::TooMany);
    }

    proptest! {
        #[test]
        fn what_url_encodes_we_read(pairs in proptest::collection::btree_map("[a-z]{1,8}", "[^\\p{Cc}]{1,20}", 0..8)) {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let params = Params::parse(body.as_bytes()).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(params.find(name), Some(value.as_str()));
            }
        }
    }
}
