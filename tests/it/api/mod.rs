//! `/api/v1`: agents manage agents.

pub mod agents;
mod audit;
mod claimed;
mod claimed_webhooks;
mod credentials;
pub mod delegations;
mod every;
mod outlive;
pub mod party;
pub mod policies;
mod tokens;
mod webhook_lanes;
pub mod webhooks;

use postern::account;
use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command, Outcome, Registration, Said};
use postern::store::{Accounts, Cells};
use postern::tenant::{self, AgentType, Profile, What};
use postern::time::{Timestamp, Ttl};
use serde_json::{Value, json};

use crate::world::{Answer, World, block};

pub const FROM: &str = "192.0.2.1";

/// A root with an API key, its child, the child of that, and a stranger who has a key too.
pub struct Tree<'w> {
    pub world: &'w World,
    pub root: RegistrationId,
    pub key: String,
    pub child: RegistrationId,
    pub grandchild: RegistrationId,
    pub stranger: RegistrationId,
    pub strangers_key: String,
}

impl<'w> Tree<'w> {
    pub fn of(world: &'w World) -> Self {
        let (root, key) = anonymous(world);
        let (stranger, strangers_key) = anonymous(world);
        let [child, grandchild] = [7, 8].map(|name| RegistrationId::from_bytes([name; 16]));
        let tree = Self { world, root, key, child, grandchild, stranger, strangers_key };
        let profile = |name: &str| Profile {
            name: name.to_owned(),
            agent_type: AgentType::Tool,
            description: None,
            homepage_url: None,
            public_key: None,
            max_child_depth: 3,
            metadata: "{}".to_owned(),
        };
        tree.tenant(What::Root { id: tree.root.clone(), profile: profile("root") });
        tree.adopt(&tree.child, &[&tree.root], profile("child"));
        tree.adopt(&tree.grandchild, &[&tree.root, &tree.child], profile("grandchild"));
        tree
    }

    fn adopt(&self, id: &RegistrationId, above: &[&RegistrationId], profile: Profile) {
        let ancestors: Vec<RegistrationId> = above.iter().map(|id| (*id).clone()).collect();
        let parent = ancestors.last().unwrap().clone();
        self.run(id, Command::Adopt { ancestors, expires: Timestamp::NEVER, said: Said::default() });
        self.tenant(What::Create { id: id.clone(), parent, ephemeral: false, profile });
    }

    pub fn run(&self, id: &RegistrationId, command: Command) -> Outcome {
        block(self.world.platform.run::<Registration>(id, command)).unwrap()
    }

    pub fn tenant(&self, what: What) -> tenant::Outcome {
        let command = tenant::Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
        let account = AccountId::from_digits(self.root.digits());
        match block(self.world.platform.account(&account, account::Command::Tenant(Box::new(command)))).unwrap() {
            account::Outcome::Tenant(outcome) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    /// What was audited, as (event, outcome, target).
    pub fn audited(&self) -> Vec<(String, &'static str, String)> {
        let filter = tenant::AuditFilter { limit: 500, ..tenant::AuditFilter::default() };
        let tenant::Outcome::Audit(rows, _) = self.tenant(What::Audit(Box::new(filter))) else { panic!() };
        rows.into_iter().map(|(_, _, row)| (row.event_type, row.outcome.as_str(), row.target_id.unwrap_or_default())).collect()
    }

    /// Makes a key with the root's.
    pub fn new_key(&self, agent: &RegistrationId, more: Value) -> (String, String) {
        let mut body = json!({ "agent_id": agent });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = send(self.world, "POST", "/api/v1/credentials", &self.key, &body);
        assert_eq!(answer.status(), 201, "{}", answer.json());
        let answer = answer.json();
        (answer["credential"]["id"].as_str().unwrap().to_owned(), answer["raw_key"].as_str().unwrap().to_owned())
    }
}

/// An agent that nobody has made, with its key.
fn anonymous(world: &World) -> (RegistrationId, String) {
    let agent = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" })).json();
    let key = agent["credential"].as_str().unwrap().to_owned();
    let me = send(world, "GET", "/api/v1/auth/me", &key, &Value::Null).json();
    (me["registration_id"].as_str().unwrap().parse().unwrap(), key)
}

/// A request with a credential; a body of null is none.
pub fn send(world: &World, method: &str, path: &str, bearer: &str, body: &Value) -> Answer {
    sent(world, method, path, bearer, body, &[])
}

pub fn sent(world: &World, method: &str, path: &str, bearer: &str, body: &Value, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {bearer}");
    let mut headers = vec![("authorization", bearer.as_str())];
    let text = if body.is_null() { String::new() } else { body.to_string() };
    headers.extend((!body.is_null()).then_some(("content-type", "application/json")));
    headers.extend(more);
    world.send(FROM, method, path, &headers, &text)
}

/// A token by AgentAuth's path.
pub fn token(world: &World, body: &Value) -> Answer {
    world.json("/api/v1/auth/token", body)
}

pub fn by_key(world: &World, key: &str, more: Value) -> Answer {
    let mut body = json!({ "grant_type": "client_credentials", "client_secret": key });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    token(world, &body)
}

pub fn refresh(world: &World, token_text: &str) -> Answer {
    token(world, &json!({ "grant_type": "refresh_token", "refresh_token": token_text }))
}

/// Every operation of keys, tokens and scopes once.
pub fn keys_and_tokens(world: &World) {
    let tree = Tree::of(world);
    let (id, key) = tree.new_key(&tree.child, json!({}));
    let path = format!("/api/v1/credentials/{id}");
    for read in ["/api/v1/credentials", &path, &format!("/api/v1/agents/{}/credentials", tree.child)] {
        assert_eq!(send(world, "GET", read, &tree.key, &Value::Null).status(), 200, "{read}");
    }
    let token = by_key(world, &key, json!({})).text("access_token");
    for (ask, status) in [("introspect", 200), ("revoke", 200)] {
        let answer = send(world, "POST", &format!("/api/v1/auth/token/{ask}"), &token, &json!({ "token": token }));
        assert_eq!(answer.status(), status, "{}", answer.json());
    }
    let rotated = send(world, "POST", &format!("{path}/rotate"), &tree.key, &Value::Null).json();
    let path = format!("/api/v1/credentials/{}", rotated["new_credential"]["id"].as_str().unwrap());
    assert_eq!(send(world, "DELETE", &path, &tree.key, &Value::Null).status(), 200);
    assert_eq!((world.get("/api/v1/auth/jwks").status(), world.get("/api/v1/scopes").status()), (200, 200));
    assert_eq!(world.json("/api/v1/scopes/resolve", &json!(["agents.*"])).status(), 200);
}
