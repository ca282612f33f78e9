//! Agents change, are suspended, brought back, and end.
//!
//! What an agent may do is decided in its registration; the account lists. So whatever takes away comes to the registration first, and
//! whatever gives back comes to the account first: if one of the two is lost, the agent can do less than is listed, never more, and the same
//! request again completes it. Whether the manager may is asked before either.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::create::raise;
use super::fields::patch;
use crate::cx::Cx;
use crate::http::api::body::text;
use crate::http::api::manager::{Deed, Manager, unexpected};
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::machine::registration::{self, Command, Registration};
use crate::machine::standing::Standing;
use crate::oauth::error::ErrorCode;
use crate::policy::Action;
use crate::store::Ports;
use crate::tenant::{self, Agent, Outcome, Patch, Status, What};
use crate::verify;

/// Changes what is given, and the status last. A status that takes the agent away is a deletion to policies too.
///
/// # Errors
/// It does not fit, the agent is not below the manager, or the account refuses.
pub(in crate::http) async fn change<P: Ports>(
    manager: &Manager,
    id: &str,
    fields: &Map<String, Value>,
    cx: &Cx<'_, P>,
) -> Result<Agent, Refused> {
    manager.lasting()?;
    let patch = patch(fields)?;
    let status: Option<Status> = text(fields, "status").and_then(|word| word.parse().ok());
    if matches!(status, Some(Status::Suspended | Status::Revoked)) {
        // It does what DELETE does, and more: whoever is denied that must not do it so.
        manager.also("agents.write", Action::Delete, &format!("/api/v1/agents/{id}"), cx).await?;
    }
    let mut agent = below(manager, id, cx).await?;
    if let Some(status) = status {
        may(&agent, status)?;
    }
    if patch != Patch::default() {
        let names: Vec<&String> = fields.keys().filter(|name| *name != "status").collect();
        let about = json!({ "fields": names });
        let deed = Deed::new(What::Patch { id: agent.id.clone(), patch: Box::new(patch) })
            .audited("agent.updated", ("agent", agent.id.as_str()), &agent.id, &about)
            .told("agent.updated", &agent.id, &json!({ "agent_id": agent.id, "fields": names }), cx);
        agent = changed(manager, deed, cx).await?;
    }
    match status {
        Some(status) => set(manager, &agent, status, cx).await,
        None => Ok(agent),
    }
}

/// Suspends an agent.
///
/// # Errors
/// As [`change`].
pub(in crate::http) async fn suspend<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Agent, Refused> {
    manager.lasting()?;
    let agent = below(manager, id, cx).await?;
    may(&agent, Status::Suspended)?;
    set(manager, &agent, Status::Suspended, cx).await
}

/// An agent that the manager manages: itself, or one below.
async fn below<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Agent, Refused> {
    let id: RegistrationId = id.parse().map_err(|_| tenant::Refused::Missing)?;
    changed(manager, Deed::new(What::Agent(id)), cx).await
}

async fn changed<P: Ports>(manager: &Manager, deed: Deed, cx: &Cx<'_, P>) -> Result<Agent, Refused> {
    match manager.ask(deed, cx).await? {
        Outcome::Agent(agent, _) => Ok(*agent),
        _ => Err(unexpected()),
    }
}

/// What no manager may, whoever it is.
fn may(agent: &Agent, status: Status) -> Result<(), Refused> {
    if agent.status == Status::Revoked && status != Status::Revoked {
        return Err(tenant::Refused::Ended.into());
    }
    if agent.parent.is_none() && status == Status::Suspended {
        return Err(Refused::new(ErrorCode::Forbidden, "a root would suspend itself")
            .hint("Nobody is above a root who could bring it back. PATCH status to revoked ends it for good."));
    }
    Ok(())
}

async fn set<P: Ports>(manager: &Manager, agent: &Agent, status: Status, cx: &Cx<'_, P>) -> Result<Agent, Refused> {
    match status {
        Status::Suspended => pause(agent, true, cx).await?,
        Status::Revoked => end(agent, cx).await?,
        // Nobody adopts a root.
        Status::Active if agent.parent.is_some() => drop(raise(manager, agent, cx).await?),
        Status::Active => {}
    }
    let event = match status {
        Status::Active => "agent.reactivated",
        Status::Suspended => "agent.suspended",
        Status::Revoked => "agent.revoked",
    };
    let told = json!({ "agent_id": agent.id, "parent_agent_id": agent.parent, "name": agent.profile.name });
    let deed = Deed::new(What::SetStatus { id: agent.id.clone(), status })
        .audited(event, ("agent", agent.id.as_str()), &agent.id, &Value::Null)
        .told(event, &agent.id, &told, cx);
    let agent = changed(manager, deed, cx).await?;
    if status == Status::Active {
        pause(&agent, false, cx).await?;
    }
    Ok(agent)
}

async fn pause<P: Ports>(agent: &Agent, paused: bool, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let command = Command::Pause(paused);
    known(&agent.id, cx.ports.run::<Registration>(&agent.id, command).await?, cx);
    Ok(())
}

/// For good.
async fn end<P: Ports>(agent: &Agent, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Some(standing) = known(&agent.id, cx.ports.run::<Registration>(&agent.id, Command::Look).await?, cx) else { return Ok(()) };
    let command = Command::End { generation: standing.generation };
    match known(&agent.id, cx.ports.run::<Registration>(&agent.id, command).await?, cx) {
        // A person has claimed it just now.
        Some(standing) if !standing.ended => {
            Err(Refused::new(ErrorCode::TemporarilyUnavailable, "the registration is of another generation by now"))
        }
        _ => Ok(()),
    }
}

/// What a registration says of itself takes effect here at once. There may be none: nothing of it counts then.
fn known<P>(id: &RegistrationId, outcome: registration::Outcome, cx: &Cx<'_, P>) -> Option<Rc<Standing>> {
    let standing = match outcome {
        registration::Outcome::Standing(standing) => Some(Rc::new(standing)),
        _ => None,
    };
    verify::remember(id, standing.clone(), cx);
    standing
}
