//! The person: one row, there as soon as anybody has vouched for them.

use super::event::{self, ACCOUNT_RESUMED, ACCOUNT_SUSPENDED};
use super::sql::{Row, Sql, SqlError, first};
use super::{Outcome, Person};
use crate::time::Timestamp;

/// Whether the person is barred; `None` if there is nobody.
pub(super) fn suspended(sql: &impl Sql) -> Result<Option<bool>, SqlError> {
    first(sql.run("SELECT suspended FROM person", &[])?).map(|mut row| row.flag()).transpose()
}

/// Makes the person, or adds what was not known of them. Whoever comes without a provider has signed in.
pub(super) fn open(
    sql: &impl Sql,
    email: Option<String>,
    phone: Option<String>,
    provider: Option<String>,
    now: Timestamp,
) -> Result<Outcome, SqlError> {
    let signs_in = provider.is_none();
    let Some(known) = find(sql)? else {
        sql.run(
            "INSERT INTO person (id, email, phone, created, provider, has_signed_in, suspended, agents) VALUES (0, ?, ?, ?, ?, ?, 0, 0)",
            &[email.into(), phone.into(), now.into(), provider.into(), signs_in.into()],
        )?;
        return look(sql);
    };
    let mut person = known.clone();
    person.email = person.email.or(email);
    person.phone = person.phone.or(phone);
    if signs_in {
        person.has_signed_in = true;
    }
    if person != known {
        sql.run(
            "UPDATE person SET email = ?, phone = ?, provider = ?, has_signed_in = ?",
            &[person.email.clone().into(), person.phone.clone().into(), person.provider.clone().into(), person.has_signed_in.into()],
        )?;
    }
    Ok(Outcome::Person(person))
}

pub(super) fn look(sql: &impl Sql) -> Result<Outcome, SqlError> {
    Ok(find(sql)?.map_or(Outcome::Nobody, Outcome::Person))
}

pub(super) fn suspend(sql: &impl Sql, suspended: bool, now: Timestamp) -> Result<Outcome, SqlError> {
    let changed = sql.run("UPDATE person SET suspended = ? WHERE suspended <> ? RETURNING 1", &[suspended.into(), suspended.into()])?;
    if !changed.is_empty() {
        event::note(sql, now, if suspended { ACCOUNT_SUSPENDED } else { ACCOUNT_RESUMED }, String::new())?;
    }
    Ok(Outcome::Done)
}

/// The name of the person among the clients of one sector: the candidate, unless there is one already.
pub(super) fn subject(sql: &impl Sql, sector: String, candidate: String) -> Result<Outcome, SqlError> {
    let rows = sql.run(
        "INSERT INTO subject (sector, subject) VALUES (?, ?) ON CONFLICT (sector) DO UPDATE SET subject = subject.subject RETURNING subject",
        &[sector.into(), candidate.into()],
    )?;
    match first(rows) {
        Some(mut row) => row.text().map(Outcome::Subject),
        None => Ok(Outcome::Nobody),
    }
}

fn find(sql: &impl Sql) -> Result<Option<Person>, SqlError> {
    let rows = sql.run(
        "SELECT email, phone, created, provider, has_signed_in, suspended, (SELECT count(*) FROM passkey), agents, name, picture FROM person",
        &[],
    )?;
    first(rows).map(|mut row| read(&mut row)).transpose()
}

fn read(row: &mut Row) -> Result<Person, SqlError> {
    Ok(Person {
        email: row.maybe_text()?,
        phone: row.maybe_text()?,
        created: row.time()?,
        provider: row.maybe_text()?,
        has_signed_in: row.flag()?,
        suspended: row.flag()?,
        passkeys: row.small()?,
        agents: row.small()?,
        name: row.maybe_text()?,
        picture: row.maybe_text()?,
    })
}
