//! What agents may not do, or only so: policies, for whoever writes them and all below.

use serde_json::Value;

use super::super::tool::{Access, Asked, Failure, Hints, Tool, scope};
use crate::http::api::policies;
use crate::oauth::error::ErrorCode;
use crate::policy::{Action, Written};
use crate::store::Ports;

/// Where REST does the same.
const PATH: &str = "/api/v1/policies";
const READ: &str = "policies.read";
const WRITE: &str = "policies.write";

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "create_policy",
            title: "Write a policy",
            about: "Writes a policy that binds you and all agents below you. A deny forbids whatever else permits; an allow bounds what it is about: what no allow matches is denied there. A policy gives no right: scopes and delegations do. check_permission says what comes of it.",
            input: r#"{
                "type": "object",
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 256, "description": "What it is called." },
                    "description": { "type": "string", "maxLength": 2000, "description": "What it is for." },
                    "effect": { "type": "string", "enum": ["allow", "deny"], "description": "What it does when it matches." },
                    "subjects": { "type": "object", "description": "Whom it is about: agent_ids, agent_types, trust_levels, account, each a list; or {\"wildcard\": true}." },
                    "resources": { "type": "object", "description": "What it is about: {\"paths\": [\"/files\", \"/files/*\"]}; or {\"wildcard\": true}." },
                    "actions": { "type": "array", "minItems": 1, "maxItems": 100, "items": { "type": "string", "enum": ["read", "write", "delete", "execute", "delegate", "admin", "*"] }, "description": "What is done. None implies another." },
                    "conditions": { "type": "object", "description": "When it counts: time_window, ip_ranges, ip_allowlist, rate_limit, arguments. Always, if absent." },
                    "priority": { "type": "integer", "minimum": -1000000, "maximum": 1000000, "description": "Which of several is named; it changes no decision." },
                    "enabled": { "type": "boolean", "description": "true if absent." }
                },
                "required": ["name", "effect", "subjects", "resources", "actions"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "id": { "type": "string" },
                    "name": { "type": "string" },
                    "effect": { "type": "string", "enum": ["allow", "deny"] },
                    "subjects": { "type": "object" },
                    "resources": { "type": "object" },
                    "actions": { "type": "array", "items": { "type": "string" } },
                    "conditions": { "type": "object" },
                    "priority": { "type": "integer" },
                    "enabled": { "type": "boolean" }
                },
                "required": ["id", "name", "effect", "subjects", "resources", "actions", "enabled"]
            }"#,
            hints: Hints::ADDS,
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(create(asked)),
        },
        Tool {
            name: "list_policies",
            title: "List policies",
            about: "Lists the policies that bind you or agents below you, the highest priority first. meta.total counts them on all pages.",
            input: r#"{
                "type": "object",
                "properties": {
                    "enabled_only": { "type": "boolean", "description": "Only those that count. false if absent." },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100, "description": "At most so many; 50 if absent." },
                    "offset": { "type": "integer", "minimum": 0, "maximum": 1000000, "description": "After so many." }
                },
                "additionalProperties": false
            }"#,
            output: r#"{ "properties": { "data": { "type": "array", "items": { "type": "object" } }, "meta": { "type": "object" } }, "required": ["data", "meta"] }"#,
            hints: Hints::READS,
            access: Access::Scope(|_| scope(READ)),
            run: |asked| Box::pin(list(asked)),
        },
    ]
}

async fn create<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Write, PATH).await?;
    let code = ErrorCode::InvalidPolicy;
    let written = Written::parse(&Value::Object(asked.fields())).map_err(|fault| {
        Failure::new(code.as_str(), code.description(), &format!("Correct the arguments: {fault}. Look at {PATH}/syntax."))
    })?;
    let seed = asked.seed(&manager, "create_policy").await?;
    let mut made = policies::create(&manager, written, &seed, asked.cx).await?;
    Ok(made.get_mut("data").map(Value::take).unwrap_or_default())
}

async fn list<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(READ, Action::Read, PATH).await?;
    Ok(policies::list(&manager, asked.flag("enabled_only", false), asked.page(), asked.cx).await?)
}
