//! Tokens: got with an API key or a refresh token, asked about, given back.

use serde_json::{Value, json};

use super::super::tool::{Access, Asked, Failure, Hints, Tool};
use super::conflict;
use crate::cx::Cx;
use crate::grant::{CLIENT_CREDENTIALS, REFRESH_TOKEN};
use crate::http::api::tokens;
use crate::http::refuse::Refused;
use crate::http::{introspect, register, revoke};
use crate::id::Holder;
use crate::oauth::error::ErrorCode;
use crate::refresh::Presented;
use crate::store::Ports;

/// What every answer with a token has.
const TOKEN: &str = r#"{
    "properties": {
        "access_token": { "type": "string" },
        "token_type": { "type": "string" },
        "expires_in": { "type": "integer" },
        "scope": { "type": "string" },
        "issued_at": { "type": "string" },
        "expires_at": { "type": "string" },
        "refresh_before": { "type": "string" },
        "refresh_token": { "type": "string" }
    },
    "required": ["access_token", "token_type", "expires_in"]
}"#;

pub(super) fn tools<P: Ports>() -> Vec<Tool<P>> {
    vec![
        Tool {
            name: "authenticate",
            title: "Get an access token",
            about: "Exchanges your API key for an access token. Without scopes the token may do everything that you may. Send the key as api_key, or in the Authorization header.",
            input: r#"{
                "type": "object",
                "properties": {
                    "api_key": { "type": "string", "minLength": 1, "maxLength": 512, "writeOnly": true, "description": "Your API key." },
                    "scopes": { "type": "array", "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "What the token may do; everything that you may if absent." }
                },
                "additionalProperties": false
            }"#,
            output: TOKEN,
            hints: Hints::ADDS,
            access: Access::Open,
            run: |asked| Box::pin(authenticate(asked)),
        },
        Tool {
            name: "refresh_token",
            title: "Renew an access token",
            about: "Spends a refresh token for a new access token and the next refresh token. Keep the new one: the old one is spent.",
            input: r#"{
                "type": "object",
                "properties": {
                    "refresh_token_value": { "type": "string", "minLength": 1, "maxLength": 2048, "writeOnly": true, "description": "The newest refresh token that you were given." },
                    "client_id": { "type": "string", "minLength": 1, "maxLength": 2048, "description": "For a refresh token of an OAuth client: its client_id." }
                },
                "required": ["refresh_token_value"],
                "additionalProperties": false
            }"#,
            output: TOKEN,
            hints: Hints::ADDS,
            access: Access::Open,
            run: |asked| Box::pin(refresh(asked)),
        },
        Tool {
            name: "introspect_token",
            title: "Look at a token",
            about: "Says whether a token or API key that you hold counts, for what and how long. One that is unknown, expired, revoked, or bound to a key of somebody else is active: false.",
            input: r#"{
                "type": "object",
                "properties": { "token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "The token or API key." } },
                "required": ["token"],
                "additionalProperties": false
            }"#,
            output: r#"{
                "properties": {
                    "active": { "type": "boolean" },
                    "scope": { "type": "string" },
                    "client_id": { "type": "string" },
                    "sub": { "type": "string" },
                    "iss": { "type": "string" },
                    "token_type": { "type": "string" },
                    "token_use": { "type": "string" },
                    "iat": { "type": "integer" },
                    "exp": { "type": "integer" }
                },
                "required": ["active"]
            }"#,
            hints: Hints::READS,
            access: Access::Open,
            run: |asked| Box::pin(introspected(asked)),
        },
        Tool {
            name: "revoke_token",
            title: "Give a token back",
            about: "Ends a token, an API key, or with its identity assertion a whole registration. It answers the same whether there was anything to end or not.",
            input: r#"{
                "type": "object",
                "properties": { "token": { "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true, "description": "What is to end." } },
                "required": ["token"],
                "additionalProperties": false
            }"#,
            output: r#"{ "properties": {}, "required": [] }"#,
            hints: Hints::ENDS,
            access: Access::Open,
            run: |asked| Box::pin(revoked(asked)),
        },
    ]
}

async fn authenticate<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let key = match (asked.find("api_key"), asked.credential.as_deref()) {
        (Some(argument), Some(header)) if argument != header => return Err(conflict()),
        (Some(key), _) | (None, Some(key)) => key.to_owned(),
        (None, None) => return Err(Failure::arguments("api_key is missing")),
    };
    let scopes: Vec<&str> =
        asked.arguments.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if asked.arguments.contains_key("scopes") && scopes.is_empty() {
        return Err(Failure::arguments("scopes is empty; leave it out for everything that you may"));
    }
    unbound(&asked)?;
    by_key(&key, &scopes.join(" "), asked.cx).await.map_err(Failure::from)
}

/// A token for whoever has the API key.
pub(super) async fn by_key<P: Ports>(key: &str, scope: &str, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    granted(&[("grant_type", CLIENT_CREDENTIALS), ("client_secret", key), ("scope", scope)], cx).await
}

async fn refresh<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    unbound(&asked)?;
    let (text, cx) = (asked.text("refresh_token_value"), asked.cx);
    if let Some(presented) = Presented::parse(text, &cx.config.masters)
        && let Holder::Registration(_) = presented.holder
        && !presented.is_keyed()
    {
        return Ok(tokens::dated(register::refreshed(presented, cx).await?, cx));
    }
    let mine = asked.active().filter(|active| active.registration().is_none()).map(|active| active.client_id().to_owned());
    let client = asked.find("client_id").or(mine.as_deref()).unwrap_or_default();
    Ok(granted(&[("grant_type", REFRESH_TOKEN), ("refresh_token", text), ("client_id", client)], cx).await?)
}

async fn introspected<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    let token = asked.text("token");
    match asked.active() {
        Some(active) if asked.credential.as_deref() == Some(token) => Ok(introspect::shown(active, asked.cx)),
        caller => Ok(introspect::by_bearer(token, caller, asked.cx).await?),
    }
}

/// What is issued here is bound to no key: whoever shows one is told, instead of getting less than they think.
pub(super) fn unbound<P>(asked: &Asked<'_, P>) -> Result<(), Failure> {
    if !asked.request.headers.contains_key("dpop") {
        return Ok(());
    }
    let refused = Refused::new(ErrorCode::InvalidRequest, "a proof with a tool that issues tokens");
    Err(refused.hint("Tools issue tokens that are bound to no key. Ask the token_endpoint, with your proof.").into())
}

/// To hold a secret is to be allowed to end it: the header says who talks to us, and not whose the token is.
async fn revoked<P: Ports>(asked: Asked<'_, P>) -> Result<Value, Failure> {
    revoke::end(asked.text("token"), None, asked.cx).await?;
    Ok(json!({}))
}

/// What `/api/v1/auth/token` grants for the same parameters; empty ones are absent.
///
/// # Errors
/// As there.
pub(super) async fn granted<P: Ports>(pairs: &[(&str, &str)], cx: &Cx<'_, P>) -> Result<Value, Refused> {
    tokens::granted(&tokens::of(pairs)?, None, None, cx).await
}
