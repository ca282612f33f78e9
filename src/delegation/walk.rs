//! One chain, from its first delegator to its last delegate.

use std::rc::Rc;

use super::find;
use crate::config::Config;
use crate::constraint::chain::{self, Chain};
use crate::cx::Cx;
use crate::id::{DelegationId, RegistrationId};
use crate::machine::delegation::Link;
use crate::machine::standing::Standing;
use crate::oauth::scope::{GrantedScope, Scope};
use crate::rights;
use crate::store::{Ports, StoreError};
use crate::time::Timestamp;
use crate::verify::{self, Inactive};

/// A chain whose links and delegators all count.
pub struct Walk {
    /// The first hop first; there is at least one.
    pub links: Vec<Rc<Link>>,
    /// Who has handed on, and how they stand: whose rights they are first.
    pub delegators: Vec<(RegistrationId, Rc<Standing>)>,
    /// The own rights of the first delegator.
    pub source: Scope,
}

/// Why a chain brings nothing.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A link has ended, or has not been accepted.
    #[error("{0} does not count")]
    Link(DelegationId),
    /// Somebody who has handed on does not count any more.
    #[error("{0} has handed on, and does not count")]
    Delegator(RegistrationId),
    /// A record cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Follows a chain from its last link upwards. Whether its delegate counts is for the caller to know.
///
/// # Errors
/// A link or a delegator does not count, or cannot be asked.
pub async fn walk<P: Ports>(last: Rc<Link>, cx: &Cx<'_, P>) -> Result<Walk, Broken> {
    if !last.is_live(cx.now) {
        return Err(Broken::Link(last.terms.id.clone()));
    }
    let mut links = Vec::new();
    for id in &last.terms.upstream {
        let link = find(id, |link| !link.is_live(cx.now), cx).await?.filter(|link| link.is_live(cx.now));
        links.push(link.ok_or_else(|| Broken::Link(id.clone()))?);
    }
    links.push(last.clone());
    let mut delegators = Vec::new();
    let mut source = Scope::default();
    for (id, link) in last.terms.delegators.iter().zip(&links) {
        let (standing, root) = match verify::agent(id, cx).await {
            Ok(found) => found,
            Err(Inactive::Store(error)) => return Err(error.into()),
            Err(_) => return Err(Broken::Delegator(id.clone())),
        };
        if link.is_older_than_claim(root.as_ref().unwrap_or(&standing)) {
            return Err(Broken::Link(link.terms.id.clone()));
        }
        if delegators.is_empty() {
            source = rights::entitled(&standing, root.as_deref(), None, cx.config).as_scope().clone();
        }
        delegators.push((id.clone(), standing));
    }
    Ok(Walk { links, delegators, source })
}

impl Walk {
    /// The delegation to the agent itself.
    #[must_use]
    pub fn last(&self) -> Option<&Link> {
        self.links.last().map(Rc::as_ref)
    }

    /// Whether all that is asked for has come all the way.
    #[must_use]
    pub fn covers(&self, asked: &Scope) -> bool {
        let chain = self.chain();
        asked.iter().all(|asked| chain.covers(asked))
    }

    /// As decisions are made of it.
    #[must_use]
    pub fn chain(&self) -> Chain {
        let link = |link: &Rc<Link>| chain::Link {
            id: link.terms.id.clone(),
            scopes: link.terms.scopes.clone(),
            constraints: link.terms.constraints.clone(),
        };
        Chain { source: self.source.clone(), links: self.links.iter().map(link).collect() }
    }

    /// All that has come all the way, as tokens carry it.
    #[must_use]
    pub fn effective(&self, config: &Config) -> GrantedScope {
        self.chain().effective().resolve(&config.scopes_supported).entitle()
    }

    /// It counts no longer than this.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        let links = self.links.iter().filter_map(|link| link.terms.expires);
        let delegators = self.delegators.iter().map(|(_, standing)| standing.expires);
        links.chain(delegators).min().unwrap_or(Timestamp::NEVER)
    }
}
