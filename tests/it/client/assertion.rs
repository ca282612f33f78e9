//! `private_key_jwt`: what an assertion must be, and that it counts once.

use postern::client;
use postern::machine::client::{Command, Keeper, Registered};
use postern::store::Cells;
use serde_json::{Value, json};

use super::{JWKS, KEY, URL, is, outcome, own, signing, world};
use crate::provider::{Key, NOW, answer, fetches, publish, token, with, without};
use crate::world::{Answer, ISSUER, World, block, together};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn header() -> Value {
    json!({ "typ": "JWT", "alg": "ES256", "kid": "k1" })
}

fn claims() -> Value {
    json!({ "iss": URL, "sub": URL, "aud": format!("{ISSUER}/oauth2/token"), "jti": "j1", "iat": NOW, "exp": NOW + 300 })
}

fn present(world: &World, assertion: &str) -> Answer {
    own(world, &[("client_assertion_type", TYPE), ("client_assertion", assertion)])
}

/// What becomes of these claims in a new world, and whether the `jti` was used up.
fn fate(header: &Value, claims: &Value, key: Key) -> (u16, String) {
    let world = world();
    let answer = present(&world, &token(key, header, claims));
    let burnt = world.platform.cells.borrow().keys().any(|name| name.starts_with("once/client-assertion/"));
    assert_eq!(burnt, answer.status() == 200, "used up if and only if it counts: {}", answer.json());
    outcome(&answer)
}

fn refused(header: &Value, claims: &Value, key: Key) {
    assert_eq!(fate(header, claims, key), (401, "invalid_client".to_owned()), "{header} {claims}");
}

fn accepted(header: &Value, claims: &Value) {
    assert_eq!(fate(header, claims, KEY), (200, "ok".to_owned()), "{header} {claims}");
}

#[test]
fn an_assertion_authenticates_its_client_with_or_without_client_id() {
    let world = world();
    let answer = present(&world, &token(KEY, &header(), &claims()));
    is(&answer, 200, "ok");
    assert_eq!(answer.text("scope"), "api.read");
    let again = with(&claims(), "jti", json!("j2"));
    let named = [("client_assertion_type", TYPE), ("client_assertion", &*token(KEY, &header(), &again)), ("client_id", URL)];
    is(&own(&world, &named), 200, "ok");
}

#[test]
fn the_keys_of_clients_that_registered_themselves_are_not_fetched_without_end() {
    let world = World::new(&[]);
    let present = |number: u8, keeper: Keeper| {
        let id = client::id::make(&[number; 16], &world.config.masters.current);
        let metadata = json!({
            "redirect_uris": ["https://app.example.net/cb"], "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": format!("https://app.example.net/{number}"),
        });
        let metadata = serde_json::from_value(metadata).unwrap();
        let open = Command::Open { metadata, keeper, secret: None, management: None, trusted: false, ttl: None };
        block(world.platform.run::<Registered>(&id, open)).unwrap();
        let claims = with(&with(&claims(), "iss", json!(id)), "sub", json!(id));
        present(&world, &token(KEY, &header(), &claims)).status()
    };
    for number in 0..62 {
        assert_eq!(present(number, Keeper::Shared), 503);
    }
    assert_eq!(fetches(&world), 60);
    present(100, Keeper::Operator);
    assert_eq!(fetches(&world), 61, "the operator has named that one");
}

#[test]
fn it_is_for_us_alone() {
    for aud in [
        "",
        "/",
        "/oauth2/token",
        "/oauth/token",
        "/token",
        "/oauth2/par",
        "/oauth2/introspect",
        "/oauth2/revoke",
        "/oauth2/device_authorization",
    ] {
        let aud = format!("{ISSUER}{aud}");
        accepted(&header(), &with(&claims(), "aud", json!(aud)));
        accepted(&header(), &with(&claims(), "aud", json!([aud])));
    }
    for aud in [
        json!([ISSUER, "https://other.example.com"]),
        json!([ISSUER, ISSUER]),
        json!([]),
        json!(null),
        json!({ "a": ISSUER }),
        json!("https://other.example.com"),
        json!(format!("{ISSUER}.evil.com/oauth2/token")),
        json!(format!("{ISSUER}/mcp")),
        json!(format!("{ISSUER}/oauth2/token/")),
        json!(ISSUER.to_uppercase()),
    ] {
        refused(&header(), &with(&claims(), "aud", aud), KEY);
    }
    refused(&header(), &without(&claims(), "aud"), KEY);
}

#[test]
fn it_holds_for_a_while_and_is_of_the_client_itself() {
    for (name, value) in [
        ("exp", json!(NOW + 3600)),
        ("exp", json!(NOW - 59)),
        ("iat", json!(NOW + 60)),
        ("iat", json!(NOW - 86_400)),
        ("nbf", json!(NOW + 60)),
        ("extra", json!("x")),
    ] {
        accepted(&header(), &with(&claims(), name, value));
    }
    accepted(&header(), &without(&claims(), "iat"));
    for (name, value) in [
        ("exp", json!(NOW - 60)),
        ("exp", json!(NOW + 3661)),
        ("exp", json!(i64::MAX)),
        ("exp", json!("2100")),
        ("exp", json!(-1)),
        ("iat", json!(NOW + 61)),
        ("iat", json!("now")),
        ("nbf", json!(NOW + 61)),
        ("jti", json!("")),
        ("jti", json!(5)),
        ("jti", json!("j".repeat(256))),
        ("iss", json!("https://app.example.net")),
        ("sub", json!("https://app.example.net/oauth/other.json")),
        ("sub", json!([URL])),
    ] {
        refused(&header(), &with(&claims(), name, value), KEY);
    }
    for name in ["exp", "jti", "iss", "sub"] {
        refused(&header(), &without(&claims(), name), KEY);
    }
    let other = "https://app.example.net/oauth/other.json";
    let named = [("client_assertion_type", TYPE), ("client_assertion", &*token(KEY, &header(), &claims())), ("client_id", other)];
    is(&own(&world(), &named), 401, "invalid_client");
}

#[test]
fn it_is_signed_with_a_key_of_the_client_in_a_way_that_we_take() {
    accepted(&without(&header(), "typ"), &claims());
    accepted(&without(&header(), "kid"), &claims());
    accepted(&with(&header(), "typ", json!("client-authentication+jwt")), &claims());
    for (header, key) in [
        (header(), Key::Es256(8)),
        (with(&header(), "kid", json!("k2")), KEY),
        (with(&header(), "alg", json!("none")), KEY),
        (with(&header(), "alg", json!("HS256")), KEY),
        (with(&header(), "alg", json!("ES384")), KEY),
        (with(&header(), "alg", json!("PS256")), KEY),
        (with(&header(), "alg", json!("RS256")), KEY),
        (with(&header(), "alg", json!("EdDSA")), KEY),
        (with(&header(), "crit", json!(["exp"])), KEY),
        (with(&header(), "typ", json!("at+jwt")), KEY),
        (with(&header(), "typ", json!("dpop+jwt")), KEY),
        (with(&header(), "typ", json!("oauth-id-jag+jwt")), KEY),
        (with(&header(), "jwk", Key::Es256(8).jwk("k1")), Key::Es256(8)),
        (with(&header(), "jku", json!("https://evil.example.net/jwks")), Key::Es256(8)),
    ] {
        refused(&header, &claims(), key);
    }
    for junk in ["", "a", "a.b", "a.b.c", "....", &"a".repeat(20_000)] {
        let world = world();
        let status = present(&world, junk).status();
        assert!(status == 401 || (junk.is_empty() && status == 400), "{status}");
    }
}

#[test]
fn a_client_that_chose_an_algorithm_is_held_to_it() {
    for (chosen, status) in [("ES256", 200), ("EdDSA", 401), ("RS256", 401)] {
        let world = world();
        publish(&world, URL, &with(&signing(), "token_endpoint_auth_signing_alg", json!(chosen)), None);
        assert_eq!(present(&world, &token(KEY, &header(), &claims())).status(), status, "{chosen}");
    }
    let (world, edwards) = (world(), Key::Ed25519(3));
    publish(&world, JWKS, &json!({ "keys": [edwards.jwk("k1")] }), None);
    is(&present(&world, &token(edwards, &with(&header(), "alg", json!("EdDSA")), &claims())), 200, "ok");
}

#[test]
fn it_counts_once_even_if_many_come_at_one_time() {
    let world = world();
    let assertion = token(KEY, &header(), &claims());
    let cx = world.cx("");
    let all = together((0..20).map(|_| postern::client::assertion::authenticate(&assertion, None, &cx)));
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
    is(&present(&world, &assertion), 401, "invalid_client");
    world.later(359);
    is(&present(&world, &assertion), 401, "invalid_client");
    world.platform.lost.borrow_mut().push("once");
    let fresh = with(&with(&claims(), "jti", json!("j2")), "exp", json!(NOW + 659));
    is(&present(&world, &token(KEY, &header(), &fresh)), 503, "temporarily_unavailable");
}

#[test]
fn one_clients_jti_is_not_anothers() {
    let world = world();
    let other = "https://other.example.net/client.json";
    publish(
        &world,
        other,
        &with(&with(&signing(), "client_id", json!(other)), "redirect_uris", json!(["https://other.example.net/cb"])),
        None,
    );
    for id in [URL, other] {
        let claims = with(&with(&claims(), "iss", json!(id)), "sub", json!(id));
        is(&present(&world, &token(KEY, &header(), &claims)), 200, "ok");
    }
}

#[test]
fn a_new_key_is_found_and_an_outage_of_the_keys_bridged_for_a_day() {
    let mut world = world();
    let at = |jti: &str, world: &World, key: Key, kid: &str| {
        let now = world.platform.now.get().seconds();
        let claims = with(&with(&with(&claims(), "jti", json!(jti)), "iat", json!(now)), "exp", json!(now + 60));
        outcome(&present(world, &token(key, &with(&header(), "kid", json!(kid)), &claims)))
    };
    assert_eq!(at("1", &world, KEY, "k1").0, 200);
    let newer = Key::Es256(10);
    publish(&world, JWKS, &json!({ "keys": [KEY.jwk("k1"), newer.jwk("k2")] }), None);
    assert_eq!(at("2", &world, newer, "k2").0, 200);
    answer(&world, JWKS, 403, "text/html", "<html>".into(), None);
    world.forget();
    world.later(80_000);
    assert_eq!(at("3", &world, newer, "k2").0, 200, "from the directory");
    assert_eq!(at("4", &world, newer, "k3"), (503, "temporarily_unavailable".to_owned()), "it could be there, but nobody can know");
    world.forget();
    world.later(10_000);
    assert_eq!(at("5", &world, newer, "k2").0, 503);
}

#[test]
fn keys_in_the_document_need_no_fetch() {
    let world = world();
    let inline = with(&without(&signing(), "jwks_uri"), "jwks", json!({ "keys": [KEY.jwk("k1")] }));
    publish(&world, URL, &inline, None);
    is(&present(&world, &token(KEY, &header(), &claims())), 200, "ok");
    assert_eq!(*world.platform.fetched.borrow(), [URL]);
}

#[test]
fn nobody_is_authenticated_who_is_not_a_client_that_signs() {
    let world = world();
    for id in ["cli_0000000000000000000000", "reg_0000000000000000000000", "someone", ""] {
        let claims = with(&with(&claims(), "iss", json!(id)), "sub", json!(id));
        is(&present(&world, &token(KEY, &header(), &claims)), 401, "invalid_client");
    }
    publish(
        &world,
        "https://app.example.net/none.json",
        &{
            let public = with(&signing(), "token_endpoint_auth_method", json!("none"));
            with(&public, "client_id", json!("https://app.example.net/none.json"))
        },
        None,
    );
    let id = json!("https://app.example.net/none.json");
    let claims = with(&with(&claims(), "iss", id.clone()), "sub", id);
    is(&present(&world, &token(KEY, &header(), &claims)), 401, "invalid_client");
    assert!(block(async { world.platform.cells.borrow().keys().all(|name| !name.starts_with("once/")) }));
}

#[test]
fn half_an_assertion_is_a_mistake() {
    let (world, assertion) = (world(), token(KEY, &header(), &claims()));
    is(&own(&world, &[("client_assertion", &assertion)]), 400, "invalid_request");
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    is(&own(&world, &[("client_assertion_type", saml), ("client_assertion", &assertion)]), 401, "invalid_client");
    is(&own(&world, &[("client_assertion_type", TYPE)]), 401, "invalid_client");
}
