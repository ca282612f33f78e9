//! `/operator/*`: signing keys, registrations and people, for whoever holds `OPERATOR_KEY`.

use std::rc::Rc;

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::people::{Change, Found, change, change_all};
use super::refuse::Refused;
use super::{browser, json, reply};
use crate::account;
use crate::config::reader::sha256;
use crate::cx::Cx;
use crate::email::Address;
use crate::id::{AccountId, Holder, RegistrationId};
use crate::identity;
use crate::keys;
use crate::machine::keyring::{Command, KeySet, Ring};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::people::{self, Contact};
use crate::store::Ports;
use crate::time::Timestamp;

#[derive(Deserialize)]
pub(super) struct Revoke {
    kid: String,
}

/// `GET /operator/keys`: the keys and when they serve.
pub(super) async fn keys<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    Ok(shown(&keys::shown(cx).await?, cx))
}

/// `POST /operator/keys/rotate`: publish the next key now; it signs ten minutes later.
pub(super) async fn rotate<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    for (ring, _) in rings(cx).await? {
        let candidate = keys::candidate(ring, cx).await.map_err(keys::KeysError::from)?;
        keys::change(ring, Command::Rotate { candidate }, cx).await?;
    }
    Ok(shown(&keys::shown(cx).await?, cx))
}

/// `POST /operator/keys/revoke` with `{"kid": …}`: the key stops verifying, and another takes over if it signed.
pub(super) async fn revoke<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    let Revoke { kid } = json::object(headers, body)?;
    let unknown = || Refused::new(ErrorCode::NotFound, "no such key").hint("GET /operator/keys lists the keys.");
    let mut rings = rings(cx).await?.into_iter();
    let (ring, _) = rings.find(|(_, set)| set.keys.iter().any(|key| key.jwk.kid == kid)).ok_or_else(unknown)?;
    let replacement = keys::candidate(ring, cx).await.map_err(keys::KeysError::from)?;
    keys::change(ring, Command::Revoke { kid, replacement }, cx).await?.ok_or_else(unknown)?;
    Ok(shown(&keys::shown(cx).await?, cx))
}

/// The rings that have keys, as they are now.
async fn rings<P: Ports>(cx: &Cx<'_, P>) -> Result<Vec<(Ring, Rc<KeySet>)>, Refused> {
    keys::current(cx).await?;
    let mut rings = Vec::new();
    for ring in Ring::ALL {
        rings.extend(keys::change(ring, Command::Look, cx).await?.map(|set| (ring, set)));
    }
    Ok(rings)
}

#[derive(Deserialize)]
pub(super) struct End {
    registration_id: RegistrationId,
}

/// `POST /operator/registrations/revoke` with `{"registration_id": …}`: nothing of it counts any more.
pub(super) async fn end_registration<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    let End { registration_id } = json::object(headers, body)?;
    let registration = Holder::Registration(registration_id);
    change(&registration, &Change::EndByOperator, cx).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "registration_id": registration.as_str(), "status": "revoked" })))
}

#[derive(Deserialize)]
pub(super) struct Whom {
    email: Option<String>,
    account: Option<AccountId>,
}

impl Whom {
    async fn find<P: Ports>(self, cx: &Cx<'_, P>) -> Result<AccountId, Refused> {
        let unknown =
            || Refused::new(ErrorCode::NotFound, "nobody has that address").hint("Send email or account of somebody who is here.");
        if let Some(account) = self.account {
            return Ok(account);
        }
        let email = self.email.as_deref().and_then(Address::parse).ok_or_else(unknown)?;
        people::find(Contact::Email(&email.canonical()), cx).await?.ok_or_else(unknown)
    }
}

/// `POST /operator/people/suspend` and `/operator/people/resume` with `{"email": …}`: the person's sessions end and their agents rest, or
/// the agents go on.
pub(super) async fn suspend<P: Ports>(
    headers: &HeaderMap,
    body: &[u8],
    suspended: bool,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    let person = json::object::<Whom>(headers, body)?.find(cx).await?;
    let command = if suspended { account::Command::Suspend } else { account::Command::Resume };
    if cx.ports.account(&person, command).await? == account::Outcome::Nobody {
        return Err(Refused::new(ErrorCode::NotFound, "no such person"));
    }
    let Found { agents, clients } = change_all(&person, &Change::Suspend(person.clone(), suspended), cx).await?;
    if suspended {
        end_sessions(&person, cx).await?;
    }
    let status = if suspended { "suspended" } else { "active" };
    Ok(reply::json(StatusCode::OK, &json!({ "account": person, "status": status, "agents": agents, "clients": clients })))
}

/// `POST /operator/people/erase` with `{"email": …}`: the person is forgotten, and their agents end.
pub(super) async fn erase<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    let person = json::object::<Whom>(headers, body)?.find(cx).await?;
    let known = people::look(&person, cx).await?.ok_or_else(|| Refused::new(ErrorCode::NotFound, "no such person"))?;
    // Barred first: nothing new comes to be theirs meanwhile.
    cx.ports.account(&person, account::Command::Suspend).await?;
    let Found { agents, clients } = change_all(&person, &Change::EndByOperator, cx).await?;
    end_sessions(&person, cx).await?;
    if let Some(email) = known.email.as_deref().and_then(Address::parse) {
        people::unbind(Contact::Email(&email.canonical()), &person, cx).await?;
    }
    identity::unbind_all(&person, cx).await?;
    if let Some(phone) = &known.phone {
        people::unbind(Contact::Phone(phone), &person, cx).await?;
    }
    cx.ports.account(&person, account::Command::Erase).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "account": person, "status": "erased", "agents": agents, "clients": clients })))
}

async fn end_sessions<P: Ports>(person: &AccountId, cx: &Cx<'_, P>) -> Result<(), Refused> {
    if let account::Outcome::Sessions(sessions) = cx.ports.account(person, account::Command::Sessions).await? {
        for session in sessions {
            browser::end_session(person, &session.id, cx).await?;
        }
    }
    Ok(())
}

/// No key configured and a wrong key look the same.
pub(super) fn operator<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let known = matches!(Authorization::parse(headers), Ok(Some(Authorization::Bearer(key))) if is_key(&key, cx));
    let refused =
        || Refused::new(ErrorCode::Unauthorized, "not the operator").hint("Send the deployment's OPERATOR_KEY as a Bearer token.");
    known.then_some(()).ok_or_else(|| refused().header(WWW_AUTHENTICATE, "Bearer realm=\"operator\""))
}

/// Whether this is `OPERATOR_KEY`.
pub(super) fn is_key<P>(presented: &str, cx: &Cx<'_, P>) -> bool {
    cx.config.operator_key.is_some_and(|key| bool::from(key.ct_eq(&sha256(presented))))
}

fn shown<P>(sets: &[Rc<KeySet>], cx: &Cx<'_, P>) -> Response<Bytes> {
    let keys: Vec<Value> = sets
        .iter()
        .flat_map(|set| {
            let signer = set.signer(cx.now).map(|key| key.jwk.kid.as_str());
            set.published(cx.now).map(move |key| (key, signer))
        })
        .map(|(key, signer)| {
            json!({
                "kid": key.jwk.kid,
                "alg": key.jwk.alg,
                "state": if Some(key.jwk.kid.as_str()) == signer { "signing" } else if cx.now < key.signs_from { "next" } else { "verifying" },
                "signs_from": key.signs_from.iso(),
                "verifies_until": key.verifies_until.and_then(Timestamp::iso),
            })
        })
        .collect();
    reply::json(StatusCode::OK, &json!({ "keys": keys }))
}
