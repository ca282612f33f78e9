//! What texts are: moments, addresses of pages, addresses of networks.

use serde_json::Value;

use super::{document, operations};

/// Names of fields that are moments, unless they are numbers.
fn is_moment(name: &str) -> bool {
    ["_at", "_until", "_expires", "_date", "_before"].iter().any(|end| name.ends_with(end))
        || ["created", "expires", "updated", "timestamp", "since", "until"].contains(&name)
}

/// Names of fields that are addresses of pages, unless they are lists, flags or words.
fn is_address(name: &str) -> bool {
    ["_uri", "_url", "_endpoint"].iter().any(|end| name.ends_with(end)) || ["url", "uri", "issuer"].contains(&name)
}

/// The formats of the texts that a schema allows, each empty if it has none; what is one of some words is no text.
fn formats(schema: &'static Value, found: &mut Vec<&'static str>) {
    let kinds = &schema["type"];
    let is_text = kinds == "string" || kinds.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"));
    if is_text && schema["enum"].is_null() {
        found.push(schema["format"].as_str().unwrap_or_default());
    }
    for one in ["anyOf", "allOf"].iter().flat_map(|all| schema[*all].as_array().into_iter().flatten()) {
        formats(one, found);
    }
}

/// Every field of every schema, and every parameter, with its schema.
fn fields() -> Vec<(String, &'static Value)> {
    fn walk(value: &'static Value, found: &mut Vec<(String, &'static Value)>) {
        match value {
            Value::Object(members) => {
                let properties = members.get("properties").and_then(Value::as_object).into_iter().flatten();
                found.extend(properties.map(|(name, schema)| (name.clone(), schema)));
                members.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(document(), &mut found);
    let parameters = operations().flat_map(|(.., operation)| operation["parameters"].as_array().into_iter().flatten());
    found.extend(parameters.map(|parameter| (parameter["name"].as_str().unwrap().to_owned(), &parameter["schema"])));
    found
}

/// How many fields of that sort are texts; all of them are of one of these formats.
fn all_are(is_one: fn(&str) -> bool, wanted: &[&str]) -> usize {
    let mut texts = 0;
    for (name, schema) in fields().into_iter().filter(|(name, _)| is_one(name)) {
        let mut found = Vec::new();
        formats(schema, &mut found);
        assert!(found.iter().all(|format| wanted.contains(format)), "{name}: {schema}");
        texts += found.len();
    }
    texts
}

#[test]
fn every_field_that_is_named_like_a_moment_is_described_as_one() {
    assert!(all_are(is_moment, &["date-time", "date"]) > 60);
}

#[test]
fn every_field_that_is_named_like_a_url_is_described_as_one() {
    assert!(all_are(is_address, &["uri", "uri-reference"]) > 60);
}

#[test]
fn a_key_in_a_header_of_its_own_is_a_way_to_show_who_one_is_wherever_agents_ask() {
    let schemes = &document()["components"]["securitySchemes"];
    assert_eq!(
        (&schemes["agent_key"]["type"], &schemes["agent_key"]["in"], &schemes["agent_key"]["name"]),
        (&"apiKey".into(), &"header".into(), &"X-Agent-Key".into())
    );
    for (method, path, operation) in operations() {
        let alternatives = operation["security"].as_array().map_or(&[][..], Vec::as_slice);
        let takes = |scheme: &str| alternatives.iter().filter(|one| one.get(scheme).is_some()).count();
        let known = alternatives.iter().flat_map(|one| one.as_object().unwrap().keys());
        known.for_each(|scheme| assert!(schemes[scheme].is_object() && takes(scheme) == 1, "{method} {path}: {scheme}"));
        let is_ours = path.starts_with("/api/v1") && takes("token") == 1;
        assert_eq!(takes("agent_key") == 1, is_ours, "{method} {path}");
        let headers = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["name"] == "X-Agent-Key");
        assert_eq!(headers.count(), 0, "{method} {path} has the header twice");
    }
}
