//! When a provider's keys are fetched, how long they are kept, and what may be in the answer.

use postern::oauth::error::{ErrorCode, Refusal};
use postern::provider::id_jag;
use serde_json::{Value, json};

use super::{JWKS, KEY, Key, answer, claims, fetches, header, publish, token, verify, with, without, world};
use crate::world::{World, together};

const NEW: Key = Key::Es256(2);

/// What becomes of an assertion that is made now, with that key under that name.
fn now(world: &World, key: Key, kid: Option<&str>) -> Result<(), ErrorCode> {
    verify(world, &assertion(world, key, kid)).map(|_| ())
}

fn assertion(world: &World, key: Key, kid: Option<&str>) -> String {
    let at = world.platform.now.get().seconds();
    let claims =
        ["iat", "exp", "auth_time"].into_iter().zip([at, at + 300, at]).fold(claims(), |claims, (name, at)| with(&claims, name, json!(at)));
    let header = header("oauth-id-jag+jwt");
    let header = kid.map_or_else(|| without(&header, "kid"), |kid| with(&header, "kid", json!(kid)));
    token(key, &header, &claims)
}

fn keys(keys: &[(Key, &str)]) -> Value {
    json!({ "keys": keys.iter().map(|(key, kid)| key.jwk(kid)).collect::<Vec<_>>() })
}

fn ok(world: &World) -> bool {
    now(world, KEY, Some("k1")) == Ok(())
}

#[test]
fn a_key_set_is_kept_for_its_max_age_but_ten_minutes_at_least_and_a_day_at_most() {
    for (max_age, lifetime) in
        [(None, 600), (Some(0), 600), (Some(60), 600), (Some(3600), 3600), (Some(86_400), 86_400), (Some(u64::MAX), 86_400)]
    {
        let world = world();
        publish(&world, JWKS, &keys(&[(KEY, "k1")]), max_age);
        assert!(ok(&world) && ok(&world));
        world.later(lifetime - 1);
        assert!(ok(&world));
        assert_eq!(fetches(&world), 1, "{max_age:?}");
        world.later(1);
        assert!(ok(&world));
        assert_eq!(fetches(&world), 2, "{max_age:?}");
    }
}

#[test]
fn a_new_key_is_found_at_once_and_an_old_one_goes_with_the_old_set() {
    let world = world();
    assert!(ok(&world));
    publish(&world, JWKS, &keys(&[(KEY, "k1"), (NEW, "k2")]), None);
    assert_eq!(now(&world, NEW, Some("k2")), Ok(()));
    assert_eq!(fetches(&world), 2);
    publish(&world, JWKS, &keys(&[(NEW, "k2")]), None);
    world.later(599);
    assert!(ok(&world), "still remembered");
    world.later(1);
    assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::InvalidSignature));
}

#[test]
fn unknown_names_make_no_storm() {
    let world = world();
    let unknown = |number: u32| now(&world, KEY, Some(&format!("x{number}")));
    assert_eq!(unknown(0), Err(ErrorCode::InvalidSignature));
    assert_eq!(fetches(&world), 1, "what was fetched for this very request is not fetched again");
    for number in 1..=100 {
        assert_eq!(unknown(number), Err(ErrorCode::InvalidSignature));
    }
    assert_eq!(fetches(&world), 2);
    world.later(59);
    assert!(unknown(101).is_err() && fetches(&world) == 2);
    world.later(1);
    assert!(unknown(102).is_err() && fetches(&world) == 3);
    assert!(ok(&world) && fetches(&world) == 3, "nobody else suffers");
    assert_eq!(world.platform.checked.get(), 1);
}

#[test]
fn an_outage_keeps_the_old_set_for_a_day() {
    let world = world();
    assert!(ok(&world));
    world.platform.outside.borrow_mut().clear();
    world.later(600);
    assert!((0..10).all(|_| ok(&world)));
    assert_eq!(fetches(&world), 2, "a failure is remembered");
    assert_eq!(now(&world, NEW, Some("k2")), Err(ErrorCode::TemporarilyUnavailable), "it could be of a set that nobody can fetch");
    assert_eq!(fetches(&world), 2);
    world.later(60);
    assert!(ok(&world) && fetches(&world) == 3);
    assert!(world.platform.warnings.borrow().iter().any(|line| line.starts_with("document_unreachable")));
    world.later(86_400 - 661);
    assert!(ok(&world));
    world.later(1);
    assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::TemporarilyUnavailable));
    publish(&world, JWKS, &keys(&[(KEY, "k1")]), None);
    world.later(60);
    assert!(ok(&world));
}

#[test]
fn a_failure_is_remembered_for_a_minute() {
    let world = world();
    let set = world.platform.outside.borrow_mut().remove(JWKS).unwrap();
    assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::TemporarilyUnavailable));
    world.platform.outside.borrow_mut().insert(JWKS.to_owned(), set);
    world.later(59);
    assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::TemporarilyUnavailable));
    assert_eq!(fetches(&world), 1);
    world.later(1);
    assert!(ok(&world));
    assert_eq!(fetches(&world), 2);
}

#[test]
fn requests_of_one_moment_share_one_fetch() {
    let world = world();
    world.platform.slowness.set(5);
    let (known, unknown) = (assertion(&world, KEY, Some("k1")), assertion(&world, KEY, Some("k9")));
    let all = |assertion: &str| {
        let cx = world.cx("");
        together((0..20).map(|_| id_jag::verify(assertion, &cx)))
            .into_iter()
            .map(|answer| answer.map(|_| ()).map_err(|error| error.code()))
            .collect::<Vec<_>>()
    };
    assert!(all(&known).iter().all(Result::is_ok));
    assert_eq!(fetches(&world), 1);
    assert!(all(&unknown).iter().all(|answer| *answer == Err(ErrorCode::InvalidSignature)));
    assert_eq!(fetches(&world), 2);
    world.later(600);
    world.platform.outside.borrow_mut().clear();
    let stale = assertion(&world, KEY, Some("k1"));
    assert!(all(&stale).iter().all(Result::is_ok));
    assert_eq!(fetches(&world), 3);
}

#[test]
fn requests_of_one_moment_share_a_failure() {
    let world = world();
    world.platform.slowness.set(5);
    world.platform.outside.borrow_mut().clear();
    let (assertion, cx) = (assertion(&world, KEY, Some("k1")), world.cx(""));
    let answers = together((0..20).map(|_| id_jag::verify(&assertion, &cx)));
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.code() == ErrorCode::TemporarilyUnavailable)));
    assert_eq!(fetches(&world), 1);
}

#[test]
fn a_request_that_dies_while_it_fetches_holds_nobody_up_for_ever() {
    let world = world();
    world.platform.slowness.set(u32::MAX);
    let (first, cx) = (assertion(&world, KEY, Some("k1")), world.cx(""));
    {
        let mut dying = Box::pin(id_jag::verify(&first, &cx));
        let polled = std::future::Future::poll(dying.as_mut(), &mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert!(polled.is_pending());
    }
    world.platform.slowness.set(0);
    assert!(together([id_jag::verify(&first, &cx)]).iter().all(Result::is_ok), "it waits for a while, then fetches itself");
    assert_eq!(fetches(&world), 2);
    world.later(4);
    assert!(ok(&world));
}

#[test]
fn a_token_without_a_name_needs_a_single_key() {
    let world = world();
    assert_eq!(now(&world, KEY, None), Ok(()));
    publish(&world, JWKS, &json!({ "keys": [KEY.jwk("k1"), Key::Ed25519(1).jwk("k2"), with(&NEW.jwk("k3"), "use", json!("enc"))] }), None);
    world.later(600);
    assert_eq!(now(&world, KEY, None), Ok(()), "the only one of its kind");
    publish(&world, JWKS, &keys(&[(KEY, "k1"), (NEW, "k2")]), None);
    world.later(600);
    assert_eq!(now(&world, KEY, None), Err(ErrorCode::InvalidSignature));
}

#[test]
fn of_two_keys_with_one_name_either_may_be_the_one() {
    let world = world();
    publish(&world, JWKS, &keys(&[(NEW, "k1"), (KEY, "k1"), (Key::Es256(3), "k1")]), None);
    assert_eq!(now(&world, KEY, Some("k1")), Ok(()));
    assert_eq!(now(&world, NEW, Some("k1")), Ok(()));
    assert_eq!(now(&world, Key::Es256(3), Some("k1")), Err(ErrorCode::InvalidSignature), "but no more than two are tried");
    publish(&world, JWKS, &json!({ "keys": [Key::Ed25519(1).jwk("k1"), KEY.jwk("k1")] }), None);
    world.later(600);
    assert_eq!(now(&world, KEY, Some("k1")), Ok(()), "of another kind does not count");
}

#[test]
fn a_hostile_answer_is_no_key_set() {
    let good = keys(&[(KEY, "k1")]).to_string();
    let page = "<html><body>Not found</body></html>";
    let large = format!("{{\"keys\":[],\"padding\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    for (status, content_type, body) in [
        (404, "application/json", good.as_str()),
        (500, "application/json", &good),
        (302, "application/json", &good),
        (204, "application/json", ""),
        (206, "application/json", &good),
        (200, "text/html; charset=utf-8", &good),
        (200, "application/xhtml+xml", &good),
        (200, "application/json", page),
        (200, "application/json", ""),
        (200, "application/json", "null"),
        (200, "application/json", "{\"keys\":\"k1\"}"),
        (200, "application/json", &large),
    ] {
        let world = world();
        answer(&world, JWKS, status, content_type, body.to_owned().into(), None);
        assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::TemporarilyUnavailable), "{status} {content_type}");
        assert_eq!(fetches(&world), 1, "and no redirect is followed");
    }
    for content_type in ["application/jwk-set+json", "text/plain", "application/octet-stream", ""] {
        let world = world();
        answer(&world, JWKS, 200, content_type, good.clone().into(), None);
        assert!(ok(&world), "{content_type}");
    }
}

#[test]
fn keys_that_are_not_for_signatures_are_as_good_as_none() {
    let world = world();
    for set in [
        json!([]),
        json!([with(&KEY.jwk("k1"), "use", json!("enc"))]),
        json!([with(&KEY.jwk("k1"), "key_ops", json!(["sign"]))]),
        json!([with(&KEY.jwk("k1"), "alg", json!("ES384"))]),
        json!([with(&KEY.jwk("k1"), "d", json!("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"))]),
        json!([with(&KEY.jwk("k1"), "x", json!("AAAA"))]),
        json!([without(&KEY.jwk("k1"), "kty")]),
        json!([null, "k1", { "kid": "k1" }]),
    ] {
        publish(&world, JWKS, &json!({ "keys": set }), None);
        assert_eq!(now(&world, KEY, Some("k1")), Err(ErrorCode::InvalidSignature), "{set}");
        world.later(600);
    }
    assert_eq!(world.platform.checked.get(), 0);
}
