//! What an ID token needs is out of reach: a code is not used up in vain.

use serde_json::json;

use super::flow::{EVERYTHING, agree, client, redeem};
use crate::client::is;
use crate::device::{ada, begin, world_with};
use crate::person::Person;
use crate::world::World;

fn loses(world: &World, what: &'static str) {
    world.platform.lost.borrow_mut().push(what);
}

fn finds_all(world: &World) {
    world.platform.lost.borrow_mut().clear();
}

#[test]
fn a_code_is_still_good_after_the_ring_for_its_id_token_was_out_of_reach() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({}));
    let mut person = Person::sign_in(&world, "ada@example.com");
    loses(&world, "keyring/rs256");
    let code = agree(&mut person, 1, &id, EVERYTHING);
    for _ in 0..2 {
        is(&redeem(&world, 1, &id, &code), 503, "temporarily_unavailable");
    }
    finds_all(&world);
    let answer = redeem(&world, 1, &id, &code);
    is(&answer, 200, "ok");
    assert!(answer.json()["id_token"].is_string());
    assert_eq!(world.call(&answer.text("access_token")), 200);
}

#[test]
fn whoever_gets_no_id_token_needs_no_key_for_one() {
    let world = World::new(&[]);
    let (plain, other) = (client(&world, 1, &json!({})), client(&world, 2, &json!({ "id_token_signed_response_alg": "ES256" })));
    let mut person = Person::sign_in(&world, "ada@example.com");
    loses(&world, "keyring/rs256");
    let code = agree(&mut person, 1, &plain, "api.read");
    let answer = redeem(&world, 1, &plain, &code);
    is(&answer, 200, "ok");
    assert!(answer.json()["id_token"].is_null());
    let code = agree(&mut person, 2, &other, EVERYTHING);
    assert!(redeem(&world, 2, &other, &code).json()["id_token"].is_string());
    finds_all(&world);
    let code = agree(&mut person, 1, &plain, "api.read");
    is(&redeem(&world, 1, &plain, &code), 200, "ok");
    assert!(!world.platform.cells.borrow().contains_key("keyring/rs256"), "nobody has needed it");
}

#[test]
fn a_code_is_still_good_after_the_account_was_out_of_reach_that_knows_the_pairwise_subject() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({ "subject_type": "pairwise" }));
    let mut person = Person::sign_in(&world, "ada@example.com");
    let code = agree(&mut person, 1, &id, EVERYTHING);
    loses(&world, "account");
    is(&redeem(&world, 1, &id, &code), 503, "temporarily_unavailable");
    finds_all(&world);
    let answer = redeem(&world, 1, &id, &code);
    is(&answer, 200, "ok");
    let userinfo = super::flow::userinfo(&world, &answer.text("access_token")).json();
    let (_, claims) = super::flow::read(&world, "jwt", &answer.text("id_token"));
    assert_eq!(claims["sub"], userinfo["sub"]);
}

#[test]
fn a_session_out_of_reach_costs_a_client_the_word_of_its_end_and_nothing_else() {
    let world = World::new(&[]);
    let id = client(&world, 1, &json!({ "backchannel_logout_uri": "https://rp1.example.com/backchannel" }));
    let mut person = Person::sign_in(&world, "ada@example.com");
    let code = agree(&mut person, 1, &id, EVERYTHING);
    loses(&world, "session");
    let answer = redeem(&world, 1, &id, &code);
    is(&answer, 200, "ok");
    assert!(answer.json()["id_token"].is_string());
    assert!(world.platform.warnings.borrow().iter().any(|warning| warning.contains("logout_not_noted")));
}

#[test]
fn a_device_that_was_approved_gets_its_tokens_after_the_ring_was_out_of_reach() {
    let (world, id) = world_with(&[]);
    let waiting = begin(&world, &id, &[("scope", "openid api.read")]);
    let mut person = ada(&world);
    assert_eq!(waiting.answer(&mut person, "allow").status(), 200);
    loses(&world, "keyring/rs256");
    is(&waiting.poll(&world), 503, "temporarily_unavailable");
    finds_all(&world);
    // One poll at a time: the one that failed may have been under way still.
    world.later(60);
    let answer = waiting.poll(&world);
    is(&answer, 200, "ok");
    assert!(answer.json()["id_token"].is_string());
}
