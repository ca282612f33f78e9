//! Policies are written, read, changed and deleted.

use serde_json::{Value, json};

use super::{audited, make, root, send, tree, written};
use crate::mcp::Sender;
use crate::world::{Answer, World};

const POLICIES: &str = "/api/v1/policies";

fn path(id: &str) -> String {
    format!("{POLICIES}/{id}")
}

#[test]
fn a_policy_is_written_read_changed_and_deleted_and_all_of_it_is_audited() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let conditions = json!({ "conditions": { "ip_ranges": ["10.0.0.0/8"] }, "priority": 3, "description": "Why." });
    let policy = written("allow", &["/files/*"], &["read"], &conditions);
    let made = send(&world, &tree.root.key, "POST", POLICIES, &policy);
    assert_eq!(made.status(), 201);
    let data = made.json()["data"].clone();
    let id = data["id"].as_str().unwrap().to_owned();
    for (name, value) in policy.as_object().unwrap() {
        assert_eq!(&data[name], value, "{name}");
    }
    assert_eq!((&data["created_by_agent_id"], &data["enabled"]), (&json!(tree.root.id.as_str()), &json!(true)));
    assert_eq!(send(&world, &tree.root.key, "GET", &path(&id), &Value::Null).json()["data"], data);

    world.later(5);
    let changed = send(&world, &tree.root.key, "PUT", &path(&id), &json!({ "effect": "deny", "description": null, "enabled": false }));
    assert_eq!(changed.status(), 200, "{}", changed.json());
    let after = changed.json()["data"].clone();
    assert_eq!((&after["effect"], &after["description"], &after["enabled"]), (&json!("deny"), &Value::Null, &json!(false)));
    assert_eq!((&after["name"], &after["conditions"], &after["created_at"]), (&data["name"], &data["conditions"], &data["created_at"]));
    assert_ne!(after["updated_at"], data["updated_at"]);

    let list = |query: &str| send(&world, &tree.root.key, "GET", &format!("{POLICIES}{query}"), &Value::Null).json();
    assert_eq!(list("")["data"], json!([after]));
    assert_eq!(list("")["meta"], json!({ "total": 1, "limit": 50, "offset": 0, "enabled_only": false }));
    assert_eq!(list("?enabled_only=true")["data"], json!([]));
    assert_eq!(send(&world, &tree.root.key, "DELETE", &path(&id), &Value::Null).status(), 204);
    assert_eq!(send(&world, &tree.root.key, "GET", &path(&id), &Value::Null).status(), 404);
    for event in ["policy.created", "policy.updated", "policy.deleted"] {
        let rows = audited(&world, &tree.account, event);
        let [row] = rows.as_slice() else { panic!("{event}: {rows:?}") };
        assert_eq!((row.actor_id.as_deref(), row.target_id.as_deref()), (Some(tree.root.id.as_str()), Some(id.as_str())));
        assert_eq!((row.network.as_deref(), row.request_id.as_deref()), (Some("192.0.2.9"), Some("0123456789abcdef")));
    }
}

#[test]
fn what_no_policy_may_say_is_refused_and_told_precisely() {
    let world = World::new(&[]);
    let root = root(&world);
    let sound = |more: Value| written("deny", &["/files"], &["read"], &more);
    for (policy, field, known) in [
        (sound(json!({ "subjects": {} })), "subjects", Some("wildcard")),
        (sound(json!({ "subjects": { "roles": ["x"] } })), "subjects.roles", Some("agent_types")),
        (sound(json!({ "conditions": { "country": "DE" } })), "conditions.country", Some("time_window")),
        (sound(json!({ "resources": { "paths": ["/files*"] } })), "resources.paths", None),
        (sound(json!({ "actions": ["list"] })), "actions", Some("read")),
        (sound(json!({ "owner": 1 })), "owner", Some("subjects")),
        (sound(json!({ "resources": { "paths": vec!["/files".repeat(300); 40] } })), "", None),
        (json!({}), "name", None),
    ] {
        let refused = send(&world, &root.key, "POST", POLICIES, &policy);
        assert_eq!((refused.status(), refused.text("error").as_str()), (422, "invalid_policy"), "{policy}");
        let told = refused.json();
        assert_eq!(told["field"], field, "{told}");
        assert!(known.is_none_or(|known| told["known"].as_array().unwrap().contains(&json!(known))), "{told}");
    }
    let id = make(&world, &root, &sound(json!({})));
    for (changes, field) in [(json!({ "id": "x" }), "id"), (json!({ "name": null }), "name"), (json!({ "subjects": {} }), "subjects")] {
        let refused = send(&world, &root.key, "PUT", &path(&id), &changes);
        assert_eq!((refused.status(), &refused.json()["field"]), (422, &json!(field)), "{changes}");
    }
    for (body, status) in [("[]", 400), ("{", 400)] {
        let headers = [("x-agent-key", root.key.as_str()), ("content-type", "application/json")];
        assert_eq!(world.send("192.0.2.9", "POST", POLICIES, &headers, body).status(), status, "{body}");
    }
    for query in ["?limit=0", "?limit=101", "?limit=-1", "?offset=x", "?enabled_only=yes"] {
        assert_eq!(send(&world, &root.key, "GET", &format!("{POLICIES}{query}"), &Value::Null).status(), 422, "{query}");
    }
}

#[test]
fn whoever_is_bound_may_read_and_only_the_author_and_those_above_may_change() {
    let world = World::new(&[]);
    let (tree, stranger) = (tree(&world), root(&world));
    let of = |author| make(&world, author, &written("deny", &["/x"], &["read"], &json!({})));
    let (of_root, of_child) = (of(&tree.root), of(&tree.child));
    let status = |who: &super::Known, method: &str, id: &str| {
        let body = if method == "PUT" { json!({ "priority": 1 }) } else { Value::Null };
        send(&world, &who.key, method, &path(id), &body).status()
    };
    for (who, id, expected) in [
        (&tree.grandchild, &of_root, [200, 403, 403]),
        (&tree.grandchild, &of_child, [200, 403, 403]),
        (&tree.child, &of_root, [200, 403, 403]),
        (&tree.sibling, &of_child, [404, 404, 404]),
        (&stranger, &of_root, [404, 404, 404]),
        (&stranger, &of_child, [404, 404, 404]),
        (&tree.root, &of_child, [200, 200, 204]),
        (&tree.root, &of_root, [200, 200, 204]),
    ] {
        assert_eq!(["GET", "PUT", "DELETE"].map(|method| status(who, method, id)), expected, "{} {id}", who.id);
    }
    let denied = audited(&world, &tree.account, "policy.deleted").into_iter().filter(|row| row.outcome.as_str() == "denied");
    assert_eq!(denied.count(), 3, "refused attempts are audited");
    let unknown = send(&world, &tree.child.key, "GET", &path("pol_0000000000000000000001"), &Value::Null);
    let foreign = of(&stranger);
    for id in [foreign.as_str(), "pol_1", "x"] {
        let other = send(&world, &tree.child.key, "GET", &path(id), &Value::Null);
        assert_eq!((other.status(), other.json()), (unknown.status(), unknown.json()), "{id}");
    }
}

#[test]
fn a_list_has_what_binds_the_caller_and_those_below() {
    let world = World::new(&[]);
    let tree = tree(&world);
    for (author, name) in [(&tree.root, "r"), (&tree.child, "c"), (&tree.sibling, "s"), (&tree.grandchild, "g")] {
        make(&world, author, &written("deny", &["/x"], &["read"], &json!({ "name": name })));
    }
    let names = |who: &super::Known| {
        let list = send(&world, &who.key, "GET", POLICIES, &Value::Null).json();
        let mut names: Vec<String> = list["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(list["meta"]["total"], names.len());
        names.sort();
        names.concat()
    };
    assert_eq!([&tree.root, &tree.child, &tree.sibling, &tree.grandchild].map(names), ["cgrs", "cgr", "rs", "cgr"]);
    let page = send(&world, &tree.root.key, "GET", &format!("{POLICIES}?limit=2&offset=3"), &Value::Null).json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["meta"]["total"]), (1, &json!(4)));
}

#[test]
fn the_same_request_again_makes_no_second_policy() {
    let world = World::new(&[]);
    let root = root(&world);
    let post = |policy: &Value| {
        let headers = [("x-agent-key", root.key.as_str()), ("content-type", "application/json"), ("idempotency-key", "0123456789abcdef")];
        world.send("192.0.2.9", "POST", POLICIES, &headers, &policy.to_string())
    };
    let policy = written("deny", &["/x"], &["read"], &json!({}));
    let first = post(&policy);
    assert_eq!((first.status(), post(&policy).json()), (201, first.json()));
    assert_eq!(post(&written("deny", &["/y"], &["read"], &json!({}))).text("error"), "idempotency_key_reused");
    let account = postern::id::AccountId::from_digits(root.id.digits());
    assert_eq!(audited(&world, &account, "policy.created").len(), 1);
}

#[test]
fn the_longest_policy_that_is_taken_can_be_read_again_and_shuts_nobody_out() {
    let world = World::new(&[("API_PER_MINUTE", "100000")]);
    let tree = tree(&world);
    let of = |pad: usize| {
        let paths = [1800, 1800, 1800, 1700, pad].map(|length| format!("/{}", "x".repeat(length)));
        written("allow", &paths.each_ref().map(String::as_str), &["read"], &json!({ "name": "Long" }))
    };
    let post = |pad: usize| send(&world, &tree.root.key, "POST", POLICIES, &of(pad));
    let remove = |made: &Answer| {
        let path = format!("{POLICIES}/{}", made.json()["data"]["id"].as_str().unwrap());
        assert_eq!(send(&world, &tree.root.key, "DELETE", &path, &Value::Null).status(), 204);
    };
    // The longest that is taken: between what is surely short enough and what is surely too long.
    let (mut taken, mut refused) = (100, 1800);
    while refused - taken > 1 {
        let middle = (taken + refused) / 2;
        let answer = post(middle);
        if answer.status() == 201 {
            remove(&answer);
            taken = middle;
        } else {
            assert_eq!((answer.status(), answer.text("error").as_str()), (422, "invalid_policy"));
            refused = middle;
        }
    }
    assert!(of(taken).to_string().len() <= 8192);
    for shorter in (0..=62).step_by(31) {
        let made = post(taken - shorter);
        let path = format!("{POLICIES}/{}", made.json()["data"]["id"].as_str().unwrap());
        let read = send(&world, &tree.root.key, "GET", &path, &Value::Null);
        assert_eq!((read.status(), &read.json()["data"]["resources"]), (200, &of(taken - shorter)["resources"]));
        for who in [&tree.root, &tree.child] {
            assert_eq!(send(&world, &who.key, "GET", POLICIES, &Value::Null).status(), 200);
        }
        assert_eq!(send(&world, &tree.root.key, "PUT", &path, &json!({ "enabled": false })).status(), 200);
        remove(&made);
    }
}

#[test]
fn tools_write_and_list_policies_as_rest_does() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let by = Sender { token: Some(&tree.root.key), ..Sender::default() };
    let policy = written("deny", &["/files/*"], &["delete"], &json!({ "description": "Nothing goes.", "priority": 3 }));
    let made = by.brings(&world, "create_policy", &policy);
    let read = send(&world, &tree.root.key, "GET", &path(made["id"].as_str().unwrap()), &Value::Null).json();
    assert_eq!(made, read["data"]);
    let mut with_token = written("allow", &["/files/*"], &["read"], &json!({ "enabled": false }));
    with_token["access_token"] = json!(tree.child.key);
    let of_child = Sender::default().brings(&world, "create_policy", &with_token);
    assert_eq!(of_child["created_by_agent_id"], tree.child.id.as_str());
    for (query, arguments) in [
        ("", json!({})),
        ("?enabled_only=true", json!({ "enabled_only": true })),
        ("?limit=1&offset=1", json!({ "limit": 1, "offset": 1 })),
    ] {
        let listed = send(&world, &tree.root.key, "GET", &format!("{POLICIES}{query}"), &Value::Null).json();
        assert_eq!(by.brings(&world, "list_policies", &arguments), listed, "{query}");
    }
    let rows: Vec<_> = audited(&world, &tree.account, "policy.created").into_iter().map(|row| row.target_id.unwrap()).collect();
    assert_eq!(rows, [made["id"].as_str().unwrap(), of_child["id"].as_str().unwrap()]);
    assert_eq!(by.fails(&world, "create_policy", &written("deny", &["/files*"], &["read"], &json!({}))), "invalid_policy");
    assert_eq!(by.fails(&world, "create_policy", &written("deny", &["/files"], &["list"], &json!({}))), "invalid_request");
    let closed = written("deny", &[POLICIES], &["write"], &json!({ "subjects": { "agent_ids": [tree.child.id.as_str()] } }));
    by.brings(&world, "create_policy", &closed);
    assert_eq!(Sender::default().fails(&world, "create_policy", &with_token), "policy_denied");
}
