//! The tree of agents, and what changes in it.

use super::agents::{answer, counts, find};
use super::call::{Call, Node, Stop, filled};
use super::tally;
use super::words::{Status, TrustLevel};
use super::{Credential, Outcome, Patch, Profile, Refused, credential, tables};
use crate::account::sql::{Sql, SqlError, Value, first};
use crate::id::RegistrationId;

/// So many levels may be below a root.
pub const MOST_DEPTH: u32 = 10;
/// Its number: an agent alone is found without indexes.
const FIRST_CHILD: u64 = 2;

/// An account has one root. It is the account's own affair: no agent says that it is one.
pub(super) fn root(call: &Call<'_, impl Sql>, id: &RegistrationId, profile: Profile) -> Result<Outcome, Stop> {
    if call.node(id)?.is_none() {
        if root_path(call)?.is_some() {
            return Err(Refused::Conflict.into());
        }
        let profile = Profile { max_child_depth: profile.max_child_depth.min(MOST_DEPTH), ..profile };
        insert(call, id, &[], TrustLevel::Root, profile)?;
        return answer(call, id, true);
    }
    answer(call, id, false)
}

/// The root with its first key, which is used from the beginning.
pub(super) fn arrive(call: &Call<'_, impl Sql>, id: &RegistrationId, profile: Profile, key: Credential) -> Result<Outcome, Stop> {
    let entered = root(call, id, profile)?;
    match (entered, credential::add(call, key, Some(call.now))?) {
        (Outcome::Agent(agent, is_new), Outcome::Credential(_, is_added)) => Ok(Outcome::Agent(agent, is_new || is_added)),
        (_, other) => Ok(other),
    }
}

pub(super) fn create(
    call: &Call<'_, impl Sql>,
    id: &RegistrationId,
    parent: &RegistrationId,
    trust_level: TrustLevel,
    profile: Profile,
) -> Result<Outcome, Stop> {
    let reach = call.acting()?;
    call.reached(&reach, parent)?;
    if let Some(known) = call.node(id)? {
        return if known.parent.as_ref() == Some(parent) { answer(call, id, false) } else { Err(Refused::Conflict.into()) };
    }
    let line = call.line(parent)?;
    if line.iter().any(|node| node.status != Status::Active) {
        return Err(Refused::Inactive.into());
    }
    // One level more, as every ancestor sees it: an ancestor may have been narrowed after its children were made.
    if line.iter().zip(1..).any(|(node, levels)| node.max_child_depth < levels) {
        return Err(Refused::Depth.into());
    }
    if is_taken(call, parent, &profile.name)? {
        return Err(Refused::NameTaken.into());
    }
    let most = line.iter().zip(1..).map(|(node, levels)| node.max_child_depth.saturating_sub(levels)).min().unwrap_or(0);
    let profile = Profile { max_child_depth: profile.max_child_depth.min(most), ..profile };
    insert(call, id, &line, trust_level, profile)?;
    answer(call, id, true)
}

pub(super) fn patch(call: &Call<'_, impl Sql>, id: &RegistrationId, patch: Patch) -> Result<Outcome, Stop> {
    let node = call.reached(&call.acting()?, id)?;
    let Some(before) = find(call, id)? else { return Err(Refused::Missing.into()) };
    let mut profile = before.profile.clone();
    if let Some(name) = patch.name.filter(|name| *name != profile.name) {
        if let Some(parent) = &node.parent
            && is_taken(call, parent, &name)?
        {
            return Err(Refused::NameTaken.into());
        }
        profile.name = name;
    }
    if let Some(asked) = patch.max_child_depth {
        profile.max_child_depth = depth_for(call, &node, asked)?;
    }
    let cleared = |new: Option<String>, old: Option<String>| new.map_or(old, filled);
    profile.description = cleared(patch.description, profile.description);
    profile.homepage_url = cleared(patch.homepage_url, profile.homepage_url);
    profile.public_key = cleared(patch.public_key, profile.public_key);
    profile.metadata = patch.metadata.unwrap_or(profile.metadata);
    if profile == before.profile {
        return Ok(Outcome::Agent(Box::new(before), false));
    }
    call.sql.run(
        "UPDATE tenant_agent SET name = ?, description = ?, homepage_url = ?, public_key = ?, max_child_depth = ?, metadata = ?, updated = ?
         WHERE id = ?",
        &[
            profile.name.into(),
            profile.description.into(),
            profile.homepage_url.into(),
            profile.public_key.into(),
            profile.max_child_depth.into(),
            profile.metadata.into(),
            call.now.into(),
            id.as_str().into(),
        ],
    )?;
    answer(call, id, true)
}

/// Only the agent's own row changes: whoever is below looks up.
pub(super) fn set_status(call: &Call<'_, impl Sql>, id: &RegistrationId, status: Status) -> Result<Outcome, Stop> {
    let node = call.reached(&call.acting()?, id)?;
    if node.status == status {
        return answer(call, id, false);
    }
    if node.status == Status::Revoked {
        return Err(Refused::Ended.into());
    }
    let deactivated = if status == Status::Active { Value::Null } else { call.now.into() };
    call.sql.run(
        "UPDATE tenant_agent SET status = ?, deactivated = ?, updated = ? WHERE id = ?",
        &[status.into(), deactivated, call.now.into(), id.as_str().into()],
    )?;
    count(call, id, node.parent.as_ref(), node.status, -1)?;
    count(call, id, node.parent.as_ref(), status, 1)?;
    answer(call, id, true)
}

/// Where the root has its place, if there is one.
pub(super) fn root_path(call: &Call<'_, impl Sql>) -> Result<Option<String>, SqlError> {
    first(call.sql.run("SELECT path FROM tenant_agent WHERE parent IS NULL", &[])?).map(|mut row| row.text()).transpose()
}

/// What an agent's `max_child_depth` becomes if `asked` is wanted: at most what its ancestors leave. Nobody but a root gives itself more.
fn depth_for(call: &Call<'_, impl Sql>, node: &Node, asked: u32) -> Result<u32, Stop> {
    let line = call.line(&node.id)?;
    let above = line.iter().zip(0..).skip(1).map(|(ancestor, levels): (&Node, u32)| ancestor.max_child_depth.saturating_sub(levels)).min();
    let new = asked.min(above.unwrap_or(MOST_DEPTH));
    if new < node.height {
        return Err(Refused::DepthInUse.into());
    }
    if new > node.max_child_depth && node.parent.is_some() && call.caller.as_ref() == Some(&node.id) {
        return Err(Refused::Forbidden.into());
    }
    Ok(new)
}

fn is_taken(call: &Call<'_, impl Sql>, parent: &RegistrationId, name: &str) -> Result<bool, SqlError> {
    let siblings = call.sql.run("SELECT 1 FROM tenant_agent WHERE parent = ? AND name = ?", &[parent.as_str().into(), name.into()])?;
    Ok(!siblings.is_empty())
}

/// `line` is its parent and that one's ancestors.
fn insert(
    call: &Call<'_, impl Sql>,
    id: &RegistrationId,
    line: &[Node],
    trust_level: TrustLevel,
    profile: Profile,
) -> Result<(), SqlError> {
    let parent = line.first();
    let last = first(call.sql.run("SELECT number FROM tenant_agent WHERE number > 0 ORDER BY number DESC LIMIT 1", &[])?);
    let number = last.map_or(Ok(0), |mut row| row.number())? + 1;
    if number == FIRST_CHILD {
        tables::index(call.sql, "tenant_agent")?;
    }
    let path = format!("{}{number:08x}", parent.map_or("", |node| node.path.as_str()));
    call.sql.run(
        "INSERT INTO tenant_agent (number, id, path, parent, name, agent_type, description, homepage_url, public_key, max_child_depth,
             metadata, trust_level, status, depth, height, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
        &[
            Value::number(number)?,
            id.as_str().into(),
            path.into(),
            parent.map(|node| node.id.as_str()).into(),
            profile.name.into(),
            profile.agent_type.into(),
            profile.description.into(),
            profile.homepage_url.into(),
            profile.public_key.into(),
            profile.max_child_depth.into(),
            profile.metadata.into(),
            trust_level.into(),
            Status::Active.into(),
            parent.map_or(0, |node| node.depth + 1).into(),
            call.now.into(),
            call.now.into(),
        ],
    )?;
    for (node, height) in line.iter().zip(1_u32..).filter(|(node, height)| node.height < *height) {
        call.sql.run("UPDATE tenant_agent SET height = ? WHERE id = ?", &[height.into(), node.id.as_str().into()])?;
    }
    count(call, id, parent.map(|node| &node.id), Status::Active, 1)
}

/// One agent more with this status, or one fewer, for whoever reaches it and among its siblings.
fn count(
    call: &Call<'_, impl Sql>,
    id: &RegistrationId,
    parent: Option<&RegistrationId>,
    status: Status,
    change: i32,
) -> Result<(), SqlError> {
    let (below, child) = counts(status);
    tally::add(call, call.counted(id)?.iter().map(String::as_str), below, change)?;
    tally::add(call, parent.map(RegistrationId::as_str), child, change)
}
