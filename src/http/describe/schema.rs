//! Short ways to write JSON Schema (2020-12).

use serde_json::{Map, Value, json};

/// An object with these members; those whose name ends in `?` may be missing.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in members {
        match name.strip_suffix('?') {
            Some(name) => drop(properties.insert(name.to_owned(), schema)),
            None => {
                properties.insert(name.to_owned(), schema);
                required.push(name);
            }
        }
    }
    let mut object = json!({ "type": "object", "properties": properties });
    if let (false, Value::Object(fields)) = (required.is_empty(), &mut object) {
        fields.insert("required".to_owned(), required.into());
    }
    object
}

/// The schema, or anything else, which is as good as nothing.
pub(super) fn loose(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "description": "Ignored." }] })
}

/// An object that may have other members too.
pub(super) fn open(object: Value) -> Value {
    with(object, "additionalProperties", true)
}

/// Text, and what it is.
pub(super) fn text(about: &str) -> Value {
    about_it(json!({ "type": "string" }), about)
}

/// One of these words.
pub(super) fn word(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A URI.
pub(super) fn uri(about: &str) -> Value {
    about_it(json!({ "type": "string", "format": "uri" }), about)
}

/// A moment, ISO 8601 in UTC.
pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// An address of the network.
pub(super) fn address() -> Value {
    json!({ "anyOf": [{ "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" }] })
}

/// A number that is not negative.
pub(super) fn number(about: &str) -> Value {
    about_it(json!({ "type": "integer", "minimum": 0 }), about)
}

/// Yes or no.
pub(super) fn flag(about: &str) -> Value {
    about_it(json!({ "type": "boolean" }), about)
}

/// A list of texts.
pub(super) fn texts() -> Value {
    list(json!({ "type": "string" }))
}

/// A list.
pub(super) fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// The schema of that name.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    schema
}

/// The schema with one more keyword.
pub(super) fn with(mut schema: Value, keyword: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(keywords) = &mut schema {
        keywords.insert(keyword.to_owned(), value.into());
    }
    schema
}

/// The schema with words about it.
pub(super) fn about_it(schema: Value, about: &str) -> Value {
    if about.is_empty() { schema } else { with(schema, "description", about) }
}
