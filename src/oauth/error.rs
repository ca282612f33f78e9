//! Errors have two faces: a precise reason for our log, and a standard code with fixed words for the wire.

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
    /// RFC 8707, section 2.
    InvalidTarget,
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
    /// auth.md v0.1: the credential type is known but not to be had here.
    UnsupportedCredentialType,
    /// auth.md v0.1: not an e-mail address.
    InvalidEmail,
    /// auth.md v0.1: a throw-away mail domain.
    DisposableEmail,
    /// auth.md: too many registrations.
    RateLimited,
    /// An `Idempotency-Key` came again with another body, or after its window.
    IdempotencyKeyReused,
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
        Self::InvalidTarget,
        Self::Unauthorized,
        Self::InvalidToken,
        Self::InsufficientScope,
        Self::AnonymousNotEnabled,
        Self::ServiceAuthNotEnabled,
        Self::IssuerNotEnabled,
        Self::UnsupportedCredentialType,
        Self::InvalidEmail,
        Self::DisposableEmail,
        Self::RateLimited,
        Self::IdempotencyKeyReused,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OriginNotAllowed,
        Self::ContentTooLarge,
        Self::UnsupportedMediaType,
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

    const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => (
                "invalid_request",
                400,
                "The request is malformed, or a parameter is missing, repeated or wrong.",
                "Correct the request as auth.md describes it; do not resend it unchanged.",
            ),
            Self::InvalidClient => (
                "invalid_client",
                401,
                "Client authentication failed.",
                "Send your API key as client_secret, or register again if it was revoked or has expired.",
            ),
            Self::InvalidGrant => (
                "invalid_grant",
                400,
                "The assertion or grant is invalid, expired or revoked.",
                "Register again: the registration behind it is gone, or the assertion has expired.",
            ),
            Self::InvalidScope => (
                "invalid_scope",
                400,
                "The scope asked for is malformed or exceeds what was granted.",
                "Leave the scope parameter out to get everything that you are entitled to.",
            ),
            Self::UnsupportedGrantType => (
                "unsupported_grant_type",
                400,
                "The grant type is not supported here.",
                "Use one of grant_types_supported in the authorization server metadata.",
            ),
            Self::InvalidTarget => (
                "invalid_target",
                400,
                "The resource is not one that this server issues tokens for.",
                "Send one resource, exactly as the protected resource metadata gives it, or none.",
            ),
            Self::Unauthorized => (
                "unauthorized",
                401,
                "A credential is needed.",
                "Follow resource_metadata in the WWW-Authenticate header to find your way in.",
            ),
            Self::InvalidToken => (
                "invalid_token",
                401,
                "The token is malformed, expired, revoked or meant for another resource.",
                "Drop this token; exchange your credential for a new one once, and register again if that fails.",
            ),
            Self::InsufficientScope => (
                "insufficient_scope",
                403,
                "The token lacks a scope that this call needs.",
                "Ask the token endpoint for a token with the scopes that the challenge names.",
            ),
            Self::AnonymousNotEnabled => (
                "anonymous_not_enabled",
                400,
                "Anonymous registration is not enabled here.",
                "Use another of identity_types_supported in the authorization server metadata.",
            ),
            Self::ServiceAuthNotEnabled => (
                "service_auth_not_enabled",
                400,
                "Registration with a login hint is not enabled here.",
                "Use another of identity_types_supported in the authorization server metadata.",
            ),
            Self::IssuerNotEnabled => (
                "issuer_not_enabled",
                400,
                "The issuer of the assertion is not trusted here.",
                "Use another of identity_types_supported in the authorization server metadata.",
            ),
            Self::UnsupportedCredentialType => (
                "unsupported_credential_type",
                400,
                "That credential type is not offered for this registration.",
                "Send requested_credential_type \"api_key\".",
            ),
            Self::InvalidEmail => {
                ("invalid_email", 400, "The e-mail address is not valid.", "Send a plain address, or leave email out: it is optional.")
            }
            Self::DisposableEmail => (
                "disposable_email",
                400,
                "Addresses of disposable mail services are not accepted.",
                "Send a lasting address, or leave email out: it is optional.",
            ),
            Self::RateLimited => (
                "rate_limited",
                429,
                "Too many registrations.",
                "Wait for retry_after seconds; keep and reuse the registration that you have.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                422,
                "The Idempotency-Key was used before, with another body or too long ago.",
                "Use a new Idempotency-Key for a new registration.",
            ),
            Self::NotFound => ("not_found", 404, "There is nothing here.", "The authorization server metadata lists every endpoint."),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "The method is not allowed here.", "Use a method of the Allow header."),
            Self::OriginNotAllowed => (
                "origin_not_allowed",
                403,
                "Requests from this origin are not accepted.",
                "Call from a server or a command line, or ask the operator to allow the origin.",
            ),
            Self::ContentTooLarge => ("content_too_large", 413, "The body is larger than 64 KiB.", "Send a smaller body."),
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                415,
                "The body is of a type that this path does not take.",
                "Send the Content-Type that auth.md gives for this path.",
            ),
            Self::ServerError => ("server_error", 500, "Something went wrong on our side.", "Try again later with the same request."),
            Self::TemporarilyUnavailable => (
                "temporarily_unavailable",
                503,
                "The service cannot answer at the moment.",
                "Try again with the same request after retry_after seconds.",
            ),
        }
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
