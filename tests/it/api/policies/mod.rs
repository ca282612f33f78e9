//! Policies: who writes them, whom they bind, and what is said of them beforehand.

mod dry_run;
mod enforced;
mod rate;
mod written;

use postern::account;
use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command as Change, NewKey, Registration, Said};
use postern::secret::{ApiKey, Secret};
use postern::store::{Accounts, Cells};
use postern::tenant::{AgentType, AuditFilter, AuditRow, Command, Outcome, Profile, What};
use postern::time::{Timestamp, Ttl};
use serde_json::{Value, json};

use crate::world::{Answer, World, block};

/// An agent and its key.
pub struct Known {
    pub id: RegistrationId,
    pub key: String,
}

/// A root that nobody has claimed, its two children, and a child of the first of them.
pub struct Tree {
    pub root: Known,
    pub child: Known,
    pub sibling: Known,
    pub grandchild: Known,
    pub account: AccountId,
}

pub fn root(world: &World) -> Known {
    let agent = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
    Known { id: agent.text("registration_id").parse().unwrap(), key: agent.text("credential") }
}

pub fn tree(world: &World) -> Tree {
    let root = root(world);
    let account = AccountId::from_digits(root.id.digits());
    tenant(world, &account, What::Root { id: root.id.clone(), profile: profile("root", AgentType::Orchestrator) });
    let below = |ancestors: &[&RegistrationId], name: u8, agent_type| {
        let id = RegistrationId::from_bytes([name; 16]);
        let ancestors: Vec<RegistrationId> = ancestors.iter().map(|id| (*id).clone()).collect();
        let parent = ancestors.last().unwrap().clone();
        let run = |command: Change| block(world.platform.run::<Registration>(&id, command)).unwrap();
        run(Change::Adopt { ancestors, expires: Timestamp::NEVER, said: Said::default() });
        let secret = Secret::<ApiKey>::mint(&world.config.api_key_prefix, id.digits(), [name; 32], &world.config.masters.current);
        run(Change::AddManagedKey(NewKey {
            digest: secret.digest(),
            scope: None,
            lifetime: None,
            expires: None,
            limited: false,
            root_generation: None,
        }));
        let profile = profile(&format!("agent {name}"), agent_type);
        tenant(world, &account, What::Create { id: id.clone(), parent, ephemeral: false, profile });
        Known { id, key: secret.reveal() }
    };
    let child = below(&[&root.id], 7, AgentType::Tool);
    let sibling = below(&[&root.id], 8, AgentType::Assistant);
    let grandchild = below(&[&root.id, &child.id], 9, AgentType::Tool);
    Tree { root, child, sibling, grandchild, account }
}

fn profile(name: &str, agent_type: AgentType) -> Profile {
    Profile {
        name: name.to_owned(),
        agent_type,
        description: None,
        homepage_url: None,
        public_key: None,
        max_child_depth: 3,
        metadata: "{}".to_owned(),
    }
}

pub fn tenant(world: &World, account: &AccountId, what: What) -> Outcome {
    let command = Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
    match block(world.platform.account(account, account::Command::Tenant(Box::new(command)))).unwrap() {
        account::Outcome::Tenant(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

/// What is audited of one kind, the oldest first.
fn audited(world: &World, account: &AccountId, event: &str) -> Vec<AuditRow> {
    let filter = AuditFilter { event_type: Some(event.to_owned()), limit: 500, ..AuditFilter::default() };
    match tenant(world, account, What::Audit(Box::new(filter))) {
        Outcome::Audit(rows, _) => rows.into_iter().map(|(_, _, row)| row).collect(),
        other => panic!("{other:?}"),
    }
}

pub fn send(world: &World, key: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    world.send("192.0.2.9", method, path, &[("x-agent-key", key), ("content-type", "application/json")], &body)
}

pub fn written(effect: &str, paths: &[&str], actions: &[&str], more: &Value) -> Value {
    let mut policy = json!({
        "name": format!("{effect} {}", paths.join(" ")), "effect": effect, "subjects": { "wildcard": true },
        "resources": { "paths": paths }, "actions": actions,
    });
    policy.as_object_mut().unwrap().extend(more.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    policy
}

/// A new policy of `author`; its name.
pub fn make(world: &World, author: &Known, policy: &Value) -> String {
    let made = send(world, &author.key, "POST", "/api/v1/policies", policy);
    assert_eq!(made.status(), 201, "{}", made.json());
    made.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// What is answered to `key` about an agent and something that needs `api.read`, which everybody here has.
fn evaluate_readable(world: &World, key: &str, agent: &str, resource: &str, context: &Value) -> Answer {
    let mut question = json!({ "agent_id": agent, "action": "read", "resource": resource, "scope": "api.read" });
    if !context.is_null() {
        question["context"] = context.clone();
    }
    send(world, key, "POST", "/api/v1/policies/evaluate", &question)
}

/// What is answered to `key` about an agent.
pub fn evaluate(world: &World, key: &str, agent: &str, action: &str, resource: &str, context: &Value) -> Answer {
    let mut question = json!({ "agent_id": agent, "action": action, "resource": resource });
    if !context.is_null() {
        question["context"] = context.clone();
    }
    send(world, key, "POST", "/api/v1/policies/evaluate", &question)
}

fn allowed(answer: &Answer) -> bool {
    assert_eq!(answer.status(), 200, "{}", answer.json());
    answer.json()["allowed"].as_bool().unwrap()
}

/// Every operation once.
pub fn everything(world: &World) {
    let root = root(world);
    let policy = make(world, &root, &written("deny", &["/files/*"], &["delete"], &json!({})));
    let path = format!("/api/v1/policies/{policy}");
    assert_eq!(send(world, &root.key, "GET", "/api/v1/policies", &Value::Null).status(), 200);
    assert_eq!(send(world, &root.key, "GET", &path, &Value::Null).status(), 200);
    assert_eq!(send(world, &root.key, "PUT", &path, &json!({ "enabled": false })).status(), 200);
    assert!(allowed(&evaluate(world, &root.key, root.id.as_str(), "read", "/api", &Value::Null)));
    assert_eq!(send(world, &root.key, "DELETE", &path, &Value::Null).status(), 204);
    assert_eq!(world.get("/api/v1/policies/syntax").status(), 200);
}
