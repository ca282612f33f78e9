//! A key that ends by itself being shown, without anybody who manages: the account lists it, audits it and tells it all the same.

use serde_json::json;

use super::manager::run;
use crate::audit::{self, Remark};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::id::RegistrationId;
use crate::machine::standing::Standing;
use crate::store::Ports;
use crate::tenant::{AuditOutcome, Command, Outcome, What};
use crate::time::Ttl;

/// Told once, however often it is given back.
const ONCE: Ttl = Ttl::from_seconds(7 * 86_400);

/// Tells the account of an agent that its key of that number has ended, which it has whether or not the account can be told.
pub(in crate::http) async fn key_ended<P: Ports>(agent: &RegistrationId, standing: &Standing, number: u32, cx: &Cx<'_, P>) {
    let listed = match listed(agent, standing, number, cx).await {
        Ok(listed) => listed,
        Err(error) => return cx.ports.warn("revocation_not_listed", &error.reason),
    };
    let name = number.to_string();
    let (target, prefix) = match &listed {
        Some((id, prefix)) => (("credential", id.as_str()), Some(prefix)),
        None => (("api_key", name.as_str()), None),
    };
    let remark = Remark {
        event: "credential.revoked",
        actor: Some(agent),
        outcome: AuditOutcome::Success,
        target,
        metadata: json!({ "prefix": prefix }),
        told: true,
        most: (format!("revoked/{agent}/api_key/{number}"), 1, ONCE),
    };
    audit::remark(agent, standing, remark, cx).await;
}

/// Name and prefix of the key, which is listed as ended from now on; none if it never was listed.
async fn listed<P: Ports>(
    agent: &RegistrationId,
    standing: &Standing,
    number: u32,
    cx: &Cx<'_, P>,
) -> Result<Option<(String, String)>, Refused> {
    let account = standing.root(agent).account();
    let what = What::Key { agent: agent.clone(), number, ended: true };
    let command = Command::alone(what);
    Ok(match run(&account, command, cx).await? {
        Outcome::Credential(credential, _) => Some((credential.id.to_string(), credential.prefix)),
        _ => None,
    })
}
