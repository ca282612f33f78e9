//! Requests that came with an `Idempotency-Key`.

use super::call::{Call, Stop};
use super::{Outcome, Repeat};
use crate::account::sql::{Sql, first};
use crate::time::Timestamp;

/// What has been forgotten goes by the way, a few at a time.
const SWEPT: u32 = 32;

pub(super) fn repeat(call: &Call<'_, impl Sql>, key: &str, request: &str, until: Timestamp) -> Result<Outcome, Stop> {
    call.sql.run(
        "DELETE FROM tenant_repeat WHERE key IN (SELECT key FROM tenant_repeat WHERE until <= ? ORDER BY until LIMIT ?)",
        &[call.now.into(), SWEPT.into()],
    )?;
    let known = call.sql.run("SELECT request FROM tenant_repeat WHERE key = ? AND until > ?", &[key.into(), call.now.into()])?;
    if let Some(mut row) = first(known) {
        return Ok(Outcome::Repeat(if row.text()? == request { Repeat::Same } else { Repeat::Other }));
    }
    call.sql.run(
        "INSERT INTO tenant_repeat (key, request, until) VALUES (?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET request = excluded.request, until = excluded.until",
        &[key.into(), request.into(), until.into()],
    )?;
    Ok(Outcome::Repeat(Repeat::New))
}
