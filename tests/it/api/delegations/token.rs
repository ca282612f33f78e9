//! Tokens for what was delegated.

use serde_json::{Value, json};

use super::{Agent, ask, is, run, world};
use crate::exchange::{acting, chain, exchange, got, payload};
use crate::world::{Answer, ISSUER, World};
use postern::machine::registration::Command;

#[test]
fn what_was_delegated_is_a_token_in_the_delegator_s_name_until_the_delegation_ends() {
    let world = world();
    let ada = Agent::root(&world);
    let bob = Agent::below(&world, &[&ada], 1);
    let id = ada.delegated(&world, &bob, &["api.read"], json!({}));
    let token = bob.by(&world, &id);
    let claims = payload(&token);
    assert_eq!((&claims["sub"], &claims["client_id"], &claims["registration"]), (&json!(ada.id), &json!(bob.id), &json!(bob.id)));
    assert_eq!((&claims["scope"], &claims["act"]), (&json!("api.read"), &json!({ "sub": bob.id })));
    assert_eq!(world.call(&token), 200);
    assert_eq!(ada.revoke(&world, &id).json(), json!({ "revoked": 1 }));
    assert_eq!(world.call(&token), 401, "at once, where it was revoked");
    is(&bob.grant(&world, &[("delegation_id", &id)]), 400, "invalid_grant");
    assert_eq!((world.call(&ada.key), world.call(&bob.key)), (200, 200), "nobody lost anything of their own");
}

#[test]
fn revoking_any_link_or_stopping_anybody_ends_all_tokens_below_within_a_second_and_no_others() {
    type End<'a> = &'a dyn Fn(&crate::world::World, &[Agent; 4], &[String; 3]);
    let key = |world: &crate::world::World, agent: &Agent| drop(run(world, &agent.registration(), Command::RevokeCredential { id: 0 }));
    let cases: [(&str, End<'_>, [bool; 3]); 8] = [
        ("the first link", &|world, who, links| drop(who[0].revoke(world, &links[0])), [false, false, false]),
        ("the second link", &|world, who, links| drop(who[1].revoke(world, &links[1])), [true, false, false]),
        ("the last link, given back", &|world, who, links| drop(who[3].revoke(world, &links[2])), [true, true, false]),
        ("the first delegator", &|world, who, _| who[0].pause(world, true), [false, false, false]),
        ("a delegate in between", &|world, who, _| who[1].pause(world, true), [false, false, false]),
        ("the second delegate", &|world, who, _| who[2].pause(world, true), [true, false, false]),
        ("the last delegate", &|world, who, _| who[3].pause(world, true), [true, true, false]),
        ("the last delegate's key", &|world, who, _| key(world, &who[3]), [true, true, false]),
    ];
    for (name, end, left) in cases {
        let mut world = world();
        let who = [0; 4].map(|_| Agent::root(&world));
        let mut links: [String; 3] = Default::default();
        for at in 0..3 {
            let more = if at == 0 { json!({}) } else { json!({ "source_delegation_id": links[at - 1] }) };
            links[at] = who[at].accepted(&world, &who[at + 1], &["api.read"], more);
        }
        let tokens = [0, 1, 2].map(|at| who[at + 1].by(&world, &links[at]));
        let other = who[0].accepted(&world, &who[3], &["api.read"], json!({}));
        let elsewhere = Agent::root(&world);
        let unrelated = elsewhere.accepted(&world, &Agent::root(&world), &["api.read"], json!({}));
        assert!(tokens.iter().all(|token| world.call(token) == 200), "{name}");
        assert_eq!(chain(&tokens[2]), [&who[3].id, &who[2].id, &who[1].id].map(String::as_str), "{name}");
        // Another isolate has ended it.
        let memory = std::mem::take(&mut world.memory);
        end(&world, &who, &links);
        world.memory = memory;
        world.later(1);
        assert_eq!(tokens.map(|token| world.call(&token) == 200), left, "{name}");
        if name.contains("link") {
            assert_eq!(world.call(&who[3].by(&world, &other)), 200, "{name}: what was not made of it is untouched");
        }
        assert_eq!(elsewhere.ask(&world, "GET", &format!("/api/v1/delegations/{unrelated}"), &Value::Null).text("status"), "active");
    }
}

#[test]
fn a_delegator_who_comes_back_brings_the_token_back() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let token = bob.by(&world, &ada.accepted(&world, &bob, &["api.read"], json!({})));
    ada.pause(&world, true);
    world.later(1);
    assert_eq!(world.call(&token), 401);
    ada.pause(&world, false);
    world.later(1);
    assert_eq!(world.call(&token), 200);
}

#[test]
fn a_delegation_token_is_a_pointer_and_brings_nothing_by_itself() {
    let world = world();
    let [ada, bob, eve] = [0; 3].map(|_| Agent::root(&world));
    let token = ada.own(&world, &[]).text("access_token");
    let refused = |agent: &Agent, token: &str| is(&agent.grant(&world, &[("delegation_token", token)]), 400, "invalid_grant");
    refused(&bob, &token);
    let pending = ada.delegated(&world, &bob, &["api.read"], json!({}));
    refused(&bob, &token);
    is(&bob.grant(&world, &[("delegation_id", &pending)]), 400, "invalid_grant");
    bob.ask(&world, "POST", &format!("/api/v1/delegations/{pending}/accept"), &json!({}));
    world.later(1);
    let answer = bob.grant(&world, &[("delegation_token", &token)]);
    let derived = got(&answer);
    assert_eq!((payload(&derived)["sub"].as_str().unwrap(), world.call(&derived)), (ada.id.as_str(), 200));
    refused(&eve, &token);
    for wrong in [ada.key.as_str(), bob.key.as_str(), "x", &bob.own(&world, &[]).text("access_token"), &derived] {
        refused(&bob, wrong);
    }
    is(&bob.grant(&world, &[]), 400, "invalid_request");
    is(&bob.grant(&world, &[("delegation_token", &token), ("delegation_id", &pending)]), 400, "invalid_request");
    is(&eve.grant(&world, &[("delegation_id", &pending)]), 400, "invalid_grant");
    for wrong in ["dlg_0000000000000000000000", "x"] {
        is(&bob.grant(&world, &[("delegation_id", wrong)]), 400, "invalid_grant");
    }
    let nobody = world.form("/oauth2/token", &[("grant_type", "agent_delegation"), ("delegation_id", &pending)]);
    is(&nobody, 401, "invalid_client");
    world.form("/oauth2/revoke", &[("token", &token)]);
    world.later(1);
    assert_eq!(world.call(&derived), 401, "it ends with the token that it came from");
    assert_eq!(world.call(&bob.by(&world, &pending)), 200);
}

#[test]
fn a_delegated_token_points_to_what_was_made_of_its_own_chain() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({}));
    let own = who[1].accepted(&world, &who[2], &["files.read"], json!({}));
    let made = who[1].accepted(&world, &who[2], &["api.read"], json!({ "source_delegation_id": first }));
    let parent = who[1].by(&world, &first);
    let token = got(&who[2].grant(&world, &[("delegation_token", &parent)]));
    let claims = payload(&token);
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!(who[0].id), &json!("api.read")));
    let named: Vec<&str> = claims["origins"].as_array().unwrap().iter().filter_map(|origin| origin["delegation"].as_str()).collect();
    assert_eq!(named, [&first, &made]);
    let plain = who[1].own(&world, &[]).text("access_token");
    let token = got(&who[2].grant(&world, &[("delegation_token", &plain), ("scope", "files.read")]));
    assert_eq!(payload(&token)["origins"][0]["delegation"], own);
}

#[test]
fn scope_is_narrowed_and_never_more_than_any_link_the_source_or_the_resource() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read", "api.write"], json!({}));
    let second = who[1].accepted(&world, &who[2], &["api.read"], json!({ "source_delegation_id": first }));
    assert_eq!(payload(&who[2].by(&world, &second))["scope"], "api.read");
    is(&who[2].grant(&world, &[("delegation_id", &second), ("scope", "api.write")]), 400, "invalid_scope");
    is(&who[1].grant(&world, &[("delegation_id", &first), ("scope", "agents.read")]), 400, "invalid_scope");
    let narrow = who[1].grant(&world, &[("delegation_id", &first), ("scope", "api.write")]);
    assert_eq!(narrow.text("scope"), "api.write");
    assert!(narrow.json()["issued_token_type"].is_null());
    is(&who[1].grant(&world, &[("delegation_id", &first), ("resource", "https://other.example.com")]), 400, "invalid_target");
    let mcp = format!("{ISSUER}/mcp");
    let there = who[1].grant(&world, &[("delegation_id", &first), ("audience", &mcp)]);
    assert_eq!(payload(&got(&there))["aud"], mcp);
    let limited = Agent::keyed(&world, &who[1].registration(), 9, Some("api.write delegations.write"));
    assert_eq!(limited.grant(&world, &[("delegation_id", &first)]).text("scope"), "api.write", "no more than the key is good for");
    is(&limited.delegate(&world, &who[2], &["api.read"], json!({ "source_delegation_id": first })), 400, "invalid_delegation");
}

#[test]
fn a_token_ends_with_the_first_link_that_ends() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({ "expires_in_hours": 0.05 }));
    let second = who[1].accepted(&world, &who[2], &["api.read"], json!({ "source_delegation_id": first }));
    let answer = who[2].grant(&world, &[("delegation_id", &second)]);
    assert_eq!(answer.json()["expires_in"], 180);
    world.later(180);
    assert_eq!(world.call(&answer.text("access_token")), 401);
    is(&who[2].grant(&world, &[("delegation_id", &second)]), 400, "invalid_grant");
    assert_eq!((world.call(&who[1].key), world.call(&who[2].key)), (200, 200));
}

#[test]
fn a_delegated_token_manages_no_agents_and_authenticates_nobody() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let id = ada.accepted(&world, &bob, &["api.read", "api.write"], json!({}));
    let token = bob.by(&world, &id);
    for (method, path) in [("GET", "/api/v1/delegations"), ("GET", "/api/v1/agents"), ("POST", "/api/v1/delegations")] {
        assert_eq!(ask(&world, &token, method, path, &json!({})).status(), 403, "{method} {path}");
    }
    is(&world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &token)]), 401, "invalid_client");
    is(
        &world.form("/oauth2/token", &[("grant_type", "agent_delegation"), ("client_secret", &token), ("delegation_id", &id)]),
        401,
        "invalid_client",
    );
    let me = Agent { key: token, id: String::new() }.me(&world);
    assert_eq!((&me["registration_id"], &me["sub"], &me["act"]), (&json!(bob.id), &json!(ada.id), &json!({ "sub": bob.id })));
    assert_eq!(me["management_scopes"], json!([]));
}

#[test]
fn introspection_and_exchange_keep_the_chain_and_what_it_is_bound_to() {
    let world = world();
    let who = [0; 3].map(|_| Agent::root(&world));
    let first = who[0].accepted(&world, &who[1], &["api.read"], json!({ "constraints": { "amount": { "max": 100 } } }));
    let more = json!({ "source_delegation_id": first, "constraints": { "currency": "EUR" } });
    let second = who[1].accepted(&world, &who[2], &["api.read"], more);
    let token = who[2].by(&world, &second);
    let bounds = json!([
        { "delegation": first, "constraints": { "amount": { "max": 100 } } },
        { "delegation": second, "constraints": { "currency": "EUR" } },
    ]);
    assert_eq!(payload(&token)["constraints"], bounds);
    let told = world.form("/oauth2/introspect", &[("client_secret", &who[2].key), ("token", &token)]).json();
    assert_eq!((&told["active"], &told["sub"], &told["constraints"]), (&json!(true), &json!(who[0].id), &bounds));
    assert_eq!(told["act"], json!({ "sub": who[2].id, "act": { "sub": who[1].id } }));
    let stranger = world.form("/oauth2/introspect", &[("client_secret", &who[0].key), ("token", &token)]).json();
    assert_eq!(stranger, json!({ "active": false }));

    let again = got(&exchange(&world, &token, &[]));
    assert_eq!(payload(&again)["constraints"], bounds);
    assert_eq!((payload(&again)["sub"].as_str(), chain(&again)), (Some(&*who[0].id), vec![who[2].id.clone(), who[1].id.clone()]));
    let eve = Agent::root(&world);
    let acted = got(&acting(&world, &token, &eve.own(&world, &[]).text("access_token"), &[]));
    assert_eq!(chain(&acted), [&eve.id, &who[2].id, &who[1].id].map(String::as_str));
    assert_eq!((world.call(&again), world.call(&acted)), (200, 200));
    assert_eq!(ask(&world, &again, "GET", "/api/v1/delegations", &Value::Null).status(), 403);
    who[0].revoke(&world, &first);
    assert_eq!((world.call(&again), world.call(&acted)), (401, 401));
}

#[test]
fn an_agent_without_a_key_uses_its_access_token_and_what_comes_of_it_ends_with_it() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let id = ada.accepted(&world, &bob, &["api.read"], json!({}));
    let own = bob.own(&world, &[]).text("access_token");
    let token = got(&world.form("/oauth2/token", &[("grant_type", "agent_delegation"), ("client_secret", &own), ("delegation_id", &id)]));
    assert_eq!(world.call(&token), 200);
    world.form("/oauth2/revoke", &[("token", &own)]);
    world.later(1);
    assert_eq!(world.call(&token), 401);
}

#[test]
fn without_the_record_of_a_delegation_nothing_is_decided() {
    let mut world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let id = ada.accepted(&world, &bob, &["api.read"], json!({}));
    let token = bob.by(&world, &id);
    world.forget();
    world.platform.lost.borrow_mut().push("delegation");
    assert_eq!(world.call(&token), 503);
    is(&bob.grant(&world, &[("delegation_id", &id)]), 503, "temporarily_unavailable");
    assert_eq!(world.call(&bob.key), 200, "its own rights do not depend on it");
}

#[test]
fn tokens_that_others_can_end_are_short_whoever_asks_nobody_hears_of_it_late() {
    let world = World::new(&[
        ("SCOPES_SUPPORTED", "api.read"),
        ("PRE_CLAIM_SCOPES", "api.read"),
        ("POST_CLAIM_SCOPES", "api.read"),
        ("ACCESS_TOKEN_TTL", "3600"),
    ]);
    let life = |answer: &Answer| answer.json()["expires_in"].clone();
    let root = Agent::root(&world);
    let child = Agent::below(&world, &[&root], 1);
    assert_eq!((life(&root.own(&world, &[])), life(&child.own(&world, &[]))), (json!(3600), json!(900)));
    let id = root.delegated(&world, &child, &["api.read"], json!({}));
    assert_eq!(life(&child.grant(&world, &[("delegation_id", &id)])), 900);
    // Whoever makes the key may say otherwise of the agent's own tokens, and shorten any.
    for (seconds, own, handed) in [(7200, 7200, 900), (60, 60, 60)] {
        let body = json!({ "agent_id": child.id, "token_lifetime_seconds": seconds });
        let key = root.ask(&world, "POST", "/api/v1/credentials", &body).text("raw_key");
        let keyed = Agent { key, ..child.clone() };
        assert_eq!(life(&keyed.own(&world, &[])), own);
        assert_eq!(life(&keyed.grant(&world, &[("delegation_id", &id)])), handed);
    }
}
