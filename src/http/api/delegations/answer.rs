//! A delegation is taken, turned down or ended.

use std::rc::Rc;

use serde_json::{Value, json};

use super::super::manager::{Manager, run};
use super::link;
use super::shown::{answers_for, object, read};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::id::DelegationId;
use crate::machine::delegation::{By, Link};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{self, DelegationStatus, What};

/// Links below one that are counted when it ends.
const MOST_COUNTED: usize = 256;

/// Takes what was offered; by the delegate, or an agent above it. Taken before is taken.
///
/// # Errors
/// It is not there, or not the caller's to answer, or over.
pub(in crate::http) async fn accept<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let offered = offered(manager, id, cx).await?;
    manager.lasting()?;
    Ok(object(&link::accept(&offered, by(manager, cx), cx).await?.row(false), cx))
}

/// Turns it down, for good.
///
/// # Errors
/// It is not there, or not the caller's to answer, or over.
pub(in crate::http) async fn decline<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let offered = offered(manager, id, cx).await?;
    manager.lasting()?;
    Ok(object(&link::decline(&offered, by(manager, cx), cx).await?.row(false), cx))
}

/// Ends a link: by the delegator, the delegate, or an agent above either. With it ends whatever was made of it, as that is asked; `revoked`
/// says how many of those links the caller's account knows of, this one included. Without `cascade` they are not counted, and end too.
///
/// # Errors
/// It is not there, or the caller may see it and not end it.
pub(in crate::http) async fn revoke<P: Ports>(manager: &Manager, id: &str, cascade: bool, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let link = read(manager, id, cx).await?;
    manager.lasting()?;
    if !answers_for(manager, link.delegator(), cx).await? && !answers_for(manager, &link.terms.delegate, cx).await? {
        return Err(
            Refused::new(ErrorCode::Forbidden, "a link further down").hint("Revoke the link that you have made: this one ends with it.")
        );
    }
    if matches!(link.status, DelegationStatus::Revoked | DelegationStatus::Declined) {
        return Ok(json!({ "revoked": 0 }));
    }
    let below = if cascade { below(manager, &link.terms.id, cx).await? } else { 0 };
    link::revoke(&link, by(manager, cx), cx).await?;
    Ok(json!({ "revoked": below + 1 }))
}

/// One that the caller may answer for its delegate.
async fn offered<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Rc<Link>, Refused> {
    let link = read(manager, id, cx).await?;
    if answers_for(manager, &link.terms.delegate, cx).await? {
        return Ok(link);
    }
    Err(Refused::new(ErrorCode::Forbidden, "it is for the delegate to answer").hint("The delegate answers, or an agent above it."))
}

/// Who does it.
pub(super) fn by<P>(manager: &Manager, cx: &Cx<'_, P>) -> By {
    By {
        agent: manager.id.clone(),
        account: Some(manager.account.clone()),
        person: None,
        on_behalf: manager.on_behalf().map(str::to_owned),
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
    }
}

/// How many links that count for themselves the account knows below one.
async fn below<P: Ports>(manager: &Manager, id: &DelegationId, cx: &Cx<'_, P>) -> Result<usize, Refused> {
    let (mut found, mut next) = (0, vec![id.clone()]);
    while let Some(id) = next.pop() {
        let what = What::Downstream { id, limit: tenant::LONGEST_PAGE, offset: 0 };
        let command = tenant::Command::alone(what);
        let tenant::Outcome::Delegations(rows, _) = run(&manager.account, command, cx).await? else { continue };
        let live = |row: &&tenant::Delegation| {
            matches!(row.status, DelegationStatus::Active | DelegationStatus::Pending) && row.expires.is_none_or(|expires| cx.now < expires)
        };
        for row in rows.iter().filter(live) {
            if found == MOST_COUNTED {
                return Ok(found);
            }
            found += 1;
            next.push(row.id.clone());
        }
    }
    Ok(found)
}
