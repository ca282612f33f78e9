//! Delegations, as their cells tell of them.

use std::collections::{BTreeSet, VecDeque};

use super::call::{Call, Stop, page};
use super::chain::{self, Now, whole};
use super::tally;
use super::words::DelegationStatus;
use super::{Delegation, MOST_PEERS, Outcome, Peer, Refused, offers, repeat};
use crate::account::sql::{LARGEST, Row, Sql, SqlError, Value, all, first};
use crate::id::{DelegationId, RegistrationId};
use crate::time::Timestamp;

macro_rules! delegations {
    ($rest:literal) => {
        concat!(
            "SELECT id, sequence, delegator, delegate, peer, offered, scopes, constraints, chain_depth, max_chain_depth, upstream, status,
             expires, revoked, created, updated, root_generation, broken_by, number FROM tenant_delegation d ",
            $rest
        )
    };
}
pub(super) use delegations;

/// Takes a telling, unless a later one or the same has been heard: so it may come twice, late, or in any order.
pub(super) fn put(call: &Call<'_, impl Sql>, told: Delegation) -> Result<Outcome, Stop> {
    if call.caller.is_some() {
        return Err(Refused::Forbidden.into());
    }
    let known = find(call, &told.id)?;
    if let Some((known, _)) = &known
        && (told.sequence <= known.sequence || told.delegator != known.delegator || told.delegate != known.delegate)
    {
        return Ok(Outcome::Delegation(Box::new(known.clone()), false));
    }
    // What was offered from elsewhere, and is taken back before it was heard of, is nobody's business; nor what is told of it later still.
    if known.is_none() && told.offered && repeat::is_buried(call, told.id.as_str())? {
        return Ok(Outcome::Done(false));
    }
    let is_over = told.status == DelegationStatus::Revoked;
    if known.is_none() && is_over && told.peer.is_some() && call.node(&told.delegator)?.is_none() {
        repeat::bury(call, told.id.as_str())?;
        return Ok(Outcome::Done(false));
    }
    let was = known.as_ref().map(|(known, _)| known.status);
    if was != Some(told.status) {
        if !offers::fits(call, &told)? {
            return Err(Refused::TooMany.into());
        }
        drop_dead(call, &told.delegate)?;
    }
    if let Some((_, number)) = known.as_ref().filter(|(known, _)| offers::is_withdrawn(known, &told)) {
        forget(call, *number)?;
        repeat::bury(call, told.id.as_str())?;
        return Ok(Outcome::Delegation(Box::new(told), true));
    }
    let until = until(&told)?;
    let number = write(call, &told, &until)?;
    if known.is_none() {
        let mut parties: BTreeSet<String> = call.counted(&told.delegator)?.into_iter().collect();
        parties.extend(call.counted(&told.delegate)?);
        for agent in &parties {
            call.sql.run(
                "INSERT INTO tenant_party (agent, number, until) VALUES (?, ?, ?)",
                &[agent.as_str().into(), Value::number(number)?, until.clone()],
            )?;
        }
        tally::add(call, parties.iter().map(String::as_str), "delegations", 1)?;
    } else {
        call.sql.run("UPDATE tenant_party SET until = ? WHERE number = ?", &[until, Value::number(number)?])?;
    }
    offers::prune(call)?;
    Ok(Outcome::Delegation(Box::new(told), true))
}

/// As if it had never been heard of.
pub(super) fn forget(call: &Call<'_, impl Sql>, number: u64) -> Result<(), SqlError> {
    let number = [Value::number(number)?];
    let mut parties = Vec::new();
    for mut row in call.sql.run("SELECT agent FROM tenant_party WHERE number = ?", &number)? {
        parties.push(row.text()?);
    }
    tally::add(call, parties.iter().map(String::as_str), "delegations", -1)?;
    call.sql.run("DELETE FROM tenant_party WHERE number = ?", &number)?;
    call.sql.run("DELETE FROM tenant_delegation WHERE number = ?", &number)?;
    Ok(())
}

pub(super) fn get(call: &Call<'_, impl Sql>, id: &DelegationId) -> Result<Outcome, Stop> {
    let found = reached(call, id)?;
    Ok(Outcome::Delegation(Box::new(chain::standing(call, &Now::of(call)?, found)?), false))
}

pub(super) fn list(call: &Call<'_, impl Sql>, active_only: bool, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    call.reach()?;
    let (caller, now) = (call.caller_name(), Now::of(call)?);
    let [limit, offset] = page(limit, offset);
    let (numbers, total) = if active_only {
        let counting = |more: &[Value]| [&[caller.into(), call.now.into()], &now.whole()[..], more].concat();
        let rows = call.sql.run(
            concat!(
                "SELECT p.number FROM tenant_party p CROSS JOIN tenant_delegation d ON d.number = p.number
                 WHERE p.agent = ? AND p.until > ? AND ",
                whole!(),
                " ORDER BY p.until, p.number LIMIT ? OFFSET ?"
            ),
            &counting(&[limit, offset]),
        )?;
        // Which of them count depends on the time: of those alone there is no count that is kept.
        let total = concat!(
            "SELECT count(*) FROM tenant_party p CROSS JOIN tenant_delegation d ON d.number = p.number
             WHERE p.agent = ? AND p.until > ? AND ",
            whole!()
        );
        let total = first(call.sql.run(total, &counting(&[]))?);
        (rows, total.map_or(Ok(0), |mut row| row.number())?)
    } else {
        let rows = call
            .sql
            .run("SELECT number FROM tenant_party WHERE agent = ? ORDER BY number LIMIT ? OFFSET ?", &[caller.into(), limit, offset])?;
        (rows, tally::sum(call, caller, &["delegations"])?)
    };
    let mut found = Vec::new();
    for mut row in numbers {
        let rows = call.sql.run(delegations!("WHERE number = ?"), &[Value::number(row.number()?)?])?;
        found.extend(all(rows, read)?);
    }
    Ok(chain::shown(call, found, total)?)
}

/// What counts, as far as the account knows, and is to that agent; what counts longest comes first. There are never more than are looked at.
pub(super) fn to(call: &Call<'_, impl Sql>, delegate: &RegistrationId, limit: u32) -> Result<Vec<Delegation>, SqlError> {
    let [limit, _] = page(limit, 0);
    let values = [&[delegate.as_str().into(), call.now.into()], &Now::of(call)?.whole()[..], &[limit]].concat();
    let statement =
        concat!(delegations!("WHERE d.delegate = ? AND d.until > ? AND "), whole!(), " ORDER BY d.until DESC, d.number DESC LIMIT ?");
    all(call.sql.run(statement, &values)?, read)
}

/// The same for whoever reaches that agent.
pub(super) fn incoming(call: &Call<'_, impl Sql>, delegate: &RegistrationId, limit: u32) -> Result<Outcome, Stop> {
    if call.caller.is_some() {
        call.reached(&call.reach()?, delegate)?;
    }
    let found = to(call, delegate, limit)?;
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    Ok(Outcome::Delegations(found, total))
}

/// Breadth first over what counts now. Agents of other accounts are found, but not what they are connected with.
pub(super) fn peers(call: &Call<'_, impl Sql>, agent: &RegistrationId) -> Result<Outcome, Stop> {
    call.reached(&call.reach()?, agent)?;
    let mut seen = BTreeSet::from([agent.clone()]);
    let (mut found, mut next, now) = (Vec::new(), VecDeque::from([agent.clone()]), Now::of(call)?);
    let most = u32::try_from(MOST_PEERS).unwrap_or(u32::MAX);
    while let Some(agent) = next.pop_front() {
        let values = [&[agent.as_str().into(), call.now.into()], &now.whole()[..], &[most.into()]].concat();
        for statement in [
            concat!(
                "SELECT delegate, peer FROM tenant_delegation d WHERE d.delegator = ? AND d.until > ? AND ",
                whole!(),
                " ORDER BY d.until LIMIT ?"
            ),
            concat!(
                "SELECT delegator, peer FROM tenant_delegation d WHERE d.delegate = ? AND d.until > ? AND ",
                whole!(),
                " ORDER BY d.until LIMIT ?"
            ),
        ] {
            for mut row in call.sql.run(statement, &values)? {
                let peer = Peer { agent: row.parsed()?, account: row.maybe_parsed()? };
                if found.len() == MOST_PEERS {
                    return Ok(Outcome::Peers(found));
                }
                if seen.insert(peer.agent.clone()) {
                    if peer.account.is_none() {
                        next.push_back(peer.agent.clone());
                    }
                    found.push(peer);
                }
            }
        }
    }
    Ok(Outcome::Peers(found))
}

pub(super) fn downstream(call: &Call<'_, impl Sql>, id: &DelegationId, limit: u32, offset: u32) -> Result<Outcome, Stop> {
    reached(call, id)?;
    let [limit, offset] = page(limit, offset);
    let rows = call.sql.run(delegations!("WHERE source = ? ORDER BY number LIMIT ? OFFSET ?"), &[id.as_str().into(), limit, offset])?;
    let total = first(call.sql.run("SELECT count(*) FROM tenant_delegation WHERE source = ?", &[id.as_str().into()])?);
    Ok(chain::shown(call, all(rows, read)?, total.map_or(Ok(0), |mut row| row.number())?)?)
}

/// Whatever has ended for good above it, which is all that [`whole`] asks, is not looked at again with every question about that agent: there are never more rows than may count.
fn drop_dead(call: &Call<'_, impl Sql>, delegate: &RegistrationId) -> Result<(), SqlError> {
    let values = [&[delegate.as_str().into(), call.now.into()], &Now::of(call)?.whole()[..]].concat();
    let statement = concat!("SELECT number FROM tenant_delegation d WHERE d.delegate = ? AND d.until > ? AND NOT (", whole!(), ")");
    for mut row in call.sql.run(statement, &values)? {
        let number = Value::number(row.number()?)?;
        call.sql.run("UPDATE tenant_delegation SET until = 0 WHERE number = ?", std::slice::from_ref(&number))?;
        call.sql.run("UPDATE tenant_party SET until = 0 WHERE number = ?", &[number])?;
    }
    Ok(())
}

/// Until when it counts, as far as it knows.
fn until(delegation: &Delegation) -> Result<Value, SqlError> {
    let until = match delegation.status {
        DelegationStatus::Active => delegation.expires.map_or(LARGEST, Timestamp::millis).min(LARGEST),
        DelegationStatus::Pending | DelegationStatus::Declined | DelegationStatus::Revoked => 0,
    };
    Value::number(until)
}

/// Its number.
fn write(call: &Call<'_, impl Sql>, told: &Delegation, until: &Value) -> Result<u64, SqlError> {
    let upstream: Vec<&str> = told.upstream.iter().map(DelegationId::as_str).collect();
    let rows = call.sql.run(
        "INSERT INTO tenant_delegation (id, sequence, delegator, delegate, peer, offered, scopes, constraints, chain_depth, max_chain_depth,
             source, upstream, status, expires, revoked, created, updated, root_generation, broken_by, until)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, peer = excluded.peer, offered = excluded.offered, scopes = excluded.scopes,
             constraints = excluded.constraints, status = excluded.status, expires = excluded.expires, revoked = excluded.revoked,
             updated = excluded.updated, broken_by = excluded.broken_by, until = excluded.until
         RETURNING number",
        &[
            told.id.as_str().into(),
            Value::number(told.sequence)?,
            told.delegator.as_str().into(),
            told.delegate.as_str().into(),
            told.peer.as_ref().map(|peer| peer.as_str()).into(),
            u32::from(told.offered).into(),
            told.scopes.to_string().into(),
            told.constraints.as_str().into(),
            told.chain_depth.into(),
            told.max_chain_depth.into(),
            upstream.last().copied().into(),
            upstream.join(" ").into(),
            told.status.into(),
            told.expires.into(),
            told.revoked.into(),
            told.created.into(),
            told.updated.into(),
            told.root_generation.into(),
            told.broken_by.as_ref().map(|id| id.as_str()).into(),
            until.clone(),
        ],
    )?;
    first(rows).ok_or_else(|| SqlError("a row that was written has no number".to_owned()))?.number()
}

fn reached(call: &Call<'_, impl Sql>, id: &DelegationId) -> Result<Delegation, Stop> {
    call.reach()?;
    let (delegation, number) = find(call, id)?.ok_or(Refused::Missing)?;
    let party = [call.caller_name().into(), Value::number(number)?];
    if call.sql.run("SELECT 1 FROM tenant_party WHERE agent = ? AND number = ?", &party)?.is_empty() {
        return Err(Refused::Missing.into());
    }
    Ok(delegation)
}

pub(super) fn find(call: &Call<'_, impl Sql>, id: &DelegationId) -> Result<Option<(Delegation, u64)>, SqlError> {
    let rows = call.sql.run(delegations!("WHERE id = ?"), &[id.as_str().into()])?;
    first(rows).map(|mut row| Ok((read(&mut row)?, row.number()?))).transpose()
}

pub(super) fn read(row: &mut Row) -> Result<Delegation, SqlError> {
    let unreadable = |_| SqlError("a column is not an identifier".to_owned());
    Ok(Delegation {
        id: row.parsed()?,
        sequence: row.number()?,
        delegator: row.parsed()?,
        delegate: row.parsed()?,
        peer: row.maybe_parsed()?,
        offered: row.number()? == 1,
        scopes: row.parsed()?,
        constraints: row.text()?,
        chain_depth: row.small()?,
        max_chain_depth: row.small()?,
        upstream: row.text()?.split(' ').filter(|id| !id.is_empty()).map(|id| id.parse().map_err(unreadable)).collect::<Result<_, _>>()?,
        status: row.parsed()?,
        expires: row.maybe_time()?,
        revoked: row.maybe_time()?,
        created: row.time()?,
        updated: row.time()?,
        root_generation: row.maybe_small()?,
        broken_by: row.maybe_parsed()?,
    })
}
