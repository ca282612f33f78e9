//! Passkeys: signing in with one, adding one, removing one (WebAuthn).
//!
//! A challenge is not stored: it carries its time and a seal over the browser that it was made for, and is burnt when it is answered.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use url::Url;

use super::{Asked, peopled, return_to, see_other};
use crate::account::{Command, Outcome, Passkey};
use crate::cx::Cx;
use crate::email::cleaned;
use crate::entropy::random;
use crate::http::browser::{How, SignedIn, Visitor, set_session};
use crate::http::refuse::Refused;
use crate::http::{json, reply};
use crate::id::AccountId;
use crate::jose::jwk::Algorithm;
use crate::machine::once::{self, Once};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};
use crate::webauthn::{self, Asserted, Created, Expected};

/// Changing how to sign in asks for a sign-in that is not older.
pub(super) const FRESH: Ttl = Ttl::from_seconds(900);

/// The origin and the relying party's name: the issuer's.
struct Party {
    origin: String,
    id: String,
}

impl Party {
    fn of<P>(cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let host = Url::parse(&cx.config.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        let id = host.ok_or_else(|| Refused::new(ErrorCode::ServerError, "the issuer has no host"))?;
        Ok(Self { origin: cx.config.issuer.clone(), id })
    }

    fn expected<'a>(&'a self, challenge: &'a str) -> Expected<'a> {
        Expected { challenge, origin: &self.origin, rp_id: &self.id }
    }
}

/// `POST /login/passkey/options`
pub(crate) async fn sign_in_options<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let visitor = checked(headers, cx).await?;
    let challenge = challenge("sign-in", &visitor, cx)?;
    let options = webauthn::request_options(&challenge, &Party::of(cx)?.id);
    Ok(reply::json(StatusCode::OK, &json!({ "publicKey": options })))
}

#[derive(Deserialize)]
pub(in crate::http) struct SignIn {
    credential: Asserted,
    return_to: Option<String>,
}

/// `POST /login/passkey`: the same refusal for every reason.
pub(crate) async fn sign_in<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let mut visitor = checked(headers, cx).await?;
    let SignIn { credential: answer, return_to: back } = json::object(headers, body)?;
    let account: AccountId = webauthn::user_handle(&answer).and_then(|text| text.parse().ok()).ok_or_else(|| refused("no user handle"))?;
    let credential = webauthn::credential(&answer).map_err(|error| refused(&error.to_string()))?;
    let Outcome::Passkey(Some(passkey)) = cx.ports.account(&account, Command::Passkey { credential: credential.clone() }).await? else {
        return Err(refused("no such passkey"));
    };
    let (challenge, expires) = answered(&answer.response.client_data_json, "sign-in", &visitor, cx)?;
    let party = Party::of(cx)?;
    let signed = webauthn::asserted(&answer, &party.expected(&challenge), &passkey.key).map_err(|error| refused(&error.to_string()))?;
    if !signature(signed.algorithm, &passkey.key, &signed.input, &signed.signature, cx).await? {
        return Err(refused("the signature is wrong"));
    }
    burn(&challenge, expires, cx).await?;
    match cx.ports.account(&account, Command::UsedPasskey { credential, sign_count: signed.sign_count }).await? {
        Outcome::Refused | Outcome::Nobody => return Err(refused("barred, or the counter went back")),
        _ => {}
    }
    let open = Command::Open { email: None, phone: None, provider: None };
    let Outcome::Person(person) = cx.ports.account(&account, open).await? else { return Err(refused("barred")) };
    let secret = visitor.sign_in(&account, person, How::Passkey, headers, cx).await?.ok_or_else(|| refused("barred"))?;
    let back = back.unwrap_or_default();
    let mut response = reply::json(StatusCode::OK, &json!({ "location": return_to(&back) }));
    set_session(&mut response, &secret, cx);
    Ok(response)
}

/// `POST /account/passkeys/options`
pub(crate) async fn add_options<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let visitor = checked(headers, cx).await?;
    let owner = fresh(&visitor, cx)?;
    let known = match cx.ports.account(&owner.account, Command::Passkeys).await? {
        Outcome::Passkeys(known) => known.into_iter().map(|passkey| passkey.credential).collect(),
        _ => Vec::new(),
    };
    let challenge = challenge("add", &visitor, cx)?;
    let party = Party::of(cx)?;
    let options = webauthn::creation_options(&challenge, &party.id, &cx.config.service.name, owner.account.as_str(), owner.name(), &known);
    Ok(reply::json(StatusCode::OK, &json!({ "publicKey": options })))
}

#[derive(Deserialize)]
pub(in crate::http) struct Add {
    credential: Created,
    name: Option<String>,
}

/// `POST /account/passkeys`
pub(crate) async fn add<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let visitor = checked(headers, cx).await?;
    let owner = fresh(&visitor, cx)?;
    let Add { credential: answer, name } = json::object(headers, body)?;
    let (challenge, expires) = answered(&answer.response.client_data_json, "add", &visitor, cx)?;
    let party = Party::of(cx)?;
    let made = webauthn::created(&answer, &party.expected(&challenge)).map_err(|error| refused(&error.to_string()))?;
    burn(&challenge, expires, cx).await?;
    let name = name.map(|name| cleaned(&name).chars().take(60).collect::<String>()).filter(|name| !name.is_empty());
    let passkey = Passkey {
        credential: made.credential,
        key: made.key,
        sign_count: made.sign_count,
        name: name.unwrap_or_else(|| "Passkey".to_owned()),
        created: cx.now,
        used: None,
    };
    match cx.ports.account(&owner.account, Command::AddPasskey(passkey)).await? {
        Outcome::Done => Ok(reply::empty(StatusCode::NO_CONTENT)),
        _ => Err(refused("known already, or one too many")),
    }
}

/// `POST /account/passkeys/remove`
pub(crate) async fn remove<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let owner = match fresh_or_back(&visitor, "/account", cx)? {
        Ok(owner) => owner,
        Err(sign_in) => return Ok(sign_in),
    };
    cx.ports.account(&owner.account, Command::RemovePasskey { credential: asked.find("credential").to_owned() }).await?;
    Ok(see_other("/account?done=passkey"))
}

async fn checked<P: Ports>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Visitor, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(headers, cx).await?;
    visitor.check(headers, headers.get("x-csrf").and_then(|value| value.to_str().ok()), cx)?;
    Ok(visitor)
}

/// Who has signed in a short while ago: a browser that was left open must not be enough to stay in for good.
fn fresh<'v, P>(visitor: &'v Visitor, cx: &Cx<'_, P>) -> Result<&'v SignedIn, Refused> {
    let owner = visitor.signed_in.as_ref().ok_or_else(|| Refused::new(ErrorCode::Unauthorized, "nobody has signed in"))?;
    if owner.is_fresh(FRESH, cx) {
        return Ok(owner);
    }
    let refused = Refused::new(ErrorCode::LoginRequired, "the sign-in is too old").hint("Sign in again, then repeat what you did.");
    Err(refused.with(json!({ "location": renew("/account") })))
}

/// The same for a form: who has not is sent to sign in again, and from there to `path`.
pub(super) fn fresh_or_back<'v, P>(
    visitor: &'v Visitor,
    path: &str,
    cx: &Cx<'_, P>,
) -> Result<Result<&'v SignedIn, Response<Bytes>>, Refused> {
    match fresh(visitor, cx) {
        Ok(owner) => Ok(Ok(owner)),
        Err(refused) if refused.code() == ErrorCode::LoginRequired => Ok(Err(see_other(&renew(path)))),
        Err(refused) => Err(refused),
    }
}

/// Where a fresh sign-in is that leads to `path`.
fn renew(path: &str) -> String {
    format!("/login?return_to={}&max_age={}", utf8_percent_encode(path, NON_ALPHANUMERIC), FRESH.seconds())
}

fn refused(reason: &str) -> Refused {
    Refused::new(ErrorCode::AccessDenied, format!("passkey: {reason}")).hint("Try another passkey, or sign in by mail.")
}

/// 16 random bytes, the time, and a seal.
fn challenge<P>(purpose: &str, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<String, Refused> {
    let expires = cx.now.plus(webauthn::TIMEOUT).plus(Ttl::from_seconds(60)).millis().to_be_bytes();
    let body = [&random::<16>(cx.entropy)?[..], &expires].concat();
    let seal = seal(&cx.config.masters.current, purpose, visitor, &body);
    Ok(URL_SAFE_NO_PAD.encode([&body[..], &seal].concat()))
}

fn seal(master: &crate::master::Master, purpose: &str, visitor: &Visitor, body: &[u8]) -> Vec<u8> {
    let full = master.derive_bytes("webauthn", &[purpose.as_bytes(), visitor.browser().as_bytes(), body]);
    full.into_iter().take(16).collect()
}

/// The challenge that the client's data names, if it is ours, for this browser and purpose, and still good.
fn answered<P>(client_data: &str, purpose: &str, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<(String, Timestamp), Refused> {
    #[derive(Deserialize)]
    struct ClientData {
        challenge: String,
    }
    let data = URL_SAFE_NO_PAD.decode(client_data.trim_end_matches('=')).unwrap_or_default();
    let ClientData { challenge } = serde_json::from_slice(&data).map_err(|_| refused("no challenge"))?;
    let bytes = URL_SAFE_NO_PAD.decode(challenge.trim_end_matches('=')).unwrap_or_default();
    let (body, given) = bytes.split_at_checked(24).ok_or_else(|| refused("not a challenge of ours"))?;
    let ours = cx.config.masters.all().any(|master| bool::from(seal(master, purpose, visitor, body).ct_eq(given)));
    let expires = body.get(16..24).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes).map(Timestamp::from_millis);
    match expires {
        Some(expires) if ours && cx.now < expires => Ok((challenge.trim_end_matches('=').to_owned(), expires)),
        _ => Err(refused("not a challenge of ours, or too old")),
    }
}

/// A challenge is answered once.
async fn burn<P: Ports>(challenge: &str, expires: Timestamp, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let (id, digest) = Once::place("webauthn", &cx.config.issuer, challenge);
    match cx.ports.run::<Once>(&id, once::Command::Burn { digest, until: expires }).await? {
        once::Outcome::Fresh => Ok(()),
        once::Outcome::Seen => Err(refused("the challenge was answered before")),
    }
}

async fn signature<P: Ports>(
    algorithm: Algorithm,
    key: &serde_json::Value,
    input: &[u8],
    signature: &[u8],
    cx: &Cx<'_, P>,
) -> Result<bool, Refused> {
    cx.ports.verify_with(algorithm, key, input, signature).await.map_err(|error| Refused::from(crate::keys::KeysError::from(error)))
}
