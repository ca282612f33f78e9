//! Cursor, VS Code and Copilot CLI.

use serde_json::json;

use super::replay::{SERVER, Wire, joined, lists, of_code, tokens};
use crate::person::Person;
use crate::world::World;

/// One registration for three ways back: its own scheme, its web site, and loopback.
#[test]
fn cursor_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/cursor.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    let registered = wire.register(&server);
    assert_eq!(registered["redirect_uris"].as_array().unwrap().len(), 3, "none is dropped");
    let (id, scope) = (registered["client_id"].as_str().unwrap(), joined(&resource["scopes_supported"]));
    for back in wire.returns_to() {
        let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", SERVER), ("prompt", "consent")];
        let code = wire.allowed(&mut ada, &server, &asked);
        let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id), ("resource", SERVER)])));
        wire.works(got["access_token"].as_str().unwrap());
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id)];
        tokens(&wire.form("/oauth2/token", &[&refresh[..], &[("resource", SERVER)]].concat()));
    }
}

/// It registers four redirect URIs, takes another port when its own is busy, and asks for every scope that is advertised.
#[test]
fn vs_code_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/vs_code.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    assert_eq!(
        resource["resource"].as_str().map(|uri| url::Url::parse(uri).unwrap().to_string()).as_deref(),
        Some(SERVER),
        "as it resolves it"
    );
    let scope = format!("{} {}", joined(&resource["scopes_supported"]), joined(&server["scopes_supported"]));
    let registered = wire.register(&server);
    assert!(lists(&registered, "grant_types", "urn:ietf:params:oauth:grant-type:device_code"));
    assert!(lists(&server, "grant_types_supported", "urn:ietf:params:oauth:grant-type:device_code"));
    for id in [registered["client_id"].as_str().unwrap(), wire.text("client_id")] {
        for back in wire.returns_to() {
            let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", SERVER), ("prompt", "consent")];
            let code = wire.allowed(&mut ada, &server, &asked);
            let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id), ("resource", SERVER)])));
            wire.works(got["access_token"].as_str().unwrap());
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id)];
            tokens(&wire.form("/oauth2/token", &refresh));
        }
    }
}

/// It compares issuers strictly, says what kind of program it is, and names no scope when it registers.
#[test]
fn copilot_cli_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/copilot_cli.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let scope = wire.challenge().scope;
    let (resource, server) = wire.discover();
    assert_eq!(resource["authorization_servers"], json!([server["issuer"]]), "one server, whose name is the issuer");
    let registered = wire.register(&server);
    assert_eq!(registered.get("scope"), None);
    let id = registered["client_id"].as_str().unwrap();
    for back in wire.returns_to() {
        let code = wire.allowed(&mut ada, &server, &[("client_id", id), ("redirect_uri", &back), ("scope", &scope), ("resource", SERVER)]);
        let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id), ("resource", SERVER)])));
        assert_eq!(got["scope"], scope);
        wire.works(got["access_token"].as_str().unwrap());
    }
}
