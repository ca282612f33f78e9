//! People connect clients that are documents, through the front door.

use serde_json::{Value, json};

use super::{URL, document, is, signing};
use crate::oauth::{VERIFIER, allowed, query};
use crate::person::Person;
use crate::provider::{Key, answer, publish, token, with, without};
use crate::world::{Answer, ISSUER, World};

const KEY: Key = Key::Es256(9);
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A request of the client at `id`, with an assertion of that name.
fn sent(world: &World, id: &str, jti: &str, fields: &[(&str, &str)]) -> Answer {
    let now = world.platform.now.get().seconds();
    let claims = json!({ "iss": id, "sub": id, "aud": format!("{ISSUER}/oauth2/token"), "jti": jti, "iat": now, "exp": now + 300 });
    let assertion = token(KEY, &json!({ "alg": "ES256", "kid": "k1" }), &claims);
    world.form("/oauth2/token", &[fields, &[("client_assertion_type", TYPE), ("client_assertion", &assertion)]].concat())
}

fn code_of<'a>(code: &'a str, redirect_uri: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER), ("redirect_uri", redirect_uri)]
}

#[test]
fn row_16_a_client_that_signs_is_connected_and_signs_whatever_it_sends() {
    let (id, back) = ("https://chatgpt.com/oauth/Ab3_x/client.json", "https://chatgpt.com/connector/oauth/Ab3_x");
    let world = World::new(&[]);
    let document = json!({
        "client_id": id, "client_name": "ChatGPT", "client_uri": "https://chatgpt.com/", "redirect_uris": [back],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
    });
    publish(&world, id, &document, Some(300));
    publish(&world, "https://chatgpt.com/oauth/jwks.json", &json!({ "keys": [KEY.jwk("k1")] }), Some(300));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, id, &[("redirect_uri", back)]);
    assert!(ada.page.contains("chatgpt.com"), "the host of the client is a fact");

    let fields = code_of(&code, back);
    is(&world.form("/oauth2/token", &[&fields[..], &[("client_id", id)]].concat()), 401, "invalid_client");
    let connected = sent(&world, id, "1", &fields);
    is(&connected, 200, "ok");
    assert_eq!(world.call(&connected.text("access_token")), 200);
    let refresh_token = connected.text("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    is(&world.form("/oauth2/token", &[&refresh[..], &[("client_id", id)]].concat()), 401, "invalid_client");
    is(&sent(&world, id, "1", &refresh), 401, "invalid_client");
    is(&sent(&world, id, "2", &refresh), 200, "ok");
}

/// Its document offers to sign and to do without; what began with a signature is of no use to whoever has found the refresh token.
#[test]
fn what_began_with_a_signature_is_not_continued_without_one() {
    let world = World::new(&[]);
    let mut both = with(&signing(), "token_endpoint_auth_methods_supported", json!(["none", "private_key_jwt"]));
    both["grant_types"] = json!(["authorization_code", "refresh_token"]);
    publish(&world, URL, &both, None);
    publish(&world, super::JWKS, &json!({ "keys": [KEY.jwk("k1")] }), None);
    let back = "https://app.example.net/cb";
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let unsigned = |fields: &[(&str, &str)]| world.form("/oauth2/token", &[fields, &[("client_id", URL)]].concat());

    let code = allowed(&mut ada, URL, &[("redirect_uri", back)]);
    let connected = sent(&world, URL, "1", &code_of(&code, back));
    is(&connected, 200, "ok");
    let first = connected.text("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
    is(&unsigned(&refresh), 401, "invalid_client");
    let next = sent(&world, URL, "2", &refresh);
    is(&next, 200, "ok");
    world.later(120);
    is(&unsigned(&refresh), 401, "invalid_client");
    let next = next.text("refresh_token");
    is(&sent(&world, URL, "3", &[("grant_type", "refresh_token"), ("refresh_token", &next)]), 200, "ok");

    let code = allowed(&mut ada, URL, &[("redirect_uri", back), ("prompt", "consent")]);
    let connected = unsigned(&code_of(&code, back));
    is(&connected, 200, "ok");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*connected.text("refresh_token"))];
    is(&unsigned(&refresh), 200, "ok");
    is(&sent(&world, URL, "4", &refresh), 200, "ok");
}

#[test]
fn row_14_claude_code_is_connected_though_its_document_cannot_be_fetched() {
    let (id, back) = ("https://claude.ai/oauth/claude-code-client-metadata", "http://localhost:53682/callback");
    let world = World::new(&[]);
    answer(&world, id, 403, "text/html", "<html>challenge</html>".into(), None);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, id, &[("redirect_uri", back)]);
    let connected = world.form("/oauth2/token", &[&code_of(&code, back)[..], &[("client_id", id)]].concat());
    is(&connected, 200, "ok");
    let refresh = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", &*connected.text("refresh_token"))];
    is(&world.form("/oauth2/token", &refresh), 200, "ok");
}

#[test]
fn an_outage_between_two_steps_ends_nothing() {
    let mut world = World::new(&[]);
    publish(&world, URL, &document(), Some(30));
    let back = "https://app.example.net/cb";
    let code = {
        let mut ada = Person::sign_in(&world, "ada@example.com");
        allowed(&mut ada, URL, &[("redirect_uri", back)])
    };
    world.platform.outside.borrow_mut().clear();
    world.forget();
    world.later(60);
    is(&world.form("/oauth2/token", &[&code_of(&code, back)[..], &[("client_id", URL)]].concat()), 200, "ok");
}

#[test]
fn whoever_is_no_client_sees_a_page_and_is_never_sent_anywhere() {
    let page = |document: &Value, client_id: &str, back: &str| {
        let world = World::new(&[]);
        publish(&world, URL, document, None);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        let answer = ada.get(&query(client_id, &[("redirect_uri", back)]));
        assert!((400..504).contains(&answer.status()), "{} {client_id} {back}", answer.status());
        assert!(answer.header("location").is_none() && answer.header("content-type").unwrap().starts_with("text/html"), "{client_id}");
    };
    let back = "https://app.example.net/cb";
    for wrong in ["https://app.example.net/cb2", "https://app.example.net/cb/", "https://app.example.net/c", "https://u@app.example.net/cb"]
    {
        page(&document(), URL, wrong);
    }
    for wrong in ["https://app.example.net/oauth/client.jso", "http://app.example.net/oauth/client.json", "https://169.254.169.254/a"] {
        page(&document(), wrong, back);
    }
    page(&with(&document(), "client_id", json!("https://app.example.net/other.json")), URL, back);
    page(&with(&document(), "client_secret", json!("x")), URL, back);
    page(&with(&document(), "redirect_uris", json!(["http://evil.example/cb"])), URL, "http://evil.example/cb");
    page(&without(&signing(), "jwks_uri"), URL, back);
}
