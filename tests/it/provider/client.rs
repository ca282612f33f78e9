//! Client metadata documents: a `client_id` that the operator has not pinned.

use postern::oauth::error::ErrorCode;
use serde_json::{Value, json};

use super::{JWKS, answer, claims, fetches, publish, signed, verify, with, world};
use crate::world::World;

const AGENT: &str = "https://agent.example.com/client.json";

fn document() -> Value {
    json!({ "client_id": AGENT, "client_name": "Agent", "jwks_uri": JWKS })
}

fn presented(world: &World, client_id: &str) -> Result<(), ErrorCode> {
    verify(world, &signed(&with(&claims(), "client_id", json!(client_id)))).map(|_| ())
}

#[test]
fn a_document_with_the_providers_key_set_makes_a_client_the_providers() {
    let world = world();
    publish(&world, AGENT, &document(), None);
    for _ in 0..3 {
        assert_eq!(presented(&world, AGENT), Ok(()));
    }
    assert_eq!(*world.platform.fetched.borrow(), [JWKS, AGENT], "and it is kept");
}

#[test]
fn any_other_document_does_not() {
    for wrong in [
        with(&document(), "client_id", json!("https://agent.example.com/other.json")),
        with(&document(), "client_id", json!([AGENT])),
        with(&document(), "jwks_uri", json!("https://agent.example.com/jwks.json")),
        with(&document(), "jwks_uri", json!("https://provider.example.com/.well-known/jwks.json/")),
        json!({ "client_id": AGENT }),
        json!({ "jwks_uri": JWKS }),
        json!([]),
        with(&document(), "padding", json!("x".repeat(24 * 1024))),
    ] {
        let world = world();
        publish(&world, AGENT, &wrong, None);
        assert_eq!(presented(&world, AGENT), Err(ErrorCode::InvalidClientId), "{}", wrong["jwks_uri"]);
    }
}

#[test]
fn a_document_that_cannot_be_had_makes_nobody_the_providers() {
    for status in [302, 404, 500] {
        let world = world();
        answer(&world, AGENT, status, "application/json", document().to_string().into(), None);
        for _ in 0..10 {
            assert_eq!(presented(&world, AGENT), Err(ErrorCode::InvalidClientId), "{status}");
        }
        assert_eq!(fetches(&world), 2, "the failure is remembered");
    }
    let world = world();
    assert_eq!(presented(&world, AGENT), Err(ErrorCode::InvalidClientId));
}

#[test]
fn nothing_is_fetched_from_where_no_document_should_be() {
    let world = world();
    for client_id in [
        "http://agent.example.com/client.json",
        "https://agent.example.com:8443/client.json",
        "https://u@agent.example.com/client.json",
        "https://agent.example.com/",
        "https://agent.example.com/client.json#x",
        "https://localhost/client.json",
        "https://127.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/client.json",
        "https://metadata.google.internal/client.json",
        "file:///etc/passwd",
    ] {
        assert_eq!(presented(&world, client_id), Err(ErrorCode::InvalidClientId), "{client_id}");
    }
    assert_eq!(*world.platform.fetched.borrow(), [JWKS]);
}

#[test]
fn nothing_is_fetched_for_whoever_did_not_sign() {
    let world = world();
    publish(&world, AGENT, &document(), None);
    let forged = super::token(super::Key::Es256(7), &super::header("oauth-id-jag+jwt"), &with(&claims(), "client_id", json!(AGENT)));
    assert_eq!(verify(&world, &forged).map(|_| ()), Err(ErrorCode::InvalidSignature));
    assert_eq!(*world.platform.fetched.borrow(), [JWKS]);
}
