//! What a tool is, how it is listed, and how it fails.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::cx::Cx;
use crate::dpop;
use crate::http::api::manager::Manager;
use crate::http::api::seed::Seed;
use crate::http::api::{attempt, body};
use crate::http::guard::Caller;
use crate::http::refuse::Refused;
use crate::oauth::error::{ErrorCode, Refusal};
use crate::oauth::scope::Scope;
use crate::policy::Action;
use crate::store::Ports;
use crate::tenant::AuditOutcome;
use crate::verify::Active;

/// The argument that a token may come in where there is no header.
pub(super) const ACCESS_TOKEN: &str = "access_token";

/// A tool: what clients are told of it, and what it does.
pub(super) struct Tool<P> {
    /// Letters, digits and underscores; never another for the same thing.
    pub(super) name: &'static str,
    /// For people.
    pub(super) title: &'static str,
    /// For models: what it does, when to use it, what to do next.
    pub(super) about: &'static str,
    /// JSON Schema of the arguments, by which they are judged too, without [`ACCESS_TOKEN`]. Secrets are `writeOnly`.
    pub(super) input: &'static str,
    /// JSON Schema of what a success brings: `properties` and `required`.
    pub(super) output: &'static str,
    /// What it changes.
    pub(super) hints: Hints,
    /// Who may call it.
    pub(super) access: Access,
    /// Does it.
    pub(super) run: Run<P>,
}

/// Who may call a tool.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// Anybody; a credential that comes along must count all the same.
    Open,
    /// Whoever may do this.
    Scope(fn(&Config) -> Scope),
}

/// What a call changes; clients ask people less about what changes nothing.
#[derive(Clone, Copy)]
pub(super) struct Hints {
    pub(super) read_only: bool,
    /// It may take something away.
    pub(super) destructive: bool,
    /// A second call changes nothing more.
    pub(super) idempotent: bool,
}

impl Hints {
    /// Changes nothing.
    pub(super) const READS: Self = Self { read_only: true, destructive: false, idempotent: true };
    /// Makes something new with each call.
    pub(super) const ADDS: Self = Self { read_only: false, destructive: false, idempotent: false };
    /// Takes away, once.
    pub(super) const ENDS: Self = Self { read_only: false, destructive: true, idempotent: true };
}

/// A tool's work.
pub(super) type Run<P> = for<'a> fn(Asked<'a, P>) -> Doing<'a>;
/// Work that is under way.
pub(super) type Doing<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + 'a>>;

/// What a tool is asked: arguments that fit its schema, by a caller who may.
pub(super) struct Asked<'a, P> {
    pub(super) arguments: &'a Map<String, Value>,
    /// Who asks; nobody may ask an open tool too.
    pub(super) caller: Option<Caller>,
    /// The credential of the header as it came.
    pub(super) credential: Option<String>,
    pub(super) request: &'a dpop::Request<'a>,
    pub(super) cx: &'a Cx<'a, P>,
}

impl<'a, P> Asked<'a, P> {
    /// An argument that is text; empty if it is absent.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.find(name).unwrap_or_default()
    }

    /// An argument that is text, if it is there.
    pub(super) fn find(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// Whether something is wanted.
    pub(super) fn flag(&self, name: &str, usual: bool) -> bool {
        self.arguments.get(name).and_then(Value::as_bool).unwrap_or(usual)
    }

    /// Limit and offset.
    pub(super) fn page(&self) -> (u32, u32) {
        let number = |name: &str, usual: u32| body::number(self.arguments, name).unwrap_or(usual);
        (number("limit", 50), number("offset", 0))
    }

    /// The arguments without the token: what REST has as a body.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = self.arguments.clone();
        fields.remove(ACCESS_TOKEN);
        fields
    }

    /// Whoever asks, where nobody may not.
    pub(super) fn known(&self) -> Result<Caller, Failure> {
        self.caller.clone().ok_or_else(|| Failure::arguments("a token is needed"))
    }

    /// Who asks, as by REST at `path`: policies about the record that is meant count here too.
    pub(super) async fn manager(&self, scope: &str, action: Action, path: &str) -> Result<Manager, Failure>
    where
        P: Ports,
    {
        Ok(Manager::admit(self.known()?, scope, action, path, self.cx).await?)
    }

    /// What a call makes; it may come with an `Idempotency-Key` too.
    pub(super) async fn seed(&self, manager: &Manager, tool: &str) -> Result<Seed, Refused>
    where
        P: Ports,
    {
        let body = Value::Object(self.fields()).to_string();
        Seed::of(manager, self.request.headers, tool, body.as_bytes(), self.cx).await
    }

    /// Who asks.
    pub(super) fn active(&self) -> Option<&Active> {
        self.caller.as_ref().map(|caller| &caller.active)
    }
}

/// Why a tool did nothing: a result like others to the protocol, and for the model to read.
#[derive(Debug)]
pub(super) struct Failure {
    told: Value,
    reason: String,
    /// How it is to be audited, if it is to be.
    outcome: Option<AuditOutcome>,
}

impl Failure {
    /// With a code that only tools have.
    pub(super) fn new(error: &'static str, description: &'static str, hint: &str) -> Self {
        let told = json!({ "error": error, "error_description": description, "hint": hint });
        Self { told, reason: format!("{error}: {description}"), outcome: Some(AuditOutcome::Failure) }
    }

    /// The arguments do not fit the schema; `what` says how, and nothing that was sent.
    pub(super) fn arguments(what: &str) -> Self {
        let code = ErrorCode::InvalidRequest;
        Self::new(code.as_str(), code.description(), &format!("Correct the arguments: {what}."))
    }

    /// How it is to be audited, and its code; none if it is there already or our own fault.
    pub(super) fn audited(&self) -> Option<(AuditOutcome, &str)> {
        Some((self.outcome?, self.told.get("error")?.as_str()?))
    }

    /// What the caller is told, and what our log is.
    pub(super) fn into_parts(self) -> (Value, String) {
        (self.told, self.reason)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let outcome = attempt::outcome(&refused);
        let (told, reason) = refused.told();
        Self { told, reason, outcome }
    }
}

impl<E: Refusal> From<E> for Failure {
    fn from(error: E) -> Self {
        Refused::from(error).into()
    }
}

impl<P> Tool<P> {
    /// As `tools/list` shows it.
    pub(super) fn shown(&self) -> Value {
        let hints = self.hints;
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.about,
            "inputSchema": self.input(),
            "outputSchema": outcome(parsed(self.output)),
            "annotations": {
                "title": self.title, "readOnlyHint": hints.read_only, "destructiveHint": hints.destructive,
                "idempotentHint": hints.idempotent, "openWorldHint": false,
            },
        })
    }

    /// The schema of its arguments.
    pub(super) fn input(&self) -> Value {
        let mut input = parsed(self.input);
        if let Some(Value::Object(properties)) = input.get_mut("properties").filter(|_| self.takes_token()) {
            properties.insert(
                ACCESS_TOKEN.to_owned(),
                json!({
                    "type": "string", "minLength": 1, "maxLength": 8192, "writeOnly": true,
                    "description": "Your token or API key, if you cannot send an Authorization header.",
                }),
            );
        }
        input
    }

    /// Whether nobody needs to have proven anything before it is called with `arguments`: a token among them is judged later.
    pub(super) fn admits(&self, arguments: Option<&Value>) -> bool {
        matches!(self.access, Access::Open)
            || (self.takes_token() && arguments.and_then(|arguments| arguments.get(ACCESS_TOKEN)).is_some_and(Value::is_string))
    }

    /// Whether a token may come as an argument: for all that not everybody may call.
    pub(super) fn takes_token(&self) -> bool {
        matches!(self.access, Access::Scope(_))
    }
}

/// A scope of ours.
pub(super) fn scope(name: &str) -> Scope {
    name.parse().unwrap_or_default()
}

/// A result is what the tool brings or what it says of its failure: some clients check both by the one schema.
fn outcome(mut schema: Value) -> Value {
    let required = schema.get("required").cloned().unwrap_or_else(|| json!([]));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for name in ["error", "error_description", "hint"] {
            properties.insert(name.to_owned(), json!({ "type": "string" }));
        }
        properties.insert("retry_after".to_owned(), json!({ "type": "integer", "description": "Seconds." }));
    }
    if let Value::Object(members) = &mut schema {
        members.remove("required");
        members.insert("type".to_owned(), "object".into());
        members.insert("anyOf".to_owned(), json!([{ "required": required }, { "required": ["error"] }]));
    }
    schema
}

/// A schema of ours; a test reads every one.
fn parsed(schema: &str) -> Value {
    serde_json::from_str(schema).unwrap_or_default()
}
