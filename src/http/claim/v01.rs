//! The same in auth.md v0.1: the person gets a mail with a link, and reads the code behind it to the agent.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::complete::{self, six_digits, submit};
use super::{Names, begin, claim_token, malformed, refusal_of};
use crate::cx::Cx;
use crate::email::Address;
use crate::grant::claim::Wanted as Delivery;
use crate::http::browser::{Confirmer, Visitor, confirmer};
use crate::http::ceremony::{self, ATTEMPT_TOKEN, Wanted, mailed_uri};
use crate::http::refuse::Refused;
use crate::http::{json, prose, reply};
use crate::id::{AttemptId, RegistrationId};
use crate::machine::registration::claim::{Answer, ClaimRefusal, Paths};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::mail;
use crate::oauth::error::ErrorCode;
use crate::post;
use crate::secret::{ClaimAttemptToken, ClaimTokenV01, Presented};
use crate::store::Ports;
use crate::time::Timestamp;

#[derive(Deserialize)]
pub(in crate::http) struct Start {
    claim_token: Option<Value>,
    email: Option<Value>,
}

/// `POST /agent/auth/claim`: the same address while its link is open gets no second mail.
pub(crate) async fn start_v01<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    on(cx)?;
    let body: Start = json::object(headers, body)?;
    let email = body.email.as_ref().and_then(Value::as_str).and_then(Address::parse).filter(|email| !email.is_disposable());
    let email = email.ok_or_else(|| malformed("no usable email", "Send email: the lasting address of the person who is to confirm."))?;
    let token = claim_token::<ClaimTokenV01, P>(body.claim_token.as_ref(), Names::V01, cx)?;
    let id = RegistrationId::from_digits(token.digits());
    // Nobody's mail is spent on an attempt that will not begin, and the same address while its link is open gets no second one.
    let mailed = Command::Mailed { token: token.digests().to_vec(), hint: email.canonical() };
    let begun = match cx.ports.run::<Registration>(&id, mailed).await? {
        Outcome::Begun { attempt, expires, .. } => return Ok(initiated(&id, &attempt, expires)),
        Outcome::Claim(refusal) => return Err(refusal_of(refusal, Names::V01)),
        Outcome::Attempts(begun) => begun,
        _ => return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration did not say")),
    };
    // Copies of one request are counted once.
    let allowed = post::allow(&email, Some(&format!("{id}/{}/{begun}", email.canonical())), cx).await?;
    let wanted = Wanted { paths: Paths::Relay, hint: Some(email.canonical()), vouched: None, mailed: true };
    let begun = begin(&id, &token, wanted, Names::V01, cx).await?;
    if begun.fresh {
        let link = mailed_uri(&begun.attempt.token, cx);
        let message = mail::claim(&email, &cx.config.service.name, None, &link, 10).map_err(prose::failed)?;
        if let Err(error) = post::send(message, allowed, cx).await {
            cx.ports.run::<Registration>(&id, Command::Withdraw(begun.id)).await?;
            return Err(error.into());
        }
    }
    Ok(initiated(&id, &begun.id, begun.expires))
}

fn initiated(registration: &RegistrationId, attempt: &AttemptId, expires: Timestamp) -> Response<Bytes> {
    let answer =
        json!({ "registration_id": registration, "claim_attempt_id": attempt, "status": "initiated", "expires_at": expires.iso() });
    reply::json(StatusCode::OK, &answer)
}

/// `POST /agent/auth/claim/complete`
pub(crate) async fn complete_v01<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    on(cx)?;
    let body: complete::Body = json::object(headers, body)?;
    let code = six_digits(body.otp.as_ref().or(body.user_code.as_ref()))?;
    let token = claim_token::<ClaimTokenV01, P>(body.claim_token.as_ref(), Names::V01, cx)?;
    let answer = submit(&token, &code, Delivery::CompleteV01, Names::V01, cx).await?;
    Ok(reply::private(StatusCode::OK, reply::JSON, answer))
}

#[derive(Deserialize)]
pub(in crate::http) struct Challenge {
    claim_attempt_token: Option<Value>,
}

/// `POST /agent/auth/claim/attempt/challenge`: the person's browser asks for the code. The link came by mail, so who has it can read
/// that mail; an account with a passkey asks for more.
pub(crate) async fn challenge<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    on(cx)?;
    let body: Challenge = json::object(headers, body)?;
    let Some(Value::String(token)) = &body.claim_attempt_token else {
        return Err(malformed("no claim_attempt_token", "Send claim_attempt_token as the link in the mail has it."));
    };
    let superseded = || Refused::new(ErrorCode::ClaimSuperseded, "not the newest link");
    let token = Presented::<ClaimAttemptToken>::parse(ATTEMPT_TOKEN, token, &cx.config.masters).ok_or_else(superseded)?;
    let id = RegistrationId::from_digits(token.digits());
    let view = token.digests().to_vec();
    let page = match cx.ports.run::<Registration>(&id, Command::View { view: view.clone() }).await? {
        Outcome::Page { page, .. } if page.mailed => page,
        Outcome::Claim(ClaimRefusal::Claimed) => return Err(Refused::new(ErrorCode::ClaimCompleted, "claimed already")),
        Outcome::Claim(ClaimRefusal::Expired) => return Err(Refused::new(ErrorCode::ClaimExpired, "the link is over")),
        Outcome::Claim(ClaimRefusal::Denied) => return Err(Refused::new(ErrorCode::ClaimDenied, "the person has said no")),
        _ => return Err(superseded()),
    };
    let visitor = Visitor::read(headers, cx).await?;
    visitor.is_ours(headers, cx)?;
    let (person, email) = match confirmer(&page, &visitor, true, cx).await? {
        Confirmer::Person(person, email) => (person, email),
        Confirmer::SignIn => return Err(Refused::new(ErrorCode::InteractionRequired, "the account asks for a sign-in")),
        Confirmer::Stranger => return Err(Refused::new(ErrorCode::AccessDenied, "somebody else is signed in")),
    };
    let code = ceremony::six_digits(crate::entropy::random(cx.entropy)?);
    let digest = ceremony::relayed(&id, &code, &cx.config.masters).into_iter().next().ok_or_else(superseded)?;
    let answer = Command::Answer { view, person, email, answer: Answer::Reveal(digest) };
    match cx.ports.run::<Registration>(&id, answer).await? {
        Outcome::Revealed(expires) => {
            Ok(reply::json(StatusCode::OK, &json!({ "type": "otp", "challenge": code, "expires_at": expires.iso() })))
        }
        Outcome::Claim(ClaimRefusal::Claimed) => Err(Refused::new(ErrorCode::ClaimCompleted, "claimed already")),
        _ => Err(superseded()),
    }
}

fn on<P>(cx: &Cx<'_, P>) -> Result<(), Refused> {
    if cx.config.dialects.v01 && cx.config.mail.is_some() {
        return Ok(());
    }
    Err(Refused::new(ErrorCode::NotFound, "auth.md v0.1 is off, or nothing is claimed here").hint(
        "Begin at the identity_endpoint of the authorization server metadata; its claim_endpoint is where registrations are claimed.",
    ))
}
