//! One agent's registration: what can happen to it.

mod ceremony;
pub mod claim;
mod claims;
mod command;
mod managed;
mod ownership;
mod personal;
mod tokens;
mod vouched;
mod words;

use serde::{Deserialize, Serialize};

use super::family::Family;
use super::standing::{Credential, Kind, Standing};
use super::status_index::Block;
use super::{Effect, Machine, Next, places};
use crate::account::event;
use crate::id::{AttemptId, RegistrationId};
use crate::time::{Timestamp, Ttl};
use claim::{Claim, ClaimRefusal, NewClaim};
use managed::Keyed;
use ownership::Ownership;

pub use command::{Command, Outcome, Proof};
pub use managed::{FIRST_FAMILY, MOST_FAMILIES, MOST_FAMILIES_OF_A_KEY, MOST_KEYS, NewFamily, NewKey};
pub use personal::NewPersonal;
pub use vouched::Vouch;

/// A registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    standing: Standing,
    idempotency: Option<Idempotency>,
    /// What the agent said of itself: shown to people as its claim, never trusted, never matched.
    said: Said,
    /// Places in status lists that live tokens may refer to.
    blocks: Vec<(Block, Timestamp)>,
    /// The outbox: places that are still to be marked.
    marks: Vec<Block>,
    /// The ceremony, if a person can claim it.
    #[serde(default)]
    claim: Option<Claim>,
    /// The refresh tokens of a claimed agent.
    #[serde(default)]
    family: Option<Family>,
    /// Families so far: none is mistaken for an earlier one.
    #[serde(default)]
    families: u32,
    /// Whose it is, and who is to be told.
    #[serde(default)]
    ownership: Ownership,
    /// The refresh tokens that came from API keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keyed: Vec<Keyed>,
    /// More than the greatest number that an API key has had.
    #[serde(default, skip_serializing_if = "is_zero")]
    keys_so_far: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What an agent says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Unverified contact.
    pub email: Option<String>,
    /// The agent's name for itself.
    pub agent: Option<String>,
}

/// A request that may be repeated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idempotency {
    /// Digest of path and body.
    pub request: String,
    /// What the answer is recomputed with: another registration at the same address has another.
    pub salt: String,
    /// Until when the answer is recomputed.
    pub until: Timestamp,
}

impl Machine for Registration {
    const KIND: &'static str = "registration";
    type Id = RegistrationId;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        match (state, command) {
            (Some(known), Command::Recall { request } | Command::Open { idempotency: Some((request, ..)), .. }) => {
                (Next::Keep, known.recall(&request, now))
            }
            (Some(_), Command::Open { .. }) => (Next::Keep, Outcome::Conflict),
            (None, Command::Open { ttl, key, said, idempotency, kind, claim }) => {
                let mut opened = Self::open(ttl, said, kind, claim, now);
                opened.standing.credentials.extend(key.map(|(digest, ttl)| Credential::new(0, digest, ttl, now)));
                opened.idempotency = idempotency.map(|(request, salt, ttl)| Idempotency { request, salt, until: now.plus(ttl) });
                let standing = opened.standing.clone();
                let outcome = match &opened.idempotency {
                    Some(known) => Outcome::Opened(standing, known.salt.clone()),
                    None => Outcome::Standing(standing),
                };
                (opened.put(), outcome)
            }
            (state, Command::Adopt { ancestors, expires, said }) => Self::adopt(state, (ancestors, expires), said, now),
            (state, Command::MakePersonal(new)) => Self::make_personal(state, new, now),
            (state, Command::Vouch(vouch)) => Self::vouch(state, vouch, now),
            (state, Command::StepUp { ttl, said, claim }) => Self::step_up(state, ttl, said, claim, now),
            (None, command) => (Next::Keep, Self::absent(&command)),
            (Some(known), Command::Introduce) => (Next::Keep, Outcome::Feed(known.feed())),
            (Some(known), Command::Held(person)) => (Next::Keep, known.held(&person)),
            (Some(known), Command::Recognise(vouch)) => (Next::Keep, known.recognise(vouch, now)),
            (Some(known), Command::Look) => (Next::Keep, Outcome::Standing(known.standing)),
            (Some(known), Command::Issue { proof, block }) => known.issue(&proof, block, now),
            (Some(known), Command::View { view }) => known.view(&view, now),
            (Some(known), Command::Mailed { token, hint }) => known.mailed(&token, &hint, now),
            (Some(known), Command::Cancel(attempt)) => known.cancel(&attempt),
            (Some(known), Command::Claimable { token }) => known.claimable(&token, now),
            (Some(known), Command::AddManagedKey(key)) => known.add_managed_key(key, now),
            (Some(known), Command::RotateKey { id, digest, expires, root_generation }) => {
                known.rotate_key(id, digest, (expires, root_generation), now)
            }
            (Some(known), Command::Authenticate { digests, begin, block }) => known.begin_family(&digests, begin, block, now),
            (Some(known), Command::Continue { token, scope, resource, block }) if known.is_keyed(token.family) => {
                known.continue_family(&token, (scope, resource), block, now)
            }
            (Some(_), Command::Continue { .. }) => (Next::Keep, Outcome::Refused),
            (Some(known), Command::Refresh(token)) => known.refresh(&token, now),
            (Some(known), command) => known.change(command, now),
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        (!self.marks.is_empty() || self.ownership.has_to_tell()).then_some(Timestamp::from_millis(0))
    }

    fn due(&self, _now: Timestamp) -> Vec<Effect<Command>> {
        // The account first: an owner who takes it back must not wait for a list.
        self.tellings().into_iter().chain(places::marking(&self.marks, Command::Marked)).collect()
    }
}

impl Registration {
    fn open(ttl: Ttl, said: Said, kind: Kind, claim: Option<NewClaim>, now: Timestamp) -> Self {
        // The name of a provider's registration is always the same, and that of a child is what its maker says: their generations must not come
        // again when the record has lapsed, nor what its owner's account was told. One a second is more than the limits let through.
        let recurs = matches!(kind, Kind::IdentityAssertion | Kind::Child);
        let generation = if recurs { u32::try_from(now.seconds()).unwrap_or(u32::MAX) } else { 0 };
        let standing = Standing {
            generation,
            epoch: 0,
            tokens_after: 0,
            created: now,
            expires: now.plus(ttl),
            ended: false,
            claimed: false,
            credentials: Vec::new(),
            revoked: Vec::new(),
            kind,
            suspended: false,
            withdrawn: false,
            ancestors: Vec::new(),
            paused: false,
            ceiling: None,
            taken: None,
        };
        let name = claim.as_ref().map(|claim| claim.registration.clone());
        Self {
            standing,
            idempotency: None,
            said,
            blocks: Vec::new(),
            marks: Vec::new(),
            claim: claim.map(|new| Claim::new(new, now.plus(ttl), now)),
            family: None,
            families: 0,
            ownership: Ownership::of(name, generation.into()),
            keyed: Vec::new(),
            keys_so_far: 0,
        }
    }

    /// What there is to say where there is no record: a claim token that is genuine in form was good once.
    fn absent(command: &Command) -> Outcome {
        match command {
            Command::Begin { .. }
            | Command::Claimable { .. }
            | Command::Mailed { .. }
            | Command::ClaimVouched { .. }
            | Command::Poll { .. }
            | Command::Complete { .. }
            | Command::Deliver { .. }
            | Command::View { .. }
            | Command::Answer { .. } => Outcome::Claim(ClaimRefusal::Expired),
            _ => Outcome::Unknown,
        }
    }

    fn recall(self, request: &str, now: Timestamp) -> Outcome {
        match self.idempotency {
            Some(known) if known.request == request && now < known.until => Outcome::Opened(self.standing, known.salt),
            _ => Outcome::Conflict,
        }
    }

    /// Whoever repeats the request begins anew; a claim or an end that came first stays.
    fn cancel(self, attempt: &AttemptId) -> (Next<Self>, Outcome) {
        let opened = !self.standing.claimed && !self.standing.ended && self.standing.kind == Kind::ServiceAuth;
        match &self.claim {
            Some(claim) if opened && claim.is_at(attempt) => (Next::Delete, Outcome::Unknown),
            _ => (Next::Keep, Outcome::Standing(self.standing)),
        }
    }

    /// Everything else that can happen to a registration that is there.
    fn change(mut self, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        self.forget(now);
        match command {
            Command::Exchanged { detail } if self.ownership.is_owned() => self.ownership.note(event::TOKEN_EXCHANGED, &detail, now),
            Command::Exchanged { .. } => return (Next::Keep, Outcome::Standing(self.standing)),
            Command::RevokeToken { token, place } => self.places().revoke_token(token, place, now),
            Command::RevokeCredential { id } => {
                self.revoke_credential(id);
                self.end_without_key(now);
            }
            Command::EndFamily { id } if self.is_keyed(id) => self.end_family(id),
            Command::EndFamily { .. } => return (Next::Keep, Outcome::Standing(self.standing)),
            Command::Pause(paused) => self.standing.paused = paused,
            Command::Marked(done) => self.places().marked(&done),
            Command::End { generation } if generation == self.standing.generation => self.end("the agent itself", now),
            Command::EndBy(person) if self.ownership.is_of(&person) => self.withdraw("you", now),
            Command::EndBy(_) => return (Next::Keep, Outcome::Unknown),
            Command::EndByOperator => self.withdraw("the operator", now),
            Command::EndLink { link, generation } => self.end_link(&link, generation, now),
            Command::RevokeRefresh(token) => self.revoke_refresh(&token, now),
            Command::Suspend { person, suspended } if self.ownership.is_of(&person) => self.standing.suspended = suspended,
            Command::AddKey { generation, key } if self.standing.counts(generation, now) => self.add_key(key, now),
            Command::AddKey { .. } => return (Next::Keep, Outcome::Refused),
            Command::Told(sequence) => self.ownership.told(sequence),
            Command::LinkTold(number) => self.ownership.link_told(number),
            Command::FormerTold(sequence) => self.ownership.former_told(sequence),
            Command::RootTold(sequence) => self.ownership.root_told(sequence),
            Command::Withdraw(attempt) => {
                if let Some(claim) = &mut self.claim {
                    claim.withdraw(&attempt);
                }
            }
            // An assertion of an older generation ends nothing.
            Command::End { .. } | Command::Suspend { .. } => {}
            command => return self.ceremony(command, now),
        }
        let standing = self.standing.clone();
        (self.put(), Outcome::Standing(standing))
    }

    fn put(self) -> Next<Self> {
        let expires = self.standing.expires;
        Next::Put(self, expires)
    }

    fn forget(&mut self, now: Timestamp) {
        self.places().forget(now);
        self.forget_families(now);
        self.drop_keys(|key| key.limited && now >= key.expires);
        self.idempotency = self.idempotency.take().filter(|known| now < known.until);
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod claim_tests;
#[cfg(test)]
mod managed_tests;
#[cfg(test)]
mod one;
#[cfg(test)]
mod ownership_tests;
#[cfg(test)]
mod personal_tests;
#[cfg(test)]
mod tests;
