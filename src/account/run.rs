//! Carries out one command, synchronously: whoever calls makes one transaction of it.

use super::migrations::{self, STEPS};
use super::sql::{Sql, SqlError};
use super::{Command, Outcome, Schema, agent, connection, event, identity, passkey, person, session};
use crate::tenant;
use crate::time::Timestamp;

/// The longest page that is given out.
const LONGEST_PAGE: u32 = 100;

/// What is left to do for the object once a command is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// [`wake`] at this time, or earlier.
    Wake(Timestamp),
    /// Give the storage back: nobody is here any more.
    Free,
}

/// Runs `command`. Only [`Command::Open`] and [`Command::Join`] make tables; until then, and after [`Command::Erase`], everything else is
/// answered with [`Outcome::Nobody`] and leaves nothing behind. [`Command::Tenant`] has nothing to do with that.
///
/// # Errors
/// A statement failed. What the ones before it have changed must not stay, and `schema` holds no more.
pub fn carry_out(command: Command, sql: &impl Sql, schema: &Schema, now: Timestamp) -> Result<(Outcome, After), SqlError> {
    let command = match command {
        Command::Tenant(command) => {
            let (outcome, due) = tenant::carry_out(*command, sql, &schema.tenant, now)?;
            return Ok((Outcome::Tenant(Box::new(outcome)), due.map_or(After::Nothing, After::Wake)));
        }
        command => command,
    };
    let opens = matches!(command, Command::Open { .. } | Command::Join(_));
    let starts = matches!(command, Command::SignedIn(_));
    let erases = matches!(command, Command::Erase);
    if erases {
        tenant::tables::remove(sql)?;
    }
    let tables = migrations::open(sql, STEPS, &schema.person)?;
    let is_there = tables.are_there();
    if opens && !is_there {
        tables.create()?;
    }
    let sql = &tables;
    let suspended = if is_there { person::suspended(sql)? } else { None };
    let outcome = match suspended {
        None if !opens => Outcome::Nobody,
        Some(true) if is_barred(&command) => Outcome::Refused,
        _ => dispatch(command, sql, now)?,
    };
    if erases {
        schema.forget();
    }
    let after = match outcome {
        Outcome::Done | Outcome::Dropped(_) if starts => session::next_expiry(sql)?.map_or(After::Nothing, After::Wake),
        // Also if nobody is here: an earlier attempt may have come no further.
        _ if erases => After::Free,
        _ => After::Nothing,
    };
    Ok((outcome, after))
}

/// Forgets the sessions that have expired; says when the next one does, or when a webhook is to be told something if that is earlier. Where
/// nothing could be `delivered` at all, webhooks have ever more time.
///
/// # Errors
/// A statement failed: `schema` holds no more.
pub fn wake(sql: &impl Sql, schema: &Schema, now: Timestamp, delivered: bool) -> Result<Option<Timestamp>, SqlError> {
    let due = tenant::wake(sql, &schema.tenant, now, delivered)?;
    let tables = migrations::open(sql, STEPS, &schema.person)?;
    if !tables.are_there() {
        return Ok(due);
    }
    session::expire(&tables, now)?;
    let expiry = session::next_expiry(&tables)?;
    Ok(due.into_iter().chain(expiry).min())
}

/// What a suspended person cannot do: come in, or prepare to.
fn is_barred(command: &Command) -> bool {
    matches!(
        command,
        Command::Open { .. }
            | Command::SignedIn(_)
            | Command::AddPasskey(_)
            | Command::UsedPasskey { .. }
            | Command::Join(_)
            | Command::Arrive(_)
            | Command::Link(_)
    )
}

fn dispatch(command: Command, sql: &impl Sql, now: Timestamp) -> Result<Outcome, SqlError> {
    match command {
        Command::Open { email, phone, provider } => person::open(sql, email, phone, provider, now),
        Command::Look => person::look(sql),
        Command::SignedIn(session) => session::start(sql, session, now),
        Command::InSession(id) if !session::is_listed(sql, &id, now)? => Ok(Outcome::Nobody),
        Command::InSession(_) => person::look(sql),
        Command::SessionUsed(id) => session::used(sql, &id, now),
        Command::SignedOut(id) => session::end(sql, &id, now),
        Command::Sessions => session::list(sql, now),
        Command::AddPasskey(passkey) => passkey::add(sql, passkey, now),
        Command::Passkey { credential } => passkey::find(sql, &credential),
        Command::UsedPasskey { credential, sign_count } => passkey::used(sql, &credential, sign_count, now),
        Command::RemovePasskey { credential } => passkey::remove(sql, &credential, now),
        Command::Passkeys => passkey::list(sql),
        Command::Join(arrival) => identity::join(sql, arrival, now),
        Command::Arrive(arrival) => identity::arrive(sql, arrival, now),
        Command::Link(arrival) => identity::link(sql, arrival, now),
        Command::Unlink(number) => identity::unlink(sql, number, now),
        Command::Identities => identity::list(sql),
        Command::Feed(feed) => agent::feed(sql, feed),
        Command::Agents { after, limit, live } => agent::list(sql, after, limit.clamp(1, LONGEST_PAGE), live),
        Command::PersonalKeys => agent::personal(sql, now),
        Command::Connect(connection) => connection::tell(sql, connection, now),
        Command::Connections { after, limit, live } => connection::list(sql, after, limit.clamp(1, LONGEST_PAGE), live),
        Command::Subject { sector, candidate } => person::subject(sql, sector, candidate),
        Command::Note(event) => event::append(sql, [event]).map(|()| Outcome::Done),
        Command::Events { before, limit } => event::list(sql, before, limit.clamp(1, LONGEST_PAGE)),
        Command::Suspend => person::suspend(sql, true, now),
        Command::Resume => person::suspend(sql, false, now),
        Command::Erase => migrations::remove(sql).map(|()| Outcome::Done),
        // Needs no person, and was carried out before.
        Command::Tenant(_) => Ok(Outcome::Refused),
    }
}
