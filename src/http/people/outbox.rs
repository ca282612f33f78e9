//! `GET /dev/outbox`: development's mail, newest first. Anywhere else there is nothing.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::machine::outbox::{Command, OUTBOX, Outbox};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;

/// All three legs of development must stand.
pub(crate) async fn outbox<P: Ports>(cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    if !cx.development {
        return Err(Refused::new(ErrorCode::NotFound, "not in development"));
    }
    let kept = cx.ports.run::<Outbox>(&OUTBOX.to_owned(), Command::Look).await?;
    let shown = |(at, message): (crate::time::Timestamp, crate::mail::Message)| json!({ "to": message.to, "subject": message.subject, "text": message.text, "html": message.html, "links": message.links, "at": at.iso() });
    Ok(reply::json(StatusCode::OK, &kept.into_iter().map(shown).collect::<Vec<Value>>()))
}
