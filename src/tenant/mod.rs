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
mod credential;
mod delegation;
pub mod delivery;
mod enter;
mod offers;
pub mod policy;
mod rate;
mod repeat;
mod rows;
mod run;
mod stats;
pub mod tables;
mod tally;
pub mod webhook;
mod words;

use serde::{Deserialize, Serialize};

pub use credential::UNNUMBERED;
pub use enter::{Allowance, Asking, Rate, Weighed};
pub use rows::{Agent, AuditFilter, AuditRow, Credential, Delegation, Delivery, Emit, Patch, Peer, Policy, PolicyPatch, Profile, Webhook};
pub(crate) use run::{carry_out, trouble, wake};
pub use words::{AgentType, AuditOutcome, DelegationStatus, DeliveryState, Status, TrustLevel, UnknownWord};

use crate::id::{CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use crate::time::{Timestamp, Ttl};

/// The longest page of every list but that of audit rows.
pub const LONGEST_PAGE: u32 = 100;

/// What can be asked of an account's agents. Data that crosses between versions: changes by addition only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The agent that asks; it reaches itself and all below. Without one, it is the account's person or a cell: they reach everything.
    pub caller: Option<RegistrationId>,
    /// What.
    pub what: What,
    /// Written if something has changed, or was asked for. Refused, every row is written as [`AuditOutcome::Denied`].
    #[serde(default)]
    pub audit: Vec<AuditRow>,
    /// Webhooks are told if something has changed.
    #[serde(default)]
    pub emit: Vec<Emit>,
    /// Audit rows that are older may go; zero keeps them for good.
    #[serde(default = "forever")]
    pub retain: Ttl,
}

/// What.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum What {
    /// This is the root; as it is already, if it is known.
    Root {
        /// Its registration.
        id: RegistrationId,
        /// What it says of itself.
        profile: Profile,
    },
    /// A new agent below one that the caller reaches. The same `id` again is answered the same.
    Create {
        /// Its registration.
        id: RegistrationId,
        /// Who makes it.
        parent: RegistrationId,
        /// For a short while.
        ephemeral: bool,
        /// What it says of itself.
        profile: Profile,
    },
    /// One agent.
    Agent(RegistrationId),
    /// The agents that the caller reaches, parents before their children.
    Agents {
        /// Only those that it has made.
        parent: Option<RegistrationId>,
        /// Only those with this status of their own.
        status: Option<Status>,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// The children of one agent, the oldest first.
    Children {
        /// Whose.
        id: RegistrationId,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// Something about an agent changes.
    Patch {
        /// Whose.
        id: RegistrationId,
        /// What.
        patch: Box<Patch>,
    },
    /// An agent is suspended, reactivated or revoked.
    SetStatus {
        /// Which.
        id: RegistrationId,
        /// From now on.
        status: Status,
    },
    /// An agent and its ancestors.
    Ancestry(RegistrationId),
    /// A new credential. Times but [`Credential::expires`] are set here. The same `id` again is answered the same; one that was
    /// [`UNNUMBERED`] gets its number so.
    AddCredential(Box<Credential>),
    /// One credential.
    Credential(CredentialId),
    /// Credentials that the caller reaches, those of one agent together, the oldest first.
    Credentials {
        /// Only its own.
        agent: Option<RegistrationId>,
        /// Revoked ones too.
        include_revoked: bool,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// Another takes its place, with all that it is good for. The same `next` again is answered the same.
    RotateCredential {
        /// Which.
        id: CredentialId,
        /// Which is there from now on.
        next: CredentialId,
        /// Its number in the registration's cell.
        number: u32,
        /// How its key begins.
        prefix: String,
    },
    /// It ends.
    RevokeCredential(CredentialId),
    /// It was used; noted at most once a minute.
    CredentialUsed(CredentialId),
    /// The same by the key's number in its cell, and whether it has ended there.
    Key {
        /// Whose.
        agent: RegistrationId,
        /// Its number.
        number: u32,
        /// It has ended; else it was used.
        ended: bool,
    },
    /// A delegation tells how it stands. Older tellings than the last are ignored, repeated ones change nothing.
    PutDelegation(Box<Delegation>),
    /// One delegation.
    Delegation(DelegationId),
    /// Delegations with a side that the caller reaches: the oldest first, or of those that count the one that expires first.
    Delegations {
        /// Only those that count for themselves.
        active_only: bool,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// Delegations to one agent that count for themselves, those first that count longest.
    Incoming {
        /// To whom.
        delegate: RegistrationId,
        /// At most so many, 1 to 100.
        limit: u32,
    },
    /// Delegations that agents of other accounts offer to agents of this one and that nobody has answered, the oldest first: for whoever
    /// answers for the whole account.
    Offers {
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// Whom delegations that count connect an agent with, directly and over others of this account.
    Peers(RegistrationId),
    /// Delegations that were made out of one, directly, the oldest first.
    Downstream {
        /// Out of which.
        id: DelegationId,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// A new policy. Times are set here. The same `id` again is answered the same.
    CreatePolicy(Box<Policy>),
    /// One policy.
    Policy(PolicyId),
    /// Something about a policy changes.
    PutPolicy {
        /// Which.
        id: PolicyId,
        /// What.
        patch: Box<PolicyPatch>,
    },
    /// It is gone.
    DeletePolicy(PolicyId),
    /// Policies, the highest priority first.
    Policies {
        /// Those that apply to it. Without it, those that apply to the caller or to an agent that the caller reaches.
        agent: Option<RegistrationId>,
        /// Only those that are enabled.
        enabled_only: bool,
        /// At most so many, 1 to [`policy::MOST`].
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// The caller comes in: one request less is left to it, and policies are found for what is asked.
    Enter {
        /// How many requests it may make.
        rate: Option<Rate>,
        /// What would be done, by the caller or by agents that it reaches.
        asked: Vec<Asking>,
    },
    /// Nothing but what is audited and told.
    Note,
    /// The same, at most `most` times for that `key` until then, and only if anything is kept here of agents at all: what is said more often
    /// than once changes nothing, and whoever fails again and again fills nothing.
    Remark {
        /// What it is about.
        key: String,
        /// So often.
        most: u32,
        /// It is counted until then, from the first on.
        until: Timestamp,
    },
    /// How much there is of everything that the caller reaches.
    Stats,
    /// Audit rows that the caller may read.
    Audit(Box<AuditFilter>),
    /// A new webhook. Times, version and state are set here. The same `id` again is answered the same.
    Subscribe(Box<Webhook>),
    /// Webhooks that the caller reaches, the oldest first.
    Webhooks,
    /// It is gone; what was to be told to it, too.
    Unsubscribe(WebhookId),
    /// It has another secret from now on.
    RotateSecret {
        /// Which.
        id: WebhookId,
        /// Until when the one before signs too.
        previous_until: Timestamp,
        /// Names the request: the same again within [`REMEMBERED`] is answered the same.
        #[serde(default)]
        request: String,
    },
    /// What a webhook was told, the newest first.
    Deliveries {
        /// Which.
        webhook: WebhookId,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// What is to be told now. Whoever asks settles it within [`delivery::LEASE`]; later it is given to somebody else.
    Due {
        /// At most so many, 1 to 16.
        limit: u32,
        /// Nothing of these: whoever does not answer holds up nobody else.
        #[serde(default)]
        except: Vec<WebhookId>,
    },
    /// How an attempt ended.
    Settled {
        /// Of which delivery.
        number: u64,
        /// Which attempt.
        attempt: u32,
        /// HTTP status, if there was an answer.
        status: Option<u32>,
        /// What was wrong otherwise.
        error: Option<String>,
        /// Random: spreads the next attempts.
        jitter: u32,
    },
    /// A request came with an `Idempotency-Key`: was it there before?
    Repeat {
        /// Digest of caller and key.
        key: String,
        /// Digest of the request.
        request: String,
        /// It is remembered until then.
        until: Timestamp,
    },
}

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
    /// Peers, at most [`MOST_PEERS`].
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
    /// It was.
    Same,
    /// Another was, with the same key.
    Other,
}

/// So many refused or failed attempts of one agent are audited, and for how long they are counted: more fill nothing.
pub const MOST_TROUBLE: (u32, Ttl) = (60, Ttl::from_seconds(60));

/// For how long a repeated request is answered as the first time.
pub const REMEMBERED: Ttl = Ttl::from_seconds(600);

/// So many peers are found.
pub const MOST_PEERS: usize = 256;

const fn forever() -> Ttl {
    Ttl::from_millis(0)
}

impl What {
    /// Whether it makes the tables if there are none: for anything else there is nothing to be done then.
    const fn opens(&self) -> bool {
        matches!(
            self,
            Self::Root { .. }
                | Self::AddCredential(_)
                | Self::PutDelegation(_)
                | Self::CreatePolicy(_)
                | Self::Subscribe(_)
                | Self::Repeat { .. }
        )
    }
}

impl Outcome {
    /// Whether it was refused.
    const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
