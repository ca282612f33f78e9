//! Agents make agents below themselves, and manage them.

pub mod lasting;
mod managed;
mod tools;

use postern::account;
use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command, NewKey, Outcome, Registration};
use postern::secret::{ApiKey, Secret};
use postern::store::{Accounts, Cells};
use postern::tenant::{self, What};
use postern::time::Ttl;
use serde_json::{Value, json};

use crate::world::{Answer, World, block};

/// An agent with a credential of its own.
pub struct Agent<'w> {
    pub world: &'w World,
    pub id: String,
    pub key: String,
    /// What quickstart answered.
    pub came: Value,
}

/// A root, from a network of its own: so many may come.
pub fn root<'w>(world: &'w World, name: &str) -> Agent<'w> {
    let count = world.platform.cells.borrow().len();
    let from = format!("198.51.{}.{}", 100 + count / 200, 1 + count % 200);
    let body = json!({ "name": name, "agent_type": "orchestrator" });
    let answer = world.send(&from, "POST", "/api/v1/agents/quickstart", &[("content-type", "application/json")], &body.to_string());
    assert_eq!(answer.status(), 201, "{}", answer.json());
    let came = answer.json();
    Agent { world, id: came["agent"]["id"].as_str().unwrap().to_owned(), key: came["api_key"].as_str().unwrap().to_owned(), came }
}

impl<'w> Agent<'w> {
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, &[], body)
    }

    pub fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let all = [&[("x-agent-key", self.key.as_str()), ("content-type", "application/json")], headers].concat();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.world.send("192.0.2.1", method, &format!("/api/v1{path}"), &all, &body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null)
    }

    /// Makes a child, and a key for it.
    pub fn child(&self, name: &str) -> Agent<'w> {
        self.child_of(&self.id, name)
    }

    pub fn child_of(&self, parent: &str, name: &str) -> Agent<'w> {
        let made =
            self.ask("POST", "/agents", &json!({ "name": name, "agent_type": "tool", "parent_agent_id": parent, "max_child_depth": 10 }));
        assert_eq!(made.status(), 201, "{}", made.json());
        let id = made.json()["data"]["id"].as_str().unwrap().to_owned();
        let key = key(self.world, &id, |key| key);
        Agent { world: self.world, id, key, came: made.json() }
    }

    pub fn set(&self, id: &str, status: &str) -> Answer {
        self.ask("PATCH", &format!("/agents/{id}"), &json!({ "status": status }))
    }

    /// What the account of this root says to a caller without a name.
    pub fn account(&self, what: What) -> tenant::Outcome {
        let command = tenant::Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
        let id: RegistrationId = self.id.parse().unwrap();
        let account = AccountId::from_digits(id.digits());
        match block(self.world.platform.account(&account, account::Command::Tenant(Box::new(command)))).unwrap() {
            account::Outcome::Tenant(outcome) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    /// The events that were audited, the oldest first.
    pub fn audited(&self) -> Vec<String> {
        let filter = tenant::AuditFilter { limit: 500, ..Default::default() };
        match self.account(What::Audit(Box::new(filter))) {
            tenant::Outcome::Audit(rows, _) => {
                rows.into_iter().map(|(.., row)| format!("{} {}", row.event_type, row.outcome.as_str())).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A new API key of that agent.
pub fn key(world: &World, id: &str, new: impl FnOnce(NewKey) -> NewKey) -> String {
    let id: RegistrationId = id.parse().unwrap();
    let bits = std::array::from_fn(|at| id.digits().as_bytes()[at % 22]);
    let secret = Secret::<ApiKey>::mint(&world.config.api_key_prefix, id.digits(), bits, &world.config.masters.current);
    let plain = NewKey { digest: secret.digest(), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
    let added = block(Cells::run::<Registration>(&world.platform, &id, Command::AddManagedKey(new(plain)))).unwrap();
    assert!(matches!(added, Outcome::Credential(..)), "{added:?}");
    secret.reveal()
}

/// Every operation once.
pub fn everything(world: &World) {
    let json = [("content-type", "application/json")];
    let wish = json!({ "name": "Scout", "agent_type": "tool" }).to_string();
    assert_eq!(world.send("203.0.113.9", "POST", "/api/v1/agents/bootstrap", &json, &wish).status(), 201);
    let agent = root(world, "Boss");
    let child = agent.child("Scout");
    for path in ["/agents", &format!("/agents/{}", child.id), &format!("/agents/{}/children", agent.id)] {
        assert_eq!(agent.get(path).status(), 200, "{path}");
    }
    assert_eq!(agent.set(&child.id, "suspended").status(), 200);
    assert_eq!(agent.ask("DELETE", &format!("/agents/{}", child.id), &Value::Null).status(), 200);
}

#[test]
fn quickstart_brings_a_root_with_a_key_and_a_token_that_manage_its_tree() {
    let world = World::new(&[]);
    let agent = root(&world, "Boss");
    let fields = ["agent", "api_key", "api_key_prefix", "claim_token", "claim_token_expires", "claim_url", "message", "scopes", "token"];
    assert_eq!(agent.came.as_object().unwrap().keys().collect::<Vec<_>>(), fields);
    let shown = agent.get(&format!("/agents/{}", agent.id)).json();
    assert_eq!(shown, json!({ "data": agent.came["agent"], "meta": { "is_root": true, "is_active": true } }));
    assert_eq!((&shown["data"]["trust_level"], &shown["data"]["max_child_depth"]), (&json!("root"), &json!(3)));
    let token = &agent.came["token"];
    for name in ["access_token", "token_type", "expires_in", "scope", "issued_at", "expires_at", "refresh_before"] {
        assert!(!token[name].is_null(), "{name}");
    }
    assert!(token["scope"].as_str().unwrap().split(' ').any(|scope| scope == "agents.write"), "{token}");
    assert!(token["scope"].as_str().unwrap().split(' ').any(|scope| scope == "api.read"), "{token}");
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let listed = world.send("192.0.2.1", "GET", "/api/v1/agents", &[("authorization", &bearer)], "");
    assert_eq!((listed.status(), &listed.json()["meta"]["total"]), (200, &json!(1)));
    let tenant::Outcome::Credentials(keys, 1) =
        agent.account(What::Credentials { agent: None, include_revoked: true, limit: 10, offset: 0 })
    else {
        panic!("the key is not listed")
    };
    assert_eq!(
        (keys[0].number, keys[0].agent.as_str(), keys[0].prefix.as_str()),
        (0, agent.id.as_str(), agent.came["api_key_prefix"].as_str().unwrap())
    );
    assert_eq!(agent.audited(), ["agent.created success", "credential.created success"]);
}

#[test]
fn names_of_roots_need_not_be_unique() {
    let world = World::new(&[]);
    assert_ne!(root(&world, "Scout").id, root(&world, "Scout").id);
}

#[test]
fn quickstart_is_repeated_under_its_idempotency_key_and_completed_if_the_account_was_lost() {
    let world = World::new(&[]);
    let headers = [("content-type", "application/json"), ("idempotency-key", "0123456789abcdef0123")];
    let ask = |name: &str| {
        let body = json!({ "name": name, "agent_type": "tool" }).to_string();
        world.send("192.0.2.1", "POST", "/api/v1/agents/quickstart", &headers, &body)
    };
    world.platform.lost.borrow_mut().push("account");
    assert_eq!(ask("Scout").status(), 503);
    world.platform.lost.borrow_mut().clear();
    let [first, second] = [(); 2].map(|()| ask("Scout").json());
    assert_eq!((&first["api_key"], &first["agent"]), (&second["api_key"], &second["agent"]));
    assert_eq!((ask("Other").status(), ask("Other").text("error")), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(world.call(first["api_key"].as_str().unwrap()), 200);
}

#[test]
fn bootstrap_brings_a_root_without_a_key_and_an_assertion_that_is_good_for_tokens() {
    let world = World::new(&[]);
    let answer = world.json("/api/v1/agents/bootstrap", &json!({ "name": "Scout", "agent_type": "tool", "metadata": { "a": [1] } }));
    let body = answer.json();
    assert_eq!((answer.status(), &body["meta"]["is_root"], &body["data"]["metadata"]), (201, &json!(true), &json!({ "a": [1] })));
    assert!(body["meta"]["claim_token"].is_string() && body.get("api_key").is_none());
    let token = world.form(
        "/oauth2/token",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", body["meta"]["identity_assertion"].as_str().unwrap()),
            ("scope", "agents.read"),
            ("resource", "https://auth.example.com/api/v1"),
        ],
    );
    let bearer = format!("Bearer {}", token.text("access_token"));
    let listed = world.send("192.0.2.1", "GET", "/api/v1/agents", &[("authorization", &bearer)], "").json();
    assert_eq!(listed["data"], json!([body["data"]]));
    let made = world.send("192.0.2.1", "POST", "/api/v1/agents", &[("authorization", &bearer), ("content-type", "application/json")], "{}");
    assert_eq!((made.status(), made.text("error")), (403, "insufficient_scope".to_owned()));
}

#[test]
fn nobody_comes_in_where_agents_need_a_person_or_without_what_can_be_seen() {
    let closed = World::new(&[("IDENTITY_TYPES", "service_auth")]);
    let world = World::new(&[]);
    for path in ["/api/v1/agents/quickstart", "/api/v1/agents/bootstrap"] {
        let wish = json!({ "name": "Scout", "agent_type": "tool" });
        assert_eq!(closed.json(path, &wish).text("error"), "anonymous_not_enabled");
        for (field, value) in [
            ("name", json!("\u{200b}")),
            ("name", json!("x".repeat(256))),
            ("name", json!(1)),
            ("agent_type", json!("robot")),
            ("homepage_url", json!("javascript:alert(1)")),
            ("homepage_url", json!("https://a b.example.com")),
            ("homepage_url", json!("https://user@example.com/")),
            ("public_key", json!("\u{202e}key")),
            ("max_child_depth", json!(11)),
            ("max_child_depth", json!(-1)),
            ("max_child_depth", json!(1.5)),
            ("metadata", json!([])),
            ("metadata", json!({ "a": "x".repeat(4096) })),
        ] {
            let mut wrong = wish.clone();
            wrong[field] = value;
            let answer = world.json(path, &wrong);
            assert_eq!((answer.status(), answer.text("error")), (422, "invalid_request".to_owned()), "{wrong}");
        }
    }
    assert!(world.platform.cells.borrow().keys().all(|name| !name.starts_with("registration/")), "nothing was consumed");
}
