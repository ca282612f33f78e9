//! Nothing outlives the credential that made it, nor is good for more.

use serde_json::{Value, json};

use super::delegations::{self, is};
use super::{Tree, by_key, send, sent};
use crate::mcp::Sender;
use crate::world::World;

/// An hour after the world begins, and two.
const HOUR: &str = "2027-01-15T09:00:00.000Z";
const TWO: &str = "2027-01-15T10:00:00.000Z";

#[test]
fn a_key_with_an_end_makes_no_key_that_ends_later_and_the_answer_says_when() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, brief) = tree.new_key(&tree.root, json!({ "expires_at": HOUR }));
    let token = by_key(&world, &brief, json!({})).text("access_token");
    let mut keys = Vec::new();
    for bearer in [&brief, &token] {
        for agent in [&tree.root, &tree.child] {
            for (more, told) in [
                (json!({}), HOUR),
                (json!({ "expires_at": TWO }), HOUR),
                (json!({ "expires_at": "2027-01-15T08:30:00Z" }), "2027-01-15T08:30:00.000Z"),
            ] {
                let mut body = json!({ "agent_id": agent });
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                let answer = send(&world, "POST", "/api/v1/credentials", bearer, &body);
                assert_eq!((answer.status(), &answer.json()["credential"]["expires_at"]), (201, &json!(told)), "{}", answer.json());
                keys.push(answer.text("raw_key"));
            }
        }
    }
    world.later(3599);
    assert_eq!(keys.iter().filter(|key| world.call(key) == 200).count(), 8);
    world.later(1);
    assert_eq!(keys.iter().filter(|key| world.call(key) == 200).count(), 0);
}

#[test]
fn a_key_with_an_end_rotates_none_into_one_that_ends_later() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (own, brief) = tree.new_key(&tree.root, json!({ "expires_at": HOUR }));
    let (childs, _) = tree.new_key(&tree.child, json!({}));
    let (shorter, _) = tree.new_key(&tree.child, json!({ "expires_at": "2027-01-15T08:30:00Z" }));
    let rotate = |bearer: &str, id: &str| send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), bearer, &Value::Null);
    let rotated = rotate(&brief, &childs);
    assert_eq!((rotated.status(), &rotated.json()["new_credential"]["expires_at"]), (200, &json!(HOUR)));
    assert_eq!(rotated.json()["old_credential"]["expires_at"], Value::Null);
    assert_eq!(rotate(&brief, &shorter).json()["new_credential"]["expires_at"], "2027-01-15T08:30:00.000Z");
    let next = rotate(&brief, &own);
    assert_eq!(next.json()["new_credential"]["expires_at"], HOUR);
    let listed = send(&world, "GET", "/api/v1/credentials", &tree.key, &Value::Null).json();
    assert!(listed["data"].as_array().unwrap().iter().all(|known| known["expires_at"].is_string()), "{listed}");
    world.later(3600);
    assert_eq!((world.call(&rotated.text("raw_key")), world.call(&next.text("raw_key"))), (401, 401));
}

#[test]
fn a_repeated_request_shows_no_key_to_a_credential_that_ends_sooner() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, brief) = tree.new_key(&tree.root, json!({ "expires_at": HOUR }));
    let repeat = [("idempotency-key", "0123456789abcdef0123")];
    let make = |bearer: &str| sent(&world, "POST", "/api/v1/credentials", bearer, &json!({ "agent_id": tree.child }), &repeat);
    assert_eq!(make(&tree.key).status(), 201);
    let again = make(&brief);
    assert!(again.status() == 403 && !again.json().to_string().contains("raw_key"), "{}", again.json());
    assert_eq!(make(&tree.key).status(), 201);
}

#[test]
fn an_agent_that_was_signed_up_by_a_key_with_an_end_ends_with_it() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, brief) = tree.new_key(&tree.root, json!({ "expires_at": "2027-01-15T08:05:00Z" }));
    let sign_up = |bearer: &str| {
        let sender = Sender { token: Some(bearer), ..Sender::default() };
        sender.brings(&world, "auth_agent", &json!({ "action": "signup", "agent_name": "Scout", "scopes": ["api.read"] }))
    };
    let token = |answer: &Value| answer["access_token"].as_str().unwrap().to_owned();
    let (short, long) = (sign_up(&brief), sign_up(&tree.key));
    assert_eq!((&short["expires_in"], &long["expires_in"]), (&json!(300), &json!(900)));
    assert_eq!(short["agent_id"], long["agent_id"]);
    world.later(300);
    assert_eq!((world.call(&token(&short)), world.call(&token(&long)), world.call(&brief)), (401, 200, 401));
    assert_eq!(world.call(&token(&sign_up(&tree.key))), 200);
}

#[test]
fn a_delegation_ends_with_the_key_that_made_it_at_the_latest() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, brief) = tree.new_key(&tree.root, json!({ "expires_at": HOUR }));
    let token = by_key(&world, &brief, json!({})).text("access_token");
    let delegate = |bearer: &str, more: Value| {
        let mut body = json!({ "delegate_agent_id": tree.child, "scopes": ["api.read"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = send(&world, "POST", "/api/v1/delegations", bearer, &body);
        assert_eq!(answer.status(), 201, "{}", answer.json());
        answer.json()["expires_at"].clone()
    };
    for bearer in [&brief, &token] {
        assert_eq!(delegate(bearer, json!({})), HOUR);
        assert_eq!(delegate(bearer, json!({ "expires_at": TWO })), HOUR);
        assert_eq!(delegate(bearer, json!({ "expires_in_hours": 0.5 })), "2027-01-15T08:30:00.000Z");
    }
    assert_eq!(delegate(&tree.key, json!({})), Value::Null);
}

#[test]
fn a_token_hands_on_no_more_than_it_carries_of_its_own_rights_and_of_what_was_handed_to_its_agent() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, childs) = tree.new_key(&tree.child, json!({}));
    let handed = send(
        &world,
        "POST",
        "/api/v1/delegations",
        &tree.key,
        &json!({ "delegate_agent_id": tree.child, "scopes": ["api.read"], "max_chain_depth": 3 }),
    );
    let source = handed.text("id");
    let token = |scope: &str| by_key(&world, &childs, json!({ "scope": scope })).text("access_token");
    let onward = |bearer: &str, more: Value| {
        let mut body = json!({ "delegate_agent_id": tree.grandchild, "scopes": ["api.read"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        delegations::ask(&world, bearer, "POST", "/api/v1/delegations", &body)
    };
    let narrow = token("delegations.write");
    is(&onward(&narrow, json!({})), 400, "invalid_delegation");
    is(&onward(&narrow, json!({ "source_delegation_id": source })), 400, "invalid_delegation");
    let fit = token("delegations.write api.read");
    assert_eq!(onward(&fit, json!({})).json()["upstream"], json!(null), "its own right");
    assert_eq!(onward(&fit, json!({ "source_delegation_id": source })).status(), 201);
    // A token that carries all that its key is good for hands on what the key may.
    let whole = by_key(&world, &childs, json!({})).text("access_token");
    assert_eq!(onward(&whole, json!({ "source_delegation_id": source })).status(), 201);
}
