//! Requests that came with an `Idempotency-Key`, and what is to be noted only so often.

use super::call::{Call, Stop};
use super::{Outcome, REMEMBERED, Repeat};
use crate::account::sql::{Sql, SqlError, first};
use crate::time::Timestamp;

/// What has been forgotten goes by the way, a few at a time.
const SWEPT: u32 = 32;

pub(super) fn repeat(call: &Call<'_, impl Sql>, key: &str, request: &str, until: Timestamp) -> Result<Outcome, Stop> {
    if let Some((known, until)) = find(call, key)? {
        return Ok(Outcome::Repeat(if known == request { Repeat::Until(until) } else { Repeat::Other }));
    }
    put(call, key, request, until)?;
    Ok(Outcome::Repeat(Repeat::New))
}

/// Whether something has happened at most `most` times with this one, counted from the first on until `until`.
pub(super) fn within(call: &Call<'_, impl Sql>, key: &str, most: u32, until: Timestamp) -> Result<bool, SqlError> {
    let (count, until) = match find(call, key)? {
        Some((count, until)) => (count.parse().unwrap_or(u32::MAX), until),
        None => (0, until),
    };
    if count >= most {
        return Ok(false);
    }
    put(call, key, &(count + 1).to_string(), until)?;
    Ok(true)
}

/// Until when nothing more happens with this one, if that is so already.
pub(super) fn spent(call: &Call<'_, impl Sql>, key: &str, most: u32) -> Result<Option<Timestamp>, SqlError> {
    let known = find(call, key)?.filter(|(count, _)| count.parse().map_or(true, |count: u32| count >= most));
    Ok(known.map(|(_, until)| until))
}

/// Nothing is made under that name any more for as long as a request that has made it may be repeated.
pub(super) fn bury(call: &Call<'_, impl Sql>, id: &str) -> Result<(), SqlError> {
    put(call, &grave(id), "", call.now.plus(REMEMBERED))
}

/// Whether something was there under that name and has gone.
pub(super) fn is_buried(call: &Call<'_, impl Sql>, id: &str) -> Result<bool, SqlError> {
    Ok(find(call, &grave(id))?.is_some())
}

fn grave(id: &str) -> String {
    format!("gone/{id}")
}

fn find(call: &Call<'_, impl Sql>, key: &str) -> Result<Option<(String, Timestamp)>, SqlError> {
    call.sql.run(
        "DELETE FROM tenant_repeat WHERE key IN (SELECT key FROM tenant_repeat WHERE until <= ? ORDER BY until LIMIT ?)",
        &[call.now.into(), SWEPT.into()],
    )?;
    let known = call.sql.run("SELECT request, until FROM tenant_repeat WHERE key = ? AND until > ?", &[key.into(), call.now.into()])?;
    first(known).map(|mut row| Ok((row.text()?, row.time()?))).transpose()
}

fn put(call: &Call<'_, impl Sql>, key: &str, request: &str, until: Timestamp) -> Result<(), SqlError> {
    call.sql.run(
        "INSERT INTO tenant_repeat (key, request, until) VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET request = excluded.request, until = excluded.until",
        &[key.into(), request.into(), until.into()],
    )?;
    Ok(())
}
