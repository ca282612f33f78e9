//! From variables to [`Config`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use url::{Host, Url};

use super::resource::{Written, client_access_of};
use super::settings::SETTINGS;
use super::{Config, Dialects, Limits, Mail, Mailer, Nonces, Resource, Service, Theme, Ttls, clients, trust, upstream};
use crate::client::Terms;
use crate::machine::registration::claim::Paths;
use crate::master::{Master, Masters};
use crate::network::Cidr;
use crate::oauth::authorization::is_token_byte;
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

struct Reader<'a> {
    variables: &'a BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// The variable, or its default; empty is as good as absent.
    fn text(&self, name: &str) -> Option<String> {
        let written = self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let default = SETTINGS.iter().find(|setting| setting.name == name).and_then(|setting| setting.default);
        written.or(default).map(str::to_owned)
    }

    /// The variable as `read` understands it; a fault is noted and `fallback` taken.
    fn read<T>(&mut self, name: &str, fallback: T, read: impl FnOnce(&str) -> Result<T, String>) -> T {
        let text = self.text(name).unwrap_or_default();
        read(&text).unwrap_or_else(|fault| {
            self.faults.push(format!("{name}: {fault}"));
            fallback
        })
    }

    fn number(&mut self, name: &str, least: u64, most: u64) -> u64 {
        self.read(name, least, |text| match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("must be a whole number from {least} to {most}")),
        })
    }

    fn seconds(&mut self, name: &str, least: u64, most: u64) -> Ttl {
        Ttl::from_seconds(self.number(name, least, most))
    }

    fn scope(&mut self, name: &str) -> Scope {
        self.read(name, Scope::default(), |text| text.parse().map_err(|_| "must be scope names separated by spaces".to_owned()))
    }

    fn scope_within(&mut self, name: &str, supported: &Scope) -> Scope {
        let scope = self.scope(name);
        if !scope.is_within(supported) {
            self.faults.push(format!("{name}: has scopes that are not in SCOPES_SUPPORTED"));
        }
        scope
    }

    fn json<T: for<'de> Deserialize<'de>>(&mut self, name: &str) -> Vec<T> {
        self.read(name, Vec::new(), |text| {
            serde_json::from_str(text).map_err(|error| format!("is not the JSON list it should be: {error}"))
        })
    }

    fn words<'a>(&mut self, name: &str, known: &'a [&'a str]) -> Vec<&'a str> {
        self.read(name, Vec::new(), |text| {
            let find =
                |word| known.iter().find(|known| **known == word).copied().ok_or_else(|| format!("{word} is none of {}", known.join(", ")));
            text.split_whitespace().map(find).collect()
        })
    }

    fn url(&mut self, name: &str, schemes: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        let good = Url::parse(&text).is_ok_and(|url| schemes.contains(&url.scheme()));
        if !good {
            self.faults.push(format!("{name}: must be a URL that begins with {}:", schemes.join(": or ")));
        }
        Some(text)
    }

    fn color(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let good = text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !good {
            self.faults.push(format!("{name}: must be a colour such as #7a3e12"));
        }
        Some(text)
    }

    fn long_secret(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.len() < 32 {
            self.faults.push(format!("{name}: must have at least 32 characters"));
        }
        Some(text)
    }

    /// A secret that comes as a Bearer token, and so can only have the characters of one (RFC 6750, section 2.1).
    fn bearer_secret(&mut self, name: &str) -> Option<String> {
        let text = self.long_secret(name)?;
        if !text.bytes().all(is_token_byte) {
            self.faults.push(format!("{name}: may have letters, digits and -._~+/= only"));
        }
        Some(text)
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
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, Faults> {
        let secret = "0123456789abcdef0123456789abcdef";
        let mut variables: BTreeMap<String, String> =
            [("ISSUER", "https://auth.example.com"), ("POSTERN_SECRET", secret)].map(|(name, value)| (name.into(), value.into())).into();
        variables.extend(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Config::parse(&variables)
    }

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        parse(pairs).err().map(|faults| faults.0).unwrap_or_default()
    }

    #[test]
    fn the_defaults_are_good() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.default_resource().unwrap().uri, "https://auth.example.com/mcp");
        assert_eq!(config.pre_claim_scopes.to_string(), "api.read");
        assert!(config.dialects == Dialects { v07: true, authkit: true, v01: true } && config.anonymous);
        assert!(config.ttls.api_key.is_none() && config.operator_key.is_none());
    }

    #[test]
    fn all_faults_are_reported_at_once_and_no_secret_with_them() {
        let found = faults(&[
            ("ISSUER", "https://x/"),
            ("POSTERN_SECRET", "hunter2"),
            ("ACCESS_TOKEN_TTL", "soon"),
            ("AUTH_MD_DIALECTS", "0.7 0.9"),
            ("NO_SUCH", "1"),
            ("RESOURCES", "{}"),
            ("PRE_CLAIM_SCOPES", "root"),
            ("TRUSTED_PROVIDERS", r#"[{"issuer":"http://a.example.com","name":"A"}]"#),
        ]);
        for name in [
            "ISSUER",
            "POSTERN_SECRET",
            "ACCESS_TOKEN_TTL",
            "AUTH_MD_DIALECTS",
            "NO_SUCH",
            "RESOURCES",
            "PRE_CLAIM_SCOPES",
            "TRUSTED_PROVIDERS",
        ] {
            assert!(found.iter().any(|fault| fault.starts_with(&format!("{name}: "))), "{name} in {found:?}");
        }
        assert!(!found.join("").contains("hunter2"));
        assert_eq!(faults(&[("ISSUER", ""), ("POSTERN_SECRET", "")]).len(), 2);
    }

    #[test]
    fn traces_are_kept_for_an_operator_alone() {
        let key = ("OPERATOR_KEY", "operator-operator-operator-operator");
        assert!(!parse(&[]).unwrap().trace && parse(&[key]).unwrap().trace && !parse(&[key, ("TRACE", "off")]).unwrap().trace);
        assert_eq!(faults(&[("TRACE", "1")]).len(), 1);
    }

    #[test]
    fn development_needs_every_leg() {
        assert!(parse(&[("ISSUER", "http://localhost:8787"), ("DEV", "1")]).unwrap().development);
        assert!(parse(&[("ISSUER", "http://[::1]:8787"), ("DEV", "1")]).unwrap().development);
        for pairs in [
            [("ISSUER", "http://localhost:8787"), ("DEV", "0")],
            [("ISSUER", "http://example.com"), ("DEV", "1")],
            [("ISSUER", "http://localhost.example.com"), ("DEV", "1")],
            [("ISSUER", "https://example.com"), ("DEV", "1")],
        ] {
            assert_eq!(faults(&pairs).len(), 1, "{pairs:?}");
        }
    }

    #[test]
    fn the_issuer_is_an_origin() {
        for wrong in [
            "https://auth.example.com/",
            "https://auth.example.com/x",
            "https://AUTH.example.com",
            "https://auth.example.com:443",
            "https://u@auth.example.com",
            "auth.example.com",
            "ftp://x",
            "https://a?b",
        ] {
            assert_eq!(faults(&[("ISSUER", wrong)]).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn resources_and_keys_are_checked() {
        let config = parse(&[
            ("RESOURCES", r#"[{"uri":"https://api.example.com/v1","scopes":["api.read"]}]"#),
            ("RESOURCE_SERVER_KEYS", &format!("api:{}", "ab".repeat(32))),
        ])
        .unwrap();
        assert_eq!(config.resource("https://api.example.com/v1").unwrap().scopes.to_string(), "api.read");
        assert_eq!(config.resource_server_keys, vec![("api".to_owned(), [0xab; 32])]);
        for (name, wrong) in [
            ("RESOURCES", r#"[{"uri":"api"}]"#),
            ("TRUSTED_PROVIDERS", "{}"),
            ("TRUSTED_PROVIDERS", r#"[{"issuer":"https://auth.example.com","name":"us"}]"#),
            ("RESOURCES", r#"[{"uri":"https://a","extra":1}]"#),
            ("RESOURCES", r#"[{"uri":"https://a","scopes":["x"]}]"#),
            ("RESOURCES", r#"[{"uri":"https://a","client_access":"sometimes"}]"#),
            ("CLIENT_ACCESS", "yes"),
            ("RESOURCES", r#"[{"uri":"https://auth.example.com/mcp"}]"#),
            ("RESOURCE_SERVER_KEYS", "api"),
            ("RESOURCE_SERVER_KEYS", "api:00"),
            ("OPERATOR_KEY", "short"),
            ("OPERATOR_KEY", "a key with spaces in it, thirty-two or more"),
            ("API_KEY_PREFIX", "a-b"),
            ("REGISTRATION_LIMIT_OVERRIDES", r#"[{"network":"x","per_hour":1}]"#),
            ("SERVICE_LOGO", "javascript:1"),
            ("DPOP_NONCE", "always"),
            ("SECURITY_CONTACT", "me"),
        ] {
            assert_eq!(faults(&[(name, wrong)]).len(), 1, "{name} {wrong}: {:?}", faults(&[(name, wrong)]));
        }
    }

    #[test]
    fn shared_networks_have_limits_of_their_own() {
        let config = parse(&[("REGISTRATION_LIMIT_OVERRIDES", r#"[{"network":"160.79.104.0/23","per_hour":500}]"#)]).unwrap();
        let limit = |address| config.registrations_per_hour(&crate::network::Origin::parse(address).unwrap(), false);
        assert_eq!((limit("160.79.105.1"), limit("160.79.106.1")), (500, 5));
    }
}
