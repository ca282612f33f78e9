//! What was done, and what was not to be: rows are appended, never changed, and go when they are old enough.

use super::agent::root_path;
use super::call::{Call, Reach, Stop};
use super::words::AuditOutcome;
use super::{AuditFilter, AuditRow, Outcome, tables};
use crate::account::sql::{LARGEST, Row, Sql, SqlError, Value, first, page};
use crate::id::RegistrationId;
use crate::time::{Timestamp, Ttl};

/// The longest page.
const LONGEST_PAGE: u32 = 500;
/// With every append so many rows go at most that are too old.
const SWEPT: u32 = 32;
/// A page looks at so many rows at most, whether they fit or not.
const LOOKED_AT: u32 = 5000;
/// The number of the row with which the table needs indexes.
const INDEXED_FROM: u64 = 32;

/// Appends. The clock may go back a little; times in here do not, so that they have the order of the numbers.
pub(super) fn append(call: &Call<'_, impl Sql>, rows: Vec<AuditRow>, retain: Ttl) -> Result<(), SqlError> {
    if rows.is_empty() {
        return Ok(());
    }
    let last = first(call.sql.run("SELECT at FROM tenant_audit WHERE seq > 0 ORDER BY seq DESC LIMIT 1", &[])?);
    let at = last.map_or(Ok(call.now), |mut row| row.time())?.max(call.now);
    for row in rows {
        let path = home(call, row.about.as_ref())?;
        let appended = call.sql.run(
            "INSERT INTO tenant_audit (at, path, event_type, actor_type, actor_id, on_behalf, action, target_type, target_id, outcome,
                 network, request_id, metadata, about) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
            &[
                at.into(),
                path.into(),
                row.event_type.into(),
                row.actor_type.into(),
                row.actor_id.into(),
                row.on_behalf.into(),
                row.action.into(),
                row.target_type.into(),
                row.target_id.into(),
                row.outcome.into(),
                row.network.into(),
                row.request_id.into(),
                row.metadata.into(),
                row.about.map(String::from).into(),
            ],
        )?;
        if first(appended).map_or(Ok(0), |mut row| row.number())? == INDEXED_FROM {
            tables::index(call.sql, "tenant_audit")?;
        }
    }
    if retain > Ttl::from_millis(0) { sweep(call, call.now.minus(retain)) } else { Ok(()) }
}

/// Lets go of some that are from before that time. Numbers and times have the same order: if the first is not, none is.
fn sweep(call: &Call<'_, impl Sql>, before: Timestamp) -> Result<(), SqlError> {
    let first = first(call.sql.run("SELECT at FROM tenant_audit WHERE seq > 0 ORDER BY seq LIMIT 1", &[])?);
    if first.map_or(Ok(call.now), |mut row| row.time())? < before {
        call.sql.run(
            "DELETE FROM tenant_audit WHERE seq IN (SELECT seq FROM tenant_audit WHERE seq > 0 AND +at < ? ORDER BY seq LIMIT ?)",
            &[before.into(), SWEPT.into()],
        )?;
    }
    Ok(())
}

/// Where it belongs: to the agent whose business it is; to the root, if that is nobody of this tree.
pub(super) fn home(call: &Call<'_, impl Sql>, about: Option<&RegistrationId>) -> Result<String, SqlError> {
    if let Some(about) = about
        && let Some(node) = call.node(about)?
    {
        return Ok(node.path);
    }
    Ok(root_path(call)?.unwrap_or_default())
}

/// By what a page is found; everything else is looked at row by row.
#[derive(Clone, Copy)]
enum By {
    Number,
    Target,
    Actor,
    Trouble,
    Event,
}

/// The number at which a page stops looking, and the rows: for one index in one direction.
macro_rules! walk {
    ($found:literal, $order:literal) => {
        (
            concat!("SELECT seq FROM tenant_audit WHERE ", $found, " seq > ? AND seq < ? ORDER BY seq ", $order, " LIMIT 1 OFFSET ?"),
            concat!(
                "SELECT seq, at, event_type, actor_type, actor_id, on_behalf, action, target_type, target_id, outcome, network, request_id,
                 metadata, about FROM tenant_audit WHERE ",
                $found,
                " seq > ? AND seq < ? AND +path BETWEEN ? AND ? AND (? IS NULL OR +event_type = ?) AND (? IS NULL OR +actor_id = ?)
                 AND (? IS NULL OR +target_id = ?) AND (? IS NULL OR +outcome = ?) ORDER BY seq ",
                $order,
                " LIMIT ?"
            ),
        )
    };
}

const fn statements(by: By, newest_first: bool) -> (&'static str, &'static str) {
    match (by, newest_first) {
        (By::Number, false) => walk!("", "ASC"),
        (By::Number, true) => walk!("", "DESC"),
        (By::Target, false) => walk!("target_id = ? AND", "ASC"),
        (By::Target, true) => walk!("target_id = ? AND", "DESC"),
        (By::Actor, false) => walk!("actor_id = ? AND", "ASC"),
        (By::Actor, true) => walk!("actor_id = ? AND", "DESC"),
        (By::Trouble, false) => walk!("outcome = ? AND outcome <> 'success' AND", "ASC"),
        (By::Trouble, true) => walk!("outcome = ? AND outcome <> 'success' AND", "DESC"),
        (By::Event, false) => walk!("event_type = ? AND", "ASC"),
        (By::Event, true) => walk!("event_type = ? AND", "DESC"),
    }
}

/// A page looks at a bounded number of rows: if few of them fit it is short, and its cursor goes on.
pub(super) fn list(call: &Call<'_, impl Sql>, filter: AuditFilter) -> Result<Outcome, Stop> {
    let reach = readable(call)?;
    let limit = filter.limit.clamp(1, LONGEST_PAGE);
    let (mut above, mut below) = (before(call, filter.from)?, beyond(call, filter.to)?);
    match filter.after {
        Some(after) if filter.newest_first => below = below.min(after),
        Some(after) => above = above.max(after),
        None => {}
    }
    let (by, key) = driver(&filter);
    let (stop, rows) = statements(by, filter.newest_first);
    let walk = |above: u64, below: u64| -> Result<Vec<Value>, SqlError> {
        let mut values: Vec<Value> = key.clone().into_iter().collect();
        values.extend([Value::number(above.min(LARGEST))?, Value::number(below.min(LARGEST))?]);
        Ok(values)
    };
    let mut stop_at = None;
    if !reach.0.is_empty() || !is_driven_alone(by, &filter) {
        let mut values = walk(above, below)?;
        values.push(LOOKED_AT.into());
        stop_at = first(call.sql.run(stop, &values)?).map(|mut row| row.number()).transpose()?;
    }
    match stop_at {
        Some(stop) if filter.newest_first => above = above.max(stop),
        Some(stop) => below = below.min(stop),
        None => {}
    }
    let mut values = walk(above, below)?;
    values.extend(reach.bounds());
    for wanted in [filter.event_type.into(), filter.actor_id.into(), filter.target_id.into(), Value::from(filter.outcome)] {
        values.extend([wanted.clone(), wanted]);
    }
    values.push((limit + 1).into());
    let (found, more) = page(call.sql.run(rows, &values)?, limit, read)?;
    let next = match stop_at {
        _ if more => found.last().map(|(seq, _, _)| *seq),
        // The row at which it stopped was not looked at.
        Some(stop) if filter.newest_first => Some(stop + 1),
        Some(stop) => Some(stop.saturating_sub(1)),
        None => None,
    };
    Ok(Outcome::Audit(found, next))
}

/// A root reads everything in the account: what is nobody's business is its own.
fn readable(call: &Call<'_, impl Sql>) -> Result<Reach, Stop> {
    let reach = call.reach()?;
    Ok(if root_path(call)?.is_some_and(|root| root == reach.0) { Reach(String::new()) } else { reach })
}

/// Whether every row that `by` finds fits.
fn is_driven_alone(by: By, filter: &AuditFilter) -> bool {
    let AuditFilter { event_type, actor_id, target_id, outcome, .. } = filter;
    let given = [target_id.is_some(), actor_id.is_some(), outcome.is_some(), event_type.is_some()];
    given.into_iter().filter(|given| *given).count() == usize::from(!matches!(by, By::Number))
}

/// What narrows the most comes first.
fn driver(filter: &AuditFilter) -> (By, Option<Value>) {
    if let Some(target) = &filter.target_id {
        (By::Target, Some(target.as_str().into()))
    } else if let Some(actor) = &filter.actor_id {
        (By::Actor, Some(actor.as_str().into()))
    } else if let Some(outcome) = filter.outcome.filter(|outcome| *outcome != AuditOutcome::Success) {
        (By::Trouble, Some(outcome.into()))
    } else if let Some(event) = &filter.event_type {
        (By::Event, Some(event.as_str().into()))
    } else {
        (By::Number, None)
    }
}

/// The number of the last row before that time.
fn before(call: &Call<'_, impl Sql>, from: Option<Timestamp>) -> Result<u64, SqlError> {
    let Some(from) = from else { return Ok(0) };
    let from = Value::number(from.millis().min(LARGEST))?;
    let last = first(call.sql.run("SELECT seq FROM tenant_audit WHERE at < ? ORDER BY at DESC, seq DESC LIMIT 1", &[from])?);
    last.map_or(Ok(0), |mut row| row.number())
}

/// The number of the first row at that time or after it.
fn beyond(call: &Call<'_, impl Sql>, to: Option<Timestamp>) -> Result<u64, SqlError> {
    let Some(to) = to else { return Ok(LARGEST) };
    let to = Value::number(to.millis().min(LARGEST))?;
    let next = first(call.sql.run("SELECT seq FROM tenant_audit WHERE at >= ? ORDER BY at, seq LIMIT 1", &[to])?);
    next.map_or(Ok(LARGEST), |mut row| row.number())
}

fn read(row: &mut Row) -> Result<(u64, Timestamp, AuditRow), SqlError> {
    let (seq, at) = (row.number()?, row.time()?);
    let audited = AuditRow {
        event_type: row.text()?,
        actor_type: row.text()?,
        actor_id: row.maybe_text()?,
        on_behalf: row.maybe_text()?,
        action: row.text()?,
        target_type: row.maybe_text()?,
        target_id: row.maybe_text()?,
        outcome: row.parsed()?,
        network: row.maybe_text()?,
        request_id: row.maybe_text()?,
        metadata: row.maybe_text()?,
        about: row.maybe_parsed()?,
    };
    Ok((seq, at, audited))
}
