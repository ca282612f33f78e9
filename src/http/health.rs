//! `/health`: the worker runs. `/ready`: its stores answer too.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::reply;
use crate::cx::Cx;
use crate::machine::keyring::{Command, KeyRing, Ring};
use crate::store::Ports;
use crate::time::Ttl;

/// Asks nobody.
pub(super) fn health() -> Response<Bytes> {
    reply::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Reads from the directory and asks one object. Why something failed stands in the log.
pub(super) async fn ready<P: Ports>(cx: &Cx<'_, P>) -> Response<Bytes> {
    let directory = cx.ports.read(Ring::Es256.published(), Ttl::from_seconds(60)).await.map(|_| ());
    let cell = cx.ports.run::<KeyRing>(&Ring::Es256.name(), Command::Look).await.map(|_| ());
    let word = |result: &Result<(), crate::store::StoreError>| if result.is_ok() { "ok" } else { "failed" };
    let checks = json!({ "kv": word(&directory), "durable_object": word(&cell) });
    for error in [&directory, &cell].into_iter().filter_map(|result| result.as_ref().err()) {
        cx.ports.warn("not_ready", &error.to_string());
    }
    let ready = directory.is_ok() && cell.is_ok();
    let (status, word) = if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    reply::json(status, &json!({ "status": word, "checks": checks }))
}
