use postern::tenant::{Agent, Outcome, Patch, Refused, Status, TrustLevel, What};

use super::{ROOT, agent, at, by, command, create, everybody, family, own, page, profile, refused, reg, rooted, run};
use crate::sqlite::Database;

fn patch(id: u32, patch: Patch) -> What {
    What::Patch { id: reg(id), patch: Box::new(patch) }
}

fn named(name: &str) -> Patch {
    Patch { name: Some(name.to_owned()), ..Patch::default() }
}

fn deep(depth: u32) -> Patch {
    Patch { max_child_depth: Some(depth), ..Patch::default() }
}

fn set(id: u32, status: Status) -> What {
    What::SetStatus { id: reg(id), status }
}

fn look(database: &Database, id: u32) -> Agent {
    agent(own(database, What::Agent(reg(id)))).0
}

#[test]
fn a_root_is_written_once_and_an_account_has_one() {
    let database = rooted();
    let before = look(&database, ROOT);
    assert_eq!((before.parent.clone(), before.depth, before.trust_level), (None, 0, TrustLevel::Root));
    let (again, changed) = agent(own(&database, What::Root { id: reg(ROOT), profile: profile("another name", 9) }));
    assert!(!changed && again == before);
    assert_eq!(refused(&own(&database, What::Root { id: reg(2), profile: profile("second", 3) })), Refused::Conflict);
}

#[test]
fn a_root_has_at_most_ten_levels_below() {
    let database = Database::default();
    let (root, changed) = agent(own(&database, What::Root { id: reg(ROOT), profile: profile("root", 11) }));
    assert!(changed && root.profile.max_child_depth == 10);
}

#[test]
fn a_child_has_what_it_asked_for_and_at_most_one_level_less_than_its_parent() {
    let database = rooted();
    for (id, asked, given) in [(2, 0, 0), (3, 1, 1), (4, 2, 2), (5, 3, 2), (6, 10, 2)] {
        let (child, changed) = agent(by(&database, ROOT, create(id, ROOT, &format!("{asked}"), asked)));
        assert_eq!((child.profile.max_child_depth, child.depth, changed), (given, 1, true));
        assert_eq!((child.parent, child.trust_level, child.is_active), (Some(reg(ROOT)), TrustLevel::Delegated, true));
    }
    let short = What::Create { id: reg(7), parent: reg(ROOT), ephemeral: true, profile: profile("short", 0) };
    assert_eq!(agent(by(&database, ROOT, short)).0.trust_level, TrustLevel::Ephemeral);
}

#[test]
fn the_tree_ends_where_the_root_says() {
    let database = family();
    assert_eq!(look(&database, 5).depth, 3);
    assert_eq!(look(&database, 5).profile.max_child_depth, 0);
    assert_eq!(refused(&by(&database, 5, create(6, 5, "too deep", 0))), Refused::Depth);
}

#[test]
fn an_ancestor_that_was_narrowed_holds_for_children_that_were_made_before() {
    let database = rooted();
    agent(by(&database, ROOT, create(2, 1, "a", 2)));
    agent(by(&database, ROOT, create(3, 2, "b", 1)));
    agent(by(&database, ROOT, patch(ROOT, deep(2))));
    assert_eq!(refused(&by(&database, ROOT, create(4, 3, "c", 0))), Refused::Depth);
    agent(by(&database, ROOT, patch(ROOT, deep(3))));
    assert_eq!(agent(by(&database, ROOT, create(4, 3, "c", 5))).0.profile.max_child_depth, 0);
}

#[test]
fn siblings_have_different_names_and_cousins_need_not() {
    let database = family();
    assert_eq!(refused(&by(&database, ROOT, create(6, 1, "agent 2", 0))), Refused::NameTaken);
    assert!(agent(by(&database, ROOT, create(6, 1, "Agent 2", 0))).1, "upper and lower case differ");
    assert!(agent(by(&database, ROOT, create(7, 3, "agent 2", 0))).1);
    assert_eq!(refused(&by(&database, ROOT, patch(3, named("agent 2")))), Refused::NameTaken);
    assert_eq!(agent(by(&database, ROOT, patch(2, named("agent 2")))), (look(&database, 2), false), "its own name");
    assert!(agent(by(&database, ROOT, patch(ROOT, named("agent 2")))).1, "a root has no siblings");
}

#[test]
fn the_same_agent_again_is_answered_the_same() {
    let database = family();
    let before = look(&database, 4);
    assert_eq!(agent(by(&database, 2, create(4, 2, "agent 4", 10))), (before, false));
    assert_eq!(refused(&by(&database, ROOT, create(4, 3, "agent 4", 10))), Refused::Conflict);
}

#[test]
fn nobody_makes_agents_below_others_than_itself_and_those_below() {
    let database = family();
    for (caller, parent) in [(2, 1), (2, 3), (5, 4), (3, 5), (2, 99), (99, 1)] {
        assert_eq!(refused(&by(&database, caller, create(6, parent, "x", 0))), Refused::Missing, "{caller} below {parent}");
    }
    assert!(agent(by(&database, 2, create(6, 4, "x", 0))).1, "an ancestor of the parent");
}

#[test]
fn an_agent_sees_itself_and_all_below() {
    let database = family();
    for (caller, sees) in [(1, vec![1, 2, 4, 5, 3]), (2, vec![2, 4, 5]), (3, vec![3]), (5, vec![5])] {
        assert_eq!(page(by(&database, caller, everybody())), (sees.clone(), sees.len() as u64));
        for other in 1..=6 {
            let outcome = by(&database, caller, What::Agent(reg(other)));
            assert_eq!(!matches!(outcome, Outcome::Refused(Refused::Missing)), sees.contains(&other), "{caller} {other}");
        }
    }
    assert_eq!(page(own(&database, everybody())).1, 5);
    assert_eq!(refused(&by(&database, 99, everybody())), Refused::Missing);
}

#[test]
fn unknown_and_invisible_are_the_same() {
    let database = family();
    for (known, unknown) in [
        (What::Agent(reg(3)), What::Agent(reg(99))),
        (What::Children { id: reg(3), limit: 1, offset: 0 }, What::Children { id: reg(99), limit: 1, offset: 0 }),
        (patch(3, named("x")), patch(99, named("x"))),
        (set(1, Status::Suspended), set(99, Status::Suspended)),
        (What::Ancestry(reg(1)), What::Ancestry(reg(99))),
    ] {
        assert_eq!(by(&database, 2, known), by(&database, 2, unknown));
    }
}

#[test]
fn pages_lose_and_repeat_none_and_the_total_counts_all_rows() {
    let database = rooted();
    for id in 2..=120 {
        agent(by(&database, ROOT, create(id, ROOT, &format!("{id}"), 0)));
    }
    for id in (2..=120).step_by(10) {
        agent(by(&database, ROOT, set(id, Status::Suspended)));
    }
    let list = |parent: Option<u32>, status, limit, offset| {
        page(by(&database, ROOT, What::Agents { parent: parent.map(reg), status, limit, offset }))
    };
    assert_eq!(list(None, None, 101, 0), ((1..=100).collect(), 120), "no page is longer than a hundred");
    assert_eq!(list(None, None, 100, 100), ((101..=120).collect(), 120));
    assert_eq!(list(None, None, 0, 0), (vec![1], 120), "nor shorter than one");
    assert_eq!(list(None, None, 5, 500), (vec![], 120));
    assert_eq!(list(Some(ROOT), None, 2, 1), (vec![3, 4], 119));
    assert_eq!(list(None, Some(Status::Suspended), 2, 1), (vec![12, 22], 12));
    assert_eq!(list(Some(ROOT), Some(Status::Suspended), 2, 1), (vec![12, 22], 12));
    assert_eq!(list(None, Some(Status::Active), 2, 1), (vec![3, 4], 108));
    assert_eq!(list(Some(7), None, 2, 0), (vec![], 0));
    assert_eq!(page(by(&database, ROOT, What::Children { id: reg(ROOT), limit: 3, offset: 117 })), (vec![119, 120], 119));
}

#[test]
fn of_the_children_of_somebody_above_an_agent_sees_itself() {
    let database = family();
    let list = |parent: u32, status, offset| page(by(&database, 4, What::Agents { parent: Some(reg(parent)), status, limit: 9, offset }));
    assert_eq!(list(2, None, 0), (vec![4], 1));
    assert_eq!(list(2, None, 1), (vec![], 1));
    assert_eq!(list(2, Some(Status::Suspended), 0), (vec![], 0));
    assert_eq!(list(1, None, 0), (vec![], 0));
    assert_eq!(list(99, None, 0), (vec![], 0));
    assert_eq!(list(4, None, 0), (vec![5], 1));
}

#[test]
fn only_what_is_given_changes_and_empty_is_none() {
    let database = family();
    let before = look(&database, 2);
    let change = Patch { homepage_url: Some("https://a.example".to_owned()), metadata: Some("{\"a\":1}".to_owned()), ..Patch::default() };
    let (after, changed) = agent(run(&database, 5, command(Some(2), patch(2, change))));
    assert!(changed && after.updated == at(5) && after.profile.description == before.profile.description);
    assert_eq!(after.profile.homepage_url.as_deref(), Some("https://a.example"));
    let (after, _) = agent(by(&database, 2, patch(2, Patch { description: Some(String::new()), ..Patch::default() })));
    assert_eq!((after.profile.description, after.profile.metadata), (None, "{\"a\":1}".to_owned()));
    assert!(!agent(by(&database, 2, patch(2, Patch::default()))).1);
}

#[test]
fn depth_is_neither_taken_below_what_is_used_nor_above_what_the_parent_leaves() {
    let database = family();
    assert_eq!(refused(&by(&database, ROOT, patch(2, deep(1)))), Refused::DepthInUse);
    assert_eq!(refused(&by(&database, ROOT, patch(ROOT, deep(2)))), Refused::DepthInUse);
    assert_eq!(agent(by(&database, ROOT, patch(2, deep(9)))).0.profile.max_child_depth, 2);
    assert_eq!(agent(by(&database, ROOT, patch(3, deep(0)))).0.profile.max_child_depth, 0);
    assert_eq!(agent(by(&database, ROOT, patch(ROOT, deep(11)))).0.profile.max_child_depth, 10);
}

#[test]
fn no_agent_gives_itself_more_depth_than_it_was_given() {
    let database = rooted();
    agent(by(&database, ROOT, create(2, 1, "a", 0)));
    assert_eq!(refused(&by(&database, 2, patch(2, deep(1)))), Refused::Forbidden);
    assert_eq!(agent(by(&database, ROOT, patch(2, deep(1)))).0.profile.max_child_depth, 1);
    assert_eq!(agent(by(&database, 2, patch(2, deep(0)))).0.profile.max_child_depth, 0);
}

#[test]
fn who_is_below_somebody_suspended_is_not_active_until_that_one_is_again() {
    let database = family();
    agent(by(&database, ROOT, set(4, Status::Suspended)));
    let (two, changed) = agent(run(&database, 7, command(Some(ROOT), set(2, Status::Suspended))));
    assert!(changed && !two.is_active && two.deactivated == Some(at(7)));
    let active = |ids: [u32; 5]| ids.map(|id| look(&database, id).is_active);
    assert_eq!(active([1, 2, 3, 4, 5]), [true, false, true, false, false]);
    assert_eq!(look(&database, 5).status, Status::Active, "its own status is its own");
    let Outcome::Agents(listed, _) = by(&database, ROOT, everybody()) else { panic!() };
    assert!(listed.iter().all(|agent| *agent == look(&database, super::number(&agent.id))), "lists say the same");
    let Outcome::Ancestry(line) = own(&database, What::Ancestry(reg(5))) else { panic!() };
    let expected = [(1, Status::Active), (2, Status::Suspended), (4, Status::Suspended), (5, Status::Active)];
    assert_eq!(line, expected.map(|(id, status)| (reg(id), status)));
    let (two, _) = agent(by(&database, ROOT, set(2, Status::Active)));
    assert!(two.is_active && two.deactivated.is_none());
    assert_eq!(active([1, 2, 3, 4, 5]), [true, true, true, false, false], "whoever was suspended by itself stays so");
}

#[test]
fn the_same_status_again_changes_nothing_and_revoked_is_final() {
    let database = family();
    assert!(agent(by(&database, ROOT, set(3, Status::Suspended))).1);
    assert!(!agent(by(&database, ROOT, set(3, Status::Suspended))).1);
    assert!(agent(by(&database, ROOT, set(3, Status::Revoked))).1);
    assert!(!agent(by(&database, ROOT, set(3, Status::Revoked))).1);
    for status in [Status::Active, Status::Suspended] {
        assert_eq!(refused(&own(&database, set(3, status))), Refused::Ended);
    }
}

#[test]
fn whoever_is_not_active_changes_nothing() {
    let database = family();
    agent(by(&database, 2, set(2, Status::Suspended)));
    for caller in [2, 4] {
        for what in
            [create(9, 4, "x", 0), patch(4, named("x")), set(2, Status::Active), super::add(1, 4), super::subscribe(1, Some(4), &["*"])]
        {
            assert_eq!(refused(&by(&database, caller, what)), Refused::Inactive);
        }
    }
    for what in [create(9, 4, "x", 0), super::add(1, 5), super::subscribe(1, Some(4), &["*"])] {
        assert_eq!(refused(&by(&database, ROOT, what)), Refused::Inactive, "nor does anything begin there");
    }
}

#[test]
fn a_page_far_on_costs_no_more_than_the_first_and_shows_the_same_as_if_all_were_walked_past() {
    const AGENTS: u32 = 500;
    let database = rooted();
    for id in 2..=AGENTS {
        own(&database, create(id, ROOT, &format!("agent {id}"), 1));
    }
    agent(by(&database, ROOT, set(40, Status::Revoked)));
    let pages = |what: &dyn Fn(u32) -> What| {
        let mut all = Vec::new();
        for offset in (0..AGENTS).step_by(50) {
            let before = database.steps.get();
            let (shown, total) = super::page(by(&database, ROOT, what(offset)));
            all.push((shown, total, database.steps.get() - before));
        }
        all
    };
    for (first, what) in [
        (1, &(|offset| What::Agents { parent: None, status: None, limit: 50, offset }) as &dyn Fn(u32) -> What),
        (2, &|offset| What::Children { id: reg(ROOT), limit: 50, offset }),
    ] {
        let all = pages(what);
        let walked: Vec<u32> = all.iter().flat_map(|(shown, ..)| shown.clone()).collect();
        assert_eq!(walked, (first..=AGENTS).collect::<Vec<_>>());
        assert!(all.iter().all(|(_, total, _)| *total == u64::from(AGENTS + 1 - first)));
        let steps: Vec<u64> = all.iter().map(|(.., steps)| *steps).collect();
        assert!(steps.iter().all(|taken| *taken < steps[0] + 100), "{steps:?}");
    }
    // One more level, and the order of the tree is another than that of the numbers.
    own(&database, What::Patch { id: reg(2), patch: Box::new(deep(3)) });
    own(&database, What::Patch { id: reg(ROOT), patch: Box::new(deep(5)) });
    agent(own(&database, create(AGENTS + 1, 2, "below", 0)));
    let (shown, _) = super::page(by(&database, ROOT, What::Agents { parent: None, status: None, limit: 3, offset: 1 }));
    assert_eq!(shown, [2, AGENTS + 1, 3]);
}
