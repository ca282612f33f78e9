//! The deployment's signing keys, as a request sees them.

use std::rc::Rc;

use jwt_compact::Claims;
use serde::Serialize;

use crate::cx::Cx;
use crate::jose::jws;
use crate::lean;
use crate::machine::keyring::{Candidate, Command, KeyRing, KeySet, Outcome, PUBLISHED, RING};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{CryptoError, Ports, SigningKey, StoreError};
use crate::time::Ttl;

/// An isolate looks again after so long, and a copy in the directory nearby is at most [`NEARBY`] old: together under the 60
/// seconds within which a revoked key stops verifying everywhere.
pub const FRESH: Ttl = Ttl::from_seconds(20);
/// The shortest time for which the platform's directory keeps copies.
pub const NEARBY: Ttl = Ttl::from_seconds(30);

/// There are no keys to work with: our fault.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Directory and key ring are out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be made or used.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The ring has no key that signs.
    #[error("no key signs at present")]
    NoSigner,
}

impl Refusal for KeysError {
    fn code(&self) -> ErrorCode {
        ErrorCode::TemporarilyUnavailable
    }
}

/// The keys: from memory, else from the directory, else from the ring itself, which is founded if need be.
///
/// # Errors
/// None of them has any.
pub async fn current<P: Ports>(cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    let known = cx.memory.keys.borrow().clone();
    let mut newest = 0;
    if let Some((at, set)) = known {
        if cx.now < at.plus(FRESH) {
            return Ok(set);
        }
        newest = set.version;
    }
    let published = cx.ports.read(PUBLISHED, NEARBY).await.unwrap_or_else(|error| {
        cx.ports.warn("directory_lost", &error.to_string());
        None
    });
    // A copy older than what is known here would bring a revoked key back to life.
    let published = published.and_then(|text| lean::read::<KeySet>(&text).ok()).filter(|set| set.version >= newest);
    let set = match published {
        Some(set) => set,
        None => from_ring(cx).await?,
    };
    Ok(remember(set, cx))
}

/// The keys with the one named `kid`, if there is such a one: an unknown name may be that of a key that took over just now, so it is asked for
/// at the ring itself, at most once a second.
///
/// # Errors
/// Directory and ring are out of reach.
pub async fn with<P: Ports>(kid: &str, cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    let set = current(cx).await?;
    if set.verifier(kid, cx.now).is_some() || cx.now < cx.memory.ring_asked.get().plus(Ttl::from_seconds(1)) {
        return Ok(set);
    }
    cx.memory.ring_asked.set(cx.now);
    Ok(change(Command::Look, cx).await?.unwrap_or(set))
}

/// A new key pair, wrapped with the present secret.
///
/// # Errors
/// The crypto failed.
pub async fn candidate<P: Ports>(cx: &Cx<'_, P>) -> Result<Candidate, CryptoError> {
    let (jwk, wrapped) = cx.ports.generate(cx.config.masters.current.wrapping()).await?;
    Ok(Candidate { jwk, wrapped })
}

/// Runs a command on the ring and remembers the keys that it answers with; `None` if it does not know the key.
///
/// # Errors
/// The ring did not answer.
pub async fn change<P: Ports>(command: Command, cx: &Cx<'_, P>) -> Result<Option<Rc<KeySet>>, KeysError> {
    match cx.ports.run::<KeyRing>(&RING, command).await? {
        Outcome::Keys(set) => Ok(Some(remember(set, cx))),
        Outcome::Empty | Outcome::Unknown => Ok(None),
    }
}

/// Signs claims with the key whose turn it is.
///
/// # Errors
/// There is no key, or the crypto failed.
pub async fn sign<T: Serialize, P: Ports>(typ: &str, claims: &Claims<T>, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    let set = current(cx).await?;
    let key = set.signer(cx.now).ok_or(KeysError::NoSigner)?;
    let unwrap_with: Vec<[u8; 32]> = cx.config.masters.all().map(|master| *master.wrapping()).collect();
    let signing = SigningKey { kid: &key.jwk.kid, wrapped: &key.wrapped, unwrap_with: &unwrap_with };
    Ok(jws::sign(typ, claims, &signing, cx.ports).await?)
}

async fn from_ring<P: Ports>(cx: &Cx<'_, P>) -> Result<KeySet, KeysError> {
    if let Outcome::Keys(set) = cx.ports.run::<KeyRing>(&RING, Command::Look).await? {
        return Ok(set);
    }
    let command = Command::Found { candidate: candidate(cx).await?, rotation: cx.config.ttls.key_rotation };
    match cx.ports.run::<KeyRing>(&RING, command).await? {
        Outcome::Keys(set) => Ok(set),
        Outcome::Empty | Outcome::Unknown => Err(KeysError::NoSigner),
    }
}

fn remember<P>(set: KeySet, cx: &Cx<'_, P>) -> Rc<KeySet> {
    let mut known = cx.memory.keys.borrow_mut();
    let set = match known.take() {
        // Another request learned of something newer meanwhile.
        Some((_, newer)) if newer.version > set.version => newer,
        _ => Rc::new(set),
    };
    *known = Some((cx.now, set.clone()));
    set
}
