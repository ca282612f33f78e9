//! One JSON line an event, as the platform's log reads it. Nothing that a client sent gets in, but what it is called.

use bytes::Bytes;
use http::Response;
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
    let line = json!({ "level": level, "event": "request", "request_id": id, "route": route, "method": method, "status": response.status().as_u16(), "reason": reason, "trace": trace, "ms": millis });
    border::log(&line.to_string());
}

/// Something that an operator should see.
pub(super) fn warn(event: &str, reason: &str) {
    let line = json!({ "level": "warn", "event": event, "reason": reason });
    border::log(&line.to_string());
}
