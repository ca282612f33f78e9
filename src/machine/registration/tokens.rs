//! What is issued for a registration, and how it ends one by one.

use super::claim::ClaimRefusal;
use super::managed::MOST_KEYS;
use super::{Block, Outcome, Proof, Registration};
use crate::machine::Next;
use crate::machine::family::{Presented, Rotation};
use crate::machine::places::Places;
use crate::machine::standing::{Credential, OLD_KEY};
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

impl Registration {
    pub(super) fn issue(mut self, proof: &Proof, block: Option<(Block, Ttl)>, now: Timestamp) -> (Next<Self>, Outcome) {
        let (credential, used) = match proof {
            Proof::Assertion { generation, jti } if self.standing.counts(*generation, now) => {
                let used = jti.as_deref().zip(self.claim.as_mut()).is_some_and(|(jti, claim)| claim.used(jti));
                (None, used)
            }
            Proof::Assertion { .. } => return (Next::Keep, Outcome::Refused),
            Proof::ApiKey { digests } => match self.standing.api_key(|known| digests.iter().any(|digest| digest.same(known)), now) {
                Some(stamp) => (Some(stamp), false),
                None => return (Next::Keep, Outcome::Refused),
            },
        };
        let outcome = Outcome::Issue(self.standing.clone(), credential);
        let noted = self.ownership.used(now);
        let Some((block, ttl)) = block else {
            return (if used || noted { self.put() } else { Next::Keep }, outcome);
        };
        self.forget(now);
        let ttl = self.longest(ttl);
        let mut places = self.places();
        if places.is_full() {
            return (Next::Keep, Outcome::Full);
        }
        places.remember(block, ttl, now);
        (self.put(), outcome)
    }

    pub(super) fn refresh(mut self, token: &Presented, now: Timestamp) -> (Next<Self>, Outcome) {
        let live = self.standing.counts(self.standing.generation, now);
        let Some(family) = self.family.as_mut().filter(|_| live) else { return (Next::Keep, Outcome::Refused) };
        match family.rotate(token, now) {
            Rotation::Successor(index) => {
                self.ownership.used(now);
                let standing = self.standing.clone();
                (self.put(), Outcome::Refreshed(standing, index))
            }
            Rotation::Reused => {
                // Two hold the same token, and one of them stole it: both are out, with all that it has brought.
                self.family = None;
                self.next_generation();
                self.ownership.note("agent.refresh_reused", "", now);
                (self.put(), Outcome::Refused)
            }
            Rotation::Unknown => (Next::Keep, Outcome::Refused),
        }
    }

    /// RFC 7009, section 2.1: the family, and the tokens that came of it.
    pub(super) fn revoke_refresh(&mut self, token: &Presented, now: Timestamp) {
        if self.family.as_ref().is_some_and(|family| family.knows(token, now)) {
            self.family = None;
            self.next_generation();
        }
        self.revoke_keyed(token, now);
    }

    pub(super) fn revoke_credential(&mut self, id: u32) {
        let known = self.standing.credentials.iter_mut().find(|key| key.id == id && key.of.is_none() && !key.ended);
        if let Some(credential) = known {
            credential.ended = true;
            credential.generation = credential.generation.saturating_add(1);
            // Places are not kept per key: every token of the registration loses its place. Those of other
            // keys still count with us; verifiers that follow the list alone ask for a new one too early.
            self.places().mark_all();
            self.end_families_of(id);
        }
    }

    /// One API key more; the oldest one goes when there are too many.
    pub(super) fn add_key(&mut self, (digest, ttl): (Digest, Option<Ttl>), now: Timestamp) {
        let Some(id) = self.next_key() else { return };
        let surplus = self.keys().count().saturating_sub(MOST_KEYS - 1);
        let oldest: Vec<u32> = self.keys().take(surplus).map(|key| key.id).collect();
        self.drop_keys(|key| oldest.contains(&key.id));
        self.standing.credentials.push(Credential::new(id, digest, ttl, now));
    }

    /// Nothing that was issued so far counts any more. API keys are older than generations and end one by one.
    pub(super) fn next_generation(&mut self) {
        self.standing.generation = self.standing.generation.saturating_add(1);
        // A repeated request would bring an assertion of the new generation.
        self.idempotency = None;
        self.standing.revoked.clear();
        self.keyed.clear();
        self.standing.credentials.retain(|key| key.of.is_none());
        self.places().mark_all();
    }

    /// What was issued before a person claimed the registration is not theirs: keys keep the rights that they had, and not for long.
    pub(super) fn limit_keys(&mut self, now: Timestamp) {
        for credential in &mut self.standing.credentials {
            credential.limited = true;
            credential.expires = credential.expires.min(now.plus(OLD_KEY));
        }
    }

    pub(super) const fn places(&mut self) -> Places<'_> {
        Places { standing: &mut self.standing, blocks: &mut self.blocks, marks: &mut self.marks }
    }

    /// Refuses unless `token` is the claim token.
    pub(super) fn knows(&self, token: &[Digest]) -> Result<(), ClaimRefusal> {
        self.claim.as_ref().filter(|claim| claim.is(token)).map(|_| ()).ok_or(ClaimRefusal::Unknown)
    }
}
