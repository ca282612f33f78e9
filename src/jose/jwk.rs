//! Public keys as they are published (RFC 7517) and named (RFC 7638).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::jwk::JsonWebKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A public key with what a key set says about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicJwk {
    /// RFC 7638 thumbprint (SHA-256).
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Always `ES256`.
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
        let kid = URL_SAFE_NO_PAD.encode(key.thumbprint::<Sha256>());
        Ok(Self { kid, usage: "sig".to_owned(), alg: "ES256".to_owned(), key })
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
}
