//! The thin edge: binds the core to Cloudflare Workers. All that names `worker` is in here.

mod account;
mod body;
mod cell;
mod crypto;
mod isolate;
mod log;
mod mail;
mod outbound;
mod platform;

use http::header::{ACCEPT, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use wasm_bindgen::JsCast;
use worker::web_sys;
use worker::{Context, Env, event};

use crate::cx::Cx;
use crate::dpop;
use crate::entropy::{Entropy, Platform as Chance};
use crate::http::{TooLong, handle, takes_agent, takes_body, takes_cookies, takes_host, takes_proof, takes_query};
use crate::network::Origin;
use crate::time::Timestamp;
use crate::trace::Pending;
use isolate::Isolate;
use platform::Platform;

/// The headers that the core looks at; nothing else crosses into it.
const HEADERS: [&str; 9] = [
    "authorization",
    "x-agent-key",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "origin",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
];

/// What a person's browser says of itself, for the paths that pages are at.
const BROWSER: [&str; 5] = ["cookie", "sec-fetch-site", "user-agent", "x-csrf", "accept"];

/// What comes with an access token that is bound to a key, and which program sends it.
const PROVING_AGENT: [&str; 2] = [dpop::PROOF, "user-agent"];

/// Every request to the deployment.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let started = now();
    let id = request_id();
    let isolate = Isolate::of(&env);
    let mut response = match &isolate.config {
        Ok(config) => {
            let ports = Platform::new(env.clone());
            let origin = header(&request, "cf-connecting-ip").and_then(|address| Origin::parse(&address));
            let development = config.development && is_loopback(&request.url());
            let cx =
                Cx { config, memory: &isolate.memory, ports: &ports, now: started, entropy: &Chance, origin, development, request_id: &id };
            handle(read(&request, config.trace).await, &cx).await
        }
        Err(faults) => {
            let mut response = Response::new(
                "{\"error\":\"server_error\",\"error_description\":\"The deployment is misconfigured; its log says how.\"}\n".into(),
            );
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
            response.extensions_mut().insert(crate::http::reply::Reason(format!("misconfigured: {faults}")));
            response
        }
    };
    log::request(&id, &request.method(), &response, started.until(now()).millis());
    if let Some(step) = response.extensions_mut().remove::<Pending>() {
        context.wait_until(async move { keep(step, &isolate, Platform::new(env)).await });
    }
    write(response, &id)
}

/// After the answer.
async fn keep(step: Pending, isolate: &Isolate, ports: Platform) {
    let Ok(config) = &isolate.config else { return };
    let cx = Cx {
        config,
        memory: &isolate.memory,
        ports: &ports,
        now: now(),
        entropy: &Chance,
        origin: None,
        development: false,
        request_id: "",
    };
    step.write(&cx).await;
}

fn now() -> Timestamp {
    Timestamp::from_millis(worker::Date::now().as_millis())
}

fn request_id() -> String {
    let mut bytes = [0; 8];
    // Only a name for the log: without randomness it is all zeros.
    let _ = Chance.fill(&mut bytes);
    crate::master::hex(&bytes)
}

fn header(request: &web_sys::Request, name: &str) -> Option<String> {
    request.headers().get(name).ok().flatten()
}

async fn read(request: &web_sys::Request, trace: bool) -> Request<Result<bytes::Bytes, TooLong>> {
    let url = request.url();
    let target = target(&url);
    let path = target.split('?').next().unwrap_or("/");
    let method = request.method();
    let body = if takes_body(&method, path) { body::read(request).await } else { Ok(bytes::Bytes::new()) };
    let more: &[&'static str] = match (takes_cookies(path), takes_proof(path), takes_agent(path, trace)) {
        (true, ..) => &BROWSER,
        (false, true, true) => &PROVING_AGENT,
        (false, true, false) => &PROVING_AGENT[..1],
        (false, false, true) => &PROVING_AGENT[1..],
        (false, false, false) => &[],
    };
    let mut read = Request::new(body);
    // What no request can be is none that we know: both end in 404 or 405.
    *read.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or(Method::TRACE);
    *read.uri_mut() = (if takes_query(path) { target } else { path }).parse::<Uri>().unwrap_or_else(|_| Uri::from_static("/unreadable"));
    *read.headers_mut() = headers(request, more);
    if takes_host(path) {
        // The platform has read the host: it is part of the address.
        put(read.headers_mut(), HOST, Some(host(&url).to_owned()));
        put(read.headers_mut(), ACCEPT, header(request, "accept"));
        #[cfg(feature = "conformance")]
        put(read.headers_mut(), HeaderName::from_static("last-event-id"), header(request, "last-event-id"));
    }
    read
}

/// The host of the request is this machine: one leg of development, which this can only close.
fn is_loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| crate::config::reader::is_loopback(&url))
}

/// Host and port of an absolute URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Path and query of an absolute URL, as the client wrote them.
fn target(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    target.split('#').next().unwrap_or("/")
}

fn headers(request: &web_sys::Request, more: &[&'static str]) -> HeaderMap {
    let given = request.headers();
    let mut headers = HeaderMap::new();
    for name in HEADERS.iter().chain(more) {
        put(&mut headers, HeaderName::from_static(name), given.get(name).ok().flatten());
    }
    headers
}

/// A value that is no header is there all the same, and wrong.
fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<String>) {
    if let Some(value) = value {
        headers.insert(name, HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("?")));
    }
}

/// Status and headers cross as one string: each call across the border costs more than reading it on the other side.
fn write(response: Response<bytes::Bytes>, id: &str) -> worker::Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let mut headers: Vec<(&str, &str)> =
        parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    headers.push(("x-request-id", id));
    let init = serde_json::json!({ "status": parts.status.as_u16(), "headers": headers }).to_string();
    let init: web_sys::ResponseInit = js_sys::JSON::parse(&init)?.unchecked_into();
    let response = if body.is_empty() {
        web_sys::Response::new_with_opt_str_and_init(None, &init)
    } else {
        web_sys::Response::new_with_opt_js_u8_array_and_init(Some(&js_sys::Uint8Array::from(&body[..])), &init)
    };
    Ok(response?)
}
