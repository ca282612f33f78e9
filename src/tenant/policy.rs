//! Policies: opaque documents, and to whom they apply.

use super::call::{Call, Reach, Stop, filled};
use super::tally::{self, ACCOUNT};
use super::{Outcome, Policy, PolicyPatch, Refused, repeat};
use crate::account::sql::{Row, Sql, SqlError, Value, all, first};
use crate::id::{PolicyId, RegistrationId};

/// So many an account may have.
pub const MOST: u32 = 512;

macro_rules! policies {
    ($rest:literal) => {
        concat!(
            "SELECT id, created_by, name, description, effect, subjects, actions, resources, conditions, priority, enabled, created, updated,
             path FROM tenant_policy ",
            $rest
        )
    };
}

pub(super) fn create(call: &Call<'_, impl Sql>, policy: Policy) -> Result<Outcome, Stop> {
    let reach = call.acting()?;
    let path = match &policy.created_by {
        Some(agent) => call.reached(&reach, agent)?.path,
        None if call.caller.is_none() => String::new(),
        None => return Err(Refused::Forbidden.into()),
    };
    if let Some((known, _)) = find(call, &policy.id)? {
        return if known.created_by == policy.created_by { Ok(one(known, false)) } else { Err(Refused::Conflict.into()) };
    }
    if repeat::is_buried(call, policy.id.as_str())? {
        return Err(Refused::Ended.into());
    }
    if tally::sum(call, ACCOUNT, &["policies"])? >= MOST.into() {
        return Err(Refused::TooMany.into());
    }
    let policy = Policy { created: call.now, updated: call.now, ..policy };
    let mut values =
        vec![policy.id.as_str().into(), path.into(), policy.created_by.as_ref().map(RegistrationId::as_str).into(), call.now.into()];
    values.extend(columns(&policy));
    call.sql.run(
        "INSERT INTO tenant_policy (id, path, created_by, created, name, description, effect, subjects, actions, resources, conditions,
             priority, enabled, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &values,
    )?;
    tally::add(call, [ACCOUNT], "policies", 1)?;
    Ok(one(policy, true))
}

pub(super) fn get(call: &Call<'_, impl Sql>, id: &PolicyId) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    // Whoever is bound by it may read it too.
    let (policy, _) = find(call, id)?.filter(|(_, path)| reach.covers(path) || reach.0.starts_with(path)).ok_or(Refused::Missing)?;
    Ok(one(policy, false))
}

pub(super) fn put(call: &Call<'_, impl Sql>, id: &PolicyId, patch: PolicyPatch) -> Result<Outcome, Stop> {
    let before = written(call, id)?;
    let policy = Policy {
        name: patch.name.unwrap_or_else(|| before.name.clone()),
        description: patch.description.map_or_else(|| before.description.clone(), filled),
        effect: patch.effect.unwrap_or_else(|| before.effect.clone()),
        subjects: patch.subjects.unwrap_or_else(|| before.subjects.clone()),
        actions: patch.actions.unwrap_or_else(|| before.actions.clone()),
        resources: patch.resources.unwrap_or_else(|| before.resources.clone()),
        conditions: patch.conditions.unwrap_or_else(|| before.conditions.clone()),
        priority: patch.priority.unwrap_or(before.priority),
        enabled: patch.enabled.unwrap_or(before.enabled),
        ..before.clone()
    };
    if policy == before {
        return Ok(one(before, false));
    }
    let policy = Policy { updated: call.now, ..policy };
    let mut values = columns(&policy);
    values.push(id.as_str().into());
    call.sql.run(
        "UPDATE tenant_policy SET name = ?, description = ?, effect = ?, subjects = ?, actions = ?, resources = ?, conditions = ?,
             priority = ?, enabled = ?, updated = ? WHERE id = ?",
        &values,
    )?;
    Ok(one(policy, true))
}

pub(super) fn delete(call: &Call<'_, impl Sql>, id: &PolicyId) -> Result<Outcome, Stop> {
    let policy = written(call, id)?;
    call.sql.run("DELETE FROM tenant_policy WHERE id = ?", &[id.as_str().into()])?;
    tally::add(call, [ACCOUNT], "policies", -1)?;
    repeat::bury(call, id.as_str())?;
    Ok(one(policy, true))
}

pub(super) fn list(
    call: &Call<'_, impl Sql>,
    agent: Option<&RegistrationId>,
    enabled_only: bool,
    limit: u32,
    offset: u32,
) -> Result<Outcome, Stop> {
    let reach = call.reach()?;
    let (path, below) = match agent {
        Some(agent) => (call.reached(&reach, agent)?.path, None),
        None => (reach.0.clone(), Some(reach)),
    };
    // What lies below is found with it.
    let mut found = above(call, &path, |above| below.as_ref().is_none_or(|reach| reach.0 != above))?;
    if let Some(reach) = below {
        let everything = reach.0.is_empty();
        found.extend(within(call, reach.bounds())?.into_iter().filter(|policy| !everything || policy.created_by.is_some()));
    }
    found.retain(|policy| policy.enabled || !enabled_only);
    // Among equals, what was found first stays first.
    found.sort_by_key(|policy| std::cmp::Reverse(policy.priority));
    let total = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let length = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let found = found.into_iter().skip(length(offset)).take(length(limit.clamp(1, MOST))).collect();
    Ok(Outcome::Policies(found, total))
}

/// Those that count for whoever has that place in the tree.
pub(super) fn binding(call: &Call<'_, impl Sql>, path: &str) -> Result<Vec<Policy>, SqlError> {
    if tally::sum(call, ACCOUNT, &["policies"])? == 0 {
        return Ok(Vec::new());
    }
    let mut found = above(call, path, |_| true)?;
    found.retain(|policy| policy.enabled);
    Ok(found)
}

/// The person's, and those of all from the root down to that place, if they are `meant`.
fn above(call: &Call<'_, impl Sql>, path: &str, is_meant: impl Fn(&str) -> bool) -> Result<Vec<Policy>, SqlError> {
    let mut found = within(call, ["".into(), "".into()])?;
    for end in (1..).map(|level| level * 8).take_while(|end| *end <= path.len()) {
        let above = path.get(..end).unwrap_or_default();
        if is_meant(above) {
            found.extend(within(call, [above.into(), above.into()])?);
        }
    }
    Ok(found)
}

/// How many agents have made that are within reach.
pub(super) fn count(call: &Call<'_, impl Sql>, reach: &Reach) -> Result<u64, SqlError> {
    let found = call.sql.run("SELECT count(*) FROM tenant_policy WHERE path BETWEEN ? AND ?", &reach.bounds())?;
    first(found).map_or(Ok(0), |mut row| row.number())
}

/// An account has few: all between two paths.
fn within(call: &Call<'_, impl Sql>, bounds: [Value; 2]) -> Result<Vec<Policy>, SqlError> {
    all(call.sql.run(policies!("WHERE path BETWEEN ? AND ? ORDER BY path, number"), &bounds)?, read)
}

fn one(policy: Policy, changed: bool) -> Outcome {
    Outcome::Policy(Box::new(policy), changed)
}

/// A policy that the caller may change: what a person has made, no agent does.
fn written(call: &Call<'_, impl Sql>, id: &PolicyId) -> Result<Policy, Stop> {
    let reach: Reach = call.acting()?;
    let (policy, path) = find(call, id)?.ok_or(Refused::Missing)?;
    if reach.covers(&path) {
        Ok(policy)
    } else {
        Err(if reach.0.starts_with(&path) { Refused::Forbidden } else { Refused::Missing }.into())
    }
}

fn columns(policy: &Policy) -> Vec<Value> {
    vec![
        policy.name.as_str().into(),
        policy.description.as_deref().into(),
        policy.effect.as_str().into(),
        policy.subjects.as_str().into(),
        policy.actions.as_str().into(),
        policy.resources.as_str().into(),
        policy.conditions.as_str().into(),
        policy.priority.into(),
        policy.enabled.into(),
        policy.updated.into(),
    ]
}

fn find(call: &Call<'_, impl Sql>, id: &PolicyId) -> Result<Option<(Policy, String)>, SqlError> {
    let rows = call.sql.run(policies!("WHERE id = ?"), &[id.as_str().into()])?;
    first(rows).map(|mut row| Ok((read(&mut row)?, row.text()?))).transpose()
}

fn read(row: &mut Row) -> Result<Policy, SqlError> {
    Ok(Policy {
        id: row.parsed()?,
        created_by: row.maybe_parsed()?,
        name: row.text()?,
        description: row.maybe_text()?,
        effect: row.text()?,
        subjects: row.text()?,
        actions: row.text()?,
        resources: row.text()?,
        conditions: row.text()?,
        priority: row.signed()?,
        enabled: row.flag()?,
        created: row.time()?,
        updated: row.time()?,
    })
}
