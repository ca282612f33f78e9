//! Browsers that have signed in.

use super::event::{self, SESSION_ENDED, SESSION_STARTED};
use super::sql::{Row, Sql, SqlError, all, first};
use super::{Outcome, Session};
use crate::id::SessionId;
use crate::time::{Timestamp, Ttl};

/// So many are listed; one more, and the oldest is not.
pub const MOST: u32 = 50;
/// Use is not noted more often.
pub const NOTED_EVERY: Ttl = Ttl::from_seconds(60);

/// Lists a session, unless it is over already. The same telling twice is one event.
pub(super) fn start(sql: &impl Sql, session: Session, now: Timestamp) -> Result<Outcome, SqlError> {
    if session.expires <= now {
        return Ok(Outcome::Done);
    }
    let (id, signed_in) = (session.id.as_str().into(), session.signed_in.into());
    let is_known = !sql.run("SELECT 1 FROM session WHERE id = ? AND signed_in = ?", &[id, signed_in])?.is_empty();
    let browser = session.browser.clone();
    sql.run(
        "INSERT INTO session (id, signed_in, method, browser, used, expires) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET signed_in = excluded.signed_in, method = excluded.method, browser = excluded.browser,
             used = excluded.used, expires = excluded.expires",
        &[
            String::from(session.id).into(),
            session.signed_in.into(),
            session.method.into(),
            session.browser.into(),
            session.used.into(),
            session.expires.into(),
        ],
    )?;
    expire(sql, now)?;
    let dropped = sql.run(
        "DELETE FROM session WHERE id IN (SELECT id FROM session ORDER BY signed_in DESC, id DESC LIMIT -1 OFFSET ?) RETURNING id",
        &[MOST.into()],
    )?;
    if !is_known {
        event::note(sql, now, SESSION_STARTED, browser)?;
    }
    let dropped: Vec<SessionId> = all(dropped, Row::parsed)?;
    Ok(if dropped.is_empty() { Outcome::Done } else { Outcome::Dropped(dropped) })
}

/// Whether the session is on the list that its person can see and end.
pub(super) fn is_listed(sql: &impl Sql, id: &SessionId, now: Timestamp) -> Result<bool, SqlError> {
    let found = sql.run("SELECT 1 FROM session WHERE id = ? AND (expires IS NULL OR expires > ?)", &[id.as_str().into(), now.into()])?;
    Ok(!found.is_empty())
}

pub(super) fn used(sql: &impl Sql, id: &SessionId, now: Timestamp) -> Result<Outcome, SqlError> {
    sql.run("UPDATE session SET used = ? WHERE id = ? AND used <= ?", &[now.into(), id.as_str().into(), now.minus(NOTED_EVERY).into()])?;
    Ok(Outcome::Done)
}

pub(super) fn end(sql: &impl Sql, id: &SessionId, now: Timestamp) -> Result<Outcome, SqlError> {
    if let Some(mut row) = first(sql.run("DELETE FROM session WHERE id = ? RETURNING browser", &[id.as_str().into()])?) {
        event::note(sql, now, SESSION_ENDED, row.text()?)?;
    }
    Ok(Outcome::Done)
}

pub(super) fn list(sql: &impl Sql, now: Timestamp) -> Result<Outcome, SqlError> {
    let rows = sql.run(
        "SELECT id, signed_in, method, browser, used, expires FROM session
         WHERE expires IS NULL OR expires > ? ORDER BY signed_in DESC, id DESC",
        &[now.into()],
    )?;
    all(rows, read).map(Outcome::Sessions)
}

/// Forgets what has expired.
pub(super) fn expire(sql: &impl Sql, now: Timestamp) -> Result<(), SqlError> {
    sql.run("DELETE FROM session WHERE expires <= ?", &[now.into()]).map(|_| ())
}

/// When the first session expires, if any does.
pub(super) fn next_expiry(sql: &impl Sql) -> Result<Option<Timestamp>, SqlError> {
    first(sql.run("SELECT min(expires) FROM session", &[])?).map_or(Ok(None), |mut row| row.maybe_time())
}

fn read(row: &mut Row) -> Result<Session, SqlError> {
    Ok(Session {
        id: row.parsed()?,
        signed_in: row.time()?,
        method: row.text()?,
        browser: row.text()?,
        used: row.time()?,
        expires: row.time()?,
    })
}
