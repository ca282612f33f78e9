//! The thin edge: binds the core to Cloudflare Workers. All that names the platform is in here; `js/entry.js` is where requests come in.

mod account;
mod body;
mod border;
mod cell;
mod crypto;
mod isolate;
mod log;
mod mail;
mod object;
mod outbound;
mod panic;
mod platform;

use std::future::Future;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, ETAG, HOST, HeaderMap, LAST_MODIFIED, LINK, LOCATION, RETRY_AFTER, SET_COOKIE,
    WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use crate::cx::Cx;
use crate::entropy::Platform as Chance;
use crate::http::reply::{Reason, RouteName};
use crate::http::{Kept, TooLong, handle};
use crate::network::Origin;
use crate::time::Timestamp;
use crate::trace::Pending;
use border::{Visit, millis, respond, said};
use isolate::Isolate;
use platform::Platform;

/// In which the address of the client comes; the core gets it as [`Cx::origin`].
const ADDRESS: &str = "cf-connecting-ip";

/// Bits of [`wants`].
const QUERY: u32 = 1 << 1;
const HOST_NAME: u32 = 1 << 5;

/// What is looked at of a request to `path`, bit by bit: its body, its query, cookies, a proof, the program, the host.
#[wasm_bindgen]
#[must_use]
pub fn wants(method: &str, path: &str) -> u32 {
    let wants = crate::http::wants(method, path, Isolate::keeps_traces());
    let bits = [wants.body, wants.query, wants.cookies, wants.proof, wants.agent, wants.host];
    bits.iter().enumerate().fold(0, |sum, (place, wanted)| sum | (u32::from(*wanted) << place))
}

/// Every request to the deployment; the answer is a response, or the promise of one. `bits` is what it [`wants`]. `head` has a line each for the
/// name by which the log calls the request, its method, its absolute URL, and names and values of headers in turn. Whatever has not to wait for
/// anything is answered at once.
///
/// # Errors
/// The platform does not take the answer, nor that there is none.
#[wasm_bindgen]
pub fn serve(visit: Visit, env: JsValue, bits: u32, head: &[u8], body: Option<Vec<u8>>, is_too_long: bool) -> Result<JsValue, JsValue> {
    let started = now();
    let isolate = Isolate::of(&env);
    let body = if is_too_long { Err(TooLong) } else { Ok(body.map(Bytes::from).unwrap_or_default()) };
    // The entry has made these bytes of a text.
    let mut lines = std::str::from_utf8(head).unwrap_or_default().lines();
    let [id, method, url] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let (request, address) = read(bits, method, url, lines, body);
    let development = isolate.config.as_ref().is_ok_and(|config| config.development && is_loopback(url));
    let (id, method) = (id.to_owned(), method.to_owned());
    let answer = async move {
        let mut response = match &isolate.config {
            Ok(config) => {
                let ports = Platform::new(env.clone());
                let origin = address.and_then(|address| Origin::parse(&address));
                let memory = &isolate.memory;
                let cx = Cx { config, memory, ports: &ports, now: started, entropy: &Chance, origin, development, request_id: &id };
                handle(request, &cx).await
            }
            Err(faults) => misconfigured(faults),
        };
        log::request(&id, &method, &response, started.until(now()).millis());
        if let Some(step) = response.extensions_mut().remove::<Pending>() {
            let isolate = isolate.clone();
            let kept = future_to_promise(async move {
                keep(step, &isolate, Platform::new(env)).await;
                Ok(JsValue::UNDEFINED)
            });
            if let Err(error) = visit.after(&kept) {
                log::warn("trace_failed", &said(&error));
            }
        }
        if isolate.memory.turned.take() {
            visit.forget();
        }
        write(&response, &id, &visit).or_else(|error| {
            log::warn("answer_failed", &format!("{id}: {}", said(&error)));
            write(&unanswered(), &id, &visit)
        })
    };
    at_once(answer)
}

/// What is ready needs no promise.
///
/// # Errors
/// Those of `answer`: the entry answers in its place.
fn at_once(answer: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Result<JsValue, JsValue> {
    let mut answer = Box::pin(answer);
    // Whoever waits is asked again, with a waker that counts.
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Ok(future_to_promise(answer).into()),
    }
}

fn misconfigured(faults: &crate::config::Faults) -> Response<Bytes> {
    let text = "{\"error\":\"server_error\",\"error_description\":\"The deployment is misconfigured; its log says how.\"}\n";
    let mut response = Response::new(text.into());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Reason(format!("misconfigured: {faults}")));
    response
}

/// The answer to a request whose own answer the platform does not take.
fn unanswered() -> Response<Bytes> {
    let refused = b"{\"error\":\"server_error\",\"error_description\":\"Something went wrong on our side.\"}\n";
    let mut response = Response::new(Bytes::from_static(refused));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

/// After the answer.
async fn keep(step: Pending, isolate: &Isolate, ports: Platform) {
    let Ok(config) = &isolate.config else { return };
    step.write(&isolate.alone(config, &ports)).await;
}

fn now() -> Timestamp {
    // Before 1970 there was no platform.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole milliseconds since 1970")]
    Timestamp::from_millis(js_sys::Date::now() as u64)
}

/// The request as the core takes it, and the address it comes from.
fn read<'h>(
    bits: u32,
    method: &str,
    url: &str,
    mut lines: impl Iterator<Item = &'h str>,
    body: Result<Bytes, TooLong>,
) -> (Request<Result<Bytes, TooLong>>, Option<String>) {
    let target = target(url);
    let path = target.split('?').next().unwrap_or("/");
    let mut read = Request::new(body);
    // What no request can be is none that we know: both end in 404 or 405.
    *read.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or(Method::TRACE);
    *read.uri_mut() = (if bits & QUERY != 0 { target } else { path }).parse::<Uri>().unwrap_or_else(|_| Uri::from_static("/unreadable"));
    let headers = read.headers_mut();
    let mut address = None;
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        match HeaderName::from_bytes(name.as_bytes()) {
            _ if name == ADDRESS => address = Some(value.to_owned()),
            Ok(name) => put(headers, name, value),
            Err(_) => {}
        }
    }
    if bits & HOST_NAME != 0 {
        // The platform has read the host: it is part of the address.
        put(headers, HOST, host(url));
    }
    (read, address)
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

/// A value that is no header is there all the same, and wrong.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("?")));
}

/// Headers that one answer hardly shares with another: those with a nonce, a time, a count or an address of its own.
const OWN: [HeaderName; 14] = [
    ETAG,
    LINK,
    LOCATION,
    RETRY_AFTER,
    SET_COOKIE,
    WWW_AUTHENTICATE,
    CONTENT_DISPOSITION,
    LAST_MODIFIED,
    CONTENT_SECURITY_POLICY,
    HeaderName::from_static("dpop-nonce"),
    HeaderName::from_static("refresh"),
    HeaderName::from_static("x-next-cursor"),
    HeaderName::from_static("x-token-expires-in"),
    HeaderName::from_static("x-total-returned"),
];

/// The answer as the platform takes it.
fn write(response: &Response<Bytes>, id: &str, visit: &Visit) -> Result<JsValue, JsValue> {
    let headers = response.headers();
    if let Some(kept) = response.extensions().get::<Kept>() {
        let route = response.extensions().get::<RouteName>().map_or("none", |route| route.0);
        let (all, unchanged) = (lines(headers, |_| true), lines(&kept.unchanged, |_| true));
        let is_kept = visit.keep(route, &kept.etag, millis(kept.ttl.millis()), &all, &unchanged, response.body());
        is_kept.unwrap_or_else(|error| log::warn("document_not_kept", &said(&error)));
    }
    let is_own = |name: &HeaderName| OWN.contains(name) || name.as_str().contains("ratelimit");
    let mut own = lines(headers, is_own);
    for part in ["x-request-id\n", id, "\n"] {
        own.push_str(part);
    }
    respond(response.status().as_u16(), &lines(headers, |name| !is_own(name)), &own, response.body())
}

/// Names and values of some headers in turn, one a line: no header has a line break in it.
fn lines(headers: &HeaderMap, are_wanted: impl Fn(&HeaderName) -> bool) -> String {
    let mut lines = String::with_capacity(512);
    for (name, value) in headers.iter().filter(|(name, _)| are_wanted(name)) {
        let Ok(value) = value.to_str() else { continue };
        for part in [name.as_str(), "\n", value, "\n"] {
            lines.push_str(part);
        }
    }
    lines
}
