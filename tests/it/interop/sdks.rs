//! The SDKs for TypeScript and Python, and clients whose schemas are strict.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::replay::{SERVER, Wire, joined, of_code, tokens};
use crate::person::Person;
use crate::world::World;

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// It takes the way to authenticate that it was told, asks for consent with `offline_access`, and acts upon each error code in its own way.
#[test]
fn typescript_sdk_connects_the_first_time() {
    let world = World::new(&[("RESOURCES", r#"[{"uri":"https://tools.example.net"}]"#)]);
    let wire = Wire::new(&world, include_str!("fixtures/typescript_sdk.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    let registered = wire.register(&server);
    assert_eq!(registered["token_endpoint_auth_method"], "client_secret_basic");
    let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let (back, credentials) = (wire.returns_to().remove(0), basic(id, secret));
    let scope = format!("{} offline_access", joined(&resource["scopes_supported"]));
    // It writes addresses as its parser does: an origin gets a slash.
    for at in [SERVER, "https://tools.example.net/"] {
        let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", at), ("prompt", "consent")];
        let code = wire.allowed(&mut ada, &server, &asked);
        let signed_in = [("authorization", credentials.as_str())];
        let got = tokens(&wire.form_with("/oauth2/token", &of_code(&code, &back, &[("resource", at)]), &signed_in));
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("resource", at)];
        let got = tokens(&wire.form_with("/oauth2/token", &refresh, &signed_in));
        if at == SERVER {
            wire.works(got["access_token"].as_str().unwrap());
        }
        let error = |fields: &[(&str, &str)], credentials: &str| {
            wire.form_with("/oauth2/token", fields, &[("authorization", credentials)]).text("error")
        };
        assert_eq!(error(&of_code(&code, &back, &[]), &credentials), "invalid_grant", "it forgets the tokens, and asks the person");
        assert_eq!(error(&refresh, &basic("cli_unknown", secret)), "invalid_client", "it forgets the client, and registers again");
        let others = [("grant_type", "client_credentials")];
        assert_eq!(error(&others, &credentials), "unauthorized_client");
    }
}

/// It encodes name and secret before they go into the header, asks for the server's scopes, and writes an origin with a slash.
#[test]
fn python_sdk_connects_the_first_time() {
    let world = World::new(&[("RESOURCES", r#"[{"uri":"https://tools.example.net"}]"#)]);
    let wire = Wire::new(&world, include_str!("fixtures/python_sdk.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (_, server) = wire.discover();
    let registered = wire.register(&server);
    let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let quoted = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let (back, credentials) = (wire.returns_to().remove(0), basic(&quoted(id), &quoted(secret)));
    let scope = joined(&server["scopes_supported"]);
    for at in [SERVER, "https://tools.example.net/"] {
        let asked = [("client_id", id), ("redirect_uri", &*back), ("scope", &scope), ("resource", at), ("prompt", "consent")];
        let code = wire.allowed(&mut ada, &server, &asked);
        // The name is in the body as well.
        let fields = of_code(&code, &back, &[("client_id", id), ("resource", at)]);
        let got = tokens(&wire.form_with("/oauth2/token", &fields, &[("authorization", &credentials)]));
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id)];
        let refresh = [&refresh[..], &[("resource", at)]].concat();
        let got = tokens(&wire.form_with("/oauth2/token", &refresh, &[("authorization", &credentials)]));
        if at == SERVER {
            wire.works(got["access_token"].as_str().unwrap());
        }
    }
}

/// Their schemas refuse nulls, missing lists, and a secret that does not say when it ends; the replay checks all of that of every client.
#[test]
fn lm_studio_and_smithery_connect_the_first_time() {
    for fixture in [include_str!("fixtures/lm_studio.json"), include_str!("fixtures/smithery.json")] {
        let world = World::new(&[]);
        let wire = Wire::new(&world, fixture);
        let mut ada = Person::sign_in(&world, "ada@example.com");
        let (_, server) = wire.discover();
        let registered = wire.register(&server);
        assert_eq!(registered["token_endpoint_auth_method"], "client_secret_basic", "the default (RFC 7591, section 2)");
        assert_eq!(registered["client_secret_expires_at"], 0, "a number: it does not end");
        let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
        let back = wire.returns_to().remove(0);
        let code = wire.allowed(&mut ada, &server, &[("client_id", id), ("redirect_uri", &back), ("resource", SERVER)]);
        let signed_in = basic(id, secret);
        let fields = of_code(&code, &back, &[("resource", SERVER)]);
        let got = tokens(&wire.form_with("/oauth2/token", &fields, &[("authorization", &signed_in)]));
        assert_eq!(got["token_type"], "Bearer");
        wire.works(got["access_token"].as_str().unwrap());
    }
}
