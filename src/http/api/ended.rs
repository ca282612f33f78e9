//! What ends by a secret alone, without anybody who manages: the account lists it, audits it and tells it all the same.

use serde_json::{Value, json};

use super::manager::{retain, run};
use crate::cx::Cx;
use crate::http::refuse::Refused;
use crate::id::{AccountId, RegistrationId};
use crate::machine::standing::Standing;
use crate::store::Ports;
use crate::tenant::{AuditOutcome, AuditRow, Command, Emit, Outcome, What};

/// What has ended.
pub(in crate::http) enum Ended {
    /// An access token, by its `jti`.
    Token(String),
    /// Refresh tokens, with all that they have brought.
    Family,
    /// An API key, by its number.
    Key(u32),
}

/// Tells the account of an agent. What has ended has ended, whether or not the account can be told.
pub(in crate::http) async fn ended<P: Ports>(agent: &RegistrationId, standing: &Standing, ended: Ended, cx: &Cx<'_, P>) {
    if tell(agent, standing, &ended, cx).await.is_err() {
        cx.ports.warn("revocation_not_audited", "the account does not answer");
    }
}

async fn tell<P: Ports>(agent: &RegistrationId, standing: &Standing, ended: &Ended, cx: &Cx<'_, P>) -> Result<(), Refused> {
    let account = AccountId::from_digits(standing.ancestors.first().unwrap_or(agent).digits());
    let command = |what| Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: retain(cx) };
    let (event, target, first) = match ended {
        Ended::Token(jti) => ("token.revoked", ("token", jti.clone()), What::Agent(agent.clone())),
        Ended::Family => ("token.revoked", ("agent", agent.to_string()), What::Agent(agent.clone())),
        Ended::Key(number) => {
            let what = What::Key { agent: agent.clone(), number: *number, ended: true };
            ("credential.revoked", ("agent", agent.to_string()), what)
        }
    };
    let mut data = json!({ "agent_id": agent });
    match run(&account, command(first), cx).await? {
        // An agent that has never been in its account has nobody to tell.
        Outcome::Nothing => return Ok(()),
        Outcome::Credential(credential, _) => {
            data = json!({ "agent_id": agent, "credential_id": credential.id, "prefix": credential.prefix })
        }
        _ => {}
    }
    let target = match data.get("credential_id").and_then(Value::as_str) {
        Some(id) => ("credential", id.to_owned()),
        None => target,
    };
    let audit = AuditRow {
        event_type: event.to_owned(),
        actor_type: "agent".to_owned(),
        actor_id: Some(agent.to_string()),
        on_behalf: None,
        action: "revoked".to_owned(),
        target_type: Some(target.0.to_owned()),
        target_id: Some(target.1),
        outcome: AuditOutcome::Success,
        network: cx.origin.as_ref().map(|origin| origin.narrow.clone()),
        request_id: Some(cx.request_id.to_owned()),
        metadata: None,
        about: Some(agent.clone()),
    };
    let payload = json!({ "type": event, "timestamp": cx.now.iso(), "data": data }).to_string();
    let emit = Emit { event_type: event.to_owned(), payload, about: Some(agent.clone()) };
    run(&account, Command { audit: vec![audit], emit: vec![emit], ..command(What::Note) }, cx).await?;
    Ok(())
}
