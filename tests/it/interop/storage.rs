//! Rows 26 and 32 to 35: where things are kept, and what a call costs.

use serde_json::{Value, json};

use crate::oauth::{BACK, allowed, exchange, register};
use crate::person::Person;
use crate::upstream;
use crate::world::World;

#[test]
fn row_26_nothing_that_an_upstream_provider_gives_is_kept_so_nothing_of_it_can_go_stale() {
    let world = upstream::world();
    let mut ada = Person::anybody(&world);
    let away = upstream::leave(&mut ada, upstream::ID, upstream::ACCOUNT);
    let claims = away.claims(&world);
    let id_token = crate::provider::token(crate::provider::Key::Es256(1), &crate::provider::header("JWT"), &claims);
    let granted = json!({
        "access_token": "an-access-token-of-theirs", "refresh_token": "a-refresh-token-of-theirs", "token_type": "Bearer", "expires_in": 3600,
        "id_token": id_token,
    });
    let token = format!("{}/token", upstream::ID);
    crate::provider::answer(&world, &token, 200, "application/json", granted.to_string().into(), None);
    ada.get(&away.callback("code=c0de"));
    assert!(upstream::is_signed_in(&mut ada));
    let kept = format!("{:?} {:?}", world.platform.cells.borrow(), world.platform.directory.borrow());
    for secret in ["an-access-token-of-theirs", "a-refresh-token-of-theirs", &*id_token, "c0de"] {
        assert!(!kept.contains(secret), "{secret}");
    }
}

#[test]
fn row_32_what_changes_often_or_lives_shortly_is_in_no_directory() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let mut token = exchange(&world, &client, &allowed(&mut ada, &client, &[])).text("refresh_token");
    let directory = world.platform.directory.borrow().clone();
    let other = register(&world, &["https://other.example/back"]);
    for _ in 0..20 {
        let fields = [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", &token)];
        let next = world.form("/oauth2/token", &fields);
        assert_eq!(world.call(&next.text("access_token")), 200);
        token = next.text("refresh_token");
        let code = allowed(&mut ada, &other, &[("redirect_uri", "https://other.example/back"), ("prompt", "consent")]);
        assert!(!code.is_empty());
    }
    world.form("/oauth2/revoke", &[("token", &token), ("client_id", &client)]);
    assert_eq!(*world.platform.directory.borrow(), directory, "codes, tokens, consent and revocation are in their own records");
}

#[test]
fn row_33_a_revocation_is_felt_at_once_here_and_within_a_second_elsewhere() {
    let mut world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let answer = {
        let mut ada = Person::sign_in(&world, "ada@example.com");
        exchange(&world, &client, &allowed(&mut ada, &client, &[]))
    };
    let token = answer.text("access_token");
    assert_eq!(world.call(&token), 200);
    let here = std::mem::take(&mut world.memory);
    assert_eq!(world.call(&token), 200);
    let fields = [("token", &*answer.text("refresh_token")), ("client_id", &client)];
    assert_eq!(world.form("/oauth2/revoke", &fields).status(), 200);
    assert_eq!(world.call(&token), 401, "where it was revoked");
    world.memory = here;
    world.later(1);
    assert_eq!(world.call(&token), 401, "and where nothing was heard of it");
}

#[test]
fn row_34_a_call_with_a_token_that_was_just_seen_asks_no_record() {
    let world = World::new(&[]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = exchange(&world, &client, &allowed(&mut ada, &client, &[])).text("access_token");
    assert_eq!(world.call(&token), 200);
    world.platform.samples.borrow_mut().clear();
    let bearer = format!("Bearer {token}");
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    for _ in 0..50 {
        assert_eq!(world.call(&token), 200);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        assert_eq!(world.send("192.0.2.9", "POST", "/mcp", &headers, &list).status(), 200);
    }
    let asked: Vec<String> = world.platform.samples.borrow().keys().filter(|kind| !kind.starts_with("trace")).cloned().collect();
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn row_35_whoever_verifies_a_token_learns_when_it_ends() {
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let world = World::new(&[("RESOURCE_SERVER_KEYS", &format!("api:{digest}"))]);
    let client = register(&world, &[BACK]);
    let mut ada = Person::sign_in(&world, "ada@example.com");
    let token = exchange(&world, &client, &allowed(&mut ada, &client, &[])).text("access_token");
    let told = crate::client::with_basic(&world, "/oauth2/introspect", "api", "secret", &format!("token={token}")).json();
    assert_eq!((&told["active"], told["exp"].as_i64()), (&Value::Bool(true), Some(world.platform.now.get().seconds() + 3600)));
    let readme = include_str!("../../../README.md");
    assert!(readme.contains("expires: payload.exp") && readme.contains("\"expires\": claims[\"exp\"]"), "the snippets return it");
}
