//! `GET /api/v1/auth/me`: who the caller is.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::api::tokens;
use super::guard::{self, Caller};
use super::refuse::Refused;
use super::reply;
use crate::cx::Cx;
use crate::dpop;
use crate::grant::claim::merge;
use crate::id::Holder;
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::Kind;

/// Answers for the REST surface.
pub(super) async fn me<P: Ports>(request: &dpop::Request<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let caller = guard::agent(request, cx).await?.needs(&cx.config.read_scope, cx)?;
    let mut response = reply::json(StatusCode::OK, &describe(&caller, cx));
    tokens::advise(&caller.active, &mut response, cx);
    Ok(response)
}

/// The same for every surface.
pub(super) fn describe<P>(caller: &Caller, cx: &Cx<'_, P>) -> Value {
    let active = &caller.active;
    let (credential_type, audience, expires) = match &active.kind {
        Kind::AccessToken(claims) => ("access_token", Some(claims.custom.aud.clone()), claims.expiration.map(Timestamp::from)),
        Kind::ApiKey(stamp) => {
            let key = active.standing.credentials.iter().find(|key| key.id == stamp.id).map(|key| key.expires.min(active.standing.expires));
            ("api_key", None, key)
        }
    };
    let audience = audience.or_else(|| cx.config.default_resource().map(|resource| resource.uri.clone()));
    if let (Holder::Grant(_), Kind::AccessToken(claims)) = (&active.holder, &active.kind) {
        return json!({
            "sub": claims.custom.sub,
            "client_id": claims.custom.client_id,
            "status": "active",
            "scopes": caller.scope.as_scope().iter().collect::<Vec<_>>(),
            "credential_type": credential_type,
            "audience": audience,
            "expires_at": expires.and_then(Timestamp::iso),
        });
    }
    let mut answer = json!({
        "registration_id": active.holder.as_str(),
        "registration_type": active.standing.kind.as_str(),
        "status": if active.is_claimed() { "claimed" } else { "unclaimed" },
        "claimed": active.is_claimed(),
        "scopes": caller.scope.as_scope().iter().collect::<Vec<_>>(),
        "management_scopes": caller.manages.iter().collect::<Vec<_>>(),
        "credential_type": credential_type,
        "audience": audience,
        "expires_at": expires.and_then(Timestamp::iso),
        "registration_expires": active.standing.expires.iso(),
    });
    if let (Some(_), Kind::AccessToken(claims)) = (&active.behalf, &active.kind) {
        merge(&mut answer, json!({ "sub": claims.custom.sub, "act": claims.custom.act, "constraints": claims.custom.constraints }));
    }
    answer
}
