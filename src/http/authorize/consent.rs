//! What a person lets a client do: asked once, remembered, and taken back at `/account`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::answer;
use super::request::{self, Broken, Fault, Request};
use super::{PATH, to_client};
use crate::account;
use crate::client::{Client, Source};
use crate::cx::Cx;
use crate::entropy::random;
use crate::grant::CODE;
use crate::http::browser::{SignedIn, Visitor};
use crate::http::page::{self, ConsentPage, Known};
use crate::http::people::{Asked, peopled, see_other};
use crate::http::refuse::Refused;
use crate::http::{scopes, trace};
use crate::id::{AuthorizationId, GrantId, Holder};
use crate::machine::authorization::{self, Authorization, Owner};
use crate::machine::grant::{CODE_LIFE, Command, Consent, Grant, Outcome, Terms};
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::oauth::redirect::{self, Kind};
use crate::secret::{AuthorizationCode, AuthorizationRequest, Presented, Secret};
use crate::store::Ports;
use crate::time::Ttl;
use crate::verify;

/// What the secrets of pages begin with.
const PAGE: &str = "pag";
/// A page may be looked at for so long.
const LIFE: Ttl = Ttl::from_seconds(600);

/// A yes is remembered for so long after the client last came for it. Many of them are one client for all who use it: a link to one of those
/// connects to an account there that may be somebody else's, so whoever has forgotten the client is asked again.
const REMEMBERED: Ttl = Ttl::from_seconds(90 * 86400);

/// Whether the person need not be asked. Anybody can say to be a client whose people come back to their own device (RFC 8252, section
/// 8.6), so those are asked every time; it is one button.
pub(super) async fn is_given<P: Ports>(request: &Request, signed_in: &SignedIn, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    if request.prompt.consent {
        return Ok(false);
    }
    if request.client.trusted {
        return Ok(true);
    }
    if redirect::kind(&request.redirect_uri) != Some(Kind::Https) {
        return Ok(false);
    }
    let covers = |before: &Consent| request.scope.as_scope().is_within(&before.scope) && cx.now < before.at.plus(REMEMBERED);
    Ok(before(request, signed_in, cx).await?.is_some_and(|before| covers(&before)))
}

/// What the person has agreed to for this client and resource.
async fn before<P: Ports>(request: &Request, signed_in: &SignedIn, cx: &Cx<'_, P>) -> Result<Option<Consent>, Refused> {
    let grant = GrantId::of(Some(&signed_in.account), &request.client.id);
    Ok(match cx.ports.run::<Grant>(&grant, Command::Consents).await? {
        Outcome::Consents(consents) => consents.into_iter().find(|consent| consent.resource == request.resource),
        _ => None,
    })
}

/// Shows the page. The request waits on our side, for this person in this browser.
pub(super) async fn ask<P: Ports>(
    request: &Request,
    pushed: Option<AuthorizationId>,
    visitor: &Visitor,
    signed_in: &SignedIn,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let before = before(request, signed_in, cx).await?;
    let id = AuthorizationId::from_bytes(random(cx.entropy)?);
    let secret = Secret::<AuthorizationRequest>::mint(PAGE, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let owner = Owner::Person { account: signed_in.account.clone(), browser: visitor.browser().to_owned(), pushed };
    let waiting = authorization::Request { parameters: request.parameters.clone(), owner };
    let open = authorization::Command::Open { secret: secret.digest(), request: waiting, ttl: LIFE };
    cx.ports.run::<Authorization>(&id, open).await?;
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let client = &request.client;
    let scope = request.scope.as_scope();
    let is_new = |name: &str| before.as_ref().is_none_or(|before| !before.scope.iter().any(|known| known == name));
    let resource = cx.config.resource(&request.resource);
    let again = format!("{PATH}?{}", request.parameters);
    let page = ConsentPage {
        frame,
        request: secret.reveal(),
        name: client.metadata.client_name.as_deref(),
        known: Known::of(client),
        client_id: &client.id,
        redirect_host: redirect::host(&request.redirect_uri),
        on_device: redirect::kind(&request.redirect_uri) != Some(Kind::Https),
        elsewhere: matches!(client.source, Source::Document { .. }) && !redirect::is_at(&request.redirect_uri, &client.id),
        person: signed_in.name(),
        resource: &request.resource,
        resource_name: resource.and_then(|resource| resource.name.as_deref()),
        scopes: scopes::views(scope, cx),
        fresh: scope.iter().filter(|name| is_new(name)).collect(),
        before: before.as_ref().map(|before| crate::http::people::moment(before.at)),
        again: &again,
    };
    Ok(visitor.remember(page::html_that_leads_away(StatusCode::OK, &page, &nonce)?, cx))
}

/// `POST /oauth2/authorize/consent`: the person answers. The request is used up with it.
pub(in crate::http) async fn decide<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let over = || answer::reject(Broken::Pushed, None, &visitor, cx);
    let Some(secret) = Presented::<AuthorizationRequest>::parse(PAGE, asked.find("request"), &cx.config.masters) else { return over() };
    let allowed = match asked.find("answer") {
        "allow" => true,
        "deny" => false,
        _ => return Err(Refused::new(ErrorCode::InvalidRequest, "neither yes nor no")),
    };
    let id = AuthorizationId::from_digits(secret.digits());
    let look = authorization::Command::Look(secret.digests().to_vec());
    let authorization::Outcome::Request(waiting) = cx.ports.run::<Authorization>(&id, look).await? else { return over() };
    let Some(signed_in) = &visitor.signed_in else { return Ok(see_other(&format!("{PATH}?{}", waiting.parameters))) };
    let Owner::Person { account, browser, pushed } = &waiting.owner else { return over() };
    if *account != signed_in.account || browser != visitor.browser() {
        return over();
    }
    let params = Params::parse(waiting.parameters.as_bytes())?;
    let request = match request::read(&params, cx).await {
        Ok(request) => request,
        Err(Fault::Page(broken)) => return answer::reject(broken, params.find("client_id"), &visitor, cx),
        Err(Fault::Client(fault)) => {
            let refused = answer::refuse(&fault, StatusCode::SEE_OTHER, cx);
            return Ok(trace::of(refused, params.find("client_id").unwrap_or_default(), cx));
        }
    };
    let client = &request.client.id;
    let take = authorization::Command::Take(secret.digests().to_vec());
    let authorization::Outcome::Request(_) = cx.ports.run::<Authorization>(&id, take).await? else { return over() };
    if !allowed {
        if let Some(pushed) = pushed {
            cx.ports.run::<Authorization>(pushed, authorization::Command::Spend).await?;
        }
        let denied = to_client(&request, ErrorCode::AccessDenied, "The person has said no.");
        return Ok(trace::of(answer::refuse(&denied, StatusCode::SEE_OTHER, cx), client, cx));
    }
    let approved = approve(&request, signed_in, pushed.as_ref(), StatusCode::SEE_OTHER, cx).await?;
    Ok(trace::of(approved, client, cx))
}

/// Gives the client its code.
pub(super) async fn approve<P: Ports>(
    request: &Request,
    signed_in: &SignedIn,
    pushed: Option<&AuthorizationId>,
    status: StatusCode,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    if let Some(pushed) = pushed {
        let spent = cx.ports.run::<Authorization>(pushed, authorization::Command::Spend).await?;
        if spent == authorization::Outcome::Over {
            let fault = to_client(request, ErrorCode::InvalidRequestUri, ErrorCode::InvalidRequestUri.description());
            return Ok(answer::refuse(&fault, status, cx));
        }
    }
    let id = GrantId::of(Some(&signed_in.account), &request.client.id);
    let code = Secret::<AuthorizationCode>::mint(CODE, id.digits(), random(cx.entropy)?, &cx.config.masters.current);
    let terms = Terms {
        resource: request.resource.clone(),
        scope: request.scope.clone(),
        redirect_uri: Some(request.redirect_uri.clone()),
        challenge: Some(request.challenge.clone()),
        nonce: request.nonce.clone(),
        auth_time: signed_in.at,
        method: signed_in.method.clone(),
        session: Some(signed_in.session.clone()),
        jkt: request.jkt.clone(),
    };
    if !grant(&id, &request.client, signed_in, code.digest(), terms, CODE_LIFE, cx).await? {
        return Ok(answer::refuse(&to_client(request, ErrorCode::AccessDenied, "The account is closed."), status, cx));
    }
    Ok(answer::back(&request.redirect_uri, request.state.as_deref(), &[("code", &code.reveal())], status, cx))
}

/// Writes down that the person agrees: in the grant, and at once in their account, so that whoever takes everything back finds it. `false` if
/// the person is barred or gone.
pub(in crate::http) async fn grant<P: Ports>(
    id: &GrantId,
    client: &Client,
    signed_in: &SignedIn,
    code: crate::secret::Digest,
    terms: Terms,
    life: Ttl,
    cx: &Cx<'_, P>,
) -> Result<bool, Refused> {
    let account = signed_in.account.clone();
    let approve = Command::Approve {
        name: id.clone(),
        account: account.clone(),
        client: client.id.clone(),
        client_name: client.metadata.client_name.clone(),
        code,
        terms,
        life,
    };
    let Outcome::Approved(standing, connection) = cx.ports.run::<Grant>(id, approve).await? else {
        return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the grant was not written"));
    };
    verify::note(&Holder::Grant(id.clone()), Some(std::rc::Rc::new(standing)), cx);
    cx.ports.account(&account, account::Command::Connect(connection)).await?;
    // Much may have happened since the session was looked at.
    let command = match crate::people::look(&account, cx).await? {
        Some(person) if !person.suspended => return Ok(true),
        Some(_) => Command::Suspend { person: account, suspended: true },
        None => Command::EndByOperator,
    };
    cx.ports.run::<Grant>(id, command).await?;
    Ok(false)
}
