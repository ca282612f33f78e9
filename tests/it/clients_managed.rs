//! What a client may do with its registration (RFC 7592), and the operator's own clients.

use postern::client::Source;
use serde_json::{Value, json};

use crate::clients::{find, mcp_remote, register};
use crate::oauth;
use crate::person::Person;
use crate::world::{Answer, ISSUER, World};

const OPERATOR: &str = "operator-operator-operator-operator";

fn call(world: &World, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.send("192.0.2.1", method, path, &[("authorization", &bearer), ("content-type", "application/json")], &body)
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

fn path(answer: &Value) -> String {
    text(answer, "registration_client_uri").strip_prefix(ISSUER).unwrap().to_owned()
}

fn confidential(world: &World) -> Value {
    register(
        world,
        &json!({ "redirect_uris": ["https://a.example.com/cb"], "client_name": "A", "token_endpoint_auth_method": "client_secret_post" }),
    )
}

#[test]
fn whoever_holds_the_token_reads_the_registration() {
    let world = World::new(&[]);
    for registered in [register(&world, &mcp_remote()), confidential(&world)] {
        let read = call(&world, "GET", &path(&registered), text(&registered, "registration_access_token"), &Value::Null);
        assert_eq!(read.status(), 200);
        let read = read.json();
        for same in
            ["client_id", "client_name", "grant_types", "token_endpoint_auth_method", "registration_client_uri", "client_id_issued_at"]
        {
            assert_eq!(read[same], registered[same], "{same}");
        }
        assert_eq!(read.get("client_secret"), None, "it is shown once");
        assert_eq!(read["registration_access_token"], registered["registration_access_token"], "RFC 7592, section 3");
    }
}

#[test]
fn a_shared_client_is_changed_by_nobody() {
    let world = World::new(&[]);
    let registered = register(&world, &mcp_remote());
    let (path, token) = (path(&registered), text(&registered, "registration_access_token"));
    let mut same = mcp_remote();
    same["client_id"] = registered["client_id"].clone();
    same["redirect_uris"] = json!(["http://localhost:40000/oauth/callback"]);
    assert_eq!(call(&world, "PUT", &path, token, &same).status(), 200, "the same again is no change");
    let mut changed = same.clone();
    changed["redirect_uris"] = json!(["https://evil.example.com/cb"]);
    let mut confidential = same.clone();
    confidential["token_endpoint_auth_method"] = json!("client_secret_post");
    for (method, body) in [("PUT", &changed), ("PUT", &confidential), ("DELETE", &Value::Null)] {
        let refused = call(&world, method, &path, token, body);
        assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
        assert!(refused.text("hint").contains("shared"));
    }
    world.later(2);
    let client = find(&world, text(&registered, "client_id")).unwrap();
    assert_eq!(client.metadata.redirect_uris, ["http://localhost/oauth/callback"]);
}

#[test]
fn a_client_of_its_own_is_replaced_and_may_keep_its_secret() {
    let world = World::new(&[]);
    let registered = confidential(&world);
    let (path, token, id) = (path(&registered), text(&registered, "registration_access_token"), text(&registered, "client_id"));
    let secret = text(&registered, "client_secret");
    let body = json!({ "client_id": id, "client_secret": secret, "redirect_uris": ["https://b.example.com/cb"] });
    let kept = call(&world, "PUT", &path, token, &body);
    assert_eq!(kept.status(), 200, "{}", kept.json());
    let kept = kept.json();
    assert_eq!(
        (kept["redirect_uris"].clone(), kept.get("client_secret"), kept.get("client_name")),
        (json!(["https://b.example.com/cb"]), None, None)
    );
    let client = find(&world, id).unwrap();
    assert!(client.is_secret(secret, &world.config.masters));
    assert_eq!(client.metadata.redirect_uris, ["https://b.example.com/cb"], "at once, on the isolate that changed it");

    let rotated = call(&world, "PUT", &path, token, &json!({ "client_id": id, "redirect_uris": ["https://b.example.com/cb"] })).json();
    let client = find(&world, id).unwrap();
    assert!(client.is_secret(text(&rotated, "client_secret"), &world.config.masters) && !client.is_secret(secret, &world.config.masters));

    let public = json!({ "client_id": id, "redirect_uris": ["https://b.example.com/cb"], "token_endpoint_auth_method": "none" });
    let public = call(&world, "PUT", &path, token, &public).json();
    assert_eq!((public.get("client_secret"), public.get("client_secret_expires_at")), (None, None));
    assert!(!find(&world, id).unwrap().is_secret(text(&rotated, "client_secret"), &world.config.masters), "public, so no secret counts");

    for (wrong, code) in [
        (json!({ "redirect_uris": ["https://b.example.com/cb"] }), "invalid_client_metadata"),
        (json!({ "client_id": "other", "redirect_uris": ["https://b.example.com/cb"] }), "invalid_client_metadata"),
        (json!({ "client_id": id, "client_secret": secret, "redirect_uris": ["https://b.example.com/cb"] }), "invalid_client_metadata"),
        (json!({ "client_id": id, "redirect_uris": ["javascript:x"] }), "invalid_redirect_uri"),
        (json!([]), "invalid_client_metadata"),
    ] {
        let refused = call(&world, "PUT", &path, token, &wrong);
        assert_eq!((refused.status(), refused.text("error").as_str()), (400, code), "{wrong}");
    }
}

#[test]
fn a_deleted_client_is_gone() {
    let world = World::new(&[]);
    let registered = confidential(&world);
    let (path, token, id) = (path(&registered), text(&registered, "registration_access_token"), text(&registered, "client_id"));
    assert!(find(&world, id).is_some());
    let gone = call(&world, "DELETE", &path, token, &Value::Null);
    assert_eq!((gone.status(), gone.0.body().len()), (204, 0));
    assert!(find(&world, id).is_none(), "at once, here");
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(call(&world, method, &path, token, &json!({})).status(), 401);
    }
}

#[test]
fn deletion_is_felt_elsewhere_within_a_second() {
    let mut world = World::new(&[]);
    let registered = confidential(&world);
    let id = text(&registered, "client_id");
    let here = std::mem::take(&mut world.memory);
    assert!(find(&world, id).is_some());
    let there = std::mem::replace(&mut world.memory, here);
    assert_eq!(call(&world, "DELETE", &path(&registered), text(&registered, "registration_access_token"), &Value::Null).status(), 204);
    world.memory = there;
    world.later(1);
    assert!(find(&world, id).is_none());
}

#[test]
fn a_found_client_costs_no_hop_for_a_second() {
    let world = World::new(&[]);
    let registered = register(&world, &mcp_remote());
    let id = text(&registered, "client_id");
    find(&world, id);
    world.platform.samples.borrow_mut().clear();
    for _ in 0..100 {
        assert!(find(&world, id).is_some());
    }
    assert!(world.platform.samples.borrow().is_empty());
    world.later(1);
    assert!(find(&world, id).is_some() && !world.platform.samples.borrow().is_empty());
}

#[test]
fn another_s_token_opens_nothing() {
    let world = World::new(&[]);
    let (one, other, shared) = (confidential(&world), confidential(&world), register(&world, &mcp_remote()));
    let token = |answer: &Value| text(answer, "registration_access_token").to_owned();
    for (path, token) in [
        (path(&one), token(&other)),
        (path(&one), token(&shared)),
        (path(&one), text(&one, "client_secret").to_owned()),
        (path(&one), OPERATOR.to_owned()),
        (path(&one), "x".to_owned()),
        (format!("{}0", path(&one)), token(&one)),
        ("/oauth2/register/".to_owned(), token(&one)),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let refused =
                call(&world, method, &path, &token, &json!({ "client_id": one["client_id"], "redirect_uris": ["https://e.example.com"] }));
            assert_eq!((refused.status(), refused.text("error").as_str()), (401, "invalid_token"), "{method} {path}");
            assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
    }
    assert_eq!(world.get(&path(&one)).status(), 401, "nor does none");
    assert_eq!(world.json(&path(&one), &json!({})).status(), 405);
    assert!(find(&world, text(&one, "client_id")).is_some());
}

#[test]
fn the_operator_makes_and_ends_clients() {
    let world = World::new(&[]);
    let body = json!({
        "client_name": "Portal", "redirect_uris": ["https://portal.example.com/cb"], "scope": "api.read", "trusted": true,
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    });
    let made = call(&world, "POST", "/operator/clients", OPERATOR, &body);
    assert_eq!(made.status(), 201, "{}", made.json());
    let made = made.json();
    assert_eq!((made.get("registration_access_token"), &made["trusted"]), (None, &json!(true)));
    let id = text(&made, "client_id");
    let client = find(&world, id).unwrap();
    assert_eq!((client.source, client.trusted), (Source::Operator, true));
    assert!(client.is_secret(text(&made, "client_secret"), &world.config.masters));
    assert_eq!(client.ceiling(), "api.read".parse().ok(), "the operator's word is a ceiling");
    let list = || call(&world, "GET", "/operator/clients", OPERATOR, &Value::Null).json();
    assert_eq!(list(), json!({ "clients": [{ "client_id": id, "client_name": "Portal" }] }));
    let one = format!("/operator/clients/{id}");
    let read = call(&world, "GET", &one, OPERATOR, &Value::Null).json();
    assert_eq!((text(&read, "client_id"), read.get("client_secret")), (id, None));
    world.later(10 * 365 * 86400);
    assert!(find(&world, id).is_some(), "it never expires");
    assert_eq!(call(&world, "DELETE", &one, OPERATOR, &Value::Null).status(), 204);
    assert!(find(&world, id).is_none());
    assert_eq!(list(), json!({ "clients": [] }));
    for method in ["GET", "DELETE"] {
        assert_eq!(call(&world, method, &one, OPERATOR, &Value::Null).status(), 404);
    }
}

#[test]
fn the_operator_is_told_what_is_wrong() {
    let world = World::new(&[]);
    let body = json!({ "client_name": "", "redirect_uris": ["http://portal.example.com/cb"], "scope": "admin", "grant_type": "x" });
    let refused = call(&world, "POST", "/operator/clients", OPERATOR, &body);
    assert_eq!((refused.status(), refused.text("error").as_str()), (400, "invalid_client_metadata"));
    assert_eq!(refused.json()["faults"].as_array().unwrap().len(), 3, "{}", refused.json());
    let loopback = json!({ "client_name": "x", "redirect_uris": ["http://localhost/cb"], "trusted": true });
    assert_eq!(call(&world, "POST", "/operator/clients", OPERATOR, &loopback).status(), 400);
    assert!(world.platform.cells.borrow().keys().all(|name| !name.starts_with("client")));
}

#[test]
fn nobody_else_makes_ends_or_sees_them() {
    let world = World::new(&[]);
    let registered = confidential(&world);
    let one = format!("/operator/clients/{}", text(&registered, "client_id"));
    for (method, path) in [("GET", "/operator/clients"), ("POST", "/operator/clients"), ("GET", one.as_str()), ("DELETE", one.as_str())] {
        for key in ["x", text(&registered, "registration_access_token")] {
            assert_eq!(call(&world, method, path, key, &json!({})).status(), 401, "{method} {path}");
        }
    }
    for method in ["GET", "DELETE"] {
        assert_eq!(
            call(&world, method, &one, OPERATOR, &Value::Null).status(),
            404,
            "one that has registered itself is not the operator's"
        );
    }
    assert!(find(&world, text(&registered, "client_id")).is_some());
}

#[test]
fn configured_clients_are_found_before_all_others() {
    let clients = json!([{ "client_id": "portal", "client_name": "Portal", "redirect_uris": ["https://portal.example.com/cb"], "token_endpoint_auth_method": "none", "trusted": true }]);
    let world = World::new(&[("CLIENTS", &clients.to_string())]);
    let client = find(&world, "portal").unwrap();
    assert_eq!((client.source, client.trusted, client.metadata.is_public()), (Source::Configured, true, true));
    assert!(find(&world, "Portal").is_none());
    assert!(world.platform.cells.borrow().is_empty());
}

#[test]
fn row_19_a_client_with_a_grant_is_never_forgotten() {
    let world = World::new(&[]);
    let id = oauth::register(&world, &[oauth::BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = oauth::allowed(&mut ada, &id, &[]);
    let first = oauth::exchange(&world, &id, &code);
    assert_eq!(first.status(), 200, "{}", first.json());
    let mut token = first.text("refresh_token");
    for _ in 0..20 {
        world.ring();
        world.later(3 * 86400);
        let form = [("grant_type", "refresh_token"), ("client_id", id.as_str()), ("refresh_token", token.as_str())];
        let next = world.form("/oauth2/token", &form);
        assert_eq!(next.status(), 200, "{}", next.json());
        token = next.text("refresh_token");
    }
}

#[test]
fn the_end_of_a_client_is_the_end_of_what_was_granted_to_it() {
    let world = World::new(&[]);
    let body = json!({ "client_name": "Portal", "redirect_uris": [oauth::BACK], "token_endpoint_auth_method": "none" });
    let made = call(&world, "POST", "/operator/clients", OPERATOR, &body).json();
    let id = text(&made, "client_id");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = oauth::allowed(&mut ada, id, &[]);
    let refresh = oauth::exchange(&world, id, &code).text("refresh_token");
    let form = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", refresh.as_str())];
    assert_eq!(world.form("/oauth2/token", &form).status(), 200);
    assert_eq!(call(&world, "DELETE", &format!("/operator/clients/{id}"), OPERATOR, &Value::Null).status(), 204);
    let refused = world.form("/oauth2/token", &form);
    assert_eq!((refused.status(), refused.text("error").as_str()), (401, "invalid_client"));
    let page = ada.get(&oauth::query(id, &[]));
    assert_eq!((page.status(), page.header("location")), (400, None), "a page, and no redirect");
}

#[test]
fn a_redirect_uri_with_a_free_port_cannot_be_left_out() {
    let world = World::new(&[]);
    let ada = |id: &str| Person::sign_in(&world, "ada@example.com").get(&oauth::query(id, &[("redirect_uri", "")]));
    let web = oauth::register(&world, &[oauth::BACK]);
    assert_eq!(ada(&web).status(), 200, "there is only one");
    let native = oauth::register(&world, &["http://localhost:3334/callback"]);
    let page = ada(&native);
    assert_eq!((page.status(), page.header("location")), (400, None), "nobody knows on which port it listens");
}

#[test]
fn a_trusted_client_is_not_asked_for() {
    let world = World::new(&[]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for (trusted, status) in [(true, 302), (false, 200)] {
        let body = json!({
            "client_name": "Portal", "redirect_uris": [oauth::BACK], "token_endpoint_auth_method": "none", "trusted": trusted, "scope": "api.read"
        });
        let made = call(&world, "POST", "/operator/clients", OPERATOR, &body).json();
        let answer = ada.get(&oauth::query(text(&made, "client_id"), &[("scope", "api.read api.write")]));
        assert_eq!(answer.status(), status, "{trusted}");
        if trusted {
            let code = oauth::find(&oauth::carried(&answer), "code");
            let token = oauth::exchange(&world, text(&made, "client_id"), &code);
            assert_eq!(token.text("scope"), "api.read", "the operator's scope is the most");
        }
    }
}

#[test]
fn a_registration_that_fails_is_in_the_operator_s_trace() {
    let world = World::new(&[]);
    let body = json!({ "client_name": "Some IDE", "redirect_uris": ["myide://callback"] });
    assert_eq!(world.json("/oauth2/register", &body).status(), 400);
    let traces = call(&world, "GET", "/operator/traces", OPERATOR, &Value::Null).json();
    let entry = &traces["traces"][0];
    assert_eq!((entry["client_name"].as_str(), entry["error"].as_str()), (Some("Some IDE"), Some("invalid_redirect_uri")), "{traces}");
}
