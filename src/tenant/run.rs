//! Carries out one command, in the transaction that the account has begun.

use serde_json::{Map, Value};

use super::call::{Call, Stop};
use super::tables::{self, STEPS};
use super::words::{AuditOutcome, TrustLevel};
use super::{
    AuditRow, Command, MOST_TROUBLE, Outcome, Refused, What, agent, agents, audit, claim, credential, delegation, delivery, enter, offers,
    policy, repeat, stats, turn, webhook,
};
use crate::account::by_need::Known;
use crate::account::sql::{Sql, SqlError};
use crate::machine::standing::Taken;
use crate::time::Timestamp;

/// Runs `command`; also says when something is due that it has to do with.
///
/// # Errors
/// A statement failed. What the ones before it have changed must not stay.
pub(crate) fn carry_out(command: Command, sql: &impl Sql, known: &Known, now: Timestamp) -> Result<(Outcome, Option<Timestamp>), SqlError> {
    let Command { caller, what, audit, emit, retain } = command;
    let tables = tables::open(sql, STEPS, known)?;
    if !tables.are_there() {
        if !what.opens() && (audit.is_empty() || matches!(what, What::Remark { .. } | What::Claimed { .. })) {
            return Ok((Outcome::Nothing, None));
        }
        tables.create()?;
    }
    let call = Call { sql: &tables, now, caller };
    let strange = match &what {
        What::PutDelegation(told) => offers::of_strangers(&call, told)?,
        _ => None,
    };
    let counted = match &what {
        What::Remark { key, most, .. } => Some((key.clone(), *most)),
        _ => None,
    };
    let delivers = matches!(what, What::Due { .. } | What::Settled { .. });
    let changes = changes(&what);
    let outcome = match dispatch(what, &call) {
        Ok(outcome) => outcome,
        Err(Stop::Refused(refused)) => Outcome::Refused(refused),
        Err(Stop::Failed(error)) => return Err(error),
    };
    if let Outcome::Refused(refused) = &outcome {
        let mut denied: Vec<_> = audit.into_iter().map(|row| AuditRow { outcome: AuditOutcome::Denied, ..row }).collect();
        // Whoever names what is not there can do so without end.
        let kind = if *refused == Refused::Missing { Trouble::Failed } else { Trouble::Denied };
        let (key, (most, within)) = (kind.of(call.caller_name()), MOST_TROUBLE);
        let is_noted = !denied.is_empty()
            && match &strange {
                Some(strange) => strange.may_say(&call)?,
                None => repeat::within(&call, &key, most, now.plus(within))?,
            };
        if is_noted {
            if strange.is_none() {
                say_if_last(&call, &key, most, &mut denied)?;
            }
            audit::append(&call, denied, retain)?;
        }
        return Ok((outcome, None));
    }
    let mut told = false;
    // The same again has been audited, and told, the first time.
    if !changes || has_changed(&outcome) {
        let (mut audit, emit) = if let Some(strange) = &strange { strange.heard(&call, audit, emit)? } else { (audit, emit) };
        if let Some((key, most)) = &counted {
            say_if_last(&call, key, *most, &mut audit)?;
        }
        audit::append(&call, audit, retain)?;
        webhook::emit(&call, &emit)?;
        told = !emit.is_empty();
    }
    let due = if told || delivers { turn::next(&call)? } else { None };
    Ok((outcome, due))
}

/// What attempts of an agent are counted together: nobody hides those of one kind behind another.
#[derive(Clone, Copy)]
pub(crate) enum Trouble {
    /// They did not fit, or named what is not there.
    Failed,
    /// A scope was missing, or the account refused them.
    Denied,
    /// A policy denied them.
    Policy,
}

impl Trouble {
    /// What those of that agent are counted under.
    pub(crate) fn of(self, agent: &str) -> String {
        let kind = match self {
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Policy => "policy",
        };
        format!("trouble/{kind}/{agent}")
    }
}

/// The last row that is written of what is counted says that, and until when: whoever reads the audit knows that there may have been more.
fn say_if_last(call: &Call<'_, impl Sql>, key: &str, most: u32, rows: &mut [AuditRow]) -> Result<(), SqlError> {
    let Some(row) = rows.last_mut() else { return Ok(()) };
    if let Some(until) = repeat::spent(call, key, most)? {
        let mut metadata: Map<String, Value> = row.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        metadata.insert("more_not_recorded_until".to_owned(), until.iso().into());
        row.metadata = Some(Value::Object(metadata).to_string());
    }
    Ok(())
}

/// When the alarm has to ring again, after it has; `delivered` says whether webhooks could be told anything at all.
///
/// # Errors
/// A statement failed.
pub(crate) fn wake(sql: &impl Sql, known: &Known, now: Timestamp, delivered: bool) -> Result<Option<Timestamp>, SqlError> {
    let tables = tables::open(sql, STEPS, known)?;
    if !tables.are_there() {
        return Ok(None);
    }
    delivery::next_alarm(&Call { sql: &tables, now, caller: None }, delivered)
}

/// Whether it is meant to change something: what is only asked is audited whatever the answer is.
const fn changes(what: &What) -> bool {
    match what {
        What::Agent(_)
        | What::Agents { .. }
        | What::Children { .. }
        | What::Ancestry(_)
        | What::Credential(_)
        | What::Credentials { .. }
        | What::Keys(_)
        | What::Delegation(_)
        | What::Delegations { .. }
        | What::Incoming { .. }
        | What::Offers { .. }
        | What::Peers(_)
        | What::Downstream { .. }
        | What::Policy(_)
        | What::Policies { .. }
        | What::Enter { .. }
        | What::Note
        | What::Stats
        | What::Audit(_)
        | What::Webhooks
        | What::Deliveries { .. }
        | What::Due { .. }
        | What::Repeat { .. } => false,
        What::Root { .. }
        | What::Arrive { .. }
        | What::Create { .. }
        | What::Patch { .. }
        | What::SetStatus { .. }
        | What::AddCredential(_)
        | What::RotateCredential { .. }
        | What::RevokeCredential(_)
        | What::CredentialUsed(_)
        | What::Key { .. }
        | What::PutDelegation(_)
        | What::CreatePolicy(_)
        | What::PutPolicy { .. }
        | What::DeletePolicy(_)
        | What::Remark { .. }
        | What::Claimed { .. }
        | What::Subscribe(_)
        | What::Unsubscribe(_)
        | What::RotateSecret { .. }
        | What::Settled { .. } => true,
    }
}

const fn has_changed(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(changed)
        | Outcome::Agent(_, changed)
        | Outcome::Credential(_, changed)
        | Outcome::Rotated(_, changed)
        | Outcome::Delegation(_, changed)
        | Outcome::Policy(_, changed)
        | Outcome::Webhook(_, changed) => *changed,
        _ => false,
    }
}

fn dispatch(what: What, call: &Call<'_, impl Sql>) -> Result<Outcome, Stop> {
    match what {
        What::Root { id, profile } => agent::root(call, &id, profile),
        What::Arrive { id, profile, credential } => agent::arrive(call, &id, profile, *credential),
        What::Create { id, parent, ephemeral, profile } => {
            let trust_level = if ephemeral { TrustLevel::Ephemeral } else { TrustLevel::Delegated };
            agent::create(call, &id, &parent, trust_level, profile)
        }
        What::Agent(id) => agents::get(call, &id),
        What::Agents { parent, status, limit, offset } => agents::list(call, parent.as_ref(), status, limit, offset),
        What::Children { id, limit, offset } => agents::children(call, &id, limit, offset),
        What::Patch { id, patch } => agent::patch(call, &id, *patch),
        What::SetStatus { id, status } => agent::set_status(call, &id, status),
        What::Ancestry(id) => agents::ancestry(call, &id),
        What::AddCredential(credential) => credential::add(call, *credential, None),
        What::Credential(id) => credential::get(call, &id),
        What::Credentials { agent, include_revoked, limit, offset } => {
            credential::list(call, agent.as_ref(), include_revoked, limit, offset)
        }
        What::Keys(agent) => credential::keys(call, &agent),
        What::RotateCredential { id, next, number, prefix, expires } => credential::rotate(call, &id, next, (number, prefix), expires),
        What::RevokeCredential(id) => credential::revoke(call, &id),
        What::CredentialUsed(id) => credential::used(call, &id),
        What::Key { agent, number, ended } => credential::of_key(call, &agent, number, ended),
        What::PutDelegation(told) => delegation::put(call, *told),
        What::Delegation(id) => delegation::get(call, &id),
        What::Delegations { active_only, limit, offset } => delegation::list(call, active_only, limit, offset),
        What::Incoming { delegate, limit } => delegation::incoming(call, &delegate, limit),
        What::Offers { limit, offset } => offers::list(call, limit, offset),
        What::Peers(agent) => delegation::peers(call, &agent),
        What::Downstream { id, limit, offset } => delegation::downstream(call, &id, limit, offset),
        What::CreatePolicy(policy) => policy::create(call, *policy),
        What::Policy(id) => policy::get(call, &id),
        What::PutPolicy { id, patch } => policy::put(call, &id, *patch),
        What::DeletePolicy(id) => policy::delete(call, &id),
        What::Policies { agent, enabled_only, limit, offset } => policy::list(call, agent.as_ref(), enabled_only, limit, offset),
        What::Enter { rate, asked } => enter::enter(call, rate, &asked),
        What::Note => Ok(Outcome::Done(true)),
        What::Remark { key, most, until } => Ok(Outcome::Done(repeat::within(call, &key, most, until)?)),
        What::Claimed { key, until, at, generation } => claim::claimed(call, &key, until, Taken { at, generation }),
        What::Stats => stats::stats(call),
        What::Audit(filter) => audit::list(call, *filter),
        What::Subscribe(webhook) => webhook::subscribe(call, *webhook),
        What::Webhooks => webhook::list(call),
        What::Unsubscribe(id) => webhook::unsubscribe(call, &id),
        What::RotateSecret { id, previous_until, request } => webhook::rotate(call, &id, previous_until, &request),
        What::Deliveries { webhook, limit, offset } => delivery::list(call, &webhook, limit, offset),
        What::Due { limit, except, quick } => delivery::due(call, limit, &except, quick),
        What::Settled { number, attempt, status, error, jitter, took } => {
            delivery::settle(call, (number, attempt), (status, error), jitter, took)
        }
        What::Repeat { key, request, until } => repeat::repeat(call, &key, &request, until),
    }
}
