//! What a document can be, and what is made of it.

use postern::client::{AuthMethod, Source};
use postern::oauth::error::ErrorCode;
use postern::oauth::redirect;
use serde_json::{Value, json};

use super::{JWKS, KEY, URL, document, find, judged, signing};
use crate::provider::{answer, fetches, publish, with, without};
use crate::world::{ISSUER, World};

fn method(document: &Value) -> Option<AuthMethod> {
    judged(document).unwrap().metadata.token_endpoint_auth_method
}

#[test]
fn a_document_is_a_client() {
    let client = judged(&document()).unwrap();
    assert_eq!(client.id, URL);
    assert!(matches!(client.source, Source::Document { stale: false, .. }));
    assert!(client.metadata.is_public() && client.may_be_public() && !client.trusted);
    assert!(client.metadata.allows_grant("refresh_token") && !client.metadata.allows_grant("client_credentials"));
    assert_eq!(client.ceiling(), None, "what it says of scope is no ceiling");
}

#[test]
fn a_document_of_another_client_is_none() {
    for other in [
        "https://app.example.net/oauth/client.jso",
        "https://app.example.net/oauth/client.json/",
        "HTTPS://app.example.net/oauth/client.json",
    ] {
        assert_eq!(judged(&with(&document(), "client_id", json!(other))).unwrap_err().0, ErrorCode::InvalidClient, "{other}");
    }
}

#[test]
fn row_17_documents_are_negotiated() {
    let odd = with(&document(), "grant_types", json!(["authorization_code", "password", "implicit", "urn:x"]));
    assert_eq!(judged(&odd).unwrap().metadata.grant_types, ["authorization_code"]);
    let odd = with(&document(), "redirect_uris", json!(["http://evil.example/cb", "javascript:alert(1)", "http://localhost/cb"]));
    assert_eq!(judged(&odd).unwrap().metadata.redirect_uris, ["http://localhost/cb"]);
    let odd = with(&document(), "logo_uri", json!("http://10.0.0.1/logo.png"));
    assert_eq!(judged(&odd).unwrap().metadata.logo_uri, None);
    let odd = with(&document(), "client_name", json!(format!("A\u{202e}{}", "b".repeat(5000))));
    let name = judged(&odd).unwrap().metadata.client_name.clone().unwrap();
    assert!(name.starts_with("Ab") && name.chars().count() == 200);
    for (name, value) in [
        ("scope", json!(5)),
        ("contacts", json!("x")),
        ("client_name", json!(null)),
        ("jwks_uri", json!("http://10.0.0.1/jwks")),
        ("jwks", json!("no set")),
        ("software_statement", json!("a.b.c")),
        ("client_id_expires_at", json!(1)),
        ("client_name#ja", json!("x")),
        ("client_secret", json!(null)),
    ] {
        assert!(judged(&with(&document(), name, value)).is_ok(), "{name}");
    }
    assert!(judged(&without(&without(&document(), "client_name"), "grant_types")).is_ok());
}

#[test]
fn a_document_without_a_safe_redirect_uri_is_refused() {
    for none in
        [json!([]), json!(["http://evil.example/cb"]), json!(["https://a@b.example/cb", "https://*.example.com/cb"]), json!(null), json!(5)]
    {
        let (code, hint) = judged(&with(&document(), "redirect_uris", none.clone())).unwrap_err();
        assert!(code == ErrorCode::InvalidClient && hint.contains("https URLs"), "{none} {hint}");
    }
    let machine = with(&without(&signing(), "redirect_uris"), "grant_types", json!(["client_credentials"]));
    assert!(judged(&machine).is_ok(), "section 4.2: a grant without redirect needs none");
}

#[test]
fn secrets_and_private_keys_have_no_place_in_a_document() {
    let mut private = KEY.jwk("k1");
    private["d"] = json!("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
    for wrong in [
        with(&document(), "client_secret", json!("hunter2")),
        with(&document(), "client_secret_expires_at", json!(0)),
        with(&signing(), "client_secret", json!("")),
        with(&document(), "jwks", json!({ "keys": [private] })),
        with(&document(), "jwks", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })),
    ] {
        assert_eq!(judged(&wrong).unwrap_err().0, ErrorCode::InvalidClient, "{wrong}");
    }
}

#[test]
fn methods_are_negotiated_and_never_to_one_with_a_secret() {
    let (none, signs) = (Some(AuthMethod::None), Some(AuthMethod::PrivateKeyJwt));
    let asks = |method: &str| with(&signing(), "token_endpoint_auth_method", json!(method));
    let lists = |document: &Value, all: Value| with(document, "token_endpoint_auth_methods_supported", all);
    assert_eq!(method(&without(&document(), "token_endpoint_auth_method")), none);
    assert_eq!(method(&signing()), signs);
    for secret in ["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth"] {
        assert_eq!(judged(&asks(secret)).unwrap_err().0, ErrorCode::InvalidClient, "{secret}");
        assert_eq!(method(&lists(&asks(secret), json!(["none"]))), none);
        assert_eq!(method(&lists(&asks(secret), json!(["none", "private_key_jwt"]))), signs);
        assert!(judged(&lists(&asks(secret), json!([secret]))).is_err());
    }
    for wrong in [json!(5), json!(["none"])] {
        assert!(judged(&with(&document(), "token_endpoint_auth_method", wrong)).is_err());
    }
}

#[test]
fn a_client_that_prefers_to_sign_and_offers_none_may_do_either() {
    let both = with(&signing(), "token_endpoint_auth_methods_supported", json!(["none", "private_key_jwt"]));
    let client = judged(&both).unwrap();
    assert!(client.may_be_public() && !client.metadata.is_public());
    assert!(!judged(&signing()).unwrap().may_be_public());
    let keyless = without(&both, "jwks_uri");
    assert_eq!(method(&keyless), Some(AuthMethod::None), "without keys it cannot sign");
}

#[test]
fn a_client_that_signs_needs_keys_that_can_be_used() {
    let keys = json!({ "keys": [KEY.jwk("k1")] });
    assert!(judged(&with(&without(&signing(), "jwks_uri"), "jwks", keys.clone())).is_ok());
    for wrong in [
        without(&signing(), "jwks_uri"),
        with(&signing(), "jwks", keys),
        with(&signing(), "jwks_uri", json!("http://app.example.net/jwks")),
        with(&signing(), "jwks_uri", json!("https://app.example.net:8443/jwks")),
        with(&signing(), "jwks_uri", json!("https://169.254.169.254/jwks")),
        with(&signing(), "jwks_uri", json!("https://[::ffff:10.0.0.1]/jwks")),
        with(&without(&signing(), "jwks_uri"), "jwks", json!({ "keys": [] })),
        with(&without(&signing(), "jwks_uri"), "jwks", json!({ "keys": [{ "kty": "OKP", "crv": "X25519", "x": "AA" }] })),
    ] {
        assert_eq!(judged(&wrong).unwrap_err().0, ErrorCode::InvalidClient, "{wrong}");
    }
    assert!(JWKS.starts_with("https://app.example.net/"));
}

#[test]
fn nothing_is_fetched_for_what_cannot_name_a_document() {
    let world = World::new(&[]);
    let own = format!("{ISSUER}/client.json");
    let long = format!("https://app.example.net/{}", "a".repeat(1024));
    for id in [
        "http://app.example.net/client.json",
        "https://app.example.net",
        "https://app.example.net/",
        "https://app.example.net/?a",
        "https://app.example.net/a#f",
        "https://app.example.net/a#",
        "https://app.example.net/./a",
        "https://app.example.net/a/../b",
        "https://app.example.net/a/%2e%2e/b",
        "https://app.example.net/a/%2E/b",
        "https://APP.example.net/a",
        "HTTPS://app.example.net/a",
        "https://app.example.net:443/a",
        "https://app.example.net:8443/a",
        "https://app.example.net:80/a",
        "https://u@app.example.net/a",
        "https://u:p@app.example.net/a",
        "https://@app.example.net/a",
        "https://app.example.net\\a",
        "https:///app.example.net/a",
        "https://app.example.net/a b",
        " https://app.example.net/a",
        "https://app.example.net/a\n",
        "https://b\u{fc}cher.example.net/a",
        "https://localhost/a",
        "http://localhost/a",
        "https://a.localhost/a",
        "https://127.0.0.1/a",
        "https://127.1/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://017700000001/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a",
        "https://[::ffff:7f00:1]/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://[64:ff9b::7f00:1]/a",
        "https://10.0.0.1/a",
        "https://printer.local/a",
        "https://metadata.google.internal/a",
        "https://intranet/a",
        "https://app.example.net./a",
        "file:///etc/passwd",
        "ftp://app.example.net/a",
        "data:application/json,{}",
        own.as_str(),
        long.as_str(),
    ] {
        match find(&world, id) {
            Ok(found) => assert!(found.is_none(), "{id}"),
            Err(error) => assert_eq!(postern::oauth::error::Refusal::code(&error), ErrorCode::InvalidClient, "{id} {error}"),
        }
    }
    assert_eq!(*world.platform.fetched.borrow(), Vec::<String>::new());
}

#[test]
fn a_hostile_answer_is_no_document() {
    let good = document().to_string();
    let large = with(&document(), "padding", json!("x".repeat(24 * 1024))).to_string();
    for (status, content_type, body) in [
        (301, "application/json", good.as_str()),
        (302, "application/json", &good),
        (201, "application/json", &good),
        (204, "application/json", ""),
        (304, "application/json", &good),
        (403, "text/html", "<html>"),
        (404, "application/json", &good),
        (500, "application/json", &good),
        (200, "text/html; charset=utf-8", &good),
        (200, "application/json", "[]"),
        (200, "application/json", "null"),
        (200, "application/json", "{\"error\":\"forbidden\"}"),
        (200, "application/json", "{\"client_id\":5}"),
        (200, "application/json", &large),
    ] {
        let world = World::new(&[]);
        answer(&world, URL, status, content_type, body.to_owned().into(), None);
        for _ in 0..3 {
            let error = find(&world, URL).unwrap_err();
            assert_eq!(postern::oauth::error::Refusal::code(&error), ErrorCode::TemporarilyUnavailable, "{status} {content_type}");
        }
        assert_eq!(*world.platform.fetched.borrow(), [URL], "no redirect is followed, and a failure is remembered");
        assert!(world.platform.directory.borrow().keys().all(|name| !name.starts_with("document/")), "nor is it kept");
    }
    for content_type in ["application/json; charset=utf-8", "application/client+json", "text/plain", ""] {
        let world = World::new(&[]);
        answer(&world, URL, 200, content_type, good.clone().into(), None);
        assert!(find(&world, URL).is_ok(), "{content_type}");
    }
}

#[test]
fn documents_on_this_machine_are_for_development_alone() {
    let local = "http://localhost:8788/client.json";
    for (development, expected) in [(true, true), (false, false)] {
        let mut world = World::new(&[]);
        world.development = development;
        publish(&world, local, &with(&document(), "client_id", json!(local)), None);
        assert_eq!(find(&world, local).is_ok_and(|found| found.is_some()), expected);
        assert_eq!(world.platform.fetched.borrow().len(), usize::from(expected));
    }
    let mut world = World::new(&[]);
    world.development = true;
    assert!(find(&world, "http://app.example.net/client.json").is_err(), "loopback alone");
}

#[test]
fn the_metadata_says_what_is_served() {
    let world = World::new(&[]);
    let metadata = world.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    let methods = json!(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]);
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], methods);
    assert_eq!(metadata["revocation_endpoint_auth_methods_supported"], methods);
    assert_eq!(
        metadata["introspection_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])
    );
    for endpoint in ["token", "revocation", "introspection"] {
        assert_eq!(metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")], json!(["RS256", "ES256", "EdDSA"]));
    }
}

#[test]
fn claude_code_redirects_to_any_port_of_this_machine() {
    let world = World::new(&[]);
    let client = find(&world, "https://claude.ai/oauth/claude-code-client-metadata").unwrap().unwrap();
    for asked in ["http://localhost:53682/callback", "http://127.0.0.1:1/callback"] {
        assert!(redirect::find(&client.metadata.redirect_uris, asked), "{asked}");
    }
    for wrong in [
        "http://localhost.evil.com:1/callback",
        "http://localhost:1/callback/",
        "https://localhost:1/callback",
        "http://localhost@evil.com/callback",
    ] {
        assert!(!redirect::find(&client.metadata.redirect_uris, wrong), "{wrong}");
    }
}

#[test]
fn one_network_does_not_have_us_fetch_without_end() {
    let world = World::new(&[]);
    let ask = |address: &str, id: &str| {
        let body = format!("grant_type=client_credentials&client_id={id}");
        world.send(address, "POST", "/oauth2/token", &[("content-type", "application/x-www-form-urlencoded")], &body)
    };
    let known = "https://known.example.net/client.json";
    publish(&world, known, &with(&document(), "client_id", json!(known)), None);
    assert_eq!(ask("192.0.2.7", known).status(), 400);
    for number in 1..60 {
        assert_eq!(ask("192.0.2.7", &format!("https://app.example.net/{number}")).status(), 503);
    }
    let refused = ask("192.0.2.7", "https://app.example.net/60");
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("3600")));
    assert_eq!(fetches(&world), 60);
    assert_eq!(ask("192.0.2.8", "https://app.example.net/60").status(), 503, "others are not concerned");
    world.later(400);
    assert_eq!(ask("192.0.2.7", known).status(), 400, "nor is whoever is known");
    assert_eq!(ask("192.0.2.7", "https://claude.ai/oauth/claude-code-client-metadata").status(), 400, "or comes with us");
    world.platform.lost.borrow_mut().push("quota");
    assert_eq!(ask("192.0.2.7", "https://app.example.net/61").status(), 503, "a lost counter stops nobody");
}

#[test]
fn nor_do_a_network_of_many_or_many_networks() {
    let world = World::new(&[]);
    let ask = |address: &str, number: u32| {
        let body = format!("grant_type=client_credentials&client_id=https://app.example.net/{number}");
        world.send(address, "POST", "/oauth2/token", &[("content-type", "application/x-www-form-urlencoded")], &body).status()
    };
    for number in 0..600 {
        assert_eq!(ask(&format!("2001:db8:1:{:x}::1", number / 60), number), 503);
    }
    assert_eq!(ask("2001:db8:1:ffff::1", 600), 429, "one /48, whatever the /64");
    assert_eq!((ask("2001:db8:2::1", 600), fetches(&world)), (503, 601), "others are not concerned");
    let name = "quota/document-deployment";
    let mut record: serde_json::Value = serde_json::from_str(&world.platform.cells.borrow()[name]).unwrap();
    let window = record["state"]["windows"].as_object_mut().unwrap().values_mut().next().unwrap();
    assert_eq!(window["count"], 601);
    window["count"] = json!(9_999);
    world.platform.cells.borrow_mut().insert(name.to_owned(), record.to_string());
    assert_eq!((ask("2001:db8:3::1", 601), ask("2001:db8:4::1", 602)), (503, 429), "all of them together");
    world.later(3600);
    assert_eq!(ask("2001:db8:4::1", 602), 503);
}
