//! A provider vouches for an agent and its person.

use serde::{Deserialize, Serialize};

use super::claim::NewClaim;
use super::{Claim, Kind, Outcome, Registration, Said};
use crate::id::{AccountId, RegistrationId};
use crate::machine::Next;
use crate::time::{Timestamp, Ttl};

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

impl Registration {
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
            known.drop_keys(|_| true);
            known.part(now);
        }
        known.ownership.name = Some(vouch.registration);
        known.take(vouch.person, Some((link.0, link.1, vouch.generation)), now);
        let standing = known.standing.clone();
        (known.put(), Outcome::Standing(standing))
    }

    /// Whether a provider vouches for what is known already.
    pub(super) fn recognise(self, vouch: Vouch, now: Timestamp) -> Outcome {
        if self.standing.withdrawn {
            return Outcome::Refused;
        }
        let is_told = self.feed().is_none();
        match Self::vouch(Some(self), vouch, now) {
            (Next::Keep, Outcome::Standing(standing)) if is_told => Outcome::Standing(standing),
            _ => Outcome::Unknown,
        }
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
        known.drop_keys(|_| true);
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
}
