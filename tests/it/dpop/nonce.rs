//! Nonces of the server (RFC 9449, section 8).

use serde_json::json;

use super::{KEY, api_key, ask, challenge, claims, me, proof, proof_with, sign};
use crate::provider::with;
use crate::world::World;

#[test]
fn a_nonce_says_how_old_a_proof_is() {
    let world = World::new(&[]);
    let secret = api_key(&world);
    let answer = ask(&world, &secret, &proof(&world, KEY));
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    assert!(answer.header("access-control-expose-headers").unwrap().contains("DPoP-Nonce"));
    let plain = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &secret)]);
    assert_eq!(plain.header("dpop-nonce"), None, "only who uses DPoP is told");
    let slow = |nonce: &str| with(&with(&claims(&world, "POST", "/oauth2/token"), "nonce", json!(nonce)), "iat", json!(1));
    let proof = sign(KEY, &slow(&nonce));
    assert_eq!(ask(&world, &secret, &proof).status(), 200, "another clock does not matter");
    assert_eq!(ask(&world, &secret, &proof).text("error"), "invalid_dpop_proof", "once");
    world.later(599);
    assert_eq!(ask(&world, &secret, &proof).text("error"), "invalid_dpop_proof", "as long as its nonce counts");
    assert_eq!(ask(&world, &secret, &sign(KEY, &slow(&nonce))).status(), 200);
    world.later(1);
    let late = ask(&world, &secret, &sign(KEY, &slow(&nonce)));
    assert_eq!((late.status(), late.text("error")), (400, "use_dpop_nonce".to_owned()));
    let newer = late.header("dpop-nonce").unwrap().to_owned();
    assert_ne!(newer, nonce);
    assert_eq!(ask(&world, &secret, &sign(KEY, &slow(&newer))).status(), 200);
}

#[test]
fn nonces_are_as_the_operator_wants_them() {
    let world = World::new(&[("DPOP_NONCE", "required")]);
    let secret = api_key(&world);
    let answer = ask(&world, &secret, &proof(&world, KEY));
    assert_eq!((answer.status(), answer.text("error")), (400, "use_dpop_nonce".to_owned()));
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    let again = sign(KEY, &with(&claims(&world, "POST", "/oauth2/token"), "nonce", json!(nonce)));
    let token = ask(&world, &secret, &again).text("access_token");
    let answer = me(&world, "DPoP", &token, Some(&proof_with(&world, KEY, &token)));
    let (status, told) = challenge(&answer);
    assert!(status == 401 && told.starts_with("DPoP error=\"use_dpop_nonce\"") && answer.header("dpop-nonce") == Some(&nonce), "{told}");

    let world = World::new(&[("DPOP_NONCE", "off")]);
    let secret = api_key(&world);
    let made_up = sign(KEY, &with(&claims(&world, "POST", "/oauth2/token"), "nonce", json!("made up")));
    let answer = ask(&world, &secret, &made_up);
    assert_eq!((answer.status(), answer.header("dpop-nonce")), (200, None));
}
