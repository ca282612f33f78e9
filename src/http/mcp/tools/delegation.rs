//! Rights that one agent hands on to another.

use serde_json::Value;

use super::super::tool::{Access, Asked, Failure, Hints, Tool, scope};
use crate::http::api::delegations;
use crate::policy::Action;
use crate::store::Ports;

/// One delegation.
const DELEGATION: &str = r#"{
    "properties": {
        "id": { "type": "string" },
        "delegator_agent_id": { "type": "string" },
        "delegate_agent_id": { "type": "string" },
        "scopes": { "type": "array", "items": { "type": "string" } },
        "constraints": { "type": "object" },
        "chain_depth": { "type": "integer" },
        "max_chain_depth": { "type": "integer" },
        "chain_depth_remaining": { "type": "integer" },
        "status": { "type": "string" },
        "is_active": { "type": "boolean" }
    },
    "required": ["id", "delegator_agent_id", "delegate_agent_id", "scopes", "status"]
}"#;
/// Where REST does the same.
const PATH: &str = "/api/v1/delegations";
const WRITE: &str = "delegations.write";
const READ: &str = "delegations.read";

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "create_delegation",
            title: "Hand rights on",
            about: "Hands some of your rights, or of those that were delegated to you, on to another agent. Within your account it counts at once; an agent of another account has to accept it first. What you can do yourself stays as it is.",
            input: r#"{
                "type": "object",
                "properties": {
                    "delegate_agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Who is to have them." },
                    "scopes": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "Which: at most your own, or those of one delegation to you. Scopes that manage agents are not delegated." },
                    "constraints": { "type": "object", "description": "What that is bound to: argument to value, or to an object of eq, min, max, in, not_in; time_window; resource_prefix." },
                    "max_chain_depth": { "type": "integer", "minimum": 0, "maximum": 10, "description": "How long the whole chain may become, counted from its first hop and not from here: 1 lets nobody hand it on further. 3 if absent." },
                    "expires_in_hours": { "type": "number", "minimum": 0, "maximum": 876000, "description": "When it ends; with its source if absent, and no later than your own credential." },
                    "source_delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "The delegation to you that is handed on; found by scopes if absent." }
                },
                "required": ["delegate_agent_id", "scopes"],
                "additionalProperties": false
            }"#,
            output: DELEGATION,
            hints: Hints::ADDS,
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(create(asked)),
        },
        Tool {
            name: "list_delegations",
            title: "List delegations",
            about: "Lists what you and agents below you have delegated or been delegated. Those with status pending to you wait for accept_delegation.",
            input: r#"{
                "type": "object",
                "properties": {
                    "active_only": { "type": "boolean", "description": "Only those that count; false lists those too that wait or have ended. true if absent." },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100, "description": "At most so many; 50 if absent." },
                    "offset": { "type": "integer", "minimum": 0, "maximum": 1000000, "description": "After so many." }
                },
                "additionalProperties": false
            }"#,
            output: r#"{ "properties": { "data": { "type": "array", "items": { "type": "object" } }, "total": { "type": "integer" }, "meta": { "type": "object" } }, "required": ["data", "total", "meta"] }"#,
            hints: Hints::READS,
            access: Access::Scope(|_| scope(READ)),
            run: |asked| Box::pin(list(asked)),
        },
        Tool {
            name: "accept_delegation",
            title: "Accept a delegation",
            about: "Accepts what an agent of another account has offered to you or an agent below you. Then get a token for it with the grant agent_delegation.",
            input: r#"{
                "type": "object",
                "properties": {
                    "delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_delegations lists them." }
                },
                "required": ["delegation_id"],
                "additionalProperties": false
            }"#,
            output: DELEGATION,
            hints: Hints { idempotent: true, ..Hints::ADDS },
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(accept(asked)),
        },
        Tool {
            name: "revoke_delegation",
            title: "Take a delegation back",
            about: "Ends a delegation from or to you or an agent below you. Whatever was made of it ends with it, tokens too, and nothing else.",
            input: r#"{
                "type": "object",
                "properties": {
                    "delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_delegations lists them." }
                },
                "required": ["delegation_id"],
                "additionalProperties": false
            }"#,
            output: r#"{ "properties": { "revoked": { "type": "integer", "description": "It, and those below that your account knows." } }, "required": ["revoked"] }"#,
            hints: Hints::ENDS,
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(revoke(asked)),
        },
    ]
}

/// The path of the delegation that is meant, and what follows it.
fn of<P>(asked: &Asked<'_, P>, then: &str) -> String {
    format!("{PATH}/{}{then}", asked.text("delegation_id"))
}

async fn create<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Write, PATH).await?;
    let seed = asked.seed(&manager, "create_delegation").await?;
    Ok(delegations::create(&manager, &asked.fields(), &seed, asked.cx).await?)
}

async fn list<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(READ, Action::Read, PATH).await?;
    Ok(delegations::list(&manager, asked.flag("active_only", true), asked.page(), asked.cx).await?)
}

async fn accept<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Write, &of(&asked, "/accept")).await?;
    Ok(delegations::accept(&manager, asked.text("delegation_id"), asked.cx).await?)
}

async fn revoke<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Delete, &of(&asked, "")).await?;
    Ok(delegations::revoke(&manager, asked.text("delegation_id"), true, asked.cx).await?)
}
