//! Credentials, as they are listed.

use super::call::{Call, Reach, Stop, page};
use super::tally;
use super::words::Status;
use super::{Credential, Outcome, Refused, tables};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::{CredentialId, RegistrationId};
use crate::oauth::scope::Scope;
use crate::time::{Timestamp, Ttl};

/// Use is not noted more often.
pub(super) const NOTED_EVERY: Ttl = Ttl::from_seconds(60);

/// In the place of a number, as long as the cell has given none: what is listed so cannot be used yet.
pub const UNNUMBERED: u32 = u32::MAX;

/// The number of the credential with which the table needs indexes.
const INDEXED_FROM: u64 = 8;

macro_rules! credentials {
    ($rest:literal) => {
        concat!(
            "SELECT id, agent, key_number, kind, prefix, scopes, expires, last_used, last_rotated, revoked, token_lifetime_seconds, metadata,
             created, updated, path FROM tenant_credential ",
            $rest
        )
    };
}

pub(super) fn add(call: &Call<'_, impl Sql>, credential: Credential, last_used: Option<Timestamp>) -> Result<Outcome, Stop> {
    let reach = call.acting()?;
    let path = call.path_of(&credential.agent)?;
    if !reach.covers(&path) {
        return Err(Refused::Missing.into());
    }
    if let Some((known, _)) = find(call, &credential.id)? {
        return if known.agent == credential.agent { number(call, known, credential.number) } else { Err(Refused::Conflict.into()) };
    }
    if call.line(&credential.agent)?.iter().any(|node| node.status != Status::Active) {
        return Err(Refused::Inactive.into());
    }
    let credential = Credential { last_used, last_rotated: None, revoked: None, created: call.now, updated: call.now, ..credential };
    insert(call, credential.clone(), path)?;
    let is_there = credential.number != UNNUMBERED;
    Ok(one(credential, is_there))
}

/// The cell has given the key its number: from now on it is there.
fn number(call: &Call<'_, impl Sql>, known: Credential, number: u32) -> Result<Outcome, Stop> {
    if known.number != UNNUMBERED || number == UNNUMBERED || known.revoked.is_some() {
        return Ok(one(known, false));
    }
    call.sql.run("UPDATE tenant_credential SET key_number = ? WHERE id = ?", &[number.into(), known.id.as_str().into()])?;
    Ok(one(Credential { number, ..known }, true))
}

pub(super) fn get(call: &Call<'_, impl Sql>, id: &CredentialId) -> Result<Outcome, Stop> {
    Ok(one(reached(call, &call.reach()?, id)?.0, false))
}

pub(super) fn list(
    call: &Call<'_, impl Sql>,
    agent: Option<&RegistrationId>,
    include_revoked: bool,
    limit: u32,
    offset: u32,
) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    let mut bounds = reach.bounds();
    if let Some(agent) = agent {
        let path = call.path_of(agent)?;
        if !reach.covers(&path) {
            return Err(Refused::Missing.into());
        }
        bounds = [path.as_str().into(), path.into()];
    }
    let [limit, offset] = page(limit, offset);
    let [from, to] = bounds;
    let statement = if include_revoked {
        credentials!("WHERE path BETWEEN ? AND ? ORDER BY path, number LIMIT ? OFFSET ?")
    } else {
        credentials!("WHERE revoked IS NULL AND path BETWEEN ? AND ? ORDER BY path, number LIMIT ? OFFSET ?")
    };
    let rows = call.sql.run(statement, &[from, to, limit, offset])?;
    let total = match (agent, include_revoked) {
        (Some(agent), true) => tally::sum(call, agent.as_str(), &["own.live", "own.revoked"])?,
        (Some(agent), false) => tally::sum(call, agent.as_str(), &["own.live"])?,
        (None, true) => tally::sum(call, call.caller_name(), &["credentials.live", "credentials.revoked"])?,
        (None, false) => tally::sum(call, call.caller_name(), &["credentials.live"])?,
    };
    Ok(Outcome::Credentials(all(rows, read)?, total))
}

/// Those of one agent that may still work.
pub(super) fn keys(call: &Call<'_, impl Sql>, agent: &RegistrationId) -> Result<Outcome, Stop> {
    let path = call.path_of(agent)?;
    if !call.reach()?.covers(&path) {
        return Err(Refused::Missing.into());
    }
    let [limit, _] = page(u32::MAX, 0);
    let statement = credentials!("WHERE revoked IS NULL AND path = ? AND coalesce(expires > ?, 1) ORDER BY number LIMIT ?");
    let found = all(call.sql.run(statement, &[path.into(), call.now.into(), limit])?, read)?;
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    Ok(Outcome::Credentials(found, total))
}

/// One step: the old one has ended, and the new one is good for all that the old one was, until `expires` at the latest.
pub(super) fn rotate(
    call: &Call<'_, impl Sql>,
    id: &CredentialId,
    next: CredentialId,
    (number, prefix): (u32, String),
    expires: Option<Timestamp>,
) -> Result<Outcome, Stop> {
    let reach = call.acting()?;
    let (mut old, path) = reached(call, &reach, id)?;
    if let Some((known, _)) = find(call, &next)? {
        let is_same = known.agent == old.agent && old.revoked.is_some() && next != *id;
        return if is_same { Ok(Outcome::Rotated(Box::new((old, known)), false)) } else { Err(Refused::Conflict.into()) };
    }
    if old.revoked.is_some() || old.expires.is_some_and(|expires| expires <= call.now) {
        return Err(Refused::Ended.into());
    }
    end(call, &mut old)?;
    old.last_rotated = Some(call.now);
    call.sql.run("UPDATE tenant_credential SET last_rotated = ? WHERE id = ?", &[call.now.into(), id.as_str().into()])?;
    let new = Credential {
        id: next,
        number,
        prefix,
        expires: old.expires.into_iter().chain(expires).min(),
        last_used: None,
        last_rotated: Some(call.now),
        revoked: None,
        created: call.now,
        updated: call.now,
        ..old.clone()
    };
    insert(call, new.clone(), path)?;
    Ok(Outcome::Rotated(Box::new((old, new)), true))
}

pub(super) fn revoke(call: &Call<'_, impl Sql>, id: &CredentialId) -> Result<Outcome, Stop> {
    let (mut credential, _) = reached(call, &call.acting()?, id)?;
    if credential.number == UNNUMBERED && credential.revoked.is_none() {
        // Nothing has ever been there.
        call.sql.run("DELETE FROM tenant_credential WHERE id = ?", &[credential.id.as_str().into()])?;
        count(call, &credential.agent, true, -1)?;
        return Ok(one(credential, false));
    }
    let changed = credential.revoked.is_none();
    if changed {
        end(call, &mut credential)?;
    }
    Ok(one(credential, changed))
}

pub(super) fn used(call: &Call<'_, impl Sql>, id: &CredentialId) -> Result<Outcome, Stop> {
    reached(call, &call.reach()?, id)?;
    let noted = call.sql.run(
        "UPDATE tenant_credential SET last_used = ? WHERE id = ? AND (last_used IS NULL OR last_used <= ?) RETURNING 1",
        &[call.now.into(), id.as_str().into(), call.now.minus(NOTED_EVERY).into()],
    )?;
    Ok(Outcome::Done(!noted.is_empty()))
}

/// A key was used, or has ended, elsewhere than by its name here.
pub(super) fn of_key(call: &Call<'_, impl Sql>, agent: &RegistrationId, number: u32, ended: bool) -> Result<Outcome, Stop> {
    let path = call.path_of(agent)?;
    let rows = call.sql.run(
        credentials!("WHERE revoked IS NULL AND path = ? AND agent = ? AND key_number = ? LIMIT 1"),
        &[path.into(), agent.as_str().into(), number.into()],
    )?;
    let mut known = first(rows).map(|mut row| read(&mut row)).transpose()?.ok_or(Refused::Missing)?;
    if !ended {
        return used(call, &known.id);
    }
    end(call, &mut known)?;
    Ok(one(known, true))
}

fn one(credential: Credential, changed: bool) -> Outcome {
    Outcome::Credential(Box::new(credential), changed)
}

fn reached(call: &Call<'_, impl Sql>, reach: &Reach, id: &CredentialId) -> Result<(Credential, String), Stop> {
    find(call, id)?.filter(|(_, path)| reach.covers(path)).ok_or_else(|| Refused::Missing.into())
}

fn end(call: &Call<'_, impl Sql>, credential: &mut Credential) -> Result<(), SqlError> {
    credential.revoked = Some(call.now);
    credential.updated = call.now;
    call.sql.run(
        "UPDATE tenant_credential SET revoked = ?, updated = ? WHERE id = ?",
        &[call.now.into(), call.now.into(), credential.id.as_str().into()],
    )?;
    count(call, &credential.agent, true, -1)?;
    count(call, &credential.agent, false, 1)
}

fn insert(call: &Call<'_, impl Sql>, credential: Credential, path: String) -> Result<(), SqlError> {
    let inserted = call.sql.run(
        "INSERT INTO tenant_credential (id, path, agent, key_number, kind, prefix, scopes, expires, last_used, last_rotated,
             token_lifetime_seconds, metadata, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
        &[
            String::from(credential.id).into(),
            path.into(),
            credential.agent.as_str().into(),
            credential.number.into(),
            credential.kind.into(),
            credential.prefix.into(),
            credential.scopes.as_ref().map(Scope::to_string).into(),
            credential.expires.into(),
            credential.last_used.into(),
            credential.last_rotated.into(),
            credential.token_lifetime_seconds.into(),
            credential.metadata.into(),
            credential.created.into(),
            credential.updated.into(),
        ],
    )?;
    if first(inserted).map_or(Ok(0), |mut row| row.number())? == INDEXED_FROM {
        tables::index(call.sql, "tenant_credential")?;
    }
    count(call, &credential.agent, true, 1)
}

/// One more or fewer, for whoever reaches it and of its agent's own.
fn count(call: &Call<'_, impl Sql>, agent: &RegistrationId, live: bool, change: i32) -> Result<(), SqlError> {
    let (reached, own) = if live { ("credentials.live", "own.live") } else { ("credentials.revoked", "own.revoked") };
    tally::add(call, call.counted(agent)?.iter().map(String::as_str), reached, change)?;
    tally::add(call, [agent.as_str()], own, change)
}

fn find(call: &Call<'_, impl Sql>, id: &CredentialId) -> Result<Option<(Credential, String)>, SqlError> {
    let rows = call.sql.run(credentials!("WHERE id = ?"), &[Value::from(id.as_str())])?;
    first(rows).map(|mut row| Ok((read(&mut row)?, row.text()?))).transpose()
}

fn read(row: &mut Row) -> Result<Credential, SqlError> {
    Ok(Credential {
        id: row.parsed()?,
        agent: row.parsed()?,
        number: row.small()?,
        kind: row.text()?,
        prefix: row.text()?,
        scopes: row.maybe_parsed()?,
        expires: row.maybe_time()?,
        last_used: row.maybe_time()?,
        last_rotated: row.maybe_time()?,
        revoked: row.maybe_time()?,
        token_lifetime_seconds: row.maybe_small()?,
        metadata: row.text()?,
        created: row.time()?,
        updated: row.time()?,
    })
}
