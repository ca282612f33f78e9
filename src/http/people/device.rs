//! `/device` (RFC 8628, section 3.3): a person types the code that a device shows, sees who asks for what from where, and answers.
//!
//! Opening the page changes nothing and looks nothing up. A code is looked up for somebody who has just signed in alone, and so often.

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

use super::{Asked, Says, moment, peopled, see_other};
use crate::client;
use crate::cx::Cx;
use crate::http::authorize;
use crate::http::browser::{SignedIn, Visitor};
use crate::http::page::{self, DevicePage, DeviceRequest, Known, Tone};
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::id::{DeviceId, GrantId};
use crate::machine::device::{Command, Device, Outcome, Request};
use crate::machine::grant::Terms;
use crate::machine::quota::{self, Quota};
use crate::master::Master;
use crate::network::with_bits;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::time::Ttl;
use crate::user_code::UserCode;

/// A yes needs a sign-in that is not older: a browser that somebody else can use must not be enough.
const FRESH: Ttl = Ttl::from_seconds(300);
/// Wrong codes an hour of one account, and of one address; ten times that of the network around it.
const PER_ACCOUNT: u32 = 10;
const PER_ADDRESS: u32 = 30;
const HOUR: Ttl = Ttl::from_seconds(3600);

/// One answer for codes that were never there, are used, or are too old.
const NO_SUCH_CODE: &str = "There is no such code, or not any more. Look at your device again, or have it start anew.";
const NOT_A_CODE: &str = "A code has eight letters, none of them a vowel.";

/// `GET /device`: what the address brings is put into the field, and no more.
pub(crate) async fn device<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let code = UserCode::parse(asked.find("user_code"));
    if fresh(&visitor, cx).is_none() {
        return Ok(visitor.remember(see_other(&sign_in(code.as_ref())), cx));
    }
    form(&visitor, &code.map(|code| code.shown()).unwrap_or_default(), None, StatusCode::OK, cx)
}

/// `POST /device`: the code is typed.
pub(crate) async fn code<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let typed = asked.find("user_code");
    let Some(code) = UserCode::parse(typed) else {
        let typed: String = typed.chars().take(20).collect();
        return form(&visitor, &typed, Some(NOT_A_CODE), StatusCode::BAD_REQUEST, cx);
    };
    let Some(person) = fresh(&visitor, cx) else { return Ok(see_other(&sign_in(Some(&code)))) };
    let tries = tries(person, cx);
    for (name, most) in &tries {
        // Out of reach, the limits are closed: a code has 34 bits, and no more.
        let take = quota::Command::Take { most: most.clone(), request: None };
        if let Some(wait) = cx.ports.run::<Quota>(name, take).await? {
            return Err(Refused::new(ErrorCode::RateLimited, "too many wrong user codes").retry_after(wait));
        }
    }
    let Some((device, request)) = look(&code, person, cx).await? else {
        return form(&visitor, &code.shown(), Some(NO_SUCH_CODE), StatusCode::NOT_FOUND, cx);
    };
    for (name, most) in tries {
        if let Err(error) = cx.ports.run::<Quota>(&name, quota::Command::Return { most, request: None }).await {
            cx.ports.warn("quota_lost", &error.to_string());
        }
    }
    show(&code, &device, &request, &visitor, person, cx).await
}

/// `POST /device/answer`: the person says yes or no, on the page that this browser was shown.
pub(crate) async fn answer<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    visitor.check(asked.headers, asked.params.find("csrf"), cx)?;
    let Some(person) = fresh(&visitor, cx) else { return Ok(see_other(&sign_in(None))) };
    let over = || form(&visitor, "", Some(NO_SUCH_CODE), StatusCode::NOT_FOUND, cx);
    let Ok(device) = asked.find("device").parse::<DeviceId>() else { return over() };
    let sealed = |master: &Master| bool::from(seal(&device, &visitor, person, master).as_bytes().ct_eq(asked.find("seal").as_bytes()));
    if !cx.config.masters.all().any(sealed) {
        return over();
    }
    match asked.find("answer") {
        "allow" => allow(&device, &visitor, person, cx).await,
        "deny" => match cx.ports.run::<Device>(&device, Command::Deny(person.account.clone())).await? {
            Outcome::Done => {
                says(Tone::Plain, "Denied", "The device is told that you said no. Nothing was given to it.", 200, &visitor, cx)
            }
            _ => over(),
        },
        _ => Err(Refused::new(ErrorCode::InvalidRequest, "neither yes nor no")),
    }
}

/// The yes is kept for this person first, then written into grant and account, and only then the device is served.
async fn allow<P: Ports>(device: &DeviceId, visitor: &Visitor, person: &SignedIn, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let account = person.account.clone();
    let over = || form(visitor, "", Some(NO_SUCH_CODE), StatusCode::NOT_FOUND, cx);
    let Outcome::Request(request) = cx.ports.run::<Device>(device, Command::Look(account.clone())).await? else { return over() };
    let Some(client) = client::find(&request.client, cx).await? else { return over() };
    let Outcome::Grant(request, code, expires) = cx.ports.run::<Device>(device, Command::Grant(account.clone())).await? else {
        return over();
    };
    let terms = Terms {
        resource: request.resource,
        scope: request.scope,
        redirect_uri: None,
        challenge: None,
        nonce: None,
        auth_time: person.at,
        method: person.method.clone(),
        session: Some(person.session.clone()),
        jkt: None,
    };
    let grant = GrantId::of(Some(&account), &client.id);
    if !authorize::grant(&grant, &client, person, code, terms, cx.now.until(expires), cx).await? {
        cx.ports.run::<Device>(device, Command::Deny(account)).await?;
        return says(Tone::Bad, "Your account is closed", "Nothing was given to the device.", 403, visitor, cx);
    }
    match cx.ports.run::<Device>(device, Command::Granted(account, grant)).await? {
        Outcome::Done => says(
            Tone::Good,
            "Approved",
            "Go back to your device: it goes on by itself in a moment. You can take it back at any time.",
            200,
            visitor,
            cx,
        ),
        _ => over(),
    }
}

/// Who has signed in a short while ago.
fn fresh<'v, P>(visitor: &'v Visitor, cx: &Cx<'_, P>) -> Option<&'v SignedIn> {
    visitor.signed_in.as_ref().filter(|person| person.is_fresh(FRESH, cx))
}

/// Sign-in first, then here again.
fn sign_in(code: Option<&UserCode>) -> String {
    let back = code.map_or_else(|| "/device".to_owned(), page);
    format!("/login?max_age={}&return_to={}", FRESH.seconds(), utf8_percent_encode(&back, NON_ALPHANUMERIC))
}

fn page(code: &UserCode) -> String {
    format!("/device?user_code={}", code.shown())
}

/// What a try is counted against.
fn tries<P>(person: &SignedIn, cx: &Cx<'_, P>) -> Vec<(String, Vec<(u32, Ttl)>)> {
    let mut all = vec![(format!("user-code/{}", person.account), vec![(PER_ACCOUNT, HOUR)])];
    if let Some(origin) = &cx.origin {
        all.push((format!("user-code-network/{}", origin.narrow), vec![(PER_ADDRESS, HOUR)]));
        all.push((format!("user-code-network-wide/{}", origin.network), vec![(PER_ADDRESS.saturating_mul(10), HOUR)]));
    }
    all
}

/// The device that waits under that code; while the deployment's secret changes it may have either of two names.
async fn look<P: Ports>(code: &UserCode, person: &SignedIn, cx: &Cx<'_, P>) -> Result<Option<(DeviceId, Request)>, Refused> {
    for master in cx.config.masters.all() {
        let device = code.device(master);
        if let Outcome::Request(request) = cx.ports.run::<Device>(&device, Command::Look(person.account.clone())).await? {
            return Ok(Some((device, request)));
        }
    }
    Ok(None)
}

fn seal(device: &DeviceId, visitor: &Visitor, person: &SignedIn, master: &Master) -> String {
    let parts = [device.as_str().as_bytes(), visitor.browser().as_bytes(), person.session.as_str().as_bytes()];
    crate::base62::encode(&master.derive_bytes("device/page", &parts))
}

async fn show<P: Ports>(
    code: &UserCode,
    device: &DeviceId,
    request: &Request,
    visitor: &Visitor,
    person: &SignedIn,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let Some(client) = client::find(&request.client, cx).await? else {
        return form(visitor, &code.shown(), Some(NO_SUCH_CODE), StatusCode::NOT_FOUND, cx);
    };
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let again = page(code);
    let page = DeviceRequest {
        frame,
        code: code.halves(),
        device: device.as_str(),
        seal: seal(device, visitor, person, &cx.config.masters.current),
        name: client.metadata.client_name.as_deref(),
        known: Known::of(&client),
        client_id: &client.id,
        network: request.network.as_deref().map(with_bits),
        same_network: request.network.is_some() && request.network == cx.origin.as_ref().map(|origin| origin.network.clone()),
        agent: request.agent.as_deref(),
        at: moment(request.at),
        person: person.name(),
        resource: &request.resource,
        resource_name: cx.config.resource(&request.resource).and_then(|resource| resource.name.as_deref()),
        scopes: scopes::views(request.scope.as_scope(), cx),
        again: &again,
    };
    Ok(visitor.remember(page::html(StatusCode::OK, &page, &nonce)?, cx))
}

fn form<P>(visitor: &Visitor, code: &str, problem: Option<&str>, status: StatusCode, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    Ok(visitor.remember(page::html(status, &DevicePage { frame, code, problem }, &nonce)?, cx))
}

fn says<P>(tone: Tone, title: &str, text: &str, status: u16, visitor: &Visitor, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    Says { action: Some(("Your account", "/account")), ..Says::new(tone, title, text) }.show(status, visitor, cx)
}
