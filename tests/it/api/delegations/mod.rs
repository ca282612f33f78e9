//! Delegations: made, accepted, used, taken back.

mod chain;
mod dead;
mod elsewhere;
mod history;
mod listed;
mod make;
mod record;
mod token;
mod tools;

pub use record::everything;

use postern::entropy::Entropy;
use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command, NewKey, NewPersonal, Outcome, Registration, Said};
use postern::oauth::management;
use postern::oauth::scope::Scope;
use postern::secret::{ApiKey, Secret};
use postern::tenant::{self, AgentType, Profile, What};
use postern::time::{Timestamp, Ttl};
use serde_json::{Value, json};

use crate::world::{Answer, World, block};

pub fn world() -> World {
    World::new(&[
        ("SCOPES_SUPPORTED", "api.read api.write files.read files.write"),
        ("PRE_CLAIM_SCOPES", "api.read api.write files.read"),
        ("POST_CLAIM_SCOPES", "api.read api.write files.read files.write"),
        ("REGISTRATIONS_PER_NETWORK_PER_HOUR", "1000"),
    ])
}

/// An agent with an API key.
#[derive(Clone)]
pub struct Agent {
    pub key: String,
    pub id: String,
}

impl Agent {
    /// A root, an account of its own, for which a person answers: with the rights of before a claim, and everything that manages.
    pub fn root(world: &World) -> Self {
        let mut bytes = [0; 48];
        world.platform.fill(&mut bytes).unwrap();
        let (id, secret): ([u8; 16], [u8; 32]) = (bytes[..16].try_into().unwrap(), bytes[16..].try_into().unwrap());
        let id = RegistrationId::from_bytes(id);
        let secret = Secret::<ApiKey>::mint(&world.config.api_key_prefix, id.digits(), secret, &world.config.masters.current);
        let manages = management::SCOPES.iter().map(|(name, ..)| *name);
        let scope = Scope::held(world.config.pre_claim_scopes.as_scope().iter().chain(manages)).unwrap();
        let made = NewPersonal {
            registration: id.clone(),
            owner: AccountId::from_bytes([9; 16]),
            name: "root".to_owned(),
            digest: secret.digest(),
            scope,
            expires: None,
        };
        assert!(matches!(run(world, &id, Command::MakePersonal(made)), Outcome::Standing(_)));
        Self { key: secret.reveal(), id: id.to_string() }
    }

    /// The same that nobody has claimed.
    pub fn unclaimed(world: &World) -> Self {
        let answer = world.json("/agent/auth", &json!({ "type": "anonymous", "requested_credential_type": "api_key" }));
        Self { key: answer.text("credential"), id: answer.text("registration_id") }
    }

    /// A child of these, the root first.
    pub fn below(world: &World, ancestors: &[&Self], name: u8) -> Self {
        let id = RegistrationId::from_bytes([name; 16]);
        let account = AccountId::from_digits(ancestors[0].registration().digits());
        let profile = |name: String| Profile {
            name,
            agent_type: AgentType::Tool,
            description: None,
            homepage_url: None,
            public_key: None,
            max_child_depth: 3,
            metadata: "{}".to_owned(),
        };
        let parent = ancestors.last().unwrap().registration();
        let create = What::Create { id: id.clone(), parent, ephemeral: false, profile: profile(format!("child {name}")) };
        for what in [What::Root { id: ancestors[0].registration(), profile: profile("root".to_owned()) }, create] {
            let command = tenant::Command { caller: None, what, audit: vec![], emit: vec![], retain: Ttl::from_millis(0) };
            let command = postern::account::Command::Tenant(Box::new(command));
            let answer = block(postern::store::Accounts::account(&world.platform, &account, command)).unwrap();
            assert!(matches!(answer, postern::account::Outcome::Tenant(outcome) if matches!(*outcome, tenant::Outcome::Agent(..))));
        }
        let ancestors = ancestors.iter().map(|agent| agent.id.parse().unwrap()).collect();
        run(world, &id, Command::Adopt { ancestors, expires: Timestamp::NEVER, said: Said::default() });
        Self::known(world, &id, name)
    }

    /// With a new key.
    pub fn known(world: &World, id: &RegistrationId, name: u8) -> Self {
        Self::keyed(world, id, name, None)
    }

    /// With a new key that is good for so much.
    pub fn keyed(world: &World, id: &RegistrationId, name: u8, scope: Option<&str>) -> Self {
        let secret = Secret::<ApiKey>::mint(&world.config.api_key_prefix, id.digits(), [name; 32], &world.config.masters.current);
        let scope = scope.map(|scope| scope.parse().unwrap());
        let key = NewKey { digest: secret.digest(), scope, lifetime: None, expires: None, limited: false, root_generation: None };
        assert!(matches!(run(world, id, Command::AddManagedKey(key)), Outcome::Credential(..)));
        Self { key: secret.reveal(), id: id.to_string() }
    }

    pub fn registration(&self) -> RegistrationId {
        self.id.parse().unwrap()
    }

    /// What it is told of itself.
    pub fn me(&self, world: &World) -> Value {
        world.send("192.0.2.1", "GET", "/api/v1/auth/me", &[("authorization", &format!("Bearer {}", self.key))], "").json()
    }

    pub fn pause(&self, world: &World, paused: bool) {
        run(world, &self.registration(), Command::Pause(paused));
    }

    pub fn ask(&self, world: &World, method: &str, path: &str, body: &Value) -> Answer {
        ask(world, &self.key, method, path, body)
    }

    /// Hands on.
    pub fn delegate(&self, world: &World, to: &Self, scopes: &[&str], more: Value) -> Answer {
        let mut body = json!({ "delegate_agent_id": to.id, "scopes": scopes });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.ask(world, "POST", "/api/v1/delegations", &body)
    }

    /// Hands on, and it is made.
    pub fn delegated(&self, world: &World, to: &Self, scopes: &[&str], more: Value) -> String {
        let answer = self.delegate(world, to, scopes, more);
        assert_eq!(answer.status(), 201, "{}", answer.json());
        answer.text("id")
    }

    /// The same across accounts.
    pub fn accepted(&self, world: &World, to: &Self, scopes: &[&str], more: Value) -> String {
        let id = self.delegated(world, to, scopes, more);
        let answer = to.ask(world, "POST", &format!("/api/v1/delegations/{id}/accept"), &json!({}));
        assert_eq!((answer.status(), answer.text("status").as_str()), (200, "active"), "{}", answer.json());
        id
    }

    pub fn revoke(&self, world: &World, id: &str) -> Answer {
        self.ask(world, "DELETE", &format!("/api/v1/delegations/{id}"), &Value::Null)
    }

    /// A token for what was delegated.
    pub fn grant(&self, world: &World, more: &[(&str, &str)]) -> Answer {
        world.form("/oauth2/token", &[&[("grant_type", "agent_delegation"), ("client_secret", self.key.as_str())], more].concat())
    }

    pub fn by(&self, world: &World, id: &str) -> String {
        let answer = self.grant(world, &[("delegation_id", id)]);
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.text("access_token")
    }

    /// A token of its own.
    pub fn own(&self, world: &World, more: &[(&str, &str)]) -> Answer {
        world.form("/oauth2/token", &[&[("grant_type", "client_credentials"), ("client_secret", self.key.as_str())], more].concat())
    }
}

pub fn run(world: &World, id: &RegistrationId, command: Command) -> Outcome {
    block(postern::store::Cells::run::<Registration>(&world.platform, id, command)).unwrap()
}

pub fn ask(world: &World, key: &str, method: &str, path: &str, body: &Value) -> Answer {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    world.send("192.0.2.1", method, path, &[("x-agent-key", key), ("content-type", "application/json")], &text)
}

pub fn is(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status(), answer.text("error").as_str()), (status, error), "{}", answer.json());
}

pub fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}
