//! What is answered beforehand is what is done.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{Known, Tree, allowed, evaluate, evaluate_readable, make, root, send, tree, written};
use crate::mcp::Sender;
use crate::world::{Answer, World};

const POLICIES: &str = "/api/v1/policies";
const EVALUATE: &str = "/api/v1/policies/evaluate";
/// The SHA-256 of "key-of-the-resource-server-of-files".
const SERVER_KEY: &str = "key-of-the-resource-server-of-files";

/// A world with a resource server.
fn served() -> World {
    use sha2::{Digest, Sha256};
    let digest: String = Sha256::digest(SERVER_KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    World::new(&[("RESOURCE_SERVER_KEYS", &format!("files:{digest}"))])
}

fn by_server(world: &World, key: &str, question: &Value) -> Answer {
    let basic = format!("Basic {}", STANDARD.encode(format!("files:{key}")));
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    world.send("203.0.113.1", "POST", EVALUATE, &headers, &question.to_string())
}

fn by_operator(world: &World, question: &Value) -> Answer {
    let headers = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    world.send("203.0.113.1", "POST", EVALUATE, &headers, &question.to_string())
}

/// What is done to what by a request, and what else it would bring.
const ROUTES: [(&str, &str, &str); 7] = [
    ("GET", "read", POLICIES),
    ("POST", "write", POLICIES),
    ("GET", "read", "/api/v1/policies/pol_0000000000000000000001"),
    ("PUT", "write", "/api/v1/policies/pol_0000000000000000000001"),
    ("DELETE", "delete", "/api/v1/policies/pol_0000000000000000000001"),
    ("GET", "read", "/api/v1/policies/syntax"),
    ("GET", "read", "/api/v1/auth/me"),
];

/// Whether a request came in: what it found there is another question.
fn came_in(answer: &Answer) -> bool {
    let error = answer.json()["error"].clone();
    assert!(answer.status() != 401 && answer.status() != 429 && answer.status() < 500, "{} {error}", answer.status());
    error != "policy_denied" && error != "insufficient_scope"
}

fn tokens(world: &World, who: &Known) -> Vec<String> {
    let narrow = ["policies.read", "policies.read api.read", "policies.read policies.write"].map(|scope| {
        let fields = [("grant_type", "client_credentials"), ("client_secret", who.key.as_str()), ("scope", scope)];
        world.form("/oauth2/token", &fields).text("access_token")
    });
    std::iter::once(who.key.clone()).chain(narrow).collect()
}

/// For every route, agent and credential the answer beforehand is the one at the door.
fn agree(world: &World, tree: &Tree, credentials: &[(&Known, Vec<String>)]) {
    for (who, credentials) in credentials {
        for credential in credentials {
            let bearer = format!("Bearer {credential}");
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let send = |method: &str, path: &str, body: &str| world.send("192.0.2.9", method, path, &headers, body);
            for (method, action, path) in ROUTES {
                let question = json!({ "agent_id": who.id.as_str(), "action": action, "resource": path });
                let asked = send("POST", EVALUATE, &question.to_string());
                let done = came_in(&send(method, path, "{}"));
                if asked.status() == 200 {
                    assert_eq!(allowed(&asked), done, "{} {method} {path} {}", who.id, asked.json());
                } else {
                    // Whoever may not ask learns nothing, and that is enforced too.
                    assert_eq!(asked.text("error"), "policy_denied");
                }
            }
        }
        for (method, action, path) in ROUTES {
            let above = evaluate(world, &tree.root.key, who.id.as_str(), action, path, &json!({ "ip": "192.0.2.9" }));
            let bearer = format!("Bearer {}", who.key);
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let done = came_in(&world.send("192.0.2.9", method, path, &headers, "{}"));
            assert!(above.status() != 200 || allowed(&above) == done, "{} {method} {path}: {}", who.id, above.json());
            let question = json!({ "agent_id": who.id.as_str(), "action": action, "resource": path, "context": { "ip": "192.0.2.9" } });
            assert_eq!(allowed(&by_operator(world, &question)), done, "{} {method} {path}", who.id);
        }
    }
}

fn any_policy() -> impl Strategy<Value = Value> {
    let subjects = prop::sample::select(vec![
        json!({ "wildcard": true }),
        json!({ "agent_types": ["tool"] }),
        json!({ "trust_levels": ["root"] }),
        json!({ "trust_levels": ["delegated"], "agent_types": ["assistant", "tool"] }),
    ]);
    let paths = prop::sample::subsequence(vec!["*", POLICIES, "/api/v1/policies/*", EVALUATE, "/api/v1/agents", "/api/*"], 1..3);
    let actions = prop::sample::subsequence(vec!["read", "write", "delete", "*"], 1..3);
    let conditions = prop::sample::select(vec![
        json!({}),
        json!({}),
        json!({ "ip_ranges": ["192.0.2.0/24"] }),
        json!({ "ip_allowlist": ["198.51.100.1"] }),
        json!({ "time_window": { "start": "00:00", "end": "12:00" } }),
        json!({ "arguments": { "name": "x" } }),
    ]);
    (prop::sample::select(vec!["allow", "deny"]), subjects, paths, actions, conditions).prop_map(
        |(effect, subjects, paths, actions, conditions)| {
            written(effect, &paths, &actions, &json!({ "subjects": subjects, "conditions": conditions }))
        },
    )
}

#[test]
fn for_every_caller_what_is_answered_beforehand_is_what_is_done() {
    let mut runner = TestRunner::new(ProptestConfig { cases: 8, ..ProptestConfig::default() });
    let histories = prop::collection::vec((any_policy(), 0_usize..3), 0..5);
    let run = runner.run(&histories, |policies| {
        let world = World::new(&[("API_PER_MINUTE", "100000")]);
        let tree = tree(&world);
        for (policy, author) in &policies {
            let author = [&tree.root, &tree.child, &tree.grandchild][*author];
            // Whoever is denied it by somebody above writes none.
            super::send(&world, &author.key, "POST", POLICIES, policy);
        }
        let all = [&tree.root, &tree.child, &tree.sibling, &tree.grandchild].map(|who| (who, tokens(&world, who)));
        agree(&world, &tree, &all);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn an_agent_asks_about_itself_and_those_below_and_everybody_else_is_unknown() {
    let world = World::new(&[]);
    let (tree, stranger) = (tree(&world), root(&world));
    make(&world, &stranger, &written("deny", &["/x"], &["read"], &json!({})));
    let asked = |by: &Known, about: &str| evaluate(&world, &by.key, about, "read", "/files", &Value::Null);
    let unknown = asked(&tree.child, "reg_0000000000000000000001");
    assert_eq!((unknown.status(), unknown.text("error").as_str()), (404, "not_found"));
    for (by, about, status) in [
        (&tree.root, &tree.root, 200),
        (&tree.root, &tree.grandchild, 200),
        (&tree.child, &tree.grandchild, 200),
        (&tree.grandchild, &tree.child, 404),
        (&tree.child, &tree.sibling, 404),
        (&tree.child, &stranger, 404),
        (&stranger, &tree.root, 404),
        (&stranger, &stranger, 200),
    ] {
        let answer = asked(by, about.id.as_str());
        assert_eq!(answer.status(), status, "{} about {}", by.id, about.id);
        assert!(status == 200 || answer.json() == unknown.json());
    }
    assert_eq!(asked(&tree.child, "x").json(), unknown.json());
}

#[test]
fn a_resource_server_asks_about_any_agent_and_is_counted() {
    let world = served();
    let tree = tree(&world);
    let limit = json!({ "conditions": { "rate_limit": { "max": 2, "window_seconds": 60 }, "ip_ranges": ["10.0.0.0/8"] } });
    let policy = make(&world, &tree.root, &written("allow", &["/files/*"], &["read"], &limit));
    let question = |ip: &str| json!({ "agent_id": tree.child.id.as_str(), "action": "read", "resource": "/files/a", "scope": "api.read", "context": { "ip": ip } });
    let own = json!({ "agent_id": tree.child.id.as_str(), "action": "read", "resource": POLICIES });
    assert!(!allowed(&by_server(&world, SERVER_KEY, &question("192.0.2.1"))));
    for left in [true, true, false] {
        let answer = by_server(&world, SERVER_KEY, &question("::ffff:10.1.2.3"));
        assert_eq!(allowed(&answer), left);
        assert_eq!(answer.text("matching_policy_id"), policy);
        assert!(allowed(&by_server(&world, SERVER_KEY, &own)));
    }
    assert!(!allowed(&by_operator(&world, &question("10.1.2.3"))), "the operator's question is one too");
    world.later(60);
    assert!(allowed(&by_operator(&world, &question("10.1.2.3"))));
    let wrong = by_server(&world, "another", &question("10.1.2.3"));
    assert_eq!(wrong.status(), 401);
    let unknown = json!({ "agent_id": "reg_0000000000000000000001", "action": "read", "resource": "/files" });
    assert_eq!(by_server(&world, SERVER_KEY, &unknown).status(), 404);
    let new = root(&world);
    let answer = by_server(&world, SERVER_KEY, &json!({ "agent_id": new.id.as_str(), "action": "read", "resource": "/api" }));
    assert!(allowed(&answer), "it may read, and no account is needed for that: {}", answer.json());
}

#[test]
fn what_an_agent_says_of_its_own_address_and_arguments_does_not_open_our_api() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let from = |network: &str| json!({ "conditions": { "ip_ranges": [network] } });
    make(&world, &tree.root, &written("allow", &["/files"], &["read"], &from("10.0.0.0/8")));
    let asked = |by: &Known, resource: &str, context: &Value| {
        allowed(&evaluate_readable(&world, &by.key, tree.child.id.as_str(), resource, context))
    };
    let inside = json!({ "ip": "10.0.0.1" });
    assert!(!asked(&tree.child, "/files", &inside));
    assert!(asked(&tree.root, "/files", &inside), "it asks what would be");
    assert!(!asked(&tree.root, "/files", &Value::Null), "an address that nobody knows is none");
    make(&world, &tree.root, &written("deny", &["/mail"], &["read"], &from("192.0.2.9/32")));
    make(&world, &tree.root, &written("allow", &["/mail"], &["read"], &json!({})));
    assert!(!asked(&tree.child, "/mail", &inside), "it asks from 192.0.2.9");
    make(&world, &tree.root, &written("allow", &["/api/v1/agents"], &["read"], &json!({ "conditions": { "arguments": { "a": 1 } } })));
    assert!(!asked(&tree.child, "/api/v1/agents", &json!({ "arguments": { "a": 1 } })), "at the door they are not known");
}

#[test]
fn a_question_is_read_strictly() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let sound = json!({ "agent_id": tree.child.id.as_str(), "action": "read", "resource": "/files" });
    for with in [
        json!({ "action": "list" }),
        json!({ "action": null }),
        json!({ "resource": "" }),
        json!({ "resource": "x".repeat(2049) }),
        json!({ "agent_id": 1 }),
        json!({ "scope": "" }),
        json!({ "scope": "files.read files.write" }),
        json!({ "scope": "files.*" }),
        json!({ "scope": "\"" }),
        json!({ "scope": ["files.read"] }),
        json!({ "scopes": "files.read" }),
        json!({ "context": { "user": "x" } }),
        json!({ "context": { "ip": "nowhere" } }),
        json!({ "context": { "arguments": [] } }),
        json!({ "context": [] }),
    ] {
        let mut question = sound.clone();
        question.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let answer = send(&world, &tree.child.key, "POST", EVALUATE, &question);
        assert_eq!((answer.status(), answer.text("error").as_str()), (422, "invalid_request"), "{with}");
    }
    let mut question = sound;
    question["context"] = Value::Null;
    let headers = [("x-agent-key", tree.child.key.as_str()), ("content-type", "application/json")];
    let body = question.to_string().replace("\"context\":null", "\"context\":{}");
    assert_eq!(world.send("192.0.2.9", "POST", EVALUATE, &headers, &body).status(), 200);
}

#[test]
fn a_path_is_matched_segment_by_segment_and_what_can_be_read_in_two_ways_is_denied() {
    let world = World::new(&[]);
    let tree = tree(&world);
    make(&world, &tree.root, &written("allow", &["/agents", "/agents/*"], &["read"], &json!({})));
    make(&world, &tree.root, &written("allow", &["*"], &["write"], &json!({})));
    let asked = |resource: &str| allowed(&evaluate_readable(&world, &tree.child.key, tree.child.id.as_str(), resource, &Value::Null));
    for path in ["/agents", "/agents/", "/%61gents", "/agents/a", "/agents/a/b"] {
        assert!(asked(path), "{path}");
    }
    for path in
        ["/agents-evil", "/Agents", "/agents/..", "/agents/../x", "/agents/%2e%2e/x", "//agents", "/agents//a", "/agents%2fa", "/agents?x"]
    {
        assert!(!asked(path), "{path}");
    }
}

#[test]
fn no_policy_gives_an_agent_what_its_scopes_and_delegations_do_not() {
    let world = served();
    let root = root(&world);
    let all = json!({ "conditions": {}, "name": "Everything" });
    let policy = make(&world, &root, &written("allow", &["*"], &["*"], &all));
    let asked = |scope: Option<&str>, action: &str, resource: &str| {
        let mut question = json!({ "agent_id": root.id.as_str(), "action": action, "resource": resource });
        question["scope"] = json!(scope);
        if scope.is_none() {
            question.as_object_mut().unwrap().remove("scope");
        }
        let said = [
            by_server(&world, SERVER_KEY, &question),
            by_operator(&world, &question),
            send(&world, &root.key, "POST", EVALUATE, &question),
        ];
        let [said, others @ ..] = said.map(|answer| answer.json());
        assert!(others.iter().all(|other| *other == said), "whoever asks: {said} {others:?}");
        assert_eq!(said["matching_policy_id"], policy.as_str(), "{said}");
        (said["allowed"].as_bool().unwrap(), said["missing_scope"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(asked(None, "execute", "/payments"), (false, "payments.execute".to_owned()));
    assert_eq!(asked(None, "read", "/files"), (false, "files.read".to_owned()));
    assert_eq!(asked(Some("documents:view"), "read", "/files"), (false, "documents:view".to_owned()));
    assert_eq!(asked(Some("api.read"), "read", "/files"), (true, String::new()), "the resource server says what it asks of callers");
    assert_eq!(asked(None, "read", "/api"), (true, String::new()));
    assert_eq!(asked(Some("api.read"), "write", "/api/v1/webhooks"), (false, "webhooks.write".to_owned()), "ours is known");
}

#[test]
fn our_own_routes_are_known_beforehand_with_their_scopes() {
    let world = World::new(&[]);
    let tree = tree(&world);
    let asked = |action: &str, resource: &str| evaluate(&world, &tree.child.key, tree.child.id.as_str(), action, resource, &Value::Null);
    for (action, resource, scope) in [
        ("read", "/api/v1/agents", None),
        ("write", "/api/v1/agents/", None),
        ("delete", "/api/v1/agents/reg_1", None),
        ("read", "/api/v1/audit/events", None),
        ("write", "/api/v1/auth/token", None),
        ("write", "/api/v1/webhooks", Some("webhooks.write")),
        ("delete", "/api/v1/webhooks/whk_1", Some("webhooks.write")),
        ("read", "/api/v1/webhooks/whk_1/logs", Some("webhooks.read")),
        ("read", "/api/v1/files", Some("files.read")),
    ] {
        let answer = asked(action, resource);
        assert_eq!((allowed(&answer), answer.json()["missing_scope"].as_str()), (scope.is_none(), scope), "{action} {resource}");
    }
    for (action, resource) in
        [("delete", "/api/v1/agents"), ("execute", "/api/v1/agents"), ("write", "/api/v1/auth/me"), ("admin", POLICIES)]
    {
        assert!(!allowed(&asked(action, resource)), "{action} {resource}: there is no such thing");
    }
}

#[test]
fn the_tool_answers_as_the_route_does() {
    let world = World::new(&[]);
    let tree = tree(&world);
    make(&world, &tree.root, &written("deny", &["/files/*"], &["write"], &json!({})));
    let by = Sender { token: Some(&tree.child.key), ..Sender::default() };
    for (action, resource) in
        [("write", "/files/a"), ("read", "/files/a"), ("read", "/api"), ("read", POLICIES), ("write", "/api/v1/webhooks")]
    {
        for about in [&tree.child, &tree.grandchild] {
            let question = json!({ "agent_id": about.id.as_str(), "action": action, "resource": resource });
            let answer = evaluate(&world, &tree.child.key, about.id.as_str(), action, resource, &Value::Null);
            // The argument is for those who cannot send a header.
            let mut with_token = question.clone();
            with_token["access_token"] = json!(tree.child.key);
            assert_eq!(by.brings(&world, "check_permission", &question), answer.json());
            assert_eq!(Sender::default().brings(&world, "check_permission", &with_token), answer.json());
        }
    }
    let unknown = json!({ "agent_id": tree.sibling.id.as_str(), "action": "read", "resource": "/" });
    assert_eq!(by.fails(&world, "check_permission", &unknown), "not_found");
    let asked = Sender::default().legacy(&world, "tools/call", json!({ "name": "check_permission", "arguments": unknown }));
    assert_eq!(asked.status(), 401);
}

#[test]
fn to_ask_about_oneself_costs_one_question_of_the_account() {
    let world = World::new(&[]);
    let tree = tree(&world);
    make(&world, &tree.root, &written("deny", &["/files/*"], &["write"], &json!({})));
    for about in [&tree.child, &tree.grandchild] {
        // What was handed on comes with it.
        for (action, resource) in [("write", "/files/a"), ("read", "/api"), ("read", "/files")] {
            // What stands behind the credential is known by now.
            evaluate(&world, &tree.child.key, about.id.as_str(), action, resource, &Value::Null);
            let before = world.platform.asked.get();
            evaluate(&world, &tree.child.key, about.id.as_str(), action, resource, &Value::Null);
            // Questions about others, and what is denied, are audited.
            let cost = if about.id == tree.child.id && resource == "/api" { 1 } else { 2 };
            assert_eq!(world.platform.asked.get() - before, cost, "{action} {resource}");
        }
    }
}
