//! Why no token is issued, and in which words that is said.

use super::claim::NotDelivered;
use super::exchange::NotExchanged;
use crate::client::Unavailable;
use crate::client::assertion::InvalidAssertion;
use crate::dpop::InvalidProof;
use crate::id::Holder;
use crate::keys::KeysError;
use crate::machine::device::DeviceRefusal;
use crate::machine::grant::GrantRefusal;
use crate::machine::registration::claim::ClaimRefusal;
use crate::oauth::authorization::InvalidAuthorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::InvalidParams;
use crate::oauth::scope::{InvalidScope, ScopeExceeded};
use crate::provider::id_jag::InvalidIdJag;
use crate::status::NoPlace;
use crate::store::StoreError;
use crate::time::Ttl;
use crate::verify::Inactive;
use crate::vouch::NotMatched;

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The form cannot be read.
    #[error(transparent)]
    Params(#[from] InvalidParams),
    /// The `Authorization` header cannot be read.
    #[error(transparent)]
    Authorization(#[from] InvalidAuthorization),
    /// The DPoP proof does not count.
    #[error(transparent)]
    Proof(#[from] InvalidProof),
    /// The exchange is refused.
    #[error(transparent)]
    Exchange(#[from] NotExchanged),
    /// No delegation brings what is asked for.
    #[error("the delegation brings nothing: {0}")]
    Delegation(&'static str),
    /// The grant is unknown or not built.
    #[error("the grant type is unknown")]
    GrantType,
    /// RFC 6749, section 2.3: one method per request.
    #[error("the client authenticates in two ways at once")]
    TwoMethods,
    /// Which delegation is meant is said twice.
    #[error("delegation_id and delegation_token at once")]
    TwoDelegations,
    /// Nobody knows the client.
    #[error("the client is unknown")]
    UnknownClient,
    /// The client cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The client's assertion does not count.
    #[error("client authentication failed: {0}")]
    ClientAssertion(#[from] Box<InvalidAssertion>),
    /// No credential, one that is not ours, or one that does not count.
    #[error("client authentication failed: {0}")]
    Client(&'static str),
    /// The assertion does not count.
    #[error("the assertion does not count: {0}")]
    Assertion(Inactive),
    /// The registration or the client's own grant says no.
    #[error("{0} refuses")]
    Holder(Holder),
    /// The grant refuses a code or a refresh token.
    #[error("{0}")]
    Grant(GrantRefusal),
    /// The device gets nothing, or not yet.
    #[error("{0}")]
    Device(DeviceRefusal),
    /// The client did not register for this grant (RFC 6749, section 5.2).
    #[error("the client may not use this grant")]
    UnauthorizedClient,
    /// The operator has kept the resource for people.
    #[error("the resource is for people, not for clients by themselves")]
    PeopleOnly,
    /// The resource is not one that tokens are issued for.
    #[error("the resource is unknown")]
    Resource,
    /// Scope is malformed.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// More scope than is granted.
    #[error(transparent)]
    ScopeExceeded(#[from] ScopeExceeded),
    /// Nothing that the agent may do is of use at the resource.
    #[error("no scope of the agent counts at the resource")]
    NoScope,
    /// A provider's assertion does not count.
    #[error("the provider's assertion does not count: {reason}")]
    Vouched {
        /// For our log.
        reason: String,
        /// For the wire.
        code: ErrorCode,
        /// What to do about it.
        hint: &'static str,
    },
    /// The person whom a provider means must confirm first.
    #[error("the matched person must confirm first")]
    StepUp,
    /// The claim brings nothing, or not yet.
    #[error(transparent)]
    Claim(Box<NotDelivered>),
    /// Our fault.
    #[error("the status index gave an empty block")]
    NoPlaces,
    /// Our fault.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// Our fault.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our fault.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Our fault.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::EntropyError),
}

impl Refusal for Denied {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Params(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::Exchange(error) => error.code(),
            Self::Claim(error) => error.code(),
            Self::Vouched { code, .. } => *code,
            Self::StepUp => ErrorCode::InvalidGrant,
            Self::GrantType => ErrorCode::UnsupportedGrantType,
            Self::TwoMethods | Self::TwoDelegations => ErrorCode::InvalidRequest,
            // RFC 6749, section 5.2: no authentication where there must be some.
            Self::Authorization(_) | Self::Client(_) | Self::UnknownClient | Self::Grant(GrantRefusal::Proof) => ErrorCode::InvalidClient,
            Self::Unavailable(error) => error.code(),
            Self::ClientAssertion(error) => error.code(),
            Self::Assertion(Inactive::Keys(_) | Inactive::Store(_)) => ErrorCode::TemporarilyUnavailable,
            Self::Resource | Self::Grant(GrantRefusal::Resource) => ErrorCode::InvalidTarget,
            Self::Scope(_) | Self::ScopeExceeded(_) | Self::NoScope | Self::Grant(GrantRefusal::Scope) => ErrorCode::InvalidScope,
            Self::Grant(GrantRefusal::Taken | GrantRefusal::Full) => ErrorCode::TemporarilyUnavailable,
            Self::Assertion(_) | Self::Holder(_) | Self::Grant(_) | Self::Delegation(_) => ErrorCode::InvalidGrant,
            Self::UnauthorizedClient => ErrorCode::UnauthorizedClient,
            Self::Device(refusal) => match refusal {
                DeviceRefusal::Pending => ErrorCode::AuthorizationPending,
                DeviceRefusal::SlowDown => ErrorCode::SlowDown,
                DeviceRefusal::Denied => ErrorCode::AccessDenied,
                DeviceRefusal::Expired => ErrorCode::ExpiredToken,
                DeviceRefusal::Resource => ErrorCode::InvalidTarget,
                DeviceRefusal::Served | DeviceRefusal::Client | DeviceRefusal::Unknown => ErrorCode::InvalidGrant,
            },
            Self::PeopleOnly => ErrorCode::AccessDenied,
            Self::NoPlaces | Self::Place(_) | Self::Store(_) | Self::Keys(_) | Self::Entropy(_) => ErrorCode::TemporarilyUnavailable,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Params(error) => error.hint(),
            Self::Proof(error) => error.hint(),
            Self::Exchange(error) => error.hint(),
            Self::TwoMethods => "Authenticate with the Authorization header, client_secret or client_assertion: with one of them.",
            Self::TwoDelegations => "Send delegation_id or delegation_token.",
            Self::Unavailable(error) => error.hint(),
            Self::ClientAssertion(error) => error.hint(),
            Self::Vouched { hint, .. } => hint,
            Self::PeopleOnly => "Ask for a resource that clients may use by themselves, or have a person authorize the client.",
            Self::StepUp => "Present this ID-JAG at the identity_endpoint: the person has to confirm once before it works here.",
            Self::Grant(GrantRefusal::Proof) => "Authenticate as you did when you redeemed the code.",
            Self::Grant(_) => {
                "Begin again at the authorization endpoint: a code works once and for five minutes, a refresh token until its successor is used."
            }
            Self::Device(DeviceRefusal::Expired | DeviceRefusal::Served | DeviceRefusal::Client | DeviceRefusal::Unknown) => {
                "Begin again at the device_authorization_endpoint: a device code works once, for the client that asked for it and for ten minutes."
            }
            Self::Delegation(_) => {
                "Name with delegation_id a delegation to yourself that is active, as all above it, or send as delegation_token a live access token of an agent that has delegated to you."
            }
            Self::NoScope => "Ask for a resource that your scopes are of use at, or have a person claim the registration.",
            _ => self.code().hint(),
        }
    }

    fn retry_after(&self) -> Option<Ttl> {
        match self {
            Self::Unavailable(error) => error.retry_after(),
            Self::ClientAssertion(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// At the token endpoint whatever is wrong with an assertion is one code (RFC 7523, section 3.1); what is out of reach is another.
impl From<InvalidIdJag> for Denied {
    fn from(error: InvalidIdJag) -> Self {
        let code = match error.code() {
            code @ (ErrorCode::TemporarilyUnavailable | ErrorCode::InvalidScope) => code,
            _ => ErrorCode::InvalidGrant,
        };
        Self::Vouched { reason: error.to_string(), code, hint: error.hint() }
    }
}

impl From<NotMatched> for Denied {
    fn from(error: NotMatched) -> Self {
        let code = match error.code() {
            code @ ErrorCode::TemporarilyUnavailable => code,
            _ => ErrorCode::InvalidGrant,
        };
        Self::Vouched { reason: error.to_string(), code, hint: error.hint() }
    }
}

/// In the words of the device flow (RFC 8628, section 3.5).
impl Refusal for NotDelivered {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Claim(ClaimRefusal::Denied) | Self::Barred => ErrorCode::AccessDenied,
            Self::Claim(_) => ErrorCode::ExpiredToken,
            Self::Pending => ErrorCode::AuthorizationPending,
            Self::SlowDown => ErrorCode::SlowDown,
            Self::Denied(error) => error.code(),
        }
    }
}
