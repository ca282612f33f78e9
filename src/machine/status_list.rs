//! One status list: the bits of tokens that ended before their time, published in batches.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::status_index::{Block, LIST_BITS, LIST_LIFE};
use super::{Effect, Machine, Next};
use crate::time::{Timestamp, Ttl};

/// How long marks are collected before the list is published again.
pub const BATCH: Ttl = Ttl::from_seconds(10);

/// The bits of one list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusList {
    list: u32,
    /// base64url of the bits, least significant bit first (draft-ietf-oauth-status-list, section 4.1).
    bits: String,
    version: u32,
    published: u32,
    /// When the next publication is due, if one is.
    publish_at: Option<Timestamp>,
    expires: Timestamp,
}

/// What can happen to a list.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Somebody asked for the list: publish it, marks or none.
    Publish {
        /// The list's own number.
        list: u32,
        /// Until when tokens refer to it.
        expires: Timestamp,
    },
    /// These tokens have ended.
    Mark {
        /// The list's own number.
        list: u32,
        /// Their places.
        blocks: Vec<Block>,
    },
    /// The list has been published as of this version.
    Published(u32),
}

impl Machine for StatusList {
    const KIND: &'static str = "status_list";
    type Id = u32;
    type Command = Command;
    /// The bits as they are now.
    type Outcome = String;

    fn step(state: Option<Self>, command: Command, now: Timestamp) -> (Next<Self>, String) {
        let fresh = |list| Self {
            list,
            bits: URL_SAFE_NO_PAD.encode(zeros()),
            version: 1,
            published: 0,
            publish_at: None,
            expires: now.plus(LIST_LIFE),
        };
        let list = match command {
            Command::Publish { list, expires } => {
                let mut list = state.unwrap_or_else(|| fresh(list));
                list.expires = list.expires.max(expires);
                list.publish_at = Some(now);
                Some(list)
            }
            Command::Mark { list, blocks } => {
                let mut list = state.unwrap_or_else(|| fresh(list));
                list.mark(&blocks);
                list.version = list.version.wrapping_add(1);
                list.expires = list.expires.max(now.plus(LIST_LIFE));
                list.publish_at.get_or_insert(now.plus(BATCH));
                Some(list)
            }
            Command::Published(version) => state.map(|mut list| {
                list.published = version;
                list.publish_at = (list.version != version).then(|| now.plus(BATCH));
                list
            }),
        };
        match list {
            Some(list) => {
                let (bits, expires) = (list.bits.clone(), list.expires);
                (Next::Put(list, expires), bits)
            }
            None => (Next::Keep, URL_SAFE_NO_PAD.encode(zeros())),
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        self.publish_at
    }

    fn due(&self, now: Timestamp) -> Vec<Effect<Command>> {
        if self.publish_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let then = Command::Published(self.version);
        vec![Effect::PublishStatusList { list: self.list, bits: bytes(&self.bits), expires: self.expires, then }]
    }
}

impl StatusList {
    fn mark(&mut self, blocks: &[Block]) {
        let mut bits = bytes(&self.bits);
        for place in
            blocks.iter().filter(|block| block.list == self.list).flat_map(|block| block.start..block.start.saturating_add(block.len))
        {
            if let Some(byte) = bits.get_mut((place / 8) as usize) {
                *byte |= 1 << (place % 8);
            }
        }
        self.bits = URL_SAFE_NO_PAD.encode(bits);
    }
}

/// A list without marks.
#[must_use]
pub fn zeros() -> Vec<u8> {
    vec![0; (LIST_BITS / 8) as usize]
}

/// The bits of an outcome.
#[must_use]
pub fn bytes(bits: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(bits).unwrap_or_else(|_| zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, advance};

    #[test]
    fn marks_wait_for_their_batch_and_one_during_publication_is_not_lost() {
        let at = Timestamp::from_seconds;
        let mark = |start| Command::Mark { list: 5, blocks: vec![Block { list: 5, start, len: 2 }, Block { list: 6, start: 0, len: 9 }] };
        let (Change::Write(record), _) = advance::<StatusList>(None, mark(9), at(100)) else { panic!("not written") };
        assert_eq!(record.alarm(), Some(at(110)));
        assert!(record.state.due(at(109)).is_empty());
        let effects = record.state.due(at(110));
        let [Effect::PublishStatusList { bits, then: Command::Published(version), .. }] = effects.as_slice() else { panic!("nothing due") };
        assert_eq!((bits[0], bits[1], bits[2]), (0, 0b110, 0));

        let (Change::Write(record), _) = advance(Some(record), mark(0), at(111)) else { panic!("not written") };
        let (Change::Write(record), bits) = advance(Some(record), Command::Published(*version), at(112)) else { panic!("not written") };
        assert_eq!(bytes(&bits)[0], 0b11);
        assert_eq!(record.alarm(), Some(at(122)), "the later mark is published with the next batch");
        let (Change::Write(record), _) = advance(Some(record), Command::Published(3), at(123)) else { panic!("not written") };
        assert_eq!(record.state.wakes_at(), None);
    }
}
