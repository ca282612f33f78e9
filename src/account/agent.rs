//! Agents, as their registrations tell of them.

use super::sql::{LARGEST, Row, Sql, SqlError, Value, first, page};
use super::{Agent, Feed, Outcome, PersonalKey, event};
use crate::id::RegistrationId;
use crate::oauth::scope::Scope;
use crate::time::{Timestamp, Ttl};

/// A personal API key that has expired is shown for so long.
const SHOWN: Ttl = Ttl::from_seconds(30 * 86_400);
/// More than anybody may have, with some that have expired.
const MOST_SHOWN: u32 = 64;

macro_rules! agents {
    ($rest:literal) => {
        concat!("SELECT registration, kind, name, provider, created, claimed, used, ended, scope, until FROM agent ", $rest)
    };
}

/// Takes a telling, unless a later one or the same has been heard: so it may come twice, late, or in any order.
pub(super) fn feed(sql: &impl Sql, feed: Feed) -> Result<Outcome, SqlError> {
    let Feed { sequence, agent, events } = feed;
    let known = sql.run("SELECT sequence, ended IS NULL FROM agent WHERE registration = ?", &[agent.registration.as_str().into()])?;
    let mut was_live = false;
    if let Some(mut row) = first(known) {
        if sequence <= row.number()? {
            return Ok(Outcome::Done);
        }
        was_live = row.flag()?;
    }
    let ended = Value::from(agent.ended);
    let is_live = ended == Value::Null;
    let until = agent.key.as_ref().map(|key| Value::number(key.expires.map_or(LARGEST, Timestamp::millis).min(LARGEST))).transpose()?;
    sql.run(
        "INSERT INTO agent (registration, sequence, kind, name, provider, created, claimed, used, ended, scope, until)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (registration) DO UPDATE SET sequence = excluded.sequence, kind = excluded.kind, name = excluded.name,
             provider = excluded.provider, created = excluded.created, claimed = excluded.claimed, used = excluded.used,
             ended = excluded.ended, scope = excluded.scope, until = excluded.until",
        &[
            String::from(agent.registration).into(),
            Value::number(sequence)?,
            agent.kind.into(),
            agent.name.into(),
            agent.provider.into(),
            agent.created.into(),
            agent.claimed.into(),
            agent.used.into(),
            ended,
            agent.key.map(|key| key.scope.to_string()).into(),
            until.into(),
        ],
    )?;
    if is_live != was_live {
        sql.run("UPDATE person SET agents = agents + ?", &[Value::Integer(if is_live { 1 } else { -1 })])?;
    }
    if !events.is_empty() {
        event::append(sql, events)?;
    }
    Ok(Outcome::Done)
}

/// A page in the order of (claimed, registration), both falling. After an agent that is not known there is nothing.
pub(super) fn list(sql: &impl Sql, after: Option<RegistrationId>, limit: u32, live: bool) -> Result<Outcome, SqlError> {
    let (claimed, registration) = match after {
        None => (Timestamp::from_millis(LARGEST), String::new()),
        Some(id) => match first(sql.run("SELECT claimed FROM agent WHERE registration = ?", &[id.as_str().into()])?) {
            Some(mut row) => (row.time()?, id.into()),
            None => return Ok(Outcome::Agents(Vec::new(), false)),
        },
    };
    let statement = if live {
        agents!("WHERE ended IS NULL AND (claimed, registration) < (?, ?) ORDER BY claimed DESC, registration DESC LIMIT ?")
    } else {
        agents!("WHERE kind <> 'personal' AND (claimed, registration) < (?, ?) ORDER BY claimed DESC, registration DESC LIMIT ?")
    };
    let rows = sql.run(statement, &[claimed.into(), registration.into(), (limit + 1).into()])?;
    page(rows, limit, read).map(|(agents, more)| Outcome::Agents(agents, more))
}

/// Those that work come first, the one that lasts longest before the others.
pub(super) fn personal(sql: &impl Sql, now: Timestamp) -> Result<Outcome, SqlError> {
    let rows = sql.run(
        agents!("WHERE kind = 'personal' AND ended IS NULL AND until > ? ORDER BY until DESC LIMIT ?"),
        &[now.minus(SHOWN).into(), (MOST_SHOWN + 1).into()],
    )?;
    page(rows, MOST_SHOWN, read).map(|(agents, more)| Outcome::Agents(agents, more))
}

fn read(row: &mut Row) -> Result<Agent, SqlError> {
    Ok(Agent {
        registration: row.parsed()?,
        kind: row.text()?,
        name: row.maybe_text()?,
        provider: row.maybe_text()?,
        created: row.time()?,
        claimed: row.time()?,
        used: row.maybe_time()?,
        ended: row.maybe_time()?,
        key: key(row.maybe_parsed()?, row.maybe_time()?),
    })
}

fn key(scope: Option<Scope>, until: Option<Timestamp>) -> Option<PersonalKey> {
    scope.map(|scope| PersonalKey { scope, expires: until.filter(|until| until.millis() < LARGEST) })
}
