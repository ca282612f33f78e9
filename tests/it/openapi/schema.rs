//! Compares a value with a JSON Schema, as far as our own description uses it. A keyword that is not known here fails the test.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Words about a schema, which say nothing about values.
const WORDS: [&str; 1] = ["description"];

/// Compares values with the schemas of one document.
#[derive(Clone, Copy)]
pub struct Judge<'d> {
    pub document: &'d Value,
    /// Members that the schema does not name are faults, unless it says that there may be others.
    pub strict: bool,
}

impl Judge<'_> {
    /// What is wrong with the value, if anything is.
    pub fn check(self, schema: &Value, value: &Value) -> Result<(), String> {
        let (known, open) = self.part(schema, value)?;
        if let (true, false, Value::Object(members)) = (self.strict, open, value)
            && let Some(name) = members.keys().find(|name| !known.contains(*name))
        {
            return Err(format!("{name} is not described"));
        }
        Ok(())
    }

    /// The members that the schema names, and whether there may be others.
    fn part(self, schema: &Value, value: &Value) -> Result<(BTreeSet<String>, bool), String> {
        let (mut known, mut open) = (BTreeSet::new(), false);
        let Value::Object(keywords) = schema else { return Err(format!("{schema} is no schema")) };
        for (keyword, wanted) in keywords {
            let (more, others) = match keyword.as_str() {
                "$ref" => {
                    let target = wanted.as_str().unwrap().trim_start_matches('#');
                    self.part(self.document.pointer(target).unwrap_or_else(|| panic!("{wanted} is nowhere")), value)?
                }
                "allOf" => self.all(wanted, value)?,
                "anyOf" => self.any(wanted, value)?,
                "properties" => (self.members(wanted, value)?, false),
                "additionalProperties" => (BTreeSet::new(), wanted == true),
                _ => self.plain(keyword, wanted, value).map(|()| (BTreeSet::new(), false))?,
            };
            known.extend(more);
            open |= others;
        }
        // A schema that says nothing about members allows all of them.
        Ok((known, open || keywords.keys().all(|keyword| WORDS.contains(&keyword.as_str()))))
    }

    fn all(self, schemas: &Value, value: &Value) -> Result<(BTreeSet<String>, bool), String> {
        let (mut known, mut open) = (BTreeSet::new(), false);
        for schema in schemas.as_array().unwrap() {
            let (more, others) = self.part(schema, value)?;
            known.extend(more);
            open |= others;
        }
        Ok((known, open))
    }

    /// Of those that fit, the one that names the most.
    fn any(self, schemas: &Value, value: &Value) -> Result<(BTreeSet<String>, bool), String> {
        let (mut fitting, mut faults) = (Vec::new(), Vec::new());
        for schema in schemas.as_array().unwrap() {
            match self.part(schema, value) {
                Ok(part) => fitting.push(part),
                Err(fault) => faults.push(fault),
            }
        }
        // An empty schema among them only says that none of the others has to fit.
        let named = fitting.into_iter().max_by_key(|(known, _)| known.len());
        named
            .map(|(known, open)| (known, open && schemas.as_array().unwrap().iter().all(|schema| *schema != Value::Object(Map::new()))))
            .ok_or_else(|| faults.join("; or "))
    }

    fn members(self, schemas: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
        let schemas = schemas.as_object().unwrap();
        if let Value::Object(members) = value {
            for (name, member) in members {
                if let Some(schema) = schemas.get(name) {
                    self.check(schema, member).map_err(|fault| format!("{name}: {fault}"))?;
                }
            }
        }
        Ok(schemas.keys().cloned().collect())
    }

    fn plain(self, keyword: &str, wanted: &Value, value: &Value) -> Result<(), String> {
        let holds = match keyword {
            "type" => match wanted {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
            "format" => value.as_str().is_none_or(|text| {
                let format = wanted.as_str().unwrap();
                is_written(text, format) || (!self.strict && is_taken(text, format))
            }),
            "required" => {
                let missing = |name: &&Value| value.as_object().is_some_and(|members| !members.contains_key(name.as_str().unwrap()));
                if let Some(name) = wanted.as_array().unwrap().iter().find(missing) {
                    return Err(format!("{name} is missing"));
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    self.check(wanted, item)?;
                }
                true
            }
            word => {
                assert!(WORDS.contains(&word), "the keyword {word} is not known");
                true
            }
        };
        if holds { Ok(()) } else { Err(format!("{value:.200} is not of {keyword} {wanted:.200}")) }
    }
}

/// Whether a text is what its format says.
fn is_written(text: &str, format: &str) -> bool {
    let no_uri_has = |letter: char| !letter.is_ascii_graphic() || "\"<>\\^`{|}".contains(letter);
    match format {
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "uri" => url::Url::parse(text).is_ok() && !text.contains(no_uri_has),
        "uri-reference" => !text.contains(no_uri_has),
        "email" => text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        format => panic!("the format {format} is not known"),
    }
}

/// What is taken is more than what is promised: a moment without an offset is one in UTC, and letters that no URI has are written as it has them.
fn is_taken(text: &str, format: &str) -> bool {
    match format {
        "date-time" => is_written(&format!("{text}Z"), format),
        "uri" | "uri-reference" => url::Url::parse(text).is_ok(),
        _ => false,
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        kind => panic!("the type {kind} is not known"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;

    let document = json!({ "components": { "schemas": {
        "Base": { "type": "object", "required": ["a"], "properties": { "a": { "type": "integer", "minimum": 0 } } },
        "Whole": { "allOf": [{ "$ref": "#/components/schemas/Base" }, { "properties": { "b": { "enum": ["x"] } } }] },
        "Either": { "anyOf": [{ "$ref": "#/components/schemas/Base" }, {}] },
        "Open": { "type": ["object", "null"], "properties": { "l": { "type": "array", "items": { "type": "string" } } }, "additionalProperties": true },
    } } });
    let fits = |name: &str, value: Value| {
        let judge = Judge { document: &document, strict: true };
        judge.check(&json!({ "$ref": format!("#/components/schemas/{name}") }), &value).is_ok()
    };
    for (name, value) in [
        ("Whole", json!({ "a": 0, "b": "x" })),
        ("Whole", json!({ "a": 1 })),
        ("Either", json!({ "a": 1 })),
        ("Open", Value::Null),
        ("Open", json!({ "l": ["x"], "m": 1 })),
    ] {
        assert!(fits(name, value.clone()), "{name} {value}");
    }
    for (name, value) in [
        ("Whole", json!({ "b": "x" })),
        ("Whole", json!({ "a": -1 })),
        ("Whole", json!({ "a": 0.5 })),
        ("Whole", json!({ "a": 1, "b": "y" })),
        ("Whole", json!({ "a": 1, "c": 1 })),
        ("Whole", json!([])),
        ("Either", json!({ "a": 1, "c": 1 })),
        ("Open", json!({ "l": [1] })),
    ] {
        assert!(!fits(name, value.clone()), "{name} {value}");
    }
}
