//! Security events (RFC 8417) that providers push, and logout tokens: from a string to [`Revocation`].

use serde_json::Value;

use super::authentic::{NotAuthentic, authenticate};
use super::claims::{Claims, Malformed, is_identifier};
use super::is_for_us;
use crate::config::{Config, Provider};
use crate::cx::Cx;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// The event that ends what a provider has vouched for, under both names that it has.
pub const REVOKED: [&str; 2] = [
    "https://schemas.workos.com/events/agent/auth/identity/assertion/revoked",
    "https://schemas.workos.com/events/agent/identity/assertion/revoked",
];

/// What kind of token is expected, by its `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// `secevent+jwt` (RFC 8417, section 2.3).
    SecurityEvent,
    /// `logout+jwt`: must carry the event, as auth.md v0.1 has no other use for it.
    Logout,
}

/// What a trusted provider has to say about one of its people, checked.
#[derive(Clone, Debug)]
pub struct Revocation<'c> {
    /// Who says so.
    pub provider: &'c Provider,
    /// The person, as the provider names them: 1 to 255 characters.
    pub subject: String,
    /// The event's name: 1 to 255 characters.
    pub jti: String,
    /// Whether the event is [`REVOKED`]; others are acknowledged and nothing more.
    pub known: bool,
    issued: Timestamp,
}

/// Why an event does not count.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEvent {
    /// It is not a trusted provider's.
    #[error(transparent)]
    NotAuthentic(#[from] NotAuthentic),
    /// A claim is missing, or not of its type.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is for somebody else, or for more than one.
    #[error("its audience is not this service alone")]
    Audience,
    /// It is too old, or lies in the future.
    #[error("its time: {0}")]
    Time(&'static str),
    /// It could be an ID token.
    #[error("it has a nonce")]
    Nonce,
    /// What has been seen is not known at present.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Clocks differ by so much, in seconds.
const SKEW: i64 = 60;
/// An event may be under way for so long, in seconds.
const OLDEST: i64 = 300;
/// So long after its `iat` an event is remembered: longer than it would be taken.
const REMEMBERED: Ttl = Ttl::from_seconds(480);

impl Refusal for InvalidEvent {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotAuthentic(NotAuthentic::NobodyTrusted | NotAuthentic::Issuer) => ErrorCode::InvalidIssuer,
            Self::NotAuthentic(NotAuthentic::Unreachable(_) | NotAuthentic::Crypto(_)) | Self::Store(_) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::NotAuthentic(NotAuthentic::Form(_)) | Self::Malformed(_) => ErrorCode::InvalidRequest,
            Self::NotAuthentic(NotAuthentic::Key(_)) => ErrorCode::InvalidKey,
            Self::NotAuthentic(NotAuthentic::Type(_) | NotAuthentic::Algorithm | NotAuthentic::Signature(_))
            | Self::Time(_)
            | Self::Nonce => ErrorCode::AuthenticationFailed,
            Self::Audience => ErrorCode::InvalidAudience,
        }
    }
}

/// Checks an event. Nothing is used up by that.
///
/// # Errors
/// It does not count, for the first reason in this order: issuer, type, key and signature, audience, time, subject and name, events.
pub async fn verify<'c, P: Ports>(token: &str, kind: EventType, cx: &Cx<'c, P>) -> Result<Revocation<'c>, InvalidEvent> {
    let typ = match kind {
        EventType::SecurityEvent => "secevent+jwt",
        EventType::Logout => "logout+jwt",
    };
    let (provider, claims) = authenticate(token, typ, cx).await?;
    audience(&claims, cx.config)?;
    let issued = time(&claims, cx.now)?;
    if claims.has("nonce") {
        // OpenID Connect Back-Channel Logout, section 2.4.
        return Err(InvalidEvent::Nonce);
    }
    let subject = subject(&claims, provider)?.to_owned();
    let jti = claims.identifier("jti")?.to_owned();
    let events = claims.value("events").and_then(Value::as_object).filter(|events| !events.is_empty()).ok_or(Malformed("events"))?;
    let known = REVOKED.iter().any(|uri| events.contains_key(*uri));
    if kind == EventType::Logout && !known {
        return Err(Malformed("events").into());
    }
    Ok(Revocation { provider, subject, jti, known, issued })
}

impl Revocation<'_> {
    /// Until then the same event could come again.
    #[must_use]
    pub fn repeatable_until(&self) -> Timestamp {
        self.issued.plus(REMEMBERED)
    }
}

/// A string, or a list of this one string: events are for nobody else.
fn audience(claims: &Claims, config: &Config) -> Result<(), InvalidEvent> {
    let only = match claims.value("aud") {
        Some(Value::String(only)) => Some(only),
        Some(Value::Array(all)) => match all.as_slice() {
            [Value::String(only)] => Some(only),
            _ => None,
        },
        _ => None,
    };
    if only.is_some_and(|only| is_for_us(only, config)) { Ok(()) } else { Err(InvalidEvent::Audience) }
}

/// `iat`, and `exp` if somebody puts one in.
fn time(claims: &Claims, now: Timestamp) -> Result<Timestamp, InvalidEvent> {
    let (issued, expires) = (claims.seconds("iat")?, claims.optional_seconds("exp")?);
    let now = now.seconds();
    if issued > now.saturating_add(SKEW) {
        return Err(InvalidEvent::Time("it lies in the future"));
    }
    if issued < now.saturating_sub(OLDEST + SKEW) || expires.is_some_and(|expires| expires <= now.saturating_sub(SKEW)) {
        return Err(InvalidEvent::Time("it is over"));
    }
    Ok(Timestamp::from_seconds(issued))
}

/// `sub`, or `sub_id` in the format `iss_sub` (RFC 9493, section 3.2.4); if there are both, they must agree.
fn subject<'a>(claims: &'a Claims, provider: &Provider) -> Result<&'a str, Malformed> {
    let long = claims.value("sub_id").filter(|id| id.get("format").is_some_and(|format| format == "iss_sub"));
    let Some(long) = long else { return claims.identifier("sub") };
    let part = |name: &str| long.get(name).and_then(Value::as_str);
    let subject =
        part("sub").filter(|subject| is_identifier(subject) && part("iss") == Some(&provider.issuer)).ok_or(Malformed("sub_id"))?;
    if claims.has("sub") && claims.text("sub") != Some(subject) { Err(Malformed("sub_id")) } else { Ok(subject) }
}
