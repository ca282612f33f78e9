//! What whoever manages an agent does with it: its API keys, its refresh tokens, its sleep. Who may has been judged before; what can go
//! wrong in between is judged here.

use serde::{Deserialize, Serialize};

use super::{Block, Outcome, Registration, Said};
use crate::id::RegistrationId;
use crate::machine::Next;
use crate::machine::family::{Family, Presented, Rotation};
use crate::machine::places::BLOCK_USE;
use crate::machine::standing::{Credential, Kind, MOST_ANCESTORS};
use crate::oauth::scope::Scope;
use crate::secret::Digest;
use crate::time::{Timestamp, Ttl};

/// Families of refresh tokens that came from the API keys of one agent; the one that was used longest ago goes when there are more.
pub const MOST_FAMILIES: usize = 32;
/// Families of one API key.
pub const MOST_FAMILIES_OF_A_KEY: usize = 8;
/// API keys that an agent may have at a time, if they are managed.
pub const MOST_KEYS: usize = 16;
/// No access token lives longer.
pub(super) const LONGEST_LIFE: Ttl = Ttl::from_seconds(86_400);
/// The least that the access tokens of an API key may live.
const SHORTEST_LIFE: Ttl = Ttl::from_seconds(60);
/// Numbers of families begin here, those of API keys end: neither is ever taken for the other.
pub const FIRST_FAMILY: u32 = 1 << 31;

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
    /// The generation of the root, as its maker knows it, if another agent answers for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_generation: Option<u32>,
}

/// Refresh tokens that begin with an API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewFamily {
    /// Its number, 2^31 or more, which no family of the agent may have yet.
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
    /// An agent that another one answers for, until `expires`. The same again changes nothing but that: it may live longer now that its root
    /// has been claimed.
    pub(super) fn adopt(
        state: Option<Self>,
        (ancestors, expires): (Vec<RegistrationId>, Timestamp),
        said: Said,
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let distinct = ancestors.iter().enumerate().all(|(at, id)| !ancestors.iter().take(at).any(|earlier| earlier == id));
        if !(1..=MOST_ANCESTORS).contains(&ancestors.len()) || !distinct || expires <= now {
            return (Next::Keep, Outcome::Refused);
        }
        match state {
            Some(mut known) if known.standing.kind == Kind::Child && known.standing.ancestors == ancestors => {
                if known.standing.ended {
                    return (Next::Keep, Outcome::Refused);
                }
                if expires <= known.standing.expires {
                    return (Next::Keep, Outcome::Standing(known.standing));
                }
                known.standing.expires = expires;
                let standing = known.standing.clone();
                (known.put(), Outcome::Standing(standing))
            }
            Some(_) => (Next::Keep, Outcome::Conflict),
            None => {
                let mut opened = Self::open(now.until(expires), said, Kind::Child, None, now);
                opened.standing.expires = expires;
                opened.standing.ancestors = ancestors;
                let standing = opened.standing.clone();
                (opened.put(), Outcome::Standing(standing))
            }
        }
    }

    /// One API key more. The same again is the same key.
    pub(super) fn add_managed_key(mut self, key: NewKey, now: Timestamp) -> (Next<Self>, Outcome) {
        let works = |known: &Credential| known.of.is_none() && !known.ended && now < known.expires;
        match self.standing.credentials.iter().find(|known| known.digest.same(&key.digest)).map(|known| (known.id, works(known))) {
            Some((id, true)) => return (Next::Keep, Outcome::Credential(self.standing, id)),
            // A secret that has ended does not come back.
            Some((_, false)) => return (Next::Keep, Outcome::Refused),
            None => {}
        }
        let fits = key.lifetime.is_none_or(|lifetime| (SHORTEST_LIFE..=LONGEST_LIFE).contains(&lifetime));
        if !self.standing.is_live(now) || !fits {
            return (Next::Keep, Outcome::Refused);
        }
        self.forget_keys(now);
        if self.keys().count() >= MOST_KEYS {
            return (Next::Keep, Outcome::Full);
        }
        let Some(id) = self.next_key() else { return (Next::Keep, Outcome::Full) };
        let mut credential = Credential::new(id, key.digest, None, now);
        credential.expires = key.expires.unwrap_or(Timestamp::NEVER);
        credential.scope = key.scope;
        credential.lifetime = key.lifetime;
        credential.root_generation = key.root_generation.filter(|_| self.standing.kind == Kind::Child);
        // What is only an agent's own loses them soon after the claim anyway (see `limit_keys`).
        credential.limited = key.limited && self.standing.kind == Kind::Child;
        self.outlast(key.lifetime, now);
        self.standing.credentials.push(credential);
        let standing = self.standing.clone();
        (self.put(), Outcome::Credential(standing, id))
    }

    /// Another key in the place of one that works: that one is dead in the same step, with all that it brought. The same again is the same
    /// key; whatever else comes late finds nothing to rotate. It ends no later than whoever makes it says, and is as new as they know the root.
    pub(super) fn rotate_key(
        mut self,
        id: u32,
        digest: Digest,
        (expires, root_generation): (Option<Timestamp>, Option<u32>),
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let works = |key: &&Credential| key.of.is_none() && !key.ended && now < key.expires;
        if let Some(known) = self.standing.credentials.iter().find(|known| known.digest.same(&digest)) {
            let same = Some(known).filter(works).filter(|known| known.from == Some(id)).map(|known| known.id);
            return (Next::Keep, same.map_or(Outcome::Refused, |same| Outcome::Credential(self.standing, same)));
        }
        let old = self.standing.credentials.iter().filter(works).find(|key| key.id == id).cloned();
        let Some(old) = old.filter(|_| self.standing.is_live(now)) else { return (Next::Keep, Outcome::Refused) };
        let root_generation = root_generation.filter(|_| self.standing.kind == Kind::Child);
        self.revoke_credential(id);
        // Otherwise each rotation would leave a dead key behind.
        self.forget_keys(now);
        let Some(new) = self.next_key() else { return (Next::Keep, Outcome::Full) };
        self.standing.credentials.push(Credential {
            id: new,
            generation: 0,
            digest,
            ended: false,
            from: Some(id),
            expires: expires.map_or(old.expires, |expires| expires.min(old.expires)),
            limited: old.limited && root_generation.is_none(),
            root_generation: root_generation.or(old.root_generation),
            ..old
        });
        let standing = self.standing.clone();
        (self.put(), Outcome::Credential(standing, new))
    }

    /// Places that are remembered already may go to tokens that live longer than those before.
    fn outlast(&mut self, lifetime: Option<Ttl>, now: Timestamp) {
        let Some(lifetime) = lifetime else { return };
        let last = now.plus(lifetime).plus(BLOCK_USE);
        for (_, until) in &mut self.blocks {
            *until = last.max(*until);
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
        // What the key may have been judged before; it must not have become less meanwhile.
        let held = self.standing.key(key).and_then(|key| key.scope.as_ref());
        if id < FIRST_FAMILY || held.is_some_and(|held| !held.covers_all(&scope)) {
            return (Next::Keep, Outcome::Refused);
        }
        if self.standing.credentials.iter().any(|known| known.id == id) {
            return (Next::Keep, Outcome::Conflict);
        }
        self.forget(now);
        if block.is_some() && self.places().is_full() {
            return (Next::Keep, Outcome::Full);
        }
        // Before the new places: what makes room may mark all that are remembered.
        self.make_room(key.id, block.as_ref().map(|(_, ttl)| *ttl), now);
        self.house(block, now);
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
    pub(super) fn continue_family(
        mut self,
        token: &Presented,
        (asked, at): (Option<Scope>, Option<String>),
        block: Option<(Block, Ttl)>,
        now: Timestamp,
    ) -> (Next<Self>, Outcome) {
        let id = token.family;
        let stamp = self.standing.credentials.iter().find(|known| known.id == id).map(Credential::stamp);
        let live = self.standing.is_live(now) && stamp.is_some_and(|stamp| self.standing.stamp_counts(stamp, now));
        let Some(known) = self.keyed.iter_mut().find(|known| known.family.id == id && live) else { return (Next::Keep, Outcome::Refused) };
        let fits = asked.is_none_or(|asked| asked.is_within(&known.scope)) && at.is_none_or(|at| at == known.resource);
        match known.family.rotate(token, now) {
            Rotation::Successor(_) if !fits => {
                let resource = known.resource.clone();
                (Next::Keep, Outcome::Exceeded { resource })
            }
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

    pub(super) fn end_family(&mut self, id: u32) {
        self.drop_family(id);
        self.places().mark_all();
    }

    fn drop_family(&mut self, id: u32) {
        self.keyed.retain(|known| known.family.id != id);
        self.standing.credentials.retain(|stamp| stamp.id != id || stamp.of.is_none());
    }

    /// Room for one more family of this key. Only what may still have tokens is told to verifiers: a caller that begins anew each time must
    /// not cost the others their places. Its tokens live for `ttl`, if that is known.
    fn make_room(&mut self, key: u32, ttl: Option<Ttl>, now: Timestamp) {
        let life = ttl.map_or(LONGEST_LIFE, |ttl| self.longest(ttl));
        while let Some((id, used)) = self.surplus(key) {
            if now < used.plus(life) {
                self.end_family(id);
            } else {
                self.drop_family(id);
            }
        }
    }

    /// The family that goes for one more of this key, and when it was used last. If all together are too many, the key that has most of them
    /// gives one up: no key can take another one's share.
    fn surplus(&self, key: u32) -> Option<(u32, Timestamp)> {
        let of = |known: &Keyed| self.standing.credentials.iter().find(|stamp| stamp.id == known.family.id).and_then(|stamp| stamp.of);
        let count = |key: u32| self.keyed.iter().filter(|known| of(known) == Some(key)).count();
        let own = count(key);
        if own < MOST_FAMILIES_OF_A_KEY && self.keyed.len() < MOST_FAMILIES {
            return None;
        }
        let most = self.keys().map(|known| known.id).max_by_key(|id| count(*id)).filter(|id| count(*id) > own.saturating_add(1));
        let giving = if own >= MOST_FAMILIES_OF_A_KEY { key } else { most.unwrap_or(key) };
        let giving = if count(giving) == 0 { None } else { Some(giving) };
        let its = self.keyed.iter().filter(|known| giving.is_none() || of(known) == giving);
        its.min_by_key(|known| known.used).map(|known| (known.family.id, known.used))
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
    /// There is none any more where those of families begin.
    pub(super) fn next_key(&mut self) -> Option<u32> {
        let after = self.keys().map(|key| key.id.saturating_add(1)).max().unwrap_or(0).max(self.keys_so_far);
        self.keys_so_far = after.saturating_add(1);
        Some(after).filter(|after| *after < FIRST_FAMILY)
    }
}
