//! One JSON line an event, as the platform's log reads it. Nothing that a client sent gets in, but what it is called.

use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde_json::json;

use super::border;
use crate::http::reply::{Reason, RouteName};
use crate::trace::Pending;

/// What became of a request.
pub(super) fn request(id: &str, method: &str, response: &Response<Bytes>, millis: u64) {
    let route = response.extensions().get::<RouteName>().map_or("none", |route| route.0);
    let reason = response.extensions().get::<Reason>().map(|reason| reason.0.as_str());
    let level = if response.status().is_server_error() { "error" } else { "info" };
    let trace = response.extensions().get::<Pending>().map(|step| step.id.to_string());
    let status = response.status().as_u16();
    let line = Line { event: "request", level, method, ms: millis, reason, request_id: id, route, status, trace };
    border::log(&serde_json::to_string(&line).unwrap_or_default());
}

/// The line of every request: no tree is made of it.
#[derive(Serialize)]
struct Line<'r> {
    event: &'static str,
    level: &'static str,
    method: &'r str,
    ms: u64,
    reason: Option<&'r str>,
    request_id: &'r str,
    route: &'static str,
    status: u16,
    trace: Option<String>,
}

/// Something that an operator should see.
pub(super) fn warn(event: &str, reason: &str) {
    let line = json!({ "level": "warn", "event": event, "reason": reason });
    border::log(&line.to_string());
}
