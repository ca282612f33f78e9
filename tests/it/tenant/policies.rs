use postern::tenant::policy::MOST;
use postern::tenant::{Outcome, Policy, PolicyPatch, Refused, What};

use super::{ROOT, at, by, command, family, own, pol, policy, refused, reg, run};
use crate::sqlite::Database;

fn new(policy: Policy) -> What {
    What::CreatePolicy(Box::new(policy))
}

fn put(id: u32, patch: PolicyPatch) -> What {
    What::PutPolicy { id: pol(id), patch: Box::new(patch) }
}

fn disable() -> PolicyPatch {
    PolicyPatch { enabled: Some(false), ..PolicyPatch::default() }
}

fn listed(database: &Database, caller: Option<u32>, agent: Option<u32>, enabled_only: bool) -> (Vec<u32>, u64) {
    let what = What::Policies { agent: agent.map(reg), enabled_only, limit: 512, offset: 0 };
    match run(database, 0, command(caller, what)) {
        Outcome::Policies(found, total) => {
            (found.iter().map(|each| (0..1000).find(|number| pol(*number) == each.id).unwrap()).collect(), total)
        }
        other => panic!("{other:?}"),
    }
}

/// One of the account's, and one of each agent, numbered as it is.
fn ruled() -> Database {
    let database = family();
    own(&database, new(policy(10, None)));
    for agent in 1..=5 {
        assert!(matches!(by(&database, agent, new(policy(agent, Some(agent)))), Outcome::Policy(_, true)));
    }
    database
}

#[test]
fn those_of_the_account_of_ancestors_and_of_itself_apply_to_an_agent() {
    let database = ruled();
    for (agent, apply) in [(1, vec![10, 1]), (3, vec![10, 1, 3]), (5, vec![10, 1, 2, 4, 5])] {
        assert_eq!(listed(&database, Some(ROOT), Some(agent), true), (apply.clone(), apply.len() as u64));
        assert_eq!(listed(&database, None, Some(agent), true).0, apply);
    }
    let what = What::Policies { agent: Some(reg(3)), enabled_only: true, limit: 9, offset: 0 };
    assert_eq!(refused(&by(&database, 2, what)), Refused::Missing);
}

#[test]
fn an_agent_lists_what_binds_it_and_what_is_made_below_it() {
    let database = ruled();
    assert_eq!(listed(&database, None, None, false), (vec![10, 1, 2, 4, 5, 3], 6));
    assert_eq!(listed(&database, Some(1), None, false), (vec![10, 1, 2, 4, 5, 3], 6));
    assert_eq!(listed(&database, Some(4), None, false), (vec![10, 1, 2, 4, 5], 5));
    assert_eq!(listed(&database, Some(3), None, false), (vec![10, 1, 3], 3));
    for (caller, id, sees) in [(3, 2, false), (3, 1, true), (3, 10, true), (2, 5, true), (5, 3, false)] {
        let seen = by(&database, caller, What::Policy(pol(id)));
        assert_eq!(matches!(seen, Outcome::Policy(_, false)), sees, "{caller} {id}");
        if !sees {
            assert_eq!(seen, by(&database, caller, What::Policy(pol(99))));
        }
    }
}

#[test]
fn the_highest_priority_comes_first_and_pages_follow() {
    let database = family();
    for (number, priority) in [(1, 0), (2, -5), (3, 7), (4, 0)] {
        by(&database, ROOT, new(Policy { priority, ..policy(number, Some(1)) }));
    }
    assert_eq!(listed(&database, Some(1), None, false).0, [3, 1, 4, 2]);
    let what = What::Policies { agent: None, enabled_only: false, limit: 2, offset: 1 };
    let Outcome::Policies(page, 4) = by(&database, ROOT, what) else { panic!() };
    assert_eq!(page.iter().map(|policy| policy.id.clone()).collect::<Vec<_>>(), [pol(1), pol(4)]);
}

#[test]
fn only_what_is_given_changes() {
    let database = ruled();
    let patch = PolicyPatch { effect: Some("allow".to_owned()), priority: Some(-3), ..disable() };
    let expected = Policy { effect: "allow".to_owned(), priority: -3, enabled: false, updated: at(4), ..policy(2, Some(2)) };
    assert_eq!(run(&database, 4, command(Some(2), put(2, patch.clone()))), Outcome::Policy(Box::new(expected.clone()), true));
    assert_eq!(run(&database, 5, command(Some(1), put(2, patch))), Outcome::Policy(Box::new(expected.clone()), false));
    assert_eq!(own(&database, What::Policy(pol(2))), Outcome::Policy(Box::new(expected), false));
    assert!(!listed(&database, None, None, true).0.contains(&2));
    let words = |text: &str| PolicyPatch { description: Some(text.to_owned()), ..PolicyPatch::default() };
    by(&database, 3, put(3, words("why")));
    by(&database, 3, put(3, words("")));
    let Outcome::Policy(policy, _) = own(&database, What::Policy(pol(3))) else { panic!() };
    assert_eq!(policy.description, None);
}

#[test]
fn nobody_changes_a_policy_that_is_not_its_own_or_of_somebody_below() {
    let database = ruled();
    for (caller, id, why) in [(2, 3, Refused::Missing), (2, 1, Refused::Forbidden), (1, 10, Refused::Forbidden), (5, 99, Refused::Missing)]
    {
        assert_eq!(refused(&by(&database, caller, put(id, disable()))), why, "{caller} {id}");
        assert_eq!(refused(&by(&database, caller, What::DeletePolicy(pol(id)))), why);
    }
    for (caller, of, why) in [(2, Some(3), Refused::Missing), (2, Some(1), Refused::Missing), (1, None, Refused::Forbidden)] {
        assert_eq!(refused(&by(&database, caller, new(policy(20, of)))), why);
    }
    assert!(matches!(by(&database, 2, What::DeletePolicy(pol(5))), Outcome::Policy(_, true)));
    assert_eq!(refused(&own(&database, What::Policy(pol(5)))), Refused::Missing);
    assert!(matches!(own(&database, What::DeletePolicy(pol(10))), Outcome::Policy(_, true)));
}

#[test]
fn the_same_again_is_the_same_and_there_are_at_most_so_many() {
    let database = family();
    for number in 0..MOST {
        by(&database, ROOT, new(policy(number, Some(1))));
    }
    assert_eq!(refused(&by(&database, ROOT, new(policy(MOST, Some(1))))), Refused::TooMany);
    assert_eq!(by(&database, ROOT, new(policy(0, Some(1)))), Outcome::Policy(Box::new(policy(0, Some(1))), false));
    assert_eq!(refused(&by(&database, ROOT, new(policy(0, Some(2))))), Refused::Conflict);
    by(&database, ROOT, What::DeletePolicy(pol(7)));
    assert!(matches!(by(&database, ROOT, new(policy(MOST, Some(1)))), Outcome::Policy(_, true)));
}
