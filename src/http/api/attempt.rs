//! What an agent wanted to do and did not: audited although the request has failed.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Sent;
use super::manager::{Deed, Manager};
use crate::cx::Cx;
use crate::http::guard::Caller;
use crate::http::refuse::Refused;
use crate::id::{CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use crate::oauth::error::ErrorCode;
use crate::store::Ports;
use crate::tenant::{AuditOutcome, MOST_TROUBLE, Trouble, What};

/// The arguments of tools that name a record, the one that it is about first.
const RECORDS: [&str; 5] = ["credential_id", "delegation_id", "policy_id", "delegate_agent_id", "agent_id"];

/// The records that a path may name, and their kinds.
const NAMED: [(&str, &str); 5] = [
    (RegistrationId::PREFIX, "agent"),
    (CredentialId::PREFIX, "credential"),
    (DelegationId::PREFIX, "delegation"),
    (PolicyId::PREFIX, "policy"),
    (WebhookId::PREFIX, "webhook"),
];

/// How whatever was refused is audited; not at all if it is there already, or if it is our own fault, which is for our log.
pub(in crate::http) fn outcome(refused: &Refused) -> Option<AuditOutcome> {
    let status = refused.http_status();
    if refused.noted || !status.is_client_error() || matches!(refused.code(), ErrorCode::RateLimited | ErrorCode::PolicyDenied) {
        return None;
    }
    Some(if status == StatusCode::FORBIDDEN { AuditOutcome::Denied } else { AuditOutcome::Failure })
}

/// Writes down a refusal, unless it is there already; at most [`MOST_TROUBLE`] of one kind. Of what was sent nothing is repeated but the name of
/// a record, if it has the form of one.
pub(super) async fn note<P: Ports>(manager: &Manager, sent: &Sent<'_>, refused: &Refused, cx: &Cx<'_, P>) {
    let Some(outcome) = outcome(refused) else { return };
    let path = sent.request.path;
    let family = path.split('/').nth(3).unwrap_or_default();
    let target = record(path).unwrap_or(("route", family));
    let status = refused.http_status().as_u16();
    let metadata = json!({ "method": sent.method, "family": family, "status": status, "error": refused.code().as_str() });
    write(manager, target, outcome, &metadata, cx).await;
}

/// The same of a call of a tool, if it is an agent that calls it.
pub(in crate::http) async fn of_tool<P: Ports>(
    caller: Caller,
    tool: &str,
    arguments: &Map<String, Value>,
    (outcome, error): (AuditOutcome, &str),
    cx: &Cx<'_, P>,
) {
    let Ok(manager) = Manager::of(caller) else { return };
    let named = RECORDS.iter().find_map(|name| of_form(arguments.get(*name)?.as_str()?));
    let metadata = json!({ "method": "tools/call", "tool": tool, "error": error });
    write(&manager, named.unwrap_or(("tool", tool)), outcome, &metadata, cx).await;
}

async fn write<P: Ports>(manager: &Manager, target: (&str, &str), outcome: AuditOutcome, metadata: &Value, cx: &Cx<'_, P>) {
    let (event, kind) =
        if outcome == AuditOutcome::Denied { ("request.denied", Trouble::Denied) } else { ("request.failed", Trouble::Failed) };
    let deed = Deed::new(counted(manager, kind, cx)).audited(event, target, &manager.id, metadata).ended(outcome);
    if let Err(error) = manager.ask(deed, cx).await {
        cx.ports.warn("attempt_not_audited", &error.reason);
    }
}

/// A refusal that is audited at most [`MOST_TROUBLE`] of one agent and kind.
pub(super) fn counted<P>(manager: &Manager, kind: Trouble, cx: &Cx<'_, P>) -> What {
    counted_as(kind.of(manager.id.as_str()), cx)
}

/// What is audited at most [`MOST_TROUBLE`] under that name.
pub(super) fn counted_as<P>(key: String, cx: &Cx<'_, P>) -> What {
    let (most, within) = MOST_TROUBLE;
    What::Remark { key, most, until: cx.now.plus(within) }
}

/// A path of ours, with nothing in it but names of ours: where another name was sent, there may be a secret.
pub(super) fn shown(path: &str) -> String {
    let part = |part: &str| {
        if is_word(part) || NAMED.iter().any(|(prefix, _)| part.strip_prefix(prefix).is_some_and(is_digits)) {
            part.to_owned()
        } else {
            "*".to_owned()
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A part of our own paths.
fn is_word(part: &str) -> bool {
    part.len() <= 16 && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'v' || byte == b'1')
}

/// The record that a path names.
fn record(path: &str) -> Option<(&'static str, &str)> {
    of_form(path.split('/').nth(4)?)
}

/// What has the form of a name of ours, and of which kind of record.
fn of_form(name: &str) -> Option<(&'static str, &str)> {
    let (_, kind) = NAMED.into_iter().find(|(prefix, _)| name.strip_prefix(prefix).is_some_and(is_digits))?;
    Some((kind, name))
}

fn is_digits(rest: &str) -> bool {
    rest.len() == 22 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{record, shown};

    #[test]
    fn of_a_path_only_words_of_ours_and_names_of_ours_are_shown() {
        let digits = "0123456789abcdefghijAB";
        let own = format!("/api/v1/agents/reg_{digits}/credentials");
        assert_eq!(shown(&own), own);
        for (path, left) in [
            (format!("/api/v1/credentials/postern_{digits}_{digits}/rotate"), "/api/v1/credentials/*/rotate"),
            (format!("/api/v1/agents/reg_{digits}0"), "/api/v1/agents/*"),
            (format!("/api/v1/agents/acc_{digits}"), "/api/v1/agents/*"),
            ("/files/Ada/a%20b/x?token=secret".to_owned(), "/files/*/*/*"),
            ("/files/ada@example.com".to_owned(), "/files/*"),
            ("/abcdefghijklmnopq".to_owned(), "/*"),
        ] {
            assert_eq!(shown(&path), left, "{path}");
        }
    }

    #[test]
    fn only_what_has_the_form_of_a_name_is_repeated() {
        let digits = "0123456789abcdefghijAB";
        let path = format!("/api/v1/agents/reg_{digits}/children");
        assert_eq!(record(&path), Some(("agent", &*format!("reg_{digits}"))));
        for other in ["/api/v1/agents", "/api/v1/agents/reg_1", &format!("/api/v1/credentials/postern_{digits}_{digits}")] {
            assert_eq!(record(other), None, "{other}");
        }
    }
}
