//! Delegations on the page of a person's agent: what is offered to it or to agents below, and what they have or have handed on. The person
//! answers as the agents could themselves.

use bytes::Bytes;
use http::Response;
use serde_json::{Map, Value};

use super::account::owner;
use super::agent::{held, look, named, nothing, path};
use super::{Asked, moment, see_other};
use crate::cx::Cx;
use crate::delegation;
use crate::email::cleaned;
use crate::http::api::delegations::link;
use crate::http::page::DelegationView;
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::id::{DelegationId, RegistrationId};
use crate::machine::delegation::By;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{self, Delegation, What};

/// `POST /account/agent/delegation`: `answer` is `accept`, `decline` or `end`.
pub(crate) async fn answer<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let root = named(&asked, "id")?;
    held(&root, &owner.account, cx).await?;
    let id: DelegationId = asked.find("delegation").parse().map_err(|_| nothing("not a delegation"))?;
    let link = delegation::find(&id, |_| true, cx).await?.ok_or_else(|| nothing("no such delegation"))?;
    let here = root.account();
    let (given, taken) = (link.terms.delegator_account == here, link.terms.delegate_account == here);
    if !given && !taken {
        return Err(nothing("a delegation of others"));
    }
    let by = By {
        agent: if given { link.delegator() } else { &link.terms.delegate }.clone(),
        account: Some(here),
        person: Some(owner.account),
        on_behalf: None,
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
    };
    let done = match asked.find("answer") {
        "accept" if taken => link::accept(&link, by, cx).await.map(|_| "accepted")?,
        "decline" if taken => link::decline(&link, by, cx).await.map(|_| "declined")?,
        "end" => link::revoke(&link, by, cx).await.map(|()| "ended")?,
        _ => return Err(Refused::new(ErrorCode::InvalidRequest, "no answer to a delegation")),
    };
    Ok(see_other(&format!("{}&done={done}", path(&root))))
}

/// A page of what is offered, and how much there is.
pub(super) async fn offers<P: Ports>(
    root: &RegistrationId,
    (limit, offset): (u32, u32),
    cx: &Cx<'_, P>,
) -> Result<(Vec<DelegationView>, u64), Refused> {
    views(root, What::Offers { limit, offset }, cx).await
}

/// The same of what counts.
pub(super) async fn counting<P: Ports>(
    root: &RegistrationId,
    (limit, offset): (u32, u32),
    cx: &Cx<'_, P>,
) -> Result<(Vec<DelegationView>, u64), Refused> {
    views(root, What::Delegations { active_only: true, limit, offset }, cx).await
}

async fn views<P: Ports>(root: &RegistrationId, what: What, cx: &Cx<'_, P>) -> Result<(Vec<DelegationView>, u64), Refused> {
    Ok(match look(root, what, cx).await? {
        tenant::Outcome::Delegations(found, total) => (found.iter().map(|delegation| view(delegation, cx)).collect(), total),
        _ => (Vec::new(), 0),
    })
}

fn view<P>(delegation: &Delegation, cx: &Cx<'_, P>) -> DelegationView {
    let constraints: Map<String, Value> = serde_json::from_str(&delegation.constraints).unwrap_or_default();
    DelegationView {
        id: delegation.id.to_string(),
        from: delegation.delegator.to_string(),
        to: delegation.delegate.to_string(),
        elsewhere: delegation.peer.is_some(),
        scopes: scopes::line(&delegation.scopes, cx),
        constraints: constraints.iter().map(|(field, test)| cleaned(&words(field, test))).collect(),
        depth: delegation.chain_depth,
        most: delegation.max_chain_depth,
        expires: delegation.expires.map(moment),
    }
}

/// The parts of a time window.
const WINDOW: [&str; 4] = ["start", "end", "days", "utc_offset"];

/// A constraint, as people read it.
fn words(field: &str, test: &Value) -> String {
    let Some(tests) = test.as_object() else {
        return if field == "resource_prefix" { format!("only below {}", plain(test)) } else { format!("{field} is {}", plain(test)) };
    };
    let said = |(operator, value): (&String, &Value)| match operator.as_str() {
        "eq" => format!("is {}", plain(value)),
        "min" => format!("is at least {}", plain(value)),
        "max" => format!("is at most {}", plain(value)),
        "in" => format!("is one of {}", plain(value)),
        "not_in" => format!("is none of {}", plain(value)),
        "start" => format!("from {}", plain(value)),
        "end" => format!("to {}", plain(value)),
        "days" => format!("on {}", plain(value)),
        "utc_offset" => format!("at UTC {}", plain(value)),
        other => format!("{other} {}", plain(value)),
    };
    // A window reads as people say it; other operators stay in their order.
    let mut tests: Vec<_> = tests.iter().collect();
    tests.sort_by_key(|(operator, _)| WINDOW.iter().position(|known| known == operator));
    let said: Vec<String> = tests.into_iter().map(said).collect();
    let field = if field == "time_window" { "only" } else { field };
    format!("{field} {}", said.join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
