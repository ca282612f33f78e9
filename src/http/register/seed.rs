//! Where the identifier and the secrets of a registration come from: from the request if it may be repeated, else from chance.

use http::{HeaderMap, HeaderValue};

use crate::cx::Cx;
use crate::entropy::random;
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::oauth::error::ErrorCode;

/// The seed of one registration.
pub(super) struct Seed {
    pub(super) registration: RegistrationId,
    request: Option<Repeatable>,
}

/// A request that may be repeated.
struct Repeatable {
    /// Network, key, path and body, as one secret of 256 bits.
    scope: [u8; 32],
    /// What the record keeps of them.
    digest: String,
}

impl Seed {
    /// Reads `Idempotency-Key`, if there is one.
    pub(super) fn new<P>(path: &str, headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(Self { registration: RegistrationId::from_bytes(random(cx.entropy)?), request: None });
        };
        let value = usable(value)?;
        // The network is part of it: the same key from elsewhere is another key.
        let network = cx.origin.as_ref().map_or("", |origin| origin.narrow.as_str()).as_bytes();
        let derive = |label: &str, parts: &[&[u8]]| cx.config.masters.current.idempotent(label, parts);
        let scope = derive("scope", &[network, value, path.as_bytes(), body]);
        let registration = RegistrationId::from_bytes(first(derive("address", &[network, value])));
        Ok(Self { registration, request: Some(Repeatable { scope, digest: crate::master::hex(&derive("digest", &[&scope])) }) })
    }

    /// What the record keeps of a request that may be repeated.
    pub(super) fn digest(&self) -> Option<String> {
        self.request.as_ref().map(|request| request.digest.clone())
    }

    /// 256 bits for the use `label`: the same for the same request and salt, so that what was lost on the way can be made again and
    /// nothing of it is stored.
    pub(super) fn bytes<P>(&self, label: &str, salt: &str, cx: &Cx<'_, P>) -> Result<[u8; 32], Refused> {
        match &self.request {
            Some(request) => Ok(cx.config.masters.current.idempotent(label, &[&request.scope, salt.as_bytes()])),
            None => Ok(random(cx.entropy)?),
        }
    }
}

/// An `Idempotency-Key` that nobody else has by chance.
///
/// # Errors
/// It is too short, too long or not text.
pub(in crate::http) fn usable(value: &HeaderValue) -> Result<&[u8], Refused> {
    let value = value.as_bytes();
    if (16..=255).contains(&value.len()) && value.iter().all(|byte| (0x21..0x7f).contains(byte)) {
        return Ok(value);
    }
    Err(Refused::new(ErrorCode::InvalidRequest, "unusable Idempotency-Key")
        .hint("Send an Idempotency-Key of 16 to 255 visible ASCII characters that nobody can guess."))
}

/// The first 128 bits.
pub(in crate::http) fn first(bytes: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default())
}
