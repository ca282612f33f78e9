//! Refresh tokens: `art_<address>_<key>` like every secret of ours, where the key carries its place in the family.
//!
//! The 32 bytes of the key are the family (4), the number (4), 128 bits that nobody can guess, and a seal of 64 bits over all of it. The
//! bits of a successor are HMAC(secret, family, number, presented token): a repeat computes it anew. The seal tells a genuine
//! spent token from an invented one, so that only the former can end a family.

use subtle::ConstantTimeEq;

use crate::base62;
use crate::id::RegistrationId;
use crate::machine::family;
use crate::master::{Master, Masters};
use crate::secret::{self, Digest, Purpose};

/// What refresh tokens of registrations begin with (auth.md, AuthKit).
pub const PREFIX: &str = "art";

/// Continues the identity of a registration.
#[derive(Debug)]
pub enum RefreshToken {}

impl Purpose for RefreshToken {
    const NAME: &'static str = "refresh_token";
}

/// A refresh token on its way to its owner.
pub struct Token {
    text: String,
    digest: Digest,
}

impl Token {
    /// The first of a family.
    #[must_use]
    pub fn first(registration: &RegistrationId, family: u32, bits: [u8; 16], master: &Master) -> Self {
        Self::make(registration.digits(), family, 0, bits, master)
    }

    fn make(digits: &str, family: u32, number: u32, bits: [u8; 16], master: &Master) -> Self {
        let body: Vec<u8> = [&family.to_be_bytes()[..], &number.to_be_bytes(), &bits].concat();
        let seal = master.derive_bytes("refresh/seal", &[digits.as_bytes(), &body]);
        let mut key = [0; 32];
        key.iter_mut().zip(body.iter().chain(&seal)).for_each(|(to, from)| *to = *from);
        let secret = secret::Secret::<RefreshToken>::mint(PREFIX, digits, key, master);
        let digest = secret.digest();
        Self { text: secret.reveal(), digest }
    }

    /// What the record keeps.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.clone()
    }

    /// The token itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A refresh token that somebody presented: made by this deployment, not yet compared with its record.
pub struct Presented {
    digits: String,
    family: u32,
    number: u32,
    digests: Vec<Digest>,
    /// What it would bring, one for each secret of the deployment, the current one first.
    pub successors: Vec<Token>,
}

impl Presented {
    /// Reads `text`; `None` if it was never made by this deployment.
    #[must_use]
    pub fn parse(text: &str, masters: &Masters) -> Option<Self> {
        let presented = secret::Presented::<RefreshToken>::parse(PREFIX, text, masters)?;
        let key = base62::decode::<32>(presented.key())?;
        let (body, seal) = key.split_at_checked(24)?;
        let digits = presented.digits();
        let sealed = |master: &Master| -> bool {
            let own = master.derive_bytes("refresh/seal", &[digits.as_bytes(), body]);
            own.get(..8).is_some_and(|own| own.ct_eq(seal).into())
        };
        if !masters.all().any(sealed) {
            return None;
        }
        let number = |at: usize| body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let (family, number) = (number(0)?, number(4)?);
        let next = number.checked_add(1)?;
        let successor = |master: &Master| {
            let full = master.derive_bytes("refresh/successor", &[digits.as_bytes(), body, text.as_bytes()]);
            let bits = std::array::from_fn(|index| full.get(index).copied().unwrap_or_default());
            Token::make(digits, family, next, bits, master)
        };
        let successors = masters.all().map(successor).collect();
        Some(Self { digits: digits.to_owned(), family, number, digests: presented.digests().to_vec(), successors })
    }

    /// The registration that it names.
    #[must_use]
    pub fn registration(&self) -> RegistrationId {
        RegistrationId::from_digits(&self.digits)
    }

    /// What the record is asked with.
    #[must_use]
    pub fn command(&self) -> family::Presented {
        family::Presented {
            family: self.family,
            number: self.number,
            digests: self.digests.clone(),
            successors: self.successors.iter().map(Token::digest).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_secret_of_the_deployment_still_knows_its_tokens() {
        let old = Masters { current: Master::derive(b"old"), previous: None };
        let new = Masters { current: Master::derive(b"new"), previous: Some(Master::derive(b"old")) };
        let token = Token::first(&RegistrationId::from_bytes([3; 16]), 2, [9; 16], &old.current);
        let before = Presented::parse(token.text(), &old).unwrap();
        let after = Presented::parse(token.text(), &new).unwrap();
        assert_eq!(after.registration(), RegistrationId::from_bytes([3; 16]));
        assert_eq!((after.family, after.number), (2, 0));
        assert_eq!(after.successors[1].text(), before.successors[0].text());
        assert!(Presented::parse(token.text(), &Masters { current: Master::derive(b"new"), previous: None }).is_none());
    }

    #[test]
    fn only_the_seal_makes_a_key() {
        let masters = Masters { current: Master::derive(b"x"), previous: None };
        let id = RegistrationId::from_bytes([3; 16]);
        // Stamp and checksum are right, the seal is not.
        let forged = secret::Secret::<RefreshToken>::mint(PREFIX, id.digits(), [0; 32], &masters.current).reveal();
        assert!(Presented::parse(&forged, &masters).is_none());
    }
}
