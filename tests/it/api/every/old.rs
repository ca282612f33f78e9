//! Whoever had an agent before a person has claimed it may look on for a while, and changes nothing of what is the person's by now.

use serde_json::{Value, json};

use super::{Call, Stage, What};
use crate::api::party::{ADDRESS, Party};
use crate::world::{Answer, World};

/// What is sent to be answered or to give back what is sent: nothing of the account changes for good.
const HARMLESS: [&str; 7] =
    ["apiIntrospect", "apiRevoke", "check_permission", "evaluate", "introspect_token", "resolveScopes", "revoke_token"];

/// One change of an agent for each member that may change.
fn changes(stage: &Stage) -> Vec<Call> {
    let members = [
        json!({ "status": "revoked" }),
        json!({ "status": "suspended" }),
        json!({ "status": "active" }),
        json!({ "name": "Mine" }),
        json!({ "description": "mine" }),
        json!({ "public_key": "mine" }),
        json!({ "homepage_url": "https://mine.example.com" }),
        json!({ "max_child_depth": 5 }),
        json!({ "metadata": { "mine": true } }),
    ];
    let mut calls = Vec::new();
    for body in members {
        for id in [&stage.root, &stage.child] {
            let path = format!("/api/v1/agents/{id}");
            calls.push(Call { name: "changeAgent", what: What::Route { method: "PATCH", path, body: body.clone() } });
            let mut arguments = body.clone();
            arguments["agent_id"] = json!(id);
            calls.push(Call { name: "update_agent", what: What::Tool(arguments) });
        }
    }
    calls
}

/// All that the owner sees of what could be changed.
fn seen(stage: &Stage, world: &World) -> Vec<Value> {
    let Stage { root, child, credential, delegation, offer, policy, webhook, .. } = stage;
    let paths = [
        "/agents".to_owned(),
        format!("/agents/{root}"),
        format!("/agents/{child}"),
        "/credentials?include_revoked=true".to_owned(),
        format!("/credentials/{credential}"),
        "/delegations?active_only=false".to_owned(),
        format!("/delegations/{delegation}"),
        format!("/delegations/{offer}"),
        "/policies".to_owned(),
        format!("/policies/{policy}"),
        "/webhooks".to_owned(),
        format!("/webhooks/{webhook}"),
    ];
    let get = |path: &String| {
        let answer = world.send(ADDRESS, "GET", &format!("/api/v1{path}"), &[("x-agent-key", &stage.key)], "");
        assert_eq!(answer.status(), 200, "{path}: {}", answer.json());
        answer.json()
    };
    paths.iter().map(get).collect()
}

fn is_forbidden(call: &Call, answer: &Answer) -> bool {
    // Webhooks are for agents that a person has claimed: the key is as good as it was before that.
    let error = if call.name.ends_with("Webhook") { "insufficient_scope" } else { "forbidden" };
    answer.status() == if call.is_tool() { 200 } else { 403 } && call.told(answer)["error"] == error
}

#[test]
fn a_key_of_before_the_claim_changes_nothing_for_good_by_any_route_or_tool() {
    let stage = Stage::set();
    let before = seen(&stage, &stage.copy());
    let (mut refused, mut harmless) = (0, 0);
    for call in stage.calls().into_iter().chain(changes(&stage)).filter(|call| !call.is_open() && !call.reads()) {
        let world = stage.copy();
        let answer = call.send(&stage.old_key, &world);
        if HARMLESS.contains(&call.name) {
            assert!(call.succeeded(&answer), "{}: {}", call.name, answer.json());
            harmless += 1;
        } else {
            assert!(is_forbidden(&call, &answer), "{}: {} {}", call.name, answer.status(), answer.json());
            refused += 1;
        }
        assert_eq!(seen(&stage, &world), before, "{}", call.name);
    }
    assert_eq!((harmless, refused), (HARMLESS.len(), 16 + 10 + changes(&stage).len()), "and no call is missing");
}

#[test]
fn a_key_of_before_the_claim_ends_itself_and_no_other() {
    let world = World::new(&[]);
    let party = Party::unclaimed(&world);
    let made = |party: &Party<'_>| {
        let made = party.send("POST", "/credentials", &json!({ "agent_id": party.id }));
        assert!(made.status() < 300, "{}", made.json());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made.json()["credential"]["id"]), text(&made.json()["raw_key"]))
    };
    let (first, second) = (made(&party), made(&party));
    let owner = party.claim("ada@example.com");
    let old = Party { key: first.1.clone(), world: &world, id: owner.id.clone(), claim_token: String::new() };
    let end = |id: &str| old.send("DELETE", &format!("/credentials/{id}"), &Value::Null);
    let other = end(&second.0);
    assert_eq!((other.status(), other.text("error")), (403, "forbidden".to_owned()));
    assert_eq!(world.call(&second.1), 200);
    let denied = owner.audited("&event_type=credential.revoked");
    assert_eq!(denied.iter().map(|row| row["outcome"].as_str().unwrap()).collect::<Vec<_>>(), ["denied"]);
    assert_eq!(end(&first.0).status(), 200);
    assert_eq!((world.call(&first.1), world.call(&second.1), world.call(&owner.key)), (401, 200, 200));
}
