//! Would that be allowed? What is answered is what would be done: the evaluator of the door, asked for an agent itself, for one below it, or
//! by a resource server that has an agent before it.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::manager::{Deed, Manager, run, unexpected};
use super::route::{Demand, demand};
use super::{Sent, attempt, body, door};
use crate::audit::{self, Remark};
use crate::constraint::path::Path;
use crate::cx::Cx;
use crate::delegation;
use crate::http::guard::{self, Caller};
use crate::http::refuse::Refused;
use crate::http::{introspect, json as body_json, operator, reply};
use crate::id::{AccountId, RegistrationId};
use crate::machine::standing::Standing;
use crate::network::Origin;
use crate::oauth::scope::Scope;
use crate::policy::{Action, Decision, Effect, Rights};
use crate::rights;
use crate::store::Ports;
use crate::tenant::{self, Asking, AuditOutcome, MOST_TROUBLE, Outcome, Weighed, What};
use crate::verify::{self, Inactive};

/// What is asked.
pub(in crate::http) const QUESTION: &str = r#"{
    "type": "object",
    "properties": {
        "agent_id": { "type": "string", "minLength": 1, "maxLength": 64, "description": "Who would do it: yourself or an agent below you." },
        "action": { "type": "string", "enum": ["read", "write", "delete", "execute", "delegate", "admin"], "description": "What would be done." },
        "resource": { "type": "string", "minLength": 1, "maxLength": 2048, "description": "The path of what it would be done to." },
        "scope": { "type": "string", "minLength": 1, "maxLength": 128, "description": "The scope that the resource needs, one token. If absent it follows from resource and action; what this server's own API needs is known." },
        "context": {
            "type": "object",
            "properties": {
                "ip": { "type": "string", "minLength": 2, "maxLength": 45, "description": "From where; used only for another agent than the one that asks." },
                "arguments": { "type": "object", "description": "With which arguments." }
            },
            "additionalProperties": false,
            "description": "In which circumstances."
        }
    },
    "required": ["agent_id", "action", "resource"],
    "additionalProperties": false
}"#;

/// What is asked, once it is read.
struct Wish {
    agent: RegistrationId,
    action: Action,
    resource: String,
    scope: Option<String>,
    ip: Option<String>,
    arguments: Option<Map<String, Value>>,
    demand: Demand,
}

/// `POST /api/v1/policies/evaluate`.
pub(super) async fn evaluate<P: Ports>(scope: &str, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let read = || body_json::object::<Map<String, Value>>(sent.headers, sent.body);
    if introspect::is_resource_server(sent.headers, cx) || operator::operator(sent.headers, cx).is_ok() {
        return Ok(reply::json(StatusCode::OK, &of_any(read()?, cx).await?));
    }
    let caller = guard::agent(&sent.request, cx).await?;
    let who = Manager::of(caller.clone());
    let answer = asked_by(caller, scope, read, cx).await;
    if let (Ok(who), Err(refused)) = (&who, &answer) {
        attempt::note(who, sent, refused, cx).await;
    }
    answer
}

async fn asked_by<P: Ports>(
    caller: Caller,
    scope: &str,
    read: impl FnOnce() -> Result<Map<String, Value>, Refused>,
    cx: &Cx<'_, P>,
) -> Result<Response<Bytes>, Refused> {
    let mut manager = Manager::with(caller, scope, cx)?;
    let answer = of_reached(&mut manager, read()?, cx).await.map(|answer| reply::json(StatusCode::OK, &answer));
    manager.entered.shown(answer, cx)
}

/// The same for whoever calls a tool.
///
/// # Errors
/// As there.
pub(in crate::http) async fn by<P: Ports>(caller: Caller, fields: Map<String, Value>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let mut manager = Manager::with(caller, NEEDS, cx)?;
    of_reached(&mut manager, fields, cx).await
}

/// The scope that asking needs.
pub(in crate::http) const NEEDS: &str = "policies.read";
/// What a question is called in the audit.
const EVALUATED: &str = "policy.evaluated";
const HERE: &str = "/api/v1/policies/evaluate";

/// An agent asks, about itself or one below it: one question of its account, in which it comes in too.
async fn of_reached<P: Ports>(manager: &mut Manager, fields: Map<String, Value>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let wish = wish(fields)?;
    let is_own = wish.agent == manager.id;
    let mut asking = wish.asking(&manager.account, false);
    if is_own {
        // What somebody says of itself is no address.
        asking.ip = cx.origin.as_ref().map(Origin::address);
    }
    let here = door::here(manager, NEEDS, Action::Write, HERE, cx);
    let (entered, weighed) = door::enter(manager, here, Some(asking.clone()), cx).await?;
    manager.entered = entered;
    let mut weighed = weighed.ok_or(tenant::Refused::Missing)?;
    let own = if is_own {
        manager.caller.rights()
    } else {
        let standing = standing(&wish.agent, cx).await?;
        held(&standing, &mut weighed, cx).await?
    };
    let decision = wish.answer(&asking, weighed, own, cx).await?;
    if !is_own || !decision.is_allowed() {
        let deed = Deed::new(attempt::counted_as(format!("asked/{}", manager.id), cx))
            .audited(EVALUATED, ("agent", wish.agent.as_str()), &wish.agent, &wish.noted(&decision))
            .ended(wish.outcome(&decision));
        if let Err(error) = manager.ask(deed, cx).await {
            cx.ports.warn("attempt_not_audited", &error.reason);
        }
    }
    Ok(decision.to_value())
}

/// A resource server, or the operator, asks about any agent. It has the agent before it, so what it asks is being done.
async fn of_any<P: Ports>(fields: Map<String, Value>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let wish = wish(fields)?;
    let standing = standing(&wish.agent, cx).await?;
    let root = standing.root(&wish.agent);
    let account = root.account();
    let asking = wish.asking(&account, matches!(wish.demand, Demand::Foreign));
    let what = What::Enter { rate: None, asked: vec![asking.clone()] };
    let command = tenant::Command::alone(what);
    let weighed = match run(&account, command, cx).await? {
        Outcome::Nothing if *root == wish.agent => Some(door::new_root()),
        Outcome::Entered(_, weighed) => weighed.into_iter().next().flatten(),
        Outcome::Nothing => None,
        _ => return Err(unexpected()),
    };
    let mut weighed = weighed.ok_or(tenant::Refused::Missing)?;
    let own = held(&standing, &mut weighed, cx).await?;
    let decision = wish.answer(&asking, weighed, own, cx).await?;
    // What is denied is not hidden behind what is allowed, nor either behind what the agent asks itself.
    let key = format!("shown/{}/{}", if decision.is_allowed() { "allowed" } else { "denied" }, wish.agent);
    let (most, within) = MOST_TROUBLE;
    let remark = Remark {
        event: EVALUATED,
        actor: None,
        outcome: wish.outcome(&decision),
        target: ("agent", wish.agent.as_str()),
        metadata: wish.noted(&decision),
        told: false,
        most: (key, most, within),
    };
    audit::remark(&wish.agent, &standing, remark, cx).await;
    Ok(decision.to_value())
}

/// What may be asked, and nothing else.
fn wish(fields: Map<String, Value>) -> Result<Wish, Refused> {
    let fields = body::said(fields);
    body::fit(&fields, QUESTION)?;
    let context = fields.get("context").and_then(Value::as_object);
    let ip = context.and_then(|context| body::text(context, "ip")).map(str::to_owned);
    if ip.as_deref().is_some_and(|ip| Origin::parse(ip).is_none()) {
        return Err(body::unfit("context.ip must be an IPv4 or IPv6 address"));
    }
    let scope = body::text(&fields, "scope").map(str::to_owned);
    if scope.as_deref().is_some_and(|scope| !is_token(scope)) {
        return Err(body::unfit("scope must be one scope token without a wildcard"));
    }
    let arguments = context.and_then(|context| context.get("arguments")).and_then(Value::as_object).cloned();
    let text = |name: &str| body::text(&fields, name).unwrap_or_default();
    // What is no agent's name is nobody's.
    let agent = text("agent_id").parse().map_err(|_| tenant::Refused::Missing)?;
    let action = Action::parse(text("action")).ok_or_else(|| body::unfit("action is unknown"))?;
    let resource = text("resource").to_owned();
    let demand = Path::parse(&resource).map_or(Demand::Foreign, |path| demand(&path.to_string(), action));
    Ok(Wish { agent, action, resource, scope, ip, arguments, demand })
}

/// One scope token (RFC 6749, section 3.3) that a call may need.
fn is_token(scope: &str) -> bool {
    !scope.contains([' ', '*']) && scope.parse::<Scope>().is_ok()
}

impl Wish {
    fn asking(&self, account: &AccountId, counted: bool) -> Asking {
        let (scope, arguments) = match self.demand {
            Demand::Scope(scope) => (Some(scope.to_owned()), None),
            Demand::Foreign => (None, self.arguments.clone()),
            Demand::Reading | Demand::Everybody | Demand::Nobody => (None, None),
        };
        Asking {
            agent: self.agent.clone(),
            accounts: vec![account.clone()],
            action: self.action.as_str().to_owned(),
            resource: self.resource.clone(),
            scope,
            ip: self.ip.clone(),
            arguments,
            counted,
        }
    }

    async fn answer<P: Ports>(&self, asking: &Asking, mut weighed: Weighed, own: Scope, cx: &Cx<'_, P>) -> Result<Decision, Refused> {
        let decision = match self.demand {
            Demand::Everybody => Decision::of(Effect::Allow, "Everybody may do this."),
            Demand::Nobody => Decision::of(Effect::Deny, "Nothing of the kind can be done here."),
            Demand::Scope(_) => door::decide(asking, None, &weighed, &Rights { own, delegations: Vec::new() }, cx)?,
            Demand::Reading => {
                let needed = &cx.config.read_scope;
                let scope = needed.iter().find(|scope| !own.covers(scope)).or(needed.iter().next()).map(str::to_owned);
                weighed.policies.clear();
                door::decide(&Asking { scope, ..asking.clone() }, None, &weighed, &Rights { own, delegations: Vec::new() }, cx)?
            }
            Demand::Foreign => {
                let named = self.scope.as_deref();
                let alone = Rights { own, delegations: Vec::new() };
                let decision = door::decide(asking, named, &weighed, &alone, cx)?;
                // Only what nothing else has decided is worth the question of what was handed on.
                if decision.missing_scope.is_none() {
                    return Ok(decision);
                }
                let delegations = delegation::chains(&weighed.incoming, cx).await?;
                door::decide(asking, named, &weighed, &Rights { delegations, ..alone }, cx)?
            }
        };
        Ok(decision)
    }

    /// What is audited of the question: nothing of it that could be a secret.
    fn noted(&self, decision: &Decision) -> Value {
        json!({
            "action": self.action.as_str(), "resource": attempt::shown(&self.resource), "allowed": decision.is_allowed(),
            "policy_id": decision.policy.as_ref().map(|(id, _)| id.as_str()),
        })
    }

    fn outcome(&self, decision: &Decision) -> AuditOutcome {
        if decision.is_allowed() { AuditOutcome::Success } else { AuditOutcome::Denied }
    }
}

/// How an agent stands, whether it counts or not.
async fn standing<P: Ports>(agent: &RegistrationId, cx: &Cx<'_, P>) -> Result<std::rc::Rc<Standing>, Refused> {
    match verify::known(agent, cx).await {
        Err(Inactive::Gone(_)) => Err(tenant::Refused::Missing.into()),
        found => Ok(found?),
    }
}

/// What an agent may do by itself, with whatever credential, if it and all above it count.
async fn held<P: Ports>(standing: &Standing, weighed: &mut Weighed, cx: &Cx<'_, P>) -> Result<Scope, Refused> {
    let root = match verify::root(standing, cx).await {
        Ok(root) => root,
        Err(Inactive::Gone(_) | Inactive::Revoked(_)) => {
            weighed.is_active = false;
            return Ok(Scope::default());
        }
        Err(error) => return Err(error.into()),
    };
    weighed.is_active &= standing.is_live(cx.now);
    let entitled = rights::entitled(standing, root.as_deref(), None, cx.config);
    Ok(entitled.as_scope().union(&rights::managing(standing, root.as_deref(), None)))
}
