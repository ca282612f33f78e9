//! What a configuration may say, and what is said of a wrong one.

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
fn row_07_the_issuer_is_an_origin() {
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
