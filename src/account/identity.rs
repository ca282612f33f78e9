//! Providers that a person signs in with.

use super::event::{self, IDENTITY_LINKED, IDENTITY_REMOVED};
use super::sql::{Row, Sql, SqlError, all, first};
use super::{Arrival, Identity, Outcome, person};
use crate::time::Timestamp;

/// So many a person may have.
pub const MOST: u32 = 10;

/// Makes a person who has signed in with nothing but a provider's word: the provider brought them, as far as their mail is concerned.
pub(super) fn join(sql: &impl Sql, arrival: Arrival, now: Timestamp) -> Result<Outcome, SqlError> {
    if person::suspended(sql)?.is_none() {
        person::open(sql, arrival.email.clone(), None, Some(arrival.issuer.clone()), now)?;
        link(sql, arrival.clone(), now)?;
    }
    match arrive(sql, arrival, now)? {
        Outcome::Nobody => Ok(Outcome::Refused),
        outcome => Ok(outcome),
    }
}

/// Whoever signs in with it, if it is linked. What the provider calls the person is kept: it was asked last.
pub(super) fn arrive(sql: &impl Sql, arrival: Arrival, now: Timestamp) -> Result<Outcome, SqlError> {
    let used = sql.run(
        "UPDATE identity SET used = ? WHERE issuer = ? AND subject = ? RETURNING 1",
        &[now.into(), arrival.issuer.into(), arrival.subject.into()],
    )?;
    if used.is_empty() {
        return Ok(Outcome::Nobody);
    }
    profile(sql, arrival.name, arrival.picture)?;
    person::look(sql)
}

pub(super) fn link(sql: &impl Sql, arrival: Arrival, now: Timestamp) -> Result<Outcome, SqlError> {
    let issuer = arrival.issuer.clone();
    let linked = sql.run(
        "INSERT INTO identity (issuer, subject, email, linked)
         SELECT ?, ?, ?, ? WHERE (SELECT count(*) FROM identity) < ? ON CONFLICT (issuer, subject) DO NOTHING RETURNING 1",
        &[arrival.issuer.into(), arrival.subject.into(), arrival.email.into(), now.into(), MOST.into()],
    )?;
    if linked.is_empty() {
        return Ok(Outcome::Refused);
    }
    profile(sql, arrival.name, arrival.picture)?;
    event::note(sql, now, IDENTITY_LINKED, issuer)?;
    Ok(Outcome::Done)
}

/// Whoever has an address can be sent a code; else there must be something left to sign in with.
pub(super) fn unlink(sql: &impl Sql, number: u64, now: Timestamp) -> Result<Outcome, SqlError> {
    let number = super::sql::Value::number(number)?;
    let removed = sql.run(
        "DELETE FROM identity WHERE number = ? AND ((SELECT email FROM person) IS NOT NULL
         OR (SELECT count(*) FROM passkey) > 0 OR (SELECT count(*) FROM identity) > 1) RETURNING issuer, linked",
        &[number],
    )?;
    let Some(mut row) = first(removed) else { return Ok(Outcome::Refused) };
    let (issuer, linked) = (row.text()?, row.time()?);
    // If it has brought the person here, there is nothing of that left to be warned of.
    sql.run("UPDATE person SET provider = NULL WHERE provider = ? AND created = ?", &[issuer.as_str().into(), linked.into()])?;
    event::note(sql, now, IDENTITY_REMOVED, issuer)?;
    Ok(Outcome::Done)
}

pub(super) fn list(sql: &impl Sql) -> Result<Outcome, SqlError> {
    let rows = sql.run("SELECT number, issuer, subject, email, linked, used FROM identity ORDER BY number", &[])?;
    all(rows, read).map(Outcome::Identities)
}

/// What is not said stays as it was.
fn profile(sql: &impl Sql, name: Option<String>, picture: Option<String>) -> Result<(), SqlError> {
    if name.is_some() || picture.is_some() {
        sql.run("UPDATE person SET name = coalesce(?, name), picture = coalesce(?, picture)", &[name.into(), picture.into()])?;
    }
    Ok(())
}

fn read(row: &mut Row) -> Result<Identity, SqlError> {
    Ok(Identity {
        number: row.number()?,
        issuer: row.text()?,
        subject: row.text()?,
        email: row.maybe_text()?,
        linked: row.time()?,
        used: row.maybe_time()?,
    })
}
