//! Which agents there are, and how they stand.

use std::collections::BTreeMap;

use super::call::{Call, Reach, Stop, page};
use super::tally;
use super::words::Status;
use super::{Agent, Outcome, Profile, Refused};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::RegistrationId;

macro_rules! agents {
    ($rest:literal) => {
        concat!(
            "SELECT id, parent, name, agent_type, description, homepage_url, public_key, max_child_depth, metadata, trust_level, status,
             depth, deactivated, created, updated FROM tenant_agent ",
            $rest
        )
    };
}

pub(super) fn get(call: &Call<'_, impl Sql>, id: &RegistrationId) -> Result<Outcome, Stop> {
    call.reached(&call.reach()?, id)?;
    answer(call, id, false)
}

/// In the order of the tree: parents before their children, siblings as they were made.
pub(super) fn list(
    call: &Call<'_, impl Sql>,
    parent: Option<&RegistrationId>,
    status: Option<Status>,
    limit: u32,
    offset: u32,
) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    let Some(parent) = parent else { return subtree(call, &reach, status, limit, offset) };
    if call.node(parent)?.is_some_and(|node| reach.covers(&node.path)) {
        return children_of(call, parent, status, limit, offset);
    }
    // Of the children of somebody above, the caller sees itself.
    let mut own = Vec::new();
    if let Some(caller) = &call.caller
        && let Some(agent) = find(call, caller)?
        && agent.parent.as_ref() == Some(parent)
        && status.is_none_or(|status| status == agent.status)
    {
        own.push(agent);
    }
    let total = u64::try_from(own.len()).unwrap_or(0);
    if offset > 0 {
        own.clear();
    }
    Ok(Outcome::Agents(own, total))
}

pub(super) fn children(call: &Call<'_, impl Sql>, id: &RegistrationId, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    call.reached(&call.reach()?, id)?;
    children_of(call, id, None, limit, offset)
}

pub(super) fn ancestry(call: &Call<'_, impl Sql>, id: &RegistrationId) -> Result<Outcome, Stop> {
    call.reached(&call.reach()?, id)?;
    let line = call.line(id)?.into_iter().rev().map(|node| (node.id, node.status));
    Ok(Outcome::Ancestry(line.collect()))
}

pub(super) fn find(call: &Call<'_, impl Sql>, id: &RegistrationId) -> Result<Option<Agent>, SqlError> {
    let Some(mut row) = first(call.sql.run(agents!("WHERE id = ?"), &[id.as_str().into()])?) else { return Ok(None) };
    let mut agent = read(&mut row)?;
    agent.is_active = agent.status == Status::Active && is_active(call, agent.parent.as_ref(), &mut BTreeMap::new())?;
    Ok(Some(agent))
}

/// One agent as it stands.
pub(super) fn answer(call: &Call<'_, impl Sql>, id: &RegistrationId, changed: bool) -> Result<Outcome, Stop> {
    Ok(Outcome::Agent(Box::new(find(call, id)?.ok_or(Refused::Missing)?), changed))
}

/// What is counted of agents with this status: those that somebody reaches, and somebody's children.
pub(super) const fn counts(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Active => ("agents.active", "children.active"),
        Status::Suspended => ("agents.suspended", "children.suspended"),
        Status::Revoked => ("agents.revoked", "children.revoked"),
    }
}

fn counted(status: Option<Status>, which: impl Fn(Status) -> &'static str) -> Vec<&'static str> {
    status.map_or_else(|| Status::ALL.iter().map(|status| which(*status)).collect(), |status| vec![which(status)])
}

fn subtree(call: &Call<'_, impl Sql>, reach: &Reach, status: Option<Status>, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    let total = tally::sum(call, call.caller_name(), &counted(status, |status| counts(status).0))?;
    if status.is_none() && offset > 0 && is_flat(call, total)? {
        return shown(call, after(call, offset, limit)?, total);
    }
    let mut values: Vec<Value> = status.into_iter().map(Value::from).collect();
    values.extend(reach.bounds().into_iter().chain(page(limit, offset)));
    let rows = call.sql.run(
        match status {
            None => agents!("WHERE path BETWEEN ? AND ? ORDER BY path LIMIT ? OFFSET ?"),
            Some(_) => agents!("WHERE status = ? AND path BETWEEN ? AND ? ORDER BY path LIMIT ? OFFSET ?"),
        },
        &values,
    )?;
    shown(call, rows, total)
}

/// Whether the `total` agents that somebody reaches are all that there are, and are a root and its children: then the number of each is its
/// place, and nobody has to walk past those of the pages before.
fn is_flat(call: &Call<'_, impl Sql>, total: u64) -> Result<bool, SqlError> {
    let ends = "SELECT height FROM tenant_agent WHERE number = 1 AND (SELECT max(number) FROM tenant_agent) = ?";
    Ok(first(call.sql.run(ends, &[Value::number(total)?])?).map_or(Ok(2), |mut row| row.number())? < 2)
}

/// Those with the next numbers.
fn after(call: &Call<'_, impl Sql>, number: u32, limit: u32) -> Result<Vec<Row>, SqlError> {
    let [limit, number] = page(limit, number);
    call.sql.run(agents!("WHERE number > ? ORDER BY number LIMIT ?"), &[number, limit])
}

fn children_of(
    call: &Call<'_, impl Sql>,
    parent: &RegistrationId,
    status: Option<Status>,
    limit: u32,
    offset: u32,
) -> Result<Outcome, Stop> {
    let total = tally::sum(call, parent.as_str(), &counted(status, |status| counts(status).1))?;
    // The root is no child.
    if status.is_none() && offset > 0 && is_flat(call, total.saturating_add(1))? {
        return shown(call, after(call, offset.saturating_add(1), limit)?, total);
    }
    let mut values: Vec<Value> = vec![parent.as_str().into()];
    values.extend(status.map(Value::from).into_iter().chain(page(limit, offset)));
    let rows = call.sql.run(
        match status {
            None => agents!("WHERE parent = ? ORDER BY number LIMIT ? OFFSET ?"),
            Some(_) => agents!("WHERE parent = ? AND status = ? ORDER BY number LIMIT ? OFFSET ?"),
        },
        &values,
    )?;
    shown(call, rows, total)
}

fn shown(call: &Call<'_, impl Sql>, rows: Vec<Row>, total: u64) -> Result<Outcome, Stop> {
    let mut agents = all(rows, read)?;
    let mut known = BTreeMap::new();
    for agent in &mut agents {
        agent.is_active = agent.status == Status::Active && is_active(call, agent.parent.as_ref(), &mut known)?;
    }
    Ok(Outcome::Agents(agents, total))
}

/// Whether an agent and its ancestors are active; each is asked once.
fn is_active(call: &Call<'_, impl Sql>, id: Option<&RegistrationId>, known: &mut BTreeMap<RegistrationId, bool>) -> Result<bool, SqlError> {
    let Some(id) = id else { return Ok(true) };
    if let Some(known) = known.get(id) {
        return Ok(*known);
    }
    let active = match call.node(id)? {
        Some(node) if node.status == Status::Active => is_active(call, node.parent.as_ref(), known)?,
        _ => false,
    };
    known.insert(id.clone(), active);
    Ok(active)
}

fn read(row: &mut Row) -> Result<Agent, SqlError> {
    Ok(Agent {
        id: row.parsed()?,
        parent: row.maybe_parsed()?,
        profile: Profile {
            name: row.text()?,
            agent_type: row.parsed()?,
            description: row.maybe_text()?,
            homepage_url: row.maybe_text()?,
            public_key: row.maybe_text()?,
            max_child_depth: row.small()?,
            metadata: row.text()?,
        },
        trust_level: row.parsed()?,
        status: row.parsed()?,
        is_active: false,
        depth: row.small()?,
        deactivated: row.maybe_time()?,
        created: row.time()?,
        updated: row.time()?,
    })
}
