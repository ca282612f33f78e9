//! `GET`, `PUT` and `DELETE /oauth2/register/{client_id}` (RFC 7592), for whoever holds the registration access token.

use bytes::Bytes;
use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::{Shared, fields, new_secret};
use crate::client::{self, CLIENT_SECRET, Metadata, REGISTRATION_TOKEN, Terms};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::machine::client::{Command, Keeper, Outcome, Registered};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::provider::guard::NamedBy;
use crate::secret::{ClientSecret, Digest, Presented, RegistrationToken, Secret};
use crate::store::Ports;

/// The three methods, of the client `id`.
pub(in crate::http) async fn manage<P: Ports>(
    method: &str,
    id: &str,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let caller = Caller::of(id, headers, cx)?;
    let known = match cx.ports.run::<Registered>(&caller.id, Command::Look).await? {
        Outcome::Client(known) if known.is_of(&caller.token) => *known,
        _ => return Err(stranger("no such client, or another's token")),
    };
    match (method, known.keeper) {
        ("PUT", Keeper::Shared) => repeat(known, &caller, &fields(headers, body)?, cx),
        ("PUT", _) => replace(known, &caller, &fields(headers, body)?, cx).await,
        ("DELETE", Keeper::Shared) => Err(shared()),
        ("DELETE", _) => delete(&caller, cx).await,
        _ => Ok(shown(&caller, known, None, cx)),
    }
}

/// Who holds the registration access token of one client.
struct Caller {
    id: String,
    digits: String,
    token: Vec<Digest>,
    /// The token itself.
    text: String,
}

impl Caller {
    fn of<P>(id: &str, headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<Self, Refused> {
        let masters = &cx.config.masters;
        let Ok(Some(Authorization::Bearer(text))) = Authorization::parse(headers) else { return Err(stranger("no token")) };
        let presented = Presented::<RegistrationToken>::parse(REGISTRATION_TOKEN, &text, masters);
        let digits = client::id::digits(id, masters);
        match presented.filter(|presented| Some(presented.digits()) == digits) {
            Some(presented) => {
                Ok(Self { id: id.to_owned(), digits: presented.digits().to_owned(), token: presented.digests().to_vec(), text })
            }
            None => Err(stranger("the token is not of this client")),
        }
    }
}

/// The same again is no change.
fn repeat<P>(known: Registered, caller: &Caller, fields: &Map<String, Value>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let asked = asked(caller, fields, cx)?;
    if !asked.is_public() || Shared::of(asked, cx).id != caller.id {
        return Err(shared());
    }
    Ok(shown(caller, known, None, cx))
}

/// What is left out of the body goes back to its default; so a body without the present secret brings a new one.
async fn replace<P: Ports>(
    known: Registered,
    caller: &Caller,
    fields: &Map<String, Value>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let metadata = asked(caller, fields, cx)?;
    let present = match (fields.get("client_secret"), &known.secret) {
        (Some(shown), Some(digest)) if is_secret(shown, caller, digest, cx) => Some(digest.clone()),
        (Some(_), _) => {
            return Err(Refused::new(ErrorCode::InvalidClientMetadata, "another client_secret")
                .hint("Send the present client_secret to keep it, or none to be given a new one."));
        }
        (None, _) => None,
    };
    let fresh = if present.is_none() { new_secret(&metadata, &caller.digits, cx)? } else { None };
    let secret = fresh.as_ref().map(Secret::digest).or(present).filter(|_| metadata.has_secret());
    let command = Command::Replace { token: caller.token.clone(), metadata, secret };
    match cx.ports.run::<Registered>(&caller.id, command).await? {
        Outcome::Client(changed) => {
            client::remember(&caller.id, Outcome::Client(changed.clone()), cx);
            Ok(shown(caller, *changed, fresh, cx))
        }
        Outcome::Unknown | Outcome::Refused => Err(stranger("it ended meanwhile")),
    }
}

async fn delete<P: Ports>(caller: &Caller, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    match cx.ports.run::<Registered>(&caller.id, Command::Delete { token: caller.token.clone() }).await? {
        Outcome::Client(_) => {
            client::remember(&caller.id, Outcome::Unknown, cx);
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        Outcome::Unknown | Outcome::Refused => Err(stranger("it ended meanwhile")),
    }
}

/// RFC 7592, section 2.2: the body names the client.
fn asked<P>(caller: &Caller, fields: &Map<String, Value>, cx: &Cx<'_, P>) -> Result<Metadata, Refused> {
    if fields.get("client_id").and_then(Value::as_str) != Some(&caller.id) {
        return Err(
            Refused::new(ErrorCode::InvalidClientMetadata, "another client_id").hint("Send the client's own client_id in the body.")
        );
    }
    Ok(Metadata::negotiate(fields, &Terms::of(NamedBy::Stranger, true, cx))?)
}

fn is_secret<P>(shown: &Value, caller: &Caller, digest: &Digest, cx: &Cx<'_, P>) -> bool {
    let presented = shown.as_str().and_then(|shown| Presented::<ClientSecret>::parse(CLIENT_SECRET, shown, &cx.config.masters));
    presented.is_some_and(|presented| presented.digits() == caller.digits && presented.matches(digest))
}

/// RFC 7592, section 3: the token is in every answer, and it is the one that was shown.
fn shown<P>(caller: &Caller, known: Registered, secret: Option<Secret<ClientSecret>>, cx: &Cx<'_, P>) -> Response<Bytes> {
    let answer = Answer::new(&caller.id, known.metadata, known.created).managed(None, cx).secret(secret);
    reply::json(StatusCode::OK, &answer.with("registration_access_token", Some(caller.text.as_str())).value())
}

/// RFC 7592, section 2: what is not there and what is another's look the same.
fn stranger(reason: &'static str) -> Refused {
    Refused::new(ErrorCode::InvalidToken, reason)
        .hint("Send the registration_access_token of this client's registration as a Bearer token; register again if it is gone.")
        .header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
}

/// Others use the same client.
fn shared() -> Refused {
    Refused::new(ErrorCode::MethodNotAllowed, "a shared client")
        .hint("A public client is shared by all who register the same metadata, so nobody can change it: register the new metadata, or let it expire.")
        .header(ALLOW, "GET, HEAD, OPTIONS")
}
