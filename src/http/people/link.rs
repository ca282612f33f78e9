//! The link in a sign-in mail: `/login/link`. Opening it uses nothing up, since mail is read by machines too; the button does.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::login::{LINK, enter};
use super::{Asked, Says, peopled};
use crate::cx::Cx;
use crate::http::browser::Visitor;
use crate::http::page::{self, LoginLink as Page, Tone};
use crate::http::refuse::Refused;
use crate::id::LoginId;
use crate::machine::login::{Command, Login, Outcome};
use crate::secret::{LoginLink, Presented};
use crate::store::Ports;

/// `GET /login/link?token=`
pub(crate) async fn open_link<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let token = asked.find("token");
    let Some(Outcome::Proven { email, return_to }) = ask(token, |link| Command::Look { link }, cx).await? else {
        return over(&visitor, cx);
    };
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    Ok(visitor.remember(page::html_towards(&return_to, StatusCode::OK, &Page { frame, email: &email, token }, &nonce)?, cx))
}

/// `POST /login/link`: signs in the browser that presses the button.
pub(crate) async fn follow<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    match ask(asked.find("token"), |link| Command::Follow { link }, cx).await? {
        Some(Outcome::Proven { email, return_to }) => enter(visitor, &asked, &email, &return_to, cx).await,
        _ => over(&visitor, cx),
    }
}

async fn ask<P: Ports>(
    token: &str,
    command: impl Fn(Vec<crate::secret::Digest>) -> Command,
    cx: &Cx<'_, P>,
) -> Result<Option<Outcome>, Refused> {
    let Some(link) = Presented::<LoginLink>::parse(LINK, token, &cx.config.masters) else { return Ok(None) };
    let id = LoginId::from_digits(link.digits());
    Ok(Some(cx.ports.run::<Login>(&id, command(link.digests().to_vec())).await?))
}

fn over<P>(visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let text = "It works once, for ten minutes. Ask for a new one.";
    Says { action: Some(("Sign in", "/login")), ..Says::new(Tone::Bad, "This link is over", text) }.show(410, visitor, cx)
}
