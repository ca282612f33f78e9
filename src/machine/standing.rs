//! How a registration stands: its rights, its credentials, and whether any of it still counts.

use serde::{Deserialize, Serialize};

use crate::jose::claims::CredentialStamp;
use crate::secret::Digest;
use crate::time::Timestamp;

/// Everything that decides whether a credential or token counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// Raised by whatever ends all that was issued before.
    pub generation: u32,
    /// Raised when all places in status lists are marked: places taken before must not be used any more.
    pub epoch: u32,
    /// Access tokens issued up to then (seconds since the epoch) are revoked.
    #[serde(default)]
    pub tokens_after: i64,
    /// When it was registered.
    pub created: Timestamp,
    /// An unclaimed registration dies then.
    pub expires: Timestamp,
    /// Ended by its holder or owner: nothing counts any more.
    pub ended: bool,
    /// A person has claimed it.
    pub claimed: bool,
    /// Its API keys.
    pub credentials: Vec<Credential>,
    /// Access tokens that were revoked one by one, until they expire.
    pub revoked: Vec<RevokedToken>,
}

impl Standing {
    /// Whether what was issued in `generation` counts at `now`.
    #[must_use]
    pub fn counts(&self, generation: u32, now: Timestamp) -> bool {
        !self.ended && self.generation == generation && now < self.expires
    }

    /// The API key whose digest `matches`, if it counts at `now`.
    pub fn api_key(&self, matches: impl Fn(&Digest) -> bool, now: Timestamp) -> Option<CredentialStamp> {
        let live = |key: &&Credential| !key.ended && now < key.expires && matches(&key.digest);
        let key = self.credentials.iter().find(live).filter(|_| self.counts(self.generation, now))?;
        Some(CredentialStamp { id: key.id, generation: key.generation })
    }

    /// Whether what was issued for an API key counts at `now`.
    #[must_use]
    pub fn stamp_counts(&self, stamp: CredentialStamp, now: Timestamp) -> bool {
        let same = |key: &Credential| key.id == stamp.id && key.generation == stamp.generation && !key.ended && now < key.expires;
        self.credentials.iter().any(same)
    }

    /// Whether this access token, issued at `issued_at` (seconds since the epoch), was revoked.
    #[must_use]
    pub fn has_revoked(&self, jti: &str, issued_at: i64) -> bool {
        issued_at <= self.tokens_after || self.revoked.iter().any(|token| token.jti == jti)
    }
}

/// An API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Its number within the registration.
    pub id: u32,
    /// Raised when it ends.
    pub generation: u32,
    /// What is stored of the key.
    pub digest: Digest,
    /// It stops working then.
    pub expires: Timestamp,
    /// It was revoked.
    pub ended: bool,
}

/// An access token that was revoked before it expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RevokedToken {
    /// Its `jti`.
    pub jti: String,
    /// Its `exp`.
    pub until: Timestamp,
}
