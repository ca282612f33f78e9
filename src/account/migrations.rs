//! The tables, as numbered steps from nothing to what this version reads.
//!
//! A step that has been released is never changed: what comes later is a step of its own. An account that nobody has
//! opened has no table at all, and each table comes into being when something is first written to it.

use super::by_need::{Known, Tables, Track};
use super::sql::{Sql, SqlError};

/// Step 1 comes first; each is a list of statements.
pub const STEPS: &[&[&str]] = &[FIRST, SECOND, THIRD, FOURTH, FIFTH];

const FIRST: &[&str] = &[
    "CREATE TABLE person (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        email TEXT, phone TEXT, created INTEGER NOT NULL, provider TEXT,
        has_signed_in INTEGER NOT NULL, suspended INTEGER NOT NULL, agents INTEGER NOT NULL
    ) STRICT",
    // At most fifty rows and at most twenty: these need no index.
    "CREATE TABLE session (
        id TEXT PRIMARY KEY,
        signed_in INTEGER NOT NULL, method TEXT NOT NULL, browser TEXT NOT NULL, used INTEGER NOT NULL, expires INTEGER
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE passkey (
        credential TEXT PRIMARY KEY,
        key TEXT NOT NULL, sign_count INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE agent (
        registration TEXT PRIMARY KEY, sequence INTEGER NOT NULL,
        kind TEXT NOT NULL, name TEXT, provider TEXT,
        created INTEGER NOT NULL, claimed INTEGER NOT NULL, used INTEGER, ended INTEGER
    ) STRICT, WITHOUT ROWID",
    // The primary key is part of every index, so that these hold the whole order of a page.
    "CREATE INDEX agent_claimed ON agent (claimed)",
    "CREATE INDEX agent_live ON agent (claimed) WHERE ended IS NULL",
    "CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL, name TEXT NOT NULL, registration TEXT, detail TEXT NOT NULL
    ) STRICT",
];

/// Sign-in with somebody else's word.
const SECOND: &[&str] = &[
    "ALTER TABLE person ADD COLUMN name TEXT",
    "ALTER TABLE person ADD COLUMN picture TEXT",
    // At most ten rows.
    "CREATE TABLE identity (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        issuer TEXT NOT NULL, subject TEXT NOT NULL, email TEXT, linked INTEGER NOT NULL, used INTEGER,
        UNIQUE (issuer, subject)
    ) STRICT",
];

/// Clients that people let in.
const THIRD: &[&str] = &[
    // `grant` is a word of SQL in some dialects; `name` is the grant's.
    "CREATE TABLE connection (
        name TEXT PRIMARY KEY, sequence INTEGER NOT NULL,
        client TEXT NOT NULL, client_name TEXT, scope TEXT NOT NULL, resources TEXT NOT NULL,
        created INTEGER NOT NULL, used INTEGER, ended INTEGER
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX connection_created ON connection (created)",
    "CREATE INDEX connection_live ON connection (created) WHERE ended IS NULL",
];

/// What groups of clients know the person as.
const FOURTH: &[&str] = &["CREATE TABLE subject (sector TEXT PRIMARY KEY, subject TEXT NOT NULL) STRICT, WITHOUT ROWID"];

/// API keys that people make for programs of their own.
const FIFTH: &[&str] = &[
    "ALTER TABLE agent ADD COLUMN scope TEXT",
    // Never is the largest number, so that the order is that of time.
    "ALTER TABLE agent ADD COLUMN until INTEGER",
    "CREATE INDEX agent_personal ON agent (until) WHERE kind = 'personal' AND ended IS NULL",
];

/// Takes away every table that the steps make.
const REMOVAL: [&str; 9] = [
    "DROP TABLE IF EXISTS person",
    "DROP TABLE IF EXISTS session",
    "DROP TABLE IF EXISTS passkey",
    "DROP TABLE IF EXISTS agent",
    "DROP TABLE IF EXISTS event",
    "DROP TABLE IF EXISTS connection",
    "DROP TABLE IF EXISTS subject",
    "DROP TABLE IF EXISTS identity",
    "DROP TABLE IF EXISTS migration",
];

const PERSON: Track = Track {
    versions: "migration",
    create: "CREATE TABLE migration (version INTEGER PRIMARY KEY) STRICT",
    version: "SELECT max(version) FROM migration",
    advance: "INSERT INTO migration (version) VALUES (?)",
    tables: &["person", "session", "passkey", "event", "agent", "identity", "connection", "subject"],
    // Whoever is looked at is looked at with their passkeys.
    begins_with: &["person", "passkey"],
    indexed_later: &[],
};

/// The tables as they are. If that is not `known`, the database is asked, and what it has is brought up to the last of `steps`.
///
/// # Errors
/// The database refused a step.
pub fn open<'a, S: Sql>(sql: &'a S, steps: &'a [&'a [&'static str]], known: &'a Known) -> Result<Tables<'a, S>, SqlError> {
    PERSON.open(sql, steps, known)
}

/// Takes every table away.
///
/// # Errors
/// The database refused it.
pub fn remove(sql: &impl Sql) -> Result<(), SqlError> {
    REMOVAL.iter().try_for_each(|statement| sql.run(statement, &[]).map(|_| ()))
}
