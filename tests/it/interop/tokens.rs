//! Rows 24 to 31: grants and refresh tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::replay::{Wire, tokens};
use crate::client::{is, outcome, with_basic};
use crate::clients;
use crate::oauth::{BACK, VERIFIER, allowed, exchange, register};
use crate::person::Person;
use crate::world::{Answer, ISSUER, World};

/// A client that Ada has connected, and its refresh token.
fn connected(world: &World, more: &[(&str, &str)]) -> (String, Answer) {
    let client = register(world, &[BACK]);
    let mut ada = Person::sign_in(world, "ada@example.com");
    let code = allowed(&mut ada, &client, more);
    let answer = exchange(world, &client, &code);
    assert_eq!(answer.status(), 200, "{}", answer.json());
    (client, answer)
}

fn refresh(world: &World, client: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
    world.form("/oauth2/token", &[&fields, more].concat())
}

fn audience(answer: &Answer) -> String {
    let token = answer.text("access_token");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    claims["aud"].as_str().unwrap().to_owned()
}

#[test]
fn row_24_clients_register_themselves_unless_the_operator_says_otherwise() {
    let world = World::new(&[]);
    let endpoint = world.get("/.well-known/oauth-authorization-server").text("registration_endpoint");
    let answer = world.json(endpoint.strip_prefix(ISSUER).unwrap(), &clients::mcp_remote());
    assert_eq!(answer.status(), 201, "and no stub: it is a client that can be connected");
    assert!(clients::find(&world, &answer.text("client_id")).is_some());
}

#[test]
fn row_25_parallel_refreshes_bring_one_successor_and_a_late_reuse_ends_the_family() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/claude_code.json"));
    let (client, first) = connected(&world, &[]);
    let spent = first.text("refresh_token");
    let fields = [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", &spent)];
    let mut successors: Vec<String> =
        wire.at_once(100, &fields).iter().map(|answer| tokens(answer)["refresh_token"].as_str().unwrap().to_owned()).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let (loser, winner) = (refresh(&world, &client, &spent, &[]), refresh(&world, &client, &successors[0], &[]));
    assert_eq!(loser.text("refresh_token"), successors[0], "before the successor is used");
    assert_ne!(winner.text("refresh_token"), successors[0]);
    world.later(59);
    assert_eq!(refresh(&world, &client, &spent, &[]).text("refresh_token"), successors[0], "and within a minute after");
    world.later(2);
    is(&refresh(&world, &client, &spent, &[]), 400, "invalid_grant");
    is(&refresh(&world, &client, &winner.text("refresh_token"), &[]), 400, "invalid_grant");
}

#[test]
fn row_27_a_refresh_without_resource_has_that_of_the_grant() {
    let world = World::new(&[]);
    for resource in [format!("{ISSUER}/api/v1"), format!("{ISSUER}/mcp")] {
        let (client, first) = connected(&world, &[("resource", &resource)]);
        let token = first.text("refresh_token");
        assert_eq!(audience(&first), resource, "also where the code was redeemed without it");
        is(&refresh(&world, &client, &token, &[("resource", "https://foreign.example/mcp")]), 400, "invalid_target");
        let next = refresh(&world, &client, &token, &[]);
        assert_eq!((outcome(&next).0, audience(&next)), (200, resource.clone()), "a refusal has used nothing up");
        world.later(120);
        let other = refresh(&world, &client, &next.text("refresh_token"), &[("resource", &format!("{ISSUER}/nothing"))]);
        is(&other, 400, "invalid_target");
        assert_eq!(refresh(&world, &client, &next.text("refresh_token"), &[("resource", &resource)]).status(), 200);
    }
}

#[test]
fn row_28_a_token_lasts_an_hour_and_coming_again_is_cheap() {
    let world = World::new(&[]);
    let (client, first) = connected(&world, &[]);
    assert_eq!(first.json()["expires_in"], 3600);
    world.later(3599);
    assert_eq!(world.call(&first.text("access_token")), 200);
    world.later(1);
    assert_eq!(world.call(&first.text("access_token")), 401);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&crate::oauth::query(&client, &[])).status(), 302, "a client that forgot its refresh token costs no question");
    let mut token = first.text("refresh_token");
    for _ in 0..12 {
        world.later(20 * 86400);
        token = refresh(&world, &client, &token, &[]).text("refresh_token");
    }
}

#[test]
fn row_29_refresh_tokens_need_no_offline_access() {
    let world = World::new(&[]);
    for scope in ["api.read", "api.read offline_access", ""] {
        let (_, answer) = connected(&world, &[("scope", scope)]);
        assert!(answer.json()["refresh_token"].is_string(), "{scope}");
    }
    let has = |list: &Value| list.as_array().unwrap().contains(&json!("offline_access"));
    assert!(has(&world.get("/.well-known/oauth-authorization-server").json()["scopes_supported"]));
    assert!(!has(&world.get("/.well-known/oauth-protected-resource").json()["scopes_supported"]));
    assert!(!world.get("/mcp").header("www-authenticate").unwrap().contains("offline_access"));
    let body = json!({ "redirect_uris": [BACK], "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"] });
    let client = world.json("/oauth2/register", &body).text("client_id");
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[("scope", "api.read offline_access")]);
    assert_eq!(exchange(&world, &client, &code).json().get("refresh_token"), None, "for who did not register the grant");
}

#[test]
fn row_30_each_failure_has_the_code_that_clients_act_upon() {
    let world = World::new(&[]);
    let (client, answer) = connected(&world, &[]);
    let token = answer.text("refresh_token");
    let other = register(&world, &["https://other.example/back"]);
    for dead in ["", "x", "prt_0", &token[..token.len() - 1], &token.replace('_', "-"), "a.b.c"] {
        let code = if dead.is_empty() { "invalid_request" } else { "invalid_grant" };
        is(&refresh(&world, &client, dead, &[]), 400, code);
    }
    is(&refresh(&world, &other, &token, &[]), 400, "invalid_grant");
    is(&refresh(&world, "cli_0000000000000000000000", &token, &[]), 401, "invalid_client");
    is(&refresh(&world, &client, &token, &[("scope", "api.read admin")]), 400, "invalid_scope");
    is(&world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_id", &client)]), 400, "unauthorized_client");
    is(&world.form("/oauth2/token", &[("grant_type", "password"), ("client_id", &client)]), 400, "unsupported_grant_type");
    let code = [("grant_type", "authorization_code"), ("client_id", &client), ("code", "x"), ("code_verifier", VERIFIER)];
    is(&world.form("/oauth2/token", &code), 400, "invalid_grant");
    world.platform.lost.borrow_mut().push("grant");
    is(&refresh(&world, &client, &token, &[]), 503, "temporarily_unavailable");
    world.platform.lost.borrow_mut().clear();
    is(&refresh(&world, &client, &token, &[]), 200, "ok");
}

#[test]
fn row_31_no_failure_is_200_and_none_is_a_page() {
    let world = World::new(&[]);
    let paths =
        "/oauth2/token /token /oauth/token /oauth2/register /oauth2/revoke /oauth2/introspect /oauth2/par /oauth2/device_authorization";
    for path in paths.split_whitespace() {
        for (kind, body) in [
            ("application/x-www-form-urlencoded", ""),
            ("application/x-www-form-urlencoded", "grant_type=authorization_code&code=x&client_id=y"),
            ("application/x-www-form-urlencoded", "a=%ff%00&a=b&a"),
            ("application/json", "{}"),
            ("text/html", "<html>"),
            ("", ""),
        ] {
            for accept in ["*/*", "text/html"] {
                let answer = world.send("192.0.2.1", "POST", path, &[("content-type", kind), ("accept", accept)], body);
                assert!((400..500).contains(&answer.status()), "{path} {kind} {body}: {}", answer.status());
                assert_eq!(answer.header("content-type"), Some("application/json"), "{path} {kind} {body}");
                assert!(answer.json()["error"].is_string() && answer.json()["error_description"].is_string(), "{path} {kind} {body}");
            }
        }
    }
}

#[test]
fn row_36_a_header_or_body_that_is_malformed_is_never_a_fault_of_ours() {
    let world = World::new(&[]);
    for header in
        ["Basic", "Basic ", "Basic %", "Basic Og==", "Basic =", "Basic YQ==", "Basic //8=", "Bearer", "Bearer  ", "DPoP", "x y z", ":"]
    {
        for kind in
            ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset", ";", "/", "\"", "multipart/form-data"]
        {
            let headers = [("authorization", header), ("content-type", kind)];
            for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"] {
                let answer = world.send("192.0.2.1", "POST", path, &headers, "grant_type=client_credentials&token=x");
                let accepted = path == "/oauth2/revoke" && answer.status() == 200;
                assert!(accepted || (400..500).contains(&answer.status()), "{path} {header} {kind}: {}", answer.status());
            }
        }
    }
    let (_, answer) = connected(&world, &[]);
    let stranger = world.json("/oauth2/register", &json!({ "redirect_uris": ["https://other.example/back"] }));
    for token in ["access_token", "refresh_token"] {
        let body = format!("token={}", answer.text(token));
        with_basic(&world, "/oauth2/revoke", &stranger.text("client_id"), &stranger.text("client_secret"), &body);
    }
    assert_eq!(world.call(&answer.text("access_token")), 200, "another client's token is not anybody's to end");
}
