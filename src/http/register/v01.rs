//! `POST /agent/auth` and `POST /api/agent/auth`: auth.md v0.1, answered in its own words.

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::answer::list;
use super::open::{Opened, Plan, open};
use super::seed::Seed;
use super::vouched::{self, Dialect};
use super::{Asked, Body, contact, login_hint, shown};
use crate::cx::Cx;
use crate::grant::claim::merge;
use crate::http::ceremony::{Wanted, mailed_uri};
use crate::http::json;
use crate::http::refuse::Refused;
use crate::machine::registration::claim::{CredentialType, Paths};
use crate::machine::registration::{Command, Registration};
use crate::machine::standing::Kind;
use crate::mail;
use crate::oauth::error::ErrorCode;
use crate::post;
use crate::store::Ports;

/// Registers, with an API key at once or after the person's word.
pub(crate) async fn v01<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.dialects.v01 {
        return Err(Refused::new(ErrorCode::NotFound, "auth.md v0.1 is off")
            .hint("Register at the identity_endpoint of the authorization server metadata: POST /agent/identity."));
    }
    let fields: Body = json::object(headers, body)?;
    match fields.asked()? {
        Asked::Anonymous => anonymous(&fields, headers, body, cx).await,
        Asked::ServiceAuth(address) => verified_email(&fields, &address, headers, body, cx).await,
        Asked::IdentityAssertion(assertion) => vouched::register(&fields, &assertion, Dialect::V01(credential_type(&fields)?), cx).await,
        Asked::Refresh(_) => {
            Err(Refused::new(ErrorCode::InvalidRequest, "refresh is not of this dialect").hint("API keys need no refresh."))
        }
    }
}

async fn anonymous<P: Ports>(fields: &Body, headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.config.anonymous {
        return Err(Refused::new(ErrorCode::AnonymousNotEnabled, "anonymous registration is off"));
    }
    if credential_type(fields)? == CredentialType::AccessToken {
        return Err(Refused::new(ErrorCode::UnsupportedCredentialType, "access_token for an anonymous registration"));
    }
    let email = fields.email.clone().map(contact).transpose()?;
    let seed = Seed::new("v01", headers, body, cx)?;
    let plan = Plan {
        kind: Kind::Anonymous,
        v01: true,
        key: true,
        said: fields.said(email),
        hint: None,
        credential: Some(CredentialType::ApiKey),
        attempt: None,
    };
    let Opened { standing, made, allowance, .. } = open(&seed, &plan, cx).await?;
    let expires = standing.credentials.first().map_or(standing.expires, |credential| credential.expires.min(standing.expires));
    let (pre, post) = (list(&cx.config.pre_claim_scopes), list(&cx.config.post_claim_scopes));
    let mut answer = json!({
        "registration_id": seed.registration, "registration_type": "anonymous",
        "credential_type": "api_key", "credential": made.key.map(crate::secret::Secret::reveal), "credential_expires": expires.iso(),
        "scopes": pre, "pre_claim_scopes": pre, "post_claim_scopes": post,
    });
    if let Some(token) = made.claim {
        merge(&mut answer, handles(&token, standing.expires, cx));
    }
    Ok(shown(&answer, allowance))
}

/// The link goes to the person by mail; the credential comes when they have confirmed.
async fn verified_email<P: Ports>(
    fields: &Body,
    address: &Value,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    if !cx.config.service_auth {
        return Err(Refused::new(ErrorCode::ServiceAuthNotEnabled, "service_auth is off"));
    }
    let credential = credential_type(fields)?;
    let address = login_hint(address)?;
    let seed = Seed::new("v01", headers, body, cx)?;
    let request = seed.digest().unwrap_or_else(|| seed.registration.to_string());
    let allowed = post::allow(&address, Some(&request), cx).await?;
    let plan = Plan {
        kind: Kind::ServiceAuth,
        v01: true,
        key: false,
        said: fields.said(None),
        hint: Some(address.clone()),
        credential: Some(credential),
        attempt: Some(Wanted { paths: Paths::Relay, hint: None, vouched: None, mailed: true }),
    };
    let Opened { standing, made, allowance, fresh } = match open(&seed, &plan, cx).await {
        Ok(opened) => opened,
        Err(refused) => {
            post::give_back(allowed, cx).await;
            return Err(refused);
        }
    };
    if let (true, Some(attempt)) = (fresh, &made.attempt) {
        let message = mail::claim(&address, &cx.config.service.name, plan.said.agent.as_deref(), &mailed_uri(&attempt.token, cx), 10);
        if let Err(error) = post::send(message.map_err(crate::http::prose::failed)?, allowed, cx).await {
            // The request may be repeated, and then it begins anew.
            cx.ports.run::<Registration>(&seed.registration, Command::Cancel(attempt.new.id.clone())).await?;
            return Err(error.into());
        }
    }
    let mut answer = json!({
        "registration_id": seed.registration, "registration_type": "email-verification",
        "post_claim_scopes": list(&cx.config.post_claim_scopes),
    });
    if let Some(token) = made.claim {
        merge(&mut answer, handles(&token, standing.expires, cx));
    }
    Ok(shown(&answer, allowance))
}

/// `claim_url` and what goes with it.
pub(super) fn handles<P>(token: &str, expires: crate::time::Timestamp, cx: &Cx<'_, P>) -> Value {
    json!({ "claim_url": cx.config.own("/agent/auth/claim"), "claim_token": token, "claim_token_expires": expires.iso() })
}

pub(super) fn credential_type(fields: &Body) -> Result<CredentialType, Refused> {
    match fields.requested_credential_type.as_deref() {
        Some("api_key") => Ok(CredentialType::ApiKey),
        Some("access_token") => Ok(CredentialType::AccessToken),
        _ => Err(Refused::new(ErrorCode::InvalidRequest, "no known requested_credential_type")
            .hint("Send requested_credential_type \"api_key\".")),
    }
}
