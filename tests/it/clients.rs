//! Clients register themselves (RFC 7591): bodies as the clients of the field send them, and what each must find in the answer.

use std::collections::BTreeSet;

use postern::client::{self, Client};
use postern::oauth::redirect;
use serde_json::{Value, json};

use crate::world::{Answer, ISSUER, World, block};

const BOTH: [&str; 2] = ["authorization_code", "refresh_token"];

pub fn register(world: &World, body: &Value) -> Value {
    let answer = world.json("/oauth2/register", body);
    assert_eq!(answer.status(), 201, "{}", answer.json());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()
}

pub fn find(world: &World, id: &str) -> Option<Client> {
    block(client::find(id, &world.cx("192.0.2.1"))).unwrap().map(|client| (*client).clone())
}

pub fn mcp_remote() -> Value {
    json!({
        "redirect_uris": ["http://localhost:3334/oauth/callback"], "token_endpoint_auth_method": "none", "grant_types": BOTH,
        "response_types": ["code"], "client_name": "MCP CLI Proxy", "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d", "software_version": "0.15.0",
    })
}

/// A client: what it sends, and where it asks to be sent back to afterwards.
struct Fixture {
    body: Value,
    returns_to: &'static [&'static str],
}

fn fixtures() -> Vec<(&'static str, Fixture)> {
    let fixture = |body: Value, returns_to: &'static [&'static str]| Fixture { body, returns_to };
    let native = |name: &str, uri: &str| json!({ "client_name": name, "redirect_uris": [uri], "grant_types": BOTH, "response_types": ["code"], "token_endpoint_auth_method": "none" });
    let mut no_scope_but_type = native("GitHub Copilot CLI", "http://127.0.0.1:41234/");
    no_scope_but_type["application_type"] = json!("native");
    let mut inspector = native("MCP Inspector", "http://localhost:6274/oauth/callback");
    inspector["client_uri"] = json!("https://github.com/modelcontextprotocol/inspector");
    inspector["scope"] = json!("");
    let mut v1 = native("Example MCP Client", "http://localhost:8090/callback");
    v1["token_endpoint_auth_method"] = json!("client_secret_post");
    vec![
        (
            "Claude Code",
            fixture(
                native("Claude Code (postern)", "http://localhost:54545/callback"),
                &["http://localhost:54545/callback", "http://localhost:61234/callback"],
            ),
        ),
        (
            "claude.ai",
            fixture(
                json!({
                    "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "grant_types": BOTH,
                    "response_types": ["code"], "token_endpoint_auth_method": "client_secret_post", "scope": "api.read api.write openid",
                }),
                &["https://claude.ai/api/mcp/auth_callback"],
            ),
        ),
        (
            "ChatGPT",
            fixture(
                json!({
                    "client_name": "ChatGPT", "redirect_uris": ["https://chatgpt.com/connector/oauth/Kq3v0Zx1"], "grant_types": BOTH,
                    "response_types": ["code"], "token_endpoint_auth_method": "none",
                }),
                &["https://chatgpt.com/connector/oauth/Kq3v0Zx1"],
            ),
        ),
        ("Codex", fixture(native("Codex", "http://127.0.0.1:39765/callback"), &["http://127.0.0.1:40000/callback"])),
        (
            "Cursor",
            fixture(
                json!({
                    "client_name": "Cursor", "grant_types": BOTH, "response_types": ["code"], "token_endpoint_auth_method": "none",
                    "redirect_uris": [
                        "cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback",
                        "http://localhost:8787/callback"
                    ],
                }),
                &[
                    "cursor://anysphere.cursor-mcp/oauth/callback",
                    "https://www.cursor.com/agents/mcp/oauth/callback",
                    "http://localhost:8787/callback",
                ],
            ),
        ),
        (
            "VS Code",
            fixture(
                json!({
                    "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
                    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                    "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native", "scope": "api.read api.write",
                    "redirect_uris": [
                        "https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/", "http://127.0.0.1:33418/"
                    ],
                }),
                &[
                    "https://vscode.dev/redirect",
                    "https://insiders.vscode.dev/redirect",
                    "http://127.0.0.1:33418/",
                    "http://127.0.0.1:50123/",
                    "http://127.0.0.1:50123",
                ],
            ),
        ),
        ("Copilot CLI", fixture(no_scope_but_type, &["http://127.0.0.1:41234/", "http://127.0.0.1:50000/"])),
        ("MCP Inspector", fixture(inspector, &["http://localhost:6274/oauth/callback"])),
        ("mcp-remote", fixture(mcp_remote(), &["http://localhost:3334/oauth/callback", "http://localhost:19876/oauth/callback"])),
        ("SDK v1", fixture(v1, &["http://localhost:8090/callback"])),
        (
            "SDK v2",
            fixture(
                json!({
                    "redirect_uris": ["http://localhost:8090/callback"], "client_name": "v2", "grant_types": BOTH, "response_types": ["code"],
                    "token_endpoint_auth_method": "none", "application_type": "native", "scope": "api.read offline_access",
                }),
                &["http://localhost:9090/callback"],
            ),
        ),
        (
            "Python SDK",
            fixture(
                json!({
                    "redirect_uris": ["http://localhost:3030/callback"], "token_endpoint_auth_method": "client_secret_basic", "grant_types": BOTH,
                    "response_types": ["code"], "client_name": "Simple Auth Client", "scope": "user", "client_uri": null, "contacts": null,
                }),
                &["http://localhost:3030/callback"],
            ),
        ),
        (
            "LM Studio",
            fixture(
                json!({ "client_name": "LM Studio", "redirect_uris": ["http://127.0.0.1:33389/callback"], "grant_types": BOTH, "response_types": ["code"] }),
                &["http://127.0.0.1:33389/callback", "http://127.0.0.1:44444/callback"],
            ),
        ),
    ]
}

fn has_no_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(has_no_null),
        Value::Object(fields) => fields.values().all(has_no_null),
        _ => true,
    }
}

#[test]
fn every_client_of_the_field_registers_and_is_sent_back_where_it_asks() {
    let world = World::new(&[]);
    for (name, Fixture { body, returns_to }) in fixtures() {
        let answer = register(&world, &body);
        assert!(has_no_null(&answer), "{name}: {answer}");
        assert_eq!(answer["redirect_uris"], body["redirect_uris"], "{name}");
        assert_eq!(answer["grant_types"], body["grant_types"], "{name}");
        assert_eq!(answer["response_types"], json!(["code"]), "{name}");
        assert_eq!(answer["client_name"], body["client_name"], "{name}");
        let method = body["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
        assert_eq!(answer["token_endpoint_auth_method"], method, "{name}");
        let public = method == "none";
        assert_eq!(answer.get("client_secret").is_none(), public, "{name}");
        assert_eq!(answer.get("client_secret_expires_at"), (!public).then_some(&json!(0)), "{name}");
        assert!(answer["client_id_issued_at"].is_u64(), "{name}");
        let client = find(&world, answer["client_id"].as_str().unwrap()).unwrap();
        assert!(returns_to.iter().all(|uri| redirect::find(&client.metadata.redirect_uris, uri)), "{name}: {client:?}");
        assert_eq!(client.metadata.is_public(), public, "{name}");
        assert_eq!(client.ceiling(), None, "{name}: what it says of its scope is no ceiling");
        if let Some(secret) = answer["client_secret"].as_str() {
            assert!(client.is_secret(secret, &world.config.masters), "{name}");
        }
    }
}

#[test]
fn row_01_any_port_of_a_loopback_address_that_was_registered_without_one() {
    let world = World::new(&[]);
    let uris = json!(["http://localhost/callback", "http://127.0.0.1/callback", "http://[::1]/callback"]);
    let answer = register(&world, &json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none" }));
    let known = find(&world, answer["client_id"].as_str().unwrap()).unwrap().metadata.redirect_uris;
    for good in ["http://localhost:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]:8080/callback"] {
        assert!(redirect::find(&known, good), "{good}");
    }
    for wrong in ["https://localhost:1/callback", "http://localhost:1/callback2", "http://localhost.evil.com:1/callback"] {
        assert!(!redirect::find(&known, wrong), "{wrong}");
    }
}

#[test]
fn row_02_what_registration_accepts_authorization_can_match() {
    let world = World::new(&[]);
    for (name, Fixture { body, .. }) in fixtures() {
        let answer = register(&world, &body);
        let known = find(&world, answer["client_id"].as_str().unwrap()).unwrap().metadata.redirect_uris;
        for uri in answer["redirect_uris"].as_array().unwrap() {
            assert!(redirect::find(&known, uri.as_str().unwrap()), "{name} {uri}");
        }
    }
    let one = register(&world, &json!({ "redirect_uris": ["http://localhost:1/cb"], "token_endpoint_auth_method": "none" }));
    let known = find(&world, one["client_id"].as_str().unwrap()).unwrap().metadata.redirect_uris;
    assert!(!redirect::find(&known, "http://127.0.0.1:1/cb"), "only if both are registered");
}

#[test]
fn row_03_one_bad_redirect_uri_does_not_fail_the_body() {
    let world = World::new(&[]);
    let uris = json!([
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "myide://cb",
        "http://client.example.com/cb",
        7,
        "https://a.example.com/cb"
    ]);
    let answer = register(&world, &json!({ "redirect_uris": uris, "token_endpoint_auth_method": "none" }));
    assert_eq!(answer["redirect_uris"], json!(["cursor://anysphere.cursor-mcp/oauth/callback", "https://a.example.com/cb"]));
    for none in [json!(["myide://cb"]), json!([]), json!(null), json!(["javascript:alert(1)"]), json!("data:text/html,x")] {
        let answer = world.json("/oauth2/register", &json!({ "redirect_uris": none }));
        assert_eq!((answer.status(), answer.text("error").as_str()), (400, "invalid_redirect_uri"), "{none}");
        assert!(answer.text("hint").contains("https"));
    }
}

#[test]
fn row_04_the_empty_path_and_the_root_are_one_on_loopback() {
    let world = World::new(&[]);
    let answer = register(&world, &json!({ "redirect_uris": ["http://127.0.0.1:33418"], "token_endpoint_auth_method": "none" }));
    let known = find(&world, answer["client_id"].as_str().unwrap()).unwrap().metadata.redirect_uris;
    assert!(redirect::find(&known, "http://127.0.0.1:50000/") && redirect::find(&known, "http://127.0.0.1:50000"));
}

#[test]
fn row_05_a_client_that_comes_back_with_another_port_is_the_same_client() {
    let world = World::new(&[]);
    let ids: BTreeSet<String> = [3334, 19876, 41000]
        .into_iter()
        .map(|port| {
            let mut body = mcp_remote();
            body["redirect_uris"] = json!([format!("http://localhost:{port}/oauth/callback")]);
            let answer = register(&world, &body);
            assert_eq!(answer["redirect_uris"], body["redirect_uris"], "each is told what it sent");
            answer["client_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn row_10_the_hard_coded_path_works_as_the_advertised_one() {
    let world = World::new(&[]);
    let advertised = world.get("/.well-known/oauth-authorization-server").text("registration_endpoint");
    assert_eq!(advertised, format!("{ISSUER}/oauth2/register"));
    let first = register(&world, &mcp_remote());
    for path in ["/register", "/oauth/register"] {
        assert_eq!(world.json(path, &mcp_remote()).json(), first);
    }
    let preflight = world.send("192.0.2.1", "OPTIONS", "/register", &[("origin", "http://localhost:6274")], "");
    assert_eq!((preflight.status(), preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("MCP-Protocol-Version"));
}

#[test]
fn row_19_a_client_is_forgotten_only_while_nobody_uses_it() {
    let world = World::new(&[]);
    let idle = register(&world, &mcp_remote());
    let used = register(&world, &json!({ "redirect_uris": ["https://used.example.com/cb"], "token_endpoint_auth_method": "none" }));
    let (idle, used) = (idle["client_id"].as_str().unwrap(), used["client_id"].as_str().unwrap());
    let client = find(&world, used).unwrap();
    let until = world.cx("192.0.2.1").now.plus(postern::time::Ttl::from_seconds(30 * 86400));
    assert!(block(client::used(&client, until, &world.cx("192.0.2.1"))).unwrap());
    world.later(3599);
    assert!(find(&world, idle).is_some());
    world.later(2);
    assert!(find(&world, idle).is_none() && find(&world, used).is_some());
    assert!(!world.platform.cells.borrow().keys().any(|name| name.contains(idle)), "nothing is left of it");
    world.later(29 * 86400);
    assert!(find(&world, used).is_some());
    let again = register(&world, &mcp_remote());
    assert_eq!(again["client_id"].as_str(), Some(idle), "whoever kept its client_id goes on with it");
    assert!(find(&world, idle).is_some());
    world.later(2 * 86400);
    assert!(find(&world, used).is_none());
}

#[test]
fn row_20_the_same_public_metadata_is_one_client_and_costs_nothing() {
    let world = World::new(&[("CLIENTS_PER_NETWORK_PER_HOUR", "2"), ("CLIENTS_PER_HOUR", "3")]);
    let first = register(&world, &mcp_remote());
    for _ in 0..42 {
        assert_eq!(register(&world, &mcp_remote()), first);
    }
    let mut reordered = mcp_remote();
    reordered["made_up"] = json!({ "x": [1] });
    reordered["contacts"] = json!([]);
    assert_eq!(register(&world, &reordered), first, "what is ignored makes no difference");
    let clients = || world.platform.cells.borrow().keys().filter(|name| name.starts_with("client/")).count();
    assert_eq!(clients(), 1);
    let other = |name: &str, address: &str| {
        let body = json!({ "redirect_uris": ["https://a.example.com/cb"], "client_name": name, "token_endpoint_auth_method": "none" });
        world.send(address, "POST", "/register", &[("content-type", "application/json")], &body.to_string())
    };
    assert_ne!(other("a", "192.0.2.1").text("client_id"), first["client_id"].as_str().unwrap());
    let refused = other("b", "192.0.2.99");
    assert_eq!((refused.status(), refused.text("error").as_str()), (429, "rate_limited"), "the network's limit is of new ones");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(register(&world, &mcp_remote()), first, "and stops no client that is known");
    assert_eq!(other("c", "198.51.100.1").status(), 201);
    assert_eq!(other("d", "203.0.113.1").status(), 429, "the deployment's");
    assert_eq!(world.json("/agent/identity", &json!({ "type": "anonymous" })).status(), 200, "agents have limits of their own");
}

#[test]
fn row_20_a_shared_egress_address_is_not_locked_out() {
    let world = World::new(&[]);
    for number in 0..300 {
        let body =
            json!({ "redirect_uris": [format!("https://chatgpt.com/connector/oauth/{number}")], "token_endpoint_auth_method": "none" });
        register(&world, &body);
    }
}

#[test]
fn row_21_the_answer_has_one_shape() {
    let world = World::new(&[]);
    let shape = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let least = register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"] }));
    assert_eq!(
        shape(&least),
        [
            "client_id",
            "client_id_issued_at",
            "client_secret",
            "client_secret_expires_at",
            "grant_types",
            "redirect_uris",
            "registration_access_token",
            "registration_client_uri",
            "response_types",
            "token_endpoint_auth_method"
        ]
    );
    assert_eq!(least["grant_types"], json!(BOTH), "refresh_token is there when nothing was asked for");
    let machine =
        register(&world, &json!({ "grant_types": ["client_credentials"], "redirect_uris": null, "contacts": null, "jwks": null }));
    assert_eq!((&machine["redirect_uris"], &machine["response_types"]), (&json!([]), &json!([])), "the arrays are there");
    assert!(has_no_null(&machine));
    let contacts = register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"], "contacts": ["ada@example.com"] }));
    assert_eq!(contacts["contacts"], json!(["ada@example.com"]));
}

#[test]
fn row_21_nothing_is_promised_that_is_not_served() {
    let world = World::new(&[]);
    let body = json!({
        "redirect_uris": ["https://a.example.com/cb"], "grant_types": ["authorization_code", "implicit", "client_credentials"],
        "response_types": ["code", "token", "id_token"], "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "none",
        "request_object_signing_alg": "none", "userinfo_encrypted_response_alg": "RSA-OAEP", "software_statement": "x.y.z",
    });
    let answer = register(&world, &body);
    assert_eq!((&answer["grant_types"], &answer["response_types"]), (&json!(["authorization_code"]), &json!(["code"])));
    for absent in ["id_token_signed_response_alg", "request_object_signing_alg", "userinfo_encrypted_response_alg", "software_statement"] {
        assert_eq!(answer.get(absent), None, "{absent}");
    }
}

#[test]
fn row_22_scope_is_narrowed_and_no_ceiling() {
    let world = World::new(&[]);
    let answer = register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"], "scope": "api.read mcp.everything openid" }));
    assert_eq!(answer["scope"], "api.read openid");
    let without = register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"] }));
    assert_eq!(without.get("scope"), None);
    for answer in [answer, without] {
        assert_eq!(find(&world, answer["client_id"].as_str().unwrap()).unwrap().ceiling(), None);
    }
}

#[test]
fn row_23_a_public_client_has_no_secret_and_a_client_that_did_not_choose_may_use_either_way() {
    let world = World::new(&[]);
    let public = register(&world, &mcp_remote());
    let chosen =
        register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"], "token_endpoint_auth_method": "client_secret_post" }));
    let silent = register(&world, &json!({ "redirect_uris": ["https://a.example.com/cb"] }));
    let method = |answer: &Value| find(&world, answer["client_id"].as_str().unwrap()).unwrap().metadata.token_endpoint_auth_method;
    assert_eq!(method(&public), Some(client::AuthMethod::None));
    assert_eq!(method(&chosen), Some(client::AuthMethod::SecretPost));
    assert_eq!(method(&silent), None);
    let secret = silent["client_secret"].as_str().unwrap();
    let of = |answer: &Value| find(&world, answer["client_id"].as_str().unwrap()).unwrap();
    assert!(of(&silent).is_secret(secret, &world.config.masters));
    assert!(!of(&public).is_secret(secret, &world.config.masters), "none never accepts a secret");
    assert!(!of(&chosen).is_secret(secret, &world.config.masters), "nor does another client");
    assert!(!of(&silent).is_secret("", &world.config.masters));
}

#[test]
fn confidential_clients_are_never_shared() {
    let world = World::new(&[]);
    let body = json!({ "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "token_endpoint_auth_method": "client_secret_post" });
    let (one, other) = (register(&world, &body), register(&world, &body));
    for name in ["client_id", "client_secret", "registration_access_token"] {
        assert_ne!(one[name], other[name], "{name}");
    }
    let at_rest = format!("{:?}", world.platform.cells.borrow());
    for name in ["client_secret", "registration_access_token"] {
        let key = one[name].as_str().unwrap().rsplit('_').next().unwrap();
        assert!(!at_rest.contains(&key[..43]), "{name} is kept as a digest alone");
    }
}

#[test]
fn bodies_that_are_none_are_refused_in_the_words_of_the_standard() {
    let world = World::new(&[]);
    let send = |kind: &str, body: &str| world.send("192.0.2.1", "POST", "/register", &[("content-type", kind)], body);
    let error = |answer: Answer| (answer.status(), answer.text("error"));
    for body in ["", "{", "[]", "null", "\"x\"", "{\"redirect_uris\":[\"https://a.example.com/cb\"]", "{}}"] {
        assert_eq!(error(send("application/json", body)), (400, "invalid_client_metadata".to_owned()), "{body}");
    }
    assert_eq!(send("application/x-www-form-urlencoded", "redirect_uris=x").status(), 415);
    let long = json!({ "redirect_uris": ["https://a.example.com/cb"], "client_name": "x".repeat(33 * 1024) }).to_string();
    assert_eq!(send("application/json; charset=utf-8", &long).status(), 413);
    let keys = json!({ "redirect_uris": ["https://a.example.com/cb"], "token_endpoint_auth_method": "private_key_jwt" });
    assert_eq!(error(world.json("/register", &keys)), (400, "invalid_client_metadata".to_owned()));
    assert_eq!(world.get("/oauth2/register").status(), 405);
}

#[test]
fn registration_can_be_switched_off() {
    let world = World::new(&[("CLIENTS_PER_HOUR", "0")]);
    assert_eq!(world.json("/oauth2/register", &mcp_remote()).status(), 404);
    assert_eq!(world.get("/.well-known/oauth-authorization-server").json().get("registration_endpoint"), None);
}

#[test]
fn an_invented_client_id_reaches_no_record() {
    let world = World::new(&[]);
    let known = register(&world, &mcp_remote())["client_id"].as_str().unwrap().to_owned();
    let mut invented = known.clone();
    invented.replace_range(10..11, if &known[10..11] == "a" { "b" } else { "a" });
    world.platform.samples.borrow_mut().clear();
    for id in [invented.as_str(), "", "cli_", "reg_0000000000000000000000", "unknown", &known[..36], &format!("{known}0")] {
        assert!(find(&world, id).is_none(), "{id}");
    }
    assert!(world.platform.samples.borrow().is_empty(), "no record was asked");
    let other = World::new(&[("POSTERN_SECRET", "another-secret-another-secret-another")]);
    assert!(find(&other, &known).is_none());
}
