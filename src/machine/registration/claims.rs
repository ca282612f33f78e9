//! What the account of an agent is told of its claim. The account keeps it only if it keeps anything of agents.

use serde_json::json;

use super::Command;
use crate::account::{self, Event};
use crate::machine::Effect;
use crate::machine::standing::Taken;
use crate::tenant::{self, AuditRow, Emit, What};
use crate::time::Ttl;

/// The same is not told again within so long, however often it is said.
const ONCE: Ttl = Ttl::from_seconds(7 * 86_400);

/// What a claim is called there.
const COMPLETED: &str = "claim.completed";

/// What it is called there.
pub(super) fn event(name: &str) -> Option<&'static str> {
    match name {
        "agent.claimed" => Some(COMPLETED),
        "agent.revoked" => Some("claim.revoked"),
        _ => None,
    }
}

/// Tells it; nothing if nobody knows what the registration is called. A claim, of which `taken` is the last, cuts off what was made before it.
pub(super) fn telling(sequence: u64, event: &Event, taken: Option<Taken>) -> Option<Effect<Command>> {
    let agent = event.registration.clone()?;
    // Who did it, as other parties may be told: the owner is told "you".
    let by = match event.detail.as_str() {
        "" => None,
        "you" => Some("owner"),
        "the operator" => Some("operator"),
        "the provider" => Some("provider"),
        _ => Some("agent"),
    };
    let mut data = json!({ "agent_id": agent });
    if let (Some(by), Some(fields)) = (by, data.as_object_mut()) {
        fields.insert("by".to_owned(), by.into());
    }
    let actor = if by == Some("agent") { ("agent", Some(agent.to_string())) } else { ("system", None) };
    let metadata = by.map(|by| json!({ "by": by }).to_string());
    let audit = AuditRow { metadata, ..AuditRow::of(&event.name, actor, ("agent", agent.as_str()), Some(agent.clone())) };
    let (key, until) = (format!("claim/{agent}/{sequence}"), event.at.plus(ONCE));
    let what = match taken.filter(|_| event.name == COMPLETED) {
        Some(Taken { at, generation }) => What::Claimed { key, until, at, generation },
        None => What::Remark { key, most: 1, until },
    };
    let command = account::Command::Tenant(Box::new(tenant::Command {
        audit: vec![audit],
        emit: vec![Emit::of(&event.name, &agent, &data, event.at)],
        ..tenant::Command::alone(what)
    }));
    let id = agent.account().to_string();
    Some(Effect::Tell { kind: account::KIND, id, command: json!(command), then: Command::RootTold(sequence) })
}
