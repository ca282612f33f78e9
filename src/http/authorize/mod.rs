//! `/oauth2/authorize` (RFC 6749, section 3.1; OpenID Connect Core, section 3.1.2), with aliases for clients that guess the path.

mod answer;
mod consent;
mod par;
mod request;

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

use super::browser::{SignedIn, Visitor};
use super::people::{Asked, peopled, see_other};
use super::refuse::Refused;
use crate::cx::Cx;
use crate::id::AuthorizationId;
use crate::machine::authorization::{Authorization, Command, Outcome, Owner};
use crate::master::Master;
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::oidc;
use crate::secret::{AuthorizationRequest, Presented};
use crate::store::Ports;
use crate::time::{Timestamp, Ttl};
use request::{Broken, Fault, Request, ToClient};

pub(super) use consent::{decide, grant};
pub(super) use par::push;
pub(super) use request::{VALUE, encode};

/// The endpoint itself.
pub(super) const PATH: &str = "/oauth2/authorize";
/// What `request_uri` begins with (RFC 9126, section 2.2), and the secret in it.
const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
const REQUEST: &str = "par";
/// A parameter of our own, sealed for one browser: since when the person must have signed in, so that a new sign-in is asked for once.
const SINCE: &str = "postern_since";
/// Providers' clocks differ by so much from ours.
const SKEW: Ttl = Ttl::from_seconds(60);

/// `POST`: the same as `GET`. Another site's form brings no session with it, so the browser comes again by itself.
pub(super) fn posted(params: &Params) -> Response<Bytes> {
    see_other(&format!("{PATH}?{}", request::encode(params.iter())))
}

/// `GET`: who asks for what, who sits there, and what to do about it.
pub(super) async fn authorize<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let (request, pushed) = match read(&asked.params, cx).await {
        Ok(read) => read,
        Err(Fault::Page(broken)) => return answer::reject(broken, asked.params.find("client_id"), &visitor, cx),
        Err(Fault::Client(fault)) => return answer::tell(&fault, &visitor, cx),
    };
    let since = asked.params.find(SINCE).and_then(|since| unsealed(since, &visitor, cx));
    let Some(signed_in) = visitor.signed_in.as_ref().filter(|signed_in| is_fresh(&request, signed_in, since, cx)) else {
        if request.prompt.none {
            return Ok(answer::refuse(&to_client(&request, ErrorCode::LoginRequired, "Nobody has signed in."), StatusCode::FOUND, cx));
        }
        return Ok(visitor.remember(see_other(&sign_in(&asked.params, &request, &visitor, cx)), cx));
    };
    if !is_meant(&request, signed_in, cx).await? {
        let description = "The person who has signed in is not the one of id_token_hint.";
        return Ok(answer::refuse(&to_client(&request, ErrorCode::LoginRequired, description), StatusCode::FOUND, cx));
    }
    if oidc::knows(request.scope.as_scope(), cx.config) {
        // Its first key takes a moment; it is there when the code is redeemed.
        oidc::prepare(cx).await;
    }
    if consent::is_given(&request, signed_in, cx).await? {
        return consent::approve(&request, signed_in, pushed.as_ref(), StatusCode::FOUND, cx).await;
    }
    if request.prompt.none {
        return Ok(answer::refuse(&to_client(&request, ErrorCode::ConsentRequired, "The person has to be asked."), StatusCode::FOUND, cx));
    }
    consent::ask(&request, pushed, &visitor, signed_in, cx).await
}

/// The request, pushed before or in the query itself.
async fn read<P: Ports>(params: &Params, cx: &Cx<'_, P>) -> Result<(Request, Option<AuthorizationId>), Fault> {
    let Some(uri) = params.find("request_uri") else { return Ok((request::read(params, cx).await?, None)) };
    let secret = uri.strip_prefix(REQUEST_URI).and_then(|text| Presented::<AuthorizationRequest>::parse(REQUEST, text, &cx.config.masters));
    let secret = secret.ok_or(Broken::Pushed)?;
    let id = AuthorizationId::from_digits(secret.digits());
    let outcome = cx.ports.run::<Authorization>(&id, Command::Look(secret.digests().to_vec())).await;
    let outcome = outcome.map_err(|error| Broken::Unavailable(error.into()))?;
    let Outcome::Request(pushed) = outcome else { return Err(Broken::Pushed.into()) };
    // RFC 9126, section 4: the client_id of the query is that of the client that has pushed it.
    let Owner::Client(client) = &pushed.owner else { return Err(Broken::Pushed.into()) };
    if params.find("client_id") != Some(client.as_str()) {
        return Err(Broken::Pushed.into());
    }
    let params = Params::parse(pushed.parameters.as_bytes()).map_err(Broken::Params)?;
    Ok((request::read(&params, cx).await?, Some(id)))
}

/// Whether a new sign-in is wanted, and `path` is where it leads: by whoever asked for `path`.
pub(super) fn is_renewal(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.starts_with('?') && rest.contains(&format!("&{SINCE}=")))
}

/// Whether the person's sign-in is as recent as the client wants it. A provider's word counts if it says when that was.
fn is_fresh<P>(request: &Request, signed_in: &SignedIn, since: Option<Timestamp>, cx: &Cx<'_, P>) -> bool {
    if !request.prompt.login && request.max_age.is_none() {
        return true;
    }
    if !signed_in.proven {
        return false;
    }
    let young = |max_age| cx.now < signed_in.at.plus(max_age);
    match since {
        Some(since) => {
            // Its clock is another one.
            let skew = if signed_in.method == "upstream" { SKEW } else { Ttl::from_seconds(0) };
            since <= signed_in.at.plus(skew) && since <= cx.now
        }
        None => !request.prompt.login && request.max_age.is_none_or(young),
    }
}

fn seal(seconds: &str, visitor: &Visitor, master: &Master) -> String {
    crate::base62::encode(&master.derive_bytes("authorize/since", &[seconds.as_bytes(), visitor.browser().as_bytes()]))
}

fn unsealed<P>(since: &str, visitor: &Visitor, cx: &Cx<'_, P>) -> Option<Timestamp> {
    let (seconds, sealed) = since.split_once('.')?;
    let known = |master| bool::from(seal(seconds, visitor, master).as_bytes().ct_eq(sealed.as_bytes()));
    cx.config.masters.all().any(known).then(|| seconds.parse().ok().map(Timestamp::from_seconds))?
}

/// Whether it is the person whom the client means by an ID token of ours (OpenID Connect Core, section 3.1.2.1). One that cannot be read any
/// more, since its key is gone, says nothing: that holds up only who must not be asked, as others see on the page whom they are.
async fn is_meant<P: Ports>(request: &Request, signed_in: &SignedIn, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    let Some(hint) = &request.id_token_hint else { return Ok(true) };
    let Some(hint) = oidc::hint::read(hint, cx).await? else { return Ok(!request.prompt.none) };
    let subject = oidc::subject::of(&signed_in.account, &request.client, cx).await?;
    Ok(hint.client == request.client.id && hint.sub == subject)
}

/// Sign-in first, then here again.
fn sign_in<P>(params: &Params, request: &Request, visitor: &Visitor, cx: &Cx<'_, P>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut back = format!("{PATH}?{}", request::encode(params.iter().filter(|(name, _)| *name != SINCE)));
    if request.prompt.login || request.max_age.is_some() {
        let seconds = cx.now.seconds().to_string();
        back.push_str(&format!("&{SINCE}={seconds}.{}", seal(&seconds, visitor, &cx.config.masters.current)));
    }
    let mut login = format!("/login?return_to={}", encoded(&back));
    if let Some(hint) = &request.login_hint {
        login.push_str(&format!("&login_hint={}", encoded(hint)));
    }
    if visitor.signed_in.is_some() {
        login.push_str("&max_age=0");
    }
    login
}

fn to_client(request: &Request, code: ErrorCode, description: &'static str) -> ToClient {
    let (client, redirect_uri, state) = (request.client.clone(), request.redirect_uri.clone(), request.state.clone());
    ToClient { client, silent: request.prompt.none, redirect_uri, state, code, description }
}
