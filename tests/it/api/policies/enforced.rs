//! What policies say is done.

use postern::id::WebhookId;
use postern::machine::registration::{Command as Change, Registration};
use postern::store::Cells;
use postern::tenant::{AuditOutcome, Outcome, Status, Webhook, What};
use postern::time::Timestamp;
use serde_json::{Value, json};

use super::{Known, allowed, audited, evaluate, make, send, tenant, tree, written};
use crate::mcp::Sender;
use crate::world::{Answer, World, block};

const POLICIES: &str = "/api/v1/policies";

fn listed(world: &World, who: &Known) -> u16 {
    send(world, &who.key, "GET", POLICIES, &Value::Null).status()
}

#[test]
fn a_denial_names_its_policy_is_audited_and_told_to_webhooks() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let id = WebhookId::from_bytes([1; 16]);
    let webhook = Webhook {
        id: id.clone(),
        agent: Some(tree.root.id.clone()),
        url: "https://hooks.example.com/".to_owned(),
        events: vec!["policy.*".to_owned()],
        enabled: true,
        disabled: None,
        reason: None,
        root_generation: None,
        secret_version: 0,
        previous_until: None,
        created: Timestamp::from_millis(0),
        updated: Timestamp::from_millis(0),
    };
    tenant(&world, &tree.account, What::Subscribe(Box::new(webhook)));
    assert_eq!(listed(&world, &tree.grandchild), 200);
    let policy = make(&world, &tree.root, &written("deny", &[POLICIES], &["read"], &json!({ "name": "Closed" })));
    let denied = send(&world, &tree.grandchild.key, "GET", POLICIES, &Value::Null);
    assert_eq!((denied.status(), denied.header("x-authorization-decision")), (403, Some("deny")));
    assert_eq!(denied.header("content-type"), Some("application/problem+json"));
    let told = denied.json();
    assert_eq!((&told["error"], &told["policy_id"], &told["policy_name"]), (&json!("policy_denied"), &json!(policy), &json!("Closed")));
    assert!(denied.header("x-ratelimit-remaining").is_some());
    let rows = audited(&world, &tree.account, "policy.denied");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.outcome, row.actor_id.as_deref()), (AuditOutcome::Denied, Some(tree.grandchild.id.as_str())));
    let metadata: Value = serde_json::from_str(row.metadata.as_deref().unwrap()).unwrap();
    assert_eq!((&metadata["action"], &metadata["resource"], &metadata["policy_id"]), (&json!("read"), &json!(POLICIES), &json!(policy)));
    let Outcome::Deliveries(deliveries, _) = tenant(&world, &tree.account, What::Deliveries { webhook: id, limit: 9, offset: 0 }) else {
        panic!()
    };
    let events: Vec<&str> = deliveries.iter().map(|delivery| delivery.event_type.as_str()).collect();
    assert_eq!(events, ["policy.denied", "policy.created"]);
}

#[test]
fn a_change_counts_for_everybody_below_at_once_and_for_nobody_else() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let of = |author: &Known| make(&world, author, &written("deny", &["*"], &["read"], &json!({})));
    let all = |world: &World| [&tree.root, &tree.child, &tree.sibling, &tree.grandchild].map(|who| listed(world, who));
    let of_child = of(&tree.child);
    assert_eq!(all(&world), [200, 200, 200, 403], "its author can take it back");
    let of_root = of(&tree.root);
    assert_eq!(all(&world), [200, 403, 403, 403]);
    let change = |id: &str, body: &Value| {
        assert_eq!(send(&world, &tree.root.key, "PUT", &format!("{POLICIES}/{id}"), body).status(), 200);
    };
    change(&of_root, &json!({ "subjects": { "agent_types": ["assistant"] } }));
    assert_eq!(all(&world), [200, 200, 403, 403]);
    change(&of_root, &json!({ "enabled": false }));
    assert_eq!(all(&world), [200, 200, 200, 403]);
    assert_eq!(send(&world, &tree.root.key, "DELETE", &format!("{POLICIES}/{of_child}"), &Value::Null).status(), 204);
    assert_eq!(all(&world), [200; 4]);
}

#[test]
fn a_deny_beats_an_allow_at_any_priority_and_what_is_governed_is_denied_by_default() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let change = |id: &str, body: &Value| send(&world, &tree.root.key, "PUT", &format!("{POLICIES}/{id}"), body).status();
    let allow = make(&world, &tree.root, &written("allow", &[POLICIES], &["read"], &json!({ "priority": 1_000_000 })));
    let deny = make(&world, &tree.root, &written("deny", &[POLICIES], &["read"], &json!({ "priority": -1_000_000 })));
    assert_eq!(listed(&world, &tree.child), 403);
    assert_eq!(change(&deny, &json!({ "enabled": false })), 200);
    assert_eq!(listed(&world, &tree.child), 200);
    assert_eq!(change(&allow, &json!({ "actions": ["write"] })), 200);
    let denied = send(&world, &tree.child.key, "GET", POLICIES, &Value::Null);
    assert_eq!((denied.status(), &denied.json()["policy_id"]), (403, &json!(allow)));
}

#[test]
fn an_allow_gives_no_scope_that_the_agent_or_its_token_lacks() {
    let world = World::new(&[]);
    let tree = tree(&world);
    make(&world, &tree.root, &written("allow", &["*"], &["*"], &json!({})));
    let asked = |action: &str, resource: &str| evaluate(&world, &tree.root.key, tree.root.id.as_str(), action, resource, &Value::Null);
    let webhooks = asked("write", "/api/v1/webhooks");
    assert_eq!((allowed(&webhooks), webhooks.text("missing_scope").as_str()), (false, "webhooks.write"), "nobody has claimed it");
    let files = asked("write", "/files");
    assert!(allowed(&asked("write", "/api/v1/agents")));
    assert_eq!((allowed(&files), files.text("missing_scope").as_str()), (false, "files.write"), "nor at a resource of somebody else");
    let fields = [("grant_type", "client_credentials"), ("client_secret", tree.root.key.as_str()), ("scope", "policies.read")];
    let token = world.form("/oauth2/token", &fields).text("access_token");
    let bearer = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
    let bearer: Vec<(&str, &str)> = bearer.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let post = world.send("192.0.2.9", "POST", POLICIES, &bearer, &written("deny", &["/x"], &["read"], &json!({})).to_string());
    assert_eq!((post.status(), post.text("error").as_str()), (403, "insufficient_scope"));
    assert_eq!(post.header("x-authorization-decision"), Some("deny"));
    assert!(post.header("www-authenticate").unwrap().contains("scope=\"policies.write\""));
    assert_eq!(world.send("192.0.2.9", "GET", POLICIES, &bearer, "").header("x-authorization-decision"), Some("allow"));
}

#[test]
fn whoever_must_not_delete_an_agent_neither_suspends_nor_revokes_it_by_a_change() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let path = format!("/api/v1/agents/{}", tree.child.id);
    let policy = make(&world, &tree.root, &written("deny", &[&path], &["delete"], &json!({})));
    let change = |body: Value| send(&world, &tree.root.key, "PATCH", &path, &body);
    let denied = |answer: &Answer| {
        assert_eq!((answer.status(), &answer.json()["policy_id"]), (403, &json!(policy)));
        assert_eq!(answer.header("x-authorization-decision"), Some("deny"));
    };
    denied(&send(&world, &tree.root.key, "DELETE", &path, &Value::Null));
    let by = Sender { token: Some(&tree.root.key), ..Sender::default() };
    for status in ["suspended", "revoked"] {
        denied(&change(json!({ "status": status, "description": "changed" })));
        let arguments = json!({ "agent_id": tree.child.id.as_str(), "status": status });
        assert_eq!(by.fails(&world, "update_agent", &arguments), "policy_denied");
    }
    assert_eq!(audited(&world, &tree.account, "policy.denied").len(), 5);
    let agent = send(&world, &tree.root.key, "GET", &path, &Value::Null).json();
    assert_eq!((&agent["data"]["status"], &agent["data"]["description"]), (&json!("active"), &Value::Null), "nothing of it is done");
    assert_eq!(change(json!({ "description": "changed", "status": "active" })).status(), 200);
    assert_eq!(send(&world, &tree.root.key, "PUT", &format!("{POLICIES}/{policy}"), &json!({ "enabled": false })).status(), 200);
    let left = |answer: &Answer| answer.header("x-ratelimit-remaining").unwrap().parse::<u32>().unwrap();
    let before = left(&send(&world, &tree.root.key, "GET", &path, &Value::Null));
    let after = change(json!({ "status": "suspended" }));
    assert_eq!((after.status(), left(&after)), (200, before - 1), "it is one request");
}

#[test]
fn a_tool_asks_policies_about_the_record_that_it_is_called_for() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let by = Sender { token: Some(&tree.root.key), ..Sender::default() };
    let key = by.brings(&world, "create_credential", &json!({ "agent_id": tree.child.id.as_str() }))["id"].as_str().unwrap().to_owned();
    let other = by.brings(&world, "create_credential", &json!({ "agent_id": tree.child.id.as_str() }))["id"].as_str().unwrap().to_owned();
    let delegate = json!({ "delegate_agent_id": tree.child.id.as_str(), "scopes": ["api.read"] });
    let delegation = by.brings(&world, "create_delegation", &delegate)["id"].as_str().unwrap().to_owned();
    let agent = format!("/api/v1/agents/{}", tree.child.id);
    let paths = [
        agent,
        format!("/api/v1/credentials/{key}"),
        format!("/api/v1/credentials/{key}/rotate"),
        format!("/api/v1/delegations/{delegation}"),
    ];
    make(&world, &tree.root, &written("deny", &paths.each_ref().map(String::as_str), &["*"], &json!({})));
    for (tool, arguments) in [
        ("get_agent", json!({ "agent_id": tree.child.id.as_str() })),
        ("update_agent", json!({ "agent_id": tree.child.id.as_str(), "description": "x" })),
        ("rotate_credential", json!({ "credential_id": key })),
        ("revoke_credential", json!({ "credential_id": key })),
        ("revoke_delegation", json!({ "delegation_id": delegation })),
    ] {
        assert_eq!(by.fails(&world, tool, &arguments), "policy_denied", "{tool}");
    }
    by.brings(&world, "get_agent", &json!({ "agent_id": tree.sibling.id.as_str() }));
    by.brings(&world, "update_agent", &json!({ "agent_id": tree.sibling.id.as_str(), "description": "x" }));
    by.brings(&world, "rotate_credential", &json!({ "credential_id": other }));
}

#[test]
fn a_root_that_has_locked_everything_can_take_it_back() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let policy = make(&world, &tree.root, &written("deny", &["*"], &["*"], &json!({})));
    assert_eq!(listed(&world, &tree.child), 403);
    let path = format!("{POLICIES}/{policy}");
    assert_eq!(send(&world, &tree.root.key, "GET", &path, &Value::Null).status(), 200);
    assert_eq!(send(&world, &tree.root.key, "PUT", &path, &json!({ "priority": 1 })).status(), 200);
    let asked = evaluate(&world, &tree.root.key, tree.root.id.as_str(), "read", "/files", &Value::Null);
    assert!(!allowed(&asked), "everywhere else it binds its author too");
    assert_eq!(send(&world, &tree.root.key, "DELETE", &path, &Value::Null).status(), 204);
    assert_eq!(listed(&world, &tree.child), 200);
}

#[test]
fn where_nobody_knows_the_policies_nobody_comes_in() {
    let world = World::new(&[]);
    let tree = tree(&world);
    assert_eq!(listed(&world, &tree.child), 200);
    world.platform.lost.borrow_mut().push("account");
    let lost = send(&world, &tree.child.key, "GET", POLICIES, &Value::Null);
    assert_eq!((lost.status(), lost.header("retry-after")), (503, Some("2")));
}

#[test]
fn whoever_is_suspended_in_the_tree_does_not_come_in() {
    let world = World::new(&[]);
    let tree = tree(&world);
    tenant(&world, &tree.account, What::SetStatus { id: tree.child.id.clone(), status: Status::Suspended });
    assert_eq!(listed(&world, &tree.root), 200);
    for who in [&tree.child, &tree.grandchild] {
        let refused = send(&world, &who.key, "GET", POLICIES, &Value::Null);
        assert_eq!((refused.status(), refused.text("error").as_str()), (403, "agent_inactive"));
        assert!(!allowed(&evaluate(&world, &tree.root.key, who.id.as_str(), "read", POLICIES, &Value::Null)));
    }
    block(world.platform.run::<Registration>(&tree.sibling.id, Change::Pause(true))).unwrap();
    world.later(2);
    assert_eq!(listed(&world, &tree.sibling), 401);
    assert!(!allowed(&evaluate(&world, &tree.root.key, tree.sibling.id.as_str(), "read", POLICIES, &Value::Null)));
}
