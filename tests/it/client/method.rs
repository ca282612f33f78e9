//! Secrets and names: which client may authenticate how, and the words of a refusal.

use postern::grant::Denied;
use postern::grant::client::{Identified, Shown, identify};
use postern::machine::client::Keeper;
use postern::oauth::error::{ErrorCode, Refusal};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{URL, confidential, document, is, own, registered, signing, with_basic, world};
use crate::provider::{publish, with};
use crate::world::{World, block};

const GRANT: &str = "grant_type=client_credentials";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn named(world: &World, name: &str) -> Result<bool, ErrorCode> {
    let identified = block(identify(&Shown::Name(name.to_owned()), &world.cx("")));
    identified.map(|identified: Identified| identified.is_confidential()).map_err(|error: Denied| error.code())
}

#[test]
fn row_23_a_secret_comes_in_the_header_or_in_the_body_whatever_was_chosen() {
    for chosen in [None, Some("client_secret_basic"), Some("client_secret_post")] {
        let world = World::new(&[]);
        let metadata = chosen.map_or_else(confidential, |chosen| with(&confidential(), "token_endpoint_auth_method", json!(chosen)));
        let (id, secret) = registered(&world, &metadata, Keeper::Holder);
        is(&own(&world, &[("client_id", &id), ("client_secret", &secret)]), 200, "ok");
        is(&with_basic(&world, "/oauth2/token", &id, &secret, GRANT), 200, "ok");
        is(&with_basic(&world, "/token", &id.replace('_', "%5F"), &secret.replace('_', "%5f"), GRANT), 200, "ok");
        is(&with_basic(&world, "/oauth2/token", &id, &secret, &format!("{GRANT}&client_id={id}")), 200, "ok");
    }
}

#[test]
fn a_wrong_secret_is_told_in_the_same_way_whatever_is_wrong() {
    let world = World::new(&[]);
    let (id, secret) = registered(&world, &confidential(), Keeper::Holder);
    let mut wrong = secret.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    for shown in [wrong.as_str(), "x", "cls_", &id, "%00", "postern_key"] {
        let answer = own(&world, &[("client_id", &id), ("client_secret", shown)]);
        is(&answer, 401, "invalid_client");
        let answer = with_basic(&world, "/oauth2/token", &id, shown, GRANT);
        is(&answer, 401, "invalid_client");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "RFC 6749, section 5.2");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    is(&own(&world, &[("client_secret", &secret)]), 401, "invalid_client");
}

/// What `openssl rand -base64` makes has plus signs, and most libraries send it as it is.
#[test]
fn a_secret_in_the_header_may_be_encoded_or_not() {
    let secret = "a+b/c%2Bd==";
    let digest: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    let world = World::new(&[("RESOURCE_SERVER_KEYS", &format!("api:{digest}"))]);
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for (shown, status) in [(secret, 200), (&encoded, 200), ("a b/c+d==", 401), ("a+b/c+d==", 401)] {
        assert_eq!(with_basic(&world, "/oauth2/introspect", "api", shown, "token=x").status(), status, "{shown}");
    }
}

#[test]
fn row_19_an_unknown_client_is_told_to_register_again() {
    let world = World::new(&[]);
    let stamped = postern::client::id::make(&[1; 16], &world.config.masters.current);
    for unknown in [stamped.as_str(), "cli_0000000000000000000000", "someone"] {
        for answer in [
            own(&world, &[("client_id", unknown), ("client_secret", "x")]),
            own(&world, &[("client_id", unknown)]),
            with_basic(&world, "/oauth2/token", unknown, "x", GRANT),
        ] {
            is(&answer, 401, "invalid_client");
            assert!(answer.text("hint").contains("register again"), "{}", answer.text("hint"));
        }
    }
}

#[test]
fn two_methods_at_once_are_refused() {
    let world = world();
    let (id, secret) = registered(&world, &confidential(), Keeper::Holder);
    let body = format!("{GRANT}&client_id={id}&client_secret={secret}");
    is(&with_basic(&world, "/oauth2/token", &id, &secret, &body), 400, "invalid_request");
    let assertion = format!("client_assertion_type={ASSERTION}&client_assertion=a.b.c");
    is(&with_basic(&world, "/oauth2/token", &id, &secret, &format!("{GRANT}&{assertion}")), 400, "invalid_request");
    let both = [("client_secret", secret.as_str()), ("client_assertion_type", ASSERTION), ("client_assertion", "a.b.c")];
    is(&own(&world, &both), 400, "invalid_request");
    is(&with_basic(&world, "/oauth2/token", &id, &secret, &format!("{GRANT}&client_id=cli_other")), 400, "invalid_request");
    let bearer = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Bearer a.b.c")];
    is(&world.send("192.0.2.1", "POST", "/oauth2/token", &bearer, &body), 400, "invalid_request");
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        is(&with_basic(&world, path, &id, &secret, &format!("token=x&client_secret={secret}")), 400, "invalid_request");
    }
}

#[test]
fn a_public_client_has_no_secret_and_a_confidential_one_always_shows_its() {
    let world = world();
    let public = with(&confidential(), "token_endpoint_auth_method", json!("none"));
    let (id, secret) = registered(&world, &public, Keeper::Shared);
    assert_eq!(named(&world, &id), Ok(false));
    is(&own(&world, &[("client_id", &id), ("client_secret", &secret)]), 401, "invalid_client");
    is(&own(&world, &[("client_id", &id)]), 400, "unauthorized_client");
    // Some libraries send an empty secret in the header.
    is(&with_basic(&world, "/oauth2/token", &id, "", GRANT), 400, "unauthorized_client");

    assert_eq!(named(&world, URL), Err(ErrorCode::InvalidClient), "a client that signs");
    is(&own(&world, &[("client_id", URL), ("client_secret", "x")]), 401, "invalid_client");

    let world = World::new(&[]);
    let (id, _) = registered(&world, &confidential(), Keeper::Holder);
    assert_eq!(named(&world, &id), Err(ErrorCode::InvalidClient));
    is(&own(&world, &[("client_id", &id)]), 401, "invalid_client");
}

#[test]
fn a_document_that_offers_none_need_not_sign() {
    let world = world();
    let both = with(&signing(), "token_endpoint_auth_methods_supported", json!(["none", "private_key_jwt"]));
    publish(&world, URL, &both, None);
    assert_eq!(named(&world, URL), Ok(false));
    is(&own(&world, &[("client_id", URL)]), 400, "unauthorized_client");
}

#[test]
fn what_is_wrong_with_a_document_is_told() {
    for (document, status, code) in [
        (with(&document(), "client_id", json!("https://app.example.net/other.json")), 401, "invalid_client"),
        (with(&document(), "client_secret", json!("x")), 401, "invalid_client"),
        (Value::Null, 503, "temporarily_unavailable"),
    ] {
        let world = World::new(&[]);
        publish(&world, URL, &document, None);
        let answer = own(&world, &[("client_id", URL)]);
        is(&answer, status, code);
        assert!(answer.text("hint").contains("document"), "{}", answer.text("hint"));
    }
}

#[test]
fn the_record_may_be_out_of_reach() {
    let world = World::new(&[]);
    let (id, secret) = registered(&world, &confidential(), Keeper::Holder);
    world.platform.lost.borrow_mut().push("client");
    is(&own(&world, &[("client_id", &id), ("client_secret", &secret)]), 503, "temporarily_unavailable");
}
