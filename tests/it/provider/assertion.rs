//! The claims of an ID-JAG, one changed at a time.

use postern::oauth::error::ErrorCode;
use postern::provider::id_jag::{self, InvalidIdJag};
use serde_json::{Value, json};

use super::{CLIENT, NOW, OTHER, PROVIDER, claims, outcome, signed, verify, with, without, world};
use crate::world::{ISSUER, block};

/// Expects the same of many values of one claim.
fn each(name: &str, values: impl IntoIterator<Item = Value>, expected: Result<(), ErrorCode>) {
    for value in values {
        assert_eq!(outcome(&with(&claims(), name, value.clone())), expected, "{name} {value}");
    }
}

#[test]
fn what_is_vouched_for_comes_out_as_it_went_in() {
    let world = world();
    let said = json!({
        "name": " Ada\u{202e} Lovelace ", "resource": "https://api.example.com/v1", "scope": "api.read", "agent_platform": "cli",
        "agent_context_id": "c-1", "phone_number": "+15551234567", "phone_number_verified": true,
    });
    let mut all = claims();
    all.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let vouched = verify(&world, &signed(&all)).unwrap();
    assert_eq!((vouched.provider.name.as_str(), vouched.subject.as_str(), vouched.jti.as_str()), ("Provider", "user-1", "jti-1"));
    assert_eq!((vouched.expires.seconds(), vouched.client_id.as_str()), (NOW + 300, PROVIDER));
    assert_eq!(vouched.email.unwrap().as_str(), "ada@example.com");
    assert_eq!(vouched.phone.as_deref(), Some("+15551234567"));
    assert_eq!(vouched.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!(vouched.resource.as_deref(), Some("https://api.example.com/v1"));
    assert_eq!(vouched.scope.unwrap().to_string(), "api.read");
    assert_eq!((vouched.agent_platform.as_deref(), vouched.agent_context_id.as_deref()), (Some("cli"), Some("c-1")));
    let bare = verify(&world, &signed(&claims())).unwrap();
    assert!(bare.phone.is_none() && bare.name.is_none() && bare.resource.is_none() && bare.scope.is_none());
}

#[test]
fn row_39_the_audience_is_our_issuer_or_a_resource_of_ours_as_one_string() {
    let good = [
        "https://auth.example.com",
        "https://auth.example.com/",
        "https://auth.example.com/mcp",
        "https://auth.example.com/mcp/",
        "https://api.example.com/v1",
        "https://api.example.com/v1/",
        "https://api.example.com/legacy",
        "https://api.example.com/legacy/",
    ];
    each("aud", good.map(Value::from), Ok(()));
    let wrong = [
        json!("https://other-service.example.com"),
        json!("https://auth.example.com//"),
        json!("https://AUTH.example.com"),
        json!("https://auth.example.com:443"),
        json!("https://auth.example.com/x"),
        json!("http://auth.example.com"),
        json!(""),
        json!("/"),
        json!([ISSUER]),
        json!([ISSUER, "https://x.example.com"]),
        json!([]),
        json!({}),
        json!(1),
        Value::Null,
    ];
    each("aud", wrong, Err(ErrorCode::InvalidAudience));
    assert_eq!(outcome(&without(&claims(), "aud")), Err(ErrorCode::InvalidAudience));
}

#[test]
fn an_assertion_holds_until_a_minute_after_its_exp() {
    each("exp", [NOW + 300, NOW + 3600, NOW + 1].map(Value::from), Ok(()));
    each("exp", [NOW, NOW - 60, NOW + 3601, 0].map(Value::from), Err(ErrorCode::Expired));
    for (expires, expected) in [(NOW, Ok(())), (NOW - 59, Ok(())), (NOW - 60, Err(ErrorCode::Expired))] {
        assert_eq!(outcome(&with(&with(&claims(), "iat", json!(NOW - 300)), "exp", json!(expires))), expected, "{expires}");
    }
    let malformed =
        [json!("1800000300"), json!(1_800_000_300.0), json!(1_800_000_300.5), json!(-1), json!(u64::MAX), json!(1e300), Value::Null];
    each("exp", malformed, Err(ErrorCode::InvalidRequest));
    assert_eq!(outcome(&without(&claims(), "exp")), Err(ErrorCode::InvalidRequest));
    each("exp", [json!(i64::MAX)], Err(ErrorCode::Expired));
}

#[test]
fn an_assertion_lies_at_most_a_minute_in_the_future_and_lasts_at_most_an_hour() {
    each("iat", [NOW + 30, NOW + 60, NOW - 3300].map(Value::from), Ok(()));
    each("iat", [NOW + 61, NOW + 90, NOW + 300, NOW - 3301, 0].map(Value::from), Err(ErrorCode::Expired));
    each("iat", [json!("1800000000"), json!(1_800_000_000.0), json!(-1), json!(true), Value::Null], Err(ErrorCode::InvalidRequest));
    assert_eq!(outcome(&without(&claims(), "iat")), Err(ErrorCode::InvalidRequest));
    let ends_first = with(&with(&claims(), "iat", json!(NOW + 30)), "exp", json!(NOW + 20));
    assert_eq!(outcome(&ends_first), Err(ErrorCode::Expired));
    each("nbf", [NOW - 300, NOW, NOW + 60].map(Value::from), Ok(()));
    each("nbf", [NOW + 61, i64::MAX].map(Value::from), Err(ErrorCode::Expired));
    each("nbf", [json!("0"), json!(1.5), Value::Null], Err(ErrorCode::InvalidRequest));
}

#[test]
fn names_have_a_length() {
    for name in ["jti", "sub"] {
        each(name, [json!("x"), json!("ü".repeat(255))], Ok(()));
        each(
            name,
            [json!(""), json!("x".repeat(256)), json!("x".repeat(10_000)), json!(1), json!([]), Value::Null],
            Err(ErrorCode::InvalidRequest),
        );
        assert_eq!(outcome(&without(&claims(), name)), Err(ErrorCode::InvalidRequest));
    }
}

#[test]
fn the_client_is_the_provider_or_its_pinned_document() {
    each("client_id", [PROVIDER, CLIENT].map(Value::from), Ok(()));
    let world = world();
    verify(&world, &signed(&with(&claims(), "client_id", json!(CLIENT)))).unwrap();
    assert_eq!(super::fetches(&world), 1, "the key set alone: the operator has pinned the document");
    let wrong =
        [json!(OTHER), json!("https://provider.example.com/"), json!("agent-7"), json!(""), json!([PROVIDER]), json!(1), Value::Null];
    each("client_id", wrong, Err(ErrorCode::InvalidClientId));
    assert_eq!(outcome(&without(&claims(), "client_id")), Err(ErrorCode::InvalidClientId));
}

#[test]
fn an_address_counts_if_it_is_said_to_be_verified_and_is_a_lasting_one() {
    let nobody = Err(ErrorCode::MissingVerifiedEmail);
    each("email_verified", [json!("true"), json!(1), json!(false), Value::Null], nobody);
    assert_eq!(outcome(&without(&claims(), "email_verified")), nobody);
    assert_eq!(outcome(&without(&claims(), "email")), nobody);
    each(
        "email",
        [json!("ada"), json!(""), json!("a@mailinator.com"), json!("ada@example.com\r\nBcc: x@y.z"), json!(["a@b.example"]), json!(1)],
        nobody,
    );
}

#[test]
fn a_verified_number_is_as_good_as_an_address() {
    let unverified = with(&claims(), "email_verified", json!(false));
    let number =
        |number: Value, verified: Value| outcome(&with(&with(&unverified, "phone_number", number), "phone_number_verified", verified));
    let nobody = Err(ErrorCode::MissingVerifiedEmail);
    assert_eq!(number(json!("+15551234567"), json!(true)), Ok(()));
    for wrong in ["15551234567", "+05551234567", "+1555123456789012", "+1 555 123", "+", "", "+1555x234567", "+１２３４５６７"] {
        assert_eq!(number(json!(wrong), json!(true)), nobody, "{wrong}");
    }
    for verified in [json!("true"), json!(1), json!(false), Value::Null] {
        assert_eq!(number(json!("+15551234567"), verified), nobody);
    }
    let world = world();
    let both = with(&with(&unverified, "phone_number", json!("+15551234567")), "phone_number_verified", json!(true));
    assert!(verify(&world, &signed(&both)).unwrap().email.is_none(), "an address that is not verified does not come along");
}

#[test]
fn a_sign_in_grows_old() {
    each("auth_time", [NOW - 3600, NOW - 3659, NOW - 3660, NOW, NOW + 60].map(Value::from), Ok(()));
    let old = Err(ErrorCode::LoginRequired);
    each("auth_time", [NOW - 3661, NOW + 61, 0, i64::MAX].map(Value::from), old);
    each("auth_time", [json!("1800000000"), json!(1_799_999_940.0), json!(-1), Value::Null], old);
    assert_eq!(outcome(&without(&claims(), "auth_time")), old);
    let world = world();
    let error = block(id_jag::verify(&signed(&without(&claims(), "auth_time")), &world.cx(""))).unwrap_err();
    assert!(matches!(error, InvalidIdJag::OldLogin { max_age } if max_age.seconds() == 3600));
}

#[test]
fn a_provider_may_be_held_to_more() {
    let strict = with(&with(&with(&claims(), "iss", json!(OTHER)), "client_id", json!(OTHER)), "amr", json!(["pwd", "hwk", "mfa"]));
    assert_eq!(outcome(&strict), Ok(()));
    for amr in [json!(["mfa"]), json!([]), json!("mfa hwk"), json!(["mfa", "hwk", 1]), json!(["MFA", "hwk"]), Value::Null] {
        assert_eq!(outcome(&with(&strict, "amr", amr.clone())), Err(ErrorCode::InsufficientUserAuthentication), "{amr}");
    }
    assert_eq!(outcome(&without(&strict, "amr")), Err(ErrorCode::InsufficientUserAuthentication));
    assert_eq!(outcome(&with(&strict, "auth_time", json!(NOW - 120))), Ok(()));
    assert_eq!(outcome(&with(&strict, "auth_time", json!(NOW - 121))), Err(ErrorCode::LoginRequired));
}

#[test]
fn row_39_what_is_bound_in_a_way_that_is_not_served_is_refused() {
    each("cnf", [json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }), json!({}), Value::Null], Err(ErrorCode::InvalidRequest));
    each("authorization_details", [json!([{ "type": "payment" }]), json!([]), Value::Null], Err(ErrorCode::InvalidRequest));
}

#[test]
fn row_39_a_restriction_that_cannot_be_read_is_not_ignored() {
    each("resource", [json!("https://x.example.com"), json!(["https://x.example.com"])], Ok(()));
    each("resource", [json!([]), json!(["a", "b"]), json!([1]), json!({}), Value::Null], Err(ErrorCode::InvalidRequest));
    each("scope", [json!("api.read"), json!("a b")], Ok(()));
    each("scope", [json!("a\"b"), json!(["api.read"]), json!(1), Value::Null], Err(ErrorCode::InvalidScope));
    each("name", [json!(1), json!([]), Value::Null, json!("\u{202e}")], Ok(()));
}
