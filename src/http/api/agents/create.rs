//! New agents below those that are there.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::fields::profile;
use super::shown;
use crate::cx::Cx;
use crate::email::cleaned;
use crate::http::api::body::text;
use crate::http::api::manager::{Deed, Manager, run, unexpected};
use crate::http::api::seed::Seed;
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::machine::registration::{self, Command, Registration, Said};
use crate::machine::standing::Standing;
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{self, Agent, Outcome, Profile, Status, TrustLevel, What};
use crate::verify;

/// Agents in a tree that nobody has claimed: strangers must not fill the stores.
const MOST_UNCLAIMED: u64 = 100;

/// A child, of the manager or of an agent below.
///
/// # Errors
/// It does not fit, the parent is not there for the manager, or the account refuses.
pub(in crate::http) async fn create<P: Ports>(
    manager: &Manager,
    fields: &Map<String, Value>,
    seed: &Seed,
    cx: &Cx<'_, P>,
) -> Result<Agent, Refused> {
    manager.lasting()?;
    let profile = profile(fields)?;
    let parent = match text(fields, "parent_agent_id") {
        Some(id) => id.parse().map_err(|_| tenant::Refused::Missing)?,
        None => manager.id.clone(),
    };
    let id = RegistrationId::from_bytes(seed.name("agent", cx)?);
    make(manager, id, parent, text(fields, "trust_level") == Some(TrustLevel::Ephemeral.as_str()), profile, cx).await
}

/// The same under a name that is known before. The account decides whether it may be there; only then it comes to life. If the second step
/// fails, an agent is listed that can do nothing: the same request again, or bringing it back, completes it.
pub(super) async fn make<P: Ports>(
    manager: &Manager,
    id: RegistrationId,
    parent: RegistrationId,
    ephemeral: bool,
    profile: Profile,
    cx: &Cx<'_, P>,
) -> Result<Agent, Refused> {
    has_room(manager, &id, cx).await?;
    let about = json!({ "name": profile.name, "agent_type": profile.agent_type, "parent_agent_id": parent });
    let told = json!({ "agent_id": id, "parent_agent_id": parent, "name": profile.name });
    let deed = Deed::new(What::Create { id: id.clone(), parent, ephemeral, profile })
        .audited("agent.created", ("agent", id.as_str()), &id, &about)
        .told("agent.created", &id, &told, cx);
    let Outcome::Agent(agent, _) = manager.ask(deed, cx).await? else { return Err(unexpected()) };
    // A late repeat brings nothing back.
    if agent.status == Status::Active {
        raise(manager, &agent, cx).await?;
    }
    Ok(*agent)
}

/// Sees to it that the registration of an agent that is listed is there; it stays as it is if it was.
///
/// # Errors
/// It has ended.
pub(super) async fn raise<P: Ports>(manager: &Manager, agent: &Agent, cx: &Cx<'_, P>) -> Result<Rc<Standing>, Refused> {
    let Outcome::Ancestry(line) = manager.ask(Deed::new(What::Ancestry(agent.id.clone())), cx).await? else { return Err(unexpected()) };
    let ancestors = line.into_iter().map(|(id, _)| id).filter(|id| *id != agent.id).collect();
    let said = Said { email: None, agent: Some(cleaned(&agent.profile.name)) };
    let command = Command::Adopt { ancestors, expires: shown::ends(agent), said };
    match cx.ports.run::<Registration>(&agent.id, command).await? {
        registration::Outcome::Standing(standing) => {
            let standing = Rc::new(standing);
            verify::remember(&agent.id, Some(standing.clone()), cx);
            Ok(standing)
        }
        _ => Err(tenant::Refused::Ended.into()),
    }
}

/// A tree that is nobody's may not grow without end. Who repeats a request is not counted twice: what is there already takes no room.
async fn has_room<P: Ports>(manager: &Manager, id: &RegistrationId, cx: &Cx<'_, P>) -> Result<(), Refused> {
    if manager.caller.active.is_claimed() {
        return Ok(());
    }
    let ask = |what| run(&manager.account, tenant::Command::alone(what), cx);
    match ask(What::Agents { parent: None, status: None, limit: 1, offset: 0 }).await? {
        Outcome::Agents(_, total) if total >= MOST_UNCLAIMED => match ask(What::Agent(id.clone())).await? {
            Outcome::Agent(..) => Ok(()),
            _ => Err(Refused::new(ErrorCode::LimitReached, "an unclaimed tree is full")
                .hint("Have a person claim your root: then there may be more.")),
        },
        _ => Ok(()),
    }
}
