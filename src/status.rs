//! Token status lists (draft-ietf-oauth-status-list): places for new tokens, and the signed lists themselves.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec_zlib;

use crate::cx::Cx;
use crate::entropy::{EntropyError, random};
use crate::jose::claims::{STATUS_LIST, Status, StatusList, StatusListClaims, StatusReference, lasting};
use crate::keys::{self, KeysError};
use crate::machine::status_index::{Block, Command, Outcome, SHARDS, StatusIndex};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// How many places an isolate takes at a time.
const LEASE: u32 = 1024;
/// How many of them a registration gets the first time, and at most.
pub const FIRST: u32 = 8;
/// See [`FIRST`].
pub const MOST: u32 = 128;
/// For how long a copy of a list may be used, and how long an isolate and a cache keep one.
pub const COPY: Ttl = Ttl::from_seconds(10);
/// How long a signed list is good for.
const VALID: Ttl = Ttl::from_seconds(24 * 3600);

/// No place could be had.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// The index is out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No shard could be chosen.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The registration has too many live tokens.
    #[error("too many live tokens of one registration")]
    Full,
}

impl Refusal for NoPlace {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

/// `len` places for one registration, off the isolate's leases.
///
/// # Errors
/// They are used up and no more can be had.
pub async fn block<P: Ports>(len: u32, cx: &Cx<'_, P>) -> Result<Block, NoPlace> {
    if let Some(block) = split(len, cx) {
        return Ok(block);
    }
    let [shard] = random::<1>(cx.entropy)?;
    let shard = u32::from(shard) % SHARDS;
    let leased = cx.ports.run::<StatusIndex>(&shard, Command::Lease { shard, len: LEASE }).await?;
    if let Outcome::Leased(lease) = leased {
        cx.memory.leases.borrow_mut().push(lease);
    }
    split(len, cx).ok_or_else(|| StoreError("the status index leased nothing".to_owned()).into())
}

fn split<P>(len: u32, cx: &Cx<'_, P>) -> Option<Block> {
    let mut leases = cx.memory.leases.borrow_mut();
    leases.retain(|lease| lease.len >= len.min(MOST));
    leases.last_mut()?.split(len)
}

/// The claim of a token at this place.
#[must_use]
pub fn claim<P>(place: Block, cx: &Cx<'_, P>) -> Status {
    Status { status_list: StatusReference { idx: place.start, uri: address(place.list, cx) } }
}

/// The place that a token's claim names, if it is one of ours.
#[must_use]
pub fn place<P>(status: &Status, cx: &Cx<'_, P>) -> Option<Block> {
    let list = status.status_list.uri.strip_prefix(&address_prefix(cx))?.parse().ok()?;
    Some(Block { list, start: status.status_list.idx, len: 1 })
}

/// Where the list `list` is served.
#[must_use]
pub fn address<P>(list: u32, cx: &Cx<'_, P>) -> String {
    format!("{}{list}", address_prefix(cx))
}

fn address_prefix<P>(cx: &Cx<'_, P>) -> String {
    cx.config.own("/status/")
}

/// The directory's name for a list.
#[must_use]
pub fn name(list: u32) -> String {
    format!("status/{list}")
}

/// Signs a list.
///
/// # Errors
/// There is no key, or the crypto failed.
pub async fn sign<P: Ports>(list: u32, bits: &[u8], expires: Timestamp, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    let lst = URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(bits, 6));
    let claims = StatusListClaims {
        iss: cx.config.issuer.clone(),
        sub: address(list, cx),
        ttl: COPY.seconds(),
        status_list: StatusList { bits: 1, lst },
    };
    keys::sign(STATUS_LIST, &lasting(claims, cx.now, cx.now.plus(VALID).min(expires)), cx).await
}
