//! Rows 6 to 18 of the list, as far as one look from outside shows them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::client::{URL, document};
use crate::oauth::{BACK, VERIFIER, allowed, carried, exchange, find, query, register};
use crate::person::Person;
use crate::provider::{publish, with};
use crate::world::{Answer, ISSUER, World};

const KNOWN: [&str; 3] = ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"];

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn is_json(answer: &Answer) -> bool {
    answer.header("content-type") == Some("application/json") && answer.json().is_object()
}

#[test]
fn row_06_the_issuer_is_the_same_bytes_wherever_it_is_named() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut named: Vec<(&str, String)> = Vec::new();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/agent-configuration"] {
        named.push((path, world.get(path).text("issuer")));
    }
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/api/v1"] {
        named.push((path, world.get(path).json()["authorization_servers"][0].as_str().unwrap().to_owned()));
    }
    named.push(("an error", find(&carried(&ada.get(&query(&client, &[("response_type", "token")]))), "iss")));
    let page = ada.get(&query(&client, &[("scope", "openid api.read")]));
    assert_eq!(page.status(), 200);
    let back = carried(&ada.post("/oauth2/authorize/consent", &[("answer", "allow")]));
    named.push(("a success", find(&back, "iss")));
    let answer = exchange(&world, &client, &find(&back, "code"));
    for token in ["access_token", "id_token"] {
        named.push((token, claims(&answer.text(token))["iss"].as_str().unwrap().to_owned()));
    }
    for (place, issuer) in named {
        assert_eq!(issuer, ISSUER, "{place}");
    }
    assert!(!ISSUER.ends_with('/'));
}

#[test]
fn row_07_every_form_of_a_path_leads_to_the_server_that_is_named() {
    let world = World::new(&[]);
    for path in ["", "/mcp", "/api/v1"] {
        for known in &KNOWN[1..] {
            for address in [format!("/.well-known/{known}{path}"), format!("{path}/.well-known/{known}")] {
                let metadata = world.get(&address).json();
                assert_eq!(metadata["issuer"], ISSUER, "{address}: whoever compares it with where they began finds it at the root");
                assert_eq!(metadata, world.get(&format!("/.well-known/{known}")).json(), "{address}");
            }
        }
    }
}

#[test]
fn row_08_every_form_is_served_and_the_unknown_is_a_fast_404() {
    let world = World::new(&[]);
    for known in KNOWN {
        for address in [format!("/.well-known/{known}"), format!("/.well-known/{known}/mcp"), format!("/mcp/.well-known/{known}")] {
            let answer = world.get(&address);
            assert!(answer.status() == 200 && is_json(&answer), "{address}");
            assert!(answer.header("cache-control").unwrap().contains("max-age"), "{address}: a client that loops asks its cache");
        }
    }
    world.platform.samples.borrow_mut().clear();
    for known in KNOWN {
        for address in [
            format!("/.well-known/{known}/sse"),
            format!("/sse/.well-known/{known}"),
            format!("/mcp/.well-known/{known}/mcp"),
            known.to_owned(),
        ] {
            let answer = world.get(&format!("/{}", address.trim_start_matches('/')));
            assert!(answer.status() == 404 && is_json(&answer), "{address}");
        }
    }
    let samples = world.platform.samples.borrow();
    assert!(samples.keys().all(|kind| kind.starts_with("trace")), "no record was asked: {:?}", samples.keys());
}

#[test]
fn row_09_metadata_ask_for_no_credential_and_name_one_host() {
    let world = World::new(&[]);
    for known in KNOWN {
        for headers in
            [&[][..], &[("authorization", "Bearer x")], &[("authorization", "Basic %%%"), ("cookie", "a=b")], &[("origin", "null")]]
        {
            let answer = world.send("", "GET", &format!("/.well-known/{known}/mcp"), headers, "");
            assert!(answer.status() == 200 && is_json(&answer), "{known} {headers:?}");
        }
    }
    let resource = world.get("/.well-known/oauth-protected-resource/mcp").json();
    assert!(resource["resource"].as_str().unwrap().starts_with(ISSUER));
    assert_eq!(resource["authorization_servers"], json!([ISSUER]));
}

#[test]
fn row_10_authorization_and_token_work_at_the_origin_as_well() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    for (authorize, token) in [("/authorize", "/token"), ("/oauth/authorize", "/oauth/token")] {
        let page = ada.get(&query(&client, &[("prompt", "consent")]).replace("/oauth2/authorize", authorize));
        assert_eq!(page.status(), 200, "{authorize}");
        let back = carried(&ada.post("/oauth2/authorize/consent", &[("answer", "allow")]));
        let code = find(&back, "code");
        let fields = [("grant_type", "authorization_code"), ("client_id", &client), ("code", &code), ("code_verifier", VERIFIER)];
        assert_eq!(world.form(token, &[&fields[..], &[("redirect_uri", BACK)]].concat()).status(), 200, "{token}");
    }
}

#[test]
fn row_11_a_resource_is_known_in_each_spelling_that_clients_make_of_it() {
    let resources = r#"[{"uri":"https://tools.example.net"},{"uri":"https://tools.example.net/v2"}]"#;
    let world = World::new(&[("RESOURCES", resources)]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let own = format!("{ISSUER}/mcp");
    for (asked, known) in [
        ("https://tools.example.net", "https://tools.example.net"),
        ("https://tools.example.net/", "https://tools.example.net"),
        ("https://tools.example.net/?toolset=all", "https://tools.example.net"),
        ("https://tools.example.net/v2?toolset=all", "https://tools.example.net/v2"),
        ("https://auth.example.com:443/mcp", &own),
        ("https://AUTH.example.com/mcp?profile=a&b", &own),
        ("", &own),
    ] {
        let code = allowed(&mut ada, &client, &[("resource", asked), ("prompt", "consent")]);
        let fields = [("grant_type", "authorization_code"), ("client_id", &client), ("code", &code), ("code_verifier", VERIFIER)];
        let fields = [&fields[..], &[("redirect_uri", BACK), ("resource", asked)]].concat();
        let answer = world.form("/oauth2/token", &fields);
        assert_eq!(answer.status(), 200, "{asked} {}", answer.json());
        assert_eq!(claims(&answer.text("access_token"))["aud"], known, "one name in tokens, however it is asked for: {asked}");
        let refresh = [("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &answer.text("refresh_token"))];
        let again = world.form("/oauth2/token", &[&refresh[..], &[("resource", asked)]].concat());
        assert_eq!(claims(&again.text("access_token"))["aud"], known, "{asked}");
    }
    for foreign in ["https://tools.example.net/v3", "https://tools.example.net/v2/", "https://tools.example.net.evil/", "tools.example.net"]
    {
        let answer = ada.get(&query(&client, &[("resource", foreign)]));
        assert_eq!(find(&carried(&answer), "error"), "invalid_target", "{foreign}");
    }
}

#[test]
fn row_12_a_preflight_needs_no_credential_anywhere() {
    let world = World::new(&[]);
    let endpoints = "/mcp /api/v1 /api/v1/auth/me /oauth2/token /token /oauth2/register /register /oauth2/revoke /oauth2/introspect /oauth2/par \
        /oauth2/userinfo /oauth2/device_authorization /agent/identity /.well-known/jwks.json /.well-known/oauth-protected-resource/mcp \
        /.well-known/oauth-authorization-server /mcp/.well-known/openid-configuration /auth.md";
    for path in endpoints.split_whitespace() {
        let answer = world.send("192.0.2.1", "OPTIONS", path, &[("origin", "https://inspector.example.org")], "");
        assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (204, Some("*")), "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        for name in ["authorization", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id", "dpop"] {
            assert!(allowed.split(", ").any(|one| one == name), "{path}: {name}");
        }
    }
    let refused = world.json("/mcp", &json!({}));
    assert_eq!(refused.status(), 401);
    let exposed: BTreeSet<&str> = refused.header("access-control-expose-headers").unwrap().split(", ").collect();
    assert!(exposed.is_superset(&BTreeSet::from(["WWW-Authenticate", "Retry-After", "DPoP-Nonce"])));
}

#[test]
fn row_15_nothing_of_our_own_is_ever_fetched() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let code = allowed(&mut ada, &client, &[("scope", "openid api.read")]);
    let token = exchange(&world, &client, &code).text("access_token");
    assert_eq!(world.call(&token), 200, "its key is at hand");
    let bearer = format!("Bearer {token}");
    assert_eq!(world.send("192.0.2.1", "GET", "/oauth2/userinfo", &[("authorization", &bearer)], "").status(), 200);
    for own in [format!("{ISSUER}/client.json"), format!("{ISSUER}/.well-known/oauth-authorization-server")] {
        assert_eq!(ada.get(&query(&own, &[])).status(), 400, "{own}");
    }
    assert_eq!(*world.platform.fetched.borrow(), Vec::<String>::new());
}

#[test]
fn row_18_both_flags_are_there_and_consent_names_the_host_of_the_document() {
    let world = World::new(&[]);
    let metadata = world.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    assert!(metadata["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none")));
    publish(&world, URL, &with(&document(), "client_name", json!("claude.ai")), None);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    assert_eq!(ada.get(&query(URL, &[("redirect_uri", "https://app.example.net/cb")])).status(), 200);
    let (name, host) = (ada.page.find("claude.ai"), ada.page.find("app.example.net"));
    assert!(name.is_some() && host.is_some(), "what it calls itself, and who it is");
}
