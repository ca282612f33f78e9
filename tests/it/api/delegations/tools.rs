//! The tools do what the routes do.

use serde_json::json;

use super::{Agent, world};
use crate::mcp::Sender;

#[test]
fn the_tools_make_list_accept_and_revoke() {
    let world = world();
    let [ada, bob] = [0; 2].map(|_| Agent::root(&world));
    let by = |agent: &Agent, name: &str, arguments: serde_json::Value| {
        Sender { token: Some(&agent.key), ..Sender::default() }.brings(&world, name, &arguments)
    };
    let made = by(&ada, "create_delegation", json!({ "delegate_agent_id": bob.id, "scopes": ["api.read"], "expires_in_hours": 1 }));
    assert_eq!((&made["status"], &made["max_chain_depth"]), (&json!("pending"), &json!(3)));
    let id = made["id"].as_str().unwrap();
    let waiting = by(&bob, "list_delegations", json!({ "active_only": false }));
    assert_eq!((&waiting["data"][0]["id"], &waiting["total"]), (&json!(id), &json!(1)));
    assert_eq!(by(&bob, "accept_delegation", json!({ "delegation_id": id }))["status"], "active");
    // As AgentAuth's clients do it: the token is an argument.
    let token = bob.own(&world, &[("scope", "delegations.write")]).text("access_token");
    let nobody = Sender::default();
    let again = json!({ "delegate_agent_id": ada.id, "scopes": ["api.read"], "access_token": token });
    assert_eq!(nobody.fails(&world, "create_delegation", &again), "invalid_delegation", "the token is good for no more than it says");
    assert_eq!(nobody.brings(&world, "revoke_delegation", &json!({ "delegation_id": id, "access_token": token })), json!({ "revoked": 1 }));
    let sender = Sender { token: Some(&ada.key), ..Sender::default() };
    assert_eq!(
        sender.fails(&world, "create_delegation", &json!({ "delegate_agent_id": ada.id, "scopes": ["api.read"] })),
        "invalid_delegation"
    );
    assert_eq!(sender.fails(&world, "accept_delegation", &json!({ "delegation_id": "dlg_0000000000000000000000" })), "not_found");
}
