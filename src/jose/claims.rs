//! The claims of our own tokens. Fields are only ever added.

use jwt_compact::Claims;
use serde::{Deserialize, Serialize};

use crate::id::RegistrationId;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::time::Timestamp;

/// `typ` of access tokens (RFC 9068, section 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";
/// `typ` of the identity assertion that a registration returns: a type of our own, so that no provider's
/// ID-JAG can pass for one.
pub const IDENTITY_ASSERTION: &str = "agent-identity+jwt";
/// `typ` of status lists (draft-ietf-oauth-status-list).
pub const STATUS_LIST: &str = "statuslist+jwt";

/// An access token (RFC 9068, section 2.2) and what our own resources need to judge it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessToken {
    /// The issuer, byte for byte.
    pub iss: String,
    /// The registration that acts.
    pub sub: String,
    /// The one resource that it is for.
    pub aud: String,
    /// The same as `sub` for agents.
    pub client_id: String,
    /// 128 random bits, base64url.
    pub jti: String,
    /// What it allows.
    pub scope: GrantedScope,
    /// The registration whose cell decides whether it still counts.
    pub registration: RegistrationId,
    /// The generation of the registration that it belongs to.
    pub generation: u32,
    /// The API key that it was issued for, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialStamp>,
    /// Where its status stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// An API key at one moment of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialStamp {
    /// Its number within the registration.
    pub id: u32,
    /// Raised when the key ends.
    pub generation: u32,
}

/// `status` (draft-ietf-oauth-status-list, section 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The list and the place in it.
    pub status_list: StatusReference,
}

/// One bit of one status list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReference {
    /// Which bit.
    pub idx: u32,
    /// Which list.
    pub uri: String,
}

/// The assertion that an agent exchanges for access tokens as often as it likes until it expires.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityAssertion {
    /// The issuer: only we read it.
    pub iss: String,
    /// The issuer again.
    pub aud: String,
    /// The registration.
    pub sub: RegistrationId,
    /// 128 random bits, base64url.
    pub jti: String,
    /// The generation of the registration that it belongs to.
    pub generation: u32,
    /// No more than this may be asked for with it: what the provider's ID-JAG was restricted to.
    #[serde(flatten)]
    pub within: Within,
}

/// What a provider has restricted its word to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// No more scope than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// For this resource alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl Within {
    /// Whether nothing is restricted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A status list token (draft-ietf-oauth-status-list, section 5.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusListClaims {
    /// The issuer.
    pub iss: String,
    /// The list's own address.
    pub sub: String,
    /// Seconds for which a copy may be used.
    pub ttl: u64,
    /// The bits.
    pub status_list: StatusList,
}

/// The bits, compressed (draft-ietf-oauth-status-list, section 4.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusList {
    /// Bits per token: always 1.
    pub bits: u8,
    /// zlib, then base64url.
    pub lst: String,
}

/// Puts `iat` and `exp` around claims.
#[must_use]
pub fn lasting<T>(custom: T, issued_at: Timestamp, expires: Timestamp) -> Claims<T> {
    let mut claims = Claims::new(custom);
    claims.issued_at = Some(issued_at.date());
    claims.expiration = Some(expires.date());
    claims
}

/// Whether the claims hold at `now`: there is an `exp` and it lies ahead; `nbf`, if any, has come.
#[must_use]
pub fn holds<T>(claims: &Claims<T>, now: Timestamp) -> bool {
    let expires = claims.expiration.map(Timestamp::from);
    let begins = claims.not_before.map(Timestamp::from);
    expires.is_some_and(|expires| now < expires) && begins.is_none_or(|begins| begins <= now)
}
