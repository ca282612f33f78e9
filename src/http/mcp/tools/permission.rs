//! Whether something would be allowed, and why.

use serde_json::Value;

use super::super::tool::{Access, Asked, Failure, Hints, Tool, scope};
use crate::http::api::evaluate;
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![Tool {
        name: "check_permission",
        title: "Would this be allowed?",
        about: "Says whether you, or an agent below you, may do something, and why: which policy denies or was needed, which delegation gives the right, which scope is missing. A policy alone gives no right. It changes nothing; what it answers is what would be done.",
        input: r#"{
            "type": "object",
            "properties": {
                "agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Who would do it: yourself or an agent below you." },
                "action": { "type": "string", "enum": ["read", "write", "delete", "execute", "delegate", "admin"], "description": "What would be done." },
                "resource": { "type": "string", "minLength": 1, "maxLength": 2048, "description": "The path of what it would be done to: /files/a." },
                "scope": { "type": "string", "minLength": 1, "maxLength": 128, "description": "The scope that the resource needs, if it is not the one that follows from its path: files.read." },
                "context": {
                    "type": "object",
                    "properties": {
                        "ip": { "type": "string", "minLength": 2, "maxLength": 45, "description": "From where; used only for another agent than you." },
                        "arguments": { "type": "object", "description": "With which arguments." }
                    },
                    "additionalProperties": false,
                    "description": "In which circumstances."
                }
            },
            "required": ["agent_id", "action", "resource"],
            "additionalProperties": false
        }"#,
        output: r#"{
            "properties": {
                "allowed": { "type": "boolean" },
                "effect": { "type": "string", "enum": ["allow", "deny"] },
                "matching_policy_id": { "type": ["string", "null"], "description": "The policy that denies, or the allow that was needed." },
                "matching_policy_name": { "type": ["string", "null"] },
                "delegation_id": { "type": ["string", "null"], "description": "The delegation that gives the right, or whose chain failed." },
                "failed_delegation_id": { "type": ["string", "null"] },
                "missing_scope": { "type": ["string", "null"], "description": "The scope that nothing covers." },
                "delegation_chain": { "type": "array", "items": { "type": "string" } },
                "violations": { "type": "array", "items": { "type": "object" } },
                "reason": { "type": "string" }
            },
            "required": ["allowed", "effect", "reason"]
        }"#,
        hints: Hints::READS,
        access: Access::Scope(|_| scope(evaluate::NEEDS)),
        run: |asked| Box::pin(check(asked)),
    }]
}

async fn check<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    Ok(evaluate::by(asked.known()?, asked.fields(), asked.cx).await?)
}
