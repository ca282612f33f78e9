//! Public keys as they are published (RFC 7517) and named (RFC 7638).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::jwk::JsonWebKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

/// A public key with what a key set says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// RFC 7638 thumbprint (SHA-256).
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// `ES256` or `RS256`.
    pub alg: String,
    /// The key material.
    #[serde(flatten)]
    pub key: JsonWebKey<'static>,
}

/// A signature algorithm (RFC 7518, section 3.1; RFC 8037; RFC 9864).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256; signatures are r and s, 64 bytes.
    Es256,
    /// ECDSA on P-384 with SHA-384; signatures are r and s, 96 bytes.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name in a header or a JWK. There is no other: neither `none` nor one with a shared secret.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }

    /// Its name in a header or a JWK.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether a signature can be so many bytes long.
    #[must_use]
    pub const fn fits_signature(self, length: usize) -> bool {
        match self {
            Self::Es256 | Self::EdDsa => length == 64,
            Self::Es384 => length == 96,
            Self::Rs256 | Self::Ps256 => 256 <= length && length <= 1024,
        }
    }
}

/// Not a public key on P-256.
#[derive(Debug, thiserror::Error)]
#[error("not an uncompressed point of P-256")]
pub struct InvalidPoint;

impl PublicJwk {
    /// From an uncompressed point: 0x04, x, y (SEC 1, section 2.3.3), 65 bytes.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_point(point: &[u8]) -> Result<Self, InvalidPoint> {
        let (Some(4), Some(x), Some(y), 65) = (point.first(), point.get(1..33), point.get(33..65), point.len()) else {
            return Err(InvalidPoint);
        };
        let key = JsonWebKey::EllipticCurve { curve: "P-256".into(), x: x.to_vec().into(), y: y.to_vec().into(), secret: None };
        Ok(Self::named(Algorithm::Es256, key))
    }

    /// From modulus and public exponent, big-endian without leading zeros (RFC 7518, section 6.3.1).
    #[must_use]
    pub fn from_rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Self {
        let key = JsonWebKey::Rsa { modulus: modulus.into(), public_exponent: exponent.into(), private_parts: None };
        Self::named(Algorithm::Rs256, key)
    }

    fn named(algorithm: Algorithm, key: JsonWebKey<'static>) -> Self {
        let kid = URL_SAFE_NO_PAD.encode(key.thumbprint::<Sha256>());
        Self { kid, usage: "sig".to_owned(), alg: algorithm.name().to_owned(), key }
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::parse(&self.alg)
    }

    /// kty, n and e, if it is an RSA key.
    #[must_use]
    pub fn rsa(&self) -> Option<Value> {
        match &self.key {
            JsonWebKey::Rsa { modulus, public_exponent, .. } => {
                Some(json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(public_exponent) }))
            }
            _ => None,
        }
    }

    /// Back to the uncompressed point, for the crypto that takes raw keys.
    ///
    /// # Errors
    /// The key is of another kind.
    pub fn point(&self) -> Result<Vec<u8>, InvalidPoint> {
        match &self.key {
            JsonWebKey::EllipticCurve { curve, x, y, .. } if curve == "P-256" && x.len() == 32 && y.len() == 32 => {
                Ok([&[4], x.as_ref(), y.as_ref()].concat())
            }
            _ => Err(InvalidPoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_survives_the_way_through_json() {
        let mut point = vec![4_u8];
        point.extend(0..64);
        let jwk = PublicJwk::from_point(&point).unwrap();
        let json = serde_json::to_string(&jwk).unwrap();
        assert!(json.contains(r#""kty":"EC""#) && json.contains(r#""crv":"P-256""#) && !json.contains(r#""d""#), "{json}");
        let back: PublicJwk = serde_json::from_str(&json).unwrap();
        assert_eq!(back, jwk);
        assert_eq!(back.point().unwrap(), point);
        assert_eq!(jwk.kid.len(), 43);
        assert!(PublicJwk::from_point(&point[1..]).is_err());
    }

    #[test]
    fn an_rsa_key_survives_the_way_through_json() {
        let jwk = PublicJwk::from_rsa(vec![0xb7; 256], vec![1, 0, 1]);
        let json = serde_json::to_string(&jwk).unwrap();
        for part in [r#""kty":"RSA""#, r#""alg":"RS256""#, r#""use":"sig""#, r#""e":"AQAB""#] {
            assert!(json.contains(part), "{json}");
        }
        assert!(!json.contains(r#""d""#) && !json.contains("null"), "{json}");
        assert_eq!(crate::lean::read::<PublicJwk>(&json).unwrap(), jwk);
        assert_eq!(jwk.rsa().unwrap()["e"], "AQAB");
        assert!(jwk.point().is_err());
        assert_eq!((jwk.algorithm(), jwk.kid.len()), (Some(Algorithm::Rs256), 43));
    }
}
