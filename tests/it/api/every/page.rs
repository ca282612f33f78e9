//! What `docs/agentauth.md` says of our own ways.

use serde_json::{Value, json};

use super::{Call, Stage, What};
use crate::mcp;
use crate::openapi;
use crate::world::Answer;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/agentauth.md"));

fn ask(stage: &Stage, method: &'static str, path: &str, body: Value) -> Answer {
    let what = What::Route { method, path: format!("/api/v1{path}"), body };
    Call { name: "", what }.send_once(&stage.key, &stage.world)
}

/// Status and code.
fn refused(answer: &Answer) -> (u16, String) {
    (answer.status(), answer.text("error"))
}

#[test]
fn the_page_for_those_who_come_from_agentauth_names_every_path_and_every_tool() {
    for (_, path, _) in openapi::operations().filter(|(_, path, _)| path.starts_with("/api/v1/") && !path.contains("/.well-known/")) {
        // A record is written with its family, and what stands below a record alone.
        let family = format!("/{}", path.split('/').nth(3).unwrap());
        let end = path.rsplit('/').next().filter(|end| !end.starts_with('{')).map_or(family.clone(), |end| format!("/{end}"));
        let said = PAGE.lines().any(|line| line.starts_with('|') && line.contains(&end) && (path.contains('{') || line.contains(&family)));
        assert!(said, "{path}");
    }
    for tool in mcp::listed(&Stage::set().world) {
        assert!(PAGE.contains(&format!("`{}`", tool["name"].as_str().unwrap())), "{}", tool["name"]);
    }
}

#[test]
fn what_the_page_says_of_refusals_is_so() {
    let stage = Stage::set();
    let nobody = "reg_0000000000000000000000";
    let delegation = |to: &str, more: Value| {
        let mut body = json!({ "delegate_agent_id": to, "scopes": ["api.read"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask(&stage, "POST", "/delegations", body)
    };
    let refresh = json!({ "token": stage.refresh_token });
    assert_eq!(ask(&stage, "POST", "/auth/token/introspect", refresh).json(), json!({ "active": false }));
    assert_eq!(refused(&ask(&stage, "POST", "/credentials", json!({ "agent_id": nobody }))), (404, "not_found".to_owned()));
    assert_eq!(refused(&delegation(nobody, json!({}))), (404, "not_found".to_owned()));
    assert_eq!(refused(&delegation(&stage.child, json!({ "why": "x" }))), (422, "invalid_request".to_owned()));
    let deep = delegation(&stage.child, json!({ "max_chain_depth": 0 }));
    assert_eq!(refused(&deep), (400, "depth_exceeded".to_owned()));
    for member in ["chain_depth_exceeded", "chain_depth_remaining", "effective_max_chain_depth"] {
        assert!(!deep.json()[member].is_null(), "{member}");
    }
    let question = json!({ "agent_id": stage.child, "action": "read", "resource": "/a", "context": { "country": "x" } });
    assert_eq!(refused(&ask(&stage, "POST", "/policies/evaluate", question)), (422, "invalid_request".to_owned()));
    let path = format!("/delegations/{}", stage.delegation);
    assert_eq!([(); 2].map(|()| ask(&stage, "DELETE", &path, Value::Null).json()), [json!({ "revoked": 1 }), json!({ "revoked": 0 })]);
    assert_eq!(ask(&stage, "PATCH", &format!("/agents/{}", stage.child), json!({ "status": "suspended" })).status(), 200);
    assert_eq!(refused(&delegation(&stage.child, json!({}))), (400, "agent_inactive".to_owned()));
    assert_eq!(refused(&ask(&stage, "POST", "/scopes", json!({ "name": "x.y" }))), (405, "method_not_allowed".to_owned()));
}

#[test]
fn an_agent_has_at_most_sixteen_keys_that_count() {
    let stage = Stage::set();
    let made = || ask(&stage, "POST", "/credentials", json!({ "agent_id": stage.child }));
    // It has one already.
    for _ in 1..16 {
        assert_eq!(made().status(), 201);
    }
    assert_eq!(refused(&made()), (409, "limit_reached".to_owned()));
}
