//! Security events and logout tokens, one thing changed at a time.

use postern::oauth::error::{ErrorCode, Refusal};
use postern::provider::event::{self, EventType, REVOKED, Revocation};
use serde_json::{Value, json};

use super::{JWKS, KEY, Key, NOW, OTHER, PROVIDER, fetches, header, publish, token, with, without, world};
use crate::world::{ISSUER, World, block};

const OTHER_EVENT: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

fn claims() -> Value {
    json!({ "iss": PROVIDER, "sub": "user-1", "aud": ISSUER, "jti": "event-1", "iat": NOW, "events": { REVOKED[0]: {} } })
}

fn verify<'w>(world: &'w World, event: &str, kind: EventType) -> Result<Revocation<'w>, ErrorCode> {
    block(event::verify(event, kind, &world.cx(""))).map_err(|error| error.code())
}

fn set(claims: &Value) -> String {
    token(KEY, &header("secevent+jwt"), claims)
}

fn outcome(claims: &Value) -> Result<bool, ErrorCode> {
    verify(&world(), &set(claims), EventType::SecurityEvent).map(|revocation| revocation.known)
}

fn each(name: &str, values: impl IntoIterator<Item = Value>, expected: Result<bool, ErrorCode>) {
    for value in values {
        assert_eq!(outcome(&with(&claims(), name, value.clone())), expected, "{name} {value}");
    }
    if expected.is_err() {
        assert_eq!(outcome(&claims()), Ok(true));
    }
}

#[test]
fn an_event_names_its_provider_and_person() {
    let world = world();
    let revocation = verify(&world, &set(&claims()), EventType::SecurityEvent).unwrap();
    assert_eq!(
        (revocation.provider.issuer.as_str(), revocation.subject.as_str(), revocation.jti.as_str()),
        (PROVIDER, "user-1", "event-1")
    );
    let other = verify(&world, &set(&with(&claims(), "iss", json!(OTHER))), EventType::SecurityEvent).unwrap();
    assert_eq!(other.provider.issuer, OTHER, "and speaks for its own people alone");
}

#[test]
fn the_event_has_two_names_and_others_are_not_known() {
    for uri in REVOKED {
        each("events", [json!({ uri: {} }), json!({ OTHER_EVENT: {}, uri: {} })], Ok(true));
    }
    each("events", [json!({ OTHER_EVENT: {} })], Ok(false));
    each("events", [json!({}), json!([REVOKED[0]]), json!(REVOKED[0]), Value::Null], Err(ErrorCode::InvalidRequest));
    assert_eq!(outcome(&without(&claims(), "events")), Err(ErrorCode::InvalidRequest));
}

#[test]
fn a_logout_token_must_carry_the_event() {
    let world = world();
    let logout =
        |claims: &Value| verify(&world, &token(KEY, &header("logout+jwt"), claims), EventType::Logout).map(|revocation| revocation.known);
    for uri in REVOKED {
        assert_eq!(logout(&with(&claims(), "events", json!({ uri: {} }))), Ok(true));
    }
    assert_eq!(logout(&with(&claims(), "events", json!({ OTHER_EVENT: {} }))), Err(ErrorCode::InvalidRequest));
    assert_eq!(logout(&without(&claims(), "events")), Err(ErrorCode::InvalidRequest));
}

#[test]
fn the_types_do_not_pass_for_each_other() {
    let world = world();
    let typed = |typ: &str, kind| verify(&world, &token(KEY, &header(typ), &claims()), kind).map(|_| ());
    let failed = Err(ErrorCode::AuthenticationFailed);
    for good in ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"] {
        assert_eq!(typed(good, EventType::SecurityEvent), Ok(()), "{good}");
    }
    for wrong in ["logout+jwt", "JWT", "oauth-id-jag+jwt", "at+jwt", ""] {
        assert_eq!(typed(wrong, EventType::SecurityEvent), failed, "{wrong}");
    }
    assert_eq!(typed("logout+jwt", EventType::Logout), Ok(()));
    assert_eq!(typed("secevent+jwt", EventType::Logout), failed);
    assert!(super::verify(&world, &set(&super::claims())).is_err());
}

#[test]
fn the_audience_is_one_of_ours_alone_or_in_a_list_of_one() {
    let good = [
        json!(ISSUER),
        json!("https://auth.example.com/"),
        json!("https://auth.example.com/mcp"),
        json!([ISSUER]),
        json!(["https://api.example.com/v1/"]),
    ];
    each("aud", good, Ok(true));
    let wrong = [
        json!("https://x.example.com"),
        json!([ISSUER, "https://x.example.com"]),
        json!([ISSUER, ISSUER]),
        json!([]),
        json!([[ISSUER]]),
        json!(1),
        Value::Null,
    ];
    each("aud", wrong, Err(ErrorCode::InvalidAudience));
    assert_eq!(outcome(&without(&claims(), "aud")), Err(ErrorCode::InvalidAudience));
}

#[test]
fn an_event_is_taken_for_five_minutes() {
    each("iat", [NOW - 360, NOW - 300, NOW + 60].map(Value::from), Ok(true));
    each("iat", [NOW - 361, NOW + 61, 0].map(Value::from), Err(ErrorCode::AuthenticationFailed));
    each("iat", [json!("1800000000"), json!(1_800_000_000.0), json!(-1), Value::Null], Err(ErrorCode::InvalidRequest));
    assert_eq!(outcome(&without(&claims(), "iat")), Err(ErrorCode::InvalidRequest));
    each("exp", [NOW + 300, NOW - 59].map(Value::from), Ok(true));
    each("exp", [json!(NOW - 60)], Err(ErrorCode::AuthenticationFailed));
    each("exp", [json!("never"), Value::Null], Err(ErrorCode::InvalidRequest));
}

#[test]
fn an_id_token_is_no_event() {
    each("nonce", [json!("n"), json!(""), Value::Null], Err(ErrorCode::AuthenticationFailed));
}

#[test]
fn a_person_is_named_in_either_form() {
    let id = |issuer: &str, subject: Value| json!({ "format": "iss_sub", "iss": issuer, "sub": subject });
    let long = with(&without(&claims(), "sub"), "sub_id", id(PROVIDER, json!("user-1")));
    assert_eq!(outcome(&long), Ok(true));
    each("sub_id", [id(PROVIDER, json!("user-1")), json!({ "format": "email", "email": "ada@example.com" })], Ok(true));
    let wrong = [id(PROVIDER, json!("user-2")), id(OTHER, json!("user-1")), id(PROVIDER, json!(1)), json!({ "format": "iss_sub" })];
    each("sub_id", wrong, Err(ErrorCode::InvalidRequest));
    assert_eq!(outcome(&with(&long, "sub_id", id(PROVIDER, json!("")))), Err(ErrorCode::InvalidRequest));
    for name in ["sub", "jti"] {
        each(name, [json!(""), json!("x".repeat(256)), json!(1), json!(["user-1"]), Value::Null], Err(ErrorCode::InvalidRequest));
        assert_eq!(outcome(&without(&claims(), name)), Err(ErrorCode::InvalidRequest));
    }
}

#[test]
fn only_a_trusted_issuer_counts_and_for_no_other_is_anything_fetched() {
    let world = world();
    for issuer in [json!("https://evil.example.com"), json!("https://provider.example.com/"), json!(ISSUER), json!([PROVIDER]), Value::Null]
    {
        let event = set(&with(&claims(), "iss", issuer.clone()));
        assert_eq!(verify(&world, &event, EventType::SecurityEvent).map(|_| ()), Err(ErrorCode::InvalidIssuer), "{issuer}");
    }
    assert_eq!(fetches(&world), 0);
    let nobody = World::new(&[]);
    assert_eq!(verify(&nobody, &set(&claims()), EventType::SecurityEvent).map(|_| ()), Err(ErrorCode::InvalidIssuer));
}

#[test]
fn key_and_signature_fail_under_names_of_their_own() {
    let world = world();
    let judge = |key: Key, header: &Value| verify(&world, &token(key, header, &claims()), EventType::SecurityEvent).map(|_| ());
    let header = header("secevent+jwt");
    assert_eq!(judge(KEY, &with(&header, "kid", json!("k9"))), Err(ErrorCode::InvalidKey));
    assert_eq!(judge(KEY, &with(&header, "alg", json!("RS256"))), Err(ErrorCode::InvalidKey));
    assert_eq!(judge(Key::Es256(7), &header), Err(ErrorCode::AuthenticationFailed));
    assert_eq!(judge(KEY, &with(&header, "alg", json!("none"))), Err(ErrorCode::AuthenticationFailed));
    assert_eq!(verify(&world, "", EventType::SecurityEvent).map(|_| ()), Err(ErrorCode::InvalidRequest));
    assert_eq!(verify(&world, "not a token", EventType::SecurityEvent).map(|_| ()), Err(ErrorCode::InvalidRequest));
    publish(&world, JWKS, &json!([]), None);
    world.later(600);
    let at = world.platform.now.get().seconds();
    let event = token(KEY, &with(&header, "kid", json!("k9")), &with(&claims(), "iat", json!(at)));
    assert_eq!(verify(&world, &event, EventType::SecurityEvent).map(|_| ()), Err(ErrorCode::TemporarilyUnavailable));
}
