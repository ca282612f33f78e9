//! Delegations that have ended from above: with a link, or by a claim.

use serde_json::{Value, json};

use super::{Agent, is, world};
use crate::api::agents::{self, lasting::claim};
use crate::world::World;

/// Name, status and what has broken each.
fn listed(world: &World, agent: &Agent, active_only: bool) -> (Vec<[Value; 4]>, Value) {
    let answer = agent.ask(world, "GET", &format!("/api/v1/delegations?active_only={active_only}&limit=100"), &Value::Null);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let rows = answer.json()["data"].as_array().unwrap().clone();
    let row = |row: &Value| ["id", "status", "broken_by", "is_active"].map(|name| row[name].clone());
    (rows.iter().map(row).collect(), answer.json()["total"].clone())
}

fn all(ids: &[String], status: &str, broken_by: impl Fn(&str) -> Value) -> (Vec<[Value; 4]>, Value) {
    let row = |id: &String| [json!(id), json!(status), broken_by(id), json!(status == "active")];
    (ids.iter().map(row).collect(), json!(ids.len()))
}

fn read(world: &World, agent: &Agent, id: &str) -> Value {
    agent.ask(world, "GET", &format!("/api/v1/delegations/{id}"), &Value::Null).json()
}

#[test]
fn what_was_made_of_a_link_that_has_ended_takes_no_place_and_is_listed_as_revoked_with_it() {
    let world = world();
    let ada = Agent::root(&world);
    let [bob, eve] = [1, 2].map(|name| Agent::below(&world, &[&ada], name));
    let made = |first: &str| -> Vec<String> {
        let source = json!({ "source_delegation_id": first });
        let made = (0..8).map(|_| bob.delegated(&world, &eve, &["api.read"], source.clone())).collect();
        is(&bob.delegate(&world, &eve, &["api.read"], source), 409, "limit_reached");
        made
    };
    let first = ada.delegated(&world, &bob, &["api.read"], json!({}));
    let old = made(&first);
    assert_eq!(listed(&world, &eve, true), all(&old, "active", |_| Value::Null));
    ada.revoke(&world, &first);
    assert_eq!(listed(&world, &eve, true), (vec![], json!(0)));
    assert_eq!(listed(&world, &eve, false), all(&old, "revoked", |_| json!(first)));
    world.later(1);
    let one = read(&world, &eve, &old[0]);
    assert_eq!((&one["status"], &one["broken_by"], &one["is_active"]), (&json!("revoked"), &json!(first), &json!(false)));
    assert_eq!(one["revoked_at"], read(&world, &ada, &first)["revoked_at"]);
    // There is room for as many again, and again.
    for _ in 0..3 {
        let next = ada.delegated(&world, &bob, &["api.read"], json!({}));
        let new = made(&next);
        assert_eq!(listed(&world, &eve, true), all(&new, "active", |_| Value::Null));
        ada.revoke(&world, &next);
    }
}

#[test]
fn what_has_ended_in_an_account_of_others_gives_its_places_back_when_they_are_needed() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let ann = Agent::below(&world, &[&ada], 1);
    let first = ada.delegated(&world, &ann, &["api.read"], json!({}));
    let source = json!({ "source_delegation_id": first });
    let old: Vec<String> = (0..8).map(|_| ann.accepted(&world, &bob, &["api.read"], source.clone())).collect();
    let waiting = ann.delegated(&world, &bob, &["api.read"], source);
    ada.revoke(&world, &first);
    world.later(1);
    is(&bob.ask(&world, "POST", &format!("/api/v1/delegations/{waiting}/accept"), &json!({})), 400, "already_revoked");
    assert_eq!(read(&world, &bob, &waiting)["status"], "revoked");
    assert_eq!(listed(&world, &ann, true).1, 0, "known in the account of both links");
    let found = || listed(&world, &bob, false).0.iter().filter(|row| row[1] == "revoked" && row[2] == json!(first)).count();
    let mut fresh = vec![ann.accepted(&world, &bob, &["api.read"], json!({}))];
    assert_eq!(found(), 4, "one request looks at a few");
    for _ in 0..7 {
        let id = ann.delegated(&world, &bob, &["api.read"], json!({}));
        let accept = || bob.ask(&world, "POST", &format!("/api/v1/delegations/{id}/accept"), &json!({}));
        assert!((0..50).any(|_| accept().status() == 200), "at others each time");
        fresh.push(id);
    }
    let (mut now, _) = listed(&world, &bob, true);
    now.sort_by_key(|row| fresh.iter().position(|id| row[0] == json!(id)));
    assert_eq!(now, all(&fresh, "active", |_| Value::Null).0);
    let (rows, _) = listed(&world, &bob, false);
    let (ended, _) = all(&old, "revoked", |_| json!(first));
    assert_eq!(rows[..8], ended);
}

#[test]
fn a_chain_that_was_cut_elsewhere_is_found_dead_once_and_listed_so_from_then_on() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let ann = Agent::below(&world, &[&ada], 1);
    let first = ada.delegated(&world, &ann, &["api.read"], json!({}));
    let second = ann.accepted(&world, &bob, &["api.read"], json!({ "source_delegation_id": first }));
    ada.revoke(&world, &first);
    world.later(1);
    let token = ann.own(&world, &[]).text("access_token");
    is(&bob.grant(&world, &[("delegation_token", &token)]), 400, "invalid_grant");
    world.ring();
    assert_eq!(listed(&world, &bob, true).1, 0);
    assert_eq!(listed(&world, &bob, false), all(&[second], "revoked", |_| json!(first)));
}

#[test]
fn what_a_claim_has_cut_off_takes_no_place_and_is_listed_as_revoked() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let child = boss.child("Eve");
    let agent = |key: String, id: &str| Agent { key, id: id.to_owned() };
    let root = agent(boss.key.clone(), &boss.id);
    let eve = agent(String::new(), &child.id);
    let old: Vec<String> = (0..8).map(|_| root.delegated(&world, &eve, &["api.read"], json!({}))).collect();
    claim(&boss);
    world.later(1);
    let root = agent(agents::key(&world, &boss.id, |key| key), &boss.id);
    assert_eq!(listed(&world, &root, true), (vec![], json!(0)));
    assert_eq!(listed(&world, &root, false), all(&old, "revoked", |id| json!(id)));
    assert_eq!(read(&world, &root, &old[0])["broken_by"], json!(old[0]));
    let new: Vec<String> = (0..8).map(|_| root.delegated(&world, &eve, &["api.read"], json!({}))).collect();
    assert_eq!(listed(&world, &root, true), all(&new, "active", |_| Value::Null));
    is(&root.delegate(&world, &eve, &["api.read"], json!({})), 409, "limit_reached");
}

#[test]
fn what_has_outlived_its_time_is_listed_as_expired() {
    let world = world();
    let ada = Agent::root(&world);
    let bob = Agent::below(&world, &[&ada], 1);
    let id = ada.delegated(&world, &bob, &["api.read"], json!({ "expires_in_hours": 1 }));
    world.later(3600);
    assert_eq!(listed(&world, &ada, false), all(&[id], "expired", |_| Value::Null));
}
