//! The deployment's signing keys, as a request sees them.

use std::rc::Rc;

use jwt_compact::Claims;
use serde::Serialize;

use crate::cx::Cx;
use crate::jose::jws;
use crate::lean;
use crate::machine::keyring::{Candidate, Command, KeyRing, KeySet, Outcome, Ring};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{CryptoError, Ports, SigningKey, StoreError};
use crate::time::Ttl;

/// An isolate looks again after so long, and a copy in the directory nearby is at most [`NEARBY`] old: together under the 60
/// seconds within which a revoked key stops verifying everywhere.
pub const FRESH: Ttl = Ttl::from_seconds(20);
/// The shortest time for which the platform's directory keeps copies.
pub const NEARBY: Ttl = Ttl::from_seconds(30);
/// An isolate looks again so soon for a ring that has no key yet.
const SOON: Ttl = Ttl::from_seconds(2);
/// Whoever needs a ring's first key waits so long for it,
pub const PATIENCE: Ttl = Ttl::from_seconds(5);
/// and looks this often.
const STEP: Ttl = Ttl::from_millis(200);

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

/// The keys of our own tokens: from memory, else from the directory, else from the ring itself, which is founded if need be.
///
/// # Errors
/// None of them has any.
pub async fn current<P: Ports>(cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    of(Ring::Es256, cx).await
}

/// The same of any ring; of that for RS256 there may be none yet, see [`first`].
///
/// # Errors
/// None of them answers.
pub async fn of<P: Ports>(ring: Ring, cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    let known = cx.memory.keys.borrow().get(&ring).cloned();
    let mut newest = 0;
    if let Some((at, set)) = known {
        if cx.now < at.plus(if set.keys.is_empty() { SOON } else { FRESH }) {
            return Ok(set);
        }
        newest = set.version;
    }
    let published = cx.ports.read(ring.published(), NEARBY).await.unwrap_or_else(|error| {
        cx.ports.warn("directory_lost", &error.to_string());
        None
    });
    // A copy older than what is known here would bring a revoked key back to life.
    let published = published.and_then(|text| lean::read::<KeySet>(&text).ok()).filter(|set| set.version >= newest);
    let set = match published {
        Some(set) => set,
        None => from_ring(ring, cx).await?,
    };
    Ok(remember(ring, set, cx))
}

/// Every key that is shown: those of OpenID Connect too, if it is on and they are there.
///
/// # Errors
/// The rings are out of reach.
pub async fn shown<P: Ports>(cx: &Cx<'_, P>) -> Result<Vec<Rc<KeySet>>, KeysError> {
    let mut sets = vec![current(cx).await?];
    if cx.config.openid {
        sets.push(of(Ring::Rs256, cx).await?);
    }
    Ok(sets)
}

/// The keys of our own tokens with the one named `kid`, if there is such a one: an unknown name may be that of a key that took over
/// just now, so it is asked for at the ring itself, at most once a second.
///
/// # Errors
/// Directory and ring are out of reach.
pub async fn with<P: Ports>(kid: &str, cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    let set = current(cx).await?;
    if set.verifier(kid, cx.now).is_some() || cx.now < cx.memory.ring_asked.get().plus(Ttl::from_seconds(1)) {
        return Ok(set);
    }
    cx.memory.ring_asked.set(cx.now);
    Ok(change(Ring::Es256, Command::Look, cx).await?.unwrap_or(set))
}

/// A new key pair for a ring, wrapped with the present secret.
///
/// # Errors
/// The crypto failed.
pub async fn candidate<P: Ports>(ring: Ring, cx: &Cx<'_, P>) -> Result<Candidate, CryptoError> {
    let (jwk, wrapped) = cx.ports.generate(ring.algorithm(), cx.config.masters.current.wrapping()).await?;
    Ok(Candidate { jwk, wrapped })
}

/// Runs a command on a ring and remembers the keys that it answers with; `None` if it has none, or does not know the key.
///
/// # Errors
/// The ring did not answer.
pub async fn change<P: Ports>(ring: Ring, command: Command, cx: &Cx<'_, P>) -> Result<Option<Rc<KeySet>>, KeysError> {
    match cx.ports.run::<KeyRing>(&ring.name(), command).await? {
        Outcome::Keys(set) => Ok(Some(remember(ring, set, cx))),
        Outcome::Empty | Outcome::Unknown => Ok(None),
    }
}

/// Signs claims with the ES256 key whose turn it is.
///
/// # Errors
/// There is no key, or the crypto failed.
pub async fn sign<T: Serialize, P: Ports>(typ: &str, claims: &Claims<T>, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    sign_with(Ring::Es256, typ, claims, cx).await
}

/// The same with the key of any ring. The first key of the RS256 ring is waited for.
///
/// # Errors
/// There is no key, or not in time, or the crypto failed.
pub async fn sign_with<T: Serialize, P: Ports>(ring: Ring, typ: &str, claims: &Claims<T>, cx: &Cx<'_, P>) -> Result<String, KeysError> {
    let set = first(ring, PATIENCE, cx).await?;
    let key = set.signer(cx.now).ok_or(KeysError::NoSigner)?;
    let unwrap_with: Vec<[u8; 32]> = cx.config.masters.all().map(|master| *master.wrapping()).collect();
    let signing = SigningKey { algorithm: ring.algorithm(), kid: &key.jwk.kid, wrapped: &key.wrapped, unwrap_with: &unwrap_with };
    Ok(jws::sign(typ, claims, &signing, cx.ports).await?)
}

/// The keys of a ring. That for RS256 is begun if need be: it makes its first key itself, once, which is waited for no longer than
/// `patience`. None if it does not come in time.
///
/// # Errors
/// The ring is out of reach.
pub async fn first<P: Ports>(ring: Ring, patience: Ttl, cx: &Cx<'_, P>) -> Result<Rc<KeySet>, KeysError> {
    let mut set = of(ring, cx).await?;
    let mut waited = 0;
    while set.keys.is_empty() {
        let begin = Command::Begin { ring, rotation: cx.config.ttls.key_rotation };
        match change(ring, begin, cx).await? {
            Some(made) => set = made,
            None if waited < patience.millis() => {
                cx.ports.pause(STEP).await;
                waited += STEP.millis();
            }
            None => break,
        }
    }
    Ok(set)
}

async fn from_ring<P: Ports>(ring: Ring, cx: &Cx<'_, P>) -> Result<KeySet, KeysError> {
    if let Outcome::Keys(set) = cx.ports.run::<KeyRing>(&ring.name(), Command::Look).await? {
        return Ok(set);
    }
    if ring == Ring::Rs256 {
        return Ok(KeySet::default());
    }
    let command = Command::Found { candidate: candidate(ring, cx).await?, rotation: cx.config.ttls.key_rotation };
    match cx.ports.run::<KeyRing>(&ring.name(), command).await? {
        Outcome::Keys(set) => Ok(set),
        Outcome::Empty | Outcome::Unknown => Err(KeysError::NoSigner),
    }
}

fn remember<P>(ring: Ring, set: KeySet, cx: &Cx<'_, P>) -> Rc<KeySet> {
    let mut known = cx.memory.keys.borrow_mut();
    let set = match known.remove(&ring) {
        // Another request learned of something newer meanwhile.
        Some((_, newer)) if newer.version > set.version => newer,
        known => {
            if known.is_none_or(|(_, known)| known.version != set.version) {
                cx.memory.turned.set(true);
            }
            Rc::new(set)
        }
    };
    known.insert(ring, (cx.now, set.clone()));
    set
}
