//! `/oauth2/logout`: a client sends a person here to sign out (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Anybody can send a browser here. Who shows an ID token about the person who sits there is taken at their word; everybody else only
//! makes us ask. Where the person goes afterwards is one of the addresses that the client has registered, or nowhere.

use std::rc::Rc;

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::utf8_percent_encode;

use super::{Asked, Says, see_other};
use crate::client::{self, Client};
use crate::cx::Cx;
use crate::http::authorize::{VALUE, encode};
use crate::http::browser::{Visitor, clear_session};
use crate::http::page::{self, LogoutPage, Tone};
use crate::http::refuse::Refused;
use crate::oauth::error::ErrorCode;
use crate::oauth::redirect::{self, Kind};
use crate::oidc::hint::{self, Hint};
use crate::oidc::subject;
use crate::provider::guard::NamedBy;
use crate::store::Ports;

const PATH: &str = "/oauth2/logout";

/// What a client asks for.
struct Wish<'r> {
    hint: Option<Hint>,
    client: Option<Rc<Client>>,
    /// One of the client's own, as it registered it.
    target: Option<&'r str>,
    state: &'r str,
}

/// `GET /oauth2/logout`
pub(crate) async fn ask_logout<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let wish = read(&asked, cx).await?;
    let mut visitor = Visitor::read(asked.headers, cx).await?;
    match (&visitor.signed_in, &wish.hint, &wish.client) {
        // Whose client it is decides whether its address is one to be sent to unasked (RFC 9700, section 4.11.2).
        (None, Some(_), Some(client)) if client.named_by() == NamedBy::Stranger && leads_abroad(&wish) => offer(&visitor, &wish, cx),
        (None, Some(_), _) => leave(&visitor, &wish, cx),
        // Nobody vouches for the address here, and nobody is asked.
        (None, ..) => leave(&visitor, &Wish { target: None, ..wish }, cx),
        (Some(signed_in), Some(hint), Some(client)) if hint.sub == subject::of(&signed_in.account, client, cx).await? => {
            visitor.sign_out(cx).await?;
            leave(&visitor, &wish, cx)
        }
        (Some(signed_in), ..) => {
            let frame = visitor.frame(cx)?;
            let nonce = frame.nonce.clone();
            let client = wish.client.as_deref();
            let page = LogoutPage {
                frame,
                person: signed_in.name(),
                name: client.and_then(|client| client.metadata.client_name.as_deref()),
                client_id: client.map(|client| client.id.as_str()),
                target: wish.target,
                host: wish.target.map(redirect::host),
                state: wish.state,
            };
            Ok(visitor.remember(page::html_that_leads_away(StatusCode::OK, &page, &nonce)?, cx))
        }
    }
}

/// `POST /oauth2/logout`: the person's answer; or a client's own form, which brings no session with it, so the browser comes again by
/// itself.
pub(crate) async fn logged_out<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Some(csrf) = asked.params.find("csrf") else {
        offered(cx)?;
        return Ok(see_other(&format!("{PATH}?{}", encode(asked.params.iter()))));
    };
    let mut visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, Some(csrf), cx)?;
    let wish = read(&asked, cx).await?;
    visitor.sign_out(cx).await?;
    leave(&visitor, &wish, cx)
}

/// Reads what is asked for.
///
/// # Errors
/// The address is none of the client's, or two clients are named: the person is told, and goes nowhere.
async fn read<'r, P: Ports>(asked: &'r Asked<'_>, cx: &Cx<'_, P>) -> Result<Wish<'r>, Refused> {
    offered(cx)?;
    let hint = match asked.params.find("id_token_hint") {
        Some(token) => hint::read(token, cx).await?,
        None => None,
    };
    let named = asked.params.find("client_id");
    if let (Some(hint), Some(named)) = (&hint, named)
        && hint.client != named
    {
        return Err(wrong("client_id and id_token_hint are of two clients", TWO));
    }
    let client = match hint.as_ref().map(|hint| hint.client.as_str()).or(named) {
        Some(id) => client::find(id, cx).await?,
        None => None,
    };
    // A hint whose key has gone names nobody any more; a client that relies on it alone is as unknown as one that sends nothing.
    let unreadable = asked.params.find("id_token_hint").is_some() && hint.is_none() && named.is_none();
    let target = asked.params.find("post_logout_redirect_uri").filter(|_| !unreadable);
    if let Some(target) = target {
        let registered = client.as_ref().is_some_and(|client| client.metadata.post_logout_redirect_uris.iter().any(|own| own == target));
        if !registered {
            return Err(wrong("post_logout_redirect_uri is not one of the client's", FOREIGN));
        }
    }
    Ok(Wish { hint, client, target, state: asked.find("state") })
}

/// The end: where the client wants the person to be, or a page of ours.
fn leave<P>(visitor: &Visitor, wish: &Wish<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let mut response = match wish.address() {
        Some(address) => see_other(&address),
        None => Says { action: Some(("Sign in", "/login")), ..Says::new(Tone::Good, "You are signed out", OUT) }.show(200, visitor, cx)?,
    };
    clear_session(&mut response, cx);
    Ok(response)
}

/// The same for a client that anybody can register: a page of ours, from which the person goes there if they want to.
fn offer<P>(visitor: &Visitor, wish: &Wish<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let address = wish.address().unwrap_or_default();
    let label = format!("Go back to {}", wish.target.map(redirect::host).unwrap_or_default());
    let mut response =
        Says { action: Some((&label, &address)), ..Says::new(Tone::Good, "You are signed out", OUT) }.show(200, visitor, cx)?;
    clear_session(&mut response, cx);
    Ok(response)
}

/// Whether it leads to a web server, and not to a program on the person's own device.
fn leads_abroad(wish: &Wish<'_>) -> bool {
    wish.target.is_some_and(|target| redirect::kind(target).is_none_or(|kind| kind == Kind::Https))
}

impl Wish<'_> {
    /// Where the client wants the person to be, with its state.
    fn address(&self) -> Option<String> {
        let target = self.target?;
        if self.state.is_empty() {
            return Some(target.to_owned());
        }
        let glue = if target.contains('?') { '&' } else { '?' };
        Some(format!("{target}{glue}state={}", utf8_percent_encode(self.state, VALUE)))
    }
}

const OUT: &str = "This browser is signed out here. Applications that you connected stay connected.";

fn offered<P>(cx: &Cx<'_, P>) -> Result<(), Refused> {
    if cx.config.openid { Ok(()) } else { Err(Refused::new(ErrorCode::NotFound, "OpenID Connect is off")) }
}

const TWO: &str = "It is not clear which application wanted to sign you out. You can sign out on your account page.";
const FOREIGN: &str =
    "The application wanted to send you on to an address that it did not register. You can sign out on your account page.";

fn wrong(reason: &str, hint: &'static str) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, reason).title("You were not signed out").hint(hint)
}
