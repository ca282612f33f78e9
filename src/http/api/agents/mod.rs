//! Agents: the tree of whoever asks. What a tool does is done here too.

mod change;
mod create;
pub(in crate::http) mod fields;
pub(in crate::http) mod shown;
mod signup;
mod token;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, unfit};
use super::manager::{Deed, Manager, run, unexpected};
use super::route::Api;
use super::seed::Seed;
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::http::{Sent, register, reply};
use crate::id::RegistrationId;
use crate::oauth::params::Params;
use crate::store::Ports;
use crate::tenant::{self, Agent, LONGEST_PAGE, Outcome, Status, What};

pub(in crate::http) use change::change;
pub(in crate::http) use create::create;
pub(in crate::http) use signup::sign_up;
pub(in crate::http) use token::token;

pub(super) async fn serve<P: Ports>(api: Api<'_>, manager: &Manager, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let query = Params::parse(sent.query.as_bytes())?;
    let answer = match (api, sent.method) {
        (Api::Agents, "POST") => {
            let fields = body::read(sent.headers, sent.body, fields::CHILD)?;
            let seed = Seed::of(manager, sent.headers, sent.request.path, sent.body, cx).await?;
            let agent = create(manager, &fields, &seed, cx).await?;
            return Ok(reply::json(StatusCode::CREATED, &created(manager, &agent, cx)));
        }
        (Api::Agent(id), "PATCH") => {
            let fields = body::read(sent.headers, sent.body, fields::CHANGES)?;
            let agent = change(manager, id, &fields, cx).await?;
            json!({ "data": shown::of(manager, &agent, cx.now), "meta": { "message": "The agent is as you see it here." } })
        }
        (Api::Agent(id), "DELETE") => {
            let agent = change::suspend(manager, id, cx).await?;
            let message = "The agent is suspended, and all below it with it. PATCH status to active brings it back, to revoked ends it.";
            json!({ "data": shown::of(manager, &agent, cx.now), "meta": { "message": message } })
        }
        (Api::Agent(id), _) => {
            let agent = seen(manager, id, cx).await?;
            let is_active = shown::is_active(manager, &agent, cx.now);
            json!({ "data": shown::of(manager, &agent, cx.now), "meta": { "is_root": agent.parent.is_none(), "is_active": is_active } })
        }
        (Api::Children(id), _) => children(manager, id, &query, cx).await?,
        _ => {
            let filter =
                Filter { parent: query.find("parent_agent_id"), status: query.find("status"), page: body::page(&query, LONGEST_PAGE)? };
            list(manager, &filter, cx).await?
        }
    };
    Ok(reply::json(StatusCode::OK, &answer))
}

/// `quickstart` and `bootstrap`: nobody needs to be known.
pub(super) async fn come_in<P: Ports>(api: Api<'_>, sent: &Sent<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let fields = body::read(sent.headers, sent.body, fields::ROOT)?;
    let come = if api == Api::Quickstart {
        register::quickstart(&fields, sent.headers, cx).await?
    } else {
        register::bootstrap(&fields, sent.headers, cx).await?
    };
    let mut response = reply::json(StatusCode::CREATED, &come.answer);
    if let Some(allowance) = come.allowance {
        allowance.show(&mut response);
    }
    Ok(response)
}

/// What is answered about a child that was made.
pub(in crate::http) fn created<P>(manager: &Manager, agent: &Agent, cx: &Cx<'_, P>) -> Value {
    let message = "The agent is there. POST /api/v1/credentials makes an API key for it.";
    json!({
        "data": shown::of(manager, agent, cx.now),
        "meta": { "message": message, "is_root": false, "parent_agent_id": agent.parent },
    })
}

/// Which agents are wanted.
pub(in crate::http) struct Filter<'f> {
    /// Only its children.
    pub(in crate::http) parent: Option<&'f str>,
    /// Only those with this status of their own.
    pub(in crate::http) status: Option<&'f str>,
    /// `limit` and `offset`.
    pub(in crate::http) page: (u32, u32),
}

/// The agents of the manager's tree: itself and all below. `total` counts them on all pages.
///
/// # Errors
/// The filter is none, or the account did not answer.
pub(in crate::http) async fn list<P: Ports>(manager: &Manager, filter: &Filter<'_>, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let parent: Option<RegistrationId> =
        filter.parent.map(str::parse).transpose().map_err(|_| unfit("parent_agent_id must be the id of an agent"))?;
    let status: Option<Status> =
        filter.status.map(str::parse).transpose().map_err(|_| unfit("status must be one of active, suspended, revoked"))?;
    let (limit, offset) = filter.page;
    let what = What::Agents { parent: parent.clone(), status, limit, offset };
    let Outcome::Agents(agents, total) = manager.ask(Deed::new(what), cx).await? else { return Err(unexpected()) };
    let data: Vec<Value> = agents.iter().map(|agent| shown::of(manager, agent, cx.now)).collect();
    let meta = json!({ "total": total, "limit": limit, "offset": offset, "parent_agent_id": parent, "status_filter": status });
    Ok(json!({ "data": data, "meta": meta }))
}

/// The children of one agent, as many as there may be on a page unless less is asked for.
async fn children<P: Ports>(manager: &Manager, id: &str, query: &Params, cx: &Cx<'_, P>) -> Result<Value, Refused> {
    let (limit, offset) = body::page(query, LONGEST_PAGE)?;
    let limit = if query.find("limit").is_some() { limit } else { LONGEST_PAGE };
    let parent = seen(manager, id, cx).await?;
    let what = What::Children { id: parent.id.clone(), limit, offset };
    let Outcome::Agents(agents, total) = manager.ask(Deed::new(what), cx).await? else { return Err(unexpected()) };
    let data: Vec<Value> = agents.iter().map(|agent| shown::of(manager, agent, cx.now)).collect();
    let meta = json!({
        "total": total, "limit": limit, "offset": offset, "parent_agent_id": parent.id, "parent_name": parent.profile.name,
    });
    Ok(json!({ "data": data, "meta": meta }))
}

/// An agent that the manager sees: itself, those below, and those of the same account that delegations connect it with. Any other is as
/// unknown as one that never was.
///
/// # Errors
/// There is none for the manager.
pub(in crate::http) async fn seen<P: Ports>(manager: &Manager, id: &str, cx: &Cx<'_, P>) -> Result<Agent, Refused> {
    let id: RegistrationId = id.parse().map_err(|_| tenant::Refused::Missing)?;
    let what = What::Agent(id.clone());
    let refused = match manager.ask(Deed::new(what.clone()), cx).await {
        Ok(Outcome::Agent(agent, _)) => return Ok(*agent),
        Ok(_) => return Err(unexpected()),
        Err(refused) => refused,
    };
    let Outcome::Peers(peers) = manager.ask(Deed::new(What::Peers(manager.id.clone())), cx).await? else { return Err(refused) };
    if !peers.iter().any(|peer| peer.agent == id && peer.account.is_none()) {
        return Err(refused);
    }
    let command = tenant::Command::alone(what);
    match run(&manager.account, command, cx).await? {
        Outcome::Agent(agent, _) => Ok(*agent),
        _ => Err(refused),
    }
}
