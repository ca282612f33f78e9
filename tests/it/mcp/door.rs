//! What is looked at before the message, and in which order.

use serde_json::json;

use super::{Sender, agent, fault};
use crate::world::World;

/// Every check's failure, in the order in which they count: whichever comes first decides, whatever else is wrong.
#[test]
fn checks_come_in_one_order_origin_and_host_credential_method_body_message_scope() {
    let world = World::new(&[("READ_SCOPE", "api.write"), ("PRE_CLAIM_SCOPES", "api.read")]);
    let (_, token) = agent(&world);
    let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#;
    let none: &[(&str, &str)] = &[];
    let rows = [
        (&[("origin", "https://evil.example")][..], Some("x"), "GET", "{", 403),
        (&[("host", "evil.example")], Some("x"), "GET", "{", 403),
        (none, Some("x"), "GET", "{", 401),
        (none, None, "DELETE", "{", 401),
        (none, Some(token.as_str()), "GET", "{", 405),
        (&[("content-type", "text/plain"), ("accept", "text/html")], Some(token.as_str()), "POST", "{", 415),
        (&[("accept", "text/html")], Some(token.as_str()), "POST", "{", 406),
        (&[("mcp-protocol-version", "2026-07-28")], Some(token.as_str()), "POST", unknown, 400),
        (none, Some(token.as_str()), "POST", unknown, 200),
    ];
    for (headers, token, method, body, status) in rows {
        let sender = Sender { token, headers, from: None };
        assert_eq!(sender.raw(&world, method, body).status(), status, "{headers:?} {method} {body}");
    }
    let mine = Sender { token: Some(&token), ..Sender::default() };
    assert_eq!(fault(&mine.modern(&world, "nothing", json!({}))), (404, -32601));
    let denied = mine.modern(&world, "tools/call", json!({ "name": "whoami" }));
    assert_eq!(denied.status(), 403);
    let challenge = denied.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\"") && challenge.contains("scope=\"api.write\""), "{challenge}");
}

#[test]
fn a_host_that_is_neither_the_issuer_s_nor_loopback_is_refused() {
    let world = World::new(&[]);
    let asks = |host: &str| Sender { headers: &[("host", host)], ..Sender::default() }.legacy(&world, "tools/list", json!({})).status();
    for host in ["auth.example.com", "AUTH.example.com", "auth.example.com:443", "localhost:8787", "127.0.0.1", "[::1]:1"] {
        assert_eq!(asks(host), 200, "{host}");
    }
    for host in
        ["evil.example", "auth.example.com:8443", "auth.example.com.evil.example", "localhost.evil.example", "169.254.169.254", "?", "a b"]
    {
        assert_eq!(asks(host), 403, "{host}");
    }
    let local = World::new(&[("ISSUER", "http://localhost:8787"), ("DEV", "1")]);
    let asks = |host: &str| Sender { headers: &[("host", host)], ..Sender::default() }.legacy(&local, "tools/list", json!({})).status();
    assert_eq!((asks("localhost:1"), asks("rebound.example:8787"), asks("auth.example.com")), (200, 403, 403));
}

#[test]
fn no_host_header_changes_what_is_said() {
    let world = World::new(&[]);
    let said = |headers: &[(&str, &str)]| {
        Sender { headers, ..Sender::default() }.legacy(&world, "tools/call", json!({ "name": "discover" })).json()
    };
    assert_eq!(said(&[("host", "localhost")]), said(&[]));
}

#[test]
fn get_and_delete_are_not_allowed_once_it_is_known_who_asks() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    for method in ["GET", "HEAD", "DELETE", "PUT", "PATCH"] {
        let nobody = Sender::default().raw(&world, method, "");
        assert!(nobody.status() == 401 && nobody.header("www-authenticate").unwrap().contains("resource_metadata="), "{method}");
        let mine = Sender { token: Some(&token), ..Sender::default() }.raw(&world, method, "");
        assert_eq!((mine.status(), mine.header("allow")), (405, Some("POST, OPTIONS")), "{method}");
        assert_eq!(
            Sender { token: Some(&token), headers: &[("origin", "null")], from: None }.raw(&world, method, "").status(),
            403,
            "{method}"
        );
    }
}

#[test]
fn no_session_is_made_and_none_is_looked_at() {
    let world = World::new(&[]);
    let (_, token) = agent(&world);
    let mine = Sender { token: Some(&token), headers: &[("mcp-session-id", "x"), ("last-event-id", "1")], from: None };
    let answer = mine.legacy(&world, "initialize", json!({ "protocolVersion": "2025-11-25" }));
    assert_eq!((answer.status(), answer.header("mcp-session-id")), (200, None));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
