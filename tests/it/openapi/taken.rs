//! Every operation once with what it takes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::operations;
use crate::clients::register;
use crate::person::Person;
use crate::provider;
use crate::world::{Answer, ISSUER, World};

const OPERATOR: &str = "operator-operator-operator-operator";
/// The authenticator of the tests in workerd signs these; none is here.
const ELSEWHERE: [&str; 2] = ["addPasskey", "signInWithPasskey"];

fn send(world: &World, method: &str, path: &str, bearer: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {bearer}");
    let answer =
        world.send("192.0.2.9", method, path, &[("authorization", &bearer), ("content-type", "application/json")], &body.to_string());
    assert!(answer.status() < 400, "{method} {path}: {} {}", answer.status(), answer.json());
    answer
}

#[test]
fn every_operation_takes_what_is_described() {
    let mut done = BTreeSet::new();
    let mut within = |world: World, ask: &[fn(&World)]| {
        ask.iter().for_each(|ask| ask(&world));
        done.extend(world.met.into_inner().into_iter().filter(|(_, status)| *status < 400).map(|(name, _)| name));
    };
    within(crate::upstream::world(), &[crate::golden::everything, crate::upstream::everything, unlinked]);
    within(pictured(), &[documents, pictures]);
    within(provider::world(), &[events]);
    within(World::new(&[]), &[keys, tokens, clients, agents, mcp]);
    within(World::new(&[]), &[delegations]);
    within(World::new(&[]), &[people]);
    within(World::new(&[]), &[account, relying]);
    within(World::new(&[]), &[crate::api::agents::everything]);
    within(World::new(&[]), &[crate::api::keys_and_tokens]);
    within(World::new(&[]), &[crate::api::policies::everything]);
    within(World::new(&[]), &[crate::api::webhooks::everything]);
    within(crate::personal_keys::world(), &[crate::personal_tree::everything]);
    let all: BTreeSet<String> = operations().map(|(.., operation)| operation["operationId"].as_str().unwrap().to_owned()).collect();
    let missing: Vec<&String> = all.difference(&done).collect();
    assert_eq!(missing, ELSEWHERE);
}

/// Whoever has come in by a provider signs in anew before a provider is removed.
fn unlinked(world: &World) {
    let mut eve = Person::anybody(world);
    crate::upstream::sign_in_with(&mut eve, world, crate::upstream::ID, |_| {});
    assert_eq!(eve.get("/account").status(), 200);
    assert_eq!(eve.post("/account/identities/remove", &[("identity", "1")]).status(), 303);
}

fn pictured() -> World {
    let providers = r#"[{"issuer":"https://p.example.com","name":"P","logo":"https://p.example.com/logo.png"}]"#;
    let mut world = World::new(&[("SERVICE_LOGO", "https://example.com/logo.png"), ("TRUSTED_PROVIDERS", providers)]);
    for url in ["https://p.example.com/logo.png", "https://example.com/logo.png"] {
        provider::answer(&world, url, 200, "image/png", "x".into(), None);
    }
    world.development = true;
    world
}

/// What needs nothing but to be asked for.
fn documents(world: &World) {
    for (method, path, operation) in operations() {
        let tag = &operation["tags"][0];
        if method == "GET" && (tag == "Discovery" || tag == "Service") && !path.contains('{') {
            let answer = world.get(path);
            let unknown = path.starts_with("/mcp/") || path.ends_with("/mcp") || path.contains("/api/v1");
            assert!(answer.status() == 200 || unknown, "{path}: {}", answer.status());
        }
    }
}

fn pictures(world: &World) {
    assert_eq!(world.get("/logo/0").status(), 200);
    let etag = world.get("/openapi.json").header("etag").unwrap().to_owned();
    assert_eq!(world.send("192.0.2.1", "GET", "/openapi.json", &[("if-none-match", &etag)], "").status(), 304);
}

fn events(world: &World) {
    provider::admitted(world, &provider::word(world, "user-1", "ada@example.com"));
    assert_eq!(provider::push(world, &provider::event_of(world, "user-1")), 202);
    provider::admitted(world, &provider::word(world, "user-2", "eve@example.com"));
    let events = json!({ postern::provider::event::REVOKED[0]: {} });
    let now = world.platform.now.get().seconds();
    let claims = json!({ "iss": provider::PROVIDER, "sub": "user-2", "aud": ISSUER, "jti": "two", "iat": now, "events": events });
    let logout = provider::token(provider::KEY, &provider::header("logout+jwt"), &claims);
    let answer = world.send("192.0.2.2", "POST", "/agent/auth/revoke", &[("content-type", "application/logout+jwt")], &logout);
    assert_eq!(answer.json(), json!({ "revoked": 1 }));
}

fn keys(world: &World) {
    let keys = send(world, "POST", "/operator/keys/rotate", OPERATOR, &json!({})).json();
    let kid = keys["keys"].as_array().unwrap().iter().find(|key| key["state"] == "next").unwrap()["kid"].clone();
    send(world, "POST", "/operator/keys/revoke", OPERATOR, &json!({ "kid": kid }));
    send(world, "GET", "/operator/keys", OPERATOR, &Value::Null);
}

/// An agent's key, of the dialect that has keys.
fn key(world: &World) -> Answer {
    world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }))
}

fn tokens(world: &World) {
    let agent = key(world);
    let secret = agent.text("credential");
    let token = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &secret)]).text("access_token");
    let introspected = world.form("/oauth2/introspect", &[("client_secret", &secret), ("token", &token)]);
    assert_eq!(introspected.json()["active"], true);
    assert_eq!(world.form("/oauth2/introspect", &[("client_secret", &secret), ("token", &secret)]).json()["token_use"], "api_key");
    send(world, "GET", "/api/v1/auth/me", &secret, &Value::Null);
    send(world, "GET", "/api/v1", &token, &Value::Null);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let list = claims["status"]["status_list"]["uri"].as_str().unwrap().replace(ISSUER, "");
    assert_eq!(world.get(&list).status(), 200);
    assert_eq!(world.form("/oauth2/revoke", &[("token", &token)]).status(), 200);
    send(world, "POST", "/operator/registrations/revoke", OPERATOR, &json!({ "registration_id": agent.text("registration_id") }));
    assert_eq!(world.form("/oauth2/authorize", &[("client_id", "x")]).status(), 303);
}

fn clients(world: &World) {
    let own = register(world, &json!({ "redirect_uris": ["https://a.example.com/cb"], "client_name": "A" }));
    let text = |name: &str| own[name].as_str().unwrap().to_owned();
    let path = text("registration_client_uri").replace(ISSUER, "");
    send(world, "GET", &path, &text("registration_access_token"), &Value::Null);
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let fields = [
        ("client_id", &*text("client_id")),
        ("client_secret", &text("client_secret")),
        ("response_type", "code"),
        ("redirect_uri", "https://a.example.com/cb"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let pushed = world.form("/oauth2/par", &fields);
    assert_eq!(pushed.status(), 201, "{}", pushed.json());
    let made =
        send(world, "POST", "/operator/clients", OPERATOR, &json!({ "client_name": "P", "redirect_uris": ["https://p.example.com/cb"] }));
    send(world, "GET", &format!("/operator/clients/{}", made.text("client_id")), OPERATOR, &Value::Null);
}

fn delegations(world: &World) {
    let (key, other) = (crate::api::delegations::Agent::root(world).key, key(world));
    let answers = other.text("credential");
    let body = json!({ "delegate_agent_id": other.text("registration_id"), "scopes": ["api.read"] });
    for answer in ["accept", "decline"] {
        let id = send(world, "POST", "/api/v1/delegations", &key, &body).text("id");
        send(world, "POST", &format!("/api/v1/delegations/{id}/{answer}"), &answers, &Value::Null);
        for path in ["", "/chain"] {
            send(world, "GET", &format!("/api/v1/delegations/{id}{path}"), &key, &Value::Null);
        }
        send(world, "GET", "/api/v1/delegations", &key, &Value::Null);
        send(world, "DELETE", &format!("/api/v1/delegations/{id}"), &key, &Value::Null);
    }
}

/// A claim by the mailed link, with the code on a page of the service's own.
fn agents(world: &World) {
    let agent = key(world);
    let started = world.json("/agent/auth/claim", &json!({ "claim_token": agent.text("claim_token"), "email": "eve@example.com" }));
    assert_eq!(started.text("status"), "initiated");
    let link = world.platform.mails.borrow().last().unwrap().links[0].clone();
    let token = link.split_once('=').unwrap().1.to_owned();
    let mut eve = Person::sign_in(world, "eve@example.com");
    eve.get("/account");
    let shown = script(world, &eve, "/agent/auth/claim/attempt/challenge", &json!({ "claim_attempt_token": token }));
    assert_eq!(shown.status(), 200, "{}", shown.json());
    let complete = json!({ "claim_token": agent.text("claim_token"), "otp": shown.text("challenge") });
    assert_eq!(world.json("/agent/auth/claim/complete", &complete).text("status"), "claimed");
}

/// A request of a script on a page of ours.
fn script(world: &World, person: &Person<'_>, path: &str, body: &Value) -> Answer {
    let cookie = person.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let csrf = person.hidden("csrf").unwrap_or_default();
    let headers = [("cookie", cookie.as_str()), ("content-type", "application/json"), ("x-csrf", &csrf)];
    world.send("198.51.100.7", "POST", path, &headers, &body.to_string())
}

fn mcp(world: &World) {
    let key = key(world).text("credential");
    let ask = |headers: &[(&str, &str)], body: &Value| {
        let bearer = format!("Bearer {key}");
        let all = [&[("authorization", bearer.as_str()), ("content-type", "application/json")], headers].concat();
        world.send("192.0.2.1", "POST", "/mcp", &all, &body.to_string()).status()
    };
    let rpc = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    for method in ["initialize", "ping", "tools/list", "no/such/method"] {
        assert_eq!(ask(&[], &rpc(method, json!({}))), 200, "{method}");
    }
    assert_eq!(ask(&[], &rpc("tools/call", json!({ "name": "whoami" }))), 200);
    assert_eq!(ask(&[], &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })), 202);
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
    for (method, name, status) in
        [("server/discover", None, 200), ("tools/list", None, 200), ("tools/call", Some("whoami"), 200), ("x", None, 404)]
    {
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        let params = match name {
            Some(name) => json!({ "_meta": meta, "name": name }),
            None => json!({ "_meta": meta }),
        };
        assert_eq!(ask(&headers, &rpc(method, params)), status, "{method}");
    }
    assert_eq!(ask(&[("mcp-protocol-version", "1999-01-01")], &rpc("ping", json!({}))), 400);
}

fn people(world: &World) {
    let mut ada = Person::sign_in(world, "ada@example.com");
    assert_eq!((ada.get("/login").status(), ada.get("/account").status()), (303, 200));
    let mut other = Person::at(world, "198.51.100.8");
    other.get("/login");
    assert_eq!(other.post("/login", &[("email", "ada@example.com")]).status(), 200);
    let link = world.platform.mails.borrow().last().unwrap().links[0].replace(ISSUER, "");
    let token = link.split_once("token=").unwrap().1.to_owned();
    assert_eq!(other.get(&link).status(), 200);
    assert_eq!(other.post("/login/link", &[("token", &token)]).status(), 303);
    let options = script(world, &ada, "/login/passkey/options", &json!({}));
    assert_eq!(options.status(), 200, "{}", options.json());
    assert_eq!(script(world, &ada, "/account/passkeys/options", &json!({})).status(), 200);
    let operator = [("accept", "text/html")];
    let page = world.send("198.51.100.9", "GET", "/operator/traces", &operator, "");
    let (_, rest) = std::str::from_utf8(page.0.body()).unwrap().split_once("name=\"csrf\" value=\"").unwrap();
    let body = format!("key={OPERATOR}&csrf={}", rest.split('"').next().unwrap());
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let headers = [("cookie", cookie.as_str()), ("content-type", super::FORM), ("accept", "text/html")];
    assert_eq!(world.send("198.51.100.9", "POST", "/operator/traces", &headers, &body).status(), 303);
    let headers = [("accept", "text/html"), ("authorization", &*format!("Bearer {OPERATOR}"))];
    assert_eq!(world.send("198.51.100.9", "GET", "/operator/traces", &headers, "").status(), 200);
}

fn account(world: &World) {
    let mut ada = Person::sign_in(world, "ada@example.com");
    for (path, field) in [
        ("/account/agents/revoke-all", ("x", "")),
        ("/account/passkeys/remove", ("credential", "x")),
        ("/account/sessions/end-others", ("x", "")),
    ] {
        assert_eq!(ada.get("/account").status(), 200);
        assert_eq!(ada.post(path, &[field]).status(), 303, "{path}");
    }
    let cell = world.platform.cells.borrow().keys().find_map(|name| name.strip_prefix("session/").map(str::to_owned)).unwrap();
    ada.get("/account");
    assert_eq!(ada.post("/account/sessions/end", &[("session", &cell)]).status(), 303);
    for change in ["suspend", "resume", "erase"] {
        send(world, "POST", &format!("/operator/people/{change}"), OPERATOR, &json!({ "email": "ada@example.com" }));
    }
}

/// A client that signs its person in and out.
fn relying(world: &World) {
    let mut ada = Person::sign_in(world, "eve@example.com");
    let client = crate::oidc::flow::client(world, 1, &json!({}));
    let tokens = crate::oidc::flow::connect(world, &mut ada, 1, &client, crate::oidc::flow::EVERYTHING);
    for method in ["GET", "POST"] {
        send(world, method, "/oauth2/userinfo", &tokens.text("access_token"), &Value::Null);
    }
    assert_eq!(ada.get("/account").status(), 200);
    let (_, grant) = ada.page.split_once("name=\"grant\" value=\"").unwrap();
    let grant = grant.split('"').next().unwrap().to_owned();
    assert_eq!(ada.post("/account/clients/revoke", &[("grant", &grant)]).status(), 303);
    assert_eq!(ada.get(&format!("/oauth2/logout?client_id={client}")).status(), 200);
    assert_eq!(ada.post("/oauth2/logout", &[("client_id", &client)]).status(), 200);
}
