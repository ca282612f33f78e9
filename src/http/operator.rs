//! `/operator/keys`: the signing keys, for whoever holds `OPERATOR_KEY`.

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::refuse::Refused;
use super::{json, reply};
use crate::config::reader::sha256;
use crate::cx::Cx;
use crate::keys;
use crate::machine::keyring::{Command, KeySet};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::time::Timestamp;

#[derive(Deserialize)]
struct Revoke {
    kid: String,
}

/// `GET /operator/keys`: the keys and when they serve.
pub(super) async fn keys<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    Ok(shown(&*keys::current(cx).await?, cx))
}

/// `POST /operator/keys/rotate`: publish the next key now; it signs ten minutes later.
pub(super) async fn rotate<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    keys::current(cx).await?;
    let candidate = keys::candidate(cx).await.map_err(keys::KeysError::from)?;
    change(Command::Rotate { candidate }, cx).await
}

/// `POST /operator/keys/revoke` with `{"kid": …}`: the key stops verifying, and another takes over if it signed.
pub(super) async fn revoke<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    let Revoke { kid } = json::object(headers, body)?;
    let replacement = keys::candidate(cx).await.map_err(keys::KeysError::from)?;
    change(Command::Revoke { kid, replacement }, cx).await
}

async fn change<P: Ports>(command: Command, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match keys::change(command, cx).await? {
        Some(set) => Ok(shown(&set, cx)),
        None => Err(Refused::new(ErrorCode::NotFound, "no such key").hint("GET /operator/keys lists the keys.")),
    }
}

/// No key configured and a wrong key look the same.
fn operator<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let presented = match Authorization::parse(headers) {
        Ok(Some(Authorization::Bearer(key))) => sha256(&key),
        _ => [0; 32],
    };
    let known = cx.config.operator_key.is_some_and(|key| bool::from(key.ct_eq(&presented)));
    let refused =
        || Refused::new(ErrorCode::Unauthorized, "not the operator").hint("Send the deployment's OPERATOR_KEY as a Bearer token.");
    known.then_some(()).ok_or_else(|| refused().header(WWW_AUTHENTICATE, "Bearer realm=\"operator\""))
}

fn shown<P>(set: &KeySet, cx: &Cx<'_, P>) -> Response<Bytes> {
    let signer = set.signer(cx.now).map(|key| key.jwk.kid.clone());
    let keys: Vec<Value> = set
        .published(cx.now)
        .map(|key| {
            json!({
                "kid": key.jwk.kid,
                "state": if Some(&key.jwk.kid) == signer.as_ref() { "signing" } else if cx.now < key.signs_from { "next" } else { "verifying" },
                "signs_from": key.signs_from.iso(),
                "verifies_until": key.verifies_until.and_then(Timestamp::iso),
            })
        })
        .collect();
    reply::json(StatusCode::OK, &json!({ "keys": keys }))
}
