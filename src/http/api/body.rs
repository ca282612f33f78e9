//! What requests bring, judged by the JSON Schema that is published for it, and pages of lists.

use chrono::DateTime;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::refuse::Refused;
use crate::http::{json as body, schema};
use crate::oauth::error::ErrorCode;
use crate::oauth::params::Params;
use crate::time::Timestamp;

/// A JSON object that fits `schema`, which is a text of ours. Some clients send null for what they do not want to say: that is absent.
///
/// # Errors
/// 400 or 415 if it is no JSON object, and 422 with what does not fit, and where.
pub(in crate::http) fn read(headers: &HeaderMap, sent: &[u8], schema: &str) -> Result<Map<String, Value>, Refused> {
    let fields = said(body::object(headers, sent)?);
    fit(&fields, schema)?;
    Ok(fields)
}

/// The fields that are not null.
pub(in crate::http) fn said(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}

/// Judges fields by `schema`.
///
/// # Errors
/// 422 with what does not fit, and where.
pub(in crate::http) fn fit(fields: &Map<String, Value>, schema: &str) -> Result<(), Refused> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    schema::check(&schema, &Value::Object(fields.clone()), "body").map_err(unfit)
}

/// 422: `what` says what does not fit, and repeats nothing that was sent.
pub(in crate::http) fn unfit(what: impl Into<String>) -> Refused {
    let what: String = what.into();
    Refused::new(ErrorCode::InvalidRequest, what.clone())
        .status(StatusCode::UNPROCESSABLE_ENTITY)
        .hint("Correct what errors names.")
        .with(json!({ "errors": [what] }))
}

/// A field that is text.
pub(in crate::http) fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

/// A field that is a whole number.
pub(in crate::http) fn number(fields: &Map<String, Value>, name: &str) -> Option<u32> {
    let value = fields.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|number| number.fract() == 0.0).and_then(|number| format!("{number}").parse().ok()))
        .and_then(|number| u32::try_from(number).ok())
}

/// A field that is a moment, RFC 3339; without an offset it is UTC, as AgentAuth's clients write it.
///
/// # Errors
/// 422 if it is none, or before 1970.
pub(in crate::http) fn moment(fields: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(written) = text(fields, name) else { return Ok(None) };
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let date = read(written).or_else(|| read(&format!("{written}Z")));
    let millis = date.and_then(|date| u64::try_from(date.timestamp_millis()).ok());
    Ok(Some(Timestamp::from_millis(millis.ok_or_else(|| unfit(format!("{name} must be a moment, ISO 8601")))?)))
}

/// `limit` (1 to `most`, 50 if absent) and `offset` (0 if absent).
///
/// # Errors
/// 422 for any other.
pub(in crate::http) fn page(query: &Params, most: u32) -> Result<(u32, u32), Refused> {
    let read = |name: &str, usual: u32| query.find(name).map_or(Ok(usual), str::parse);
    let limit =
        read("limit", 50).ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| unfit(format!("limit must be 1 to {most}")))?;
    let offset = read("offset", 0).map_err(|_| unfit("offset must be a whole number of 0 or more"))?;
    Ok((limit, offset))
}
