//! Somebody comes in: how many requests are left to them, and what policies there are for what they ask for. One question of the account.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::agents::find;
use super::call::{Call, Stop};
use super::words::{AgentType, TrustLevel};
use super::{Outcome, Policy, Refused, agent, delegation, policy, rate};
use crate::account::sql::{Sql, SqlError};
use crate::delegation::MOST_CHAINS;
use crate::id::{AccountId, DelegationId, PolicyId, RegistrationId};
use crate::network::Origin;
use crate::policy::{self as evaluator, Action, Needed, Question, RateLimit};
use crate::time::{Timestamp, Ttl};

/// How many requests an agent may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// So many ...
    pub most: u32,
    /// ... in a window of this length, which its first request opens.
    pub window: Ttl,
}

/// What an agent would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Who.
    pub agent: RegistrationId,
    /// The accounts that it is of.
    pub accounts: Vec<AccountId>,
    /// One of [`Action::NAMES`].
    pub action: String,
    /// The path of what it is done to.
    pub resource: String,
    /// The scope that something of our own API needs.
    pub scope: Option<String>,
    /// The address that it comes from, if it is known.
    pub ip: Option<String>,
    /// With which arguments, if they are known: a JSON object.
    pub arguments: Option<Map<String, Json>>,
    /// It is being done: rate limits of policies count it, unless a policy denies it.
    pub counted: bool,
}

/// What an account knows of an agent that would do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    /// What it is for.
    pub agent_type: AgentType,
    /// How it came here.
    pub trust_level: TrustLevel,
    /// It and all its ancestors are active.
    pub is_active: bool,
    /// The enabled policies that have it among their subjects and the resource among theirs.
    pub policies: Vec<Policy>,
    /// How often it has been done within the window of each of them that has a rate limit, not counting this time.
    pub counts: Vec<(PolicyId, u64)>,
    /// The delegations to it that count for themselves, where no scope of our own API is asked for: what is ours is not delegated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incoming: Vec<DelegationId>,
}

/// How many requests are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// In the whole window.
    pub limit: u32,
    /// In what is left of it; none if this one was one too many.
    pub remaining: Option<u32>,
    /// When it ends.
    pub reset: Timestamp,
}

impl Asking {
    /// The question for the evaluator: the same here, at the door and in the dry run.
    #[must_use]
    pub fn question<'q>(&'q self, weighed: &'q Weighed, ip: Option<&'q Origin>, at: Timestamp) -> Question<'q> {
        Question {
            agent: &self.agent,
            agent_type: weighed.agent_type.as_str(),
            trust_level: weighed.trust_level.as_str(),
            is_active: weighed.is_active,
            accounts: &self.accounts,
            // Whoever asks has read it as one of them.
            action: Action::parse(&self.action).unwrap_or(Action::Admin),
            resource: &self.resource,
            needed: self.scope.as_deref().map_or(Needed::OfPath, Needed::Own),
            ip,
            at,
            arguments: self.arguments.as_ref(),
            counts: &weighed.counts,
        }
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.ip.as_deref().and_then(Origin::parse)
    }
}

/// Takes one request of what the caller may make, and weighs each of `asked`: nothing for an agent that the caller does not reach.
pub(super) fn enter(call: &Call<'_, impl Sql>, limit: Option<Rate>, asked: &[Asking]) -> Result<Outcome, Stop> {
    let name = call.caller_name().to_owned();
    let allowance = limit.map(|limit| rate::take(call, &name, limit)).transpose()?;
    if allowance.is_some_and(|allowance| allowance.remaining.is_none()) {
        return Ok(Outcome::Entered(allowance, Vec::new()));
    }
    let weighed = asked.iter().map(|asking| weigh(call, asking)).collect::<Result<_, _>>()?;
    Ok(Outcome::Entered(allowance, weighed))
}

fn weigh(call: &Call<'_, impl Sql>, asking: &Asking) -> Result<Option<Weighed>, Stop> {
    let Some((path, mut weighed)) = known(call, &asking.agent)? else { return Ok(None) };
    let origin = asking.origin();
    let rows = policy::binding(call, &path)?;
    let read = rows.into_iter().map(evaluator::Policy::try_from).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|error| SqlError(error.to_string()))?;
    let policies = evaluator::about(&asking.question(&weighed, origin.as_ref(), call.now), read);
    let window = |limit: RateLimit| Ttl::from_seconds(limit.window_seconds);
    for (policy, limit) in policies.iter().filter_map(|policy| Some((policy, policy.written.rate_limit()?))) {
        weighed.counts.push((policy.id.clone(), rate::count(call, asking.agent.as_str(), &policy.id, window(limit))?));
    }
    if asking.counted {
        for (id, limit) in evaluator::counting(&asking.question(&weighed, origin.as_ref(), call.now), &policies) {
            rate::add(call, asking.agent.as_str(), id, window(limit))?;
        }
    }
    weighed.policies = policies.into_iter().map(Policy::from).collect();
    if asking.scope.is_none() {
        weighed.incoming = delegation::to(call, &asking.agent, MOST_CHAINS)?.into_iter().map(|row| row.id).collect();
    }
    Ok(Some(weighed))
}

/// What an agent is, and where in the tree.
fn known(call: &Call<'_, impl Sql>, id: &RegistrationId) -> Result<Option<(String, Weighed)>, Stop> {
    let weighed = |agent_type, trust_level, is_active| Weighed {
        agent_type,
        trust_level,
        is_active,
        policies: Vec::new(),
        counts: Vec::new(),
        incoming: Vec::new(),
    };
    let is_itself = call.caller.as_ref().is_none_or(|caller| caller == id);
    let Some(node) = call.node(id)? else {
        // A root that has done nothing yet is in no table.
        let is_new = is_itself && agent::root_path(call)?.is_none();
        return Ok(is_new.then(|| (String::new(), weighed(AgentType::Autonomous, TrustLevel::Root, true))));
    };
    if let Some(caller) = call.caller.as_ref().filter(|_| !is_itself)
        && !call.node(caller)?.is_some_and(|above| node.path.starts_with(&above.path))
    {
        return Ok(None);
    }
    let agent = find(call, id)?.ok_or(Refused::Missing)?;
    Ok(Some((node.path, weighed(agent.profile.agent_type, agent.trust_level, agent.is_active))))
}
