//! MCP Inspector and mcp-remote.

use std::collections::BTreeSet;

use super::replay::{SERVER, Wire, joined, of_code, tokens};
use crate::person::Person;
use crate::world::World;

/// What a browser asks before it sends a request of another site's page (Fetch, section 4.8), and whether it then sends it.
fn preflight(wire: &Wire<'_>, path: &str, method: &str, names: &[&str]) {
    let asked = names.join(",");
    let headers = [("access-control-request-method", method), ("access-control-request-headers", asked.as_str())];
    let answer = wire.world.send("203.0.113.70", "OPTIONS", path, &[&headers[..], &[("origin", "http://localhost:6274")]].concat(), "");
    assert!((200..300).contains(&answer.status()), "{path}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    let allowed = |header: &str, what: &str| answer.header(header).unwrap().split(", ").any(|one| one.eq_ignore_ascii_case(what));
    assert!(allowed("access-control-allow-methods", method), "{path}");
    for name in names {
        assert!(allowed("access-control-allow-headers", name), "{path}: {name} by name: a star does not stand for Authorization");
    }
}

/// A page in a browser: nothing is read that is not allowed beforehand.
#[test]
fn mcp_inspector_connects_the_first_time() {
    let world = World::new(&[("RESOURCES", r#"[{"uri":"https://tools.example.net","scopes":["api.read"]}]"#)]);
    let wire = Wire::new(&world, include_str!("fixtures/mcp_inspector.json"));
    let sent = ["authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "last-event-id"];
    preflight(&wire, "/mcp", "POST", &sent);
    for known in ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"] {
        for path in [format!("/.well-known/{known}"), format!("/.well-known/{known}/mcp"), format!("/mcp/.well-known/{known}")] {
            preflight(&wire, &path, "GET", &["mcp-protocol-version"]);
        }
    }
    for path in ["/oauth2/register", "/oauth2/token", "/register", "/token", "/oauth2/revoke"] {
        preflight(&wire, path, "POST", &["authorization", "content-type", "mcp-protocol-version"]);
    }
    let refused = wire.initialize(None);
    assert_eq!((refused.status(), refused.header("access-control-allow-origin")), (401, Some("*")));
    assert!(
        refused.header("access-control-expose-headers").unwrap().contains("WWW-Authenticate"),
        "or the page could not read where to go"
    );

    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (resource, server) = wire.discover();
    let registered = wire.register(&server);
    let (id, scope) = (registered["client_id"].as_str().unwrap(), joined(&resource["scopes_supported"]));
    for (back, at) in wire.returns_to().iter().zip([SERVER, "https://tools.example.net/"]) {
        let code = wire.allowed(&mut ada, &server, &[("client_id", id), ("redirect_uri", back), ("scope", &scope), ("resource", at)]);
        let answer = wire.form("/oauth2/token", &of_code(&code, back, &[("client_id", id), ("resource", at)]));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let got = tokens(&answer);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap()), ("client_id", id)];
        let again = tokens(&wire.form("/oauth2/token", &[&refresh[..], &[("resource", at)]].concat()));
        if at == SERVER {
            wire.works(again["access_token"].as_str().unwrap());
        }
    }
}

/// Two to five instances start at once, each for itself: they register the same and share what one of them got.
#[test]
fn mcp_remote_connects_the_first_time() {
    let world = World::new(&[]);
    let wire = Wire::new(&world, include_str!("fixtures/mcp_remote.json"));
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let (_, server) = wire.discover();
    let registered: BTreeSet<String> = (0..5).map(|_| wire.register(&server).to_string()).collect();
    assert_eq!(registered.len(), 1, "one client, whichever of its copies is stored last");
    let registered = wire.register(&server);
    let (id, back) = (registered["client_id"].as_str().unwrap(), wire.returns_to().remove(0));
    // Without the resource parameter, as --disable-resource-parameter has it, and with it, as --resource has it.
    for resource in [None, Some(("resource", SERVER))] {
        let asked: Vec<_> = [("client_id", id), ("redirect_uri", &*back)].into_iter().chain(resource).collect();
        let code = wire.allowed(&mut ada, &server, &asked);
        let more: Vec<_> = std::iter::once(("client_id", id)).chain(resource).collect();
        let got = tokens(&wire.form("/oauth2/token", &of_code(&code, &back, &more)));
        wire.works(got["access_token"].as_str().unwrap());
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap())];
        let fields: Vec<_> = refresh.into_iter().chain(more).collect();
        let next: BTreeSet<String> =
            wire.at_once(3, &fields).iter().map(|answer| tokens(answer)["refresh_token"].as_str().unwrap().to_owned()).collect();
        assert_eq!(next.len(), 1, "none loses what the others got");
    }
}
