//! What an isolate remembers: bounded, short-lived, and never the truth.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use jwt_compact::Claims;

use crate::client;
use crate::client::document::ClientDocument;
use crate::client::keys::ClientKeys;
use crate::config::trust::MOST_PROVIDERS;
use crate::config::upstream::MOST_UPSTREAMS;
use crate::http::{Prepared, logo};
use crate::id::{DelegationId, Holder, RegistrationId};
use crate::jose::claims::AccessToken;
use crate::machine::delegation::Link;
use crate::machine::keyring::{KeySet, Ring};
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::provider::client::ClientMetadata;
use crate::provider::fetch::Kept;
use crate::provider::jwks::KeySet as ProviderKeys;
use crate::tenant::Allowance;
use crate::time::Timestamp;
use crate::trace::Watch;
use crate::upstream::metadata::Metadata;

/// A map that forgets: when it is full, the older half goes.
pub struct Bounded<K, V> {
    young: BTreeMap<K, (V, usize)>,
    old: BTreeMap<K, (V, usize)>,
    /// What the young ones weigh together, and what they may.
    weight: usize,
    half: usize,
}

impl<K: Ord, V: Clone> Bounded<K, V> {
    /// Holds at most `most` entries, or what weighs as much.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), weight: 0, half: most / 2 }
    }

    /// The value of `key`.
    pub fn find(&self, key: &K) -> Option<V> {
        self.young.get(key).or_else(|| self.old.get(key)).map(|(value, _)| value.clone())
    }

    /// The same, which is remembered longer for that.
    pub fn find_again(&mut self, key: &K) -> Option<V> {
        if !self.young.contains_key(key) {
            let (key, (value, weight)) = self.old.remove_entry(key)?;
            self.insert_weighing(weight, key, value);
        }
        self.find(key)
    }

    /// Remembers.
    pub fn insert(&mut self, key: K, value: V) {
        self.insert_weighing(1, key, value);
    }

    /// Remembers what weighs more than others; what is too heavy is not remembered, nor what it takes the place of.
    pub fn insert_weighing(&mut self, weight: usize, key: K, value: V) {
        self.remove(&key);
        if weight > self.half {
            return;
        }
        if self.weight.saturating_add(weight) > self.half {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight = self.weight.saturating_add(weight);
        self.young.insert(key, (value, weight));
    }

    /// Forgets.
    pub fn remove(&mut self, key: &K) {
        if let Some((_, weight)) = self.young.remove(key) {
            self.weight = self.weight.saturating_sub(weight);
        }
        self.old.remove(key);
    }
}

/// Places in a status list that this isolate may give to tokens of one holder.
#[derive(Clone, Debug)]
pub struct Places {
    /// They are void once its epoch has moved on.
    pub epoch: u32,
    /// Until when they may be given to tokens.
    pub until: Timestamp,
    /// What is left.
    pub blocks: Vec<Block>,
    /// The size of the last one: the next is twice as large.
    pub last: u32,
}

/// A token whose signature was checked here.
#[derive(Clone)]
pub struct Seen {
    /// The key that signed it.
    pub kid: String,
    /// Its claims.
    pub claims: Rc<Claims<AccessToken>>,
}

/// When a holder was asked, and what it said; none if there is no such one.
pub type Known = (Timestamp, Option<Rc<Standing>>);

/// When a delegation was asked, and what it said; none if there is no such one.
pub type KnownLink = (Timestamp, Option<Rc<Link>>);

/// The caches of one isolate.
pub struct Memory {
    /// The key sets by ring, and when they were fetched.
    pub keys: RefCell<BTreeMap<Ring, (Timestamp, Rc<KeySet>)>>,
    /// A key set is another than it was: whoever keeps documents outside forgets them, and takes this back.
    pub turned: Cell<bool>,
    /// When the key ring was last asked for a key that is not in the set.
    pub ring_asked: Cell<Timestamp>,
    /// What holders last said of themselves, and when.
    pub standings: RefCell<Bounded<Holder, Known>>,
    /// What delegations last said of themselves, and when.
    pub delegations: RefCell<Bounded<DelegationId, KnownLink>>,
    /// Tokens by SHA-256.
    pub tokens: RefCell<Bounded<[u8; 32], Seen>>,
    /// Places by holder.
    pub places: RefCell<Bounded<Holder, Places>>,
    /// Places for registrations to come.
    pub leases: RefCell<Vec<Block>>,
    /// Documents, ready to be sent.
    pub(crate) documents: RefCell<Bounded<String, Rc<Prepared>>>,
    /// Logos by address.
    pub(crate) logos: RefCell<Bounded<String, logo::Kept>>,
    /// Status lists as published, and when they were fetched.
    pub lists: RefCell<Bounded<u32, (Timestamp, Rc<str>)>>,
    /// Key sets of trusted providers by address: room for all, so that none pushes another out.
    pub key_sets: RefCell<Bounded<String, Kept<ProviderKeys>>>,
    /// Metadata of providers of people by address.
    pub upstreams: RefCell<Bounded<String, Kept<Metadata>>>,
    /// Metadata of clients of trusted providers by address.
    pub clients: RefCell<Bounded<String, Kept<ClientMetadata>>>,
    /// Clients that are documents, by address.
    pub client_documents: RefCell<Bounded<String, Kept<ClientDocument>>>,
    /// Key sets of clients by address.
    pub client_keys: RefCell<Bounded<String, Kept<ClientKeys>>>,
    /// Clients that are records here, by `client_id`.
    pub registered_clients: RefCell<Bounded<String, client::Known>>,
    /// Exchanges that were noted, and when.
    pub exchanges: RefCell<Bounded<String, Timestamp>>,
    /// API keys that were noted as used, and when.
    pub used: RefCell<Bounded<String, Timestamp>>,
    /// How often keys of an agent were shown that do not count, and since when.
    pub failures: RefCell<Bounded<RegistrationId, (Timestamp, u32)>>,
    /// Agents that have made all the requests that they may, and until when.
    pub spent: RefCell<Bounded<RegistrationId, Allowance>>,
    /// Which clients are on their way in.
    pub watch: RefCell<Watch>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            keys: RefCell::default(),
            turned: Cell::new(false),
            ring_asked: Cell::new(Timestamp::from_millis(0)),
            standings: RefCell::new(Bounded::new(4096)),
            delegations: RefCell::new(Bounded::new(4096)),
            tokens: RefCell::new(Bounded::new(4096)),
            places: RefCell::new(Bounded::new(4096)),
            leases: RefCell::new(Vec::new()),
            exchanges: RefCell::new(Bounded::new(1024)),
            used: RefCell::new(Bounded::new(1024)),
            failures: RefCell::new(Bounded::new(1024)),
            documents: RefCell::new(Bounded::new(64)),
            logos: RefCell::new(Bounded::new(16)),
            lists: RefCell::new(Bounded::new(64)),
            key_sets: RefCell::new(Bounded::new(2 * (MOST_PROVIDERS + MOST_UPSTREAMS + 1))),
            upstreams: RefCell::new(Bounded::new(2 * (MOST_UPSTREAMS + 1))),
            clients: RefCell::new(Bounded::new(128)),
            client_documents: RefCell::new(Bounded::new(256)),
            client_keys: RefCell::new(Bounded::new(128)),
            registered_clients: RefCell::new(Bounded::new(1024)),
            spent: RefCell::new(Bounded::new(1024)),
            watch: RefCell::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_forgets_the_oldest_first() {
        let mut map = Bounded::new(4);
        for key in 0..100 {
            map.insert(key, key);
            assert!(map.young.len() + map.old.len() <= 4);
            assert_eq!(map.find(&key), Some(key));
        }
        map.remove(&99);
        assert_eq!(map.find(&99), None);
    }

    #[test]
    fn what_is_found_again_and_again_stays() {
        let mut map = Bounded::new(10);
        map.insert(0, 0);
        for key in 1..100 {
            map.insert(key, key);
            assert_eq!(map.find_again(&0), Some(0));
            assert!(map.young.len() + map.old.len() <= 10 && map.weight == map.young.len());
        }
        assert_eq!((map.find_again(&1), map.find_again(&100)), (None, None));
    }

    #[test]
    fn what_is_heavy_takes_the_room_of_many() {
        let mut map = Bounded::new(100);
        map.insert_weighing(51, 0, "too heavy");
        assert_eq!(map.find(&0), None);
        for turn in 0..100 {
            // The same one anew takes no more room than once.
            for key in [1, 2, 1, 2, 1, 2] {
                map.insert_weighing(25, key, "heavy");
            }
            assert_eq!((map.find(&1), map.find(&2)), (Some("heavy"), Some("heavy")), "turn {turn}");
        }
        for key in 0..50 {
            map.insert_weighing(10, key, "light");
            let all = map.young.values().chain(map.old.values());
            assert!(all.map(|(_, weight)| weight).sum::<usize>() <= 100);
            assert_eq!(map.find(&key), Some("light"));
        }
        map.insert_weighing(51, 49, "too heavy now");
        assert_eq!(map.find(&49), None, "nothing of before is left in its place");
    }
}
