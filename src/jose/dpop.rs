//! DPoP proofs (RFC 9449, section 4.2): from the text of the header to what its signature covers. Whether that fits the request is judged
//! elsewhere.

use serde_json::{Map, Value};

use super::jws::{InvalidJws, Untrusted};
use crate::store::Signer;

/// `typ` of a proof.
pub const TYPE: &str = "dpop+jwt";
/// What proofs may be signed with, as the metadata lists it. `EdDSA` and `Ed25519` are two names of one algorithm (RFC 9864).
pub const ALGORITHMS: [&str; 6] = ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"];
/// A longer `jti` is no random number, in bytes.
const LONGEST_JTI: usize = 255;

/// What a proof says, signed with the key that it brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// RFC 7638 thumbprint of that key: SHA-256, base64url, 43 characters.
    pub jkt: String,
    /// `jti`: 1 to 255 bytes.
    pub jti: String,
    /// `htm`: the method of the request.
    pub method: String,
    /// `htu`: the address of the request.
    pub target: String,
    /// `iat`, in seconds since the epoch.
    pub issued_at: i64,
    /// `ath`: SHA-256 of the access token, base64url.
    pub token_hash: Option<String>,
    /// `nonce`, if the server has given one.
    pub nonce: Option<String>,
}

/// Why a text is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NotAProof {
    /// The key is missing, private, weak or of a kind that we do not use.
    #[error("its jwk cannot be used")]
    Key,
    /// Form, type, algorithm or signature.
    #[error(transparent)]
    Jws(#[from] InvalidJws),
    /// A claim is missing, or not of its type.
    #[error("its claim {0} is missing or malformed")]
    Claim(&'static str),
}

/// Reads a proof and checks its signature with its own key: whoever sent it, or somebody before them, has that key's private half.
///
/// # Errors
/// See [`NotAProof`].
pub async fn read(text: &str, signer: &impl Signer) -> Result<Said, NotAProof> {
    let untrusted = Untrusted::parse(text)?;
    let key = untrusted.unverified_key().ok_or(NotAProof::Key)?;
    let claims: Map<String, Value> = untrusted.verify_with(TYPE, std::iter::once(&key), signer).await?;
    let text = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(NotAProof::Claim(name)),
    };
    let required = |name: &'static str| text(name)?.ok_or(NotAProof::Claim(name));
    Ok(Said {
        jkt: key.thumbprint(),
        jti: required("jti").and_then(|jti| if jti.len() <= LONGEST_JTI { Ok(jti) } else { Err(NotAProof::Claim("jti")) })?,
        method: required("htm")?,
        target: required("htu")?,
        issued_at: claims.get("iat").and_then(Value::as_i64).ok_or(NotAProof::Claim("iat"))?,
        token_hash: text("ath")?,
        nonce: text("nonce")?,
    })
}
