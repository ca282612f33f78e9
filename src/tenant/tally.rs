//! How many there are of something, kept while it changes: no list counts its rows.

use super::call::Call;
use crate::account::sql::{Sql, SqlError, Value, first};

/// What is counted for the whole account is counted of nobody.
pub(super) const ACCOUNT: &str = "";

/// So many more, or fewer, for each of `agents`.
pub(super) fn add<'a>(
    call: &Call<'_, impl Sql>,
    agents: impl IntoIterator<Item = &'a str>,
    what: &'static str,
    change: i32,
) -> Result<(), SqlError> {
    for agent in agents {
        call.sql.run(
            "INSERT INTO tenant_tally (agent, what, n) VALUES (?, ?, ?) ON CONFLICT (agent, what) DO UPDATE SET n = n + excluded.n",
            &[agent.into(), what.into(), change.into()],
        )?;
    }
    Ok(())
}

/// How many there are for `agent` of all of `whats` together.
pub(super) fn sum(call: &Call<'_, impl Sql>, agent: &str, whats: &[&'static str]) -> Result<u64, SqlError> {
    let mut sum = 0;
    for what in whats {
        let rows = call.sql.run("SELECT n FROM tenant_tally WHERE agent = ? AND what = ?", &[agent.into(), Value::from(*what)])?;
        sum += first(rows).map_or(Ok(0), |mut row| row.number())?;
    }
    Ok(sum)
}
