//! `POST /agent/identity/claim/complete` with JSON: the agent submits what its person has read out (AuthKit).

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::{Names, claim_token, malformed, not_delivered};
use crate::cx::Cx;
use crate::grant::claim::{Wanted, deliver};
use crate::http::refuse::Refused;
use crate::http::{ceremony, json, reply};
use crate::id::RegistrationId;
use crate::machine::registration::{Command, Registration};
use crate::oauth::error::ErrorCode;
use crate::secret::{ClaimToken, Presented, Purpose};
use crate::store::Ports;

#[derive(Deserialize)]
pub(in crate::http) struct Body {
    pub(super) claim_token: Option<Value>,
    pub(super) user_code: Option<Value>,
    pub(super) otp: Option<Value>,
    claim_attempt_token: Option<Value>,
}

/// Completes a claim; cookies are not looked at.
pub(crate) async fn complete<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.dialects.authkit || cx.config.mail.is_none() {
        return Err(Refused::new(ErrorCode::NotFound, "the dialect of this path is off"));
    }
    let body: Body = json::object(headers, body)?;
    if body.claim_attempt_token.is_some() {
        return Err(malformed("the page's token in the agent's request", "Send claim_token and user_code, nothing of the person's page."));
    }
    let code = six_digits(body.user_code.as_ref())?;
    let Ok(token) = claim_token::<ClaimToken, P>(body.claim_token.as_ref(), Names::AuthKit, cx) else {
        return Err(match body.claim_token {
            Some(Value::String(_)) => Refused::new(ErrorCode::InvalidClaim, "not a claim token of ours"),
            _ => malformed("no claim_token", "Send claim_token as a string, as the registration's answer has it."),
        });
    };
    let answer = submit(&token, &code, Wanted::Complete, Names::AuthKit, cx).await?;
    Ok(reply::private(StatusCode::OK, reply::JSON, answer))
}

/// A code in a JSON body: a string of six ASCII digits. What is none costs no try.
pub(super) fn six_digits(value: Option<&Value>) -> Result<String, Refused> {
    let code = value.and_then(Value::as_str).and_then(ceremony::code);
    code.ok_or_else(|| malformed("not a code", "Send the code as a string of six digits."))
}

/// Submits a code, and makes or repeats what it brings.
pub(super) async fn submit<S: Purpose, P: Ports>(
    token: &Presented<S>,
    code: &str,
    wanted: Wanted<'_>,
    names: Names,
    cx: &Cx<'_, P>,
) -> Result<Vec<u8>, Refused> {
    let id = RegistrationId::from_digits(token.digits());
    let codes = ceremony::relayed(&id, code, &cx.config.masters);
    let outcome = cx.ports.run::<Registration>(&id, Command::Complete { token: token.digests().to_vec(), codes }).await?;
    deliver(&id, token, wanted, outcome, cx).await.map_err(|error| not_delivered(error, names))
}
