//! Tokens by AgentAuth's paths, and scopes.

use serde_json::{Map, Value, json};

use crate::http::api::scopes::RESOLVE;
use crate::http::api::tokens::EXCHANGE;
use crate::http::describe::operation::{AGENT_KEY, Operation};
use crate::http::describe::schema::{moment, object, text};
use crate::http::describe::tokens::{ANYBODY, TOKEN_ERRORS, credentials, grant};
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

pub(in crate::http::describe) fn operations() -> Vec<Operation> {
    let both = |operation: Operation, schema: Value| operation.form(schema.clone()).body(JSON, schema, None);
    let asked = || credentials(object([("token", text("A token, or an API key.")), ("token_type_hint?", text("Makes no difference."))]));
    vec![
        both(by(Operation::post("apiToken", "/api/v1/auth/token", "Get a token"), ANYBODY), short(grant()))
            .about(
                "All that /oauth2/token grants, in AgentAuth's shape. An API key as client_secret brings everything that it may, those scopes \
                 among it that manage agents, for /api/v1, and a refresh token; that ends with the key.",
            )
            .proves(400)
            .gives("AgentToken", "A token.")
            .refuses(&TOKEN_ERRORS),
        both(by(Operation::post("apiIntrospect", "/api/v1/auth/token/introspect", "Ask whether a token counts"), &["client", "token", "dpop"]), asked())
            .about("Whoever asks shows the token itself or another credential of its agent; resource servers show their own key.")
            .proves(400)
            .gives("Introspection", "What it is; of one that does not count only that.")
            .refuses(&[ErrorCode::InvalidClient, ErrorCode::RateLimited]),
        both(by(Operation::post("apiRevoke", "/api/v1/auth/token/revoke", "End a token"), ANYBODY), asked())
            .about("Also an API key, and a refresh token with all that came of it; an access token takes its refresh token with it. An unknown token is none any more.")
            .answers(200, "It does not count any more.", JSON, object([]))
            .refuses(&[ErrorCode::InvalidClient, ErrorCode::RateLimited]),
        Operation::get("apiKeys", "/api/v1/auth/jwks", "The public keys (RFC 7517)").surface(Surface::Problem).stored().gives("KeySet", "Those of /.well-known/jwks.json."),
        Operation::get("listScopes", "/api/v1/scopes", "Which scopes there are")
            .surface(Surface::Problem)
            .gives("Scopes", "Those of the operator's resources, and those that manage agents."),
        Operation::post("resolveScopes", "/api/v1/scopes/resolve", "What wildcards stand for")
            .surface(Surface::Problem)
            .body(JSON, json!({ "anyOf": [resolvable(), resolvable().pointer("/properties/scopes")] }), None)
            .refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType])
            .refuses_as(422, &[ErrorCode::InvalidRequest])
            .gives("ResolvedScopes", "Without wildcards."),
    ]
}

fn resolvable() -> Value {
    serde_json::from_str(RESOLVE).unwrap_or_default()
}

/// Who may ask, with the key of the one that asks in a header of its own too.
fn by(operation: Operation, schemes: &[&'static str]) -> Operation {
    operation.security(schemes).security(&[AGENT_KEY]).stored()
}

/// With AgentAuth's short name of the exchange.
fn short(mut grant: Value) -> Value {
    if let Some(Value::Array(words)) = grant.pointer_mut("/properties/grant_type/enum") {
        words.push(EXCHANGE.into());
    }
    grant
}

pub(in crate::http::describe) fn schemas() -> Vec<(&'static str, Value)> {
    let token = crate::http::describe::tokens::schemas().into_iter().find(|(name, _)| *name == "Token").map(|(_, schema)| schema);
    let mut token = token.unwrap_or_default();
    if let Some(Value::Object(members)) = token.get_mut("properties") {
        let more = [("issued_at", moment()), ("expires_at", moment()), ("refresh_before", moment())];
        members.extend(more.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<Map<_, _>>());
    }
    vec![("AgentToken", token)]
}
