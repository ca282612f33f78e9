//! What can be asked of an account's agents.

use serde::{Deserialize, Serialize};

use super::{Asking, AuditFilter, AuditRow, Credential, Delegation, Emit, Patch, Policy, PolicyPatch, Profile, Rate, Status, Webhook};
use crate::id::{CredentialId, DelegationId, PolicyId, RegistrationId, WebhookId};
use crate::time::{Timestamp, Ttl};

/// What can be asked of an account's agents. Data that crosses between versions: changes by addition only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The agent that asks; it reaches itself and all below. Without one, it is the account's person or a cell: they reach everything.
    pub caller: Option<RegistrationId>,
    /// What.
    pub what: What,
    /// Written if something has changed, or was asked for. Refused, every row is written as [`AuditOutcome::Denied`](super::AuditOutcome::Denied).
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
    /// This is the root, and this the key that it has come with, which has brought it a token already. As they are, if they are known.
    Arrive {
        /// Its registration.
        id: RegistrationId,
        /// What it says of itself.
        profile: Profile,
        /// The key.
        credential: Box<Credential>,
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
    /// [`UNNUMBERED`](super::UNNUMBERED) gets its number so.
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
    /// The API keys of one agent that have neither been revoked nor expired, the oldest first: its cell keeps fewer than a page of them.
    Keys(RegistrationId),
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
        /// It ends then, if the one before does not earlier.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
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
        /// Only those that count, as far as the account knows.
        active_only: bool,
        /// At most so many, 1 to 100.
        limit: u32,
        /// After so many.
        offset: u32,
    },
    /// Delegations to one agent that count as far as the account knows, those first that count longest.
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
        /// At most so many, 1 to [`MOST`](super::policy::MOST).
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
    /// A person has claimed the root: delegations of before do not count and webhooks of before are told nothing any more, nor are those of whoever has not heard of it yet. Told as
    /// a [`Self::Remark`] is, once for that `key`.
    Claimed {
        /// Names the claim.
        key: String,
        /// It is remembered until then.
        until: Timestamp,
        /// When it was.
        at: Timestamp,
        /// The generation of the root that began with it.
        generation: u32,
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
        /// Names the request: the same again within [`REMEMBERED`](super::REMEMBERED) is answered the same.
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
    /// What is to be told now: to each webhook one thing at a time, and to whom was told something last, last. Whoever asks settles it within [`LEASE`](super::delivery::LEASE); later it is given to somebody else.
    Due {
        /// At most so many, 1 to 16.
        limit: u32,
        /// Nothing of these: whoever does not answer holds up nobody else.
        #[serde(default)]
        except: Vec<WebhookId>,
        /// Only those who answer quickly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        quick: bool,
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
        /// How long the receiver has taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took: Option<Ttl>,
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

impl Command {
    /// What an account itself is asked, without anything that is audited or told.
    #[must_use]
    pub const fn alone(what: What) -> Self {
        Self { caller: None, what, audit: Vec::new(), emit: Vec::new(), retain: forever() }
    }
}

impl What {
    /// Whether it makes the tables if there are none: for anything else there is nothing to be done then.
    pub(super) const fn opens(&self) -> bool {
        matches!(
            self,
            Self::Root { .. }
                | Self::Arrive { .. }
                | Self::AddCredential(_)
                | Self::PutDelegation(_)
                | Self::CreatePolicy(_)
                | Self::Subscribe(_)
                | Self::Repeat { .. }
        )
    }
}

const fn forever() -> Ttl {
    Ttl::from_millis(0)
}
