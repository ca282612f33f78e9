//! The description against what is answered: every answer that any of these tests gets is compared with it.

mod calls;
mod formats;
mod forms;
mod schema;
mod taken;

use std::sync::OnceLock;

use http::{HeaderMap, Request, Response};
use postern::http::TooLong;
use serde_json::{Map, Value, json};

use schema::Judge;

/// Headers that are only there where the description says so.
const HEADERS: [&str; 9] = [
    "allow",
    "dpop-nonce",
    "etag",
    "location",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "www-authenticate",
];
const FORM: &str = "application/x-www-form-urlencoded";

/// The description, read once.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(postern::http::describe::document)
}

/// A request, until it is answered.
pub struct Asked {
    method: String,
    path: String,
    media: String,
    body: Option<bytes::Bytes>,
}

impl Asked {
    pub fn of(request: &Request<Result<bytes::Bytes, TooLong>>) -> Self {
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            media: media(request.headers()),
            body: request.body().as_ref().ok().cloned(),
        }
    }

    /// Compares the answer with the description. The operation and the status, if it is described at all.
    pub fn judge(&self, answer: &Response<bytes::Bytes>) -> Option<(String, u16)> {
        let status = answer.status().as_u16();
        if self.method == "OPTIONS" {
            assert!([204, 404].contains(&status), "OPTIONS {} is answered with {status}", self.path);
            return None;
        }
        let method = if self.method == "HEAD" { "GET" } else { &self.method };
        let known: Vec<(&str, &Value)> =
            operations().filter(|(_, path, _)| fits(path, &self.path)).map(|(method, _, one)| (method, one)).collect();
        let Some((_, operation)) = known.iter().find(|(known, _)| *known == method) else {
            // GET /mcp shows the challenge to those who look for it there, once it is known that they may; what lies below a registration is none.
            let elsewhere = if known.is_empty() { [404, 405, 401, 404] } else { [405, 405, 401, 403] };
            assert!(elsewhere.contains(&status), "{} {} is not described, and answered with {status}", self.method, self.path);
            return None;
        };
        let name = operation["operationId"].as_str().unwrap();
        let fail = |what: &str| panic!("{name} {status}: {what}\n{}", String::from_utf8_lossy(answer.body()));
        let response = resolved(&operation["responses"][status.to_string()]);
        if response.is_null() {
            fail("the status is not described");
        }
        for header in HEADERS.into_iter().filter(|header| answer.headers().contains_key(*header)) {
            let described = response["headers"].as_object().is_some_and(|all| all.keys().any(|name| name.eq_ignore_ascii_case(header)));
            if !described {
                fail(&format!("the header {header} is not described"));
            }
        }
        if self.method != "HEAD"
            && let Err(fault) = content(response, answer)
        {
            fail(&fault);
        }
        if answer.status().is_success()
            && let Err(fault) = self.conforms(operation)
        {
            fail(&format!("the request was taken, and is not as described: {fault}"));
        }
        Some((name.to_owned(), status))
    }

    /// A request that is taken is one of those described.
    fn conforms(&self, operation: &Value) -> Result<(), String> {
        let (Some(content), Some(body)) = (operation["requestBody"]["content"].as_object(), &self.body) else { return Ok(()) };
        let schema = &content.get(&self.media).ok_or_else(|| format!("a body of type {}", self.media))?["schema"];
        let value = match self.media.as_str() {
            // A parameter without a value is absent (RFC 6749, section 3.1).
            FORM => url::form_urlencoded::parse(body)
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.into_owned(), Value::from(&*value)))
                .collect::<Map<_, _>>()
                .into(),
            media if media.ends_with("json") => serde_json::from_slice(body).map_err(|error| error.to_string())?,
            _ => String::from_utf8_lossy(body).as_ref().into(),
        };
        Judge { document: document(), strict: false }.check(schema, &value)
    }
}

/// The body is of a described type, and as it is described.
fn content(response: &Value, answer: &Response<bytes::Bytes>) -> Result<(), String> {
    let body = answer.body();
    let Some(content) = response["content"].as_object() else {
        return if body.is_empty() { Ok(()) } else { Err("a body, and none is described".to_owned()) };
    };
    let media = media(answer.headers());
    let schema = &content.get(&media).ok_or_else(|| format!("{media} is not described"))?["schema"];
    let value = match media.as_str() {
        "application/json" | "application/problem+json" => serde_json::from_slice(body).map_err(|error| error.to_string())?,
        _ => json!("text"),
    };
    Judge { document: document(), strict: true }.check(schema, &value)
}

/// Method, path and description of each, those of further paths too.
pub fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    static ALL: OnceLock<Vec<(String, &str, &Value)>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut all = Vec::new();
        for (path, methods) in document()["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let aliases = operation["x-aliases"].as_array().into_iter().flatten().map(|alias| alias.as_str().unwrap());
                all.extend(std::iter::once(path.as_str()).chain(aliases).map(|path| (method.to_uppercase(), path, operation)));
            }
        }
        all
    });
    all.iter().map(|(method, path, operation)| (method.as_str(), *path, *operation))
}

fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let all =
        template.split('/').all(|wanted| parts.next().is_some_and(|part| part == wanted || (wanted.starts_with('{') && !part.is_empty())));
    all && parts.next().is_none()
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(name) => document().pointer(name.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn media(headers: &HeaderMap) -> String {
    let value = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
