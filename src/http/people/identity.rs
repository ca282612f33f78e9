//! Linked identities: the question whether one is to be linked (`/login/upstream/link`), and taking one away.

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::passkey::fresh_or_back;
use super::upstream::{QUESTION, browsers, over};
use super::{Asked, Says, peopled, return_to, see_other};
use crate::account::{Command as Ask, Outcome as Answer};
use crate::cx::Cx;
use crate::http::browser::{self, Visitor};
use crate::http::page::{self, Link, Tone};
use crate::http::refuse::Refused;
use crate::id::UpstreamId;
use crate::identity::{self, Linked};
use crate::machine::upstream::{Command, Outcome, Question, Upstream};
use crate::oauth::error::ErrorCode;
use crate::secret::{Presented, UpstreamLink};
use crate::store::Ports;
use crate::upstream;

/// `GET /login/upstream/link`: shows who is to be linked to what. Whoever has not signed in does that first.
pub(crate) async fn ask_link<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let token = asked.find("token");
    let Some(secret) = Presented::<UpstreamLink>::parse(QUESTION, token, &cx.config.masters) else {
        return over(&visitor, "the token is not one of ours", cx);
    };
    let Some(signed_in) = &visitor.signed_in else {
        let back = utf8_percent_encode(&path(token), NON_ALPHANUMERIC).to_string();
        return Ok(visitor.remember(see_other(&format!("/login?return_to={back}")), cx));
    };
    let look = Command::Look { secret: secret.digests().to_vec(), browser: browsers(&visitor, cx) };
    let question = match cx.ports.run::<Upstream>(&UpstreamId::from_digits(secret.digits()), look).await? {
        Outcome::Question(question) => question,
        Outcome::OtherBrowser => return over(&visitor, "the question is of another browser", cx),
        _ => return over(&visitor, "the question is answered or expired", cx),
    };
    if question.account.as_ref().is_some_and(|only| *only != signed_in.account) {
        return stranger(&visitor, token, cx);
    }
    let arrival = &question.arrival;
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let page = Link {
        frame,
        provider: name(&arrival.issuer, cx),
        issuer: &arrival.issuer,
        there: arrival.email.as_deref().or(arrival.name.as_deref()),
        token,
    };
    Ok(visitor.remember(page::html_that_leads_away(StatusCode::OK, &page, &nonce)?, cx))
}

/// `POST /login/upstream/link`: yes.
pub(crate) async fn link<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let token = asked.find("token");
    let owner = match fresh_or_back(&visitor, &path(token), cx)? {
        Ok(owner) => owner,
        Err(sign_in) => return Ok(sign_in),
    };
    let Some(secret) = Presented::<UpstreamLink>::parse(QUESTION, token, &cx.config.masters) else {
        return over(&visitor, "the token is not one of ours", cx);
    };
    let (secret, id) = (secret.digests().to_vec(), UpstreamId::from_digits(secret.digits()));
    let answer = Command::Answer { secret, browser: browsers(&visitor, cx), account: owner.account.clone() };
    let Question { arrival, return_to: back, .. } = match cx.ports.run::<Upstream>(&id, answer).await? {
        Outcome::Question(question) => question,
        Outcome::OtherAccount => return stranger(&visitor, token, cx),
        Outcome::OtherBrowser => return over(&visitor, "the question is of another browser", cx),
        _ => return over(&visitor, "the question is answered or expired", cx),
    };
    let (title, text) = match identity::link(&owner.account, &arrival, cx).await? {
        Linked::Done => {
            let back = return_to(&back);
            return Ok(see_other(if back == "/account" { "/account?done=linked" } else { back }));
        }
        Linked::Elsewhere => {
            ("It is linked to another account", "Sign in there with it, and remove it under your account. Then link it here.")
        }
        Linked::Refused => ("It cannot be linked", "There are as many linked sign-ins as an account can have. Remove one first."),
    };
    Says { action: Some(("Your account", "/account")), ..Says::new(Tone::Bad, title, text) }.show(409, &visitor, cx)
}

/// `POST /account/identities/remove`: whoever came in by a provider elsewhere is out as well.
pub(crate) async fn remove<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let owner = match fresh_or_back(&visitor, "/account", cx)? {
        Ok(owner) => owner,
        Err(sign_in) => return Ok(sign_in),
    };
    let number = asked.find("identity").parse().map_err(|_| Refused::new(ErrorCode::NotFound, "not an identity"))?;
    if !identity::unlink(&owner.account, number, cx).await? {
        let text = "It is gone already, or it is the only way in to this account.";
        return Says { action: Some(("Your account", "/account")), ..Says::new(Tone::Bad, "It cannot be removed", text) }
            .show(409, &visitor, cx);
    }
    if let Answer::Sessions(sessions) = cx.ports.account(&owner.account, Ask::Sessions).await? {
        for session in sessions.iter().filter(|session| session.method == "upstream" && session.id != owner.session) {
            browser::end_session(&owner.account, &session.id, cx).await?;
        }
    }
    Ok(see_other("/account?done=unlinked"))
}

/// What we call the provider of that issuer.
pub(super) fn name<'c, P>(issuer: &'c str, cx: &Cx<'c, P>) -> &'c str {
    upstream::find(issuer, cx).map_or(issuer, |upstream| &upstream.name)
}

fn path(token: &str) -> String {
    format!("/login/upstream/link?token={token}")
}

fn stranger<P>(visitor: &Visitor, token: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let path = path(token);
    let text = "Another account has the address that the provider named. Sign in to that one.";
    Says { switch: Some(&path), ..Says::new(Tone::Plain, "This is for another account", text) }.show(403, visitor, cx)
}
