//! What an account answers of its agents.

use serde::{Deserialize, Serialize};

use super::{Agent, Allowance, AuditRow, Credential, Delegation, Delivery, Peer, Policy, Status, Webhook, Weighed};
use crate::id::RegistrationId;
use crate::time::Timestamp;

/// What is answered. Where there is a flag, it says whether something has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing is kept here of any agent.
    Nothing,
    /// Done.
    Done(bool),
    /// It cannot be done.
    Refused(Refused),
    /// One agent.
    Agent(Box<Agent>, bool),
    /// Agents, and how many there are on all pages.
    Agents(Vec<Agent>, u64),
    /// The root first, the agent itself last.
    Ancestry(Vec<(RegistrationId, Status)>),
    /// One credential.
    Credential(Box<Credential>, bool),
    /// The old one and the new one.
    Rotated(Box<(Credential, Credential)>, bool),
    /// Credentials, and how many there are on all pages.
    Credentials(Vec<Credential>, u64),
    /// One delegation.
    Delegation(Box<Delegation>, bool),
    /// Delegations, and how many there are on all pages.
    Delegations(Vec<Delegation>, u64),
    /// Peers, at most [`MOST_PEERS`](super::MOST_PEERS).
    Peers(Vec<Peer>),
    /// One policy.
    Policy(Box<Policy>, bool),
    /// Policies, and how many there are on all pages.
    Policies(Vec<Policy>, u64),
    /// How many requests are left, and what was found for each question: nothing for an agent that the caller does not reach. Without
    /// questions answered, the request was one too many.
    Entered(Option<Allowance>, Vec<Option<Weighed>>),
    /// Numbered audit rows with their times, and the cursor if there may be more; a page with a cursor may be short, or empty.
    Audit(Vec<(u64, Timestamp, AuditRow)>, Option<u64>),
    /// One webhook.
    Webhook(Box<Webhook>, bool),
    /// Webhooks.
    Webhooks(Vec<Webhook>),
    /// Deliveries, and how many there are on all pages.
    Deliveries(Vec<Delivery>, u64),
    /// Deliveries to be made now, and to whom.
    Due(Vec<(Delivery, Webhook)>),
    /// Whether a request was there before.
    Repeat(Repeat),
    /// How much there is.
    Stats(Box<Stats>),
}

/// How much there is of everything that somebody reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Agents by their own status: active, suspended and revoked.
    pub agents: [u64; 3],
    /// Credentials that have not been revoked, and those that have.
    pub credentials: [u64; 2],
    /// Delegations with a side that the caller reaches, ended ones too.
    pub delegations: u64,
    /// Policies that an agent here has made.
    pub policies: u64,
    /// Webhooks.
    pub webhooks: u64,
}

/// Why not. Whatever is refused has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// It is not there, or not for the caller.
    Missing,
    /// The agent, one of its ancestors, or the caller is suspended or revoked.
    Inactive,
    /// The tree would become too deep.
    Depth,
    /// The tree is deeper already.
    DepthInUse,
    /// A sibling is called so.
    NameTaken,
    /// The caller reaches it, but may not do that.
    Forbidden,
    /// Something else is known under that name: another root, or another's agent.
    Conflict,
    /// It was revoked, or has expired, and that is final.
    Ended,
    /// One too many.
    TooMany,
}

/// Whether a request was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeat {
    /// It was not.
    New,
    /// The same was: what it makes is of the time that ends then.
    Until(Timestamp),
    /// Another was, with the same key.
    Other,
}
