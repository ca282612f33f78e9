//! Webhooks that take their time.

use postern::time::Ttl;
use postern::webhook::Hurry;
use serde_json::json;

use super::party::Party;
use super::webhooks::{answers, received, subscribe};
use crate::world::World;

const QUICK: &str = "https://quick.example.com/";
const SLOW: Ttl = Ttl::from_seconds(8);

/// Seconds of the clock.
fn now(world: &World) -> i64 {
    world.platform.now.get().seconds()
}

/// When the receiver at `url` was told each thing, in seconds of the clock.
fn times(world: &World, url: &str) -> Vec<i64> {
    received(world, url).iter().map(|sent| sent.headers["webhook-timestamp"].parse().unwrap()).collect()
}

/// Eight agents of one account with a webhook each that answers after eight seconds, and one whose webhook answers at once.
fn siblings<'w>(party: &Party<'w>) -> (Vec<(Party<'w>, String)>, Party<'w>) {
    let world = party.world;
    let slow = (1..=8).map(|number| {
        let (agent, url) = (party.child(number), format!("https://slow-{number}.example.com/"));
        answers(world, &url, 200);
        world.platform.slow.borrow_mut().insert(url.clone(), SLOW);
        subscribe(&agent, &url, &json!(["*"]));
        (agent, url)
    });
    let slow = slow.collect();
    let quick = party.child(100);
    answers(world, QUICK, 200);
    subscribe(&quick, QUICK, &json!(["*"]));
    (slow, quick)
}

#[test]
fn endpoints_that_answer_slowly_do_not_delay_those_of_others_that_do_not() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (slow, quick) = siblings(&party);
    let account = party.account();
    let ring = |meanwhile: &mut dyn FnMut(Ttl)| world.ring_slowly(account.as_str(), meanwhile);
    // Nobody knows yet that they are slow.
    slow.iter().for_each(|(agent, _)| agent.happen());
    (0..2).for_each(|_| ring(&mut |_| ()));
    assert!(slow.iter().all(|(_, url)| received(&world, url).len() == 1));
    for _ in 0..3 {
        slow.iter().for_each(|(agent, _)| agent.happen());
    }
    (0..5).for_each(|_| quick.happen());
    let begun = now(&world);
    let mut late = Vec::new();
    ring(&mut |rung| {
        if rung.millis().is_multiple_of(4000) && rung.seconds() <= 20 {
            quick.happen();
            late.push(now(&world));
        }
    });
    let told = times(&world, QUICK);
    assert_eq!(told[..5], [begun; 5], "at once, though the others have waited longer");
    assert!(late.len() == 5 && told.len() == 10, "{late:?} {told:?}");
    let waited: Vec<i64> = told[5..].iter().zip(&late).map(|(told, happened)| told - happened).collect();
    assert!(waited.iter().all(|waited| *waited <= 1), "what happens while the others take their time is told too: {waited:?}");
    let to_slow: usize = slow.iter().map(|(_, url)| received(&world, url).len() - 1).sum();
    assert!((6..=9).contains(&to_slow), "three at a time: {to_slow}");
    (0..5).for_each(|_| ring(&mut |_| ()));
    assert!(slow.iter().all(|(_, url)| received(&world, url).len() == 4), "they are told everything too");
}

#[test]
fn an_endpoint_that_was_slow_counts_as_quick_again_after_some_quick_answers() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (slow, _) = siblings(&party);
    let account = party.account();
    let ring = || world.ring_slowly(account.as_str(), |_| ());
    let (better, url) = &slow[0];
    slow.iter().for_each(|(agent, _)| agent.happen());
    (0..2).for_each(|_| ring());
    world.platform.slow.borrow_mut().remove(url);
    (0..9).for_each(|_| better.happen());
    ring();
    slow[1..].iter().for_each(|(agent, _)| agent.happen());
    better.happen();
    let begun = now(&world);
    ring();
    assert_eq!(times(&world, url).last(), Some(&begun));
}

#[test]
fn more_than_one_go_can_tell_waits_for_slow_endpoints_once_and_they_have_a_go_again() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let (slow, quick) = siblings(&party);
    let (account, hurry) = (party.account(), Hurry::default());
    slow.iter().for_each(|(agent, _)| agent.happen());
    (0..2).for_each(|_| world.ring_slowly(account.as_str(), |_| ()));
    let others: Vec<Party<'_>> = (0..12).map(|number| party.child(200 + number)).collect();
    for (number, other) in others.iter().enumerate() {
        let url = format!("https://other-{number}.example.com/");
        answers(&world, &url, 200);
        subscribe(other, &url, &json!(["*"]));
    }
    let to_slow = || slow.iter().map(|(_, url)| received(&world, url).len() - 1).sum::<usize>();
    slow.iter().for_each(|(agent, _)| agent.happen());
    for _ in 0..24 {
        others.iter().for_each(Party::happen);
        quick.happen();
    }
    let ring = || {
        let begun = now(&world);
        (world.ring_hurried(account.as_str(), &hurry, |_| ()), now(&world) - begun)
    };
    let (again, took) = ring();
    assert!(again && took <= 9, "whoever is slow and has begun is waited for: {took}");
    let begun = to_slow();
    assert!(begun <= 3, "nobody slow begins once the rest have had all that is theirs: {begun}");
    for go in 0..8 {
        assert_eq!((ring(), to_slow()), ((true, 0), begun), "{go}");
    }
    assert!(ring().1 >= 8 && to_slow() > begun, "then it is their turn");
    (0..4).for_each(|_| {
        ring();
    });
    assert_eq!(to_slow(), 8);
    assert_eq!(received(&world, QUICK).len(), 24);
}
