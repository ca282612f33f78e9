//! What is kept: one type for each table, for whoever writes it and for whoever reads it. Data at rest: changes by addition only.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::words::{AgentType, AuditOutcome, DelegationStatus, DeliveryState, Status, TrustLevel};
use crate::id::{AccountId, CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use crate::oauth::scope::Scope;
use crate::time::Timestamp;

/// An agent in its tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its registration.
    pub id: RegistrationId,
    /// Who has made it; nobody has made a root.
    pub parent: Option<RegistrationId>,
    /// What it says of itself, and how deep the tree may grow below it.
    pub profile: Profile,
    /// How it came here.
    pub trust_level: TrustLevel,
    /// Its own status.
    pub status: Status,
    /// It and all its ancestors are active.
    pub is_active: bool,
    /// How many ancestors it has.
    pub depth: u32,
    /// Since when it is suspended or revoked.
    pub deactivated: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What an agent says of itself. Limits of length are kept by whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Unique among its siblings; upper and lower case differ.
    pub name: String,
    /// What it is for.
    pub agent_type: AgentType,
    /// In words.
    pub description: Option<String>,
    /// A page about it.
    pub homepage_url: Option<String>,
    /// Its own public key.
    pub public_key: Option<String>,
    /// How many levels there may be below it, at most [`MOST_DEPTH`](super::agent::MOST_DEPTH).
    pub max_child_depth: u32,
    /// A JSON object, as text.
    pub metadata: String,
}

/// What is to change of an agent: what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patch {
    /// Unique among its siblings.
    pub name: Option<String>,
    /// An empty one is none from now on.
    pub description: Option<String>,
    /// An empty one is none from now on.
    pub homepage_url: Option<String>,
    /// An empty one is none from now on.
    pub public_key: Option<String>,
    /// At most one less than its parent's: what is more becomes that.
    pub max_child_depth: Option<u32>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
}

/// A credential of an agent, as it is listed. Whether it counts is decided in the registration's cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub agent: RegistrationId,
    /// Its number in the registration's cell; [`UNNUMBERED`](super::UNNUMBERED) until that has given one.
    pub number: u32,
    /// `api_key`.
    pub kind: String,
    /// How the key begins.
    pub prefix: String,
    /// What it is good for; none is everything that its agent may. May contain wildcards (`files.*`).
    pub scopes: Option<Scope>,
    /// It ends then.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it took another's place, or another took its.
    pub last_rotated: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// How long its tokens live, in seconds.
    pub token_lifetime_seconds: Option<u32>,
    /// A JSON object, as text.
    pub metadata: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A delegation, told by its own cell. Both sides' accounts list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Its name.
    pub id: DelegationId,
    /// Grows with every change.
    pub sequence: u64,
    /// Who gives.
    pub delegator: RegistrationId,
    /// Who takes.
    pub delegate: RegistrationId,
    /// The account of the side that is not of this account; none if both are.
    pub peer: Option<AccountId>,
    /// Somebody of that account offers it to somebody of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
    /// What may be done with it.
    pub scopes: Scope,
    /// A JSON object, as text.
    pub constraints: String,
    /// 1 for the first hop.
    pub chain_depth: u32,
    /// How long the chain may become, counted from its first hop.
    pub max_chain_depth: u32,
    /// The links above it, the first hop first.
    pub upstream: Vec<DelegationId>,
    /// How it stands, as far as the account knows what is above it.
    pub status: DelegationStatus,
    /// It ends then.
    pub expires: Option<Timestamp>,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// The generation of the root of the delegator, as they knew it when they made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_generation: Option<u32>,
    /// It has ended without being taken back itself: with this link above it, or, if that is itself, since a person has claimed the root of its
    /// delegator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<DelegationId>,
}

/// An agent that a delegation connects with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its registration.
    pub agent: RegistrationId,
    /// Its account, if it is not of this one.
    pub account: Option<AccountId>,
}

/// A policy. Its documents are opaque here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name in requests.
    pub id: PolicyId,
    /// It applies to that agent and all below; to all agents of the account if a person has made it.
    pub created_by: Option<RegistrationId>,
    /// What it is called.
    pub name: String,
    /// In words.
    pub description: Option<String>,
    /// `allow` or `deny`.
    pub effect: String,
    /// A JSON object, as text.
    pub subjects: String,
    /// A JSON list, as text.
    pub actions: String,
    /// A JSON object, as text.
    pub resources: String,
    /// A JSON object, as text.
    pub conditions: String,
    /// Lists have the highest first.
    pub priority: i32,
    /// Without it, it is only listed.
    pub enabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What is to change of a policy: what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyPatch {
    /// What it is called.
    pub name: Option<String>,
    /// An empty one is none from now on.
    pub description: Option<String>,
    /// `allow` or `deny`.
    pub effect: Option<String>,
    /// A JSON object, as text.
    pub subjects: Option<String>,
    /// A JSON list, as text.
    pub actions: Option<String>,
    /// A JSON object, as text.
    pub resources: Option<String>,
    /// A JSON object, as text.
    pub conditions: Option<String>,
    /// Lists have the highest first.
    pub priority: Option<i32>,
    /// Without it, it is only listed.
    pub enabled: Option<bool>,
}

/// Something that was done, or was not to be. Never with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// What: `agent.created`…
    pub event_type: String,
    /// `agent`, `account` or `system`.
    pub actor_type: String,
    /// Who.
    pub actor_id: Option<String>,
    /// On whose behalf: the whole `act` chain (RFC 8693, section 4.1), as JSON.
    pub on_behalf: Option<String>,
    /// `create`, `rotate`…
    pub action: String,
    /// `agent`, `credential`…
    pub target_type: Option<String>,
    /// What it was done to.
    pub target_id: Option<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Where the request came from.
    pub network: Option<String>,
    /// Which request it was.
    pub request_id: Option<String>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    /// The agent whose business it is: it and its ancestors may read it. Without one, and if the agent is not of this account, the root
    /// alone.
    pub about: Option<RegistrationId>,
}

/// Which audit rows are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// Exactly.
    pub event_type: Option<String>,
    /// Exactly.
    pub actor_id: Option<String>,
    /// Exactly.
    pub target_id: Option<String>,
    /// Exactly.
    pub outcome: Option<AuditOutcome>,
    /// From then on.
    pub from: Option<Timestamp>,
    /// Until then, and not then.
    pub to: Option<Timestamp>,
    /// The cursor that the page before has ended with.
    pub after: Option<u64>,
    /// Otherwise the oldest comes first.
    pub newest_first: bool,
    /// At most so many, 1 to 500.
    pub limit: u32,
}

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// Hears what concerns that agent and all below; everything in the account if it is a person's.
    pub agent: Option<RegistrationId>,
    /// Where.
    pub url: String,
    /// Of what: `agent.created`, `agent.*` or `*`.
    pub events: Vec<String>,
    /// Not any more once it has answered 410 (Gone), too many messages were given up one after the other, or the root was claimed.
    pub enabled: bool,
    /// Since when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Timestamp>,
    /// Why not: `gone`, `dead_letters` or `claimed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The generation of the account's root, as whoever made it knew it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_generation: Option<u32>,
    /// The secret is derived from the name and this.
    pub secret_version: u32,
    /// Until when the secret of the version before signs too.
    pub previous_until: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// Something that has happened, for webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emit {
    /// What: `agent.created`…
    pub event_type: String,
    /// The body, as it is sent.
    pub payload: String,
    /// The agent whose business it is: as [`AuditRow::about`].
    pub about: Option<RegistrationId>,
}

/// One telling of one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number in this account: the same over all attempts.
    pub number: u64,
    /// Whom.
    pub webhook: WebhookId,
    /// Of what.
    pub event_type: String,
    /// The body, as it is sent.
    pub payload: String,
    /// How many attempts were begun.
    pub attempt: u32,
    /// When the next one is.
    pub due: Option<Timestamp>,
    /// HTTP status of the last one.
    pub status: Option<u32>,
    /// What was wrong with it, if there was no status.
    pub error: Option<String>,
    /// How it stands.
    pub state: DeliveryState,
    /// When it happened.
    pub created: Timestamp,
    /// When it was last tried.
    pub updated: Timestamp,
}

impl AuditRow {
    /// A success of which nothing more is known: `actor` is kind and name of who it was, `target` of what it was done to. The action is the
    /// last word of the event.
    #[must_use]
    pub fn of(event: &str, actor: (&str, Option<String>), target: (&str, &str), about: Option<RegistrationId>) -> Self {
        Self {
            event_type: event.to_owned(),
            actor_type: actor.0.to_owned(),
            actor_id: actor.1,
            on_behalf: None,
            action: event.rsplit('.').next().unwrap_or(event).to_owned(),
            target_type: Some(target.0.to_owned()),
            target_id: Some(target.1.to_owned()),
            outcome: AuditOutcome::Success,
            network: None,
            request_id: None,
            metadata: None,
            about,
        }
    }
}

impl Emit {
    /// `type`, `timestamp` and `data`, as Standard Webhooks has them.
    #[must_use]
    pub fn of(event: &str, about: &RegistrationId, data: &Value, at: Timestamp) -> Self {
        let payload = json!({ "type": event, "timestamp": at.iso(), "data": data }).to_string();
        Self { event_type: event.to_owned(), payload, about: Some(about.clone()) }
    }
}
