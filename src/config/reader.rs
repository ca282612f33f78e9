//! From variables to [`Config`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use url::{Host, Url};

use super::resource::{Written, client_access_of};
use super::settings::SETTINGS;
use super::variables::Reader;
use super::{Config, Dialects, Limits, Mail, Mailer, Nonces, Resource, Service, Theme, Ttls, clients, trust, upstream};
use crate::client::Terms;
use crate::machine::registration::claim::Paths;
use crate::master::{Master, Masters};
use crate::network::Cidr;
use crate::oauth::scope::Scope;
use crate::provider::guard::NamedBy;
use crate::time::Ttl;

/// What is wrong with a configuration: a line a fault, never the value of a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("; "))
    }
}

/// Reads everything, then judges.
pub(super) fn read(variables: &BTreeMap<String, String>) -> Result<Config, Faults> {
    let unknown = variables.keys().filter(|name| !SETTINGS.iter().any(|setting| setting.name == name.as_str()));
    let faults = unknown.map(|name| format!("{name}: there is no such setting")).collect();
    let mut reader = Reader { variables, faults };

    let development = reader.read("DEV", false, |text| match text {
        "1" => Ok(true),
        "0" | "" => Ok(false),
        _ => Err("must be 1 or 0".to_owned()),
    });
    let issuer = reader.read("ISSUER", String::new(), |text| issuer(text, development));
    let supported = reader.scope("SCOPES_SUPPORTED");
    let resources = resources(&mut reader, &issuer, &supported);
    let (providers, faults) = trust::read(reader.json("TRUSTED_PROVIDERS"), &issuer, development);
    reader.faults.extend(faults.into_iter().map(|fault| format!("TRUSTED_PROVIDERS: {fault}")));
    let terms = Terms { scopes: &supported, named_by: NamedBy::Operator, secrets: true, development };
    let (clients, faults) = clients::read(reader.json("CLIENTS"), &terms);
    reader.faults.extend(faults.into_iter().map(|fault| format!("CLIENTS: {fault}")));
    let secrets = reader.text("UPSTREAM_SECRETS").unwrap_or_else(|| "{}".to_owned());
    let (upstreams, faults) = upstream::read(reader.json("UPSTREAM_PROVIDERS"), &secrets, &issuer, development);
    reader.faults.extend(faults);
    let dialects = reader.words("AUTH_MD_DIALECTS", &["0.7", "authkit", "0.1", "none"]);
    let api_key_ttl = reader.number("API_KEY_TTL", 0, 10 * 365 * 86400);
    let secret = reader.long_secret("POSTERN_SECRET").unwrap_or_else(|| {
        reader.faults.push("POSTERN_SECRET: must be set".to_owned());
        String::new()
    });
    let audit = reader.number("AUDIT_RETENTION", 0, 315_360_000);
    if (1..86400).contains(&audit) {
        reader.faults.push("AUDIT_RETENTION: must be 0, or 86400 to 315360000".to_owned());
    }
    let previous = reader.long_secret("POSTERN_SECRET_PREVIOUS");
    let types = reader.words("IDENTITY_TYPES", &["anonymous", "service_auth", "identity_assertion", "none"]);
    let mail = mail(&mut reader, development);
    let openid = reader.read("OPENID_CONNECT", true, |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    });
    if mail.is_none() && !upstreams.is_empty() {
        // Somebody whom a provider knows may still have to prove an address.
        reader.faults.push("UPSTREAM_PROVIDERS: needs MAIL".to_owned());
    }

    let mut config = Config {
        service: Service {
            name: reader.text("SERVICE_NAME").unwrap_or_default(),
            logo: reader.url("SERVICE_LOGO", &["https"]),
            documentation: reader.url("SERVICE_DOCUMENTATION", &["https", "http"]),
            contact: reader.url("SECURITY_CONTACT", &["mailto", "https"]),
        },
        issuer,
        resources,
        read_scope: reader.scope_within("READ_SCOPE", &supported),
        pre_claim_scopes: reader.scope_within("PRE_CLAIM_SCOPES", &supported).entitle(),
        post_claim_scopes: reader.scope_within("POST_CLAIM_SCOPES", &supported).entitle(),
        scopes_supported: supported,
        anonymous: types.contains(&"anonymous"),
        service_auth: types.contains(&"service_auth") && mail.is_some(),
        identity_assertion: types.contains(&"identity_assertion") && !providers.is_empty(),
        claim_paths: reader.read("CLAIM_CODE", Paths::Both, |text| match text {
            "both" => Ok(Paths::Both),
            "typed" => Ok(Paths::Typed),
            "relay" => Ok(Paths::Relay),
            _ => Err("must be typed, relay or both".to_owned()),
        }),
        scope_descriptions: reader.read("SCOPE_DESCRIPTIONS", BTreeMap::new(), |text| {
            serde_json::from_str(text).map_err(|error| format!("is not the JSON object it should be: {error}"))
        }),
        theme: Theme { color: reader.color("THEME_COLOR"), color_dark: reader.color("THEME_COLOR_DARK") },
        openid: openid && mail.is_some(),
        mail,
        dialects: Dialects { v07: dialects.contains(&"0.7"), authkit: dialects.contains(&"authkit"), v01: dialects.contains(&"0.1") },
        api_key_prefix: reader.read("API_KEY_PREFIX", String::new(), prefix),
        ttls: Ttls {
            access_token: reader.seconds("ACCESS_TOKEN_TTL", 60, 86400),
            client_token: reader.seconds("CLIENT_TOKEN_TTL", 60, 86400),
            assertion: reader.seconds("ASSERTION_TTL", 60, 86400),
            unclaimed: reader.seconds("UNCLAIMED_REGISTRATION_TTL", 60, 30 * 86400),
            api_key: (api_key_ttl > 0).then(|| Ttl::from_seconds(api_key_ttl)),
            liveness: reader.seconds("LIVENESS_TTL", 0, 60),
            audit: Ttl::from_seconds(audit),
            key_rotation: reader.seconds("KEY_ROTATION", 3600, 365 * 86400),
            unused_client: reader.seconds("UNUSED_CLIENT_TTL", 300, 30 * 86400),
            session: reader.seconds("SESSION_TTL", 300, 30 * 86400),
            session_idle: reader.seconds("SESSION_IDLE_TTL", 300, 30 * 86400),
        },
        limits: Limits {
            per_network: whole(reader.number("REGISTRATIONS_PER_NETWORK_PER_HOUR", 1, 100_000)),
            vouched_per_network: whole(reader.number("VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR", 1, 100_000)),
            per_deployment: whole(reader.number("REGISTRATIONS_PER_HOUR", 1, 10_000_000)),
            clients_per_network: whole(reader.number("CLIENTS_PER_NETWORK_PER_HOUR", 1, 1_000_000)),
            clients_per_deployment: whole(reader.number("CLIENTS_PER_HOUR", 0, 10_000_000)),
            overrides: overrides(&mut reader),
            api_per_minute: whole(reader.number("API_PER_MINUTE", 1, 1_000_000)),
        },
        dpop_nonces: reader.read("DPOP_NONCE", Nonces::Optional, |text| match text {
            "off" => Ok(Nonces::Off),
            "optional" => Ok(Nonces::Optional),
            "required" => Ok(Nonces::Required),
            _ => Err("must be required, optional or off".to_owned()),
        }),
        allowed_origins: reader.read("ALLOWED_ORIGINS", Vec::new(), |text| Ok(text.split_whitespace().map(str::to_owned).collect())),
        mcp_open_tools: reader.read("MCP_OPEN_TOOLS", false, |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("must be on or off".to_owned()),
        }),
        masters: Masters { current: Master::derive(secret.as_bytes()), previous: previous.map(|secret| Master::derive(secret.as_bytes())) },
        operator_key: reader.bearer_secret("OPERATOR_KEY").map(|key| sha256(&key)),
        resource_server_keys: reader
            .read("RESOURCE_SERVER_KEYS", Vec::new(), |text| text.split_whitespace().map(resource_server).collect()),
        providers,
        trace: reader.read("TRACE", true, |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("must be on or off".to_owned()),
        }),
        clients,
        upstreams,
        development,
    };
    // Nobody could read them.
    config.trace &= config.operator_key.is_some();
    if reader.faults.is_empty() { Ok(config) } else { Err(Faults(reader.faults)) }
}

/// In development mail is kept, whatever else is set.
fn mail(reader: &mut Reader<'_>, development: bool) -> Option<Mail> {
    let adapter = reader.words("MAIL", &["none", "cloudflare", "http"]).first().copied().unwrap_or("none").to_owned();
    let (from, key) = (reader.text("MAIL_FROM"), reader.text("MAIL_API_KEY"));
    let url = reader.url("MAIL_API_URL", &["https"]);
    let limits = ["MAILS_PER_ADDRESS_PER_HOUR", "MAILS_PER_NETWORK_PER_HOUR", "MAILS_PER_HOUR"];
    let [per_address, per_network, per_deployment] = limits.map(|name| whole(reader.number(name, 1, 10_000_000)));
    let through = match (adapter.as_str(), url, key) {
        _ if development => Mailer::Outbox,
        ("cloudflare", ..) => Mailer::Binding,
        ("http", Some(url), Some(key)) => Mailer::Http { url, key },
        ("http", ..) => {
            reader.faults.push("MAIL_API_KEY: must be set for MAIL=http".to_owned());
            return None;
        }
        _ => return None,
    };
    let sender = from.as_deref().map(|from| from.rsplit_once('<').map_or(from, |(_, address)| address.trim_end_matches('>')));
    if through != Mailer::Outbox && sender.is_none_or(|sender| crate::email::Address::parse(sender).is_none()) {
        reader.faults.push("MAIL_FROM: must be an address, with or without a name before it".to_owned());
    }
    Some(Mail { from: from.unwrap_or_default(), through, per_address, per_network, per_deployment })
}

/// An https origin, or in development an http one on loopback.
fn issuer(text: &str, development: bool) -> Result<String, String> {
    let wanted = "must be an origin such as https://auth.example.com, without path and trailing slash";
    let url = Url::parse(text).map_err(|_| if text.is_empty() { "must be set".to_owned() } else { wanted.to_owned() })?;
    if url.origin().ascii_serialization() != text {
        return Err(wanted.to_owned());
    }
    match (url.scheme(), is_loopback(&url), development) {
        ("https", _, false) | ("http", true, true) => Ok(text.to_owned()),
        ("https", _, true) => Err("is not for development: take DEV away".to_owned()),
        _ => Err("may be http only on loopback, with DEV=1".to_owned()),
    }
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

fn resources(reader: &mut Reader<'_>, issuer: &str, supported: &Scope) -> Vec<Resource> {
    let client_access = reader.read("CLIENT_ACCESS", false, client_access_of);
    let mut resources = Vec::new();
    for written in reader.json::<Written>("RESOURCES") {
        match written.read(supported, client_access) {
            Ok(resource) => resources.push(resource),
            Err(fault) => reader.faults.push(format!("RESOURCES: {fault}")),
        }
    }
    let (name, logo) = (reader.text("SERVICE_NAME"), reader.text("SERVICE_LOGO"));
    let documentation = reader.text("SERVICE_DOCUMENTATION");
    for path in ["/mcp", "/api/v1"] {
        let uri = format!("{issuer}{path}");
        let ours = Resource {
            uri,
            name: name.clone(),
            logo: logo.clone(),
            documentation: documentation.clone(),
            scopes: supported.clone(),
            alternates: Vec::new(),
            client_access,
            ours: true,
        };
        if resources.iter().any(|resource| resource.is(&ours.uri)) {
            reader.faults.push(format!("RESOURCES: {path} is ours already"));
        }
        resources.push(ours);
    }
    resources
}

fn overrides(reader: &mut Reader<'_>) -> Vec<(Cidr, u32)> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Override {
        network: String,
        per_hour: u32,
    }
    let written = reader.json::<Override>("REGISTRATION_LIMIT_OVERRIDES");
    let read = written.into_iter().map(|entry| Cidr::parse(&entry.network).map(|network| (network, entry.per_hour)).ok_or(entry.network));
    let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    reader
        .faults
        .extend(bad.into_iter().filter_map(Result::err).map(|network| format!("REGISTRATION_LIMIT_OVERRIDES: {network} is not a network")));
    good.into_iter().filter_map(Result::ok).collect()
}

fn prefix(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good =
        text.len() <= 32 && text.bytes().all(legal) && text.starts_with(|first: char| first.is_ascii_alphabetic()) && !text.ends_with('_');
    good.then(|| text.to_owned()).ok_or_else(|| "must be at most 32 letters, digits and underscores, and begin with a letter".to_owned())
}

fn resource_server(pair: &str) -> Result<(String, [u8; 32]), String> {
    let wrong = || "must be pairs of a name and a SHA-256 in hex, joined by a colon".to_owned();
    let (name, digest) = pair.split_once(':').ok_or_else(wrong)?;
    match super::clients::bytes(digest) {
        Some(bytes) if !name.is_empty() => Ok((name.to_owned(), bytes)),
        _ => Err(wrong()),
    }
}

/// SHA-256, the digest that operators can make with any tool.
pub(crate) fn sha256(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}

fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
