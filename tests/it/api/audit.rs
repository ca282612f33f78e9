//! What was done, and what was tried: durable, bounded, and read page by page.

use serde_json::{Value, json};

use super::party::Party;
use crate::mcp::Sender;
use crate::world::World;

fn events(rows: &[Value]) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(row, "event_type"), text(row, "outcome"))).collect()
}

fn pair(event: &str, outcome: &str) -> (String, String) {
    (event.to_owned(), outcome.to_owned())
}

#[test]
fn what_was_refused_or_failed_is_there_although_the_request_failed() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let unknown = format!("whk_{}", "0".repeat(22));
    let body = json!({ "url": "https://hooks.example.com/", "events": ["*"], "agent_id": format!("reg_{}", "0".repeat(22)) });
    assert_eq!(party.get(&format!("/webhooks/{unknown}")).status(), 404);
    assert_eq!(party.send("POST", "/webhooks", &body).status(), 404);
    assert_eq!(party.send("POST", "/webhooks", &json!({})).status(), 422);
    assert_eq!(party.get(&format!("/credentials/{}", party.key)).status(), 404);
    let rows = party.audited("");
    assert_eq!(
        events(&rows),
        [
            pair("request.failed", "failure"),
            // What the account refuses, it writes down itself: once.
            pair("webhook.created", "denied"),
            pair("request.failed", "failure"),
            pair("request.failed", "failure"),
        ]
    );
    let row = &rows[0];
    assert_eq!((&row["target_type"], &row["target_id"]), (&json!("webhook"), &json!(unknown)));
    assert_eq!(
        (&row["actor_id"], &row["request_id"], &row["network"]),
        (&json!(party.id), &json!("0123456789abcdef"), &json!("192.0.2.1"))
    );
    assert_eq!(row["metadata"], json!({ "method": "GET", "family": "webhooks", "status": 404, "error": "not_found" }));
    let stored = world.platform.accounts.borrow()[party.account().as_str()].dump();
    assert!(!stored.contains(&party.key), "no secret that somebody took for a name");
}

#[test]
fn failures_of_one_agent_fill_nothing() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    for _ in 0..70 {
        assert_eq!(party.get("/webhooks/x").status(), 404);
    }
    assert_eq!(party.audited("&outcome=failure").len(), 60);
    world.later(61);
    assert_eq!(party.get("/webhooks/x").status(), 404);
    assert_eq!(party.audited("&outcome=failure").len(), 61);
}

#[test]
fn failures_hide_no_denial_and_neither_hides_what_a_policy_denies_from_the_audit_or_webhooks() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let webhook = json!({ "url": "https://hooks.example.com/", "events": ["policy.denied"] });
    assert_eq!(party.send("POST", "/webhooks", &webhook).status(), 201);
    let deny = json!({
        "name": "No stats", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/api/v1/stats"] }, "actions": ["read"],
    });
    assert_eq!(party.send("POST", "/policies", &deny).status(), 201);
    let narrow = [("grant_type", "client_credentials"), ("client_secret", party.key.as_str()), ("scope", "agents.read audit.read")];
    let narrow = format!("Bearer {}", world.form("/oauth2/token", &narrow).text("access_token"));
    let by_narrow = |path: &str| world.send(super::party::ADDRESS, "GET", &format!("/api/v1{path}"), &[("authorization", &narrow)], "");
    // What is not there can be named without end, whoever says so.
    for number in 0..65 {
        assert_eq!(party.get("/webhooks/x").status(), 404);
        assert_eq!(party.send("DELETE", &format!("/credentials/crd_{number:022}"), &Value::Null).status(), 404);
    }
    for _ in 0..65 {
        assert_eq!(by_narrow("/policies").status(), 403);
    }
    assert_eq!(party.get("/stats").text("error"), "policy_denied");
    world.later(30);
    let rows = party.audited("");
    let of = |event: &str| rows.iter().filter(|row| row["event_type"] == event).collect::<Vec<_>>();
    assert_eq!(of("request.failed").len() + of("credential.revoked").len(), 60);
    assert_eq!((of("request.denied").len(), of("policy.denied").len()), (60, 1));
    let last = |row: &Value| row["metadata"]["more_not_recorded_until"].is_string();
    let told: Vec<usize> = (0..rows.len()).filter(|at| last(&rows[*at])).collect();
    let failed = rows.iter().rposition(|row| row["event_type"] == "request.failed" || row["event_type"] == "credential.revoked").unwrap();
    let denied = rows.iter().rposition(|row| row["event_type"] == "request.denied").unwrap();
    assert_eq!(told, [failed, denied], "the last of each kind says that there may have been more");
    let accounts = world.platform.accounts.borrow();
    let deliveries = accounts[party.account().as_str()].query("SELECT number FROM tenant_delivery WHERE event_type = 'policy.denied'", 0);
    assert_eq!(deliveries.len(), 1);
}

#[test]
fn no_agent_hides_what_it_is_denied_elsewhere_behind_its_own_questions_or_what_is_allowed() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let deny = json!({
        "name": "No files", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/files/*"] }, "actions": ["read"],
    });
    assert_eq!(party.send("POST", "/policies", &deny).status(), 201);
    let question = |resource: &str| json!({ "agent_id": party.id, "action": "read", "resource": resource });
    for _ in 0..65 {
        assert_eq!(party.send("POST", "/policies/evaluate", &question("/files/a")).status(), 200);
    }
    let operator = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    let shown = |resource: &str| {
        let answer = world.send("203.0.113.1", "POST", "/api/v1/policies/evaluate", &operator, &question(resource).to_string());
        assert_eq!(answer.status(), 200);
    };
    (0..65).for_each(|_| shown("/api"));
    shown("/files/b");
    let rows = party.audited("&event_type=policy.evaluated");
    let of = |actor: &str, outcome: &str| rows.iter().filter(|row| row["actor_type"] == actor && row["outcome"] == outcome).count();
    assert_eq!((of("agent", "denied"), of("system", "success"), of("system", "denied")), (60, 60, 1));
}

#[test]
fn calls_of_tools_that_fail_are_there_once() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let by = Sender { token: Some(&party.key), ..Sender::default() };
    let unknown = format!("reg_{}", "0".repeat(22));
    assert_eq!(by.fails(&world, "get_agent", &json!({ "agent_id": party.key, "more": 1 })), "invalid_request");
    let unfit = json!({ "access_token": party.key, "agent_id": 1 });
    assert_eq!(Sender::default().fails(&world, "get_agent", &unfit), "invalid_request");
    assert_eq!(by.fails(&world, "get_agent", &json!({ "agent_id": unknown })), "not_found");
    assert_eq!(by.fails(&world, "get_agent", &json!({ "agent_id": unknown, "access_token": "another" })), "conflicting_credentials");
    let fields = [("grant_type", "client_credentials"), ("client_secret", party.key.as_str()), ("scope", "agents.read policies.write")];
    let narrow = world.form("/oauth2/token", &fields).text("access_token");
    let by_narrow = Sender { token: Some(&narrow), ..Sender::default() };
    let call = json!({ "name": "update_agent", "arguments": { "agent_id": unknown, "description": "x" } });
    assert_eq!(by_narrow.legacy(&world, "tools/call", call).status(), 403);
    let deny = json!({
        "name": "No look", "effect": "deny", "subjects": { "wildcard": true }, "resources": { "paths": ["/api/v1/agents"] }, "actions": ["read"],
    });
    assert_eq!(party.send("POST", "/policies", &deny).status(), 201);
    assert_eq!(by.fails(&world, "list_agents", &json!({})), "policy_denied");
    assert_eq!(Sender::default().legacy(&world, "tools/call", json!({ "name": "get_agent", "arguments": {} })).status(), 401);
    let rows = party.audited("");
    assert_eq!(
        events(&rows),
        [
            pair("request.failed", "failure"),
            pair("request.failed", "failure"),
            pair("request.failed", "failure"),
            pair("request.failed", "failure"),
            pair("request.denied", "denied"),
            pair("policy.created", "success"),
            pair("policy.denied", "denied"),
        ]
    );
    assert_eq!(rows[0]["metadata"], json!({ "method": "tools/call", "tool": "get_agent", "error": "invalid_request" }));
    assert_eq!((&rows[0]["target_type"], &rows[0]["target_id"]), (&json!("tool"), &json!("get_agent")), "no secret that came as a name");
    assert_eq!((&rows[2]["target_type"], &rows[2]["target_id"]), (&json!("agent"), &json!(unknown)));
    assert_eq!(rows[4]["metadata"], json!({ "method": "tools/call", "tool": "update_agent", "error": "insufficient_scope" }));
    for _ in 0..70 {
        by.fails(&world, "get_agent", &json!({}));
    }
    assert_eq!(party.audited("&outcome=failure").len(), 60, "failures of one agent fill nothing");
    assert_eq!(party.audited("&outcome=denied").len(), 2);
}

#[test]
fn a_key_that_has_ended_is_noted_wherever_it_is_shown_and_one_that_nobody_made_is_not() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let made = party.send("POST", "/credentials", &json!({ "agent_id": party.id })).json();
    let (id, key) = (made["credential"]["id"].as_str().unwrap(), made["raw_key"].as_str().unwrap());
    let short = json!({ "agent_id": party.id, "expires_at": postern::time::Timestamp::iso(world.platform.now.get().plus(postern::time::Ttl::from_seconds(60))) });
    let expiring = party.send("POST", "/credentials", &short).json()["raw_key"].as_str().unwrap().to_owned();
    assert_eq!(party.send("DELETE", &format!("/credentials/{id}"), &Value::Null).status(), 200);
    world.later(60);
    let failed = || party.audited("&event_type=authentication.failed");
    let shown = |key: &str, path: &str| crate::api::send(&world, "GET", path, key, &Value::Null).status();
    assert_eq!(shown(key, "/api/v1/agents"), 401);
    assert_eq!(shown(&expiring, "/api/v1/auth/me"), 401);
    assert_eq!(Sender { token: Some(key), ..Sender::default() }.legacy(&world, "tools/list", json!({})).status(), 401);
    assert_eq!(Sender::default().fails(&world, "whoami", &json!({ "access_token": key })), "invalid_token");
    let rows = failed();
    let why: Vec<&str> = rows.iter().map(|row| row["metadata"]["key"].as_str().unwrap()).collect();
    assert_eq!(why, ["ended", "expired", "ended", "ended"]);
    assert_eq!((&rows[0]["actor_type"], &rows[0]["target_id"]), (&json!("system"), &json!(party.id)));
    // The address of a key is genuine, and its end is not.
    let masters = &world.config.masters.current;
    let invented = postern::secret::Secret::<postern::secret::ApiKey>::mint("postern", party.id.digits(), [9; 32], masters).reveal();
    let before = world.platform.asked.get();
    for _ in 0..3 {
        assert_eq!(shown(&invented, "/api/v1/agents"), 401);
    }
    assert_eq!((world.platform.asked.get(), failed().len()), (before, 4), "nothing is asked and nothing written");
    for _ in 0..20 {
        shown(key, "/api/v1/agents");
    }
    assert!(failed().len() <= 14, "at most ten a minute: {}", failed().len());
    let quiet = world.platform.asked.get();
    for _ in 0..20 {
        shown(key, "/api/v1/agents");
    }
    assert_eq!(world.platform.asked.get(), quiet, "beyond them the account is not even asked");
    let good = world.platform.asked.get();
    assert_eq!(shown(&party.key, "/api/v1/auth/me"), 200);
    assert_eq!(world.platform.asked.get(), good, "what succeeds asks nobody more");
}

#[test]
fn questions_about_others_and_those_that_are_denied_are_there() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let child = party.child(3);
    let asked = |by: &Party<'_>, about: &Party<'_>, resource: &str| {
        let question = json!({ "agent_id": about.id, "action": "read", "resource": resource });
        assert_eq!(by.send("POST", "/policies/evaluate", &question).status(), 200);
    };
    asked(&party, &party, "/api");
    asked(&party, &party, "/files/Secret%20name");
    asked(&party, &child, "/api");
    asked(&child, &child, "/files");
    let rows = party.audited("&event_type=policy.evaluated");
    let told: Vec<_> = rows.iter().map(|row| (&row["actor_id"], &row["target_id"], row["outcome"].as_str().unwrap())).collect();
    let [of_party, of_child] = [&party, &child].map(|party| json!(party.id));
    assert_eq!(told, [(&of_party, &of_party, "denied"), (&of_party, &of_child, "success"), (&of_child, &of_child, "denied")]);
    assert_eq!(rows[0]["metadata"], json!({ "action": "read", "resource": "/files/*", "allowed": false, "policy_id": null }));
    let operator = [("authorization", "Bearer operator-operator-operator-operator"), ("content-type", "application/json")];
    let question = json!({ "agent_id": child.id, "action": "read", "resource": "/api" }).to_string();
    for _ in 0..70 {
        assert_eq!(world.send("203.0.113.1", "POST", "/api/v1/policies/evaluate", &operator, &question).status(), 200);
    }
    let rows = child.audited("&event_type=policy.evaluated");
    assert_eq!(rows.len(), 62, "so often and no more, whatever the agent asks itself");
    assert_eq!((&rows[61]["actor_type"], &rows[61]["target_id"]), (&json!("system"), &of_child));
    assert_eq!(party.send("POST", "/policies/evaluate", &json!({ "agent_id": "x" })).status(), 422);
    assert_eq!(events(&party.audited("&event_type=request.failed")), [pair("request.failed", "failure")]);
}

#[test]
fn who_fails_to_be_an_agent_is_noted_at_most_so_often_and_makes_no_tables() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let wrong = || {
        // The address of a key is genuine, and its end is not.
        let secret =
            postern::secret::Secret::<postern::secret::ApiKey>::mint("postern", party.id.digits(), [9; 32], &world.config.masters.current);
        world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &secret.reveal())]).status()
    };
    assert_eq!(wrong(), 401);
    assert!(world.platform.accounts.borrow().get(party.account().as_str()).is_none_or(|database| database.dump().is_empty()));
    world.later(60);
    assert_eq!(party.send("POST", "/webhooks", &json!({ "url": "https://hooks.example.com/", "events": ["*"] })).status(), 201);
    for _ in 0..15 {
        assert_eq!(wrong(), 401);
    }
    let rows = party.audited("&event_type=authentication.failed");
    assert_eq!(rows.len(), 10);
    assert_eq!(
        (&rows[0]["actor_type"], &rows[0]["target_id"], &rows[0]["outcome"]),
        (&json!("system"), &json!(party.id), &json!("failure"))
    );
}

#[test]
fn a_token_that_was_given_back_is_there_once() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    party.audited("");
    let child = party.child(3);
    let token = child.token();
    for _ in 0..3 {
        assert_eq!(world.form("/oauth2/revoke", &[("token", &token)]).status(), 200);
    }
    let rows = party.audited("&event_type=token.revoked");
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["actor_id"], &rows[0]["target_type"]), (&json!(child.id), &json!("access_token")));
    assert_eq!(child.audited("").len(), 1);
    assert_eq!(party.child(4).audited("").len(), 0, "a sibling does not see it");
}

#[test]
fn pages_of_equal_times_lose_nothing_and_repeat_nothing() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    for _ in 0..50 {
        party.get("/webhooks/x");
    }
    let all: Vec<Value> = party.audited("").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(all.len(), 50);
    for (order, lines) in [("asc", false), ("desc", false), ("asc", true)] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/audit/events?limit=7&order={order}{cursor}");
            let headers: &[(&str, &str)] = if lines { &[("accept", "application/x-ndjson")] } else { &[] };
            let answer = party.with("GET", &path, headers, &Value::Null);
            let next = if lines {
                let text = std::str::from_utf8(answer.0.body()).unwrap();
                let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(answer.header("x-total-returned"), Some(&*rows.len().to_string()));
                assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
                found.extend(rows.iter().map(|row| row["id"].clone()));
                answer.header("x-next-cursor").map(str::to_owned)
            } else {
                let page = answer.json();
                assert_eq!(page["meta"]["returned"], page["data"].as_array().unwrap().len());
                found.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].clone()));
                page["meta"]["next_cursor"].as_str().map(str::to_owned)
            };
            match next {
                Some(next) => cursor = format!("&after={next}"),
                None => break,
            }
        }
        if order == "desc" {
            found.reverse();
        }
        assert_eq!(found, all, "{order}");
    }
}

#[test]
fn filters_are_judged_and_kept_to() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    party.get("/webhooks/x");
    world.later(86_400);
    party.get("/webhooks/x");
    for (query, found) in [
        ("&from_date=2027-01-16", 1),
        ("&to_date=2027-01-15", 1),
        ("&from_date=2027-01-15&to_date=2027-01-16", 2),
        ("&to_date=2027-01-15T08:00:00Z", 1),
        ("&to_date=2027-01-15T07:59:59.999Z", 0),
        (&format!("&actor_id={}", party.id), 2),
        ("&actor_id=x", 0),
        ("&outcome=denied", 0),
        ("&outcome=failure&event_type=request.failed", 2),
        ("&target_id=webhooks", 2),
    ] {
        assert_eq!(party.audited(query).len(), found, "{query}");
    }
    for query in ["limit=0", "limit=501", "limit=x", "outcome=maybe", "after=x", "after=-1", "from_date=soon", "order=up", "export=csv"] {
        assert_eq!(party.get(&format!("/audit/events?{query}")).status(), 422, "{query}");
    }
}

#[test]
fn rows_go_when_they_are_as_old_as_the_operator_says() {
    let world = World::new(&[("AUDIT_RETENTION", "86400")]);
    let party = Party::claimed(&world, "ada@example.com");
    party.get("/webhooks/x");
    world.later(86_401);
    party.get("/webhooks/x");
    assert_eq!(party.audited("").len(), 1);
    let forever = World::new(&[("AUDIT_RETENTION", "0")]);
    let party = Party::claimed(&forever, "ada@example.com");
    party.get("/webhooks/x");
    forever.later(400 * 86_400);
    party.get("/webhooks/x");
    assert_eq!(party.audited("").len(), 2);
}

#[test]
fn everybody_counts_what_they_reach() {
    let world = World::new(&[]);
    let party = Party::claimed(&world, "ada@example.com");
    let children = [party.child(1), party.child(2)];
    let body = json!({ "url": "https://hooks.example.com/", "events": ["*"] });
    assert_eq!(children[0].send("POST", "/webhooks", &body).status(), 201);
    let of = |party: &Party<'_>| party.get("/stats").json()["data"].clone();
    let (root, child) = (of(&party), of(&children[0]));
    assert_eq!((&root["agents"], &root["agents_by_status"]["active"], &root["webhooks"]), (&json!(3), &json!(3), &json!(1)));
    assert_eq!((&child["agents"], &child["webhooks"], &of(&children[1])["webhooks"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(party.get("/stats").json()["meta"]["is_root"], true);
    assert!(root.get("tokens_issued").is_none(), "nobody counts them");
}
