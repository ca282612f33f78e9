//! A new delegation.

use serde_json::{Map, Value, json};

use super::super::body::{self, unfit};
use super::super::credentials::Limit;
use super::super::manager::{Deed, Manager};
use super::super::seed::Seed;
use super::answer::by;
use super::link;
use super::shown::{object, unknown};
use crate::constraint::Constraints;
use crate::constraint::fault::{Fault, Problem};
use crate::cx::Cx;
use crate::delegation::{self, Broken, LONGEST_CONSTRAINTS, Walk};
use crate::http::refuse::Refused;
use crate::id::{AccountId, DelegationId, RegistrationId};
use crate::machine::delegation::{Command, MOST_LINKS, Terms};
use crate::machine::quota::{self, Quota};
use crate::oauth::error::ErrorCode;
use crate::oauth::management;
use crate::oauth::scope::Scope;
use crate::store::Ports;
use crate::tenant::What;
use crate::time::{Timestamp, Ttl};
use crate::verify::{self, Inactive};

/// What a request brings.
pub(in crate::http) const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "delegate_agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Who is to have the rights." },
        "scopes": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string", "minLength": 1, "maxLength": 128 }, "description": "What it is to have: at most what you may yourself, or what was delegated to you. files.* stands for everything below files." },
        "constraints": { "type": "object", "description": "What that is bound to: argument to value, or to an object of eq, min, max, in, not_in; time_window; resource_prefix." },
        "max_chain_depth": { "type": "integer", "minimum": 0, "maximum": 10, "description": "How long the chain may become, counted from its first hop: 1 lets nobody hand it on further. 3 if absent, and never more than the chain has already." },
        "expires_at": { "type": "string", "format": "date-time", "minLength": 19, "maxLength": 40, "description": "When it ends, ISO 8601, UTC without an offset; no later than the credential that makes it." },
        "expires_in_hours": { "type": "number", "minimum": 0, "maximum": 876000, "description": "The same as hours from now." },
        "source_delegation_id": { "type": "string", "maxLength": 64, "description": "The delegation to you that is handed on. Without it your own rights are, or else the delegation that covers scopes." }
    },
    "required": ["delegate_agent_id", "scopes"],
    "additionalProperties": false
}"#;

/// How long a chain may become if nobody has said so.
const DEFAULT_DEPTH: u32 = 3;
/// Offers to other accounts that one account makes in an hour.
const OFFERS: (u32, Ttl) = (60, Ttl::from_seconds(3600));

/// Makes one; within one account it counts at once, across accounts once the delegate's side has accepted it.
///
/// # Errors
/// Anything that is wrong with it.
pub(in crate::http) async fn create<P: Ports>(
    manager: &Manager,
    fields: &Map<String, Value>,
    seed: &Seed,
    cx: &Cx<'_, P>,
) -> Result<Value, Refused> {
    manager.lasting()?;
    let scopes = scopes(fields)?;
    let constraints = constraints(fields)?;
    let expires = expiry(fields, cx)?;
    let limit = Limit::of(manager, cx);
    let (delegate, delegate_account) = delegate(manager, body::text(fields, "delegate_agent_id").unwrap_or_default(), cx).await?;
    let source = source(manager, body::text(fields, "source_delegation_id"), &scopes, &limit, cx).await?;
    let above = source.as_ref().and_then(Walk::last);
    let mut delegators = above.map(|link| link.terms.delegators.clone()).unwrap_or_default();
    delegators.push(manager.id.clone());
    if delegators.contains(&delegate) {
        return Err(invalid("a cycle").hint("Delegate to an agent that is not in the chain already; nobody delegates to themselves."));
    }
    let depth = above.map_or(1, |link| link.depth().saturating_add(1));
    let most = above.map_or(MOST_LINKS, |link| link.terms.max_chain_depth);
    let max_chain_depth = body::number(fields, "max_chain_depth").unwrap_or(DEFAULT_DEPTH.max(depth)).min(most);
    if depth > max_chain_depth {
        return Err(too_deep(depth, max_chain_depth));
    }
    if let Some(ends) = above.and_then(|link| link.terms.expires)
        && expires.is_some_and(|expires| expires > ends)
    {
        return Err(invalid("longer than its source").hint("End it no later than the delegation that it is made of."));
    }
    let earlier: usize = source.iter().flat_map(|walk| &walk.links).map(|link| length(&link.terms.constraints)).sum();
    if earlier + length(&constraints) > LONGEST_CONSTRAINTS {
        return Err(invalid("too many constraints").hint("The constraints of a chain must not be longer than 2048 characters together."));
    }
    let mut upstream = above.map(|link| link.terms.upstream.clone()).unwrap_or_default();
    upstream.extend(above.map(|link| link.terms.id.clone()));
    let terms = Terms {
        id: DelegationId::from_bytes(seed.name("delegation", cx)?),
        delegators,
        delegate,
        delegator_account: manager.account.clone(),
        delegate_account,
        upstream,
        scopes,
        constraints,
        max_chain_depth,
        expires: limit.ends(expires.or(above.and_then(|link| link.terms.expires))),
        root_generation: Some(manager.caller.active.root().generation),
    };
    make(manager, terms, cx).await
}

async fn make<P: Ports>(manager: &Manager, terms: Terms, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let id = terms.id.clone();
    if terms.crosses() {
        if !manager.caller.active.is_claimed() {
            return Err(Refused::new(ErrorCode::Forbidden, "nobody answers for who offers").hint(
                "Have a person claim the agent at the root first: agents that nobody answers for delegate within their own account.",
            ));
        }
        limited(manager, &id, cx).await?;
    }
    let (by, delegator) = (by(manager, cx), terms.delegator().clone());
    let is_room = terms.crosses() || link::room(&delegator, &terms.delegate, &terms.delegate_account, cx).await?;
    // What was made by the same request before is there, and counts among them.
    if !is_room && delegation::find(&id, |_| true, cx).await?.is_none() {
        return Err(link::full());
    }
    let command = Command::Create { terms: Box::new(terms), by: by.clone() };
    Ok(object(&link::make(&id, command, by, cx).await?.row(true), cx))
}

/// Nobody is to be flooded with offers. A lost counter lets them pass: the delegate's account counts what waits, too.
async fn limited<P: Ports>(manager: &Manager, id: &DelegationId, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let take = quota::Command::Take { most: vec![OFFERS], request: Some(id.to_string()) };
    match cx.ports.run::<Quota>(&format!("offers/{}", manager.account), take).await {
        Ok(None) => Ok(()),
        Ok(Some(wait)) => Err(Refused::new(ErrorCode::RateLimited, "too many offers")
            .retry_after(wait)
            .hint("Wait for retry_after seconds: other accounts can be offered only so many delegations an hour.")),
        Err(error) => {
            cx.ports.warn("quota_lost", &error.to_string());
            Ok(())
        }
    }
}

fn scopes(fields: &Map<String, Value>) -> Result<Scope, Refused> {
    let names = fields.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let scopes = Scope::held(names).map_err(|_| {
        invalid("a scope is malformed")
            .hint("Name scopes as they are listed; a * stands only at the end, after a dot: files.* for example.")
    })?;
    if scopes.is_empty() {
        return Err(invalid("no scopes").hint("Name at least one scope."));
    }
    if management::SCOPES.iter().any(|(name, ..)| scopes.covers(name)) {
        return Err(invalid("a scope that manages agents")
            .hint("Scopes that manage agents are not delegated: make a child agent, or a key for it."));
    }
    Ok(scopes)
}

fn constraints(fields: &Map<String, Value>) -> Result<Constraints, Refused> {
    let Some(written) = fields.get("constraints").and_then(Value::as_object) else { return Ok(Constraints::default()) };
    Constraints::parse(written).map_err(|fault: Fault| {
        let problem = match fault.problem {
            Problem::UnknownOperator => "unknown_constraint_operator",
            Problem::UnknownKey => "unknown_constraint",
            Problem::Wrong(_) => "invalid_constraint",
        };
        let more = json!({ "problem": problem, "field": fault.field, "known": fault.known, "errors": [fault.to_string()] });
        invalid("a constraint cannot be read").hint("Correct what errors names.").with(more)
    })
}

fn length(constraints: &Constraints) -> usize {
    if constraints.written().is_empty() { 0 } else { Value::from(constraints.clone()).to_string().len() }
}

/// When it is to end.
fn expiry<P>(fields: &Map<String, Value>, cx: &Cx<'_, P>) -> Result<Option<Timestamp>, Refused> {
    let at = body::moment(fields, "expires_at")?;
    let hours = fields.get("expires_in_hours").and_then(Value::as_f64);
    let expires = match (at, hours) {
        (Some(_), Some(_)) => return Err(unfit("expires_at and expires_in_hours must not come together")),
        (Some(at), None) => at,
        // Whole seconds are exact enough; the schema has seen to the range.
        (None, Some(hours)) => cx.now.plus(Ttl::from_seconds(format!("{:.0}", hours * 3600.0).parse().unwrap_or(0))),
        (None, None) => return Ok(None),
    };
    if expires <= cx.now {
        return Err(invalid("it ends before it begins").hint("Let it end later than now."));
    }
    Ok(Some(expires))
}

/// Who is to have it, and its account. One that is suspended is told of only to whoever sees it anyway.
async fn delegate<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<(RegistrationId, AccountId), Refused> {
    let Ok(id) = id.parse::<RegistrationId>() else { return Err(unknown()) };
    match verify::agent(&id, cx).await {
        Ok((standing, _)) => {
            let account = standing.root(&id).account();
            Ok((id, account))
        }
        Err(error @ (Inactive::Store(_) | Inactive::Keys(_))) => Err(error.into()),
        Err(_) => {
            manager.ask(Deed::new(What::Agent(id)), cx).await?;
            Err(Refused::new(ErrorCode::AgentInactive, "the delegate does not count"))
        }
    }
}

/// What is handed on: nothing if it is the caller's own right.
async fn source<P: Ports>(
    manager: &Manager,
    named: Option<&str>,
    scopes: &Scope,
    limit: &Limit,
    cx: &Cx<'_, P>,
) -> Result<Option<Walk>, Refused> {
    let own = manager.caller.scope.as_scope();
    if let Some(id) = named {
        let Ok(id) = id.parse::<DelegationId>() else { return Err(unknown()) };
        let link = delegation::find(&id, |_| true, cx).await?.filter(|link| link.terms.delegate == manager.id).ok_or_else(unknown)?;
        let walk = delegation::walk(link, cx).await.map_err(|broken| match broken {
            Broken::Store(error) => error.into(),
            broken => invalid(&broken.to_string()).hint("Name a delegation to you that is active, as all above it."),
        })?;
        let lacks = lacking(scopes, |scope| walk.chain().covers(scope) && limit.covers(scope));
        return if lacks.is_empty() { Ok(Some(walk)) } else { Err(exceeded(&lacks)) };
    }
    let lacks = lacking(scopes, |scope| own.covers(scope));
    if lacks.is_empty() {
        return Ok(None);
    }
    let mut walks = delegation::walks(&manager.id, &manager.account, cx).await?;
    walks.retain(|walk| walk.covers(scopes) && scopes.iter().all(|scope| limit.covers(scope)));
    // One that may be handed on, if there is one.
    walks.sort_by_key(|walk| walk.last().is_none_or(|link| link.remaining() == 0));
    walks.into_iter().next().map(Some).ok_or_else(|| exceeded(&lacks))
}

fn lacking(scopes: &Scope, held: impl Fn(&str) -> bool) -> Vec<&str> {
    scopes.iter().filter(|scope| !held(scope)).collect()
}

fn exceeded(lacks: &[&str]) -> Refused {
    invalid("more than the delegator has")
        .hint("Delegate no more than you may yourself, or than one delegation to you covers.")
        .with(json!({ "scopes_not_held": lacks }))
}

fn too_deep(depth: u32, most: u32) -> Refused {
    let more = json!({ "chain_depth_exceeded": true, "chain_depth_remaining": 0, "effective_max_chain_depth": most });
    Refused::new(ErrorCode::DepthExceeded, format!("link {depth} of at most {most}"))
        .hint("max_chain_depth counts from the first hop of the chain, from 1 to 10; this link would be beyond it.")
        .with(more)
}

fn invalid(reason: &str) -> Refused {
    Refused::new(ErrorCode::InvalidDelegation, reason)
}
