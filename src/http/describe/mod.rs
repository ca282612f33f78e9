//! The description of everything that can be asked of a deployment: OpenAPI 3.1.
//!
//! It is written natively, into `static/openapi.json`, and served from there: of this module nothing is in the worker. One table of operations
//! per family of endpoints stands here, with the schemas of what they take and give. Nothing of it can drift from what serves it: `routes`
//! names the operations of every route, schemas of request bodies are compared with the types that read them (`probe`), the error codes come
//! from their own table, and the native tests compare every answer that they get with what is described here.
//!
//! To add an operation: add it, and the schemas that it names, to the table of its family; name it in `routes`; write the file anew with
//! `UPDATE_OPENAPI=1 cargo test --lib describe`.

mod agents;
mod answer;
mod clients;
mod components;
mod discovery;
mod manage;
mod operation;
mod operator;
mod pages;
mod passkeys;
mod probe;
mod resources;
#[cfg(test)]
mod routes;
mod schema;
mod service;
mod sign_in;
mod tokens;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::openapi;
use operation::Operation;

/// One family of endpoints.
struct Family {
    name: &'static str,
    about: &'static str,
    operations: fn() -> Vec<Operation>,
    schemas: fn() -> Vec<(&'static str, Value)>,
}

/// In the order in which they are shown.
const FAMILIES: &[Family] = &[
    Family {
        name: "Discovery",
        about: "Where everything is, for whoever has met a 401.",
        operations: discovery::operations,
        schemas: discovery::schemas,
    },
    Family {
        name: "Agents",
        about: "Agents register, and are claimed by their person (auth.md).",
        operations: agents::operations,
        schemas: agents::schemas,
    },
    Family {
        name: "Tokens",
        about: "OAuth 2.1: grants, introspection, revocation.",
        operations: tokens::operations,
        schemas: tokens::schemas,
    },
    Family {
        name: "Clients",
        about: "Clients register and manage themselves (RFC 7591, 7592).",
        operations: clients::operations,
        schemas: clients::schemas,
    },
    Family {
        name: "Resources",
        about: "Our own resources, which take access tokens and API keys.",
        operations: resources::operations,
        schemas: resources::schemas,
    },
    Family {
        name: "Tree",
        about: "Agents make agents below themselves, and manage them.",
        operations: manage::agents::operations,
        schemas: manage::agents::schemas,
    },
    Family {
        name: "Keys",
        about: "API keys of agents.",
        operations: manage::credentials::operations,
        schemas: manage::credentials::schemas,
    },
    Family {
        name: "AgentAuth",
        about: "Tokens by AgentAuth's paths.",
        operations: manage::tokens::operations,
        schemas: manage::tokens::schemas,
    },
    Family {
        name: "Policies",
        about: "What agents may do, decided in one place.",
        operations: manage::policies::operations,
        schemas: manage::policies::schemas,
    },
    Family {
        name: "Delegations",
        about: "Rights that one agent hands on to another.",
        operations: manage::delegations::operations,
        schemas: manage::delegations::schemas,
    },
    Family {
        name: "Webhooks",
        about: "Who is told of what happens.",
        operations: manage::webhooks::operations,
        schemas: manage::webhooks::schemas,
    },
    Family {
        name: "Audit",
        about: "What was done, by whom, for whom.",
        operations: manage::audit::operations,
        schemas: manage::audit::schemas,
    },
    Family {
        name: "Operator",
        about: "For whoever runs the deployment, with its OPERATOR_KEY.",
        operations: operator::operations,
        schemas: operator::schemas,
    },
    Family { name: "Sign-in", about: "People sign in, in a browser.", operations: sign_in::operations, schemas: passkeys::schemas },
    Family {
        name: "Pages",
        about: "People answer agents and clients, and look at their account, in a browser.",
        operations: pages::operations,
        schemas: Vec::new,
    },
    Family {
        name: "Service",
        about: "Whether it runs, and what its pages are made of.",
        operations: service::operations,
        schemas: service::schemas,
    },
];

const ABOUT: &str = "The side gate that AI agents come in by: an auth server for agents, clients and people.\n\n\
    Every error is JSON with a code, words, a `hint` that says what to do next, and an `error_uri` into `/auth.md`; pages of people say it in \
    HTML. Every answer has `X-Request-Id`. Where `GET` is allowed, so is `HEAD`; `OPTIONS` answers 204 everywhere that something is, and any \
    other method 405 with `Allow`. Bodies are 64 KiB at most. Unknown members and parameters are ignored. `x-aliases` are further paths of the \
    same operation. What a deployment has switched off answers 404.";

/// The whole description, as it is served.
#[must_use]
pub fn document() -> Value {
    serde_json::from_slice(&openapi::served(&text())).unwrap_or_default()
}

/// The same without the error codes, which the worker puts in.
fn table() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for family in FAMILIES {
        for operation in (family.operations)() {
            paths.entry(operation.path).or_default().insert(operation.method.to_lowercase(), operation.render(family.name));
        }
    }
    let schemas: Map<String, Value> = FAMILIES
        .iter()
        .flat_map(|family| (family.schemas)())
        .chain(components::errors())
        .chain([("ErrorCode", openapi::CODES.into())])
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    let tags: Vec<Value> = FAMILIES.iter().map(|family| json!({ "name": family.name, "description": family.about })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postern", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": components::headers(),
            "responses": components::responses(),
            "securitySchemes": components::security(),
        },
    })
}

/// The file: one line for each path and each component, so that a change can be read.
#[must_use]
pub fn text() -> String {
    let mut text = String::new();
    lines(&table(), 0, &mut text);
    text.push('\n');
    text
}

/// What lies deeper than this is on one line.
const DEPTH: usize = 3;

fn lines(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(members) if depth < DEPTH && !members.is_empty() => {
            text.push('{');
            let mut glue = "\n";
            for (name, value) in members {
                text.push_str(&format!("{glue}{}:", Value::from(name.as_str())));
                // Paths and their operations stand one level higher than the components.
                lines(value, if depth == 0 && name != "components" { depth + 2 } else { depth + 1 }, text);
                glue = ",\n";
            }
            text.push_str("\n}");
        }
        value => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;
    use crate::oauth::error::ErrorCode;

    #[test]
    fn the_file_is_what_the_tables_give() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("static/openapi.json");
        let written = text();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), table());
        assert_eq!(document()["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap().len(), ErrorCode::ALL.len());
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == written, "static/openapi.json is old: UPDATE_OPENAPI=1 cargo test --lib describe");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names = BTreeSet::new();
        let mut places = BTreeSet::new();
        for operation in FAMILIES.iter().flat_map(|family| (family.operations)()) {
            assert!(names.insert(operation.id), "{} is there twice", operation.id);
            for path in operation.paths() {
                assert!(places.insert((path, operation.method)), "{} {path} is there twice", operation.method);
            }
        }
    }

    #[test]
    fn what_is_named_is_there_and_what_is_there_is_named() {
        let document = document();
        let mut named = BTreeSet::new();
        references(&document, &mut named);
        for name in &named {
            assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name} is nowhere");
        }
        for kind in ["schemas", "headers", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                assert!(named.contains(&format!("#/components/{kind}/{name}")), "nobody needs {kind}/{name}");
            }
        }
    }

    fn references(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                named.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, named));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, named)),
            _ => {}
        }
    }

    #[test]
    fn what_is_required_is_described() {
        fn look(value: &Value, at: &str) {
            if let (Some(required), Some(properties)) = (value["required"].as_array(), value["properties"].as_object()) {
                for name in required {
                    assert!(properties.contains_key(name.as_str().unwrap()), "{name} in {at}");
                }
            }
            match value {
                Value::Object(members) => members.iter().for_each(|(name, value)| look(value, &format!("{at}/{name}"))),
                Value::Array(items) => items.iter().for_each(|value| look(value, at)),
                _ => {}
            }
        }
        look(&document(), "");
    }

    #[test]
    fn bodies_are_described_as_the_types_read_them() {
        let document = document();
        for operation in FAMILIES.iter().flat_map(|family| (family.operations)()) {
            for (_, schema, fields) in &operation.bodies {
                let Some(fields) = fields else { continue };
                let name = schema["$ref"].as_str().unwrap().trim_start_matches('#');
                let described: BTreeSet<&str> =
                    document.pointer(name).unwrap()["properties"].as_object().unwrap().keys().map(String::as_str).collect();
                let read: BTreeSet<&str> = fields.iter().copied().collect();
                assert_eq!(described, read, "{name} of {}", operation.id);
            }
        }
    }
}
