//! The tables, as numbered steps. Their versions are their own: an account may have a person, agents, or both.
//!
//! A `path` is the numbers of an agent and its ancestors, the root first, each in eight digits: whatever begins with an agent's path is
//! that agent's or of somebody below it. What belongs to no agent of this tree has a path that no agent's begins.
//!
//! Most accounts are those of one agent with one key: each table comes into being when something is first written to it, and the indexes
//! of those that every account has when they have grown.

use crate::account::by_need::{Known, Tables, Track};
use crate::account::sql::{Sql, SqlError};

/// Step 1 comes first; each is a list of statements.
pub const STEPS: &[&[&str]] = &[FIRST, RATES, TURNS, PACES, OFFERS, CLAIMS, LANES];

const FIRST: &[&str] = &[
    // The largest height of what is below it is kept, so that nobody has to look for it.
    "CREATE TABLE tenant_agent (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL UNIQUE,
        parent TEXT, name TEXT NOT NULL, agent_type TEXT NOT NULL,
        description TEXT, homepage_url TEXT, public_key TEXT, max_child_depth INTEGER NOT NULL, metadata TEXT NOT NULL,
        trust_level TEXT NOT NULL, status TEXT NOT NULL, depth INTEGER NOT NULL, height INTEGER NOT NULL,
        deactivated INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT",
    // The number is part of every index of a table that has one: these hold the whole order of a page.
    "CREATE UNIQUE INDEX IF NOT EXISTS tenant_agent_name ON tenant_agent (parent, name)",
    "CREATE INDEX IF NOT EXISTS tenant_agent_status ON tenant_agent (status, path)",
    "CREATE INDEX IF NOT EXISTS tenant_agent_parent ON tenant_agent (parent)",
    "CREATE INDEX IF NOT EXISTS tenant_agent_parent_status ON tenant_agent (parent, status)",
    // How many there are of something, as an agent reaches it; of the whole account with an empty name.
    "CREATE TABLE tenant_tally (agent TEXT, what TEXT, n INTEGER NOT NULL, PRIMARY KEY (agent, what)) STRICT, WITHOUT ROWID",
    "CREATE TABLE tenant_credential (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
        agent TEXT NOT NULL, key_number INTEGER NOT NULL, kind TEXT NOT NULL, prefix TEXT NOT NULL, scopes TEXT,
        expires INTEGER, last_used INTEGER, last_rotated INTEGER, revoked INTEGER, token_lifetime_seconds INTEGER,
        metadata TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX IF NOT EXISTS tenant_credential_path ON tenant_credential (path)",
    "CREATE INDEX IF NOT EXISTS tenant_credential_live ON tenant_credential (path) WHERE revoked IS NULL",
    // It counts until `until`: never, once it has ended.
    "CREATE TABLE tenant_delegation (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, sequence INTEGER NOT NULL,
        delegator TEXT NOT NULL, delegate TEXT NOT NULL, peer TEXT, scopes TEXT NOT NULL, constraints TEXT NOT NULL,
        chain_depth INTEGER NOT NULL, max_chain_depth INTEGER NOT NULL, source TEXT, upstream TEXT NOT NULL,
        status TEXT NOT NULL, expires INTEGER, revoked INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX tenant_delegation_source ON tenant_delegation (source) WHERE source IS NOT NULL",
    "CREATE INDEX tenant_delegation_given ON tenant_delegation (delegator, until)",
    "CREATE INDEX tenant_delegation_taken ON tenant_delegation (delegate, until)",
    // Which agents reach a delegation: its sides and their ancestors, and the account with an empty name.
    "CREATE TABLE tenant_party (agent TEXT, number INTEGER, until INTEGER NOT NULL, PRIMARY KEY (agent, number)) STRICT, WITHOUT ROWID",
    "CREATE INDEX tenant_party_until ON tenant_party (agent, until)",
    "CREATE INDEX tenant_party_number ON tenant_party (number)",
    "CREATE TABLE tenant_policy (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
        created_by TEXT, name TEXT NOT NULL, description TEXT, effect TEXT NOT NULL,
        subjects TEXT NOT NULL, actions TEXT NOT NULL, resources TEXT NOT NULL, conditions TEXT NOT NULL,
        priority INTEGER NOT NULL, enabled INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX tenant_policy_path ON tenant_policy (path)",
    // Numbers and times have the same order.
    "CREATE TABLE tenant_audit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, path TEXT NOT NULL,
        event_type TEXT NOT NULL, actor_type TEXT NOT NULL, actor_id TEXT, on_behalf TEXT, action TEXT NOT NULL,
        target_type TEXT, target_id TEXT, outcome TEXT NOT NULL, network TEXT, request_id TEXT, metadata TEXT, about TEXT
    ) STRICT",
    "CREATE INDEX IF NOT EXISTS tenant_audit_at ON tenant_audit (at)",
    "CREATE INDEX IF NOT EXISTS tenant_audit_event ON tenant_audit (event_type)",
    "CREATE INDEX IF NOT EXISTS tenant_audit_actor ON tenant_audit (actor_id) WHERE actor_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tenant_audit_target ON tenant_audit (target_id) WHERE target_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tenant_audit_trouble ON tenant_audit (outcome) WHERE outcome <> 'success'",
    "CREATE TABLE tenant_webhook (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
        agent TEXT, url TEXT NOT NULL, events TEXT NOT NULL, enabled INTEGER NOT NULL,
        secret_version INTEGER NOT NULL, previous_until INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE tenant_delivery (
        number INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL,
        attempt INTEGER NOT NULL, due INTEGER, status INTEGER, error TEXT, state TEXT NOT NULL,
        created INTEGER NOT NULL, updated INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX tenant_delivery_due ON tenant_delivery (due) WHERE due IS NOT NULL",
    "CREATE INDEX tenant_delivery_webhook ON tenant_delivery (webhook)",
    "CREATE INDEX tenant_delivery_waiting ON tenant_delivery (webhook, due) WHERE due IS NOT NULL",
    "CREATE INDEX tenant_delivery_state ON tenant_delivery (state, updated)",
    "CREATE TABLE tenant_repeat (key TEXT PRIMARY KEY, request TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX tenant_repeat_until ON tenant_repeat (until)",
];

const RATES: &[&str] = &[
    // How often an agent did something within a window that ends at `until`: a request, with an empty name, or what a policy counts.
    "CREATE TABLE tenant_rate (
        agent TEXT, what TEXT, until INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (agent, what)
    ) STRICT, WITHOUT ROWID",
    "CREATE INDEX tenant_rate_until ON tenant_rate (until)",
];

/// Webhooks are told in turn: what was asked for last has the highest `turn`, and nothing is asked for while it `rests`.
const TURNS: &[&str] = &[
    "ALTER TABLE tenant_webhook ADD COLUMN disabled INTEGER",
    "UPDATE tenant_webhook SET disabled = updated WHERE enabled = 0",
    "ALTER TABLE tenant_webhook ADD COLUMN turn INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tenant_webhook ADD COLUMN rests INTEGER",
    // How many attempts have failed, and how many messages were given up, since the last one was taken.
    "ALTER TABLE tenant_webhook ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tenant_webhook ADD COLUMN dead_letters INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX tenant_delivery_due",
    "CREATE INDEX tenant_delivery_turn ON tenant_delivery (webhook) WHERE due IS NOT NULL",
    "CREATE INDEX tenant_delivery_done ON tenant_delivery (webhook, state) WHERE due IS NULL",
];

/// What a policy counts is estimated over two windows: `n` is of the one that `ends`, `before` of the one before it.
const PACES: &[&str] = &[
    "ALTER TABLE tenant_rate ADD COLUMN ends INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tenant_rate ADD COLUMN before INTEGER NOT NULL DEFAULT 0",
];

/// What agents of other accounts offer.
const OFFERS: &[&str] = &[
    "ALTER TABLE tenant_delegation ADD COLUMN offered INTEGER NOT NULL DEFAULT 0",
    "UPDATE tenant_delegation SET offered = 1 WHERE peer IS NOT NULL AND delegate IN (SELECT id FROM tenant_agent)",
    "CREATE INDEX tenant_delegation_offered ON tenant_delegation (created) WHERE offered = 1 AND status = 'pending'",
    "CREATE INDEX tenant_delegation_offered_by ON tenant_delegation (peer, created) WHERE offered = 1 AND status = 'pending'",
    "CREATE INDEX tenant_delegation_declined ON tenant_delegation (updated) WHERE offered = 1 AND status = 'declined'",
];

/// What was made before a person claimed the root. Claims that were told before this step are known from the audit.
const CLAIMS: &[&str] = &[
    // One row: the last claim.
    "CREATE TABLE tenant_claim (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, generation INTEGER NOT NULL) STRICT",
    "ALTER TABLE tenant_delegation ADD COLUMN root_generation INTEGER",
    "ALTER TABLE tenant_delegation ADD COLUMN broken_by TEXT",
    "ALTER TABLE tenant_webhook ADD COLUMN reason TEXT",
    "ALTER TABLE tenant_webhook ADD COLUMN root_generation INTEGER",
    "UPDATE tenant_webhook SET enabled = 0, reason = 'claimed',
         disabled = (SELECT max(at) FROM tenant_audit WHERE event_type = 'claim.completed')
     WHERE enabled = 1 AND created < (SELECT max(at) FROM tenant_audit WHERE event_type = 'claim.completed')",
    "UPDATE tenant_delivery SET state = 'dead', due = NULL, error = 'the webhook is not enabled'
     WHERE due IS NOT NULL AND webhook IN (SELECT id FROM tenant_webhook WHERE reason = 'claimed')",
];

/// How long a webhook takes to answer, in milliseconds.
const LANES: &[&str] = &["ALTER TABLE tenant_webhook ADD COLUMN pace INTEGER NOT NULL DEFAULT 0"];

/// Takes away every table that the steps make.
const REMOVAL: [&str; 13] = [
    "DROP TABLE IF EXISTS tenant_agent",
    "DROP TABLE IF EXISTS tenant_tally",
    "DROP TABLE IF EXISTS tenant_credential",
    "DROP TABLE IF EXISTS tenant_delegation",
    "DROP TABLE IF EXISTS tenant_party",
    "DROP TABLE IF EXISTS tenant_policy",
    "DROP TABLE IF EXISTS tenant_audit",
    "DROP TABLE IF EXISTS tenant_webhook",
    "DROP TABLE IF EXISTS tenant_delivery",
    "DROP TABLE IF EXISTS tenant_repeat",
    "DROP TABLE IF EXISTS tenant_rate",
    "DROP TABLE IF EXISTS tenant_claim",
    "DROP TABLE IF EXISTS tenant_migration",
];

const TRACK: Track = Track {
    versions: "tenant_migration",
    create: "CREATE TABLE tenant_migration (version INTEGER PRIMARY KEY) STRICT",
    version: "SELECT max(version) FROM tenant_migration",
    advance: "INSERT INTO tenant_migration (version) VALUES (?)",
    tables: &[
        "tenant_agent",
        "tenant_tally",
        "tenant_credential",
        "tenant_delegation",
        "tenant_party",
        "tenant_policy",
        "tenant_audit",
        "tenant_webhook",
        "tenant_delivery",
        "tenant_repeat",
        "tenant_rate",
        "tenant_claim",
    ],
    begins_with: &[],
    indexed_later: &["tenant_agent", "tenant_credential", "tenant_audit"],
};

/// The tables as they are. If that is not `known`, the database is asked, and what it has is brought up to the last of `steps`.
///
/// # Errors
/// The database refused a step.
pub fn open<'a, S: Sql>(sql: &'a S, steps: &'a [&'a [&'static str]], known: &'a Known) -> Result<Tables<'a, S>, SqlError> {
    TRACK.open(sql, steps, known)
}

/// Makes the indexes of a table that has had so few rows until now that it needed none.
pub(super) fn index(sql: &impl Sql, table: &str) -> Result<(), SqlError> {
    TRACK.index(sql, STEPS, table)
}

/// Takes every table away.
///
/// # Errors
/// The database refused it.
pub fn remove(sql: &impl Sql) -> Result<(), SqlError> {
    REMOVAL.iter().try_for_each(|statement| sql.run(statement, &[]).map(|_| ()))
}
