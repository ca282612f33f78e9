//! Tokens by AgentAuth's paths.

use postern::machine::registration::Command;
use serde_json::{Value, json};

use super::{Tree, by_key, refresh, send, sent, token};
use crate::mcp::Sender;
use crate::world::World;

fn access(answer: &Value) -> &str {
    answer["access_token"].as_str().unwrap()
}

#[test]
fn a_key_brings_everything_that_it_may_with_the_times_and_a_refresh_token() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let answer = by_key(&world, &tree.key, json!({}));
    assert_eq!(answer.status(), 200, "{}", answer.json());
    let got = answer.json();
    let scope = "agents.read agents.write api.read audit.read credentials.read credentials.write delegations.read delegations.write policies.read policies.write";
    assert_eq!((got["scope"].as_str(), got["token_type"].as_str(), got["expires_in"].as_u64()), (Some(scope), Some("Bearer"), Some(900)));
    let moments = ["issued_at", "expires_at", "refresh_before"].map(|name| got[name].as_str().unwrap());
    assert_eq!(moments, ["2027-01-15T08:00:00.000Z", "2027-01-15T08:15:00.000Z", "2027-01-15T08:14:00.000Z"]);
    let form =
        world.form("/api/v1/auth/token", &[("grant_type", "client_credentials"), ("client_secret", &tree.key), ("scope", "api.read")]);
    assert_eq!((form.text("scope").as_str(), form.json()["refresh_token"].is_string()), ("api.read", true));
    let wide = by_key(&world, &tree.key, json!({ "scope": "api.read admin.all" }));
    assert_eq!((wide.status(), wide.text("error").as_str(), wide.text("hint").is_empty()), (400, "invalid_scope", false));
    for (body, status, error) in [
        (json!({ "grant_type": "password" }), 400, "unsupported_grant_type"),
        (json!({}), 400, "invalid_request"),
        (json!({ "grant_type": "client_credentials", "client_secret": "x" }), 401, "invalid_client"),
        (json!({ "grant_type": "client_credentials", "client_secret": tree.key, "client_id": tree.stranger }), 401, "invalid_client"),
        (json!({ "grant_type": "client_credentials", "client_secret": ["x"] }), 400, "invalid_request"),
        (json!({ "grant_type": "refresh_token", "refresh_token": "x" }), 401, "invalid_client"),
    ] {
        let answer = token(&world, &body);
        assert_eq!((answer.status(), answer.text("error").as_str()), (status, error), "{body}");
    }
    // A key whose end is wrong is as unknown as any other.
    let mut wrong = tree.key.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    let [wrong, unknown] = [wrong.as_str(), "pk_x"].map(|key| by_key(&world, key, json!({})).json());
    assert_eq!(wrong, unknown);
}

#[test]
fn refresh_tokens_rotate_keep_what_they_brought_and_a_replay_ends_them_all() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, key) = tree.new_key(&tree.child, json!({ "token_lifetime_seconds": 3600 }));
    let first = by_key(&world, &key, json!({ "scope": "api.read credentials.read" })).json();
    let second = refresh(&world, first["refresh_token"].as_str().unwrap()).json();
    assert_eq!((&second["scope"], &second["expires_in"]), (&json!("api.read credentials.read"), &json!(3600)), "scope and lifetime stay");
    assert_eq!(world.call(access(&first)), 200, "the old token goes on");
    let text = second["refresh_token"].as_str().unwrap();
    let narrower = |scope: &str| token(&world, &json!({ "grant_type": "refresh_token", "refresh_token": text, "scope": scope }));
    assert_eq!(narrower("api.read agents.read").text("error"), "invalid_scope");
    world.later(120);
    // What was refused has spent nothing.
    let third = narrower("credentials.read").json();
    assert_eq!(third["scope"], "credentials.read");
    // The standard endpoint takes it too, and the scope is what was granted at first.
    let fourth =
        world.form("/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", third["refresh_token"].as_str().unwrap())]);
    assert_eq!((fourth.status(), fourth.text("scope").as_str()), (200, "api.read credentials.read"));
    world.later(61);
    assert_eq!(refresh(&world, first["refresh_token"].as_str().unwrap()).text("error"), "invalid_grant");
    assert_eq!(refresh(&world, &fourth.text("refresh_token")).text("error"), "invalid_grant", "the newest is gone too");
    for dead in [access(&first), access(&third), &fourth.text("access_token")] {
        assert_eq!(world.call(dead), 401);
    }
    assert_eq!(world.call(&key), 200, "the key is not to blame");
}

#[test]
fn a_refresh_token_is_of_no_use_to_others_elsewhere_or_while_somebody_above_is_suspended() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, key) = tree.new_key(&tree.grandchild, json!({}));
    let got = by_key(&world, &key, json!({})).json();
    let text = got["refresh_token"].as_str().unwrap();
    let with = |more: Value| {
        let mut body = json!({ "grant_type": "refresh_token", "refresh_token": text });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        token(&world, &body).text("error")
    };
    assert_eq!(with(json!({ "client_id": tree.child })), "invalid_grant");
    assert_eq!(with(json!({ "client_secret": tree.strangers_key })), "invalid_grant");
    assert_eq!(with(json!({ "resource": "https://auth.example.com/mcp" })), "invalid_target");
    assert_eq!(with(json!({ "resource": "https://elsewhere.example.com" })), "invalid_target");
    for above in [&tree.root, &tree.child, &tree.grandchild] {
        tree.run(above, Command::Pause(true));
        world.later(1);
        assert_eq!((with(json!({})).as_str(), world.call(access(&got))), ("invalid_grant", 401), "{above}");
        assert_eq!(by_key(&world, &key, json!({})).text("error"), "invalid_client");
        tree.run(above, Command::Pause(false));
        world.later(120);
    }
    assert_eq!(refresh(&world, text).status(), 200, "none of that has spent it");
}

#[test]
fn to_revoke_either_of_a_pair_ends_both_and_whatever_is_unknown_is_no_more_all_the_same() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let revoke = |text: &str| {
        let answer = world.json("/api/v1/auth/token/revoke", &json!({ "token": text }));
        assert_eq!((answer.status(), answer.json()), (200, json!({})));
    };
    for which in ["access_token", "refresh_token"] {
        let got = by_key(&world, &tree.key, json!({})).json();
        let other = by_key(&world, &tree.key, json!({})).json();
        revoke(got[which].as_str().unwrap());
        revoke(got[which].as_str().unwrap());
        assert_eq!(world.call(access(&got)), 401, "{which}");
        assert_eq!(refresh(&world, got["refresh_token"].as_str().unwrap()).status(), 400, "{which}");
        assert_eq!(world.call(access(&other)), 200, "others are not concerned");
    }
    let events = tree.audited().into_iter().filter(|(event, ..)| event == "token.revoked").count();
    assert_eq!(events, 2, "each once");
    revoke("garbage");
    let form = world.form("/api/v1/auth/token/revoke", &[("token", "garbage")]);
    assert_eq!((form.status(), form.json()), (200, json!({})));
    // Whoever says who they are ends only their own.
    let got = by_key(&world, &tree.key, json!({})).json();
    let body = json!({ "token": access(&got) });
    let answer = world.send(
        super::FROM,
        "POST",
        "/api/v1/auth/token/revoke",
        &[("x-agent-key", &tree.strangers_key), ("content-type", "application/json")],
        &body.to_string(),
    );
    assert_eq!((answer.status(), world.call(access(&got))), (200, 200));
    assert_eq!(world.json("/api/v1/auth/token/revoke", &json!({})).status(), 400);
}

#[test]
fn introspection_needs_a_credential_of_whoever_the_token_is_of() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let (_, childs) = tree.new_key(&tree.child, json!({}));
    let got = by_key(&world, &childs, json!({})).json();
    let path = "/api/v1/auth/token/introspect";
    let body = json!({ "token": access(&got) });
    let open = world.json(path, &body);
    assert_eq!((open.status(), open.text("error").as_str()), (401, "invalid_client"));
    assert!(open.text("hint").contains("X-Agent-Key"));
    for bearer in [access(&got), &childs] {
        let answer = sent(&world, "POST", path, bearer, &body, &[]).json();
        assert_eq!((answer["active"].as_bool(), answer["sub"].as_str()), (Some(true), Some(tree.child.as_str())));
        assert_eq!((answer["parent_agent_id"].as_str(), &answer["scope"]), (Some(tree.root.as_str()), &got["scope"]));
    }
    let headers = [("x-agent-key", childs.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let form = format!("token={}", access(&got));
    assert_eq!(world.send(super::FROM, "POST", path, &headers, &form).json()["active"], true);
    assert_eq!(sent(&world, "POST", path, &tree.strangers_key, &body, &[]).json(), json!({ "active": false }));
    for garbage in ["garbage", "a.b.c", "", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = sent(&world, "POST", path, &childs, &json!({ "token": garbage }), &[]);
        assert!(if garbage.is_empty() { answer.status() == 400 } else { answer.json() == json!({ "active": false }) }, "{garbage}");
    }
    tree.run(&tree.child, Command::Pause(true));
    world.later(1);
    assert_eq!(sent(&world, "POST", path, access(&got), &body, &[]).status(), 401, "a suspended agent's token counts nowhere");
}

#[test]
fn a_token_is_exchanged_under_both_names() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let got = by_key(&world, &tree.key, json!({})).json();
    for grant in ["token_exchange", "urn:ietf:params:oauth:grant-type:token-exchange"] {
        let answer = token(&world, &json!({ "grant_type": grant, "subject_token": access(&got), "scope": "api.read" }));
        assert_eq!((answer.status(), answer.text("scope").as_str()), (200, "api.read"), "{}", answer.json());
        assert_eq!(answer.text("issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    }
    let wide = token(&world, &json!({ "grant_type": "token_exchange", "subject_token": access(&got), "scope": "admin" }));
    assert_eq!(wide.text("error"), "invalid_scope");
    let no_token = got["refresh_token"].as_str().unwrap();
    assert_eq!(token(&world, &json!({ "grant_type": "token_exchange", "subject_token": no_token })).status(), 400);
}

#[test]
fn answers_to_tokens_say_how_long_they_live_and_when_to_renew_them() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let got = by_key(&world, &tree.key, json!({})).json();
    for path in ["/api/v1/credentials", "/api/v1/auth/me"] {
        let answer = send(&world, "GET", path, access(&got), &Value::Null);
        assert_eq!((answer.header("x-token-expires-in"), answer.header("x-token-refresh-advised")), (Some("900"), None), "{path}");
    }
    world.later(781);
    let answer = send(&world, "GET", "/api/v1/credentials", access(&got), &Value::Null);
    assert_eq!((answer.header("x-token-expires-in"), answer.header("x-token-refresh-advised")), (Some("119"), Some("true")));
    assert_eq!(send(&world, "GET", "/api/v1/credentials", &tree.key, &Value::Null).header("x-token-expires-in"), None);
}

#[test]
fn tools_authenticate_and_renew() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let nobody = Sender::default();
    let got = nobody.brings(&world, "authenticate", &json!({ "api_key": tree.key }));
    assert!(got["scope"].as_str().unwrap().contains("credentials.write"));
    let next = nobody.brings(&world, "refresh_token", &json!({ "refresh_token_value": got["refresh_token"] }));
    assert_eq!((&next["scope"], next["refresh_before"].is_string()), (&got["scope"], true));
    assert_eq!(nobody.brings(&world, "revoke_token", &json!({ "token": next["access_token"] })), json!({}));
    assert_eq!(nobody.fails(&world, "refresh_token", &json!({ "refresh_token_value": next["refresh_token"] })), "invalid_grant");
}

#[test]
fn scopes_are_listed_in_words_and_wildcards_resolved() {
    let world = World::new(&[("SCOPES_SUPPORTED", "api.read api.write")]);
    let all = world.get("/api/v1/scopes").json();
    assert_eq!(all["total"].as_u64().unwrap(), u64::try_from(all["data"].as_array().unwrap().len()).unwrap());
    let found = |name: &str| all["data"].as_array().unwrap().iter().find(|scope| scope["name"] == name).cloned().unwrap();
    assert_eq!(found("credentials.write")["category"], "credentials");
    assert_eq!(found("api.read")["category"], "api");
    for body in [json!(["credentials.*", "other.thing"]), json!({ "scopes": ["credentials.*", "other.thing"] })] {
        let answer = world.json("/api/v1/scopes/resolve", &body).json();
        assert_eq!(answer["requested"], json!(["credentials.*", "other.thing"]));
        assert_eq!(answer["resolved"], json!(["credentials.read", "credentials.write", "other.thing"]));
    }
    for (body, status) in [(json!([1]), 422), (json!(["*"]), 422), (json!({}), 422), (json!("x"), 400)] {
        assert_eq!(world.json("/api/v1/scopes/resolve", &body).status(), status, "{body}");
    }
    let keys = ["/api/v1/auth/jwks", "/.well-known/jwks.json"].map(|path| world.get(path).json());
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn the_agent_configuration_names_the_paths_of_agentauth() {
    let world = World::new(&[]);
    let document = world.get("/.well-known/agent-configuration").json();
    let own = |path: &str| json!(format!("https://auth.example.com{path}"));
    for (name, path) in [
        ("token_endpoint", "/api/v1/auth/token"),
        ("token_introspection_endpoint", "/api/v1/auth/token/introspect"),
        ("token_revocation_endpoint", "/api/v1/auth/token/revoke"),
        ("quickstart_endpoint", "/api/v1/agents/quickstart"),
        ("agent_registration_endpoint", "/api/v1/agents"),
        ("scopes_endpoint", "/api/v1/scopes"),
        ("policy_syntax_endpoint", "/api/v1/policies/syntax"),
        ("registration_endpoint", "/oauth2/register"),
    ] {
        assert_eq!(document[name], own(path), "{name}");
    }
    assert_eq!(document["delegation"]["depth_semantics"], "absolute");
    assert_eq!(document["trust_levels_supported"], json!(["root", "delegated", "ephemeral"]));
    assert!(document["scopes_supported"].as_array().unwrap().contains(&json!("credentials.write")));
    let metadata = world.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(metadata["token_endpoint"], own("/oauth2/token"));
    assert!(!metadata["scopes_supported"].as_array().unwrap().contains(&json!("credentials.write")));
}

#[test]
fn a_ninth_session_of_a_key_gets_a_token_alone_and_ends_no_other() {
    let world = World::new(&[]);
    let tree = Tree::of(&world);
    let ask = || by_key(&world, &tree.key, json!({})).json();
    let sessions: Vec<Value> = (0..8).map(|_| ask()).collect();
    world.later(2);
    let ninth = ask();
    assert!(sessions.iter().all(|session| session["refresh_token"].is_string()) && ninth.get("refresh_token").is_none(), "{ninth}");
    assert_eq!(ninth["scope"], sessions[0]["scope"]);
    for session in sessions.iter().chain([&ninth]) {
        assert_eq!(world.call(session["access_token"].as_str().unwrap()), 200);
    }
}
