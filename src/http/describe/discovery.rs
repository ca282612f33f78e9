//! Documents that anyone may read.

use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{flag, list, named, number, object, open, text, texts, uri, word};
use crate::http::reply::{JSON, PROBLEM};
use crate::oauth::error::ErrorCode;

pub(super) fn operations() -> Vec<Operation> {
    vec![
        json_document("protectedResource", "/.well-known/oauth-protected-resource", "What a resource needs (RFC 9728)")
            .about("Without a further path it is that of the default resource. A 401 of ours points here.")
            .aliases(&[
                "/.well-known/oauth-protected-resource/mcp",
                "/.well-known/oauth-protected-resource/api/v1",
                "/mcp/.well-known/oauth-protected-resource",
                "/api/v1/.well-known/oauth-protected-resource",
            ])
            .gives("ProtectedResource", "The metadata.")
            .refuses(&[ErrorCode::NotFound])
            .answers(404, "No resource of ours has that path; below `/api/v1` as a problem.", PROBLEM, named("Problem")),
        json_document("authorizationServer", "/.well-known/oauth-authorization-server", "What this server can do (RFC 8414, auth.md)")
            .aliases(&[
                "/.well-known/oauth-authorization-server/mcp",
                "/.well-known/oauth-authorization-server/api/v1",
                "/mcp/.well-known/oauth-authorization-server",
                "/api/v1/.well-known/oauth-authorization-server",
            ])
            .gives("AuthorizationServer", "The metadata.")
            .refuses(&[ErrorCode::NotFound])
            .answers(404, "No resource of ours has that path; below `/api/v1` as a problem.", PROBLEM, named("Problem")),
        json_document("openidConfiguration", "/.well-known/openid-configuration", "The same, for OpenID Connect")
            .aliases(&[
                "/.well-known/openid-configuration/mcp",
                "/.well-known/openid-configuration/api/v1",
                "/mcp/.well-known/openid-configuration",
                "/api/v1/.well-known/openid-configuration",
            ])
            .gives("AuthorizationServer", "The metadata.")
            .refuses(&[ErrorCode::NotFound])
            .answers(404, "No resource of ours has that path; below `/api/v1` as a problem.", PROBLEM, named("Problem")),
        json_document("keys", "/.well-known/jwks.json", "The keys that tokens are signed with (RFC 7517)")
            .gives("KeySet", "The keys.")
            .stored(),
        json_document("agentConfiguration", "/.well-known/agent-configuration", "The same for clients of AgentAuth")
            .gives("AgentConfiguration", "The metadata."),
        document("home", "/", "A page for people who come by", "text/html"),
        document("authMd", "/auth.md", "The way in, in words for agents", "text/markdown"),
        document("llmsTxt", "/llms.txt", "A pointer to auth.md", "text/plain"),
        document("robotsTxt", "/robots.txt", "Nobody is kept out", "text/plain"),
        document("securityTxt", "/.well-known/security.txt", "Where to report what is wrong (RFC 9116)", "text/plain"),
        document("description", "/openapi.json", "This description", JSON),
        document("documentation", "/docs", "This description as a page", "text/html"),
    ]
}

/// Whoever has it gets 304.
pub(super) fn kept(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation::get(id, path, summary)
        .parameter("header", "If-None-Match", json!({ "type": "string" }), "The ETag of what one has.")
        .header(200, "ETag")
        .empty(304, "It is what If-None-Match names.")
        .header(304, "ETag")
}

fn json_document(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    kept(id, path, summary)
}

/// A document that is no JSON of ours.
pub(super) fn document(id: &'static str, path: &'static str, summary: &'static str, media: &'static str) -> Operation {
    let schema = if media == JSON { open(json!({ "type": "object" })) } else { json!({ "type": "string" }) };
    kept(id, path, summary).answers(200, "The document.", media, schema)
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("ProtectedResource", resource()),
        ("AuthorizationServer", server()),
        ("AgentAuth", agent_auth()),
        ("KeySet", object([("keys", list(key()))])),
        ("AgentConfiguration", agent_configuration()),
    ]
}

fn resource() -> Value {
    object([
        ("resource", uri("What a token has to be for.")),
        ("authorization_servers", list(uri(""))),
        ("scopes_supported", texts()),
        ("bearer_methods_supported", texts()),
        ("dpop_signing_alg_values_supported", texts()),
        ("resource_name", text("")),
        ("resource_logo_uri?", uri("")),
        ("logo_uri?", uri("")),
        ("resource_documentation?", uri("")),
    ])
}

/// A key of a JWK set.
fn key() -> Value {
    object([
        ("kid", text("RFC 7638 thumbprint.")),
        ("use", word(&["sig"])),
        ("alg", word(&["ES256", "RS256"])),
        ("kty", word(&["EC", "RSA"])),
        ("crv?", text("")),
        ("x?", text("")),
        ("y?", text("")),
        ("n?", text("")),
        ("e?", text("")),
    ])
}

fn server() -> Value {
    object([
        ("issuer", uri("")),
        ("token_endpoint", uri("")),
        ("revocation_endpoint", uri("")),
        ("introspection_endpoint", uri("")),
        ("jwks_uri", uri("")),
        ("scopes_supported", texts()),
        ("response_types_supported", texts()),
        ("grant_types_supported", texts()),
        ("token_endpoint_auth_methods_supported", texts()),
        ("token_endpoint_auth_signing_alg_values_supported", texts()),
        ("revocation_endpoint_auth_methods_supported", texts()),
        ("revocation_endpoint_auth_signing_alg_values_supported", texts()),
        ("introspection_endpoint_auth_methods_supported", texts()),
        ("introspection_endpoint_auth_signing_alg_values_supported", texts()),
        ("client_id_metadata_document_supported", flag("")),
        ("dpop_signing_alg_values_supported", texts()),
        ("protected_resources", list(uri(""))),
        ("resource", uri("The default resource, for clients that look for it here.")),
        ("authorization_servers", list(uri(""))),
        ("bearer_methods_supported", texts()),
        ("agent_auth", named("AgentAuth")),
        ("authorization_grant_profiles_supported?", texts()),
        ("authorization_endpoint?", uri("")),
        ("pushed_authorization_request_endpoint?", uri("")),
        ("device_authorization_endpoint?", uri("")),
        ("require_pushed_authorization_requests?", flag("")),
        ("response_modes_supported?", texts()),
        ("code_challenge_methods_supported?", texts()),
        ("authorization_response_iss_parameter_supported?", flag("")),
        ("prompt_values_supported?", texts()),
        ("request_parameter_supported?", flag("")),
        ("request_uri_parameter_supported?", flag("")),
        ("registration_endpoint?", uri("")),
        ("userinfo_endpoint?", uri("")),
        ("end_session_endpoint?", uri("")),
        ("id_token_signing_alg_values_supported?", texts()),
        ("subject_types_supported?", texts()),
        ("acr_values_supported?", texts()),
        ("claim_types_supported?", texts()),
        ("claims_supported?", texts()),
        ("claims_parameter_supported?", flag("")),
        ("backchannel_logout_supported?", flag("")),
        ("backchannel_logout_session_supported?", flag("")),
        ("service_documentation?", uri("")),
    ])
}

fn agent_auth() -> Value {
    object([
        ("skill", uri("")),
        ("identity_types_supported", texts()),
        ("identity_endpoint?", uri("")),
        ("claim_endpoint?", uri("")),
        ("events_endpoint?", uri("")),
        ("events_supported?", texts()),
        ("identity_assertion?", object([("assertion_types_supported", texts()), ("credential_types_supported", texts())])),
        ("register_uri?", uri("")),
        ("claim_uri?", uri("")),
        ("revocation_uri?", uri("")),
        ("anonymous?", object([("credential_types_supported", texts())])),
        ("spec_versions_supported", texts()),
    ])
}

/// The metadata of the server, and more.
fn agent_configuration() -> Value {
    let own = object([
        ("token_introspection_endpoint", uri("")),
        ("token_revocation_endpoint", uri("")),
        ("token_endpoint_content_types_supported", texts()),
        ("token_signing_alg_values_supported", texts()),
        (
            "token_lifetimes",
            object([("access_token_seconds", number("")), ("refresh_token_days", number("")), ("refresh_buffer_seconds", number(""))]),
        ),
        ("quickstart_endpoint", uri("")),
        ("bootstrap_endpoint", uri("")),
        ("agent_registration_endpoint", uri("")),
        ("scopes_endpoint", uri("")),
        ("policy_syntax_endpoint", uri("")),
        ("trust_levels_supported", texts()),
        ("quickstart", object([("description", text("")), ("scopes", texts()), ("next_steps", texts())])),
        ("delegation", object([("depth_semantics", word(&["absolute"])), ("depth_semantics_description", text(""))])),
        ("agent_types_supported", texts()),
        ("mcp_endpoint", uri("")),
    ]);
    let mut all = server();
    for group in ["properties", "required"] {
        match (all.get_mut(group), own.get(group)) {
            (Some(Value::Object(known)), Some(Value::Object(more))) => known.extend(more.clone()),
            (Some(Value::Array(known)), Some(Value::Array(more))) => known.extend(more.iter().cloned()),
            _ => {}
        }
    }
    all
}
