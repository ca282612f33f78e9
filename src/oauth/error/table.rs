//! What each code is called, its status, its words, and what to do next.

use super::ErrorCode;

impl ErrorCode {
    pub(super) const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
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
                "Check client_id and credential. If they worked before, drop them and register again: a client at the registration_endpoint, an agent as auth.md says, whose API key is its client_secret.",
            ),
            Self::InvalidGrant => (
                "invalid_grant",
                400,
                "The assertion or grant is invalid, expired or revoked.",
                "Use the newest identity that you were given, or spend your refresh token; register again only if you have neither.",
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
            Self::UnauthorizedClient => (
                "unauthorized_client",
                400,
                "The client may not use this grant.",
                "Register again with the grant in grant_types, or use one that you registered for.",
            ),
            Self::UnsupportedResponseType => {
                ("unsupported_response_type", 400, "The response type is not supported here.", "Send response_type=code.")
            }
            Self::RequestNotSupported => (
                "request_not_supported",
                400,
                "Request objects are not supported here.",
                "Send the parameters themselves, or push them to the pushed_authorization_request_endpoint.",
            ),
            Self::InvalidRequestUri => (
                "invalid_request_uri",
                400,
                "The request_uri is unknown, used or expired.",
                "Push the request again and use the new request_uri at once.",
            ),
            Self::ConsentRequired => (
                "consent_required",
                400,
                "The person has to be asked first.",
                "Send the person to the authorization endpoint without prompt=none.",
            ),
            Self::InvalidTarget => (
                "invalid_target",
                400,
                "The resource is not one that this server issues tokens for.",
                "Send one resource, exactly as the protected resource metadata gives it, or none.",
            ),
            Self::InvalidDpopProof => (
                "invalid_dpop_proof",
                400,
                "The DPoP proof is missing, malformed, used before, or not for this request, token or key.",
                "Make a new proof (RFC 9449) for every request: jti, htm, htu, iat, and ath where a token goes with it.",
            ),
            Self::UseDpopNonce => (
                "use_dpop_nonce",
                400,
                "The DPoP proof needs a nonce of this server that is not too old.",
                "Make a new proof with the value of the DPoP-Nonce header as nonce, and send the same request again.",
            ),
            Self::AccessDenied => {
                ("access_denied", 400, "The person, or the operator, has said no.", "Do not ask again for the same; tell your person.")
            }
            Self::AuthorizationPending => {
                ("authorization_pending", 400, "The person has not answered yet.", "Poll again after interval seconds.")
            }
            Self::SlowDown => ("slow_down", 400, "You poll too often.", "Wait five seconds longer between polls from now on."),
            Self::ExpiredToken => (
                "expired_token",
                400,
                "The claim, its code or its delivery, or the device code is over.",
                "If the claim was delivered, use what it brought. Else call the claim endpoint for a new code; if that answers claim_expired, register again.",
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
            Self::InvalidIssuer => (
                "invalid_issuer",
                400,
                "The issuer of the assertion is not trusted here.",
                "Use another of identity_types_supported, or ask the operator to trust your provider.",
            ),
            Self::InvalidSignature => (
                "invalid_signature",
                400,
                "The signature, key or form of the assertion is wrong.",
                "Have your provider issue a new ID-JAG, signed with a key of its published key set.",
            ),
            Self::Expired => (
                "expired",
                400,
                "The assertion has expired, lives too long or lies in the future.",
                "Have your provider issue a new ID-JAG and present it at once.",
            ),
            Self::ReplayDetected => {
                ("replay_detected", 400, "The assertion has been used before.", "Have your provider issue a new ID-JAG for every request.")
            }
            Self::InvalidAudience => (
                "invalid_audience",
                400,
                "The assertion is for another service.",
                "Ask your provider for an ID-JAG whose aud is the issuer of the authorization server metadata.",
            ),
            Self::InvalidClientId => (
                "invalid_client_id",
                400,
                "The client_id of the assertion is not one of the provider.",
                "Have your provider set client_id to its issuer or to its client metadata document.",
            ),
            Self::MissingVerifiedEmail => (
                "missing_verified_email",
                400,
                "The assertion carries no verified e-mail address or phone number that can be used.",
                "Ask your provider to verify your person's e-mail address, then try again.",
            ),
            Self::InsufficientUserAuthentication => (
                "insufficient_user_authentication",
                400,
                "The person's sign-in at the provider is not strong enough.",
                "Have your person sign in at the provider with the methods that this service asks for.",
            ),
            Self::LoginRequired => (
                "login_required",
                401,
                "The person's sign-in at the provider is too old.",
                "Have your person sign in at the provider again, then present a new ID-JAG.",
            ),
            Self::InteractionRequired => (
                "interaction_required",
                401,
                "A person has to confirm this first.",
                "Show claim.verification_uri and claim.user_code to your person, then poll.",
            ),
            Self::InvalidLoginHint => (
                "invalid_login_hint",
                400,
                "The login hint is not an e-mail address that can be used here.",
                "Send one plain e-mail address; for a pending registration, the one that it began with.",
            ),
            Self::InvalidClaimToken => (
                "invalid_claim_token",
                401,
                "The claim token is unknown.",
                "Use the claim_token of your registration's answer, at the claim_url that the same answer names.",
            ),
            Self::InvalidClaim => {
                ("invalid_claim", 400, "The claim token is unknown.", "Use the claim_token of your registration's answer.")
            }
            Self::ClaimExpired => (
                "claim_expired",
                410,
                "The claim is over: the registration has expired, or no attempt is open.",
                "Start a new attempt at the claim endpoint; if that fails too, register again.",
            ),
            Self::ClaimRevoked => ("claim_revoked", 410, "The registration was revoked.", "Register again."),
            Self::ClaimedOrInFlight => (
                "claimed_or_in_flight",
                409,
                "The registration is claimed already, or cannot be claimed in this way.",
                "Use the identity that you have; a claimed registration is not claimed again.",
            ),
            Self::CeremonyInFlight => (
                "ceremony_in_flight",
                409,
                "An attempt with a code is under way.",
                "Let your person finish it, or wait until its code has expired.",
            ),
            Self::AlreadyClaimed => (
                "already_claimed",
                409,
                "The registration is claimed, and its identity was delivered.",
                "Use the identity that you were given.",
            ),
            Self::ClaimNotConfirmed => (
                "claim_not_confirmed",
                409,
                "The person has not confirmed yet.",
                "Have your person open verification_uri, confirm, and read the code to you.",
            ),
            Self::InvalidUserCode => (
                "invalid_user_code",
                401,
                "The code is wrong.",
                "Ask your person to read the code again; after five wrong ones a new attempt is needed.",
            ),
            Self::UserCodeExpired => ("user_code_expired", 410, "The code is over.", "Start a new attempt at the claim endpoint."),
            Self::ClaimDenied => ("claim_denied", 403, "The person has said no.", "Do not ask again for the same; tell your person."),
            Self::TooManyAttempts => (
                "too_many_attempts",
                429,
                "Too many attempts to claim this registration.",
                "Wait for retry_after seconds, or register again.",
            ),
            Self::InvalidRefreshToken => (
                "invalid_refresh_token",
                400,
                "The refresh token is unknown, spent or expired.",
                "Have your person claim a new registration.",
            ),
            Self::OtpNotGenerated => (
                "otp_not_generated",
                400,
                "No code has been shown yet.",
                "Have your person open the link in the mail and press the button, then read the code to you.",
            ),
            Self::OtpInvalid => (
                "otp_invalid",
                401,
                "The code is wrong.",
                "Ask your person to read the code again; after five wrong ones a new attempt is needed.",
            ),
            Self::OtpExpired => ("otp_expired", 410, "The code is over.", "Call the claim endpoint again: your person gets a new link."),
            Self::PreviouslyClaimed => (
                "previously_claimed",
                409,
                "The registration is claimed, and its credential was delivered.",
                "Use the credential that you were given.",
            ),
            Self::ClaimSuperseded => {
                ("claim_superseded", 410, "The link is unknown, or a newer one has taken its place.", "Use the link of the newest mail.")
            }
            Self::ClaimCompleted => ("claim_completed", 409, "The registration is claimed already.", "Nothing is left to do."),
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
            Self::InvalidKey => {
                ("invalid_key", 400, "The key of the event is not one of its issuer.", "Sign with a key of the published key set.")
            }
            Self::AuthenticationFailed => (
                "authentication_failed",
                400,
                "The event's signature or claims do not hold.",
                "Send a security event token as RFC 8417 and auth.md describe it.",
            ),
            Self::RateLimited => {
                ("rate_limited", 429, "Too many requests.", "Wait for retry_after seconds; keep and reuse the registration that you have.")
            }
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                422,
                "The Idempotency-Key was used before, with another body or too long ago.",
                "Use a new Idempotency-Key for a new registration.",
            ),
            Self::AgentNameConflict => {
                ("agent_name_conflict", 409, "A sibling has that name already.", "Choose another name, or use the agent that has it.")
            }
            Self::AgentInactive => (
                "agent_inactive",
                400,
                "The agent, or one above it, is suspended or revoked.",
                "Have it brought back by whoever is above it, or use another agent.",
            ),
            Self::DepthExceeded => (
                "depth_exceeded",
                400,
                "The tree of agents or the chain of delegations would become too deep.",
                "Begin nearer to the root.",
            ),
            Self::AlreadyRevoked => (
                "already_revoked",
                400,
                "It has been revoked or has expired already.",
                "Nothing is left to do; make a new one if you need it.",
            ),
            Self::Conflict => ("conflict", 409, "Something else has that name.", "Choose another one."),
            Self::LimitReached => ("limit_reached", 409, "There are as many as there may be.", "Remove what you do not need any more."),
            Self::Forbidden => {
                ("forbidden", 403, "You may see this, and not do that.", "Ask whoever is above you, or act with an agent that may.")
            }
            Self::PolicyDenied => (
                "policy_denied",
                403,
                "A policy forbids this.",
                "Ask whoever wrote the policy; POST /api/v1/policies/evaluate explains the decision.",
            ),
            Self::InvalidPolicy => {
                ("invalid_policy", 422, "The policy cannot be evaluated.", "GET /api/v1/policies/syntax says what a policy may have.")
            }
            Self::InvalidDelegation => (
                "invalid_delegation",
                400,
                "The delegation cannot be made.",
                "Hand on what you may do yourself, to an agent that is active.",
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
            Self::InvalidRedirectUri => (
                "invalid_redirect_uri",
                400,
                "None of the redirect URIs can be used.",
                "Send https URLs, http on localhost, 127.0.0.1 or [::1], or a scheme that is your domain in reverse; without fragment, credentials and wildcard.",
            ),
            Self::InvalidClientMetadata => (
                "invalid_client_metadata",
                400,
                "The client metadata cannot be used.",
                "Send one JSON object with the members of RFC 7591, each of its type.",
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
