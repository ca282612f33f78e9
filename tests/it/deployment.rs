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
