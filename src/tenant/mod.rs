//! What an account keeps of its agents, in SQL tables of the account's Durable Object: the tree, what is listed of credentials and
//! delegations, policies, audit, and webhooks with their queue.
//!
//! Rights and liveness are decided in the registrations' and delegations' cells. Here is what is listed and queried, and what has to be
//! unique or counted in a whole tree. The tables have versions of their own and are there from the first command that needs them: an
//! account of a person without agents of its own has none.
//!
//! One [`Command`] is one transaction: the change, what is audited of it, and what webhooks are to be told.

pub mod agent;
mod agents;
mod audit;
mod call;
mod chain;
mod claim;
mod command;
mod credential;
mod delegation;
pub mod delivery;
mod enter;
mod offers;
mod outcome;
pub mod policy;
mod rate;
mod repeat;
mod rows;
mod run;
mod stats;
pub mod tables;
mod tally;
pub mod turn;
pub mod webhook;
mod words;

pub use command::{Command, What};
pub use credential::UNNUMBERED;
pub use enter::{Allowance, Asking, Rate, Weighed};
pub use outcome::{Outcome, Refused, Repeat, Stats};
pub use rows::{Agent, AuditFilter, AuditRow, Credential, Delegation, Delivery, Emit, Patch, Peer, Policy, PolicyPatch, Profile, Webhook};
pub(crate) use run::{Trouble, carry_out, wake};
pub use words::{AgentType, AuditOutcome, DelegationStatus, DeliveryState, Status, TrustLevel, UnknownWord};

use crate::time::Ttl;

/// The longest page of every list but that of audit rows.
pub const LONGEST_PAGE: u32 = 100;

/// So many attempts of one kind of one agent are audited, and for how long they are counted: more fill nothing.
pub const MOST_TROUBLE: (u32, Ttl) = (60, Ttl::from_seconds(60));

/// For how long a repeated request is answered as the first time.
pub const REMEMBERED: Ttl = Ttl::from_seconds(600);

/// So many peers are found.
pub const MOST_PEERS: usize = 256;
