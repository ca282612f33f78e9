use std::collections::BTreeMap;

use postern::account::{Agent, Command, Feed, KIND, Outcome, PersonalKey};
use postern::id::AccountId;
use postern::store::{Accounts, Cells};
use proptest::prelude::*;

use super::{agent, at, events, feed, happened, open, opened, person, registration, run};
use crate::sqlite::Database;
use crate::world::{World, block};

fn listed(database: &Database, live: bool) -> Vec<Agent> {
    match run(database, 0, &Command::Agents { after: None, limit: 100, live }) {
        Outcome::Agents(agents, false) => agents,
        other => panic!("{other:?}"),
    }
}

/// The state of `number` at `sequence`, all of it different from one to the next.
fn state(number: u8, sequence: u64) -> Feed {
    let agent = Agent {
        kind: if sequence.is_multiple_of(2) { "anonymous" } else { "identity_assertion" }.to_owned(),
        name: (!sequence.is_multiple_of(3)).then(|| format!("Name {sequence}")),
        provider: (!sequence.is_multiple_of(4)).then(|| format!("https://provider{sequence}.example")),
        created: at(sequence),
        used: (!sequence.is_multiple_of(5)).then(|| at(sequence + 2)),
        ended: sequence.is_multiple_of(3).then(|| at(sequence + 3)),
        key: sequence
            .is_multiple_of(2)
            .then(|| PersonalKey { scope: "api.read".parse().unwrap(), expires: (sequence > 4).then(|| at(sequence)) }),
        ..agent(number, sequence + 1)
    };
    Feed { sequence, agent, events: vec![happened(&format!("agent.{number}.{sequence}"), Some(registration(number)), sequence)] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_the_highest_sequence_stands(tellings in prop::collection::vec((1_u8..5, 0_u64..12), 0..60)) {
        let database = opened();
        let mut highest: BTreeMap<u8, u64> = BTreeMap::new();
        let mut heard = Vec::new();
        for (number, sequence) in tellings {
            if highest.get(&number).is_none_or(|known| *known < sequence) {
                highest.insert(number, sequence);
                heard.push(format!("agent.{number}.{sequence}"));
            }
            prop_assert_eq!(run(&database, 0, &Command::Feed(state(number, sequence))), Outcome::Done);
        }
        let mut expected: Vec<Agent> = highest.iter().map(|(number, sequence)| state(*number, *sequence).agent).collect();
        expected.sort_by(|a, b| (b.claimed, &b.registration).cmp(&(a.claimed, &a.registration)));
        prop_assert_eq!(&listed(&database, false), &expected);
        expected.retain(|agent| agent.ended.is_none());
        prop_assert_eq!(person(&database).agents as usize, expected.len());
        prop_assert_eq!(&listed(&database, true), &expected);
        let told: Vec<String> = events(&database).into_iter().rev().map(|(name, _)| name).collect();
        prop_assert_eq!(told, heard);
    }
}

#[test]
fn a_feed_comes_to_the_account_from_an_outbox_too() {
    let world = World::new(&[]);
    let id = AccountId::from_bytes([1; 16]);
    let telling = serde_json::to_value(feed(1, agent(1, 0), &["agent.claimed"])).unwrap();
    block(world.platform.tell(KIND, id.as_str(), telling.clone())).unwrap();
    let ask = |command| block(world.platform.account(&id, command)).unwrap();
    assert_eq!(ask(Command::Look), Outcome::Nobody);
    ask(open(Some("ada@example.com"), None));
    block(world.platform.tell(KIND, id.as_str(), telling)).unwrap();
    let Outcome::Person(person) = ask(Command::Look) else { panic!("there is somebody") };
    assert_eq!(person.agents, 1);
    let other = block(world.platform.account(&AccountId::from_bytes([2; 16]), Command::Look)).unwrap();
    assert_eq!(other, Outcome::Nobody, "each account has tables of its own");
}

#[test]
fn a_sequence_that_a_double_cannot_hold_is_an_error_and_changes_nothing() {
    let database = opened();
    let before = database.dump();
    assert!(database.command(&feed(1 << 53, agent(1, 0), &["agent.claimed"]), at(0)).is_err());
    assert_eq!(database.dump(), before);
    assert_eq!(run(&database, 0, &feed((1 << 53) - 1, agent(1, 0), &[])), Outcome::Done);
    assert_eq!(run(&database, 0, &feed((1 << 53) - 2, agent(1, 5), &[])), Outcome::Done);
    assert_eq!(listed(&database, false), [agent(1, 0)]);
}
