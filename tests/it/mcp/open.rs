//! What works without a token, and what begins OAuth.

use serde_json::json;

use super::{Sender, agent, listed};
use crate::world::World;

const OPEN: [&str; 9] =
    ["discover", "quickstart", "register", "claim", "claim_status", "authenticate", "refresh_token", "introspect_token", "revoke_token"];

#[test]
fn listing_and_tools_that_need_none_work_without_a_token_and_all_else_is_challenged() {
    let world = World::new(&[]);
    let nobody = Sender::default();
    for (method, params) in [("tools/list", json!({})), ("ping", json!({}))] {
        assert_eq!(nobody.legacy(&world, method, params).status(), 200, "{method}");
    }
    for (method, params) in [("tools/list", json!({})), ("tools/call", json!({ "name": "discover" }))] {
        assert_eq!(nobody.modern(&world, method, params).status(), 200, "{method}");
    }
    assert_eq!(nobody.modern(&world, "server/discover", json!({})).status(), 401);
    for name in OPEN {
        assert_eq!(nobody.legacy(&world, "tools/call", json!({ "name": name, "arguments": {} })).status(), 200, "{name}");
    }
    for (method, params) in [
        ("initialize", json!({ "protocolVersion": "2025-11-25" })),
        ("tools/call", json!({ "name": "whoami" })),
        ("tools/call", json!({ "name": "nothing" })),
        ("tools/call", json!({ "name": 1 })),
        ("nothing", json!({})),
        ("resources/list", json!({})),
    ] {
        let answer = nobody.legacy(&world, method, params.clone());
        assert_eq!(answer.status(), 401, "{method} {params}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer resource_metadata=\"https://auth.example.com/.well-known/oauth-protected-resource/mcp\""));
    }
    for body in ["", "{", "[]", "1", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#] {
        assert_eq!(nobody.raw(&world, "POST", body).status(), 401, "{body}");
    }
}

#[test]
fn a_bad_token_is_refused_everywhere_even_where_none_is_needed() {
    let world = World::new(&[("MCP_OPEN_TOOLS", "on")]);
    let bad = Sender { token: Some("x"), ..Sender::default() };
    for (method, params) in
        [("tools/list", json!({})), ("ping", json!({})), ("initialize", json!({})), ("tools/call", json!({ "name": "discover" }))]
    {
        let answer = bad.legacy(&world, method, params);
        assert_eq!(answer.status(), 401, "{method}");
        assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    assert_eq!(bad.raw(&world, "GET", "").status(), 401);
}

#[test]
fn with_open_tools_the_handshake_needs_no_token_and_other_tools_still_do() {
    let world = World::new(&[("MCP_OPEN_TOOLS", "on")]);
    let nobody = Sender::default();
    assert_eq!(nobody.legacy(&world, "initialize", json!({ "protocolVersion": "2025-11-25" })).status(), 200);
    assert_eq!(nobody.modern(&world, "server/discover", json!({})).status(), 200);
    assert_eq!(nobody.post(&world, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).status(), 202);
    assert_eq!(nobody.raw(&world, "GET", "").status(), 405);
    assert_eq!(nobody.legacy(&world, "tools/call", json!({ "name": "whoami" })).status(), 401);
    assert_eq!(nobody.legacy(&world, "nothing", json!({})).status(), 401);
}

#[test]
fn the_list_is_the_same_for_everybody_and_every_time() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    let mine = Sender { token: Some(&token), ..Sender::default() }.legacy(&world, "tools/list", json!({})).json();
    assert_eq!(mine["result"]["tools"], json!(listed(&world)));
    let names: Vec<String> = listed(&world).iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        names,
        [
            "discover",
            "whoami",
            "quickstart",
            "register",
            "claim",
            "claim_status",
            "authenticate",
            "refresh_token",
            "introspect_token",
            "revoke_token",
            "list_agents",
            "get_agent",
            "create_agent",
            "update_agent",
            "auth_agent",
            "create_credential",
            "rotate_credential",
            "revoke_credential",
            "list_credentials",
            "create_delegation",
            "list_delegations",
            "accept_delegation",
            "revoke_delegation",
            "create_policy",
            "list_policies",
            "check_permission"
        ]
    );
}
