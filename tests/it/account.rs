//! An account, command by command.

mod feeds;
mod identities;
mod pages;
mod passkeys;
mod person;
mod schema;
mod sessions;

use postern::account::{Agent, Arrival, Command, Event, Feed, Outcome, Passkey, Person, Session};
use postern::id::{RegistrationId, SessionId};
use postern::time::{Timestamp, Ttl};
use serde_json::json;

use crate::sqlite::Database;
use crate::world::START;

/// So many seconds after the start.
fn at(seconds: u64) -> Timestamp {
    START.plus(Ttl::from_seconds(seconds))
}

fn run(database: &Database, seconds: u64, command: &Command) -> Outcome {
    database.command(command, at(seconds)).unwrap()
}

/// An account whose person has signed in.
fn opened() -> Database {
    let database = Database::default();
    run(&database, 0, &open(Some("ada@example.com"), None));
    database
}

fn open(email: Option<&str>, provider: Option<&str>) -> Command {
    Command::Open { email: email.map(str::to_owned), phone: None, provider: provider.map(str::to_owned) }
}

fn person(database: &Database) -> Person {
    match run(database, 0, &Command::Look) {
        Outcome::Person(person) => person,
        other => panic!("{other:?}"),
    }
}

fn session(number: u128, signed_in: u64, expires: u64) -> Session {
    Session {
        id: SessionId::from_bytes(number.to_be_bytes()),
        signed_in: at(signed_in),
        method: "mail".to_owned(),
        browser: format!("Browser {number}"),
        used: at(signed_in),
        expires: at(expires),
    }
}

fn passkey(number: u64, sign_count: u32) -> Passkey {
    Passkey {
        credential: format!("credential-{number}"),
        key: json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": "x", "y": "y" }),
        sign_count,
        name: format!("Key {number}"),
        created: at(number),
        used: None,
    }
}

fn arrival(number: u8) -> Arrival {
    Arrival {
        issuer: "https://people.example".to_owned(),
        subject: format!("subject-{number}"),
        email: Some(format!("ada{number}@people.example")),
        name: None,
        picture: None,
    }
}

fn registration(number: u8) -> RegistrationId {
    RegistrationId::from_bytes(u128::from(number).to_be_bytes())
}

fn agent(number: u8, claimed: u64) -> Agent {
    Agent {
        registration: registration(number),
        kind: "service_auth".to_owned(),
        name: Some(format!("Agent {number}")),
        provider: None,
        created: at(0),
        claimed: at(claimed),
        used: None,
        ended: None,
        key: None,
    }
}

fn happened(name: &str, of: Option<RegistrationId>, seconds: u64) -> Event {
    Event { at: at(seconds), name: name.to_owned(), registration: of, detail: "in a word".to_owned() }
}

fn feed(sequence: u64, agent: Agent, events: &[&str]) -> Command {
    let events = events.iter().map(|name| happened(name, Some(agent.registration.clone()), sequence)).collect();
    Command::Feed(Feed { sequence, agent, events })
}

/// The names of the newest events, the newest first, with their details.
fn events(database: &Database) -> Vec<(String, String)> {
    match run(database, 0, &Command::Events { before: None, limit: 100 }) {
        Outcome::Events(events, _) => events.into_iter().map(|(_, event)| (event.name, event.detail)).collect(),
        other => panic!("{other:?}"),
    }
}

/// One of each, but those that make a person.
fn everything_else() -> Vec<Command> {
    let credential = || "credential-1".to_owned();
    vec![
        Command::Look,
        Command::SignedIn(session(1, 0, 3600)),
        Command::InSession(session(1, 0, 3600).id),
        Command::SessionUsed(session(1, 0, 3600).id),
        Command::SignedOut(session(1, 0, 3600).id),
        Command::Sessions,
        Command::AddPasskey(passkey(1, 0)),
        Command::Passkey { credential: credential() },
        Command::UsedPasskey { credential: credential(), sign_count: 1 },
        Command::RemovePasskey { credential: credential() },
        Command::Passkeys,
        Command::Subject { sector: "rp.example.com".to_owned(), candidate: "pairwise".to_owned() },
        Command::Link(arrival(1)),
        Command::Arrive(arrival(1)),
        Command::Identities,
        Command::Unlink(1),
        feed(1, agent(1, 0), &["agent.claimed"]),
        Command::Agents { after: None, limit: 10, live: false },
        Command::PersonalKeys,
        Command::Note(happened("agent.noted", None, 0)),
        Command::Events { before: None, limit: 10 },
        Command::Suspend,
        Command::Resume,
        Command::Erase,
    ]
}
