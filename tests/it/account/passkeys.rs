use postern::account::passkey::MOST;
use postern::account::{Command, Outcome, Passkey};

use super::{at, events, opened, passkey, run};
use crate::sqlite::Database;

fn found(database: &Database, number: u64) -> Option<Passkey> {
    match run(database, 0, &Command::Passkey { credential: format!("credential-{number}") }) {
        Outcome::Passkey(passkey) => passkey,
        other => panic!("{other:?}"),
    }
}

fn sign(database: &Database, seconds: u64, number: u64, sign_count: u32) -> Outcome {
    run(database, seconds, &Command::UsedPasskey { credential: format!("credential-{number}"), sign_count })
}

#[test]
fn passkeys_are_kept_as_they_are_and_listed_newest_first() {
    let database = opened();
    for number in [2, 1, 3] {
        assert_eq!(run(&database, 0, &Command::AddPasskey(passkey(number, u32::MAX))), Outcome::Done);
    }
    assert_eq!(found(&database, 2), Some(passkey(2, u32::MAX)));
    assert_eq!(found(&database, 4), None);
    let all = [3, 2, 1].map(|number| passkey(number, u32::MAX));
    assert_eq!(run(&database, 0, &Command::Passkeys), Outcome::Passkeys(all.to_vec()));
}

#[test]
fn a_credential_is_added_once_and_a_person_has_so_many() {
    let database = opened();
    for number in 0..u64::from(MOST) {
        assert_eq!(run(&database, 0, &Command::AddPasskey(passkey(number, 0))), Outcome::Done);
        let other = Passkey { name: "Another".to_owned(), ..passkey(number, 9) };
        assert_eq!(run(&database, 0, &Command::AddPasskey(other)), Outcome::Refused);
        assert_eq!(found(&database, number), Some(passkey(number, 0)));
    }
    assert_eq!(run(&database, 0, &Command::AddPasskey(passkey(20, 0))), Outcome::Refused);
    assert_eq!(events(&database).len(), 20, "what is refused is no event");
    run(&database, 0, &Command::RemovePasskey { credential: "credential-3".to_owned() });
    assert_eq!(run(&database, 0, &Command::AddPasskey(passkey(20, 0))), Outcome::Done);
}

#[test]
fn a_counter_must_grow_unless_there_is_none() {
    let database = opened();
    run(&database, 0, &Command::AddPasskey(passkey(1, 0)));
    // (given, taken): from zero on zero is fine, and once there is a counter it grows.
    for (seconds, (sign_count, taken)) in
        (1..).zip([(0, true), (0, true), (5, true), (5, false), (4, false), (0, false), (6, true), (u32::MAX, true)])
    {
        let before = found(&database, 1).unwrap();
        let outcome = sign(&database, seconds, 1, sign_count);
        assert_eq!(outcome, if taken { Outcome::Done } else { Outcome::Refused }, "{sign_count}");
        let expected = if taken { Passkey { sign_count, used: Some(at(seconds)), ..before } } else { before };
        assert_eq!(found(&database, 1), Some(expected));
    }
    let cloned = ("passkey.cloned".to_owned(), "Key 1".to_owned());
    assert_eq!(events(&database), [cloned.clone(), cloned.clone(), cloned, ("passkey.added".to_owned(), "Key 1".to_owned())]);
}

#[test]
fn an_unknown_passkey_is_refused() {
    let database = opened();
    assert_eq!(sign(&database, 0, 1, 1), Outcome::Refused);
    run(&database, 0, &Command::AddPasskey(passkey(1, 0)));
    for _ in 0..2 {
        assert_eq!(run(&database, 0, &Command::RemovePasskey { credential: "credential-1".to_owned() }), Outcome::Done);
    }
    assert_eq!(sign(&database, 0, 1, 1), Outcome::Refused);
    let names: Vec<String> = events(&database).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["passkey.removed", "passkey.added"]);
}
