//! What a request was for a client on its way in: the one hook of the connection trace, in [`super::handle`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, Response};
use serde_json::Value;

use super::document::Document;
use super::refuse::Refused;
use super::reply::Reason;
use super::route::{Page, Route};
use super::{FORM, Sent, media_type};
use crate::client;
use crate::cx::Cx;
use crate::grant::claim::CLAIM_TOKEN;
use crate::id::RegistrationId;
use crate::machine::trace::{Add, Said, Sent as Shown, Stage, Verdict};
use crate::oauth::authorization::Authorization;
use crate::oauth::error::ErrorCode;
use crate::secret::{ApiKey, ClaimToken, Presented};
use crate::trace::said::{Body, is_word, shown};
use crate::trace::{Pending, Step, TraceId, network};

/// Grants that a person has just agreed to: a client that comes with one is on its way in, whoever sent it.
const FRESH: [&str; 2] = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"];

/// Where on the way a route is; none if no trace is kept of it. Routes that clients connect by belong in this list.
pub(super) const fn stage(route: Route<'_>) -> Option<Stage> {
    Some(match route {
        Route::Document(
            Document::ProtectedResource(_) | Document::AuthorizationServer(_) | Document::OpenidConfiguration(_) | Document::Jwks,
        ) => Stage::Discovery,
        Route::Identity | Route::RegisterV01 | Route::Clients => Stage::Registration,
        Route::Push => Stage::Push,
        Route::Device => Stage::Device,
        Route::Page(Page::Authorize) => Stage::Authorization,
        Route::Token => Stage::Token,
        Route::Page(Page::Consent | Page::Device | Page::DeviceAnswer) => Stage::Approval,
        Route::Me | Route::Mcp | Route::Userinfo => Stage::Call,
        _ => return None,
    })
}

/// Why an answer that is no [`Refused`] refuses all the same: a redirect, or a page of its own. For the answer's extensions.
#[derive(Clone, Debug)]
pub(super) struct Why {
    /// What is wrong.
    pub(super) code: ErrorCode,
    /// The check that failed.
    pub(super) reason: String,
    /// What to do next.
    pub(super) hint: &'static str,
    /// What would have been right.
    pub(super) expected: Option<String>,
}

/// Lets the trace say why `response` refuses; `why` is asked only where traces are kept.
pub(super) fn explain<P>(response: &mut Response<Bytes>, why: impl FnOnce() -> Why, cx: &Cx<'_, P>) {
    if cx.config.trace {
        response.extensions_mut().insert(why());
    }
}

/// Whose request it was, where the request itself does not say.
#[derive(Clone, Debug)]
struct ClientIs(String);

/// Lets the trace know whose request `response` answers.
pub(super) fn of<P>(mut response: Response<Bytes>, client: &str, cx: &Cx<'_, P>) -> Response<Bytes> {
    if cx.config.trace {
        response.extensions_mut().insert(ClientIs(client.to_owned()));
    }
    response
}

/// The reference that a page of the authorization endpoint shows, by the `client_id` of its request.
pub(super) fn reference<P>(client: Option<&str>, cx: &Cx<'_, P>) -> Option<String> {
    cx.config.trace.then(|| name(Stage::Authorization, client, None, cx).to_string())
}

/// Steps of one client from one network go together; those of clients without a name do by what they call themselves. What a person was
/// asked and how they answered is one way.
fn name<P>(stage: Stage, client: Option<&str>, called: Option<&str>, cx: &Cx<'_, P>) -> TraceId {
    let way = if stage == Stage::Approval { Stage::Authorization } else { stage };
    TraceId::of(client.map(|client| shown(client, 200)).as_deref(), called.unwrap_or(word(way)), cx)
}

/// What is to be kept of a request, if anything.
pub(super) fn seen<P>(
    stage: Stage,
    sent: &Sent<'_>,
    path: &str,
    answer: &Result<Response<Bytes>, Refused>,
    cx: &Cx<'_, P>,
) -> Option<Pending> {
    let (verdict, status) = judge(answer);
    match stage {
        Stage::Discovery if verdict == Verdict::Done => return None,
        Stage::Approval if verdict == Verdict::Done && whose(answer).is_none() => return None,
        // The first thing that many clients do is to ask for the challenge: that is no failure.
        Stage::Call if code(answer) == Some(ErrorCode::Unauthorized) => return None,
        Stage::Call if verdict == Verdict::Done => {
            let credential = sent.headers.get(AUTHORIZATION)?;
            if !cx.memory.watch.borrow_mut().is_first_call(credential.as_bytes()) {
                return None;
            }
        }
        _ => {}
    }
    let body = match (stage, sent.method) {
        (Stage::Discovery | Stage::Call, _) => Body::read(b""),
        (_, "GET") => Body::read(sent.query.as_bytes()),
        _ => Body::read(sent.body),
    };
    let client = named(stage, &body, sent.headers, answer, cx).map(|client| shown(&client, 200));
    // An invented credential without a name is nobody's attempt.
    if client.is_none() && matches!(stage, Stage::Token | Stage::Call) {
        return None;
    }
    let grant = body.find("grant_type").unwrap_or_default();
    let begins = match (stage, verdict) {
        (Stage::Call, _) | (_, Verdict::Pending) => false,
        (Stage::Token, Verdict::Done) => FRESH.contains(&grant),
        _ => true,
    };
    let called = body.find("client_name").or_else(|| body.find("agent")).map(|name| shown(name, 80));
    let id = name(stage, client.as_deref(), called.as_deref(), cx);
    let step = Step { stage, verdict, begins, everyday: grant == "refresh_token" };
    let missed = cx.memory.watch.borrow_mut().admit(id, step, cx.origin.as_ref(), cx.now)?;
    let said = Said { sent: parameters(stage, &body, path, sent.headers), ..said(stage, verdict, status, answer) };
    let network = network(cx).to_owned();
    let known = || client.as_deref().and_then(|id| client::known(id, cx)?.metadata.client_name.as_deref().map(|name| shown(name, 80)));
    let name = called.or_else(known);
    Some(Pending { id, add: Add { said, begins, client, name, network, missed } })
}

/// What a stage is called in the operator's JSON.
pub(super) const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Discovery => "discovery",
        Stage::Registration => "registration",
        Stage::Push => "pushed_authorization",
        Stage::Authorization => "authorization",
        Stage::Device => "device_authorization",
        Stage::Approval => "approval",
        Stage::Token => "token",
        Stage::Call => "call",
    }
}

fn code(answer: &Result<Response<Bytes>, Refused>) -> Option<ErrorCode> {
    match answer {
        Err(refused) => Some(refused.code()),
        Ok(response) => response.extensions().get::<Why>().map(|why| why.code),
    }
}

fn judge(answer: &Result<Response<Bytes>, Refused>) -> (Verdict, u16) {
    let status = match answer {
        Err(refused) => refused.http_status().as_u16(),
        Ok(response) => response.status().as_u16(),
    };
    let failed = match (code(answer), answer) {
        (Some(ErrorCode::AuthorizationPending | ErrorCode::SlowDown | ErrorCode::UseDpopNonce), _) => return (Verdict::Pending, status),
        (Some(_), _) | (None, Err(_)) => true,
        (None, Ok(response)) => status >= 400 || told(response).is_some(),
    };
    (if failed { Verdict::Failed } else { Verdict::Done }, status)
}

/// The error that a redirect takes to the client (RFC 6749, section 4.1.2.1).
fn told(response: &Response<Bytes>) -> Option<&str> {
    let (_, query) = response.headers().get(LOCATION)?.to_str().ok().filter(|to| !to.starts_with('/'))?.split_once('?')?;
    query.split(['&', '#']).find_map(|pair| pair.strip_prefix("error=")).filter(|error| is_word(error))
}

fn said(stage: Stage, verdict: Verdict, status: u16, answer: &Result<Response<Bytes>, Refused>) -> Said {
    let why = match answer {
        Err(refused) => {
            let (reason, expected) = (refused.reason.as_ref().to_owned(), refused.expected.as_deref().map(str::to_owned));
            Some(Why { code: refused.code(), reason, hint: refused.hint, expected })
        }
        Ok(response) => response.extensions().get::<Why>().cloned(),
    };
    let mut said = Said { stage, verdict, status, code: None, reason: None, hint: None, expected: None, sent: Vec::new() };
    if let Some(why) = why {
        said.code = Some(why.code.as_str().to_owned());
        said.reason = Some(shown(&why.reason, 240));
        said.hint = Some(why.hint.to_owned());
        said.expected = why.expected.map(|expected| shown(&expected, 400));
    } else if let (Verdict::Failed, Ok(response)) = (verdict, answer) {
        let reason = response.extensions().get::<Reason>().map(|reason| reason.0.as_str());
        let (code, reason) =
            reason.and_then(|reason| reason.split_once(": ")).map_or((None, reason), |(code, reason)| (Some(code), Some(reason)));
        said.code = told(response).or(code).map(|code| shown(code, 60));
        said.reason = reason.map(|reason| shown(reason, 240));
    }
    said
}

/// Whose request it was, as whoever has answered it knows.
fn whose(answer: &Result<Response<Bytes>, Refused>) -> Option<&str> {
    answer.as_ref().ok().and_then(|response| response.extensions().get::<ClientIs>().map(|client| client.0.as_str()))
}

/// What the client calls itself, or is called by what it shows. Nobody has checked it: it only says which steps go together.
fn named<P>(stage: Stage, body: &Body, headers: &HeaderMap, answer: &Result<Response<Bytes>, Refused>, cx: &Cx<'_, P>) -> Option<String> {
    let given = |name: &str| answer.as_ref().ok().and_then(|response| member(response.body(), name));
    let known = || whose(answer).map(str::to_owned);
    let said = || body.find("client_id").map(str::to_owned);
    match stage {
        Stage::Discovery => None,
        Stage::Approval => known(),
        Stage::Registration => given("client_id").or_else(|| given("registration_id")),
        Stage::Call => bearer(headers).and_then(|token| holder(&token, cx)),
        _ => known().or_else(said).or_else(|| basic(headers)).or_else(|| {
            let shown = ["client_assertion", "assertion", "client_secret", "claim_token"]
                .into_iter()
                .find_map(|name| body.find(name))
                .map(str::to_owned);
            shown
                .or_else(|| bearer(headers))
                .and_then(|shown| holder(&shown, cx))
                .or_else(|| given("access_token").and_then(|token| holder(&token, cx)))
        }),
    }
}

/// A member of one of our own answers: whatever comes from outside is escaped in there.
fn member(body: &[u8], name: &str) -> Option<String> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next().map(str::to_owned)
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    match Authorization::parse(headers) {
        Ok(Some(Authorization::Bearer(token) | Authorization::Dpop(token))) => Some(token),
        _ => None,
    }
}

fn basic(headers: &HeaderMap) -> Option<String> {
    match Authorization::parse(headers) {
        Ok(Some(Authorization::Basic { name, .. })) => Some(name).filter(|name| !name.is_empty()),
        _ => None,
    }
}

/// Whose a credential of ours says it is, without a look at whether it counts.
fn holder<P>(credential: &str, cx: &Cx<'_, P>) -> Option<String> {
    let registration = |digits: &str| RegistrationId::from_digits(digits).to_string();
    if let Some(key) = Presented::<ApiKey>::parse(&cx.config.api_key_prefix, credential, &cx.config.masters) {
        return Some(registration(key.digits()));
    }
    if let Some(token) = Presented::<ClaimToken>::parse(CLAIM_TOKEN, credential, &cx.config.masters) {
        return Some(registration(token.digits()));
    }
    let payload = URL_SAFE_NO_PAD.decode(credential.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    match text("iss") {
        Some(ours) if ours == cx.config.issuer => text("client_id").or_else(|| text("sub")).map(str::to_owned),
        // A client's own assertion (RFC 7523, section 3).
        other => other.filter(|_| other == text("sub")).map(str::to_owned),
    }
}

fn parameters(stage: Stage, body: &Body, path: &str, headers: &HeaderMap) -> Vec<Shown> {
    let mut sent = Vec::new();
    let mut say = |name: &str, value: &str| sent.push(Shown { name: name.to_owned(), value: Some(value.to_owned()), length: None });
    if stage == Stage::Discovery {
        let part = |part: &str| if part.is_empty() || is_word(part) { part.to_owned() } else { "…".to_owned() };
        say("path", &shown(&path.split('/').map(part).collect::<Vec<_>>().join("/"), 120));
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let scheme = value.to_str().unwrap_or_default().split(' ').next().unwrap_or_default();
        let known = ["Basic", "Bearer", "DPoP"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme));
        say("Authorization", known.unwrap_or("of another scheme"));
    }
    if headers.contains_key(CONTENT_TYPE) && stage != Stage::Call {
        let given = media_type(headers);
        let known = [FORM, "application/json", "multipart/form-data", "text/plain"].into_iter().find(|known| *known == given);
        say("Content-Type", known.unwrap_or("another"));
    }
    if let Some(agent) = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).and_then(product) {
        say("User-Agent", &agent);
    }
    match stage {
        Stage::Approval => answered(body, &mut sent),
        _ => body.show(&mut sent),
    }
    sent
}

/// What a person has said. Whatever else is in the form is ours.
fn answered(body: &Body, sent: &mut Vec<Shown>) {
    let answer = body.find("answer").filter(|answer| ["allow", "deny"].contains(answer));
    sent.extend(answer.map(|answer| Shown { name: "answer".to_owned(), value: Some(answer.to_owned()), length: None }));
    let length = body.find("user_code").map(|code| code.chars().count());
    sent.extend(length.map(|length| Shown { name: "user_code".to_owned(), value: None, length: Some(length) }));
}

/// The first product of `User-Agent` (RFC 9110, section 10.1.5), if it looks like one.
fn product(agent: &str) -> Option<String> {
    let first = agent.split(' ').next().unwrap_or_default();
    let (name, version) = first.split_once('/').unwrap_or((first, ""));
    is_word(&name.to_ascii_lowercase()).then_some(())?;
    let version = Some(version).filter(|version| version.len() <= 16 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    Some(version.filter(|version| !version.is_empty()).map_or_else(|| name.to_owned(), |version| format!("{name}/{version}")))
}
