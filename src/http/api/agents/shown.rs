//! Agents as they are shown.

use serde_json::{Value, json};

use crate::http::api::manager::Manager;
use crate::tenant::{Agent, TrustLevel};
use crate::time::{Timestamp, Ttl};

/// An ephemeral agent ends so long after it was made.
const EPHEMERAL: Ttl = Ttl::from_seconds(86_400);

/// When an agent ends by itself, whatever becomes of its root. A child that lasts is gone with its root all the same, since it counts for no
/// longer than that: so nothing needs to be told to it when a person claims its root, and lets that live on.
pub(super) fn ends(agent: &Agent) -> Timestamp {
    match agent.trust_level {
        TrustLevel::Ephemeral => agent.created.plus(EPHEMERAL),
        TrustLevel::Root | TrustLevel::Delegated => Timestamp::NEVER,
    }
}

/// An agent of the manager's tree.
pub(in crate::http) fn of(manager: &Manager, agent: &Agent, now: Timestamp) -> Value {
    shown(agent, end_of_root(manager), now)
}

/// Whether an agent of the manager's tree, and everybody above it, is active.
pub(super) fn is_active(manager: &Manager, agent: &Agent, now: Timestamp) -> bool {
    agent.is_active && now < ends(agent).min(end_of_root(manager))
}

fn end_of_root(manager: &Manager) -> Timestamp {
    let active = &manager.caller.active;
    active.root.as_ref().unwrap_or(&active.standing).expires
}

/// An agent of a root that ends at `root`.
pub(in crate::http) fn shown(agent: &Agent, root: Timestamp, now: Timestamp) -> Value {
    let (profile, expires) = (&agent.profile, ends(agent).min(root));
    let metadata: Value = serde_json::from_str(&profile.metadata).unwrap_or_else(|_| json!({}));
    json!({
        "id": agent.id,
        "parent_agent_id": agent.parent,
        "name": profile.name,
        "agent_type": profile.agent_type,
        "description": profile.description,
        "homepage_url": profile.homepage_url,
        "public_key": profile.public_key,
        "trust_level": agent.trust_level,
        "status": agent.status,
        "max_child_depth": profile.max_child_depth,
        "metadata": metadata,
        "deactivated_at": agent.deactivated.and_then(Timestamp::iso),
        "created_at": agent.created.iso(),
        "updated_at": agent.updated.iso(),
        "is_active": agent.is_active && now < expires,
        "depth": agent.depth,
        "expires_at": expires.iso(),
    })
}
