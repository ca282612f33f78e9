//! The decision, in this order:
//!
//! 1. A resource that servers could read in two ways is denied: [`Path::parse`]. So is whatever an agent would do that is not active.
//! 2. A deny policy matches: denied.
//! 3. An allow policy is about the agent and the resource, and none matches the action and the moment: policies govern the resource, denied.
//!    Deny policies never make a resource governed, so one more of them never changes what the rest of this order finds.
//! 4. The agent's own scopes cover what is needed: allowed.
//! 5. A chain of delegations covers it and all constraints of all its links are met: allowed. What our own API needs is not delegated.
//! 6. Denied.
//!
//! Policies narrow: an agent writes them for itself, and an allow adds no right to what scopes and delegations give.
//!
//! Disabled policies are as if they were not there; so are those that an agent has made itself, where it manages policies: it can take back
//! whatever it has written. Neither order nor priority changes a decision: of several policies that would do, the one of the highest priority
//! is named, then the one with the smallest id.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::{Action, Effect, Policy, RateLimit, named};
use crate::constraint::chain::Chain;
use crate::constraint::path::Path;
use crate::constraint::{Asked, Violation};
use crate::id::{AccountId, DelegationId, PolicyId, RegistrationId};
use crate::network::Origin;
use crate::oauth::scope::Scope;
use crate::time::Timestamp;

/// Where policies are managed.
const MANAGING: &str = "/api/v1/policies";

/// The scope that something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed<'q> {
    /// The one that follows from the path: [`Path::scope`].
    OfPath,
    /// The one that the server of the resource asks of its callers.
    Named(&'q str),
    /// The one that our own API needs, which no delegation gives.
    Own(&'q str),
}

/// May this agent do that?
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Who would do it.
    pub agent: &'q RegistrationId,
    /// One of [`super::AGENT_TYPES`].
    pub agent_type: &'q str,
    /// One of [`super::TRUST_LEVELS`].
    pub trust_level: &'q str,
    /// It and all its ancestors are.
    pub is_active: bool,
    /// The accounts that the agent is of.
    pub accounts: &'q [AccountId],
    /// What is done.
    pub action: Action,
    /// The path of what it is done to, as it was given.
    pub resource: &'q str,
    /// The scope that it needs.
    pub needed: Needed<'q>,
    /// From where. What a caller merely says of itself is no address.
    pub ip: Option<&'q Origin>,
    /// When.
    pub at: Timestamp,
    /// With which arguments, if they are known.
    pub arguments: Option<&'q Map<String, Value>>,
    /// How often the agent has done so within the window of each policy with a rate limit, not counting this time.
    pub counts: &'q [(PolicyId, u64)],
}

/// What the agent may do, unless a policy says no.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// Its own scopes, perhaps with wildcards.
    pub own: Scope,
    /// The chains that end with it, those alone that count now.
    pub delegations: Vec<Chain>,
}

/// The answer, with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Allow or deny.
    pub effect: Effect,
    /// The policy that denied, or the allow that was needed: its id and name.
    pub policy: Option<(PolicyId, String)>,
    /// The delegation to the agent that allows, or whose chain failed.
    pub delegation: Option<DelegationId>,
    /// The chain of that delegation, first hop first.
    pub hops: Vec<DelegationId>,
    /// The scope that nothing covers.
    pub missing_scope: Option<String>,
    /// The constraints that are not met, with the hop of each, first hop first.
    pub violations: Vec<(DelegationId, Violation)>,
    /// The same in fixed words.
    pub reason: &'static str,
}

impl Decision {
    /// Whether it may be done.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The first hop whose constraints are not met.
    #[must_use]
    pub fn failed_hop(&self) -> Option<&DelegationId> {
        self.violations.first().map(|(hop, _)| hop)
    }

    /// As the API answers: `allowed`, `effect`, `matching_policy_id`, `matching_policy_name`, `delegation_id`, `reason`; and, of our own,
    /// `delegation_chain`, `failed_delegation_id`, `missing_scope` and `violations` (each with its `delegation_id`).
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (policy_id, policy_name) = named(self.policy.as_ref());
        let violation = |(hop, violation): &(DelegationId, Violation)| {
            let mut fields = violation.to_value();
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("delegation_id".to_owned(), hop.as_str().into());
            }
            fields
        };
        json!({
            "allowed": self.is_allowed(),
            "effect": self.effect.as_str(),
            "matching_policy_id": policy_id,
            "matching_policy_name": policy_name,
            "delegation_id": self.delegation.as_ref().map(DelegationId::as_str),
            "delegation_chain": self.hops.iter().map(DelegationId::as_str).collect::<Vec<_>>(),
            "failed_delegation_id": self.failed_hop().map(DelegationId::as_str),
            "missing_scope": self.missing_scope,
            "violations": self.violations.iter().map(violation).collect::<Vec<_>>(),
            "reason": self.reason,
        })
    }

    /// With fixed words alone.
    #[must_use]
    pub fn of(effect: Effect, reason: &'static str) -> Self {
        Self { effect, policy: None, delegation: None, hops: Vec::new(), missing_scope: None, violations: Vec::new(), reason }
    }

    fn by_policy(effect: Effect, policy: &Policy, reason: &'static str) -> Self {
        Self { policy: Some(name(policy)), ..Self::of(effect, reason) }
    }

    fn by_chain(effect: Effect, chain: &Chain, reason: &'static str) -> Self {
        let hops: Vec<_> = chain.links.iter().map(|link| link.id.clone()).collect();
        Self { delegation: hops.last().cloned(), hops, ..Self::of(effect, reason) }
    }
}

/// Decides. `policies` are those that the agent itself and its ancestors have made.
#[must_use]
pub fn decide(question: &Question<'_>, policies: &[Policy], rights: &Rights) -> Decision {
    let Some(path) = Path::parse(question.resource) else {
        return Decision::of(Effect::Deny, "The resource is not a plain path.");
    };
    if !question.is_active {
        return Decision::of(Effect::Deny, "The agent, or one above it, is not active.");
    }
    match verdict(question, &path, policies) {
        Verdict::Denied(decision) => decision,
        Verdict::Open(allow) => Decision { policy: allow.map(name), ..by_right(question, &path, allow.is_some(), rights) },
    }
}

/// Those of `policies` that have the agent among their subjects and the resource among theirs: no other has to do with a decision.
pub fn about(question: &Question<'_>, policies: impl IntoIterator<Item = Policy>) -> Vec<Policy> {
    let Some(path) = Path::parse(question.resource) else { return Vec::new() };
    policies.into_iter().filter(|policy| is_about(policy, question, &path)).collect()
}

/// The policies whose rate limits count what is asked for as one time more, if no policy denies it.
#[must_use]
pub fn counting<'p>(question: &Question<'_>, policies: &'p [Policy]) -> Vec<(&'p PolicyId, RateLimit)> {
    let Some(path) = Path::parse(question.resource).filter(|_| question.is_active) else { return Vec::new() };
    if matches!(verdict(question, &path, policies), Verdict::Denied(_)) {
        return Vec::new();
    }
    let counts = |policy: &&Policy| {
        let written = &policy.written;
        is_about(policy, question, &path)
            && written.is_about_action(question.action)
            && written.conditions.hold_but_for_rate(written.effect, question)
    };
    policies.iter().filter(counts).filter_map(|policy| Some((&policy.id, policy.written.rate_limit()?))).collect()
}

/// What policies say.
enum Verdict<'p> {
    /// No.
    Denied(Decision),
    /// They leave it to scopes and delegations; where they govern the resource this is the allow that matches.
    Open(Option<&'p Policy>),
}

fn verdict<'p>(question: &Question<'_>, path: &Path, policies: &'p [Policy]) -> Verdict<'p> {
    let about: Vec<&Policy> = policies.iter().filter(|policy| is_about(policy, question, path)).collect();
    if let Some(policy) = first(&about, |policy| counts(policy, Effect::Deny, question)) {
        return Verdict::Denied(Decision::by_policy(Effect::Deny, policy, "A policy denies this."));
    }
    if let Some(policy) = first(&about, |policy| counts(policy, Effect::Allow, question)) {
        return Verdict::Open(Some(policy));
    }
    match first(&about, |policy| policy.written.effect == Effect::Allow) {
        Some(policy) => {
            let reason = "The resource is governed by policies, and no allow matches.";
            Verdict::Denied(Decision::by_policy(Effect::Deny, policy, reason))
        }
        None => Verdict::Open(None),
    }
}

fn name(policy: &Policy) -> (PolicyId, String) {
    (policy.id.clone(), policy.written.name.clone())
}

fn is_about(policy: &Policy, question: &Question<'_>, path: &Path) -> bool {
    let is_own = || policy.created_by.as_ref() == Some(question.agent) && Path::parse(MANAGING).is_some_and(|above| path.is_within(&above));
    policy.written.enabled && policy.written.is_about(question, path) && !is_own()
}

/// What scopes and delegations give; `allowed` says whether a policy was needed, and allows.
fn by_right(question: &Question<'_>, path: &Path, allowed: bool, rights: &Rights) -> Decision {
    let say = |with: &'static str, alone: &'static str| if allowed { with } else { alone };
    let needed = match question.needed {
        Needed::Own(needed) | Needed::Named(needed) => Some(needed.to_owned()),
        Needed::OfPath => path.scope(question.action.as_str()),
    };
    let Some(needed) = needed else {
        return Decision::of(Effect::Deny, "No scope stands for this resource: the question has to name the one that is needed.");
    };
    if rights.own.covers(&needed) {
        let reason = say("A policy allows this, and the agent's own scopes cover it.", "The agent's own scopes cover this.");
        return Decision::of(Effect::Allow, reason);
    }
    if let Needed::Own(_) = question.needed {
        return Decision { missing_scope: Some(needed), ..Decision::of(Effect::Deny, "The agent's own scopes do not cover this.") };
    }
    let asked = Asked { arguments: question.arguments, resource: Some(path), at: question.at };
    let mut chains: Vec<&Chain> = rights.delegations.iter().filter(|chain| chain.covers(&needed)).collect();
    chains.sort_by_key(|chain| chain.last().map(|link| &link.id));
    let judged: Vec<_> = chains.into_iter().map(|chain| (chain, chain.violations(&asked))).collect();
    if let Some((chain, _)) = judged.iter().find(|(_, violations)| violations.is_empty()) {
        return Decision::by_chain(
            Effect::Allow,
            chain,
            say("A policy allows this, and a delegation covers it.", "A delegation covers this."),
        );
    }
    match judged.into_iter().next() {
        Some((chain, violations)) => Decision {
            violations,
            ..Decision::by_chain(Effect::Deny, chain, "A delegation covers this, but constraints of its chain are not met.")
        },
        None => {
            let reason = say(
                "A policy allows this, but neither the agent's own scopes nor a delegation cover it.",
                "Neither the agent's own scopes nor a delegation cover this.",
            );
            Decision { missing_scope: Some(needed), ..Decision::of(Effect::Deny, reason) }
        }
    }
}

fn counts(policy: &Policy, effect: Effect, question: &Question<'_>) -> bool {
    let count = || question.counts.iter().find(|(id, _)| *id == policy.id).map(|(_, count)| *count);
    let written = &policy.written;
    written.effect == effect && written.is_about_action(question.action) && written.conditions.hold(effect, question, count())
}

fn first<'p>(policies: &[&'p Policy], is_meant: impl Fn(&Policy) -> bool) -> Option<&'p Policy> {
    policies.iter().copied().filter(|policy| is_meant(policy)).min_by_key(|policy| (Reverse(policy.written.priority), &policy.id))
}
