//! Rights that one agent hands on to another.

use serde_json::{Map, Value};

use super::super::tool::{ACCESS_TOKEN, Access, Asked, Failure, Hints, Tool};
use crate::http::api::manager::Manager;
use crate::http::api::seed::Seed;
use crate::http::api::{body, delegations};
use crate::oauth::scope::Scope;
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
                    "source_delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "The delegation to you that is handed on; found by scopes if absent." },
                    "access_token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "Your token or API key, if you cannot send an Authorization header." }
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
                    "offset": { "type": "integer", "minimum": 0, "maximum": 1000000, "description": "After so many." },
                    "access_token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "Your token or API key, if you cannot send an Authorization header." }
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
                    "delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_delegations lists them." },
                    "access_token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "Your token or API key, if you cannot send an Authorization header." }
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
                    "delegation_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_delegations lists them." },
                    "access_token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "Your token or API key, if you cannot send an Authorization header." }
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

fn scope(name: &str) -> Scope {
    name.parse().unwrap_or_default()
}

/// Who asks, as by REST at the path of the record that is meant, if one is, and what follows it: policies about it count here too.
async fn manager<P: Ports>(asked: &Asked<'_, P>, scope: &str, action: Action, then: Option<&str>) -> Result<Manager, Failure> {
    let caller = asked.caller.clone().ok_or_else(|| Failure::arguments("a token is needed"))?;
    let path = then.map_or("/api/v1/delegations".to_owned(), |then| format!("/api/v1/delegations/{}{then}", asked.text("delegation_id")));
    Ok(Manager::admit(caller, scope, action, &path, asked.cx).await?)
}

async fn create<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = manager(&asked, WRITE, Action::Write, None).await?;
    let mut fields: Map<String, Value> = asked.arguments.clone();
    fields.remove(ACCESS_TOKEN);
    let sent = Value::Object(fields.clone()).to_string();
    let seed = Seed::of(&manager, asked.request.headers, "create_delegation", sent.as_bytes(), asked.cx).await?;
    Ok(delegations::create(&manager, &fields, &seed, asked.cx).await?)
}

async fn list<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = manager(&asked, READ, Action::Read, None).await?;
    let active_only = asked.arguments.get("active_only").and_then(Value::as_bool).unwrap_or(true);
    let page = (body::number(asked.arguments, "limit").unwrap_or(50), body::number(asked.arguments, "offset").unwrap_or(0));
    Ok(delegations::list(&manager, active_only, page, asked.cx).await?)
}

async fn accept<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = manager(&asked, WRITE, Action::Write, Some("/accept")).await?;
    Ok(delegations::accept(&manager, asked.text("delegation_id"), asked.cx).await?)
}

async fn revoke<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = manager(&asked, WRITE, Action::Delete, Some("")).await?;
    Ok(delegations::revoke(&manager, asked.text("delegation_id"), true, asked.cx).await?)
}
