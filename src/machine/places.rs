//! Places in status lists that a record has given to its tokens, and those that are still to be marked.

use serde_json::json;

use super::Effect;
use super::status_index::Block;
use super::status_list::StatusList;
use crate::time::{Timestamp, Ttl};

/// An isolate may use the places of a block for so long.
pub const BLOCK_USE: Ttl = Ttl::from_seconds(3600);

/// Blocks of places that live tokens may refer to, and those that are still to be marked: so many fit into a record with room to spare,
/// so whatever ends something is always taken.
pub const MOST_BLOCKS: usize = 4096;

/// Remembers a block whose tokens may live for `ttl`.
pub fn remember(blocks: &mut Vec<(Block, Timestamp)>, block: Block, ttl: Ttl, now: Timestamp) {
    let until = now.plus(ttl).plus(BLOCK_USE);
    match blocks.last_mut() {
        // Neighbours are one block: a busy record stays small.
        Some((last, last_until)) if last.list == block.list && last.start.saturating_add(last.len) == block.start => {
            last.len = last.len.saturating_add(block.len);
            *last_until = until.max(*last_until);
        }
        _ => blocks.push((block, until)),
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
