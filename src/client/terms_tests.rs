use proptest::prelude::*;
use serde_json::json;

use super::*;

fn negotiate(fields: Value, named_by: NamedBy, secrets: bool) -> Result<Metadata, Unusable> {
    let Value::Object(fields) = fields else { panic!("an object is an object") };
    let scopes = "api.read api.write".parse().unwrap();
    Metadata::negotiate(&fields, &Terms { scopes: &scopes, named_by, secrets, development: false })
}

fn stranger(fields: Value) -> Result<Metadata, Unusable> {
    negotiate(fields, NamedBy::Stranger, true)
}

fn with(more: Value) -> Result<Metadata, Unusable> {
    let mut fields = json!({ "redirect_uris": ["https://a.example.com/cb"], "token_endpoint_auth_method": "none" });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stranger(fields)
}

#[test]
fn one_bad_redirect_uri_does_not_sink_the_others() {
    let uris =
        json!(["javascript:alert(1)", "http://a.example.com/", 7, "myapp://cb", "http://localhost:1/cb", "https://a.example.com/#f"]);
    let metadata = stranger(json!({ "redirect_uris": uris })).unwrap();
    assert_eq!(metadata.redirect_uris, ["http://localhost:1/cb"]);
    for none in [json!({}), json!({ "redirect_uris": [] }), json!({ "redirect_uris": ["myapp://cb"] }), json!({ "redirect_uris": null })] {
        assert_eq!(stranger(none).unwrap_err(), Unusable::NoRedirect);
    }
    let machine = stranger(json!({ "grant_types": ["client_credentials"] })).unwrap();
    assert_eq!((machine.grant_types, machine.response_types.len()), (vec!["client_credentials".to_owned()], 0), "it needs none");
}

#[test]
fn only_what_is_served_is_promised() {
    let asked = json!({ "grant_types": ["authorization_code", "implicit", "password", "client_credentials"], "response_types": ["token", "code id_token"] });
    let metadata = with(asked.clone()).unwrap();
    assert_eq!(metadata.grant_types, ["authorization_code"], "nothing is added, and a public client has no credentials");
    assert_eq!(metadata.response_types, ["code"]);
    let mut confidential = asked;
    confidential["token_endpoint_auth_method"] = json!("client_secret_post");
    assert_eq!(with(confidential).unwrap().grant_types, ["authorization_code", "client_credentials"]);
    for silent in [json!({}), json!({ "grant_types": [] }), json!({ "grant_types": ["implicit"] })] {
        assert_eq!(with(silent).unwrap().grant_types, ["authorization_code", "refresh_token"]);
    }
}

#[test]
fn a_method_that_is_not_served_is_replaced() {
    let method = |asked: Value, secrets: bool| {
        let fields = json!({ "redirect_uris": ["https://a.example.com/cb"], "token_endpoint_auth_method": asked });
        negotiate(fields, NamedBy::Stranger, secrets).unwrap().token_endpoint_auth_method
    };
    for unknown in [json!("client_secret_jwt"), json!("tls_client_auth"), json!(null), json!(1)] {
        assert_eq!(method(unknown.clone(), true), None, "the client did not choose");
        assert_eq!(method(unknown, false), Some(AuthMethod::None));
    }
    assert_eq!(method(json!("client_secret_post"), true), Some(AuthMethod::SecretPost));
    assert_eq!(method(json!("client_secret_basic"), false), Some(AuthMethod::None));
    assert_eq!(method(json!("none"), true), Some(AuthMethod::None));
}

#[test]
fn who_signs_needs_keys() {
    let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1", "x5c": ["x"], "ext": null });
    let asked = |more: Value| {
        let mut fields = json!({ "token_endpoint_auth_method": "private_key_jwt" });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(fields)
    };
    let metadata = asked(json!({ "jwks": { "keys": [rsa, { "kty": "EC", "crv": "P-521" }], "more": 1 } })).unwrap();
    assert_eq!(metadata.jwks.unwrap(), json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1" }] }));
    assert!(asked(json!({ "jwks_uri": "https://a.example.com/jwks" })).is_ok());
    for wrong in [
        json!({}),
        json!({ "jwks": { "keys": [] } }),
        json!({ "jwks": [] }),
        json!({ "jwks_uri": "http://a.example.com/jwks" }),
        json!({ "jwks_uri": "https://127.0.0.1/jwks" }),
        json!({ "jwks_uri": "https://a.example.com/jwks", "jwks": { "keys": [rsa] } }),
    ] {
        assert_eq!(asked(wrong.clone()).unwrap_err(), Unusable::Keys, "{wrong}");
    }
    for private in [json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB" }), json!({ "kty": "oct", "k": "AQAB" })] {
        assert_eq!(asked(json!({ "jwks": { "keys": [private] } })).unwrap_err(), Unusable::PrivateKey);
    }
    assert_eq!(with(json!({ "jwks_uri": "https://10.0.0.1/" })).unwrap().jwks_uri, None, "a public client loses it, and no more");
}

#[test]
fn words_are_cleaned_and_addresses_are_public() {
    let metadata = with(json!({
        "client_name": format!(" Cl\u{202e}ient\u{0}{}", "x".repeat(500)), "software_id": "\n", "contacts": ["a\u{7}@b.example", "", 4],
        "client_uri": "javascript:alert(1)", "logo_uri": "http://a.example.com/logo.png", "tos_uri": "https://192.168.0.1/", "policy_uri": "x",
        "application_type": "toaster", "subject_type": "secret", "id_token_signed_response_alg": "none", "token_endpoint_auth_signing_alg": "HS256",
        "backchannel_logout_uri": "https://localhost/x", "post_logout_redirect_uris": ["javascript:x", "https://a.example.com/bye"],
    }))
    .unwrap();
    let name = metadata.client_name.clone().unwrap();
    assert!(name.starts_with("Clientxxx") && name.chars().count() <= 200, "{name}");
    let left = Metadata {
        redirect_uris: vec!["https://a.example.com/cb".to_owned()],
        token_endpoint_auth_method: Some(AuthMethod::None),
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        response_types: vec!["code".to_owned()],
        client_name: Some(name),
        contacts: vec!["a@b.example".to_owned()],
        post_logout_redirect_uris: vec!["https://a.example.com/bye".to_owned()],
        ..Metadata::default()
    };
    assert_eq!(metadata, left);
}

#[test]
fn a_sector_is_ones_own() {
    let sector = |uri: &str, named_by: NamedBy| {
        let fields = json!({ "redirect_uris": ["https://a.example.com/cb"], "sector_identifier_uri": uri });
        negotiate(fields, named_by, true).unwrap().sector_identifier_uri
    };
    assert!(sector("https://a.example.com/sector.json", NamedBy::Stranger).is_some());
    assert_eq!(sector("https://bank.example.com/sector.json", NamedBy::Stranger), None);
    assert!(sector("https://bank.example.com/sector.json", NamedBy::Operator).is_some());
}

#[test]
fn scope_is_narrowed_to_what_there_is() {
    let scope = |asked: Value| with(json!({ "scope": asked })).unwrap().scope;
    assert_eq!(scope(json!("api.read mcp openid offline_access admin")).as_deref(), Some("api.read offline_access openid"));
    assert_eq!(scope(json!("admin")), None);
    assert_eq!(scope(json!("\"")), None);
    assert_eq!(scope(json!(["api.read"])), None);
}

#[test]
fn lists_have_an_end() {
    let many: Vec<String> = (0..100).map(|number| format!("https://a.example.com/{number}")).collect();
    let metadata = stranger(json!({ "redirect_uris": many, "contacts": many })).unwrap();
    assert_eq!((metadata.redirect_uris.len(), metadata.contacts.len()), (MOST_URIS, MOST_CONTACTS));
}

fn value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("https://a.example.com/cb"),
        Just("http://localhost:1/cb"),
        Just("javascript:x"),
        Just("https://127.0.0.1/"),
        Just("authorization_code"),
        Just("client_credentials"),
        Just("implicit"),
        Just("none"),
        Just("private_key_jwt"),
        Just("client_secret_post"),
        Just("pairwise"),
        Just("RS256"),
        Just("api.read admin  openid"),
        Just(" \u{202e}x\u{0} "),
    ];
    let key = Just(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AQAB", "y": null }] }));
    let leaf = prop_oneof![
        4 => word.prop_map(|word| json!(word)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(|it| json!(it)),
        1 => any::<i64>().prop_map(|it| json!(it)),
        1 => key,
        1 => any::<String>().prop_map(|it| json!(it)),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

proptest! {
    #[test]
    fn what_was_accepted_is_accepted_again_as_it_is(
        fields in proptest::collection::btree_map(proptest::sample::select(&super::super::written::MEMBERS[..]), value(), 0..10),
        secrets in any::<bool>(),
    ) {
        let fields = Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        if let Ok(metadata) = negotiate(fields, NamedBy::Stranger, secrets) {
            let written = serde_json::to_value(&metadata).unwrap();
            prop_assert!(!has_null(&written));
            prop_assert!(metadata.redirect_uris.iter().all(|uri| redirect::kind(uri).is_some()));
            prop_assert!(metadata.grant_types.iter().all(|grant| GRANT_TYPES.contains(&grant.as_str())) && !metadata.grant_types.is_empty());
            prop_assert!(!(metadata.is_public() && metadata.allows_grant("client_credentials")));
            prop_assert!(!metadata.allows_grant("authorization_code") || !metadata.redirect_uris.is_empty());
            prop_assert!(secrets || !metadata.has_secret());
            prop_assert_eq!(negotiate(written, NamedBy::Stranger, secrets).unwrap(), metadata);
        }
    }
}
