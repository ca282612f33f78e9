//! What happens when an agent comes in to manage: whether requests are left to it, and whether policies let it in. One question of its
//! account. Where the account does not answer nobody comes in: nobody knows what the policies say.

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};
use serde_json::json;

use super::attempt;
use super::manager::{Deed, Manager, found, retain, run, unexpected};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::reply;
use crate::oauth::error::ErrorCode;
use crate::policy::{self, Action, Decision, Needed, Question, Rights};
use crate::store::Ports;
use crate::tenant::{self, AgentType, Allowance, Asking, AuditOutcome, Outcome, Rate, Trouble, TrustLevel, Weighed, What};
use crate::time::Ttl;

/// What was decided, as AgentAuth tells it: `allow` or `deny`.
pub(super) const DECISION: HeaderName = HeaderName::from_static("x-authorization-decision");
/// How many requests there are, as AgentAuth tells it, and as the rest of this server does.
const LIMITS: [[HeaderName; 2]; 3] = [
    [HeaderName::from_static("x-ratelimit-limit"), HeaderName::from_static("ratelimit-limit")],
    [HeaderName::from_static("x-ratelimit-remaining"), HeaderName::from_static("ratelimit-remaining")],
    [HeaderName::from_static("x-ratelimit-reset"), HeaderName::from_static("ratelimit-reset")],
];
const MINUTE: Ttl = Ttl::from_seconds(60);

/// Somebody came in.
#[derive(Clone, Copy, Default)]
pub(in crate::http) struct Entered(Option<Allowance>);

impl Entered {
    /// An answer to whoever came in, with what is left to them.
    pub(in crate::http) fn shown<P>(self, answer: Result<Response<Bytes>, Refused>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
        // A policy may have denied what was only known later.
        let is_denied = answer.as_ref().err().is_some_and(|refused| refused.code() == ErrorCode::PolicyDenied);
        let decision = (!is_denied).then(|| (DECISION, "allow".to_owned()));
        let headers = decision.into_iter().chain(self.limits(cx));
        match answer {
            Ok(mut response) => {
                headers.for_each(|(name, value)| reply::set(response.headers_mut(), name, &value));
                Ok(response)
            }
            Err(refused) => Err(headers.fold(refused, |refused, (name, value)| refused.header(name, value))),
        }
    }

    /// `X-RateLimit-Reset` is a moment in seconds since the epoch, `RateLimit-Reset` the time until then.
    fn limits<P>(self, cx: &Cx<'_, P>) -> Vec<(HeaderName, String)> {
        let Some(Allowance { limit, remaining, reset }) = self.0 else { return Vec::new() };
        let (limit, remaining) = (limit.to_string(), remaining.unwrap_or(0).to_string());
        let values = [
            [limit.clone(), limit],
            [remaining.clone(), remaining],
            [reset.millis().div_ceil(1000).to_string(), cx.now.until(reset).seconds().to_string()],
        ];
        LIMITS.into_iter().flatten().zip(values.into_iter().flatten()).collect()
    }
}

/// What somebody is about to do here, as policies see it.
pub(super) fn here<P>(manager: &Manager, scope: &str, action: Action, resource: &str, cx: &Cx<'_, P>) -> Asking {
    Asking {
        agent: manager.id.clone(),
        accounts: vec![manager.account.clone()],
        action: action.as_str().to_owned(),
        resource: resource.to_owned(),
        scope: Some(scope.to_owned()),
        ip: cx.origin.as_ref().map(crate::network::Origin::address),
        arguments: None,
        counted: true,
    }
}

/// Lets an agent in, which may ask about another thing with the same breath: what is known of that comes back, or nothing if it does not
/// reach the agent that it asks about.
///
/// # Errors
/// 429 if it has asked too often, 403 if a policy denies it, 503 if nobody knows.
pub(super) async fn enter<P: Ports>(
    manager: &Manager,
    here: Asking,
    also: Option<Asking>,
    cx: &Cx<'_, P>,
) -> Result<(Entered, Option<Weighed>), Refused> {
    // A name of ours is a plain path: any other is nobody's.
    if crate::constraint::path::Path::parse(&here.resource).is_none() {
        return Err(Refused::new(ErrorCode::NotFound, "not a plain path"));
    }
    let reads = here.action == Action::Read.as_str();
    let rate = Rate { most: cx.config.limits.api_per_minute, window: MINUTE };
    // Whoever has asked too often is told so without a word from the account, until the window ends.
    let spent = cx.memory.spent.borrow().find(&manager.id);
    if let Some(spent) = spent.filter(|spent| cx.now < spent.reset && spent.reset <= cx.now.plus(rate.window)) {
        return Err(exhausted(spent, cx));
    }
    let asked: Vec<Asking> = std::iter::once(here.clone()).chain(also).collect();
    let (allowance, weighed) = match ask(manager, Some(rate), asked.clone(), cx).await? {
        // A root that has done nothing yet is entered once it does something.
        None if manager.root == manager.id && !reads && found(&manager.account, &manager.root, cx).await? => {
            ask(manager, Some(rate), asked.clone(), cx).await?.ok_or_else(unexpected)?
        }
        None => {
            let nothing = |asking: &Asking| (asking.agent == manager.root && manager.id == manager.root).then(new_root);
            let untouched = Allowance { limit: rate.most, remaining: Some(rate.most), reset: cx.now.plus(rate.window) };
            (Some(untouched), asked.iter().map(nothing).collect())
        }
        Some(found) => found,
    };
    let entered = Entered(allowance);
    if let Some(spent) = allowance.filter(|allowance| allowance.remaining.is_none()) {
        cx.memory.spent.borrow_mut().insert(manager.id.clone(), spent);
        return Err(exhausted(spent, cx));
    }
    let mut weighed = weighed.into_iter();
    let Some(of_here) = weighed.next().flatten().filter(|weighed| weighed.is_active) else {
        let refused = Refused::new(ErrorCode::AgentInactive, "the account does not know it as active").status(StatusCode::FORBIDDEN);
        return Err(refused.header(DECISION, "deny"));
    };
    let rights = Rights { own: manager.caller.rights(), delegations: Vec::new() };
    let decision = decide(&here, None, &of_here, &rights, cx)?;
    if !decision.is_allowed() {
        let refused = denied(manager, &here, &decision, cx).await?;
        return Err(entered.limits(cx).into_iter().fold(refused, |refused, (name, value)| refused.header(name, value)));
    }
    Ok((entered, weighed.next().flatten()))
}

/// 429, until the window ends.
fn exhausted<P>(spent: Allowance, cx: &Cx<'_, P>) -> Refused {
    let refused = Refused::new(ErrorCode::RateLimited, "the agent's limit")
        .hint("Wait for retry_after seconds: RateLimit-Remaining says how many requests are left.")
        .retry_after(cx.now.until(spent.reset));
    Entered(Some(spent)).limits(cx).into_iter().fold(refused, |refused, (name, value)| refused.header(name, value))
}

/// Asks policies about another thing that somebody who has come in is about to do: it is no further request.
///
/// # Errors
/// 403 if a policy denies it, 503 if nobody knows.
pub(super) async fn also<P: Ports>(manager: &Manager, here: Asking, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let weighed = ask(manager, None, vec![here.clone()], cx).await?.and_then(|(_, weighed)| weighed.into_iter().next().flatten());
    // Whoever has come in is known to the account by now.
    let weighed = weighed.filter(|weighed| weighed.is_active).ok_or(tenant::Refused::Inactive)?;
    let rights = Rights { own: manager.caller.rights(), delegations: Vec::new() };
    let decision = decide(&here, None, &weighed, &rights, cx)?;
    if decision.is_allowed() { Ok(()) } else { Err(denied(manager, &here, &decision, cx).await?) }
}

/// What the one evaluator says, at the door and in the dry run; `named` is the scope that somebody else's resource needs, if whoever asks says so.
///
/// # Errors
/// A policy that is kept cannot be read: nobody knows what it says.
pub(super) fn decide<P>(
    asking: &Asking,
    named: Option<&str>,
    weighed: &Weighed,
    rights: &Rights,
    cx: &Cx<'_, P>,
) -> Result<Decision, Refused> {
    let policies = weighed.policies.iter().cloned().map(policy::Policy::try_from).collect::<Result<Vec<_>, _>>();
    let policies = policies.map_err(|error| Refused::new(ErrorCode::TemporarilyUnavailable, error.to_string()))?;
    let origin = asking.origin();
    let question = asking.question(weighed, origin.as_ref(), cx.now);
    let needed = named.map_or(question.needed, Needed::Named);
    Ok(policy::decide(&Question { needed, ..question }, &policies, rights))
}

/// A root that its account does not know yet.
pub(super) const fn new_root() -> Weighed {
    let (agent_type, trust_level) = (AgentType::Autonomous, TrustLevel::Root);
    Weighed { agent_type, trust_level, is_active: true, policies: Vec::new(), counts: Vec::new(), incoming: Vec::new() }
}

/// Nothing, if nothing is kept of the account's agents.
async fn ask<P: Ports>(
    manager: &Manager,
    rate: Option<Rate>,
    asked: Vec<Asking>,
    cx: &Cx<'_, P>,
) -> Result<Option<(Option<Allowance>, Vec<Option<Weighed>>)>, Refused> {
    let what = What::Enter { rate, asked };
    let command = tenant::Command { caller: Some(manager.id.clone()), what, audit: Vec::new(), emit: Vec::new(), retain: retain(cx) };
    match run(&manager.account, command, cx).await? {
        Outcome::Entered(allowance, weighed) => Ok(Some((allowance, weighed))),
        Outcome::Nothing => Ok(None),
        Outcome::Refused(refused) => Err(refused.into()),
        _ => Err(unexpected()),
    }
}

/// 403, once it is audited and webhooks are to be told.
async fn denied<P: Ports>(manager: &Manager, here: &Asking, decision: &Decision, cx: &Cx<'_, P>) -> Result<Refused, Refused> {
    let (id, name) = decision.policy.as_ref().map_or((None, None), |(id, name)| (Some(id.as_str()), Some(name.as_str())));
    let told = json!({
        "agent_id": manager.id.as_str(), "action": here.action, "resource": attempt::shown(&here.resource), "policy_id": id, "policy_name": name,
        "reason": decision.reason,
    });
    let deed = Deed::new(attempt::counted(manager, Trouble::Policy, cx))
        .audited("policy.denied", ("policy", id.unwrap_or_default()), &manager.id, &told)
        .ended(AuditOutcome::Denied)
        .told("policy.denied", &manager.id, &told, cx);
    manager.ask(deed, cx).await?;
    let refused = Refused::new(ErrorCode::PolicyDenied, format!("{}: {}", id.unwrap_or("no policy"), decision.reason));
    Ok(refused.header(DECISION, "deny").with(json!({ "policy_id": id, "policy_name": name })))
}
