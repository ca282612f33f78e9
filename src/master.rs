//! `POSTERN_SECRET`: one secret of the deployment, stretched into one key per use.

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::secret::Digest;

/// The keys of one `POSTERN_SECRET`, one per use, so that no use can be turned against another.
pub struct Master {
    version: String,
    pepper: [u8; 32],
    stamp: [u8; 32],
    wrapping: [u8; 32],
    idempotency: [u8; 32],
    names: [u8; 32],
    derived: [u8; 32],
    webhooks: [u8; 32],
}

impl Master {
    /// Derives the keys with HKDF-SHA-256 (RFC 5869), one label per use.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"postern/1"), secret);
        let key = |label: &[u8]| {
            let mut out = [0; 32];
            // 32 bytes are far below the limit of 255 blocks, the only way that this can fail.
            let _ = hkdf.expand(label, &mut out);
            out
        };
        let mut version = hex(&key(b"version"));
        version.truncate(8);
        Self {
            version,
            pepper: key(b"pepper"),
            stamp: key(b"stamp"),
            wrapping: key(b"wrapping"),
            idempotency: key(b"idempotency"),
            names: key(b"names"),
            derived: key(b"derived"),
            webhooks: key(b"webhooks"),
        }
    }

    /// What a stored secret keeps instead of itself.
    #[must_use]
    pub fn digest(&self, purpose: &str, key: &str) -> Digest {
        Digest::new(self.version.clone(), mac(&self.pepper, &[purpose.as_bytes(), key.as_bytes()]))
    }

    /// 64 bits that only this deployment can put on an address.
    #[must_use]
    pub fn stamp(&self, purpose: &str, address: &str) -> [u8; 8] {
        let mut out = [0; 8];
        let full = mac(&self.stamp, &[purpose.as_bytes(), address.as_bytes()]);
        out.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        out
    }

    /// 256 bits derived from an idempotent request, under a `label` of their own.
    #[must_use]
    pub fn idempotent(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut all = vec![label.as_bytes()];
        all.extend_from_slice(parts);
        mac(&self.idempotency, &all)
    }

    /// The name of a look-up of `kind`: what it is looked up by cannot be read from it.
    #[must_use]
    pub fn name(&self, kind: &str, parts: &[&str]) -> String {
        let mut all = vec![kind.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        hex(&mac(&self.names, &all)).chars().take(40).collect()
    }

    /// 256 bits for a use named by `label`: refresh tokens, tokens of forms, identifiers that can be found again.
    #[must_use]
    pub fn derive_bytes(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut all = vec![label.as_bytes()];
        all.extend_from_slice(parts);
        mac(&self.derived, &all)
    }

    /// The secret that a webhook's messages are signed with, in one of its versions.
    #[must_use]
    pub fn webhook(&self, id: &str, version: u32) -> [u8; 32] {
        mac(&self.webhooks, &[id.as_bytes(), &version.to_be_bytes()])
    }

    /// The AES-256 key that wraps private keys.
    #[must_use]
    pub fn wrapping(&self) -> &[u8; 32] {
        &self.wrapping
    }
}

/// The current secret, and the one before while a change of it is under way.
pub struct Masters {
    /// Makes everything new.
    pub current: Master,
    /// Still accepted for checking and unwrapping.
    pub previous: Option<Master>,
}

impl Masters {
    /// Both, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.current).chain(self.previous.as_ref())
    }

    /// The digests that `key` may be stored under.
    pub fn digests(&self, purpose: &str, key: &str) -> Vec<Digest> {
        self.all().map(|master| master.digest(purpose, key)).collect()
    }
}

/// HMAC-SHA-256 over length-prefixed parts, so that no two lists of parts collide.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length: this cannot fail.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_has_a_key_of_its_own() {
        let master = Master::derive(b"a secret of the deployment");
        let keys = [master.pepper, master.stamp, master.wrapping, master.idempotency, master.names, master.derived, master.webhooks];
        for (index, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(index + 1).all(|other| other != key));
        }
        assert_ne!(Master::derive(b"another").version, master.version);
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = [1; 32];
        assert_ne!(mac(&key, &[b"ab", b"c"]), mac(&key, &[b"a", b"bc"]));
    }
}
