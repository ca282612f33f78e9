//! Coming in: an identity, and with `quickstart` a key and a token at once.

use serde_json::{Value, json};

use super::super::tool::{Access, Asked, Failure, Hints, Tool};
use super::token;
use crate::grant::claim::merge;
use crate::http::{register, reply};
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "quickstart",
            title: "Register and get a token",
            about: "Registers you as a new agent and gives you an API key and an access token, in one step and without a person. Keep the api_key: it is shown once.",
            input: r#"{
                "type": "object",
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 255, "description": "What you are called." },
                    "agent_type": { "type": "string", "enum": ["orchestrator", "autonomous", "assistant", "tool"], "description": "What kind of agent you are." },
                    "description": { "type": "string", "maxLength": 2000, "description": "What you do." }
                },
                "required": ["name", "agent_type"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "agent": { "type": "object" },
                    "api_key": { "type": "string" },
                    "api_key_prefix": { "type": "string" },
                    "access_token": { "type": "string" },
                    "token_type": { "type": "string" },
                    "expires_in": { "type": "integer" },
                    "expires_at": { "type": "string" },
                    "refresh_before": { "type": "string" },
                    "claim_token": { "type": "string" }
                },
                "required": ["agent", "api_key"]
            }"#,
            hints: Hints::ADDS,
            access: Access::Open,
            run: |asked| Box::pin(quickstart(asked)),
        },
        Tool {
            name: "register",
            title: "Register",
            about: "Registers you as auth.md describes. anonymous: you get an identity_assertion to exchange for tokens, and a claim_token with which a person can take you over. service_auth: for the person whose address is login_hint; nothing works before they confirm.",
            input: r#"{
                "type": "object",
                "properties": {
                    "type": { "type": "string", "enum": ["anonymous", "service_auth"], "description": "anonymous if absent." },
                    "login_hint": { "type": "string", "minLength": 3, "maxLength": 320, "description": "For service_auth: the e-mail address of your person." },
                    "agent": { "type": "string", "minLength": 1, "maxLength": 200, "description": "What you are called." }
                },
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "registration_id": { "type": "string" },
                    "identity_assertion": { "type": "string" },
                    "assertion_expires": { "type": "string" },
                    "claim_token": { "type": "string" },
                    "claim_url": { "type": "string" }
                },
                "required": ["registration_expires"]
            }"#,
            hints: Hints::ADDS,
            access: Access::Open,
            run: |asked| Box::pin(registered(asked)),
        },
    ]
}

async fn quickstart<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    token::unbound(&asked)?;
    let mut answer = register::quickstart(asked.arguments, asked.request.headers, asked.cx).await?.answer;
    // AgentAuth's tool has the token's members beside those of the agent.
    let token = answer.as_object_mut().and_then(|fields| fields.remove("token")).unwrap_or_default();
    merge(&mut answer, token);
    Ok(answer)
}

async fn registered<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let mut body = json!({ "type": "anonymous" });
    merge(&mut body, Value::Object(asked.arguments.clone()));
    let answer = register::identity(asked.request.headers, body.to_string().as_bytes(), asked.cx).await?;
    Ok(reply::value(&answer))
}
