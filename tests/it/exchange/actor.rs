//! A token for one that somebody acts with.

use serde_json::json;

use super::{ACCESS, API, acting, agent, chain, exchange, fields, got, is, payload, world};
use crate::dpop::{KEY, OTHER, proof};

#[test]
fn row_42_the_actor_is_named_and_those_before_it_stay_named() {
    let world = world();
    let (owner, first, second) = (agent(&world), agent(&world), agent(&world));
    let subject = owner.token(&world, &[]);
    let once = got(&acting(&world, &subject, &first.token(&world, &[]), &[]));
    assert_eq!(payload(&once)["act"], json!({ "sub": first.id }));
    assert_eq!((payload(&once)["sub"].clone(), payload(&once)["registration"].clone()), (json!(owner.id), json!(owner.id)));
    assert_eq!(world.call(&once), 200);
    let twice = got(&acting(&world, &once, &second.token(&world, &[]), &[]));
    assert_eq!(payload(&twice)["act"], json!({ "sub": second.id, "act": { "sub": first.id } }));
    assert_eq!(chain(&got(&exchange(&world, &twice, &[]))), [second.id.clone(), first.id.clone()], "nobody gets lost");
    let basic = [("client_id", second.id.as_str()), ("client_secret", second.key.as_str())];
    assert_eq!(chain(&got(&exchange(&world, &twice, &basic))), [second.id.clone(), first.id], "who acts may narrow it");
    let shown = world.form("/oauth2/introspect", &[("token", &twice), ("client_secret", &owner.key)]).json();
    assert_eq!(shown["act"]["sub"], json!(second.id));
}

#[test]
fn row_42_nothing_that_is_sent_gets_into_the_chain() {
    let world = world();
    let (owner, actor) = (agent(&world), agent(&world));
    let subject = owner.token(&world, &[]);
    let act = json!({ "sub": "somebody else" }).to_string();
    let input =
        [("act", act.as_str()), ("may_act", &act), ("origins", "[]"), ("actor", "x"), ("sub", "x"), ("client_id", owner.id.as_str())];
    assert_eq!(payload(&got(&exchange(&world, &subject, &input))).get("act"), None);
    let input = [("act", act.as_str()), ("may_act", &act), ("client_id", actor.id.as_str())];
    assert_eq!(payload(&got(&acting(&world, &subject, &actor.token(&world, &[]), &input)))["act"], json!({ "sub": actor.id }));
}

#[test]
fn row_42_it_may_what_both_may_and_ends_with_the_first_of_them() {
    let world = world();
    let (owner, actor) = (agent(&world), agent(&world));
    let early = actor.token(&world, &[("scope", "api.read")]);
    world.later(300);
    let subject = owner.token(&world, &[]);
    let answer = acting(&world, &subject, &early, &[]);
    assert_eq!((answer.text("scope"), answer.json()["expires_in"].clone()), ("api.read".to_owned(), json!(600)));
    is(&acting(&world, &subject, &early, &[("scope", "api.write")]), 400, "invalid_scope");
    let only = |scope: &str| actor.token(&world, &[("scope", scope)]);
    let narrow = owner.token(&world, &[("scope", "api.write")]);
    is(&acting(&world, &narrow, &only("api.read"), &[]), 400, "invalid_scope");
    assert_eq!(acting(&world, &narrow, &only("api.read api.write"), &[]).text("scope"), "api.write");
}

#[test]
fn it_ends_with_its_actor() {
    let mut world = world();
    let owner = agent(&world);
    let subject = owner.token(&world, &[]);
    let delegated = |world: &crate::world::World| {
        let actor = agent(world);
        let shown = got(&exchange(world, &actor.token(world, &[]), &[]));
        let token = got(&acting(world, &subject, &shown, &[]));
        let later = got(&exchange(world, &got(&acting(world, &token, &agent(world).token(world, &[]), &[])), &[]));
        assert_eq!((world.call(&token), world.call(&later)), (200, 200));
        (actor, shown, token, later)
    };
    let (actor, _, token, later) = delegated(&world);
    world.form("/oauth2/revoke", &[("token", &actor.key)]);
    world.forget();
    assert_eq!((world.call(&token), world.call(&later)), (401, 401), "its key");
    let (_, shown, token, later) = delegated(&world);
    world.form("/oauth2/revoke", &[("token", &shown)]);
    world.forget();
    assert_eq!((world.call(&token), world.call(&later)), (401, 401), "the token that it has shown");
    let (actor, _, token, later) = delegated(&world);
    let body = json!({ "registration_id": actor.id }).to_string();
    let headers = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    world.send("192.0.2.1", "POST", "/operator/registrations/revoke", &headers, &body);
    world.later(2);
    assert_eq!((world.call(&token), world.call(&later)), (401, 401), "the actor itself, with what is remembered here");
    assert_eq!(world.call(&subject), 200);
    let introspection = world.form("/oauth2/introspect", &[("token", &token), ("client_secret", &owner.key)]);
    assert_eq!(introspection.json(), json!({ "active": false }));
}

#[test]
fn an_actor_acts_at_the_same_resource_unless_the_subjects_client_says_otherwise() {
    let world = world();
    let (owner, actor, other) = (agent(&world), agent(&world), agent(&world));
    let subject = owner.token(&world, &[]);
    let shown = actor.token(&world, &[]);
    let there = [("resource", API)];
    is(&acting(&world, &subject, &shown, &there), 400, "invalid_target");
    is(&acting(&world, &subject, &shown, &[&there[..], &[("client_secret", &actor.key)]].concat()), 400, "invalid_target");
    is(&acting(&world, &subject, &shown, &[("client_secret", &other.key)]), 400, "invalid_request");
    let token = got(&acting(&world, &subject, &shown, &[&there[..], &[("client_secret", &owner.key)]].concat()));
    assert_eq!((payload(&token)["aud"].clone(), chain(&token)), (json!(API), vec![actor.id.clone()]));
    // Whoever acts with a token is not its client, and cannot become it.
    let here = got(&acting(&world, &subject, &shown, &[("client_secret", &actor.key)]));
    is(&exchange(&world, &here, &[&there[..], &[("client_secret", &actor.key)]].concat()), 400, "invalid_target");
    is(&acting(&world, &here, &here, &[]), 400, "invalid_request");
}

#[test]
fn row_42_the_chain_is_not_endless() {
    let world = world();
    let mut token = agent(&world).token(&world, &[]);
    for _ in 0..4 {
        token = got(&acting(&world, &token, &agent(&world).token(&world, &[]), &[]));
    }
    assert_eq!(chain(&token).len(), 4);
    is(&acting(&world, &token, &agent(&world).token(&world, &[]), &[]), 400, "invalid_request");
}

#[test]
fn a_delegated_token_authenticates_nobody() {
    let world = world();
    let (owner, actor) = (agent(&world), agent(&world));
    let subject = owner.token(&world, &[]);
    let token = got(&acting(&world, &subject, &actor.token(&world, &[]), &[]));
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", bearer.as_str())];
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        is(&world.send("192.0.2.1", "POST", path, &headers, &format!("token={subject}")), 401, "invalid_client");
    }
    assert_eq!(world.call(&subject), 200);
}

#[test]
fn an_actor_with_a_key_binds_what_it_gets() {
    let world = world();
    let (owner, actor) = (agent(&world), agent(&world));
    let subject = owner.token(&world, &[]);
    let secret = [("grant_type", "client_credentials"), ("client_secret", actor.key.as_str())];
    let shown = crate::dpop::post(&world, "/oauth2/token", &secret, &proof(&world, KEY)).text("access_token");
    let actor = [("actor_token", shown.as_str()), ("actor_token_type", ACCESS)];
    is(&exchange(&world, &subject, &actor), 400, "invalid_dpop_proof");
    is(&crate::dpop::post(&world, "/oauth2/token", &fields(&subject, &actor), &proof(&world, OTHER)), 400, "invalid_dpop_proof");
    let answer = crate::dpop::post(&world, "/oauth2/token", &fields(&subject, &actor), &proof(&world, KEY));
    assert_eq!(
        (answer.text("token_type"), payload(&got(&answer))["cnf"]["jkt"].clone()),
        ("DPoP".to_owned(), json!(crate::dpop::jkt(KEY)))
    );
}
