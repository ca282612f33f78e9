//! `POSTERN_SECRET` changes, and a provider takes back its word of before.

use serde_json::json;

use super::{admitted, asked, event_of, exchange, push, signed, word, world_with};
use crate::person::{Person, page};
use crate::world::World;

const OLD: &str = "0123456789abcdef0123456789abcdef";
const NEW: &str = "fedcba9876543210fedcba9876543210";

/// The same deployment with other secrets.
fn deployed(world: World, vars: &[(&str, &str)]) -> World {
    World { platform: world.platform, ..world_with(vars) }
}

fn changed(world: World) -> World {
    deployed(world, &[("POSTERN_SECRET", NEW), ("POSTERN_SECRET_PREVIOUS", OLD)])
}

fn live(world: &World, assertion: &serde_json::Value) -> bool {
    exchange(world, assertion.as_str().unwrap(), &[]).status() == 200
}

#[test]
fn an_event_ends_what_was_let_in_under_the_former_secret() {
    let world = world_with(&[]);
    let before = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let other = admitted(&world, &word(&world, "user-2", "bob@example.com"));
    let world = changed(world);
    assert!(live(&world, &before["identity_assertion"]));
    let same = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    assert_eq!(same["id"], before["id"], "it is the same agent while the secret changes");
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    assert!(!live(&world, &before["identity_assertion"]) && !live(&world, &same["identity_assertion"]));
    assert!(live(&world, &other["identity_assertion"]), "and nobody else's");
    assert_eq!(asked(&world, &word(&world, "user-1", "ada@example.com"))["id"], before["id"]);
}

#[test]
fn an_event_ends_what_came_after_the_change_too_also_when_the_former_secret_is_gone() {
    let world = changed(world_with(&[]));
    let first = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let second = admitted(&world, &word(&world, "user-2", "bob@example.com"));
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    assert!(!live(&world, &first["identity_assertion"]) && live(&world, &second["identity_assertion"]));
    let world = deployed(world, &[("POSTERN_SECRET", NEW)]);
    assert!(live(&world, &second["identity_assertion"]));
    assert_eq!(push(&world, &event_of(&world, "user-2")), 202);
    assert!(!live(&world, &second["identity_assertion"]));
}

#[test]
fn a_claim_and_a_question_of_before_the_change_are_over_with_an_event_after_it() {
    let world = world_with(&[]);
    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" }));
    let body = json!({ "type": "identity_assertion", "claim_token": agent.text("claim_token"), "assertion": signed(&word(&world, "user-1", "ada@example.com")) });
    let claimed = world.json("/agent/identity/claim", &body).json();
    Person::sign_in(&world, "bob@example.com");
    let step = asked(&world, &word(&world, "user-2", "bob@example.com"));
    let world = changed(world);
    for subject in ["user-1", "user-2"] {
        assert_eq!(push(&world, &event_of(&world, subject)), 202);
    }
    assert!(!live(&world, &claimed["identity_assertion"]));
    let mut bob = Person::sign_in(&world, "bob@example.com");
    assert_ne!(bob.get(&page(step["claim"]["verification_uri"].as_str().unwrap())).status(), 200);
}

#[test]
fn a_registration_that_did_not_answer_is_ended_later_under_its_own_name() {
    let world = world_with(&[]);
    let before = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let world = changed(world);
    world.platform.lost.borrow_mut().push("registration");
    assert_eq!(push(&world, &event_of(&world, "user-1")), 202);
    world.platform.lost.borrow_mut().clear();
    assert!(live(&world, &before["identity_assertion"]));
    world.ring();
    assert!(!live(&world, &before["identity_assertion"]));
}

#[test]
fn under_two_names_an_event_still_counts_once() {
    let world = world_with(&[]);
    admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let world = changed(world);
    let now = world.platform.now.get().seconds();
    let events = json!({ postern::provider::event::REVOKED[0]: {} });
    let claims =
        json!({ "iss": super::PROVIDER, "sub": "user-1", "aud": crate::world::ISSUER, "jti": "one", "iat": now, "events": events });
    let logout = super::token(super::KEY, &super::header("logout+jwt"), &claims);
    let send = || world.send("192.0.2.2", "POST", "/agent/auth/revoke", &[("content-type", "application/logout+jwt")], &logout);
    assert_eq!(send().json(), json!({ "revoked": 1 }));
    assert_eq!(send().text("error"), "replay_detected");
}

#[test]
fn an_event_that_was_carried_out_before_the_change_is_not_carried_out_again_after_it() {
    let world = world_with(&[]);
    admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let event = event_of(&world, "user-1");
    assert_eq!(push(&world, &event), 202);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let step = asked(&world, &word(&world, "user-1", "ada@example.com"));
    ada.get(&page(step["claim"]["verification_uri"].as_str().unwrap()));
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", step["claim"]["user_code"].as_str().unwrap())]).status(), 200);
    let again = admitted(&world, &word(&world, "user-1", "ada@example.com"));
    let world = changed(world);
    assert_eq!(push(&world, &event), 202);
    assert!(live(&world, &again["identity_assertion"]), "a replay is acknowledged without effect");
}
