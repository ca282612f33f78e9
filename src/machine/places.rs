//! Places in status lists that a record has given to its tokens, those that are still to be marked, and the tokens that end one by one.

use serde_json::json;

use super::Effect;
use super::standing::{RevokedToken, Standing};
use super::status_index::Block;
use super::status_list::StatusList;
use crate::time::{Timestamp, Ttl};

/// An isolate may use the places of a block for so long.
pub const BLOCK_USE: Ttl = Ttl::from_seconds(3600);

/// Blocks of places that live tokens may refer to, and those that are still to be marked: so many fit into a record with room to spare,
/// so whatever ends something is always taken.
pub const MOST_BLOCKS: usize = 4096;

/// More revoked tokens than this at one time end all tokens so far instead.
pub const MOST_REVOKED: usize = 512;

/// What a record keeps of its places, and how the tokens stand that have them.
#[derive(Debug)]
pub struct Places<'a> {
    /// How the record stands.
    pub standing: &'a mut Standing,
    /// Places that live tokens may refer to, and until when.
    pub blocks: &'a mut Vec<(Block, Timestamp)>,
    /// The outbox: places that are still to be marked.
    pub marks: &'a mut Vec<Block>,
}

impl Places<'_> {
    /// Whether the record can bear no more places: beyond that it might outgrow an object's row, and could not be ended any more.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.blocks.len().saturating_add(self.marks.len()) >= MOST_BLOCKS
    }

    /// Remembers a block whose tokens may live for `ttl`.
    pub fn remember(&mut self, block: Block, ttl: Ttl, now: Timestamp) {
        let until = now.plus(ttl).plus(BLOCK_USE);
        match self.blocks.last_mut() {
            // Neighbours are one block: a busy record stays small.
            Some((last, last_until)) if last.list == block.list && last.start.saturating_add(last.len) == block.start => {
                last.len = last.len.saturating_add(block.len);
                *last_until = until.max(*last_until);
            }
            _ => self.blocks.push((block, until)),
        }
    }

    /// One access token has ended; with too many of them, all of them have.
    pub fn revoke_token(&mut self, token: RevokedToken, place: Option<Block>, now: Timestamp) {
        if self.standing.revoked.iter().any(|known| known.jti == token.jti) {
            return;
        }
        if self.standing.revoked.len() < MOST_REVOKED {
            self.mark(place);
            self.standing.revoked.push(token);
        } else {
            self.standing.tokens_after = now.seconds();
            self.standing.revoked.clear();
            self.mark_all();
        }
    }

    /// Marks one place; all of them if too many are still to be marked already.
    fn mark(&mut self, place: Option<Block>) {
        let Some(place) = place.filter(|place| !self.marks.iter().any(|mark| mark.holds(place))) else { return };
        if self.marks.len() < MOST_BLOCKS {
            self.marks.push(place);
        } else {
            self.mark_all();
        }
    }

    /// Marks every place, and none of them is used any more.
    pub fn mark_all(&mut self) {
        self.standing.epoch = self.standing.epoch.saturating_add(1);
        self.marks.extend(self.blocks.drain(..).map(|(block, _)| block));
    }

    /// These have been marked.
    pub fn marked(&mut self, done: &[Block]) {
        self.marks.retain(|mark| !done.contains(mark));
    }

    /// Forgets the tokens and places whose time is over.
    pub fn forget(&mut self, now: Timestamp) {
        self.standing.revoked.retain(|token| now < token.until);
        self.blocks.retain(|(_, until)| now < *until);
    }
}

/// Has `marks` marked, list by list.
pub fn marking<C>(marks: &[Block], then: fn(Vec<Block>) -> C) -> impl Iterator<Item = Effect<C>> {
    let mut lists: Vec<u32> = marks.iter().map(|mark| mark.list).collect();
    lists.sort_unstable();
    lists.dedup();
    lists.into_iter().map(move |list| {
        let blocks: Vec<Block> = marks.iter().filter(|mark| mark.list == list).copied().collect();
        let command = json!({ "Mark": { "list": list, "blocks": blocks } });
        Effect::Tell { kind: <StatusList as super::Machine>::KIND, id: list.to_string(), command, then: then(blocks) }
    })
}
