//! Delegations that never count again though their own records have not ended.

use std::rc::Rc;

use super::find;
use crate::cx::Cx;
use crate::id::{DelegationId, RegistrationId};
use crate::machine::delegation::Link;
use crate::machine::standing::Standing;
use crate::store::{Ports, StoreError};
use crate::tenant::{self, DelegationStatus};
use crate::time::Timestamp;
use crate::verify::{self, Inactive};

/// What has ended a link from above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first link of its chain that counts no more: itself, if a person has claimed the root of whoever made it.
    pub by: DelegationId,
    /// When that was, unless it is forgotten.
    pub at: Option<Timestamp>,
}

/// Whether a link above has ended, or a person has claimed the root of whoever made one of them, or the link itself, since. Who is suspended may
/// come back, and cuts nothing.
///
/// # Errors
/// A record that has to be asked did not answer.
pub async fn cut<P: Ports>(link: &Link, cx: &Cx<'_, P>) -> Result<Option<Cut>, StoreError> {
    for id in &link.terms.upstream {
        let Some(above) = find(id, |_| false, cx).await? else { return Ok(Some(Cut { by: id.clone(), at: None })) };
        let ended = match above.status {
            DelegationStatus::Declined | DelegationStatus::Revoked => Some(above.ended.unwrap_or(above.updated)),
            DelegationStatus::Pending | DelegationStatus::Active => above.terms.expires.filter(|expires| *expires <= cx.now),
        };
        let ended = if ended.is_some() { ended } else { claimed(&above, cx).await? };
        if ended.is_some() {
            return Ok(Some(Cut { by: id.clone(), at: ended }));
        }
    }
    Ok(claimed(link, cx).await?.map(|at| Cut { by: link.terms.id.clone(), at: Some(at) }))
}

/// As it is listed, with what has ended it from above.
///
/// # Errors
/// As [`cut`].
pub async fn row<P: Ports>(link: &Link, cx: &Cx<'_, P>) -> Result<tenant::Delegation, StoreError> {
    let row = link.row(true);
    let is_over = matches!(link.status, DelegationStatus::Declined | DelegationStatus::Revoked);
    if is_over || link.terms.expires.is_some_and(|expires| expires <= cx.now) {
        return Ok(row);
    }
    Ok(match cut(link, cx).await? {
        None => row,
        Some(Cut { by, at }) => tenant::Delegation { status: DelegationStatus::Revoked, revoked: at, broken_by: Some(by), ..row },
    })
}

/// When a person has claimed the root of whoever made it, if that was since.
async fn claimed<P: Ports>(link: &Link, cx: &Cx<'_, P>) -> Result<Option<Timestamp>, StoreError> {
    let Some(maker) = known(link.delegator(), cx).await? else { return Ok(None) };
    let root = match maker.ancestors.first() {
        Some(root) => known(root, cx).await?,
        None => Some(maker),
    };
    Ok(root.filter(|root| link.is_older_than_claim(root)).and_then(|root| root.taken).map(|taken| taken.at))
}

async fn known<P: Ports>(agent: &RegistrationId, cx: &Cx<'_, P>) -> Result<Option<Rc<Standing>>, StoreError> {
    match verify::known(agent, cx).await {
        Ok(standing) => Ok(Some(standing)),
        Err(Inactive::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
