//! JSON-RPC messages and the headers that must agree with them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{LEGACY, MODERN, versions};

/// The one version whose servers must take several messages at once.
const BATCHES: &str = "2025-03-26";
/// The most messages of a batch.
const MOST: usize = 32;
const HEADER_MISMATCH: i32 = -32020;

/// Which rules a message follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// 2026-07-28.
    Modern,
    /// Earlier.
    Legacy,
}

/// What a body holds.
pub(super) enum Posted {
    /// One message.
    One(Value),
    /// Several.
    Batch(Vec<Value>),
}

/// One message.
pub(super) enum Message {
    /// Wants an answer.
    Call(Call),
    /// Wants none.
    Notification,
}

/// A request.
pub(super) struct Call {
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Map<String, Value>,
    pub(super) era: Era,
}

/// A JSON-RPC error and the status that goes with it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) code: i32,
    pub(super) message: &'static str,
    pub(super) data: Option<Value>,
}

impl Fault {
    const fn bad(code: i32, message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message, data: None }
    }

    /// The client takes no answer that we give.
    pub(super) fn not_acceptable() -> Self {
        Self { status: StatusCode::NOT_ACCEPTABLE, ..Self::bad(-32600, "Not acceptable: answers are application/json") }
    }

    /// The parameters are not those of the method.
    pub(super) const fn params(message: &'static str) -> Self {
        Self { status: StatusCode::OK, code: -32602, message, data: None }
    }

    /// No such method; the modern era says so with its status too.
    pub(super) fn unknown_method(era: Era) -> Self {
        let status = if era == Era::Modern { StatusCode::NOT_FOUND } else { StatusCode::OK };
        Self { status, code: -32601, message: "Method not found", data: None }
    }

    fn version(requested: &str) -> Self {
        let data = json!({ "supported": versions(), "requested": requested });
        Self { data: Some(data), ..Self::bad(-32022, "Unsupported protocol version") }
    }
}

/// The message or messages of a body. Several are for clients of 2025-03-26 alone, which name no version in a header.
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Posted, Fault> {
    const BROKEN: Fault = Fault::bad(-32700, "Parse error");
    if std::str::from_utf8(body).is_err() {
        return Err(BROKEN);
    }
    match serde_json::from_slice(body).map_err(|_| BROKEN)? {
        Value::Array(messages) => {
            let takes = header(headers, "mcp-protocol-version").is_none_or(|version| version == BATCHES);
            let fits = (1..=MOST).contains(&messages.len());
            if takes && fits { Ok(Posted::Batch(messages)) } else { Err(INVALID) }
        }
        message => Ok(Posted::One(message)),
    }
}

const INVALID: Fault = Fault::bad(-32600, "Invalid Request: one JSON-RPC 2.0 request or notification");

/// Reads a message; with a fault comes the id to answer under.
pub(super) fn read(headers: &HeaderMap, message: Value) -> Result<Message, (Value, Fault)> {
    let invalid = || (Value::Null, INVALID);
    let Value::Object(mut message) = message else { return Err(invalid()) };
    let known = message.get("jsonrpc").is_some_and(|version| version == "2.0");
    let Some(Value::String(method)) = message.remove("method").filter(|_| known) else { return Err(invalid()) };
    let params = match message.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err((message.remove("id").unwrap_or_default(), Fault::bad(-32602, "Invalid params: an object is expected"))),
    };
    let id = match message.remove("id") {
        None => return notification(headers, &method, &params).map(|()| Message::Notification).map_err(|fault| (Value::Null, fault)),
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        Some(_) => return Err(invalid()),
    };
    match era(headers, &method, &params) {
        Ok(era) => Ok(Message::Call(Call { id, method, params, era })),
        Err(fault) => Err((id, fault)),
    }
}

/// Reads one of several messages: a handshake is none of them.
pub(super) fn read_of_many(headers: &HeaderMap, message: Value) -> Result<Message, (Value, Fault)> {
    match read(headers, message) {
        Ok(Message::Call(call)) if call.method == "initialize" => {
            Err((call.id, Fault::bad(-32600, "Invalid Request: initialize in a batch")))
        }
        read => read,
    }
}

/// A notification may come without metadata; what it says must agree all the same.
fn notification(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<(), Fault> {
    let version = header(headers, "mcp-protocol-version");
    if let Some(unknown) = version.as_deref().filter(|version| !versions().contains(version)) {
        return Err(Fault::version(unknown));
    }
    let meta = meta(params, "protocolVersion").and_then(Value::as_str);
    let agrees =
        meta.is_none_or(|meta| version.as_deref() == Some(meta)) && header(headers, "mcp-method").is_none_or(|named| named == method);
    if agrees { Ok(()) } else { Err(Fault::bad(HEADER_MISMATCH, "The headers and the notification differ")) }
}

/// A message with protocol metadata, or a header of the modern era, follows the modern rules.
fn era(headers: &HeaderMap, method: &str, params: &Map<String, Value>) -> Result<Era, Fault> {
    let header = header(headers, "mcp-protocol-version");
    let Some(version) = meta(params, "protocolVersion").and_then(Value::as_str) else {
        return match header.as_deref() {
            Some(MODERN) => Err(Fault::bad(-32602, "Invalid params: _meta lacks io.modelcontextprotocol/protocolVersion")),
            None => Ok(Era::Legacy),
            Some(known) if LEGACY.contains(&known) => Ok(Era::Legacy),
            Some(other) => Err(Fault::version(other)),
        };
    };
    if header.as_deref() != Some(version) {
        return Err(Fault::bad(HEADER_MISMATCH, "MCP-Protocol-Version and _meta differ"));
    }
    if version != MODERN {
        return Err(Fault::version(version));
    }
    if !meta(params, "clientCapabilities").is_some_and(Value::is_object) {
        return Err(Fault::bad(-32602, "Invalid params: _meta lacks io.modelcontextprotocol/clientCapabilities"));
    }
    if self::header(headers, "mcp-method").as_deref() != Some(method) {
        return Err(Fault::bad(HEADER_MISMATCH, "Mcp-Method and method differ"));
    }
    let name = match method {
        "tools/call" | "prompts/get" => params.get("name"),
        "resources/read" => params.get("uri"),
        _ => return Ok(Era::Modern),
    };
    if self::header(headers, "mcp-name").as_deref() != name.and_then(Value::as_str) {
        return Err(Fault::bad(HEADER_MISMATCH, "Mcp-Name and the body differ"));
    }
    Ok(Era::Modern)
}

/// A field of the protocol's own metadata.
pub(super) fn meta<'a>(params: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    params.get("_meta")?.get(format!("io.modelcontextprotocol/{name}"))
}

/// A header's value; what ASCII cannot hold comes as `=?base64?…?=`.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else { return Some(value.to_owned()) };
    STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}
