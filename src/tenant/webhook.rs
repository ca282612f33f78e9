//! Who wants to be told of what.

use serde_json::json;

use super::audit::{self, home};
use super::call::{Call, Reach, Stop};
use super::tally::{self, ACCOUNT};
use super::words::Status;
use super::{AuditRow, Emit, Outcome, REMEMBERED, Refused, Webhook, claim, delivery, repeat};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::{RegistrationId, WebhookId};
use crate::time::{Timestamp, Ttl};

/// So many an account may have ...
pub const MOST: u32 = 32;
/// ... so many of them may be of agents below its root: there is always something left for the root ...
pub const MOST_BELOW: usize = 24;
/// ... and so many of a child of the root with all below it: no sibling takes them all.
pub const MOST_OF_BRANCH: usize = 8;

/// The digits of a path for each level of the tree.
const LEVEL: usize = 8;
/// Nothing in the audit goes.
const FOR_GOOD: Ttl = Ttl::from_millis(0);

macro_rules! webhooks {
    ($rest:literal) => {
        concat!(
            "SELECT id, agent, url, events, enabled, disabled, reason, root_generation, secret_version, previous_until, created, updated, path FROM tenant_webhook ",
            $rest
        )
    };
}

pub(super) fn subscribe(call: &Call<'_, impl Sql>, webhook: Webhook) -> Result<Outcome, Stop> {
    let reach = call.acting()?;
    let path = match &webhook.agent {
        Some(agent) => call.reached(&reach, agent)?.path,
        None if call.caller.is_none() => String::new(),
        None => return Err(Refused::Forbidden.into()),
    };
    if let Some((known, _)) = find(call, &webhook.id)? {
        return if known.agent == webhook.agent { Ok(one(known, false)) } else { Err(Refused::Conflict.into()) };
    }
    if repeat::is_buried(call, webhook.id.as_str())? {
        return Err(Refused::Ended.into());
    }
    if let Some(agent) = &webhook.agent
        && call.line(agent)?.iter().any(|node| node.status != Status::Active)
    {
        return Err(Refused::Inactive.into());
    }
    if claim::is_behind(call, webhook.root_generation)? {
        return Err(Refused::Forbidden.into());
    }
    if tally::sum(call, ACCOUNT, &["webhooks"])? >= MOST.into() || is_crowded(call, &path)? {
        return Err(Refused::TooMany.into());
    }
    let webhook = Webhook {
        enabled: true,
        disabled: None,
        reason: None,
        secret_version: 1,
        previous_until: None,
        created: call.now,
        updated: call.now,
        ..webhook
    };
    call.sql.run(
        "INSERT INTO tenant_webhook (id, path, agent, url, events, enabled, secret_version, created, updated, root_generation)
         VALUES (?, ?, ?, ?, ?, 1, 1, ?, ?, ?)",
        &[
            webhook.id.as_str().into(),
            path.into(),
            webhook.agent.as_ref().map(RegistrationId::as_str).into(),
            webhook.url.as_str().into(),
            // No name of an event has a space in it.
            webhook.events.join(" ").into(),
            call.now.into(),
            call.now.into(),
            webhook.root_generation.into(),
        ],
    )?;
    tally::add(call, [ACCOUNT], "webhooks", 1)?;
    Ok(one(webhook, true))
}

pub(super) fn list(call: &Call<'_, impl Sql>) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    let found = everything(call)?.into_iter().filter(|(_, path)| reach.covers(path));
    Ok(Outcome::Webhooks(found.map(|(webhook, _)| webhook).collect()))
}

/// What was to be told to it goes with it.
pub(super) fn unsubscribe(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<Outcome, Stop> {
    let webhook = reached(call, &call.acting()?, id)?;
    call.sql.run("DELETE FROM tenant_webhook WHERE id = ?", &[id.as_str().into()])?;
    tally::add(call, [ACCOUNT], "webhooks", -1)?;
    repeat::bury(call, id.as_str())?;
    delivery::drop_all(call, id)?;
    Ok(one(webhook, true))
}

pub(super) fn rotate(call: &Call<'_, impl Sql>, id: &WebhookId, previous_until: Timestamp, request: &str) -> Result<Outcome, Stop> {
    let before = reached(call, &call.acting()?, id)?;
    if !request.is_empty() && !repeat::within(call, &format!("rotate/{request}"), 1, call.now.plus(REMEMBERED))? {
        return Ok(one(before, false));
    }
    let webhook = Webhook {
        secret_version: before.secret_version.saturating_add(1),
        previous_until: Some(previous_until),
        updated: call.now,
        ..before
    };
    call.sql.run(
        "UPDATE tenant_webhook SET secret_version = ?, previous_until = ?, updated = ? WHERE id = ?",
        &[webhook.secret_version.into(), previous_until.into(), call.now.into(), id.as_str().into()],
    )?;
    Ok(one(webhook, true))
}

/// Whoever reaches the agent that has subscribed it.
pub(super) fn reached(call: &Call<'_, impl Sql>, reach: &Reach, id: &WebhookId) -> Result<Webhook, Stop> {
    let (webhook, _) = find(call, id)?.filter(|(_, path)| reach.covers(path)).ok_or(Refused::Missing)?;
    Ok(webhook)
}

/// Everybody who wants to know of it, and whose business it is, will be told.
pub(super) fn emit(call: &Call<'_, impl Sql>, emitted: &[Emit]) -> Result<(), SqlError> {
    if emitted.is_empty() {
        return Ok(());
    }
    let webhooks = everything(call)?;
    for each in emitted {
        let path = home(call, each.about.as_ref())?;
        for (webhook, of) in &webhooks {
            if webhook.enabled && path.starts_with(of) && webhook.events.iter().any(|wanted| is_meant(wanted, &each.event_type)) {
                delivery::enqueue(call, webhook, each)?;
            }
        }
    }
    Ok(())
}

/// It is told nothing any more, for that `reason`: whatever it was still to be told is given up.
pub(super) fn disable(call: &Call<'_, impl Sql>, id: &WebhookId, reason: &str) -> Result<(), SqlError> {
    let Some((webhook, _)) = find(call, id)? else { return Ok(()) };
    let values = [call.now.into(), reason.into(), call.now.into(), id.as_str().into()];
    call.sql.run("UPDATE tenant_webhook SET enabled = 0, disabled = ?, reason = ?, updated = ? WHERE id = ?", &values)?;
    let metadata = Some(json!({ "reason": reason }).to_string());
    let row = AuditRow { metadata, ..AuditRow::of("webhook.disabled", ("system", None), ("webhook", id.as_str()), webhook.agent) };
    audit::append(call, vec![row], FOR_GOOD)?;
    delivery::give_up_all(call, id)
}

/// How many are within reach.
pub(super) fn count(call: &Call<'_, impl Sql>, reach: &Reach) -> Result<u64, SqlError> {
    let found = everything(call)?.into_iter().filter(|(_, path)| reach.covers(path)).count();
    Ok(u64::try_from(found).unwrap_or(u64::MAX))
}

/// Whether there is no room for one more of an agent of that place in the tree.
fn is_crowded(call: &Call<'_, impl Sql>, path: &str) -> Result<bool, SqlError> {
    let is_below = |path: &str| path.len() > LEVEL;
    let Some(branch) = path.get(..2 * LEVEL) else { return Ok(false) };
    let below: Vec<String> = everything(call)?.into_iter().map(|(_, path)| path).filter(|path| is_below(path)).collect();
    Ok(below.len() >= MOST_BELOW || below.iter().filter(|path| path.starts_with(branch)).count() >= MOST_OF_BRANCH)
}

pub(super) fn find(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<Option<(Webhook, String)>, SqlError> {
    let rows = call.sql.run(webhooks!("WHERE id = ?"), &[Value::from(id.as_str())])?;
    first(rows).map(|mut row| read(&mut row)).transpose()
}

/// An account has few.
pub(super) fn everything(call: &Call<'_, impl Sql>) -> Result<Vec<(Webhook, String)>, SqlError> {
    all(call.sql.run(webhooks!("WHERE number > 0 ORDER BY number"), &[])?, read)
}

fn is_meant(wanted: &str, event: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with('.') && event.starts_with(family),
        None => wanted == event,
    }
}

fn one(webhook: Webhook, changed: bool) -> Outcome {
    Outcome::Webhook(Box::new(webhook), changed)
}

fn read(row: &mut Row) -> Result<(Webhook, String), SqlError> {
    let webhook = Webhook {
        id: row.parsed()?,
        agent: row.maybe_parsed()?,
        url: row.text()?,
        events: row.text()?.split(' ').filter(|event| !event.is_empty()).map(str::to_owned).collect(),
        enabled: row.flag()?,
        disabled: row.maybe_time()?,
        reason: row.maybe_text()?,
        root_generation: row.maybe_small()?,
        secret_version: row.small()?,
        previous_until: row.maybe_time()?,
        created: row.time()?,
        updated: row.time()?,
    };
    Ok((webhook, row.text()?))
}

#[cfg(test)]
mod tests {
    use super::is_meant;

    #[test]
    fn a_family_of_events_is_meant_by_its_name_and_a_star() {
        for (wanted, event, meant) in [
            ("*", "agent.created", true),
            ("agent.*", "agent.created", true),
            ("agent.*", "agents.created", false),
            ("agent*", "agent.created", false),
            ("agent.created", "agent.created", true),
            ("agent.created", "agent.created.twice", false),
        ] {
            assert_eq!(is_meant(wanted, event), meant, "{wanted} {event}");
        }
    }
}
