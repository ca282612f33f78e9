//! Registration without a browser: `POST /agent/identity` (auth.md, newest and AuthKit) and `POST /agent/auth` (v0.1).

mod answer;
mod open;
mod quickstart;
mod refresh;
mod seed;
mod v01;
mod vouched;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::ceremony::Wanted;
use super::limit::Allowance;
use super::refuse::Refused;
use super::{json, reply};
use crate::cx::Cx;
use crate::email::{self, Address};
use crate::grant;
use crate::machine::registration::Said;
use crate::machine::standing::Kind;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::Ports;
use answer::Answer;
use open::{Opened, Plan, open};
use seed::Seed;

pub(super) use quickstart::{bootstrap, quickstart};
pub(super) use refresh::refreshed;
pub(super) use seed::{first, usable};
pub(super) use v01::v01;
use vouched::Dialect;
pub(super) use vouched::{not_vouched, verify};

/// The fields of all dialects; each path reads its own.
#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(rename = "type")]
    typ: Option<String>,
    identity_type: Option<String>,
    assertion_type: Option<String>,
    assertion: Option<Value>,
    login_hint: Option<Value>,
    refresh_token: Option<Value>,
    requested_credential_type: Option<String>,
    email: Option<Value>,
    agent: Option<Value>,
}

/// What an agent asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Anonymous,
    /// On behalf of the person with this address.
    ServiceAuth(Value),
    /// With a provider's word.
    IdentityAssertion(Value),
    Refresh(Value),
}

/// `assertion_type` of an ID-JAG.
pub(super) const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// `POST /agent/identity`
pub(super) async fn identity<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.dialects.newer() {
        return Err(Refused::new(ErrorCode::NotFound, "the dialects of this path are off"));
    }
    let fields: Body = json::object(headers, body)?;
    match fields.asked()? {
        Asked::Anonymous => anonymous(&fields, headers, body, cx).await,
        Asked::ServiceAuth(hint) => service_auth(&fields, &hint, headers, body, cx).await,
        Asked::IdentityAssertion(assertion) => vouched::register(&fields, &assertion, Dialect::Newer, cx).await,
        Asked::Refresh(token) => refresh::refresh(&token, cx).await,
    }
}

async fn anonymous<P: Ports>(fields: &Body, headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.anonymous {
        return Err(Refused::new(ErrorCode::AnonymousNotEnabled, "anonymous registration is off"));
    }
    let seed = Seed::new("identity", headers, body, cx)?;
    let plan = Plan { kind: Kind::Anonymous, v01: false, key: false, said: fields.said(None), hint: None, credential: None, attempt: None };
    let Opened { standing, made, allowance, .. } = open(&seed, &plan, cx).await?;
    // Dated by the registration, so that a repeated answer says the same.
    let (assertion, expires) = grant::identity_assertion(&seed.registration, &standing, made.jti, standing.created, cx).await?;
    let answer = Answer::new(&seed.registration, Kind::Anonymous.as_str(), cx)
        .ends(standing.expires)
        .identity(&assertion, expires)
        .scopes(true)
        .claim(made.claim.as_deref(), standing.expires, None);
    Ok(shown(&answer.value(), allowance))
}

/// The person is named from the start: nothing works before they have confirmed.
async fn service_auth<P: Ports>(
    fields: &Body,
    hint: &Value,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    if !cx.config.service_auth {
        return Err(Refused::new(ErrorCode::ServiceAuthNotEnabled, "service_auth is off"));
    }
    let hint = login_hint(hint)?;
    let seed = Seed::new("identity", headers, body, cx)?;
    let wanted = Wanted { paths: cx.config.ambiguous_paths(), hint: None, vouched: None, mailed: false };
    let plan = Plan {
        kind: Kind::ServiceAuth,
        v01: false,
        key: false,
        said: fields.said(None),
        hint: Some(hint),
        credential: None,
        attempt: Some(wanted),
    };
    let Opened { standing, made, allowance, .. } = open(&seed, &plan, cx).await?;
    let answer = Answer::new(&seed.registration, Kind::ServiceAuth.as_str(), cx).ends(standing.expires).scopes(false).claim(
        made.claim.as_deref(),
        standing.expires,
        made.attempt.as_ref().map(|attempt| (attempt, standing.created)),
    );
    Ok(shown(&answer.value(), allowance))
}

impl Body {
    /// What is asked for, in whichever spelling.
    fn asked(&self) -> Result<Asked, Refused> {
        let typ = match (&self.typ, &self.identity_type) {
            (Some(one), Some(other)) if one != other => {
                return Err(Refused::new(ErrorCode::InvalidRequest, "type and identity_type differ").hint("Send type alone."));
            }
            (Some(typ), _) | (None, Some(typ)) => typ.as_str(),
            (None, None) => return Err(Refused::new(ErrorCode::InvalidRequest, "no type").hint("Send type \"anonymous\".")),
        };
        let value = |value: &Option<Value>| value.clone().unwrap_or_default();
        match (typ, self.assertion_type.as_deref()) {
            ("anonymous", _) => Ok(Asked::Anonymous),
            ("service_auth", _) => Ok(Asked::ServiceAuth(value(&self.login_hint))),
            // The older spelling of the same.
            ("identity_assertion", Some("verified_email")) => Ok(Asked::ServiceAuth(value(&self.assertion))),
            ("identity_assertion", Some(ID_JAG)) => Ok(Asked::IdentityAssertion(value(&self.assertion))),
            ("identity_assertion", _) => Err(Refused::new(ErrorCode::InvalidRequest, "unknown assertion_type")
                .hint("Send an assertion_type of assertion_types_supported in the authorization server metadata.")),
            ("refresh", _) => Ok(Asked::Refresh(value(&self.refresh_token))),
            _ => Err(Refused::new(ErrorCode::InvalidRequest, "unknown type")
                .hint("Send a type of identity_types_supported in the authorization server metadata.")),
        }
    }

    /// What the agent says of itself, cleaned.
    fn said(&self, email: Option<String>) -> Said {
        let agent = self.agent.as_ref().and_then(Value::as_str).map(email::cleaned).filter(|agent| !agent.is_empty());
        Said { email, agent }
    }
}

/// The address of a person.
pub(super) fn login_hint(value: &Value) -> Result<Address, Refused> {
    let refused = |reason: &str| Refused::new(ErrorCode::InvalidLoginHint, reason);
    let address = value.as_str().and_then(Address::parse).ok_or_else(|| refused("not an address"))?;
    if address.is_disposable() {
        return Err(refused("a disposable domain").hint("Send a lasting address: one of a disposable mail service is not accepted."));
    }
    Ok(address)
}

impl Refusal for crate::entropy::EntropyError {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

impl Refusal for crate::store::StoreError {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

/// A contact that nobody has verified.
fn contact(value: Value) -> Result<String, Refused> {
    let Value::String(text) = value else { return Err(Refused::new(ErrorCode::InvalidEmail, "email is not a string")) };
    let address = email::Address::parse(&text).ok_or_else(|| Refused::new(ErrorCode::InvalidEmail, "not an address"))?;
    if address.is_disposable() {
        return Err(Refused::new(ErrorCode::DisposableEmail, "a disposable domain"));
    }
    Ok(address.into_string())
}

fn shown(answer: &Value, allowance: Option<Allowance>) -> Response<Bytes> {
    let mut response = reply::json(StatusCode::OK, answer);
    if let Some(allowance) = allowance {
        allowance.show(&mut response);
    }
    response
}
