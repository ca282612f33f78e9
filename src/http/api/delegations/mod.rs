//! Rights that one agent hands on to another.
//!
//! Who sees a delegation: both sides and whoever is above them, and everybody of whose rights it is made, with those above. All of them see
//! its whole chain upwards, as the token of the last delegate says it too; nobody sees what others have made of it in other accounts.

mod answer;
mod create;
pub(in crate::http) mod link;
mod shown;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body;
use super::manager::{Deed, Manager, unexpected};
use super::route::Api;
use super::seed::Seed;
use crate::cx::Cx;
use crate::delegation;
use crate::http::refuse::Refused;
use crate::http::{Sent, reply};
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::tenant::{Outcome, What};

use answer::decline;
pub(in crate::http) use answer::{accept, revoke};
pub(in crate::http) use create::{SCHEMA, create};
#[cfg(not(target_arch = "wasm32"))]
pub(in crate::http) use shown::EXPIRED;
use shown::{chain, object, read};

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let query = || Params::parse(sent.query.as_bytes()).map_err(Refused::from);
    let found = match (api, sent.method) {
        (Api::Delegations, "POST") => {
            let fields = body::read(sent.headers, sent.body, SCHEMA)?;
            let seed = Seed::of(manager, sent.headers, sent.request.path, sent.body, cx).await?;
            let made = Box::pin(create(manager, &fields, &seed, cx)).await?;
            return Ok(reply::json(StatusCode::CREATED, &made));
        }
        (Api::Delegations, _) => {
            let query = query()?;
            let (limit, offset) = body::page(&query, 100)?;
            list(manager, flag(&query, "active_only")?, (limit, offset), cx).await?
        }
        (Api::Delegation(id), "DELETE") => revoke(manager, id, flag(&query()?, "cascade")?, cx).await?,
        (Api::Accept(id), _) => accept(manager, id, cx).await?,
        (Api::Decline(id), _) => decline(manager, id, cx).await?,
        (Api::Chain(id), _) => chain(&read(manager, id, cx).await?, cx).await?,
        (Api::Delegation(id), _) => object(&delegation::row(&*read(manager, id, cx).await?, cx).await?, cx),
        _ => return Err(unexpected()),
    };
    Ok(reply::json(StatusCode::OK, &found))
}

/// A page of the delegations that the caller or agents below it have given or taken.
///
/// # Errors
/// The account did not answer.
pub(in crate::http) async fn list<P: Ports>(
    manager: &Manager,
    active_only: bool,
    (limit, offset): (u32, u32),
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    let Outcome::Delegations(rows, total) = manager.ask(Deed::new(What::Delegations { active_only, limit, offset }), cx).await? else {
        return Err(unexpected());
    };
    let data: Vec<Value> = rows.iter().map(|row| object(row, cx)).collect();
    Ok(json!({ "data": data, "total": total, "meta": { "total": total, "limit": limit, "offset": offset, "active_only": active_only } }))
}

/// `true` or `false`, the first if it is absent.
fn flag(query: &Params, name: &str) -> Result<bool, Refused> {
    match query.find(name) {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(body::unfit(format!("{name} must be true or false"))),
    }
}
