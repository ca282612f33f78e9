//! The tools. For now there is one.

use serde_json::{Value, json};

use super::envelope::{Call, Fault};
use crate::cx::Cx;
use crate::http::guard::Caller;
use crate::http::me;
use crate::http::refuse::Refused;

/// The tools in a fixed order.
pub(super) fn list() -> Value {
    json!([{
        "name": "whoami",
        "title": "Who am I?",
        "description": "Says who you are here: your registration and whether a person has claimed it, or the person and the client that acts for them; your scopes, and when your credential expires.",
        "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
        "outputSchema": {
            "type": "object",
            "properties": {
                "registration_id": { "type": "string" },
                "sub": { "type": "string" },
                "client_id": { "type": "string" },
                "status": { "type": "string", "enum": ["unclaimed", "claimed", "active"] },
                "scopes": { "type": "array", "items": { "type": "string" } },
                "audience": { "type": "string" },
            },
            "required": ["status", "scopes", "audience"],
        },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    }])
}

/// Runs a tool. A missing scope is told on the HTTP level, where clients look for it.
pub(super) fn call<P>(call: &Call, caller: Caller, cx: &Cx<'_, P>) -> Result<Result<Value, Fault>, Refused> {
    let arguments = call.params.get("arguments");
    match call.params.get("name").and_then(Value::as_str) {
        Some("whoami") if arguments.is_none_or(|value| value.as_object().is_some_and(serde_json::Map::is_empty)) => {
            let answer = me::describe(&caller.needs(&cx.config.read_scope, cx)?, cx);
            Ok(Ok(json!({ "content": [{ "type": "text", "text": answer.to_string() }], "structuredContent": answer, "isError": false })))
        }
        Some("whoami") => Ok(Err(Fault::params("Invalid params: whoami takes no arguments"))),
        _ => Ok(Err(Fault::params("Invalid params: no such tool"))),
    }
}
