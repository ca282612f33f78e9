//! What time does to credentials.

use serde_json::json;

use crate::world::World;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn assertion(world: &World) -> String {
    world.json("/agent/identity", &json!({ "type": "anonymous" })).text("identity_assertion")
}

fn key(world: &World) -> String {
    world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).text("credential")
}

fn exchange(world: &World, assertion: &str) -> crate::world::Answer {
    world.form("/oauth2/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)])
}

#[test]
fn an_access_token_lives_for_fifteen_minutes_and_its_assertion_for_an_hour() {
    let world = World::new(&[]);
    let assertion = assertion(&world);
    let token = exchange(&world, &assertion);
    assert_eq!(token.json()["expires_in"], 900);
    let token = token.text("access_token");
    world.later(899);
    assert_eq!(world.call(&token), 200);
    world.later(1);
    assert_eq!(world.call(&token), 401);
    world.later(2699);
    assert_eq!(exchange(&world, &assertion).status(), 200);
    world.later(1);
    assert_eq!(exchange(&world, &assertion).text("error"), "invalid_grant");
}

#[test]
fn row_41_an_unclaimed_registration_dies_at_its_ttl_and_credential_expires_told_so() {
    let world = World::new(&[]);
    let answer = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
    assert_eq!(answer.text("credential_expires"), "2027-01-16T08:00:00.000Z");
    let key = answer.text("credential");
    world.later(86_400 - 60);
    let token = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &key)]);
    assert_eq!(token.json()["expires_in"], 60, "no token outlives its registration");
    assert_eq!(world.call(&key), 200);
    world.later(60);
    assert_eq!(world.call(&key), 401);
    assert_eq!(world.call(&token.text("access_token")), 401);
    assert_eq!(
        world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &key)]).text("error"),
        "invalid_client"
    );
    assert!(!world.platform.cells.borrow().keys().any(|name| name.starts_with("registration/")), "its alarm freed the storage");
}

#[test]
fn an_api_key_may_have_a_ttl_of_its_own() {
    let world = World::new(&[("API_KEY_TTL", "600")]);
    let answer = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
    assert_eq!(answer.text("credential_expires"), "2027-01-15T08:10:00.000Z");
    world.later(599);
    assert_eq!(world.call(&answer.text("credential")), 200);
    world.later(1);
    assert_eq!(world.call(&answer.text("credential")), 401);
}

#[test]
fn row_33_a_revocation_is_felt_within_the_liveness_ttl_and_not_before_it_is_asked_for() {
    let mut world = World::new(&[]);
    let key = key(&world);
    assert_eq!(world.call(&key), 200);
    // Another isolate revokes: this one knows nothing of it.
    let here = std::mem::take(&mut world.memory);
    assert_eq!(world.form("/oauth2/revoke", &[("token", &key)]).status(), 200);
    world.memory = here;
    assert_eq!(world.call(&key), 200, "still remembered");
    world.later(1);
    assert_eq!(world.call(&key), 401);
}

#[test]
fn a_rate_window_opens_again_after_an_hour() {
    let world = World::new(&[]);
    let register = || world.json("/agent/identity", &json!({ "type": "anonymous" }));
    assert!((0..5).all(|_| register().status() == 200));
    let refused = register();
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("3600")));
    assert_eq!(refused.json()["retry_after"], 3600);
    world.later(3599);
    assert_eq!(register().status(), 429);
    world.later(1);
    assert_eq!(register().status(), 200);
}

#[test]
fn a_lost_limiter_lets_registrations_pass_and_says_so() {
    let world = World::new(&[]);
    world.platform.lost.borrow_mut().push("limit");
    assert!((0..10).all(|_| world.json("/agent/identity", &json!({ "type": "anonymous" })).status() == 200));
    assert!(world.platform.warnings.borrow().iter().any(|line| line.starts_with("limiter_lost")));
    world.platform.lost.borrow_mut().push("registration");
    let refused = world.json("/agent/identity", &json!({ "type": "anonymous" }));
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("2")), "rights fail closed");
}

#[test]
fn keys_rotate_by_the_rings_own_clock_and_old_tokens_verify_until_they_expire() {
    let world = World::new(&[("KEY_ROTATION", "7200"), ("ACCESS_TOKEN_TTL", "86400"), ("UNCLAIMED_REGISTRATION_TTL", "2592000")]);
    let kids = |world: &World| {
        let set = world.get("/.well-known/jwks.json").json();
        let ours = set["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
        ours.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let key = key(&world);
    let token = || world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &key)]).text("access_token");
    let kid = |token: &str| {
        use base64::Engine;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let old = token();
    let first = kids(&world);
    assert_eq!(first, vec![kid(&old)]);
    world.later(7200 - 600);
    let both = kids(&world);
    assert_eq!(both.len(), 2, "the next key is published before it signs");
    assert_eq!(kid(&token()), first[0]);
    world.later(600);
    assert_eq!(kid(&token()), both[1]);
    world.later(86_400 - 7200 - 60);
    assert_eq!(world.call(&old), 200, "a token of the old key");
    world.later(4 * 3600);
    assert!(!kids(&world).contains(&first[0]), "the first key has left");
}

#[test]
fn the_status_list_follows_a_revocation_by_its_batch() {
    let world = World::new(&[]);
    let assertion = assertion(&world);
    let token = exchange(&world, &assertion).text("access_token");
    let place = claims(&token)["status"]["status_list"].clone();
    let path = place["uri"].as_str().unwrap().strip_prefix(crate::world::ISSUER).unwrap().to_owned();
    let bit = || {
        let list = world.get(&path);
        assert_eq!(list.status(), 200);
        let lst = claims(std::str::from_utf8(list.0.body()).unwrap())["status_list"]["lst"].as_str().unwrap().to_owned();
        use base64::Engine;
        let bits =
            miniz_oxide::inflate::decompress_to_vec_zlib(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(lst).unwrap()).unwrap();
        let idx = usize::try_from(place["idx"].as_u64().unwrap()).unwrap();
        (bits[idx / 8] >> (idx % 8)) & 1
    };
    assert_eq!(bit(), 0);
    world.later(1);
    assert_eq!(world.form("/oauth2/revoke", &[("token", &token)]).status(), 200);
    world.later(0);
    world.later(10);
    world.later(10);
    assert_eq!(bit(), 1);
}

#[test]
fn a_repeated_request_says_the_same_for_ten_minutes_and_then_nothing() {
    let world = World::new(&[]);
    let send = |path: &str, address: &str, body: &str| {
        world.send(address, "POST", path, &[("content-type", "application/json"), ("idempotency-key", "0123456789abcdef")], body)
    };
    let body = r#"{"type":"anonymous","requested_credential_type":"api_key"}"#;
    let first = send("/agent/auth", "192.0.2.1", body).json();
    world.later(599);
    assert_eq!(send("/agent/auth", "192.0.2.1", body).json(), first);
    assert_eq!(send("/api/agent/auth", "192.0.2.1", body).json(), first, "the alias is the same request");
    let other = r#"{"type":"anonymous","requested_credential_type":"api_key","agent":"x"}"#;
    assert_eq!(send("/agent/auth", "192.0.2.1", other).text("error"), "idempotency_key_reused");
    assert_eq!(send("/agent/identity", "192.0.2.1", body).status(), 422);
    assert_ne!(send("/agent/auth", "192.0.2.2", body).json()["credential"], first["credential"], "useless to anyone else");
    world.later(1);
    assert_eq!(send("/agent/auth", "192.0.2.1", body).status(), 422);
}

pub fn claims(token: &str) -> serde_json::Value {
    use base64::Engine;
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
