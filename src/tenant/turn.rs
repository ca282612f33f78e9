//! Whose turn it is. Webhooks are told in turn, those of one agent together counting as one, and each is told one thing after the other.
//! A webhook that takes long for its answers leaves room for those that do not. One that has failed rests, ever longer: it takes nobody's time. One that takes nothing any more is disabled.

use std::collections::BTreeMap;

use super::call::Call;
use super::{delivery, webhook};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::WebhookId;
use crate::time::{Timestamp, Ttl};

/// So many messages that were given up, one after the other and without one that was taken, disable a webhook.
pub const MOST_DEAD_LETTERS: u32 = 10;
/// Whoever takes longer to answer is slow, and stays so for some answers: as if each took a quarter less than the one before, at least.
pub const QUICK: Ttl = Ttl::from_seconds(1);
/// It rests as a message does between its attempts, but at most as after this one: ten minutes.
const LONGEST_REST: u32 = 4;

/// A webhook that can be told something now.
pub(super) struct Turn {
    pub webhook: WebhookId,
    /// The delivery that comes first.
    pub number: u64,
    /// The number that its turn has, if it is taken.
    pub turn: u64,
}

/// What is known of a webhook.
struct Known {
    webhook: WebhookId,
    agent: Option<String>,
    turn: u64,
    is_ready: bool,
    is_quick: bool,
    first: Option<u64>,
}

/// Those that can be told something now and are not among `except`, or only those of them that answer quickly. Whoever was told something last comes last.
pub(super) fn ready(call: &Call<'_, impl Sql>, except: &[WebhookId], quick: bool) -> Result<Vec<Turn>, SqlError> {
    // The plus keeps the planner from sorting what it finds by the time.
    let rows = call.sql.run(
        "SELECT id, agent, turn, enabled AND coalesce(rests, 0) <= ?, pace <= ?,
             (SELECT number FROM tenant_delivery WHERE webhook = id AND due IS NOT NULL AND +due <= ? ORDER BY number LIMIT 1)
         FROM tenant_webhook WHERE tenant_webhook.number > 0 ORDER BY tenant_webhook.number",
        &[call.now.into(), Value::number(QUICK.millis())?, call.now.into()],
    )?;
    let known = all(rows, read)?;
    let mut last: BTreeMap<Option<String>, u64> = BTreeMap::new();
    for one in &known {
        let last = last.entry(one.agent.clone()).or_default();
        *last = one.turn.max(*last);
    }
    let next = known.iter().map(|one| one.turn).max().unwrap_or(0) + 1;
    let mut ready: Vec<Known> =
        known.into_iter().filter(|one| one.is_ready && (one.is_quick || !quick) && !except.contains(&one.webhook)).collect();
    ready.sort_by_key(|one| (last.get(&one.agent).copied(), one.turn));
    let turns = ready.into_iter().filter_map(|one| Some((one.webhook, one.first?))).zip(next..);
    Ok(turns.map(|((webhook, number), turn)| Turn { webhook, number, turn }).collect())
}

/// It is being told something; whoever does it has time until then.
pub(super) fn begin(call: &Call<'_, impl Sql>, id: &WebhookId, turn: u64, until: Timestamp) -> Result<(), SqlError> {
    let values = [Value::number(turn)?, until.into(), id.as_str().into()];
    call.sql.run("UPDATE tenant_webhook SET turn = ?, rests = ? WHERE id = ?", &values).map(drop)
}

/// It has answered, or not, within that time.
pub(super) fn took(call: &Call<'_, impl Sql>, id: &WebhookId, took: Ttl) -> Result<(), SqlError> {
    let values = [Value::number(took.millis())?, id.as_str().into()];
    call.sql.run("UPDATE tenant_webhook SET pace = max(?, pace * 3 / 4) WHERE id = ?", &values).map(drop)
}

/// It has taken something.
pub(super) fn taken(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<(), SqlError> {
    let values = [id.as_str().into()];
    call.sql.run("UPDATE tenant_webhook SET rests = NULL, failures = 0, dead_letters = 0 WHERE id = ?", &values).map(drop)
}

/// It has not: it rests.
pub(super) fn failed(call: &Call<'_, impl Sql>, id: &WebhookId, jitter: u32) -> Result<(), SqlError> {
    let found = call.sql.run("UPDATE tenant_webhook SET failures = failures + 1 WHERE id = ? RETURNING failures", &[id.as_str().into()])?;
    let failures = first(found).map_or(Ok(1), |mut row| row.small())?;
    let until = delivery::wait(failures.min(LONGEST_REST), jitter).map(|wait| call.now.plus(wait));
    call.sql.run("UPDATE tenant_webhook SET rests = ? WHERE id = ?", &[until.into(), id.as_str().into()]).map(drop)
}

/// It has not, and it was the last attempt.
pub(super) fn died(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<(), SqlError> {
    let found = call
        .sql
        .run("UPDATE tenant_webhook SET dead_letters = dead_letters + 1 WHERE id = ? RETURNING dead_letters", &[id.as_str().into()])?;
    if first(found).map_or(Ok(0), |mut row| row.small())? >= MOST_DEAD_LETTERS {
        webhook::disable(call, id, "dead_letters")?;
    }
    Ok(())
}

/// When somebody can be told something next.
pub(super) fn next(call: &Call<'_, impl Sql>) -> Result<Option<Timestamp>, SqlError> {
    let rows = call.sql.run(
        "SELECT rests, (SELECT due FROM tenant_delivery WHERE webhook = id AND due IS NOT NULL ORDER BY due LIMIT 1) FROM tenant_webhook
         WHERE number > 0",
        &[],
    )?;
    let times = all(rows, |row| Ok((row.maybe_time()?, row.maybe_time()?)))?;
    Ok(times.into_iter().filter_map(|(rests, due)| Some(due?.max(rests.unwrap_or(due?)))).min())
}

fn read(row: &mut Row) -> Result<Known, SqlError> {
    Ok(Known {
        webhook: row.parsed()?,
        agent: row.maybe_text()?,
        turn: row.number()?,
        is_ready: row.flag()?,
        is_quick: row.flag()?,
        first: row.maybe_number()?,
    })
}
