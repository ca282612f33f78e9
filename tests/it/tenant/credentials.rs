use postern::tenant::{Credential, Outcome, Refused, Status, What};
use proptest::prelude::*;

use super::{ROOT, add, agent, at, by, command, crd, credential, family, own, refused, reg, run};
use crate::sqlite::Database;

fn one(outcome: Outcome) -> (Credential, bool) {
    match outcome {
        Outcome::Credential(credential, changed) => (*credential, changed),
        other => panic!("{other:?}"),
    }
}

fn listed(outcome: Outcome) -> (Vec<Credential>, u64) {
    match outcome {
        Outcome::Credentials(credentials, total) => (credentials, total),
        other => panic!("{other:?}"),
    }
}

fn rotate(id: u32, next: u32) -> What {
    What::RotateCredential { id: crd(id), next: crd(next), number: next, prefix: format!("key{next}"), expires: None }
}

fn list(agent: Option<u32>, include_revoked: bool) -> What {
    What::Credentials { agent: agent.map(reg), include_revoked, limit: 100, offset: 0 }
}

fn numbers(database: &Database, caller: Option<u32>, what: What) -> (Vec<u32>, u64) {
    let (found, total) = listed(run(database, 0, command(caller, what)));
    (found.iter().map(|credential| credential.number).collect(), total)
}

#[test]
fn a_credential_comes_back_as_it_went_and_again_is_the_same() {
    let database = family();
    let (added, changed) = one(by(&database, ROOT, add(1, 4)));
    assert!(changed);
    assert_eq!(added, credential(1, 4));
    assert_eq!(one(by(&database, 4, What::Credential(crd(1)))), (added.clone(), false));
    assert_eq!(one(by(&database, 2, add(1, 4))), (added, false));
    assert_eq!(refused(&by(&database, 2, add(1, 2))), Refused::Conflict);
}

#[test]
fn credentials_are_for_whoever_is_above_and_nobody_else() {
    let database = family();
    by(&database, ROOT, add(1, 4));
    for caller in [3, 5, 99] {
        for what in [add(2, 4), What::Credential(crd(1)), rotate(1, 2), What::RevokeCredential(crd(1)), What::CredentialUsed(crd(1))] {
            assert_eq!(refused(&by(&database, caller, what)), Refused::Missing);
        }
        assert_eq!(refused(&by(&database, caller, list(Some(4), true))), Refused::Missing);
    }
    assert_eq!(
        by(&database, 3, What::Credential(crd(1))),
        by(&database, 3, What::Credential(crd(9))),
        "unknown and invisible are the same"
    );
    assert_eq!(numbers(&database, Some(3), list(None, true)), (vec![], 0));
    for caller in [1, 2, 4] {
        assert_eq!(numbers(&database, Some(caller), list(None, true)), (vec![1], 1));
    }
}

#[test]
fn rotation_ends_the_old_one_and_keeps_what_it_is_good_for() {
    let database = family();
    by(&database, ROOT, add(1, 4));
    let Outcome::Rotated(both, true) = run(&database, 9, command(Some(4), rotate(1, 2))) else { panic!() };
    let (old, new) = *both.clone();
    assert_eq!((old.revoked, old.last_rotated), (Some(at(9)), Some(at(9))));
    let expected = Credential {
        id: crd(2),
        number: 2,
        prefix: "key2".to_owned(),
        created: at(9),
        updated: at(9),
        last_rotated: Some(at(9)),
        ..credential(1, 4)
    };
    assert_eq!(new, expected, "scopes, expiry, metadata and the lifetime of tokens are kept");
    assert_eq!(one(own(&database, What::Credential(crd(1)))).0, old);
    assert_eq!(one(own(&database, What::Credential(crd(2)))).0, new);
    assert_eq!(run(&database, 10, command(Some(4), rotate(1, 2))), Outcome::Rotated(both, false), "the same again");
    assert_eq!(refused(&by(&database, 4, rotate(1, 3))), Refused::Ended, "of two rotations one makes a key");
    assert_eq!(refused(&by(&database, 4, rotate(2, 2))), Refused::Conflict);
}

#[test]
fn what_was_revoked_or_has_expired_is_not_rotated_back_to_life() {
    let database = family();
    by(&database, ROOT, add(1, 4));
    by(&database, ROOT, add(2, 4));
    assert!(one(by(&database, 4, What::RevokeCredential(crd(1)))).1);
    let (revoked, changed) = one(run(&database, 5, command(None, What::RevokeCredential(crd(1)))));
    assert_eq!((revoked.revoked, changed), (Some(at(0)), false));
    assert_eq!(refused(&by(&database, 4, rotate(1, 3))), Refused::Ended);
    assert_eq!(refused(&run(&database, 1000, command(Some(4), rotate(2, 3)))), Refused::Ended);
    assert!(matches!(run(&database, 999, command(Some(4), rotate(2, 3))), Outcome::Rotated(_, true)));
}

#[test]
fn use_is_noted_once_a_minute() {
    let database = family();
    by(&database, ROOT, add(1, 4));
    let used = |seconds| run(&database, seconds, command(None, What::CredentialUsed(crd(1))));
    assert_eq!([5, 64, 65, 66].map(used), [true, false, true, false].map(Outcome::Done));
    assert_eq!(one(own(&database, What::Credential(crd(1)))).0.last_used, Some(at(65)));
}

#[test]
fn an_account_without_a_tree_has_credentials_too() {
    let database = Database::default();
    assert!(one(own(&database, add(1, 50))).1);
    own(&database, add(2, 51));
    assert_eq!(numbers(&database, None, list(Some(50), false)), (vec![1], 1));
    assert_eq!(numbers(&database, None, list(None, false)), (vec![1, 2], 2));
    assert_eq!(refused(&by(&database, 50, add(3, 50))), Refused::Missing, "no agent of it asks");
}

#[test]
fn nothing_is_added_to_an_agent_that_is_suspended() {
    let database = family();
    agent(by(&database, ROOT, What::SetStatus { id: reg(4), status: Status::Suspended }));
    assert_eq!(refused(&own(&database, add(1, 5))), Refused::Inactive);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_and_totals_are_those_of_all_rows(
        ops in prop::collection::vec((1_u32..=5, 0_usize..40, any::<bool>()), 0..40),
        limit in 1_u32..7,
    ) {
        let database = family();
        let mut all: Vec<(u32, u32, bool)> = Vec::new();
        for (number, (of, which, ends)) in (1..).zip(ops) {
            if let Some(position) = which.checked_rem(all.len()).filter(|_| ends) {
                let (id, ..) = all[position];
                by(&database, ROOT, What::RevokeCredential(crd(id)));
                all[position].2 = false;
            } else {
                by(&database, ROOT, add(number, of));
                all.push((number, of, true));
            }
        }
        let below = |caller: u32| match caller { 1 => vec![1, 2, 4, 5, 3], 2 => vec![2, 4, 5], 4 => vec![4, 5], other => vec![other] };
        for caller in 1..=5_u32 {
            for (of, include_revoked) in [(None, true), (None, false), (Some(caller), true), (Some(caller), false)] {
                let mut expected = Vec::new();
                for agent in below(caller).into_iter().filter(|agent| of.is_none_or(|of| of == *agent)) {
                    expected.extend(all.iter().filter(|(_, its, live)| *its == agent && (*live || include_revoked)).map(|(id, ..)| *id));
                }
                let mut found = Vec::new();
                for offset in (0..).step_by(limit as usize) {
                    let what = What::Credentials { agent: of.map(reg), include_revoked, limit, offset };
                    let (page, total) = numbers(&database, Some(caller), what);
                    prop_assert_eq!(total, expected.len() as u64);
                    if page.is_empty() {
                        break;
                    }
                    found.extend(page);
                }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
