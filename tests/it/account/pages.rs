use postern::account::event::KEPT;
use postern::account::{Agent, Command, Event, Outcome};
use proptest::prelude::*;

use super::{agent, at, feed, happened, opened, registration, run};
use crate::sqlite::Database;

fn agents(database: &Database, after: Option<u8>, limit: u32, live: bool) -> (Vec<Agent>, bool) {
    match run(database, 0, &Command::Agents { after: after.map(registration), limit, live }) {
        Outcome::Agents(agents, more) => (agents, more),
        other => panic!("{other:?}"),
    }
}

fn events(database: &Database, before: Option<u64>, limit: u32) -> (Vec<(u64, Event)>, bool) {
    match run(database, 0, &Command::Events { before, limit }) {
        Outcome::Events(events, more) => (events, more),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_agents_lose_and_repeat_none(
        claims in prop::collection::vec((0_u64..6, any::<bool>()), 0..40),
        limit in 1_u32..12,
        live: bool,
    ) {
        let database = opened();
        let mut expected = Vec::new();
        for (number, (claimed, ended)) in (0_u8..).zip(claims) {
            let agent = Agent { ended: ended.then(|| at(9)), ..agent(number, claimed) };
            run(&database, 0, &feed(1, agent.clone(), &[]));
            expected.push((number, agent));
        }
        expected.retain(|(_, agent)| !live || agent.ended.is_none());
        expected.sort_by(|(_, a), (_, b)| (b.claimed, &b.registration).cmp(&(a.claimed, &a.registration)));
        let mut after = None;
        let mut rest = &expected[..];
        loop {
            let (page, more) = agents(&database, after, limit, live);
            let (now, later) = rest.split_at(page.len());
            prop_assert!(page.iter().eq(now.iter().map(|(_, agent)| agent)));
            prop_assert_eq!(more, !later.is_empty());
            prop_assert!(!more || page.len() == limit as usize);
            rest = later;
            match now.last() {
                Some((number, _)) if more => after = Some(*number),
                _ => break,
            }
        }
    }

    #[test]
    fn pages_of_events_lose_and_repeat_none(count in 0_usize..40, limit in 1_u32..12) {
        let database = opened();
        for number in 0..count {
            run(&database, 0, &Command::Note(happened(&format!("agent.{number}"), Some(registration(1)), 1)));
        }
        let (mut before, mut names) = (None, Vec::new());
        loop {
            let (page, more) = events(&database, before, limit);
            prop_assert!(!more || page.len() == limit as usize);
            before = page.last().map(|(number, _)| *number);
            names.extend(page.into_iter().map(|(_, event)| event.name));
            if !more {
                break;
            }
        }
        let expected: Vec<String> = (0..count).rev().map(|number| format!("agent.{number}")).collect();
        prop_assert_eq!(names, expected);
    }
}

#[test]
fn an_event_comes_back_as_it_went() {
    let database = opened();
    let (about, plain) = (happened("agent.claimed", Some(registration(1)), 7), happened("mail.sent", None, 3));
    run(&database, 0, &Command::Note(about.clone()));
    run(&database, 0, &Command::Note(plain.clone()));
    assert_eq!(events(&database, None, 9), (vec![(2, plain), (1, about)], false));
}

#[test]
fn limits_are_kept_within_one_and_a_hundred() {
    let database = opened();
    for number in 0..120 {
        run(&database, 0, &feed(1, agent(number, 0), &["agent.claimed"]));
    }
    for (asked, given) in [(0, 1), (1, 1), (100, 100), (101, 100), (u32::MAX, 100)] {
        assert_eq!(agents(&database, None, asked, false).0.len(), given);
        assert_eq!(events(&database, None, asked).0.len(), given);
    }
    assert_eq!(events(&database, Some(u64::MAX), 1).0[0].0, 120);
    assert_eq!(events(&database, Some(0), 1), (Vec::new(), false));
}

#[test]
fn after_an_agent_that_is_not_known_there_is_nothing() {
    let database = opened();
    run(&database, 0, &feed(1, agent(1, 0), &[]));
    assert_eq!(agents(&database, Some(2), 10, false), (Vec::new(), false));
}

#[test]
fn the_newest_events_are_kept_and_numbers_go_on() {
    let database = opened();
    let names: Vec<String> = (0..KEPT + 5).map(|number| format!("agent.{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    run(&database, 0, &feed(1, agent(1, 0), &names));
    let rows = || database.query("SELECT number FROM event", 0).len();
    assert_eq!(rows(), 2000);
    run(&database, 0, &Command::Note(happened("agent.last", None, 0)));
    assert_eq!(rows(), 2000);
    let (newest, _) = events(&database, None, 2);
    assert_eq!((newest[0].0, &*newest[0].1.name), (2006, "agent.last"));
    assert_eq!((newest[1].0, &*newest[1].1.name), (2005, "agent.2004"));
    let (oldest, more) = events(&database, Some(9), 10);
    assert_eq!((oldest.len(), oldest[1].0, more), (2, 7, false));
}
