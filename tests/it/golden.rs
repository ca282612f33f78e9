//! Pinned bytes: documents, answers, and what is at rest. `UPDATE_GOLDEN=1 cargo test` writes them anew; a change of what is at rest
//! may only add.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::clients::{mcp_remote, register};
use crate::person::{Person, page};
use crate::world::{ISSUER, World};

const CLAIM: &str = "urn:workos:agent-auth:grant-type:claim";

pub fn check(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name} has changed; it is now\n{actual}");
}

pub fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

const ROOT: &str = r#"[{"uri":"https://api.example.com/v1","name":"Example","documentation":"https://example.com/docs","scopes":["api.read"],"alternates":["https://api.example.com/v1/"]}]"#;

#[test]
fn documents() {
    let world = World::new(&[("SERVICE_NAME", "Example"), ("SERVICE_LOGO", "https://example.com/logo.svg"), ("RESOURCES", ROOT)]);
    for (name, path) in [
        ("protected-resource.json", "/.well-known/oauth-protected-resource"),
        ("authorization-server.json", "/.well-known/oauth-authorization-server"),
        ("agent-configuration.json", "/.well-known/agent-configuration"),
        ("jwks.json", "/.well-known/jwks.json"),
    ] {
        let answer = world.get(path);
        assert_eq!(answer.status(), 200, "{path}");
        check(&format!("documents/{name}"), &pretty(&answer.json()));
    }
    for (name, path) in
        [("auth.md", "/auth.md"), ("llms.txt", "/llms.txt"), ("security.txt", "/.well-known/security.txt"), ("home.html", "/")]
    {
        check(&format!("documents/{name}"), std::str::from_utf8(world.get(path).0.body()).unwrap());
    }
}

#[test]
fn answers() {
    let world = World::new(&[]);
    let identity = world.json("/agent/identity", &json!({ "type": "anonymous" }));
    check("answers/identity.json", &pretty(&identity.json()));
    let v01 =
        world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key", "email": "ada@example.com" }));
    check("answers/register-v01.json", &pretty(&v01.json()));
    let token = world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &v01.text("credential"))]);
    check("answers/token.json", &pretty(&token.json()));
    let parts = token.text("access_token");
    let part =
        |index: usize| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(parts.split('.').nth(index).unwrap()).unwrap()).unwrap();
    check("answers/access-token.json", &pretty(&json!({ "header": part(0), "claims": part(1) })));
    let bearer = format!("Bearer {}", token.text("access_token"));
    let me = world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &bearer)], "");
    check("answers/me.json", &pretty(&me.json()));
    let introspection = world.send(
        "192.0.2.1",
        "POST",
        "/oauth2/introspect",
        &[("authorization", &bearer), ("content-type", "application/x-www-form-urlencoded")],
        &format!("token={}", token.text("access_token")),
    );
    check("answers/introspection.json", &pretty(&introspection.json()));
    check("answers/register-client-public.json", &pretty(&register(&world, &mcp_remote())));
    let confidential = json!({ "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "client_name": "Claude" });
    check("answers/register-client-confidential.json", &pretty(&register(&world, &confidential)));
    for (name, answer) in [
        ("unauthorized-problem", world.get("/api/v1/auth/me")),
        (
            "invalid-grant-oauth",
            world.form("/oauth2/token", &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", "x")]),
        ),
        ("invalid-request-agent", world.json("/agent/identity", &json!({}))),
    ] {
        let challenge = answer.header("www-authenticate").map(str::to_owned);
        check(
            &format!("answers/{name}.json"),
            &pretty(&json!({ "status": answer.status(), "www-authenticate": challenge, "body": answer.json() })),
        );
    }
}

/// What this version has at rest. Later versions must still read these files, so they are never written anew for an old version.
#[test]
fn records() {
    let world = World::new(&[]);
    let v01 = world.json(
        "/agent/auth",
        &json!({ "type": "anonymous", "requested_credential_type": "api_key", "email": "ada@example.com", "agent": "claude-code" }),
    );
    let token = world
        .form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &v01.text("credential"))])
        .text("access_token");
    world.form("/oauth2/revoke", &[("token", &token)]);
    everything(&world);
    crate::personal_tree::everything(&world);
    let shown = |world: &World| -> Value {
        let cells = world.platform.cells.borrow();
        // A list's bits are long; its form is what counts.
        let short = |text: &String| serde_json::from_str::<Value>(&text.replace(&"A".repeat(1000), "")).unwrap();
        cells.iter().map(|(name, text)| (name.clone(), short(text))).collect::<serde_json::Map<_, _>>().into()
    };
    let before = shown(&world);
    check("records/0.2.0.json", &pretty(&before));
    world.ring();
    assert!(world.platform.directory.borrow().contains_key("keyring"), "{ISSUER} has published its keys");
}

/// Commands and outcomes cross between versions while a deployment rolls out: the new must read the old.
#[test]
fn commands() {
    use postern::machine::{
        Machine, address, authorization, budget, client, client_index, delegation, device, grant, keyring, limit, link, login, once,
        outbox, quota, registration, session, status_index, status_list, trace, trace_index, upstream, waiting,
    };

    fn reads<M: Machine>(all: &Value) {
        let list = |what: &str| all[M::KIND][what].as_array().cloned().unwrap_or_default();
        for command in list("commands") {
            serde_json::from_value::<M::Command>(command.clone()).unwrap_or_else(|error| panic!("{} {command}: {error}", M::KIND));
        }
        for outcome in list("outcomes") {
            serde_json::from_value::<M::Outcome>(outcome.clone()).unwrap_or_else(|error| panic!("{} {outcome}: {error}", M::KIND));
        }
    }
    for version in [include_str!("../golden/commands/0.1.0.json"), include_str!("../golden/commands/0.2.0.json")] {
        let all: Value = serde_json::from_str(version).unwrap();
        reads::<address::Address>(&all);
        reads::<budget::Budget>(&all);
        reads::<authorization::Authorization>(&all);
        reads::<delegation::Delegation>(&all);
        reads::<device::Device>(&all);
        reads::<client::Registered>(&all);
        reads::<client_index::ClientIndex>(&all);
        reads::<grant::Grant>(&all);
        reads::<keyring::KeyRing>(&all);
        reads::<limit::Limit>(&all);
        reads::<link::Link>(&all);
        reads::<login::Login>(&all);
        reads::<once::Once>(&all);
        reads::<outbox::Outbox>(&all);
        reads::<quota::Quota>(&all);
        reads::<registration::Registration>(&all);
        reads::<session::Session>(&all);
        reads::<status_index::StatusIndex>(&all);
        reads::<status_list::StatusList>(&all);
        reads::<trace::Trace>(&all);
        reads::<trace_index::TraceIndex>(&all);
        reads::<upstream::Upstream>(&all);
        reads::<waiting::Waiting>(&all);
    }
}

/// What this version says to its records, and they answer. As with records, an older version's file is never written anew.
#[test]
fn commands_of_this_version() {
    let world = crate::upstream::world();
    everything(&world);
    crate::upstream::everything(&world);
    crate::personal_tree::everything(&world);
    let mut all: serde_json::Map<String, Value> = serde_json::Map::new();
    for (name, forms) in world.platform.samples.borrow().iter() {
        let (kind, what) = name.rsplit_once('/').unwrap();
        // Which places a token gets depends on nothing that is pinned here.
        let list: Vec<Value> = forms.values().cloned().collect();
        all.entry(kind.to_owned()).or_insert_with(|| json!({}))[what] = list.into();
    }
    check("commands/0.2.0.json", &pretty(&all.into()));
}

/// A ceremony of each kind, by both ways, and what comes after it.
pub fn everything(world: &World) {
    let anonymous = world.json("/agent/identity", &json!({ "type": "anonymous", "agent": "claude-code" })).json();
    world.form("/oauth2/token", &[("grant_type", CLAIM), ("claim_token", anonymous["claim_token"].as_str().unwrap())]);
    let start = json!({ "type": "login_hint", "claim_token": anonymous["claim_token"], "login_hint": "ada@example.com" });
    let started = world.json("/agent/identity/claim", &start).json();
    let mut ada = Person::sign_in(world, "ada@example.com");
    assert_eq!(ada.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
    let code = started["claim_attempt"]["user_code"].as_str().unwrap();
    assert_eq!(ada.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
    let got = world.form("/oauth2/token", &[("grant_type", CLAIM), ("claim_token", anonymous["claim_token"].as_str().unwrap())]);
    assert_eq!(got.status(), 200, "{}", got.json());

    let service = world.json("/agent/identity", &json!({ "type": "service_auth", "login_hint": "ada@example.com" })).json();
    assert_eq!(ada.get(&page(service["claim"]["verification_uri"].as_str().unwrap())).status(), 200);
    assert_eq!(ada.post("/claim/code", &[]).status(), 200);
    let complete = json!({ "claim_token": service["claim"]["token"], "user_code": ada.code() });
    let done = world.json("/agent/identity/claim/complete", &complete);
    assert_eq!(done.status(), 200, "{}", done.json());
    let refresh = json!({ "type": "refresh", "refresh_token": done.json()["identity"]["refresh_token"]["value"] });
    assert_eq!(world.json("/agent/identity", &refresh).status(), 200);
    world.ring();

    let denied = world.json("/agent/identity", &json!({ "type": "service_auth", "login_hint": "ada@example.com" })).json();
    ada.get(&page(denied["claim"]["verification_uri"].as_str().unwrap()));
    assert_eq!(ada.post("/claim/deny", &[]).status(), 200);
    assert_eq!(ada.get("/account").status(), 200);
    let registration = service["registration_id"].as_str().unwrap();
    assert_eq!(ada.post("/account/agents/revoke", &[("registration", registration)]).status(), 303);
    // A client that wants to hear of the end of the session, and cannot be reached.
    let backchannel = json!({ "backchannel_logout_uri": "https://rp1.example.com/backchannel", "subject_type": "pairwise" });
    let relying = crate::oidc::flow::client(world, 1, &backchannel);
    crate::oidc::flow::connect(world, &mut ada, 1, &relying, crate::oidc::flow::EVERYTHING);
    ada.get("/account");
    assert_eq!(ada.post("/logout", &[]).status(), 303);
    clients(world);
    world.ring();
    device(world);

    world.form("/oauth2/token", &[("grant_type", "password"), ("client_id", "a-client")]);
    let operator = [("authorization", "Bearer operator-operator-operator-operator")];
    let traces = world.send("192.0.2.1", "GET", "/operator/traces?client_id=a-client", &operator, "").json();
    let trace = format!("/operator/traces/{}", traces["traces"][0]["trace"].as_str().unwrap());
    assert_eq!(world.send("192.0.2.1", "GET", &trace, &operator, "").status(), 200);
    crate::api::delegations::everything(world);
}

/// Clients of each kind, and all that can happen to them.
fn clients(world: &World) {
    let shared = register(world, &mcp_remote());
    let client = crate::clients::find(world, shared["client_id"].as_str().unwrap()).unwrap();
    let cx = world.cx("192.0.2.1");
    assert!(crate::world::block(postern::client::used(&client, cx.now.plus(postern::time::Ttl::from_seconds(86400)), &cx)).unwrap());
    let own = register(world, &json!({ "redirect_uris": ["https://a.example.com/cb"], "client_name": "A" }));
    let path = own["registration_client_uri"].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
    let call = |method: &str, path: &str, token: &str, body: &Value| {
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send("192.0.2.1", method, path, &headers, &body.to_string())
    };
    let token = own["registration_access_token"].as_str().unwrap();
    let replaced = json!({ "client_id": own["client_id"], "redirect_uris": ["https://b.example.com/cb"] });
    assert_eq!(call("PUT", &path, token, &replaced).status(), 200);
    assert_eq!(call("DELETE", &path, token, &Value::Null).status(), 204);
    let operator = "operator-operator-operator-operator";
    let portal = json!({ "client_name": "Portal", "redirect_uris": ["https://portal.example.com/cb"] });
    let made = [0, 1].map(|_| call("POST", "/operator/clients", operator, &portal).json());
    assert_eq!(call("GET", "/operator/clients", operator, &Value::Null).status(), 200);
    let one = format!("/operator/clients/{}", made[0]["client_id"].as_str().unwrap());
    assert_eq!(call("DELETE", &one, operator, &Value::Null).status(), 204);
}

/// A device whose person says yes, and one whose person says no.
fn device(world: &World) {
    let (client, _) = crate::client::registered(world, &crate::device::metadata(), postern::machine::client::Keeper::Holder);
    let mut ada = crate::device::ada(world);
    for answer in ["allow", "deny"] {
        let waiting = crate::device::begin(world, &client, &[("scope", "api.read")]);
        waiting.poll(world);
        assert_eq!(waiting.answer(&mut ada, answer).status(), 200);
        waiting.poll(world);
    }
    world.ring();
}

/// What an older version left at rest is read, and works.
#[test]
fn old_records_are_still_read() {
    use postern::machine::registration::{Command, Outcome, Registration};
    use postern::store::Cells;

    let world = World::new(&[]);
    let old: Value = serde_json::from_str(include_str!("../golden/records/0.1.0.json")).unwrap();
    for (name, record) in old.as_object().unwrap() {
        world.platform.cells.borrow_mut().insert(name.clone(), record.to_string());
    }
    let name = old.as_object().unwrap().keys().find(|name| name.starts_with("registration/")).unwrap();
    let id = name.strip_prefix("registration/").unwrap().parse().unwrap();
    let outcome = crate::world::block(world.platform.run::<Registration>(&id, Command::Look)).unwrap();
    assert!(matches!(outcome, Outcome::Standing(standing) if standing.revoked.len() == 1));
    world.ring();
    let keys = world.get("/.well-known/jwks.json").json();
    let known = old["keyring/main"]["state"]["set"]["keys"][0]["jwk"]["kid"].as_str().unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256").count(), 1);
    assert_eq!(keys["keys"][0]["kid"], known);
}
