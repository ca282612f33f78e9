//! Whose a registration is: how it becomes a person's, how it ends, and who is told.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::managed::LONGEST_LIFE;
use super::{Command, Kind, Registration, claims};
use crate::account::{self, Agent, Event, Feed, PersonalKey, event};
use crate::id::{AccountId, RegistrationId};
use crate::machine::link::Link;
use crate::machine::standing::Taken;
use crate::machine::{Effect, Machine};
use crate::time::{Timestamp, Ttl};

/// The account is told of use at most this often.
const USE: Ttl = Ttl::from_seconds(3600);
/// Events that wait for an account that does not answer.
const MOST_EVENTS: usize = 64;
/// Former owners whose accounts do not answer, and the newest events that wait for each.
const MOST_FORMER: (usize, usize) = (16, 16);

/// Whose a registration is, and the outbox to their account and to the provider's link.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ownership {
    pub(super) owner: Option<AccountId>,
    pub(super) claimed: Option<Timestamp>,
    used: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// The provider's issuer and the name of its link, if a provider vouched.
    pub(super) link: Option<(String, String)>,
    /// Generation of the link when it became the owner's.
    #[serde(default)]
    pub(super) link_generation: u32,
    /// A link whose provider took back its word, and the generation since when: what it said before does not count any more.
    #[serde(default)]
    cut: Option<(String, u32)>,
    sequence: u64,
    told: u64,
    /// What has happened, each with the sequence that tells it.
    events: Vec<(u64, Event)>,
    /// What the link is still to be told.
    #[serde(default)]
    for_link: Option<(u64, serde_json::Value)>,
    /// Owners before this one, and what they are still to be told: that it is not theirs any more.
    #[serde(default)]
    former: Vec<(AccountId, Feed)>,
    /// The registration's own name: the record does not know under what it is kept.
    #[serde(default)]
    pub(super) name: Option<RegistrationId>,
    /// What the agent's own account is still to be told: that somebody has claimed it, or that a claim is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    for_root: Vec<(u64, Event)>,
}

impl Ownership {
    /// Nobody's yet. What the account may have heard under the same name lies before `sequence`.
    pub(super) fn of(name: Option<RegistrationId>, sequence: u64) -> Self {
        Self { name, sequence, told: sequence, ..Self::default() }
    }

    pub(super) fn is_of(&self, person: &AccountId) -> bool {
        self.owner.as_ref() == Some(person)
    }

    /// Whether it stands on a provider's word, by the name of the link.
    pub(super) fn stands_on(&self, link: &str) -> bool {
        self.link.as_ref().is_some_and(|(_, name)| name == link)
    }

    /// Whether a provider's word is older than its taking back.
    pub(super) fn is_void(&self, link: &str, generation: u32) -> bool {
        self.cut.as_ref().is_some_and(|(cut, since)| cut == link && generation < *since)
    }

    /// What was said on the link before this generation is void. Events may come in any order.
    fn cut(&mut self, link: &str, generation: u32) {
        if !self.is_void(link, generation) {
            self.cut = Some((link.to_owned(), generation));
        }
    }

    pub(super) fn has_to_tell(&self) -> bool {
        (self.owner.is_some() && self.told < self.sequence)
            || self.for_link.is_some()
            || !self.former.is_empty()
            || !self.for_root.is_empty()
    }

    pub(super) fn told(&mut self, sequence: u64) {
        self.events.retain(|(at, _)| *at > sequence);
        self.told = self.told.max(sequence);
    }

    pub(super) fn link_told(&mut self, number: u64) {
        self.for_link = self.for_link.take().filter(|(later, _)| *later > number);
    }

    pub(super) fn former_told(&mut self, sequence: u64) {
        self.former.retain(|(_, feed)| feed.sequence != sequence);
    }

    pub(super) fn root_told(&mut self, sequence: u64) {
        self.for_root.retain(|(at, _)| *at > sequence);
    }

    /// The link is to be told this, and nothing of before.
    pub(super) fn tell_link(&mut self, command: serde_json::Value) {
        self.sequence = self.sequence.saturating_add(1);
        self.for_link = Some((self.sequence, command));
    }

    /// Whether somebody has claimed it.
    pub(super) const fn is_owned(&self) -> bool {
        self.owner.is_some()
    }

    /// Grows with every change that somebody is to be told of.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn note(&mut self, name: &str, detail: &str, now: Timestamp) {
        self.sequence = self.sequence.saturating_add(1);
        if let (Some(event), Some(name), Some(_)) = (claims::event(name), &self.name, &self.owner)
            && self.for_root.len() < MOST_FORMER.1
        {
            let event = Event { at: now, name: event.to_owned(), registration: Some(name.clone()), detail: detail.to_owned() };
            self.for_root.push((self.sequence, event));
        }
        if self.events.len() < MOST_EVENTS {
            let event = Event { at: now, name: name.to_owned(), registration: self.name.clone(), detail: detail.to_owned() };
            self.events.push((self.sequence, event));
        }
    }

    /// Whether there is something to tell: a claimed agent was used for the first time in an hour.
    pub(super) fn used(&mut self, now: Timestamp) -> bool {
        if self.owner.is_none() || self.used.is_some_and(|used| now < used.plus(USE)) {
            return false;
        }
        self.used = Some(now);
        self.sequence = self.sequence.saturating_add(1);
        true
    }
}

impl Registration {
    /// From now on it is `person`'s, and what was issued before is nobody's.
    pub(super) fn take(&mut self, person: AccountId, link: Option<(String, String, u32)>, now: Timestamp) {
        self.standing.claimed = true;
        self.standing.ended = false;
        self.standing.withdrawn = false;
        self.standing.suspended = false;
        self.standing.expires = Timestamp::NEVER;
        self.family = None;
        self.limit_keys(now);
        self.next_generation();
        self.standing.taken = Some(Taken { at: now, generation: self.standing.generation });
        self.ownership.owner = Some(person);
        self.ownership.claimed = Some(now);
        self.ownership.ended = None;
        self.ownership.link_generation = link.as_ref().map_or(0, |(.., generation)| *generation);
        self.ownership.link = link.map(|(issuer, name, _)| (issuer, name));
        self.ownership.note("agent.claimed", "", now);
    }

    /// It is not its owner's any more, and they are to hear of it, of all that was theirs and of nothing later.
    pub(super) fn part(&mut self, now: Timestamp) {
        if self.ownership.ended.is_none() {
            self.ownership.ended = Some(now);
            self.ownership.note("agent.revoked", "the provider", now);
        }
        let left = self.ownership.owner.clone().zip(self.feed());
        let Ownership { sequence, name, cut, mut former, for_root, .. } = std::mem::take(&mut self.ownership);
        if let Some((owner, mut feed)) = left {
            let earlier = former.extract_if(.., |(known, _)| *known == owner).flat_map(|(_, feed)| feed.events);
            feed.events = newest(earlier.chain(feed.events).collect(), MOST_FORMER.1);
            former.push((owner, feed));
        }
        self.ownership = Ownership { cut, former: newest(former, MOST_FORMER.0), for_root, ..Ownership::of(name, sequence) };
    }

    /// Owner or operator take it back: nothing of it counts any more, and the provider's word alone does not bring it back.
    pub(super) fn withdraw(&mut self, by: &str, now: Timestamp) {
        self.end(by, now);
        self.standing.withdrawn = true;
        if self.ownership.link.is_some() {
            self.ownership.tell_link(json!("Unbind"));
        }
    }

    /// Nothing of it counts any more.
    pub(super) fn end(&mut self, by: &str, now: Timestamp) {
        if self.standing.ended {
            return;
        }
        self.standing.ended = true;
        if self.standing.kind == Kind::Child {
            // Its name is its maker's word, and a late repeat of that must find it ended, not gone.
            self.standing.expires = self.standing.expires.min(now.plus(LONGEST_LIFE).plus(USE));
        }
        self.drop_keys(|_| true);
        self.family = None;
        self.next_generation();
        self.ownership.ended = Some(now);
        let event = if self.standing.kind == Kind::Personal { event::KEY_REVOKED } else { "agent.revoked" };
        self.ownership.note(event, by, now);
    }

    /// The provider takes back its word: only what stands on it ends, and nothing that was said after the event.
    pub(super) fn end_link(&mut self, link: &str, generation: u32, now: Timestamp) {
        self.ownership.cut(link, generation);
        if self.ownership.stands_on(link) && self.ownership.link_generation < generation {
            self.end("the provider", now);
        } else if let Some(claim) = self.claim.as_mut().filter(|claim| !self.standing.claimed && claim.vouched_by(link, generation)) {
            if self.standing.kind == Kind::IdentityAssertion {
                self.end("the provider", now);
            } else {
                claim.drop_attempt();
            }
        }
    }

    /// What account and link are still to be told.
    pub(super) fn tellings(&self) -> Vec<Effect<Command>> {
        let mut effects = Vec::new();
        if let (Some(link), Some((number, command))) = (&self.ownership.link, &self.ownership.for_link) {
            effects.push(Effect::Tell { kind: Link::KIND, id: link.1.clone(), command: command.clone(), then: Command::LinkTold(*number) });
        }
        for (owner, feed) in &self.ownership.former {
            let then = Command::FormerTold(feed.sequence);
            effects.push(Effect::Tell {
                kind: account::KIND,
                id: owner.to_string(),
                command: json!(account::Command::Feed(feed.clone())),
                then,
            });
        }
        effects
            .extend(self.ownership.for_root.iter().filter_map(|(sequence, event)| claims::telling(*sequence, event, self.standing.taken)));
        if let (Some(owner), Some(feed)) = (&self.ownership.owner, self.feed()) {
            let then = Command::Told(feed.sequence);
            let command = json!(account::Command::Feed(feed));
            effects.push(Effect::Tell { kind: account::KIND, id: owner.to_string(), command, then });
        }
        effects
    }

    /// What the account has not been told yet.
    pub(super) fn feed(&self) -> Option<Feed> {
        let ownership = &self.ownership;
        let agent = self.agent().filter(|_| ownership.told < ownership.sequence)?;
        let events = ownership.events.iter().map(|(_, event)| event.clone()).collect();
        Some(Feed { sequence: ownership.sequence, agent, events })
    }

    /// What its owner is shown of it; nothing if it has none.
    pub(super) fn agent(&self) -> Option<Agent> {
        let ownership = &self.ownership;
        let name = ownership.name.as_ref().filter(|_| ownership.owner.is_some())?;
        let standing = &self.standing;
        let expires = Some(standing.expires).filter(|expires| *expires != Timestamp::NEVER);
        Some(Agent {
            registration: name.clone(),
            kind: self.standing.kind.as_str().to_owned(),
            name: self.said.agent.clone(),
            provider: ownership.link.as_ref().map(|(issuer, _)| issuer.clone()),
            created: self.standing.created,
            claimed: ownership.claimed.unwrap_or(self.standing.created),
            used: ownership.used,
            ended: ownership.ended,
            key: standing.ceiling.clone().map(|scope| PersonalKey { scope, expires }),
        })
    }
}

/// The last `most` of them.
fn newest<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(most))
}
