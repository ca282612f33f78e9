//! Who is trusted, and how often an assertion counts.

use postern::oauth::error::{ErrorCode, Refusal};
use postern::provider::id_jag;
use serde_json::{Value, json};

use super::{OTHER, PROVIDER, claims, signed, verify, with, without, world};
use crate::world::{ISSUER, World, block};

#[test]
fn only_a_trusted_issuer_counts_and_for_no_other_is_anything_fetched() {
    let all = [
        "https://provider.example.com/",
        "https://PROVIDER.example.com",
        "https://provider.example.com:443",
        "https://u@provider.example.com",
        "https://provider.example.com.evil.example.com",
        "http://provider.example.com",
        "https://xn--provider.example.com",
        ISSUER,
        "",
    ];
    let world = world();
    for issuer in all.map(Value::from).into_iter().chain([json!([PROVIDER]), json!(1), Value::Null]) {
        let assertion = signed(&with(&claims(), "iss", issuer.clone()));
        assert_eq!(verify(&world, &assertion).map(|_| ()), Err(ErrorCode::InvalidIssuer), "{issuer}");
    }
    assert_eq!(verify(&world, &signed(&without(&claims(), "iss"))).map(|_| ()), Err(ErrorCode::InvalidIssuer));
    assert_eq!((super::fetches(&world), world.platform.checked.get()), (0, 0));
}

#[test]
fn row_40_without_a_trust_list_nobody_counts() {
    let world = World::new(&[]);
    for assertion in [signed(&claims()), "junk".to_owned()] {
        assert_eq!(verify(&world, &assertion).map(|_| ()), Err(ErrorCode::IssuerNotEnabled));
    }
    assert_eq!(super::fetches(&world), 0);
}

#[test]
fn a_provider_without_tls_counts_in_development_alone() {
    let local = "http://localhost:8788";
    let world = World::new(&[
        ("ISSUER", "http://localhost:8787"),
        ("DEV", "1"),
        ("TRUSTED_PROVIDERS", r#"[{"issuer":"http://localhost:8788","name":"Local"}]"#),
    ]);
    super::publish(&world, "http://localhost:8788/.well-known/jwks.json", &json!({ "keys": [super::KEY.jwk("k1")] }), None);
    let mut claims = claims();
    for (name, value) in [("iss", local), ("client_id", local), ("aud", "http://localhost:8787")] {
        claims[name] = value.into();
    }
    let mut cx = world.cx("");
    assert_eq!(block(id_jag::verify(&signed(&claims), &cx)).unwrap_err().code(), ErrorCode::InvalidIssuer);
    assert_eq!(super::fetches(&world), 0);
    cx.development = true;
    assert!(block(id_jag::verify(&signed(&claims), &cx)).is_ok());
}

#[test]
fn row_39_an_assertion_is_used_up_once_and_by_burning_alone() {
    let world = world();
    let assertion = signed(&claims());
    let cx = world.cx("");
    let burn = |vouched: &id_jag::Vouched<'_>| block(vouched.burn(&cx)).map_err(|error| error.code());
    assert!(verify(&world, &signed(&with(&claims(), "email_verified", json!(false)))).is_err(), "refused, and so not used up");
    for _ in 0..3 {
        verify(&world, &assertion).unwrap();
    }
    assert!(world.platform.cells.borrow().is_empty(), "looking uses nothing up");
    assert_eq!(burn(&verify(&world, &assertion).unwrap()), Ok(()));
    assert_eq!(burn(&verify(&world, &assertion).unwrap()), Err(ErrorCode::ReplayDetected));
    let other = with(&with(&with(&claims(), "iss", json!(OTHER)), "client_id", json!(OTHER)), "amr", json!(["mfa", "hwk"]));
    assert_eq!(burn(&verify(&world, &signed(&other)).unwrap()), Ok(()), "another issuer's jti of the same name is another");
    world.platform.lost.borrow_mut().push("once");
    assert_eq!(burn(&verify(&world, &assertion).unwrap()), Err(ErrorCode::TemporarilyUnavailable));
}

#[test]
fn an_assertion_is_remembered_for_as_long_as_it_could_come_again() {
    let world = world();
    let assertion = signed(&claims());
    block(verify(&world, &assertion).unwrap().burn(&world.cx(""))).unwrap();
    world.later(359);
    let late = verify(&world, &assertion).unwrap();
    assert_eq!(block(late.burn(&world.cx(""))).unwrap_err().code(), ErrorCode::ReplayDetected, "within the skew after its exp");
    world.later(1);
    assert_eq!(verify(&world, &assertion).map(|_| ()), Err(ErrorCode::Expired));
    world.later(60);
    assert!(world.platform.cells.borrow().is_empty(), "then its row is gone");
}
