//! `type: refresh`: a claimed agent's identity goes on (auth.md, AuthKit).

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::entropy::random;
use crate::grant::{self, claim};
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::id::{Holder, RegistrationId};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::machine::standing::Standing;
use crate::oauth::error::ErrorCode;
use crate::refresh::Presented;
use crate::store::Ports;

/// Spends a refresh token, or repeats what spending it brought. Unknown, spent and expired look the same.
pub(super) async fn refresh<P: Ports>(token: &Value, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let refused = |reason: &str| Refused::new(ErrorCode::InvalidRefreshToken, reason);
    let text = match token {
        Value::String(text) => text,
        _ => return Err(Refused::new(ErrorCode::InvalidRequest, "no refresh_token").hint("Send refresh_token as a string.")),
    };
    let presented = Presented::parse(text, &cx.config.masters).ok_or_else(|| refused("not a refresh token of ours"))?;
    let (_, body) = spent(presented, cx).await?;
    Ok(reply::json(StatusCode::OK, &body))
}

/// The same, with an access token for the default resource.
pub(in crate::http) async fn refreshed<P: Ports>(presented: Presented, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    if !cx.config.dialects.newer() {
        return Err(Refused::new(ErrorCode::InvalidRefreshToken, "no dialect with refresh tokens is on"));
    }
    let ((id, standing), mut body) = spent(presented, cx).await?;
    claim::merge(&mut body, json!(grant::token_for(&id, &standing, cx).await?));
    let refresh_token = body.pointer("/identity/refresh_token/value").cloned();
    claim::merge(&mut body, json!({ "refresh_token": refresh_token }));
    Ok(body)
}

async fn spent<P: Ports>(presented: Presented, cx: &Cx<'_, P>) -> Result<((RegistrationId, Standing), Value), Refused> {
    let refused = |reason: &str| Refused::new(ErrorCode::InvalidRefreshToken, reason);
    let Holder::Registration(id) = presented.holder.clone() else { return Err(refused("a client's refresh token")) };
    let outcome = cx.ports.run::<Registration>(&id, Command::Refresh(presented.command())).await?;
    let Outcome::Refreshed(standing, index) = outcome else { return Err(refused("the registration refuses")) };
    let successor = presented.successors.into_iter().nth(index).ok_or_else(|| refused("no such successor"))?;
    let (assertion, expires) = grant::identity_assertion(&id, &standing, random(cx.entropy)?, cx.now, cx).await?;
    let mut body = claim::identity(&id, &assertion, expires, &successor, cx);
    claim::merge(&mut body, json!({ "type": "refresh", "registration_type": standing.kind.as_str() }));
    Ok(((id, standing), body))
}
