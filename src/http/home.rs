//! The page for people who come by.

use askama::Template;

use super::prose::failed;
use super::refuse::Refused;
use crate::cx::Cx;

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    name: &'a str,
    logo: Option<&'a str>,
    issuer: &'a str,
    documentation: Option<&'a str>,
    newer: bool,
    v01: bool,
    people: bool,
    development: bool,
    endpoints: Vec<&'static (&'static str, &'static str, &'static str)>,
}

/// Nothing of the page comes from elsewhere, and nothing else may show it in a frame.
pub(super) const HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

/// Method, path, what for.
const ENDPOINTS: &[(&str, &str, &str)] = &[
    ("GET", "/.well-known/oauth-protected-resource", "Where to go after a 401 (RFC 9728)"),
    ("GET", "/.well-known/oauth-authorization-server", "What this server can do (RFC 8414)"),
    ("GET", "/.well-known/jwks.json", "The keys that tokens are signed with"),
    ("GET", "/auth.md", "The way in, in words for agents"),
    ("POST", "/agent/identity", "Register, and get an assertion (auth.md)"),
    ("POST", "/agent/auth", "Register, and get an API key (auth.md v0.1)"),
    ("POST", "/agent/identity/claim", "Ask your person to take the registration over"),
    ("GET", "/account", "For people: your agents, and taking it back"),
    ("POST", "/oauth2/token", "Exchange assertion or key for an access token"),
    ("POST", "/oauth2/device_authorization", "Connect a device that has no browser (RFC 8628)"),
    ("POST", "/oauth2/introspect", "Ask whether a token counts (RFC 7662)"),
    ("POST", "/oauth2/revoke", "End a token or key (RFC 7009)"),
    ("GET", "/api/v1/auth/me", "Who am I?"),
    ("POST", "/mcp", "The same for MCP clients"),
    ("GET", "/docs", "All of it described; /openapi.json is for programs"),
    ("GET", "/health", "Is it up? /ready asks the stores too"),
];

/// Renders the page.
pub(super) fn page<P>(cx: &Cx<'_, P>) -> Result<String, Refused> {
    let config = cx.config;
    let dialects = config.dialects.v07 || config.dialects.authkit;
    let newer = config.anonymous && dialects;
    let v01 = config.anonymous && config.dialects.v01;
    let people = config.mail.is_some();
    let works = |path: &str| match path {
        "/agent/identity" => dialects && (config.anonymous || config.service_auth || config.identity_assertion),
        "/agent/auth" => v01,
        "/agent/identity/claim" => dialects && people,
        "/account" | "/oauth2/device_authorization" => people,
        _ => true,
    };
    let page = Home {
        name: &config.service.name,
        logo: config.service.logo.as_deref(),
        issuer: &config.issuer,
        documentation: config.service.documentation.as_deref(),
        newer,
        v01,
        people,
        development: config.development,
        endpoints: ENDPOINTS.iter().filter(|(_, path, _)| works(path)).collect(),
    };
    page.render().map_err(failed)
}
