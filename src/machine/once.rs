//! What may happen once: digests that are remembered for a time. One object has those of one owner in 64 parts.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Machine, Next};
use crate::time::Timestamp;

/// Digests, and until when each is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Once {
    seen: BTreeMap<String, Timestamp>,
}

/// What can be asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Uses something up.
    Burn {
        /// Its digest.
        digest: String,
        /// Until then it counts as used.
        until: Timestamp,
    },
}

/// Whether it was the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Yes.
    Fresh,
    /// No: nothing must come of it.
    Seen,
}

impl Once {
    /// Where and under which digest `value` is remembered: two uses never meet, nor do two owners.
    #[must_use]
    pub fn place(purpose: &str, owner: &str, value: &str) -> (String, String) {
        let owner = Sha256::digest(owner.as_bytes());
        let digest = Sha256::digest(value.as_bytes());
        // 128 bits of each: a collision would only refuse something of the same owner.
        let short = |digest: &[u8]| URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default());
        let part = digest.last().map_or(0, |byte| byte % 64);
        (format!("{purpose}/{}/{part}", short(&owner)), short(&digest))
    }
}

impl Machine for Once {
    const KIND: &'static str = "once";
    /// See [`Once::place`].
    type Id = String;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, Command::Burn { digest, until }: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let mut once = state.unwrap_or_default();
        if once.seen.get(&digest).is_some_and(|until| now < *until) {
            return (Next::Keep, Outcome::Seen);
        }
        once.seen.retain(|_, until| now < *until);
        once.seen.insert(digest, until);
        let last = once.seen.values().copied().max().unwrap_or(until);
        (Next::Put(once, last), Outcome::Fresh)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Change, Record, advance};
    use crate::time::Ttl;

    fn burn(record: &mut Option<Record<Once>>, digest: &str, until: Timestamp, now: Timestamp) -> Outcome {
        let (change, outcome) = advance::<Once>(record.clone(), Command::Burn { digest: digest.to_owned(), until }, now);
        if let Change::Write(written) = change {
            *record = Some(written);
        }
        outcome
    }

    proptest! {
        #[test]
        fn within_its_time_a_digest_is_fresh_at_most_once(history in proptest::collection::vec((0_u8..6, 0_u64..5000, 0_u64..2000), 1..200)) {
            let (mut record, mut now) = (None, Timestamp::from_millis(1));
            let mut expected = BTreeMap::<u8, Timestamp>::new();
            for (digest, ttl, later) in history {
                now = now.plus(Ttl::from_millis(later));
                let until = now.plus(Ttl::from_millis(ttl));
                let seen = expected.get(&digest).is_some_and(|until| now < *until);
                let outcome = burn(&mut record, &digest.to_string(), until, now);
                prop_assert_eq!(outcome == Outcome::Seen, seen);
                if !seen {
                    expected.insert(digest, until);
                }
                let record = record.as_ref().unwrap();
                prop_assert!(record.state.seen.values().all(|until| *until <= record.expires), "it outlives all its rows");
                prop_assert!(record.state.seen.len() <= 6);
            }
        }
    }

    #[test]
    fn rows_that_are_over_are_dropped_with_the_next_write() {
        let mut record = None;
        let at = Timestamp::from_millis;
        for digest in 0..100 {
            assert_eq!(burn(&mut record, &digest.to_string(), at(100), at(1)), Outcome::Fresh);
        }
        assert_eq!(burn(&mut record, "last", at(300), at(100)), Outcome::Fresh);
        assert_eq!(record.unwrap().state.seen.len(), 1);
    }

    #[test]
    fn uses_and_owners_do_not_meet() {
        let place = Once::place("id-jag", "https://a", "1");
        assert_eq!(place, Once::place("id-jag", "https://a", "1"));
        assert_ne!(place.0, Once::place("set", "https://a", "1").0);
        assert_ne!(place.0, Once::place("id-jag", "https://b", "1").0);
        assert_ne!(place.1, Once::place("id-jag", "https://a", "2").1);
        let parts =
            (0..1000).map(|value| Once::place("id-jag", "https://a", &value.to_string()).0).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(parts.len(), 64);
    }
}
