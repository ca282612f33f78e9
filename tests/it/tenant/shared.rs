//! An object may have a person, agents, or both.

use postern::account;
use postern::tenant::{Command, Outcome, Refused, Repeat, What};

use super::{ROOT, at, audited, by, command, create, emit, everybody, own, profile, reg, rooted, run, subscribe};
use crate::sqlite::Database;

fn person(database: &Database, command: &account::Command) -> account::Outcome {
    database.command(command, at(0)).unwrap()
}

fn open() -> account::Command {
    account::Command::Open { email: Some("ada@example.com".to_owned()), phone: None, provider: None }
}

#[test]
fn asking_an_object_that_was_never_written_is_answered_nothing_and_writes_nothing() {
    for what in super::schema::everything() {
        let database = Database::default();
        let opens = matches!(
            what,
            What::Root { .. }
                | What::Arrive { .. }
                | What::AddCredential(_)
                | What::PutDelegation(_)
                | What::CreatePolicy(_)
                | What::Subscribe(_)
                | What::Repeat { .. }
        );
        let outcome = run(&database, 0, Command { emit: vec![emit("agent.created", None)], ..command(Some(ROOT), what.clone()) });
        assert_eq!(outcome == Outcome::Nothing, !opens, "{what:?}");
        assert_eq!(database.dump().is_empty(), !opens, "{what:?}");
    }
}

#[test]
fn what_is_audited_is_written_wherever_it_happened() {
    let database = Database::default();
    let denied = Command { audit: vec![audited("agent.created", None)], ..command(Some(2), create(3, 2, "x", 0)) };
    assert_eq!(run(&database, 0, denied), Outcome::Refused(Refused::Missing));
    assert_eq!(super::count(&database, "SELECT count(*) FROM tenant_audit WHERE outcome = 'denied'"), 1);
}

#[test]
fn a_person_without_agents_has_no_tables_of_agents() {
    let database = Database::default();
    person(&database, &open());
    assert_eq!(own(&database, everybody()), Outcome::Nothing);
    assert!(!database.dump().contains("tenant"));
}

#[test]
fn agents_need_no_person_and_do_not_make_one() {
    let database = rooted();
    assert_eq!(person(&database, &account::Command::Look), account::Outcome::Nobody);
    assert!(!database.dump().contains("\nperson"));
}

#[test]
fn a_person_and_agents_share_an_object_and_are_erased_together() {
    for with_person in [true, false] {
        let database = rooted();
        if with_person {
            person(&database, &open());
            person(&database, &account::Command::Suspend);
        }
        assert!(matches!(by(&database, ROOT, create(2, 1, "a", 0)), Outcome::Agent(_, true)), "a suspended person bars no agent here");
        by(&database, ROOT, subscribe(1, Some(1), &["*"]));
        run(&database, 0, Command { emit: vec![emit("a.b", None)], ..command(None, What::Note) });
        assert!(database.alarm.get().is_some());
        person(&database, &account::Command::Erase);
        assert_eq!((database.dump(), database.alarm.get()), (String::new(), None));
        assert_eq!(own(&database, everybody()), Outcome::Nothing);
    }
}

#[test]
fn even_if_the_storage_is_not_given_back_nothing_is_left() {
    let database = rooted();
    person(&database, &open());
    database.kept(|schema| account::carry_out(account::Command::Erase, &database, schema, at(0))).unwrap();
    assert_eq!(database.dump(), "sqlite_sequence: []\n");
}

#[test]
fn the_alarm_rings_for_whichever_is_earlier() {
    let database = rooted();
    person(&database, &open());
    by(&database, ROOT, subscribe(1, Some(1), &["*"]));
    let session = |expires| account::Session {
        id: postern::id::SessionId::from_bytes([1; 16]),
        signed_in: at(0),
        method: "mail".to_owned(),
        browser: "Browser".to_owned(),
        used: at(0),
        expires: at(expires),
    };
    run(&database, 0, Command { emit: vec![emit("a.b", None)], ..command(None, What::Note) });
    for (expires, rings) in [(3, 3), (100, 5)] {
        person(&database, &account::Command::SignedIn(session(expires)));
        database.alarm.set(Some(at(0)));
        database.ring(at(0));
        assert_eq!(database.alarm.get(), Some(at(rings)));
    }
}

#[test]
fn a_key_stands_for_one_request_until_it_is_forgotten() {
    let database = Database::default();
    let ask = |seconds, key: &str, request: &str| {
        let repeat = What::Repeat { key: key.to_owned(), request: request.to_owned(), until: at(seconds + 600) };
        match run(&database, seconds, command(None, repeat)) {
            Outcome::Repeat(repeat) => repeat,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(0, "a", "x"), Repeat::New);
    assert_eq!((ask(599, "a", "x"), ask(599, "a", "y"), ask(599, "b", "y")), (Repeat::Until(at(600)), Repeat::Other, Repeat::New));
    assert_eq!(ask(600, "a", "y"), Repeat::New, "asking again has not made it last longer");
    assert_eq!(ask(601, "a", "x"), Repeat::Other);
    for number in 0..100 {
        ask(700, &format!("{number}"), "x");
    }
    for number in 0..10 {
        ask(2000, &format!("later {number}"), "x");
    }
    assert_eq!(super::count(&database, "SELECT count(*) FROM tenant_repeat"), 10, "what is forgotten goes");
}

#[test]
fn a_root_that_is_known_later_has_what_its_account_kept_before() {
    let database = Database::default();
    own(&database, What::CreatePolicy(Box::new(super::policy(1, None))));
    run(&database, 0, Command { audit: vec![audited("a.b", None)], ..command(None, What::Note) });
    own(&database, What::Root { id: reg(ROOT), profile: profile("root", 3) });
    let filter = postern::tenant::AuditFilter { limit: 9, ..Default::default() };
    assert!(matches!(by(&database, ROOT, What::Audit(Box::new(filter))), Outcome::Audit(rows, None) if rows.len() == 1));
    let what = What::Policies { agent: Some(reg(ROOT)), enabled_only: true, limit: 9, offset: 0 };
    assert!(matches!(by(&database, ROOT, what), Outcome::Policies(policies, 1) if policies.len() == 1));
}
