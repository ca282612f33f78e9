//! What whoever manages an agent does with it: its API keys, its refresh tokens, its sleep. Who may has been judged before; what can go
//! wrong in between is judged here.

use serde::{Deserialize, Serialize};

use super::{Block, Outcome, Registration, Said};
use crate::id::RegistrationId;
use crate::machine::Next;
use crate::machine::family::{Family, Presented, Rotation};
use crate::machine::standing::{Credential, Kind};
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Families of refresh tokens that came from the API keys of one agent; the one that was used longest ago goes when there are more.
pub const MOST_FAMILIES: usize = 32;
/// API keys that an agent may have at a time, if they are managed.
pub const MOST_KEYS: usize = 16;

/// A new API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewKey {
    /// What is stored of it.
    pub digest: Digest,
    /// No more may be done with it; all that the agent may do, if none.
    pub scope: Option<Scope>,
    /// How long its access tokens live, if not as long as others.
    pub lifetime: Option<Ttl>,
    /// It stops working then, if ever.
    pub expires: Option<Timestamp>,
    /// Nobody has claimed the root yet: the key keeps the rights that it has now.
    pub limited: bool,
}

/// Refresh tokens that begin with an API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewFamily {
    /// Its number, which no family or key of the agent may have yet.
    pub id: u32,
    /// Of the first token.
    pub digest: Digest,
    /// What was granted: a successor brings the same.
    pub scope: Scope,
    /// Where.
    pub resource: String,
}

/// Refresh tokens that came from an API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keyed {
    family: Family,
    scope: Scope,
    resource: String,
    used: Timestamp,
}

impl Registration {
    /// An agent that another one answers for. The same again changes nothing.
    pub(super) fn adopt(state: Option<Self>, ancestors: Vec<RegistrationId>, said: Said, now: Timestamp) -> (Next<Self>, Outcome) {
        match state {
            Some(known) if known.standing.kind == Kind::Child && known.standing.ancestors == ancestors => {
                (Next::Keep, Outcome::Standing(known.standing))
            }
            Some(_) => (Next::Keep, Outcome::Conflict),
            None => {
                let mut opened = Self::open(Ttl::from_seconds(0), said, Kind::Child, None, now);
                opened.standing.expires = Timestamp::NEVER;
                opened.standing.ancestors = ancestors;
                let standing = opened.standing.clone();
                (opened.put(), Outcome::Standing(standing))
            }
        }
    }

    /// One API key more. The same again is the same key.
    pub(super) fn add_managed_key(mut self, key: NewKey, now: Timestamp) -> (Next<Self>, Outcome) {
        if let Some(known) = self.standing.credentials.iter().find(|known| known.digest.same(&key.digest)) {
            let id = known.id;
            return (Next::Keep, Outcome::Credential(self.standing, id));
        }
        if !self.standing.is_live(now) {
            return (Next::Keep, Outcome::Refused);
        }
        self.forget_keys(now);
        if self.keys().count() >= MOST_KEYS {
            return (Next::Keep, Outcome::Full);
        }
        let id = self.next_key();
        let mut credential = Credential::new(id, key.digest, None, now);
        credential.expires = key.expires.unwrap_or(Timestamp::NEVER);
        credential.scope = key.scope;
        credential.lifetime = key.lifetime;
        // What is only an agent's own loses them soon after the claim anyway (see `limit_keys`).
        credential.limited = key.limited && self.standing.kind == Kind::Child;
        self.outlast(key.lifetime);
        self.standing.credentials.push(credential);
        let standing = self.standing.clone();
        (self.put(), Outcome::Credential(standing, id))
    }

    /// Another key in the place of one that works: that one is dead in the same step, with all that it brought. The same again is the same
    /// key; whatever else comes late finds nothing to rotate.
    pub(super) fn rotate_key(mut self, id: u32, digest: Digest, now: Timestamp) -> (Next<Self>, Outcome) {
        if let Some(known) = self.standing.credentials.iter().find(|known| known.digest.same(&digest)) {
            let id = known.id;
            return (Next::Keep, Outcome::Credential(self.standing, id));
        }
        let works = |key: &&Credential| key.id == id && key.of.is_none() && !key.ended && now < key.expires;
        let Some(old) = self.standing.credentials.iter().find(works).cloned().filter(|_| self.standing.is_live(now)) else {
            return (Next::Keep, Outcome::Refused);
        };
        self.revoke_credential(id);
        let new = self.next_key();
        self.standing.credentials.push(Credential { id: new, generation: 0, digest, ended: false, ..old });
        let standing = self.standing.clone();
        (self.put(), Outcome::Credential(standing, new))
    }

    /// Places that are remembered already may go to tokens that live longer than those before.
    fn outlast(&mut self, lifetime: Option<Ttl>) {
        let Some(lifetime) = lifetime else { return };
        for (_, until) in &mut self.blocks {
            *until = until.plus(lifetime);
        }
    }

    /// How long tokens at a place may live, whichever key they are for.
    pub(super) fn longest(&self, ttl: Ttl) -> Ttl {
        self.keys().filter_map(|key| key.lifetime).fold(ttl, Ttl::max)
    }

    /// A token for an API key, and refresh tokens that go on from there.
    pub(super) fn begin_family(
        mut self,
        digests: &[Digest],
        begin: NewFamily,
        block: Option<(Block, Ttl)>,
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let shown = |known: &Digest| digests.iter().any(|digest| digest.same(known));
        let Some(key) = self.standing.api_key(shown, now) else { return (Next::Keep, Outcome::Refused) };
        let NewFamily { id, digest, scope, resource } = begin;
        if self.standing.credentials.iter().any(|known| known.id == id) {
            return (Next::Keep, Outcome::Conflict);
        }
        if !self.house(block, now) {
            return (Next::Keep, Outcome::Full);
        }
        while self.keyed.len() >= MOST_FAMILIES {
            let oldest = self.keyed.iter().min_by_key(|known| known.used).map(|known| known.family.id);
            self.end_family(oldest.unwrap_or_default());
        }
        let family = Family::begin(id, digest.clone(), now);
        let mut stamp = Credential::new(id, digest, None, now);
        stamp.expires = family.expires;
        stamp.of = Some(key.id);
        self.standing.credentials.push(stamp);
        self.keyed.push(Keyed { family, scope, resource, used: now });
        self.ownership.used(now);
        self.issued(id, 0)
    }

    /// The refresh rule (see [`Family::rotate`]), for refresh tokens that came from an API key: they live as long as that.
    pub(super) fn continue_family(mut self, token: &Presented, block: Option<(Block, Ttl)>, now: Timestamp) -> (Next<Self>, Outcome) {
        let id = token.family;
        let stamp = self.standing.credentials.iter().find(|known| known.id == id).map(Credential::stamp);
        let live = self.standing.is_live(now) && stamp.is_some_and(|stamp| self.standing.stamp_counts(stamp, now));
        let Some(known) = self.keyed.iter_mut().find(|known| known.family.id == id && live) else { return (Next::Keep, Outcome::Refused) };
        match known.family.rotate(token, now) {
            Rotation::Successor(index) => {
                known.used = now;
                let expires = known.family.expires;
                if let Some(stamp) = self.standing.credentials.iter_mut().find(|stamp| stamp.id == id) {
                    stamp.expires = expires;
                }
                if !self.house(block, now) {
                    return (Next::Keep, Outcome::Full);
                }
                self.ownership.used(now);
                self.issued(id, index)
            }
            Rotation::Reused => {
                // Two hold the same token, and one of them stole it: both are out, with all that it has brought.
                self.end_family(id);
                self.ownership.note("agent.refresh_reused", "", now);
                (self.put(), Outcome::Refused)
            }
            Rotation::Unknown => (Next::Keep, Outcome::Refused),
        }
    }

    /// RFC 7009, section 2.1: the family that the token is of, with all that it has brought.
    pub(super) fn revoke_keyed(&mut self, token: &Presented, now: Timestamp) {
        if self.keyed.iter().any(|known| known.family.knows(token, now)) {
            self.end_family(token.family);
        }
    }

    /// Families whose key has ended end with it.
    pub(super) fn end_families_of(&mut self, key: u32) {
        let of_key = |stamp: &&Credential| stamp.of == Some(key);
        let families: Vec<u32> = self.standing.credentials.iter().filter(of_key).map(|stamp| stamp.id).collect();
        self.keyed.retain(|known| !families.contains(&known.family.id));
        self.standing.credentials.retain(|stamp| stamp.of != Some(key));
    }

    /// Families that nobody uses any more leave nothing behind.
    pub(super) fn forget_families(&mut self, now: Timestamp) {
        self.keyed.retain(|known| now < known.family.expires);
        let Self { keyed, standing, .. } = self;
        standing.credentials.retain(|stamp| stamp.of.is_none() || keyed.iter().any(|known| known.family.id == stamp.id));
    }

    /// Whether the family came from an API key, and not from a claim.
    pub(super) fn is_keyed(&self, family: u32) -> bool {
        self.keyed.iter().any(|known| known.family.id == family)
    }

    fn end_family(&mut self, id: u32) {
        self.keyed.retain(|known| known.family.id != id);
        self.standing.credentials.retain(|stamp| stamp.id != id || stamp.of.is_none());
        self.places().mark_all();
    }

    fn issued(self, id: u32, successor: usize) -> (Next<Self>, Outcome) {
        let known = self.keyed.iter().find(|known| known.family.id == id);
        let Some((scope, resource)) = known.map(|known| (known.scope.clone(), known.resource.clone())) else {
            return (Next::Keep, Outcome::Refused);
        };
        let Some(stamp) = self.standing.credentials.iter().find(|known| known.id == id).map(Credential::stamp) else {
            return (Next::Keep, Outcome::Refused);
        };
        let outcome = Outcome::Continued { standing: self.standing.clone(), stamp, scope, resource, successor };
        (self.put(), outcome)
    }

    /// Remembers the places; false if there is no room for more.
    fn house(&mut self, block: Option<(Block, Ttl)>, now: Timestamp) -> bool {
        self.forget(now);
        let Some((block, ttl)) = block else { return true };
        let ttl = self.longest(ttl);
        let mut places = self.places();
        if places.is_full() {
            return false;
        }
        places.remember(block, ttl, now);
        true
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Credential> {
        self.standing.credentials.iter().filter(|key| key.of.is_none())
    }

    /// What has ended has to be known for as long as tokens could name it; a number that is never given again says the same.
    fn forget_keys(&mut self, now: Timestamp) {
        self.drop_keys(|key| key.ended || now >= key.expires);
    }

    /// Drops API keys, and the refresh tokens that came from them. Their numbers are never given again, whoever gave them.
    pub(super) fn drop_keys(&mut self, goes: impl Fn(&Credential) -> bool) {
        let dropped: Vec<u32> = self.keys().filter(|key| goes(key)).map(|key| key.id).collect();
        for id in dropped {
            self.keys_so_far = self.keys_so_far.max(id.saturating_add(1));
            self.standing.credentials.retain(|key| key.of.is_some() || key.id != id);
            self.end_families_of(id);
        }
    }

    /// The numbers of keys grow: none is given twice, so that no token of an old key is mistaken for one of a new key.
    pub(super) fn next_key(&mut self) -> u32 {
        let after = self.keys().map(|key| key.id.saturating_add(1)).max().unwrap_or(0).max(self.keys_so_far);
        self.keys_so_far = after.saturating_add(1);
        after
    }
}
