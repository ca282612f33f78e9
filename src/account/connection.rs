//! Clients that a person has granted something, as the grants tell of them.

use super::sql::{LARGEST, Row, Sql, SqlError, Value, first, page};
use super::{Connection, Event, Outcome, event};
use crate::id::GrantId;
use crate::time::Timestamp;

/// Takes a telling, unless a later one or the same has been heard: so it may come twice, late, or in any order.
pub(super) fn tell(sql: &impl Sql, told: Connection, now: Timestamp) -> Result<Outcome, SqlError> {
    let known = sql.run("SELECT sequence, ended IS NULL FROM connection WHERE name = ?", &[told.grant.as_str().into()])?;
    let mut was_live = false;
    if let Some(mut row) = first(known) {
        if told.sequence <= row.number()? {
            return Ok(Outcome::Done);
        }
        was_live = row.flag()?;
    }
    let is_live = told.ended.is_none();
    let detail = told.name.clone().unwrap_or_else(|| told.client.clone());
    sql.run(
        "INSERT INTO connection (name, sequence, client, client_name, scope, resources, created, used, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence, client_name = excluded.client_name, scope = excluded.scope,
             resources = excluded.resources, used = excluded.used, ended = excluded.ended",
        &[
            String::from(told.grant).into(),
            Value::number(told.sequence)?,
            told.client.into(),
            told.name.into(),
            told.scope.to_string().into(),
            // No URI has a space in it.
            told.resources.join(" ").into(),
            told.created.into(),
            told.used.into(),
            told.ended.into(),
        ],
    )?;
    if is_live != was_live {
        let name = if is_live { "client.allowed" } else { "client.revoked" };
        event::append(sql, [Event { at: now, name: name.to_owned(), registration: None, detail }])?;
    }
    Ok(Outcome::Done)
}

/// A page in the order of (created, name), both falling. After a grant that is not known there is nothing.
pub(super) fn list(sql: &impl Sql, after: Option<GrantId>, limit: u32, live: bool) -> Result<Outcome, SqlError> {
    let (created, name) = match after {
        None => (Timestamp::from_millis(LARGEST), String::new()),
        Some(id) => match first(sql.run("SELECT created FROM connection WHERE name = ?", &[id.as_str().into()])?) {
            Some(mut row) => (row.time()?, id.into()),
            None => return Ok(Outcome::Connections(Vec::new(), false)),
        },
    };
    let statement = if live {
        "SELECT name, sequence, client, client_name, scope, resources, created, used, ended FROM connection
         WHERE ended IS NULL AND (created, name) < (?, ?) ORDER BY created DESC, name DESC LIMIT ?"
    } else {
        "SELECT name, sequence, client, client_name, scope, resources, created, used, ended FROM connection
         WHERE (created, name) < (?, ?) ORDER BY created DESC, name DESC LIMIT ?"
    };
    let rows = sql.run(statement, &[created.into(), name.into(), (limit + 1).into()])?;
    page(rows, limit, read).map(|(connections, more)| Outcome::Connections(connections, more))
}

fn read(row: &mut Row) -> Result<Connection, SqlError> {
    Ok(Connection {
        grant: row.parsed()?,
        sequence: row.number()?,
        client: row.text()?,
        name: row.maybe_text()?,
        scope: row.parsed()?,
        resources: row.text()?.split(' ').filter(|resource| !resource.is_empty()).map(str::to_owned).collect(),
        created: row.time()?,
        used: row.maybe_time()?,
        ended: row.maybe_time()?,
    })
}
