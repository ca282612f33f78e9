//! The public keys of clients that sign: in their metadata, or where it says.

use std::cell::RefCell;

use super::Client;
use crate::cx::Cx;
use crate::jose::foreign::ForeignKey;
use crate::jose::jwk::Algorithm;
use crate::memory::{Bounded, Memory};
use crate::provider::fetch::{Document, Kept, Ration};
use crate::provider::jwks::{KeySet, NoKey, candidates_at};
use crate::store::Ports;

/// The key set of a client.
pub struct ClientKeys(KeySet);

impl Document for ClientKeys {
    const MOST: usize = KeySet::MOST;
    /// An outage where the keys are is none of ours, for a day.
    const DURABLE: bool = true;
    const RATION: Option<Ration> = Some(Ration { name: "client-keys", network: 60, deployment: 10_000 });

    fn read(body: &[u8]) -> Option<Self> {
        KeySet::read(body).map(Self)
    }

    fn kept(memory: &Memory) -> &RefCell<Bounded<String, Kept<Self>>> {
        &memory.client_keys
    }
}

impl AsRef<KeySet> for ClientKeys {
    fn as_ref(&self) -> &KeySet {
        &self.0
    }
}

/// The keys of `client` that a signature may have been made with: those of the name `kid`, or the only one that fits if there is no name.
///
/// # Errors
/// There is none.
pub async fn candidates<P: Ports>(
    client: &Client,
    kid: Option<&str>,
    algorithm: Algorithm,
    cx: &Cx<'_, P>,
) -> Result<Vec<ForeignKey>, NoKey> {
    match (&client.metadata.jwks_uri, &client.metadata.jwks) {
        (Some(url), _) => candidates_at::<ClientKeys, P>(url, client.named_by(), kid, algorithm, cx).await,
        (None, Some(jwks)) => KeySet::of(jwks).ok_or(NoKey::Unknown)?.find(kid, algorithm),
        (None, None) => Err(NoKey::Unknown),
    }
}
