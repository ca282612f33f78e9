//! `/account/agent`: what is below an agent of a person, and what they may do about it. Agents that it made, however deep, are listed in the
//! account of their root; whether they count is decided in each one's own cell, which hears of a change first.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::account::owner;
use super::delegation::{counting, offers};
use super::{Asked, moment, peopled, see_other};
use crate::account;
use crate::cx::Cx;
use crate::email::cleaned;
use crate::http::api::manager::{self, retain, unexpected};
use crate::http::browser::Visitor;
use crate::http::page::{self, AgentPage, BelowView, CredentialView, RestView};
use crate::http::refuse::Refused;
use crate::http::scopes;
use crate::id::{AccountId, CredentialId, RegistrationId};
use crate::machine::registration::{Command, Outcome, Registration};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{self, Agent, AgentType, AuditRow, Credential, Emit, LONGEST_PAGE, Status, What};
use crate::verify;

/// So many of each list are on one page.
const PAGE: u32 = 20;

/// Where the lists of the page begin: each has pages of its own.
#[derive(Clone, Copy)]
struct Place {
    after: u32,
    offers: u32,
    delegations: u32,
}

impl Place {
    fn of(asked: &Asked<'_>) -> Self {
        let [after, offers, delegations] = ["after", "offers", "delegations"].map(|list| asked.find(list).parse().unwrap_or(0));
        Self { after, offers, delegations }
    }

    fn path(self, id: &RegistrationId) -> String {
        let lists = [("after", self.after), ("offers", self.offers), ("delegations", self.delegations)];
        let query = lists.iter().filter(|(_, offset)| *offset > 0).map(|(list, offset)| format!("&{list}={offset}"));
        format!("{}{}", path(id), query.collect::<String>())
    }
}

/// `GET /account/agent?id=`
pub(crate) async fn agent<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    peopled(cx)?;
    let visitor = Visitor::read(asked.headers, cx).await?;
    let id = named(&asked, "id")?;
    let Some(signed_in) = &visitor.signed_in else {
        let back = utf8_percent_encode(&path(&id), NON_ALPHANUMERIC).to_string();
        return Ok(visitor.remember(see_other(&format!("/login?return_to={back}")), cx));
    };
    let root = held(&id, &signed_in.account, cx).await?;
    let place = Place::of(&asked);
    // The root comes first in the order of the tree, and is shown elsewhere.
    let offset = place.after.saturating_add(1);
    let (agents, all) = match look(&id, What::Agents { parent: None, status: None, limit: PAGE, offset }, cx).await? {
        tenant::Outcome::Agents(agents, all) => (agents, all),
        _ => (Vec::new(), 0),
    };
    let mut keys: BTreeMap<RegistrationId, Vec<CredentialView>> = BTreeMap::new();
    for of in std::iter::once(&id).chain(agents.iter().map(|agent| &agent.id)) {
        if let tenant::Outcome::Credentials(listed, _) = look(&id, What::Keys(of.clone()), cx).await? {
            keys.insert(of.clone(), listed.iter().map(|key| credential_view(key, cx)).collect());
        }
    }
    let (offers, offered) = offers(&id, (PAGE, place.offers), cx).await?;
    let (delegations, counting) = counting(&id, (PAGE, place.delegations), cx).await?;
    let frame = visitor.frame(cx)?;
    let nonce = frame.nonce.clone();
    let page = AgentPage {
        frame,
        id: id.as_str(),
        name: root.name.as_deref(),
        own: root.key.is_some(),
        ended: root.ended.map(moment),
        keys: keys.remove(&id).unwrap_or_default(),
        below: agents.iter().map(|agent| below_view(agent, &id, keys.remove(&agent.id).unwrap_or_default())).collect(),
        agents: rest(all.saturating_sub(1), place.after, "below", |after| Place { after, ..place }.path(&id)),
        offered: rest(offered, place.offers, "offers", |offers| Place { offers, ..place }.path(&id)),
        offers,
        counting: rest(counting, place.delegations, "delegations", |delegations| Place { delegations, ..place }.path(&id)),
        delegations,
        notice: match asked.find("done") {
            "suspended" => Some("The agent is suspended, with all below it."),
            "resumed" => Some("The agent goes on."),
            "accepted" => Some("The delegation is accepted. It counts from now on."),
            "declined" => Some("The delegation is declined."),
            "ended" => Some("The delegation is over, with all that was made of it."),
            "key" => Some("The key is revoked. Nothing that it has brought works any more."),
            _ => None,
        },
    };
    Ok(visitor.remember(page::html(StatusCode::OK, &page, &nonce)?, cx))
}

/// `POST /account/agent/suspend` and `/account/agent/resume`
pub(crate) async fn suspend<P: Ports>(asked: Asked<'_>, suspended: bool, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let (root, id) = (named(&asked, "id")?, named(&asked, "agent")?);
    held(&root, &owner.account, cx).await?;
    let tenant::Outcome::Agent(agent, _) = look(&root, What::Agent(id.clone()), cx).await? else { return Err(nothing("not below it")) };
    if agent.parent.is_none() || agent.status == Status::Revoked {
        return Err(nothing("the root itself, or revoked"));
    }
    let list = async |suspended: bool| {
        let (event, status) = if suspended { ("agent.suspended", Status::Suspended) } else { ("agent.reactivated", Status::Active) };
        let row = audited(event, ("agent", id.as_str()), &id, &owner.account, cx);
        let told = Emit::of(event, &id, &json!({ "agent_id": id, "status": status.as_str() }), cx.now);
        let what = What::SetStatus { id: id.clone(), status };
        settled(manager::run(&root.account(), command(what, row, Some(told), cx), cx).await?)
    };
    // What takes away comes to the registration first, what gives back to the account: the agent never can do more than is listed.
    if suspended {
        pause(&id, true, cx).await?;
        list(true).await?;
    } else {
        list(false).await?;
        if let Err(refused) = pause(&id, false, cx).await {
            // It still rests: the page is to say so, and to let the person try again.
            list(true).await?;
            return Err(refused);
        }
    }
    Ok(see_other(&format!("{}&done={}", path(&root), if suspended { "suspended" } else { "resumed" })))
}

async fn pause<P: Ports>(id: &RegistrationId, paused: bool, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let Outcome::Standing(standing) = cx.ports.run::<Registration>(id, Command::Pause(paused)).await? else {
        return Err(nothing("its registration is gone"));
    };
    verify::remember(id, Some(Rc::new(standing)), cx);
    Ok(())
}

/// `POST /account/agent/revoke-key`
pub(crate) async fn revoke_key<P: Ports>(asked: Asked<'_>, cx: &Cx<'_, P>) -> Result<Response<Bytes>, Refused> {
    let owner = owner(&asked, cx).await?;
    let root = named(&asked, "id")?;
    held(&root, &owner.account, cx).await?;
    let id: CredentialId = asked.find("credential").parse().map_err(|_| nothing("not a credential"))?;
    let tenant::Outcome::Credential(key, _) = look(&root, What::Credential(id.clone()), cx).await? else {
        return Err(nothing("no such credential there"));
    };
    let of = key.agent;
    if !matches!(look(&root, What::Agent(of.clone()), cx).await?, tenant::Outcome::Agent(..)) {
        return Err(nothing("of an agent of elsewhere"));
    }
    if let Outcome::Standing(standing) = cx.ports.run::<Registration>(&of, Command::RevokeCredential { id: key.number }).await? {
        verify::remember(&of, Some(Rc::new(standing)), cx);
    }
    let row = audited("credential.revoked", ("credential", id.as_str()), &of, &owner.account, cx);
    let told = Emit::of("credential.revoked", &of, &json!({ "credential_id": id, "agent_id": of }), cx.now);
    let what = What::RevokeCredential(id);
    settled(manager::run(&root.account(), command(what, row, Some(told), cx), cx).await?)?;
    Ok(see_other(&format!("{}&done=key", path(&root))))
}

/// An agent of this person, as its own cell has it: whose it is, that alone knows.
///
/// # Errors
/// `not_found` if it is nobody's, somebody else's, or not there.
pub(super) async fn held<P: Ports>(id: &RegistrationId, person: &AccountId, cx: &Cx<'_, P>) -> Result<account::Agent, Refused> {
    match cx.ports.run::<Registration>(id, Command::Held(person.clone())).await? {
        Outcome::Feed(Some(feed)) => Ok(feed.agent),
        _ => Err(nothing("no agent of this person")),
    }
}

/// How many agents have been made below a root, directly, as far as that can be told.
pub(super) async fn below<P: Ports>(root: &RegistrationId, cx: &Cx<'_, P>) -> Option<u64> {
    match look(root, What::Children { id: root.clone(), limit: 1, offset: 0 }, cx).await {
        Ok(tenant::Outcome::Agents(_, total)) => Some(total),
        Ok(tenant::Outcome::Nothing) => Some(0),
        _ => None,
    }
}

/// When a root's own API keys were last used, as far as they are listed.
pub(super) async fn last_used<P: Ports>(root: &RegistrationId, cx: &Cx<'_, P>) -> Option<crate::time::Timestamp> {
    let what = What::Credentials { agent: Some(root.clone()), include_revoked: false, limit: LONGEST_PAGE, offset: 0 };
    match look(root, what, cx).await {
        Ok(tenant::Outcome::Credentials(keys, _)) => keys.iter().filter_map(|key| key.last_used).max(),
        _ => None,
    }
}

/// What a person does, or asks, in the account of a root of theirs.
pub(super) fn command<P>(what: What, row: AuditRow, told: Option<Emit>, cx: &Cx<'_, P>) -> tenant::Command {
    tenant::Command { audit: vec![row], emit: told.into_iter().collect(), retain: retain(cx), ..tenant::Command::alone(what) }
}

/// What is audited of a person's deed: `target` is kind and name of what it is done to, `about` whose business it is.
pub(super) fn audited<P>(event: &str, target: (&str, &str), about: &RegistrationId, person: &AccountId, cx: &Cx<'_, P>) -> AuditRow {
    AuditRow {
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
        ..AuditRow::of(event, ("account", Some(person.to_string())), target, Some(about.clone()))
    }
}

/// Asks the account of a root, as its person.
pub(super) async fn look<P: Ports>(root: &RegistrationId, what: What, cx: &Cx<'_, P>) -> Result<tenant::Outcome, Refused> {
    manager::run(&root.account(), tenant::Command::alone(what), cx).await
}

/// The cell has heard of it; the account must list it.
fn settled(outcome: tenant::Outcome) -> Result<(), Refused> {
    match outcome {
        tenant::Outcome::Agent(..) | tenant::Outcome::Credential(..) => Ok(()),
        tenant::Outcome::Refused(_) => Err(nothing("it has changed meanwhile")),
        _ => Err(unexpected()),
    }
}

pub(super) fn named(asked: &Asked<'_>, field: &str) -> Result<RegistrationId, Refused> {
    asked.find(field).parse().map_err(|_| nothing("not a registration"))
}

pub(super) fn nothing(reason: &'static str) -> Refused {
    Refused::new(ErrorCode::NotFound, reason)
}

pub(super) fn path(id: &RegistrationId) -> String {
    format!("/account/agent?id={id}")
}

/// Of a list that is shown from `offset` on: how many there are, and where the others are.
fn rest(total: u64, offset: u32, anchor: &str, at: impl Fn(u32) -> String) -> RestView {
    let next = offset.saturating_add(PAGE);
    RestView {
        total,
        first: (offset > 0).then(|| format!("{}#{anchor}", at(0))),
        more: (u64::from(next) < total).then(|| format!("{}#{anchor}", at(next))),
    }
}

fn below_view(agent: &Agent, root: &RegistrationId, keys: Vec<CredentialView>) -> BelowView {
    BelowView {
        id: agent.id.to_string(),
        name: cleaned(&agent.profile.name),
        kind: match agent.profile.agent_type {
            AgentType::Orchestrator => "Has others do the work",
            AgentType::Autonomous => "Works by itself",
            AgentType::Assistant => "Works for a person",
            AgentType::Tool => "Is called by others",
        },
        parent: agent.parent.as_ref().filter(|parent| *parent != root).map(RegistrationId::to_string),
        created: moment(agent.created),
        status: agent.status.as_str(),
        held_up: agent.status == Status::Active && !agent.is_active,
        keys,
    }
}

fn credential_view<P>(key: &Credential, cx: &Cx<'_, P>) -> CredentialView {
    CredentialView {
        id: key.id.to_string(),
        prefix: key.prefix.clone(),
        scopes: key.scopes.as_ref().map(|scope| scopes::line(scope, cx)),
        expires: key.expires.map(moment),
        used: key.last_used.map(moment),
    }
}
