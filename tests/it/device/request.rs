//! The device asks for its codes (RFC 8628, section 3.1).

use postern::machine::client::Keeper;
use serde_json::json;

use super::{GRANT, PATH, ada, begin, metadata, world, world_with};
use crate::client::{confidential, is, registered, with_basic};
use crate::provider::with;
use crate::world::{ISSUER, World};

#[test]
fn the_answer_has_what_the_rfc_wants_at_both_paths() {
    let (world, client) = world();
    for path in [PATH, "/oauth/device/authorize"] {
        let answer = world.form(path, &[("client_id", &client)]);
        is(&answer, 200, "ok");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        let code = answer.text("user_code");
        assert_eq!((&body["expires_in"], &body["interval"]), (&json!(600), &json!(5)));
        assert_eq!(answer.text("verification_uri"), format!("{ISSUER}/device"));
        assert_eq!(answer.text("verification_uri_complete"), format!("{ISSUER}/device?user_code={code}"));
        let (first, second) = code.split_once('-').unwrap();
        let letters = |half: &str| half.len() == 4 && half.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
        assert!(letters(first) && letters(second), "{code}");
        assert!(answer.text("device_code").starts_with("pdc_") && !answer.text("device_code").contains(first));
        assert_eq!(body.as_object().unwrap().len(), 6);
    }
    let stored = world.platform.cells.borrow().iter().map(|(name, record)| format!("{name} {record}")).collect::<String>();
    let waiting = begin(&world, &client, &[]);
    let key = waiting.device_code.rsplit_once('_').unwrap().1;
    assert!(!stored.contains(&waiting.user_code) && !stored.contains(key), "neither code is at rest");
}

#[test]
fn the_metadata_says_so_where_people_can_sign_in() {
    let (world, _) = world();
    let document = world.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(document["device_authorization_endpoint"], json!(format!("{ISSUER}{PATH}")));
    assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    let world = World::new(&[("MAIL", "none")]);
    let document = world.get("/.well-known/oauth-authorization-server").json();
    assert!(document.get("device_authorization_endpoint").is_none() && !document.to_string().contains(GRANT));
    let (client, _) = registered(&world, &metadata(), Keeper::Holder);
    is(&world.form(PATH, &[("client_id", &client)]), 404, "not_found");
    is(&world.form("/oauth2/token", &[("grant_type", GRANT), ("device_code", "x"), ("client_id", &client)]), 400, "unsupported_grant_type");
    assert_eq!(world.get("/device").status(), 404);
}

#[test]
fn the_resource_that_says_most_of_what_is_asked_for_is_meant() {
    let resources = r#"[{"uri":"https://a.example.com/x","scopes":["api.read"]},
        {"uri":"https://a.example.com/x?tenant=a","scopes":["api.write"]},{"uri":"https://b.example.com/x?tenant=a"}]"#;
    let (world, client) = world_with(&[("RESOURCES", resources)]);
    let ask = |resource: &str, scope: &str| world.form(PATH, &[("client_id", &client), ("resource", resource), ("scope", scope)]);
    is(&ask("https://a.example.com/x?tenant=a&tools=all", "api.write"), 200, "ok");
    is(&ask("https://a.example.com/x?tenant=a&tools=all", "api.read"), 400, "invalid_scope");
    is(&ask("https://a.example.com/x?tenant=b", "api.read"), 200, "ok");
    is(&ask("https://b.example.com/x?tools=all&tenant=a", "api.read"), 200, "ok");
    is(&ask("https://b.example.com/x?tenant=b&tenant=a", "api.read"), 400, "invalid_target");
}

#[test]
fn who_may_not_is_told_why() {
    let (world, client) = world();
    is(&world.form(PATH, &[]), 401, "invalid_client");
    is(&world.form(PATH, &[("client_id", "https://nobody.example.com/client.json")]), 503, "temporarily_unavailable");
    is(&world.form(PATH, &[("client_id", "nobody")]), 401, "invalid_client");
    is(&world.form(PATH, &[("client_id", &client), ("resource", "https://foreign.example.com")]), 400, "invalid_target");
    is(&world.form(PATH, &[("client_id", &client), ("scope", "a\"b")]), 400, "invalid_scope");
    is(&world.form(PATH, &[("client_id", &client), ("scope", "files.read")]), 400, "invalid_scope");
    is(&world.json(PATH, &json!({ "client_id": client })), 415, "unsupported_media_type");
    assert_eq!(world.get(PATH).status(), 405);
    let world = World::new(&[]);
    let (client, secret) = registered(&world, &with(&metadata(), "grant_types", json!(["authorization_code"])), Keeper::Holder);
    is(&world.form(PATH, &[("client_id", &client)]), 400, "unauthorized_client");
    let world = World::new(&[]);
    let (client, _) = registered(&world, &with(&confidential(), "grant_types", json!([GRANT])), Keeper::Holder);
    is(&world.form(PATH, &[("client_id", &client)]), 401, "invalid_client");
    is(&with_basic(&world, PATH, &client, &secret, ""), 200, "ok");
    is(&with_basic(&world, PATH, &client, &format!("{secret}x"), ""), 401, "invalid_client");
}

#[test]
fn scope_is_narrowed_without_a_word() {
    let (world, client) = world();
    let waiting = begin(&world, &client, &[("scope", "api.read files.write openid")]);
    assert_eq!(waiting.answer(&mut ada(&world), "allow").status(), 200);
    let answer = waiting.poll(&world);
    is(&answer, 200, "ok");
    assert_eq!(answer.text("scope"), "api.read openid");
}

#[test]
fn one_network_may_ask_for_so_many() {
    let (world, client) = world_with(&[("VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR", "1")]);
    let ask = |address: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        world.send(address, "POST", PATH, &headers, &format!("client_id={client}"))
    };
    for _ in 0..10 {
        is(&ask("203.0.113.7"), 200, "ok");
    }
    let refused = ask("203.0.113.7");
    is(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("3600"));
    is(&ask("203.0.113.8"), 200, "ok");
    world.platform.lost.borrow_mut().push("quota");
    is(&ask("203.0.113.7"), 200, "ok");
    assert!(world.platform.warnings.borrow().iter().any(|warning| warning.starts_with("quota_lost")));
    world.platform.lost.borrow_mut().clear();
    world.later(3600);
    is(&ask("203.0.113.7"), 200, "ok");
}
