//! What the account of an agent is told without being asked by a manager: that a token was given back, or that somebody failed to be the agent.

use serde_json::{Value, json};

use crate::account;
use crate::cx::Cx;
use crate::id::RegistrationId;
use crate::machine::standing::Standing;
use crate::store::Ports;
use crate::tenant::{AuditOutcome, AuditRow, Command, Emit, What};
use crate::time::Ttl;
use crate::verify;

/// So many attempts with a key that does not count are audited of one agent, and within how long.
const MOST_FAILED: (u32, Ttl) = (10, Ttl::from_seconds(60));

/// Something about an agent.
pub struct Remark<'r> {
    /// What: `token.revoked`…
    pub event: &'static str,
    /// The agent that has done it, unless nobody knows who it was.
    pub actor: Option<&'r RegistrationId>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Kind and name of what it was done to.
    pub target: (&'static str, &'r str),
    /// More about it, never a secret.
    pub metadata: Value,
    /// Webhooks are told too.
    pub told: bool,
    /// At most so often within so long for that key: more changes nothing.
    pub most: (String, u32, Ttl),
}

/// Tells the account of the root of `agent`, which stands as `standing` says, if it keeps anything of agents. What the request was about is done
/// by then, or refused: if the account does not answer, that goes to our log and changes nothing.
pub async fn remark<P: Ports>(agent: &RegistrationId, standing: &Standing, remark: Remark<'_>, cx: &Cx<'_, P>) {
    let root = standing.root(agent);
    let Remark { event, actor, outcome, target, metadata, told, most: (key, most, within) } = remark;
    let mut emit = Vec::new();
    if told {
        let data = json!({ "agent_id": agent, "target_type": target.0, "target_id": target.1 });
        emit.push(Emit::of(event, agent, &data, cx.now));
    }
    let kind = if actor.is_some() { "agent" } else { "system" };
    let row = AuditRow {
        outcome,
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
        metadata: (!metadata.is_null()).then(|| metadata.to_string()),
        ..AuditRow::of(event, (kind, actor.map(ToString::to_string)), target, Some(agent.clone()))
    };
    let what = What::Remark { key, most, until: cx.now.plus(within) };
    let command = Command { audit: vec![row], emit, retain: cx.config.ttls.audit, ..Command::alone(what) };
    let account = root.account();
    if let Err(error) = cx.ports.account(&account, account::Command::Tenant(Box::new(command))).await {
        cx.ports.warn("remark_lost", &error.to_string());
    }
}

/// Somebody shows what looks like a key of an agent and is none, or none any more: its account hears of it, so often and no more, since anybody
/// can. `how` it was shown is what `metadata` says.
pub async fn failed<P: Ports>(agent: &RegistrationId, standing: &Standing, how: Value, cx: &Cx<'_, P>) {
    let (most, within) = MOST_FAILED;
    // What would not be written is not asked about: the account is that of all in the tree.
    let (since, count) = cx.memory.failures.borrow().find(agent).unwrap_or((cx.now, 0));
    let (since, count) = if cx.now < since.plus(within) { (since, count) } else { (cx.now, 0) };
    if count >= most {
        return;
    }
    cx.memory.failures.borrow_mut().insert(agent.clone(), (since, count + 1));
    let remark = Remark {
        event: "authentication.failed",
        actor: None,
        outcome: AuditOutcome::Failure,
        target: ("agent", agent.as_str()),
        metadata: how,
        told: false,
        most: (format!("failed/{agent}"), most, within),
    };
    self::remark(agent, standing, remark, cx).await;
}

/// The same of a key that an agent has had: why it does not count any more is there, too. Whether it is one: of what nobody has made nothing is
/// written, and nothing is asked for it.
pub async fn dead_key<P: Ports>(presented: &str, method: &str, cx: &Cx<'_, P>) -> bool {
    let Some((agent, standing, why)) = verify::dead_key(presented, cx).await else { return false };
    failed(&agent, &standing, json!({ "method": method, "key": why }), cx).await;
    true
}
