//! `/operator/clients`: clients that the operator makes, which never expire.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::{created, fields, new_secret};
use crate::base62;
use crate::client::{self, Terms, written};
use crate::cx::Cx;
use crate::entropy::random;
use crate::http::operator::operator;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::machine::client::{Command, Keeper, Outcome, Registered};
use crate::machine::client_index::{self, ClientIndex, INDEX};
use crate::oauth::error::ErrorCode;
use crate::provider::guard::NamedBy;
use crate::secret::Secret;
use crate::store::Ports;

/// So much of a name is in the list.
const NAME: usize = 60;

/// `GET /operator/clients`: which there are; `POST`: one more.
pub(in crate::http) async fn all<P: Ports>(
    method: &str,
    headers: &HeaderMap,
    body: &[u8],
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    if method == "POST" {
        return create(headers, body, cx).await;
    }
    let client_index::Outcome::Clients(clients) = cx.ports.run::<ClientIndex>(&INDEX, client_index::Command::List).await? else {
        return Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the list does not list"));
    };
    let clients: Vec<Value> = clients.into_iter().map(|(id, name)| json!({ "client_id": id, "client_name": name })).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "clients": clients })))
}

/// `GET /operator/clients/{client_id}`: what it is; `DELETE`: it ends, and all that was granted to it.
pub(in crate::http) async fn one<P: Ports>(
    method: &str,
    id: &str,
    headers: &HeaderMap,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    operator(headers, cx)?;
    if client::id::digits(id, &cx.config.masters).is_none() {
        return Err(unknown());
    }
    let command = if method == "DELETE" { Command::Remove } else { Command::Look };
    let outcome = cx.ports.run::<Registered>(&id.to_owned(), command).await?;
    if method == "DELETE" {
        // Whatever became of the record: one that is gone must not stay in the list.
        let gone = matches!(&outcome, Outcome::Client(_) | Outcome::Unknown);
        if gone {
            cx.ports.run::<ClientIndex>(&INDEX, client_index::Command::Remove { id: id.to_owned() }).await?;
            client::remember(id, Outcome::Unknown, cx);
        }
        return if matches!(outcome, Outcome::Client(_)) { Ok(reply::empty(StatusCode::NO_CONTENT)) } else { Err(unknown()) };
    }
    match outcome {
        Outcome::Client(known) if known.keeper == Keeper::Operator => {
            let answer = Answer::new(id, known.metadata, known.created).with("trusted", Some(known.trusted));
            Ok(reply::json(StatusCode::OK, &answer.value()))
        }
        _ => Err(unknown()),
    }
}

async fn create<P: Ports>(headers: &HeaderMap, body: &[u8], cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let written::Written { metadata, trusted } = written::read(&fields(headers, body)?, &[], &Terms::of(NamedBy::Operator, true, cx))
        .map_err(|faults| Refused::new(ErrorCode::InvalidClientMetadata, faults.join("; ")).with(json!({ "faults": faults })))?;
    let bytes = random::<16>(cx.entropy)?;
    let (id, digits) = (client::id::make(&bytes, &cx.config.masters.current), base62::encode(&bytes));
    let name = metadata.client_name.clone().unwrap_or_default().chars().take(NAME).collect();
    // Listed first: what is listed and is not there can be deleted, what is there and is not listed could never be found.
    let add = client_index::Command::Add { id: id.clone(), name };
    if matches!(cx.ports.run::<ClientIndex>(&INDEX, add).await?, client_index::Outcome::Full) {
        return Err(Refused::new(ErrorCode::InvalidRequest, "too many clients").hint("Delete clients that nobody uses."));
    }
    let secret = new_secret(&metadata, &digits, cx)?;
    let open = Command::Open {
        metadata: metadata.clone(),
        keeper: Keeper::Operator,
        secret: secret.as_ref().map(Secret::digest),
        management: None,
        trusted,
        ttl: None,
    };
    let created = created(&id, cx.ports.run::<Registered>(&id, open).await?, cx)?;
    let answer = Answer::new(&id, metadata, created).secret(secret).with("trusted", Some(trusted));
    Ok(reply::json(StatusCode::CREATED, &answer.value()))
}

fn unknown() -> Refused {
    Refused::new(ErrorCode::NotFound, "no such client").hint("GET /operator/clients lists the operator's clients.")
}
