//! Authenticator data (section 6.1): 32 bytes SHA-256 of the RP id, flags, four bytes counter, and what the flags announce.

use sha2::{Digest, Sha256};

use super::InvalidPasskey;
use super::cbor::{self, Item};

/// UP: a person was there.
pub(super) const USER_PRESENT: u8 = 1;
/// UV: the person proved who they are.
pub(super) const USER_VERIFIED: u8 = 1 << 2;
/// BE: the passkey may be backed up.
pub(super) const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// BS: it is.
pub(super) const BACKED_UP: u8 = 1 << 4;
/// AT: a credential follows.
pub(super) const ATTESTED: u8 = 1 << 6;
/// ED: extensions follow.
pub(super) const EXTENSIONS: u8 = 1 << 7;

/// Authenticator data of a person who was verified, for our RP id.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    /// The counter.
    pub(super) sign_count: u32,
    /// Flag BS.
    pub(super) backed_up: bool,
    /// Flag AT: a credential.
    pub(super) credential: Option<Attested<'a>>,
}

/// Attested credential data (section 6.5.1).
#[derive(Debug)]
pub(super) struct Attested<'a> {
    /// The credential id.
    pub(super) id: &'a [u8],
    /// `COSE_Key`.
    pub(super) key: Item<'a>,
}

/// Takes authenticator data apart, to its last byte, and checks RP id and flags (sections 7.1, steps 14 to 17, and 7.2, steps 15
/// to 18). Extensions were not asked for and are not looked at.
pub(super) fn read<'a>(bytes: &'a [u8], rp_id: &str) -> Result<AuthenticatorData<'a>, InvalidPasskey> {
    let (rp_id_hash, rest) = chunk::<32>(bytes)?;
    let ([flags], rest) = chunk::<1>(rest)?;
    let (sign_count, rest) = chunk::<4>(rest)?;
    let has = |flag: u8| flags & flag != 0;
    if *rp_id_hash != <[u8; 32]>::from(Sha256::digest(rp_id)) {
        return Err(InvalidPasskey::RpId);
    }
    if !has(USER_PRESENT) {
        return Err(InvalidPasskey::UserPresence);
    }
    if !has(USER_VERIFIED) {
        return Err(InvalidPasskey::UserVerification);
    }
    if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
        return Err(InvalidPasskey::Backup);
    }
    let (credential, rest) = if has(ATTESTED) {
        let (attested, rest) = attested(rest)?;
        (Some(attested), rest)
    } else {
        (None, rest)
    };
    let rest = if has(EXTENSIONS) { extensions(rest)? } else { rest };
    if !rest.is_empty() {
        return Err(InvalidPasskey::AuthenticatorDataTrailing);
    }
    Ok(AuthenticatorData { sign_count: u32::from_be_bytes(*sign_count), backed_up: has(BACKED_UP), credential })
}

/// 16 bytes AAGUID, two bytes length, the credential id, the key.
fn attested(bytes: &[u8]) -> Result<(Attested<'_>, &[u8]), InvalidPasskey> {
    let (_aaguid, rest) = chunk::<16>(bytes)?;
    let (length, rest) = chunk::<2>(rest)?;
    let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(InvalidPasskey::AuthenticatorDataTruncated)?;
    let (key, rest) = cbor::read_first(rest)?;
    Ok((Attested { id, key }, rest))
}

/// What follows them.
fn extensions(bytes: &[u8]) -> Result<&[u8], InvalidPasskey> {
    match cbor::read_first(bytes)? {
        (Item::Map(_), rest) => Ok(rest),
        _ => Err(InvalidPasskey::Extensions),
    }
}

fn chunk<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), InvalidPasskey> {
    bytes.split_first_chunk().ok_or(InvalidPasskey::AuthenticatorDataTruncated)
}
