//! Pinned bytes: documents, answers, and what is at rest. `UPDATE_GOLDEN=1 cargo test` writes them anew; a change of what is at rest
//! may only add.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::{ISSUER, World};

fn check(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name} has changed; it is now\n{actual}");
}

fn pretty(value: &Value) -> String {
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

/// What version 0.1.0 has at rest. Later versions must still read these files, so they are never written anew for an old version.
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
    let shown = |world: &World| -> Value {
        let cells = world.platform.cells.borrow();
        // A list's bits are long; its form is what counts.
        let short = |text: &String| serde_json::from_str::<Value>(&text.replace(&"A".repeat(1000), "")).unwrap();
        cells.iter().map(|(name, text)| (name.clone(), short(text))).collect::<serde_json::Map<_, _>>().into()
    };
    let before = shown(&world);
    check("records/0.1.0.json", &pretty(&before));
    world.ring();
    assert!(world.platform.directory.borrow().contains_key("keyring"), "{ISSUER} has published its keys");
}

/// Commands and outcomes cross between versions while a deployment rolls out: the new must read the old.
#[test]
fn commands() {
    use postern::machine::{Machine, budget, keyring, limit, registration, status_index, status_list};

    fn reads<M: Machine>(samples: &Value) {
        for command in samples["commands"].as_array().unwrap() {
            serde_json::from_value::<M::Command>(command.clone()).unwrap_or_else(|error| panic!("{} {command}: {error}", M::KIND));
        }
        for outcome in samples["outcomes"].as_array().unwrap() {
            serde_json::from_value::<M::Outcome>(outcome.clone()).unwrap_or_else(|error| panic!("{} {outcome}: {error}", M::KIND));
        }
    }
    let all: Value = serde_json::from_str(include_str!("../golden/commands/0.1.0.json")).unwrap();
    reads::<registration::Registration>(&all["registration"]);
    reads::<limit::Limit>(&all["limit"]);
    reads::<budget::Budget>(&all["budget"]);
    reads::<keyring::KeyRing>(&all["keyring"]);
    reads::<status_index::StatusIndex>(&all["status_index"]);
    reads::<status_list::StatusList>(&all["status_list"]);
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
    assert_eq!(world.get("/.well-known/jwks.json").json()["keys"].as_array().unwrap().len(), 1);
}
