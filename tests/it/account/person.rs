use postern::account::{Command, Outcome, Person};

use super::{agent, at, events, everything_else, feed, open, opened, passkey, person, run, session};
use crate::sqlite::Database;

#[test]
fn where_nobody_is_there_is_nobody_and_nothing_is_stored() {
    let database = Database::default();
    for command in everything_else() {
        assert_eq!(run(&database, 0, &command), Outcome::Nobody, "{command:?}");
        assert_eq!(database.dump(), "", "{command:?}");
    }
}

#[test]
fn whoever_a_provider_brings_has_not_signed_in_until_they_do() {
    let database = Database::default();
    let brought = Person {
        email: None,
        phone: None,
        created: at(0),
        provider: Some("https://provider.example".to_owned()),
        has_signed_in: false,
        suspended: false,
        passkeys: 0,
        agents: 0,
        name: None,
        picture: None,
    };
    assert_eq!(run(&database, 0, &open(None, Some("https://provider.example"))), Outcome::Person(brought.clone()));
    // Who else vouches does not matter; what they know completes what is known.
    let phone = Command::Open { email: None, phone: Some("+15550100".to_owned()), provider: Some("https://other.example".to_owned()) };
    let reached = Person { phone: Some("+15550100".to_owned()), ..brought };
    assert_eq!(run(&database, 1, &phone), Outcome::Person(reached.clone()));
    // Who brought them stays known: what that provider linked before is shown to them.
    let arrived = Person { email: Some("ada@example.com".to_owned()), has_signed_in: true, ..reached };
    assert_eq!(run(&database, 2, &open(Some("ada@example.com"), None)), Outcome::Person(arrived.clone()));
    // What is known stays, and nobody who has signed in is brought again.
    let again = Command::Open { email: Some("eve@example.com".to_owned()), phone: Some("+15550199".to_owned()), provider: None };
    assert_eq!(run(&database, 3, &again), Outcome::Person(arrived.clone()));
    assert_eq!(run(&database, 4, &open(None, Some("https://provider.example"))), Outcome::Person(arrived.clone()));
    assert_eq!(person(&database), arrived);
}

#[test]
fn the_person_tells_how_many_passkeys_and_live_agents_there_are() {
    let database = opened();
    for number in 1..=3 {
        run(&database, 0, &Command::AddPasskey(passkey(number, 0)));
    }
    run(&database, 0, &Command::RemovePasskey { credential: "credential-2".to_owned() });
    for number in 1..=3 {
        run(&database, 0, &feed(1, agent(number, 0), &[]));
    }
    let mut ended = agent(2, 0);
    ended.ended = Some(at(5));
    run(&database, 0, &feed(2, ended, &[]));
    assert_eq!((person(&database).passkeys, person(&database).agents), (2, 2));
}

#[test]
fn a_suspended_person_cannot_come_in_and_loses_nothing() {
    let database = opened();
    run(&database, 0, &Command::SignedIn(session(7, 0, 3600)));
    run(&database, 0, &Command::AddPasskey(passkey(7, 5)));
    assert_eq!(run(&database, 1, &Command::Suspend), Outcome::Done);
    assert!(person(&database).suspended);
    let before = database.dump();
    let ways_in = [
        open(Some("ada@example.com"), None),
        open(None, Some("https://provider.example")),
        Command::SignedIn(session(8, 1, 3600)),
        Command::AddPasskey(passkey(8, 0)),
        Command::UsedPasskey { credential: "credential-7".to_owned(), sign_count: 6 },
        // Nor is it told whether the counter has grown.
        Command::UsedPasskey { credential: "credential-7".to_owned(), sign_count: 1 },
    ];
    for command in ways_in {
        assert_eq!(run(&database, 2, &command), Outcome::Refused, "{command:?}");
        assert_eq!(database.dump(), before, "{command:?}");
    }
    // What has happened to agents is remembered all the same, and what the person has can end.
    assert_eq!(run(&database, 2, &feed(1, agent(1, 0), &["agent.claimed"])), Outcome::Done);
    assert_eq!(run(&database, 2, &Command::SignedOut(session(7, 0, 3600).id)), Outcome::Done);
    assert_eq!(run(&database, 2, &Command::Sessions), Outcome::Sessions(Vec::new()));
    assert_eq!(run(&database, 3, &Command::Resume), Outcome::Done);
    assert_eq!(run(&database, 4, &Command::SignedIn(session(8, 4, 3600))), Outcome::Done);
    assert!(!person(&database).suspended);
}

#[test]
fn suspending_twice_is_one_event() {
    let database = opened();
    for command in [Command::Resume, Command::Suspend, Command::Suspend, Command::Resume, Command::Resume] {
        assert_eq!(run(&database, 0, &command), Outcome::Done);
    }
    let names: Vec<String> = events(&database).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["account.resumed", "account.suspended"]);
}

#[test]
fn whoever_is_erased_leaves_nothing_and_may_come_again() {
    let database = opened();
    for command in everything_else() {
        run(&database, 0, &command);
    }
    assert_eq!(database.dump(), "");
    assert_eq!(database.alarm.get(), None);
    // A registration that has not heard of it makes nobody.
    assert_eq!(run(&database, 1, &feed(9, agent(1, 0), &["agent.ended"])), Outcome::Nobody);
    assert_eq!(database.dump(), "");
    run(&database, 2, &open(Some("ada@example.com"), None));
    assert_eq!(person(&database).created, at(2));
    assert_eq!(events(&database), []);
}
