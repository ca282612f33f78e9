//! What the accounts of both sides are told of a delegation: how it is listed there, what is audited, what webhooks hear.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{By, Delegation, Event, Link};
use crate::id::{AccountId, DelegationId, RegistrationId};
use crate::tenant::{self, AuditRow, Emit, What};
use crate::time::Timestamp;

/// What an account is to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Telling {
    /// Which.
    pub account: AccountId,
    /// What.
    pub command: tenant::Command,
    /// Which of both it is, for [`Command::Told`](super::Command::Told).
    pub delegators: bool,
    /// The same.
    pub sequence: u64,
}

impl Link {
    /// As the account of one side lists it.
    #[must_use]
    pub fn row(&self, of_delegator: bool) -> tenant::Delegation {
        let terms = &self.terms;
        let other = if of_delegator { &terms.delegate_account } else { &terms.delegator_account };
        tenant::Delegation {
            id: terms.id.clone(),
            sequence: self.sequence,
            delegator: self.delegator().clone(),
            delegate: terms.delegate.clone(),
            peer: terms.crosses().then(|| other.clone()),
            offered: terms.crosses() && !of_delegator,
            scopes: terms.scopes.clone(),
            constraints: serde_json::Value::from(terms.constraints.clone()).to_string(),
            chain_depth: self.depth(),
            max_chain_depth: terms.max_chain_depth,
            upstream: terms.upstream.clone(),
            status: self.status,
            expires: terms.expires,
            revoked: self.ended,
            created: self.created,
            updated: self.updated,
            root_generation: terms.root_generation,
            broken_by: self.broken_by.clone(),
        }
    }
}

impl Delegation {
    /// What the accounts have not heard yet. One account that is both sides' is told once.
    pub(super) fn tellings(&self) -> Vec<Telling> {
        let terms = &self.link.terms;
        let sides = [(true, &terms.delegator_account, self.told.0), (false, &terms.delegate_account, self.told.1)];
        sides
            .into_iter()
            .filter(|(delegators, _, told)| (*delegators || terms.crosses()) && *told < self.link.sequence)
            .map(|(delegators, account, told)| self.telling(delegators, account, told))
            .collect()
    }

    fn telling(&self, delegators: bool, account: &AccountId, told: u64) -> Telling {
        let terms = &self.link.terms;
        let events = self.events.iter().filter(|(sequence, _)| *sequence > told).map(|(_, event)| event);
        // In the one account of both it is the delegator's business.
        let about = if delegators { terms.delegator() } else { &terms.delegate };
        let tell = |event| (self.audited(event, delegators, about.clone()), self.told_of(event, about));
        let (audit, emit) = events.map(tell).unzip();
        let what = What::PutDelegation(Box::new(self.link.row(delegators)));
        // For how long audit rows are kept is not known here: nothing is forgotten now.
        let command = tenant::Command { audit, emit, ..tenant::Command::alone(what) };
        Telling { account: account.clone(), command, delegators, sequence: self.link.sequence }
    }

    /// Of whoever did it, the other account hears what the delegation itself names, and not from where.
    fn audited(&self, event: &Event, delegators: bool, about: RegistrationId) -> AuditRow {
        let by = event.by.as_ref();
        let known = by.filter(|by| !self.link.terms.crosses() || self.is_of(by, event, delegators));
        let actor = match (known, by) {
            (Some(By { person: Some(person), .. }), _) => ("account", Some(person.to_string())),
            (Some(by), _) => ("agent", Some(by.agent.to_string())),
            (None, Some(by)) if by.person.is_none() && self.link.terms.names(&by.agent) => ("agent", Some(by.agent.to_string())),
            (None, Some(_)) => ("account", None),
            (None, None) => ("system", None),
        };
        AuditRow {
            on_behalf: known.and_then(|by| by.on_behalf.clone()),
            network: known.and_then(|by| by.network.clone()),
            request_id: known.and_then(|by| by.request_id.clone()),
            metadata: Some(self.summary().to_string()),
            ..AuditRow::of(&event.name, actor, ("delegation", self.link.terms.id.as_str()), Some(about))
        }
    }

    /// Whether somebody is of the delegator's account, or else of the delegate's. Who has not said of which is of the side that they are, or that
    /// alone can have done it.
    fn is_of(&self, by: &By, event: &Event, delegators: bool) -> bool {
        let terms = &self.link.terms;
        let own = if delegators { &terms.delegator_account } else { &terms.delegate_account };
        match &by.account {
            Some(account) => account == own,
            None if delegators => by.agent == *terms.delegator(),
            None => by.agent == terms.delegate || matches!(event.name.as_str(), "delegation.accepted" | "delegation.declined"),
        }
    }

    fn told_of(&self, event: &Event, about: &RegistrationId) -> Emit {
        Emit::of(&event.name, about, &self.summary(), event.at)
    }

    fn summary(&self) -> serde_json::Value {
        let terms = &self.link.terms;
        json!({
            "delegation_id": terms.id.as_str(),
            "delegator_agent_id": terms.delegator().as_str(),
            "delegate_agent_id": terms.delegate.as_str(),
            "scopes": terms.scopes.iter().collect::<Vec<_>>(),
            "chain_depth": terms.depth(),
            "source_delegation_id": terms.upstream.last().map(DelegationId::as_str),
            "expires_at": terms.expires.and_then(Timestamp::iso),
            "status": self.link.status.as_str(),
        })
    }
}
