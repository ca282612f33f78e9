//! `/mcp`: the Model Context Protocol over Streamable HTTP, without sessions, in both eras: 2026-07-28 (each request
//! speaks for itself) and the ones before (`initialize`).
//!
//! Checks come in one order: origin and host (403), credential (401), method (405), body and headers (400, 406, 415), method of the
//! message (404), scope (403).

mod door;
mod envelope;
#[cfg(feature = "conformance")]
mod fixtures;
mod tool;
mod tools;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::refuse::Refused;
use super::{guard, media_type, reply};
use crate::cx::Cx;
use crate::dpop;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use envelope::{Call, Era, Fault, Message, Posted};
use guard::Caller;
use tools::Denied;

/// The stateless era.
const MODERN: &str = "2026-07-28";
/// The eras with a handshake, newest first.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// The most messages of a batch without a credential.
const MOST_OPEN: usize = 4;
/// For how long a list of tools may be kept.
const LIST_TTL_MS: u64 = 300_000;

/// Answers a request by `method`, which is `GET` for `HEAD` too.
pub(super) async fn mcp<P: Ports>(
    request: &dpop::Request<'_>,
    method: &str,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let headers = request.headers;
    door::check(headers, cx)?;
    let nobody = !headers.contains_key(AUTHORIZATION) && is_open::<P>(method, body, cx);
    let caller = if nobody { None } else { Some(guard::caller(request, "/mcp", cx).await?) };
    #[cfg(feature = "conformance")]
    if let Some(response) = fixtures::answer(headers, method, body, cx) {
        return Ok(response);
    }
    if method != "POST" {
        return Err(Refused::new(ErrorCode::MethodNotAllowed, "wrong method").header(ALLOW, "POST, OPTIONS"));
    }
    if media_type(headers) != "application/json" {
        return Err(Refused::new(ErrorCode::UnsupportedMediaType, "not JSON").hint("Send Content-Type: application/json."));
    }
    if !door::takes_json(headers) {
        return Ok(failed(&Value::Null, &Fault::not_acceptable()));
    }
    match envelope::parse(headers, body) {
        Ok(Posted::One(message)) => one(headers, message, caller, request, cx).await,
        Ok(Posted::Batch(messages)) => many(headers, messages, caller, request, cx).await,
        Err(fault) => Ok(failed(&Value::Null, &fault)),
    }
}

/// Whether a request without a credential is answered: what it asks for is the same for everybody, or a tool that needs none. What a client
/// begins with, in either era, tells it at once to authorize, unless the operator wants otherwise: many look for the challenge there alone.
fn is_open<P: Ports>(method: &str, body: &[u8], cx: &Cx<'_, P>) -> bool {
    if method != "POST" {
        return cx.config.mcp_open_tools;
    }
    let is_open = |message: &Value| {
        let params = message.get("params").and_then(Value::as_object);
        match message.get("method").and_then(Value::as_str).unwrap_or_default() {
            "tools/list" | "ping" => true,
            "tools/call" => params.is_some_and(tools::admits::<P>),
            "initialize" | "server/discover" => cx.config.mcp_open_tools,
            method => cx.config.mcp_open_tools && method.starts_with("notifications/"),
        }
    };
    match serde_json::from_slice(body) {
        // A limit counts requests: nobody without a credential makes many of one.
        Ok(Value::Array(messages)) => (1..=MOST_OPEN).contains(&messages.len()) && messages.iter().all(is_open),
        Ok(message) => is_open(&message),
        Err(_) => false,
    }
}

async fn one<P: Ports>(
    headers: &HeaderMap,
    message: Value,
    caller: Option<Caller>,
    request: &dpop::Request<'_>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let call = match envelope::read(headers, message) {
        Ok(Message::Call(call)) => call,
        Ok(Message::Notification) => return Ok(reply::empty(StatusCode::ACCEPTED)),
        Err((id, fault)) => return Ok(failed(&id, &fault)),
    };
    match result(&call, caller, request, cx).await {
        Ok(answer) => {
            let mut response = reply::json(StatusCode::OK, &answered(&call, answer.result, cx));
            if let Some(reason) = answer.reason {
                response.extensions_mut().insert(reply::Reason(reason));
            }
            Ok(response)
        }
        Err(Denied::Fault(fault)) => Ok(failed(&call.id, &fault)),
        Err(Denied::Refused(refused)) => Err(refused),
    }
}

/// Several messages of a client of 2025-03-26, one after the other. A status would be that of all, so whatever fails is a result like others.
async fn many<P: Ports>(
    headers: &HeaderMap,
    messages: Vec<Value>,
    caller: Option<Caller>,
    request: &dpop::Request<'_>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let mut answers = Vec::new();
    for message in messages {
        let answer = match envelope::read_of_many(headers, message) {
            Ok(Message::Notification) => continue,
            Err((id, fault)) => error(&id, &fault),
            Ok(Message::Call(call)) => match result(&call, caller.clone(), request, cx).await {
                Ok(answer) => answered(&call, answer.result, cx),
                Err(Denied::Fault(fault)) => error(&call.id, &fault),
                Err(Denied::Refused(refused)) => answered(&call, failure(refused.into()).result, cx),
            },
        };
        answers.push(answer);
    }
    Ok(if answers.is_empty() { reply::empty(StatusCode::ACCEPTED) } else { reply::json(StatusCode::OK, &answers) })
}

/// A result, and for our log why it is none of success.
struct Answer {
    result: Value,
    reason: Option<String>,
}

impl From<Value> for Answer {
    fn from(result: Value) -> Self {
        Self { result, reason: None }
    }
}

async fn result<P: Ports>(call: &Call, caller: Option<Caller>, request: &dpop::Request<'_>, cx: &Cx<'_, P>) -> Result<Answer, Denied> {
    match (call.method.as_str(), call.era) {
        ("server/discover", Era::Modern) => Ok(discovered().into()),
        ("initialize", Era::Legacy) => Ok(initialize(call, &cx.config.service.name).into()),
        ("ping", Era::Legacy) => Ok(json!({}).into()),
        ("tools/list", _) => Ok(tools::list::<P>(&call.params)?.into()),
        ("tools/call", _) => Ok(match tools::call(call, caller, request, cx).await? {
            Ok(brought) => structured(brought, false).into(),
            Err(failed) => failure(failed),
        }),
        _ => Err(Fault::unknown_method(call.era).into()),
    }
}

fn failure(failed: tool::Failure) -> Answer {
    let (told, reason) = failed.into_parts();
    Answer { result: structured(told, true), reason: Some(reason) }
}

/// Older clients read the text, newer ones what has a structure.
fn structured(value: Value, is_error: bool) -> Value {
    json!({ "content": [{ "type": "text", "text": value.to_string() }], "structuredContent": value, "isError": is_error })
}

const INSTRUCTIONS: &str = "The gate of this API: agents register, get tokens and give them back. discover says what is here and needs no token; quickstart gives you a key and a token; whoami says who you are and what you may do.";

fn capabilities() -> Value {
    json!({ "tools": {} })
}

fn discovered() -> Value {
    json!({
        "supportedVersions": versions(), "capabilities": capabilities(), "instructions": INSTRUCTIONS,
        "ttlMs": LIST_TTL_MS, "cacheScope": "public",
    })
}

fn initialize(call: &Call, title: &str) -> Value {
    let asked = call.params.get("protocolVersion").and_then(Value::as_str);
    let version = LEGACY.into_iter().find(|version| Some(*version) == asked).unwrap_or(LEGACY[0]);
    json!({ "protocolVersion": version, "capabilities": capabilities(), "serverInfo": server_info(title), "instructions": INSTRUCTIONS })
}

fn versions() -> Vec<&'static str> {
    std::iter::once(MODERN).chain(LEGACY).collect()
}

fn server_info(title: &str) -> Value {
    json!({ "name": "postern", "title": title, "version": env!("CARGO_PKG_VERSION") })
}

/// A result as JSON-RPC sends it.
fn answered<P>(call: &Call, mut result: Value, cx: &Cx<'_, P>) -> Value {
    if let (Era::Modern, Value::Object(fields)) = (call.era, &mut result) {
        fields.entry("resultType").or_insert_with(|| "complete".into());
        fields.insert("_meta".to_owned(), json!({ "io.modelcontextprotocol/serverInfo": server_info(&cx.config.service.name) }));
    }
    json!({ "jsonrpc": "2.0", "id": call.id, "result": result })
}

/// An error as JSON-RPC sends it.
fn error(id: &Value, fault: &Fault) -> Value {
    let mut error = Map::from_iter([("code".to_owned(), fault.code.into()), ("message".to_owned(), fault.message.into())]);
    if let Some(data) = &fault.data {
        error.insert("data".to_owned(), data.clone());
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

fn failed(id: &Value, fault: &Fault) -> Response<Bytes> {
    let mut response = reply::json(fault.status, &error(id, fault));
    response.extensions_mut().insert(reply::Reason(format!("JSON-RPC {}: {}", fault.code, fault.message)));
    response
}
