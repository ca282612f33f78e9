//! One delegation: rights that one agent has handed on to another. What it says never changes; whether it counts does, and only here.
//!
//! The accounts of both sides are told of every change, with what is audited of it: at once by whoever has changed it, and by the outbox
//! until each has heard.

mod telling;

use serde::{Deserialize, Serialize};

use super::standing::Standing;
use super::{Effect, Machine, Next};
use crate::constraint::Constraints;
use crate::id::{AccountId, DelegationId, RegistrationId};
use crate::oauth::scope::Scope;
use crate::tenant::DelegationStatus;
use crate::time::{Timestamp, Ttl};

pub use telling::Telling;

/// Delegations of one chain.
pub const MOST_LINKS: u32 = 10;
/// Whoever does not answer for so long has declined.
pub const PATIENCE: Ttl = Ttl::from_seconds(7 * 86_400);
/// For so long it is remembered after its end: whoever looks at a chain sees which link has ended it.
const REMEMBERED: Ttl = Ttl::from_seconds(90 * 86_400);

/// A delegation and its outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delegation {
    link: Link,
    /// What has happened, with the sequence that it led to, until both accounts have heard of it.
    events: Vec<(u64, Event)>,
    /// The last sequence that the delegator's account has heard, and the delegate's.
    told: (u64, u64),
}

/// What a delegation says, and how it stands for itself: links above it may have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What was agreed.
    pub terms: Terms,
    /// How it stands.
    pub status: DelegationStatus,
    /// Tokens name it: another record under the same name has another.
    pub epoch: u32,
    /// Grows with every change.
    pub sequence: u64,
    /// When it was taken back, or declined.
    pub ended: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// What has ended it, if nobody took it back: a link above it, or itself, if a person has claimed the root of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<DelegationId>,
}

/// What one agent hands on to another: never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Its name.
    pub id: DelegationId,
    /// Who hands on, of all links of the chain: whose rights they are first, who has made this link last.
    pub delegators: Vec<RegistrationId>,
    /// Who may use it.
    pub delegate: RegistrationId,
    /// The account of the last delegator.
    pub delegator_account: AccountId,
    /// The account of the delegate.
    pub delegate_account: AccountId,
    /// The links above, the first hop first; none if the delegator's own rights are handed on.
    pub upstream: Vec<DelegationId>,
    /// What is handed on; may end in `.*`.
    pub scopes: Scope,
    /// What that is bound to, beside what the links above are bound to.
    pub constraints: Constraints,
    /// How long the chain may become, counted from its first hop: 1 to [`MOST_LINKS`].
    pub max_chain_depth: u32,
    /// It ends then, if ever.
    pub expires: Option<Timestamp>,
    /// The generation of the root of the last delegator, as they knew it when they made the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_generation: Option<u32>,
}

/// What was done, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `delegation.created`…
    pub name: String,
    /// Who; nobody if time did it.
    pub by: Option<By>,
    /// When.
    pub at: Timestamp,
}

/// Who changes a delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The agent; the side that a person acts for, if it is one.
    pub agent: RegistrationId,
    /// The account that it is of. The other one hears no more than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The person: told to nobody on the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<AccountId>,
    /// As [`AuditRow::on_behalf`](crate::tenant::AuditRow::on_behalf).
    pub on_behalf: Option<String>,
    /// As [`AuditRow::network`](crate::tenant::AuditRow::network).
    pub network: Option<String>,
    /// As [`AuditRow::request_id`](crate::tenant::AuditRow::request_id).
    pub request_id: Option<String>,
}

/// What can happen to a delegation. Who may has been judged before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// A new one. The same again is answered the same.
    Create {
        /// What it says.
        terms: Box<Terms>,
        /// By its delegator.
        by: By,
    },
    /// How does it stand?
    Look,
    /// The delegate's account takes it.
    Accept(By),
    /// The delegate's account does not want it.
    Decline(By),
    /// It is taken back, or given back.
    Revoke(By),
    /// Nobody has answered in time.
    Lapse,
    /// It never can count again, for what [`Link::broken_by`] names.
    Cut(DelegationId),
    /// The delegator's account, or else the delegate's, has heard of this sequence.
    Told {
        /// Whose.
        delegators: bool,
        /// Which.
        sequence: u64,
    },
    /// It has refused to: what it does not list does not count.
    Refused {
        /// Whose.
        delegators: bool,
        /// Which.
        sequence: u64,
    },
}

/// What it answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing is there.
    Unknown,
    /// How it stands. Nothing has changed.
    Link(Box<Link>),
    /// Something has changed, and this is to be told.
    Changed(Box<Link>, Vec<Telling>),
    /// Another one has that name.
    Conflict,
}

impl Link {
    /// Who has made it.
    #[must_use]
    pub fn delegator(&self) -> &RegistrationId {
        self.terms.delegator()
    }

    /// Its place in its chain: 1 for the first hop.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.terms.depth()
    }

    /// How many links may follow.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        self.terms.max_chain_depth.saturating_sub(self.depth())
    }

    /// Whether it counts at `now`, for itself.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == DelegationStatus::Active && self.terms.expires.is_none_or(|expires| now < expires)
    }

    /// Whether a person has claimed this root, its delegator's, since it was made: then it is not theirs, whenever it was accepted.
    #[must_use]
    pub fn is_older_than_claim(&self, root: &Standing) -> bool {
        root.taken.is_some_and(|taken| taken.is_after(self.created, self.terms.root_generation))
    }
}

impl Terms {
    /// Who has made the link.
    #[must_use]
    pub fn delegator(&self) -> &RegistrationId {
        self.delegators.last().unwrap_or(&self.delegate)
    }

    /// See [`Link::depth`].
    #[must_use]
    pub fn depth(&self) -> u32 {
        u32::try_from(self.upstream.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Whether the two sides are of different accounts.
    #[must_use]
    pub fn crosses(&self) -> bool {
        self.delegator_account != self.delegate_account
    }

    /// Whether that agent is one of its two sides.
    fn names(&self, agent: &RegistrationId) -> bool {
        agent == self.delegator() || *agent == self.delegate
    }

    /// What can be seen without asking anybody else.
    fn are_sound(&self, now: Timestamp) -> bool {
        let depth = self.depth();
        self.delegators.len() == self.upstream.len() + 1
            && !self.delegators.contains(&self.delegate)
            && (1..=MOST_LINKS).contains(&self.max_chain_depth)
            && depth <= self.max_chain_depth
            && !self.scopes.is_empty()
            && self.expires.is_none_or(|expires| now < expires)
    }
}

impl Machine for Delegation {
    const KIND: &'static str = "delegation";
    type Id = DelegationId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let Some(known) = state else {
            return match command {
                Command::Create { terms, by } => Self::create(*terms, by, now),
                _ => (Next::Keep, Outcome::Unknown),
            };
        };
        let status = known.link.status;
        match command {
            Command::Create { terms, .. }
                if *terms.delegator() == *known.link.delegator() && terms.delegate == known.link.terms.delegate =>
            {
                known.unchanged()
            }
            Command::Create { .. } => (Next::Keep, Outcome::Conflict),
            Command::Accept(by) if status == DelegationStatus::Pending => {
                known.change(DelegationStatus::Active, "delegation.accepted", Some(by), now)
            }
            Command::Decline(by) if status == DelegationStatus::Pending => {
                known.change(DelegationStatus::Declined, "delegation.declined", Some(by), now)
            }
            Command::Lapse if status == DelegationStatus::Pending && known.lapses() <= now => {
                known.change(DelegationStatus::Declined, "delegation.declined", None, now)
            }
            Command::Revoke(by) if matches!(status, DelegationStatus::Pending | DelegationStatus::Active) => {
                known.change(DelegationStatus::Revoked, "delegation.revoked", Some(by), now)
            }
            Command::Cut(by) if matches!(status, DelegationStatus::Pending | DelegationStatus::Active) => {
                let mut known = known;
                known.link.broken_by = Some(by);
                known.change(DelegationStatus::Revoked, "delegation.revoked", None, now)
            }
            Command::Told { delegators, sequence } => known.heard(delegators, sequence),
            Command::Refused { delegators, sequence } => known.refused(delegators, sequence, now),
            Command::Look | Command::Accept(_) | Command::Decline(_) | Command::Revoke(_) | Command::Lapse | Command::Cut(_) => {
                known.unchanged()
            }
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        if !self.tellings().is_empty() {
            return Some(Timestamp::from_millis(0));
        }
        (self.link.status == DelegationStatus::Pending).then(|| self.lapses())
    }

    fn due(&self, now: Timestamp) -> Vec<Effect<Command>> {
        let tell = |Telling { account, command, delegators, sequence }: Telling| Effect::TellAccount {
            account,
            command: Box::new(command),
            heard: Command::Told { delegators, sequence },
            refused: Command::Refused { delegators, sequence },
        };
        let lapsed = self.link.status == DelegationStatus::Pending && self.lapses() <= now;
        self.tellings().into_iter().map(tell).chain(lapsed.then_some(Effect::Step(Command::Lapse))).collect()
    }
}

impl Delegation {
    fn create(terms: Terms, by: By, now: Timestamp) -> (Next<Self>, Outcome) {
        if !terms.are_sound(now) || *terms.delegator() != by.agent {
            return (Next::Keep, Outcome::Conflict);
        }
        let status = if terms.crosses() { DelegationStatus::Pending } else { DelegationStatus::Active };
        // A name may come again once the record is forgotten: its epoch must not, nor what the accounts were told.
        let epoch = u32::try_from(now.seconds()).unwrap_or(u32::MAX);
        let link = Link { terms, status, epoch, sequence: u64::from(epoch), ended: None, created: now, updated: now, broken_by: None };
        let made = Self { link, events: Vec::new(), told: (0, 0) };
        made.change(status, "delegation.created", Some(by), now)
    }

    fn change(mut self, status: DelegationStatus, name: &str, by: Option<By>, now: Timestamp) -> (Next<Self>, Outcome) {
        self.link.status = status;
        self.link.sequence = self.link.sequence.saturating_add(1);
        self.link.updated = now;
        if matches!(status, DelegationStatus::Declined | DelegationStatus::Revoked) {
            self.link.ended = Some(now);
        }
        self.events.push((self.link.sequence, Event { name: name.to_owned(), by, at: now }));
        let outcome = Outcome::Changed(Box::new(self.link.clone()), self.tellings());
        (self.put(), outcome)
    }

    fn heard(mut self, delegators: bool, sequence: u64) -> (Next<Self>, Outcome) {
        let told = if delegators { &mut self.told.0 } else { &mut self.told.1 };
        *told = sequence.max(*told).min(self.link.sequence);
        let both = if self.link.terms.crosses() { self.told.0.min(self.told.1) } else { self.told.0 };
        self.events.retain(|(sequence, _)| *sequence > both);
        let outcome = Outcome::Link(Box::new(self.link.clone()));
        (self.put(), outcome)
    }

    /// An account has no room for it. If it has changed since, what it is now is told first.
    fn refused(mut self, delegators: bool, sequence: u64, now: Timestamp) -> (Next<Self>, Outcome) {
        if sequence != self.link.sequence {
            return self.unchanged();
        }
        if !matches!(self.link.status, DelegationStatus::Pending | DelegationStatus::Active) {
            return self.heard(delegators, sequence);
        }
        let told = if delegators { &mut self.told.0 } else { &mut self.told.1 };
        *told = sequence;
        self.change(DelegationStatus::Revoked, "delegation.revoked", None, now)
    }

    fn unchanged(self) -> (Next<Self>, Outcome) {
        (Next::Keep, Outcome::Link(Box::new(self.link)))
    }

    fn lapses(&self) -> Timestamp {
        let answered = self.link.created.plus(PATIENCE);
        self.link.terms.expires.map_or(answered, |expires| expires.min(answered))
    }

    fn put(self) -> Next<Self> {
        let ends = self.link.ended.or(self.link.terms.expires);
        let until = ends.map_or(Timestamp::NEVER, |ends| ends.plus(REMEMBERED));
        Next::Put(self, until)
    }
}
