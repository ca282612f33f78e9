//! What a proof has to be.

use serde_json::{Value, json};

use super::{FORM, KEY, OTHER, api_key, ask, claims, header, post, proof, public, sign};
use crate::provider::{with, without};
use crate::world::World;

#[test]
fn a_proof_that_is_not_one_is_refused() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let good = || claims(&world, "POST", "/oauth2/token");
    let now = world.platform.now.get().seconds();
    let mut private = public(KEY);
    private["d"] = private["x"].clone();
    let symmetric = json!({ "kty": "oct", "k": "AAAA" });
    let mut wrong: Vec<(Value, Value)> = vec![
        (with(&header(KEY), "typ", json!("jwt")), good()),
        (without(&header(KEY), "typ"), good()),
        (with(&header(KEY), "alg", json!("none")), good()),
        (with(&header(KEY), "alg", json!("HS256")), good()),
        (with(&header(KEY), "alg", json!("EdDSA")), good()),
        (with(&header(KEY), "jwk", public(OTHER)), good()),
        (with(&header(KEY), "jwk", private), good()),
        (with(&header(KEY), "jwk", symmetric), good()),
        (with(&header(KEY), "jwk", Value::Null), good()),
        (without(&header(KEY), "jwk"), good()),
        (with(&header(KEY), "crit", json!(["b64"])), good()),
    ];
    for (name, value) in [
        ("htm", json!("GET")),
        ("htm", json!("post")),
        ("htu", json!("https://evil.example.com/oauth2/token")),
        ("htu", json!("http://auth.example.com/oauth2/token")),
        ("htu", json!("https://auth.example.com:8443/oauth2/token")),
        ("htu", json!("https://auth.example.com/oauth/token")),
        ("htu", json!("https://auth.example.com/oauth2/token/")),
        ("htu", json!("https://auth.example.com")),
        ("htu", json!("https://user@auth.example.com/oauth2/token")),
        ("htu", json!("/oauth2/token")),
        ("iat", json!(now - 301)),
        ("iat", json!(now + 301)),
        ("iat", json!(now.to_string())),
        ("jti", json!("")),
        ("jti", json!("x".repeat(256))),
        ("jti", json!(1)),
        ("nonce", json!("made up")),
    ] {
        wrong.push((header(KEY), with(&good(), name, value)));
    }
    for name in ["htm", "htu", "iat", "jti"] {
        wrong.push((header(KEY), without(&good(), name)));
    }
    for (header, claims) in wrong {
        let answer = ask(&world, &secret, &crate::provider::token(KEY, &header, &claims));
        let expected = if claims["nonce"].is_string() { "use_dpop_nonce" } else { "invalid_dpop_proof" };
        assert_eq!((answer.status(), answer.text("error")), (400, expected.to_owned()), "{header} {claims}");
    }
    let proof = proof(&world, KEY);
    for text in [String::new(), "a.b.c".to_owned(), format!("{proof}, {proof}"), proof.replacen("ey", "eY", 1)] {
        assert_eq!(ask(&world, &secret, &text).text("error"), "invalid_dpop_proof", "{text}");
    }
    let request = http::Request::builder().method("POST").uri("/oauth2/token").header(FORM.0, FORM.1);
    let twice = request.header("dpop", &proof).header("dpop", super::proof(&world, KEY));
    let body = format!("grant_type=client_credentials&client_secret={secret}");
    assert_eq!(world.raw(twice.body(Ok(body.into())).unwrap()).text("error"), "invalid_dpop_proof", "two headers");
    assert_eq!(ask(&world, &secret, &proof).status(), 200, "nothing of that has used it up");
}

#[test]
fn what_does_not_count_in_an_address_is_left_out() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    for htu in ["https://auth.example.com/oauth2/token?x=1#y", "HTTPS://AUTH.example.com:443/oauth2/token"] {
        let proof = sign(KEY, &with(&claims(&world, "POST", "/oauth2/token"), "htu", json!(htu)));
        assert_eq!(ask(&world, &secret, &proof).status(), 200, "{htu}");
    }
    for path in ["/oauth/token", "/token"] {
        let fields = [("grant_type", "client_credentials"), ("client_secret", secret.as_str())];
        assert_eq!(
            post(&world, path, &fields, &proof(&world, KEY)).text("error"),
            "invalid_dpop_proof",
            "each name is an address of its own"
        );
        assert_eq!(post(&world, path, &fields, &sign(KEY, &claims(&world, "POST", path))).status(), 200);
    }
}

#[test]
fn no_byte_of_a_proof_can_be_changed() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let proof = proof(&world, KEY);
    for index in (0..proof.len()).step_by(3) {
        let mut bytes = proof.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let answer = ask(&world, &secret, std::str::from_utf8(&bytes).unwrap());
        assert_eq!(answer.text("error"), "invalid_dpop_proof", "byte {index}");
    }
}
