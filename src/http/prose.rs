//! Documents for agents to read. Every address, scope, life and code in them comes from where it is decided.

use askama::Template;

use super::refuse::Refused;
use crate::cx::Cx;
use crate::grant::{CLAIM, CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE};
use crate::machine::registration::claim::Paths;
use crate::oauth::error::ErrorCode;
use crate::time::Ttl;

#[derive(Template)]
#[template(path = "auth.md", escape = "none")]
struct AuthMd<'a> {
    name: &'a str,
    issuer: &'a str,
    resource: &'a str,
    documentation: Option<&'a str>,
    read_scope: String,
    pre_claim: String,
    post_claim: String,
    scopes: String,
    anonymous: bool,
    service_auth: bool,
    vouched: bool,
    claims: bool,
    typed: bool,
    relay: bool,
    newer: bool,
    v01: bool,
    access_token: u64,
    assertion: u64,
    unclaimed: u64,
    prefix: &'a str,
    per_network: u32,
    vouched_per_network: u32,
    jwt_bearer: &'static str,
    token_exchange: &'static str,
    claim_grant: &'static str,
    client_credentials: &'static str,
    errors: &'static [ErrorCode],
}

#[derive(Template)]
#[template(path = "llms.txt", escape = "none")]
struct Llms<'a> {
    name: &'a str,
    issuer: &'a str,
    documentation: Option<&'a str>,
}

/// A template failed: our fault.
pub(super) fn failed(error: askama::Error) -> Refused {
    Refused::new(ErrorCode::ServerError, error.to_string())
}

/// `/auth.md`
pub(super) fn auth_md<P>(cx: &Cx<'_, P>) -> Result<String, Refused> {
    let config = cx.config;
    let page = AuthMd {
        name: &config.service.name,
        issuer: &config.issuer,
        resource: config.default_resource().map_or("", |resource| &resource.uri),
        documentation: config.service.documentation.as_deref(),
        read_scope: config.read_scope.to_string(),
        pre_claim: config.pre_claim_scopes.to_string(),
        post_claim: config.post_claim_scopes.to_string(),
        scopes: config.scopes_supported.to_string(),
        anonymous: config.anonymous,
        service_auth: config.service_auth,
        vouched: config.identity_assertion,
        claims: config.mail.is_some(),
        typed: config.dialects.v07 && config.claim_paths != Paths::Relay,
        relay: config.dialects.authkit && config.claim_paths != Paths::Typed,
        newer: config.dialects.newer(),
        v01: config.dialects.v01,
        access_token: config.ttls.access_token.seconds(),
        assertion: config.ttls.assertion.seconds(),
        unclaimed: config.ttls.unclaimed.seconds(),
        prefix: &config.api_key_prefix,
        per_network: config.limits.per_network,
        vouched_per_network: config.limits.vouched_per_network,
        jwt_bearer: JWT_BEARER,
        token_exchange: TOKEN_EXCHANGE,
        claim_grant: CLAIM,
        client_credentials: CLIENT_CREDENTIALS,
        errors: ErrorCode::ALL,
    };
    page.render().map_err(failed)
}

/// `/llms.txt`
pub(super) fn llms<P>(cx: &Cx<'_, P>) -> Result<String, Refused> {
    let config = cx.config;
    let page = Llms { name: &config.service.name, issuer: &config.issuer, documentation: config.service.documentation.as_deref() };
    page.render().map_err(failed)
}

/// RFC 9116. `Expires` is half a year ahead and moves once a day.
pub(super) fn security_txt<P>(cx: &Cx<'_, P>) -> String {
    const DAY: i64 = 86400;
    let today = crate::time::Timestamp::from_seconds(cx.now.seconds() / DAY * DAY);
    let expires = today.plus(Ttl::from_seconds(180 * 86400)).iso().unwrap_or_default();
    let contact = cx.config.service.contact.clone().unwrap_or_else(|| cx.config.own("/"));
    format!("Contact: {contact}\nExpires: {expires}\nCanonical: {}\n", cx.config.own("/.well-known/security.txt"))
}
