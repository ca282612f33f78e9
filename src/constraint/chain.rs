//! A chain of delegations, from whoever had the right first to whoever uses it.

use super::{Asked, Constraints, Violation};
use crate::id::DelegationId;
use crate::oauth::scope::Scope;

/// A chain whose links all count now: that is for the caller to see to. Its right is what the source and all links cover; a chain without
/// links has none.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The own rights of the first delegator, as they are now.
    pub source: Scope,
    /// The first hop first. The last one is the delegation to the agent.
    pub links: Vec<Link>,
}

/// One delegation of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Which.
    pub id: DelegationId,
    /// What it hands on, perhaps with wildcards.
    pub scopes: Scope,
    /// What that is bound to.
    pub constraints: Constraints,
}

impl Chain {
    /// The delegation to the agent itself.
    #[must_use]
    pub fn last(&self) -> Option<&Link> {
        self.links.last()
    }

    /// Whether the right that `asked` names has come all the way.
    #[must_use]
    pub fn covers(&self, asked: &str) -> bool {
        !self.links.is_empty() && self.scopes().all(|scope| scope.covers(asked))
    }

    /// All that has come all the way, perhaps with wildcards.
    #[must_use]
    pub fn effective(&self) -> Scope {
        if self.links.is_empty() { Scope::default() } else { self.scopes().fold(self.source.clone(), |scope, next| scope.common(next)) }
    }

    /// Every constraint of any link that the action does not meet, with the delegation that it is of, first hop first.
    #[must_use]
    pub fn violations(&self, asked: &Asked<'_>) -> Vec<(DelegationId, Violation)> {
        let of_link =
            |link: &Link| link.constraints.violations(asked).into_iter().map(|violation| (link.id.clone(), violation)).collect::<Vec<_>>();
        self.links.iter().flat_map(of_link).collect()
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::once(&self.source).chain(self.links.iter().map(|link| &link.scopes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Timestamp;

    fn link(index: u8, scopes: &str, constraints: serde_json::Value) -> Link {
        let id = DelegationId::from_bytes([index; 16]);
        Link { id, scopes: scopes.parse().unwrap(), constraints: Constraints::try_from(constraints).unwrap() }
    }

    #[test]
    fn a_right_is_what_comes_all_the_way() {
        let links = vec![link(1, "files.* mail.read", json!({})), link(2, "files.read files.x.* mail.*", json!({}))];
        let chain = Chain { source: "files.* mail.read admin".parse().unwrap(), links };
        assert_eq!(chain.effective().to_string(), "files.read files.x.* mail.read");
        assert!(chain.covers("files.x.write") && chain.covers("mail.read"));
        assert!(!chain.covers("files.write") && !chain.covers("mail.write") && !chain.covers("admin"));
        let without = Chain { source: "files.read".parse().unwrap(), links: vec![] };
        assert!(!without.covers("files.read") && without.effective().is_empty());
    }

    #[test]
    fn every_link_is_asked() {
        let links =
            vec![link(1, "pay", json!({ "amount": { "max": 100 } })), link(2, "pay", json!({ "amount": { "max": 50 }, "to": "x" }))];
        let chain = Chain { source: "pay".parse().unwrap(), links };
        let failed = |arguments: serde_json::Value| {
            let asked = Asked { arguments: arguments.as_object(), resource: None, at: Timestamp::from_millis(0) };
            chain.violations(&asked).into_iter().map(|(id, violation)| (id, violation.constraint)).collect::<Vec<_>>()
        };
        let (first, second) = (DelegationId::from_bytes([1; 16]), DelegationId::from_bytes([2; 16]));
        assert_eq!(failed(json!({ "amount": 50, "to": "x" })), []);
        assert_eq!(failed(json!({ "amount": 51, "to": "x" })), [(second.clone(), json!({ "max": 50 }))]);
        assert_eq!(
            failed(json!({ "amount": 101 })),
            [(first, json!({ "max": 100 })), (second.clone(), json!({ "max": 50 })), (second, json!({ "eq": "x" }))]
        );
    }
}
