//! ChatGPT and Codex.

use serde_json::{Value, json};

use super::replay::{SERVER, Wire, joined, lists, of_code, tokens};
use crate::person::Person;
use crate::provider::{Key, publish, token};
use crate::world::World;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const KEY: Key = Key::Rs256(11);

/// An assertion of the client of that name.
fn signed(wire: &Wire<'_>, aud: &str, jti: &str) -> String {
    let (id, now) = (wire.text("client_id"), wire.world.platform.now.get().seconds());
    let claims = json!({ "iss": id, "sub": id, "aud": aud, "jti": jti, "iat": now, "exp": now + 60 });
    token(KEY, &json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }), &claims)
}

/// It signs with RS256 whatever it sends, at an address of each connector's own.
#[test]
fn chatgpt_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/chatgpt.json"));
    publish(&world, "https://chatgpt.com/oauth/jwks.json", &json!({ "keys": [KEY.jwk("k1")] }), Some(300));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    assert_eq!(server["client_id_metadata_document_supported"], true);
    assert!(lists(&server, "token_endpoint_auth_methods_supported", "private_key_jwt"));
    assert!(lists(&server, "token_endpoint_auth_signing_alg_values_supported", "RS256"));
    let (id, at, back) = (wire.text("client_id"), resource["resource"].as_str().unwrap(), wire.returns_to().remove(0));
    let scope = joined(&resource["scopes_supported"]);
    let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", at)];
    let code = wire.allowed(&mut ada, &server, &asked);
    let endpoint = server["token_endpoint"].as_str().unwrap();
    let first = signed(&wire, endpoint, "1");
    let fields = [("client_id", id), ("resource", at), ("client_assertion_type", ASSERTION), ("client_assertion", &first)];
    let got = tokens(&wire.form(endpoint, &of_code(&code, &back, &fields)));
    assert_eq!(got["scope"], scope);
    wire.works(got["access_token"].as_str().unwrap());

    let refresh = got["refresh_token"].as_str().unwrap();
    let again = |assertion: &str| {
        let fields = [("client_assertion_type", ASSERTION), ("client_assertion", assertion), ("refresh_token", refresh)];
        wire.form(endpoint, &[&fields[..], &[("grant_type", "refresh_token"), ("client_id", id)]].concat())
    };
    assert_eq!(again(&first).text("error"), "invalid_client", "an assertion counts once");
    let got = tokens(&again(&signed(&wire, server["issuer"].as_str().unwrap(), "2")));
    wire.works(got["access_token"].as_str().unwrap());
}

/// Its document offers `none` as well, and some of its ways take that.
#[test]
fn chatgpt_that_does_not_sign_connects_too() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/chatgpt.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (_, server) = wire.discover();
    let (id, back) = (wire.text("client_id"), wire.returns_to().remove(0));
    let code = wire.allowed(&mut ada, &server, &[("client_id", id), ("redirect_uri", &back)]);
    let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id)])));
    wire.works(got["access_token"].as_str().unwrap());
    let registered = wire.register(&server);
    assert_eq!(registered.get("client_secret"), None, "not even null");
    assert!(!lists(&server, "grant_types_supported", "refresh_token") || lists(&registered, "grant_types", "refresh_token"));
}

/// The login status comes first, by metadata at three addresses; then its document.
#[test]
fn codex_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/codex.json"));
    let server = wire.first(&[
        "/.well-known/oauth-authorization-server/mcp",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server",
    ]);
    assert!(server["authorization_endpoint"].is_string() && server["token_endpoint"].is_string(), "it can be logged in to");
    let (resource, server) = wire.discover();
    let expected = resource["authorization_servers"][0].as_str().unwrap();
    assert_eq!(server["issuer"], expected.trim_end_matches('/'), "0.147 strips the slash of one of the two");
    assert_eq!(server["client_id_metadata_document_supported"], true);
    assert!(lists(&server, "token_endpoint_auth_methods_supported", "none"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for back in wire.returns_to() {
        connect(&wire, &server, &mut ada, wire.text("client_id"), &back);
    }
}

/// Without the flag it would register, with no scope in the body, and come back for every scope that the server has.
#[test]
fn codex_that_registers_without_scope_asks_for_all_of_it() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/codex.json"));
    let (_, server) = wire.discover();
    let registered = wire.register(&server);
    assert_eq!(registered.get("scope"), None);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    connect(&wire, &server, &mut ada, registered["client_id"].as_str().unwrap(), "http://127.0.0.1:41999/callback");
}

/// Every scope, then refreshes without `resource`, by sessions that share one keyring.
fn connect(wire: &Wire<'_>, server: &Value, ada: &mut Person<'_>, id: &str, back: &str) {
    let scope = joined(&server["scopes_supported"]);
    let code = wire.allowed(ada, server, &[("client_id", id), ("redirect_uri", back), ("scope", &scope), ("resource", SERVER)]);
    let got = tokens(&wire.form("/oauth2/token", &of_code(&code, back, &[("client_id", id), ("resource", SERVER)])));
    wire.works(got["access_token"].as_str().unwrap());
    let refresh = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", got["refresh_token"].as_str().unwrap())];
    for answer in wire.at_once(3, &refresh) {
        let got = tokens(&answer);
        wire.works(got["access_token"].as_str().unwrap());
    }
}
