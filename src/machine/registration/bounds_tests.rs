//! No record grows without end, and a full one still does whatever ends something.

use super::claim::Path;
use super::one::{DAY, LINK, One, claim, digest, mailed, person};
use super::*;
use crate::machine::places::{MOST_BLOCKS, MOST_REVOKED};
use crate::machine::standing::RevokedToken;
use crate::machine::status_list::StatusList;

/// What a record may weigh, whatever has happened to it: an object's row holds 2 MB.
const HEAVY: usize = 128 * 1024;
const KEYS: usize = 16;
const EVENTS: usize = 64;

fn weight(one: &One) -> usize {
    serde_json::to_string(&one.record).unwrap().len()
}

fn begun(one: &One) -> usize {
    serde_json::to_value(one.record.as_ref().unwrap()).unwrap()["state"]["claim"]["begun"].as_array().unwrap().len()
}

/// Events that wait for the account.
fn untold(one: &One) -> usize {
    one.state().feed().map_or(0, |feed| feed.events.len())
}

fn add_key(one: &mut One, name: &str) -> Outcome {
    let generation = one.state().standing.generation;
    one.run(Command::AddKey { generation, key: (digest(name), None) })
}

fn with_key(one: &mut One, name: &str) -> Outcome {
    one.run(Command::Issue { proof: Proof::ApiKey { digests: vec![digest(name)] }, block: None })
}

fn revoke(one: &mut One, number: usize) {
    let until = one.now.plus(Ttl::from_seconds(900));
    let place = Block { list: 1, start: 2 * u32::try_from(number).unwrap(), len: 1 };
    one.run(Command::RevokeToken { token: RevokedToken { jti: format!("{number:022}"), until }, place: Some(place) });
}

#[test]
fn five_hundred_requests_for_one_subject_leave_what_the_last_hour_left() {
    let mut one = One::new();
    let (mut most, mut heaviest) = (0, Vec::new());
    for number in 0..500 {
        assert!(matches!(one.step_up(number, 1, 0), Outcome::Opened(..)), "ten an hour, so one in six minutes: {number}");
        one.later(361);
        most = most.max(begun(&one));
        heaviest.push(weight(&one));
    }
    assert!((1..=10).contains(&most), "{most}");
    assert_eq!(heaviest[100..200].iter().max(), heaviest[400..].iter().max(), "no heavier than at first");
}

#[test]
fn a_new_token_forgives_neither_attempts_nor_wrong_codes() {
    let mut one = One::new();
    for number in 0..10 {
        assert!(matches!(one.step_up(number, 1, 0), Outcome::Opened(..)));
    }
    let Outcome::Claim(ClaimRefusal::TooMany(wait)) = one.step_up(10, 1, 0) else { panic!("one too many") };
    one.later(wait.seconds());
    assert!(matches!(one.step_up(11, 1, 0), Outcome::Opened(..)));
    let mut one = One::new();
    for number in 0..10 {
        one.step_up(number, 1, 0);
        one.later(400);
        assert!(matches!(one.typed(number, 1, "wrong"), Outcome::Claim(_)));
    }
    assert!(matches!(one.step_up(10, 1, 0), Outcome::Claim(ClaimRefusal::TooMany(_))), "ten wrong codes, one an attempt");
}

#[test]
fn five_hundred_words_taken_back_leave_no_heap() {
    let mut one = One::new();
    let mut weights = Vec::new();
    for generation in 0..500 {
        assert!(matches!(one.vouch(1, generation), Outcome::Standing(_)));
        add_key(&mut one, &format!("key {generation}"));
        let proof = Proof::Assertion { generation: one.state().standing.generation, jti: None };
        let block = Block { list: 1, start: 16 * generation, len: 8 };
        one.run(Command::Issue { proof, block: Some((block, Ttl::from_seconds(900))) });
        one.event(generation + 1);
        one.settle();
        one.later(400);
        weights.push(weight(&one));
    }
    assert!(weights[499] <= weights[20] + 64, "{} {}", weights[20], weights[499]);
}

#[test]
fn an_account_that_never_answers_is_left_with_a_bounded_letter() {
    let mut one = One::new();
    for generation in 0..200 {
        one.vouch(1, generation);
        one.event(generation + 1);
        one.later(60);
    }
    assert_eq!(untold(&one), EVENTS);
    let feed = one.state().feed().unwrap();
    assert_eq!((feed.events.len(), feed.agent.ended.is_some()), (EVENTS, true), "how it stands now is told in any case");
    one.vouch(1, 200);
    assert!(one.is_live() && one.state().feed().unwrap().agent.ended.is_none());
    assert!(weight(&one) < HEAVY);
    one.settle();
    assert_eq!(untold(&one), 0);
}

#[test]
fn former_owners_whose_accounts_never_answer_are_bounded_too() {
    let mut one = One::new();
    for number in 0..200_usize {
        let who = u8::try_from(number % 2).unwrap() + 1;
        let generation = u32::try_from(number).unwrap();
        assert!(matches!(one.vouch(who, generation), Outcome::Standing(_)));
        one.event(generation + 1);
        one.later(60);
    }
    assert!(weight(&one) < HEAVY, "{}", weight(&one));
}

#[test]
fn the_seventeenth_key_takes_the_place_of_the_first() {
    let mut one = One::new();
    one.vouch(1, 0);
    for number in 0..KEYS {
        add_key(&mut one, &format!("key {number}"));
    }
    assert!((0..KEYS).all(|number| matches!(with_key(&mut one, &format!("key {number}")), Outcome::Issue(_, Some(_)))));
    add_key(&mut one, "one more");
    assert!(matches!(with_key(&mut one, "key 0"), Outcome::Refused));
    assert!(matches!(with_key(&mut one, "key 1"), Outcome::Issue(..)) && matches!(with_key(&mut one, "one more"), Outcome::Issue(..)));
    let standing = &one.state().standing;
    assert_eq!(standing.credentials.len(), KEYS);
    let ids: std::collections::BTreeSet<u32> = standing.credentials.iter().map(|key| key.id).collect();
    assert_eq!(ids.len(), KEYS, "no number comes twice, so no token of the first is one of the last");
}

#[test]
fn the_last_token_that_is_revoked_by_itself_leaves_the_others_alone() {
    let mut one = One::new();
    one.vouch(1, 0);
    for number in 0..MOST_REVOKED {
        revoke(&mut one, number);
    }
    let at = one.now.seconds();
    let standing = one.state().standing.clone();
    assert!((0..MOST_REVOKED).all(|number| standing.has_revoked(&format!("{number:022}"), at)));
    assert!(!standing.has_revoked("another", at) && standing.epoch == 1, "only the claim itself has marked places");
    revoke(&mut one, 0);
    assert!(!one.state().standing.has_revoked("another", at), "a repeat is none more");
    revoke(&mut one, MOST_REVOKED);
    assert!(one.state().standing.has_revoked("another", at));
}

/// All lists as long as they get, and nobody has been told of anything.
fn full(claimed: bool) -> One {
    let mut one = One::new();
    if claimed {
        for generation in 0..40 {
            one.vouch(1, generation);
            one.event(generation + 1);
        }
        one.vouch(1, 40);
        for number in 0..=KEYS {
            add_key(&mut one, &format!("key {number}"));
        }
    } else {
        let (key, claim) = (Some((digest("key 1"), None)), Some(claim("claim", None)));
        one.run(Command::Open { ttl: DAY, key, said: Said::default(), idempotency: None, kind: Kind::Anonymous, claim });
        for number in 0..9 {
            assert!(matches!(one.run(Command::Begin { token: vec![digest("claim")], attempt: mailed(number, 1) }), Outcome::Begun { .. }));
        }
    }
    let generation = one.state().standing.generation;
    for number in 0..400 {
        let block = Block { list: 2, start: 16 * number, len: 8 };
        let proof = Proof::Assertion { generation, jti: None };
        one.run(Command::Issue { proof, block: Some((block, Ttl::from_seconds(86400))) });
    }
    for number in 0..MOST_REVOKED {
        revoke(&mut one, number);
    }
    assert!(weight(&one) < HEAVY, "{}", weight(&one));
    one
}

#[test]
fn a_full_record_still_takes_a_claim() {
    let full = full(false);
    let mut one = full.clone();
    one.run(Command::Begin { token: vec![digest("claim")], attempt: mailed(9, 1) });
    assert!(matches!(
        one.run(Command::Begin { token: vec![digest("claim")], attempt: mailed(10, 1) }),
        Outcome::Claim(ClaimRefusal::TooMany(_))
    ));
    assert!(matches!(one.typed(9, 1, "typed 9"), Outcome::Approved(_)));
    assert!(matches!(one.run(Command::Poll { token: vec![digest("claim")] }), Outcome::Ready { .. }));
    let (token, generation, sealed, assertion) = (vec![digest("claim")], one.state().standing.generation, "sealed".into(), "jti".into());
    let (refresh, key) = (Some((0, digest("refresh"))), Some((digest("new key"), None)));
    let deliver = Command::Deliver { token, path: Path::Typed, generation, sealed, assertion, refresh, key };
    assert!(matches!(one.run(deliver), Outcome::Delivered(_)));
    assert!(matches!(with_key(&mut one, "new key"), Outcome::Issue(standing, stamp) if standing.claimed && !standing.is_limited(stamp)));
    assert!(matches!(with_key(&mut one, "key 1"), Outcome::Issue(standing, stamp) if standing.is_limited(stamp)));
    assert!(one.state().standing.revoked.is_empty() && weight(&one) < HEAVY);
    one.settle();

    let mut one = full;
    one.later(601);
    let (registration, said) = (RegistrationId::from_bytes([9; 16]), Said::default());
    let vouch = Vouch { link: LINK.into(), generation: 0, issuer: "https://p".into(), person: person(1), registration, said };
    assert!(
        matches!(one.run(Command::ClaimVouched { token: vec![digest("claim")], vouch }), Outcome::Standing(standing) if standing.claimed)
    );
    one.event(1);
    assert!(!one.is_live());
}

#[test]
fn a_full_record_still_ends_by_whoever_may_end_it() {
    let full = full(true);
    assert_eq!(untold(&full), EVENTS);
    let generation = full.state().standing.generation;
    let ways = [
        Command::EndLink { link: LINK.into(), generation: 41 },
        Command::EndBy(person(1)),
        Command::EndByOperator,
        Command::End { generation },
    ];
    for way in ways {
        let name = format!("{way:?}");
        let mut one = full.clone();
        assert!(matches!(one.run(way), Outcome::Standing(standing) if standing.ended), "{name}");
        assert!(!one.is_live() && matches!(with_key(&mut one, "key 5"), Outcome::Refused), "{name}");
        assert!(one.state().feed().unwrap().agent.ended.is_some(), "{name}: its owner hears of it, if not why");
        let lists: Vec<usize> = one.state().due(one.now).iter().filter_map(marks).collect();
        assert_eq!(lists.iter().sum::<usize>(), 400 + MOST_REVOKED, "{name}: every place is marked");
        one.settle();
        assert!(weight(&one) < 4096, "{name}: and then there is room");
    }
}

fn marks(effect: &Effect<Command>) -> Option<usize> {
    match effect {
        Effect::Tell { kind: StatusList::KIND, command, .. } => command["Mark"]["blocks"].as_array().map(Vec::len),
        _ => None,
    }
}

#[test]
fn a_full_record_still_ends_one_token_and_one_key() {
    let mut one = full(true);
    let at = one.now.seconds();
    revoke(&mut one, MOST_REVOKED);
    assert!(one.state().standing.has_revoked(&format!("{MOST_REVOKED:022}"), at));
    assert!(matches!(with_key(&mut one, "key 5"), Outcome::Issue(..)));
    let id = one.state().standing.credentials.iter().find(|key| key.digest.same(&digest("key 5"))).unwrap().id;
    one.run(Command::RevokeCredential { id });
    assert!(matches!(with_key(&mut one, "key 5"), Outcome::Refused) && matches!(with_key(&mut one, "key 6"), Outcome::Issue(..)));
    assert!(one.is_live());
}

fn with_block(one: &mut One, number: u32) -> Outcome {
    let block = Block { list: 2, start: 16 * number, len: 8 };
    let proof = Proof::Assertion { generation: one.state().standing.generation, jti: None };
    one.run(Command::Issue { proof, block: Some((block, Ttl::from_seconds(900))) })
}

#[test]
fn a_record_that_remembers_very_many_places_takes_no_more_until_some_are_over_and_every_revocation() {
    let most = u32::try_from(MOST_BLOCKS).unwrap();
    let mut one = One::new();
    one.vouch(1, 0);
    // As if these had been issued one after the other, which takes a test too long.
    let until = one.now.plus(Ttl::from_seconds(900));
    let blocks = (0..most - 1).map(|number| (Block { list: 2, start: 16 * number, len: 8 }, until));
    one.record.as_mut().unwrap().state.blocks = blocks.collect();
    assert!(matches!(with_block(&mut one, most - 1), Outcome::Issue(..)));
    assert!(matches!(with_block(&mut one, most), Outcome::Full));
    let proof = Proof::Assertion { generation: one.state().standing.generation, jti: None };
    assert!(matches!(one.run(Command::Issue { proof, block: None }), Outcome::Issue(..)), "places that were had before can be used");
    revoke(&mut one, 1);
    let ways = [Command::EndByOperator, Command::EndBy(person(1)), Command::EndLink { link: LINK.into(), generation: 1 }];
    for way in ways {
        let mut one = one.clone();
        one.run(way);
        assert!(!one.is_live() && weight(&one) < 8 * HEAVY);
        let places: usize = one.state().due(one.now).iter().filter_map(marks).sum();
        assert_eq!(places, MOST_BLOCKS + 1);
    }
    one.later(901);
    assert!(matches!(with_block(&mut one, most), Outcome::Issue(..)));
}

#[test]
fn tokens_revoked_one_by_one_while_no_list_answers_leave_no_heap() {
    let mut one = One::new();
    one.vouch(1, 0);
    one.record.as_mut().unwrap().state.marks =
        (0..u32::try_from(MOST_BLOCKS).unwrap()).map(|number| Block { list: 1, start: 2 * number, len: 1 }).collect();
    let block = Block { list: 2, start: 0, len: 8 };
    one.record.as_mut().unwrap().state.blocks.push((block, one.now.plus(Ttl::from_seconds(900))));
    let place = |start| Some(Block { list: 2, start, len: 1 });
    for start in 0..8 {
        let token = RevokedToken { jti: start.to_string(), until: one.now.plus(Ttl::from_seconds(900)) };
        one.run(Command::RevokeToken { token, place: place(start) });
        assert!(one.state().standing.has_revoked(&start.to_string(), one.now.seconds()));
    }
    let places: usize = one.state().due(one.now).iter().filter_map(marks).sum();
    assert_eq!(places, MOST_BLOCKS + 1, "the whole block is marked instead");
    assert!(one.state().blocks.is_empty());
}

#[test]
fn however_many_owners_it_had_a_record_stays_small() {
    let mut one = One::new();
    for who in 1..=200 {
        assert!(matches!(one.vouch(who, u32::from(who)), Outcome::Standing(_)));
        one.later(60);
    }
    assert!(weight(&one) < HEAVY, "{}", weight(&one));
    let told: Vec<String> = one.feeds().into_iter().map(|(id, ..)| id).collect();
    let newest: Vec<String> = (184..=200).map(|who| person(who).to_string()).collect();
    assert_eq!(told, newest, "the last sixteen, and whose it is");
    one.event(201);
    assert!(!one.is_live());
    one.settle();
}
