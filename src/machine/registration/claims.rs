//! What the account of an agent is told of its claim. The account keeps it only if it keeps anything of agents.

use serde_json::json;

use super::Command;
use crate::account::{self, Event};
use crate::id::AccountId;
use crate::machine::Effect;
use crate::tenant::{self, AuditOutcome, AuditRow, Emit, What};
use crate::time::Ttl;

/// The same is not told again within so long, however often it is said.
const ONCE: Ttl = Ttl::from_seconds(7 * 86_400);

/// What it is called there.
pub(super) fn event(name: &str) -> Option<&'static str> {
    match name {
        "agent.claimed" => Some("claim.completed"),
        "agent.revoked" => Some("claim.revoked"),
        _ => None,
    }
}

/// Tells it; nothing if nobody knows what the registration is called.
pub(super) fn telling(sequence: u64, event: &Event) -> Option<Effect<Command>> {
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
    let audit = AuditRow {
        event_type: event.name.clone(),
        actor_type: if by == Some("agent") { "agent" } else { "system" }.to_owned(),
        actor_id: (by == Some("agent")).then(|| agent.to_string()),
        on_behalf: None,
        action: event.name.rsplit('.').next().unwrap_or_default().to_owned(),
        target_type: Some("agent".to_owned()),
        target_id: Some(agent.to_string()),
        outcome: AuditOutcome::Success,
        network: None,
        request_id: None,
        metadata: by.map(|by| json!({ "by": by }).to_string()),
        about: Some(agent.clone()),
    };
    let payload = json!({ "type": event.name, "timestamp": event.at.iso(), "data": data }).to_string();
    let command = account::Command::Tenant(Box::new(tenant::Command {
        caller: None,
        what: What::Remark { key: format!("claim/{agent}/{sequence}"), most: 1, until: event.at.plus(ONCE) },
        audit: vec![audit],
        emit: vec![Emit { event_type: event.name.clone(), payload, about: Some(agent.clone()) }],
        retain: Ttl::from_millis(0),
    }));
    let id = AccountId::from_digits(agent.digits()).to_string();
    Some(Effect::Tell { kind: account::KIND, id, command: json!(command), then: Command::RootTold(sequence) })
}
