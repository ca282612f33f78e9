//! The queue of what webhooks are to be told.
//!
//! Whoever asks what is due takes it for [`LEASE`] and says how it ended. If nobody says, it is due again: so it comes at least once.

use super::call::{Call, Stop, page};
use super::tally::{self, ACCOUNT};
use super::turn::{self, Turn};
use super::words::DeliveryState;
use super::{Delivery, Emit, Outcome, Refused, Webhook, webhook};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::WebhookId;
use crate::time::{Timestamp, Ttl};

/// For so long an attempt belongs to whoever has asked for it.
pub const LEASE: Ttl = Ttl::from_seconds(60);
/// So many are kept.
pub const MOST: u64 = 10_000;
/// What was taken can be looked at for so long.
pub const DELIVERED_FOR: Ttl = Ttl::from_seconds(3 * 86_400);
/// What was given up can be looked at for so long.
pub const DEAD_FOR: Ttl = Ttl::from_seconds(7 * 86_400);

/// How long it waits after each attempt that has failed: 5 s, 30 s, 2 min, 10 min, 1 h, 6 h, 24 h. After the last there is none.
const WAITS: [u64; 7] = [5, 30, 120, 600, 3600, 21_600, 86_400];
/// If nobody takes what is due, the alarm does not ring more often.
const PATIENCE: Ttl = Ttl::from_seconds(5);
/// And if nobody can, it rings at least as often.
const LONGEST_PATIENCE: Ttl = Ttl::from_seconds(3600);
/// So many are given out at once.
const MOST_AT_ONCE: u32 = 16;
/// So many that are too old go at once.
const SWEPT: u32 = 32;
/// The answer of who does not want to be told anything any more (RFC 9110, section 15.5.11).
const GONE: u32 = 410;

macro_rules! deliveries {
    ($rest:literal) => {
        concat!(
            "SELECT number, webhook, event_type, payload, attempt, due, status, error, state, created, updated FROM tenant_delivery ",
            $rest
        )
    };
}

/// How long to wait after the `attempt`th (1 is the first) has failed: up to a fifth longer, as `jitter` has it. `None` after the last.
#[must_use]
pub fn wait(attempt: u32, jitter: u32) -> Option<Ttl> {
    let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let millis = WAITS.get(index)? * 1000;
    Some(Ttl::from_millis(millis + ((millis / 5 * u64::from(jitter)) >> u32::BITS)))
}

pub(super) fn enqueue(call: &Call<'_, impl Sql>, webhook: &Webhook, emit: &Emit) -> Result<(), SqlError> {
    sweep(call)?;
    make_room(call)?;
    call.sql.run(
        "INSERT INTO tenant_delivery (webhook, event_type, payload, attempt, due, state, created, updated) VALUES (?, ?, ?, 0, ?, ?, ?, ?)",
        &[
            webhook.id.as_str().into(),
            emit.event_type.as_str().into(),
            emit.payload.as_str().into(),
            call.now.into(),
            DeliveryState::Pending.into(),
            call.now.into(),
            call.now.into(),
        ],
    )?;
    tally::add(call, [ACCOUNT, webhook.id.as_str()], "deliveries", 1)
}

/// Gives out what is due, and counts the attempt before it is made: what is never settled comes to an end too. A webhook has one thing at a
/// time, the oldest first.
pub(super) fn due(call: &Call<'_, impl Sql>, limit: u32, except: &[WebhookId], quick: bool) -> Result<Outcome, Stop> {
    internal(call)?;
    let limit = usize::try_from(limit.clamp(1, MOST_AT_ONCE)).unwrap_or(usize::MAX);
    let mut given = Vec::new();
    for Turn { webhook, number, turn } in turn::ready(call, except, quick)? {
        if given.len() >= limit {
            break;
        }
        let found = call.sql.run(deliveries!("WHERE number = ?"), &[Value::number(number)?])?;
        let (Some(mut row), Some((webhook, _))) = (first(found), webhook::find(call, &webhook)?) else { continue };
        let mut delivery = read(&mut row)?;
        if usize::try_from(delivery.attempt).is_ok_and(|attempts| attempts > WAITS.len()) {
            give_up(call, &delivery, delivery.status, Some("the last attempt has not ended".to_owned()))?;
            continue;
        }
        let until = call.now.plus(LEASE);
        (delivery.attempt, delivery.due, delivery.updated) = (delivery.attempt + 1, Some(until), call.now);
        call.sql.run(
            "UPDATE tenant_delivery SET attempt = ?, due = ?, updated = ? WHERE number = ?",
            &[delivery.attempt.into(), until.into(), call.now.into(), self::number(&delivery)?],
        )?;
        turn::begin(call, &webhook.id, turn, until)?;
        given.push((delivery, webhook));
    }
    Ok(Outcome::Due(given))
}

/// Takes how an attempt ended, unless it belongs to somebody else by now.
pub(super) fn settle(
    call: &Call<'_, impl Sql>,
    (number, attempt): (u64, u32),
    (status, error): (Option<u32>, Option<String>),
    jitter: u32,
    took: Option<Ttl>,
) -> Result<Outcome, Stop> {
    internal(call)?;
    let rows =
        call.sql.run(deliveries!("WHERE number = ? AND attempt = ? AND due IS NOT NULL"), &[Value::number(number)?, attempt.into()])?;
    let Some(mut row) = first(rows) else { return Ok(Outcome::Done(false)) };
    let delivery = read(&mut row)?;
    let number = Value::number(number)?;
    if let Some(took) = took {
        turn::took(call, &delivery.webhook, took)?;
    }
    if status.is_some_and(|status| (200..300).contains(&status)) {
        call.sql.run(
            "UPDATE tenant_delivery SET state = ?, due = NULL, status = ?, error = NULL, updated = ? WHERE number = ?",
            &[DeliveryState::Delivered.into(), status.into(), call.now.into(), number],
        )?;
        turn::taken(call, &delivery.webhook)?;
    } else if status == Some(GONE) {
        give_up(call, &delivery, status, error)?;
        webhook::disable(call, &delivery.webhook, "gone")?;
    } else if let Some(wait) = wait(attempt, jitter) {
        call.sql.run(
            "UPDATE tenant_delivery SET due = ?, status = ?, error = ?, updated = ? WHERE number = ?",
            &[call.now.plus(wait).into(), status.into(), error.into(), call.now.into(), number],
        )?;
        turn::failed(call, &delivery.webhook, jitter)?;
    } else {
        give_up(call, &delivery, status, error)?;
        turn::failed(call, &delivery.webhook, jitter)?;
        turn::died(call, &delivery.webhook)?;
    }
    sweep(call)?;
    Ok(Outcome::Done(true))
}

pub(super) fn list(call: &Call<'_, impl Sql>, id: &WebhookId, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    webhook::reached(call, &call.reach()?, id)?;
    let [limit, offset] = page(limit, offset);
    let rows =
        call.sql.run(deliveries!("WHERE webhook = ? ORDER BY number DESC LIMIT ? OFFSET ?"), &[id.as_str().into(), limit, offset])?;
    Ok(Outcome::Deliveries(all(rows, read)?, tally::sum(call, id.as_str(), &["deliveries"])?))
}

/// When the alarm has to ring again, after it has. Where nothing could be `delivered` at all it comes later and later: it waits as long
/// again as something has been due.
pub(super) fn next_alarm(call: &Call<'_, impl Sql>, delivered: bool) -> Result<Option<Timestamp>, SqlError> {
    sweep(call)?;
    let patience = |due: Timestamp| if delivered { PATIENCE } else { due.until(call.now).clamp(PATIENCE, LONGEST_PATIENCE) };
    Ok(turn::next(call)?.map(|due| due.max(call.now.plus(patience(due)))))
}

/// No agent delivers anything.
fn internal(call: &Call<'_, impl Sql>) -> Result<(), Stop> {
    if call.caller.is_some() { Err(Refused::Forbidden.into()) } else { Ok(()) }
}

fn number(delivery: &Delivery) -> Result<Value, SqlError> {
    Value::number(delivery.number)
}

fn give_up(call: &Call<'_, impl Sql>, delivery: &Delivery, status: Option<u32>, error: Option<String>) -> Result<(), SqlError> {
    call.sql.run(
        "UPDATE tenant_delivery SET state = ?, due = NULL, status = ?, error = ?, updated = ? WHERE number = ?",
        &[DeliveryState::Dead.into(), status.into(), error.into(), call.now.into(), number(delivery)?],
    )?;
    Ok(())
}

/// Nothing waits for that webhook any more.
pub(super) fn give_up_all(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<(), SqlError> {
    call.sql.run(
        "UPDATE tenant_delivery SET state = ?, due = NULL, error = ?, updated = ? WHERE webhook = ? AND due IS NOT NULL",
        &[DeliveryState::Dead.into(), "the webhook is not enabled".into(), call.now.into(), id.as_str().into()],
    )?;
    Ok(())
}

/// Nothing is kept of that webhook any more.
pub(super) fn drop_all(call: &Call<'_, impl Sql>, id: &WebhookId) -> Result<(), SqlError> {
    let kept = i32::try_from(tally::sum(call, id.as_str(), &["deliveries"])?).unwrap_or(i32::MAX);
    call.sql.run("DELETE FROM tenant_delivery WHERE webhook = ?", &[id.as_str().into()])?;
    call.sql.run("DELETE FROM tenant_tally WHERE agent = ? AND what = ?", &[id.as_str().into(), "deliveries".into()])?;
    tally::add(call, [ACCOUNT], "deliveries", -kept)
}

/// Some of what is too old goes.
fn sweep(call: &Call<'_, impl Sql>) -> Result<(), SqlError> {
    for (state, kept) in [(DeliveryState::Delivered, DELIVERED_FOR), (DeliveryState::Dead, DEAD_FOR)] {
        let gone = call.sql.run(
            "DELETE FROM tenant_delivery WHERE number IN
                 (SELECT number FROM tenant_delivery WHERE state = ? AND updated < ? ORDER BY updated LIMIT ?) RETURNING webhook",
            &[state.into(), call.now.minus(kept).into(), SWEPT.into()],
        )?;
        remove(call, gone)?;
    }
    Ok(())
}

/// Whoever has the most makes room, so that nobody loses anything by what another is told: of its own the oldest that was taken goes first,
/// then the oldest that was given up, then what is due the longest.
fn make_room(call: &Call<'_, impl Sql>) -> Result<(), SqlError> {
    if tally::sum(call, ACCOUNT, &["deliveries"])? < MOST {
        return Ok(());
    }
    let mut fullest = (0, None);
    for (webhook, _) in webhook::everything(call)? {
        let kept = tally::sum(call, webhook.id.as_str(), &["deliveries"])?;
        if kept > fullest.0 {
            fullest = (kept, Some(webhook.id));
        }
    }
    let (_, Some(fullest)) = fullest else { return Ok(()) };
    for state in [DeliveryState::Delivered, DeliveryState::Dead] {
        let gone = call.sql.run(
            "DELETE FROM tenant_delivery WHERE number IN
                 (SELECT number FROM tenant_delivery WHERE webhook = ? AND state = ? AND due IS NULL ORDER BY number LIMIT 1)
             RETURNING webhook",
            &[fullest.as_str().into(), state.into()],
        )?;
        if !gone.is_empty() {
            return remove(call, gone);
        }
    }
    let gone = call.sql.run(
        "DELETE FROM tenant_delivery WHERE number IN
             (SELECT number FROM tenant_delivery WHERE webhook = ? AND due IS NOT NULL ORDER BY due LIMIT 1) RETURNING webhook",
        &[fullest.as_str().into()],
    )?;
    remove(call, gone)
}

/// Counts what was deleted.
fn remove(call: &Call<'_, impl Sql>, gone: Vec<Row>) -> Result<(), SqlError> {
    for mut row in gone {
        tally::add(call, [ACCOUNT, &row.text()?], "deliveries", -1)?;
    }
    Ok(())
}

fn read(row: &mut Row) -> Result<Delivery, SqlError> {
    Ok(Delivery {
        number: row.number()?,
        webhook: row.parsed()?,
        event_type: row.text()?,
        payload: row.text()?,
        attempt: row.small()?,
        due: row.maybe_time()?,
        status: row.maybe_small()?,
        error: row.maybe_text()?,
        state: row.parsed()?,
        created: row.time()?,
        updated: row.time()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_spread_by_at_most_a_fifth() {
        let waits: Vec<_> = (1..=8).map(|attempt| wait(attempt, 0).map(Ttl::seconds)).collect();
        assert_eq!(waits, [Some(5), Some(30), Some(120), Some(600), Some(3600), Some(21_600), Some(86_400), None]);
        assert_eq!(wait(0, 0), None);
        assert_eq!(wait(1, u32::MAX), Some(Ttl::from_millis(5999)));
        assert_eq!(wait(7, u32::MAX / 2 + 1), Some(Ttl::from_seconds(86_400 + 8640)));
    }
}
