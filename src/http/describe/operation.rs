//! One operation: a method on a path, what it takes and every answer that it can give.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::probe;
use super::schema::named;
use crate::http::FORM;
use crate::http::refuse::Surface;
use crate::http::reply::JSON;
use crate::oauth::error::ErrorCode;

/// The media type of pages.
pub(super) const HTML: &str = "text/html";

/// The scheme of a key in a header of its own, as AgentAuth has it.
pub(super) const AGENT_KEY: &str = "agent_key";
/// How many requests are left.
const LIMITS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
/// The same, and what was decided, where agents manage agents.
const DECIDED: [&str; 4] = ["X-Authorization-Decision", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

/// A body: its media type, its schema, and the members that the type which reads it knows, if one does.
type Body = (&'static str, Value, Option<&'static [&'static str]>);

/// What one method does on one path.
pub(super) struct Operation {
    /// Its name, unique.
    pub(super) id: &'static str,
    /// In capitals.
    pub(super) method: &'static str,
    /// With parameters in braces.
    pub(super) path: &'static str,
    /// Bodies that it takes, by media type.
    pub(super) bodies: Vec<Body>,
    aliases: Vec<&'static str>,
    summary: &'static str,
    about: &'static str,
    security: Vec<&'static str>,
    parameters: Vec<Value>,
    /// How it refuses.
    surface: Surface,
    /// And as a page too.
    pages: bool,
    proof: bool,
    /// Agents manage agents with it: their requests are counted.
    managed: bool,
    answers: BTreeMap<u16, Answer>,
}

impl Operation {
    fn new(id: &'static str, method: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            method,
            path,
            bodies: Vec::new(),
            aliases: Vec::new(),
            summary,
            about: "",
            security: Vec::new(),
            parameters: Vec::new(),
            surface: Surface::OAuth,
            pages: false,
            proof: false,
            managed: false,
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn get(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self::new(id, "GET", path, summary)
    }

    /// Its body is read before anything else, so one that is too long is always refused.
    pub(super) fn post(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self::new(id, "POST", path, summary).refuses(&[ErrorCode::ContentTooLarge])
    }

    pub(super) fn put(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self::new(id, "PUT", path, summary).refuses(&[ErrorCode::ContentTooLarge])
    }

    pub(super) fn patch(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self::new(id, "PATCH", path, summary).refuses(&[ErrorCode::ContentTooLarge])
    }

    pub(super) fn delete(id: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self::new(id, "DELETE", path, summary)
    }

    /// Every path that it is at.
    #[cfg(test)]
    pub(super) fn paths(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.path).chain(self.aliases.iter().copied())
    }

    pub(super) fn aliases(mut self, aliases: &[&'static str]) -> Self {
        self.aliases.extend(aliases);
        self
    }

    pub(super) fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// How it refuses, where that is not as RFC 6749 has it. To be said before the refusals.
    pub(super) fn surface(mut self, surface: Surface) -> Self {
        self.surface = surface;
        self
    }

    /// Whoever asks for a page is refused with a page.
    pub(super) fn also_pages(mut self) -> Self {
        self.pages = true;
        self
    }

    /// Each of these schemes will do; the empty name stands for none.
    pub(super) fn security(mut self, schemes: &[&'static str]) -> Self {
        for scheme in schemes {
            if !self.security.contains(scheme) {
                self.security.push(scheme);
            }
        }
        self
    }

    /// A parameter of the path, the query or a header; only those of the path are required.
    pub(super) fn parameter(mut self, place: &str, name: &str, schema: Value, about: &str) -> Self {
        let mut parameter = json!({ "name": name, "in": place, "schema": schema, "description": about });
        if let (true, Value::Object(fields)) = (place == "path", &mut parameter) {
            fields.insert("required".to_owned(), true.into());
        }
        self.parameters.push(parameter);
        self
    }

    pub(super) fn query(self, name: &str, schema: Value, about: &str) -> Self {
        self.parameter("query", name, schema, about)
    }

    /// A JSON body that a `T` is read from.
    pub(super) fn json_of<'de, T: Deserialize<'de>>(self, name: &str) -> Self {
        self.body(JSON, named(name), Some(probe::members::<T>())).refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType])
    }

    /// A JSON object that the worker judges by this very text; what does not fit is told with 422.
    pub(super) fn json_as(self, schema: &str) -> Self {
        let mut schema: Value = serde_json::from_str(schema).unwrap_or_default();
        // Tools have this text too, and some of their clients take no format. An empty text takes the page away.
        if let Some(Value::Object(page)) = schema.pointer_mut("/properties/homepage_url") {
            page.insert("format".to_owned(), "uri-reference".into());
        }
        optional(&mut schema);
        self.body(JSON, schema, None)
            .refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType])
            .refuses_as(422, &[ErrorCode::InvalidRequest])
    }

    /// A form.
    pub(super) fn form(self, schema: Value) -> Self {
        self.body(FORM, schema, None).refuses(&[ErrorCode::InvalidRequest, ErrorCode::UnsupportedMediaType])
    }

    pub(super) fn body(mut self, media: &'static str, schema: Value, members: Option<&'static [&'static str]>) -> Self {
        self.bodies.push((media, schema, members));
        self
    }

    /// An answer with a body.
    pub(super) fn answers(mut self, status: u16, about: &'static str, media: &'static str, schema: Value) -> Self {
        let answer = self.answers.entry(status).or_default();
        answer.about = about;
        answer.content.insert(media, schema);
        self
    }

    /// The usual answer: 200 with the JSON of that name.
    pub(super) fn gives(self, name: &str, about: &'static str) -> Self {
        self.answers(200, about, JSON, named(name))
    }

    /// An answer without a body.
    pub(super) fn empty(mut self, status: u16, about: &'static str) -> Self {
        self.answers.entry(status).or_default().about = about;
        self
    }

    /// A page.
    pub(super) fn page(self, status: u16, about: &'static str) -> Self {
        self.answers(status, about, HTML, json!({ "type": "string" }))
    }

    /// On to somewhere else.
    pub(super) fn redirect(self, status: u16, about: &'static str) -> Self {
        self.empty(status, about).header(status, "Location")
    }

    pub(super) fn header(mut self, status: u16, name: &'static str) -> Self {
        self.answers.entry(status).or_default().headers.insert(name);
        self
    }

    /// Errors that it can answer with, each with the status of its code.
    pub(super) fn refuses(self, codes: &[ErrorCode]) -> Self {
        codes.iter().fold(self, |operation, code| operation.refuses_as(code.status(), &[*code]))
    }

    /// The same with another status than the codes have elsewhere.
    pub(super) fn refuses_as(mut self, status: u16, codes: &[ErrorCode]) -> Self {
        let answer = self.answers.entry(status).or_default();
        answer.codes.extend(codes);
        let more = match (status, self.surface) {
            (401, Surface::Page | Surface::Event) => None,
            (401, _) => Some("WWW-Authenticate"),
            (403, _) if codes.contains(&ErrorCode::InsufficientScope) => Some("WWW-Authenticate"),
            (405, _) => Some("Allow"),
            (429 | 503, _) => Some("Retry-After"),
            _ => None,
        };
        answer.headers.extend(more);
        if status == 422 && codes.contains(&ErrorCode::InvalidRequest) {
            answer.more = Some(json!({ "properties": { "errors": { "type": "array", "items": { "type": "string" } } } }));
        }
        self
    }

    /// Errors of this status have these members too.
    pub(super) fn with_members(mut self, status: u16, members: Value) -> Self {
        self.answers.entry(status).or_default().more = Some(members);
        self
    }

    /// It asks the stores, which may fail.
    pub(super) fn stored(self) -> Self {
        self.refuses(&[ErrorCode::TemporarilyUnavailable])
    }

    /// It can be asked only so often, and says how often.
    pub(super) fn limited(self, status: u16) -> Self {
        let limited = self.refuses(&[ErrorCode::RateLimited]);
        LIMITS.iter().fold(limited, |operation, name| operation.header(status, name).header(429, name))
    }

    /// It looks at a DPoP proof, and gives a nonce for the next one; what is wrong with a proof is told with `status`.
    pub(super) fn proves(mut self, status: u16) -> Self {
        self.proof = true;
        self.parameter("header", "DPoP", json!({ "type": "string" }), "A proof (RFC 9449).")
            .refuses_as(status, &[ErrorCode::InvalidDpopProof, ErrorCode::UseDpopNonce])
    }

    /// One of our own resources: it needs an access token or an API key, with `scope` or without.
    pub(super) fn guarded(self) -> Self {
        self.security(&["token", "dpop"]).proves(401).stored().refuses(&[
            ErrorCode::Unauthorized,
            ErrorCode::InvalidToken,
            ErrorCode::InsufficientScope,
        ])
    }

    /// Agents manage agents with it; what can be refused to them everywhere.
    pub(super) fn managed(mut self) -> Self {
        let codes = [
            ErrorCode::InvalidRequest,
            ErrorCode::AccessDenied,
            ErrorCode::Forbidden,
            ErrorCode::PolicyDenied,
            ErrorCode::NotFound,
            ErrorCode::AgentInactive,
        ];
        self.managed = true;
        self.surface(Surface::Problem)
            .guarded()
            .security(&[AGENT_KEY])
            .refuses(&codes)
            .refuses_as(403, &[ErrorCode::AccessDenied, ErrorCode::AgentInactive])
            .with_members(
                403,
                json!({ "properties": { "policy_id": { "type": ["string", "null"] }, "policy_name": { "type": ["string", "null"] } } }),
            )
            .refuses(&[ErrorCode::RateLimited])
    }

    /// It can be repeated with the same Idempotency-Key, and is answered the same.
    pub(super) fn repeatable(self) -> Self {
        self.parameter(
            "header",
            "Idempotency-Key",
            json!({ "type": "string", "minLength": 16, "maxLength": 255 }),
            "One for each request, so that it can be sent again.",
        )
        .refuses(&[ErrorCode::IdempotencyKeyReused])
    }

    /// For the operator alone.
    pub(super) fn operators(self) -> Self {
        self.security(&["operator"]).refuses(&[ErrorCode::Unauthorized])
    }

    /// An operation object of OpenAPI 3.1.
    pub(super) fn render(self, tag: &str) -> Value {
        let mut operation = Map::new();
        let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
        put("operationId", self.id.into());
        put("tags", json!([tag]));
        put("summary", self.summary.into());
        if !self.about.is_empty() {
            put("description", self.about.into());
        }
        if !self.aliases.is_empty() {
            put("x-aliases", json!(self.aliases));
        }
        if !self.security.is_empty() {
            let alternative = |name: &&str| if name.is_empty() { json!({}) } else { json!({ *name: [] }) };
            put("security", self.security.iter().map(alternative).collect::<Vec<_>>().into());
        }
        if !self.parameters.is_empty() {
            put("parameters", self.parameters.into());
        }
        if !self.bodies.is_empty() {
            let content: Map<_, _> =
                self.bodies.into_iter().map(|(media, schema, _)| (media.to_owned(), json!({ "schema": schema }))).collect();
            put("requestBody", json!({ "required": true, "content": content }));
        }
        let mut responses: Map<String, Value> = Map::new();
        for (status, mut answer) in self.answers {
            if self.proof {
                answer.headers.insert("DPoP-Nonce");
            }
            if self.managed {
                answer.headers.extend(LIMITS.iter().chain(&DECIDED));
            }
            responses.insert(status.to_string(), answer.render(self.surface, self.pages));
        }
        responses.entry("500").or_insert_with(|| json!({ "$ref": "#/components/responses/Fault" }));
        put("responses", responses.into());
        operation.into()
    }
}

/// What need not be there may be null too.
fn optional(schema: &mut Value) {
    let required: Vec<Value> = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let members = schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, member) in members.filter(|(name, _)| !required.contains(&Value::from(name.as_str()))) {
        if let Some(kind) = member.get_mut("type") {
            *kind = json!([kind, "null"]);
        }
        if let Some(Value::Array(words)) = member.get_mut("enum") {
            words.push(Value::Null);
        }
    }
}
