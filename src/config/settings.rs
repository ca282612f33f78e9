//! The list of settings: their names, defaults and meaning. The README's table is checked against it.

/// One setting of the deployment.
pub struct Setting {
    /// Its name among the variables.
    pub name: &'static str,
    /// What it is if nobody sets it; none if it must be set, or is absent when not set.
    pub default: Option<&'static str>,
    /// Set with `wrangler secret put`, not in `[vars]`.
    pub secret: bool,
    /// What it is for.
    pub meaning: &'static str,
}

const fn var(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: Some(default), secret: false, meaning }
}

const fn bare(name: &'static str, secret: bool, meaning: &'static str) -> Setting {
    Setting { name, default: None, secret, meaning }
}

/// Every setting there is. A variable of another name is a fault.
pub const SETTINGS: &[Setting] = &[
    bare("ISSUER", false, "Where the worker is reached: an https origin without trailing slash. Must be set."),
    var("SERVICE_NAME", "Postern", "The name that agents show to people."),
    bare("SERVICE_LOGO", false, "URL of the logo that agents show to people."),
    bare("SERVICE_DOCUMENTATION", false, "URL of the documentation of the API behind the gate."),
    bare("SECURITY_CONTACT", false, "Contact of security.txt: a mailto: or https: URI. Without it, the page at the issuer."),
    var(
        "RESOURCES",
        "[]",
        "JSON list of the APIs to issue tokens for, beside our own /mcp and /api/v1: uri, name, logo, documentation, scopes, alternates, client_access.",
    ),
    var(
        "CLIENT_ACCESS",
        "allow",
        "Whether confidential clients get tokens of their own with client_credentials: allow, or deny for people and agents only. A resource can say otherwise with client_access.",
    ),
    var("SCOPES_SUPPORTED", "api.read api.write", "Every scope that a token may carry."),
    var("READ_SCOPE", "api.read", "The scope that our own read calls need."),
    var("PRE_CLAIM_SCOPES", "api.read", "What an agent may do before a person claims it."),
    var("POST_CLAIM_SCOPES", "api.read api.write", "What an agent may do once a person has claimed it."),
    var(
        "IDENTITY_TYPES",
        "anonymous service_auth identity_assertion",
        "Registration methods that are on, or none. service_auth needs MAIL; identity_assertion needs TRUSTED_PROVIDERS.",
    ),
    var("CLAIM_CODE", "both", "How a person confirms a claim: typed (the agent shows a code), relay (the page shows one), or both."),
    var(
        "TRUSTED_PROVIDERS",
        "[]",
        "JSON list of the agent providers whose ID-JAGs count: issuer, name, and if need be jwks_uri, client_metadata, required_amr, max_auth_age, logo.",
    ),
    var(
        "UPSTREAM_PROVIDERS",
        "[]",
        "JSON list of the providers that people may sign in with: kind (oidc, google, github), client_id, and for oidc issuer and name; if need be scopes, allowed_domains, logo, authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri. Needs MAIL.",
    ),
    var("AUTH_MD_DIALECTS", "0.7 authkit 0.1", "Dialects of auth.md that are on, or none."),
    var("API_KEY_PREFIX", "postern", "What API keys begin with: letters, digits and underscores."),
    var("ACCESS_TOKEN_TTL", "900", "Life of an access token in seconds, 60 to 86400."),
    var("CLIENT_TOKEN_TTL", "3600", "Life of an access token of a client in seconds, 60 to 86400."),
    var("ASSERTION_TTL", "3600", "Life of an identity assertion in seconds, 60 to 86400."),
    var("UNCLAIMED_REGISTRATION_TTL", "86400", "Life of a registration that nobody claims in seconds, 60 to 2592000."),
    var("API_KEY_TTL", "0", "Life of an API key in seconds; 0 for as long as its registration."),
    var("LIVENESS_TTL", "1", "For so many seconds, 0 to 60, a worker may trust what a registration last said of itself."),
    var("AUDIT_RETENTION", "7776000", "For so many seconds what agents did is kept in their audit, 86400 to 315360000; 0 for good."),
    var(
        "DPOP_NONCE",
        "optional",
        "Whether DPoP proofs need a nonce of ours: required, optional (one is offered, and taken if it comes) or off.",
    ),
    var("KEY_ROTATION", "2592000", "A new signing key every so many seconds, 3600 to 31536000."),
    var(
        "REGISTRATIONS_PER_NETWORK_PER_HOUR",
        "5",
        "Registrations an hour of one IPv4 address or IPv6 /64; ten times that of the IPv4 /24 or IPv6 /48 around it.",
    ),
    var(
        "VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR",
        "60",
        "The same for registrations that a provider vouches for or that name a person.",
    ),
    var("REGISTRATIONS_PER_HOUR", "1000", "Registrations an hour of the whole deployment."),
    var("REGISTRATION_LIMIT_OVERRIDES", "[]", "JSON list of shared egress networks with a limit of their own: network (CIDR), per_hour."),
    var(
        "CLIENTS",
        "[]",
        "JSON list of clients that need not register: client_id, client_name, redirect_uris, client_secret_sha256 or another token_endpoint_auth_method, and what else RFC 7591 knows; scope is the most that each may have, trusted: true skips consent.",
    ),
    var(
        "UNUSED_CLIENT_TTL",
        "3600",
        "A client that has registered itself and is not used is forgotten after so many seconds, 300 to 2592000.",
    ),
    var("CLIENTS_PER_NETWORK_PER_HOUR", "600", "New clients that register in an hour from one IPv4 /24 or IPv6 /48; a repeat is not new."),
    var("CLIENTS_PER_HOUR", "10000", "New clients that register in an hour in the whole deployment; 0 switches their registration off."),
    var("API_PER_MINUTE", "300", "Requests a minute of one agent to what it manages with: /api/v1 and the tools for it."),
    var("ALLOWED_ORIGINS", "", "Browser origins that may call /mcp, beside our own and loopback; * for all."),
    var(
        "MCP_OPEN_TOOLS",
        "off",
        "on or off: whether an MCP client may begin without a token (initialize, server/discover) and come in to the tools that need none; off, it is told at once to begin OAuth.",
    ),
    var("SCOPE_DESCRIPTIONS", "{}", "JSON object of scopes and what they allow, in words for people."),
    bare("THEME_COLOR", false, "Colour of buttons and links on the pages, #rrggbb."),
    bare("THEME_COLOR_DARK", false, "The same in dark mode."),
    var(
        "MAIL",
        "none",
        "Who delivers mail: cloudflare (the binding SEND_EMAIL), http (MAIL_API_URL), or none. Without it nobody can sign in.",
    ),
    bare("MAIL_FROM", false, "The sender's address, with or without a name: Example <login@example.com>."),
    var("MAIL_API_URL", "https://api.resend.com/emails", "Where an HTTP mail provider with Resend's API takes messages."),
    var("MAILS_PER_ADDRESS_PER_HOUR", "5", "Mails an hour to one address; four times that a day."),
    var(
        "MAILS_PER_NETWORK_PER_HOUR",
        "20",
        "Mails an hour that one IPv4 address or IPv6 /64 may cause; ten times that of the IPv4 /24 or IPv6 /48 around it.",
    ),
    var("MAILS_PER_HOUR", "1000", "Mails an hour of the whole deployment."),
    var("SESSION_TTL", "86400", "Longest life of a person's session in seconds, 300 to 2592000."),
    var("SESSION_IDLE_TTL", "14400", "A session that is not used for so many seconds ends, 300 to 2592000."),
    var("TRACE", "on", "Whether clients' attempts to connect are kept for the operator for a day, without their secrets: on or off."),
    var("OPENID_CONNECT", "on", "on or off: clients may ask who the person is, by OpenID Connect. Works where people can sign in."),
    bare("DEV", false, "1 for development: allows a loopback http issuer. Never set it in production."),
    bare("POSTERN_SECRET", true, "At least 32 random characters; every key of the deployment is derived from it. Must be set."),
    bare("POSTERN_SECRET_PREVIOUS", true, "The secret before, while a change of it is under way."),
    bare("MAIL_API_KEY", true, "Key of the HTTP mail provider."),
    bare("UPSTREAM_SECRETS", true, "JSON object of the issuers or names in UPSTREAM_PROVIDERS and the client secrets there."),
    bare("OPERATOR_KEY", true, "At least 32 random characters; opens /operator/*. Without it nothing does."),
    bare(
        "RESOURCE_SERVER_KEYS",
        true,
        "Pairs name:digest, separated by spaces; the digest is the SHA-256 of a resource server's key in hex. They may introspect.",
    ),
];
