//! The front door: the route table, and one file per family of endpoints.

mod api;
mod authorize;
mod browser;
mod ceremony;
mod claim;
mod client;
#[cfg(not(target_arch = "wasm32"))]
pub mod describe;
mod device;
mod discovery;
mod document;
mod events;
mod guard;
mod health;
mod home;
mod introspect;
mod json;
mod limit;
pub(crate) mod logo;
mod mcp;
mod me;
mod openapi;
mod operator;
pub mod page;
mod people;
mod prose;
mod refuse;
mod register;
pub mod reply;
mod revoke;
mod route;
mod schema;
mod scopes;
mod status_list;
pub(crate) mod together;
mod token;
mod trace;
mod traces;
mod userinfo;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::cx::Cx;
use crate::dpop;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;

pub use document::Kept;
pub(crate) use document::Prepared;
use people::Asked;
use refuse::{Refused, Surface};
use route::{Page, Route};

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest body that is read.
pub const LONGEST_BODY: usize = 64 * 1024;

/// What is looked at of a request to `path`, beside what always is: nothing else crosses into the module.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// The body: none other is read.
    pub body: bool,
    /// The query.
    pub query: bool,
    /// A browser's cookies, and what it says of itself.
    pub cookies: bool,
    /// A DPoP proof.
    pub proof: bool,
    /// Which program asks: it matters to a person whom a device asks, and, where traces are kept, to the operator.
    pub agent: bool,
    /// By which name the worker was reached, and what the client takes.
    pub host: bool,
}

/// What a request to `path` by `method` is read for; `trace` says whether traces are kept.
#[must_use]
pub fn wants(method: &str, path: &str, trace: bool) -> Wants {
    use crate::machine::trace::Stage;

    let route = Route::of(path);
    let told = || trace::stage(route).is_some_and(|stage| !matches!(stage, Stage::Call | Stage::Discovery));
    Wants {
        body: matches!(method, "POST" | "PUT" | "PATCH") && route.methods().allows(method),
        query: matches!(route, Route::Page(_) | Route::Traces | Route::Api(_)),
        cookies: matches!(route, Route::Page(_) | Route::Complete | Route::ChallengeV01 | Route::Traces | Route::Trace(_)),
        proof: route.takes_proof(),
        agent: route == Route::Device || (trace && told()),
        host: route == Route::Mcp,
    }
}

/// Answers a request. `Err` as the body means that it was longer than [`LONGEST_BODY`].
pub async fn handle<P: Ports>(request: Request<Result<Bytes, TooLong>>, cx: &Cx<'_, P>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let route = Route::of(path);
    let surface = match route {
        Route::Api(_) => route.surface(&parts.headers),
        _ if path.starts_with("/api/v1/") => Surface::Problem,
        route => route.surface(&parts.headers),
    };
    let head = parts.method == Method::HEAD;
    let method = if head { "GET" } else { parts.method.as_str() };
    let (body, whole) = body.map_or((Bytes::new(), false), |body| (body, true));
    let proof = dpop::Request { headers: &parts.headers, method: parts.method.as_str(), path };
    let sent = Sent { request: proof, method, headers: &parts.headers, query: parts.uri.query().unwrap_or_default(), body: &body };
    let preflight = method == "OPTIONS" && route != Route::Unknown;
    let answer = match (preflight, whole) {
        (true, _) => Ok(options(route)),
        (false, true) => serve(route, &sent, cx).await,
        (false, false) => Err(Refused::new(ErrorCode::ContentTooLarge, "the body is too long")),
    };
    let stage = if cx.config.trace && !preflight { trace::stage(route) } else { None };
    let seen = stage.and_then(|stage| trace::seen(stage, &sent, path, &answer, cx));
    let mut response = answer.unwrap_or_else(|refused| {
        let reference = seen.as_ref().map(|seen| seen.id.to_string());
        refused.render(surface, reference.as_deref(), cx)
    });
    if let Some(seen) = seen {
        response.extensions_mut().insert(seen);
    }
    if !route.is_for_people(&parts.headers) {
        reply::open_to_browsers(response.headers_mut());
    }
    if route.takes_proof()
        && parts.headers.contains_key(dpop::PROOF)
        && let Some(nonce) = dpop::nonce(cx)
    {
        reply::set(response.headers_mut(), HeaderName::from_static(dpop::NONCE), &nonce);
    }
    response.extensions_mut().insert(reply::RouteName(route.name()));
    if head {
        *response.body_mut() = Bytes::new();
        // It is the answer to whoever does not want the body.
        response.extensions_mut().remove::<Kept>();
    }
    response
}

/// The body was longer than [`LONGEST_BODY`].
#[derive(Clone, Copy, Debug)]
pub struct TooLong;

/// What a client has sent.
struct Sent<'r> {
    request: dpop::Request<'r>,
    /// `GET` for `HEAD` too.
    method: &'r str,
    headers: &'r HeaderMap,
    query: &'r str,
    body: &'r [u8],
}

async fn serve<P: Ports>(route: Route<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Sent { ref request, method, headers, body, .. } = *sent;
    if route == Route::Unknown {
        return Err(Refused::new(ErrorCode::NotFound, "no such path"));
    }
    if route == Route::Mcp {
        // Whoever asks is looked at before the method is: some clients look for the challenge with GET.
        return Box::pin(mcp::mcp(request, method, body, cx)).await;
    }
    if !route.methods().allows(method) {
        return Err(Refused::new(ErrorCode::MethodNotAllowed, "wrong method").header(ALLOW, route.methods().header()));
    }
    // Boxed, so that a request carries the state of its own endpoint and not of the largest.
    match route {
        Route::Document(document) => Box::pin(document::serve(document, headers, cx)).await,
        Route::StatusList(list) => Box::pin(status_list::serve(list, cx)).await,
        Route::Health => Ok(health::health()),
        Route::Ready => Ok(Box::pin(health::ready(cx)).await),
        Route::Identity => Box::pin(register::identity(headers, body, cx)).await,
        Route::RegisterV01 => Box::pin(register::v01(headers, body, cx)).await,
        Route::Claim => Box::pin(claim::start(headers, body, cx)).await,
        Route::Complete if media_type(headers) == FORM => Box::pin(people::typed(Asked::form(headers, body)?, cx)).await,
        Route::Complete => Box::pin(claim::complete(headers, body, cx)).await,
        Route::ClaimV01 => Box::pin(claim::start_v01(headers, body, cx)).await,
        Route::ChallengeV01 => Box::pin(claim::challenge(headers, body, cx)).await,
        Route::CompleteV01 => Box::pin(claim::complete_v01(headers, body, cx)).await,
        Route::Notify => Box::pin(events::notify(headers, body, cx)).await,
        Route::RevokeV01 => Box::pin(events::revoke_v01(headers, body, cx)).await,
        Route::Page(page) => Box::pin(person(page, sent, cx)).await,
        Route::Logo(which) => Box::pin(logo::serve(which, cx)).await,
        Route::Outbox => Box::pin(people::outbox(cx)).await,
        Route::EndRegistration => Box::pin(operator::end_registration(headers, body, cx)).await,
        Route::Suspend => Box::pin(operator::suspend(headers, body, true, cx)).await,
        Route::Resume => Box::pin(operator::suspend(headers, body, false, cx)).await,
        Route::Erase => Box::pin(operator::erase(headers, body, cx)).await,
        Route::Token => Box::pin(token::token(request, body, cx)).await,
        Route::Userinfo => Box::pin(userinfo::userinfo(request, cx)).await,
        Route::Push => Box::pin(authorize::push(request, body, cx)).await,
        Route::Device => Box::pin(device::begin(headers, body, cx)).await,
        Route::Introspect => Box::pin(introspect::introspect(request, body, cx)).await,
        Route::Clients => Box::pin(client::register(headers, body, cx)).await,
        Route::ClientRegistration(id) => Box::pin(client::manage(method, id, headers, body, cx)).await,
        Route::OperatorClients => Box::pin(client::all(method, headers, body, cx)).await,
        Route::OperatorClient(id) => Box::pin(client::one(method, id, headers, cx)).await,
        Route::Revoke => Box::pin(revoke::revoke(headers, body, cx)).await,
        Route::Me => Box::pin(me::me(request, cx)).await,
        Route::Api(api) => Box::pin(api::serve(api, sent, cx)).await,
        Route::OperatorKeys => Box::pin(operator::keys(headers, cx)).await,
        Route::RotateKeys => Box::pin(operator::rotate(headers, cx)).await,
        Route::RevokeKey => Box::pin(operator::revoke(headers, body, cx)).await,
        Route::Traces if method == "GET" => Box::pin(traces::list(headers, sent.query, cx)).await,
        Route::Traces => Box::pin(traces::enter(headers, body, cx)).await,
        Route::Trace(id) => Box::pin(traces::one(id, headers, cx)).await,
        Route::Mcp | Route::Unknown => Err(Refused::new(ErrorCode::NotFound, "no such path")),
    }
}

/// The pages of people.
async fn person<P: Ports>(page: Page, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let Sent { method, headers, query, body, .. } = *sent;
    match page {
        Page::PasskeyOptions => return Box::pin(people::sign_in_options(headers, cx)).await,
        Page::PasskeySignIn => return Box::pin(people::sign_in(headers, body, cx)).await,
        Page::AddPasskeyOptions => return Box::pin(people::add_options(headers, cx)).await,
        Page::AddPasskey => return Box::pin(people::add(headers, body, cx)).await,
        _ => {}
    }
    let asked = if method == "GET" { Asked::query(headers, query)? } else { Asked::form(headers, body)? };
    match page {
        Page::Login if method == "GET" => Box::pin(people::login(asked, cx)).await,
        Page::Login => Box::pin(people::send(asked, cx)).await,
        Page::LoginCode => Box::pin(people::try_code(asked, cx)).await,
        Page::LoginLink if method == "GET" => Box::pin(people::open_link(asked, cx)).await,
        Page::LoginLink => Box::pin(people::follow(asked, cx)).await,
        Page::Upstream => Box::pin(people::set_out(asked, cx)).await,
        Page::UpstreamCallback => Box::pin(people::come_back(asked, cx)).await,
        Page::UpstreamLink if method == "GET" => Box::pin(people::ask_link(asked, cx)).await,
        Page::UpstreamLink => Box::pin(people::link(asked, cx)).await,
        Page::RemoveIdentity => Box::pin(people::remove_identity(asked, cx)).await,
        Page::Logout => Box::pin(people::logout(asked, cx)).await,
        Page::Claim => Box::pin(people::claim(asked, cx)).await,
        Page::ClaimCode => Box::pin(people::claim_code(asked, cx)).await,
        Page::ClaimDeny => Box::pin(people::deny(asked, cx)).await,
        Page::Account => Box::pin(people::account(asked, cx)).await,
        Page::RevokeAgent => Box::pin(people::revoke_agent(asked, cx)).await,
        Page::RevokeAllAgents => Box::pin(people::revoke_all_agents(asked, cx)).await,
        Page::Keys if method == "GET" => Box::pin(people::new_key(asked, cx)).await,
        Page::Keys => Box::pin(people::make_key(asked, cx)).await,
        Page::RevokeKey => Box::pin(people::revoke_key(asked, cx)).await,
        Page::Agent => Box::pin(people::agent(asked, cx)).await,
        Page::SuspendAgent => Box::pin(people::suspend_agent(asked, true, cx)).await,
        Page::ResumeAgent => Box::pin(people::suspend_agent(asked, false, cx)).await,
        Page::AnswerDelegation => Box::pin(people::answer_delegation(asked, cx)).await,
        Page::RevokeAgentKey => Box::pin(people::revoke_agent_key(asked, cx)).await,
        Page::RemovePasskey => Box::pin(people::remove(asked, cx)).await,
        Page::Authorize if method == "GET" => Box::pin(authorize::authorize(asked, cx)).await,
        Page::Authorize => Ok(authorize::posted(&asked.params)),
        Page::Device if method == "GET" => Box::pin(people::device(asked, cx)).await,
        Page::Device => Box::pin(people::device_code(asked, cx)).await,
        Page::DeviceAnswer => Box::pin(people::device_answer(asked, cx)).await,
        Page::Consent => Box::pin(authorize::decide(asked, cx)).await,
        Page::RpLogout if method == "GET" => Box::pin(people::ask_logout(asked, cx)).await,
        Page::RpLogout => Box::pin(people::logged_out(asked, cx)).await,
        Page::EndConnection => Box::pin(people::end_connection(asked, cx)).await,
        Page::EndSession => Box::pin(people::end_session(asked, cx)).await,
        _ => Box::pin(people::end_other_sessions(asked, cx)).await,
    }
}

/// A preflight needs no credential and gets none.
fn options(route: Route<'_>) -> Response<Bytes> {
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let fixed = [
        ("allow", route.methods().header()),
        ("access-control-allow-methods", route.methods().header()),
        (
            "access-control-allow-headers",
            "Authorization, X-Agent-Key, DPoP, Content-Type, Accept, Idempotency-Key, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID",
        ),
        ("access-control-max-age", "86400"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The media type of a body, lower-cased, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The parameters of a form body.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<crate::oauth::params::Params, Refused> {
    if media_type(headers) != FORM {
        return Err(
            Refused::new(ErrorCode::UnsupportedMediaType, "not a form").hint("Send Content-Type: application/x-www-form-urlencoded.")
        );
    }
    Ok(crate::oauth::params::Params::parse(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_only_where_one_is_taken() {
        let takes = |method, path| wants(method, path, false).body;
        assert!(takes("POST", "/token") && takes("POST", "/mcp") && takes("PUT", "/oauth2/register/x"));
        for (method, path) in
            [("GET", "/token"), ("POST", "/"), ("POST", "/no/such/path"), ("PUT", "/token"), ("DELETE", "/oauth2/register/x")]
        {
            assert!(!takes(method, path), "{method} {path}");
        }
    }
}
