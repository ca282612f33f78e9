//! How often an agent may come.

use serde_json::{Value, json};

use super::{Known, allowed, evaluate, make, send, tree, written};
use crate::mcp::Sender;
use crate::world::{Answer, START, World};

const POLICIES: &str = "/api/v1/policies";

fn list(world: &World, who: &Known) -> Answer {
    send(world, &who.key, "GET", POLICIES, &Value::Null)
}

#[test]
fn an_agent_may_come_so_often_a_minute_and_is_told_to_the_second() {
    let world = World::new(&[("API_PER_MINUTE", "3")]);
    let tree = tree(&world);
    let told = |answer: &Answer, names: [&str; 3]| names.map(|name| answer.header(name).unwrap().parse::<i64>().unwrap());
    let end = START.seconds() + 60;
    for (at, left) in [(0, 2), (10, 1), (49, 0)] {
        world.later(u64::try_from(START.seconds() + at - world.platform.now.get().seconds()).unwrap());
        let answer = list(&world, &tree.child);
        assert_eq!(answer.status(), 200);
        assert_eq!(told(&answer, ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]), [3, left, end]);
        assert_eq!(told(&answer, ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]), [3, left, 60 - at]);
        assert_eq!(answer.header("x-authorization-decision"), Some("allow"));
    }
    let refused = list(&world, &tree.child);
    assert_eq!((refused.status(), refused.text("error").as_str()), (429, "rate_limited"));
    assert_eq!((refused.header("retry-after"), &refused.json()["retry_after"]), (Some("11"), &json!(11)));
    assert_eq!(told(&refused, ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]), [3, 0, end]);
    assert_eq!(list(&world, &tree.root).status(), 200, "everybody has requests of their own");
    world.later(10);
    assert_eq!(list(&world, &tree.child).header("retry-after"), Some("1"));
    world.later(1);
    assert_eq!(list(&world, &tree.child).status(), 200);
}

#[test]
fn part_of_a_second_is_rounded_so_that_the_time_told_is_enough() {
    let world = World::new(&[("API_PER_MINUTE", "1")]);
    let tree = tree(&world);
    let wait = |millis: u64| world.platform.now.set(world.platform.now.get().plus(postern::time::Ttl::from_millis(millis)));
    wait(300);
    assert_eq!(list(&world, &tree.child).status(), 200);
    wait(900);
    assert_eq!(list(&world, &tree.child).header("retry-after"), Some("60"));
    wait(59_000);
    assert_eq!(list(&world, &tree.child).header("retry-after"), Some("1"));
    wait(100);
    assert_eq!(list(&world, &tree.child).status(), 200);
}

#[test]
fn tools_and_requests_are_counted_together() {
    let world = World::new(&[("API_PER_MINUTE", "2")]);
    let tree = tree(&world);
    let by = Sender { token: Some(&tree.child.key), ..Sender::default() };
    let question = json!({ "agent_id": tree.child.id.as_str(), "action": "read", "resource": POLICIES });
    assert_eq!(by.brings(&world, "check_permission", &question)["allowed"], true);
    assert_eq!(list(&world, &tree.child).status(), 200);
    assert_eq!(by.fails(&world, "check_permission", &question), "rate_limited");
    assert_eq!(list(&world, &tree.child).status(), 429);
}

#[test]
fn a_policy_s_rate_limit_slides_over_the_end_of_a_window() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let limit = json!({ "conditions": { "rate_limit": { "max": 10, "window_seconds": 100 } } });
    make(&world, &tree.root, &written("allow", &[POLICIES], &["read"], &limit));
    let most = || (0..20).filter(|_| list(&world, &tree.child).status() == 200).count();
    assert_eq!(list(&world, &tree.child).status(), 200);
    world.later(99);
    assert_eq!(most(), 9);
    world.later(1);
    assert_eq!(most(), 1, "nine were a second ago");
    world.later(50);
    assert_eq!(most(), 5, "half of those before, and one since");
    world.later(1000);
    assert_eq!(most(), 10);
}

#[test]
fn a_policy_whose_window_changes_counts_in_the_new_one() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let limit = |seconds: u32| json!({ "conditions": { "rate_limit": { "max": 2, "window_seconds": seconds } } });
    let id = make(&world, &tree.root, &written("allow", &["/api/v1/agents"], &["read"], &limit(86_400)));
    let most = || (0..5).filter(|_| send(&world, &tree.child.key, "GET", "/api/v1/agents", &Value::Null).status() == 200).count();
    let change = |seconds| assert_eq!(send(&world, &tree.root.key, "PUT", &format!("{POLICIES}/{id}"), &limit(seconds)).status(), 200);
    assert_eq!(most(), 2);
    world.later(600);
    assert_eq!(most(), 0);
    change(60);
    assert_eq!(most(), 2, "within the last minute there was none");
    assert_eq!(most(), 0);
    change(86_400);
    assert_eq!(most(), 0, "nobody gets more by changing it back");
}

#[test]
fn a_policy_s_rate_limit_counts_what_is_done_and_not_what_is_only_asked() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let limit = json!({ "conditions": { "rate_limit": { "max": 2, "window_seconds": 100 } } });
    make(&world, &tree.root, &written("allow", &[POLICIES], &["read"], &limit));
    let asked = || allowed(&evaluate(&world, &tree.child.key, tree.child.id.as_str(), "read", POLICIES, &Value::Null));
    for _ in 0..2 {
        assert!(asked() && asked() && asked());
        assert_eq!(list(&world, &tree.child).status(), 200);
    }
    assert!(!asked());
    assert_eq!(list(&world, &tree.child).status(), 403);
    assert_eq!(list(&world, &tree.grandchild).status(), 200, "each agent is counted for itself");
    world.later(99);
    assert_eq!(list(&world, &tree.child).status(), 403);
    world.later(1);
    assert!(asked());
    assert_eq!(list(&world, &tree.child).status(), 200);
}
