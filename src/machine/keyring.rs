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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Change, Record, advance};

    fn candidate(number: u8) -> Candidate {
        let mut point = vec![4];
        point.resize(65, number);
        Candidate { jwk: PublicJwk::from_point(&point).unwrap(), wrapped: number.to_string() }
    }

    struct At(Option<Record<KeyRing>>);

    impl At {
        fn run(&mut self, command: Command, now: Timestamp) -> Outcome {
            let (change, outcome) = advance(self.0.clone(), command, now);
            if let Change::Write(record) = change {
                self.0 = Some(record);
            }
            outcome
        }

        fn set(&self) -> &KeySet {
            &self.0.as_ref().unwrap().state.set
        }
    }

    const MONTH: Ttl = Ttl::from_seconds(30 * 86400);
    const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);

    fn founded() -> At {
        let mut ring = At(None);
        ring.run(Command::Found { candidate: candidate(1), rotation: MONTH }, START);
        ring
    }

    #[test]
    fn the_first_key_is_found_once() {
        let mut ring = founded();
        ring.run(Command::Found { candidate: candidate(2), rotation: MONTH }, START);
        assert_eq!(ring.set().keys.len(), 1);
        assert!(matches!(At(None).run(Command::Look, START), Outcome::Empty));
    }

    #[test]
    fn the_next_key_is_published_ten_minutes_before_it_signs_and_the_last_outlives_its_tokens() {
        let mut ring = founded();
        ring.run(Command::Rotate { candidate: candidate(2) }, START);
        ring.run(Command::Rotate { candidate: candidate(3) }, START);
        let (one, two) = (candidate(1).jwk.kid, candidate(2).jwk.kid);
        assert_eq!(ring.set().keys.len(), 2, "one key waits at a time");
        let signer = |ring: &At, now| ring.set().signer(now).unwrap().jwk.kid.clone();
        assert_eq!(signer(&ring, START.plus(Ttl::from_seconds(599))), one);
        assert_eq!(signer(&ring, START.plus(LEAD)), two);
        let end = START.plus(LEAD).plus(OVERLAP);
        assert!(ring.set().verifier(&one, end.minus(Ttl::from_millis(1))).is_some());
        assert!(ring.set().verifier(&one, end).is_none());
        ring.run(Command::Retire, end);
        assert_eq!(ring.set().keys.len(), 1);
    }

    #[test]
    fn the_rings_own_clock_rotates() {
        let ring = founded();
        let state = &ring.0.as_ref().unwrap().state;
        assert!(matches!(state.due(START).as_slice(), [Effect::Publish { .. }]));
        let due = START.plus(MONTH).minus(LEAD);
        assert!(matches!(state.due(due).as_slice(), [Effect::GenerateKey(Ring::Es256, _)]));
    }

    #[test]
    fn a_ring_that_is_begun_makes_its_first_key_itself_and_once() {
        let rsa = |number| Candidate { jwk: PublicJwk::from_rsa(vec![number; 256], vec![1, 0, 1]), wrapped: number.to_string() };
        let mut ring = At(None);
        let begin = || Command::Begin { ring: Ring::Rs256, rotation: MONTH };
        for _ in 0..2 {
            assert!(matches!(ring.run(begin(), START), Outcome::Empty));
            assert!(matches!(ring.run(Command::Look, START), Outcome::Empty));
            assert!(matches!(ring.run(Command::Rotate { candidate: rsa(9) }, START), Outcome::Empty));
        }
        let record = ring.0.clone().unwrap();
        assert_eq!(record.alarm(), Some(Timestamp::from_millis(0)));
        let effects = record.state.due(START);
        let [Effect::GenerateKey(Ring::Rs256, Settle(then))] = effects.as_slice() else { panic!("{effects:?}") };
        ring.run(then(rsa(1)), START);
        ring.run(then(rsa(2)), START);
        assert!(matches!(ring.run(begin(), START), Outcome::Keys(set) if set.keys.len() == 1 && set.keys[0].wrapped == "1"));
        let effects = ring.0.as_ref().unwrap().state.due(START);
        assert!(matches!(effects.as_slice(), [Effect::Publish { name: "keyring-rs256", .. }]), "{effects:?}");
        let later = ring.0.as_ref().unwrap().state.due(START.plus(MONTH).minus(LEAD));
        assert!(matches!(later.as_slice(), [Effect::GenerateKey(Ring::Rs256, _)]), "{later:?}");
    }

    #[test]
    fn a_revoked_key_neither_signs_nor_verifies() {
        let mut ring = founded();
        let one = candidate(1).jwk.kid;
        assert!(matches!(ring.run(Command::Revoke { kid: "unknown".into(), replacement: candidate(9) }, START), Outcome::Unknown));
        ring.run(Command::Revoke { kid: one.clone(), replacement: candidate(2) }, START);
        assert!(ring.set().verifier(&one, START).is_none());
        assert_eq!(ring.set().signer(START).unwrap().jwk.kid, candidate(2).jwk.kid);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Later(u64),
        Rotate,
        Retire,
        Revoke(usize),
    }

    proptest! {
        /// Whatever happens, some key signs, and it verifies.
        #[test]
        fn there_is_always_a_key_to_sign_with(ops in proptest::collection::vec(prop_oneof![
            (0_u64..200_000).prop_map(Op::Later), Just(Op::Rotate), Just(Op::Retire), (0_usize..4).prop_map(Op::Revoke)], 0..40)) {
            let (mut ring, mut now, mut next) = (founded(), START, 2);
            for op in ops {
                match op {
                    Op::Later(seconds) => now = now.plus(Ttl::from_seconds(seconds)),
                    Op::Rotate => { ring.run(Command::Rotate { candidate: candidate(next) }, now); }
                    Op::Retire => { ring.run(Command::Retire, now); }
                    Op::Revoke(index) => {
                        let kid = ring.set().keys.get(index).map(|key| key.jwk.kid.clone()).unwrap_or_default();
                        ring.run(Command::Revoke { kid: kid.clone(), replacement: candidate(next) }, now);
                        prop_assert!(ring.set().keys.iter().all(|key| key.jwk.kid != kid));
                    }
                }
                next += 1;
                let signer = ring.set().signer(now).cloned();
                prop_assert!(signer.is_some());
                prop_assert!(ring.set().verifier(&signer.unwrap().jwk.kid, now).is_some());
            }
        }
    }
}
