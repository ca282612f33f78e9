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

#[test]
fn strangers_do_not_fill_an_account_with_what_it_has_not_accepted() {
    let database = family();
    let pending = |number| Delegation { status: DelegationStatus::Pending, peer: elsewhere(), ..delegation(number, 60, 2) };
    for number in 0..256 {
        own(&database, put(pending(number)));
    }
    assert_eq!(refused(&own(&database, put(pending(256)))), Refused::TooMany);
    assert!(matches!(own(&database, put(delegation(300, 1, 2))), Outcome::Delegation(_, true)), "its own are not concerned");
    own(&database, put(Delegation { sequence: 2, status: DelegationStatus::Declined, ..pending(0) }));
    assert!(matches!(own(&database, put(pending(256))), Outcome::Delegation(_, true)));
}
