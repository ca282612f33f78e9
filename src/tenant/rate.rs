//! How often something was done in windows of time. A window begins with what is counted first, and what has ended is forgotten in time.

use super::call::Call;
use super::enter::{Allowance, Rate};
use crate::account::sql::{Sql, SqlError, first};
use crate::time::Timestamp;

/// With every new window so many go at most that have ended: more than come.
const SWEPT: u32 = 8;

/// Counts once more for `agent`, unless the window is full.
pub(super) fn take(call: &Call<'_, impl Sql>, agent: &str, what: &str, rate: Rate) -> Result<Allowance, SqlError> {
    let Rate { most, window } = rate;
    let open = find(call, agent, what)?;
    // A window that is longer than it can be was opened under another rate.
    let (done, reset) = open.filter(|(_, until)| *until <= call.now.plus(window)).unwrap_or((0, call.now.plus(window)));
    let allowance = |remaining| Allowance { limit: most, remaining, reset };
    let Some(remaining) = u64::from(most).checked_sub(done + 1) else { return Ok(allowance(None)) };
    if done > 0 {
        call.sql.run("UPDATE tenant_rate SET n = n + 1 WHERE agent = ? AND what = ?", &[agent.into(), what.into()])?;
    } else {
        call.sql.run(
            "INSERT INTO tenant_rate (agent, what, until, n) VALUES (?, ?, ?, 1)
             ON CONFLICT (agent, what) DO UPDATE SET until = excluded.until, n = 1",
            &[agent.into(), what.into(), reset.into()],
        )?;
        call.sql.run(
            "DELETE FROM tenant_rate WHERE (agent, what) IN (SELECT agent, what FROM tenant_rate WHERE until <= ? ORDER BY until LIMIT ?)",
            &[call.now.into(), SWEPT.into()],
        )?;
    }
    Ok(allowance(Some(u32::try_from(remaining).unwrap_or(u32::MAX))))
}

/// How often, in the window that is open.
pub(super) fn count(call: &Call<'_, impl Sql>, agent: &str, what: &str) -> Result<u64, SqlError> {
    Ok(find(call, agent, what)?.map_or(0, |(done, _)| done))
}

/// What was done in the window that is open, and when it ends.
fn find(call: &Call<'_, impl Sql>, agent: &str, what: &str) -> Result<Option<(u64, Timestamp)>, SqlError> {
    let rows = call.sql.run("SELECT n, until FROM tenant_rate WHERE agent = ? AND what = ?", &[agent.into(), what.into()])?;
    let open = first(rows).map(|mut row| Ok::<_, SqlError>((row.number()?, row.time()?))).transpose()?;
    Ok(open.filter(|(_, until)| call.now < *until))
}
