//! Dynamic client registration: `POST /oauth2/register` (RFC 7591), and what a client may do with its registration later (RFC 7592).
//!
//! The same public metadata is the same client, whoever sends it and how often: clients that forget, or that start five at a time, leave one
//! record. Only new ones are counted, by a limit that a shared egress network does not reach.

mod answer;
mod manage;
mod operator;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::limit::{self, Whom};
use super::refuse::Refused;
use super::{json, reply};
use crate::base62;
use crate::client::{self, CLIENT_SECRET, Metadata, REGISTRATION_TOKEN, Terms};
use crate::cx::Cx;
use crate::entropy::random;
use crate::machine::client::{Command, Keeper, Outcome, Registered};
use crate::oauth::error::ErrorCode;
use crate::oauth::redirect;
use crate::provider::guard::NamedBy;
use crate::secret::{ClientSecret, RegistrationToken, Secret};
use crate::store::Ports;
use answer::Answer;

pub(super) use manage::manage;
pub(super) use operator::{all, one};

/// No client has more to say of itself.
const LONGEST: usize = 32 * 1024;

/// `POST /oauth2/register`
pub(super) async fn register<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if cx.config.limits.clients_per_deployment == 0 {
        return Err(Refused::new(ErrorCode::NotFound, "clients cannot register here"));
    }
    let asked = Metadata::negotiate(&fields(headers, body)?, &Terms::of(NamedBy::Stranger, true, cx))?;
    if asked.is_public() { shared(asked, cx).await } else { own(asked, cx).await }
}

/// A client that all who send this metadata share.
async fn shared<P: Ports>(asked: Metadata, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Shared { id, metadata, token } = Shared::of(asked.clone(), cx);
    let ttl = cx.config.ttls.unused_client;
    let mut outcome = cx.ports.run::<Registered>(&id, Command::Renew { ttl }).await?;
    if matches!(outcome, Outcome::Unknown) {
        limit::take(None, Whom::Client, cx).await?;
        let management = Some(token.digest());
        let open = Command::Open { metadata, keeper: Keeper::Shared, secret: None, management, trusted: false, ttl: Some(ttl) };
        outcome = cx.ports.run::<Registered>(&id, open).await?;
    }
    let created = created(&id, outcome, cx)?;
    // With the ports that this copy has sent, which are not kept.
    let answer = Answer::new(&id, asked, created).managed(Some(token), cx);
    Ok(reply::json(StatusCode::CREATED, &answer.value()))
}

/// A client of its own: what it has, nobody else can be given.
async fn own<P: Ports>(metadata: Metadata, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let allowance = limit::take(None, Whom::Client, cx).await?;
    let bytes = random::<16>(cx.entropy)?;
    let (id, digits) = (client::id::make(&bytes, &cx.config.masters.current), base62::encode(&bytes));
    let token = Secret::<RegistrationToken>::mint(REGISTRATION_TOKEN, &digits, random(cx.entropy)?, &cx.config.masters.current);
    let secret = new_secret(&metadata, &digits, cx)?;
    let open = Command::Open {
        metadata: metadata.clone(),
        keeper: Keeper::Holder,
        secret: secret.as_ref().map(Secret::digest),
        management: Some(token.digest()),
        trusted: false,
        ttl: Some(cx.config.ttls.unused_client),
    };
    let created = created(&id, cx.ports.run::<Registered>(&id, open).await?, cx)?;
    let answer = Answer::new(&id, metadata, created).managed(Some(token), cx).secret(secret);
    let mut response = reply::json(StatusCode::CREATED, &answer.value());
    if let Some(allowance) = allowance {
        allowance.show(&mut response);
    }
    Ok(response)
}

/// A public client as its metadata names it.
struct Shared {
    id: String,
    /// As it is kept: without the ports that are free anyway, so that a client that picks one each time is one client.
    metadata: Metadata,
    token: Secret<RegistrationToken>,
}

impl Shared {
    fn of<P>(mut metadata: Metadata, cx: &Cx<'_, P>) -> Self {
        let mut uris: Vec<String> = Vec::new();
        for uri in metadata.redirect_uris.drain(..) {
            let uri = redirect::without_port(&uri).unwrap_or(uri);
            if !uris.contains(&uri) {
                uris.push(uri);
            }
        }
        metadata.redirect_uris = uris;
        let master = &cx.config.masters.current;
        let canonical = Value::Object(Map::from(metadata.clone())).to_string();
        let derived = |label: &str| master.derive_bytes(label, &[canonical.as_bytes()]);
        let bytes = super::register::first(derived("client"));
        let token = Secret::mint(REGISTRATION_TOKEN, &base62::encode(&bytes), derived("client_registration_token"), master);
        Self { id: client::id::make(&bytes, master), metadata, token }
    }
}

fn new_secret<P>(metadata: &Metadata, digits: &str, cx: &Cx<'_, P>) -> Result<Option<Secret<ClientSecret>>, Refused> {
    let mint = |bits| Secret::mint(CLIENT_SECRET, digits, bits, &cx.config.masters.current);
    Ok(metadata.has_secret().then(|| random(cx.entropy).map(mint)).transpose()?)
}

/// When the client was registered; the isolate knows it from now on.
fn created<P>(id: &str, outcome: Outcome, cx: &Cx<'_, P>) -> Result<crate::time::Timestamp, Refused> {
    let Outcome::Client(registered) = &outcome else {
        return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the client was not registered"));
    };
    let created = registered.created;
    client::remember(id, outcome, cx);
    Ok(created)
}

/// The members of a body, with the error code that RFC 7591 has for what is no body at all.
fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refused> {
    if body.len() > LONGEST {
        return Err(Refused::new(ErrorCode::ContentTooLarge, "too long for a client's metadata").hint("Send at most 32 KiB of metadata."));
    }
    json::object(headers, body).map_err(|refused| match refused.code() {
        ErrorCode::InvalidRequest => Refused::new(ErrorCode::InvalidClientMetadata, "not a JSON object"),
        _ => refused,
    })
}
