//! Tokens that are bound to a key.

use serde_json::json;

use super::{ACCESS, API, Agent, agent, exchange, fields, got, is, payload, world};
use crate::dpop::{KEY, OTHER, jkt, me, post, proof, proof_with};
use crate::world::World;

fn bound(world: &World, agent: &Agent) -> String {
    let fields = [("grant_type", "client_credentials"), ("client_secret", agent.key.as_str())];
    got(&post(world, "/oauth2/token", &fields, &proof(world, KEY)))
}

#[test]
fn a_bound_token_stays_bound_to_its_key() {
    let world = world();
    let agent = agent(&world);
    let subject = bound(&world, &agent);
    is(&exchange(&world, &subject, &[]), 400, "invalid_dpop_proof");
    is(&exchange(&world, &subject, &[("client_secret", &agent.key)]), 400, "invalid_dpop_proof");
    is(&post(&world, "/oauth2/token", &fields(&subject, &[]), &proof(&world, OTHER)), 400, "invalid_dpop_proof");
    let answer = post(&world, "/oauth2/token", &fields(&subject, &[]), &proof(&world, KEY));
    let token = got(&answer);
    assert_eq!((answer.text("token_type"), payload(&token)["cnf"].clone()), ("DPoP".to_owned(), json!({ "jkt": jkt(KEY) })));
    assert_eq!(me(&world, "DPoP", &token, Some(&proof_with(&world, KEY, &token))).status(), 200);
    assert_eq!(me(&world, "Bearer", &token, None).status(), 401);
    let actor = super::agent(&world).token(&world, &[]);
    let actor = [("actor_token", actor.as_str()), ("actor_token_type", ACCESS)];
    is(&exchange(&world, &subject, &actor), 400, "invalid_dpop_proof");
    is(&post(&world, "/oauth2/token", &fields(&subject, &actor), &proof(&world, OTHER)), 400, "invalid_dpop_proof");
}

#[test]
fn the_key_shows_who_the_client_is() {
    let world = world();
    let subject = bound(&world, &agent(&world));
    let answer = post(&world, "/oauth2/token", &fields(&subject, &[("resource", API)]), &proof(&world, KEY));
    assert_eq!(payload(&got(&answer))["aud"], json!(API), "no resource has learned it");
}

#[test]
fn a_token_of_anybody_can_be_bound_and_not_freed() {
    let world = world();
    let subject = agent(&world).token(&world, &[]);
    let answer = post(&world, "/oauth2/token", &fields(&subject, &[]), &proof(&world, KEY));
    assert_eq!(answer.text("token_type"), "DPoP");
    is(&exchange(&world, &got(&answer), &[]), 400, "invalid_dpop_proof");
    let there = post(&world, "/oauth2/token", &fields(&subject, &[("resource", API)]), &proof(&world, KEY));
    is(&there, 400, "invalid_target");
}

#[test]
fn a_proof_is_used_up_by_a_good_request_alone() {
    let world = world();
    let subject = agent(&world).token(&world, &[]);
    let proof = proof(&world, KEY);
    is(&post(&world, "/oauth2/token", &fields("x", &[]), &proof), 400, "invalid_request");
    is(&post(&world, "/oauth2/token", &fields(&subject, &[("scope", "unknown")]), &proof), 400, "invalid_scope");
    is(&post(&world, "/oauth2/token", &fields(&subject, &[("resource", API)]), &proof), 400, "invalid_target");
    got(&post(&world, "/oauth2/token", &fields(&subject, &[]), &proof));
    is(&post(&world, "/oauth2/token", &fields(&subject, &[]), &proof), 400, "invalid_dpop_proof");
}
