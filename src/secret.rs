//! Secrets that are shown once, and the digests that remain.
//!
//! A secret names its record: `<prefix>_<address>_<key>`, base 62, split from the right. The address is
//! an identifier's 22 digits and an 11-digit stamp that only this deployment can make, so an invented
//! secret is refused before any object is asked. The key is 43 digits (256 bits) and a 6-digit CRC-32 over all
//! that stands before it, for secret scanners and typing errors.

use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::base62;
use crate::id::ID_BYTES;
use crate::master::{Master, Masters};

/// What a secret is for; digests and stamps of one purpose are worthless for another.
pub trait Purpose {
    /// Part of every stamp and digest.
    const NAME: &'static str;
}

/// A long-lived credential of an agent.
#[derive(Debug)]
pub enum ApiKey {}

impl Purpose for ApiKey {
    const NAME: &'static str = "api_key";
}

/// Claims a registration: the agent's half of the ceremony.
#[derive(Debug)]
pub enum ClaimToken {}

impl Purpose for ClaimToken {
    const NAME: &'static str = "claim_token";
}

/// The same in auth.md v0.1: worthless at the newer paths, as theirs is at the older.
#[derive(Debug)]
pub enum ClaimTokenV01 {}

impl Purpose for ClaimTokenV01 {
    const NAME: &'static str = "claim_token_v01";
}

/// Opens the page of one attempt: the person's half.
#[derive(Debug)]
pub enum ClaimAttemptToken {}

impl Purpose for ClaimAttemptToken {
    const NAME: &'static str = "claim_attempt_token";
}

/// A browser in which a person has signed in.
#[derive(Debug)]
pub enum SessionSecret {}

impl Purpose for SessionSecret {
    const NAME: &'static str = "session";
}

/// A sign-in that is under way: held by the page that asked for it.
#[derive(Debug)]
pub enum LoginSecret {}

impl Purpose for LoginSecret {
    const NAME: &'static str = "login";
}

/// The link in a sign-in mail.
#[derive(Debug)]
pub enum LoginLink {}

impl Purpose for LoginLink {
    const NAME: &'static str = "login_link";
}

/// The secret of a client.
#[derive(Debug)]
pub enum ClientSecret {}

impl Purpose for ClientSecret {
    const NAME: &'static str = "client_secret";
}

/// Manages one client (RFC 7592).
#[derive(Debug)]
pub enum RegistrationToken {}

impl Purpose for RegistrationToken {
    const NAME: &'static str = "registration_access_token";
}

/// An authorization code (RFC 6749, section 4.1.2).
#[derive(Debug)]
pub enum AuthorizationCode {}

impl Purpose for AuthorizationCode {
    const NAME: &'static str = "authorization_code";
}

/// An authorization request: pushed (RFC 9126), or shown to its person.
#[derive(Debug)]
pub enum AuthorizationRequest {}

impl Purpose for AuthorizationRequest {
    const NAME: &'static str = "authorization_request";
}

/// What a device polls with (RFC 8628, section 3.2).
#[derive(Debug)]
pub enum DeviceCode {}

impl Purpose for DeviceCode {
    const NAME: &'static str = "device_code";
}

/// `state` of a journey to a provider of people.
#[derive(Debug)]
pub enum UpstreamState {}

impl Purpose for UpstreamState {
    const NAME: &'static str = "upstream_state";
}

/// Asks whether an identity is to be linked.
#[derive(Debug)]
pub enum UpstreamLink {}

impl Purpose for UpstreamLink {
    const NAME: &'static str = "upstream_link";
}

/// A secret on its way to its owner: it can be revealed once and not otherwise looked at.
pub struct Secret<P> {
    text: String,
    digest: Digest,
    purpose: PhantomData<P>,
}

impl<P: Purpose> Secret<P> {
    /// Makes the secret of the record `digits`, with `key` as its 256 bits.
    #[must_use]
    pub fn mint(prefix: &str, digits: &str, key: [u8; 32], master: &Master) -> Self {
        let stamp = base62::encode(&master.stamp(P::NAME, digits));
        let key = base62::encode(&key);
        let body = format!("{prefix}_{digits}{stamp}_{key}");
        let checksum = checksum(&body);
        Self { text: format!("{body}{checksum}"), digest: master.digest(P::NAME, &key), purpose: PhantomData }
    }

    /// What the record keeps.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.clone()
    }

    /// The secret itself, for the one answer that shows it.
    #[must_use]
    pub fn reveal(self) -> String {
        self.text
    }
}

/// A secret that somebody presented: genuine in form and stamp, not yet compared with its record.
pub struct Presented<P> {
    digits: String,
    key: String,
    digests: Vec<Digest>,
    purpose: PhantomData<P>,
}

impl<P: Purpose> Presented<P> {
    /// Reads `text`; `None` if it was never made by this deployment.
    #[must_use]
    pub fn parse(prefix: &str, text: &str, masters: &Masters) -> Option<Self> {
        let (body, key) = text.rsplit_once('_')?;
        let (found, address) = body.rsplit_once('_')?;
        let (digits, stamp) = address.split_at_checked(base62::width(ID_BYTES))?;
        let (key, check) = key.split_at_checked(base62::width(32))?;
        let wellformed = found == prefix
            && base62::is_base62(digits, base62::width(ID_BYTES))
            && base62::is_base62(stamp, base62::width(8))
            && base62::is_base62(key, base62::width(32))
            && check == checksum(&format!("{body}_{key}"));
        if !wellformed {
            return None;
        }
        let stamped = masters.all().any(|master| base62::encode(&master.stamp(P::NAME, digits)).as_bytes().ct_eq(stamp.as_bytes()).into());
        stamped.then(|| Self {
            digits: digits.to_owned(),
            key: key.to_owned(),
            digests: masters.digests(P::NAME, key),
            purpose: PhantomData,
        })
    }

    /// The digits of the record that it names.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The 43 digits of its key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// A key that only who holds this secret can compute: what is sealed with it cannot be opened with what is stored.
    #[must_use]
    pub fn sealing_key(&self) -> [u8; 32] {
        sealing_key::<P>(&self.key)
    }

    /// The digests that it may be stored under.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Whether this is the secret that `digest` was made of.
    #[must_use]
    pub fn matches(&self, digest: &Digest) -> bool {
        self.digests.iter().fold(false, |found, mine| found | mine.same(digest))
    }
}

/// What is stored of a secret: a keyed digest and the version of the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Digest {
    version: String,
    mac: String,
}

impl Digest {
    pub(crate) fn new(version: String, mac: [u8; 32]) -> Self {
        Self { version, mac: URL_SAFE_NO_PAD.encode(mac) }
    }

    /// Compares in constant time.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.version == other.version && bool::from(self.mac.as_bytes().ct_eq(other.mac.as_bytes()))
    }
}

/// HKDF-SHA-256 over the 256 bits of a key.
fn sealing_key<P: Purpose>(key: &str) -> [u8; 32] {
    let mut out = [0; 32];
    // 32 bytes are far below the limit of 255 blocks, the only way that this can fail.
    let _ = Hkdf::<Sha256>::new(Some(b"postern/1/seal"), key.as_bytes()).expand(P::NAME.as_bytes(), &mut out);
    out
}

fn checksum(text: &str) -> String {
    base62::encode(&crc32fast::hash(text.as_bytes()).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters() -> Masters {
        Masters { current: Master::derive(b"current"), previous: Some(Master::derive(b"previous")) }
    }

    fn made(master: &Master) -> (String, Digest) {
        let secret = Secret::<ApiKey>::mint("sk_live", "0123456789abcdefABCDEF", [9; 32], master);
        let digest = secret.digest();
        (secret.reveal(), digest)
    }

    #[test]
    fn a_secret_is_found_again_by_its_digest() {
        let masters = masters();
        for master in masters.all() {
            let (text, digest) = made(master);
            let presented = Presented::<ApiKey>::parse("sk_live", &text, &masters).unwrap();
            assert_eq!(presented.digits(), "0123456789abcdefABCDEF");
            assert!(presented.matches(&digest));
            assert!(!text.contains(&digest.mac));
        }
    }

    #[test]
    fn a_secret_of_another_deployment_is_refused() {
        let (text, _) = made(&Master::derive(b"stranger"));
        assert!(Presented::<ApiKey>::parse("sk_live", &text, &masters()).is_none());
    }

    #[test]
    fn one_changed_character_is_refused() {
        let masters = masters();
        let (text, digest) = made(&masters.current);
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            let accepted = Presented::<ApiKey>::parse("sk_live", &changed, &masters).is_some_and(|it| it.matches(&digest));
            assert!(!accepted, "{changed}");
        }
    }
}
