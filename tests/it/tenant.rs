//! What an account keeps of its agents, command by command.

mod audit;
mod credentials;
mod delegations;
mod history;
mod known;
mod policies;
mod schema;
mod shared;
mod tree;
mod webhooks;

use postern::account;
use postern::id::{CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use postern::tenant::{
    Agent, AgentType, AuditOutcome, AuditRow, Command, Credential, Delegation, DelegationStatus, Emit, Outcome, Policy, Profile, Refused,
    Webhook, What,
};
use postern::time::{Timestamp, Ttl};

use crate::sqlite::Database;
use crate::world::START;

/// The root of every tree here.
const ROOT: u32 = 1;

/// So many seconds after the start.
fn at(seconds: u64) -> Timestamp {
    START.plus(Ttl::from_seconds(seconds))
}

fn reg(number: u32) -> RegistrationId {
    RegistrationId::from_bytes(u128::from(number).to_be_bytes())
}

fn command(caller: Option<u32>, what: What) -> Command {
    Command { caller: caller.map(reg), what, audit: Vec::new(), emit: Vec::new(), retain: Ttl::from_millis(0) }
}

fn run(database: &Database, seconds: u64, command: Command) -> Outcome {
    match database.command(&account::Command::Tenant(Box::new(command)), at(seconds)).unwrap() {
        account::Outcome::Tenant(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

/// Asked by an agent.
fn by(database: &Database, caller: u32, what: What) -> Outcome {
    run(database, 0, command(Some(caller), what))
}

/// Asked by the account itself.
fn own(database: &Database, what: What) -> Outcome {
    run(database, 0, command(None, what))
}

fn profile(name: &str, max_child_depth: u32) -> Profile {
    Profile {
        name: name.to_owned(),
        agent_type: AgentType::Autonomous,
        description: Some(format!("{name}, in words")),
        homepage_url: None,
        public_key: None,
        max_child_depth,
        metadata: "{}".to_owned(),
    }
}

fn create(id: u32, parent: u32, name: &str, depth: u32) -> What {
    What::Create { id: reg(id), parent: reg(parent), ephemeral: false, profile: profile(name, depth) }
}

/// An account with its root.
fn rooted() -> Database {
    let database = Database::default();
    agent(own(&database, What::Root { id: reg(ROOT), profile: profile("root", 3) }));
    database
}

/// The root 1 has the children 2 and 3; 2 has 4, and 4 has 5.
fn family() -> Database {
    let database = rooted();
    for (id, parent) in [(2, 1), (3, 1), (4, 2), (5, 4)] {
        agent(by(&database, ROOT, create(id, parent, &format!("agent {id}"), 10)));
    }
    database
}

fn agent(outcome: Outcome) -> (Agent, bool) {
    match outcome {
        Outcome::Agent(agent, changed) => (*agent, changed),
        other => panic!("{other:?}"),
    }
}

/// The numbers of the agents of a page, and the total.
fn page(outcome: Outcome) -> (Vec<u32>, u64) {
    match outcome {
        Outcome::Agents(agents, total) => (agents.iter().map(|agent| number(&agent.id)).collect(), total),
        other => panic!("{other:?}"),
    }
}

fn number(id: &RegistrationId) -> u32 {
    (0..10_000).find(|number| reg(*number) == *id).unwrap()
}

fn everybody() -> What {
    What::Agents { parent: None, status: None, limit: 100, offset: 0 }
}

fn refused(outcome: &Outcome) -> Refused {
    match outcome {
        Outcome::Refused(refused) => *refused,
        other => panic!("{other:?}"),
    }
}

fn crd(number: u32) -> CredentialId {
    CredentialId::from_bytes(u128::from(number).to_be_bytes())
}

fn credential(number: u32, of: u32) -> Credential {
    Credential {
        id: crd(number),
        agent: reg(of),
        number,
        kind: "api_key".to_owned(),
        prefix: format!("key{number}"),
        scopes: Some("files.* api.read".parse().unwrap()),
        expires: Some(at(1000)),
        last_used: None,
        last_rotated: None,
        revoked: None,
        token_lifetime_seconds: Some(60),
        metadata: r#"{"of":"test"}"#.to_owned(),
        created: at(0),
        updated: at(0),
    }
}

fn add(number: u32, of: u32) -> What {
    What::AddCredential(Box::new(credential(number, of)))
}

fn dlg(number: u32) -> DelegationId {
    DelegationId::from_bytes(u128::from(number).to_be_bytes())
}

fn delegation(number: u32, from: u32, to: u32) -> Delegation {
    Delegation { expires: Some(at(3600)), ..made(dlg(number), reg(from), reg(to), at(0)) }
}

/// One that its delegate has, within one account.
pub fn made(id: DelegationId, delegator: RegistrationId, delegate: RegistrationId, created: Timestamp) -> Delegation {
    Delegation {
        id,
        sequence: 1,
        delegator,
        delegate,
        peer: None,
        offered: false,
        scopes: "api.read".parse().unwrap(),
        constraints: "{}".to_owned(),
        chain_depth: 1,
        max_chain_depth: 3,
        upstream: Vec::new(),
        status: DelegationStatus::Active,
        expires: None,
        revoked: None,
        created,
        updated: created,
        root_generation: None,
        broken_by: None,
    }
}

fn pol(number: u32) -> PolicyId {
    PolicyId::from_bytes(u128::from(number).to_be_bytes())
}

fn policy(number: u32, by: Option<u32>) -> Policy {
    Policy {
        id: pol(number),
        created_by: by.map(reg),
        name: format!("policy {number}"),
        description: None,
        effect: "deny".to_owned(),
        subjects: r#"{"wildcard":true}"#.to_owned(),
        actions: r#"["read"]"#.to_owned(),
        resources: r#"{"paths":["/a"]}"#.to_owned(),
        conditions: "{}".to_owned(),
        priority: 0,
        enabled: true,
        created: at(0),
        updated: at(0),
    }
}

fn whk(number: u32) -> WebhookId {
    WebhookId::from_bytes(u128::from(number).to_be_bytes())
}

fn webhook(number: u32, of: Option<u32>, events: &[&str]) -> Webhook {
    Webhook {
        id: whk(number),
        agent: of.map(reg),
        url: format!("https://hooks.example/{number}"),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        enabled: true,
        disabled: None,
        reason: None,
        root_generation: None,
        secret_version: 1,
        previous_until: None,
        created: at(0),
        updated: at(0),
    }
}

fn subscribe(number: u32, of: Option<u32>, events: &[&str]) -> What {
    What::Subscribe(Box::new(webhook(number, of, events)))
}

fn emit(event: &str, about: Option<u32>) -> Emit {
    Emit { event_type: event.to_owned(), payload: format!("{{\"type\":\"{event}\"}}"), about: about.map(reg) }
}

fn audited(event: &str, about: Option<u32>) -> AuditRow {
    AuditRow {
        event_type: event.to_owned(),
        actor_type: "agent".to_owned(),
        actor_id: about.map(|number| reg(number).into()),
        on_behalf: Some(r#"{"sub":"somebody"}"#.to_owned()),
        action: "create".to_owned(),
        target_type: Some("agent".to_owned()),
        target_id: Some("target".to_owned()),
        outcome: AuditOutcome::Success,
        network: Some("192.0.2.1".to_owned()),
        request_id: Some("request".to_owned()),
        metadata: Some("{}".to_owned()),
        about: about.map(reg),
    }
}

/// The number of the only row of one column.
fn count(database: &Database, statement: &str) -> i64 {
    match database.query(statement, 0)[0][0] {
        rusqlite::types::Value::Integer(number) => number,
        ref other => panic!("{other:?}"),
    }
}
