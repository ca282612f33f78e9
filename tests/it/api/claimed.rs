//! What was made in a tree before a person claimed its root.

use postern::id::{AccountId, DelegationId};
use postern::machine::delegation::{self, By, Delegation, Terms};
use postern::store::Cells;
use serde_json::{Value, json};

use super::agents::{self, Agent, lasting::claim};
use super::delegations::{self, is};
use super::{by_key, refresh, send};
use crate::mcp::Sender;
use crate::world::{World, block};

/// A key by the API, and the name of its credential.
fn made(by: &Agent<'_>, agent: &str) -> (String, String) {
    let answer = by.ask("POST", "/credentials", &json!({ "agent_id": agent }));
    assert_eq!(answer.status(), 201, "{}", answer.json());
    (answer.text("raw_key"), answer.json()["credential"]["id"].as_str().unwrap().to_owned())
}

/// The root after the claim: with a key that came after it.
fn anew<'w>(boss: Agent<'w>) -> Agent<'w> {
    Agent { key: agents::key(boss.world, &boss.id, |key| key), ..boss }
}

fn valid(boss: &Agent<'_>, credential: &str) -> Value {
    boss.get(&format!("/credentials/{credential}")).json()["data"]["is_valid"].clone()
}

#[test]
fn what_agents_below_had_before_the_claim_keeps_its_old_rights_for_ten_minutes_and_then_is_dead() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let child = boss.child("Scout");
    let below = child.child("Below");
    let old: Vec<(String, String)> = [&child.id, &below.id].map(|id| made(&boss, id)).into();
    let tokens = |key: &str| by_key(&world, key, json!({})).json();
    let had: Vec<Value> = old.iter().map(|(key, _)| tokens(key)).collect();
    claim(&boss);
    world.later(1);
    let boss = anew(boss);
    let new = made(&boss, &child.id);
    let has = |answer: &Value, scope: &str| answer["scope"].as_str().unwrap().split(' ').any(|one| one == scope);
    assert!(has(&tokens(&new.0), "api.write"), "what comes after the claim has all the rights");
    let mut refreshed = Vec::new();
    for ((key, credential), had) in old.iter().zip(&had) {
        assert_eq!((world.call(key), world.call(had["access_token"].as_str().unwrap())), (200, 200));
        assert_eq!(by_key(&world, key, json!({ "scope": "api.write" })).text("error"), "invalid_scope");
        let plain = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", key)]).json();
        assert_eq!((&plain["scope"], &plain["expires_in"]), (&json!("api.read"), &json!(599)), "no token outlives it");
        let next = refresh(&world, had["refresh_token"].as_str().unwrap()).json();
        assert!(has(&next, "api.read") && !has(&next, "api.write"), "{next}");
        refreshed.push(next);
        assert_eq!(valid(&boss, credential), true);
    }
    world.later(598);
    assert!(old.iter().all(|(key, _)| world.call(key) == 200));
    world.later(1);
    for (((key, credential), had), next) in old.iter().zip(&had).zip(&refreshed) {
        assert_eq!((world.call(key), by_key(&world, key, json!({})).text("error").as_str()), (401, "invalid_client"));
        for token in [&had["access_token"], &next["access_token"]] {
            assert_eq!(world.call(token.as_str().unwrap()), 401);
        }
        assert_eq!(refresh(&world, next["refresh_token"].as_str().unwrap()).text("error"), "invalid_grant");
        assert_eq!(valid(&boss, credential), false);
    }
    assert_eq!((world.call(&new.0), valid(&boss, &new.1)), (200, json!(true)));
}

#[test]
fn a_key_of_a_child_that_is_rotated_after_the_claim_is_new() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let child = boss.child("Scout");
    let (_, credential) = made(&boss, &child.id);
    claim(&boss);
    world.later(1);
    let boss = anew(boss);
    let rotated = boss.ask("POST", &format!("/credentials/{credential}/rotate"), &Value::Null);
    assert_eq!(rotated.status(), 200, "{}", rotated.json());
    let key = rotated.text("raw_key");
    assert_eq!(by_key(&world, &key, json!({ "scope": "api.write" })).status(), 200);
    world.later(3600);
    assert_eq!(world.call(&key), 200);
}

#[test]
fn a_child_s_key_of_before_the_claim_makes_nothing_that_lasts() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let child = boss.child("Scout");
    let below = child.child("Below");
    let (key, credential) = made(&boss, &child.id);
    let (_, of_below) = made(&boss, &below.id);
    let token = by_key(&world, &key, json!({})).text("access_token");
    claim(&boss);
    world.later(1);
    for bearer in [&key, &token] {
        let delegation = json!({ "delegate_agent_id": below.id, "scopes": ["api.read"] });
        for (path, body) in [
            ("/api/v1/credentials".to_owned(), json!({ "agent_id": child.id })),
            ("/api/v1/credentials".to_owned(), json!({ "agent_id": below.id })),
            (format!("/api/v1/credentials/{credential}/rotate"), Value::Null),
            (format!("/api/v1/credentials/{of_below}/rotate"), Value::Null),
            ("/api/v1/agents".to_owned(), json!({ "name": "x", "agent_type": "tool" })),
            ("/api/v1/delegations".to_owned(), delegation),
        ] {
            is(&send(&world, "POST", &path, bearer, &body), 403, "forbidden");
        }
        let sender = Sender { token: Some(bearer), ..Sender::default() };
        let signup = json!({ "action": "signup", "agent_name": "x", "scopes": ["api.read"] });
        assert_eq!(sender.fails(&world, "auth_agent", &signup), "forbidden");
    }
    assert_eq!(world.call(&key), 200, "it has not been rotated");
}

#[test]
fn a_root_s_key_of_before_the_claim_changes_no_policy() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let policy = |name: &str| json!({ "name": name, "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/x"] }, "actions": ["read"] });
    let id = boss.ask("POST", "/policies", &policy("Before")).json()["data"]["id"].as_str().unwrap().to_owned();
    claim(&boss);
    world.later(1);
    let one = format!("/api/v1/policies/{id}");
    for (method, path, body) in [
        ("POST", "/api/v1/policies", policy("After")),
        ("PUT", one.as_str(), json!({ "enabled": false })),
        ("DELETE", one.as_str(), Value::Null),
    ] {
        is(&send(&world, method, path, &boss.key, &body), 403, "forbidden");
    }
    let boss = anew(boss);
    assert_eq!(boss.get(&format!("/policies/{id}")).json()["data"]["enabled"], true);
    assert_eq!(boss.get("/policies").json()["meta"]["total"], 1);
}

#[test]
fn a_delegation_of_before_the_claim_does_not_count_after_it_nor_what_was_made_of_it() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let [ada, bob, eve] = ["Ada", "Bob", "Eve"].map(|name| {
        let agent = boss.child(name);
        delegations::Agent { key: made(&boss, &agent.id).0, id: agent.id }
    });
    let root = delegations::Agent { key: boss.key.clone(), id: boss.id.clone() };
    let by_root = root.delegated(&world, &eve, &["api.read"], json!({}));
    let by_ada = ada.delegated(&world, &bob, &["api.read"], json!({}));
    let further = bob.delegated(&world, &eve, &["api.read"], json!({ "source_delegation_id": by_ada }));
    let tokens = [eve.by(&world, &by_root), bob.by(&world, &by_ada), eve.by(&world, &further)];
    assert_eq!(tokens.each_ref().map(|token| world.call(token)), [200; 3]);
    claim(&boss);
    world.later(1);
    let boss = anew(boss);
    assert_eq!(tokens.each_ref().map(|token| world.call(token)), [401; 3]);
    // The delegates have new keys: what is left of before is the delegations alone.
    let anew = |agent: &delegations::Agent| delegations::Agent { key: made(&boss, &agent.id).0, id: agent.id.clone() };
    let [ada, bob, eve] = [ada, bob, eve].each_ref().map(anew);
    for (agent, id) in [(&eve, &by_root), (&bob, &by_ada), (&eve, &further)] {
        is(&agent.grant(&world, &[("delegation_id", id)]), 400, "invalid_grant");
        let chain = agent.ask(&world, "GET", &format!("/api/v1/delegations/{id}/chain"), &Value::Null).json();
        assert_eq!((&chain["is_active"], &chain["effective_scopes"]), (&json!(false), &json!([])));
    }
    let onward = bob.delegate(&world, &eve, &["api.read"], json!({ "source_delegation_id": by_ada }));
    is(&onward, 400, "invalid_delegation");
    let fresh = ada.delegated(&world, &bob, &["api.read", "api.write"], json!({}));
    assert_eq!(world.call(&bob.by(&world, &fresh)), 200, "what is made after the claim counts");
}

#[test]
fn an_offer_of_before_the_claim_does_not_count_though_it_is_accepted_after_it() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let bob = delegations::Agent::root(&world);
    claim(&boss);
    world.later(1);
    let account = |id: &str| AccountId::from_digits(id.parse::<postern::id::RegistrationId>().unwrap().digits());
    let offer = |name: u8, root_generation: u32| {
        let terms = Terms {
            id: DelegationId::from_bytes([name; 16]),
            delegators: vec![boss.id.parse().unwrap()],
            delegate: bob.registration(),
            delegator_account: account(&boss.id),
            delegate_account: account(&bob.id),
            upstream: Vec::new(),
            scopes: "api.read".parse().unwrap(),
            constraints: Default::default(),
            max_chain_depth: 1,
            expires: None,
            root_generation: Some(root_generation),
        };
        let by = By { agent: boss.id.parse().unwrap(), account: None, person: None, on_behalf: None, network: None, request_id: None };
        let create = delegation::Command::Create { terms: Box::new(terms.clone()), by };
        block(world.platform.run::<Delegation>(&terms.id, create)).unwrap();
        world.ring();
        let accepted = bob.ask(&world, "POST", &format!("/api/v1/delegations/{}/accept", terms.id), &json!({}));
        // Where the claim is not known yet it is accepted all the same.
        let by = By { agent: bob.registration(), account: None, person: None, on_behalf: None, network: None, request_id: None };
        block(world.platform.run::<Delegation>(&terms.id, delegation::Command::Accept(by))).unwrap();
        world.later(1);
        (accepted, bob.grant(&world, &[("delegation_id", terms.id.as_str())]))
    };
    // Somebody has made it where the claim was not known yet.
    let (accepted, granted) = offer(1, 0);
    is(&accepted, 400, "already_revoked");
    is(&granted, 400, "invalid_grant");
    let (accepted, granted) = offer(2, 1);
    assert_eq!((accepted.status(), granted.status()), (200, 200));
}

#[test]
fn a_key_that_a_claim_has_ended_is_noted_as_such_at_the_api_and_at_both_token_endpoints() {
    let world = World::new(&[]);
    let boss = agents::root(&world, "Boss");
    let child = boss.child("Scout");
    let old = [made(&boss, &child.id).0, boss.key.clone()];
    claim(&boss);
    world.later(1);
    let boss = anew(boss);
    let (other, credential) = made(&boss, &child.id);
    boss.ask("DELETE", &format!("/credentials/{credential}"), &Value::Null);
    world.later(600);
    let form = |key: &str| world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", key)]).status();
    let grant = |key: &str| {
        let given = [("grant_type", "agent_delegation"), ("client_secret", key), ("delegation_id", "dlg_0000000000000000000000")];
        world.form("/oauth2/token", &given).status()
    };
    for key in old.iter().chain([&other]) {
        assert_eq!((world.call(key), form(key), by_key(&world, key, json!({})).status(), grant(key)), (401, 401, 401, 401));
    }
    let rows = boss.get("/audit/events?event_type=authentication.failed").json();
    let told = |row: &Value| ["method", "key"].map(|name| row["metadata"][name].as_str().unwrap_or_default().to_owned());
    let mut told: Vec<_> = rows["data"].as_array().unwrap().iter().map(told).collect();
    told.sort();
    let methods = ["bearer", "client_authentication", "client_credentials", "client_credentials"];
    let expected = methods.iter().flat_map(|method| ["claim", "claim", "ended"].map(|why| [*method, why].map(str::to_owned)));
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(told, expected);
}
