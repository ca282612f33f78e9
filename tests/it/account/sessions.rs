use postern::account::session::MOST;
use postern::account::{Command, Outcome, Session};
use postern::time::Timestamp;

use super::{at, events, opened, person, run, session};
use crate::sqlite::Database;

fn listed(database: &Database, seconds: u64) -> Vec<Session> {
    match run(database, seconds, &Command::Sessions) {
        Outcome::Sessions(sessions) => sessions,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_are_listed_newest_first_until_they_expire() {
    let database = opened();
    let (early, late) = (session(1, 10, 100), session(2, 20, 90));
    let forever = Session { expires: Timestamp::NEVER, ..session(3, 5, 0) };
    for each in [&early, &late, &forever] {
        assert_eq!(run(&database, 20, &Command::SignedIn(each.clone())), Outcome::Done);
    }
    assert_eq!(listed(&database, 89), [late, early.clone(), forever.clone()]);
    assert_eq!(listed(&database, 90), [early, forever.clone()]);
    assert_eq!(listed(&database, 100), [forever]);
    assert_eq!(events(&database).len(), 3);
}

#[test]
fn expired_rows_go_at_the_next_sign_in_or_when_the_alarm_rings() {
    let database = opened();
    let rows = || database.query("SELECT id FROM session", 0).len();
    run(&database, 0, &Command::SignedIn(session(1, 0, 100)));
    run(&database, 0, &Command::SignedIn(session(2, 0, 200)));
    run(&database, 100, &Command::SignedIn(session(3, 100, 300)));
    assert_eq!(rows(), 2);
    assert_eq!(database.alarm.get(), Some(at(100)), "the alarm that was set first; it sets itself anew");
    database.ring(at(150));
    assert_eq!((rows(), database.alarm.get()), (2, Some(at(200))));
    database.ring(at(300));
    assert_eq!((rows(), database.alarm.get()), (0, None));
    run(&database, 300, &Command::SignedIn(session(4, 0, 300)));
    assert_eq!(rows(), 0, "it was over before it was told");
}

#[test]
fn a_session_may_sign_in_again_and_the_same_telling_is_one_event() {
    let database = opened();
    let once = session(1, 0, 100);
    let again = Session { signed_in: at(50), method: "passkey".to_owned(), expires: at(200), ..once.clone() };
    for each in [&once, &once, &again, &again] {
        run(&database, 50, &Command::SignedIn(each.clone()));
    }
    assert_eq!(listed(&database, 60), [again]);
    assert_eq!(events(&database), vec![("session.started".to_owned(), "Browser 1".to_owned()); 2]);
}

#[test]
fn the_oldest_of_too_many_is_dropped() {
    let database = opened();
    for number in 0..u64::from(MOST) + 3 {
        run(&database, number, &Command::SignedIn(session(number.into(), number, 10_000)));
    }
    let sessions = listed(&database, 100);
    assert_eq!(sessions.len(), 50);
    assert_eq!((sessions[0].signed_in, sessions[49].signed_in), (at(52), at(3)));
}

#[test]
fn use_is_noted_once_a_minute() {
    let database = opened();
    let known = session(1, 0, 10_000);
    run(&database, 0, &Command::SignedIn(known.clone()));
    let mut noted = Vec::new();
    for seconds in [59, 60, 61, 119, 120, 500] {
        assert_eq!(run(&database, seconds, &Command::SessionUsed(known.id.clone())), Outcome::Done);
        noted.push(listed(&database, seconds)[0].used);
    }
    assert_eq!(noted, [at(0), at(60), at(60), at(60), at(120), at(500)]);
    assert_eq!(run(&database, 500, &Command::SessionUsed(session(2, 0, 10_000).id)), Outcome::Done);
    assert_eq!(listed(&database, 500).len(), 1, "using makes no session");
}

#[test]
fn signing_out_twice_is_one_event() {
    let database = opened();
    run(&database, 0, &Command::SignedIn(session(1, 0, 100)));
    for number in [1, 1, 2] {
        assert_eq!(run(&database, 1, &Command::SignedOut(session(number, 0, 100).id)), Outcome::Done);
    }
    assert_eq!(listed(&database, 1), []);
    let browser = || "Browser 1".to_owned();
    assert_eq!(events(&database), [("session.ended".to_owned(), browser()), ("session.started".to_owned(), browser())]);
}

#[test]
fn a_session_counts_while_it_is_listed_and_no_longer() {
    let database = opened();
    let known = session(1, 0, 100);
    let counts = |number: u128, seconds| run(&database, seconds, &Command::InSession(session(number, 0, 0).id)) != Outcome::Nobody;
    assert!(!counts(1, 0), "its record may be there before its row");
    run(&database, 0, &Command::SignedIn(known.clone()));
    assert_eq!(run(&database, 99, &Command::InSession(known.id.clone())), Outcome::Person(person(&database)));
    assert!(!counts(2, 99), "another's");
    assert!(!counts(1, 100), "its time is over, though nobody has cleared it away");
    let again = session(3, 0, 200);
    run(&database, 0, &Command::SignedIn(again.clone()));
    run(&database, 1, &Command::SignedOut(again.id));
    assert!(!counts(3, 1));
    assert_eq!(database.query("SELECT id FROM session", 0).len(), 1, "asking lists none");
}

#[test]
fn the_session_that_is_one_too_many_does_not_count_any_more() {
    let database = opened();
    let counts = |number: u128| run(&database, 100, &Command::InSession(session(number, 0, 0).id)) != Outcome::Nobody;
    for number in 0..=u64::from(MOST) {
        run(&database, number, &Command::SignedIn(session(number.into(), number, 10_000)));
    }
    assert_eq!((counts(0), counts(1), counts(50)), (false, true, true));
}

#[test]
fn a_suspended_person_is_told_of_in_a_session_and_an_erased_one_is_nobody() {
    let database = opened();
    let known = session(1, 0, 1000);
    run(&database, 0, &Command::SignedIn(known.clone()));
    run(&database, 0, &Command::Suspend);
    let asked = run(&database, 1, &Command::InSession(known.id.clone()));
    assert!(matches!(asked, Outcome::Person(person) if person.suspended));
    run(&database, 1, &Command::Erase);
    assert_eq!(run(&database, 1, &Command::InSession(known.id)), Outcome::Nobody);
}
