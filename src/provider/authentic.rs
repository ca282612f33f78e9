//! Whose word it is: trust list, type, key and signature, in this order.

use serde_json::{Map, Value};

use super::claims::Claims;
use super::jwks::{self, NoKey};
use super::trusted;
use crate::config::Provider;
use crate::cx::Cx;
use crate::jose::jws::{InvalidJws, Untrusted};
use crate::store::{CryptoError, Ports};

/// Why a token is not a trusted provider's.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthentic {
    /// The trust list is empty.
    #[error("no provider is trusted here")]
    NobodyTrusted,
    /// Not a token at all, or one with extensions.
    #[error("not a token: {0}")]
    Form(InvalidJws),
    /// It says that it is of somebody else, or of nobody.
    #[error("its issuer is not on the trust list")]
    Issuer,
    /// A token for something else.
    #[error("its type is not {0}")]
    Type(&'static str),
    /// None of the algorithms that we take.
    #[error("its algorithm is not one of ours")]
    Algorithm,
    /// The provider has no such key.
    #[error("its key: {0}")]
    Key(NoKey),
    /// The provider's keys cannot be had at present.
    #[error("its key: {0}")]
    Unreachable(NoKey),
    /// Somebody else's signature.
    #[error("its signature: {0}")]
    Signature(InvalidJws),
    /// Our fault.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The provider that has signed `token`, and what it says. Nothing is fetched before the issuer is known to be trusted; nothing in the
/// header but `typ`, `alg` and `kid` is looked at.
///
/// # Errors
/// No trusted provider has, or it cannot be told at present.
pub async fn authenticate<'c, P: Ports>(token: &str, typ: &'static str, cx: &Cx<'c, P>) -> Result<(&'c Provider, Claims), NotAuthentic> {
    if cx.config.providers.is_empty() {
        return Err(NotAuthentic::NobodyTrusted);
    }
    let token = Untrusted::parse(token).map_err(NotAuthentic::Form)?;
    let unverified: Map<String, Value> = token.unverified_claims().map_err(NotAuthentic::Form)?;
    let issuer = |claims: &Map<String, Value>| claims.get("iss").and_then(Value::as_str).and_then(|issuer| trusted(issuer, cx));
    let provider = issuer(&unverified).ok_or(NotAuthentic::Issuer)?;
    if token.unverified_type() != typ {
        return Err(NotAuthentic::Type(typ));
    }
    let algorithm = token.unverified_algorithm().ok_or(NotAuthentic::Algorithm)?;
    let keys = jwks::candidates(provider, token.unverified_key_id(), algorithm, cx).await.map_err(|error| match error {
        NoKey::Unreachable(_) => NotAuthentic::Unreachable(error),
        error => NotAuthentic::Key(error),
    })?;
    let verified: Map<String, Value> = token.verify_with(typ, &keys, cx.ports).await.map_err(|error| match error {
        InvalidJws::Crypto(error) => NotAuthentic::Crypto(error),
        error => NotAuthentic::Signature(error),
    })?;
    // The same bytes as before, and so the same issuer; only this answer counts.
    match issuer(&verified) {
        Some(signer) if signer.issuer == provider.issuer => Ok((provider, Claims(verified))),
        _ => Err(NotAuthentic::Issuer),
    }
}
