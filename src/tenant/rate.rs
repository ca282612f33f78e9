//! How often something was done in windows of time. A window begins with what is counted first, and what has ended is forgotten in time.
//!
//! Requests are counted in fixed windows, so that whoever is told when theirs ends can count on it. What policies count slides: the window
//! before counts too, for the share of it that is not yet a window's length ago, as if it had been spread evenly.

use super::call::Call;
use super::enter::{Allowance, Rate};
use crate::account::sql::{Sql, SqlError, Value, first};
use crate::id::PolicyId;
use crate::time::{Timestamp, Ttl};

/// With every new window so many go at most that have ended: more than come.
const SWEPT: u32 = 8;

/// Counts one more request of `agent`, unless its window is full.
pub(super) fn take(call: &Call<'_, impl Sql>, agent: &str, rate: Rate) -> Result<Allowance, SqlError> {
    let Rate { most, window } = rate;
    let rows = call.sql.run("SELECT n, until FROM tenant_rate WHERE agent = ? AND what = ''", &[agent.into()])?;
    let open = first(rows).map(|mut row| Ok::<_, SqlError>((row.number()?, row.time()?))).transpose()?;
    // A window that is longer than it can be was opened under another rate.
    let open = open.filter(|(_, until)| call.now < *until && *until <= call.now.plus(window));
    let (done, reset) = open.unwrap_or((0, call.now.plus(window)));
    let allowance = |remaining| Allowance { limit: most, remaining, reset };
    let Some(remaining) = u64::from(most).checked_sub(done + 1) else { return Ok(allowance(None)) };
    if done > 0 {
        call.sql.run("UPDATE tenant_rate SET n = n + 1 WHERE agent = ? AND what = ''", &[agent.into()])?;
    } else {
        call.sql.run(
            "INSERT INTO tenant_rate (agent, what, until, n) VALUES (?, '', ?, 1)
             ON CONFLICT (agent, what) DO UPDATE SET until = excluded.until, n = 1",
            &[agent.into(), reset.into()],
        )?;
        sweep(call)?;
    }
    Ok(allowance(Some(u32::try_from(remaining).unwrap_or(u32::MAX))))
}

/// How often `agent` has done what a policy counts, within the `window` before now. Another length is another count.
pub(super) fn count(call: &Call<'_, impl Sql>, agent: &str, policy: &PolicyId, window: Ttl) -> Result<u64, SqlError> {
    Ok(find(call, agent, &name(policy, window), window)?.estimate(call.now, window))
}

/// Counts once more.
pub(super) fn add(call: &Call<'_, impl Sql>, agent: &str, policy: &PolicyId, window: Ttl) -> Result<(), SqlError> {
    let what = name(policy, window);
    let Pace { n, before, ends } = find(call, agent, &what, window)?;
    call.sql.run(
        "INSERT INTO tenant_rate (agent, what, until, n, ends, before) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (agent, what) DO UPDATE SET until = excluded.until, n = excluded.n, ends = excluded.ends, before = excluded.before",
        &[agent.into(), what.into(), ends.plus(window).into(), Value::number(n.saturating_add(1))?, ends.into(), Value::number(before)?],
    )?;
    if n == 0 { sweep(call) } else { Ok(()) }
}

/// Two windows, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// How often in the one that is open.
    n: u64,
    /// How often in the one before it.
    before: u64,
    /// When the open one ends.
    ends: Timestamp,
}

impl Pace {
    /// The windows at `now`, of those that were open when it was last counted.
    fn at(self, now: Timestamp, window: Ttl) -> Self {
        let Self { n, before, ends } = self;
        if now < ends && ends <= now.plus(window) {
            Self { n, before, ends }
        } else if ends <= now && now < ends.plus(window) {
            Self { n: 0, before: n, ends: ends.plus(window) }
        } else {
            Self { n: 0, before: 0, ends: now.plus(window) }
        }
    }

    /// What was done a window's length ago does not count any more: so the share is a little less than the whole from the beginning.
    fn estimate(self, now: Timestamp, window: Ttl) -> u64 {
        let left = now.until(self.ends).millis().saturating_sub(1);
        let share = self.before.saturating_mul(left).checked_div(window.millis()).unwrap_or(0);
        self.n.saturating_add(share)
    }
}

fn name(policy: &PolicyId, window: Ttl) -> String {
    format!("{policy}/{}", window.seconds())
}

fn find(call: &Call<'_, impl Sql>, agent: &str, what: &str, window: Ttl) -> Result<Pace, SqlError> {
    let rows = call.sql.run("SELECT n, before, ends FROM tenant_rate WHERE agent = ? AND what = ?", &[agent.into(), what.into()])?;
    let never = Pace { n: 0, before: 0, ends: Timestamp::from_millis(0) };
    let known = first(rows).map_or(Ok(never), |mut row| Ok(Pace { n: row.number()?, before: row.number()?, ends: row.time()? }))?;
    Ok(known.at(call.now, window))
}

fn sweep(call: &Call<'_, impl Sql>) -> Result<(), SqlError> {
    let ended =
        "DELETE FROM tenant_rate WHERE (agent, what) IN (SELECT agent, what FROM tenant_rate WHERE until <= ? ORDER BY until LIMIT ?)";
    call.sql.run(ended, &[call.now.into(), SWEPT.into()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Ttl = Ttl::from_seconds(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_window_before_counts_for_the_share_that_is_not_yet_a_window_ago() {
        let pace = Pace { n: 10, before: 0, ends: at(160) };
        let count = |now| pace.at(at(now), MINUTE).estimate(at(now), MINUTE);
        assert_eq!([100, 159, 160, 166, 190, 219, 220, 1000].map(count), [10, 10, 9, 8, 4, 0, 0, 0]);
        let pace = Pace { n: 3, before: 10, ends: at(160) };
        assert_eq!(pace.at(at(130), MINUTE).estimate(at(130), MINUTE), 3 + 4);
        assert_eq!(Pace { n: 1, ..pace }.at(at(160), MINUTE).estimate(at(160), MINUTE), 0, "once a minute is once a minute");
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_window_longer() {
        let pace = Pace { n: 10, before: 10, ends: at(1000) };
        assert_eq!(pace.at(at(100), MINUTE), Pace { n: 0, before: 0, ends: at(160) });
    }
}
