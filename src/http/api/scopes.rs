//! Which scopes there are: those of the operator's resources, and those with which agents manage agents.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body;
use super::route::Api;
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::{Sent, media_type, reply};
use crate::oauth::error::ErrorCode;
use crate::oauth::management;
use crate::oauth::scope::Scope;
use crate::store::Ports;

/// What is to be resolved, if it does not come as a list alone.
pub(in crate::http) const RESOLVE: &str = r#"{
    "type": "object",
    "properties": {
        "scopes": { "type": "array", "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "Scopes; x.* stands for all that are known and begin so." }
    },
    "required": ["scopes"]
}"#;

pub(super) async fn serve<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let answer = if api == Api::Scopes { all(cx) } else { resolve(sent, cx)? };
    Ok(reply::json(StatusCode::OK, &answer))
}

fn all<P>(cx: &Cx<'_, P>) -> Value {
    let words = |name: &str| cx.config.scope_descriptions.get(name).cloned();
    let operators =
        cx.config.scopes_supported.iter().map(|name| json!({ "name": name, "description": words(name), "category": category(name) }));
    let ours = management::SCOPES.iter().map(|(name, about, _)| json!({ "name": name, "description": about, "category": category(name) }));
    let data: Vec<Value> = operators.chain(ours).collect();
    json!({ "total": data.len(), "data": data })
}

/// What stands before the first dot or colon.
fn category(name: &str) -> &str {
    name.split(['.', ':']).next().filter(|first| first.len() < name.len()).unwrap_or("general")
}

fn resolve<P>(sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let is_list = sent.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let fields = if is_list && media_type(sent.headers) == "application/json" {
        let malformed = |_| Refused::new(ErrorCode::InvalidRequest, "malformed JSON").hint("Send one JSON list of texts, UTF-8.");
        let list: Value = serde_json::from_slice(sent.body).map_err(malformed)?;
        let fields = serde_json::Map::from_iter([("scopes".to_owned(), list)]);
        body::fit(&fields, RESOLVE)?;
        fields
    } else {
        body::read(sent.headers, sent.body, RESOLVE)?
    };
    let requested: Vec<&str> = fields.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let held = Scope::held(requested.iter().copied())
        .map_err(|_| body::unfit("scopes must be scope tokens; a * stands only at the end, after a dot"))?;
    let known = cx.config.scopes_supported.union(&management::scope(true));
    let resolved = held.resolve(&known);
    Ok(json!({ "requested": requested, "resolved": resolved.iter().collect::<Vec<_>>() }))
}
