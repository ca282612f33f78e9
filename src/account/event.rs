//! What has happened, in order. The names are fixed; whoever reads them may be a program.
//!
//! | name | when | detail |
//! | --- | --- | --- |
//! | `session.started` | a browser has signed in | the browser |
//! | `session.ended` | it was signed out | the browser |
//! | `passkey.added` | | the passkey's name |
//! | `passkey.removed` | | the passkey's name |
//! | `passkey.cloned` | its counter did not grow: there may be two of it | the passkey's name |
//! | `identity.linked` | the person can sign in with a provider | the provider's issuer |
//! | `identity.removed` | and not any more | the provider's issuer |
//! | `account.suspended` | the operator has barred the person | |
//! | `account.resumed` | and let them in again | |
//! | `token.exchanged` | a token of an agent, or of a client for the person, was exchanged (RFC 8693); at most once an hour for each audience | who asked, and the audience: `… for …` |
//! | `key.created` | the person has made an API key | |
//! | `key.revoked` | it has ended | who ended it |
//! | `agent.` and more | as the registration told it, or whoever noted it | theirs |

use super::sql::{LARGEST, Row, Sql, SqlError, Value, page};
use super::{Event, Outcome};
use crate::time::Timestamp;

/// A browser has signed in.
pub const SESSION_STARTED: &str = "session.started";
/// A browser was signed out.
pub const SESSION_ENDED: &str = "session.ended";
/// There is a new passkey.
pub const PASSKEY_ADDED: &str = "passkey.added";
/// A passkey was taken away.
pub const PASSKEY_REMOVED: &str = "passkey.removed";
/// A passkey's counter did not grow.
pub const PASSKEY_CLONED: &str = "passkey.cloned";
/// There is a new way to sign in, with a provider.
pub const IDENTITY_LINKED: &str = "identity.linked";
/// It was taken away.
pub const IDENTITY_REMOVED: &str = "identity.removed";
/// The person was barred.
pub const ACCOUNT_SUSPENDED: &str = "account.suspended";
/// The person is let in again.
pub const ACCOUNT_RESUMED: &str = "account.resumed";

/// The person has made an API key for a program of their own.
pub const KEY_CREATED: &str = "key.created";
/// It has ended.
pub const KEY_REVOKED: &str = "key.revoked";

/// A token was exchanged for another.
pub const TOKEN_EXCHANGED: &str = "token.exchanged";

/// So many are kept, the newest.
pub const KEPT: u32 = 2000;

/// Appends what the account itself has seen happen.
pub(super) fn note(sql: &impl Sql, now: Timestamp, name: &str, detail: String) -> Result<(), SqlError> {
    append(sql, [Event { at: now, name: name.to_owned(), registration: None, detail }])
}

/// Appends, and lets go of what is too old.
pub(super) fn append(sql: &impl Sql, events: impl IntoIterator<Item = Event>) -> Result<(), SqlError> {
    for event in events {
        let registration = event.registration.map(String::from);
        let values = [event.at.into(), event.name.into(), registration.into(), event.detail.into()];
        sql.run("INSERT INTO event (at, name, registration, detail) VALUES (?, ?, ?, ?)", &values)?;
    }
    // Numbers have no gaps, for only the oldest ever go: whatever lies so far behind is one too many.
    sql.run("DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?", &[KEPT.into()])?;
    Ok(())
}

pub(super) fn list(sql: &impl Sql, before: Option<u64>, limit: u32) -> Result<Outcome, SqlError> {
    let before = Value::number(before.unwrap_or(LARGEST).min(LARGEST))?;
    let rows = sql.run(
        "SELECT number, at, name, registration, detail FROM event WHERE number < ? ORDER BY number DESC LIMIT ?",
        &[before, (limit + 1).into()],
    )?;
    page(rows, limit, read).map(|(events, more)| Outcome::Events(events, more))
}

fn read(row: &mut Row) -> Result<(u64, Event), SqlError> {
    Ok((row.number()?, Event { at: row.time()?, name: row.text()?, registration: row.maybe_parsed()?, detail: row.text()? }))
}
