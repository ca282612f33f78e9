//! Errors have two faces: a precise reason for our log, and a standard code with fixed words for the wire.

mod table;

use crate::time::Ttl;

/// Every error code that an answer may carry. `auth.md` lists them from here, so it cannot drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorCode {
    /// RFC 6749, section 5.2.
    InvalidRequest,
    /// RFC 6749, section 5.2.
    InvalidClient,
    /// RFC 6749, section 5.2.
    InvalidGrant,
    /// RFC 6749, section 5.2.
    InvalidScope,
    /// RFC 6749, section 5.2.
    UnsupportedGrantType,
    /// RFC 6749, section 5.2.
    UnauthorizedClient,
    /// RFC 6749, section 4.1.2.1.
    UnsupportedResponseType,
    /// OpenID Connect Core, section 3.1.2.6.
    RequestNotSupported,
    /// OpenID Connect Core, section 3.1.2.6; RFC 9126, section 2.2.
    InvalidRequestUri,
    /// OpenID Connect Core, section 3.1.2.6.
    ConsentRequired,
    /// RFC 8707, section 2.
    InvalidTarget,
    /// RFC 9449, section 5.
    InvalidDpopProof,
    /// RFC 9449, section 8.
    UseDpopNonce,
    /// RFC 8628, section 3.5: the person said no.
    AccessDenied,
    /// RFC 8628, section 3.5.
    AuthorizationPending,
    /// RFC 8628, section 3.5.
    SlowDown,
    /// RFC 8628, section 3.5.
    ExpiredToken,
    /// A resource was asked for without a credential.
    Unauthorized,
    /// RFC 6750, section 3.1.
    InvalidToken,
    /// RFC 6750, section 3.1.
    InsufficientScope,
    /// auth.md: the deployment has switched anonymous registration off.
    AnonymousNotEnabled,
    /// auth.md: no registration on a person's behalf here.
    ServiceAuthNotEnabled,
    /// auth.md: the issuer of the assertion is not on the trust list.
    IssuerNotEnabled,
    /// auth.md: the issuer of the assertion is not on the trust list.
    InvalidIssuer,
    /// auth.md: the assertion is not the provider's.
    InvalidSignature,
    /// auth.md: the assertion's time is over or wrong.
    Expired,
    /// auth.md: the `jti` has been seen.
    ReplayDetected,
    /// auth.md: the assertion is for somebody else.
    InvalidAudience,
    /// auth.md: the assertion's client is not known.
    InvalidClientId,
    /// auth.md: nobody can be matched.
    MissingVerifiedEmail,
    /// auth.md: `amr` lacks what the trust list demands.
    InsufficientUserAuthentication,
    /// auth.md: `auth_time` is missing, too old or in the future.
    LoginRequired,
    /// auth.md: the first link to an existing account needs its person.
    InteractionRequired,
    /// auth.md: not an address, or not the registration's.
    InvalidLoginHint,
    /// auth.md: not a claim token of ours.
    InvalidClaimToken,
    /// auth.md, AuthKit: the same when completing.
    InvalidClaim,
    /// auth.md: the registration is past its time.
    ClaimExpired,
    /// auth.md, AuthKit: the registration was revoked.
    ClaimRevoked,
    /// auth.md: nothing is left to claim.
    ClaimedOrInFlight,
    /// auth.md: an ID-JAG cannot overtake a person.
    CeremonyInFlight,
    /// auth.md, AuthKit: delivered before.
    AlreadyClaimed,
    /// auth.md, AuthKit: no code has been shown.
    ClaimNotConfirmed,
    /// auth.md, AuthKit: not the code that was shown.
    InvalidUserCode,
    /// auth.md, AuthKit: too late, or too many wrong ones.
    UserCodeExpired,
    /// auth.md, AuthKit: the person said no.
    ClaimDenied,
    /// auth.md, AuthKit: the claim endpoint was called too often.
    TooManyAttempts,
    /// auth.md, AuthKit: `refresh` with something else.
    InvalidRefreshToken,
    /// auth.md v0.1: no code yet.
    OtpNotGenerated,
    /// auth.md v0.1: not the code that was shown.
    OtpInvalid,
    /// auth.md v0.1: too late, or too many wrong ones.
    OtpExpired,
    /// auth.md v0.1: delivered before.
    PreviouslyClaimed,
    /// auth.md v0.1: not the newest link.
    ClaimSuperseded,
    /// auth.md v0.1: the link's work is done.
    ClaimCompleted,
    /// auth.md v0.1: the credential type is known but not to be had here.
    UnsupportedCredentialType,
    /// auth.md v0.1: not an e-mail address.
    InvalidEmail,
    /// auth.md v0.1: a throw-away mail domain.
    DisposableEmail,
    /// RFC 8935, section 2.4.
    InvalidKey,
    /// RFC 8935, section 2.4.
    AuthenticationFailed,
    /// auth.md: too many registrations.
    RateLimited,
    /// An `Idempotency-Key` came again with another body, or after its window.
    IdempotencyKeyReused,
    /// A sibling is called so already.
    AgentNameConflict,
    /// The agent, one above it, or the one that is named is suspended or revoked.
    AgentInactive,
    /// The tree of agents, or a chain of delegations, would become too deep.
    DepthExceeded,
    /// It was revoked, or has expired, and that is final.
    AlreadyRevoked,
    /// Something else has that name.
    Conflict,
    /// So many are enough.
    LimitReached,
    /// It can be seen, and is not for the caller to do.
    Forbidden,
    /// A policy forbids it.
    PolicyDenied,
    /// A policy that cannot be evaluated.
    InvalidPolicy,
    /// A delegation that cannot be made.
    InvalidDelegation,
    /// There is nothing here.
    NotFound,
    /// The path is right, the method is not.
    MethodNotAllowed,
    /// The origin of a browser's request is not on the list.
    OriginNotAllowed,
    /// The body is too long.
    ContentTooLarge,
    /// The body is of another type than the path takes.
    UnsupportedMediaType,
    /// RFC 7591, section 3.2.2.
    InvalidRedirectUri,
    /// RFC 7591, section 3.2.2.
    InvalidClientMetadata,
    /// Our fault.
    ServerError,
    /// Our fault, and it will pass.
    TemporarilyUnavailable,
}

impl ErrorCode {
    /// All of them, in the order in which `auth.md` shows them.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::InvalidScope,
        Self::UnsupportedGrantType,
        Self::UnauthorizedClient,
        Self::UnsupportedResponseType,
        Self::RequestNotSupported,
        Self::InvalidRequestUri,
        Self::ConsentRequired,
        Self::InvalidTarget,
        Self::InvalidDpopProof,
        Self::UseDpopNonce,
        Self::AccessDenied,
        Self::AuthorizationPending,
        Self::SlowDown,
        Self::ExpiredToken,
        Self::Unauthorized,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::AnonymousNotEnabled,
        Self::ServiceAuthNotEnabled,
        Self::IssuerNotEnabled,
        Self::InvalidIssuer,
        Self::InvalidSignature,
        Self::Expired,
        Self::ReplayDetected,
        Self::InvalidAudience,
        Self::InvalidClientId,
        Self::MissingVerifiedEmail,
        Self::InsufficientUserAuthentication,
        Self::LoginRequired,
        Self::InteractionRequired,
        Self::InvalidLoginHint,
        Self::InvalidClaimToken,
        Self::InvalidClaim,
        Self::ClaimExpired,
        Self::ClaimRevoked,
        Self::ClaimedOrInFlight,
        Self::CeremonyInFlight,
        Self::AlreadyClaimed,
        Self::ClaimNotConfirmed,
        Self::InvalidUserCode,
        Self::UserCodeExpired,
        Self::ClaimDenied,
        Self::TooManyAttempts,
        Self::InvalidRefreshToken,
        Self::OtpNotGenerated,
        Self::OtpInvalid,
        Self::OtpExpired,
        Self::PreviouslyClaimed,
        Self::ClaimSuperseded,
        Self::ClaimCompleted,
        Self::UnsupportedCredentialType,
        Self::InvalidEmail,
        Self::DisposableEmail,
        Self::InvalidKey,
        Self::AuthenticationFailed,
        Self::RateLimited,
        Self::IdempotencyKeyReused,
        Self::AgentNameConflict,
        Self::AgentInactive,
        Self::DepthExceeded,
        Self::AlreadyRevoked,
        Self::Conflict,
        Self::LimitReached,
        Self::Forbidden,
        Self::PolicyDenied,
        Self::InvalidPolicy,
        Self::InvalidDelegation,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OriginNotAllowed,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidRedirectUri,
        Self::InvalidClientMetadata,
        Self::ServerError,
        Self::TemporarilyUnavailable,
    ];

    /// The code as it goes over the wire, and its anchor in `auth.md`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The fixed words on the wire.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.row().2
    }

    /// What to do next where the case itself says nothing better.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        self.row().3
    }
}

/// Why a request is refused. `Display` is the precise reason, for our log alone.
pub trait Refusal: std::error::Error {
    /// The code on the wire.
    fn code(&self) -> ErrorCode;

    /// What an agent should do next.
    fn hint(&self) -> &'static str {
        self.code().hint()
    }

    /// How long to wait before it makes sense to ask again.
    fn retry_after(&self) -> Option<Ttl> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_with_words_of_its_own() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            for other in ErrorCode::ALL.iter().skip(index + 1) {
                assert_ne!(code.as_str(), other.as_str());
                assert!(code < other, "the list is in the order of the enum, so a forgotten one shows");
            }
            assert!((400..600).contains(&code.status()));
            // RFC 6749, section 5.2: error_description is printable ASCII without quote and backslash.
            assert!(code.description().bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'));
        }
    }
}
