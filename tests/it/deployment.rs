//! The files that a deployment is made of.

use std::collections::BTreeMap;

use postern::config::Config;
use postern::config::settings::SETTINGS;

fn variables() -> BTreeMap<String, String> {
    let file: toml::Table = include_str!("../../wrangler.toml").parse().unwrap();
    file["vars"].as_table().unwrap().iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn wrangler_toml_lacks_nothing_but_the_issuer_and_the_secret() {
    let mut variables = variables();
    let faults = Config::parse(&variables).err().unwrap().0;
    assert_eq!(faults, ["ISSUER: must be set", "POSTERN_SECRET: must be set"]);
    variables.insert("ISSUER".into(), "https://auth.example.com".into());
    variables.insert("POSTERN_SECRET".into(), "0123456789abcdef0123456789abcdef".into());
    assert!(Config::parse(&variables).is_ok());
}

#[test]
fn the_readme_has_every_setting_with_its_default() {
    let readme = include_str!("../../README.md");
    for setting in SETTINGS {
        let default = match setting.default {
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
            None if setting.secret => "secret".to_owned(),
            None => "none".to_owned(),
        };
        let row = format!("| `{}` | {default} | {} |", setting.name, setting.meaning);
        assert!(readme.contains(&row), "the README lacks the row\n{row}");
    }
}

/// The setting that the README shows an example of.
fn shown(name: &str) -> String {
    let blocks = include_str!("../../README.md").split("```toml\n").skip(1);
    let mut tables = blocks.map(|block| block.split("```").next().unwrap().parse::<toml::Table>().unwrap());
    tables.find_map(|table| Some(table.get(name)?.as_str()?.to_owned())).unwrap()
}

#[test]
fn the_readme_s_clients_are_good_ones() {
    let (_, rest) = include_str!("../../README.md").split_once("CLIENTS = '''").unwrap();
    let (clients, _) = rest.split_once("'''").unwrap();
    let mut variables = variables();
    variables.insert("ISSUER".into(), "https://auth.example.com".into());
    variables.insert("POSTERN_SECRET".into(), "0123456789abcdef0123456789abcdef".into());
    variables.insert("CLIENTS".into(), clients.into());
    let config = Config::parse(&variables).unwrap();
    assert!(config.clients["portal"].is_secret("secret", &config.masters));
}

#[test]
fn the_readme_s_lists_of_providers_are_good_ones() {
    let mut variables = variables();
    for (name, value) in [
        ("ISSUER", "https://auth.example.com"),
        ("POSTERN_SECRET", "0123456789abcdef0123456789abcdef"),
        ("MAIL", "cloudflare"),
        ("MAIL_FROM", "login@example.com"),
        ("TRUSTED_PROVIDERS", &shown("TRUSTED_PROVIDERS")),
        ("UPSTREAM_PROVIDERS", &shown("UPSTREAM_PROVIDERS")),
        ("UPSTREAM_SECRETS", r#"{"Google":"g","GitHub":"h","https://id.example.com":"e"}"#),
    ] {
        variables.insert(name.into(), value.into());
    }
    let config = Config::parse(&variables).unwrap();
    assert_eq!((config.providers.len(), config.providers[0].name.as_str()), (1, "Example Agents"));
    assert!(config.identity_assertion);
    let names: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["Google", "GitHub", "Example ID"]);
    assert!(config.upstreams.iter().all(|upstream| upstream.secret.is_some()));
    variables.insert("MAIL".into(), "none".into());
    assert_eq!(Config::parse(&variables).err().unwrap().0, ["UPSTREAM_PROVIDERS: needs MAIL"]);
}
