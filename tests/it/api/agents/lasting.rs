//! How long agents last: suspension, revocation, claims, and what is lost on the way.

use postern::time::Ttl;
use serde_json::{Value, json};

use super::{Agent, key, root};
use crate::person::{Person, page};
use crate::world::World;

const ADA: &str = "ada@example.com";
const REPEAT: [(&str, &str); 1] = [("idempotency-key", "0123456789abcdef0123")];

pub fn claim(agent: &Agent<'_>) {
    let world = agent.world;
    let mut ada = Person::sign_in(world, ADA);
    let start = json!({ "type": "login_hint", "claim_token": agent.came["claim_token"], "login_hint": ADA });
    let started = world.json("/agent/identity/claim", &start).json();
    assert_eq!(ada.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
    let code = started["claim_attempt"]["user_code"].as_str().unwrap();
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
}

#[test]
fn suspending_stops_an_agent_and_all_below_at_once_and_reactivating_brings_them_back() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let child = boss.child("Scout");
    let below = child.child("Below");
    let keys = || (world.call(&boss.key), world.call(&child.key), world.call(&below.key));
    assert_eq!(keys(), (200, 200, 200));
    let path = format!("/agents/{}", child.id);
    for suspend in [false, true] {
        let answer = if suspend { boss.set(&child.id, "suspended") } else { boss.ask("DELETE", &path, &Value::Null) };
        assert_eq!((answer.status(), &answer.json()["data"]["status"]), (200, &json!("suspended")));
        assert!(answer.json()["data"]["deactivated_at"].is_string());
        assert_eq!(keys(), (200, 401, 401), "at once, where it was asked for");
        world.later(1);
        assert_eq!(keys(), (200, 401, 401));
        let listed = boss.get(&format!("/agents/{}", below.id)).json();
        assert_eq!((&listed["data"]["status"], &listed["meta"]["is_active"]), (&json!("active"), &json!(false)));
        let under = boss.ask("POST", "/agents", &json!({ "name": "x", "agent_type": "tool", "parent_agent_id": below.id }));
        assert_eq!((under.status(), under.text("error")), (400, "agent_inactive".to_owned()));
        let back = boss.set(&child.id, "active").json();
        assert_eq!((&back["data"]["status"], &back["data"]["deactivated_at"]), (&json!("active"), &Value::Null));
        assert_eq!(keys(), (200, 200, 200));
    }
    let events = boss.audited();
    let counted = |event: &str| events.iter().filter(|known| **known == format!("{event} success")).count();
    assert_eq!((counted("agent.suspended"), counted("agent.reactivated")), (2, 2));
    assert_eq!(boss.set(&child.id, "active").status(), 200);
    assert_eq!(boss.audited(), events, "what changes nothing is not told again");
}

#[test]
fn who_suspends_itself_is_brought_back_from_above_and_a_root_has_nobody() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let child = boss.child("Scout");
    assert_eq!(child.set(&child.id, "suspended").status(), 200);
    assert_eq!(child.set(&child.id, "active").status(), 401);
    assert_eq!(boss.set(&child.id, "active").status(), 200);
    assert_eq!(world.call(&child.key), 200);
    for answer in [boss.set(&boss.id, "suspended"), boss.ask("DELETE", &format!("/agents/{}", boss.id), &Value::Null)] {
        assert_eq!((answer.status(), answer.text("error")), (403, "forbidden".to_owned()));
    }
    assert_eq!(world.call(&boss.key), 200);
    assert_eq!(boss.set(&boss.id, "revoked").json()["data"]["status"], "revoked");
    assert_eq!((world.call(&boss.key), world.call(&child.key)), (401, 401));
}

#[test]
fn what_is_revoked_stays_revoked() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let child = boss.child("Scout");
    for _ in 0..2 {
        assert_eq!(boss.set(&child.id, "revoked").json()["data"]["status"], "revoked");
    }
    for answer in [
        boss.set(&child.id, "active"),
        boss.set(&child.id, "suspended"),
        boss.ask("DELETE", &format!("/agents/{}", child.id), &Value::Null),
    ] {
        assert_eq!((answer.status(), answer.text("error")), (400, "already_revoked".to_owned()));
    }
    world.later(3600);
    assert_eq!(world.call(&child.key), 401);
    assert_eq!(boss.audited().iter().filter(|event| *event == "agent.revoked success").count(), 1);
}

#[test]
fn a_child_of_before_the_claim_outlives_what_its_root_had_and_one_without_a_claim_does_not() {
    let world = World::new(&[]);
    let (claimed, unclaimed) = (root(&world, "Claimed"), root(&world, "Unclaimed"));
    let [lives, dies] = [&claimed, &unclaimed].map(|boss| boss.child("Scout"));
    assert!(lives.came["data"]["expires_at"].is_string() && lives.came["data"]["expires_at"] == dies.came["data"]["expires_at"]);
    claim(&claimed);
    world.later(world.config.ttls.unclaimed.seconds() + 1);
    assert_eq!((world.call(&lives.key), world.call(&dies.key)), (200, 401));
    let me = lives.get(&format!("/agents/{}", lives.id)).json();
    assert_eq!((&me["data"]["is_active"], &me["data"]["expires_at"]), (&json!(true), &Value::Null));
}

#[test]
fn an_ephemeral_agent_ends_after_a_day_and_cannot_be_brought_back() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    claim(&boss);
    // The key of before the claim does not live that long.
    let boss = Agent { key: key(&world, &boss.id, |key| key), ..boss };
    let made = boss.ask("POST", "/agents", &json!({ "name": "Brief", "agent_type": "tool", "trust_level": "ephemeral" })).json();
    assert_eq!(made["data"]["trust_level"], "ephemeral");
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let brief = key(&world, &id, |key| key);
    world.later(86_399);
    assert_eq!(world.call(&brief), 200);
    world.later(1);
    assert_eq!(world.call(&brief), 401);
    assert_eq!(boss.get(&format!("/agents/{id}")).json()["meta"]["is_active"], false);
    assert_eq!(boss.set(&id, "active").text("error"), "already_revoked");
}

#[test]
fn the_same_request_again_is_the_same_child_and_another_one_is_refused() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let ask = |name: &str| boss.ask_with("POST", "/agents", &REPEAT, &json!({ "name": name, "agent_type": "tool" }));
    let [first, second] = [(); 2].map(|()| ask("Scout"));
    assert_eq!((first.status(), second.status()), (201, 201));
    assert_eq!(first.json()["data"], second.json()["data"]);
    let other = ask("Other");
    assert_eq!((other.status(), other.text("error")), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(boss.get("/agents").json()["meta"]["total"], 2);
    let id = first.json()["data"]["id"].as_str().unwrap().to_owned();
    boss.set(&id, "revoked");
    assert_eq!(ask("Scout").json()["data"]["status"], "revoked", "a late repeat brings nothing back");
    assert_eq!(boss.audited().iter().filter(|event| *event == "agent.created success").count(), 2);
}

#[test]
fn what_is_lost_between_two_steps_leaves_nothing_that_works_and_is_completed_by_the_same_again() {
    let mut world = World::new(&[]);
    world.config.ttls.liveness = Ttl::from_seconds(60);
    let world = world;
    let boss = root(&world, "Boss");
    assert_eq!(boss.get("/agents").status(), 200);
    let ask = || boss.ask_with("POST", "/agents", &REPEAT, &json!({ "name": "Scout", "agent_type": "tool" }));
    let lose = |kind: &'static str| world.platform.lost.borrow_mut().push(kind);
    let found = || world.platform.lost.borrow_mut().clear();
    lose("registration");
    assert_eq!(ask().status(), 503);
    found();
    let listed = boss.get("/agents").json()["data"][1].clone();
    let id = listed["id"].as_str().unwrap().to_owned();
    assert!(!world.platform.cells.borrow().contains_key(&format!("registration/{id}")), "listed, and there is nothing behind it");
    assert_eq!(ask().json()["data"], listed);
    let child = key(&world, &id, |key| key);
    assert_eq!(world.call(&child), 200);

    // Suspension takes away before it is listed, reactivation lists before it gives back.
    lose("account");
    assert_eq!(boss.set(&id, "suspended").status(), 503);
    found();
    lose("registration");
    assert_eq!(boss.set(&id, "suspended").status(), 503);
    found();
    assert_eq!(boss.get(&format!("/agents/{id}")).json()["data"]["status"], "active");
    assert_eq!(boss.set(&id, "suspended").status(), 200);
    lose("registration");
    assert_eq!(boss.set(&id, "active").status(), 503);
    found();
    assert_eq!(world.call(&child), 401);
    assert_eq!(boss.set(&id, "active").status(), 200);
    assert_eq!(world.call(&child), 200);
}

#[test]
fn an_agent_that_was_listed_and_never_came_to_life_does_when_it_is_brought_back() {
    let mut world = World::new(&[]);
    world.config.ttls.liveness = Ttl::from_seconds(60);
    let world = world;
    let boss = root(&world, "Boss");
    assert_eq!(boss.get("/agents").status(), 200);
    world.platform.lost.borrow_mut().push("registration");
    assert_eq!(boss.ask("POST", "/agents", &json!({ "name": "Scout", "agent_type": "tool" })).status(), 503);
    world.platform.lost.borrow_mut().clear();
    let id = boss.get("/agents").json()["data"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(boss.set(&id, "active").status(), 200);
    assert_eq!(world.call(&key(&world, &id, |key| key)), 200);
}

#[test]
fn a_tree_that_nobody_has_claimed_does_not_grow_without_end() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let ask = |number: u32| boss.ask("POST", "/agents", &json!({ "name": format!("c{number}"), "agent_type": "tool" }));
    for number in 1..100 {
        assert_eq!(ask(number).status(), 201);
    }
    let full = ask(100);
    assert_eq!((full.status(), full.text("error")), (409, "limit_reached".to_owned()));
    claim(&boss);
    world.later(1);
    let old = ask(100);
    assert_eq!((old.status(), old.text("error")), (403, "forbidden".to_owned()), "a key of before the claim makes nothing that lasts");
}
