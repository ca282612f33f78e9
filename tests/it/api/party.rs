//! An agent that manages, for tests: a root that a person has claimed or not, with an API key, and a child.

use postern::account;
use postern::id::{AccountId, RegistrationId};
use postern::machine::registration::{Command, NewKey, Outcome, Registration, Said};
use postern::secret::{ApiKey, Secret};
use postern::store::{Accounts, Cells};
use postern::tenant::{self, AgentType, Profile, What};
use postern::time::{Timestamp, Ttl};
use serde_json::{Value, json};

use crate::person::{Person, page};
use crate::world::{Answer, World, block};

pub const ADDRESS: &str = "192.0.2.1";

pub struct Party<'w> {
    pub world: &'w World,
    pub id: RegistrationId,
    pub key: String,
    pub claim_token: String,
}

impl<'w> Party<'w> {
    /// Nobody has claimed it.
    pub fn unclaimed(world: &'w World) -> Self {
        let agent = world.json("/agent/identity", &json!({ "type": "anonymous" })).json();
        let id: RegistrationId = agent["registration_id"].as_str().unwrap().parse().unwrap();
        let key = key(world, &id);
        Self { world, key, id, claim_token: agent["claim_token"].as_str().unwrap().to_owned() }
    }

    /// The person with that address has claimed it.
    pub fn claimed(world: &'w World, email: &str) -> Self {
        Self::unclaimed(world).claim(email)
    }

    /// The person with that address claims it.
    pub fn claim(mut self, email: &str) -> Self {
        let world = self.world;
        let mut person = Person::sign_in(world, email);
        let start = json!({ "type": "login_hint", "claim_token": self.claim_token, "login_hint": email });
        let started = world.json("/agent/identity/claim", &start).json();
        assert_eq!(person.get(&page(started["claim_attempt"]["verification_uri"].as_str().unwrap())).status(), 200);
        let code = started["claim_attempt"]["user_code"].as_str().unwrap();
        assert_eq!(person.post("/agent/identity/claim/complete", &[("user_code", code)]).status(), 200);
        world.ring();
        self.key = key(world, &self.id);
        self
    }

    /// An agent below it, made as the API makes it.
    pub fn child(&self, number: u8) -> Party<'w> {
        let id = RegistrationId::from_bytes([number; 16]);
        let profile = |name: &str| Profile {
            name: name.to_owned(),
            agent_type: AgentType::Tool,
            description: None,
            homepage_url: None,
            public_key: None,
            max_child_depth: 3,
            metadata: "{}".to_owned(),
        };
        self.tenant(What::Root { id: self.id.clone(), profile: profile("root") });
        let (parent, profile) = (self.id.clone(), profile(&format!("child {number}")));
        self.tenant(What::Create { id: id.clone(), parent, ephemeral: false, profile });
        let adopt = Command::Adopt { ancestors: vec![self.id.clone()], expires: Timestamp::NEVER, said: Said::default() };
        block(self.world.platform.run::<Registration>(&id, adopt)).unwrap();
        Party { world: self.world, key: key(self.world, &id), id, claim_token: String::new() }
    }

    /// What the account itself is asked.
    pub fn tenant(&self, what: What) -> tenant::Outcome {
        let command = tenant::Command { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) };
        let command = account::Command::Tenant(Box::new(command));
        match block(self.world.platform.account(&self.account(), command)).unwrap() {
            account::Outcome::Tenant(outcome) => *outcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn account(&self) -> AccountId {
        AccountId::from_digits(self.id.digits())
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.with(method, path, &[], body)
    }

    pub fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let all = [&[("x-agent-key", self.key.as_str()), ("content-type", "application/json")], headers].concat();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.world.send(ADDRESS, method, &format!("/api/v1{path}"), &all, &body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null)
    }

    /// An access token, and what giving it back is answered with.
    pub fn token(&self) -> String {
        self.world.form("/oauth2/token", &[("grant_type", "client_credentials"), ("client_secret", &self.key)]).text("access_token")
    }

    /// Gives a new token back, which is an event.
    pub fn happen(&self) {
        assert_eq!(self.world.form("/oauth2/revoke", &[("token", &self.token())]).status(), 200);
    }

    /// The events of its audit, the oldest first.
    pub fn audited(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/audit/events?limit=500{query}"));
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer.json()["data"].as_array().unwrap().clone()
    }
}

/// One more API key of that agent, good for all that it may.
pub fn key(world: &World, id: &RegistrationId) -> String {
    let mut bytes = [0; 32];
    postern::entropy::Entropy::fill(&world.platform, &mut bytes).unwrap();
    let secret = Secret::<ApiKey>::mint(&world.config.api_key_prefix, id.digits(), bytes, &world.config.masters.current);
    let key = NewKey { digest: secret.digest(), scope: None, lifetime: None, expires: None, limited: false, root_generation: None };
    assert!(matches!(block(world.platform.run::<Registration>(id, Command::AddManagedKey(key))).unwrap(), Outcome::Credential(..)));
    secret.reveal()
}
