//! `/claim`: a person sees who asks for what, and answers. Opening the page changes nothing.

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Asked, Says, moment, peopled, see_other};
use crate::config::Provider;
use crate::cx::Cx;
use crate::http::browser::{Confirmer, Visitor, confirmer};
use crate::http::ceremony::{self, ATTEMPT_TOKEN};
use crate::http::page::{self, ClaimCode, ClaimRequest, ProviderView, Tone};
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::id::{AccountId, RegistrationId};
use crate::machine::registration::claim::{Answer, ClaimRefusal, Page, WINDOW};
use crate::machine::registration::{Command, Outcome, Registration, Said};
use crate::machine::standing::Standing;
use crate::oauth::error::ErrorCode;
use crate::people;
use crate::secret::{ClaimAttemptToken, Digest, Presented};
use crate::store::Ports;
use crate::verify;

/// An attempt that somebody wants to answer.
struct Open<'r> {
    token: &'r str,
    registration: RegistrationId,
    view: Vec<Digest>,
    standing: Standing,
    said: Said,
    page: Page,
}

/// `GET /claim?claim_attempt_token=`
pub(crate) async fn claim<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    match open(asked.find("claim_attempt_token"), cx).await? {
        Err(refusal) => closed(refusal, &visitor, cx),
        Ok(open) => match confirmer(&open.page, &visitor, false, cx).await? {
            Confirmer::Person(person, _) => show(&open, &visitor, &person, None, StatusCode::OK, cx).await,
            Confirmer::SignIn => Ok(visitor.remember(see_other(&login(open.token)), cx)),
            Confirmer::Stranger => stranger(open.token, &visitor, cx),
        },
    }
}

/// `POST /agent/identity/claim/complete` with a form: the person types the code that the agent shows.
pub(crate) async fn typed<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if asked.params.find("claim_token").is_some() {
        return Err(Refused::new(ErrorCode::InvalidRequest, "the agent's token in a person's form")
            .hint("Agents send claim_token and user_code as JSON."));
    }
    let code = ceremony::code(asked.find("user_code"));
    answer(asked, cx, |open, cx| code.as_ref().map(|code| Answer::Typed(ceremony::typed(&open.registration, code, &cx.config.masters))))
        .await
}

/// `POST /claim/code`: the person confirms, and sees the code that the agent asks for.
pub(crate) async fn code<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let code = ceremony::six_digits(crate::entropy::random(cx.entropy)?);
    let shown = code.clone();
    let digest = |open: &Open<'_>, cx: &Cx<'_, P>| ceremony::relayed(&open.registration, &code, &cx.config.masters).into_iter().next();
    answer_with(asked, cx, |open, cx| digest(open, cx).map(Answer::Reveal), Some(shown)).await
}

/// `POST /claim/deny`
pub(crate) async fn deny<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    answer(asked, cx, |_, _| Some(Answer::Deny)).await
}

async fn answer<P: Ports>(
    asked: Asked<'_>,
    cx: &Cx<'_, P>,
    make: impl Fn(&Open<'_>, &Cx<'_, P>) -> Option<Answer>,
) -> Result<Response<Bytes>, Refused> {
    answer_with(asked, cx, make, None).await
}

/// Who may answer is judged again with every answer.
async fn answer_with<P: Ports>(
    asked: Asked<'_>,
    cx: &Cx<'_, P>,
    make: impl Fn(&Open<'_>, &Cx<'_, P>) -> Option<Answer>,
    code: Option<String>,
) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let open = match open(asked.find("claim_attempt_token"), cx).await? {
        Ok(open) => open,
        Err(refusal) => return closed(refusal, &visitor, cx),
    };
    let (person, email) = match confirmer(&open.page, &visitor, true, cx).await? {
        Confirmer::Person(person, email) => (person, email),
        Confirmer::SignIn => return Ok(see_other(&login(open.token))),
        Confirmer::Stranger => return stranger(open.token, &visitor, cx),
    };
    let Some(answer) = make(&open, cx) else {
        return show(&open, &visitor, &person, Some("A code has six digits."), StatusCode::BAD_REQUEST, cx).await;
    };
    let command = Command::Answer { view: open.view.clone(), person: person.clone(), email, answer };
    match (cx.ports.run::<Registration>(&open.registration, command).await?, code) {
        (Outcome::Approved(standing), _) => {
            verify::remember(&open.registration, Some(std::rc::Rc::new(standing)), cx);
            people::introduce(&open.registration, &person, cx).await?;
            let text = "The agent picks it up by itself in a moment. You can take it back at any time.";
            Says { action: Some(("Your agents", "/account")), ..Says::new(Tone::Good, "Approved", text) }.show(200, &visitor, cx)
        }
        (Outcome::Revealed(expires), Some(code)) => {
            let frame = visitor.frame(cx)?;
            let nonce = frame.nonce.clone();
            let minutes = cx.now.until(expires).min(WINDOW).seconds() / 60;
            let page = ClaimCode { frame, code, token: open.token, minutes, agent: open.said.agent.as_deref() };
            Ok(visitor.remember(page::html(StatusCode::OK, &page, &nonce)?, cx))
        }
        (Outcome::Denied, _) => {
            let text = "The agent is told that you said no. Nothing was given to it.";
            let action = visitor.signed_in.as_ref().map(|_| ("Your account", "/account"));
            Says { action, ..Says::new(Tone::Plain, "Denied", text) }.show(200, &visitor, cx)
        }
        (Outcome::Claim(ClaimRefusal::WrongCode), _) => {
            let problem = "That is not the code that your agent shows. Check it and try again.";
            // The typed way is taken.
            let page = Page { relay: false, ..open.page };
            show(&Open { page, ..open }, &visitor, &person, Some(problem), StatusCode::UNAUTHORIZED, cx).await
        }
        (Outcome::Claim(refusal), _) => closed(refusal, &visitor, cx),
        _ => Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the answer was not taken")),
    }
}

async fn open<'r, P: Ports>(token: &'r str, cx: &Cx<'_, P>) -> Result<Result<Open<'r>, ClaimRefusal>, Refused> {
    let Some(presented) = Presented::<ClaimAttemptToken>::parse(ATTEMPT_TOKEN, token, &cx.config.masters) else {
        return Ok(Err(ClaimRefusal::Unknown));
    };
    let registration = RegistrationId::from_digits(presented.digits());
    let view = presented.digests().to_vec();
    Ok(match cx.ports.run::<Registration>(&registration, Command::View { view: view.clone() }).await? {
        // A provider that is not trusted any more has no word here.
        Outcome::Page { page, .. } if page.vouched.as_ref().is_some_and(|vouched| provider(&vouched.issuer, cx).is_none()) => {
            Err(ClaimRefusal::Revoked)
        }
        Outcome::Page { standing, said, page } => Ok(Open { token, registration, view, standing, said, page }),
        Outcome::Claim(refusal) => Err(refusal),
        _ => Err(ClaimRefusal::Unknown),
    })
}

async fn show<P: Ports>(
    open: &Open<'_>,
    visitor: &Visitor,
    person: &AccountId,
    problem: Option<&str>,
    status: StatusCode,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let vouched = open.page.vouched.as_ref();
    let provider = vouched.and_then(|vouched| provider(&vouched.issuer, cx));
    let known = people::look(person, cx).await?;
    let first_time_provider = match vouched {
        Some(vouched) => !has_agent_of(person, &vouched.issuer, cx).await?,
        None => false,
    };
    let request = ClaimRequest {
        frame,
        token: open.token,
        agent: open.said.agent.as_deref(),
        registration: open.registration.as_str(),
        registered: moment(open.standing.created),
        provider: provider.map(|(index, provider)| ProviderView {
            name: &provider.name,
            issuer: &provider.issuer,
            logo: provider.logo.is_some().then(|| format!("/logo/{index}")),
        }),
        first_time_provider,
        first_time_account: known.is_none_or(|person| person.agents == 0),
        scopes: scopes::views(cx.config.post_claim_scopes.as_scope(), cx),
        typed: open.page.typed,
        relay: open.page.relay,
        problem,
        as_mail: visitor.signed_in.is_none().then_some(open.page.hint.as_deref()).flatten(),
    };
    Ok(visitor.remember(page::html(status, &request, &nonce)?, cx))
}

/// The provider as the trust list has it: its own words about itself are not shown.
fn provider<'c, P>(issuer: &str, cx: &Cx<'c, P>) -> Option<(usize, &'c Provider)> {
    cx.config.providers.iter().enumerate().find(|(_, provider)| provider.issuer == issuer)
}

async fn has_agent_of<P: Ports>(person: &AccountId, issuer: &str, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    let command = crate::account::Command::Agents { after: None, limit: 100, live: true };
    Ok(match cx.ports.account(person, command).await? {
        crate::account::Outcome::Agents(agents, _) => agents.iter().any(|agent| agent.provider.as_deref() == Some(issuer)),
        _ => false,
    })
}

fn login(token: &str) -> String {
    let page = format!("/claim?claim_attempt_token={token}");
    format!("/login?return_to={}", utf8_percent_encode(&page, NON_ALPHANUMERIC))
}

/// Nothing of the request is shown to somebody else, not even whom it is for.
fn stranger<P>(token: &str, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let back = format!("/claim?claim_attempt_token={token}");
    let text = "This request is for somebody else, or for another address of yours.";
    Says { switch: Some(&back), ..Says::new(Tone::Bad, "You are signed in with another address", text) }.show(403, visitor, cx)
}

fn closed<P>(refusal: ClaimRefusal, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let (status, tone, title, text) = match refusal {
        ClaimRefusal::Claimed | ClaimRefusal::Delivered => {
            (200, Tone::Good, "This was answered already", "The agent is approved. Nothing is left to do here.")
        }
        ClaimRefusal::Revoked => {
            (410, Tone::Plain, "The request was withdrawn", "The agent's registration has ended. Nothing was given to it.")
        }
        ClaimRefusal::Expired => {
            (410, Tone::Plain, "This request has expired", "Ask your agent to start again: it then gives you a new link.")
        }
        ClaimRefusal::CodeOver => {
            (410, Tone::Bad, "Too many wrong codes", "This request is closed. Ask your agent to start again: it then gives you a new link.")
        }
        ClaimRefusal::Denied => (410, Tone::Plain, "You said no", "This request is closed. Nothing was given to the agent."),
        ClaimRefusal::OtherPath => (
            409,
            Tone::Bad,
            "This request is answered in the other way",
            "You chose one way to confirm it. Ask your agent to start again for the other.",
        ),
        ClaimRefusal::WrongPerson => (403, Tone::Bad, "You are signed in with another address", "This request is for somebody else."),
        _ => {
            let text = "The link is wrong, or your agent has started again and given you a newer one.";
            return Says::new(Tone::Bad, "There is no such request", text).show(404, visitor, cx);
        }
    };
    let action = visitor.signed_in.as_ref().map(|_| ("Your account", "/account"));
    Says { action, ..Says::new(tone, title, text) }.show(status, visitor, cx)
}
