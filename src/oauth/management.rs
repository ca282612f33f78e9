//! The scopes of our own API, with which agents manage agents. They stand beside those of the operator's resources: no metadata lists them for
//! clients, which ask for all that is listed; `/api/v1/scopes` and the agent configuration do.

use super::scope::Scope;

/// A scope, what it allows in words, and whether an agent has it before a person has claimed it (or its root).
pub const SCOPES: [(&str, &str, bool); 11] = [
    ("agents.read", "See agents below oneself", true),
    ("agents.write", "Make, change, suspend and bring back agents below oneself", true),
    ("audit.read", "Read what was done with oneself and with agents below", true),
    ("credentials.read", "See API keys of oneself and of agents below", true),
    ("credentials.write", "Make, rotate and revoke API keys of oneself and of agents below", true),
    ("delegations.read", "See delegations from and to oneself and agents below", true),
    ("delegations.write", "Hand on rights of one's own, accept them, and take them back", true),
    ("policies.read", "See policies, and ask what they decide", true),
    ("policies.write", "Make, change and delete policies", true),
    // A stranger's agent does not send requests anywhere.
    ("webhooks.read", "See webhooks and what they were told", false),
    ("webhooks.write", "Make, rotate and delete webhooks", false),
];

/// What an agent has of them, if it is claimed and if it is not.
#[must_use]
pub fn scope(claimed: bool) -> Scope {
    let names = SCOPES.iter().filter(|(.., unclaimed)| claimed || *unclaimed).map(|(name, ..)| *name);
    Scope::held(names).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_s_claim_adds_to_them() {
        assert_eq!(scope(true).iter().count(), SCOPES.len());
        assert!(scope(false).is_within(&scope(true)) && !scope(false).covers("webhooks.write"));
    }
}
