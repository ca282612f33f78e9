//! The signing keys of the deployment: one object makes and rotates them, the directory only publishes them.

use serde::{Deserialize, Serialize};

use super::{Effect, Machine, Next, Settle};
use crate::jose::jwk::{Algorithm, PublicJwk};
use crate::time::{Timestamp, Ttl};

/// A key ring: there is one for each algorithm that we sign with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ring {
    /// ES256, for everything of our own. It is founded by whoever asks for it first.
    #[default]
    Es256,
    /// RS256, for the ID tokens of OpenID Connect. Its keys take time to make, so it makes the first one itself once it is begun.
    Rs256,
}

impl Ring {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Es256, Self::Rs256];

    /// Name of its record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "main",
            Self::Rs256 => "rs256",
        }
    }

    /// The directory's name for it.
    #[must_use]
    pub const fn published(self) -> &'static str {
        match self {
            Self::Es256 => "keyring",
            Self::Rs256 => "keyring-rs256",
        }
    }

    /// What its keys sign with.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }

    fn is_es256(&self) -> bool {
        *self == Self::Es256
    }
}

/// The next key is published so long before it signs.
pub const LEAD: Ttl = Ttl::from_seconds(600);
/// A key that is to sign at once signs from a little earlier: clocks of objects and workers differ.
const SKEW: Ttl = Ttl::from_seconds(60);
/// The last key verifies for so long after the next one signs: the longest life of a token, and an hour.
pub const OVERLAP: Ttl = Ttl::from_seconds(25 * 3600);

/// A new key pair, the private key wrapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// The public key, named by its thumbprint.
    pub jwk: PublicJwk,
    /// See [`crate::store::SigningKey`].
    pub wrapped: String,
}

impl Candidate {
    fn ring(&self) -> Ring {
        if self.jwk.algorithm() == Some(Algorithm::Rs256) { Ring::Rs256 } else { Ring::Es256 }
    }
}

/// A key of the ring.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingKey {
    /// The public key.
    pub jwk: PublicJwk,
    /// The private key, wrapped.
    pub wrapped: String,
    /// It signs from then on.
    pub signs_from: Timestamp,
    /// It verifies until then, once a successor is known.
    pub verifies_until: Option<Timestamp>,
}

/// All keys that verify, and those that soon will.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KeySet {
    /// Raised with every change.
    pub version: u64,
    /// In the order in which they sign.
    pub keys: Vec<RingKey>,
}

impl KeySet {
    /// The key that signs at `now`: the newest whose time has come.
    #[must_use]
    pub fn signer(&self, now: Timestamp) -> Option<&RingKey> {
        self.keys.iter().rev().find(|key| key.signs_from <= now)
    }

    /// The key of that name, if it verifies at `now`.
    #[must_use]
    pub fn verifier(&self, kid: &str, now: Timestamp) -> Option<&RingKey> {
        self.published(now).find(|key| key.jwk.kid == kid)
    }

    /// The keys to be shown at `now`.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(move |key| key.verifies_until.is_none_or(|until| now < until))
    }
}

/// The ring at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRing {
    set: KeySet,
    /// The version that the directory has.
    published: u64,
    /// A new key signs so long after the one before.
    rotation: Ttl,
    /// Which ring it is.
    #[serde(default, skip_serializing_if = "Ring::is_es256")]
    ring: Ring,
}

/// What can happen to the ring.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Which keys are there?
    Look,
    /// The ring is needed: it makes its first key by itself, unless there is one already.
    Begin {
        /// Which ring it is.
        ring: Ring,
        /// How often keys rotate.
        rotation: Ttl,
    },
    /// The first key; ignored when there is one already.
    Found {
        /// The key.
        candidate: Candidate,
        /// How often keys rotate.
        rotation: Ttl,
    },
    /// The next key; ignored when one is waiting already.
    Rotate {
        /// The key.
        candidate: Candidate,
    },
    /// A key must not verify any more. If it signs, the waiting key or `replacement` takes over at once.
    Revoke {
        /// Which key.
        kid: String,
        /// The key to take over, if none is waiting.
        replacement: Candidate,
    },
    /// The directory has this version.
    Published(u64),
    /// Some key's time is over.
    Retire,
}

/// What the ring answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// The keys as they are now.
    Keys(KeySet),
    /// There is none yet.
    Empty,
    /// No key has that name.
    Unknown,
}

impl Machine for KeyRing {
    const KIND: &'static str = "keyring";
    type Id = &'static str;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let Some(mut ring) = state.filter(|ring| !ring.set.keys.is_empty()) else {
            let (candidate, rotation) = match command {
                Command::Found { candidate, rotation } => (candidate, rotation),
                Command::Begin { ring, rotation } => {
                    let begun = Self { set: KeySet::default(), published: 0, rotation, ring };
                    return (Next::Put(begun, Timestamp::NEVER), Outcome::Empty);
                }
                _ => return (Next::Keep, Outcome::Empty),
            };
            let ring = candidate.ring();
            let key = RingKey { jwk: candidate.jwk, wrapped: candidate.wrapped, signs_from: now.minus(SKEW), verifies_until: None };
            let set = KeySet { version: 1, keys: vec![key] };
            return (Next::Put(Self { set: set.clone(), published: 0, rotation, ring }, Timestamp::NEVER), Outcome::Keys(set));
        };
        match command {
            Command::Look | Command::Begin { .. } | Command::Found { .. } => return (Next::Keep, Outcome::Keys(ring.set)),
            Command::Rotate { candidate } => {
                if ring.waiting(now).is_some() {
                    return (Next::Keep, Outcome::Keys(ring.set));
                }
                ring.add(candidate, now.plus(LEAD));
            }
            Command::Revoke { kid, replacement } => {
                if !ring.set.keys.iter().any(|key| key.jwk.kid == kid) {
                    return (Next::Keep, Outcome::Unknown);
                }
                ring.revoke(&kid, replacement, now);
            }
            Command::Published(version) => ring.published = ring.published.max(version),
            Command::Retire => ring.retire(now),
        }
        let set = ring.set.clone();
        (Next::Put(ring, Timestamp::NEVER), Outcome::Keys(set))
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        if self.set.keys.is_empty() {
            return Some(Timestamp::from_millis(0));
        }
        let publish = (self.published < self.set.version).then_some(Timestamp::from_millis(0));
        let rotate = self.rotates_at();
        let retire = self.set.keys.iter().filter_map(|key| key.verifies_until).min();
        [publish, rotate, retire].into_iter().flatten().min()
    }

    fn due(&self, now: Timestamp) -> Vec<Effect<Command>> {
        let mut effects = Vec::new();
        if self.set.keys.is_empty() {
            let rotation = self.rotation;
            effects.push(Effect::GenerateKey(self.ring, Settle(Box::new(move |candidate| Command::Found { candidate, rotation }))));
        } else if self.set.keys.iter().any(|key| key.verifies_until.is_some_and(|until| until <= now)) {
            effects.push(Effect::Step(Command::Retire));
        } else if self.rotates_at().is_some_and(|at| at <= now) {
            effects.push(Effect::GenerateKey(self.ring, Settle(Box::new(|candidate| Command::Rotate { candidate }))));
        } else if self.published < self.set.version
            && let Ok(value) = serde_json::to_string(&self.set)
        {
            effects.push(Effect::Publish { name: self.ring.published(), value, then: Command::Published(self.set.version) });
        }
        effects
    }
}

impl KeyRing {
    fn waiting(&self, now: Timestamp) -> Option<&RingKey> {
        self.set.keys.iter().find(|key| now < key.signs_from)
    }

    /// When the next key has to be made, judged by the last one: a waiting key moves it a whole period on.
    fn rotates_at(&self) -> Option<Timestamp> {
        self.set.keys.last().map(|key| key.signs_from.plus(self.rotation).minus(LEAD))
    }

    fn add(&mut self, candidate: Candidate, signs_from: Timestamp) {
        for key in &mut self.set.keys {
            key.verifies_until.get_or_insert(signs_from.plus(OVERLAP));
        }
        self.set.keys.push(RingKey { jwk: candidate.jwk, wrapped: candidate.wrapped, signs_from, verifies_until: None });
        self.changed();
    }

    fn revoke(&mut self, kid: &str, replacement: Candidate, now: Timestamp) {
        let signed = self.set.signer(now).is_some_and(|key| key.jwk.kid == kid);
        self.set.keys.retain(|key| key.jwk.kid != kid);
        if signed {
            // An older key must not come back to life: its end is already fixed.
            match self.set.keys.iter_mut().find(|key| now < key.signs_from) {
                Some(waiting) => waiting.signs_from = now.minus(SKEW),
                None => self.add(replacement, now.minus(SKEW)),
            }
        }
        // If it was the waiting key that went, its predecessor has no successor any more and lives on.
        if let Some(last) = self.set.keys.last_mut() {
            last.verifies_until = None;
        }
        self.changed();
    }

    fn retire(&mut self, now: Timestamp) {
        self.set.keys.retain(|key| key.verifies_until.is_none_or(|until| now < until));
        self.changed();
    }

    fn changed(&mut self) {
        self.set.version = self.set.version.saturating_add(1);
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
