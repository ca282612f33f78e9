//! `POST /oauth2/par` (RFC 9126): a client pushes its request, and sends the browser with a name for it alone.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::request::{self, Broken, Fault};
use super::{REQUEST, REQUEST_URI};
use crate::cx::Cx;
use crate::dpop;
use crate::entropy::random;
use crate::grant::Denied;
use crate::grant::client;
use crate::http::limit::requests;
use crate::http::people::peopled;
use crate::http::refuse::Refused;
use crate::http::{form, reply};
use crate::id::AuthorizationId;
use crate::machine::authorization::{Authorization, Command, Outcome, Owner, Request};
use crate::oauth::authorization::Authorization as Header;
use crate::oauth::error::ErrorCode;
use crate::secret::{AuthorizationRequest, Secret};
use crate::store::Ports;
use crate::time::Ttl;

/// A pushed request waits for so long: people sign in meanwhile.
const LIFE: Ttl = Ttl::from_seconds(600);

/// Judges the request as the authorization endpoint would, and keeps it.
pub(in crate::http) async fn push<P: Ports>(sent: &dpop::Request<'_>, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let params = form(sent.headers, body)?;
    let shown = client::shown(&params, Header::parse(sent.headers).map_err(Denied::from)?)?;
    let proof = dpop::proof(sent, None, cx).await.map_err(Denied::from)?;
    requests("par", cx).await?;
    let identified = client::identify(&shown, cx).await?;
    if params.find("request_uri").is_some() {
        return Err(Refused::new(ErrorCode::InvalidRequest, "request_uri in a pushed request").hint("Push the parameters themselves."));
    }
    // RFC 9449, section 10.1: a proof says the same as dpop_jkt, and shows it too.
    let jkt = proof.as_ref().map(|proof| proof.jkt.as_str());
    if jkt.is_some() && params.find("dpop_jkt").is_some_and(|named| Some(named) != jkt) {
        return Err(Refused::new(ErrorCode::InvalidRequest, "dpop_jkt and the proof are of two keys").hint("Leave dpop_jkt out."));
    }
    dpop::burn(proof.as_ref(), cx).await.map_err(Denied::from)?;
    let id = &identified.client.id;
    let bound = jkt.map(|jkt| ("dpop_jkt", jkt));
    let others = params.iter().filter(|(name, _)| *name != "client_id" && !(*name == "dpop_jkt" && bound.is_some()));
    let named = others.chain([("client_id", id.as_str())]).chain(bound);
    let params = crate::oauth::params::Params::parse(request::encode(named).as_bytes())?;
    let read = request::read(&params, cx).await.map_err(|fault| refused(fault, cx))?;
    let authorization = AuthorizationId::from_bytes(random(cx.entropy)?);
    let secret = Secret::<AuthorizationRequest>::mint(REQUEST, authorization.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let request = Request { parameters: read.parameters, owner: Owner::Client(id.clone()) };
    let open = Command::Open { secret: secret.digest(), request, ttl: LIFE };
    let Outcome::Opened = cx.ports.run::<Authorization>(&authorization, open).await? else {
        return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the name is taken"));
    };
    let uri = format!("{REQUEST_URI}{}", secret.reveal());
    Ok(reply::json(StatusCode::CREATED, &json!({ "request_uri": uri, "expires_in": LIFE.seconds() })))
}

/// In the shape of the token endpoint's errors (RFC 9126, section 2.3).
fn refused<P>(fault: Fault, cx: &Cx<'_, P>) -> Refused {
    match fault {
        Fault::Client(fault) if fault.code == ErrorCode::InvalidTarget => {
            Refused::new(fault.code, fault.description).expected(|| cx.config.resource_uris(), cx)
        }
        Fault::Client(fault) => Refused::new(fault.code, fault.description).hint(fault.description),
        Fault::Page(Broken::Redirect { client, sent }) => {
            let sent = sent.map(|sent| crate::email::cleaned(&sent)).unwrap_or_default();
            Refused::new(ErrorCode::InvalidRequest, format!("a redirect URI that is not the client's: {sent}"))
                .hint("Send one of the redirect URIs that you registered; the port is free on loopback addresses.")
                .expected(|| client.metadata.redirect_uris.join(" "), cx)
        }
        Fault::Page(Broken::Unavailable(error)) => error.into(),
        Fault::Page(Broken::Params(error)) => error.into(),
        Fault::Page(Broken::Client(_) | Broken::Pushed) => Refused::new(ErrorCode::InvalidClient, "an unknown client"),
    }
}
