//! Our own resources.

use serde_json::{Value, json};

use super::operation::{AGENT_KEY, Operation};
use super::schema::{flag, list, moment, named, number, object, open, or_null, text, texts, uri, word};
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("whoAmI", "/api/v1/auth/me", "Who am I?")
            .aliases(&["/api/v1"])
            .surface(Surface::Problem)
            .guarded()
            .security(&[AGENT_KEY])
            .refuses(&[ErrorCode::InvalidRequest])
            .gives("Me", "An agent, or a client that acts for a person."),
        Operation::post("mcp", "/mcp", "Tools for MCP clients")
            .about(
                "Model Context Protocol, streamable HTTP without sessions: 2026-07-28, where every request says who it is from in `_meta`, and the \
                 versions with a handshake. Answers are JSON, never a stream. Listing the tools, and tools that need none, work without a token; which \
                 tools there are, tools/list tells, with their schemas.",
            )
            .guarded()
            .parameter("header", "MCP-Protocol-Version", text(""), "As in the body's `_meta`; of 2026-07-28 it is needed.")
            .parameter("header", "Mcp-Method", text(""), "The method of the body; of 2026-07-28 it is needed.")
            .parameter("header", "Mcp-Name", text(""), "The tool's name, or `=?base64?…?=` around it; of 2026-07-28 it is needed with tools/call.")
            .body(JSON, named("RpcRequest"), None)
            .gives("RpcAnswer", "The answer, which may be an error too.")
            .empty(202, "A notification.")
            .answers(400, "No request, or its headers say something else.", JSON, named("RpcFault"))
            .answers(404, "There is no such method (2026-07-28).", JSON, named("RpcFault"))
            .answers(406, "Answers are JSON, and the request takes none.", JSON, named("RpcFault"))
            .refuses(&[ErrorCode::OriginNotAllowed, ErrorCode::UnsupportedMediaType]),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let id = || json!({ "type": ["string", "number", "null"] });
    let fault = object([("code", json!({ "type": "integer" })), ("message", text("")), ("data?", json!({}))]);
    let version = || json!({ "const": "2.0" });
    vec![
        (
            "Me",
            object([
                ("registration_id?", text("Of an agent.")),
                ("registration_type?", word(&["anonymous", "service_auth", "identity_assertion", "child", "personal"])),
                ("sub?", text("Of a client's token: the person, or the client itself. Of a token by delegation: who has handed on first.")),
                ("act?", named("Actor")),
                ("constraints?", named("DelegationConstraints")),
                ("client_id?", text("Of a client's token.")),
                ("status", word(&["unclaimed", "claimed", "active"])),
                ("claimed?", flag("")),
                ("scopes", texts()),
                ("management_scopes?", texts()),
                ("credential_type", word(&["access_token", "api_key"])),
                ("audience", or_null(uri(""))),
                ("expires_at", or_null(moment())),
                ("registration_expires?", or_null(moment())),
            ]),
        ),
        (
            "RpcRequest",
            json!({ "anyOf": [named("RpcMessage"), { "type": "array", "items": {}, "description": "At most 32, of 2025-03-26 alone." }] }),
        ),
        (
            "RpcMessage",
            open(object([
                ("jsonrpc", version()),
                ("method", text("server/discover, initialize, ping, tools/list, tools/call.")),
                ("id?", json!({ "type": ["string", "number"] })),
                ("params?", open(object([("_meta?", json!({})), ("name?", text("Of the tool.")), ("arguments?", json!({}))]))),
            ])),
        ),
        (
            "RpcAnswer",
            json!({ "anyOf": [named("RpcSuccess"), named("RpcFault"), list(json!({ "anyOf": [named("RpcSuccess"), named("RpcFault")] }))] }),
        ),
        ("RpcSuccess", object([("jsonrpc", version()), ("id", id()), ("result", named("RpcResult"))])),
        ("RpcFault", object([("jsonrpc", version()), ("id", id()), ("error", fault)])),
        (
            "RpcResult",
            object([
                ("resultType?", word(&["complete"])),
                ("_meta?", open(object([]))),
                ("supportedVersions?", texts()),
                ("protocolVersion?", text("")),
                ("capabilities?", open(object([]))),
                ("serverInfo?", open(object([]))),
                ("instructions?", text("")),
                ("tools?", list(open(object([("name", text("")), ("inputSchema", open(object([])))])))),
                ("ttlMs?", number("")),
                ("cacheScope?", word(&["public"])),
                ("content?", list(open(object([("type", text(""))])))),
                ("nextCursor?", text("Of the next page.")),
                ("structuredContent?", open(object([]))),
                ("isError?", flag("")),
            ]),
        ),
    ]
}
