//! `POST /mcp`: the Model Context Protocol over Streamable HTTP, without sessions, in both eras: 2026-07-28 (each request
//! speaks for itself) and the ones before (`initialize`).

mod envelope;
mod tools;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::refuse::Refused;
use super::{guard, media_type, reply};
use crate::config::reader::is_loopback;
use crate::cx::Cx;
use crate::dpop;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use envelope::{Call, Era, Fault, Message};

/// The stateless era.
const MODERN: &str = "2026-07-28";
/// The eras with a handshake, newest first.
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// For how long a list of tools may be kept.
const LIST_TTL_MS: u64 = 300_000;

/// Answers one message. Every request needs a credential, whatever it asks.
pub(super) async fn mcp<P: Ports>(request: &dpop::Request<'_>, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let headers = request.headers;
    origin(headers, cx)?;
    let caller = guard::caller(request, "/mcp", cx).await?;
    if media_type(headers) != "application/json" {
        return Err(Refused::new(ErrorCode::UnsupportedMediaType, "not JSON").hint("Send Content-Type: application/json."));
    }
    let call = match envelope::read(headers, body) {
        Ok(Message::Call(call)) => call,
        Ok(Message::Notification) => return Ok(reply::empty(StatusCode::ACCEPTED)),
        Err((id, fault)) => return Ok(failed(&id, &fault)),
    };
    let result = match (call.method.as_str(), call.era) {
        ("server/discover", Era::Modern) => Ok(json!({
            "supportedVersions": versions(), "capabilities": { "tools": {} }, "instructions": INSTRUCTIONS,
            "ttlMs": LIST_TTL_MS, "cacheScope": "public",
        })),
        ("initialize", Era::Legacy) => Ok(initialize(&call, &cx.config.service.name)),
        ("ping", Era::Legacy) => Ok(json!({})),
        ("tools/list", _) => Ok(json!({ "tools": tools::list(), "ttlMs": LIST_TTL_MS, "cacheScope": "public" })),
        ("tools/call", _) => tools::call(&call, caller, cx)?,
        _ => Err(Fault::unknown_method(call.era)),
    };
    Ok(match result {
        Ok(result) => answered(&call, result, cx),
        Err(fault) => failed(&call.id, &fault),
    })
}

const INSTRUCTIONS: &str = "The gate of this API. whoami says who you are and what you may do.";

fn initialize(call: &Call, title: &str) -> Value {
    let asked = call.params.get("protocolVersion").and_then(Value::as_str);
    let version = LEGACY.into_iter().find(|version| Some(*version) == asked).unwrap_or(LEGACY[0]);
    json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": server_info(title), "instructions": INSTRUCTIONS })
}

fn versions() -> Vec<&'static str> {
    std::iter::once(MODERN).chain(LEGACY).collect()
}

fn server_info(title: &str) -> Value {
    json!({ "name": "postern", "title": title, "version": env!("CARGO_PKG_VERSION") })
}

fn answered<P>(call: &Call, mut result: Value, cx: &Cx<'_, P>) -> Response<Bytes> {
    if let (Era::Modern, Value::Object(fields)) = (call.era, &mut result) {
        fields.insert("resultType".to_owned(), "complete".into());
        fields.insert("_meta".to_owned(), json!({ "io.modelcontextprotocol/serverInfo": server_info(&cx.config.service.name) }));
    }
    reply::json(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": call.id, "result": result }))
}

fn failed(id: &Value, fault: &Fault) -> Response<Bytes> {
    let mut error = json!({ "code": fault.code, "message": fault.message });
    if let (Some(data), Value::Object(fields)) = (&fault.data, &mut error) {
        fields.insert("data".to_owned(), data.clone());
    }
    let mut response = reply::json(fault.status, &json!({ "jsonrpc": "2.0", "id": id, "error": error }));
    response.extensions_mut().insert(reply::Reason(format!("JSON-RPC {}: {}", fault.code, fault.message)));
    response
}

/// A page elsewhere must not talk to us through somebody's browser: its origin is ours, loopback or on the list.
fn origin<P>(headers: &HeaderMap, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(value) = headers.get("origin") else { return Ok(()) };
    let origin = value.to_str().unwrap_or_default();
    let listed = cx.config.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin);
    let local = url::Url::parse(origin).is_ok_and(|url| is_loopback(&url) && url.origin().ascii_serialization() == origin);
    if origin == cx.config.issuer || listed || local { Ok(()) } else { Err(Refused::new(ErrorCode::OriginNotAllowed, "foreign origin")) }
}
