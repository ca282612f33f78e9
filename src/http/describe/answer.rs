//! One answer of an operation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::operation::HTML;
use super::schema::named;
use crate::http::refuse::Surface;
use crate::http::reply::{JSON, PROBLEM};
use crate::oauth::error::ErrorCode;

/// What it says, and with what refusals.
#[derive(Default)]
pub(super) struct Answer {
    pub about: &'static str,
    pub content: BTreeMap<&'static str, Value>,
    pub headers: BTreeSet<&'static str>,
    pub codes: BTreeSet<ErrorCode>,
    pub more: Option<Value>,
}

impl Answer {
    /// As OpenAPI has it; where the operation answers with `pages` too, so does it.
    pub fn render(self, surface: Surface, pages: bool) -> Value {
        let mut content = self.content;
        let mut about = self.about.to_owned();
        if !self.codes.is_empty() {
            let codes: Vec<&str> = self.codes.iter().map(|code| code.as_str()).collect();
            if about.is_empty() {
                about.push_str("Refused.");
            }
            let (media, name, member) = match surface {
                Surface::OAuth => (JSON, "Error", "error"),
                Surface::Agent => (JSON, "AgentError", "error"),
                Surface::Problem => (PROBLEM, "Problem", "error"),
                Surface::Event => (JSON, "EventError", "err"),
                Surface::Page => (HTML, "", ""),
            };
            if media == HTML || pages {
                content.insert(HTML, json!({ "type": "string" }));
            }
            if media != HTML {
                let one = json!({ "properties": { member: { "enum": codes } } });
                let all: Vec<Value> = [named(name), one].into_iter().chain(self.more).collect();
                let refusal = json!({ "allOf": all });
                let both = match content.remove(media) {
                    Some(other) => json!({ "anyOf": [refusal, other] }),
                    None => refusal,
                };
                content.insert(media, both);
            }
        }
        let mut response = Map::new();
        response.insert("description".to_owned(), about.into());
        if !content.is_empty() {
            let content: Map<_, _> = content.into_iter().map(|(media, schema)| (media.to_owned(), json!({ "schema": schema }))).collect();
            response.insert("content".to_owned(), content.into());
        }
        if !self.headers.is_empty() {
            let headers: Map<_, _> =
                self.headers.into_iter().map(|name| (name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect();
            response.insert("headers".to_owned(), headers.into());
        }
        response.into()
    }
}
