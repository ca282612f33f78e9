use postern::account::{Command, Identity, Outcome, Person};

use super::{arrival, at, events, open, opened, passkey, person, run};
use crate::sqlite::Database;

fn identities(database: &Database) -> Vec<Identity> {
    match run(database, 0, &Command::Identities) {
        Outcome::Identities(identities) => identities,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_joins_is_known_by_that_identity_and_has_not_proven_their_mail() {
    let database = Database::default();
    let mut ada = arrival(1);
    ada.name = Some("Ada".to_owned());
    let joined = Person {
        email: Some("ada1@people.example".to_owned()),
        phone: None,
        created: at(5),
        provider: Some("https://people.example".to_owned()),
        has_signed_in: false,
        suspended: false,
        passkeys: 0,
        agents: 0,
        name: Some("Ada".to_owned()),
        picture: None,
    };
    for seconds in [5, 6] {
        assert_eq!(run(&database, seconds, &Command::Join(ada.clone())), Outcome::Person(joined.clone()), "the same again is the same");
    }
    let expected = Identity {
        number: 1,
        issuer: ada.issuer.clone(),
        subject: ada.subject.clone(),
        email: ada.email.clone(),
        linked: at(5),
        used: Some(at(6)),
    };
    assert_eq!(identities(&database), [expected]);
    assert_eq!(events(&database), [("identity.linked".to_owned(), "https://people.example".to_owned())]);
    // Whoever answers their mail is seen to do it.
    let Outcome::Person(seen) = run(&database, 7, &open(Some("ada1@people.example"), None)) else { panic!("somebody is here") };
    assert_eq!(seen, Person { has_signed_in: true, ..joined });
}

#[test]
fn nobody_joins_an_account_that_is_somebody_elses() {
    let database = opened();
    let before = database.dump();
    assert_eq!(run(&database, 1, &Command::Join(arrival(1))), Outcome::Refused);
    assert_eq!(run(&database, 1, &Command::Arrive(arrival(1))), Outcome::Nobody);
    assert_eq!(database.dump(), before);
    assert_eq!(run(&database, 2, &Command::Link(arrival(1))), Outcome::Done);
    assert_eq!(run(&database, 3, &Command::Arrive(arrival(2))), Outcome::Nobody, "another subject is somebody else");
    let mut elsewhere = arrival(1);
    elsewhere.issuer = "https://people.example.org".to_owned();
    assert_eq!(run(&database, 3, &Command::Arrive(elsewhere)), Outcome::Nobody, "and so is the same one of another issuer");
}

#[test]
fn what_a_provider_says_last_is_kept_and_what_it_does_not_say_stays() {
    let database = opened();
    let mut ada = arrival(1);
    (ada.name, ada.picture) = (Some("Ada".to_owned()), Some("https://people.example/ada.png".to_owned()));
    run(&database, 0, &Command::Link(ada.clone()));
    assert_eq!(person(&database).name.as_deref(), Some("Ada"));
    (ada.name, ada.picture) = (Some("Countess".to_owned()), None);
    run(&database, 1, &Command::Arrive(ada));
    let person = person(&database);
    assert_eq!((person.name.as_deref(), person.picture.as_deref()), (Some("Countess"), Some("https://people.example/ada.png")));
    assert_eq!(person.email.as_deref(), Some("ada@example.com"), "an address never changes that way");
}

#[test]
fn an_identity_is_linked_once_and_there_are_ten_at_most() {
    let database = opened();
    for number in 1..=10 {
        assert_eq!(run(&database, 0, &Command::Link(arrival(number))), Outcome::Done);
        assert_eq!(run(&database, 0, &Command::Link(arrival(number))), Outcome::Refused);
    }
    assert_eq!(run(&database, 0, &Command::Link(arrival(11))), Outcome::Refused);
    let third = identities(&database)[2].number;
    assert_eq!(run(&database, 0, &Command::Unlink(third)), Outcome::Done);
    assert_eq!(run(&database, 0, &Command::Unlink(third)), Outcome::Refused);
    assert_eq!(run(&database, 0, &Command::Arrive(arrival(3))), Outcome::Nobody);
    assert_eq!(run(&database, 0, &Command::Link(arrival(11))), Outcome::Done);
    assert_eq!(identities(&database).len(), 10);
    assert_eq!(events(&database)[1].0, "identity.removed");
}

#[test]
fn the_last_way_in_stays() {
    let database = Database::default();
    let mut nameless = arrival(1);
    nameless.email = None;
    run(&database, 0, &Command::Join(nameless));
    let unlink_first = || run(&database, 0, &Command::Unlink(identities(&database)[0].number));
    assert_eq!(unlink_first(), Outcome::Refused, "no address, no passkey, nothing else");
    run(&database, 0, &Command::Link(arrival(2)));
    assert_eq!(unlink_first(), Outcome::Done);
    assert_eq!(unlink_first(), Outcome::Refused);
    run(&database, 0, &Command::AddPasskey(passkey(1, 0)));
    assert_eq!(unlink_first(), Outcome::Done);
}

#[test]
fn a_suspended_person_neither_arrives_nor_links() {
    let database = opened();
    run(&database, 0, &Command::Link(arrival(1)));
    run(&database, 0, &Command::Suspend);
    let before = database.dump();
    for command in [Command::Arrive(arrival(1)), Command::Link(arrival(2)), Command::Join(arrival(1))] {
        assert_eq!(run(&database, 1, &command), Outcome::Refused, "{command:?}");
    }
    assert_eq!(database.dump(), before);
    assert_eq!(run(&database, 1, &Command::Unlink(1)), Outcome::Done, "what they have can end");
}
