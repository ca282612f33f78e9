//! Proof of possession (RFC 9449): whether the proof of a request counts, and which key it shows.
//!
//! A token that is bound to a key is of no use to who steals it: each request with it needs a proof, signed for that request alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::config::Nonces;
use crate::cx::Cx;
use crate::jose::dpop::{NotAProof, Said, read};
use crate::jose::jws::InvalidJws;
use crate::machine::once::{Command, Once, Outcome};
use crate::oauth::error::{ErrorCode, Refusal};
use crate::store::{Ports, StoreError};
use crate::time::{Timestamp, Ttl};

/// The header of a proof.
pub const PROOF: &str = "dpop";
/// The header of a nonce.
pub const NONCE: &str = "dpop-nonce";
/// Clocks may differ by so much, and a proof may be under way for so long.
const FRESH: Ttl = Ttl::from_seconds(300);
/// Used proofs are remembered for so much longer than they count: clocks of different machines are not one.
const SKEW: Ttl = Ttl::from_seconds(60);
/// A nonce is given for so long, and counts once more so long after that.
const WINDOW: u64 = 300;

/// The request that a proof has to be for.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Its method, as it came: `HEAD` is not `GET` here.
    pub method: &'r str,
    /// Its path, as it came: each name of an endpoint is an address of its own.
    pub path: &'r str,
}

/// A proof that holds for its request, and is not used up yet.
#[derive(Clone, Debug)]
pub struct Proof {
    /// RFC 7638 thumbprint of the key.
    pub jkt: String,
    jti: String,
    /// It could come again until then.
    until: Timestamp,
}

/// Why a proof does not count.
#[derive(Debug, thiserror::Error)]
pub enum InvalidProof {
    /// There is none, and there has to be one.
    #[error("there is no DPoP proof")]
    Missing,
    /// More than one header, or one that is not text.
    #[error("the DPoP header is not one line of ASCII")]
    NotOneLine,
    /// It is none.
    #[error("the DPoP proof: {0}")]
    Form(#[from] NotAProof),
    /// `htm`.
    #[error("the DPoP proof is for another method")]
    Method,
    /// `htu`.
    #[error("the DPoP proof is for another address")]
    Target,
    /// `ath`.
    #[error("the DPoP proof is for another access token")]
    Token,
    /// `iat`.
    #[error("the DPoP proof is too old, or of the future")]
    Time,
    /// `nonce` is missing, unknown or too old.
    #[error("the DPoP proof has no nonce that counts")]
    Nonce,
    /// The key is not the one that the token or grant is bound to.
    #[error("the DPoP proof is of another key")]
    Key,
    /// It was used before.
    #[error("the DPoP proof has been seen")]
    Replayed,
    /// What has been used is not known at present.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for InvalidProof {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Nonce => ErrorCode::UseDpopNonce,
            Self::Store(_) | Self::Form(NotAProof::Jws(InvalidJws::Crypto(_))) => ErrorCode::TemporarilyUnavailable,
            _ => ErrorCode::InvalidDpopProof,
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Missing => "Send a DPoP header with a proof (RFC 9449) for this request, signed with your key.",
            Self::NotOneLine => "Send one DPoP header.",
            Self::Form(NotAProof::Key) => "Put the public key alone into jwk: P-256, P-384, Ed25519, or RSA of 2048 bits and more.",
            Self::Form(_) => "Sign a compact JWS with typ dpop+jwt and the claims jti, htm, htu and iat.",
            Self::Method | Self::Target => "Set htm to the method, and htu to the address as the metadata has it, without query.",
            Self::Token => "Set ath to the SHA-256 of the access token, in base64url without padding.",
            Self::Time => "Set iat to the present time in seconds; check your clock, or use the nonce of the DPoP-Nonce header.",
            Self::Key => "Sign with the key that the token, code or refresh token was asked for with.",
            Self::Replayed => "Make a new proof, with a new jti, for every request.",
            _ => self.code().hint(),
        }
    }
}

/// The proof of `request`, if it has one; with `token` it has to be for that access token. Nothing is used up by that.
///
/// # Errors
/// There is one that does not count.
pub async fn proof<P: Ports>(request: &Request<'_>, token: Option<&str>, cx: &Cx<'_, P>) -> Result<Option<Proof>, InvalidProof> {
    let mut headers = request.headers.get_all(PROOF).iter();
    let Some(text) = headers.next() else { return Ok(None) };
    let text = text.to_str().ok().filter(|_| headers.next().is_none()).ok_or(InvalidProof::NotOneLine)?;
    let said = read(text.trim(), cx.ports).await?;
    if said.method != request.method {
        return Err(InvalidProof::Method);
    }
    if !is_address(&said.target, request.path, cx) {
        return Err(InvalidProof::Target);
    }
    if token.is_some_and(|token| said.token_hash.as_deref() != Some(&token_hash(token))) {
        return Err(InvalidProof::Token);
    }
    let until = lasts(&said, cx)?;
    Ok(Some(Proof { jkt: said.jkt, jti: said.jti, until }))
}

impl Proof {
    /// Uses it up, atomically and for as long as it could come again. Comes after everything else that can refuse it, and after the credential
    /// that it accompanies has proven genuine: what anybody can make up must not be stored.
    ///
    /// # Errors
    /// It was used before, or that cannot be told at present.
    pub async fn burn<P: Ports>(&self, cx: &Cx<'_, P>) -> Result<(), InvalidProof> {
        let (id, digest) = Once::place("dpop", &self.jkt, &self.jti);
        match cx.ports.run::<Once>(&id, Command::Burn { digest, until: self.until }).await? {
            Outcome::Fresh => Ok(()),
            Outcome::Seen => Err(InvalidProof::Replayed),
        }
    }
}

/// Uses up the proof that there may be.
///
/// # Errors
/// As [`Proof::burn`].
pub async fn burn<P: Ports>(proof: Option<&Proof>, cx: &Cx<'_, P>) -> Result<(), InvalidProof> {
    match proof {
        Some(proof) => proof.burn(cx).await,
        None => Ok(()),
    }
}

/// Whether what is bound to the key `jkt`, if to any, comes with that key's proof.
///
/// # Errors
/// There is no proof, or one of another key.
pub fn same_key(jkt: Option<&str>, proof: Option<&Proof>) -> Result<(), InvalidProof> {
    match (jkt, proof) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(InvalidProof::Missing),
        (Some(jkt), Some(proof)) => (proof.jkt == jkt).then_some(()).ok_or(InvalidProof::Key),
    }
}

/// Lets a client that has registered `dpop_bound_access_tokens` ask for nothing without a proof (RFC 9449, section 5.2).
///
/// # Errors
/// It has to have a proof, and has none.
pub fn demand(bound: bool, proof: Option<&Proof>) -> Result<(), InvalidProof> {
    if bound && proof.is_none() { Err(InvalidProof::Missing) } else { Ok(()) }
}

/// Whether `text` can be a thumbprint: `dpop_jkt` of an authorization request (RFC 9449, section 10).
#[must_use]
pub fn is_thumbprint(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// The nonce for the next proof, if nonces are given here.
#[must_use]
pub fn nonce<P>(cx: &Cx<'_, P>) -> Option<String> {
    let window = cx.now.millis() / 1000 / WINDOW;
    (cx.config.dpop_nonces != Nonces::Off).then(|| of_window(window, &cx.config.masters.current))
}

/// Nobody can make one up, and we need not remember any: it is an HMAC over the time.
fn of_window(window: u64, master: &crate::master::Master) -> String {
    let mac = master.derive_bytes("dpop-nonce", &[&window.to_be_bytes()]);
    URL_SAFE_NO_PAD.encode(mac.get(..18).unwrap_or_default())
}

/// Until when the proof has to be remembered. A nonce says more of its age than `iat`, which is another clock's.
fn lasts<P>(said: &Said, cx: &Cx<'_, P>) -> Result<Timestamp, InvalidProof> {
    match (&said.nonce, cx.config.dpop_nonces) {
        (Some(nonce), Nonces::Optional | Nonces::Required) => {
            let now = cx.now.millis() / 1000 / WINDOW;
            let is = |window| {
                cx.config
                    .masters
                    .all()
                    .fold(false, |is, master| is | bool::from(of_window(window, master).as_bytes().ct_eq(nonce.as_bytes())))
            };
            let window = [now, now.saturating_sub(1)].into_iter().find(|window| is(*window)).ok_or(InvalidProof::Nonce)?;
            Ok(Timestamp::from_millis(window.saturating_add(2).saturating_mul(WINDOW * 1000)).plus(SKEW))
        }
        (None, Nonces::Required) => Err(InvalidProof::Nonce),
        _ => {
            let issued = Timestamp::from_seconds(said.issued_at);
            let fresh = cx.now <= issued.plus(FRESH) && issued <= cx.now.plus(FRESH);
            if fresh { Ok(issued.plus(FRESH).plus(SKEW)) } else { Err(InvalidProof::Time) }
        }
    }
}

/// Whether `htu` is our own address of that path: never that of the `Host` header, which whoever sends the request can choose. Query and
/// fragment do not count (RFC 9449, section 4.3, check 9).
fn is_address<P>(htu: &str, path: &str, cx: &Cx<'_, P>) -> bool {
    let (Ok(named), Ok(ours)) = (Url::parse(htu), Url::parse(&cx.config.own(path))) else { return false };
    named.origin() == ours.origin() && named.path() == ours.path() && named.username().is_empty() && named.password().is_none()
}

/// RFC 9449, section 4.2: `ath`.
fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}
