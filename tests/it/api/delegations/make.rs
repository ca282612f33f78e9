//! What can be handed on, and what cannot.

use postern::http::handle;
use serde_json::{Value, json};

use super::{Agent, is, texts, world};
use crate::world::{World, together};

#[test]
fn nobody_delegates_to_themselves_in_a_circle_or_to_somebody_who_is_stopped() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let child = Agent::below(&world, &[&ada], 1);
    is(&ada.delegate(&world, &ada, &["api.read"], json!({})), 400, "invalid_delegation");
    let there = ada.accepted(&world, &bob, &["api.read"], json!({ "expires_in_hours": 1 }));
    is(&bob.delegate(&world, &ada, &["api.read"], json!({ "source_delegation_id": there })), 400, "invalid_delegation");
    world.later(3600);
    is(&bob.delegate(&world, &child, &["api.read"], json!({ "source_delegation_id": there })), 400, "invalid_delegation");
    // Of its own rights it may: nothing goes round.
    bob.delegated(&world, &ada, &["api.read"], json!({}));
    ada.ask(&world, "GET", "/api/v1/delegations", &Value::Null);
    child.pause(&world, true);
    world.later(1);
    let unknown = Agent { id: "reg_0000000000000000000000".into(), ..ada.clone() };
    let strange = ada.delegate(&world, &unknown, &["api.read"], json!({}));
    is(&strange, 404, "not_found");
    for id in ["x", "", "acc_0000000000000000000000"] {
        let answer = ada.delegate(&world, &Agent { id: id.into(), ..ada.clone() }, &["api.read"], json!({}));
        assert!(answer.status() == 422 || (answer.status(), answer.json()) == (404, strange.json()), "{id}");
    }
    bob.pause(&world, true);
    world.later(1);
    let stopped = ada.delegate(&world, &bob, &["api.read"], json!({}));
    assert_eq!((stopped.status(), stopped.json()), (404, strange.json()), "what is not the caller's business is as if it were not there");
}

#[test]
fn no_more_than_one_holds_is_handed_on() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    for (scopes, lacks) in [
        (vec!["files.write"], vec!["files.write"]),
        (vec!["api.read", "nothing.known"], vec!["nothing.known"]),
        (vec!["files.*"], vec!["files.*"]),
        (vec!["api.*", "api.read"], vec!["api.*"]),
    ] {
        let answer = ada.delegate(&world, &bob, &scopes, json!({}));
        is(&answer, 400, "invalid_delegation");
        assert_eq!(texts(&answer.json()["scopes_not_held"]), lacks);
    }
    for scopes in [["agents.read"], ["agents.*"], ["delegations.write"], ["*"], ["fi*"], [" "]] {
        is(&ada.delegate(&world, &bob, &scopes, json!({})), 400, "invalid_delegation");
    }
    assert_eq!(ada.delegate(&world, &bob, &[], json!({})).status(), 422);
    let narrow = Agent::keyed(&world, &ada.registration(), 1, Some("api.read delegations.*"));
    is(&narrow.delegate(&world, &bob, &["api.write"], json!({})), 400, "invalid_delegation");
    narrow.delegated(&world, &bob, &["api.read"], json!({}));
    let useless = Agent::keyed(&world, &ada.registration(), 2, Some("api.read"));
    is(&useless.delegate(&world, &bob, &["api.read"], json!({})), 403, "insufficient_scope");
}

#[test]
fn wildcards_that_are_held_cover_what_is_below_them_and_tokens_have_none() {
    let world = World::new(&[
        ("SCOPES_SUPPORTED", "api.read files.read files.write files.*"),
        ("PRE_CLAIM_SCOPES", "api.read files.*"),
        ("POST_CLAIM_SCOPES", "api.read files.*"),
    ]);
    let who = [0; 3].map(|_| Agent::root(&world));
    let all = who[0].accepted(&world, &who[1], &["files.*"], json!({}));
    let one = who[1].accepted(&world, &who[2], &["files.read"], json!({}));
    assert_eq!(who[1].grant(&world, &[("delegation_id", &all)]).text("scope"), "files.read files.write");
    assert_eq!(who[2].grant(&world, &[("delegation_id", &one)]).text("scope"), "files.read");
    is(&who[2].delegate(&world, &who[0], &["files.*"], json!({ "source_delegation_id": one })), 400, "invalid_delegation");
}

#[test]
fn depth_is_counted_from_the_first_hop_and_capped_by_what_is_above() {
    let world = world();
    let who = [0; 5].map(|_| Agent::root(&world));
    let zero = who[0].delegate(&world, &who[1], &["api.read"], json!({ "max_chain_depth": 0 }));
    is(&zero, 400, "depth_exceeded");
    assert_eq!(who[0].delegate(&world, &who[1], &["api.read"], json!({ "max_chain_depth": 11 })).status(), 422);
    let one = who[0].accepted(&world, &who[1], &["api.read"], json!({ "max_chain_depth": 1 }));
    let answer = who[1].delegate(&world, &who[2], &["api.read"], json!({ "source_delegation_id": one }));
    is(&answer, 400, "depth_exceeded");
    let told = answer.json();
    assert_eq!(
        (&told["chain_depth_exceeded"], &told["chain_depth_remaining"], &told["effective_max_chain_depth"]),
        (&json!(true), &json!(0), &json!(1))
    );
    let two = who[0].delegated(&world, &who[2], &["api.read"], json!({ "max_chain_depth": 2 }));
    who[2].ask(&world, "POST", &format!("/api/v1/delegations/{two}/accept"), &json!({}));
    let next = who[2].delegate(&world, &who[3], &["api.read"], json!({ "source_delegation_id": two, "max_chain_depth": 9 })).json();
    let of = |name: &str| next[name].as_u64().unwrap();
    assert_eq!((of("chain_depth"), of("max_chain_depth"), of("max_absolute_chain_depth"), of("chain_depth_remaining")), (2, 2, 2, 0));
    who[3].ask(&world, "POST", &format!("/api/v1/delegations/{}/accept", next["id"].as_str().unwrap()), &json!({}));
    is(&who[3].delegate(&world, &who[4], &["api.read"], json!({ "source_delegation_id": next["id"] })), 400, "depth_exceeded");
    assert_eq!(who[0].delegate(&world, &who[4], &["api.read"], json!({})).json()["max_chain_depth"], 3);
}

#[test]
fn a_chain_of_ten_links_works_and_an_eleventh_is_refused() {
    let world = world();
    let root = Agent::root(&world);
    let agents: Vec<Agent> = (1..=11).map(|name| Agent::below(&world, &[&root], name)).collect();
    let mut last = root.delegated(&world, &agents[0], &["api.read"], json!({ "max_chain_depth": 10 }));
    for pair in agents[..10].windows(2) {
        last = pair[0].delegated(&world, &pair[1], &["api.read"], json!({ "source_delegation_id": last, "max_chain_depth": 10 }));
    }
    let token = agents[9].by(&world, &last);
    assert_eq!((world.call(&token), crate::exchange::chain(&token).len()), (200, 10));
    assert!(token.len() < 8192, "{}", token.len());
    let again = crate::exchange::got(&crate::exchange::exchange(&world, &token, &[]));
    assert_eq!(crate::exchange::chain(&again).len(), 10);
    is(&agents[9].delegate(&world, &agents[10], &["api.read"], json!({ "source_delegation_id": last })), 400, "depth_exceeded");
    root.revoke(&world, &chain_of(&agents[9], &world, &last)[0]);
    assert_eq!((world.call(&token), world.call(&again)), (401, 401));
}

fn chain_of(agent: &Agent, world: &World, id: &str) -> Vec<String> {
    let chain = agent.ask(world, "GET", &format!("/api/v1/delegations/{id}/chain"), &Value::Null).json();
    chain["chain"].as_array().unwrap().iter().map(|hop| hop["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn links_that_are_made_at_one_time_keep_the_depth() {
    let world = world();
    let who = [0; 4].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({ "max_chain_depth": 2 }));
    let cx = world.cx("192.0.2.1");
    let ask = |from: &Agent, to: &Agent| {
        let body = json!({ "delegate_agent_id": to.id, "scopes": ["api.read"], "source_delegation_id": first }).to_string();
        let request = http::Request::builder()
            .method("POST")
            .uri("/api/v1/delegations")
            .header("x-agent-key", &from.key)
            .header("content-type", "application/json")
            .body(Ok(body.into()));
        handle(request.unwrap(), &cx)
    };
    world.platform.halting.set(true);
    let answers = together((0..6).map(|at| ask(&who[1], &who[2 + at % 2])));
    world.platform.halting.set(false);
    for answer in answers {
        assert_eq!(answer.status(), 201);
        let made: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!((&made["chain_depth"], &made["chain_depth_remaining"]), (&json!(2), &json!(0)));
    }
}

#[test]
fn it_ends_no_later_than_its_source() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({ "expires_in_hours": 1 }));
    let made = |more: Value| {
        let mut body = json!({ "source_delegation_id": first });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        who[1].delegate(&world, &who[2], &["api.read"], body)
    };
    is(&made(json!({ "expires_in_hours": 2 })), 400, "invalid_delegation");
    assert_eq!(made(json!({})).json()["expires_at"], "2027-01-15T09:00:00.000Z");
    assert_eq!(made(json!({ "expires_at": "2027-01-15T08:30:00" })).json()["expires_at"], "2027-01-15T08:30:00.000Z");
    assert_eq!(made(json!({ "expires_at": "2027-01-15T09:30:00+01:00" })).json()["expires_at"], "2027-01-15T08:30:00.000Z");
    is(&made(json!({ "expires_at": "2027-01-15T07:00:00Z" })), 400, "invalid_delegation");
    for wrong in [json!({ "expires_at": "tomorrow, or so" }), json!({ "expires_at": "2027-01-15T08:30:00Z", "expires_in_hours": 1 })] {
        assert_eq!(made(wrong).status(), 422);
    }
}

#[test]
fn constraints_are_read_strictly_and_bounded_over_the_chain() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let made = |constraints: Value| who[0].delegate(&world, &who[1], &["api.read"], json!({ "constraints": constraints }));
    let unknown = made(json!({ "amount": { "gt": 5 } }));
    is(&unknown, 400, "invalid_delegation");
    assert_eq!((&unknown.json()["problem"], &unknown.json()["field"]), (&json!("unknown_constraint_operator"), &json!("amount.gt")));
    assert_eq!(texts(&unknown.json()["known"]), ["eq", "min", "max", "in", "not_in"]);
    let wrong = made(json!({ "amount": { "max": "5" } }));
    is(&wrong, 400, "invalid_delegation");
    assert_eq!(wrong.json()["problem"], "invalid_constraint");
    is(&made(json!({ "resource_prefix": "/a/../b" })), 400, "invalid_delegation");
    is(&made(json!({ "note": "x".repeat(2100) })), 400, "invalid_delegation");
    let half = json!({ "note": "x".repeat(1200) });
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({ "constraints": half }));
    let more = json!({ "source_delegation_id": first, "constraints": half });
    is(&who[1].delegate(&world, &who[2], &["api.read"], more), 400, "invalid_delegation");
}

#[test]
fn without_a_source_the_own_rights_come_first_and_then_what_was_delegated() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read", "files.read"], json!({}));
    let own = who[1].delegate(&world, &who[2], &["files.read"], json!({})).json();
    assert_eq!((&own["source_delegation_id"], &own["chain_depth"]), (&Value::Null, &json!(1)));
    let narrow = Agent::keyed(&world, &who[1].registration(), 1, Some("delegations.write"));
    is(&narrow.delegate(&world, &who[2], &["files.read"], json!({})), 400, "invalid_delegation");
    let named = who[1].delegate(&world, &who[2], &["files.read"], json!({ "source_delegation_id": first })).json();
    assert_eq!((&named["source_delegation_id"], &named["chain_depth"]), (&json!(first), &json!(2)));
    for wrong in [first.as_str(), "dlg_0000000000000000000000", "x"] {
        is(&who[2].delegate(&world, &who[0], &["api.read"], json!({ "source_delegation_id": wrong })), 404, "not_found");
    }
}

#[test]
fn a_request_that_is_repeated_makes_one() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let ask = |scope: &str| {
        let body = json!({ "delegate_agent_id": bob.id, "scopes": [scope] }).to_string();
        let headers = [("x-agent-key", ada.key.as_str()), ("content-type", "application/json"), ("idempotency-key", "0123456789abcdef")];
        world.send("192.0.2.1", "POST", "/api/v1/delegations", &headers, &body)
    };
    let (first, again) = (ask("api.read"), ask("api.read"));
    assert_eq!((first.status(), again.status(), first.json()), (201, 201, again.json()));
    is(&ask("api.write"), 422, "idempotency_key_reused");
    let listed = bob.ask(&world, "GET", "/api/v1/delegations?active_only=false", &Value::Null).json();
    assert_eq!(listed["total"], 1);
}

#[test]
fn agents_that_nobody_answers_for_delegate_within_their_own_account_only() {
    let world = world();
    let (nobodys, bob) = (Agent::unclaimed(&world), Agent::root(&world));
    let refused = nobodys.delegate(&world, &bob, &["api.read"], json!({}));
    is(&refused, 403, "forbidden");
    assert!(refused.text("detail").contains("claim"), "{}", refused.json());
    let child = Agent::below(&world, &[&nobodys], 1);
    is(&child.delegate(&world, &bob, &["api.read"], json!({})), 403, "forbidden");
    assert_eq!(bob.ask(&world, "GET", "/api/v1/delegations?active_only=false", &Value::Null).json()["total"], 0);
    nobodys.delegated(&world, &child, &["api.read"], json!({}));
    // Whom nobody has claimed may be offered to.
    bob.accepted(&world, &nobodys, &["api.read"], json!({}));
}

#[test]
fn an_account_offers_another_eight_at_a_time_and_others_are_not_held_up() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let sibling = Agent::below(&world, &[&who[0]], 1);
    let offers: Vec<String> = (0..8).map(|_| who[0].delegated(&world, &who[1], &["api.read"], json!({}))).collect();
    is(&who[0].delegate(&world, &who[1], &["api.read"], json!({})), 409, "limit_reached");
    is(&sibling.delegate(&world, &who[1], &["api.read"], json!({})), 409, "limit_reached");
    who[0].delegated(&world, &who[2], &["api.read"], json!({}));
    who[2].accepted(&world, &who[1], &["api.read"], json!({}));
    who[1].ask(&world, "POST", &format!("/api/v1/delegations/{}/decline", offers[0]), &json!({}));
    who[0].delegated(&world, &who[1], &["api.read"], json!({}));
}

#[test]
fn one_delegator_does_not_crowd_out_what_others_have_handed_on() {
    let world = world();
    let root = Agent::root(&world);
    let [one, two, worker] = [1, 2, 3].map(|name| Agent::below(&world, &[&root], name));
    let files = root.delegated(&world, &worker, &["files.read"], json!({}));
    let first = one.delegated(&world, &worker, &["api.read"], json!({}));
    let eight = (1..8).map(|_| one.delegated(&world, &worker, &["api.read"], json!({ "expires_in_hours": 9000 }))).count();
    assert_eq!(eight, 7);
    let body = json!({ "delegate_agent_id": worker.id, "scopes": ["api.read"] });
    is(&one.ask(&world, "POST", "/api/v1/delegations", &body), 409, "limit_reached");
    two.delegated(&world, &worker, &["api.read"], json!({}));
    worker.by(&world, &files);
    assert_eq!(world.call(&worker.by(&world, &first)), 200);
    one.revoke(&world, &first);
    one.delegated(&world, &worker, &["api.read"], json!({}));
}

#[test]
fn an_offer_is_not_accepted_beyond_what_the_delegate_may_have_and_waits() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    for _ in 0..8 {
        ada.accepted(&world, &bob, &["api.read"], json!({}));
    }
    let ninth = ada.delegated(&world, &bob, &["api.read"], json!({}));
    let path = format!("/api/v1/delegations/{ninth}");
    is(&bob.ask(&world, "POST", &format!("{path}/accept"), &json!({})), 409, "limit_reached");
    assert_eq!(bob.ask(&world, "GET", &path, &Value::Null).text("status"), "pending");
    world.later(7 * 86_400);
    is(&bob.ask(&world, "POST", &format!("{path}/accept"), &json!({})), 400, "already_revoked");
}

#[test]
fn a_repeated_request_is_answered_the_same_though_there_is_no_room_any_more() {
    let world = world();
    let root = Agent::root(&world);
    let worker = Agent::below(&world, &[&root], 1);
    let body = json!({ "delegate_agent_id": worker.id, "scopes": ["api.read"] }).to_string();
    let ask = |key: &str| {
        let headers = [("x-agent-key", root.key.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        world.send("192.0.2.1", "POST", "/api/v1/delegations", &headers, &body)
    };
    let made: Vec<String> = (0..8).map(|key| ask(&format!("0123456789abcde{key}")).text("id")).collect();
    is(&ask("0123456789abcde8"), 409, "limit_reached");
    assert_eq!(ask("0123456789abcde0").text("id"), made[0]);
}
