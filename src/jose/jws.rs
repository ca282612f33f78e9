//! Compact JWS: what came in is [`Untrusted`] until its signature is checked, then [`Verified`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::{Claims, Header, UntrustedToken};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::foreign::ForeignKey;
use super::jwk::{Algorithm, PublicJwk};
use crate::store::{CryptoError, Signer, SigningKey};

/// Longer tokens than this are not read: ours are about 1 KiB.
const LONGEST: usize = 16 * 1024;

/// A token in three parts whose signature nobody has checked.
pub struct Untrusted<'a> {
    signed: &'a str,
    token: UntrustedToken<'a, Extra>,
}

/// A token whose signature and type have been checked.
pub struct Verified<T> {
    /// Its claims; time, issuer and audience are still to be judged.
    pub claims: Claims<T>,
}

/// What else of a header is looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Extra {
    /// RFC 7515, section 4.1.11: we understand no extension, so any is refused.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    crit: Option<serde_json::Value>,
    /// RFC 7515, section 4.1.3: of use in DPoP proofs, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    jwk: Option<serde_json::Value>,
}

/// A member that is there, whatever its value: null is not absence.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

/// Why a token is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum InvalidJws {
    /// Not three parts of base64url and JSON, or too long.
    #[error("not a compact JWS")]
    Malformed,
    /// `crit` names an extension.
    #[error("the header has crit")]
    Critical,
    /// Another algorithm than the key's.
    #[error("the algorithm is not one of the key")]
    Algorithm,
    /// A token made for another purpose.
    #[error("the type is not {0}")]
    Type(&'static str),
    /// No key of that name verifies at present.
    #[error("no such key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the signature is wrong")]
    Signature,
    /// The claims are not those of the type.
    #[error("the claims cannot be read: {0}")]
    Claims(String),
    /// The crypto itself failed: our fault, not the sender's.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl<'a> Untrusted<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is not a compact JWS, or has critical extensions.
    pub fn parse(token: &'a str) -> Result<Self, InvalidJws> {
        if token.len() > LONGEST {
            return Err(InvalidJws::Malformed);
        }
        let (signed, _) = token.rsplit_once('.').ok_or(InvalidJws::Malformed)?;
        let token = UntrustedToken::<Extra>::try_from(token).map_err(|_| InvalidJws::Malformed)?;
        if token.header().other_fields.crit.is_some() {
            return Err(InvalidJws::Critical);
        }
        Ok(Self { signed, token })
    }

    /// The type that the header claims, lower-cased, without `application/` (RFC 7515, section 4.1.9).
    #[must_use]
    pub fn unverified_type(&self) -> String {
        let typ = self.token.header().token_type.as_deref().unwrap_or_default().to_ascii_lowercase();
        typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
    }

    /// The key that the header names.
    #[must_use]
    pub fn unverified_key_id(&self) -> Option<&str> {
        self.token.header().key_id.as_deref()
    }

    /// The public key that the header brings along, if it can be used.
    #[must_use]
    pub fn unverified_key(&self) -> Option<ForeignKey> {
        self.token.header().other_fields.jwk.as_ref().and_then(ForeignKey::read)
    }

    /// The algorithm that the header claims, if it is one that keys of others may have.
    #[must_use]
    pub fn unverified_algorithm(&self) -> Option<Algorithm> {
        Algorithm::parse(self.token.algorithm())
    }

    /// The claims as they came: to find out whose key to check them with, and for nothing else.
    ///
    /// # Errors
    /// They are not what `T` is.
    pub fn unverified_claims<T: DeserializeOwned>(&self) -> Result<T, InvalidJws> {
        let payload = self.signed.split_once('.').map(|(_, payload)| payload).ok_or(InvalidJws::Malformed)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| InvalidJws::Malformed)?;
        // The text of the error may quote a claim, and so stays here.
        serde_json::from_slice(&payload).map_err(|_| InvalidJws::Claims("not of the form that is asked for".to_owned()))
    }

    /// Checks type, algorithm and signature with keys of somebody else, any of which may be the one, and reads the claims.
    ///
    /// # Errors
    /// See [`InvalidJws`].
    pub async fn verify_with<'k, T: DeserializeOwned>(
        &self,
        typ: &'static str,
        keys: impl IntoIterator<Item = &'k ForeignKey>,
        signer: &impl Signer,
    ) -> Result<T, InvalidJws> {
        if self.unverified_type() != typ {
            return Err(InvalidJws::Type(typ));
        }
        self.verify_typed(keys, signer).await
    }

    /// The same for a token whose type the caller has judged.
    ///
    /// # Errors
    /// See [`InvalidJws`].
    pub async fn verify_typed<'k, T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = &'k ForeignKey>,
        signer: &impl Signer,
    ) -> Result<T, InvalidJws> {
        let algorithm = self.unverified_algorithm().ok_or(InvalidJws::Algorithm)?;
        let signature = self.token.signature_bytes();
        if !algorithm.fits_signature(signature.len()) {
            return Err(InvalidJws::Signature);
        }
        for key in keys {
            if !key.fits(algorithm) {
                return Err(InvalidJws::Algorithm);
            }
            if signer.verify_with(algorithm, key.jwk(), self.signed.as_bytes(), signature).await? {
                return self.unverified_claims();
            }
        }
        Err(InvalidJws::Signature)
    }

    /// Checks type, algorithm and signature, and reads the claims.
    ///
    /// # Errors
    /// See [`InvalidJws`].
    pub async fn verify<T: DeserializeOwned>(
        &self,
        typ: &'static str,
        key: &PublicJwk,
        signer: &impl Signer,
    ) -> Result<Verified<T>, InvalidJws> {
        if self.unverified_type() != typ {
            return Err(InvalidJws::Type(typ));
        }
        let algorithm = self.unverified_algorithm().filter(|algorithm| key.alg == algorithm.name()).ok_or(InvalidJws::Algorithm)?;
        let signature = self.token.signature_bytes();
        if !algorithm.fits_signature(signature.len()) || !signer.verify(key, self.signed.as_bytes(), signature).await? {
            return Err(InvalidJws::Signature);
        }
        let claims = self.token.deserialize_claims_unchecked().map_err(|error| InvalidJws::Claims(error.to_string()))?;
        Ok(Verified { claims })
    }
}

/// Signs `claims` as a token of type `typ`.
///
/// # Errors
/// The claims do not serialise, or the crypto fails.
pub async fn sign<T: Serialize>(typ: &str, claims: &Claims<T>, key: &SigningKey<'_>, signer: &impl Signer) -> Result<String, CryptoError> {
    #[derive(Serialize)]
    struct Protected<'a> {
        alg: &'static str,
        #[serde(flatten)]
        header: &'a Header,
    }
    let header = Header::empty().with_token_type(typ).with_key_id(key.kid);
    let part = |bytes: Result<Vec<u8>, serde_json::Error>| {
        bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).map_err(|error| CryptoError(error.to_string()))
    };
    let header = part(serde_json::to_vec(&Protected { alg: key.algorithm.name(), header: &header }))?;
    let mut token = format!("{header}.{}", part(serde_json::to_vec(claims))?);
    let signature = signer.sign(key, token.as_bytes()).await?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
