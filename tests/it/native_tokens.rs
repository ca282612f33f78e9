//! Our tokens through `jwt-compact`, an implementation of JOSE that is not ours, and its tokens through us.

use jwt_compact::alg::Es256;
use jwt_compact::prelude::*;
use jwt_compact::{Algorithm, UntrustedToken};
use serde_json::{Value, json};

use crate::world::World;

fn token(world: &World) -> String {
    let key = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential");
    world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &key)]).text("access_token")
}

#[test]
fn an_access_token_verifies_with_the_published_key() {
    let world = World::new(&[]);
    let token = token(&world);
    let jwk = world.get("/.well-known/jwks.json").json()["keys"][0].clone();
    let jwk: jwt_compact::jwk::JsonWebKey<'_> = serde_json::from_value(jwk).unwrap();
    let key = <Es256 as Algorithm>::VerifyingKey::try_from(&jwk).unwrap();
    let untrusted = UntrustedToken::new(&token).unwrap();
    assert_eq!(untrusted.header().token_type.as_deref(), Some("at+jwt"));
    let verified: Token<Value> = Es256.validator(&key).validate(&untrusted).unwrap();
    assert_eq!(verified.claims().custom["aud"], "https://auth.example.com/mcp");
}

#[test]
fn a_token_signed_by_somebody_else_is_refused_whatever_it_says() {
    let world = World::new(&[]);
    let genuine = token(&world);
    let untrusted = UntrustedToken::new(&genuine).unwrap();
    let claims: Claims<Value> = untrusted.deserialize_claims_unchecked().unwrap();
    let stranger = <Es256 as Algorithm>::SigningKey::from_slice(&[7; 32]).unwrap();
    let forged = Es256.token(untrusted.header(), &claims, &stranger).unwrap();
    assert_eq!((world.call(&genuine), world.call(&forged)), (200, 401));

    let (signed, signature) = genuine.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    for wrong in [
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        genuine[1..].to_owned(),
        format!("{genuine}A"),
    ] {
        assert_eq!(world.call(&wrong), 401, "{wrong}");
    }
}

#[test]
fn tokens_of_one_kind_do_not_pass_for_another() {
    let world = World::new(&[]);
    let assertion = world.json("/agent/identity", &json!({ "type": "anonymous" })).text("identity_assertion");
    let access = token(&world);
    assert_eq!(world.call(&assertion), 401);
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(world.form("/oauth2/token", &[grant, ("assertion", &access)]).text("error"), "invalid_grant");
    assert_eq!(
        world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &access)]).text("error"),
        "invalid_client"
    );
}
