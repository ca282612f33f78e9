//! Every tool through the front door.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Sender, agent, listed};
use crate::person::Person;
use crate::world::{ISSUER, World};

const NOBODY: Sender<'static> = Sender { token: None, headers: &[], from: None };

fn by(token: &str) -> Sender<'_> {
    Sender { token: Some(token), ..Sender::default() }
}

#[test]
fn a_tool_says_what_it_takes_brings_and_changes() {
    let world = World::new(&[]);
    for tool in listed(&world) {
        let name = &tool["name"];
        assert!(tool["title"].as_str().is_some_and(|title| !title.is_empty()), "{name}");
        assert!(tool["description"].as_str().is_some_and(|about| about.len() > 40), "{name}");
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["inputSchema"]["additionalProperties"]),
            (&json!("object"), &json!(false)),
            "{name}"
        );
        let output = &tool["outputSchema"];
        assert_eq!((&output["type"], &output["anyOf"][1]), (&json!("object"), &json!({ "required": ["error"] })), "{name}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} {hint}");
        }
        assert!(!(tool["annotations"]["readOnlyHint"] == true && tool["annotations"]["destructiveHint"] == true), "{name}");
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            let secret = ["token", "access_token", "api_key", "claim_token", "refresh_token_value"].contains(&argument.as_str());
            assert_eq!(schema["writeOnly"] == true, secret, "{name} {argument}");
            assert!(schema["description"].is_string(), "{name} {argument}");
        }
    }
}

/// What the check of arguments understands, and what says nothing about them.
const KEYWORDS: &str = " type properties required additionalProperties enum items minimum maximum minLength maxLength minItems maxItems \
    description writeOnly ";

fn is_understood(schema: &Value) -> bool {
    let members = schema.as_object().unwrap();
    let below = schema["properties"].as_object().into_iter().flat_map(|properties| properties.values()).chain(members.get("items"));
    members.keys().all(|name| KEYWORDS.contains(&format!(" {name} "))) && below.into_iter().all(is_understood)
}

#[test]
fn arguments_are_judged_by_every_word_of_the_published_schema() {
    for tool in listed(&World::new(&[])) {
        assert!(is_understood(&tool["inputSchema"]), "{}", tool["name"]);
    }
    assert!(!is_understood(&json!({ "properties": { "a": { "pattern": "x" } } })));
}

#[test]
fn arguments_that_do_not_fit_are_a_failure_that_says_what_fits() {
    let world = World::new(&[]);
    for (name, arguments) in [
        ("discover", json!({ "a": 1 })),
        ("quickstart", json!({ "name": "a" })),
        ("quickstart", json!({ "name": "", "agent_type": "tool" })),
        ("quickstart", json!({ "name": "a", "agent_type": "robot" })),
        ("quickstart", json!({ "name": "x".repeat(256), "agent_type": "tool" })),
        ("authenticate", json!({ "api_key": 1 })),
        ("authenticate", json!({ "api_key": "k", "scopes": "api.read" })),
        ("introspect_token", json!({})),
    ] {
        assert_eq!(NOBODY.fails(&world, name, &arguments), "invalid_request", "{name} {arguments}");
    }
    for params in [json!({ "name": "nothing" }), json!({ "name": "Discover" }), json!({}), json!({ "name": "discover", "arguments": "x" })]
    {
        let (_, token) = agent(&world);
        let answer = by(&token).legacy(&world, "tools/call", params.clone());
        assert_eq!(answer.json()["error"]["code"], -32602, "{params}");
        world.later(3600);
    }
}

#[test]
fn a_cursor_that_nobody_gave_is_minus_32602() {
    let world = World::new(&[]);
    for cursor in [json!("x"), json!(1), json!(null)] {
        assert_eq!(NOBODY.legacy(&world, "tools/list", json!({ "cursor": cursor })).json()["error"]["code"], -32602, "{cursor}");
    }
}

#[test]
fn quickstart_brings_a_key_and_a_token_that_work_and_counts_as_a_registration_of_the_real_caller() {
    let world = World::new(&[]);
    let wish = json!({ "name": "Scout \u{202e}", "agent_type": "autonomous", "description": "Looks around." });
    let made = NOBODY.brings(&world, "quickstart", &wish);
    assert_eq!((&made["agent"]["name"], &made["agent"]["agent_type"]), (&json!("Scout"), &json!("autonomous")));
    let (key, token) = (made["api_key"].as_str().unwrap(), made["access_token"].as_str().unwrap());
    assert!(key.starts_with(made["api_key_prefix"].as_str().unwrap()) && made["api_key_prefix"].as_str().unwrap().len() < 20);
    assert_eq!((world.call(key), world.call(token)), (200, 200));
    assert!(made["refresh_token"].is_string());
    assert_eq!(by(token).brings(&world, "whoami", &json!({}))["registration_id"], made["agent"]["id"]);
    for _ in 1..5 {
        NOBODY.brings(&world, "quickstart", &wish);
    }
    let (told, failed) = NOBODY.call(&world, "quickstart", &wish);
    assert!(failed && told["error"] == "rate_limited" && told["retry_after"].as_u64().is_some_and(|wait| wait > 0), "{told}");
    assert_eq!(world.json("/agent/identity", &json!({ "type": "anonymous" })).status(), 429, "one budget with the REST endpoints");
    Sender { from: Some("198.51.100.9"), ..NOBODY }.brings(&world, "quickstart", &wish);
}

#[test]
fn quickstart_is_repeated_under_its_idempotency_key_and_refused_where_agents_need_a_person() {
    let world = World::new(&[]);
    let again = Sender { headers: &[("idempotency-key", "0123456789abcdef0123")], ..NOBODY };
    let wish = json!({ "name": "Scout", "agent_type": "tool" });
    let keys = [(); 2].map(|()| again.brings(&world, "quickstart", &wish)["api_key"].clone());
    assert_eq!(keys[0], keys[1]);
    assert_eq!(again.fails(&world, "quickstart", &json!({ "name": "Other", "agent_type": "tool" })), "idempotency_key_reused");
    assert_eq!(NOBODY.fails(&world, "quickstart", &json!({ "name": "\u{200b}", "agent_type": "tool" })), "invalid_request");
    let closed = World::new(&[("IDENTITY_TYPES", "service_auth")]);
    assert_eq!(NOBODY.fails(&closed, "quickstart", &wish), "anonymous_not_enabled");
}

#[test]
fn authenticate_takes_the_key_from_the_argument_or_the_header_and_never_two() {
    let world = World::new(&[("PRE_CLAIM_SCOPES", "api.read api.list"), ("SCOPES_SUPPORTED", "api.read api.list api.write")]);
    let (key, token) = agent(&world);
    let got = NOBODY.brings(&world, "authenticate", &json!({ "api_key": key }));
    assert_eq!((&got["token_type"], &got["expires_in"]), (&json!("Bearer"), &json!(900)));
    let scope = got["scope"].as_str().unwrap();
    assert!(scope.contains("api.list api.read") && scope.contains("credentials.write") && !scope.contains("api.write"), "{scope}");
    for time in ["issued_at", "expires_at", "refresh_before"] {
        assert!(got[time].as_str().unwrap().ends_with('Z'), "{time}");
    }
    let narrow = by(&key).brings(&world, "authenticate", &json!({ "scopes": ["api.read"] }));
    assert_eq!(narrow["scope"], "api.read");
    assert_eq!(by(&key).brings(&world, "authenticate", &json!({ "api_key": key }))["token_type"], "Bearer");
    assert_eq!(by(&token).fails(&world, "authenticate", &json!({ "api_key": key })), "conflicting_credentials");
    assert_eq!(NOBODY.fails(&world, "authenticate", &json!({ "api_key": key, "scopes": ["api.write"] })), "invalid_scope");
    assert_eq!(NOBODY.fails(&world, "authenticate", &json!({ "api_key": "postern_x" })), "invalid_client");
    assert_eq!(NOBODY.fails(&world, "authenticate", &json!({})), "invalid_request");
}

#[test]
fn a_token_may_come_as_an_argument_where_there_is_no_header() {
    let world = World::new(&[]);
    let ((key, token), (_, other)) = (agent(&world), agent(&world));
    for credential in [&key, &token] {
        assert_eq!(NOBODY.brings(&world, "whoami", &json!({ "access_token": credential }))["status"], "unclaimed");
    }
    assert_eq!(by(&token).brings(&world, "whoami", &json!({ "access_token": token }))["status"], "unclaimed");
    assert_eq!(by(&token).fails(&world, "whoami", &json!({ "access_token": other })), "conflicting_credentials");
    for bad in ["x", "a b", "\u{1f600}"] {
        assert_eq!(NOBODY.fails(&world, "whoami", &json!({ "access_token": bad })), "invalid_token", "{bad}");
    }
    let empty = NOBODY.legacy(&world, "tools/call", json!({ "name": "whoami", "arguments": { "access_token": 1 } }));
    assert_eq!(empty.status(), 401, "what is no text is no credential");
}

#[test]
fn a_token_is_known_to_whoever_holds_it_and_to_nobody_else() {
    let world = World::new(&[]);
    let ((key, token), (_, other)) = (agent(&world), agent(&world));
    let about = |sender: Sender<'_>, token: &str| sender.brings(&world, "introspect_token", &json!({ "token": token }));
    for sender in [NOBODY, by(&token), by(&key)] {
        let told = about(sender, &token);
        assert_eq!((&told["active"], &told["token_use"]), (&json!(true), &json!("access_token")));
    }
    assert_eq!(about(by(&token), &key)["token_use"], "api_key");
    assert_eq!(
        (about(by(&other), &token)["token_use"].clone(), about(by(&other), &key)["active"].clone()),
        (json!("access_token"), json!(true))
    );
    for sender in [NOBODY, by(&token)] {
        assert_eq!(about(sender, "garbage"), json!({ "active": false }));
    }
    NOBODY.brings(&world, "revoke_token", &json!({ "token": token }));
    world.later(2);
    assert_eq!(about(NOBODY, &token), json!({ "active": false }));
}

#[test]
fn whoever_holds_a_token_may_end_it_whoever_they_talk_to_us_as() {
    let world = World::new(&[]);
    let ((key, token), (other_key, other)) = (agent(&world), agent(&world));
    for _ in 0..2 {
        assert_eq!(by(&other).brings(&world, "revoke_token", &json!({ "token": token })), json!({}));
    }
    world.later(2);
    assert_eq!((world.call(&token), world.call(&key), world.call(&other)), (401, 200, 200));
    let token = NOBODY.brings(&world, "authenticate", &json!({ "api_key": key }))["access_token"].as_str().unwrap().to_owned();
    assert_eq!(by(&other).brings(&world, "revoke_token", &json!({ "token": other_key })), json!({}));
    for garbage in ["garbage", "a.b.c"] {
        assert_eq!(NOBODY.brings(&world, "revoke_token", &json!({ "token": garbage })), json!({}));
    }
    by(&token).brings(&world, "revoke_token", &json!({ "token": key }));
    world.later(2);
    assert_eq!((world.call(&key), world.call(&token)), (401, 401), "with the key go its tokens");
}

#[test]
fn an_agent_registers_is_claimed_and_goes_on_with_its_refresh_token() {
    let world = World::new(&[]);
    let mine = NOBODY.brings(&world, "register", &json!({ "agent": "Scout" }));
    let token = mine["claim_token"].as_str().unwrap();
    assert!(mine["identity_assertion"].is_string() && mine["registration_id"].is_string());
    let attempt = NOBODY.brings(&world, "claim", &json!({ "claim_token": token, "login_hint": "ada@example.com" }));
    assert_eq!(attempt["status"], "initiated");
    assert!(attempt["claim_attempt"]["verification_uri"].as_str().unwrap().starts_with("https://auth.example.com/"));
    assert_eq!(NOBODY.brings(&world, "claim_status", &json!({ "claim_token": token })), json!({ "status": "pending", "interval": 5 }));
    assert_eq!(NOBODY.fails(&world, "claim_status", &json!({ "claim_token": token })), "slow_down");
    assert_eq!(NOBODY.fails(&world, "claim_status", &json!({ "claim_token": "clm_x" })), "expired_token");
    assert_eq!(NOBODY.fails(&world, "claim", &json!({ "claim_token": "clm_x", "login_hint": "ada@example.com" })), "invalid_claim_token");
    assert_eq!(NOBODY.fails(&world, "claim", &json!({ "claim_token": token, "login_hint": "nobody" })), "invalid_login_hint");

    let uri = attempt["claim_attempt"]["verification_uri"].as_str().unwrap();
    let mut ada = Person::anybody(&world);
    ada.come_in(uri.strip_prefix(ISSUER).unwrap(), "ada@example.com");
    let page = percent_decode_str(uri.split_once("return_to=").unwrap().1).decode_utf8().unwrap().into_owned();
    assert_eq!(ada.get(&page).status(), 200);
    let code = attempt["claim_attempt"]["user_code"].as_str().unwrap();
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
    world.later(10);
    let got = NOBODY.brings(&world, "claim_status", &json!({ "claim_token": token }));
    assert_eq!(
        (&got["status"], by(got["access_token"].as_str().unwrap()).brings(&world, "whoami", &json!({}))["status"].clone()),
        (&json!("claimed"), json!("claimed"))
    );
    let refresh = got["identity"]["refresh_token"]["value"].as_str().unwrap();
    let next = NOBODY.brings(&world, "refresh_token", &json!({ "refresh_token_value": refresh }));
    assert_eq!(world.call(next["access_token"].as_str().unwrap()), 200);
    assert!(next["refresh_token"].is_string() && next["refresh_token"] != refresh && next["refresh_before"].is_string());
    assert_eq!(NOBODY.fails(&world, "refresh_token", &json!({ "refresh_token_value": "x" })), "invalid_client");
}

#[test]
fn no_secret_is_echoed_by_a_failure() {
    let world = World::new(&[]);
    let secret = "sUp3rs3cretValue0123456789";
    for (name, argument) in [
        ("authenticate", "api_key"),
        ("whoami", "access_token"),
        ("refresh_token", "refresh_token_value"),
        ("introspect_token", "token"),
        ("revoke_token", "token"),
        ("claim_status", "claim_token"),
    ] {
        for arguments in [json!({ argument: secret }), json!({ argument: [secret] }), json!({ argument: secret, secret: secret })] {
            let answer = NOBODY.legacy(&world, "tools/call", json!({ "name": name, "arguments": arguments }));
            assert!(!String::from_utf8_lossy(answer.0.body()).contains(secret), "{name}");
            let reason = answer.0.extensions().get::<postern::http::reply::Reason>().map(|reason| reason.0.clone()).unwrap_or_default();
            assert!(!reason.contains(secret), "{name}: {reason}");
        }
    }
    assert!(!world.platform.warnings.borrow().iter().any(|warning| warning.contains(secret)));
}

#[test]
fn a_store_that_is_lost_is_a_failure_that_says_when_to_come_again() {
    let world = World::new(&[]);
    let (key, _) = agent(&world);
    world.platform.lost.borrow_mut().push("registration");
    let (told, failed) = NOBODY.call(&world, "authenticate", &json!({ "api_key": key }));
    assert!(failed && told["error"] == "temporarily_unavailable" && told["retry_after"] == 2, "{told}");
}

#[test]
fn discover_tells_what_the_well_known_document_tells() {
    let world = World::new(&[]);
    let document = world.get("/.well-known/agent-configuration").json();
    assert_eq!(NOBODY.brings(&world, "discover", &json!({})), document);
    let metadata = world.get("/.well-known/oauth-authorization-server").json();
    for (name, value) in metadata.as_object().unwrap() {
        // Its own token endpoint takes JSON too, and its scopes are those that manage agents too.
        if !["claims_supported", "service_documentation", "token_endpoint", "scopes_supported"].contains(&name.as_str()) {
            assert_eq!(&document[name], value, "{name}");
        }
    }
    for name in ["version", "endpoints"] {
        assert_eq!(document[name], Value::Null, "a client of another protocol would take it for its own");
    }
    for name in ["token_introspection_endpoint", "token_revocation_endpoint", "mcp_endpoint", "jwks_uri"] {
        assert!(document[name].as_str().unwrap().starts_with("https://auth.example.com/"), "{name}");
    }
    assert_eq!(document["token_lifetimes"]["access_token_seconds"], 900);
    let quickstart = listed(&world).into_iter().find(|tool| tool["name"] == "quickstart").unwrap();
    assert_eq!(document["agent_types_supported"], quickstart["inputSchema"]["properties"]["agent_type"]["enum"]);
}

#[test]
fn whoever_shows_a_proof_is_told_that_tools_bind_no_token() {
    let world = World::new(&[]);
    let (key, _) = agent(&world);
    let sender = Sender { headers: &[("dpop", "a.b.c")], ..Sender::default() };
    assert_eq!(sender.fails(&world, "authenticate", &json!({ "api_key": key })), "invalid_request");
    assert_eq!(sender.fails(&world, "quickstart", &json!({ "name": "Scout", "agent_type": "tool" })), "invalid_request");
    assert_eq!(NOBODY.fails(&world, "authenticate", &json!({ "api_key": key, "scopes": [] })), "invalid_request");
}

#[test]
fn nobody_comes_in_by_a_tool_where_no_dialect_is_spoken() {
    let world = World::new(&[("AUTH_MD_DIALECTS", "none")]);
    assert_eq!(NOBODY.fails(&world, "quickstart", &json!({ "name": "Scout", "agent_type": "tool" })), "anonymous_not_enabled");
}
