//! Tokens of a client's own, and what it may do with its tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern::machine::client::Keeper;
use serde_json::{Value, json};

use super::{confidential, is, own, registered, with_basic};
use crate::provider::with;
use crate::world::{Answer, ISSUER, World};

fn world() -> World {
    World::new(&[(
        "RESOURCES",
        r#"[{"uri":"https://api.example.com/v1","scopes":["api.write"]},{"uri":"https://people.example.com","client_access":"deny"}]"#,
    )])
}

fn operators(world: &World) -> (String, String) {
    registered(world, &confidential(), Keeper::Operator)
}

fn ask(world: &World, (id, secret): &(String, String), more: &[(&str, &str)]) -> Answer {
    own(world, &[&[("client_id", id.as_str()), ("client_secret", secret.as_str())], more].concat())
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_client_of_the_operator_gets_a_token_of_its_own() {
    let world = world();
    let client = operators(&world);
    let answer = ask(&world, &client, &[]);
    is(&answer, 200, "ok");
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"], &body["scope"]), (&json!("Bearer"), &json!(900), &json!("api.read api.write")));
    assert!(body.get("refresh_token").is_none(), "RFC 6749, section 4.4.3");
    let token = claims(&answer.text("access_token"));
    assert_eq!((&token["sub"], &token["client_id"]), (&json!(client.0), &json!(client.0)));
    assert_eq!(token["aud"], json!(format!("{ISSUER}/mcp")));
    assert!(token["grant"].as_str().unwrap().starts_with("gnt_") && token.get("registration").is_none());
    assert_eq!(world.call(&answer.text("access_token")), 200);
    let again = claims(&ask(&world, &client, &[]).text("access_token"));
    assert!(again["grant"] == token["grant"] && again["jti"] != token["jti"], "the grant is named by the client alone");
}

#[test]
fn scope_is_narrowed_silently_and_a_written_one_is_a_ceiling() {
    let world = world();
    let client = registered(&world, &with(&confidential(), "scope", json!("api.read openid")), Keeper::Operator);
    for (asked, got) in [("", "api.read"), ("api.read api.write unknown", "api.read")] {
        assert_eq!(ask(&world, &client, &[("scope", asked)]).text("scope"), got);
    }
    is(&ask(&world, &client, &[("scope", "api.write")]), 400, "invalid_scope");
    is(&ask(&world, &client, &[("resource", "https://api.example.com/v1")]), 400, "invalid_scope");
    is(&ask(&world, &client, &[("resource", "https://foreign.example.com")]), 400, "invalid_target");
}

#[test]
fn a_client_that_registered_itself_is_as_good_as_an_agent_that_nobody_has_claimed() {
    let world = world();
    let client = registered(&world, &with(&confidential(), "scope", json!("api.read api.write")), Keeper::Holder);
    assert_eq!(ask(&world, &client, &[]).text("scope"), "api.read");
    let closed = World::new(&[("IDENTITY_TYPES", "service_auth")]);
    let client = registered(&closed, &confidential(), Keeper::Holder);
    is(&ask(&closed, &client, &[]), 400, "unauthorized_client");
    let client = registered(&World::new(&[]), &confidential(), Keeper::Operator);
    let opened = World::new(&[("IDENTITY_TYPES", "service_auth")]);
    assert_eq!(registered(&opened, &confidential(), Keeper::Operator), client);
    is(&ask(&opened, &client, &[]), 200, "ok");
}

#[test]
fn only_a_client_that_registered_the_grant_may_use_it() {
    let world = world();
    let client = registered(&world, &with(&confidential(), "grant_types", json!(["authorization_code"])), Keeper::Operator);
    is(&ask(&world, &client, &[]), 400, "unauthorized_client");
}

#[test]
fn a_resource_may_be_for_people() {
    let world = world();
    let client = operators(&world);
    let answer = ask(&world, &client, &[("resource", "https://people.example.com")]);
    is(&answer, 400, "access_denied");
    assert!(answer.text("hint").contains("person"));
    let closed = World::new(&[("CLIENT_ACCESS", "deny"), ("RESOURCES", r#"[{"uri":"https://api.example.com","client_access":"allow"}]"#)]);
    let client = operators(&closed);
    is(&ask(&closed, &client, &[]), 400, "access_denied");
    is(&ask(&closed, &client, &[("resource", "https://api.example.com")]), 200, "ok");
}

#[test]
fn row_36_a_client_may_look_at_and_end_its_own_tokens_alone() {
    let world = world();
    let client = operators(&world);
    let token = ask(&world, &client, &[]).text("access_token");
    let introspect =
        |(id, secret): &(String, String)| with_basic(&world, "/oauth2/introspect", id, secret, &format!("token={token}")).json();
    let shown = introspect(&client);
    assert_eq!((&shown["active"], &shown["client_id"]), (&json!(true), &json!(client.0)));
    assert_eq!(shown["scope"], "api.read api.write");

    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
    let assertion = agent["identity_assertion"].as_str().unwrap();
    let bearer = world.form("/oauth2/token", &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)]);
    let agents = bearer.text("access_token");
    let foreign = with_basic(&world, "/oauth2/introspect", &client.0, &client.1, &format!("token={agents}"));
    assert_eq!(foreign.json(), json!({ "active": false }));
    is(&with_basic(&world, "/oauth2/revoke", &client.0, &client.1, &format!("token={agents}")), 200, "ok");
    assert_eq!(world.call(&agents), 200, "another's token stays");
    is(&world.form("/oauth2/revoke", &[("token", &token), ("client_id", "cli_other")]), 200, "ok");
    assert_eq!(world.call(&token), 200);

    is(&with_basic(&world, "/oauth2/revoke", &client.0, &client.1, &format!("token={token}")), 200, "ok");
    assert_eq!(world.call(&token), 401);
    assert_eq!(introspect(&client), json!({ "active": false }));
    is(&with_basic(&world, "/oauth2/introspect", &client.0, "wrong", &format!("token={token}")), 401, "invalid_client");
    is(&world.form("/oauth2/introspect", &[("token", &token), ("client_id", &client.0)]), 401, "invalid_client");
}

#[test]
fn the_clients_token_authenticates_nobody() {
    let world = world();
    let token = ask(&world, &operators(&world), &[]).text("access_token");
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", bearer.as_str())];
    is(&world.send("192.0.2.1", "POST", "/oauth2/token", &headers, "grant_type=client_credentials"), 401, "invalid_client");
    is(&world.send("192.0.2.1", "POST", "/oauth2/introspect", &headers, &format!("token={token}")), 401, "invalid_client");
}
