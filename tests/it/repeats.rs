//! A registration that is asked for again with its `Idempotency-Key`, after a person has claimed it.

use serde_json::{Value, json};

use crate::person::{Person, page};
use crate::world::{Answer, World};

const KEY: &str = "a-key-that-nobody-can-guess-0123";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn send(world: &World, path: &str, body: &Value) -> Answer {
    world.send("192.0.2.1", "POST", path, &[("content-type", "application/json"), ("idempotency-key", KEY)], &body.to_string())
}

/// The person types the code of an attempt.
fn claim(world: &World, uri: &Value, code: &Value) {
    let mut ada = Person::sign_in(world, "ada@example.com");
    assert_eq!(ada.get(&page(uri.as_str().unwrap())).status(), 200);
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code.as_str().unwrap())]).status(), 200);
}

fn started(world: &World, first: &Answer) -> Value {
    let start = json!({ "type": "login_hint", "claim_token": first.text("claim_token"), "login_hint": "ada@example.com" });
    world.json("/agent/identity/claim", &start).json()["claim_attempt"].clone()
}

fn refused(answer: &Answer) {
    assert_eq!((answer.status(), answer.text("error").as_str()), (422, "idempotency_key_reused"));
    let text = answer.json().to_string();
    for secret in ["identity", "credential", "claim_token", "assertion\""] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_repeat_after_the_claim_brings_nothing_of_after_the_claim() {
    let world = World::new(&[]);
    let body = json!({ "type": "anonymous" });
    let first = send(&world, "/agent/identity", &body);
    assert_eq!(send(&world, "/agent/identity", &body).json(), first.json());
    let attempt = started(&world, &first);
    assert_eq!(send(&world, "/agent/identity", &body).json(), first.json(), "an attempt alone changes nothing");
    claim(&world, &attempt["verification_uri"], &attempt["user_code"]);
    refused(&send(&world, "/agent/identity", &body));
    let poll = [("grant_type", "urn:workos:agent-auth:grant-type:claim"), ("claim_token", &first.text("claim_token"))];
    assert_eq!(world.form("/oauth2/token", &poll).status(), 200, "the claim token brings it, and nothing else");
    refused(&send(&world, "/agent/identity", &body));
    let old = world.form("/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", &first.text("identity_assertion"))]);
    assert_eq!(old.text("error"), "invalid_grant");
}

#[test]
fn nor_does_one_for_a_person_or_in_the_first_dialect() {
    let world = World::new(&[]);
    let body = json!({ "type": "service_auth", "login_hint": "ada@example.com" });
    let first = send(&world, "/agent/identity", &body).json();
    assert_eq!(send(&world, "/agent/identity", &body).json(), first);
    claim(&world, &first["claim"]["verification_uri"], &first["claim"]["user_code"]);
    refused(&send(&world, "/agent/identity", &body));

    let world = World::new(&[]);
    let body = json!({ "type": "anonymous", "requested_credential_type": "api_key" });
    let first = send(&world, "/agent/auth", &body);
    world.json("/agent/auth/claim", &json!({ "claim_token": first.text("claim_token"), "email": "ada@example.com" }));
    let letter = world.platform.mails.borrow().last().unwrap().text.clone();
    let (_, link) = letter.split_once("/claim?claim_attempt_token=").unwrap();
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&format!("/claim?claim_attempt_token={}", link.split_whitespace().next().unwrap())).status(), 200);
    assert_eq!(ada.post("/claim/code", &[]).status(), 200);
    let complete = json!({ "claim_token": first.text("claim_token"), "otp": ada.code() });
    let done = world.json("/agent/auth/claim/complete", &complete);
    assert_eq!(done.status(), 200, "{}", done.json());
    refused(&send(&world, "/agent/auth", &body));
}

#[test]
fn nor_does_one_after_the_agent_has_ended_itself() {
    let world = World::new(&[]);
    let body = json!({ "type": "anonymous" });
    let first = send(&world, "/agent/identity", &body);
    assert_eq!(world.form("/oauth2/revoke", &[("token", &first.text("identity_assertion"))]).status(), 200);
    refused(&send(&world, "/agent/identity", &body));
}
