//! Assertions that clients authenticate with (RFC 7523, sections 2.2 and 3): from a string to a client, used up.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::keys;
use super::{AuthMethod, Client, Unavailable};
use crate::config::Config;
use crate::cx::Cx;
use crate::jose::jwk::Algorithm;
use crate::jose::jws::{InvalidJws, Untrusted};
use crate::machine::once::{Command, Once, Outcome};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::provider::claims::{Claims, Malformed};
use crate::provider::jwks::NoKey;
use crate::store::{CryptoError, Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// `client_assertion_type` (RFC 7523, section 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What assertions may be signed with, as the metadata lists it.
pub const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];
/// Where clients authenticate: an assertion for one of them, or for the issuer, is for us.
const ENDPOINTS: [&str; 8] = [
    "/oauth2/token",
    "/oauth/token",
    "/token",
    "/oauth2/par",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/device_authorization",
    "/oauth/device/authorize",
];
/// Clocks differ by so much.
const SKEW: Ttl = Ttl::from_seconds(60);
/// An assertion may hold for so long from now.
const LONGEST_LIFE: Ttl = Ttl::from_seconds(3600);

/// Why an assertion is not a client's.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAssertion {
    /// Not a token, or not one for this.
    #[error("not a token: {0}")]
    Form(InvalidJws),
    /// A token for something else.
    #[error("its type is that of another token")]
    Type,
    /// `iss` and `sub` are not both the client's name, or another one stands beside it.
    #[error("iss, sub and client_id are not one and the same")]
    Client,
    /// There is no such client.
    #[error("the client is unknown")]
    Unknown,
    /// The client did not choose to sign, or not like that.
    #[error("the client authenticates in another way")]
    Method,
    /// The client has no such key.
    #[error("its key: {0}")]
    Key(NoKey),
    /// Somebody else's signature.
    #[error("its signature: {0}")]
    Signature(InvalidJws),
    /// It is for somebody else, or for more than one.
    #[error("its audience is not this service alone")]
    Audience,
    /// `exp`, `iat` or `nbf` are wrong for the present.
    #[error("its time: {0}")]
    Time(&'static str),
    /// A claim is missing, or not of its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It has been used.
    #[error("its jti has been seen")]
    Replayed,
    /// The client cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Our fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our fault.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Refusal for InvalidAssertion {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable(error) => error.code(),
            Self::Store(_) | Self::Crypto(_) | Self::Key(NoKey::Unreachable(_)) => ErrorCode::TemporarilyUnavailable,
            _ => ErrorCode::InvalidClient,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Unavailable(error) => error.hint(),
            Self::Form(_) | Self::Type => "Send a signed JWT as client_assertion, with typ JWT or without.",
            Self::Client => "Make iss and sub of the assertion your client_id.",
            Self::Unknown => super::UNKNOWN,
            Self::Method => "Authenticate as your client is registered; only one of private_key_jwt can use an assertion.",
            Self::Key(NoKey::Unreachable(_)) => "Serve the key set at jwks_uri as JSON with status 200, and try again in a minute.",
            Self::Key(_) | Self::Signature(_) => "Sign with RS256, ES256 or EdDSA and a key of your jwks or jwks_uri, and name it in kid.",
            Self::Audience => "Make aud of the assertion the issuer or the token endpoint, and nothing else.",
            Self::Time(_) => "Let the assertion hold for five minutes from now, by a clock that is right.",
            Self::Malformed(_) | Self::Replayed => "Make a new assertion with a jti of its own for every request.",
            Self::Store(_) | Self::Crypto(_) => self.code().hint(),
        }
    }

    fn retry_after(&self) -> Option<Ttl> {
        match self {
            Self::Unavailable(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// The client that has made `assertion`, which is used up by that; `named` is what stands in `client_id`. A refused one is not used up.
///
/// # Errors
/// It is nobody's, for the first reason in this order: form, type, names, client, method, key and signature, audience, time, earlier use.
pub async fn authenticate<P: Ports>(assertion: &str, named: Option<&str>, cx: &Cx<'_, P>) -> Result<Rc<Client>, InvalidAssertion> {
    let token = Untrusted::parse(assertion).map_err(InvalidAssertion::Form)?;
    // Tokens of other kinds that the same key has signed are no assertions (RFC 8725, section 3.11).
    if !matches!(token.unverified_type().as_str(), "" | "jwt" | "client-authentication+jwt") {
        return Err(InvalidAssertion::Type);
    }
    let unverified: Map<String, Value> = token.unverified_claims().map_err(InvalidAssertion::Form)?;
    let name = |claims: &Map<String, Value>| {
        let of = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        of("sub").filter(|sub| of("iss").as_ref() == Some(sub))
    };
    let id = name(&unverified).filter(|id| named.is_none_or(|named| named == id)).ok_or(InvalidAssertion::Client)?;
    let client = super::find(&id, cx).await?.ok_or(InvalidAssertion::Unknown)?;
    let algorithm = token.unverified_algorithm().filter(|algorithm| is_allowed(*algorithm, &client)).ok_or(InvalidAssertion::Method)?;
    let keys = keys::candidates(&client, token.unverified_key_id(), algorithm, cx).await.map_err(InvalidAssertion::Key)?;
    let verified: Map<String, Value> = token.verify_typed(&keys, cx.ports).await.map_err(|error| match error {
        InvalidJws::Crypto(error) => InvalidAssertion::Crypto(error),
        error => InvalidAssertion::Signature(error),
    })?;
    if name(&verified).as_ref() != Some(&id) {
        return Err(InvalidAssertion::Client);
    }
    let claims = Claims::new(verified);
    if !audience(&claims).is_some_and(|audience| is_ours(audience, cx.config)) {
        return Err(InvalidAssertion::Audience);
    }
    let expires = time(&claims, cx.now)?;
    let (place, digest) = Once::place("client-assertion", &id, claims.identifier("jti")?);
    let until = expires.plus(SKEW).plus(SKEW);
    match cx.ports.run::<Once>(&place, Command::Burn { digest, until }).await? {
        Outcome::Fresh => Ok(client),
        Outcome::Seen => Err(InvalidAssertion::Replayed),
    }
}

fn is_allowed(algorithm: Algorithm, client: &Client) -> bool {
    let name = match algorithm {
        Algorithm::Rs256 => "RS256",
        Algorithm::Es256 => "ES256",
        Algorithm::EdDsa => "EdDSA",
        Algorithm::Es384 | Algorithm::Ps256 => return false,
    };
    let chosen = client.metadata.token_endpoint_auth_signing_alg.as_deref();
    client.metadata.token_endpoint_auth_method == Some(AuthMethod::PrivateKeyJwt) && chosen.is_none_or(|chosen| chosen == name)
}

/// A string, or a list of one: with more of them somebody else could present it to us.
fn audience(claims: &Claims) -> Option<&str> {
    match claims.value("aud")? {
        Value::String(one) => Some(one),
        Value::Array(list) => match list.as_slice() {
            [Value::String(one)] => Some(one),
            _ => None,
        },
        _ => None,
    }
}

fn is_ours(audience: &str, config: &Config) -> bool {
    let path = audience.strip_prefix(&config.issuer);
    path.is_some_and(|path| path.is_empty() || path == "/" || ENDPOINTS.contains(&path))
}

/// `exp`, and `iat` and `nbf` where they are there (RFC 7523, section 3).
fn time(claims: &Claims, now: Timestamp) -> Result<Timestamp, InvalidAssertion> {
    let expires = Timestamp::from_seconds(claims.seconds("exp")?);
    let begins = claims.optional_seconds("iat")?.max(claims.optional_seconds("nbf")?).map_or(now, Timestamp::from_seconds);
    if expires.plus(SKEW) <= now {
        Err(InvalidAssertion::Time("it is over"))
    } else if now.plus(LONGEST_LIFE).plus(SKEW) < expires {
        Err(InvalidAssertion::Time("it lasts too long"))
    } else if now.plus(SKEW) < begins {
        Err(InvalidAssertion::Time("it lies in the future"))
    } else {
        Ok(expires)
    }
}
