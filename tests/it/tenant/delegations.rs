use postern::id::AccountId;
use postern::tenant::{Delegation, DelegationStatus, Outcome, Refused, What};

use super::{ROOT, at, by, command, delegation, dlg, family, own, refused, reg, run};
use crate::sqlite::Database;

fn put(delegation: Delegation) -> What {
    What::PutDelegation(Box::new(delegation))
}

fn list(active_only: bool) -> What {
    What::Delegations { active_only, limit: 100, offset: 0 }
}

fn ids(outcome: Outcome) -> (Vec<u32>, u64) {
    match outcome {
        Outcome::Delegations(found, total) => {
            (found.iter().map(|each| (0..1000).find(|number| dlg(*number) == each.id).unwrap()).collect(), total)
        }
        other => panic!("{other:?}"),
    }
}

fn peers(database: &Database, seconds: u64, caller: u32, of: u32) -> Vec<u32> {
    match run(database, seconds, command(Some(caller), What::Peers(reg(of)))) {
        Outcome::Peers(peers) => peers.iter().map(|peer| super::number(&peer.agent)).collect(),
        other => panic!("{other:?}"),
    }
}

fn elsewhere() -> Option<AccountId> {
    Some(AccountId::from_bytes([7; 16]))
}

#[test]
fn a_telling_that_comes_late_or_twice_changes_nothing() {
    let database = family();
    let first = Delegation { upstream: vec![dlg(8), dlg(9)], chain_depth: 3, ..delegation(1, 2, 3) };
    let second = Delegation { sequence: 3, status: DelegationStatus::Revoked, revoked: Some(at(5)), updated: at(5), ..first.clone() };
    assert_eq!(own(&database, put(first.clone())), Outcome::Delegation(Box::new(first.clone()), true));
    assert_eq!(own(&database, put(first.clone())), Outcome::Delegation(Box::new(first.clone()), false));
    assert_eq!(own(&database, put(second.clone())), Outcome::Delegation(Box::new(second.clone()), true));
    for late in [first, Delegation { sequence: 2, ..second.clone() }, Delegation { sequence: 9, delegate: reg(4), ..second.clone() }] {
        assert_eq!(own(&database, put(late)), Outcome::Delegation(Box::new(second.clone()), false));
    }
    assert_eq!(by(&database, 3, What::Delegation(dlg(1))), Outcome::Delegation(Box::new(second), false));
}

#[test]
fn only_the_delegation_itself_tells_how_it_stands() {
    let database = family();
    assert_eq!(refused(&by(&database, ROOT, put(delegation(1, 1, 2)))), Refused::Forbidden);
}

#[test]
fn both_sides_and_who_is_above_them_see_it() {
    let database = family();
    own(&database, put(delegation(1, 4, 3)));
    for (caller, sees) in [(1, true), (2, true), (3, true), (4, true), (5, false)] {
        let seen = by(&database, caller, What::Delegation(dlg(1)));
        assert_eq!(matches!(seen, Outcome::Delegation(..)), sees, "{caller}");
        assert_eq!(ids(by(&database, caller, list(false))), if sees { (vec![1], 1) } else { (vec![], 0) });
        if !sees {
            assert_eq!(seen, by(&database, caller, What::Delegation(dlg(9))), "as if it were not there");
        }
    }
    assert_eq!(ids(own(&database, list(true))), (vec![1], 1), "it is listed once though both sides are here");
}

#[test]
fn those_that_count_are_the_active_ones_that_have_not_expired() {
    let database = family();
    let put = |number, status, expires| own(&database, put(Delegation { status, expires, ..delegation(number, 2, 3) }));
    put(1, DelegationStatus::Active, Some(at(100)));
    put(2, DelegationStatus::Active, None);
    put(3, DelegationStatus::Pending, None);
    put(4, DelegationStatus::Declined, None);
    put(5, DelegationStatus::Revoked, None);
    put(6, DelegationStatus::Active, Some(at(50)));
    let counting = |seconds| ids(run(&database, seconds, command(Some(2), list(true))));
    assert_eq!(counting(49), (vec![6, 1, 2], 3));
    assert_eq!(counting(50), (vec![1, 2], 2));
    assert_eq!(counting(100), (vec![2], 1));
    assert_eq!(ids(by(&database, 2, list(false))), ((1..=6).collect(), 6));
    let page = What::Delegations { active_only: true, limit: 1, offset: 1 };
    assert_eq!(ids(by(&database, 2, page)), (vec![1], 3), "the total counts all pages");
}

#[test]
fn peers_are_found_over_what_counts_both_ways_and_further() {
    let database = family();
    own(&database, put(delegation(1, 3, 5)));
    own(&database, put(delegation(2, 2, 3)));
    own(&database, put(Delegation { peer: elsewhere(), ..delegation(3, 60, 2) }));
    own(&database, put(Delegation { peer: elsewhere(), ..delegation(4, 60, 4) }));
    own(&database, put(Delegation { status: DelegationStatus::Pending, peer: elsewhere(), ..delegation(5, 61, 5) }));
    assert_eq!(peers(&database, 0, 5, 5), [3, 2, 60], "not 4: what is elsewhere is not gone through, and 61 was not accepted");
    assert_eq!(peers(&database, 0, ROOT, 4), [60]);
    assert_eq!(peers(&database, 3600, 5, 5), [0; 0], "an expired delegation connects nobody");
    assert_eq!(refused(&by(&database, 5, What::Peers(reg(3)))), Refused::Missing, "a peer's peers are its own affair");
}

#[test]
fn the_links_below_one_are_found() {
    let database = family();
    own(&database, put(delegation(1, 1, 2)));
    for (number, to) in [(2, 3), (3, 4)] {
        own(&database, put(Delegation { upstream: vec![dlg(1)], chain_depth: 2, ..delegation(number, 2, to) }));
    }
    own(&database, put(Delegation { upstream: vec![dlg(1), dlg(3)], chain_depth: 3, ..delegation(4, 4, 5) }));
    let below = |id, limit, offset| ids(by(&database, ROOT, What::Downstream { id: dlg(id), limit, offset }));
    assert_eq!(below(1, 9, 0), (vec![2, 3], 2));
    assert_eq!(below(1, 1, 1), (vec![3], 2));
    assert_eq!(below(3, 9, 0), (vec![4], 1));
    assert_eq!(below(4, 9, 0), (vec![], 0));
    assert_eq!(refused(&by(&database, 5, What::Downstream { id: dlg(1), limit: 9, offset: 0 })), Refused::Missing);
}

/// Offered by an agent of that account.
fn offered(number: u32, by: u8) -> Delegation {
    Delegation {
        status: DelegationStatus::Pending,
        peer: Some(AccountId::from_bytes([by; 16])),
        offered: true,
        expires: None,
        ..delegation(number, 60, 2)
    }
}

fn offers(database: &Database, seconds: u64) -> (Vec<u32>, u64) {
    ids(run(database, seconds, command(None, What::Offers { limit: 100, offset: 0 })))
}

#[test]
fn whoever_offers_to_an_account_has_a_share_of_what_may_wait_and_takes_nobody_elses() {
    let database = family();
    for number in 0..8 {
        assert!(matches!(own(&database, put(offered(number, 7))), Outcome::Delegation(_, true)));
    }
    assert_eq!(refused(&own(&database, put(offered(8, 7)))), Refused::TooMany);
    assert!(matches!(own(&database, put(offered(9, 8))), Outcome::Delegation(_, true)), "another account has its own share");
    let given = Delegation { peer: Some(AccountId::from_bytes([7; 16])), status: DelegationStatus::Pending, ..delegation(10, 2, 60) };
    assert!(matches!(own(&database, put(given)), Outcome::Delegation(_, true)), "what the account offers itself is not counted");
    own(&database, put(Delegation { sequence: 2, status: DelegationStatus::Declined, ..offered(0, 7) }));
    assert!(matches!(own(&database, put(offered(8, 7))), Outcome::Delegation(_, true)));
}

#[test]
fn strangers_do_not_fill_an_account_with_what_it_has_not_accepted() {
    let database = family();
    for number in 0..256 {
        own(&database, put(offered(number, u8::try_from(number / 8).unwrap())));
    }
    assert_eq!(refused(&own(&database, put(offered(256, 100)))), Refused::TooMany);
    assert!(matches!(own(&database, put(delegation(300, 1, 2))), Outcome::Delegation(_, true)), "its own are not concerned");
    own(&database, put(Delegation { sequence: 2, status: DelegationStatus::Declined, ..offered(0, 0) }));
    assert!(matches!(own(&database, put(offered(256, 100))), Outcome::Delegation(_, true)));
}

#[test]
fn an_offer_that_nobody_answers_counts_for_a_week_and_for_no_longer_than_it_would_last() {
    let database = family();
    own(&database, put(offered(1, 7)));
    own(&database, put(Delegation { expires: Some(at(60)), ..offered(2, 7) }));
    assert_eq!(offers(&database, 59), (vec![1, 2], 2));
    assert_eq!(offers(&database, 60), (vec![1], 1));
    assert_eq!(offers(&database, 7 * 86_400), (vec![], 0));
    for number in 10..18 {
        let later = Delegation { created: at(7 * 86_400), ..offered(number, 7) };
        assert!(matches!(run(&database, 7 * 86_400, command(None, put(later))), Outcome::Delegation(_, true)), "{number}");
    }
}

#[test]
fn offers_that_were_taken_back_or_declined_long_ago_leave_nothing() {
    let database = family();
    own(&database, put(offered(1, 7)));
    own(&database, put(offered(2, 7)));
    let ended = |number, status| Delegation { sequence: 2, status, ..offered(number, 7) };
    own(&database, put(ended(1, DelegationStatus::Revoked)));
    assert_eq!(ids(own(&database, list(false))), (vec![2], 1), "taken back before anybody answered");
    own(&database, put(ended(2, DelegationStatus::Declined)));
    assert_eq!(ids(own(&database, list(false))), (vec![2], 1));
    let later = Delegation { created: at(7 * 86_400), ..offered(3, 7) };
    run(&database, 7 * 86_400, command(None, put(later)));
    assert_eq!(ids(own(&database, list(false))), (vec![3], 1), "declined a week ago");
    assert_eq!(super::count(&database, "SELECT count(*) FROM tenant_party"), 4, "both sides, the parent of one and the account");
}

#[test]
fn one_delegator_leaves_room_for_the_others_of_what_an_agent_may_have() {
    let database = family();
    let last = |expires| Delegation { expires: Some(at(expires)), ..delegation(99, 2, 5) };
    for number in 0..8 {
        own(&database, put(delegation(number, 2, 5)));
    }
    assert_eq!(refused(&own(&database, put(last(9000)))), Refused::TooMany, "however long it would last");
    for number in 8..32 {
        let made = own(&database, put(delegation(number, 100 + number / 8, 5)));
        assert!(matches!(made, Outcome::Delegation(_, true)), "{number}");
    }
    assert_eq!(refused(&own(&database, put(delegation(32, 1, 5)))), Refused::TooMany);
    let incoming = |seconds| ids(run(&database, seconds, command(Some(5), What::Incoming { delegate: reg(5), limit: 100 }))).0.len();
    assert_eq!(incoming(0), 32, "those that were there are there");
    own(&database, put(Delegation { sequence: 2, status: DelegationStatus::Revoked, ..delegation(0, 2, 5) }));
    assert!(matches!(own(&database, put(last(9000))), Outcome::Delegation(_, true)));
    let given = Delegation { peer: elsewhere(), ..delegation(200, 2, 60) };
    for number in 200..240 {
        own(&database, put(Delegation { id: dlg(number), ..given.clone() }));
    }
    assert_eq!(ids(own(&database, list(true))).1, 72, "what an agent of elsewhere has is counted there");
}

#[test]
fn what_was_made_of_a_link_whose_acceptance_is_told_late_goes_on_to_count() {
    let database = family();
    own(&database, put(Delegation { expires: Some(at(600)), ..offered(1, 7) }));
    let made = |number| Delegation { upstream: vec![dlg(1)], chain_depth: 2, expires: None, ..delegation(number, 2, 3) };
    own(&database, put(made(2)));
    own(&database, put(made(3)));
    assert_eq!(ids(own(&database, list(true))), (vec![2, 3], 2));
    assert_eq!(ids(run(&database, 600, command(None, list(true)))), (vec![], 0), "it could not be accepted any more");
    own(&database, put(Delegation { sequence: 2, status: DelegationStatus::Active, expires: Some(at(600)), ..offered(1, 7) }));
    assert_eq!(ids(own(&database, list(true))), (vec![1, 2, 3], 3));
    own(&database, put(Delegation { sequence: 3, status: DelegationStatus::Revoked, expires: Some(at(600)), ..offered(1, 7) }));
    assert_eq!(ids(own(&database, list(true))), (vec![], 0));
}

#[test]
fn an_offer_that_is_told_after_it_was_taken_back_does_not_come_back() {
    let database = family();
    let over = |number, sequence| Delegation { sequence, status: DelegationStatus::Revoked, ..offered(number, 7) };
    own(&database, put(offered(1, 7)));
    own(&database, put(over(1, 3)));
    own(&database, put(over(2, 2)));
    for late in [offered(1, 7), Delegation { sequence: 2, status: DelegationStatus::Active, ..offered(1, 7) }, offered(2, 7)] {
        assert_eq!(own(&database, put(late)), Outcome::Done(false));
    }
    assert_eq!((ids(own(&database, list(false))), offers(&database, 0)), ((vec![], 0), (vec![], 0)));
    let again = Delegation { sequence: 9, ..offered(1, 7) };
    assert!(matches!(run(&database, 600, command(None, put(again))), Outcome::Delegation(_, true)), "the name may come again");
}
