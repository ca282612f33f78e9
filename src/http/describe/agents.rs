//! Agents register, and are claimed: auth.md in its three dialects.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{about_it, loose, moment, named, number, object, or_null, text, texts, uri, word};
use crate::http::refuse::Surface;
use crate::http::{FORM, claim, register};
use crate::oauth::error::ErrorCode;

/// What is wrong with a provider's word.
const VOUCHED: &[ErrorCode] = &[
    ErrorCode::IssuerNotEnabled,
    ErrorCode::InvalidIssuer,
    ErrorCode::InvalidSignature,
    ErrorCode::Expired,
    ErrorCode::ReplayDetected,
    ErrorCode::InvalidAudience,
    ErrorCode::InvalidClientId,
    ErrorCode::MissingVerifiedEmail,
    ErrorCode::InsufficientUserAuthentication,
    ErrorCode::LoginRequired,
    ErrorCode::InvalidScope,
    ErrorCode::AccessDenied,
    ErrorCode::RateLimited,
];

pub(super) fn operations() -> Vec<Operation> {
    vec![
        registration("registerAgent", "/agent/identity", "Register an agent")
            .about(
                "auth.md 0.7 and AuthKit. `type` says how: `anonymous`; `service_auth`, for the person of `login_hint`; `identity_assertion`, with an \
                 ID-JAG of a provider; `refresh`, with a refresh token. The answer speaks every dialect that is on.",
            )
            .json_of::<register::Body>("Registration")
            .gives("Registered", "Registered: exchange identity_assertion for a token, or have your person claim you.")
            .refuses(&[ErrorCode::InvalidRefreshToken, ErrorCode::InteractionRequired])
            .with_members(401, json!({ "anyOf": [named("Registered"), max_age(), {}] })),
        registration("registerAgentV01", "/agent/auth", "Register an agent (auth.md 0.1)")
            .about("With an API key, an address to be confirmed, or an ID-JAG.")
            .aliases(&["/api/agent/auth"])
            .json_of::<register::Body>("Registration")
            .gives("RegisteredV01", "Registered: the credential is shown this once.")
            .refuses(&[
                ErrorCode::UnsupportedCredentialType,
                ErrorCode::InvalidGrant,
                ErrorCode::InvalidTarget,
                ErrorCode::InvalidEmail,
                ErrorCode::DisposableEmail,
                ErrorCode::InteractionRequired,
            ])
            .with_members(401, json!({ "anyOf": [named("RegisteredV01"), max_age(), {}] })),
        Operation::post("startClaim", "/agent/identity/claim", "Ask a person to take a registration over")
            .about(
                "`type` says how: `login_hint` (or nothing), the agent shows a code; `service_auth`, the page shows one; `identity_assertion`, a \
                 provider vouches at once.",
            )
            .surface(Surface::Agent)
            .stored()
            .json_of::<claim::Body>("ClaimStart")
            .gives("ClaimStarted", "An attempt has begun, or the registration is claimed.")
            .refuses(VOUCHED)
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::InvalidClaimToken,
                ErrorCode::InvalidLoginHint,
                ErrorCode::ClaimedOrInFlight,
                ErrorCode::CeremonyInFlight,
                ErrorCode::AlreadyClaimed,
                ErrorCode::ClaimExpired,
                ErrorCode::ClaimRevoked,
                ErrorCode::TooManyAttempts,
            ])
            .with_members(401, json!({ "anyOf": [max_age(), {}] })),
        Operation::post("completeClaim", "/agent/identity/claim/complete", "Submit the code of a claim")
            .about("JSON: the agent submits the code that the page has shown. A form: the person types the code that the agent shows, in a browser.")
            .surface(Surface::Agent)
            .also_pages()
            .stored()
            .security(&["", "session"])
            .json_of::<claim::complete::Body>("ClaimCode")
            .body(FORM, typed(), None)
            .gives("Claimed", "The registration is claimed, and this is its identity.")
            .page(200, "The registration is claimed; or, in a form, what the person's answer led to.")
            .redirect(303, "A form: the person has to sign in first.")
            .refuses(&delivery(false))
            .refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType, ErrorCode::OriginNotAllowed, ErrorCode::Unauthorized])
            .refuses(&[ErrorCode::RateLimited]),
        Operation::post("startClaimV01", "/agent/auth/claim", "Ask a person to confirm (auth.md 0.1)")
            .about("A link is mailed to the address.")
            .surface(Surface::Agent)
            .stored()
            .json_of::<claim::v01::Start>("ClaimStartV01")
            .gives("ClaimStartedV01", "The link is under way.")
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::InvalidClaimToken,
                ErrorCode::ClaimedOrInFlight,
                ErrorCode::CeremonyInFlight,
                ErrorCode::ClaimExpired,
                ErrorCode::RateLimited,
            ]),
        Operation::post("challengeV01", "/agent/auth/claim/attempt/challenge", "Show the code of a mailed link (auth.md 0.1)")
            .about("For a page of the service's own, on our origin.")
            .surface(Surface::Agent)
            .stored()
            .security(&["", "session"])
            .json_of::<claim::v01::Challenge>("Challenge")
            .gives("Challenged", "The code that the person reads to the agent.")
            .refuses(&[
                ErrorCode::NotFound,
                ErrorCode::ClaimSuperseded,
                ErrorCode::ClaimCompleted,
                ErrorCode::ClaimExpired,
                ErrorCode::ClaimDenied,
                ErrorCode::InteractionRequired,
                ErrorCode::AccessDenied,
                ErrorCode::OriginNotAllowed,
            ]),
        Operation::post("completeClaimV01", "/agent/auth/claim/complete", "Submit the code of a claim (auth.md 0.1)")
            .surface(Surface::Agent)
            .stored()
            .json_of::<claim::complete::Body>("ClaimCode")
            .gives("ClaimedV01", "The registration is claimed; the credential is shown this once.")
            .refuses(&delivery(true)),
        Operation::post("notify", "/agent/event/notify", "Take back a provider's word (RFC 8935)")
            .surface(Surface::Event)
            .stored()
            .body("application/secevent+jwt", text("A security event token (RFC 8417)."), None)
            .empty(202, "It was carried out, or says nothing that means anything here.")
            .refuses(EVENT),
        Operation::post("revokeV01", "/agent/auth/revoke", "Take back a provider's word (auth.md 0.1)")
            .surface(Surface::Agent)
            .stored()
            .body("application/logout+jwt", text("A logout token of the provider."), None)
            .gives("Revoked", "It was carried out.")
            .refuses(EVENT)
            .refuses(&[ErrorCode::ReplayDetected]),
    ]
}

/// What is wrong with an event.
const EVENT: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::InvalidRequest,
    ErrorCode::InvalidIssuer,
    ErrorCode::InvalidKey,
    ErrorCode::InvalidAudience,
    ErrorCode::AuthenticationFailed,
];

fn registration(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation::post(id, path, summary)
        .surface(Surface::Agent)
        .stored()
        .limited(200)
        .parameter("header", "Idempotency-Key", json!({ "type": "string" }), "Repeats are answered as the first was, for ten minutes.")
        .refuses(VOUCHED)
        .refuses(&[
            ErrorCode::NotFound,
            ErrorCode::AnonymousNotEnabled,
            ErrorCode::ServiceAuthNotEnabled,
            ErrorCode::InvalidLoginHint,
            ErrorCode::IdempotencyKeyReused,
        ])
}

/// Why a claim is not delivered.
fn delivery(v01: bool) -> Vec<ErrorCode> {
    use ErrorCode as Code;
    let mut codes =
        vec![Code::NotFound, Code::ClaimDenied, Code::ClaimExpired, Code::InvalidGrant, Code::InvalidScope, Code::InvalidTarget];
    codes.extend(if v01 {
        [Code::InvalidClaimToken, Code::PreviouslyClaimed, Code::OtpNotGenerated, Code::OtpExpired, Code::OtpInvalid].as_slice()
    } else {
        &[
            Code::InvalidClaim,
            Code::AlreadyClaimed,
            Code::ClaimRevoked,
            Code::ClaimNotConfirmed,
            Code::UserCodeExpired,
            Code::InvalidUserCode,
        ]
    });
    codes
}

/// How old a sign-in at the provider may be.
fn max_age() -> Value {
    object([("max_age", number("Seconds that a sign-in at the provider may be old."))])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Registration", request()),
        ("Registered", registered()),
        ("Identity", identity()),
        ("Attempt", attempt()),
        ("AttemptAuthKit", object([("verification_uri", uri("For the person.")), ("expires_at", or_null(moment()))])),
        ("RegisteredV01", registered_v01()),
        (
            "ClaimStart",
            object([
                ("type?", word(&["login_hint", "service_auth", "identity_assertion"])),
                ("claim_token", text("Of the registration's answer.")),
                ("login_hint?", loose(text("The e-mail address of the person."))),
                ("email?", loose(text("The same, in AuthKit's words."))),
                ("assertion?", loose(text("An ID-JAG, with type identity_assertion."))),
            ]),
        ),
        ("ClaimStarted", claim_started()),
        (
            "ClaimCode",
            object([
                ("claim_token", text("Of the registration's answer.")),
                ("user_code?", loose(text("The six digits that the person reads out."))),
                ("otp?", loose(text("The same, in auth.md 0.1."))),
                ("claim_attempt_token?", loose(text("Never: it is the page's."))),
            ]),
        ),
        (
            "Claimed",
            object([
                ("status", word(&["claimed"])),
                ("registration_id?", text("")),
                ("identity_assertion?", text("")),
                ("assertion_expires?", or_null(moment())),
                ("id", text("")),
                ("identity", named("Identity")),
            ]),
        ),
        ("ClaimStartV01", object([("claim_token", text("Of the registration's answer.")), ("email", text("The person's address."))])),
        (
            "ClaimStartedV01",
            object([
                ("registration_id", text("")),
                ("claim_attempt_id", text("")),
                ("status", word(&["initiated"])),
                ("expires_at", or_null(moment())),
            ]),
        ),
        ("Challenge", object([("claim_attempt_token", text("Of the mailed link."))])),
        ("Challenged", object([("type", word(&["otp"])), ("challenge", text("Six digits.")), ("expires_at", or_null(moment()))])),
        (
            "ClaimedV01",
            object([
                ("registration_id", text("")),
                ("status", word(&["claimed"])),
                ("scopes", texts()),
                ("credential_type", word(&["api_key", "access_token"])),
                ("credential", text("")),
                ("credential_expires", or_null(moment())),
            ]),
        ),
        ("Revoked", object([("revoked", number("Registrations that ended."))])),
    ]
}

fn request() -> Value {
    object([
        ("type?", word(&["anonymous", "service_auth", "identity_assertion", "refresh"])),
        ("identity_type?", text("The same as type, in older words.")),
        ("assertion_type?", text("With type identity_assertion: urn:ietf:params:oauth:token-type:id-jag, or verified_email.")),
        ("assertion?", loose(text("With type identity_assertion: an ID-JAG, or an address."))),
        ("login_hint?", loose(text("With type service_auth: the e-mail address of the person."))),
        ("refresh_token?", loose(text("With type refresh."))),
        ("requested_credential_type?", text("auth.md 0.1: api_key, or access_token.")),
        ("email?", loose(text("auth.md 0.1: where somebody can be reached."))),
        ("agent?", loose(text("What the agent calls itself."))),
    ])
}

fn registered() -> Value {
    object([
        ("registration_id?", text("")),
        ("registration_type?", word(&["anonymous", "service_auth", "identity_assertion"])),
        ("id?", text("The same as registration_id, in AuthKit's words.")),
        ("type?", text("The same as registration_type, in AuthKit's words.")),
        ("registration_expires?", or_null(moment())),
        ("identity_assertion?", text("Exchange it for an access token (RFC 7523).")),
        ("assertion_expires?", or_null(moment())),
        ("identity?", named("Identity")),
        ("pre_claim_scopes?", texts()),
        ("post_claim_scopes?", texts()),
        ("scopes?", json!({ "anyOf": [texts(), object([("pre_claim?", texts()), ("post_claim", texts())])] })),
        ("claim_url?", uri("")),
        ("claim_token?", text("Whoever has it may have the registration claimed.")),
        ("claim_token_expires?", or_null(moment())),
        (
            "claim?",
            object([
                ("token?", text("")),
                ("expires_at?", or_null(moment())),
                ("url?", uri("")),
                ("verification_uri?", uri("For the person.")),
                ("user_code?", text("For the person.")),
                ("expires_in?", number("Seconds.")),
                ("interval?", number("Seconds between polls.")),
                ("attempt?", named("AttemptAuthKit")),
            ]),
        ),
    ])
}

fn identity() -> Value {
    object([
        ("assertion", text("")),
        ("expires_at", or_null(moment())),
        ("refresh_token?", object([("value", text("")), ("expires_at", or_null(moment()))])),
    ])
}

fn attempt() -> Value {
    let attempt = object([
        ("verification_uri", uri("For the person.")),
        ("user_code?", text("For the person.")),
        ("expires_in", number("Seconds.")),
        ("interval", number("Seconds between polls.")),
    ]);
    about_it(attempt, "What the person needs.")
}

fn registered_v01() -> Value {
    object([
        ("registration_id", text("")),
        ("registration_type", word(&["anonymous", "email-verification", "agent-provider", "id-jag-step-up"])),
        ("credential_type?", word(&["api_key", "access_token"])),
        ("credential?", text("")),
        ("credential_expires?", or_null(moment())),
        ("scopes?", texts()),
        ("pre_claim_scopes?", texts()),
        ("post_claim_scopes?", texts()),
        ("claim_url?", uri("")),
        ("claim_token?", text("")),
        ("claim_token_expires?", or_null(moment())),
    ])
}

fn claim_started() -> Value {
    object([
        ("registration_id?", text("")),
        ("registration_type?", text("")),
        ("id?", text("")),
        ("type?", word(&["login_hint", "service_auth"])),
        ("status?", word(&["initiated", "claimed"])),
        ("claim_attempt_id?", text("")),
        ("expires_at?", or_null(moment())),
        ("claim_attempt?", named("Attempt")),
        ("attempt?", named("AttemptAuthKit")),
        ("identity_assertion?", text("")),
        ("assertion_expires?", or_null(moment())),
        ("identity?", named("Identity")),
    ])
}

/// The person's form.
fn typed() -> Value {
    object([
        ("claim_attempt_token", text("Of the page.")),
        ("user_code", text("The six digits that the agent shows.")),
        ("csrf", text("The hidden field of the page.")),
    ])
}
