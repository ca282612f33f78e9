//! Security events from providers: `POST /agent/event/notify` (RFC 8417, RFC 8935), and `POST /agent/auth/revoke` of auth.md v0.1.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::json;

use super::refuse::Refused;
use super::{media_type, reply};
use crate::cx::Cx;
use crate::machine::link::{self, Link};
use crate::machine::once::Once;
use crate::machine::registration::{Command, Outcome, Registration};
use crate::oauth::error::ErrorCode;
use crate::people::names;
use crate::provider::event::{self, EventType, Revocation};
use crate::store::Ports;
use crate::verify;

/// `POST /agent/event/notify`: 202 for every event that is genuine, whether it changes anything or not.
pub(super) async fn notify<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let revocation = read(EventType::SecurityEvent, "application/secevent+jwt", headers, body, cx).await?;
    if revocation.known {
        carry_out(&revocation, cx).await?;
    }
    Ok(reply::empty(StatusCode::ACCEPTED))
}

/// `POST /agent/auth/revoke`: says how many registrations have ended.
pub(super) async fn revoke_v01<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.dialects.v01 {
        return Err(Refused::new(ErrorCode::NotFound, "auth.md v0.1 is off").hint(
            "Send security events to the events_endpoint of the authorization server metadata; agents begin at its identity_endpoint.",
        ));
    }
    let revocation = read(EventType::Logout, "application/logout+jwt", headers, body, cx).await?;
    if !revocation.known {
        return Err(Refused::new(ErrorCode::InvalidRequest, "no event that means anything here"));
    }
    match carry_out(&revocation, cx).await? {
        Some(ended) => Ok(reply::json(StatusCode::OK, &json!({ "revoked": ended }))),
        None => Err(Refused::new(ErrorCode::ReplayDetected, "the event was carried out before")),
    }
}

async fn read<'c, P: Ports>(
    kind: EventType,
    content_type: &str,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'c, P>,
) -> Result<Revocation<'c>, Refused> {
    if !cx.config.identity_assertion {
        return Err(Refused::new(ErrorCode::NotFound, "no issuer is trusted, so nobody has anything to say"));
    }
    let token = std::str::from_utf8(body).unwrap_or_default().trim();
    if media_type(headers) != content_type || token.is_empty() {
        return Err(Refused::new(ErrorCode::InvalidRequest, "another content type, or an empty body"));
    }
    Ok(event::verify(token, kind, cx).await?)
}

/// Ends whatever stands on the subject, and nothing else; how much that was, or nothing for an event that comes again.
async fn carry_out<P: Ports>(revocation: &Revocation<'_>, cx: &Cx<'_, P>) -> Result<Option<usize>, Refused> {
    let (mut ended, mut seen) = (0, false);
    for name in names(&revocation.provider.issuer, &revocation.subject, cx) {
        match cut(&name, revocation, cx).await? {
            Some(more) => ended += more,
            None => seen = true,
        }
    }
    // Carried out before the deployment's secret changed, it is known under the former name alone.
    Ok((ended > 0 || !seen).then_some(ended))
}

/// The tie is cut first and in one step, so nothing new can come to stand on it.
async fn cut<P: Ports>(name: &str, revocation: &Revocation<'_>, cx: &Cx<'_, P>) -> Result<Option<usize>, Refused> {
    // No secret is in the digest: while it changes, the event is known by both.
    let (_, digest) = Once::place("set", &revocation.provider.issuer, &revocation.jti);
    let event = (digest, revocation.repeatable_until());
    let revoke = link::Command::Revoke { link: name.to_owned(), event };
    let (ending, generation) = match cx.ports.run::<Link>(&name.to_owned(), revoke).await? {
        link::Outcome::Ending { registrations, generation } => (registrations, generation),
        link::Outcome::Seen => return Ok(None),
        _ => (Vec::new(), 0),
    };
    let mut ended = Vec::new();
    for registration in &ending {
        // One that does not answer now is ended by the link itself, which keeps trying.
        let end = Command::EndLink { link: name.to_owned(), generation };
        if let Ok(outcome) = cx.ports.run::<Registration>(registration, end).await {
            if let Outcome::Standing(standing) = outcome {
                verify::remember(registration, Some(Rc::new(standing)), cx);
            }
            ended.push(registration.clone());
        }
    }
    if !ended.is_empty() {
        cx.ports.run::<Link>(&name.to_owned(), link::Command::Ended(ended)).await?;
    }
    Ok(Some(ending.len()))
}
