//! `type: refresh`: a claimed agent's identity goes on (auth.md, AuthKit).

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::entropy::random;
use crate::grant::{self, claim};
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::id::Holder;
use crate::machine::registration::{Command, Outcome, Registration};
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
    let Holder::Registration(id) = presented.holder.clone() else { return Err(refused("a client's refresh token")) };
    let outcome = cx.ports.run::<Registration>(&id, Command::Refresh(presented.command())).await?;
    let Outcome::Refreshed(standing, index) = outcome else { return Err(refused("the registration refuses")) };
    let successor = presented.successors.into_iter().nth(index).ok_or_else(|| refused("no such successor"))?;
    let (assertion, expires) = grant::identity_assertion(&id, &standing, random(cx.entropy)?, cx.now, cx).await?;
    let mut body = claim::identity(&id, &assertion, expires, &successor, cx);
    claim::merge(&mut body, json!({ "type": "refresh", "registration_type": standing.kind.as_str() }));
    Ok(reply::json(StatusCode::OK, &body))
}
