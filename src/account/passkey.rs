//! Passkeys (WebAuthn credentials) and their counters.

use super::event::{self, PASSKEY_ADDED, PASSKEY_CLONED, PASSKEY_REMOVED};
use super::sql::{Row, Sql, SqlError, all, first};
use super::{Outcome, Passkey};
use crate::time::Timestamp;

/// So many a person may have.
pub const MOST: u32 = 20;

pub(super) fn add(sql: &impl Sql, passkey: Passkey, now: Timestamp) -> Result<Outcome, SqlError> {
    let name = passkey.name.clone();
    let added = sql.run(
        "INSERT INTO passkey (credential, key, sign_count, name, created, used)
         SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM passkey) < ? ON CONFLICT (credential) DO NOTHING RETURNING 1",
        &[
            passkey.credential.into(),
            passkey.key.to_string().into(),
            passkey.sign_count.into(),
            passkey.name.into(),
            passkey.created.into(),
            passkey.used.into(),
            MOST.into(),
        ],
    )?;
    if added.is_empty() {
        return Ok(Outcome::Refused);
    }
    event::note(sql, now, PASSKEY_ADDED, name)?;
    Ok(Outcome::Done)
}

pub(super) fn find(sql: &impl Sql, credential: &str) -> Result<Outcome, SqlError> {
    let rows =
        sql.run("SELECT credential, key, sign_count, name, created, used FROM passkey WHERE credential = ?", &[credential.into()])?;
    first(rows).map(|mut row| read(&mut row)).transpose().map(Outcome::Passkey)
}

/// WebAuthn, section 7.2, step 22: unless the authenticator keeps no counter, it must have grown.
pub(super) fn used(sql: &impl Sql, credential: &str, sign_count: u32, now: Timestamp) -> Result<Outcome, SqlError> {
    let rows = sql.run("SELECT sign_count, name FROM passkey WHERE credential = ?", &[credential.into()])?;
    let Some(mut row) = first(rows) else { return Ok(Outcome::Refused) };
    let stored = row.small()?;
    if (stored != 0 || sign_count != 0) && sign_count <= stored {
        event::note(sql, now, PASSKEY_CLONED, row.text()?)?;
        return Ok(Outcome::Refused);
    }
    sql.run("UPDATE passkey SET sign_count = ?, used = ? WHERE credential = ?", &[sign_count.into(), now.into(), credential.into()])?;
    Ok(Outcome::Done)
}

pub(super) fn remove(sql: &impl Sql, credential: &str, now: Timestamp) -> Result<Outcome, SqlError> {
    if let Some(mut row) = first(sql.run("DELETE FROM passkey WHERE credential = ? RETURNING name", &[credential.into()])?) {
        event::note(sql, now, PASSKEY_REMOVED, row.text()?)?;
    }
    Ok(Outcome::Done)
}

pub(super) fn list(sql: &impl Sql) -> Result<Outcome, SqlError> {
    let rows =
        sql.run("SELECT credential, key, sign_count, name, created, used FROM passkey ORDER BY created DESC, credential DESC", &[])?;
    all(rows, read).map(Outcome::Passkeys)
}

fn read(row: &mut Row) -> Result<Passkey, SqlError> {
    Ok(Passkey {
        credential: row.text()?,
        key: serde_json::from_str(&row.text()?).map_err(|error| SqlError(format!("a passkey's key: {error}")))?,
        sign_count: row.small()?,
        name: row.text()?,
        created: row.time()?,
        used: row.maybe_time()?,
    })
}
