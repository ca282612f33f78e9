//! Refresh tokens: `art_<address>_<key>` for agents, `prt_…` for clients, like every secret of ours, where the key carries its place in the
//! family.
//!
//! The 32 bytes of the key are the family (4), the number (4), 128 bits that nobody can guess, and a seal of 64 bits over all of it. The
//! bits of a successor are HMAC(secret, family, number, presented token): a repeat computes it anew. The seal tells a genuine
//! spent token from an invented one, so that only the former can end a family.

use subtle::ConstantTimeEq;

use crate::base62;
use crate::id::{GrantId, Holder, RegistrationId};
use crate::machine::family;
use crate::machine::registration::FIRST_FAMILY;
use crate::master::{Master, Masters};
use crate::secret::{self, Digest, Purpose};

/// What refresh tokens of registrations begin with (auth.md, AuthKit).
const AGENT: &str = "art";
/// What those of grants begin with.
const CLIENT: &str = "prt";

/// Continues the identity of a registration.
#[derive(Debug)]
enum AgentToken {}

impl Purpose for AgentToken {
    const NAME: &'static str = "refresh_token";
}

/// Continues what a person has granted to a client (RFC 6749, section 6).
#[derive(Debug)]
enum ClientToken {}

impl Purpose for ClientToken {
    const NAME: &'static str = "client_refresh_token";
}

/// A refresh token on its way to its owner.
pub struct Token {
    text: String,
    digest: Digest,
}

impl Token {
    /// The first of a family of a registration.
    #[must_use]
    pub fn first(registration: &RegistrationId, family: u32, bits: [u8; 16], master: &Master) -> Self {
        Self::make(&Holder::Registration(registration.clone()), family, 0, bits, master)
    }

    /// The first of a family of a grant.
    #[must_use]
    pub fn of_grant(grant: &GrantId, family: u32, bits: [u8; 16], master: &Master) -> Self {
        Self::make(&Holder::Grant(grant.clone()), family, 0, bits, master)
    }

    fn make(holder: &Holder, family: u32, number: u32, bits: [u8; 16], master: &Master) -> Self {
        let body: Vec<u8> = [&family.to_be_bytes()[..], &number.to_be_bytes(), &bits].concat();
        let mut key = [0; 32];
        key.iter_mut().zip(body.iter().chain(&seal(holder, &body, master))).for_each(|(to, from)| *to = *from);
        let (digest, text) = match holder {
            Holder::Registration(id) => minted(secret::Secret::<AgentToken>::mint(AGENT, id.digits(), key, master)),
            Holder::Grant(id) => minted(secret::Secret::<ClientToken>::mint(CLIENT, id.digits(), key, master)),
        };
        Self { text, digest }
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

fn minted<P: Purpose>(secret: secret::Secret<P>) -> (Digest, String) {
    (secret.digest(), secret.reveal())
}

/// Shows that a key was made here.
fn seal(holder: &Holder, body: &[u8], master: &Master) -> [u8; 32] {
    match holder {
        Holder::Registration(id) => master.derive_bytes("refresh/seal", &[id.digits().as_bytes(), body]),
        Holder::Grant(id) => master.derive_bytes("refresh/seal/grant", &[id.digits().as_bytes(), body]),
    }
}

/// A refresh token that somebody presented: made by this deployment, not yet compared with its record.
pub struct Presented {
    /// The record that it names.
    pub holder: Holder,
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
        let (holder, key, digests) = if let Some(token) = secret::Presented::<AgentToken>::parse(AGENT, text, masters) {
            (
                Holder::Registration(RegistrationId::from_digits(token.digits())),
                base62::decode::<32>(token.key())?,
                token.digests().to_vec(),
            )
        } else {
            let token = secret::Presented::<ClientToken>::parse(CLIENT, text, masters)?;
            (Holder::Grant(GrantId::from_digits(token.digits())), base62::decode::<32>(token.key())?, token.digests().to_vec())
        };
        let (body, sealed) = key.split_at_checked(24)?;
        let is_ours = |master: &Master| -> bool { seal(&holder, body, master).get(..8).is_some_and(|own| own.ct_eq(sealed).into()) };
        if !masters.all().any(is_ours) {
            return None;
        }
        let number = |at: usize| body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let (family, number) = (number(0)?, number(4)?);
        let next = number.checked_add(1)?;
        let digits = match &holder {
            Holder::Registration(id) => id.digits(),
            Holder::Grant(id) => id.digits(),
        };
        let successor = |master: &Master| {
            let full = master.derive_bytes("refresh/successor", &[digits.as_bytes(), body, text.as_bytes()]);
            let bits = std::array::from_fn(|index| full.get(index).copied().unwrap_or_default());
            Token::make(&holder, family, next, bits, master)
        };
        let successors = masters.all().map(successor).collect();
        Some(Self { holder, family, number, digests, successors })
    }

    /// The family that it belongs to.
    #[must_use]
    pub const fn family(&self) -> u32 {
        self.family
    }

    /// Whether it came from an API key, and not from a claim.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        matches!(self.holder, Holder::Registration(_)) && self.family >= FIRST_FAMILY
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
        assert_eq!(after.holder, Holder::Registration(RegistrationId::from_bytes([3; 16])));
        assert_eq!((after.family, after.number), (2, 0));
        assert_eq!(after.successors[1].text(), before.successors[0].text());
        assert!(Presented::parse(token.text(), &Masters { current: Master::derive(b"new"), previous: None }).is_none());
    }

    #[test]
    fn only_the_seal_makes_a_key() {
        let masters = Masters { current: Master::derive(b"x"), previous: None };
        let id = RegistrationId::from_bytes([3; 16]);
        // Stamp and checksum are right, the seal is not.
        let forged = secret::Secret::<AgentToken>::mint(AGENT, id.digits(), [0; 32], &masters.current).reveal();
        assert!(Presented::parse(&forged, &masters).is_none());
    }

    #[test]
    fn an_agents_token_is_none_of_a_grant_of_the_same_digits() {
        let masters = Masters { current: Master::derive(b"x"), previous: None };
        let grant = GrantId::from_bytes([3; 16]);
        let token = Token::of_grant(&grant, 2, [9; 16], &masters.current);
        assert_eq!(Presented::parse(token.text(), &masters).unwrap().holder, Holder::Grant(grant));
        let agent = Token::first(&RegistrationId::from_bytes([3; 16]), 2, [9; 16], &masters.current);
        assert!(Presented::parse(&agent.text().replacen(AGENT, CLIENT, 1), &masters).is_none());
    }
}
