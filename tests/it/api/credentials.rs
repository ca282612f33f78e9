//! API keys: made, shown once, rotated, ended; by nobody but whoever is above, and for no more than they have.

use postern::machine::registration::{Command, NewKey, Registration};
use postern::secret::{ApiKey, Secret};
use postern::store::Cells;
use serde_json::{Value, json};

use super::{Tree, by_key, refresh, send, sent};
use crate::mcp::Sender;
use crate::person::{Person, page};
use crate::world::{World, block, together};

const FIELDS: [&str; 14] = [
    "id",
    "agent_id",
    "type",
    "prefix",
    "scopes",
    "expires_at",
    "last_used_at",
    "last_rotated_at",
    "revoked_at",
    "metadata",
    "token_lifetime_seconds",
    "created_at",
    "updated_at",
    "is_valid",
];

fn get(tree: &Tree<'_>, path: &str) -> Value {
    let answer = send(tree.world, "GET", path, &tree.key, &Value::Null);
    assert_eq!(answer.status(), 200, "{path}: {}", answer.json());
    answer.json()
}

#[test]
fn a_key_is_made_for_oneself_and_for_whoever_is_below_and_has_the_members_of_agentauth() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    for agent in [&tree.root, &tree.child, &tree.grandchild] {
        let body = json!({ "agent_id": agent, "type": "api_key", "scopes": ["api.*"], "expires_at": "2027-02-01T00:00:00+01:00", "metadata": { "for": "x" }, "token_lifetime_seconds": 60 });
        let answer = send(&world, "POST", "/api/v1/credentials", &tree.key, &body);
        assert_eq!(answer.status(), 201, "{}", answer.json());
        let answer = answer.json();
        let (credential, key) = (&answer["credential"], answer["raw_key"].as_str().unwrap());
        let mut names: Vec<&str> = credential.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = FIELDS.to_vec();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
        assert!(key.starts_with(credential["prefix"].as_str().unwrap()));
        assert_eq!((&credential["expires_at"], &credential["is_valid"]), (&json!("2027-01-31T23:00:00.000Z"), &json!(true)));
        assert_eq!((&credential["scopes"], &credential["metadata"]), (&json!(["api.*"]), &json!({ "for": "x" })));
        let token = by_key(&world, key, json!({})).json();
        assert_eq!((&token["scope"], &token["expires_in"]), (&json!("api.read"), &json!(60)), "no wildcard gets into a token");
        let path = format!("/api/v1/credentials/{}", credential["id"].as_str().unwrap());
        let shown = get(&tree, &path)["data"].clone();
        assert!(shown["last_used_at"].is_string(), "its use is noted");
        assert!(!shown.to_string().contains(key));
    }
    assert_eq!(get(&tree, "/api/v1/credentials")["meta"]["total"], 3);
    let of_child = get(&tree, &format!("/api/v1/credentials?agent_id={}", tree.child));
    assert_eq!(of_child["meta"]["total"], 1);
    let brief = get(&tree, &format!("/api/v1/agents/{}/credentials", tree.child));
    assert_eq!(brief["meta"]["credentials_count"], 1);
    assert_eq!(brief["meta"]["credentials"][0]["id"], of_child["data"][0]["id"]);
}

/// Edge case 107.
#[test]
fn the_raw_key_is_shown_once_and_is_nowhere_in_lists_logs_audit_and_stores() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, key) = tree.new_key(&tree.child, json!({}));
    let rotated = send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null).json();
    let new = rotated["raw_key"].as_str().unwrap().to_owned();
    send(&world, "DELETE", &format!("/api/v1/credentials/{}", rotated["new_credential"]["id"].as_str().unwrap()), &tree.key, &Value::Null);
    let everything = [
        get(&tree, "/api/v1/credentials?include_revoked=true").to_string(),
        format!(
            "{:?}",
            tree.tenant(postern::tenant::What::Audit(Box::new(postern::tenant::AuditFilter { limit: 500, ..Default::default() })))
        ),
        format!("{:?}", world.platform.warnings.borrow()),
        format!("{:?}", world.platform.cells.borrow()),
    ];
    for secret in [&key, &new] {
        let tail = secret.rsplit('_').next().unwrap();
        assert!(everything.iter().all(|text| !text.contains(tail)));
    }
    let events: Vec<String> = tree.audited().into_iter().map(|(event, outcome, _)| format!("{event} {outcome}")).collect();
    assert_eq!(events, ["credential.created success", "credential.rotated success", "credential.revoked success"]);
}

/// Edge case 108, with the two below.
#[test]
fn a_rotated_key_is_dead_at_once_with_its_tokens_and_refresh_tokens_and_the_new_one_is_good_for_the_same() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let more =
        json!({ "scopes": ["api.read"], "expires_at": "2027-02-01T00:00:00Z", "metadata": { "a": 1 }, "token_lifetime_seconds": 86400 });
    let (id, key) = tree.new_key(&tree.child, more);
    let token = by_key(&world, &key, json!({})).json();
    assert_eq!(world.call(token["access_token"].as_str().unwrap()), 200);
    let answer = send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let (old, new) = (answer.json()["old_credential"].clone(), answer.json()["new_credential"].clone());
    assert_eq!((old["id"].as_str(), old["is_valid"].as_bool(), new["is_valid"].as_bool()), (Some(&*id), Some(false), Some(true)));
    assert!(old["revoked_at"].is_string() && new["last_rotated_at"].is_string() && new["revoked_at"].is_null());
    for kept in ["agent_id", "type", "scopes", "expires_at", "metadata", "token_lifetime_seconds"] {
        assert_eq!(old[kept], new[kept], "{kept}");
    }
    assert_eq!((world.call(&key), world.call(token["access_token"].as_str().unwrap())), (401, 401), "in the same isolate at once");
    assert_eq!(by_key(&world, &key, json!({})).text("error"), "invalid_client");
    assert_eq!(refresh(&world, token["refresh_token"].as_str().unwrap()).text("error"), "invalid_grant");
    assert_eq!(by_key(&world, answer.json()["raw_key"].as_str().unwrap(), json!({})).json()["expires_in"], 86400);
    for _ in 0..2 {
        let again = send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null);
        assert_eq!((again.status(), again.text("error").as_str()), (400, "already_revoked"), "what has ended does not come back");
    }
}

#[test]
fn a_key_that_has_expired_or_was_revoked_is_not_rotated() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (expiring, _) = tree.new_key(&tree.child, json!({ "expires_at": "2027-01-15T08:00:30Z" }));
    let (revoked, _) = tree.new_key(&tree.child, json!({}));
    assert_eq!(send(&world, "DELETE", &format!("/api/v1/credentials/{revoked}"), &tree.key, &Value::Null).status(), 200);
    world.later(31);
    assert_eq!(get(&tree, &format!("/api/v1/credentials/{expiring}"))["data"]["is_valid"], false);
    for id in [&expiring, &revoked] {
        let answer = send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null);
        assert_eq!((answer.status(), answer.text("error").as_str()), (400, "already_revoked"));
    }
}

#[test]
fn of_a_hundred_rotations_at_once_one_brings_a_key() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, _) = tree.new_key(&tree.child, json!({}));
    world.platform.halting.set(true);
    let path = format!("/api/v1/credentials/{id}/rotate");
    let bearer = format!("Bearer {}", tree.key);
    let ask = || async {
        let request = http::Request::builder().method("POST").uri(&path).header("authorization", &bearer);
        let cx = world.cx("192.0.2.1");
        postern::http::handle(request.body(Ok(bytes::Bytes::new())).unwrap(), &cx).await.status().as_u16()
    };
    let statuses = together((0..100).map(|_| ask()));
    world.platform.halting.set(false);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
    let all = get(&tree, &format!("/api/v1/credentials?include_revoked=true&agent_id={}", tree.child));
    let valid = all["data"].as_array().unwrap().iter().filter(|credential| credential["is_valid"] == true).count();
    assert_eq!((all["meta"]["total"].as_u64(), valid), (Some(2), 1));
}

/// Edge case 109.
#[test]
fn a_revoked_key_is_dead_with_its_tokens_and_cannot_be_revoked_twice() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, key) = tree.new_key(&tree.child, json!({}));
    let token = by_key(&world, &key, json!({})).json();
    let path = format!("/api/v1/credentials/{id}");
    let answer = send(&world, "DELETE", &path, &tree.key, &Value::Null);
    assert_eq!((answer.status(), answer.json()["meta"]["credential_id"].as_str()), (200, Some(&*id)));
    assert_eq!((world.call(&key), world.call(token["access_token"].as_str().unwrap())), (401, 401));
    assert_eq!(refresh(&world, token["refresh_token"].as_str().unwrap()).status(), 400);
    let again = send(&world, "DELETE", &path, &tree.key, &Value::Null);
    assert_eq!((again.status(), again.text("error").as_str()), (400, "already_revoked"));
    assert_eq!(get(&tree, "/api/v1/credentials")["meta"]["total"], 0);
    assert_eq!(get(&tree, "/api/v1/credentials?include_revoked=true")["meta"]["total"], 1);
}

#[test]
fn a_key_that_its_holder_gives_back_is_listed_as_revoked() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, key) = tree.new_key(&tree.child, json!({}));
    assert_eq!(world.json("/api/v1/auth/token/revoke", &json!({ "token": key })).status(), 200);
    let shown = get(&tree, &format!("/api/v1/credentials/{id}"))["data"].clone();
    assert!(shown["revoked_at"].is_string() && shown["is_valid"] == false);
    assert!(tree.audited().contains(&("credential.revoked".to_owned(), "success", id)));
}

#[test]
fn unknown_invisible_and_malformed_names_are_the_same_404_on_every_route_and_each_attempt_is_audited() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, key) = tree.new_key(&tree.root, json!({}));
    let (of_child, childs) = tree.new_key(&tree.child, json!({}));
    let unknown = "crd_0000000000000000000000";
    // The stranger has an account of its own; the child is not above its root.
    for asker in [&tree.strangers_key, &childs] {
        let mut bodies = Vec::new();
        for name in [&*id, unknown, "x"] {
            for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/rotate")] {
                let answer = send(&world, method, &format!("/api/v1/credentials/{name}{path}"), asker, &Value::Null);
                assert_eq!(answer.status(), 404, "{method} {path}");
                bodies.push(answer.json());
            }
        }
        for agent in [tree.root.as_str(), "reg_0000000000000000000000", "x"] {
            let answer = send(&world, "POST", "/api/v1/credentials", asker, &json!({ "agent_id": agent }));
            assert_eq!(answer.status(), 404);
            bodies.push(answer.json());
            for path in [format!("/api/v1/agents/{agent}/credentials"), format!("/api/v1/credentials?agent_id={agent}")] {
                let answer = send(&world, "GET", &path, asker, &Value::Null);
                assert_eq!(answer.status(), 404, "{path}");
                bodies.push(answer.json());
            }
        }
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    }
    assert_eq!((world.call(&key), world.call(&childs)), (200, 200), "nothing has happened to them");
    let denied: Vec<String> = tree.audited().into_iter().filter(|(_, outcome, _)| *outcome == "denied").map(|(event, ..)| event).collect();
    for event in ["credential.created", "credential.rotated", "credential.revoked"] {
        assert!(denied.iter().any(|known| known == event), "{event} of {denied:?}");
    }
    let listed = send(&world, "GET", "/api/v1/credentials?include_revoked=true", &tree.strangers_key, &Value::Null).json();
    assert_eq!((listed["meta"]["total"].as_u64(), listed["data"].as_array().unwrap().len()), (Some(0), 0));
    let own = send(&world, "GET", "/api/v1/credentials", &childs, &Value::Null).json();
    assert_eq!((own["meta"]["total"].as_u64(), own["data"][0]["id"].as_str()), (Some(1), Some(&*of_child)));
}

#[test]
fn nobody_makes_a_key_that_is_good_for_more_than_their_own_credential() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, narrow) = tree.new_key(&tree.root, json!({ "scopes": ["credentials.*", "api.read"] }));
    let (wide_id, wide) = tree.new_key(&tree.root, json!({}));
    let make = |bearer: &str, scopes: Value| {
        send(&world, "POST", "/api/v1/credentials", bearer, &json!({ "agent_id": tree.root, "scopes": scopes }))
    };
    for (scopes, status) in [
        (json!(["credentials.read"]), 201),
        (json!(["credentials.*"]), 201),
        (json!(["credentials.write", "api.read"]), 201),
        (json!(["agents.write"]), 400),
        (json!(["api.*"]), 400),
        (json!(["credentials.write", "agents.*"]), 400),
        (json!(["*"]), 400),
        (json!([]), 422),
    ] {
        let answer = make(&narrow, scopes.clone());
        assert_eq!(answer.status(), status, "{scopes}: {}", answer.json());
        assert!(status != 400 || answer.text("error") == "invalid_scope");
    }
    // Without a scope it is as narrow as whoever makes it.
    let answer = send(&world, "POST", "/api/v1/credentials", &narrow, &json!({ "agent_id": tree.child }));
    assert_eq!(answer.json()["credential"]["scopes"], json!(["api.read", "credentials.*"]));
    // Whoever rotates a key has it afterwards.
    let rotate = |bearer: &str| send(&world, "POST", &format!("/api/v1/credentials/{wide_id}/rotate"), bearer, &Value::Null);
    assert_eq!((rotate(&narrow).status(), rotate(&narrow).text("error").as_str()), (403, "forbidden"));
    assert_eq!(world.call(&wide), 200);
    // A token may be narrower than its key: what it makes is too.
    let token = by_key(&world, &wide, json!({ "scope": "credentials.write" })).text("access_token");
    assert_eq!((make(&token, json!(["credentials.write"])).status(), make(&token, json!(["api.read"])).status()), (201, 400));
    assert_eq!(rotate(&token).status(), 403);
    let answer = send(&world, "POST", "/api/v1/credentials", &token, &json!({ "agent_id": tree.root }));
    assert_eq!(answer.json()["credential"]["scopes"], json!(["credentials.write"]));
    // One with everything makes what the key could.
    let token = by_key(&world, &wide, json!({})).text("access_token");
    assert_eq!(make(&token, json!(["agents.*"])).status(), 201);
    assert_eq!(rotate(&token).status(), 200);
}

/// Edge case 111.
#[test]
fn a_lifetime_is_a_minute_to_a_day_and_an_expiry_is_ahead() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let make = |more: Value| {
        let mut body = json!({ "agent_id": tree.child });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        send(&world, "POST", "/api/v1/credentials", &tree.key, &body).status()
    };
    for (seconds, status) in
        [(json!(59), 422), (json!(60), 201), (json!(86_400), 201), (json!(86_401), 422), (json!(-1), 422), (json!("60"), 422)]
    {
        assert_eq!(make(json!({ "token_lifetime_seconds": seconds })), status, "{seconds}");
    }
    for (expires, status) in
        [("2027-01-15T08:00:00Z", 422), ("2026-01-01T00:00:00Z", 422), ("2027-01-15T08:00:01Z", 201), ("2027-01-16 tomorrow ok", 422)]
    {
        assert_eq!(make(json!({ "expires_at": expires })), status, "{expires}");
    }
    assert_eq!(make(json!({ "type": "client_secret" })), 422);
    assert_eq!(make(json!({ "metadata": [] })), 422);
    assert_eq!(make(json!({ "metadata": { "x": "y".repeat(9000) } })), 422);
    for page in ["limit=0", "limit=101", "limit=-1", "offset=-1", "include_revoked=maybe"] {
        assert_eq!(send(&world, "GET", &format!("/api/v1/credentials?{page}"), &tree.key, &Value::Null).status(), 422, "{page}");
    }
    let page = get(&tree, "/api/v1/credentials?limit=1&offset=1");
    assert_eq!((page["meta"]["total"].as_u64(), page["data"].as_array().unwrap().len()), (Some(3), 1), "total is of all pages");
}

#[test]
fn the_same_request_again_is_answered_the_same_and_completes_what_was_lost() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let key = [("idempotency-key", "one-two-three-four-five")];
    let body = json!({ "agent_id": tree.child });
    let make = || sent(&world, "POST", "/api/v1/credentials", &tree.key, &body, &key);
    // The cell of the child does not answer: something is listed, and nothing works.
    let cell: &'static str = format!("registration/{}", tree.child).leak();
    world.platform.lost.borrow_mut().push(cell);
    assert_eq!(make().status(), 503);
    world.platform.lost.borrow_mut().clear();
    let left = get(&tree, "/api/v1/credentials")["data"][0].clone();
    assert_eq!(left["is_valid"], false);
    let first = make().json();
    assert_eq!((&first["credential"]["id"], &first["credential"]["is_valid"]), (&left["id"], &json!(true)));
    assert_eq!(make().json(), first);
    assert_eq!(get(&tree, "/api/v1/credentials")["meta"]["total"], 1);
    assert_eq!(tree.audited().len(), 1, "it happened once");
    let other = sent(&world, "POST", "/api/v1/credentials", &tree.key, &json!({ "agent_id": tree.root }), &key);
    assert_eq!((other.status(), other.text("error").as_str()), (422, "idempotency_key_reused"));
    let path = format!("/api/v1/credentials/{}/rotate", left["id"].as_str().unwrap());
    let key = [("idempotency-key", "six-seven-eight-nine-ten")];
    let rotated = sent(&world, "POST", &path, &tree.key, &json!({}), &key);
    assert_eq!(rotated.status(), 200, "{}", rotated.json());
    assert_eq!(sent(&world, "POST", &path, &tree.key, &json!({}), &key).json(), rotated.json());
    assert_eq!(make().status(), 400, "what it made has ended since");
    let raw = first["raw_key"].as_str().unwrap();
    assert_eq!(world.call(raw), 401);
}

#[test]
fn what_was_never_completed_can_be_taken_off_the_list() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let cell: &'static str = format!("registration/{}", tree.child).leak();
    world.platform.lost.borrow_mut().push(cell);
    assert_eq!(send(&world, "POST", "/api/v1/credentials", &tree.key, &json!({ "agent_id": tree.child })).status(), 503);
    world.platform.lost.borrow_mut().clear();
    let id = get(&tree, "/api/v1/credentials")["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null).status(), 400);
    assert_eq!(send(&world, "DELETE", &format!("/api/v1/credentials/{id}"), &tree.key, &Value::Null).status(), 200);
    assert_eq!(get(&tree, "/api/v1/credentials?include_revoked=true")["meta"]["total"], 0);
}

#[test]
fn a_suspended_agent_gets_no_key_and_there_are_only_so_many() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (id, _) = tree.new_key(&tree.child, json!({}));
    tree.run(&tree.child, Command::Pause(true));
    let make = || send(&world, "POST", "/api/v1/credentials", &tree.key, &json!({ "agent_id": tree.child }));
    let rotate = send(&world, "POST", &format!("/api/v1/credentials/{id}/rotate"), &tree.key, &Value::Null);
    assert_eq!((make().text("error"), rotate.text("error")), ("agent_inactive".to_owned(), "agent_inactive".to_owned()));
    tree.run(&tree.child, Command::Pause(false));
    assert_eq!(get(&tree, "/api/v1/credentials")["meta"]["total"], 1, "nothing is left of it on the list");
    for _ in 1..postern::machine::registration::MOST_KEYS {
        assert_eq!(make().status(), 201);
    }
    assert_eq!((make().status(), make().text("error").as_str()), (409, "limit_reached"));
    assert_eq!(get(&tree, "/api/v1/credentials")["meta"]["total"], postern::machine::registration::MOST_KEYS);
}

#[test]
fn tools_do_what_the_paths_do() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let nobody = Sender::default();
    let key = tree.key.as_str();
    let made = nobody.brings(&world, "create_credential", &json!({ "agent_id": tree.child, "access_token": key, "scopes": ["api.read"] }));
    let id = made["id"].as_str().unwrap();
    assert_eq!((made["agent_id"].as_str(), made["scopes"].clone()), (Some(tree.child.as_str()), json!(["api.read"])));
    assert_eq!(world.call(made["raw_key"].as_str().unwrap()), 200);
    let sender = Sender { token: Some(key), ..Sender::default() };
    let rotated = sender.brings(&world, "rotate_credential", &json!({ "credential_id": id }));
    assert_eq!((rotated["old_credential_id"].as_str(), world.call(made["raw_key"].as_str().unwrap())), (Some(id), 401));
    let listed = sender.brings(&world, "list_credentials", &json!({ "agent_id": tree.child, "include_revoked": true }));
    assert_eq!(listed["meta"]["total"], 2);
    let ended = sender.brings(&world, "revoke_credential", &json!({ "credential_id": rotated["id"] }));
    assert_eq!((&ended["meta"]["credential_id"], &ended["data"]["is_valid"]), (&rotated["id"], &json!(false)));
    assert_eq!(sender.fails(&world, "revoke_credential", &json!({ "credential_id": rotated["id"] })), "already_revoked");
    let stranger = Sender { token: Some(&tree.strangers_key), ..Sender::default() };
    assert_eq!(stranger.fails(&world, "rotate_credential", &json!({ "credential_id": id })), "not_found");
    assert_eq!(nobody.legacy(&world, "tools/call", json!({ "name": "list_credentials" })).status(), 401);
    let narrow = by_key(&world, key, json!({ "scope": "api.read" })).text("access_token");
    let narrow = Sender { token: Some(&narrow), ..Sender::default() };
    let refused = narrow.legacy(&world, "tools/call", json!({ "name": "create_credential", "arguments": { "agent_id": tree.child } }));
    assert_eq!(refused.status(), 403);
    assert!(refused.header("www-authenticate").unwrap().contains("credentials.write"));
}

#[test]
fn a_key_that_is_older_than_a_person_s_claim_brings_no_key_that_outlives_it() {
    let world = World::new(&[]);
    let agent = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
    let root: postern::id::RegistrationId = agent["registration_id"].as_str().unwrap().parse().unwrap();
    let key = |name: u8| {
        let (prefix, master) = (&world.config.api_key_prefix, &world.config.masters.current);
        let secret = Secret::<ApiKey>::mint(prefix, root.digits(), [name; 32], master);
        let new = NewKey { digest: secret.digest(), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
        block(world.platform.run::<Registration>(&root, Command::AddManagedKey(new))).unwrap();
        secret.reveal()
    };
    let old = key(1);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let start = json!({ "type": "login_hint", "claim_token": agent["claim_token"], "login_hint": "ada@example.com" });
    let started = world.json("/agent/identity/claim", &start).json();
    assert_eq!(ada.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
    let code = started["claim_attempt"]["user_code"].as_str().unwrap();
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
    world.later(1);
    let new = key(2);
    let make = |bearer: &str| send(&world, "POST", "/api/v1/credentials", bearer, &json!({ "agent_id": root }));
    assert_eq!((make(&old).status(), make(&old).text("error").as_str(), world.call(&old)), (403, "forbidden", 200));
    let made = make(&new).json();
    let path = format!("/api/v1/credentials/{}/rotate", made["credential"]["id"].as_str().unwrap());
    assert_eq!(send(&world, "POST", &path, &old, &Value::Null).text("error"), "forbidden");
    assert_eq!(send(&world, "POST", &path, &new, &Value::Null).status(), 200);
}

#[test]
fn a_moment_without_an_offset_is_one_in_utc_as_it_is_for_delegations() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let made =
        |expires: &str| send(&world, "POST", "/api/v1/credentials", &tree.key, &json!({ "agent_id": tree.child, "expires_at": expires }));
    for expires in ["2027-01-15T08:30:00", "2027-01-15T08:30:00Z", "2027-01-15T09:30:00+01:00"] {
        assert_eq!(made(expires).json()["credential"]["expires_at"], "2027-01-15T08:30:00.000Z", "{expires}");
    }
    for wrong in ["tomorrow, or a day later", "2027-01-15T08:30:00+99:00", "1960-01-15T08:30:00Z"] {
        assert_eq!(made(wrong).status(), 422, "{wrong}");
    }
}
