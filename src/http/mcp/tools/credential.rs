//! API keys of agents.

use serde_json::{Value, json};

use super::super::tool::{Access, Asked, Failure, Hints, Tool, scope};
use crate::grant::claim::merge;
use crate::http::api::credentials;
use crate::policy::Action;
use crate::store::Ports;

/// What every answer with a new key has.
const KEY: &str = r#"{
    "properties": {
        "id": { "type": "string" },
        "agent_id": { "type": "string" },
        "type": { "type": "string" },
        "prefix": { "type": "string" },
        "scopes": { "type": ["array", "null"], "items": { "type": "string" } },
        "is_valid": { "type": "boolean" },
        "raw_key": { "type": "string" },
        "old_credential_id": { "type": "string" }
    },
    "required": ["id", "agent_id", "raw_key"]
}"#;
/// Where REST does the same.
const PATH: &str = "/api/v1/credentials";
const WRITE: &str = "credentials.write";
const READ: &str = "credentials.read";

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "create_credential",
            title: "Make an API key",
            about: "Makes an API key for you or an agent below you, for no more than your own credential is good for. Keep raw_key: it is shown once.",
            input: r#"{
                "type": "object",
                "properties": {
                    "agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Whose it is to be: you, or an agent below you." },
                    "scopes": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "No more may be done with it; may end in .* (files.*). All that your own credential is good for if absent." },
                    "expires_at": { "type": "string", "minLength": 20, "maxLength": 40, "description": "ISO 8601 with a time zone. If absent, or if your own credential ends earlier: when that ends, if ever." },
                    "token_lifetime_seconds": { "type": "integer", "minimum": 60, "maximum": 86400, "description": "How long its access tokens live." }
                },
                "required": ["agent_id"],
                "additionalProperties": false
            }"#,
            output: KEY,
            hints: Hints::ADDS,
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(create(asked)),
        },
        Tool {
            name: "rotate_credential",
            title: "Rotate an API key",
            about: "Puts a new API key in the place of one of yours or of an agent below you. The old key and its tokens are dead at once. Keep raw_key: it is shown once.",
            input: r#"{
                "type": "object",
                "properties": {
                    "credential_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_credentials lists them." }
                },
                "required": ["credential_id"],
                "additionalProperties": false
            }"#,
            output: KEY,
            hints: Hints { idempotent: false, ..Hints::ENDS },
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| Box::pin(rotate(asked)),
        },
        Tool {
            name: "revoke_credential",
            title: "End an API key",
            about: "Ends an API key of yours or of an agent below you, with its tokens. That is final.",
            input: r#"{
                "type": "object",
                "properties": {
                    "credential_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Which one; list_credentials lists them." }
                },
                "required": ["credential_id"],
                "additionalProperties": false
            }"#,
            output: r#"{ "properties": { "data": { "type": "object" }, "meta": { "type": "object" } }, "required": ["data", "meta"] }"#,
            hints: Hints::ENDS,
            access: Access::Scope(|_| scope(WRITE)),
            run: |asked| {
                Box::pin(async move {
                    let manager = asked.manager(WRITE, Action::Delete, &of(&asked, "")).await?;
                    Ok(credentials::revoke(&manager, asked.text("credential_id"), asked.cx).await?)
                })
            },
        },
        Tool {
            name: "list_credentials",
            title: "List API keys",
            about: "Lists your API keys and those of agents below you, without the keys themselves.",
            input: r#"{
                "type": "object",
                "properties": {
                    "agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Only those of this agent." },
                    "include_revoked": { "type": "boolean", "description": "Those too that were revoked." },
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

/// The path of the key that is meant, and what follows it.
fn of<P>(asked: &Asked<'_, P>, then: &str) -> String {
    format!("{PATH}/{}{then}", asked.text("credential_id"))
}

async fn create<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Write, PATH).await?;
    let seed = asked.seed(&manager, "create_credential").await?;
    Ok(flat(credentials::create(&manager, &asked.fields(), &seed, asked.cx).await?, "credential", Value::Null))
}

async fn rotate<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(WRITE, Action::Write, &of(&asked, "/rotate")).await?;
    let seed = asked.seed(&manager, "rotate_credential").await?;
    let answer = credentials::rotate(&manager, asked.text("credential_id"), &seed, asked.cx).await?;
    Ok(flat(answer, "new_credential", json!({ "old_credential_id": asked.text("credential_id") })))
}

async fn list<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let manager = asked.manager(READ, Action::Read, PATH).await?;
    let include_revoked = asked.flag("include_revoked", false);
    Ok(credentials::list(&manager, asked.find("agent_id"), include_revoked, asked.page(), asked.cx).await?)
}

/// The credential with its key beside its members.
fn flat(mut answer: Value, name: &str, more: Value) -> Value {
    let mut credential = answer.get_mut(name).map(Value::take).unwrap_or_default();
    let key = answer.get_mut("raw_key").map(Value::take).unwrap_or_default();
    merge(&mut credential, json!({ "raw_key": key }));
    if more.is_object() {
        merge(&mut credential, more);
    }
    credential
}
