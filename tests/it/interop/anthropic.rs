//! Claude Code, and claude.ai with Claude Desktop.

use super::replay::{Wire, joined, lists, of_code, tokens};
use crate::person::Person;
use crate::world::World;

/// Ephemeral ports of either loopback host; then several processes with one stored refresh token, each sure that it is alone.
#[test]
fn claude_code_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/claude_code.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let scope = wire.challenge().scope;
    let (resource, server) = wire.discover();
    assert_eq!(server["client_id_metadata_document_supported"], true, "or it would register");
    let (id, at) = (wire.text("client_id"), resource["resource"].as_str().unwrap());
    let mut kept = String::new();
    for back in wire.returns_to() {
        let asked = [("client_id", id), ("redirect_uri", &back), ("scope", &scope), ("resource", at)];
        let code = wire.allowed(&mut ada, &server, &asked);
        assert!(ada.page.is_empty() || ada.page.contains("claude.ai"), "who asks is the host of the document");
        let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id), ("resource", at)])));
        wire.works(got["access_token"].as_str().unwrap());
        kept = got["refresh_token"].as_str().unwrap().to_owned();
    }
    for turn in 0..3 {
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*kept), ("client_id", id), ("resource", at)];
        let mut next: Vec<String> = Vec::new();
        for answer in wire.at_once(5, &refresh) {
            let got = tokens(&answer);
            wire.works(got["access_token"].as_str().unwrap());
            next.push(got["refresh_token"].as_str().unwrap().to_owned());
        }
        next.dedup();
        assert_eq!(next.len(), 1, "turn {turn}: whichever process writes last has stored the right one");
        assert_ne!(next[0], kept);
        kept.clone_from(&next[0]);
        world.later(3600);
    }
}

/// Builds that know no metadata documents register, remember that, and come back with another port.
#[test]
fn row_01_claude_code_that_registers_comes_back_with_another_port() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/claude_code.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (_, server) = wire.discover();
    let registered = wire.register(&server);
    let id = registered["client_id"].as_str().unwrap();
    for back in ["http://localhost:54545/callback", "http://localhost:61000/callback"] {
        let code = wire.allowed(&mut ada, &server, &[("client_id", id), ("redirect_uri", back)]);
        let got = tokens(&wire.form("/oauth2/token", &of_code(&code, back, &[("client_id", id)])));
        wire.works(got["access_token"].as_str().unwrap());
    }
}

/// By its document, if the metadata have the flag and `none`; scopes are those of the server, in their order.
#[test]
fn claude_ai_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/claude_ai.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    assert_eq!(server["client_id_metadata_document_supported"], true);
    assert!(lists(&server, "token_endpoint_auth_methods_supported", "none"), "or it would register without a word");
    let (id, at, back) = (wire.text("client_id"), resource["resource"].as_str().unwrap(), wire.returns_to().remove(0));
    let scope = joined(&server["scopes_supported"]);
    let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", at)];
    let code = wire.allowed(&mut ada, &server, &asked);
    let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &[("client_id", id), ("resource", at)])));
    wire.works(got["access_token"].as_str().unwrap());
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id)];
    wire.works(tokens(&wire.form("/oauth2/token", &refresh))["access_token"].as_str().unwrap());
}

/// As a registered client: anew at every connection, from addresses that all its users share, at the paths that some of its ways take for
/// granted, and always with its secret in the body.
#[test]
fn claude_ai_that_registers_each_time_is_not_locked_out() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/claude_ai.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut hard_coded = wire.discover().1;
    for (endpoint, path) in [("authorization_endpoint", "/authorize"), ("token_endpoint", "/token"), ("registration_endpoint", "/register")]
    {
        hard_coded[endpoint] = path.into();
    }
    let registered: Vec<_> = (0..100).map(|_| wire.register(&hard_coded)).collect();
    let back = wire.returns_to().remove(0);
    for client in registered.iter().rev().take(2) {
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let code = wire.allowed(&mut ada, &hard_coded, &[("client_id", id), ("redirect_uri", &back)]);
        let post = [("client_id", id), ("client_secret", secret)];
        let got = tokens(&wire.form("/token", &of_code(&code, &back, &post)));
        wire.works(got["access_token"].as_str().unwrap());
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap())];
        tokens(&wire.form("/token", &[&refresh[..], &post].concat()));
    }
}
