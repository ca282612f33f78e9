//! The same by tools.

use serde_json::{Value, json};

use postern::machine::registration::{Command, Outcome, Registration};
use postern::store::Cells;

use super::{Agent, root};
use crate::mcp::Sender;
use crate::world::{World, block};

fn by<'a>(agent: &'a Agent<'_>) -> Sender<'a> {
    Sender { token: Some(&agent.key), ..Sender::default() }
}

#[test]
fn tools_do_what_rest_does() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let made = by(&boss).brings(&world, "create_agent", &json!({ "name": "Scout", "agent_type": "tool", "max_child_depth": 0 }));
    let id = made["id"].as_str().unwrap();
    let path = format!("/agents/{id}");
    let merged = |answer: Value| {
        let mut agent = answer["data"].clone();
        agent["is_root"] = answer["meta"]["is_root"].clone();
        agent
    };
    assert_eq!(made, merged(boss.get(&path).json()));
    assert_eq!(by(&boss).brings(&world, "get_agent", &json!({ "agent_id": id })), made);
    assert_eq!(by(&boss).brings(&world, "list_agents", &json!({})), boss.get("/agents").json());
    let list = by(&boss).brings(&world, "list_agents", &json!({ "limit": 1, "offset": 1, "status": "active" }));
    assert_eq!((&list["data"][0]["id"], &list["meta"]["total"]), (&json!(id), &json!(2)));
    let changed = by(&boss).brings(&world, "update_agent", &json!({ "agent_id": id, "description": "Looks.", "status": "suspended" }));
    assert_eq!(
        (&changed["description"], &changed["status"], &changed["is_active"]),
        (&json!("Looks."), &json!("suspended"), &json!(false))
    );
    let nobody = Sender::default();
    assert_eq!(nobody.brings(&world, "get_agent", &json!({ "agent_id": id, "access_token": boss.key }))["id"], id);
    let other = root(&world, "Other");
    for (tool, arguments) in [("get_agent", json!({ "agent_id": id })), ("update_agent", json!({ "agent_id": id, "name": "Mine" }))] {
        assert_eq!(by(&other).fails(&world, tool, &arguments), "not_found");
        assert_eq!(nobody.legacy(&world, "tools/call", json!({ "name": tool, "arguments": arguments })).status(), 401);
    }
    assert_eq!(by(&boss).fails(&world, "create_agent", &json!({ "name": "Scout", "agent_type": "tool" })), "agent_name_conflict");
    assert_eq!(by(&boss).fails(&world, "list_agents", &json!({ "limit": 101 })), "invalid_request");
}

#[test]
fn quickstart_brings_by_the_tool_what_it_brings_by_rest_with_the_token_flat() {
    let world = World::new(&[]);
    let made = Sender::default().brings(&world, "quickstart", &json!({ "name": "Scout", "agent_type": "tool" }));
    assert_eq!((made.get("token"), &made["agent"]["trust_level"]), (None, &json!("root")));
    assert!(made["scope"].as_str().unwrap().contains("agents.write"));
    let token = made["access_token"].as_str().unwrap();
    let child =
        Sender { token: Some(token), ..Sender::default() }.brings(&world, "create_agent", &json!({ "name": "a", "agent_type": "tool" }));
    assert_eq!(child["parent_agent_id"], made["agent"]["id"]);
}

#[test]
fn a_token_without_the_scope_is_challenged() {
    let world = World::new(&[]);
    let (_, token) = crate::mcp::agent(&world);
    let sender = Sender { token: Some(&token), ..Sender::default() };
    let answer = sender.legacy(&world, "tools/call", json!({ "name": "create_agent", "arguments": { "name": "a", "agent_type": "tool" } }));
    assert_eq!(answer.status(), 403);
    assert!(answer.header("www-authenticate").unwrap().contains("scope=\"agents.write\""));
}

#[test]
fn auth_agent_gives_a_short_token_that_may_only_be_narrower() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let ask = |scopes: Value| json!({ "action": "signup", "agent_name": "CI", "scopes": scopes });
    let first = by(&boss).brings(&world, "auth_agent", &ask(json!(["api.read"])));
    let second = by(&boss).brings(&world, "auth_agent", &ask(json!(["agents.read"])));
    assert_eq!(first["agent_id"], second["agent_id"]);
    assert_eq!((&first["scope"], &second["scope"], &first["expires_in"]), (&json!("api.read"), &json!("agents.read"), &json!(900)));
    let token = first["access_token"].as_str().unwrap();
    assert_eq!(world.call(token), 200);
    assert_eq!(boss.get("/agents").json()["meta"]["total"], 2, "it is one agent");
    for scopes in [json!(["api.write"]), json!(["api.read", "webhooks.write"]), json!(["*"]), json!(["api.*"])] {
        assert_eq!(by(&boss).fails(&world, "auth_agent", &ask(scopes.clone())), "invalid_scope", "{scopes}");
    }
    assert_eq!(by(&boss).fails(&world, "auth_agent", &ask(json!([]))), "invalid_request");
    let narrow = Sender { token: Some(second["access_token"].as_str().unwrap()), ..Sender::default() };
    let answer = narrow.legacy(&world, "tools/call", json!({ "name": "auth_agent", "arguments": ask(json!(["agents.read"])) }));
    assert_eq!(answer.status(), 403, "who may not make agents makes none");
    assert_eq!(boss.set(first["agent_id"].as_str().unwrap(), "suspended").status(), 200);
    assert_eq!(world.call(token), 401);
    assert_eq!(by(&boss).fails(&world, "auth_agent", &ask(json!(["api.read"]))), "agent_inactive");
}

#[test]
fn auth_agent_brings_no_refresh_token_and_piles_nothing_up_however_often_it_is_asked() {
    let world = World::new(&[]);
    let boss = root(&world, "Boss");
    let ask = json!({ "action": "signup", "agent_name": "CI", "scopes": ["api.read"] });
    let mut id = String::new();
    for _ in 0..12 {
        let brought = by(&boss).brings(&world, "auth_agent", &ask);
        assert!(brought.get("refresh_token").is_none(), "{brought}");
        assert_eq!(world.call(brought["access_token"].as_str().unwrap()), 200);
        id = brought["agent_id"].as_str().unwrap().to_owned();
    }
    let Outcome::Standing(standing) = block(world.platform.run::<Registration>(&id.parse().unwrap(), Command::Look)).unwrap() else {
        panic!()
    };
    assert_eq!(standing.credentials.len(), 1, "one key, and no family of refresh tokens");
}
