//! What there is here, and who asks.

use serde_json::Value;

use super::super::tool::{Access, Asked, Failure, Hints, Tool};
use crate::http::{discovery, me};
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "discover",
            title: "What is here?",
            about: "Gives the configuration of this auth server: its endpoints, grants, scopes and lifetimes. Look here first; it needs no token.",
            input: r#"{ "type": "object", "properties": {}, "additionalProperties": false }"#,
            output: r#"{ "properties": { "issuer": { "type": "string" }, "token_endpoint": { "type": "string" } }, "required": ["issuer", "token_endpoint"] }"#,
            hints: Hints::READS,
            access: Access::Open,
            run: |asked| Box::pin(async move { Ok(discovery::agent_configuration(asked.cx)) }),
        },
        Tool {
            name: "whoami",
            title: "Who am I?",
            about: "Says who you are here: your registration and whether a person has claimed it, or the person and the client that acts for them; your scopes, and when your credential expires.",
            input: r#"{ "type": "object", "properties": {}, "additionalProperties": false }"#,
            output: r#"{
                "properties": {
                    "registration_id": { "type": "string" },
                    "sub": { "type": "string" },
                    "client_id": { "type": "string" },
                    "status": { "type": "string", "enum": ["unclaimed", "claimed", "active"] },
                    "scopes": { "type": "array", "items": { "type": "string" } },
                    "audience": { "type": "string" }
                },
                "required": ["status", "scopes", "audience"]
            }"#,
            hints: Hints::READS,
            access: Access::Scope(|config| config.read_scope.clone()),
            run: |asked| Box::pin(async move { whoami(&asked) }),
        },
    ]
}

fn whoami<P>(asked: &Asked<'_, P>) -> Result<Value, Failure> {
    let caller = asked.caller.as_ref().ok_or_else(|| Failure::arguments("a token is needed"))?;
    Ok(me::describe(caller, asked.cx))
}
