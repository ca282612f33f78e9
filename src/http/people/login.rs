//! Signing in by mail: `/login`, `/login/code`, and `/logout`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{Asked, peopled, return_to, see_other};
use crate::cx::Cx;
use crate::email::Address;
use crate::entropy::random;
use crate::http::authorize::is_renewal;
use crate::http::browser::{How, Visitor, clear_session, set_session};
use crate::http::page::{self, Login, LoginCode};
use crate::http::refuse::Refused;
use crate::http::{ceremony, prose};
use crate::id::LoginId;
use crate::machine::login::{Command, LIFE, Login as Machine, Outcome};
use crate::mail;
use crate::master::Masters;
use crate::oauth::error::ErrorCode;
use crate::people;
use crate::post::{self, ADDRESS, NotSent};
use crate::secret::{Digest, LoginLink, LoginSecret, Presented, Secret};
use crate::store::Ports;
use crate::time::Ttl;

/// What the page's secret begins with, and the link's.
const PAGE: &str = "lgn";
pub(super) const LINK: &str = "lnk";

const NOT_AN_ADDRESS: &str = "That is not an e-mail address that can be used. Check it and try again.";
pub(super) const BARRED: &str = "This account is suspended. The operator of this service can tell you more.";

/// `GET /login`: who has signed in goes on, unless a fresh sign-in is asked for.
pub(crate) async fn login<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let back = return_to(asked.find("return_to"));
    let max_age = asked.find("max_age").parse().ok().map(Ttl::from_seconds);
    if let Some(signed_in) = &visitor.signed_in {
        let fresh = max_age.is_none_or(|max_age| signed_in.is_fresh(max_age, cx));
        if fresh {
            return Ok(visitor.remember(see_other(back), cx));
        }
        return show(&visitor, signed_in.person.email.as_deref().unwrap_or_default(), back, None, StatusCode::OK, cx);
    }
    show(&visitor, asked.find("login_hint"), back, None, StatusCode::OK, cx)
}

fn show<P>(
    visitor: &Visitor,
    email: &str,
    back: &str,
    problem: Option<&str>,
    status: StatusCode,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let purpose = match back.split('?').next() {
        Some("/claim") => Some("An agent asks to act for you. Sign in to see its request."),
        Some("/device") => Some("You connect a device. Sign in to enter its code."),
        Some("/oauth2/authorize") => Some("An application asks to act for you. Sign in to see its request."),
        _ => None,
    };
    // Where a fresh sign-in is asked for by us, a provider's word would not do; where a client asks for it, that of one that says when it was.
    let renewal = is_renewal(back);
    let says_nothing = visitor.signed_in.as_ref().is_some_and(|signed_in| !signed_in.proven || !back.starts_with("/oauth2/authorize"));
    let providers = if says_nothing { Vec::new() } else { super::upstream::views(renewal, cx) };
    let login = Login { frame, email, return_to: back, problem, purpose, fresh: visitor.signed_in.is_some(), providers };
    Ok(visitor.remember(page::html_towards(back, status, &login, &nonce)?, cx))
}

/// `POST /login`: a code and a link go out by mail. What the page says does not depend on whether the address is known.
pub(crate) async fn send<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let (email, back) = (asked.find("email"), return_to(asked.find("return_to")));
    let Some(address) = Address::parse(email).filter(|address| !address.is_disposable()) else {
        return show(&visitor, email, back, Some(NOT_AN_ADDRESS), StatusCode::BAD_REQUEST, cx);
    };
    let id = LoginId::from_bytes(random(cx.entropy)?);
    let master = &cx.config.masters.current;
    let secret = Secret::<LoginSecret>::mint(PAGE, id.digits(), random(cx.entropy)?, master);
    let link = Secret::<LoginLink>::mint(LINK, id.digits(), random(cx.entropy)?, master);
    let code = ceremony::six_digits(random(cx.entropy)?);
    let allowed = match post::allow(&address, None, cx).await {
        Ok(allowed) => Some(allowed),
        // An address that got too many is told nothing that another is not: all goes on as ever, but no mail goes out.
        Err(NotSent::TooMuch(ADDRESS, _)) => None,
        Err(error) => return Err(error.into()),
    };
    // A code that goes to nobody must not be one that can be guessed.
    let typed = if allowed.is_some() { code.clone() } else { crate::base62::encode(&random::<32>(cx.entropy)?) };
    let open = Command::Open {
        email: address.as_str().to_owned(),
        page: secret.digest(),
        code: digests(&id, &typed, &cx.config.masters).into_iter().next().ok_or_else(no_secret)?,
        link: link.digest(),
        return_to: back.to_owned(),
    };
    cx.ports.run::<Machine>(&id, open).await?;
    if let Some(allowed) = allowed {
        let link = cx.config.own(&format!("/login/link?token={}", link.reveal()));
        let letter = mail::sign_in(&address, &cx.config.service.name, &code, &link, LIFE.seconds() / 60).map_err(prose::failed)?;
        post::send(letter, allowed, cx).await?;
    }
    code_page(&visitor, (address.as_str(), &secret.reveal(), back), None, StatusCode::OK, cx)
}

fn no_secret() -> Refused {
    Refused::new(ErrorCode::ServerError, "the deployment has no secret")
}

fn digests(id: &LoginId, code: &str, masters: &Masters) -> Vec<Digest> {
    masters.digests("login_code", &format!("{id}/{code}"))
}

fn code_page<P>(
    visitor: &Visitor,
    (email, login, back): (&str, &str, &str),
    problem: Option<&str>,
    status: StatusCode,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let page = LoginCode { frame, email, login, return_to: back, problem };
    Ok(visitor.remember(page::html_towards(back, status, &page, &nonce)?, cx))
}

/// `POST /login/code`
pub(crate) async fn try_code<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let (email, login, back) = (asked.find("email"), asked.find("login"), return_to(asked.find("return_to")));
    let again = |problem| code_page(&visitor, (email, login, back), Some(problem), StatusCode::BAD_REQUEST, cx);
    let Some(code) = ceremony::code(asked.find("code")) else { return again("A code has six digits.") };
    let Some(secret) = Presented::<LoginSecret>::parse(PAGE, login, &cx.config.masters) else {
        return show(&visitor, email, back, Some("Start again: this page is too old."), StatusCode::BAD_REQUEST, cx);
    };
    let id = LoginId::from_digits(secret.digits());
    let command = Command::Try { page: secret.digests().to_vec(), code: digests(&id, &code, &cx.config.masters) };
    match cx.ports.run::<Machine>(&id, command).await? {
        Outcome::Proven { email, return_to: back } => enter(visitor, &asked, &email, &back, cx).await,
        Outcome::Wrong => again("That is not the code. Look at the newest mail and try again."),
        Outcome::Over | Outcome::Opened => {
            let over = "That code is used, too old, or was tried too often. Ask for a new one.";
            show(&visitor, email, back, Some(over), StatusCode::GONE, cx)
        }
    }
}

/// Lets a person in who has answered mail to `email`.
pub(super) async fn enter<P: Ports>(
    mut visitor: Visitor,
    asked: &Asked<'_>,
    email: &str,
    back: &str,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let barred = |visitor: &Visitor| show(visitor, email, back, Some(BARRED), StatusCode::FORBIDDEN, cx);
    let Some(address) = Address::parse(email) else { return barred(&visitor) };
    let Some((account, person)) = people::proven(&address, cx).await? else { return barred(&visitor) };
    match visitor.sign_in(&account, person, How::Mail, asked.headers, cx).await? {
        None => barred(&visitor),
        Some(secret) => {
            let mut response = visitor.remember(see_other(return_to(back)), cx);
            set_session(&mut response, &secret, cx);
            Ok(response)
        }
    }
}

/// `POST /logout`
pub(crate) async fn logout<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let mut visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    visitor.sign_out(cx).await?;
    let back = return_to(asked.find("return_to"));
    let login = format!("/login?return_to={}", percent_encoding::utf8_percent_encode(back, percent_encoding::NON_ALPHANUMERIC));
    let mut response = see_other(&login);
    clear_session(&mut response, cx);
    Ok(response)
}
