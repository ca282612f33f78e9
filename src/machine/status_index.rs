//! Hands out places in status lists, in blocks, so that minting a token asks nobody.

use serde::{Deserialize, Serialize};

use super::{Machine, Next};
use crate::time::{Timestamp, Ttl};

/// How many of these objects share the work; list `n` belongs to shard `n % SHARDS`.
pub const SHARDS: u32 = 8;
/// Bits in one list (16 KiB before compression).
pub const LIST_BITS: u32 = 1 << 17;
/// How long a list is kept after its last place was handed out: the longest life of a token, and an hour.
pub const LIST_LIFE: Ttl = Ttl::from_seconds(25 * 3600);

/// The lists of one shard.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StatusIndex {
    sequence: u32,
    next: u32,
    /// Lists that are full, and until when tokens may refer to them.
    closed: Vec<(u32, Timestamp)>,
}

/// So many places in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The number of the list.
    pub list: u32,
    /// The first place.
    pub start: u32,
    /// How many places.
    pub len: u32,
}

impl Block {
    /// Whether `place` begins in it.
    #[must_use]
    pub const fn holds(&self, place: &Self) -> bool {
        self.list == place.list && self.start <= place.start && place.start - self.start < self.len
    }

    /// Splits `len` places off the front; `None` if fewer are left.
    pub fn split(&mut self, len: u32) -> Option<Self> {
        let rest = self.len.checked_sub(len)?;
        let front = Self { len, ..*self };
        (self.start, self.len) = (self.start.saturating_add(len), rest);
        Some(front)
    }
}

/// What can be asked of a shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Hand out a block.
    Lease {
        /// The shard's own number.
        shard: u32,
        /// How many places.
        len: u32,
    },
    /// Until when may tokens refer to this list?
    Look {
        /// The shard's own number.
        shard: u32,
        /// The list's number.
        list: u32,
    },
}

/// What a shard answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// These places are yours.
    Leased(Block),
    /// The list exists until then.
    Live(Timestamp),
    /// There is no such list, or no more.
    Unknown,
}

impl Machine for StatusIndex {
    const KIND: &'static str = "status_index";
    type Id = u32;
    type Command = Command;
    type Outcome = Outcome;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, Outcome) {
        let known = state.is_some();
        let mut index = state.unwrap_or_default();
        index.closed.retain(|(_, until)| now < *until);
        match command {
            Command::Lease { shard, len } => {
                if index.next.saturating_add(len) > LIST_BITS {
                    index.closed.push((index.current(shard), now.plus(LIST_LIFE)));
                    index.sequence = index.sequence.saturating_add(1);
                    index.next = 0;
                }
                let block = Block { list: index.current(shard), start: index.next, len };
                index.next = index.next.saturating_add(len);
                (Next::Put(index, Timestamp::NEVER), Outcome::Leased(block))
            }
            Command::Look { shard, list } => {
                let closed = index.closed.iter().find(|(closed, _)| *closed == list).map(|(_, until)| *until);
                let open = (known && index.current(shard) == list).then(|| now.plus(LIST_LIFE));
                (Next::Keep, closed.or(open).map_or(Outcome::Unknown, Outcome::Live))
            }
        }
    }
}

impl StatusIndex {
    fn current(&self, shard: u32) -> u32 {
        self.sequence.wrapping_mul(SHARDS).wrapping_add(shard)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::machine::{Change, Record, advance};

    #[test]
    fn no_place_is_handed_out_twice_and_lists_live_as_long_as_their_tokens() {
        let mut record: Option<Record<StatusIndex>> = None;
        let mut run = |command, at| {
            let (change, outcome) = advance(record.clone(), command, Timestamp::from_seconds(at));
            if let Change::Write(written) = change {
                record = Some(written);
            }
            outcome
        };
        assert_eq!(run(Command::Look { shard: 3, list: 3 }, 0), Outcome::Unknown);
        let mut seen = BTreeSet::new();
        for _ in 0..300 {
            let Outcome::Leased(block) = run(Command::Lease { shard: 3, len: 1024 }, 0) else { panic!("no lease") };
            assert!(block.list % SHARDS == 3 && block.start + block.len <= LIST_BITS);
            assert!(seen.insert((block.list, block.start)));
        }
        assert_eq!(seen.last().map(|(list, _)| *list), Some(2 * SHARDS + 3));
        assert_eq!(run(Command::Look { shard: 3, list: 3 }, 60), Outcome::Live(Timestamp::from_seconds(25 * 3600)));
        assert_eq!(run(Command::Look { shard: 3, list: 3 }, 25 * 3600), Outcome::Unknown);
        assert_eq!(run(Command::Look { shard: 3, list: 27 }, 0), Outcome::Unknown, "not yet opened");
    }
}
