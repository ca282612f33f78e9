//! Type, algorithm and signature of what a provider signs, one thing changed at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use postern::oauth::error::ErrorCode;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{JWKS, KEY, Key, claims, fetches, header, publish, token, verify, with, without, world};

const TYPE: &str = "oauth-id-jag+jwt";

fn outcome(assertion: &str) -> Result<(), ErrorCode> {
    verify(&world(), assertion).map(|_| ())
}

/// With one member of the header changed.
fn headed(name: &str, value: Value) -> String {
    token(KEY, &with(&header(TYPE), name, value), &claims())
}

#[test]
fn the_type_is_that_of_an_id_jag() {
    for good in ["oauth-id-jag+jwt", "OAuth-ID-JAG+JWT", "application/oauth-id-jag+jwt", "APPLICATION/oauth-id-jag+jwt"] {
        assert_eq!(outcome(&headed("typ", json!(good))), Ok(()), "{good}");
    }
    let world = world();
    for wrong in ["JWT", "at+jwt", "agent-identity+jwt", "secevent+jwt", "", "oauth-id-jag", "text/oauth-id-jag+jwt"] {
        assert_eq!(verify(&world, &headed("typ", json!(wrong))).map(|_| ()), Err(ErrorCode::InvalidSignature), "{wrong}");
    }
    assert_eq!(outcome(&token(KEY, &without(&header(TYPE), "typ"), &claims())), Err(ErrorCode::InvalidSignature));
    assert_eq!(fetches(&world), 0, "nor is anything fetched for it");
}

#[test]
fn algorithms_with_a_shared_secret_or_none_are_refused_before_any_crypto() {
    let world = world();
    for wrong in ["none", "None", "HS256", "HS512", "RS512", "ES512", "ES256K", "es256", "", "RSA-OAEP"] {
        assert_eq!(verify(&world, &headed("alg", json!(wrong))).map(|_| ()), Err(ErrorCode::InvalidSignature), "{wrong}");
    }
    for wrong in ["RS256", "PS256", "ES384", "EdDSA"] {
        assert_eq!(verify(&world, &headed("alg", json!(wrong))).map(|_| ()), Err(ErrorCode::InvalidSignature), "an EC key for {wrong}");
    }
    assert_eq!((world.platform.checked.get(), fetches(&world)), (0, 1), "a key of another kind is no reason to fetch again");
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let world = world();
    let published = URL_SAFE_NO_PAD.decode(KEY.jwk("k1")["x"].as_str().unwrap()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&with(&header(TYPE), "alg", json!("HS256"))), part(&claims()));
    let mut mac = Hmac::<Sha256>::new_from_slice(&published).unwrap();
    mac.update(signed.as_bytes());
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "k1", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(&published) }, KEY.jwk("k1")] });
    publish(&world, JWKS, &secret, None);
    assert_eq!(verify(&world, &forged).map(|_| ()), Err(ErrorCode::InvalidSignature));
    assert_eq!(world.platform.checked.get(), 0);
}

#[test]
fn an_edwards_key_signs_under_either_name() {
    let key = Key::Ed25519(9);
    for name in ["EdDSA", "Ed25519"] {
        let world = world();
        publish(&world, JWKS, &json!({ "keys": [key.jwk("k1")] }), None);
        let assertion = token(key, &with(&header(TYPE), "alg", json!(name)), &claims());
        assert!(verify(&world, &assertion).is_ok(), "{name}");
    }
}

#[test]
fn a_signature_is_of_this_key_over_these_bytes() {
    let good = token(KEY, &header(TYPE), &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let resigned = |bytes: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
    assert_eq!(outcome(&resigned(&bytes)), Ok(()));
    let der = [&[0x30, 0x44, 0x02, 0x20][..], &bytes[..32], &[0x02, 0x20], &bytes[32..]].concat();
    let mut flipped = bytes.clone();
    flipped[63] ^= 1;
    for wrong in [&der[..], &bytes[..63], &[&bytes[..], &[0]].concat(), &[0; 64], &[0xff; 64], &flipped, &[]] {
        assert_eq!(outcome(&resigned(wrong)), Err(ErrorCode::InvalidSignature), "{} bytes", wrong.len());
    }
    let stranger = token(Key::Es256(2), &header(TYPE), &claims());
    assert_eq!(outcome(&stranger), Err(ErrorCode::InvalidSignature));
    let other_claims = token(KEY, &header(TYPE), &with(&claims(), "sub", json!("user-2")));
    let (other_signed, _) = other_claims.rsplit_once('.').unwrap();
    assert_eq!(outcome(&format!("{other_signed}.{signature}")), Err(ErrorCode::InvalidSignature));
}

#[test]
fn keys_in_the_header_are_not_looked_at() {
    let stranger = Key::Es256(2);
    let world = world();
    publish(&world, "https://evil.example.com/jwks", &json!({ "keys": [stranger.jwk("k1")] }), None);
    for (name, value) in
        [("jku", json!("https://evil.example.com/jwks")), ("x5u", json!("https://evil.example.com/x5u")), ("jwk", stranger.jwk("k1"))]
    {
        let header = with(&header(TYPE), name, value);
        assert!(verify(&world, &token(KEY, &header, &claims())).is_ok(), "{name}");
        assert_eq!(verify(&world, &token(stranger, &header, &claims())).map(|_| ()), Err(ErrorCode::InvalidSignature), "{name}");
    }
    assert_eq!(*world.platform.fetched.borrow(), [JWKS]);
}

#[test]
fn what_is_no_token_is_an_invalid_request() {
    let good = token(KEY, &header(TYPE), &claims());
    let payload = |text: &str| format!("{}.{}.AAAA", good.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode(text));
    let extended = headed("crit", json!(["exp"]));
    for wrong in [
        String::new(),
        "a.b.c".to_owned(),
        good.replace('.', ""),
        format!("{good}.x"),
        payload("[]"),
        payload("\"iss\""),
        payload("{"),
        payload(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))),
        format!("{good}{}", "A".repeat(20_000)),
        extended,
        headed("crit", json!(null)),
    ] {
        assert_eq!(outcome(&wrong), Err(ErrorCode::InvalidRequest), "{}", wrong.chars().take(100).collect::<String>());
    }
}
