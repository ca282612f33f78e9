//! The claims of our own tokens. Fields are only ever added.

use jwt_compact::Claims;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{DelegationId, GrantId, Holder, RegistrationId};
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
    /// The registration that acts, or the person for whom a client acts, or the client itself.
    pub sub: String,
    /// The one resource that it is for.
    pub aud: String,
    /// The same as `sub` for agents.
    pub client_id: String,
    /// 128 random bits, base64url.
    pub jti: String,
    /// What it allows.
    pub scope: GrantedScope,
    /// The registration whose cell decides whether it still counts, if it is an agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationId>,
    /// The grant that decides it, if it is a client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The generation of either that it belongs to.
    pub generation: u32,
    /// The API key, or the redemption of a code, that it was issued for, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialStamp>,
    /// The key that it is bound to, if it is (RFC 7800, section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts for the subject: `sub`, `client_id` if that is another, and in `act` who did before (RFC 8693, section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// The tokens that it came from by exchange: it counts as long as all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Origin>,
    /// What its delegations are bound to, the first hop first, each as it was written: all have to be met. Whoever serves the resource
    /// knows arguments, time and path, and judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Bound>,
    /// Where its status stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// What one delegation is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which.
    pub delegation: DelegationId,
    /// Argument → test, `time_window`, `resource_prefix`: [`Constraints`](crate::constraint::Constraints).
    pub constraints: Value,
}

/// What a token came from: another token, a delegation, or an agent that has handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its `jti`; empty if it is no token.
    pub jti: String,
    /// Its `iat`; of the new token, if it is no token.
    pub iat: i64,
    /// The registration that decides whether it counts; neither this nor a grant if that is the new token's own holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationId>,
    /// The grant that decides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The delegation that decides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<DelegationId>,
    /// The generation of that, or the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// As in [`AccessToken`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialStamp>,
}

impl Origin {
    /// Whether it is a token of the new token's own holder.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.registration.is_none() && self.grant.is_none() && self.delegation.is_none()
    }

    /// The registration or grant that decides whether it counts, if not the new token's own.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        self.registration.clone().map(Holder::Registration).or_else(|| self.grant.clone().map(Holder::Grant))
    }
}

impl AccessToken {
    /// Whether its rights are somebody else's, who has handed them on: its subject's, the first delegator's.
    #[must_use]
    pub fn is_by_delegation(&self) -> bool {
        self.origins.iter().any(|origin| origin.delegation.is_some())
    }

    /// The record that decides whether it still counts; none if it names none, or two.
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        match (&self.registration, &self.grant) {
            (Some(id), None) => Some(Holder::Registration(id.clone())),
            (None, Some(id)) => Some(Holder::Grant(id.clone())),
            _ => None,
        }
    }
}

/// `cnf` (RFC 9449, section 6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// RFC 7638 thumbprint of the key.
    pub jkt: String,
}

/// An API key, or what came of one code, at one moment of its life.
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
