//! A person takes over what an agent has registered: the agent's side.

use serde_json::{Value, json};

use super::super::tool::{Access, Asked, Failure, Hints, Tool};
use super::token;
use crate::grant::CLAIM;
use crate::grant::claim::merge;
use crate::http::{claim, reply};
use crate::machine::registration::claim::INTERVAL;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "claim",
            title: "Ask a person to take you over",
            about: "Starts an attempt: your person opens verification_uri, signs in with the address of login_hint and types user_code. Then ask claim_status, no more often than every interval seconds.",
            input: r#"{
                "type": "object",
                "properties": {
                    "claim_token": { "type": "string", "minLength": 1, "maxLength": 512, "writeOnly": true, "description": "From your registration." },
                    "login_hint": { "type": "string", "minLength": 3, "maxLength": 320, "description": "The e-mail address of your person." }
                },
                "required": ["claim_token", "login_hint"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "registration_id": { "type": "string" },
                    "claim_attempt_id": { "type": "string" },
                    "status": { "type": "string" },
                    "expires_at": { "type": "string" },
                    "claim_attempt": { "type": "object" }
                },
                "required": ["registration_id"]
            }"#,
            hints: Hints::ADDS,
            access: Access::Open,
            run: |asked| Box::pin(started(asked)),
        },
        Tool {
            name: "claim_status",
            title: "Has the person confirmed?",
            about: "pending until your person has answered; then claimed, with your new identity, refresh token and access token. Nothing of before works after that: keep the new ones.",
            input: r#"{
                "type": "object",
                "properties": { "claim_token": { "type": "string", "minLength": 1, "maxLength": 512, "writeOnly": true, "description": "From your registration." } },
                "required": ["claim_token"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "status": { "type": "string", "enum": ["pending", "claimed"] },
                    "interval": { "type": "integer" },
                    "registration_id": { "type": "string" },
                    "identity_assertion": { "type": "string" },
                    "access_token": { "type": "string" },
                    "token_type": { "type": "string" },
                    "expires_in": { "type": "integer" },
                    "scope": { "type": "string" }
                },
                "required": ["status"]
            }"#,
            hints: Hints { idempotent: true, ..Hints::ADDS },
            access: Access::Open,
            run: |asked| Box::pin(status(asked)),
        },
    ]
}

async fn started<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let body = Value::Object(asked.arguments.clone()).to_string();
    let answer = claim::start(asked.request.headers, body.as_bytes(), asked.cx).await?;
    Ok(reply::value(&answer))
}

async fn status<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    match token::granted(&[("grant_type", CLAIM), ("claim_token", asked.text("claim_token"))], asked.cx).await {
        Ok(mut answer) => {
            merge(&mut answer, json!({ "status": "claimed" }));
            Ok(answer)
        }
        Err(refused) if refused.code() == ErrorCode::AuthorizationPending => Ok(json!({ "status": "pending", "interval": INTERVAL })),
        Err(refused) => Err(refused.into()),
    }
}
