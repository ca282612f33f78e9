//! Signing in with somebody else's word: `/login/upstream`, and `/login/upstream/callback` where browsers come back to.
//!
//! A journey is begun by a form of ours and ended by the browser that began it. Nothing is used up before all that can be judged at once
//! is judged: the form of the answer, the state, the browser, and whose answer it is.

use bytes::Bytes;
use http::{HeaderName, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::passkey::{FRESH, fresh_or_back};
use super::{Asked, Says, peopled, return_to, see_other};
use crate::config::Upstream;
use crate::config::trust::MOST_PROVIDERS;
use crate::config::upstream::Kind;
use crate::cx::Cx;
use crate::email::Address;
use crate::entropy::random;
use crate::http::authorize::is_renewal;
use crate::http::browser::{How, Visitor, set_session};
use crate::http::limit;
use crate::http::page::{Tone, UpstreamView};
use crate::http::refuse::Refused;
use crate::http::reply::{self, Reason};
use crate::id::{AccountId, UpstreamId};
use crate::identity::{self, Whose};
use crate::machine::upstream::{Command, Journey, Outcome, Question, Upstream as Machine};
use crate::oauth::error::ErrorCode;
use crate::secret::{Digest, Presented, Secret, UpstreamLink, UpstreamState};
use crate::store::Ports;
use crate::upstream::code::{self, Granted};
use crate::upstream::{self, Failed, Said, metadata};

/// What `state` begins with, and the token of a question.
const STATE: &str = "ups";
pub(super) const QUESTION: &str = "upl";
/// Where browsers come back to.
const CALLBACK: &str = "/login/upstream/callback";
/// Journeys an hour of one IPv4 address or IPv6 /64: a whole office may share one.
const PER_HOUR: u32 = 600;

/// `POST /login/upstream` with `provider`, and `link` if it is to be linked: off to the provider.
pub(crate) async fn set_out<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let upstream = upstream::find(asked.find("provider"), cx);
    let upstream = upstream.ok_or_else(|| Refused::new(ErrorCode::NotFound, "no such provider of people"))?;
    let account = match asked.params.find("link").map(|_| fresh_or_back(&visitor, "/account", cx)).transpose()? {
        None => None,
        Some(Ok(owner)) => Some(owner.account.clone()),
        Some(Err(sign_in)) => return Ok(sign_in),
    };
    limit::of_one("upstream", PER_HOUR, cx).await?;
    // Whoever is there and is asked again must have proven it there a short while ago as well.
    let back = return_to(asked.find("return_to"));
    // A client wants the person to prove it now.
    let renewal = is_renewal(back);
    let max_age = (account.is_none() && (visitor.signed_in.is_some() || renewal)).then_some(FRESH);
    let journey = Journey { issuer: upstream.issuer.clone(), return_to: back.to_owned(), account, max_age };
    let metadata = match metadata::of(upstream, cx).await {
        Ok(metadata) => metadata,
        Err(error) => return failed(&visitor, upstream, &error, cx),
    };
    let master = &cx.config.masters.current;
    let (id, key) = (UpstreamId::from_bytes(random(cx.entropy)?), random(cx.entropy)?);
    let state = Secret::<UpstreamState>::mint(STATE, id.digits(), key, master);
    let (verifier, nonce) = code::secrets(master, &crate::base62::encode(&key));
    let browser = browsers(&visitor, cx).into_iter().next().ok_or_else(no_secret)?;
    cx.ports.run::<Machine>(&id, Command::SetOut { secret: state.digest(), browser, journey }).await?;
    let (state, callback, challenge) = (state.reveal(), cx.config.own(CALLBACK), code::challenge(&verifier));
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", &upstream.client_id),
        ("redirect_uri", &callback),
        ("scope", &upstream.scope),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let max_age = max_age.map(|max_age| max_age.seconds().to_string());
    if upstream.kind != Kind::GitHub {
        parameters.push(("nonce", &nonce));
        parameters.extend(max_age.as_deref().map(|max_age| ("max_age", max_age)));
    }
    // Google knows no such prompt.
    if upstream.kind == Kind::OpenId && renewal {
        parameters.push(("prompt", "login"));
    }
    match metadata.authorization(&parameters, cx) {
        Ok(url) => go(&visitor, upstream, url.as_str(), cx),
        Err(error) => failed(&visitor, upstream, &error, cx),
    }
}

/// Not a redirect: after a form it would have to keep to the page's `form-action`, and so would every further one at the provider.
fn go<P>(visitor: &Visitor, upstream: &Upstream, url: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let (title, label) = (format!("On to {}", upstream.name), format!("Continue to {}", upstream.name));
    let text = "Your browser goes there by itself. If it does not, press the button.";
    let mut response = Says { action: Some((&label, url)), ..Says::new(Tone::Plain, &title, text) }.show(200, visitor, cx)?;
    reply::set(response.headers_mut(), HeaderName::from_static("refresh"), &format!("0;url={url}"));
    Ok(response)
}

/// `GET /login/upstream/callback`
pub(crate) async fn come_back<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let masters = &cx.config.masters;
    let (code, error) = (asked.params.find("code"), asked.params.find("error"));
    let state = Presented::<UpstreamState>::parse(STATE, asked.find("state"), masters);
    let state = match state {
        Some(state) if code.is_some() != error.is_some() => state,
        Some(_) => return over(&visitor, "the answer has neither code nor error, or both", cx),
        None => return over(&visitor, "the state is not one of ours", cx),
    };
    let issuer = asked.params.find("iss").map(str::to_owned);
    let named = issuer.is_some();
    let back = Command::ComeBack { secret: state.digests().to_vec(), browser: browsers(&visitor, cx), issuer };
    let (journey, place) = match cx.ports.run::<Machine>(&UpstreamId::from_digits(state.digits()), back).await? {
        Outcome::Back(journey, place) => (journey, place),
        Outcome::OtherBrowser => return over(&visitor, "the state is of another browser", cx),
        Outcome::OtherIssuer => return over(&visitor, "iss is of another provider than was asked", cx),
        _ => return over(&visitor, "the state is used or expired", cx),
    };
    let Some(upstream) = upstream::find(&journey.issuer, cx) else { return over(&visitor, "the provider is not configured any more", cx) };
    let master = usize::try_from(place).ok().and_then(|place| masters.all().nth(place)).ok_or_else(no_secret)?;
    let (verifier, nonce) = code::secrets(master, state.key());
    let Some(code) = code else { return denied(&visitor, upstream, error.unwrap_or_default(), cx) };
    let (redirect_uri, max_age) = (&cx.config.own(CALLBACK), journey.max_age);
    let said = match metadata::of(upstream, cx).await {
        Ok(metadata) if metadata.names_itself && !named => Err(Failed::Unfit("iss must be in every answer, and is not in this")),
        Ok(_) => upstream::said(upstream, &Granted { code, redirect_uri, verifier, nonce, max_age }, cx).await,
        Err(error) => Err(error),
    };
    match said {
        Ok(said) => arrive(visitor, &asked, upstream, said, journey, cx).await,
        Err(error) => failed(&visitor, upstream, &error, cx),
    }
}

/// Lets in whom the provider has named, or asks what has to be asked first.
async fn arrive<P: Ports>(
    mut visitor: Visitor,
    asked: &Asked<'_>,
    upstream: &Upstream,
    said: Said,
    journey: Journey,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let is_allowed = |address: &Address| upstream.allowed_domains.iter().any(|domain| domain == address.domain());
    if !upstream.allowed_domains.is_empty() && !said.address.as_ref().is_some_and(is_allowed) {
        let text = format!("Sign in at {} with an address of {}.", upstream.name, upstream.allowed_domains.join(" or "));
        return stop(&visitor, 403, ("This address may not sign in here", &text), "the address is of no allowed domain", cx);
    }
    let auth_time = said.auth_time;
    if let Some(account) = journey.account {
        let is_there = visitor.signed_in.as_ref().is_some_and(|signed_in| signed_in.account == account);
        if !is_there {
            return over(&visitor, "the account to link to is not signed in any more", cx);
        }
        return question(&visitor, upstream, said, Some(account), &journey.return_to, cx).await;
    }
    match identity::whose(&said, cx).await? {
        Whose::Person(account, person) => match visitor.sign_in(&account, person, How::Upstream(auth_time), asked.headers, cx).await? {
            Some(secret) => {
                let mut response = visitor.remember(see_other(return_to(&journey.return_to)), cx);
                set_session(&mut response, &secret, cx);
                Ok(response)
            }
            None => barred(&visitor, cx),
        },
        Whose::Barred => barred(&visitor, cx),
        Whose::Claims(account) => question(&visitor, upstream, said, Some(account), &journey.return_to, cx).await,
        Whose::Unproven => question(&visitor, upstream, said, None, &journey.return_to, cx).await,
    }
}

/// Keeps what the provider has said until somebody who has signed in by other means says whether it is them.
async fn question<P: Ports>(
    visitor: &Visitor,
    upstream: &Upstream,
    said: Said,
    account: Option<AccountId>,
    back: &str,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let id = UpstreamId::from_bytes(random(cx.entropy)?);
    let token = Secret::<UpstreamLink>::mint(QUESTION, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let browser = browsers(visitor, cx).into_iter().next().ok_or_else(no_secret)?;
    let hint = said.arrival.email.clone().unwrap_or_default();
    let (is_claimed, signed_in) = (account.is_some(), visitor.signed_in.as_ref());
    let is_theirs = signed_in.is_some_and(|signed_in| account.as_ref().is_none_or(|account| *account == signed_in.account));
    let question = Question { arrival: said.arrival, account, return_to: back.to_owned() };
    cx.ports.run::<Machine>(&id, Command::Ask { secret: token.digest(), browser, question }).await?;
    let page = format!("/login/upstream/link?token={}", token.reveal());
    if is_theirs {
        return Ok(visitor.remember(see_other(&page), cx));
    }
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let login = format!("/login?return_to={}&login_hint={}", encoded(&page), encoded(&hint));
    let name = &upstream.name;
    let text = if is_claimed {
        format!(
            "There is an account with the address {hint} here already. Sign in to it first; then you can say that {name} may sign you in."
        )
    } else {
        format!("{name} does not vouch for an address of yours. Sign in by mail first; then you can say that {name} may sign you in.")
    };
    Says { action: Some(("Sign in", &login)), ..Says::new(Tone::Plain, "One more step, once", &text) }.show(200, visitor, cx)
}

/// The providers to sign in with; for a renewal those alone that can be asked for one, and say when it was.
pub(super) fn views<'c, P>(renewal: bool, cx: &Cx<'c, P>) -> Vec<UpstreamView<'c>> {
    let all = cx.config.upstreams.iter().enumerate().filter(|(_, upstream)| !renewal || upstream.kind == Kind::OpenId);
    let view = |(index, upstream): (usize, &'c Upstream)| UpstreamView {
        name: &upstream.name,
        issuer: &upstream.issuer,
        logo: upstream.logo.is_some().then(|| format!("/logo/{}", MOST_PROVIDERS + index)),
    };
    all.map(view).collect()
}

/// The digests of the browser, the current secret's first.
pub(super) fn browsers<P>(visitor: &Visitor, cx: &Cx<'_, P>) -> Vec<Digest> {
    cx.config.masters.digests("upstream_browser", visitor.browser())
}

fn no_secret() -> Refused {
    Refused::new(ErrorCode::ServerError, "the deployment has no secret")
}

fn denied<P>(visitor: &Visitor, upstream: &Upstream, error: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let reason = format!("the provider answers {}", upstream::error_code(error));
    let text = format!("{} did not sign you in, or you did not let it. Nothing has changed.", upstream.name);
    stop(visitor, 403, ("You are not signed in", &text), &reason, cx)
}

fn barred<P>(visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    stop(visitor, 403, ("You are not signed in", super::login::BARRED), "the person is suspended", cx)
}

/// A journey that cannot be gone on with.
pub(super) fn over<P>(visitor: &Visitor, reason: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let text = "It works once, for ten minutes, and in the browser where you began. Start again.";
    stop(visitor, 410, ("This sign-in is over", text), reason, cx)
}

fn failed<P>(visitor: &Visitor, upstream: &Upstream, error: &Failed, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let name = &upstream.name;
    let (status, text) = if error.is_passing() {
        (503, format!("{name} does not answer at the moment. Try again in a minute, or sign in by mail."))
    } else {
        (502, format!("What {name} has answered cannot be relied on. Try again, or sign in by mail."))
    };
    stop(visitor, status, ("That did not work", &text), &format!("{}: {error}", upstream.issuer), cx)
}

/// A page that says why not; `reason` is for the log.
fn stop<P>(visitor: &Visitor, status: u16, (title, text): (&str, &str), reason: &str, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let action = if visitor.signed_in.is_some() { ("Your account", "/account") } else { ("Sign in", "/login") };
    let mut response = Says { action: Some(action), ..Says::new(Tone::Bad, title, text) }.show(status, visitor, cx)?;
    if status == 503 {
        reply::retry_after(response.headers_mut(), 60);
    }
    response.extensions_mut().insert(Reason(format!("upstream: {reason}")));
    Ok(response)
}
