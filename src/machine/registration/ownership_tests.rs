//! Whose a registration is, who is told of it, and what a word of before is worth.

use super::one::{DAY, LINK, One, attempt, claim, digest, mailed, person};
use super::*;
use crate::account::Feed;
use serde_json::json;

#[test]
fn whatever_raises_the_generation_ends_the_repeating_of_the_request() {
    type Way = (&'static str, fn(&mut One));
    let ways: [Way; 6] = [
        ("typed", |one| {
            one.run(Command::Begin { token: vec![digest("claim")], attempt: mailed(1, 1) });
            one.typed(1, 1, "typed 1");
        }),
        ("vouched attempt", |one| {
            one.run(Command::Begin { token: vec![digest("claim")], attempt: attempt(1, 1, 0) });
            one.typed(1, 1, "typed 1");
        }),
        ("ID-JAG", |one| {
            let (registration, said) = (RegistrationId::from_bytes([9; 16]), Said::default());
            let vouch = Vouch { link: LINK.into(), generation: 0, issuer: "https://p".into(), person: person(1), registration, said };
            one.run(Command::ClaimVouched { token: vec![digest("claim")], vouch });
        }),
        ("the agent", |one| drop(one.run(Command::End { generation: 0 }))),
        ("the operator", |one| drop(one.run(Command::EndByOperator))),
        ("nothing", |_| {}),
    ];
    for (way, end) in ways {
        let mut one = One::new();
        let open = || {
            let idempotency = Some(("request".to_owned(), "salt".to_owned(), Ttl::from_seconds(600)));
            let claim = Some(claim("claim", None));
            Command::Open { ttl: DAY, key: None, said: Said::default(), idempotency, kind: Kind::Anonymous, claim }
        };
        one.run(open());
        assert!(matches!(one.run(Command::Recall { request: "request".into() }), Outcome::Opened(..)));
        end(&mut one);
        let standing = one.state().standing.clone();
        assert_eq!(standing.generation, u32::from(way != "nothing"), "{way}");
        let again = [one.run(Command::Recall { request: "request".into() }), one.run(open())];
        if way == "nothing" {
            assert!(again.iter().all(|outcome| matches!(outcome, Outcome::Opened(..))));
        } else {
            assert!(again.iter().all(|outcome| matches!(outcome, Outcome::Conflict)), "{way}: {again:?}");
        }
        assert_eq!(one.state().standing.generation, standing.generation, "{way}: and repeating changes nothing");
    }
}

#[test]
fn an_agent_that_is_asked_for_anew_is_gone_from_its_former_owners_list() {
    let mut one = One::new();
    one.vouch(1, 0);
    one.settle();
    assert!(matches!(one.step_up(1, 2, 1), Outcome::Opened(..)));
    for later in 0..3 {
        let feeds = one.feeds();
        let [(id, feed, _)] = feeds.as_slice() else { panic!("{feeds:?}") };
        assert_eq!((id.as_str(), feed.agent.ended.is_some()), (person(1).as_str(), true));
        assert_eq!(feed.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["agent.revoked"]);
        assert_eq!(one.state().wakes_at(), Some(Timestamp::from_millis(0)), "at once, and again until it is heard");
        // Nobody answered: whatever else happens, it stays to be told.
        match later {
            0 => drop(one.step_up(2, 2, 1)),
            1 => drop(one.run(Command::Poll { token: vec![digest("claim 2")] })),
            _ => {}
        }
    }
    assert!(matches!(one.typed(2, 2, "typed 2"), Outcome::Approved(_)));
    let ids: Vec<(String, bool)> = one.feeds().into_iter().map(|(id, feed, _)| (id, feed.agent.ended.is_some())).collect();
    assert_eq!(ids, [(person(1).to_string(), true), (person(2).to_string(), false)], "one hears that it ended, the other that it began");
    one.settle();
}

#[test]
fn every_former_owner_hears_of_it() {
    let mut one = One::new();
    for (number, who) in [1, 2, 3].into_iter().enumerate() {
        one.step_up(number, who, 0);
        assert!(matches!(one.typed(number, who, &format!("typed {number}")), Outcome::Approved(_)));
        one.run(Command::LinkTold(u64::MAX));
    }
    one.step_up(9, 4, 0);
    let mut left: Vec<String> = one.feeds().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(left, [1, 2, 3].map(|who| person(who).to_string()));
    while let Some((_, feed, then)) = one.feeds().into_iter().next() {
        assert!(feed.agent.ended.is_some());
        let again = serde_json::from_str(&serde_json::to_string(&then).unwrap()).unwrap();
        one.run(then);
        // An answer that comes twice settles no more than it did.
        one.run(again);
        left.remove(0);
        assert_eq!(one.feeds().into_iter().map(|(id, ..)| id).collect::<Vec<_>>(), left);
    }
    one.settle();
}

#[test]
fn the_new_owner_hears_nothing_of_the_former_ones() {
    for asked in [true, false] {
        let mut one = One::new();
        one.vouch(1, 0);
        let proof = Proof::Assertion { generation: one.state().standing.generation, jti: None };
        one.run(Command::Issue { proof, block: None });
        // The provider takes back its word and names another person, and no account has answered yet.
        one.event(1);
        one.later(60);
        if asked {
            one.step_up(1, 2, 1);
            one.typed(1, 2, "typed 1");
        } else {
            assert!(matches!(one.vouch(2, 1), Outcome::Standing(_)));
        }
        let feeds = one.feeds();
        let of = |who: u8| feeds.iter().find(|(id, ..)| *id == person(who).to_string()).map(|(_, feed, _)| feed).unwrap();
        assert_eq!(of(1).events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["agent.claimed", "agent.revoked"]);
        assert!(of(1).agent.ended.is_some() && of(2).agent.ended.is_none());
        assert_eq!(of(2).events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["agent.claimed"], "asked: {asked}");
        assert_eq!(of(2).agent.used, None, "asked: {asked}");
        one.settle();
    }
}

#[test]
fn what_a_link_was_told_settles_nothing_newer() {
    let mut one = One::new();
    one.step_up(1, 1, 0);
    one.typed(1, 1, "typed 1");
    let [(bind, told)] = <[_; 1]>::try_from(one.for_link()).unwrap();
    assert_eq!(bind, json!({ "Bind": { "person": person(1), "generation": 0 } }));
    serde_json::from_value::<crate::machine::link::Command>(bind).unwrap();
    // While the link is told of the person, the person takes the agent back.
    one.run(Command::EndBy(person(1)));
    let again = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
    one.run(told);
    let [(unbind, last)] = <[_; 1]>::try_from(one.for_link()).unwrap();
    assert_eq!(unbind, json!("Unbind"));
    assert!(one.state().wakes_at().is_some());
    one.run(last);
    assert!(one.for_link().is_empty());
    one.run(again);
    one.settle();
}

#[test]
fn a_word_of_before_the_event_does_not_count_however_late_it_comes() {
    let mut one = One::new();
    one.vouch(1, 0);
    one.event(1);
    assert!(!one.is_live());
    assert!(matches!(one.vouch(1, 0), Outcome::Refused));
    assert!(matches!(one.step_up(1, 1, 0), Outcome::Refused));
    assert!(!one.is_live());
    // After the record has passed through a request of after it, too.
    one.step_up(2, 1, 1);
    assert!(matches!(one.vouch(1, 0), Outcome::Refused));
    assert!(matches!(one.run(Command::Begin { token: vec![digest("claim 2")], attempt: attempt(3, 1, 0) }), Outcome::Claim(_)));
}

#[test]
fn of_two_events_the_later_one_decides_in_whichever_order_they_come() {
    let mut one = One::new();
    one.vouch(1, 0);
    one.event(2);
    one.event(1);
    assert!(matches!(one.vouch(1, 1), Outcome::Refused), "it was said before the second event");
    assert!(!one.is_live());
}

#[test]
fn an_event_that_comes_late_ends_nothing_that_was_said_after_it() {
    let mut one = One::new();
    one.vouch(1, 0);
    // The link was cut, but its registration did not answer; the person is asked and confirms, and only then it hears of the event.
    one.step_up(1, 1, 1);
    let mut waiting = one.clone();
    waiting.event(1);
    assert!(matches!(waiting.typed(1, 1, "typed 1"), Outcome::Approved(_)), "the question is of after the event");
    one.typed(1, 1, "typed 1");
    one.event(1);
    assert!(one.is_live(), "the answer is of after the event");
    one.event(2);
    assert!(!one.is_live());
}

#[test]
fn a_word_of_after_the_event_ends_what_was_said_before_it_if_nobody_else_has() {
    let mut one = One::new();
    one.vouch(1, 0);
    let generation = one.state().standing.generation;
    one.run(Command::AddKey { generation, key: (digest("key"), None) });
    one.later(60);
    assert!(matches!(one.vouch(1, 1), Outcome::Standing(_)));
    let standing = &one.state().standing;
    assert!(one.is_live() && standing.generation > generation && standing.credentials.is_empty(), "nothing of before the event counts");
    one.event(1);
    assert!(one.is_live(), "the word is of after the event");
    // Nor is anybody let in by a word of before, whomever it named.
    assert!(matches!(one.vouch(2, 0), Outcome::Refused) && matches!(one.step_up(1, 2, 0), Outcome::Refused));
    assert!(one.is_live() && one.state().ownership.is_of(&person(1)));
}

#[test]
fn an_event_ends_a_question_whose_mail_failed() {
    let mut one = One::new();
    one.step_up(1, 1, 0);
    one.later(601);
    let begin = |number| Command::Begin { token: vec![digest("claim 1")], attempt: mailed(number, 1) };
    one.run(begin(2));
    one.run(Command::Withdraw(mailed(2, 1).id));
    one.event(1);
    assert!(matches!(one.run(begin(3)), Outcome::Claim(ClaimRefusal::Revoked)), "the provider's word goes with every attempt");
}

#[test]
fn a_former_owner_whose_account_answers_late_hears_of_all_their_times_at_once() {
    let mut one = One::new();
    for (generation, who) in [1, 2, 1, 2].into_iter().enumerate() {
        one.vouch(who, u32::try_from(generation).unwrap());
        one.later(60);
    }
    let feeds = one.feeds();
    let names = |feed: &Feed| feed.events.iter().map(|event| event.name.clone()).collect::<Vec<_>>();
    let [(first, ada, _), (second, bob, told), (third, now, _)] = feeds.as_slice() else { panic!("{feeds:?}") };
    assert_eq!([first, second, third].map(String::as_str), [2, 1, 2].map(|who| person(who).to_string()).each_ref().map(String::as_str));
    assert_eq!(names(bob), ["agent.claimed", "agent.revoked", "agent.claimed", "agent.revoked"]);
    assert_eq!((names(ada), names(now)), (names(bob)[..2].to_vec(), names(bob)[..1].to_vec()));
    // One hears of it before the other.
    let told = serde_json::from_str(&serde_json::to_string(told).unwrap()).unwrap();
    one.run(told);
    assert_eq!(one.feeds().iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>(), [2, 2].map(|who| person(who).to_string()));
}
