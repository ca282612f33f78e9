//! Tokens for what was delegated, where they do not belong.

use serde_json::{Value, json};

use super::{Agent, ask, is};
use crate::exchange::{API, exchange, got, mcp, payload};
use crate::mcp::Sender;
use crate::world::{Answer, World};

const OTHER: &str = "https://other.example.com";

fn world() -> World {
    World::new(&[
        ("PRE_CLAIM_SCOPES", "api.read api.write"),
        ("RESOURCES", r#"[{"uri":"https://api.example.com/v1"},{"uri":"https://other.example.com"}]"#),
        ("REGISTRATIONS_PER_NETWORK_PER_HOUR", "1000"),
    ])
}

/// An agent, its child, and what the child was handed.
fn handed(world: &World) -> (Agent, Agent, String) {
    let ada = Agent::root(world);
    let bob = Agent::below(world, &[&ada], 1);
    let id = ada.delegated(world, &bob, &["api.read"], json!({}));
    (ada, bob, id)
}

#[test]
fn a_token_by_delegation_for_another_resource_is_refused_at_ours() {
    let world = world();
    let (_, bob, id) = handed(&world);
    let at = |resource: &str| got(&bob.grant(&world, &[("delegation_id", &id), ("resource", resource)]));
    let elsewhere = at(API);
    assert_eq!(payload(&elsewhere)["aud"], API);
    let refused = ask_me(&world, &elsewhere);
    is(&refused, 401, "invalid_token");
    assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"));
    let sender = Sender { token: Some(&elsewhere), ..Sender::default() };
    assert_eq!(sender.legacy(&world, "tools/call", json!({ "name": "whoami", "arguments": {} })).status(), 401);
    for path in ["/api/v1/agents", "/api/v1/delegations"] {
        assert_eq!(ask(&world, &elsewhere, "GET", path, &Value::Null).status(), 401, "{path}");
    }
    assert_eq!(ask_me(&world, &at(&mcp())).status(), 200, "where it belongs it counts");
}

fn ask_me(world: &World, token: &str) -> Answer {
    world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {token}"))], "")
}

#[test]
fn introspection_names_the_resource_of_a_token_by_delegation_and_the_token_itself_asks_for_nothing() {
    let world = world();
    let (ada, bob, id) = handed(&world);
    let token = got(&bob.grant(&world, &[("delegation_id", &id), ("resource", API)]));
    let told = |asker: &str| world.form("/oauth2/introspect", &[("client_secret", asker), ("token", &token)]);
    let known = told(&bob.key).json();
    assert_eq!((&known["active"], &known["aud"], &known["sub"]), (&json!(true), &json!(API), &json!(ada.id)));
    assert_eq!(told(&ada.key).json(), json!({ "active": false }), "it was not issued to her");
    is(&told(&token), 401, "invalid_client");
    let by_path = ask(&world, &token, "POST", "/api/v1/auth/token/introspect", &json!({ "token": bob.key }));
    is(&by_path, 401, "invalid_client");
}

#[test]
fn a_delegate_without_a_key_gets_tokens_only_where_its_own_token_is_known() {
    let world = world();
    let (_, bob, id) = handed(&world);
    let own = |resource: &str| bob.own(&world, &[("resource", resource)]).text("access_token");
    let ask = |shown: &str, resource: &str| {
        let fields = [("grant_type", "agent_delegation"), ("client_secret", shown), ("delegation_id", &id), ("resource", resource)];
        world.form("/oauth2/token", &fields)
    };
    let there = own(API);
    for elsewhere in [OTHER, &mcp()] {
        is(&ask(&there, elsewhere), 400, "invalid_target");
    }
    let token = got(&ask(&there, API));
    assert_eq!(payload(&token)["aud"], API);
    is(&exchange(&world, &token, &[("resource", OTHER)]), 400, "invalid_target");
    // Nobody but us has seen one of ours.
    assert_eq!(payload(&got(&ask(&own(&mcp()), API)))["aud"], API);
    assert_eq!(payload(&got(&ask(&bob.key, OTHER)))["aud"], OTHER);
}
