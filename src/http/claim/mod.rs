//! The agent's side of the claim ceremony: starting an attempt, and completing it with the code that the person reads out.

pub(super) mod complete;
pub(super) mod v01;
mod vouched;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ceremony::{self, Wanted};
use super::refuse::Refused;
use super::register::login_hint;
use super::{json, reply};
use crate::cx::Cx;
use crate::entropy::random;
use crate::grant::claim::{CLAIM_TOKEN, NotDelivered, merge};
use crate::id::RegistrationId;
use crate::machine::registration::claim::{ClaimRefusal, Paths};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::oauth::error::ErrorCode;
use crate::secret::{ClaimToken, Presented, Purpose};
use crate::store::Ports;
use crate::time::Ttl;

pub(super) use complete::complete;
pub(super) use v01::{challenge, complete_v01, start_v01};

/// Which names errors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    V07,
    AuthKit,
    V01,
}

#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(rename = "type")]
    typ: Option<String>,
    claim_token: Option<Value>,
    login_hint: Option<Value>,
    email: Option<Value>,
    assertion: Option<Value>,
}

/// `POST /agent/identity/claim`
pub(super) async fn start<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let dialects = cx.config.dialects;
    if !dialects.newer() || cx.config.mail.is_none() {
        return Err(Refused::new(ErrorCode::NotFound, "nothing is claimed here"));
    }
    let body: Body = json::object(headers, body)?;
    let (names, paths) = match body.typ.as_deref() {
        None | Some("login_hint") => (Names::V07, Paths::Typed),
        Some("service_auth") => (Names::AuthKit, Paths::Relay),
        Some("identity_assertion") => return vouched::start(&body, cx).await,
        Some(_) => return Err(malformed("unknown type", "Send type \"login_hint\", \"service_auth\" or \"identity_assertion\".")),
    };
    let paths = if cx.config.claim_paths == Paths::Both { paths } else { cx.config.claim_paths };
    let token = claim_token::<ClaimToken, P>(body.claim_token.as_ref(), Names::V07, cx)?;
    let hint = match (&body.login_hint, &body.email) {
        (Some(one), Some(other)) if one != other => return Err(malformed("login_hint and email differ", "Send login_hint alone.")),
        (Some(hint), _) | (None, Some(hint)) => hint,
        (None, None) => return Err(malformed("no login_hint", "Send login_hint: the e-mail address of the person who is to confirm.")),
    };
    let id = RegistrationId::from_digits(token.digits());
    let hint = match login_hint(hint) {
        Ok(hint) => hint.canonical(),
        Err(refused) => {
            // Whether there is anything to claim comes first.
            let claimable = Command::Claimable { token: token.digests().to_vec() };
            return Err(match cx.ports.run::<Registration>(&id, claimable).await? {
                Outcome::Claim(
                    refusal @ (ClaimRefusal::Unknown | ClaimRefusal::Claimed | ClaimRefusal::Revoked | ClaimRefusal::Expired),
                ) => refusal_of(refusal, names),
                _ => refused,
            });
        }
    };
    let attempt = begin(&id, &token, Wanted { paths, hint: Some(hint), vouched: None, mailed: false }, names, cx).await?;
    Ok(reply::json(StatusCode::OK, &attempt.shown(&id, names, cx)))
}

/// An attempt that has begun.
struct Begun {
    attempt: ceremony::Attempt,
    id: crate::id::AttemptId,
    expires: crate::time::Timestamp,
    /// It was begun just now, not by an earlier request.
    fresh: bool,
}

impl Begun {
    /// In the words of both newer dialects.
    fn shown<P>(&self, registration: &RegistrationId, names: Names, cx: &Cx<'_, P>) -> Value {
        let mut answer = json!({ "registration_id": registration, "id": registration });
        if cx.config.dialects.v07 {
            let attempt = ceremony::for_agent(&self.attempt, self.expires, cx);
            let status =
                json!({ "claim_attempt_id": self.id, "status": "initiated", "expires_at": self.expires.iso(), "claim_attempt": attempt });
            merge(&mut answer, status);
        }
        if cx.config.dialects.authkit {
            let attempt = ceremony::for_authkit(&self.attempt, self.expires, cx);
            merge(&mut answer, json!({ "type": if names == Names::AuthKit { "service_auth" } else { "login_hint" }, "attempt": attempt }));
        }
        answer
    }
}

async fn begin<S: Purpose, P: Ports>(
    id: &RegistrationId,
    token: &Presented<S>,
    wanted: Wanted,
    names: Names,
    cx: &Cx<'_, P>,
) -> Result<Begun, Refused> {
    let attempt = ceremony::attempt(id, wanted, |_| random(cx.entropy), cx)?;
    let command = Command::Begin { token: token.digests().to_vec(), attempt: attempt.new.clone() };
    match cx.ports.run::<Registration>(id, command).await? {
        Outcome::Begun { attempt: name, expires, fresh, .. } => Ok(Begun { attempt, id: name, expires, fresh }),
        Outcome::Claim(refusal) => Err(refusal_of(refusal, names)),
        _ => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the attempt was not begun")),
    }
}

/// Reads a claim token; one that was never made here is unknown, in the words of its dialect.
fn claim_token<S: Purpose, P>(value: Option<&Value>, names: Names, cx: &Cx<'_, P>) -> Result<Presented<S>, Refused> {
    let Some(Value::String(text)) = value else {
        return Err(malformed("no claim_token", "Send claim_token as a string, as the registration's answer has it."));
    };
    Presented::parse(CLAIM_TOKEN, text, &cx.config.masters).ok_or_else(|| refusal_of(ClaimRefusal::Unknown, names))
}

fn malformed(reason: &'static str, hint: &'static str) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, reason).hint(hint)
}

/// What a refusal is called where an attempt is started.
fn refusal_of(refusal: ClaimRefusal, names: Names) -> Refused {
    let code = match (refusal, names) {
        (ClaimRefusal::Unknown, _) => ErrorCode::InvalidClaimToken,
        (ClaimRefusal::Claimed | ClaimRefusal::Delivered, Names::AuthKit) => ErrorCode::AlreadyClaimed,
        (ClaimRefusal::Revoked, Names::AuthKit) => ErrorCode::ClaimRevoked,
        (ClaimRefusal::TooMany(_), Names::AuthKit) => ErrorCode::TooManyAttempts,
        (ClaimRefusal::TooMany(_), _) => ErrorCode::RateLimited,
        (ClaimRefusal::Revoked | ClaimRefusal::Expired, _) => ErrorCode::ClaimExpired,
        (ClaimRefusal::HintFixed, Names::V07 | Names::AuthKit) => ErrorCode::InvalidLoginHint,
        (ClaimRefusal::InFlight, _) => ErrorCode::CeremonyInFlight,
        _ => ErrorCode::ClaimedOrInFlight,
    };
    let refused = Refused::new(code, refusal.to_string());
    match refusal {
        ClaimRefusal::TooMany(wait) => refused.retry_after(wait.max(Ttl::from_seconds(1))),
        _ => refused,
    }
}

/// What it is called where a claim is completed.
fn not_delivered(error: NotDelivered, names: Names) -> Refused {
    use ErrorCode as Code;
    let v01 = names == Names::V01;
    let pick = |newer: Code, older: Code| if v01 { older } else { newer };
    let code = match &error {
        NotDelivered::Denied(_) => return Refused::from(crate::grant::Denied::Claim(Box::new(error))),
        NotDelivered::Pending | NotDelivered::SlowDown => pick(Code::ClaimNotConfirmed, Code::OtpNotGenerated),
        NotDelivered::Barred => Code::ClaimDenied,
        NotDelivered::Claim(refusal) => match refusal {
            ClaimRefusal::Unknown => pick(Code::InvalidClaim, Code::InvalidClaimToken),
            ClaimRefusal::Claimed | ClaimRefusal::Delivered => pick(Code::AlreadyClaimed, Code::PreviouslyClaimed),
            ClaimRefusal::Revoked => pick(Code::ClaimRevoked, Code::ClaimExpired),
            ClaimRefusal::NoAttempt => pick(Code::ClaimExpired, Code::OtpNotGenerated),
            ClaimRefusal::NotConfirmed => pick(Code::ClaimNotConfirmed, Code::OtpNotGenerated),
            ClaimRefusal::CodeOver => pick(Code::UserCodeExpired, Code::OtpExpired),
            ClaimRefusal::WrongCode => pick(Code::InvalidUserCode, Code::OtpInvalid),
            ClaimRefusal::Denied => Code::ClaimDenied,
            _ => Code::ClaimExpired,
        },
    };
    Refused::new(code, error.to_string())
}
