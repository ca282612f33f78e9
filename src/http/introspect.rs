//! `POST /oauth2/introspect` (RFC 7662)

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::refuse::Refused;
use super::{form, reply};
use crate::client::terms::OPENID_SCOPES;
use crate::config::reader::sha256;
use crate::cx::Cx;
use crate::dpop;
use crate::grant::Denied;
use crate::grant::claim::merge;
use crate::grant::client::{self, Authenticated, Shown};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::params::Params;
use crate::oauth::scope::Scope;
use crate::store::Ports;
use crate::time::Timestamp;
use crate::verify::{self, Active, Kind};

/// Who may ask.
enum Asker {
    /// A resource server: about every token.
    ResourceServer,
    /// An agent or a client: about its own.
    Holder(Authenticated),
}

/// Says whether a token counts. Unknown, foreign, expired, revoked and somebody else's look the same.
pub(super) async fn introspect<P: Ports>(request: &dpop::Request<'_>, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let params = form(request.headers, body)?;
    Ok(reply::json(StatusCode::OK, &answered(request, &params, cx).await?))
}

/// The same for what has been read.
pub(super) async fn answered<P: Ports>(request: &dpop::Request<'_>, params: &Params, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let asker = asker(request, params, cx).await?;
    let token = params.require("token")?;
    match verify::credential(token, cx).await {
        Ok(active) if asker.may_know(&active) => Ok(shown(&active, cx)),
        Ok(_) => Ok(json!({ "active": false })),
        Err(error) if error.code() == ErrorCode::InvalidToken => Ok(json!({ "active": false })),
        Err(error) => Err(error.into()),
    }
}

/// The same for whoever holds `token`, or shows another credential of whoever it was issued to: a bearer may know how its own token is.
///
/// # Errors
/// Our own faults alone.
pub(super) async fn by_bearer<P: Ports>(token: &str, caller: Option<&Active>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let is_own = |active: &Active| {
        caller.is_some_and(|caller| !caller.is_delegated() && caller.client_id() == active.client_id() && caller.holder == active.holder)
    };
    match verify::credential(token, cx).await {
        // A token that is bound to a key says nothing to whoever merely has it.
        Ok(active) if active.jkt().is_none() || is_own(&active) => Ok(shown(&active, cx)),
        Ok(_) => Ok(json!({ "active": false })),
        Err(error) if error.code() == ErrorCode::InvalidToken => Ok(json!({ "active": false })),
        Err(error) => Err(error.into()),
    }
}

/// Whether a resource server shows its name and its key.
pub(super) fn is_resource_server<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> bool {
    match Authorization::parse(headers) {
        Ok(Some(basic @ Authorization::Basic { .. })) => {
            Params::parse(&[]).is_ok_and(|none| client::shown(&none, Some(basic)).is_ok_and(|shown| is_known(&shown, cx)))
        }
        _ => false,
    }
}

fn is_known<P>(shown: &Shown, cx: &Cx<'_, P>) -> bool {
    let Shown::Secret { name: Some(name), secret, plain } = shown else { return false };
    let digests: Vec<[u8; 32]> = std::iter::once(secret).chain(plain).map(|secret| sha256(secret)).collect();
    let is_one = |known: &[u8; 32]| digests.iter().any(|digest| known.ct_eq(digest).into());
    cx.config.resource_server_keys.iter().any(|(server, known)| name == server && is_one(known))
}

async fn asker<P: Ports>(request: &dpop::Request<'_>, params: &Params, cx: &Cx<'_, P>) -> Result<Asker, Refused> {
    let authorization = Authorization::parse(request.headers).map_err(Denied::from)?;
    if let Some(Authorization::Dpop(token)) = &authorization {
        return match verify::proven(token, request, cx).await {
            Ok(active) => Ok(Asker::Holder(Authenticated::Registration(client::holder(&active)?))),
            Err(error) if error.code() == ErrorCode::InvalidToken => Err(Denied::Client("the token does not count").into()),
            Err(error) => Err(error.into()),
        };
    }
    let shown = client::shown(params, authorization)?;
    if is_known(&shown, cx) {
        return Ok(Asker::ResourceServer);
    }
    // Resource servers have names too: an unknown one and a wrong key look the same here.
    let alike = |denied| if matches!(denied, Denied::UnknownClient) { Denied::Client("an unknown name") } else { denied };
    match client::authenticate(&shown, cx).await.map_err(alike)? {
        Authenticated::Nobody => Err(Denied::Client("nobody asks").into()),
        holder => Ok(Asker::Holder(holder)),
    }
}

impl Asker {
    fn may_know(&self, active: &Active) -> bool {
        match self {
            Self::ResourceServer => true,
            Self::Holder(holder) => holder.may_introspect(active),
        }
    }
}

/// RFC 7662, section 2.2.
pub(super) fn shown<P>(active: &Active, cx: &Cx<'_, P>) -> Value {
    let entitled = active.entitled(cx.config);
    // Those of OpenID Connect are of no resource: they count at userinfo.
    let identity: Scope = OPENID_SCOPES.join(" ").parse().unwrap_or_default();
    let seconds = |date: Option<chrono::DateTime<chrono::Utc>>| date.map(|date| date.timestamp());
    let mut answer = match &active.kind {
        Kind::AccessToken(claims) => {
            let token = &claims.custom;
            let mut answer = json!({
                "active": true, "token_type": if token.cnf.is_some() { "DPoP" } else { "Bearer" }, "token_use": "access_token",
                "scope": token.scope.intersect(&entitled.as_scope().union(&identity).union(&active.managing()).entitle()).to_string(),
                "client_id": token.client_id, "sub": token.sub, "aud": token.aud, "iss": token.iss,
                "jti": token.jti, "iat": seconds(claims.issued_at), "exp": seconds(claims.expiration),
            });
            if let Some(cnf) = &token.cnf {
                merge(&mut answer, json!({ "cnf": cnf }));
            }
            if let Some(act) = &token.act {
                merge(&mut answer, json!({ "act": act }));
            }
            if !token.constraints.is_empty() {
                merge(&mut answer, json!({ "constraints": token.constraints }));
            }
            answer
        }
        Kind::ApiKey(stamp) => {
            let expires = active
                .standing
                .credentials
                .iter()
                .find(|key| key.id == stamp.id)
                .map_or(active.standing.expires, |key| key.expires.min(active.standing.expires));
            let mut answer = json!({
                "active": true, "token_type": "Bearer", "token_use": "api_key", "scope": entitled.to_string(),
                "client_id": active.holder.as_str(), "sub": active.holder.as_str(), "iss": cx.config.issuer,
                "aud": cx.config.resources.iter().map(|resource| &resource.uri).collect::<Vec<_>>(),
                "iat": active.standing.created.seconds(),
            });
            if expires != Timestamp::NEVER
                && let Value::Object(fields) = &mut answer
            {
                fields.insert("exp".to_owned(), expires.seconds().into());
            }
            answer
        }
    };
    if let Some(parent) = active.standing.ancestors.last() {
        merge(&mut answer, json!({ "parent_agent_id": parent }));
    }
    answer
}
