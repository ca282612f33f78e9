//! Whose a registration is: how it becomes a person's, how it ends, and who is told.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::claim::{Answered, ClaimRefusal, NewClaim, Path, VouchedFor};
use super::{Claim, Command, Kind, Link, Outcome, Registration, Said};
use crate::account::{self, Agent, Event, Feed};
use crate::id::{AccountId, RegistrationId};
use crate::machine::family::Family;
use crate::machine::{Effect, Machine, Next};
use crate::secret::Digest;
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
    owner: Option<AccountId>,
    claimed: Option<Timestamp>,
    used: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// The provider's issuer and the name of its link, if a provider vouched.
    link: Option<(String, String)>,
    /// Generation of the link when it became the owner's.
    #[serde(default)]
    link_generation: u32,
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
    name: Option<RegistrationId>,
}

/// A provider's word about an agent and its person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vouch {
    /// Name of the `Link` cell.
    pub link: String,
    /// Generation of the link.
    pub generation: u32,
    /// The provider.
    pub issuer: String,
    /// The person.
    pub person: AccountId,
    /// The registration's own name.
    pub registration: RegistrationId,
    /// What the agent says of itself.
    pub said: Said,
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
    fn is_void(&self, link: &str, generation: u32) -> bool {
        self.cut.as_ref().is_some_and(|(cut, since)| cut == link && generation < *since)
    }

    /// What was said on the link before this generation is void. Events may come in any order.
    fn cut(&mut self, link: &str, generation: u32) {
        if !self.is_void(link, generation) {
            self.cut = Some((link.to_owned(), generation));
        }
    }

    pub(super) fn has_to_tell(&self) -> bool {
        (self.owner.is_some() && self.told < self.sequence) || self.for_link.is_some() || !self.former.is_empty()
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

    /// The link is to be told this, and nothing of before.
    fn tell_link(&mut self, command: serde_json::Value) {
        self.sequence = self.sequence.saturating_add(1);
        self.for_link = Some((self.sequence, command));
    }

    /// Whether somebody has claimed it.
    pub(super) const fn is_owned(&self) -> bool {
        self.owner.is_some()
    }

    pub(super) fn note(&mut self, name: &str, detail: &str, now: Timestamp) {
        self.sequence = self.sequence.saturating_add(1);
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
    /// Carries out a step of the ceremony.
    pub(super) fn ceremony(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match self.advance(command, now) {
            Ok(outcome) => (self.put(), outcome),
            // A wrong code was counted; nothing else that is refused changes anything.
            Err(refusal @ (ClaimRefusal::WrongCode | ClaimRefusal::CodeOver)) => (self.put(), Outcome::Claim(refusal)),
            Err(refusal) => (Next::Keep, Outcome::Claim(refusal)),
        }
    }

    /// What the page of an attempt may show: nothing changes.
    pub(super) fn view(self, view: &[Digest], now: Timestamp) -> (Next<Self>, Outcome) {
        let page = self.claim.as_ref().ok_or(ClaimRefusal::Unknown);
        let page = page.and_then(|claim| claim.page(view, self.standing.claimed, self.standing.ended, now));
        let outcome = match page {
            Ok(page) => Outcome::Page { standing: self.standing, said: self.said, page },
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    /// The open attempt by mail to `hint`, or how many there were, or why there will be none: nothing changes.
    pub(super) fn mailed(self, token: &[Digest], hint: &str, now: Timestamp) -> (Next<Self>, Outcome) {
        let known = self.knows(token).and_then(|()| self.unclaimed());
        let judged = known.and(self.claim.as_ref().ok_or(ClaimRefusal::Unknown)).and_then(|claim| match claim.mailed(hint, now) {
            Some(open) => Ok((Some(open), 0)),
            None => claim.admits(Some(hint), self.standing.expires, now).map(|begun| (None, begun)),
        });
        let outcome = match judged {
            Ok((Some((attempt, expires)), _)) => Outcome::Begun { standing: self.standing, attempt, expires, fresh: false },
            Ok((None, begun)) => Outcome::Attempts(begun),
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    /// Whether an ID-JAG may claim it: nothing changes.
    pub(super) fn claimable(self, token: &[Digest], now: Timestamp) -> (Next<Self>, Outcome) {
        let outcome = match self.claimable_by_id_jag(token, now) {
            Ok(()) => Outcome::Standing(self.standing),
            Err(refusal) => Outcome::Claim(refusal),
        };
        (Next::Keep, outcome)
    }

    fn advance(&mut self, command: Command, now: Timestamp) -> Result<Outcome, ClaimRefusal> {
        match command {
            Command::Begin { token, attempt } => {
                self.knows(&token)?;
                self.unclaimed()?;
                if attempt.vouched.as_ref().is_some_and(|vouched| self.ownership.is_void(&vouched.link, vouched.generation)) {
                    return Err(ClaimRefusal::Revoked);
                }
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                let before = claim.same(&attempt, now);
                let (attempt, expires) = match before.clone() {
                    Some(before) => before,
                    None if attempt.vouched.is_some() && claim.live(now) => return Err(ClaimRefusal::InFlight),
                    None => {
                        claim.admits(attempt.hint.as_deref(), self.standing.expires, now)?;
                        claim.start(attempt, self.standing.expires, now)
                    }
                };
                Ok(Outcome::Begun { standing: self.standing.clone(), attempt, expires, fresh: before.is_none() })
            }
            Command::ClaimVouched { token, vouch } => {
                self.claimable_by_id_jag(&token, now)?;
                if self.ownership.is_void(&vouch.link, vouch.generation) {
                    return Err(ClaimRefusal::Revoked);
                }
                self.ownership.name = Some(vouch.registration);
                self.take(vouch.person, Some((vouch.issuer, vouch.link, vouch.generation)), now);
                if let Some(claim) = &mut self.claim {
                    claim.close();
                }
                Ok(Outcome::Standing(self.standing.clone()))
            }
            Command::Poll { token } => {
                self.knows(&token)?;
                if self.standing.claimed {
                    return self.ready(Path::Typed, now);
                }
                self.unclaimed()?;
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                Ok(if claim.poll(now)? { Outcome::SlowDown } else { Outcome::Pending })
            }
            Command::Complete { token, codes } => {
                self.knows(&token)?;
                if self.standing.claimed {
                    let known = self.claim.as_ref().is_some_and(|claim| claim.was_completed_with(&codes));
                    return if known { self.ready(Path::Relay, now) } else { Err(ClaimRefusal::Claimed) };
                }
                self.unclaimed()?;
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                let answered = claim.complete(&codes, now)?;
                self.settle(answered, now);
                self.ready(Path::Relay, now)
            }
            Command::Answer { view, person, email, answer } => {
                let settled = (self.standing.claimed, self.standing.ended);
                let claim = self.claim.as_mut().ok_or(ClaimRefusal::Unknown)?;
                let answered = claim.answer(&view, (&person, email.as_deref()), &answer, settled, now)?;
                Ok(self.settle(answered, now))
            }
            Command::Deliver { token, path, generation, sealed, assertion, refresh, key } => {
                self.knows(&token)?;
                if !self.standing.claimed || generation != self.standing.generation {
                    return Err(ClaimRefusal::Delivered);
                }
                let Some(claim) = self.claim.as_mut() else { return Err(ClaimRefusal::Unknown) };
                if let Some(before) = claim.delivered(path, now)? {
                    return Ok(Outcome::Delivered(before));
                }
                claim.deliver(path, sealed.clone(), assertion, now);
                if let Some((id, digest)) = refresh {
                    self.families = id.saturating_add(1);
                    self.family = Some(Family::begin(id, digest, now));
                }
                if let Some(key) = key {
                    self.add_key(key, now);
                }
                Ok(Outcome::Delivered(sealed))
            }
            _ => Ok(Outcome::Standing(self.standing.clone())),
        }
    }

    fn settle(&mut self, answered: Answered, now: Timestamp) -> Outcome {
        match answered {
            Answered::Approved(person, vouched) => {
                let link = vouched.map(|VouchedFor { link, generation, issuer, .. }| {
                    // The provider's link is the person's from now on, unless the provider has spoken meanwhile.
                    self.ownership.tell_link(json!({ "Bind": { "person": person, "generation": generation } }));
                    (issuer, link, generation)
                });
                self.take(person, link, now);
                Outcome::Approved(self.standing.clone())
            }
            Answered::Revealed(expires) => Outcome::Revealed(expires),
            Answered::Denied => Outcome::Denied,
        }
    }

    /// What the agent of a claimed registration gets.
    fn ready(&mut self, path: Path, now: Timestamp) -> Result<Outcome, ClaimRefusal> {
        let (Some(claim), Some(owner)) = (&self.claim, &self.ownership.owner) else { return Err(ClaimRefusal::Unknown) };
        match () {
            () if self.standing.ended => return Err(ClaimRefusal::Revoked),
            () if self.standing.suspended => return Err(ClaimRefusal::Denied),
            () => {}
        }
        if let Some(before) = claim.delivered(path, now)? {
            return Ok(Outcome::Delivered(before));
        }
        let (standing, owner) = (self.standing.clone(), owner.clone());
        Ok(Outcome::Ready { standing, owner, credential: claim.credential(), family: self.families })
    }

    fn unclaimed(&self) -> Result<(), ClaimRefusal> {
        match () {
            () if self.standing.claimed => Err(ClaimRefusal::Claimed),
            () if self.standing.ended => Err(ClaimRefusal::Revoked),
            () => Ok(()),
        }
    }

    fn claimable_by_id_jag(&self, token: &[Digest], now: Timestamp) -> Result<(), ClaimRefusal> {
        self.knows(token)?;
        self.unclaimed()?;
        match &self.claim {
            _ if self.standing.kind != Kind::Anonymous => Err(ClaimRefusal::Kind),
            Some(claim) if claim.live(now) => Err(ClaimRefusal::InFlight),
            _ => Ok(()),
        }
    }

    /// From now on it is `person`'s, and what was issued before is nobody's.
    fn take(&mut self, person: AccountId, link: Option<(String, String, u32)>, now: Timestamp) {
        self.standing.claimed = true;
        self.standing.ended = false;
        self.standing.withdrawn = false;
        self.standing.suspended = false;
        self.standing.expires = Timestamp::NEVER;
        self.family = None;
        self.limit_keys(now);
        self.next_generation();
        self.ownership.owner = Some(person);
        self.ownership.claimed = Some(now);
        self.ownership.ended = None;
        self.ownership.link_generation = link.as_ref().map_or(0, |(.., generation)| *generation);
        self.ownership.link = link.map(|(issuer, name, _)| (issuer, name));
        self.ownership.note("agent.claimed", "", now);
    }

    /// A provider vouches, and the person is known: theirs at once.
    pub(super) fn vouch(state: Option<Self>, vouch: Vouch, now: Timestamp) -> (Next<Self>, Outcome) {
        let link = (vouch.issuer, vouch.link);
        let mut known = match state {
            Some(known) => known,
            None => Self::open(Ttl::from_seconds(0), vouch.said, Kind::IdentityAssertion, None, now),
        };
        // Taken back by owner or operator, and the link has not heard of it yet: they are asked anew.
        let withdrawn = known.standing.withdrawn && known.ownership.link_generation == vouch.generation;
        if withdrawn || known.ownership.is_void(&link.1, vouch.generation) {
            return (Next::Keep, Outcome::Refused);
        }
        // A word of a later generation: the link was cut before it, which may be still on its way here.
        known.end_link(&link.1, vouch.generation, now);
        let same = known.standing.claimed && !known.standing.ended && known.ownership.is_of(&vouch.person);
        if same && known.ownership.link.as_ref() == Some(&link) {
            return (Next::Keep, Outcome::Standing(known.standing));
        }
        known.forget(now);
        known.claim = None;
        if known.standing.claimed && !known.ownership.is_of(&vouch.person) {
            // What somebody else's agent was given is not this person's, nor is what it did.
            known.standing.credentials.clear();
            known.part(now);
        }
        known.ownership.name = Some(vouch.registration);
        known.take(vouch.person, Some((link.0, link.1, vouch.generation)), now);
        let standing = known.standing.clone();
        (known.put(), Outcome::Standing(standing))
    }

    /// A provider vouches, and the matched person must confirm. If they just have, nothing is asked again.
    pub(super) fn step_up(state: Option<Self>, ttl: Ttl, said: Said, claim: NewClaim, now: Timestamp) -> (Next<Self>, Outcome) {
        let wanted = claim.attempt.as_ref().and_then(|attempt| attempt.vouched.clone());
        let mut known = match state {
            Some(known) => known,
            None => Self::open(ttl, said, Kind::IdentityAssertion, None, now),
        };
        if let Some(wanted) = &wanted {
            if known.ownership.is_void(&wanted.link, wanted.generation) {
                return (Next::Keep, Outcome::Refused);
            }
            known.end_link(&wanted.link, wanted.generation, now);
        }
        if known.standing.claimed && !known.standing.ended && wanted.is_some_and(|wanted| known.ownership.is_of(&wanted.person)) {
            return (Next::Keep, Outcome::Standing(known.standing));
        }
        known.forget(now);
        // What was issued to an earlier owner, or before a revocation, stays dead.
        known.standing.credentials.clear();
        known.standing.claimed = false;
        known.standing.ended = false;
        known.standing.expires = now.plus(ttl);
        known.next_generation();
        known.part(now);
        known.ownership.name = Some(claim.registration.clone());
        match &mut known.claim {
            Some(before) => {
                if let Err(refusal) = before.bears(known.standing.expires, now) {
                    return (Next::Keep, Outcome::Claim(refusal));
                }
                before.replace(claim, known.standing.expires, now);
            }
            None => known.claim = Some(Claim::new(claim, known.standing.expires, now)),
        }
        let standing = known.standing.clone();
        (known.put(), Outcome::Opened(standing, String::new()))
    }

    /// It is not its owner's any more, and they are to hear of it, of all that was theirs and of nothing later.
    fn part(&mut self, now: Timestamp) {
        if self.ownership.ended.is_none() {
            self.ownership.ended = Some(now);
            self.ownership.note("agent.revoked", "the provider", now);
        }
        let left = self.ownership.owner.clone().zip(self.feed());
        let Ownership { sequence, name, cut, mut former, .. } = std::mem::take(&mut self.ownership);
        if let Some((owner, mut feed)) = left {
            let earlier = former.extract_if(.., |(known, _)| *known == owner).flat_map(|(_, feed)| feed.events);
            feed.events = newest(earlier.chain(feed.events).collect(), MOST_FORMER.1);
            former.push((owner, feed));
        }
        self.ownership = Ownership { cut, former: newest(former, MOST_FORMER.0), ..Ownership::of(name, sequence) };
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
        self.standing.credentials.clear();
        self.family = None;
        self.next_generation();
        self.ownership.ended = Some(now);
        self.ownership.note("agent.revoked", by, now);
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
        let name = ownership.name.as_ref().filter(|_| ownership.owner.is_some() && ownership.told < ownership.sequence)?;
        let agent = Agent {
            registration: name.clone(),
            kind: self.standing.kind.as_str().to_owned(),
            name: self.said.agent.clone(),
            provider: ownership.link.as_ref().map(|(issuer, _)| issuer.clone()),
            created: self.standing.created,
            claimed: ownership.claimed.unwrap_or(self.standing.created),
            used: ownership.used,
            ended: ownership.ended,
        };
        let events = ownership.events.iter().map(|(_, event)| event.clone()).collect();
        Some(Feed { sequence: ownership.sequence, agent, events })
    }
}

/// The last `most` of them.
fn newest<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    all.split_off(all.len().saturating_sub(most))
}
