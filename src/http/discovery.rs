//! Metadata for machines. Only what works is advertised.

use serde_json::{Value, json};

use super::FORM;
use super::refuse::Refused;
use super::register::ID_JAG;
use crate::client::assertion::ALGORITHMS;
use crate::client::terms::OPENID_SCOPES;
use crate::config::Resource;
use crate::cx::Cx;
use crate::grant::client::METHODS;
use crate::grant::grant_types;
use crate::jose::dpop;
use crate::keys;
use crate::machine::family;
use crate::oauth::management;
use crate::oauth::scope::Scope;
use crate::oidc;
use crate::provider::event;
use crate::store::Ports;
use crate::tenant::{AgentType, TrustLevel};
use crate::time::Ttl;

/// MCP's Enterprise-Managed Authorization.
const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// What ID tokens and userinfo say.
const CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "sid",
    "email",
    "email_verified",
    "name",
    "picture",
];

/// Clients do well to get a new token so long before the old one's end.
pub(super) const REFRESH_BUFFER: Ttl = Ttl::from_seconds(60);

/// Our own resources: one service, which accepts tokens for either.
pub(super) const OWN: [&str; 2] = ["/mcp", "/api/v1"];

/// RFC 9728, section 2, for the resource of ours at `path`, or for the default resource.
pub(super) fn protected_resource<P>(path: &str, cx: &Cx<'_, P>) -> Option<Value> {
    let resource = if path.is_empty() { cx.config.default_resource() } else { ours(path, cx) }?;
    let mut document = json!({
        "resource": resource.uri,
        "authorization_servers": [cx.config.issuer],
        "scopes_supported": list(&resource.scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
        "resource_name": resource.name.as_ref().unwrap_or(&cx.config.service.name),
    });
    optional(&mut document, "resource_logo_uri", resource.logo.as_deref());
    optional(&mut document, "logo_uri", resource.logo.as_deref());
    optional(&mut document, "resource_documentation", resource.documentation.as_deref());
    Some(document)
}

/// RFC 8414, section 2, with the `agent_auth` block of auth.md.
pub(super) fn authorization_server<P>(path: &str, cx: &Cx<'_, P>) -> Option<Value> {
    if !path.is_empty() {
        ours(path, cx)?;
    }
    let config = cx.config;
    let resource = config.default_resource()?;
    let mut document = json!({
        "issuer": config.issuer,
        "token_endpoint": config.own("/oauth2/token"),
        "revocation_endpoint": config.own("/oauth2/revoke"),
        "introspection_endpoint": config.own("/oauth2/introspect"),
        "jwks_uri": config.own("/.well-known/jwks.json"),
        "scopes_supported": list(&config.scopes_supported),
        "response_types_supported": if config.mail.is_some() { json!(["code"]) } else { json!([]) },
        "grant_types_supported": grant_types(config),
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": METHODS.iter().filter(|method| **method != "none").collect::<Vec<_>>(),
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "client_id_metadata_document_supported": true,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
        "protected_resources": config.resources.iter().map(|resource| &resource.uri).collect::<Vec<_>>(),
        "resource": resource.uri,
        "authorization_servers": [config.issuer],
        "bearer_methods_supported": ["header"],
        "agent_auth": agent_auth(cx),
    });
    if config.identity_assertion {
        add(&mut document, "authorization_grant_profiles_supported", json!([ID_JAG_PROFILE]));
    }
    if config.mail.is_some() {
        add(&mut document, "authorization_endpoint", config.own("/oauth2/authorize").into());
        add(&mut document, "pushed_authorization_request_endpoint", config.own("/oauth2/par").into());
        add(&mut document, "device_authorization_endpoint", config.own("/oauth2/device_authorization").into());
        add(&mut document, "require_pushed_authorization_requests", false.into());
        add(&mut document, "response_modes_supported", json!(["query"]));
        add(&mut document, "code_challenge_methods_supported", json!(["S256"]));
        add(&mut document, "authorization_response_iss_parameter_supported", true.into());
        add(&mut document, "prompt_values_supported", json!(["none", "login", "consent", "select_account", "create"]));
        add(&mut document, "request_parameter_supported", false.into());
        add(&mut document, "request_uri_parameter_supported", true.into());
    }
    let registration = (config.limits.clients_per_deployment > 0).then(|| config.own("/oauth2/register"));
    optional(&mut document, "registration_endpoint", registration.as_deref());
    if config.openid {
        openid(&mut document, cx);
    }
    optional(&mut document, "service_documentation", config.service.documentation.as_deref());
    Some(document)
}

/// `/.well-known/openid-configuration` (OpenID Connect Discovery, section 3): the same document, if there are people to be known.
pub(super) async fn openid_configuration<P: Ports>(path: &str, cx: &Cx<'_, P>) -> Option<Value> {
    let document = authorization_server(path, cx).filter(|_| cx.config.openid)?;
    // Whoever reads this looks at the keys next.
    oidc::prepare(cx).await;
    Some(document)
}

fn openid<P>(document: &mut Value, cx: &Cx<'_, P>) {
    let config = cx.config;
    let scopes: Vec<&str> = config.scopes_supported.iter().chain(OPENID_SCOPES).collect();
    for (name, value) in [
        ("scopes_supported", json!(scopes)),
        ("userinfo_endpoint", config.own("/oauth2/userinfo").into()),
        ("end_session_endpoint", config.own("/oauth2/logout").into()),
        ("id_token_signing_alg_values_supported", json!(["RS256", "ES256"])),
        ("subject_types_supported", json!(["public", "pairwise"])),
        ("acr_values_supported", json!([oidc::ACR_OTHER, oidc::ACR_PASSKEY])),
        ("claim_types_supported", json!(["normal"])),
        ("claims_supported", json!(CLAIMS)),
        ("claims_parameter_supported", false.into()),
        ("backchannel_logout_supported", true.into()),
        ("backchannel_logout_session_supported", true.into()),
    ] {
        add(document, name, value);
    }
}

fn agent_auth<P>(cx: &Cx<'_, P>) -> Value {
    let (config, dialects) = (cx.config, cx.config.dialects);
    let (newer, any) = (dialects.newer(), dialects.any());
    let on = [("anonymous", config.anonymous), ("identity_assertion", vouched(cx)), ("service_auth", config.service_auth)];
    let types: Vec<&str> = on.into_iter().filter(|(_, on)| *on && any).map(|(typ, _)| typ).collect();
    let mut block = json!({ "skill": config.own("/auth.md"), "identity_types_supported": types });
    let claims = config.mail.is_some();
    if newer {
        optional(&mut block, "identity_endpoint", Some(&config.own("/agent/identity")));
        let claim = claims.then(|| config.own("/agent/identity/claim"));
        optional(&mut block, "claim_endpoint", claim.as_deref());
    }
    if config.identity_assertion {
        optional(&mut block, "events_endpoint", Some(&config.own("/agent/event/notify")));
        add(&mut block, "events_supported", json!(event::REVOKED));
    }
    if vouched(cx) && any {
        let types = [(ID_JAG, config.identity_assertion), ("verified_email", dialects.v01 && config.service_auth)];
        let types: Vec<&str> = types.into_iter().filter(|(_, on)| *on).map(|(typ, _)| typ).collect();
        let credentials: &[&str] = if dialects.v01 { &["access_token", "api_key"] } else { &["access_token"] };
        let assertion = json!({ "assertion_types_supported": types, "credential_types_supported": credentials });
        add(&mut block, "identity_assertion", assertion);
    }
    if dialects.v01 {
        optional(&mut block, "register_uri", Some(&config.own("/agent/auth")));
        let claim = claims.then(|| config.own("/agent/auth/claim"));
        optional(&mut block, "claim_uri", claim.as_deref());
        let revocation = config.identity_assertion.then(|| config.own("/agent/auth/revoke"));
        optional(&mut block, "revocation_uri", revocation.as_deref());
        if config.anonymous {
            add(&mut block, "anonymous", json!({ "credential_types_supported": ["api_key"] }));
        }
    }
    let versions = [("0.7", dialects.v07), ("0.6", dialects.v07), ("authkit", dialects.authkit), ("0.1", dialects.v01)];
    let versions: Vec<&str> = versions.into_iter().filter(|(_, on)| *on).map(|(version, _)| version).collect();
    add(&mut block, "spec_versions_supported", json!(versions));
    block
}

/// Whether an assertion of any type can be registered with; in auth.md v0.1 an address is one too.
fn vouched<P>(cx: &Cx<'_, P>) -> bool {
    cx.config.identity_assertion || (cx.config.dialects.v01 && cx.config.service_auth)
}

/// What access tokens say.
const TOKEN_CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "jti",
    "iat",
    "exp",
    "scope",
    "registration",
    "generation",
    "credential",
    "cnf",
    "act",
    "origins",
    "constraints",
    "status",
];

/// `/.well-known/agent-configuration`: the metadata of the authorization server, and what is in AgentAuth's words alone, as far as it works.
pub(super) fn agent_configuration<P>(cx: &Cx<'_, P>) -> Value {
    let config = cx.config;
    let mut document = authorization_server("", cx).unwrap_or_else(|| json!({ "issuer": config.issuer }));
    let known = document.get("claims_supported").and_then(Value::as_array).cloned().unwrap_or_default();
    let claims = known.into_iter().chain(TOKEN_CLAIMS.into_iter().filter(|claim| !CLAIMS.contains(claim)).map(Value::from));
    let claims: Vec<Value> = if config.openid { claims.collect() } else { TOKEN_CLAIMS.into_iter().map(Value::from).collect() };
    let known = document.get("scopes_supported").and_then(Value::as_array).cloned().unwrap_or_default();
    let scopes: Vec<Value> = known.into_iter().chain(management::SCOPES.iter().map(|(name, ..)| Value::from(*name))).collect();
    let starter: Vec<&str> = list(config.pre_claim_scopes.as_scope())
        .into_iter()
        .chain(management::SCOPES.iter().filter(|(.., open)| *open).map(|(name, ..)| *name))
        .collect();
    for (name, value) in [
        ("token_endpoint", config.own("/api/v1/auth/token").into()),
        ("token_introspection_endpoint", config.own("/api/v1/auth/token/introspect").into()),
        ("token_revocation_endpoint", config.own("/api/v1/auth/token/revoke").into()),
        ("token_endpoint_content_types_supported", json!(["application/json", FORM])),
        ("scopes_supported", json!(scopes)),
        ("quickstart_endpoint", config.own("/api/v1/agents/quickstart").into()),
        ("bootstrap_endpoint", config.own("/api/v1/agents/bootstrap").into()),
        ("agent_registration_endpoint", config.own("/api/v1/agents").into()),
        ("scopes_endpoint", config.own("/api/v1/scopes").into()),
        ("policy_syntax_endpoint", config.own("/api/v1/policies/syntax").into()),
        ("trust_levels_supported", json!(TrustLevel::ALL)),
        (
            "quickstart",
            json!({
                "description": "An agent comes in with a name and a type, and has an API key and a token at once. What needs a person comes with the claim.",
                "scopes": starter,
                "next_steps": ["create_credential", "authenticate"],
            }),
        ),
        (
            "delegation",
            json!({
                "depth_semantics": "absolute",
                "depth_semantics_description": "max_chain_depth counts hops from the first delegator: 1 can be handed on to nobody. It can only become less along a chain; chain_depth_remaining says how many hops are left.",
            }),
        ),
        ("token_signing_alg_values_supported", json!(["ES256"])),
        ("claims_supported", claims.into()),
        (
            "token_lifetimes",
            json!({
                "access_token_seconds": config.ttls.access_token.seconds(),
                "refresh_token_days": family::LIFE.seconds() / 86_400,
                "refresh_buffer_seconds": REFRESH_BUFFER.seconds(),
            }),
        ),
        ("service_documentation", config.own("/auth.md").into()),
        ("agent_types_supported", json!(AgentType::ALL)),
        ("mcp_endpoint", config.own("/mcp").into()),
    ] {
        add(&mut document, name, value);
    }
    document
}

/// The public keys (RFC 7517, section 5), the next one included.
pub(super) async fn jwks<P: Ports>(cx: &Cx<'_, P>) -> Result<Vec<u8>, Refused> {
    let sets = keys::shown(cx).await?;
    let keys: Vec<_> = sets.iter().flat_map(|set| set.published(cx.now)).map(|key| &key.jwk).collect();
    Ok(serde_json::to_vec(&json!({ "keys": keys })).unwrap_or_default())
}

/// Names the JWKS as it is now.
pub(super) async fn jwks_name<P: Ports>(cx: &Cx<'_, P>) -> Result<String, Refused> {
    oidc::ready(cx).await;
    let sets = keys::shown(cx).await?;
    Ok(sets.iter().fold("jwks".to_owned(), |name, set| format!("{name} {} {}", set.version, set.published(cx.now).count())))
}

fn ours<'a, P>(path: &str, cx: &Cx<'a, P>) -> Option<&'a Resource> {
    let uri = cx.config.own(path);
    cx.config.resources.iter().find(|resource| resource.uri == uri)
}

fn list(scope: &Scope) -> Vec<&str> {
    scope.iter().collect()
}

/// Absent rather than null: strict clients refuse null.
fn optional(document: &mut Value, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        add(document, name, value.into());
    }
}

fn add(document: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = document {
        fields.insert(name.to_owned(), value);
    }
}
