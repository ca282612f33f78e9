//! ID tokens (OpenID Connect Core, section 3.1.3.7): a provider's signed word, for us, now, and for this journey.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::config::Upstream;
use crate::cx::Cx;
use crate::jose::jwk::Algorithm;
use crate::jose::jws::{InvalidJws, Untrusted};
use crate::provider::claims::{Claims, Malformed};
use crate::provider::guard::NamedBy;
use crate::provider::jwks::{self, KeySet, NoKey};
use crate::store::Ports;
use crate::time::Ttl;

/// Clocks differ by so much, in seconds.
const SKEW: i64 = 60;
/// A token comes with the code, and so is made for it, in seconds.
const OLDEST: i64 = 600;

/// What a token has to be.
pub struct Expected<'a> {
    /// Whose it is, and whom it is for.
    pub upstream: &'a Upstream,
    /// What was sent along.
    pub nonce: &'a str,
    /// What came beside it.
    pub access_token: Option<&'a str>,
    /// The sign-in may be so old, if the provider was asked for that.
    pub max_age: Option<Ttl>,
}

/// Why an ID token does not count.
#[derive(Debug, thiserror::Error)]
pub enum InvalidIdToken {
    /// No token, a token for something else, or somebody else's signature.
    #[error(transparent)]
    Jws(#[from] InvalidJws),
    /// The provider has no such key, or its keys cannot be had.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// A claim is missing, or not of its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Another provider's.
    #[error("the issuer is another")]
    Issuer,
    /// For somebody else.
    #[error("the audience is not our client alone, and azp does not say so")]
    Audience,
    /// Of another journey.
    #[error("the nonce is another")]
    Nonce,
    /// Not now.
    #[error("its time: {0}")]
    Time(&'static str),
    /// Of another access token.
    #[error("at_hash is of another access token")]
    AccessToken,
}

/// Checks a token; `jwks_uri` is the provider's.
///
/// # Errors
/// It does not count.
pub async fn verify<P: Ports>(token: &str, jwks_uri: &str, expected: &Expected<'_>, cx: &Cx<'_, P>) -> Result<Claims, InvalidIdToken> {
    let token = Untrusted::parse(token)?;
    // Most providers name the type `JWT`, some none; what names another is a token for something else (RFC 8725, section 3.11).
    let typ = if token.unverified_type().is_empty() { "" } else { "jwt" };
    let algorithm = token.unverified_algorithm().ok_or(InvalidJws::Algorithm)?;
    let keys = jwks::candidates_at::<KeySet, P>(jwks_uri, NamedBy::Operator, token.unverified_key_id(), algorithm, cx).await?;
    let claims: Map<String, Value> = token.verify_with(typ, &keys, cx.ports).await?;
    let claims = Claims(claims);
    if claims.text("iss") != Some(&expected.upstream.issuer) {
        return Err(InvalidIdToken::Issuer);
    }
    audience(&claims, &expected.upstream.client_id)?;
    if claims.text("nonce") != Some(expected.nonce) {
        return Err(InvalidIdToken::Nonce);
    }
    time(&claims, cx.now.seconds(), expected.max_age)?;
    claims.identifier("sub")?;
    match (claims.value("at_hash"), expected.access_token, at_hash(algorithm, expected.access_token.unwrap_or_default())) {
        (Some(found), Some(_), Some(hash)) if found.as_str() != Some(&hash) => Err(InvalidIdToken::AccessToken),
        _ => Ok(claims),
    }
}

/// Ours alone; or ours among others, if we are the one that it was made for.
fn audience(claims: &Claims, client_id: &str) -> Result<(), InvalidIdToken> {
    let (ours, alone) = match claims.value("aud") {
        Some(Value::String(only)) => (only == client_id, true),
        Some(Value::Array(all)) => (all.iter().any(|one| one == client_id), all.len() == 1),
        _ => (false, false),
    };
    let for_us = claims.text("azp") == Some(client_id);
    if ours && (for_us || (alone && !claims.has("azp"))) { Ok(()) } else { Err(InvalidIdToken::Audience) }
}

fn time(claims: &Claims, now: i64, max_age: Option<Ttl>) -> Result<(), InvalidIdToken> {
    let expires = claims.seconds("exp")?;
    let issued = claims.seconds("iat")?;
    if expires.saturating_add(SKEW) <= now {
        return Err(InvalidIdToken::Time("it has expired"));
    }
    if issued.saturating_sub(SKEW) > now {
        return Err(InvalidIdToken::Time("it is from the future"));
    }
    if issued.saturating_add(OLDEST + SKEW) <= now {
        return Err(InvalidIdToken::Time("it is too old"));
    }
    // A provider that knows max_age says when it was; Google does not know it.
    let signed_in = claims.optional_seconds("auth_time")?;
    let oldest = max_age.map(|max_age| i64::try_from(max_age.whole_seconds()).unwrap_or(i64::MAX));
    match (signed_in, oldest) {
        (Some(at), Some(oldest)) if at.saturating_add(oldest).saturating_add(SKEW) <= now => {
            Err(InvalidIdToken::Time("the sign-in is older than was asked for"))
        }
        _ => Ok(()),
    }
}

/// OpenID Connect Core, section 3.1.3.6. With the longer digests it is not checked: it need not be in this flow.
fn at_hash(algorithm: Algorithm, token: &str) -> Option<String> {
    let is_short = matches!(algorithm, Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256);
    is_short.then(|| URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()).get(..16).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(claims) = value else { panic!("an object is an object") };
        Claims(claims)
    }

    #[test]
    fn the_audience_is_us() {
        for (fine, value) in [
            (true, json!({ "aud": "us" })),
            (true, json!({ "aud": ["us"] })),
            (true, json!({ "aud": "us", "azp": "us" })),
            (true, json!({ "aud": ["us", "them"], "azp": "us" })),
            (false, json!({ "aud": ["us", "them"] })),
            (false, json!({ "aud": ["us", "them"], "azp": "them" })),
            (false, json!({ "aud": "us", "azp": "them" })),
            (false, json!({ "aud": "us", "azp": 1 })),
            (false, json!({ "aud": "them", "azp": "us" })),
            (false, json!({ "aud": [] })),
            (false, json!({ "aud": { "us": 1 } })),
            (false, json!({})),
        ] {
            assert_eq!(audience(&claims(value.clone()), "us").is_ok(), fine, "{value}");
        }
    }

    #[test]
    fn its_time_is_now() {
        let now = 1_800_000_000;
        let check = |value: Value, max_age: Option<u64>| time(&claims(value), now, max_age.map(Ttl::from_seconds)).is_ok();
        let with = |exp: i64, iat: i64| json!({ "exp": exp, "iat": iat });
        assert!(check(with(now + 300, now), None) && check(with(now - 59, now - 600), None) && check(with(now + 1, now + 60), None));
        assert!(!check(with(now - 60, now - 100), None), "expired");
        assert!(!check(with(now + 300, now + 61), None), "from the future");
        assert!(!check(with(now + 3600, now - 660), None), "too old");
        assert!(!check(json!({ "exp": now + 300 }), None) && !check(json!({ "iat": now }), None));
        assert!(!check(json!({ "exp": "soon", "iat": now }), None));
        let signed_in = |at: i64| json!({ "exp": now + 300, "iat": now, "auth_time": at });
        assert!(check(signed_in(now - 900), Some(900)) && check(signed_in(0), None));
        assert!(!check(signed_in(now - 960), Some(900)));
        assert!(check(with(now + 300, now), Some(900)), "a provider that does not say");
        assert!(!check(json!({ "exp": now + 300, "iat": now, "auth_time": "x" }), Some(900)));
    }

    #[test]
    fn at_hash_is_that_of_the_specification() {
        // OpenID Connect Core, appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(Algorithm::Rs256, token).as_deref(), Some("77QmUPtjPfzWtF2AnpK9RQ"));
        assert_eq!(at_hash(Algorithm::Es384, token), None);
    }
}
