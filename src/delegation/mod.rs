//! Chains of delegations: who has handed on what to whom, and what of that counts now.
//!
//! A chain begins with the own rights of its first delegator, as they are at the moment. Every link is a record that is asked at most once
//! per `LIVENESS_TTL`, and so is every agent that has handed on: whatever ends or suspends one of them ends what is below it, without
//! telling anybody there.

mod cut;
mod walk;

use std::rc::Rc;

use crate::account;
use crate::constraint::chain::Chain;
use crate::cx::Cx;
use crate::id::{AccountId, DelegationId, RegistrationId};
use crate::machine::delegation::{Command, Delegation, Link, Outcome};
use crate::store::{Ports, StoreError};
use crate::tenant::{self, What};

pub use cut::{Cut, cut, row};
pub use walk::{Broken, Walk, walk};

/// Chains that end with one agent: there are never more.
pub const MOST_CHAINS: u32 = 32;
/// So many of them that one and the same agent has made the last link of.
pub const MOST_CHAINS_OF_ONE: u32 = 8;
/// The constraints of a chain are no longer than this, as JSON: tokens carry them.
pub const LONGEST_CONSTRAINTS: usize = 2048;

/// Of the chains that end with these delegations, those that count now.
///
/// # Errors
/// A record that has to be asked did not answer.
pub async fn chains<P: Ports>(last: &[DelegationId], cx: &Cx<'_, P>) -> Result<Vec<Chain>, StoreError> {
    Ok(live(last, cx).await?.iter().map(Walk::chain).collect())
}

/// The chains of delegations to an agent that count now, at most [`MOST_CHAINS`]. `account` is that of its root.
///
/// # Errors
/// A record that has to be asked did not answer.
pub async fn walks<P: Ports>(agent: &RegistrationId, account: &AccountId, cx: &Cx<'_, P>) -> Result<Vec<Walk>, StoreError> {
    let last: Vec<DelegationId> = incoming(agent, account, cx).await?.into_iter().map(|row| row.id).collect();
    live(&last, cx).await
}

async fn live<P: Ports>(last: &[DelegationId], cx: &Cx<'_, P>) -> Result<Vec<Walk>, StoreError> {
    let mut walks = Vec::new();
    for id in last {
        let Some(link) = find(id, |link| !link.is_live(cx.now), cx).await? else { continue };
        match walk(link.clone(), cx).await {
            Ok(walk) => walks.push(walk),
            Err(Broken::Store(error)) => return Err(error),
            // What has ended elsewhere the accounts do not know: with this they do, and nobody asks again.
            Err(Broken::Link(_)) => {
                if let Some(Cut { by, .. }) = cut(&link, cx).await?
                    && let Outcome::Link(link) | Outcome::Changed(link, _) = cx.ports.run::<Delegation>(id, Command::Cut(by)).await?
                {
                    note(id, Some(Rc::new(*link)), cx);
                }
            }
            Err(_) => {}
        }
    }
    Ok(walks)
}

/// What is listed of delegations to an agent.
async fn incoming<P: Ports>(agent: &RegistrationId, account: &AccountId, cx: &Cx<'_, P>) -> Result<Vec<tenant::Delegation>, StoreError> {
    let what = What::Incoming { delegate: agent.clone(), limit: MOST_CHAINS };
    let command = tenant::Command::alone(what);
    match cx.ports.account(account, account::Command::Tenant(Box::new(command))).await? {
        account::Outcome::Tenant(outcome) => match *outcome {
            tenant::Outcome::Delegations(rows, _) => Ok(rows),
            _ => Ok(Vec::new()),
        },
        _ => Ok(Vec::new()),
    }
}

/// A delegation, asked at most once per `LIVENESS_TTL` and isolate, and anew if what is remembered is `behind`.
///
/// # Errors
/// It did not answer.
pub async fn find<P: Ports>(id: &DelegationId, behind: impl Fn(&Link) -> bool, cx: &Cx<'_, P>) -> Result<Option<Rc<Link>>, StoreError> {
    let known = cx.memory.delegations.borrow().find(id);
    if let Some((at, link)) = known
        && cx.now < at.plus(cx.config.ttls.liveness)
        && !link.as_deref().is_none_or(behind)
    {
        return Ok(link);
    }
    let link = match cx.ports.run::<Delegation>(id, Command::Look).await? {
        Outcome::Link(link) => Some(Rc::new(*link)),
        _ => None,
    };
    note(id, link.clone(), cx);
    Ok(link)
}

/// Notes what a delegation just said of itself.
pub fn note<P>(id: &DelegationId, link: Option<Rc<Link>>, cx: &Cx<'_, P>) {
    cx.memory.delegations.borrow_mut().insert(id.clone(), (cx.now, link));
}
