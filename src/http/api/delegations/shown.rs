//! Delegations as they are answered.

use std::rc::Rc;

use serde_json::{Value, json};

use super::super::manager::Manager;
use crate::constraint::Constraints;
use crate::cx::Cx;
use crate::delegation::{self, Broken};
use crate::http::refuse::Refused;
use crate::id::{DelegationId, RegistrationId};
use crate::machine::delegation::Link;
use crate::store::Ports;
use crate::tenant::{self, DelegationStatus};
use crate::time::Timestamp;
use crate::verify;

/// The status of what was never ended, and has outlived its time.
pub(in crate::http) const EXPIRED: &str = "expired";

/// The object of AgentAuth, with `status`, `source_delegation_id` and `broken_by` of ours, as far as the row knows. `is_active` is about the
/// delegations of its chain: whether the agents of it count, too, is what [`chain`] says.
pub(super) fn object<P>(row: &tenant::Delegation, cx: &Cx<'_, P>) -> Value {
    let constraints: Value = serde_json::from_str(&row.constraints).unwrap_or_else(|_| json!({}));
    let has_expired = row.expires.is_some_and(|expires| expires <= cx.now);
    let (status, live) = match row.status {
        DelegationStatus::Active | DelegationStatus::Pending if has_expired => (EXPIRED, false),
        status => (status.as_str(), status == DelegationStatus::Active),
    };
    json!({
        "id": row.id.as_str(),
        "delegator_agent_id": row.delegator.as_str(),
        "delegate_agent_id": row.delegate.as_str(),
        "scopes": row.scopes.iter().collect::<Vec<_>>(),
        "constraints": constraints,
        "chain_depth": row.chain_depth,
        "max_chain_depth": row.max_chain_depth,
        "max_absolute_chain_depth": row.max_chain_depth,
        "chain_depth_remaining": row.max_chain_depth.saturating_sub(row.chain_depth),
        "source_delegation_id": row.upstream.last().map(DelegationId::as_str),
        "status": status,
        "broken_by": row.broken_by.as_ref().map(DelegationId::as_str),
        "expires_at": row.expires.and_then(Timestamp::iso),
        "revoked_at": row.revoked.and_then(Timestamp::iso),
        "created_at": row.created.iso(),
        "updated_at": row.updated.iso(),
        "is_active": live,
    })
}

/// The whole chain, the first hop first: who has handed on what to whom, when, bound to what, whether each link counts, and what comes of it
/// all at this moment. `broken_by` is the first link or agent that does not count.
pub(super) async fn chain<P: Ports>(link: &Rc<Link>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let mut hops = Vec::new();
    let mut constraints = Vec::new();
    for id in &link.terms.upstream {
        match delegation::find(id, |_| false, cx).await? {
            Some(above) => {
                constraints.extend(bound(&above));
                hops.push(object(&delegation::row(&above, cx).await?, cx));
            }
            None => hops.push(json!({ "id": id.as_str(), "status": "forgotten", "is_active": false })),
        }
    }
    constraints.extend(bound(link));
    hops.push(object(&delegation::row(link, cx).await?, cx));
    let walked = match delegation::walk(link.clone(), cx).await {
        Ok(walk) => match verify::agent(&link.terms.delegate, cx).await {
            Ok(_) => Ok(walk.effective(cx.config)),
            Err(verify::Inactive::Store(error)) => return Err(error.into()),
            Err(_) => Err(link.terms.delegate.to_string()),
        },
        Err(Broken::Store(error)) => return Err(error.into()),
        Err(Broken::Link(id)) => Err(id.to_string()),
        Err(Broken::Delegator(id)) => Err(id.to_string()),
    };
    let scopes = walked.as_ref().map_or_else(|_| Vec::new(), |scope| scope.as_scope().iter().collect::<Vec<_>>());
    Ok(json!({
        "delegation_id": link.terms.id.as_str(),
        "chain": hops,
        "effective_scopes": scopes,
        "constraints": constraints,
        "is_active": walked.is_ok(),
        "broken_by": walked.as_ref().err(),
    }))
}

fn bound(link: &Link) -> Option<Value> {
    let written: &Constraints = &link.terms.constraints;
    (!written.written().is_empty()).then(|| json!({ "delegation": link.terms.id.as_str(), "constraints": written.written() }))
}

/// A delegation that the caller may see.
///
/// # Errors
/// 404 if there is none, or it is none of the caller's business.
pub(super) async fn read<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Rc<Link>, Refused> {
    let Ok(id) = id.parse::<DelegationId>() else { return Err(unknown()) };
    let link = delegation::find(&id, |_| true, cx).await?.ok_or_else(unknown)?;
    let terms = &link.terms;
    // Of those further up the chain the account is not known. Nobody is asked about agents of other accounts: that would take longer than what
    // was never there.
    let accounts = [Some(&terms.delegate_account), Some(&terms.delegator_account)].into_iter().chain(std::iter::repeat(None));
    for (party, account) in std::iter::once(&terms.delegate).chain(terms.delegators.iter().rev()).zip(accounts) {
        if account.is_none_or(|account| *account == manager.account) && answers_for(manager, party, cx).await? {
            return Ok(link.clone());
        }
    }
    Err(unknown())
}

/// Whether the caller is that agent, or above it.
pub(super) async fn answers_for<P: Ports>(manager: &Manager, agent: &RegistrationId, cx: &Cx<'_, P>) -> Result<bool, Refused> {
    if manager.id == *agent {
        return Ok(true);
    }
    match verify::known(agent, cx).await {
        Ok(standing) => Ok(standing.ancestors.contains(&manager.id)),
        Err(verify::Inactive::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// The same for what is not there and for what is not for the caller.
pub(super) fn unknown() -> Refused {
    tenant::Refused::Missing.into()
}
