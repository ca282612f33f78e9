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

#[test]
fn the_readme_s_trust_list_is_a_good_one() {
    let (_, rest) = include_str!("../../README.md").split_once("```toml\n").unwrap();
    let shown: toml::Table = rest.split("```").next().unwrap().parse().unwrap();
    let mut variables = variables();
    variables.insert("ISSUER".into(), "https://auth.example.com".into());
    variables.insert("POSTERN_SECRET".into(), "0123456789abcdef0123456789abcdef".into());
    variables.insert("TRUSTED_PROVIDERS".into(), shown["TRUSTED_PROVIDERS"].as_str().unwrap().into());
    let config = Config::parse(&variables).unwrap();
    assert_eq!((config.providers.len(), config.providers[0].name.as_str()), (1, "Example Agents"));
    assert!(config.identity_assertion);
}
