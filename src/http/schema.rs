//! Arguments of tools against the schema that is published for them: one text is both, so that they cannot differ.

use serde_json::{Map, Value};

/// Judges `value` by `schema` (JSON Schema 2020-12, as much of it as our schemas use, without `format`, which whoever reads the field judges).
///
/// # Errors
/// What is wrong and where, in words that repeat nothing of the value.
pub(super) fn check(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    let wrong = |what: String| Err(format!("{at} {what}"));
    if let Some(kind) = schema.get("type").and_then(Value::as_str)
        && !is(kind, value)
    {
        return wrong(format!("must be of type {kind}"));
    }
    if let Some(Value::Array(known)) = schema.get("enum")
        && !known.contains(value)
    {
        let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
        return wrong(format!("must be one of {}", known.join(", ")));
    }
    let size = match value {
        Value::String(text) => Some((text.chars().count(), "minLength", "maxLength", "characters")),
        Value::Array(items) => Some((items.len(), "minItems", "maxItems", "items")),
        _ => None,
    };
    if let Some((size, least, most, unit)) = size {
        let size = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
        let (least, most) = (number(least).unwrap_or(0.0), number(most).unwrap_or(f64::INFINITY));
        if !(least..=most).contains(&size) {
            return wrong(format!("must have {least} to {most} {unit}"));
        }
    }
    match value {
        Value::Number(found) => {
            let (least, most) = (number("minimum").unwrap_or(f64::NEG_INFINITY), number("maximum").unwrap_or(f64::INFINITY));
            let found = found.as_f64().unwrap_or(f64::NAN);
            if (least..=most).contains(&found) { Ok(()) } else { wrong(format!("must be {least} to {most}")) }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(index, item)| check(schema, item, &format!("{at}[{index}]")))
        }
        Value::Object(members) => object(schema, members, at),
        _ => Ok(()),
    }
}

fn object(schema: &Value, members: &Map<String, Value>, at: &str) -> Result<(), String> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !members.contains_key(name) {
            return Err(format!("{at} must have {name}"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in members {
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => check(schema, value, name)?,
            None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(format!("{at} may have only {known}"));
            }
            None => {}
        }
    }
    Ok(())
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        // 1.0 is an integer (JSON Schema, section 6.1.1).
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => value.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn judged(schema: &Value, value: &Value) -> Result<(), String> {
        check(schema, value, "arguments")
    }

    #[test]
    fn each_keyword_decides() {
        for (schema, good, bad) in [
            (json!({ "type": "string" }), json!("x"), json!(1)),
            (json!({ "type": "integer" }), json!(1.0), json!(1.5)),
            (json!({ "type": "number" }), json!(1.5), json!("1.5")),
            (json!({ "type": "boolean" }), json!(true), json!(null)),
            (json!({ "type": "array" }), json!([]), json!({})),
            (json!({ "type": "object" }), json!({}), json!([])),
            (json!({ "type": "null" }), json!(null), json!(0)),
            (json!({ "enum": ["a", "b"] }), json!("b"), json!("c")),
            (json!({ "minimum": 1, "maximum": 2 }), json!(2), json!(0)),
            (json!({ "minimum": 1, "maximum": 2 }), json!(1), json!(3)),
            (json!({ "minLength": 1, "maxLength": 2 }), json!("\u{1f600}\u{1f600}"), json!("")),
            (json!({ "maxLength": 2 }), json!(""), json!("abc")),
            (json!({ "minItems": 1 }), json!([1]), json!([])),
            (json!({ "maxItems": 1 }), json!([1]), json!([1, 2])),
            (json!({ "items": { "type": "string" } }), json!(["a"]), json!(["a", 1])),
            (json!({ "required": ["a"] }), json!({ "a": null }), json!({})),
            (json!({ "additionalProperties": false, "properties": { "a": {} } }), json!({ "a": 1 }), json!({ "b": 1 })),
            (
                json!({ "properties": { "a": { "properties": { "b": { "type": "string" } } } } }),
                json!({ "a": { "b": "" } }),
                json!({ "a": { "b": 1 } }),
            ),
        ] {
            assert_eq!(judged(&schema, &good), Ok(()), "{schema}");
            assert!(judged(&schema, &bad).is_err(), "{schema}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let schema = json!({ "type": "object", "properties": { "scopes": { "items": { "type": "string" } }, "kind": { "enum": ["a", "b"] } }, "required": ["kind"], "additionalProperties": false });
        for (value, said) in [
            (json!({}), "arguments must have kind"),
            (json!({ "kind": "c" }), "kind must be one of a, b"),
            (json!({ "kind": "a", "scopes": ["x", 1] }), "scopes[1] must be of type string"),
            (json!({ "kind": "a", "other": 1 }), "arguments may have only kind, scopes"),
        ] {
            assert_eq!(judged(&schema, &value), Err(said.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_value_is_repeated(secret in "[A-Za-z0-9]{16,40}", kind in prop_oneof!["integer", "object", "array"]) {
            for schema in [json!({ "type": kind }), json!({ "enum": ["a"] }), json!({ "maxLength": 3 })] {
                prop_assert!(!judged(&schema, &json!(secret)).unwrap_err().contains(&secret));
            }
            let schema = json!({ "type": "object", "additionalProperties": false });
            let said = judged(&schema, &json!({ secret.clone(): secret.clone() })).unwrap_err();
            prop_assert!(!said.contains(&secret));
        }
    }
}
